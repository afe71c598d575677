//! Who an entry is, whatever it is called today.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The directory's own identity: a naming context, a forest, a tenant.
///
/// It qualifies anchors, so that two connectors on one directory see the same people and two
/// directories never share one by accident. It is never derived from a resource's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct DirectoryId(Arc<str>);

impl DirectoryId {
    /// Takes an identity as its source states it; letter case does not matter.
    pub fn new(id: impl AsRef<str>) -> Self {
        Self(id.as_ref().trim().to_lowercase().into())
    }

    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for DirectoryId {
    fn from(id: String) -> Self {
        Self::new(id)
    }
}

impl From<DirectoryId> for String {
    fn from(id: DirectoryId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for DirectoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An entry's immutable id within its directory (`entryUUID`, `objectGUID`, …): never its DN, its
/// e-mail address or its name, all of which change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Anchor(Box<str>);

impl Anchor {
    /// Takes an id as its source states it. Sources normalise what their server may spell in two
    /// ways (the letter case of a UUID) before they call this.
    pub fn new(id: impl Into<Box<str>>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
