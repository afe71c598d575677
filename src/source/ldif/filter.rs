//! LDAP filters (RFC 4515), asked of the entries of a file. Pure.

use crate::source::ldap::wire::ber::Elements;
use crate::source::ldap::wire::filter;
use crate::source::schema::Attributes;

/// A filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Present(String),
    Equal(String, Vec<u8>),
    /// A beginning, parts between, an end.
    Like(String, Vec<u8>, Vec<Vec<u8>>, Vec<u8>),
    AtLeast(String, Vec<u8>),
    AtMost(String, Vec<u8>),
    /// All of these bits, or one of them.
    Bits(String, i64, bool),
}

/// Classes of people, and those above them (RFC 4519, RFC 2798).
const SUPERIORS: &[(&str, &str)] = &[
    ("inetOrgPerson", "organizationalPerson"),
    ("inetOrgPerson", "person"),
    ("inetOrgPerson", "top"),
    ("organizationalPerson", "person"),
    ("organizationalPerson", "top"),
    ("person", "top"),
];

/// Bits of a number, compared (MS-ADTS 3.1.1.3.4.4).
const ALL_BITS: &[u8] = b"1.2.840.113556.1.4.803";
const ANY_BIT: &[u8] = b"1.2.840.113556.1.4.804";

impl Filter {
    /// Reads a filter; what is wrong with one that cannot be asked of a file.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let unknown = || {
            format!("{text} is no LDAP filter (RFC 4515), or has a part that can only be asked of a server")
        };
        filter::parse(text).and_then(|sent| of(parts(&sent)?.pop()?)).ok_or_else(unknown)
    }

    /// Whether it finds an entry with these attributes.
    pub(super) fn finds(&self, attributes: &Attributes) -> bool {
        let values = |name: &str, is: &dyn Fn(&[u8]) -> bool| attributes.values(name).any(is);
        match self {
            Self::All(parts) => parts.iter().all(|part| part.finds(attributes)),
            Self::Any(parts) => parts.iter().any(|part| part.finds(attributes)),
            Self::Not(part) => !part.finds(attributes),
            Self::Present(name) => values(name, &|_| true),
            Self::Equal(name, wanted) => {
                let is_class = name.eq_ignore_ascii_case("objectClass");
                values(name, &|value| is_same(value, wanted) || (is_class && is_above(wanted, value)))
            }
            Self::Like(name, start, parts, end) => values(name, &|value| is_like(value, start, parts, end)),
            Self::AtLeast(name, least) => values(name, &|value| compare(value, least).is_ge()),
            Self::AtMost(name, most) => values(name, &|value| compare(value, most).is_le()),
            Self::Bits(name, bits, all) => values(name, &|value| {
                let set = number(value).map(|value| value & bits);
                set.is_some_and(|set| if *all { set == *bits } else { set != 0 })
            }),
        }
    }
}

/// A tag and what it holds.
type Part<'a> = (u8, &'a [u8]);

/// What an encoded filter consists of (RFC 4511 section 4.5.1.7).
fn parts(bytes: &[u8]) -> Option<Vec<Part<'_>>> {
    let mut elements = Elements::of(bytes);
    let mut parts = Vec::new();
    while let Some(part) = elements.next().ok()? {
        parts.push(part);
    }
    Some(parts)
}

