//! A run under way.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

use crate::directory::ConnectorName;
use crate::spec::Runnable;
use crate::sync::run::RunState;

/// A run under way.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// How many operations are done, of how many.
    pub(super) done: Arc<(AtomicU64, AtomicU64)>,
    /// The approval that its policy bore when it began.
    pub(super) approval: Option<String>,
    /// Ends it at its next safe point.
    pub(super) cancel: CancellationToken,
    /// The lease as it was when it began, with which it ends as well.
    pub(super) term: CancellationToken,
}

/// What a run is begun with.
pub(super) struct Begin {
    pub(super) runnable: Arc<Runnable>,
    /// A digest that a person approved and no run has seen.
    pub(super) approve: Option<String>,
    /// Who says to have approved it.
    pub(super) approved_by: Option<String>,
    /// Connectors on whose word nothing may be removed.
    pub(super) failed: BTreeSet<ConnectorName>,
    /// What the run before it left.
    pub(super) left_by_last_run: Option<RunState>,
    pub(super) job: Job,
}

impl Job {
    pub(super) fn new(approval: Option<String>, term: &CancellationToken) -> Self {
        Self { done: Arc::default(), approval, cancel: term.child_token(), term: term.clone() }
    }

    pub(super) fn progress(&self) -> (u64, u64) {
        (self.done.0.load(Ordering::Relaxed), self.done.1.load(Ordering::Relaxed))
    }
}
