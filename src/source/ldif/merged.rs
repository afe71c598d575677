//! Whether a record is that of several entries, which ran together where lines were lost, and whether others may have stood there.
//! Pure.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::record::{End, Record};
use super::required::NAMING;
use crate::directory::{Anchor, Dn};

/// Attributes of which an entry has one value; more are those of two records that ran together.
const SINGLE: &[&str] = &[
    "entryuuid",
    "nsuniqueid",
    "ipauniqueid",
    "objectguid",
    "entrycsn",
    "createtimestamp",
    "modifytimestamp",
    "creatorsname",
    "modifiersname",
    "structuralobjectclass",
    "entrydn",
    "parentid",
    "gidnumber",
    "uidnumber",
    "homedirectory",
    "loginshell",
    "distinguishedname",
    "useraccountcontrol",
    "samaccountname",
    "samaccounttype",
    "objectsid",
    "objectcategory",
    "instancetype",
    "primarygroupid",
    "accountexpires",
    "whencreated",
    "whenchanged",
    "usncreated",
    "usnchanged",
    "pwdlastset",
];
/// Attributes that hold the entry's own DN.
const OWN_DN: &[&str] = &["entrydn", "distinguishedname"];

/// Why a record is that of several entries, if it is.
pub(super) fn together(record: &Record, dn: &Dn) -> Option<String> {
    let attributes = &record.attributes;
    let is_several = |name: &&&str| {
        let mut values = attributes.values(name);
        let first = values.next();
        values.any(|other| Some(other) != first)
    };
    if let Some(name) = SINGLE.iter().find(is_several) {
        return Some(format!("it has several values of {name}"));
    }
    // Of several that stand elsewhere nothing is known.
    if let Some(name) = attributes.doubled().find(|name| !record.unknown.contains(*name)) {
        return Some(format!("a value of its {name} is there twice"));
    }
    (record.end == End::Proven && !is_own(dn, record))
        .then(|| "its DN differs from the one that it states".to_owned())
}

/// Whether what is wrong with a record shows that text is missing, so that others may have stood there.
pub(super) fn hides_others(record: &Record, has_id: bool) -> bool {
    record.hides_others
        || match record.dns.first() {
            None => has_id,
            Some(dn) => Dn::parse(dn).is_ok_and(|dn| together(record, &dn).is_some()),
        }
}

/// What a record is known by when it comes again as it was: then it is odd, and no text was lost from one export to the next. Damage
/// that put two ids together, or made a DN of none, does not do so twice; any other may, so all that it states must be the same. Of a
/// DN that is none, without an id, values may change; another record that ran into it would bring other names, or more values.
pub(super) fn known_again(record: &Record, ids: &[Anchor]) -> String {
    let is_odd = ids.len() > 1 || record.dns.first().is_some_and(|dn| Dn::parse(dn).is_err());
    let attributes = &record.attributes;
    let mut hasher = DefaultHasher::new();
    (ids, &record.dns, record.broken).hash(&mut hasher);
    if !is_odd || record.hides_others {
        // Values are a set, and an export may write them in another order.
        for stated in attributes.stated() {
            stated.hash(&mut hasher);
        }
    } else if ids.is_empty() {
        for name in attributes.names() {
            (name, attributes.all(name).count()).hash(&mut hasher);
        }
        for value in NAMING.iter().flat_map(|name| attributes.all(name)) {
            value.hash(&mut hasher);
        }
    }
    format!("a record like {:016x}", hasher.finish())
}

/// Whether a DN fits what the record states.
fn is_own(dn: &Dn, record: &Record) -> bool {
    let attributes = &record.attributes;
    let stated = |name: &str| attributes.has(name) && !record.unknown.contains(name);
    let names_it = |name: &&str| {
        let mut own = attributes.all(name).filter_map(|own| Dn::parse(std::str::from_utf8(own).ok()?).ok());
        own.all(|own| own == *dn)
    };
    let has = |kind: &str| {
        !NAMING.contains(&kind)
            || !stated(kind)
            // One that is no text may be that in the DN.
            || attributes.all(kind).any(|one| {
                std::str::from_utf8(one).map_or(true, |one| dn.is_named_by(kind, one))
            })
    };
    OWN_DN.iter().filter(|name| stated(name)).all(names_it) && dn.first_types().into_iter().all(has)
}
