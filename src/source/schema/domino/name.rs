//! Names of Notes and Domino: one entry has several, and each is written in several ways. Pure.
//!
//! `CN=Hal Test,OU=Sales,O=Corp` (LDAP), `CN=Hal Test/OU=Sales/O=Corp` (canonical) and `Hal Test/Sales/Corp` (abbreviated) are one
//! name. `Hal Test` is a flat one, as groups have. An abbreviated name does not say which of its parts is a country, so a
//! hierarchical entry is known by its parts alone too.

use std::collections::BTreeSet;

use crate::directory::{Dn, EntryKind, Reference, Stated};
use crate::source::schema::attributes::Attributes;
use crate::source::schema::field::all;
use crate::source::schema::members::without_control;

/// Types that parts of a canonical name have.
const TYPES: &[&str] = &["cn", "ou", "o", "c", "g", "i", "s", "q", "a", "p"];

/// A name with its parts in the abbreviated form: what Domino computes as the name to show.
pub(super) fn abbreviated(dn: &Dn) -> String {
    parts(dn).join("/")
}

/// The values of a name's parts.
fn parts(dn: &Dn) -> Vec<String> {
    let all = std::iter::once(dn.as_str()).chain(dn.ancestors());
    let part = |part: &str| {
        let kind = part.split_once('=').map_or("", |(kind, _)| kind);
        Dn::parse(part).ok()?.first_values(kind).next()
    };
    all.filter_map(part).collect()
}

/// Every name by which groups may list this entry. A group may have further names beside that of its DN.
pub(super) fn borne(dn: &Dn, attributes: &Attributes, kind: EntryKind) -> Result<Vec<Reference>, String> {
    let mut names = vec![Reference::Dn(dn.clone())];
    let mut seen: BTreeSet<Reference> = names.iter().cloned().collect();
    let mut add = |name: Option<Reference>| names.extend(name.filter(|name| seen.insert(name.clone())));
    add(typed(&parts(dn)).map(Reference::Dn));
    // A server of names that are DNs shows an abbreviated one as a flat one.
    add(typed(&[abbreviated(dn)]).map(Reference::Dn));
    for name in texts(attributes, "fullname")? {
        let full = listed(&name).ok().flatten();
        // By its parts alone too, as above.
        if let Some(Reference::Dn(full)) = &full {
            add(typed(&parts(full)).map(Reference::Dn));
        }
        add(full);
    }
    if kind == EntryKind::Group {
        for name in texts(attributes, "cn")? {
            add(typed(&split(&name)).map(Reference::Dn));
            add(typed(&[name]).map(Reference::Dn));
        }
    }
    for attribute in ["uid", "shortname"] {
        for name in texts(attributes, attribute)? {
            add(Some(Reference::uid(&name)));
            add(typed(&[name]).map(Reference::Dn));
        }
    }
    for address in texts(attributes, "mail")? {
        add(Some(Reference::address(&address)));
    }
    Ok(names)
}

/// All values of an attribute that is a name.
fn texts(attributes: &Attributes, name: &str) -> Result<Vec<String>, String> {
    match all(attributes, name) {
        Some(Stated::Values(values)) => Ok(values),
        Some(Stated::Undecodable) => Err(format!(
            "a value of its {name} cannot be read, so it is unknown which groups list it; correct it in the directory"
        )),
        None => Ok(Vec::new()),
    }
}

/// Whom a name in a list means, however it is written; `None` for an empty one.
pub(super) fn listed(text: &str) -> Result<Option<Reference>, String> {
    let text = without_domain(text.trim());
    if text.is_empty() {
        return Ok(None);
    }
    without_control(text)?;
    if is_address(text) {
        return Ok(Some(Reference::address(text)));
    }
    let of_many = || {
        format!(
            "{text} stands for everybody of an organization, which Rollcall does not work out; list people or groups"
        )
    };
    if text.split('/').any(|part| kind(part).map_or(part, |(_, value)| value).trim() == "*") {
        return Err(of_many());
    }
    let dn = if is_of_notes(text) {
        typed(&split(text)).ok_or_else(|| format!("{text:?} is not a name"))
    } else {
        Dn::parse(text).map_err(|error| format!("a member: {error}"))
    }?;
    if parts(&dn).iter().any(|part| part.trim() == "*") {
        return Err(of_many());
    }
    // Who is not of the organization may be listed by the address alone.
    let alone =
        dn.first_values("cn").next().filter(|name| dn.ancestors().next().is_none() && is_address(name));
    Ok(Some(alone.map_or(Reference::Dn(dn), |address| Reference::address(&address))))
}

/// A hierarchical name without the Notes domain to which its mail goes (`Hal Test/Corp @ CorpNet`). A flat one in another domain may
/// be anybody's, and keeps it.
fn without_domain(text: &str) -> &str {
    match text.rsplit_once('@') {
        Some((name, domain)) if name.contains(['/', ',']) && !domain.contains(['.', '=', '/', ',']) => {
            name.trim_end()
        }
        _ => text,
    }
}

