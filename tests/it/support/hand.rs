//! A clock that stands until it is set.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use jiff::Timestamp;
use rollcall::clock::{Clock, Timer};
use tokio::sync::watch;

pub(crate) struct Hand(watch::Sender<Timestamp>);

impl Hand {
    pub(crate) fn at(moment: Timestamp) -> Self {
        Self(watch::Sender::new(moment))
    }

    /// So many seconds after a moment that means nothing.
    pub(crate) fn seconds(after: i64) -> Self {
        Self::at(Timestamp::from_second(1_700_000_000 + after).unwrap())
    }

    /// The same in hours.
    pub(crate) fn hours(after: i64) -> Self {
        Self::seconds(after * 3600)
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now = now.checked_add(by).unwrap());
    }

    pub(crate) fn set(&self, moment: Timestamp) {
        self.0.send_replace(moment);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }
}

impl Timer for Hand {
    fn until(&self, moment: Timestamp) -> BoxFuture<'_, ()> {
        let mut time = self.0.subscribe();
        async move { drop(time.wait_for(|now| *now >= moment).await) }.boxed()
    }
}
