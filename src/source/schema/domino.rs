//! Domino's schema: people, mail-in databases and groups of a Domino Directory as its LDAP server shows them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::attributes::{Attributes, is_said};
use super::class::kind;
use super::entry::{EntrySchema, Unreadable};
use super::field::{chosen, decisive};
use super::{active_directory, standard};
use crate::directory::{Change, Dn, Entry, EntryKind, Members, Reference, Stated, fields, folded};

pub(in crate::source) mod name;
pub(in crate::source) mod purpose;
pub(in crate::source) mod split;

use purpose::Purpose;

/// The universal id of a document: the same in every replica, whatever the entry is called.
pub(in crate::source) const ANCHOR: &str = "dominoUNID";

/// What is asked for: `displayName` and the anchor are computed, and come only to those who name them.
const ASKED: &[&str] = &[
    "objectClass",
    "cn",
    "fullName",
    "uid",
    "shortName",
    "sn",
    "givenName",
    "displayName",
    "mail",
    "mailFile",
    "title",
    "departmentNumber",
    "department",
    "ou",
    "o",
    "companyName",
    "employeeNumber",
    "employeeID",
    "employeeType",
    "telephoneNumber",
    "mobile",
    "physicalDeliveryOfficeName",
    "l",
    "preferredLanguage",
    "description",
    "member",
    "groupType",
];

/// Attributes of which Domino has others than LDAP's schemas.
const FURTHER: &[(&str, &str)] = &[
    (fields::DEPARTMENT, "department"),
    (fields::ORGANIZATION, "companyname"),
    (fields::EMPLOYEE_NUMBER, "employeeid"),
];

/// How an entry is made of attributes.
#[derive(Clone, Debug)]
pub(in crate::source) struct DominoSchema {
    /// The attribute that holds the anchor.
    pub(in crate::source) anchor: String,
    /// The literal attributes that policies and connectors name, as they spell them.
    pub(in crate::source) literal: BTreeSet<String>,
    /// What groups are read by what they are for.
    pub(in crate::source) purposes: BTreeSet<Purpose>,
}

