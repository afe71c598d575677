//! Why what an engine said is not taken.

use crate::wire;

/// Why what an engine said is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody wants it any more.
    #[error(
        "the operator does not want this any more: the read was given up, another engine took over, or the operator was started again"
    )]
    Gone,
    /// It breaks the chain.
    #[error(transparent)]
    Chain(#[from] wire::Broken),
    /// It cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// A later process has the same key.
    #[error(
        "another engine with the same key was started later, and is the one that counts. Stop one of them. For a second engine, raise \
         syncEngine.engines of the connector, and join it with a token of its own"
    )]
    Superseded,
}
