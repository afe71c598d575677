//! Where entries come from: the [`Source`] trait, and one module per directory.
//!
//! A source reads; it never sees resources, targets or other sources.

use std::collections::HashMap;
use std::future::Future;

use crate::directory::{Anchor, Completion, Cursor, OfNoKind};

pub mod ldap;
pub mod ldif;
pub mod schema;
mod sink;

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
    /// `None` for a source that cannot look up (a file).
    fn look_up(&self, anchors: &[Anchor])
    -> impl Future<Output = Result<Option<LookUp>, SourceError>> + Send;

    /// The same, where the DNs that they had are known: a source that may find too little by an id looks there too, before it
    /// says that somebody is missing.
    fn look_up_called(
        &self,
        anchors: &[Anchor],
        called: &HashMap<Anchor, String>,
    ) -> impl Future<Output = Result<Option<LookUp>, SourceError>> + Send {
        let _ = called;
        self.look_up(anchors)
    }
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
    /// The DNs under which each one that is there was found, whether or not the read should have brought it: several
    /// are several entries with one id.
    pub called: HashMap<Anchor, Vec<String>>,
}

/// Why a source could not do its work; bounded, becomes a condition's reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No server answered.
    Unreachable,
    /// The secure connection could not be made: unknown CA, expired certificate, wrong name.
    TlsFailed,
    /// The server refused the credentials.
    AuthenticationFailed,
    /// The server refused to show what was asked for.
    AccessDenied,
    /// The base (or file) is not there.
    NotFound,
    /// The server ended the read at one of its limits.
    LimitExceeded,
    /// The connection or file ended before the read did.
    Interrupted,
    /// The data are not what the format says they must be.
    InvalidData,
    /// This is not the directory that this connector read before.
    DirectoryChanged,
    /// The reader went away.
    Cancelled,
}

/// Why a source could not do its work, for people: what happened to what, and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// Bounded kind.
    pub reason: Reason,
    /// What happened to what, and what to do. Never holds a secret.
    pub message: String,
    /// What lies beneath, if it says more.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl SourceError {
    /// An error that says everything itself.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), source: None }
    }

    /// The same, with what lies beneath.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}
