//! Whether a write may begin: only while this replica holds the lease for longer than the write may take, and the process
//! is not about to stop.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A single write, to the apiserver or to a target, takes no longer.
pub(super) const WRITE: Duration = Duration::from_secs(5);

/// Whether writes may begin. Clones share the state.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    term: Arc<Mutex<Term>>,
    /// Notified when the lease is held again after it was lost.
    again: Arc<Notify>,
    stop: CancellationToken,
}

/// The time for which the lease is held without a break.
#[derive(Debug)]
struct Term {
    /// Its end, on the monotonic clock.
    until: Option<Instant>,
    /// Cancelled at its end: what was begun in it ends.
    over: CancellationToken,
}

/// Why nothing may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shut {
    /// Another replica may be the active one.
    #[error("this replica does not hold the lease")]
    NotOurs,
    /// The work began under a lease that has expired.
    #[error(
        "the lease was lost meanwhile, and another replica may have been active; the next run continues from here"
    )]
    Lost,
    /// The process is about to end.
    #[error("the operator is stopping; it continues when it runs again")]
    Stopping,
}

impl Gate {
    pub(super) fn new(stop: CancellationToken) -> Self {
        let term = Term { until: None, over: stop.child_token() };
        Self { term: Arc::new(Mutex::new(term)), again: Arc::default(), stop }
    }

    /// The lease is held until then.
    pub(super) fn open_until(&self, moment: Instant) {
        let mut term = self.term();
        term.until = Some(moment);
        if term.over.is_cancelled() && !self.stop.is_cancelled() {
            term.over = self.stop.child_token();
            self.again.notify_one();
        }
    }

    /// The lease has expired: work that began under it ends at its next safe point.
    pub(super) fn close(&self) {
        self.term().over.cancel();
    }

    /// How long the lease is still held.
    pub(super) fn remaining(&self) -> Duration {
        self.term().until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// Cancelled when the process is to end, or the lease has expired.
    pub(super) fn ends(&self) -> CancellationToken {
        self.term().over.clone()
    }

    /// Why work that began in this term must end, if it must. The lease may be held again meanwhile.
    pub(super) fn ended(&self, term: &CancellationToken) -> Option<Shut> {
        if self.stop.is_cancelled() {
            Some(Shut::Stopping)
        } else {
            term.is_cancelled().then_some(Shut::Lost)
        }
    }

    /// Waits until the lease is held again after it was lost. Only one task may wait.
    pub(super) async fn again(&self) {
        self.again.notified().await;
    }

    fn term(&self) -> MutexGuard<'_, Term> {
        self.term.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a write may begin.
    pub(super) fn check(&self) -> Result<(), Shut> {
        if self.stop.is_cancelled() {
            Err(Shut::Stopping)
        } else if self.remaining() <= WRITE {
            Err(Shut::NotOurs)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn is_open_only_while_a_write_would_end_in_time() {
        let stop = CancellationToken::new();
        let gate = Gate::new(stop.clone());
        assert_eq!(gate.check(), Err(Shut::NotOurs));
        gate.open_until(Instant::now() + 3 * WRITE);
        assert_eq!(gate.check(), Ok(()));
        tokio::time::advance(2 * WRITE).await;
        assert_eq!(gate.check(), Err(Shut::NotOurs));
        gate.open_until(Instant::now() + 3 * WRITE);
        stop.cancel();
        assert_eq!(gate.check(), Err(Shut::Stopping));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_begun_under_a_lease_ends_with_it() {
        let stop = CancellationToken::new();
        let gate = Gate::new(stop.clone());
        gate.open_until(Instant::now() + 3 * WRITE);
        let first = gate.ends();
        gate.open_until(Instant::now() + 4 * WRITE);
        assert!(!first.is_cancelled(), "it was renewed");
        gate.close();
        assert!(first.is_cancelled());
        assert!(gate.ends().is_cancelled(), "nothing is begun now");
        gate.open_until(Instant::now() + 3 * WRITE);
        gate.again().await;
        let second = gate.ends();
        assert!(first.is_cancelled() && !second.is_cancelled());
        assert_eq!(gate.ended(&first), Some(Shut::Lost), "though it is ours again");
        assert_eq!(gate.ended(&second), None);
        stop.cancel();
        assert!(second.is_cancelled());
        assert_eq!(gate.ended(&second), Some(Shut::Stopping));
    }
}
