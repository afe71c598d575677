//! Why what came cannot be used.

/// What was sent cannot be what a directory said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A DN is none.
    #[error("a DN in it is none")]
    Dn,
    /// A DN is longer than one may be.
    #[error("a DN in it is longer than one may be")]
    Long,
    /// Too many changes are in one batch.
    #[error("there are more changes in it than one batch may have")]
    TooMany,
}
