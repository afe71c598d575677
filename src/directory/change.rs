//! What a source says while it reads.

use super::{Anchor, Entry, Reference};

/// One thing a source found. Later issues of the same anchor in one read replace earlier ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The entry is like this now, members included.
    Replace(Box<Entry>),
    /// The directory says that this entry was deleted.
    Tombstone(Anchor),
    /// The entry is there, and as it was: all that a listing says of it.
    Unchanged(Anchor),
    /// The entry is there, and is no longer among those that the connector reads.
    Outside(Anchor),
    /// These are members of the group now, beside those that it had.
    MembersAdded {
        /// Which group.
        group: Anchor,
        /// Who.
        added: Vec<Reference>,
    },
    /// An entry is there and could not be understood. It is no evidence of anything: with an
    /// anchor, the entry counts as seen and keeps what it last was.
    Unreadable {
        /// Its immutable id, where at least that could be read.
        anchor: Option<Anchor>,
        /// Which entry: its DN, or for people where it is found if even that could not be read.
        what: String,
        /// What is wrong with it and what to do.
        why: String,
    },
}

impl Change {
    /// Whom it is about, where that could be read.
    pub fn anchor(&self) -> Option<&Anchor> {
        match self {
            Self::Replace(entry) => Some(&entry.anchor),
            Self::Tombstone(anchor) | Self::Unchanged(anchor) | Self::Outside(anchor) => Some(anchor),
            Self::MembersAdded { group, .. } => Some(group),
            Self::Unreadable { anchor, .. } => anchor.as_ref(),
        }
    }
}

/// A bounded number of changes: at most [`Batch::MAX`], so that memory stays bounded whatever the
/// directory's size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch(pub Vec<Change>);

impl Batch {
    /// Enough to keep a transaction busy, few enough to hold a handful of batches in memory.
    pub const MAX: usize = 1000;
    /// A batch whose groups state so many members is full, however few they are.
    pub const MEMBERS: usize = 20_000;
}
