//! What is wrong with a text as a whole.

use crate::source::{Reason, SourceError};

/// What is wrong with the text as a whole, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) line: usize,
    pub(super) why: String,
    /// Whether the text looks cut, as against malformed.
    pub(super) cut: bool,
}

/// A file that is of no use.
pub(super) fn invalid(message: String) -> SourceError {
    SourceError::new(Reason::InvalidData, message)
}
