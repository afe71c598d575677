//! A user, group or contact in our vendor-neutral form.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Anchor, Reference};

/// What kind of thing an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EntryKind {
    /// Somebody with an account in the directory.
    User,
    /// A group of entries.
    Group,
    /// Somebody who is listed in the directory and has no account in it.
    Contact,
}

/// The neutral names of what a directory says about an entry. Sources translate their own attribute
/// names into these; policies use them in CEL as `user.mail`, `group.name` and so on.
pub mod fields {
    /// Login name.
    pub const USER_NAME: &str = "userName";
    /// Primary e-mail address.
    pub const MAIL: &str = "mail";
    /// Further e-mail addresses (a list).
    pub const ALIASES: &str = "aliases";
    /// Name to show.
    pub const DISPLAY_NAME: &str = "displayName";
    /// Given (first) name.
    pub const GIVEN_NAME: &str = "givenName";
    /// Family (last) name.
    pub const FAMILY_NAME: &str = "familyName";
    /// Job title.
    pub const TITLE: &str = "title";
    /// Department.
    pub const DEPARTMENT: &str = "department";
    /// Company or organisation.
    pub const ORGANIZATION: &str = "organization";
    /// Number of the employee.
    pub const EMPLOYEE_NUMBER: &str = "employeeNumber";
    /// Type of the employee, such as `contractor`.
    pub const EMPLOYEE_TYPE: &str = "employeeType";
    /// Telephone number at work.
    pub const TELEPHONE_NUMBER: &str = "telephoneNumber";
    /// Mobile telephone number.
    pub const MOBILE: &str = "mobile";
    /// Office or location.
    pub const OFFICE: &str = "office";
    /// Preferred language.
    pub const PREFERRED_LANGUAGE: &str = "preferredLanguage";
    /// A group's name.
    pub const NAME: &str = "name";
    /// What kind of mailbox a user has, where that is not simply a user's own: `shared`, `room`, `equipment`,
    /// `linked`, `remote` or `other` (Exchange); `shared` of a mail-in database (Domino).
    pub const MAILBOX: &str = "mailbox";
    /// Whether a user is a `member` of the organisation or a `guest`, where a directory in the cloud says so.
    pub const USER_TYPE: &str = "userType";
    /// A description.
    pub const DESCRIPTION: &str = "description";
    /// Not a field that CEL sees: stands for a group's member list where coverage is watched.
    pub const MEMBERS: &str = "members";

    /// What `user` has in CEL, beside `id`, `dn`, `kind` and `attributes`.
    pub const OF_USER: &[&str] = &[
        USER_NAME,
        MAIL,
        ALIASES,
        DISPLAY_NAME,
        GIVEN_NAME,
        FAMILY_NAME,
        TITLE,
        DEPARTMENT,
        ORGANIZATION,
        EMPLOYEE_NUMBER,
        EMPLOYEE_TYPE,
        TELEPHONE_NUMBER,
        MOBILE,
        OFFICE,
        PREFERRED_LANGUAGE,
        MAILBOX,
        USER_TYPE,
        DESCRIPTION,
    ];
    /// What `group` has in CEL, beside `id`, `dn` and `attributes`.
    pub const OF_GROUP: &[&str] = &[NAME, MAIL, ALIASES, DISPLAY_NAME, DESCRIPTION];
}

/// What an entry that came states for one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, from = "Option<Vec<String>>")]
pub enum Stated {
    /// At least one value, in the directory's order.
    Values(Vec<String>),
    /// Values came, and at least one of them could not be decoded. Stored as `null`.
    Undecodable,
}

impl Stated {
    /// Whether there is more than one value.
    pub fn are_several(&self) -> bool {
        matches!(self, Self::Values(values) if values.len() > 1)
    }
}

impl From<Option<Vec<String>>> for Stated {
    fn from(stored: Option<Vec<String>>) -> Self {
        stored.map_or(Self::Undecodable, Self::Values)
    }
}

/// What is known about one field of an entry. Only a `Value` or `Empty` is ever evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldState<'a> {
    /// The directory states these values (at least one).
    Value(&'a [String]),
    /// Asked for, and missing from an entry that came.
    Empty,
    /// Not asked for at the last seal, or not decodable.
    Unknown,
}

