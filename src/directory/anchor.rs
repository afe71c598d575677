//! The immutable id of an entry.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The directory's own identity: a naming context, a forest, a tenant.
///
/// It qualifies anchors, so that two connectors on one directory see the same people and two
/// directories never share one by accident. It is never derived from a resource's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct DirectoryId(Arc<str>);

impl DirectoryId {
    /// Creates an identity from the text of its source; letter case does not matter.
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
    /// Creates an id from the text of its source. Sources must normalise different spellings (such as the letter case
    /// of a UUID) before they call this.
    pub fn new(id: impl Into<Box<str>>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Every spelling of an id that is a UUID: by its octets, as Active Directory orders them, with hyphens, and in braces. None
    /// of any other id.
    pub fn spellings(&self) -> Vec<Self> {
        let uuid = match self.0.len() {
            // As octets, which begin with the last one of each of the first three parts.
            32 => Uuid::try_parse(&self.0).ok().map(|octets| Uuid::from_bytes_le(octets.into_bytes())),
            36 | 38 => Uuid::try_parse(&self.0).ok(),
            _ => None,
        };
        let spelt = |uuid: Uuid| {
            let octets = Uuid::from_bytes(uuid.to_bytes_le()).simple().to_string();
            [octets, uuid.hyphenated().to_string(), uuid.braced().to_string()].map(Self::new)
        };
        uuid.into_iter().flat_map(spelt).collect()
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_id_has_one_set_of_spellings() {
        let spelt = ["4e12ac45-6e38-4a11-bdbf-82af381af98e", "{4e12ac45-6e38-4a11-bdbf-82af381af98e}"];
        let octets = "45ac124e386e114abdbf82af381af98e";
        for spelling in spelt.into_iter().chain([octets]) {
            let all = Anchor::new(spelling).spellings();
            assert_eq!(all.iter().map(Anchor::as_str).collect::<Vec<_>>(), [octets, spelt[0], spelt[1]]);
        }
        for other in
            ["", "4711", "66446001-22a811ed-8cd8b3c1-7b5e0f1a", "zz12ac45-6e38-4a11-bdbf-82af381af98e"]
        {
            assert!(Anchor::new(other).spellings().is_empty(), "{other}");
        }
    }
}
