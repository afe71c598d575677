//! Lanes: which operations go first where a target's rate is the limit.

use crate::directory::Operation;

/// Which operations go first where a target's rate is the limit: whoever has left is waited for by nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Accounts that are disabled or deleted.
    Leavers,
    /// Memberships that end.
    Ended,
    /// Objects that are created, and what is to be known before.
    Joiners,
    /// Everything else.
    Rest,
}

impl Lane {
    /// That of an operation.
    pub fn of(operation: &Operation) -> Self {
        match operation {
            Operation::SetActive { active: false, .. } | Operation::Delete { .. } => Self::Leavers,
            Operation::RemoveMembers { .. } => Self::Ended,
            Operation::Create { .. } => Self::Joiners,
            Operation::SetActive { active: true, .. }
            | Operation::Update { .. }
            | Operation::AddMembers { .. } => Self::Rest,
        }
    }
}
