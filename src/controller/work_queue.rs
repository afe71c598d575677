//! The work queue of one kind: which objects are reconciled next, and when. No object is reconciled twice at the same time.
//! A reconcile that failed is repeated, after a longer pause each time.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{Stream, stream};
use jiff::Timestamp;
use tokio::sync::Notify;

use super::delay;
use crate::clock::Timer;
use crate::spec::Name;

/// The pause after the first failure; doubled with each further one …
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// … up to this number of failures: half a minute is long enough.
const MOST_FAILURES: u32 = 6;

/// The objects of one kind that are due. Each is in it at most once.
pub(super) struct WorkQueue {
    clock: Arc<dyn Timer>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    now: BTreeSet<Name>,
    at: HashMap<Name, Timestamp>,
    /// The objects that are being reconciled.
    busy: HashSet<Name>,
    /// How often in a row the reconcile of an object failed.
    failures: HashMap<Name, u32>,
}

impl WorkQueue {
    pub(super) fn new(clock: Arc<dyn Timer>) -> Self {
        Self { clock, state: Mutex::default(), changed: Notify::new() }
    }

    /// This object is due now.
    pub(super) fn now(&self, name: &Name) {
        self.state().now.insert(name.clone());
        self.changed.notify_one();
    }

    /// This object is due at `moment`; with `None` it is due only when something happens.
    pub(super) fn at(&self, name: &Name, moment: Option<Timestamp>) {
        let mut state = self.state();
        match moment {
            Some(moment) => drop(state.at.insert(name.clone(), moment)),
            None => drop(state.at.remove(name)),
        }
        drop(state);
        self.changed.notify_one();
    }

    /// A reconcile has ended. If it failed, it is repeated.
    pub(super) fn done(&self, name: &Name, succeeded: bool) {
        let mut state = self.state();
        state.busy.remove(name);
        if succeeded {
            state.failures.remove(name);
        } else {
            let count = state.failures.entry(name.clone()).or_default();
            *count = (*count + 1).min(MOST_FAILURES);
            let again = delay::again(self.clock.now(), FIRST_RETRY, *count, &name.to_string());
            state.at.insert(name.clone(), again);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The objects that are due, one by one. An object comes again only when its reconcile is [`done`](Self::done). There
    /// must be only one such stream.
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

    /// The next object that is due; if none is, when the next one will be.
    fn take(&self) -> Result<Name, Option<Timestamp>> {
        let now = self.clock.now();
        let state = &mut *self.state();
        let is_free = |name: &&Name| !state.busy.contains(*name);
        let name = if let Some(name) = state.now.iter().find(is_free) {
            name.clone()
        } else {
            let free = state.at.iter().filter(|(name, _)| is_free(name));
            let (name, moment) = free.min_by_key(|(_, moment)| **moment).ok_or(None)?;
            if *moment > now {
                return Err(Some(*moment));
            }
            name.clone()
        };
        state.now.remove(&name);
        state.at.remove(&name);
        state.busy.insert(name.clone());
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
        queue.done(&a, true);
        assert!(calls.next().now_or_never().is_none());
        clock.0.send_replace(at(15));
        assert!(calls.next().now_or_never().is_none());
        queue.at(&a, Some(at(18)));
        clock.0.send_replace(at(25));
        assert_eq!(calls.next().await, Some(a));
        assert_eq!(calls.next().await, Some(b.clone()));
        queue.done(&b, true);
        queue.at(&b, Some(at(30)));
        queue.at(&b, None);
        clock.0.send_replace(at(40));
        assert!(calls.next().now_or_never().is_none());
    }

    #[tokio::test]
    async fn nobody_is_looked_at_twice_at_once() {
        let queue = Arc::new(WorkQueue::new(Arc::new(Hand(watch::Sender::new(at(0))))));
        let mut calls = pin!(queue.clone().calls());
        let (a, b) = (Name::new("ns", "a"), Name::new("ns", "b"));
        queue.now(&a);
        assert_eq!(calls.next().await, Some(a.clone()));
        queue.now(&a);
        queue.at(&a, Some(at(0)));
        queue.now(&b);
        assert_eq!(calls.next().await, Some(b));
        assert!(calls.next().now_or_never().is_none(), "its first look goes on");
        queue.done(&a, true);
        assert_eq!(calls.next().await, Some(a.clone()), "it changed meanwhile");
        queue.done(&a, true);
        assert!(calls.next().now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_look_that_failed_is_repeated_later_each_time() {
        let clock = Arc::new(Hand(watch::Sender::new(at(0))));
        let queue = Arc::new(WorkQueue::new(clock.clone()));
        let mut calls = pin!(queue.clone().calls());
        let a = Name::new("ns", "a");
        queue.now(&a);
        // A tenth is added at most, in whole seconds.
        for (waits, longest) in [(1, 1), (2, 2), (4, 4), (8, 8), (16, 17), (32, 35), (32, 35)] {
            let failed = clock.now();
            assert_eq!(calls.next().await, Some(a.clone()));
            queue.done(&a, false);
            clock.0.send_replace(failed + Duration::from_secs(waits) - Duration::from_millis(1));
            assert!(calls.next().now_or_never().is_none(), "{waits}");
            clock.0.send_replace(failed + Duration::from_secs(longest));
        }
        assert_eq!(calls.next().await, Some(a.clone()));
        queue.done(&a, true);
        queue.now(&a);
        assert_eq!(calls.next().await, Some(a.clone()));
        queue.done(&a, false);
        clock.0.send_replace(clock.now() + Duration::from_secs(1));
        assert_eq!(calls.next().await, Some(a), "it was well meanwhile");
    }
}
