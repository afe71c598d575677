//! The only reader of wall time. Everything else is told what time it is.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use jiff::Timestamp;

/// Tells the time, so that tests can.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// A clock that also wakes.
pub trait Timer: Clock {
    /// Waits until it is `moment` or later.
    fn until(&self, moment: Timestamp) -> BoxFuture<'_, ()>;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// Whoever sets the machine's clock forward is noticed after so long.
const NAP: Duration = Duration::from_mins(1);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl Timer for SystemClock {
    fn until(&self, moment: Timestamp) -> BoxFuture<'_, ()> {
        async move {
            while let Ok(left) = Duration::try_from(moment.duration_since(self.now()))
                && !left.is_zero()
            {
                tokio::time::sleep(left.min(NAP)).await;
            }
        }
        .boxed()
    }
}
