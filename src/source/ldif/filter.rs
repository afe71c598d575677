//! LDAP filters (RFC 4515), asked of the entries of a file. Pure.
//!
//! The answer has three values (RFC 4511 section 4.5.1.7): what is not known of an entry neither finds it nor leaves it out.

use std::collections::BTreeSet;

use crate::directory::Dn;
use crate::source::ldap::wire::ber::Elements;
use crate::source::ldap::wire::filter;
use crate::source::schema::{self, Attributes};

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
            format!("{text} is not an LDAP filter (RFC 4515), or has a part that only a server can evaluate")
        };
        filter::parse(text).and_then(|sent| of(parts(&sent)?.pop()?)).ok_or_else(unknown)
    }

    /// Whether it finds an entry with these attributes; `None` if that cannot be told. `hides` says of an attribute, in lower
    /// case, whether the entry may have more values of it than came.
    pub(super) fn finds(&self, attributes: &Attributes, hides: &dyn Fn(&str) -> bool) -> Option<bool> {
        let values = |description: &str, is: &dyn Fn(&[u8]) -> bool| {
            if attributes.values(description).any(is) {
                return Some(true);
            }
            let name = schema::name(description);
            let known = attributes.is_whole(&name)
                && attributes.values(description).all(schema::is_text)
                && !hides(&name);
            known.then_some(false)
        };
        // What decides does so whatever the others are.
        let among = |parts: &[Self], decides: bool| {
            let answers = || parts.iter().map(|part| part.finds(attributes, hides));
            if answers().any(|answer| answer == Some(decides)) {
                return Some(decides);
            }
            answers().all(|answer| answer.is_some()).then_some(!decides)
        };
        match self {
            Self::All(parts) => among(parts, false),
            Self::Any(parts) => among(parts, true),
            Self::Not(part) => part.finds(attributes, hides).map(|found| !found),
            Self::Present(name) => values(name, &|_| true),
            Self::Equal(name, wanted) => {
                let is_class = name.eq_ignore_ascii_case("objectClass");
                let is_category = name.eq_ignore_ascii_case("objectCategory");
                values(name, &|value| {
                    is_same(value, wanted)
                        || (is_class && is_above(wanted, value))
                        || (is_category && is_category_of(value, wanted))
                        || is_same_dn(value, wanted)
                })
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

impl Filter {
    /// The attributes that it asks for, in lower case.
    pub(super) fn names(&self) -> BTreeSet<String> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::names).collect(),
            Self::Not(part) => part.names(),
            Self::Present(name)
            | Self::Equal(name, _)
            | Self::Like(name, ..)
            | Self::AtLeast(name, _)
            | Self::AtMost(name, _)
            | Self::Bits(name, ..) => BTreeSet::from([schema::name(name).into_owned()]),
        }
    }
}

/// A tag and what it holds.
type Tlv<'a> = (u8, &'a [u8]);

/// What an encoded filter consists of (RFC 4511 section 4.5.1.7).
fn parts(bytes: &[u8]) -> Option<Vec<Tlv<'_>>> {
    let mut elements = Elements::of(bytes);
    let mut parts = Vec::new();
    while let Some(part) = elements.next().ok()? {
        parts.push(part);
    }
    Some(parts)
}

fn of((tag, content): Tlv<'_>) -> Option<Filter> {
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

/// Whether both are DNs, and the same one in two spellings.
fn is_same_dn(value: &[u8], wanted: &[u8]) -> bool {
    let dn = |text: &[u8]| Dn::parse(std::str::from_utf8(text).ok().filter(|text| text.contains('='))?).ok();
    dn(wanted).is_some_and(|wanted| dn(value) == Some(wanted))
}

/// Active Directory finds `objectCategory` by a class too: that by which the first part of the DN is called, or which shares it.
fn is_category_of(value: &[u8], wanted: &[u8]) -> bool {
    let Some(dn) = std::str::from_utf8(value).ok().and_then(|value| Dn::parse(value).ok()) else {
        return false;
    };
    let wanted = String::from_utf8_lossy(wanted).trim().to_lowercase();
    let wanted = match wanted.as_str() {
        "user" | "contact" | "inetorgperson" | "organizationalperson" => "person",
        other => other,
    };
    dn.first_values("cn").any(|category| category.replace('-', "") == wanted.replace('-', ""))
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
        assert_eq!(Filter::parse(filter).unwrap().finds(&attributes, &|_| false), Some(found));
    }

    /// `ou` came in another character set, `memberOf` in part, `title` and `l` not at all: `l` may be hidden.
    #[rstest]
    #[case("(ou=sales)", None)]
    #[case("(!(ou=sales))", None)]
    #[case("(ou=*)", Some(true))]
    #[case("(memberOf=cn=a,dc=x)", Some(true))]
    #[case("(memberOf=cn=b,dc=x)", None)]
    #[case("(title=boss)", Some(false))]
    #[case("(l=Rome)", None)]
    #[case("(l=*)", None)]
    #[case("(!(L=Rome))", None)]
    #[case("(l>=7)", None)]
    #[case("(l=R*)", None)]
    #[case("(l:1.2.840.113556.1.4.803:=2)", None)]
    #[case("(&(l=Rome)(title=boss))", Some(false))]
    #[case("(&(l=Rome)(ou=*))", None)]
    #[case("(|(l=Rome)(ou=*))", Some(true))]
    #[case("(|(l=Rome)(title=boss))", None)]
    fn what_is_not_known_neither_finds_nor_leaves_out(#[case] filter: &str, #[case] found: Option<bool>) {
        let mut attributes = Attributes::new();
        attributes.add("ou", [vec![0xe9]]);
        attributes.add("memberOf;range=0-0", [b"cn=a,dc=x".to_vec()]);
        let filter = Filter::parse(filter).unwrap();
        assert_eq!(filter.finds(&attributes, &|name| name == "l"), found);
    }

    #[rstest]
    #[case("(objectCategory=person)", true)]
    #[case("(objectCategory=user)", true)]
    #[case("(objectCategory=organizationalUnit)", false)]
    #[case("(objectCategory=CN=Person, CN=Schema,DC=x)", true)]
    #[case("(objectCategory=CN=Computer,CN=Schema,DC=x)", false)]
    #[case("(manager=cn=Smith\\5c, Zoe,ou=a, dc=x)", true)]
    #[case("(manager=cn=Smith,ou=a,dc=x)", false)]
    fn names_are_compared_as_names(#[case] filter: &str, #[case] found: bool) {
        let mut attributes = Attributes::new();
        attributes.add("objectCategory", [b"CN=Person,CN=Schema,DC=x".to_vec()]);
        attributes.add("manager", [b"cn=Smith\\2C Zoe,ou=a,dc=x".to_vec()]);
        assert_eq!(Filter::parse(filter).unwrap().finds(&attributes, &|_| false), Some(found));
    }

    #[test]
    fn knows_what_it_asks_for() {
        let filter = Filter::parse("(&(objectClass=person)(|(!(employeeType=a))(CN;lang-de=*)))").unwrap();
        assert_eq!(filter.names().into_iter().collect::<Vec<_>>().join(" "), "cn employeetype objectclass");
    }

    #[rstest]
    #[case("mail")]
    #[case("(cn:dn:caseExactMatch:=x)")]
    fn what_cannot_be_asked_is_said(#[case] filter: &str) {
        assert!(Filter::parse(filter).unwrap_err().contains(filter));
    }
}