impl DominoSchema {
    /// Every attribute that has to be asked for.
    pub(in crate::source) fn attributes(&self) -> Vec<String> {
        let mut names: Vec<String> = ASKED.iter().map(|name| (*name).to_owned()).collect();
        for name in self.literal.iter().chain([&self.anchor]) {
            let name = name.split(';').next().unwrap_or(name);
            if !names.iter().any(|other| other.eq_ignore_ascii_case(name)) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// What finds groups that are not read because of what they are for, if there may be any.
    pub(in crate::source) fn leaves_out(&self) -> Option<String> {
        let numbered = Purpose::ALL.iter().enumerate();
        let left_out = numbered.filter(|(_, purpose)| !self.purposes.contains(purpose));
        let numbers: Vec<String> =
            left_out.map(|(number, _)| format!("({}={number})", purpose::ATTRIBUTE)).collect();
        let numbers = numbers.concat();
        (!numbers.is_empty()).then(|| format!("(|{numbers})"))
    }

    /// What an entry that came says. `wanted` is what was searched for. `None` if it is something else.
    pub(in crate::source) fn told(
        &self,
        dn: &str,
        attributes: &Attributes,
        wanted: EntryKind,
    ) -> Option<Change> {
        let kind = kind(attributes).unwrap_or(wanted);
        if (kind == EntryKind::Group) != (wanted == EntryKind::Group) {
            return None;
        }
        Some(match self.entry(dn, attributes, kind) {
            Ok(change) => change,
            Err(Unreadable { anchor, why }) => Change::Unreadable { anchor, what: dn.to_owned(), why },
        })
    }

    fn entry(&self, dn: &str, attributes: &Attributes, kind: EntryKind) -> Result<Change, Unreadable> {
        let ids =
            EntrySchema { anchor: self.anchor.clone(), literal: BTreeSet::new(), demands_members: false };
        let anchor = ids.anchor(dn, attributes)?;
        let unreadable = |why: String| Unreadable { anchor: Some(anchor.clone()), why };
        let is_group = kind == EntryKind::Group;
        if is_group {
            let purpose = Purpose::of(attributes).map_err(unreadable)?;
            let is_read = self.purposes.contains(&purpose);
            if !is_read && !shows_purpose(attributes) {
                return Err(unreadable(
                    "it shows no groupType, so it is unknown what it is for; allow the account to read that attribute, or set it in \
                     the directory"
                        .to_owned(),
                ));
            }
            if !is_read {
                return Ok(Change::Outside(anchor));
            }
        }
        let normal = Dn::parse(dn).map_err(|error| unreadable(error.to_string()))?;
        let names = name::borne(&normal, attributes, kind).map_err(unreadable)?;
        let members = if is_group { members(attributes) } else { Members::None };
        let literal = self.literal.iter();
        let literal = literal.filter_map(|name| Some((name.clone(), decisive(attributes, name)?))).collect();
        Ok(Change::Replace(Box::new(Entry {
            anchor,
            kind,
            dn: dn.to_owned(),
            names,
            disabled: None,
            expires: None,
            fields: stated(kind, &normal, attributes),
            attributes: literal,
            members,
            place: None,
        })))
    }
}

/// The neutral fields of an entry.
fn stated(kind: EntryKind, dn: &Dn, attributes: &Attributes) -> BTreeMap<String, Stated> {
    let mut stated = standard::stated(kind, dn, attributes);
    if kind == EntryKind::Group {
        return stated;
    }
    for (field, attribute) in FURTHER {
        if !stated.contains_key(*field)
            && let Some(value) = chosen(attributes, attribute, dn)
        {
            stated.insert((*field).to_owned(), value);
        }
    }
    // What it computes as the name to show is the whole name, which is another one in another part of the organization.
    let whole = folded(&name::abbreviated(dn));
    let shown = stated.get(fields::DISPLAY_NAME);
    if matches!(shown, Some(Stated::Values(values)) if values.iter().all(|value| folded(value) == whole))
        && let Some(name) = chosen(attributes, "cn", dn)
    {
        stated.insert(fields::DISPLAY_NAME.to_owned(), name);
    }
    if is_mail_in(attributes) {
        stated.insert(fields::MAILBOX.to_owned(), Stated::Values(vec!["shared".to_owned()]));
    }
    stated
}

/// Whether it is a mailbox that is nobody's own.
pub(in crate::source) fn is_mail_in(attributes: &Attributes) -> bool {
    active_directory::is_a(attributes, "dominoServerMailInDatabase")
}

/// Whether it receives mail here and has no Internet address.
pub(in crate::source) fn lacks_address(attributes: &Attributes) -> bool {
    let says = |name: &str| attributes.values(name).any(is_said);
    says("mailfile") && !says("mail")
}

/// Whether a group shows what it is for.
pub(in crate::source) fn shows_purpose(attributes: &Attributes) -> bool {
    attributes.values(purpose::ATTRIBUTE).any(is_said)
}

/// The names by which lists may name this group; none of one whose names cannot be read.
pub(in crate::source) fn bears(dn: &str, attributes: &Attributes) -> Vec<Reference> {
    let names = |dn: Dn| name::borne(&dn, attributes, EntryKind::Group).ok();
    Dn::parse(dn).ok().and_then(names).unwrap_or_default()
}

/// Members by any of their names, people's addresses among them.
pub(in crate::source) fn members(attributes: &Attributes) -> Members {
    let (mut references, mut bad) = (Vec::new(), None);
    if !attributes.is_whole("member") {
        bad = Some("only a part of its members was read (member;range=…)".to_owned());
    }
    for value in attributes.all("member") {
        let text = std::str::from_utf8(value).map_err(|_| "a member is not valid UTF-8".to_owned());
        match text.and_then(name::listed) {
            Ok(reference) => references.extend(reference),
            Err(why) => drop(bad.get_or_insert(why)),
        }
    }
    match bad {
        None => Members::Complete(references),
        Some(why) => Members::Partial(references, why),
    }
}

/// The attributes that state a neutral field, or whom a group has in it.
pub(in crate::source) fn attributes_of(field: &str) -> Vec<&'static str> {
    let mut names = match field {
        fields::MAILBOX => vec!["objectClass"],
        fields::MEMBERS => vec!["member"],
        _ => standard::attributes_of(field),
    };
    names.extend(FURTHER.iter().filter(|(of, _)| *of == field).map(|(_, name)| *name));
    names
}

#[cfg(test)]
mod tests;
