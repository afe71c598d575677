//! A user or a group, as one policy knows it.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Anchor, DirectoryId, Dn, EntryKind};

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

    /// The key of the subject that an entry of this DN founded. An id that no other entry in the world has is qualified by the top of
    /// the entry's tree, if that is of the directory: what is read of a directory (bases, contexts, a part that was exported) says
    /// what the directory is called, and can be edited; where the entry is cannot.
    pub fn of_entry(owner: &Owner, directory: &DirectoryId, anchor: &Anchor, dn: &str) -> Self {
        let top = Dn::parse(dn).ok().map(|dn| DirectoryId::new(dn.top()));
        let top = top.filter(|top| anchor.is_unique() && directory.is_at(top));
        Self::new(owner, top.as_ref().unwrap_or(directory), anchor)
    }

    /// Keys that the entry may have had before: by all that its directory is called, and by each tree of it, as an entry of a forest may
    /// have been moved between its domains.
    pub fn of_before(owner: &Owner, directory: &DirectoryId, anchor: &Anchor) -> Vec<Self> {
        let trees = if anchor.is_unique() { directory.trees() } else { Vec::new() };
        let others = trees.into_iter().filter(|tree| tree != directory);
        let all = std::iter::once(directory.clone()).chain(others);
        all.map(|directory| Self::new(owner, &directory, anchor)).collect()
    }

    /// The key of whoever would have this one, where it is another's.
    #[must_use]
    pub fn beside(self) -> Self {
        Self(Uuid::new_v5(&Self::NAMESPACE, self.0.as_bytes()))
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const UUID: &str = "7d4d1a52-0e0b-4c5d-9f0c-2f3d7c1e9a11";
    const PERSON: &str = "uid=ada,ou=People,dc=Corp,dc=example";

    fn key(directory: &str, anchor: &str, dn: &str) -> Key {
        Key::of_entry(&Owner::new("test", "all"), &DirectoryId::new(directory), &Anchor::new(anchor), dn)
    }

    /// What a directory is called by what is read of it.
    #[rstest]
    #[case::all_of_it("dc=corp,dc=example")]
    #[case::a_part_that_was_exported("ou=people,dc=corp,dc=example")]
    #[case::with_another_context("dc=corp,dc=example o=other")]
    #[case::after_another_context("cn=accounts,o=first dc=corp,dc=example")]
    #[case::of_a_forest("dc=example dc=corp,dc=example")]
    fn a_key_stays_whatever_is_read_of_a_directory(#[case] directory: &str) {
        assert_eq!(key(directory, UUID, PERSON), key("dc=corp,dc=example", UUID, PERSON));
        // It is that of all versions, where the directory is called by the top of the tree.
        let directory = DirectoryId::new("dc=corp,dc=example");
        assert_eq!(
            key("dc=corp,dc=example", UUID, PERSON),
            Key::new(&Owner::new("test", "all"), &directory, &Anchor::new(UUID))
        );
    }

    #[rstest]
    #[case::no_uuid("dc=corp,dc=example", "ada", PERSON)]
    #[case::a_name_that_somebody_gave_it("acme", UUID, PERSON)]
    #[case::another_tree("dc=corp,dc=example2", UUID, PERSON)]
    #[case::a_tenant("8a3f0000-0000-4000-8000-000000000000", UUID, "8a3f")]
    fn what_is_not_unique_by_itself_is_qualified_by_the_whole_name(
        #[case] directory: &str,
        #[case] anchor: &str,
        #[case] dn: &str,
    ) {
        let of = Key::new(&Owner::new("test", "all"), &DirectoryId::new(directory), &Anchor::new(anchor));
        assert_eq!(key(directory, anchor, dn), of);
    }

    #[rstest]
    #[case::of_a_forest("dc=corp,dc=example dc=eu,dc=corp,dc=example dc=us,dc=corp,dc=example")]
    #[case::whose_names_have_blanks(
        "dc=corp,dc=example ou=all people,dc=eu,dc=corp,dc=example dc=us,dc=corp,dc=example"
    )]
    fn who_was_moved_between_the_trees_of_a_directory_is_found_by_the_key_of_before(#[case] directory: &str) {
        let domains = ["dc=corp,dc=example", "dc=eu,dc=corp,dc=example", "dc=us,dc=corp,dc=example"];
        let before =
            Key::of_before(&Owner::new("test", "all"), &DirectoryId::new(directory), &Anchor::new(UUID));
        for domain in domains {
            assert!(before.contains(&key(directory, UUID, &format!("cn=ada,{domain}"))), "{domain}");
        }
    }

    #[test]
    fn who_was_in_one_tree_only_has_one_key_of_before() {
        for (directory, anchor) in [("dc=corp,dc=example", UUID), ("o=a o=b", "ada"), ("acme", UUID)] {
            let (owner, of) = (Owner::new("test", "all"), DirectoryId::new(directory));
            let anchor = Anchor::new(anchor);
            assert_eq!(Key::of_before(&owner, &of, &anchor), [Key::new(&owner, &of, &anchor)], "{directory}");
        }
    }

    #[test]
    fn other_entries_have_other_keys() {
        let other = "7d4d1a52-0e0b-4c5d-9f0c-2f3d7c1e9a12";
        let all = [
            key("o=corp", UUID, "uid=ada,ou=people,o=corp"),
            key("o=corp", other, "uid=ada,ou=people,o=corp"),
            key("o=other", UUID, "uid=ada,ou=people,o=other"),
            key("ou=a,o=corp", "ada", "uid=ada,ou=a,o=corp"),
            key("ou=b,o=corp", "ada", "uid=ada,ou=b,o=corp"),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{at}");
        }
        assert_eq!(all[0], key("ou=people,o=corp", UUID, "uid=ada,ou=people,o=corp"));
    }
}
