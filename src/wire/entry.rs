//! An entry as it is sent.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::misfit::Misfit;
use crate::directory::{self, Anchor, Dn, Stated};

/// What kind of thing an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Somebody with an account.
    User,
    /// A group.
    Group,
    /// Somebody without an account.
    Contact,
}

/// A name by which an entry is referred to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reference {
    /// An immutable id.
    Anchor(String),
    /// A distinguished name, normalised.
    Dn(String),
    /// A security id.
    Sid(String),
    /// A login name, folded.
    Uid(String),
    /// An address, folded.
    Address(String),
}

/// The members of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum Members {
    /// It is no group.
    None,
    /// Nothing was said of them.
    NotStated,
    /// All of them.
    Complete(Vec<Reference>),
    /// Some of them.
    Partial {
        /// Those that are known.
        known: Vec<Reference>,
        /// Why not all are.
        why: String,
    },
}

/// Values by name; `None` where one could not be decoded.
type Values = BTreeMap<String, Option<Vec<String>>>;

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Entry {
    /// Its immutable id.
    pub anchor: String,
    /// What it is.
    pub kind: Kind,
    /// Its DN, as the directory spells it.
    pub dn: String,
    /// Every name by which groups may refer to it.
    pub names: Vec<Reference>,
    /// Whether it is disabled, where the directory has that.
    pub disabled: Option<bool>,
    /// When it expires.
    pub expires: Option<Timestamp>,
    /// Neutral fields.
    pub fields: Values,
    /// Literal attributes.
    pub attributes: Values,
    /// Its members.
    pub members: Members,
    /// Where it is in its source.
    pub place: Option<String>,
}

/// What was told of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Patch {
    /// What it states.
    pub set: Entry,
    /// Neutral fields that it has no more.
    pub cleared: BTreeSet<String>,
    /// Literal attributes that it has no more.
    pub cleared_attributes: BTreeSet<String>,
    /// Why this is not enough for an entry that is not known; `None` if it is.
    pub not_alone: Option<String>,
}

impl From<directory::EntryKind> for Kind {
    fn from(kind: directory::EntryKind) -> Self {
        match kind {
            directory::EntryKind::User => Self::User,
            directory::EntryKind::Group => Self::Group,
            directory::EntryKind::Contact => Self::Contact,
        }
    }
}

impl From<Kind> for directory::EntryKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::User => Self::User,
            Kind::Group => Self::Group,
            Kind::Contact => Self::Contact,
        }
    }
}

impl From<directory::Reference> for Reference {
    fn from(reference: directory::Reference) -> Self {
        match reference {
            directory::Reference::Anchor(anchor) => Self::Anchor(anchor.as_str().to_owned()),
            directory::Reference::Dn(dn) => Self::Dn(dn.as_str().to_owned()),
            directory::Reference::Sid(sid) => Self::Sid(sid),
            directory::Reference::Uid(uid) => Self::Uid(uid),
            directory::Reference::Address(address) => Self::Address(address),
        }
    }
}

impl TryFrom<Reference> for directory::Reference {
    type Error = Misfit;

    fn try_from(reference: Reference) -> Result<Self, Misfit> {
        Ok(match reference {
            Reference::Anchor(anchor) => Self::Anchor(Anchor::new(anchor)),
            Reference::Dn(dn) => Self::Dn(Dn::parse(&dn).map_err(|_| Misfit::Dn)?),
            Reference::Sid(sid) => Self::Sid(sid),
            Reference::Uid(uid) => Self::Uid(uid),
            Reference::Address(address) => Self::Address(address),
        })
    }
}

/// References as they are sent.
pub(super) fn sent(references: Vec<directory::Reference>) -> Vec<Reference> {
    references.into_iter().map(Reference::from).collect()
}

/// References that came.
pub(super) fn came(references: Vec<Reference>) -> Result<Vec<directory::Reference>, Misfit> {
    references.into_iter().map(directory::Reference::try_from).collect()
}

impl From<directory::Members> for Members {
    fn from(members: directory::Members) -> Self {
        match members {
            directory::Members::None => Self::None,
            directory::Members::NotStated => Self::NotStated,
            directory::Members::Complete(all) => Self::Complete(sent(all)),
            directory::Members::Partial(known, why) => Self::Partial { known: sent(known), why },
        }
    }
}

impl TryFrom<Members> for directory::Members {
    type Error = Misfit;

    fn try_from(members: Members) -> Result<Self, Misfit> {
        Ok(match members {
            Members::None => Self::None,
            Members::NotStated => Self::NotStated,
            Members::Complete(all) => Self::Complete(came(all)?),
            Members::Partial { known, why } => Self::Partial(came(known)?, why),
        })
    }
}

fn values_sent(stated: BTreeMap<String, Stated>) -> Values {
    let value = |stated| match stated {
        Stated::Values(values) => Some(values),
        Stated::Undecodable => None,
    };
    stated.into_iter().map(|(name, stated)| (name, value(stated))).collect()
}

fn values_came(values: Values) -> BTreeMap<String, Stated> {
    let stated = |value: Option<Vec<String>>| value.map_or(Stated::Undecodable, Stated::Values);
    values.into_iter().map(|(name, value)| (name, stated(value))).collect()
}

impl From<directory::Entry> for Entry {
    fn from(entry: directory::Entry) -> Self {
        let directory::Entry {
            anchor,
            kind,
            dn,
            names,
            disabled,
            expires,
            fields,
            attributes,
            members,
            place,
        } = entry;
        Self {
            anchor: anchor.as_str().to_owned(),
            kind: kind.into(),
            dn,
            names: sent(names),
            disabled,
            expires,
            fields: values_sent(fields),
            attributes: values_sent(attributes),
            members: members.into(),
            place,
        }
    }
}

impl TryFrom<Entry> for directory::Entry {
    type Error = Misfit;

    fn try_from(entry: Entry) -> Result<Self, Misfit> {
        let Entry { anchor, kind, dn, names, disabled, expires, fields, attributes, members, place } = entry;
        if dn.len() > Dn::LONGEST {
            return Err(Misfit::Long);
        }
        Ok(Self {
            anchor: Anchor::new(anchor),
            kind: kind.into(),
            dn,
            names: came(names)?,
            disabled,
            expires,
            fields: values_came(fields),
            attributes: values_came(attributes),
            members: members.try_into()?,
            place,
        })
    }
}

impl From<directory::Patch> for Patch {
    fn from(patch: directory::Patch) -> Self {
        let directory::Patch { set, cleared, cleared_attributes, alone } = patch;
        Self { set: set.into(), cleared, cleared_attributes, not_alone: alone.err() }
    }
}

impl TryFrom<Patch> for directory::Patch {
    type Error = Misfit;

    fn try_from(patch: Patch) -> Result<Self, Misfit> {
        let Patch { set, cleared, cleared_attributes, not_alone } = patch;
        Ok(Self { set: set.try_into()?, cleared, cleared_attributes, alone: not_alone.map_or(Ok(()), Err) })
    }
}