fn is_address(text: &str) -> bool {
    let parts = text.split_once('@');
    parts.is_some_and(|(local, host)| {
        !local.is_empty() && host.contains('.') && !text.contains([' ', '/', '='])
    })
}

/// Whether a name is in the canonical or the abbreviated form, and not in that of LDAP.
fn is_of_notes(text: &str) -> bool {
    !text.contains('=') || text.split('/').skip(1).any(|part| kind(part).is_some())
}

/// The type that a part of a canonical name has in front of it, and its value.
fn kind(part: &str) -> Option<(&str, &str)> {
    let (kind, value) = part.split_once('=')?;
    let is = |one: &&str| one.eq_ignore_ascii_case(kind.trim());
    TYPES.iter().copied().find(is).map(|kind| (kind, value))
}

/// The parts of a canonical or abbreviated name, each with its type if it has one.
fn split(text: &str) -> Vec<String> {
    text.split('/').map(|part| part.trim().to_owned()).collect()
}

/// The DN of a name with these parts. A part without a type is what its place says: the name first, the organization last, and units
/// between them.
fn typed(parts: &[String]) -> Option<Dn> {
    let last = parts.len().checked_sub(1)?;
    let part = |(at, part): (usize, &String)| {
        let (kind, value) = kind(part).unwrap_or(match at {
            0 => ("cn", part.as_str()),
            at if at == last => ("o", part.as_str()),
            _ => ("ou", part.as_str()),
        });
        format!("{kind}={}", escaped(value.trim()))
    };
    let parts: Vec<String> = parts.iter().enumerate().map(part).collect();
    if parts.iter().any(|part| part.ends_with('=')) {
        return None;
    }
    Dn::parse(&parts.join(",")).ok()
}

