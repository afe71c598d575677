//! Whether an entry is still in the directory, and how that is stored.

use jiff::Timestamp;
use rusqlite::Row as SqlRow;

use crate::directory::Evidence;
use crate::store::StoreError;

/// The stored number of [`Presence::Present`].
pub(super) const PRESENT: u8 = 0;
/// The stored number of [`Presence::Gone`].
pub(super) const GONE: u8 = 2;

/// Whether an entry is still in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The last read brought it.
    Present,
    /// It came, and could not be understood for this reason: it counts as it last was, frozen.
    Unreadable(String),
    /// It is gone (`Tombstone`, `Absent`, `AbsentUnconfirmed`, `Vanished`), or outside what the
    /// connector reads (`OutOfScope`).
    Gone {
        /// Why it may be removed.
        evidence: Evidence,
        /// When this was first known.
        since: Timestamp,
    },
    /// Not in the last full read, and not yet looked up: no evidence, stays as it last was.
    Unsettled {
        /// When it was first missed.
        since: Timestamp,
        /// Which server told of it last.
        server: Option<String>,
    },
}

impl Presence {
    /// Reads the columns `standing` and `detail`, of which the first is at `at`.
    pub(super) fn read(row: &SqlRow<'_>, at: usize) -> Result<Self, StoreError> {
        let detail: Option<String> = row.get(at + 1)?;
        let detail = detail.as_deref().unwrap_or("null");
        Ok(match row.get(at)? {
            PRESENT => Self::Present,
            1 => Self::Unreadable(serde_json::from_str(detail)?),
            GONE => {
                let (evidence, since) = serde_json::from_str(detail)?;
                Self::Gone { evidence, since }
            }
            3 => {
                // Before servers were told apart, it was the time alone.
                let (since, server) = serde_json::from_str(detail)
                    .or_else(|_| serde_json::from_str(detail).map(|since| (since, None)))?;
                Self::Unsettled { since, server }
            }
            other => return Err(StoreError::Damaged(format!("an entry whose standing is {other}"))),
        })
    }

    /// The columns `standing` and `detail`.
    pub(super) fn to_stored(&self) -> Result<(u8, Option<String>), StoreError> {
        Ok(match self {
            Self::Present => (PRESENT, None),
            Self::Unreadable(why) => (1, Some(serde_json::to_string(why)?)),
            Self::Gone { evidence, since } => (GONE, Some(serde_json::to_string(&(evidence, since))?)),
            Self::Unsettled { since, server } => (3, Some(serde_json::to_string(&(since, server))?)),
        })
    }
}
