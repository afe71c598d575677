//! Whether another write may begin: only while the lease is ours for longer than the write may take, and
//! nobody has asked us to stop.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// No single write, here or at a target, takes longer.
pub(super) const WRITE: Duration = Duration::from_secs(5);

/// Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    /// Until when the lease is ours, on the monotonic clock.
    ours_until: Arc<Mutex<Option<Instant>>>,
    stop: CancellationToken,
}

/// Why nothing may be written, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shut {
    /// Another replica may be the active one.
    #[error("this replica does not hold the lease (any more)")]
    NotOurs,
    /// The process is about to end.
    #[error("the operator is stopping; the rest is done when it runs again")]
    Stopping,
}

impl Gate {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self { ours_until: Arc::default(), stop }
    }

    /// The lease is ours until then.
    pub(super) fn open_until(&self, moment: Instant) {
        *self.ours_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(moment);
    }

    /// For how long the lease is still ours.
    pub(super) fn remaining(&self) -> Duration {
        let until = *self.ours_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
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
}