fn of((tag, content): Part<'_>) -> Option<Filter> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let all = || parts(content)?.into_iter().map(of).collect::<Option<Vec<Filter>>>();
    let pair = || match parts(content)?.as_slice() {
        [(_, name), (_, value)] => Some((text(name)?, *value)),
        _ => None,
    };
    Some(match tag & 0x1f {
        0 => Filter::All(all()?),
        1 => Filter::Any(all()?),
        2 => Filter::Not(Box::new(all()?.pop()?)),
        3 | 8 => pair().map(|(name, value)| Filter::Equal(name, value.to_vec()))?,
        4 => {
            let (name, places) = pair()?;
            let (mut start, mut between, mut end) = (Vec::new(), Vec::new(), Vec::new());
            for (place, value) in parts(places)? {
                match place & 0x1f {
                    0 => start = folded(value),
                    1 => between.push(folded(value)),
                    _ => end = folded(value),
                }
            }
            Filter::Like(name, start, between, end)
        }
        5 => pair().map(|(name, value)| Filter::AtLeast(name, value.to_vec()))?,
        6 => pair().map(|(name, value)| Filter::AtMost(name, value.to_vec()))?,
        7 => Filter::Present(text(content)?),
        _ => {
            let parts = parts(content)?;
            let part = |wanted: u8| parts.iter().find(|(tag, _)| tag & 0x1f == wanted).map(|(_, part)| *part);
            let all = part(1)? == ALL_BITS;
            let bits = number(part(3)?).filter(|_| all || part(1) == Some(ANY_BIT))?;
            Filter::Bits(text(part(2)?)?, bits, all)
        }
    })
}

/// Letter case and runs of blanks mean nothing (caseIgnoreMatch).
fn folded(value: &[u8]) -> Vec<u8> {
    String::from_utf8(value.to_vec()).map_or_else(|_| value.to_vec(), |text| text.to_lowercase().into_bytes())
}

fn is_same(value: &[u8], wanted: &[u8]) -> bool {
    let plain = |value: &[u8]| {
        let words: Vec<Vec<u8>> = folded(value)
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_vec)
            .collect();
        words.join(&b' ')
    };
    value == wanted || plain(value) == plain(wanted)
}

/// Whether a class is a superior one of another: servers find by these, and exports do not show them.
fn is_above(class: &[u8], of: &[u8]) -> bool {
    SUPERIORS.iter().any(|(one, above)| is_same(of, one.as_bytes()) && is_same(class, above.as_bytes()))
}

fn is_like(value: &[u8], start: &[u8], parts: &[Vec<u8>], end: &[u8]) -> bool {
    let value = folded(value.trim_ascii());
    let Some(mut rest) = value.strip_prefix(start) else { return false };
    for part in parts {
        let Some(at) = rest.windows(part.len().max(1)).position(|window| window == part.as_slice()) else {
            return false;
        };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(end)
}

fn number(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

fn compare(value: &[u8], other: &[u8]) -> std::cmp::Ordering {
    match (number(value), number(other)) {
        (Some(value), Some(other)) => value.cmp(&other),
        _ => folded(value.trim_ascii()).cmp(&folded(other.trim_ascii())),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("(objectClass=PERSON)", true)]
    #[case("(objectClass=group)", false)]
    #[case("(&(objectClass=person)(!(ou=Guests)))", true)]
    #[case("(|(ou=guests)(ou=sales  team))", true)]
    #[case("(mail=*)", true)]
    #[case("(telephoneNumber=*)", false)]
    #[case("(mail=*@x.example)", true)]
    #[case("(mail=a*a@*example)", true)]
    #[case("(mail=b*)", false)]
    #[case("(mail=ada@x.examplex*)", false)]
    #[case("(uidNumber>=900)", true)]
    #[case("(uidNumber<=900)", false)]
    #[case("(userAccountControl:1.2.840.113556.1.4.803:=514)", true)]
    #[case("(userAccountControl:1.2.840.113556.1.4.803:=6)", false)]
    #[case("(userAccountControl:1.2.840.113556.1.4.804:=6)", true)]
    fn finds_as_a_server_does(#[case] filter: &str, #[case] found: bool) {
        let mut attributes = Attributes::new();
        for (name, value) in [
            ("objectClass", "inetOrgPerson"),
            ("ou", "Sales Team"),
            ("mail", "Ada@x.example"),
            ("uidNumber", "1000"),
            ("userAccountControl", "514"),
        ] {
            attributes.add(name, [value.as_bytes().to_vec()]);
        }
        assert_eq!(Filter::parse(filter).unwrap().finds(&attributes), found);
    }

    #[rstest]
    #[case("mail")]
    #[case("(cn:dn:caseExactMatch:=x)")]
    fn what_cannot_be_asked_is_said(#[case] filter: &str) {
        assert!(Filter::parse(filter).unwrap_err().contains(filter));
    }
}
