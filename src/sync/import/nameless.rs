//! Whom an entry may be that shows neither an id nor the name of somebody.

use jiff::Timestamp;

/// Whom an entry may be that shows neither an id nor the name of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Nameless {
    /// None came.
    Nobody,
    /// Those that came did so in a read before, the newest of them at this time: anybody who is missing since then or longer,
    /// and is not settled.
    MissingBefore(Timestamp),
    /// Anybody who is missing.
    AnybodyMissing,
}

impl Nameless {
    /// Of one that comes since then, if it came before.
    pub(super) fn since(came: Option<Timestamp>) -> Self {
        came.map_or(Self::AnybodyMissing, Self::MissingBefore)
    }
}
