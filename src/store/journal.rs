//! The journal: what was done, for budgets and for people.

use jiff::Timestamp;

use crate::directory::{Evidence, SubjectId};

/// What a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A user removed or disabled because they left.
    UserRemoval,
    /// A group removed or emptied because it is gone.
    GroupRemoval,
    /// A membership ended by a change of a group.
    MemberRemoval,
    /// A unique name changed.
    IdentifierChange,
    /// A user disabled because the directory says that the account is.
    Disable,
}

/// Operations of one class that were executed within the window.
#[derive(Clone, Debug, PartialEq)]
pub struct Spent {
    /// Which budget.
    pub class: Class,
    /// Why.
    pub evidence: Option<Evidence>,
    /// Whose: the user or group (the group, for a membership).
    pub subject: SubjectId,
    /// How many (memberships of one group are counted together).
    pub count: u64,
    /// When.
    pub at: Timestamp,
    /// Whether an approval executed it, outside the budgets.
    pub approved: bool,
}
