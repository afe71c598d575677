//! The evidence for a removal.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How strong the reason for a removal is. The order is that of the table in the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Grade {
    /// The directory says: deleted.
    Tombstone,
    /// The directory says: account disabled or expired.
    Disabled,
    /// Not in a full read that completed, and confirmed by looking the anchor up.
    Absent,
    /// Not in a full read that completed, from a source that cannot look up.
    AbsentUnconfirmed,
    /// Absent although the feed normally yields tombstones.
    Vanished,
    /// The entry is there, and the policy's scope excludes it.
    OutOfScope,
    /// The group was read with a complete member set, and this member is no longer in it.
    EdgeRemoved,
}

impl Grade {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Tombstone,
        Self::Disabled,
        Self::Absent,
        Self::AbsentUnconfirmed,
        Self::Vanished,
        Self::OutOfScope,
        Self::EdgeRemoved,
    ];

    /// Grades that only say that the entry did not come.
    pub fn is_absence(self) -> bool {
        matches!(self, Self::Absent | Self::AbsentUnconfirmed | Self::Vanished)
    }

    /// Whether the grade depends on absence alone, without a look-up: such removals have their own, stricter limit.
    pub fn is_weak(self) -> bool {
        matches!(self, Self::AbsentUnconfirmed | Self::Vanished)
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A graded reason for a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Evidence {
    /// How strong it is.
    pub grade: Grade,
    /// Whether an edit of a spec, not a change in the directory, is what removes: the last applied
    /// spec would have kept it. Such removals have their own budget.
    pub configuration: bool,
}

impl Evidence {
    /// Evidence from the directory itself.
    pub fn data(grade: Grade) -> Self {
        Self { grade, configuration: false }
    }

    /// Evidence that an edit of a spec made.
    pub fn configuration(grade: Grade) -> Self {
        Self { grade, configuration: true }
    }
}
