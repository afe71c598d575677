//! Decodes raw attributes (RFC 4511 section 4.5.2).

use super::wire::ber::{Elements, Malformed, OCTETS, SEQUENCE, SET};
use super::wire::limit::{ATTRIBUTES, ENTRY, VALUE, VALUES};
use crate::source::schema::Attributes;

/// Attributes that list others: they may be long.
const LISTS: &[&str] = &["member", "uniquemember", "memberuid"];

/// An entry as it came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) dn: String,
    /// Whether the DN is UTF-8; if not, `dn` is only for people to read.
    pub(super) dn_is_text: bool,
    pub(super) attributes: Attributes,
    /// The limit that the entry exceeds, if it does. What exceeds it is not among the attributes.
    pub(super) beyond: Option<String>,
}

/// `None` if this is no entry.
pub(super) fn entry(content: &[u8]) -> Option<Raw> {
    parse(content).ok()
}

fn parse(content: &[u8]) -> Result<Raw, Malformed> {
    let mut parts = Elements::of(content);
    let dn = parts.expect(OCTETS)?;
    let mut attributes = Elements::of(parts.expect(SEQUENCE)?);
    parts.end()?;
    let mut raw = Raw {
        dn: String::from_utf8_lossy(&dn[..dn.len().min(VALUE)]).into_owned(),
        dn_is_text: std::str::from_utf8(dn).is_ok() && dn.len() <= VALUE,
        ..Raw::default()
    };
    let (mut bytes, mut came, mut left) = (0, 0, VALUES);
    while let Some((tag, content)) = attributes.next()? {
        let mut parts = Elements::of(if tag == SEQUENCE { content } else { &[] });
        let description = std::str::from_utf8(parts.expect(OCTETS)?);
        let description = description.map_err(|_| Malformed("the name of an attribute"))?;
        let values = Elements::of(parts.expect(SET)?);
        parts.end()?;
        came += 1;
        if came > ATTRIBUTES {
            raw.beyond = Some(format!("it has more than {ATTRIBUTES} attributes"));
            break;
        }
        let name = description.split(';').next().unwrap_or_default();
        match take(values, &mut left)? {
            Ok(values) => {
                if !LISTS.iter().any(|list| name.eq_ignore_ascii_case(list)) {
                    bytes += values.iter().map(Vec::len).sum::<usize>();
                }
                raw.attributes.add(description, values);
            }
            Err(beyond) => raw.beyond = Some(format!("its attribute {name} has {beyond}")),
        }
    }
    if bytes > ENTRY {
        raw.beyond = Some(format!("it has {bytes} bytes without its members, and the maximum is {ENTRY}"));
    }
    Ok(raw)
}

/// The values of an attribute, of which so many may come; the inner error says which bound they are beyond.
fn take(mut values: Elements<'_>, left: &mut usize) -> Result<Result<Vec<Vec<u8>>, String>, Malformed> {
    let mut kept = Vec::new();
    while let Some((tag, value)) = values.next()? {
        if tag != OCTETS {
            return Err(Malformed("a value that is not valid"));
        }
        if value.len() > VALUE {
            return Ok(Err(format!("a value of {} bytes, and the maximum is {VALUE}", value.len())));
        }
        if *left == 0 {
            return Ok(Err(format!("more values than are left of the {VALUES} that an entry may have")));
        }
        *left -= 1;
        kept.push(value.to_vec());
    }
    Ok(Ok(kept))
}

