//! Which objects are due for a look, now or at a time.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{Stream, stream};
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::clock::Timer;
use crate::spec::Name;

/// The objects of one kind that are due; each is in it at most once.
pub(super) struct WorkQueue {
    clock: Arc<dyn Timer>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    now: BTreeSet<Name>,
    at: HashMap<Name, Timestamp>,
}

impl WorkQueue {
    pub(super) fn new(clock: Arc<dyn Timer>) -> Self {
        Self { clock, state: Mutex::default(), changed: Notify::new() }
    }

    /// Something happened that concerns this object.
    pub(super) fn now(&self, name: &Name) {
        self.state().now.insert(name.clone());
        self.changed.notify_one();
    }

    /// Nothing is to be done before `moment`; `None` means before something happens.
    pub(super) fn at(&self, name: &Name, moment: Option<Timestamp>) {
        let mut state = self.state();
        match moment {
            Some(moment) => drop(state.at.insert(name.clone(), moment)),
            None => drop(state.at.remove(name)),
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The objects whose time has come, one by one. There must be only one such stream.
    pub(super) fn calls(self: Arc<Self>) -> impl Stream<Item = Name> + Send {
        stream::unfold(self, |queue| async move {
            loop {
                let next = match queue.take() {
                    Ok(name) => return Some((name, queue)),
                    Err(next) => next,
                };
                let alarm = async {
                    match next {
                        Some(moment) => queue.clock.until(moment).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = queue.changed.notified() => {}
                    () = alarm => {}
                }
            }
        })
    }

    /// The next whose time has come, or when the next one's does.
    fn take(&self) -> Result<Name, Option<Timestamp>> {
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(name) = state.now.pop_first() {
            state.at.remove(&name);
            return Ok(name);
        }
        let first = state.at.iter().min_by_key(|(_, moment)| **moment);
        let Some((name, moment)) = first.map(|(name, moment)| (name.clone(), *moment)) else {
            return Err(None);
        };
        if moment > now {
            return Err(Some(moment));
        }
        state.at.remove(&name);
        Ok(name)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::StreamExt as _;
    use futures::future::{BoxFuture, FutureExt as _};
    use tokio::sync::watch;

    use super::*;
    use crate::clock::Clock;

    /// A clock that stands until it is set.
    struct Hand(watch::Sender<Timestamp>);

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

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[tokio::test]
    async fn calls_each_once_at_its_time() {
        let clock = Arc::new(Hand(watch::Sender::new(at(0))));
        let queue = Arc::new(WorkQueue::new(clock.clone()));
        let mut calls = pin!(queue.clone().calls());
        let (a, b) = (Name::new("ns", "a"), Name::new("ns", "b"));
        queue.at(&a, Some(at(10)));
        queue.at(&b, Some(at(20)));
        // What happens comes before its alarm, and takes it away.
        queue.now(&a);
        queue.now(&a);
        assert_eq!(calls.next().await, Some(a.clone()));
        assert!(calls.next().now_or_never().is_none());
        clock.0.send_replace(at(15));
        assert!(calls.next().now_or_never().is_none());
        queue.at(&a, Some(at(18)));
        clock.0.send_replace(at(25));
        assert_eq!(calls.next().await, Some(a));
        assert_eq!(calls.next().await, Some(b.clone()));
        queue.at(&b, Some(at(30)));
        queue.at(&b, None);
        clock.0.send_replace(at(40));
        assert!(calls.next().now_or_never().is_none());
    }
}
