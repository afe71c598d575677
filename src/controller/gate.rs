//! Whether another write may begin: only while the lease is ours for longer than the write may take, and
//! nobody has asked us to stop.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// No single write, here or at a target, takes longer.
pub(super) const WRITE: Duration = Duration::from_secs(5);

/// Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    term: Arc<Mutex<Term>>,
    /// Told when the lease is ours again after it was not.
    again: Arc<Notify>,
    stop: CancellationToken,
}

/// For how long the lease is ours without a break.
#[derive(Debug)]
struct Term {
    /// Until when, on the monotonic clock.
    until: Option<Instant>,
    /// Ends what was begun in it.
    over: CancellationToken,
}

/// Why nothing may be written, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shut {
    /// Another replica may be the active one.
    #[error("this replica does not hold the lease")]
    NotOurs,
    /// What was begun under a lease that ran out.
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

    /// The lease is ours until then.
    pub(super) fn open_until(&self, moment: Instant) {
        let mut term = self.term();
        term.until = Some(moment);
        if term.over.is_cancelled() && !self.stop.is_cancelled() {
            term.over = self.stop.child_token();
            self.again.notify_one();
        }
    }

    /// The lease has run out: what goes on under it ends at its next safe point.
    pub(super) fn close(&self) {
        self.term().over.cancel();
    }

    /// For how long the lease is still ours.
    pub(super) fn remaining(&self) -> Duration {
        self.term().until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// Ends when the process is to end, or the lease has run out.
    pub(super) fn ends(&self) -> CancellationToken {
        self.term().over.clone()
    }

    /// Why what was begun under this term must end, if it must. The lease may be ours again meanwhile.
    pub(super) fn ended(&self, term: &CancellationToken) -> Option<Shut> {
        if self.stop.is_cancelled() {
            Some(Shut::Stopping)
        } else {
            term.is_cancelled().then_some(Shut::Lost)
        }
    }

    /// Waits until the lease is ours again after it was not. There must be only one who waits.
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
