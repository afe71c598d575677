//! Why the operator ended, or a reconcile did.

use std::fmt::Debug;

use super::gate::Shut;
use crate::store::StoreError;

/// Why the operator ended, or a reconcile did.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The apiserver refused, or could not be reached.
    #[error("the apiserver: {0}")]
    Kube(#[from] kube::Error),
    /// The apiserver did not answer in time.
    #[error("the apiserver did not answer in time")]
    Slow,
    /// An object that the spec names could not be read.
    #[error("{what} could not be read: {why}")]
    Unread {
        /// What.
        what: String,
        /// Why not.
        #[source]
        why: Box<Self>,
    },
    /// A watch fails, so that changes are not seen.
    #[error("{0}")]
    Unseen(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing may be written now.
    #[error(transparent)]
    Shut(#[from] Shut),
    /// The lease is lost; whoever has it now must not find us writing.
    #[error("{0}")]
    Lost(String),
    /// Something that must not end has ended.
    #[error("{0}")]
    Died(String),
}