/// An entry, as one read found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its immutable id.
    pub anchor: Anchor,
    /// What it is.
    pub kind: EntryKind,
    /// Its distinguished name (or path) as the directory spells it, for people to read.
    pub dn: String,
    /// Every name by which groups may refer to it, its DN among them. The store keeps them apart.
    #[serde(skip)]
    pub names: Vec<Reference>,
    /// Whether the directory itself states that the account is disabled or expired. `None` where
    /// the directory has no such state (generic LDAP).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// When the directory will take the account for expired, or took it. Nothing announces that moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Neutral fields (see [`fields`]); a field that was asked for and is missing is `Empty`.
    pub fields: BTreeMap<String, Stated>,
    /// The directory's own attributes that a policy or connector names literally in CEL
    /// (`user.attributes["employeeStatus"]`), under the name that the expression uses.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Stated>,
    /// The direct members, for a group. The store keeps them apart from the rest, but for why they are partial.
    #[serde(rename = "partial", default, skip_serializing_if = "Members::is_not_partial")]
    pub members: Members,
    /// Where the entry is in its source, for messages about its members. It is not part of the entry's content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

impl Entry {
    /// A user without any attribute.
    pub fn nobody() -> Self {
        Self {
            anchor: Anchor::new(""),
            kind: EntryKind::User,
            dn: String::new(),
            names: Vec::new(),
            disabled: None,
            expires: None,
            fields: BTreeMap::new(),
            attributes: BTreeMap::new(),
            members: Members::None,
            place: None,
        }
    }

    /// What is known of a neutral field, given what was asked for.
    pub fn field(&self, field: &str, asked: &BTreeSet<String>) -> FieldState<'_> {
        state(self.fields.get(field), asked.contains(field))
    }

    /// What is known of a literal attribute, given what was asked for.
    pub fn attribute(&self, name: &str, asked: &BTreeSet<String>) -> FieldState<'_> {
        state(self.attributes.get(name), asked.contains(name))
    }
}

fn state(stated: Option<&Stated>, asked: bool) -> FieldState<'_> {
    match stated {
        Some(Stated::Values(values)) if !values.is_empty() => FieldState::Value(values),
        Some(Stated::Values(_)) => FieldState::Empty,
        None if asked => FieldState::Empty,
        Some(Stated::Undecodable) | None => FieldState::Unknown,
    }
}

/// A group's direct members as one read found them. Stored is only why they are partial.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Members {
    /// Not a group.
    #[default]
    None,
    /// A group of whose members nothing was said: they are who they were.
    NotStated,
    /// Every member was read: what is not here is not a member.
    Complete(Vec<Reference>),
    /// Some members could not be read or decoded (the reason is for people). Adds are known from
    /// it; it is never evidence that somebody is not a member.
    Partial(Vec<Reference>, String),
}

impl Members {
    /// So many characters of a reason are kept.
    const REASON: usize = 500;

    fn is_not_partial(&self) -> bool {
        !matches!(self, Self::Partial(..))
    }

    /// The members that were read.
    pub fn references(&self) -> &[Reference] {
        match self {
            Self::None | Self::NotStated => &[],
            Self::Complete(members) | Self::Partial(members, _) => members,
        }
    }
}

impl From<String> for Members {
    fn from(why: String) -> Self {
        Self::Partial(Vec::new(), why)
    }
}

impl From<Members> for String {
    fn from(members: Members) -> Self {
        match members {
            Members::Partial(_, why) => why.chars().take(Members::REASON).collect(),
            Members::None | Members::NotStated | Members::Complete(_) => Self::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_member_list_only_the_reason_why_it_is_partial_is_stored() {
        let stored = |members: Members| {
            let stored = serde_json::to_string(&Entry { members, ..Entry::nobody() }).unwrap();
            serde_json::from_str::<Entry>(&stored).unwrap().members
        };
        let list = vec![Reference::uid("ann")];
        assert_eq!(stored(Members::Complete(list.clone())), Members::None);
        let why = "x".repeat(Members::REASON + 1);
        assert_eq!(
            stored(Members::Partial(list, why.clone())),
            Members::Partial(Vec::new(), why[1..].to_owned())
        );
    }
}
