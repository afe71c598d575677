//! LDAP messages (RFC 4511 section 4): encodes requests and decodes answers.

use super::ber::{self, BOOLEAN, ENUMERATED, Elements, INTEGER, Malformed, OCTETS, SEQUENCE};
use super::filter;
use super::limit;
use crate::source::ldap::decode::{self, Raw};

const BIND: u8 = 0x60;
const SEARCH: u8 = 0x63;
const EXTENDED: u8 = 0x77;
const ABANDON: u8 = 0x50;
const CONTROLS: u8 = 0xa0;

/// How far below the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source::ldap) enum Scope {
    /// The base itself.
    Base = 0,
    /// What is right below it.
    OneLevel = 1,
    /// And everything below it.
    Subtree = 2,
}

/// What goes with a request or an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source::ldap) struct Control {
    pub(in crate::source::ldap) oid: String,
    pub(in crate::source::ldap) critical: bool,
    pub(in crate::source::ldap) value: Option<Vec<u8>>,
}

/// What is asked of a server.
#[derive(Clone, Copy)]
pub(in crate::source::ldap) enum Request<'a> {
    Bind {
        dn: &'a str,
        password: &'a str,
    },
    StartTls,
    /// No more answers to the request with this id are wanted (RFC 4511 section 4.11).
    Abandon(i32),
    Search {
        base: &'a str,
        scope: Scope,
        filter: &'a str,
        attributes: &'a [String],
        /// Entries wanted at most; 0 for all.
        at_most: u32,
    },
}

/// How an operation ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::source::ldap) struct LdapResult {
    pub(in crate::source::ldap) code: u32,
    pub(in crate::source::ldap) matched: String,
    pub(in crate::source::ldap) text: String,
    pub(in crate::source::ldap) referrals: Vec<String>,
}

/// What a server answers.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::source::ldap) enum Response {
    /// An entry; `None` if it is not one in form.
    Entry(Option<Raw>),
    Reference(Vec<String>),
    /// Its name, and its value.
    Intermediate(Option<String>, Vec<u8>),
    SearchDone(LdapResult),
    Bound(LdapResult),
    Extended(LdapResult),
}

/// A message as far as it is understood before it is known to be asked for.
pub(super) struct Message<'a> {
    pub(super) id: i32,
    op: u8,
    content: &'a [u8],
    rest: Elements<'a>,
}

impl Request<'_> {
    /// The message; `None` if the filter is none.
    pub(super) fn message(&self, id: i32, controls: &[Control]) -> Option<Vec<u8>> {
        let mut content = ber::natural(INTEGER, id.unsigned_abs());
        content.extend(self.operation()?);
        if !controls.is_empty() {
            let controls: Vec<u8> = controls.iter().flat_map(Control::bytes).collect();
            content.extend(ber::element(CONTROLS, &controls));
        }
        Some(ber::element(SEQUENCE, &content))
    }

    fn operation(&self) -> Option<Vec<u8>> {
        Some(match self {
            Self::Bind { dn, password } => {
                let version = ber::natural(INTEGER, 3);
                let (dn, password) =
                    (ber::element(OCTETS, dn.as_bytes()), ber::element(0x80, password.as_bytes()));
                ber::element(BIND, &[version, dn, password].concat())
            }
            Self::StartTls => ber::element(EXTENDED, &ber::element(0x80, b"1.3.6.1.4.1.1466.20037")),
            Self::Abandon(id) => ber::natural(ABANDON, id.unsigned_abs()),
            Self::Search { base, scope, filter, attributes, at_most } => {
                let names = attributes.iter().flat_map(|name| ber::element(OCTETS, name.as_bytes()));
                let names: Vec<u8> = names.collect();
                let parts = [
                    ber::element(OCTETS, base.as_bytes()),
                    ber::natural(ENUMERATED, *scope as u32),
                    // Aliases are not followed.
                    ber::natural(ENUMERATED, 0),
                    ber::natural(INTEGER, *at_most),
                    // No limit of time: the connection has its own.
                    ber::natural(INTEGER, 0),
                    ber::element(BOOLEAN, &[0]),
                    filter::parse(filter)?,
                    ber::element(SEQUENCE, &names),
                ];
                ber::element(SEARCH, &parts.concat())
            }
        })
    }
}

impl Control {
    fn bytes(&self) -> Vec<u8> {
        let mut content = ber::element(OCTETS, self.oid.as_bytes());
        if self.critical {
            content.extend(ber::element(BOOLEAN, &[0xff]));
        }
        if let Some(value) = &self.value {
            content.extend(ber::element(OCTETS, value));
        }
        ber::element(SEQUENCE, &content)
    }

