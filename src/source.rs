//! Sources of entries: the [`Source`] trait, and one module for each kind of directory.
//!
//! A source reads; it never sees resources, targets or other sources.

use std::collections::HashMap;
use std::future::Future;

use crate::directory::{Anchor, Completion, Cursor, OfNoKind};

pub mod engine;
mod error;
mod fingerprint;
pub mod google;
pub mod graph;
mod json;
mod kind;
pub mod ldap;
pub mod ldif;
mod outlet;
pub mod schema;
mod service;
mod sink;

pub use error::{Reason, SourceError};
pub use kind::{Abilities, Session, SourceConfig};
pub use sink::{KnownBy, LastRead, Lists, Sink};

/// A directory that can be read.
///
/// # Guarantees that every source gives (held by `tests/it/source_contract.rs`)
/// - It streams: memory is bounded by the batch and page size, not by the directory.
/// - It returns a [`Completion`] only at the true end. An early end, whatever its cause, is an error
///   that says what happened and how far the read came.
/// - What it cannot understand of one entry it reports as [`crate::directory::Change::Unreadable`],
///   and goes on.
/// - If the sink is closed, it stops and returns [`Reason::Cancelled`].
pub trait Source: Send + Sync {
    /// Reads everything, or what changed since `cursor` where the source has a feed and still
    /// accepts the cursor (the completion's mode says which it was).
    fn read(
        &self,
        cursor: Option<&Cursor>,
        sink: Sink,
    ) -> impl Future<Output = Result<Completion, SourceError>> + Send;

    /// Looks entries up by anchor: in the naming contexts, without our filters, up to 200 a search.
    /// `called` has the DNs that they had, as far as those are known: a source that may find too little by an id looks there too,
    /// before it says that somebody is missing. `None` for a source that cannot look up (a file).
    fn look_up(
        &self,
        anchors: &[Anchor],
        called: &HashMap<Anchor, String>,
    ) -> impl Future<Output = Result<Option<LookUp>, SourceError>> + Send;
}

/// Which anchors a look-up found. An anchor that is in none of the lists was not settled and is no
/// evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookUp {
    /// Which server said so, as in [`Completion::server`].
    pub server: Option<String>,
    /// There, though the read did not bring them: outside the base or the filter.
    pub found: Vec<Anchor>,
    /// There, and not brought because its classes are those of no user, contact or group.
    pub of_no_kind: Vec<OfNoKind>,
    /// Asked for by a search that completed, and not there.
    pub missing: Vec<Anchor>,
    /// Those of `missing` of whom the entry that they were right below is not there either.
    pub orphans: Vec<Anchor>,
    /// The DNs under which each one that is there was found, whether or not the read should have brought it: several
    /// are several entries with one id.
    pub called: HashMap<Anchor, Vec<String>>,
}
