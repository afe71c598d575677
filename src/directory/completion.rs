//! The proof that a read reached its end.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::DirectoryId;

/// Whether a read brought everything or what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Everything: what did not come is absent.
    Full,
    /// What changed since the cursor: what did not come is as it was.
    Delta,
}

/// Where a directory's change feed resumes; opaque outside its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub Vec<u8>);

/// The proof that a read reached its end.
///
/// # Guarantees
/// Only a source mints one, and only at the true end of its read: after the last page was received
/// with a success code, after the last line of a file that ends properly. A read that ended early
/// returns an error instead, and nothing of it becomes visible. (`tests/it/architecture.rs` holds that
/// only `source/` and tests build one.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// What the read brought.
    pub mode: Mode,
    /// Whose entries these are. Pinned at a connector's first import; a change is refused.
    pub directory: DirectoryId,
    /// The attribute that holds the anchors, in lower case. Pinned at a connector's first import.
    pub id: Option<String>,
    /// Which server told it, where several hold the directory and one may know less than another.
    pub server: Option<String>,
    /// Where the next delta resumes, if this source has a feed.
    pub cursor: Option<Cursor>,
    /// Every neutral field that was asked for: missing from an entry that came means Empty.
    pub fields: BTreeSet<String>,
    /// Every literal attribute that was asked for.
    pub attributes: BTreeSet<String>,
    /// What decides which entries come (servers, bases, filters, rights): when this text differs
    /// from the last seal's, absences are graded as caused by configuration.
    pub scope: String,
    /// What people should know about this read: search references that were not followed, an
    /// attribute that the server refused. Bounded; no names of people.
    pub notices: Vec<String>,
    /// What the directory says it is ("OpenLDAP", "389 Project …"), if it says so.
    pub vendor: Option<String>,
    /// Which feed brings changes from here on, for a directory that may have one.
    pub feed: Option<Feed>,
    /// What the server or the file showed of itself beside what it was asked for.
    pub shown: Shown,
}

/// What a server or a file showed of itself while it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// When the certificate that it proved itself with ends.
    pub certificate_ends_at: Option<Timestamp>,
    /// What its clock says as the read ends.
    pub clock: Option<Timestamp>,
    /// Whether nothing shows that what came is all: it may have been cut.
    pub no_end: bool,
    /// How far its copy of the directory is, as its source writes that; of an export, its digest and when it was written.
    pub progress: Option<String>,
}

/// How changes come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// Its name, as in the spec's `changeFeed`.
    pub active: String,
    /// Why it is no better one, and what to do; empty if it is the best.
    pub reason: String,
}