/// A value as it may stand in a DN (RFC 4514 section 2.4).
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for (at, sign) in value.char_indices() {
        if "\\,+\"<>;=".contains(sign) || (at == 0 && sign == '#') {
            escaped.push('\\');
        }
        escaped.push(sign);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn dn(text: &str) -> Dn {
        Dn::parse(text).unwrap()
    }

    fn means(text: &str) -> String {
        listed(text).unwrap().map(|reference| reference.key()).unwrap_or_default()
    }

    #[rstest]
    #[case::ldap("CN=Hal Test,O=Corp", "d:cn=hal test,o=corp")]
    #[case::canonical("CN=Hal Test/O=Corp", "d:cn=hal test,o=corp")]
    #[case::abbreviated("Hal Test/Corp", "d:cn=hal test,o=corp")]
    #[case::blanks(" hal  test / CORP ", "d:cn=hal test,o=corp")]
    #[case::units("Eva Roth/Sales/North/Corp", "d:cn=eva roth,ou=sales,ou=north,o=corp")]
    #[case::units_canonical("CN=Eva Roth/OU=Sales/OU=North/O=Corp", "d:cn=eva roth,ou=sales,ou=north,o=corp")]
    #[case::country("CN=Eva Roth/O=Corp/C=DE", "d:cn=eva roth,o=corp,c=de")]
    #[case::types_but_one("Eva Roth/OU=Sales/O=Corp", "d:cn=eva roth,ou=sales,o=corp")]
    #[case::flat("All Staff", "d:cn=all staff")]
    #[case::flat_in_ldap("CN=All Staff", "d:cn=all staff")]
    #[case::with_a_slash("CN=Sales/EU", "d:cn=sales/eu")]
    #[case::comma("Roth, Eva/Corp", "d:cn=roth\\2c eva,o=corp")]
    #[case::comma_in_ldap("CN=Roth\\, Eva,O=Corp", "d:cn=roth\\2c eva,o=corp")]
    #[case::domain("Hal Test/Corp@CORPNET", "d:cn=hal test,o=corp")]
    #[case::domain_after_blanks("CN=Hal Test/O=Corp @ CorpNet", "d:cn=hal test,o=corp")]
    #[case::flat_in_a_domain("Hal Test @ CorpNet", "d:cn=hal test @ corpnet")]
    #[case::address("Eve@Elsewhere.example", "m:eve@elsewhere.example")]
    #[case::address_in_ldap("CN=Eve@elsewhere.example", "m:eve@elsewhere.example")]
    #[case::empty("  ", "")]
    fn a_name_means_the_same_however_it_is_written(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(means(text), expected);
    }

    #[rstest]
    #[case("*/Sales/Corp")]
    #[case("CN=*/O=Corp")]
    #[case("CN=*,OU=Sales,O=Corp")]
    #[case("CN=\\2a,OU=Sales,O=Corp")]
    #[case("cn=\\*,o=Corp")]
    #[case("CN=*")]
    #[case("Hal Test//Corp")]
    #[case("CN=Hal Test\x0cO=Corp")]
    #[case("Hal Test\x0cCorp")]
    fn what_stands_for_many_or_nobody_is_no_member(#[case] text: &str) {
        assert!(listed(text).is_err());
    }

    #[test]
    fn an_abbreviated_name_is_that_of_its_parts() {
        assert_eq!(abbreviated(&dn("CN=Hal Test,OU=Sales,O=Corp,C=US")), "hal test/sales/corp/us");
        assert_eq!(abbreviated(&dn("CN=Roth\\, Eva,O=Corp")), "roth, eva/corp");
        assert_eq!(abbreviated(&dn("CN=All Staff")), "all staff");
    }

    fn borne_by(name: &str, attributes: &[(&str, &[&str])]) -> Vec<String> {
        borne_as(EntryKind::User, name, attributes)
    }

    fn borne_as(kind: EntryKind, name: &str, attributes: &[(&str, &[&str])]) -> Vec<String> {
        let mut of = Attributes::new();
        for (name, values) in attributes {
            of.add(name, values.iter().map(|value| value.as_bytes().to_vec()));
        }
        borne(&dn(name), &of, kind).unwrap().iter().map(Reference::key).collect()
    }

    #[test]
    fn an_entry_bears_all_of_its_names() {
        let names = borne_by(
            "CN=Hal Test,OU=Sales,O=Corp,C=US",
            &[
                ("fullName", &["CN=Hal Test/OU=Sales/O=Corp/C=US", "Hal Test", "Hal Old/Corp"]),
                ("shortName", &["HTest"]),
                ("mail", &["hal@corp.example"]),
            ],
        );
        for listed in [
            "CN=Hal Test,OU=Sales,O=Corp,C=US",
            "CN=Hal Test/OU=Sales/O=Corp/C=US",
            "Hal Test/Sales/Corp/US",
            "hal test",
            "CN=Hal Old,O=Corp",
            "htest",
            "CN=Hal Test/Sales/Corp/US",
            "HAL@corp.example",
        ] {
            assert!(names.contains(&means(listed)), "{listed} is not among {names:?}");
        }
        assert!(!names.contains(&means("Hal Test/Corp")) && !names.contains(&means("Hal Old")));
        assert_eq!(borne_by("CN=Sales", &[]), ["d:cn=sales"]);
    }

    #[test]
    fn a_group_bears_its_further_names() {
        let names = [("cn", ["Vertrieb", "Sales", "Sales EU/Corp"].as_slice())];
        let of_group = borne_as(EntryKind::Group, "CN=Vertrieb", &names);
        for listed in ["Vertrieb", "CN=Sales", "Sales EU/Corp", "CN=Sales EU/O=Corp"] {
            assert!(of_group.contains(&means(listed)), "{listed} is not among {of_group:?}");
        }
        let of_person = borne_by("CN=Hal Test,O=Corp", &[("cn", &["Hal Test", "Sales"])]);
        assert!(!of_person.contains(&means("Sales")), "{of_person:?}");
    }

    #[test]
    fn a_name_that_cannot_be_read_leaves_it_open_who_lists_it() {
        let mut attributes = Attributes::new();
        attributes.add("shortName", [b"\xff".to_vec()]);
        assert!(
            borne(&dn("CN=Hal Test,O=Corp"), &attributes, EntryKind::User).unwrap_err().contains("shortname")
        );
    }

    proptest! {
        #[test]
        fn every_form_of_a_name_is_one_of_those_that_its_entry_bears(
            parts in prop::collection::vec("[A-Za-z][A-Za-z0-9,+ .'-]{0,12}[A-Za-z0-9]", 1..5),
            country in any::<bool>(),
        ) {
            let last = parts.len() - 1;
            let kind = |at: usize| match at {
                0 => "CN",
                at if at == last && country && last > 1 => "C",
                at if at == last || (country && at + 1 == last && last > 1) => "O",
                _ => "OU",
            };
            let of = |text: &dyn Fn(usize, &str) -> String, by: &str| {
                parts.iter().enumerate().map(|(at, part)| text(at, part)).collect::<Vec<_>>().join(by)
            };
            let ldap = of(&|at, part| format!("{}={}", kind(at), escaped(part)), ",");
            let canonical = of(&|at, part| format!("{}={part}", kind(at)), "/");
            let abbreviated = of(&|_, part| part.to_owned(), "/");
            let borne = borne_by(&ldap, &[]);
            let forms = if last == 0 { vec![ldap, abbreviated] } else { vec![ldap, canonical, abbreviated] };
            for form in forms {
                prop_assert!(borne.contains(&means(&form)), "{} is not among {:?}", form, borne);
            }
        }
    }
}
