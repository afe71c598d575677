//! LDAP's own schemas (RFC 4519, RFC 2798): which attributes state which neutral field. Pure.

use std::collections::BTreeMap;

use super::attributes::Attributes;
use super::field::{self, Table, all, called, hidden, named, stated_by};
use crate::directory::{Dn, EntryKind, Stated, fields};

/// Of a user.
pub(super) const USER_FIELDS: Table = &[
    (fields::USER_NAME, &["uid"]),
    (fields::DISPLAY_NAME, &["displayname", "cn"]),
    (fields::GIVEN_NAME, &["givenname"]),
    (fields::FAMILY_NAME, &["sn"]),
    (fields::TITLE, &["title"]),
    (fields::DEPARTMENT, &["departmentnumber", "ou"]),
    (fields::ORGANIZATION, &["o"]),
    (fields::EMPLOYEE_NUMBER, &["employeenumber"]),
    (fields::EMPLOYEE_TYPE, &["employeetype"]),
    (fields::TELEPHONE_NUMBER, &["telephonenumber"]),
    (fields::MOBILE, &["mobile"]),
    (fields::OFFICE, &["physicaldeliveryofficename", "l"]),
    (fields::PREFERRED_LANGUAGE, &["preferredlanguage"]),
    (fields::DESCRIPTION, &["description"]),
];

/// Of a group.
pub(super) const GROUP_FIELDS: Table = &[
    (fields::NAME, &["cn"]),
    (fields::DISPLAY_NAME, &["displayname", "cn"]),
    (fields::DESCRIPTION, &["description"]),
];

/// Where further addresses stand.
pub(super) const ALIASES: &[&str] = &["mailalternateaddress", "maillocaladdress"];

/// The neutral fields of an entry.
pub(super) fn stated(kind: EntryKind, dn: &Dn, attributes: &Attributes) -> BTreeMap<String, Stated> {
    let mut stated = field::stated([GROUP_FIELDS, USER_FIELDS], kind, dn, attributes);
    // Of several names of which none is in the DN, all: no order among them says which one counts.
    let (name_field, name) =
        if kind == EntryKind::Group { (fields::NAME, "cn") } else { (fields::USER_NAME, "uid") };
    let all = match named(attributes, name, dn) {
        Some(named) => Some(Stated::Values(vec![named])),
        None => all(attributes, name),
    };
    if let Some(Stated::Values(all)) = all {
        let plain = |name: &String| if kind == EntryKind::Group { called(name) } else { name.clone() };
        let all = all.iter().map(plain).collect();
        stated.insert(name_field.to_owned(), Stated::Values(all));
    }
    hidden(attributes, dn, name).then(|| stated.insert(name_field.to_owned(), Stated::Undecodable));
    addresses(attributes, &mut stated);
    stated
}

/// The first `mail` is the primary address unless another one already is; every other one is an alias.
fn addresses(attributes: &Attributes, stated: &mut BTreeMap<String, Stated>) {
    let mut further = Some(Vec::new());
    match all(attributes, "mail") {
        Some(Stated::Values(values)) => {
            further = Some(values.iter().skip(1).cloned().collect());
            stated.insert(fields::MAIL.to_owned(), Stated::Values(values));
        }
        Some(Stated::Undecodable) => {
            stated.insert(fields::MAIL.to_owned(), Stated::Undecodable);
        }
        None => {}
    }
    for name in ALIASES {
        match (all(attributes, name), &mut further) {
            (Some(Stated::Values(more)), Some(further)) => further.extend(more),
            (Some(Stated::Undecodable), _) => further = None,
            _ => {}
        }
    }
    let aliases = further.map_or(Stated::Undecodable, Stated::Values);
    if aliases != Stated::Values(Vec::new()) {
        stated.insert(fields::ALIASES.to_owned(), aliases);
    }
}

/// The attributes that state a neutral field, or whom a group has in it.
pub fn attributes_of(field: &str) -> Vec<&'static str> {
    match field {
        fields::MAIL => vec!["mail"],
        fields::ALIASES => ALIASES.to_vec(),
        fields::MEMBERS => vec!["member", "uniqueMember", "memberUid"],
        _ => stated_by(&[USER_FIELDS, GROUP_FIELDS], field),
    }
}
