//! A user or a group, as one policy knows it.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Anchor, DirectoryId, EntryKind};

/// The policy's `namespace/name`: who owns links, and what keys are derived from. Never a resource's
/// UID or a store id, so that it survives both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(String);

impl Owner {
    /// The policy `name` in `namespace`.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self(format!("{namespace}/{name}"))
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        self.0.split_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// `namespace/name`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A person's or group's number within one policy: dense, never reused, and so fit for bitmaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubjectId(pub u32);

/// Whether a subject is a person or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SubjectKind {
    /// A person (from a user or contact entry).
    User,
    /// A group.
    Group,
}

impl SubjectKind {
    /// What an entry of this kind is at a target: a contact is a person too.
    pub fn of(kind: EntryKind) -> Self {
        match kind {
            EntryKind::User | EntryKind::Contact => Self::User,
            EntryKind::Group => Self::Group,
        }
    }
}

/// The key that marks an object at a target as ours: a version 5 UUID of the owner and the founding
/// anchor, put into `externalId` or a label where the target can hold one. The same subject gets the
/// same key after the store is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Uuid);

impl Key {
    /// Namespace of our keys. Never change it: it would orphan every object at every target.
    const NAMESPACE: Uuid = Uuid::from_u128(0x6c1f_5b0e_92c4_4d6b_8f0a_3d57_1e9b_c2a4);

    /// The key of the subject that `anchor` of `directory` founded for `owner`.
    pub fn new(owner: &Owner, directory: &DirectoryId, anchor: &Anchor) -> Self {
        // NUL stands in none of the three, so no two triples give one text.
        let name = [owner.as_str(), directory.as_str(), anchor.as_str()].join("\0");
        Self(Uuid::new_v5(&Self::NAMESPACE, name.as_bytes()))
    }

    /// A key that was stored.
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The key as a UUID.
    pub fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A connector's `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnectorName(String);

impl ConnectorName {
    /// The connector `name` in `namespace`.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self(format!("{namespace}/{name}"))
    }

    /// `namespace/name`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConnectorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
