//! Change feeds: which entries to read again, and which were deleted.
//!
//! A feed names entries; what they are now is read as ever, through the same filters. So an entry that leaves the
//! filter or the base is seen to, and a change comes whole whatever the feed would have told of it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::directory::{Anchor, Cursor};
use crate::source::schema::anchor::hexadecimal;

/// Where a feed resumes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Resume {
    pub(super) feed: FeedKind,
    /// Of everything that must not have changed in between.
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
    /// Of a cursor, if it is one of these.
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

/// Of what must not change while a feed goes on.
pub(super) fn fingerprint(parts: &[&str]) -> String {
    hexadecimal(&Sha256::digest(parts.join("\0\0").as_bytes()))
}
