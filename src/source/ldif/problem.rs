//! What is wrong with a text as a whole.

/// What is wrong with the text as a whole, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) line: usize,
    pub(super) why: String,
    /// Whether the text looks cut, as against malformed.
    pub(super) cut: bool,
}
