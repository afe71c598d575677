//! Snapshots: the last sealed content that one connector read.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use roaring::RoaringBitmap;

use serde::{Deserialize, Serialize};

use crate::directory::{Anchor, ConnectorName, DirectoryId, Entry, Feed, Mode};

mod accepted;
mod begin;
mod index;
mod known;
mod names;
mod newest;
mod pin;
mod presence;
mod read;
mod remembered;
mod seals;
mod stored;
mod write;

pub use begin::Before;
pub(super) use index::drop_outdated;
pub use index::{Fingerprint, fingerprint};
pub use known::{Known, PresenceByte};
pub use names::Former;
pub use presence::Presence;
pub use read::Snapshot;
pub use remembered::{MOST as MOST_REMEMBERED, Remembered};
pub(super) use seals::Seals;
pub use stored::Last;
pub use write::{Coverage, Importing, Lent, Version, content};

/// An entry's row: never reused. Belongs to one connector's snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub u32);

/// A name (DN, uid, address) that an entry bears or a group's member list states. Interned: equal
/// references have equal ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameId(pub u32);

/// What is known about a snapshot as a whole, as of its last seal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SnapshotInfo {
    /// Whose it is.
    pub connector: ConnectorName,
    /// Which directory it is of.
    pub directory: DirectoryId,
    /// The attribute by which its entries are known, in lower case; what older versions sealed says it in `scope`.
    #[serde(default)]
    pub id: Option<String>,
    /// Which server told of everybody who is present.
    #[serde(default)]
    pub server: Option<String>,
    /// How far the copy of that server was, as its source writes that.
    #[serde(default)]
    pub progress: Option<String>,
    /// The last change number that the seal made visible.
    pub sequence: u64,
    /// Counts the completed imports; grows with each, changed or not.
    pub completion: u64,
    /// When the read that was sealed last completed.
    pub completed_at: Timestamp,
    /// Whether that read was full.
    pub mode: Mode,
    /// Neutral fields that were asked for.
    pub fields: BTreeSet<String>,
    /// Literal attributes that were asked for.
    pub attributes: BTreeSet<String>,
    /// What decided which entries came (see `Completion::scope`).
    pub scope: String,
    /// What people should know about that read.
    pub notices: Vec<String>,
    /// What the directory says it is.
    pub vendor: Option<String>,
    /// Which feed brings changes.
    #[serde(default)]
    pub feed: Option<Feed>,
    /// When everything was read last.
    #[serde(default)]
    pub full_at: Option<Timestamp>,
    /// If many were missing at once.
    #[serde(default)]
    pub shrunk: Option<Shrunk>,
    /// Whether some stay though they are missing, because a file that shows no end brought far fewer.
    #[serde(default)]
    pub held: bool,
    /// Whether nothing but another read settles what became of those who are missing: its source cannot look up.
    #[serde(default)]
    pub unprovable: bool,
    /// Fields that more entries lost than the coverage rule allows (a literal attribute as
    /// `attributes.NAME`), until a read brings them back or a person approves.
    #[serde(skip)]
    pub tripped: BTreeMap<String, Trip>,
    /// Entries that came, could not be understood, and were never understood before; the first of
    /// them.
    #[serde(rename = "strangers")]
    pub unreadable: Vec<UnreadableEntry>,
    /// How many of those there are.
    #[serde(rename = "stranger_count")]
    pub unreadable_count: u64,
    /// What entries were called that could not be understood, and since when.
    #[serde(default)]
    pub remembered: Remembered,
    /// Which of several entries with one id were not the one that had it first.
    #[serde(default)]
    pub copies: Remembered,
    /// Members whom lists had before the last read and have no more, and who may be those whom they name anew: by the group's row
    /// the names by which it had them. `None` in what older versions sealed.
    #[serde(default)]
    pub waiting: Option<Waiting>,
    /// Names from this number on were stated for the first time in the last read, in what older versions sealed.
    #[serde(default)]
    pub new_names: u32,
    /// DNs under which several entries came.
    #[serde(default)]
    pub shared_names: Vec<u32>,
    /// The number that the next new name gets.
    #[serde(default)]
    pub next_name: u32,
    /// The number that the next new row gets.
    #[serde(default)]
    pub next_row: u32,
    /// How many entries are present.
    pub users: u64,
    /// How many groups are present.
    pub groups: u64,
    /// How many contacts are present.
    pub contacts: u64,
}

/// Memberships that wait for another read: by the group's row, the names of the members.
pub type Waiting = BTreeMap<u32, Vec<u32>>;

/// Since when far fewer entries come than before, and how many that were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shrunk {
    /// When it was seen first.
    pub since: Timestamp,
    /// How many were present until then.
    pub from: u64,
}

/// An entry that came and that nothing is known of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadableEntry {
    /// Its anchor, if that could be told.
    #[serde(default)]
    pub anchor: Option<Anchor>,
    /// Which entry, for people.
    pub what: String,
    /// What is wrong with it and what to do.
    pub why: String,
    /// When a read that was sealed brought it first; `None` for one of this read, or of a time when that was not noted.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

/// A field that too many entries lost.
#[derive(Clone, Debug, PartialEq)]
pub struct Trip {
    /// How many entries carried it at the baseline.
    pub carried: u64,
    /// The rows that lost it.
    pub lost: RoaringBitmap,
}

/// An entry in a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its number.
    pub id: RowId,
    /// The number of the change that made it what it is.
    pub sequence: u64,
    /// What it last was; `names` and `members` are empty here (see `names`, [`Edges`]).
    pub entry: Entry,
    /// The names that it bears.
    pub names: Vec<NameId>,
    /// Whether it is still there.
    pub presence: Presence,
}

/// A group's direct members, as stated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edges {
    /// The names that the member list states ([`NameId`]), whether or not an entry bears them.
    pub names: RoaringBitmap,
    /// Whether the list was read completely; if not, it is no evidence that somebody is not in it.
    pub complete: bool,
}