    fn parse(content: &[u8]) -> Result<Self, Malformed> {
        let mut parts = Elements::of(content);
        let oid = text(parts.expect(OCTETS)?);
        let critical = parts.optional(BOOLEAN)?.map(ber::boolean).transpose()?.unwrap_or_default();
        let value = parts.optional(OCTETS)?.map(<[u8]>::to_vec);
        parts.end()?;
        Ok(Self { oid, critical, value })
    }
}

impl LdapResult {
    fn parse(content: &[u8]) -> Result<Self, Malformed> {
        let mut parts = Elements::of(content);
        let code = ber::number(parts.expect(ENUMERATED)?)?.unsigned_abs();
        let matched = text(parts.expect(OCTETS)?);
        let diagnostic = text(parts.expect(OCTETS)?);
        let referrals = parts.optional(0xa3)?.map(urls).transpose()?.unwrap_or_default();
        // What follows is of the operation, and nothing that is asked for here.
        Ok(Self { code, matched, text: diagnostic, referrals })
    }
}

impl<'a> Message<'a> {
    /// Of the content of a message.
    pub(super) fn parse(content: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = Elements::of(content);
        let id = ber::number(rest.expect(INTEGER)?)?;
        let (op, content) = rest.next()?.ok_or(Malformed("a message without an operation"))?;
        if !matches!(op, 0x61 | 0x64 | 0x65 | 0x73 | 0x78 | 0x79) {
            return Err(Malformed("an operation that does not answer a search or a login"));
        }
        Ok(Self { id, op, content, rest })
    }

    /// The server's word that it ends the connection (RFC 4511 section 4.4.1), if it is that.
    pub(super) fn disconnection(&self) -> Result<Option<LdapResult>, Malformed> {
        const NOTICE: &[u8] = b"1.3.6.1.4.1.1466.20036";
        if self.id != 0 || self.op != 0x78 {
            return Ok(None);
        }
        let mut parts = Elements::of(self.content);
        let mut named = false;
        while let Some((tag, content)) = parts.next()? {
            named |= tag == 0x8a && content == NOTICE;
        }
        // Active Directory puts the name behind the operation.
        let mut rest = self.rest;
        while let Some((tag, content)) = rest.next()? {
            named |= tag == 0x8a && content == NOTICE;
        }
        if named { LdapResult::parse(self.content).map(Some) } else { Ok(None) }
    }

    /// Whether it answers a search.
    pub(super) fn is_of_search(&self) -> bool {
        matches!(self.op, 0x64 | 0x65 | 0x73)
    }

    /// Whether it is the last one of a search.
    pub(super) fn ends_search(&self) -> bool {
        self.op == 0x65
    }

    /// What it says, and the controls that came with it.
    pub(super) fn response(mut self) -> Result<(Response, Vec<Control>), Malformed> {
        let response = match self.op {
            0x61 => Response::Bound(LdapResult::parse(self.content)?),
            0x64 => Response::Entry(decode::entry(self.content)),
            0x65 => Response::SearchDone(LdapResult::parse(self.content)?),
            0x73 => Response::Reference(urls(self.content)?),
            0x79 => {
                let mut parts = Elements::of(self.content);
                let name = parts.optional(0x80)?.map(text);
                let value = parts.optional(0x81)?.unwrap_or_default().to_vec();
                Response::Intermediate(name, value)
            }
            _ => Response::Extended(LdapResult::parse(self.content)?),
        };
        let mut controls = Vec::new();
        if let Some(sent) = self.rest.optional(CONTROLS)? {
            let mut sent = Elements::of(sent);
            while let Some((tag, content)) = sent.next()? {
                if tag != SEQUENCE {
                    return Err(Malformed("a control that is not valid"));
                }
                if controls.len() == limit::CONTROLS {
                    return Err(Malformed("more controls than 100"));
                }
                controls.push(Control::parse(content)?);
            }
        }
        Ok((response, controls))
    }
}

fn urls(content: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut elements = Elements::of(content);
    let mut urls = Vec::new();
    while let Some((_, url)) = elements.next()? {
        // A handful is told of.
        if urls.len() < 16 {
            urls.push(text(url));
        }
    }
    Ok(urls)
}