/// The cookie of a paged results control (RFC 2696 section 2); empty at the end.
pub(super) fn cookie(value: &[u8]) -> Option<Vec<u8>> {
    let mut parts = Elements::within(SEQUENCE, value).ok()?;
    parts.expect(super::wire::ber::INTEGER).ok()?;
    parts.expect(OCTETS).ok().map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::super::wire::ber::element;
    use super::*;

    fn attribute(name: &str, values: &[&[u8]]) -> Vec<u8> {
        let values: Vec<u8> = values.iter().flat_map(|value| element(OCTETS, value)).collect();
        element(SEQUENCE, &[element(OCTETS, name.as_bytes()), element(SET, &values)].concat())
    }

    fn of(dn: &[u8], attributes: &[Vec<u8>]) -> Vec<u8> {
        [element(OCTETS, dn), element(SEQUENCE, &attributes.concat())].concat()
    }

    #[test]
    fn names_lose_case_and_values_stay_bytes() {
        let attributes = [attribute("CN", &[b"\xff", b"Ada"]), attribute("sn", &[])];
        let raw = entry(&of(b"cn=Ada", &attributes)).unwrap();
        assert_eq!(raw.attributes.values("cn").collect::<Vec<_>>(), [b"\xff".as_slice(), b"Ada"]);
        assert_eq!((raw.attributes.values("sn").count(), raw.attributes.has("sn")), (0, true));
        assert_eq!(raw.beyond, None);
    }

    #[test]
    fn a_part_of_the_values_is_seen_to_be_one() {
        let raw = entry(&of(b"cn=g", &[attribute("member;range=0-1499", &[b"cn=a"])])).unwrap();
        assert_eq!((raw.attributes.is_whole("member"), raw.attributes.values("member").count()), (false, 1));
    }

    #[test]
    fn an_entry_whose_dn_is_no_text_is_still_known_by_its_anchor() {
        let raw = entry(&of(b"cn=\xff", &[attribute("entryUUID", &[b"e"])])).unwrap();
        assert_eq!((raw.dn_is_text, raw.attributes.values("entryuuid").count()), (false, 1));
    }

    #[test]
    fn an_entry_beyond_a_bound_is_known_by_its_anchor_and_not_taken() {
        let id = attribute("entryUUID", &[b"e"]);
        let beyond = |attributes: &[Vec<u8>]| {
            let raw = entry(&of(b"cn=a", &[attributes, std::slice::from_ref(&id)].concat())).unwrap();
            assert_eq!(raw.attributes.values("entryuuid").collect::<Vec<_>>(), [b"e"]);
            raw.beyond.unwrap_or_default()
        };
        let (long, longest) = (vec![b'a'; VALUE + 1], vec![b'a'; VALUE]);
        assert!(
            beyond(&[attribute("photo", &[&long])])
                .contains("its attribute photo has a value of 1048577 bytes")
        );
        assert_eq!(beyond(&[attribute("photo", &[&longest])]), "");
        let several = vec![longest.as_slice(); ENTRY / VALUE + 1];
        assert!(beyond(&[attribute("photo", &several)]).contains("bytes without its members"));
        assert_eq!(beyond(&[attribute("member", &several)]), "");
    }

    #[test]
    fn the_values_of_all_attributes_of_an_entry_are_counted_together_empty_ones_too() {
        let beyond = |counts: &[usize]| {
            let attributes = counts.iter().map(|count| attribute("member", &vec![b"".as_slice(); *count]));
            entry(&of(b"cn=a", &attributes.collect::<Vec<_>>())).unwrap().beyond
        };
        assert_eq!(beyond(&[VALUES / 2, VALUES / 2]), None);
        for counts in [&[VALUES + 1][..], &[VALUES / 2, VALUES / 2, 1]] {
            let why = beyond(counts).unwrap();
            assert!(why.contains("attribute member has more values") && why.contains("1000000"), "{why}");
        }
    }

    #[test]
    fn what_is_no_entry_is_none() {
        assert_eq!(entry(&element(OCTETS, b"cn=Ada")), None);
        assert_eq!(entry(&of(b"cn=Ada", &[element(OCTETS, b"cn")])), None);
        assert_eq!(entry(&of(b"cn=Ada", &[b"\x30\x7f\x04\x02cn".to_vec()])), None);
        assert_eq!(cookie(b"\x30\x05\x02\x01"), None);
        assert_eq!(cookie(b"\x30\x07\x02\x01\x00\x04\x02ab"), Some(b"ab".to_vec()));
    }
}
