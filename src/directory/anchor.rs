//! The immutable id of an entry.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Dn;

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

    /// Whether it is the same for every directory of its kind, so that only the entries tell one from another: Domino's.
    pub fn is_of_every(&self) -> bool {
        self.0.split(' ').next() == Some("domino")
    }

    /// Whether one of the places that it names is this one, or below it.
    pub(super) fn is_at(&self, top: &Self) -> bool {
        let (places, top) = (format!(" {} ", self.0), &top.0);
        !top.is_empty() && [format!(" {top} "), format!(",{top} ")].iter().any(|at| places.contains(at))
    }

    /// The tops of the trees that its places are in, each once: such as the domains of a forest.
    pub(super) fn trees(&self) -> Vec<Self> {
        let mut trees = Vec::new();
        for place in self.0.split(' ') {
            // Where a name has a blank, the trees are after the next comma.
            let rest = place.split_once(',').map(|(_, rest)| rest);
            let dn = Dn::parse(place).ok().or_else(|| Dn::parse(rest?).ok());
            let tree = dn.map(|dn| Self::new(dn.top())).filter(|tree| self.is_at(tree));
            trees.extend(tree.filter(|tree| !trees.contains(tree)));
        }
        trees
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

    /// Whether no other entry of any directory has this id: whether it is a UUID, however it is spelt.
    pub(super) fn is_unique(&self) -> bool {
        let digits = self.0.bytes().filter(|byte| !matches!(byte, b'-' | b'{' | b'}'));
        self.0.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b'{' | b'}'))
            && digits.count() == 32
    }

    /// Every spelling of an id that is a UUID: by its octets, as Active Directory orders them, with hyphens, without, and in
    /// braces. 32 digits may be either; that they are another entry's in the other order does not happen. None of any other id.
    pub fn spellings(&self) -> Vec<Self> {
        let uuid = Uuid::try_parse(&self.0).ok();
        let uuids = match (self.0.len(), uuid) {
            // The octets begin with the last one of each of the first three parts.
            (32, Some(uuid)) => vec![uuid, Uuid::from_bytes_le(uuid.into_bytes())],
            (36 | 38, Some(uuid)) => vec![uuid],
            _ => Vec::new(),
        };
        let spelt = |uuid: Uuid| {
            let octets = Uuid::from_bytes(uuid.to_bytes_le()).simple().to_string();
            let texts = [uuid.hyphenated().to_string(), uuid.simple().to_string(), uuid.braced().to_string()];
            [octets].into_iter().chain(texts)
        };
        let mut all: Vec<Self> = Vec::new();
        for spelling in uuids.into_iter().flat_map(spelt).map(Self::new) {
            if !all.contains(&spelling) {
                all.push(spelling);
            }
        }
        all
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
    fn one_id_is_found_in_whatever_spelling() {
        let spelt = [
            "45ac124e386e114abdbf82af381af98e",
            "4e12ac45-6e38-4a11-bdbf-82af381af98e",
            "4e12ac456e384a11bdbf82af381af98e",
            "{4e12ac45-6e38-4a11-bdbf-82af381af98e}",
        ];
        for spelling in spelt {
            let all = Anchor::new(spelling).spellings();
            for other in spelt {
                assert!(all.contains(&Anchor::new(other)), "{spelling} as {other}");
            }
        }
        for other in
            ["", "4711", "66446001-22a811ed-8cd8b3c1-7b5e0f1a", "zz12ac45-6e38-4a11-bdbf-82af381af98e"]
        {
            assert!(Anchor::new(other).spellings().is_empty(), "{other}");
        }
    }
}