/// A text for people, cut where no sentence is so long.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(content: &[u8]) -> Result<(Response, Vec<Control>), Malformed> {
        Message::parse(content)?.response()
    }

    #[test]
    fn asks_as_the_standard_says() {
        let login = Request::Bind { dn: "cn=a", password: "p" };
        let expected = b"\x30\x11\x02\x01\x07\x60\x0c\x02\x01\x03\x04\x04cn=a\x80\x01p";
        assert_eq!(login.message(7, &[]).unwrap(), expected);
        assert_eq!(Request::Abandon(300).message(8, &[]).unwrap(), b"\x30\x07\x02\x01\x08\x50\x02\x01\x2c");
        let attributes = ["cn".to_owned()];
        let search = Request::Search {
            base: "",
            scope: Scope::Base,
            filter: "(a=*)",
            attributes: &attributes,
            at_most: 1,
        };
        let control = Control { oid: "1.2".to_owned(), critical: true, value: Some(b"v".to_vec()) };
        let expected: &[u8] =
            b"\x30\x2e\x02\x01\x02\x63\x1a\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x01\x02\x01\x00\x01\x01\
            \x00\x87\x01a\x30\x04\x04\x02cn\xa0\x0d\x30\x0b\x04\x031.2\x01\x01\xff\x04\x01v";
        let sent = search.message(2, &[control]).unwrap();
        assert_eq!(sent[2..], expected[2..], "{sent:x?}");
        assert_eq!(usize::from(sent[1]), sent.len() - 2);
        assert!(
            Request::Search { base: "", scope: Scope::Base, filter: "(a", attributes: &[], at_most: 0 }
                .message(1, &[])
                .is_none()
        );
    }

    #[test]
    fn hears_how_a_search_ended() {
        let done = b"\x02\x01\x05\x65\x14\x0a\x01\x0a\x04\x00\x04\x02no\xa3\x09\x04\x07ldap://\xa0\x07\x30\x05\x04\x031.2";
        let (response, controls) = response(done).unwrap();
        let Response::SearchDone(result) = response else { panic!("{response:?}") };
        assert_eq!((result.code, result.text.as_str(), result.referrals.len()), (10, "no", 1));
        assert_eq!(controls, [Control { oid: "1.2".to_owned(), critical: false, value: None }]);
    }

    #[test]
    fn so_many_controls_come_with_an_answer_and_no_more() {
        let done = [b"\x02\x01\x05".to_vec(), ber::element(0x65, b"\x0a\x01\x00\x04\x00\x04\x00")].concat();
        let with = |count: usize| {
            let control = Control { oid: "1.2".to_owned(), critical: false, value: None }.bytes();
            response(&[done.clone(), ber::element(CONTROLS, &control.repeat(count))].concat())
        };
        assert_eq!(with(limit::CONTROLS).unwrap().1.len(), limit::CONTROLS);
        assert_eq!(with(limit::CONTROLS + 1), Err(Malformed("more controls than 100")));
    }

    #[test]
    fn what_is_not_as_the_standard_says_is_refused() {
        for (wrong, part) in [
            (b"\x04\x01\x05\x65\x00".as_slice(), "another kind"),
            (b"\x02\x01\x05", "without an operation"),
            (b"\x02\x01\x05\x42\x00", "does not answer a search or a login"),
            (b"\x02\x01\x05\x65\x00", "missing"),
            (b"\x02\x01\x05\x65\x06\x0a\x01\x00\x04\x00", "end where it should"),
            (b"\x02\x05\x01\x00\x00\x00\x05\x65\x07\x0a\x01\x00\x04\x00\x04\x00", "2147483647"),
            (b"\x02\x01\x05\x65\x0b\x0a\x05\x01\x00\x00\x00\x00\x04\x00\x04\x00", "2147483647"),
            (b"\x02\x01\x05\x65\x07\x0a\x01\x00\x04\x00\x04\x00\xa0\x02\x04\x00", "a control"),
        ] {
            let Err(Malformed(why)) = response(wrong) else { panic!("{wrong:x?} is taken") };
            assert!(why.contains(part), "{why} for {wrong:x?}");
        }
    }

    #[test]
    fn a_notice_of_disconnection_is_known_in_both_spellings() {
        let result = b"\x0a\x01\x34\x04\x00\x04\x03bye";
        let name = ber::element(0x8a, b"1.3.6.1.4.1.1466.20036");
        let inside =
            [b"\x02\x01\x00".to_vec(), ber::element(0x78, &[result, name.as_slice()].concat())].concat();
        let behind = [b"\x02\x01\x00".to_vec(), ber::element(0x78, result), name].concat();
        for message in [inside, behind] {
            let notice = Message::parse(&message).unwrap().disconnection().unwrap().unwrap();
            assert_eq!((notice.code, notice.text.as_str()), (52, "bye"));
        }
        let other = [b"\x02\x01\x00".to_vec(), ber::element(0x78, result)].concat();
        assert_eq!(Message::parse(&other).unwrap().disconnection().unwrap(), None);
    }
}
