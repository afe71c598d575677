//! What is remembered about a policy as a whole.

use jiff::Timestamp;

/// How many objects were linked at one moment: what budgets take their percentages of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census {
    /// When.
    pub at: Timestamp,
    /// Linked users.
    pub users: u64,
    /// Linked groups.
    pub groups: u64,
    /// Memberships that we put.
    pub memberships: u64,
}

/// A policy's state between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyState {
    /// When its first complete run ended; until then nothing is removed.
    pub first_complete_at: Option<Timestamp>,
    /// The specs that the last complete run applied, as `Policy::spec_json`.
    pub applied_spec: Option<String>,
    /// Censuses within the last two windows, oldest first, one before the window's start included.
    pub censuses: Vec<Census>,
}
