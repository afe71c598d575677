//! Schedules reads of the store: a limited number at once, a share for each policy, and the policy with the fewest
//! reads next.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::directory::Owner;

/// The turns of one listener; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    bounds: Bounds,
    queue: Arc<Mutex<Queue>>,
}

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Who read at once …
    pub(super) reads: usize,
    /// … and for one policy.
    pub(super) of_policy: usize,
    /// Who wait for one policy.
    pub(super) waiting: usize,
}

#[derive(Debug, Default)]
struct Queue {
    reading: BTreeMap<Owner, usize>,
    waiting: BTreeMap<Owner, VecDeque<Waiting>>,
    /// How many have asked so far.
    asked: u64,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    call: oneshot::Sender<Turn>,
}

/// A turn; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    /// Whose, and among which; `None` once it has been given back.
    of: Option<(Turns, Owner)>,
}

impl Turns {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, queue: Arc::default() }
    }

    /// Waits for a turn of this policy's; `None` if too many do already. Whoever stops waiting costs nothing.
    pub(super) async fn take(&self, owner: &Owner) -> Option<Turn> {
        let called = {
            let mut queue = self.lock();
            if queue.may_read(owner, self.bounds) {
                return Some(self.begin(&mut queue, owner.clone()));
            }
            let number = queue.asked;
            queue.asked += 1;
            let waiting = queue.waiting.entry(owner.clone()).or_default();
            waiting.retain(|waiting| !waiting.call.is_closed());
            if waiting.len() >= self.bounds.waiting {
                return None;
            }
            let (call, called) = oneshot::channel();
            waiting.push_back(Waiting { number, call });
            called
        };
        called.await.ok()
    }

    fn begin(&self, queue: &mut Queue, owner: Owner) -> Turn {
        *queue.reading.entry(owner.clone()).or_default() += 1;
        Turn { of: Some((self.clone(), owner)) }
    }

    /// A turn of this policy's has ended: the next one begins.
    fn end(&self, owner: Owner) {
        let mut ended = owner;
        loop {
            let mut queue = self.lock();
            queue.ended(&ended);
            let Some((next, call)) = queue.next(self.bounds) else { return };
            let turn = self.begin(&mut queue, next);
            drop(queue);
            // Whoever has gone meanwhile gives it back.
            let Err(mut turn) = call.send(turn) else { return };
            let Some((_, given_back)) = turn.of.take() else { return };
            ended = given_back;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn may_read(&self, owner: &Owner, bounds: Bounds) -> bool {
        let all: usize = self.reading.values().sum();
        all < bounds.reads && self.reading.get(owner).is_none_or(|reading| *reading < bounds.of_policy)
    }

    fn ended(&mut self, owner: &Owner) {
        if let Some(reading) = self.reading.get_mut(owner) {
            *reading -= 1;
            if *reading == 0 {
                self.reading.remove(owner);
            }
        }
    }

    /// Takes the next one out: of the policy for which the fewest read, the first who asked.
    fn next(&mut self, bounds: Bounds) -> Option<(Owner, oneshot::Sender<Turn>)> {
        self.waiting.retain(|_, waiting| {
            waiting.retain(|waiting| !waiting.call.is_closed());
            !waiting.is_empty()
        });
        let may = self.waiting.iter().filter(|(owner, _)| self.may_read(owner, bounds));
        let first = may.min_by_key(|(owner, waiting)| {
            let reading = self.reading.get(*owner).copied().unwrap_or_default();
            (reading, waiting.front().map(|waiting| waiting.number))
        });
        let owner = first?.0.clone();
        let waiting = self.waiting.get_mut(&owner)?.pop_front()?;
        Some((owner, waiting.call))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((turns, owner)) = self.of.take() {
            turns.end(owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use super::*;

    const BOUNDS: Bounds = Bounds { reads: 3, of_policy: 2, waiting: 4 };

    type Taking = Pin<Box<dyn Future<Output = Option<Turn>>>>;

    fn owner(name: &str) -> Owner {
        Owner::new("identity", name)
    }

    fn take(turns: &Turns, of: &Owner) -> Taking {
        let (turns, of) = (turns.clone(), of.clone());
        Box::pin(async move { turns.take(&of).await })
    }

    fn poll(taking: &mut Taking) -> Poll<Option<Turn>> {
        taking.as_mut().poll(&mut Context::from_waker(futures::task::noop_waker_ref()))
    }

    /// The turn that was waited for, if it is there.
    fn got(taking: &mut Taking) -> Option<Turn> {
        match poll(taking) {
            Poll::Ready(turn) => turn,
            Poll::Pending => None,
        }
    }

    #[test]
    fn one_policy_leaves_room_for_the_others() {
        let turns = Turns::new(BOUNDS);
        let (greedy, other) = (owner("greedy"), owner("other"));
        let _first = got(&mut take(&turns, &greedy)).unwrap();
        let second = got(&mut take(&turns, &greedy)).unwrap();
        let mut third = take(&turns, &greedy);
        assert!(got(&mut third).is_none(), "it has its share");
        let _other = got(&mut take(&turns, &other)).unwrap();
        drop(second);
        assert!(got(&mut third).is_some());
    }

    #[test]
    fn next_is_whoever_has_the_fewest() {
        let turns = Turns::new(Bounds { of_policy: 3, ..BOUNDS });
        let (greedy, other) = (owner("greedy"), owner("other"));
        let mut reading: Vec<_> = (0..3).map(|_| got(&mut take(&turns, &greedy)).unwrap()).collect();
        let (mut fourth, mut late) = (take(&turns, &greedy), take(&turns, &other));
        assert!(got(&mut fourth).is_none() && got(&mut late).is_none(), "there is no room");
        reading.pop();
        assert!(got(&mut fourth).is_none());
        let late = got(&mut late).expect("nobody read for it, though the other one asked before");
        drop(late);
        assert!(got(&mut fourth).is_some());
    }

    #[test]
    fn whoever_goes_away_costs_nothing() {
        let turns = Turns::new(BOUNDS);
        let greedy = owner("greedy");
        let take = || take(&turns, &greedy);
        let (first, second) = (got(&mut take()).unwrap(), got(&mut take()).unwrap());
        let mut waiting: Vec<_> = (0..4).map(|_| take()).collect();
        assert!(waiting.iter_mut().all(|waiting| got(waiting).is_none()));
        assert!(matches!(poll(&mut take()), Poll::Ready(None)), "too many wait");
        let mut last = waiting.pop().unwrap();
        drop(waiting);
        drop(first);
        let last = got(&mut last).expect("those before have gone");
        let mut next = take();
        assert!(got(&mut next).is_none());
        drop(second);
        // Called, and gone before it heard.
        drop(next);
        let again = got(&mut take()).expect("it gave its turn back");
        drop((last, again));
        assert!(turns.lock().reading.is_empty() && turns.lock().waiting.is_empty());
    }
}
