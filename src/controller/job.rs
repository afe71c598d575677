//! A read or a run under way.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

use super::places::Places;
use crate::telemetry::Queued;

/// A read or a run under way; clones share its progress and its end.
#[derive(Clone, Debug)]
pub(super) struct Job<C> {
    /// Who asked for it.
    pub(super) cause: C,
    /// Ends it at its next safe point.
    pub(super) cancel: CancellationToken,
    /// The lease as it was when it began, with which it ends as well.
    pub(super) term: CancellationToken,
    /// How much is done, of how much.
    progress: Arc<(AtomicU64, AtomicU64)>,
}

impl<C> Job<C> {
    /// One that begins under this lease.
    pub(super) fn new(term: &CancellationToken, cause: C) -> Self {
        Self { cause, cancel: term.child_token(), term: term.clone(), progress: Arc::default() }
    }

    /// What it tells its progress to: how much is done, of how much.
    pub(super) fn progress_teller(&self) -> impl Fn(u64, u64) + Send + Sync + use<C> {
        let progress = self.progress.clone();
        move |done, all| {
            progress.0.store(done, Ordering::Relaxed);
            progress.1.store(all, Ordering::Relaxed);
        }
    }

    /// How much is done, of how much.
    pub(super) fn progress(&self) -> (u64, u64) {
        (self.progress.0.load(Ordering::Relaxed), self.progress.1.load(Ordering::Relaxed))
    }

    /// Works once its namespace has a place among the jobs of its kind; `None` if the job was given up before.
    pub(super) async fn in_turn<T>(
        &self,
        (places, namespace): (&Arc<Places>, &str),
        queued: Queued,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let _place = self.cancel.run_until_cancelled(places.take(namespace)).await??;
        let _running = queued.begin();
        Some(work.await)
    }
}
