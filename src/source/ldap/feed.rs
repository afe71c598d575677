//! Change feeds: which entries to read again, and which were deleted.
//!
//! A feed only names entries. Each of them is then read with the filters of a full read. So an entry that left the filter or the
//! base is noticed, and a change is complete, whatever the feed tells of it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::directory::{Anchor, Cursor, Feed};
use crate::source::schema::anchor::hexadecimal;

/// Where a feed resumes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Resume {
    pub(super) feed: FeedKind,
    /// A hash of everything that must not change between two reads.
    pub(super) fingerprint: String,
    pub(super) place: Vec<u8>,
    /// Whether the last read was of everything: its lists may be newer than what it read of people.
    #[serde(default = "of_everything")]
    pub(super) after_all: bool,
}

fn of_everything() -> bool {
    true
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum FeedKind {
    /// All of an Active Directory domain, by right.
    DirSync,
    /// As much of it as the account may see.
    DirSyncAsSeen,
    UsnChanged,
    SyncRepl,
}

impl FeedKind {
    /// As in the spec's `changeFeed`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::DirSync | Self::DirSyncAsSeen => "DirSync",
            Self::UsnChanged => "UsnChanged",
            Self::SyncRepl => "SyncRepl",
        }
    }
}

/// Which feed is used, where it will resume, and what to say of it.
pub(super) struct Choice {
    /// `None` if everything is read each time.
    pub(super) next: Option<Resume>,
    pub(super) feed: Feed,
}

impl Choice {
    /// No feed, for this reason.
    pub(super) fn none(reason: impl Into<String>) -> Self {
        Self { next: None, feed: Feed { active: "FullRead".to_owned(), reason: reason.into() } }
    }

    /// The feed that resumes there. `remarks` are what to say of it.
    pub(super) fn of(next: Resume, mut remarks: Vec<String>) -> Self {
        remarks.retain(|remark| !remark.is_empty());
        let feed = Feed { active: next.feed.name().to_owned(), reason: remarks.join(". ") };
        Self { next: Some(next), feed }
    }
}

/// What changed.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) touched: BTreeSet<Anchor>,
    pub(super) deleted: BTreeSet<Anchor>,
    /// Those of `touched` that may have been renamed, and have others in them if they are neither user nor group.
    pub(super) renamed: BTreeSet<Anchor>,
    /// Where to go on.
    pub(super) place: Vec<u8>,
}

impl Resume {
    /// Reads a cursor, if it is one of these.
    pub(super) fn read(cursor: &Cursor) -> Option<Self> {
        serde_json::from_slice(&cursor.0).ok()
    }

    /// Whether `next` is the same feed at the same place.
    pub(super) fn goes_on_as(&self, next: &Self) -> bool {
        (self.feed, &self.fingerprint) == (next.feed, &next.fingerprint)
    }

    /// The same at a later time, when what changed was read.
    pub(super) fn at(&self, place: Vec<u8>) -> Self {
        Self { place, after_all: false, ..self.clone() }
    }

    pub(super) fn cursor(&self) -> Option<Cursor> {
        serde_json::to_vec(self).ok().map(Cursor)
    }
}

/// A hash of what must not change while a feed goes on.
pub(super) fn fingerprint(parts: &[&str]) -> String {
    hexadecimal(&Sha256::digest(parts.join("\0\0").as_bytes()))
}
