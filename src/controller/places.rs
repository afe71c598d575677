//! Places for reads and runs: so many go on at once, and no namespace takes the places of all others.
//!
//! A namespace that has a place waits behind those that have none. If one namespace has every place, another one that has none
//! gets one beside them: so as many namespaces as there are places, and at least two, never wait for each other.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// So many namespaces have places at once, also if there is only one place.
const FEWEST_NAMESPACES: usize = 2;

/// Places for work of one kind.
pub(super) struct Places {
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many places each namespace has; at least one.
    taken: BTreeMap<String, usize>,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    namespace: String,
    ready: oneshot::Sender<Place>,
}

/// A place; whoever drops it leaves it.
pub(super) struct Place {
    places: Arc<Places>,
    namespace: String,
}

impl Places {
    /// So many, and at least one.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most: most.max(1), state: Mutex::default() })
    }

    /// Waits for a place.
    pub(super) async fn take(self: &Arc<Self>, namespace: &str) -> Option<Place> {
        let (ready, place) = oneshot::channel();
        self.lock().waiting.push_back(Waiting { namespace: namespace.to_owned(), ready });
        self.give();
        place.await.ok()
    }

    /// Gives out what is free.
    fn give(self: &Arc<Self>) {
        while let Some(Waiting { namespace, ready }) = self.next() {
            // Whoever went away meanwhile leaves it at once.
            drop(ready.send(Place { places: self.clone(), namespace }));
        }
    }

    fn next(&self) -> Option<Waiting> {
        self.lock().next(self.most)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Who gets a place now.
    fn next(&mut self, most: usize) -> Option<Waiting> {
        self.waiting.retain(|waiting| !waiting.ready.is_closed());
        let has = |waiting: &Waiting| self.taken.get(&waiting.namespace).copied().unwrap_or_default();
        let (first, has) = self.waiting.iter().map(has).enumerate().min_by_key(|(at, has)| (*has, *at))?;
        let is_free = self.taken.values().sum::<usize>() < most;
        if !is_free && (has > 0 || self.taken.len() >= most.max(FEWEST_NAMESPACES)) {
            return None;
        }
        let next = self.waiting.remove(first)?;
        *self.taken.entry(next.namespace.clone()).or_default() += 1;
        Some(next)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        {
            let mut state = self.places.lock();
            if let Some(taken) = state.taken.get_mut(&self.namespace) {
                *taken -= 1;
                if *taken == 0 {
                    state.taken.remove(&self.namespace);
                }
            }
        }
        self.places.give();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::future::BoxFuture;

    use super::*;

    type Asking = BoxFuture<'static, Option<Place>>;

    fn ask(places: &Arc<Places>, namespace: &'static str) -> Asking {
        let places = places.clone();
        let mut asking = async move { places.take(namespace).await }.boxed();
        // In line.
        match (&mut asking).now_or_never() {
            Some(place) => futures::future::ready(place).boxed(),
            None => asking,
        }
    }

    fn got(asking: &mut Asking) -> Option<Place> {
        asking.now_or_never().flatten()
    }

    #[test]
    fn one_namespace_with_much_to_do_leaves_others_their_place() {
        let places = Places::new(2);
        let mut many: Vec<Asking> = (0..5).map(|_| ask(&places, "many")).collect();
        let mut has: Vec<Place> = many[..2].iter_mut().map(|asking| got(asking).unwrap()).collect();
        assert!(got(&mut many[2]).is_none());
        // However long those go on.
        let mut one = ask(&places, "one");
        let place = got(&mut one).unwrap();
        let (mut third, mut again) = (ask(&places, "third"), ask(&places, "one"));
        assert!(got(&mut again).is_none() && got(&mut third).is_none(), "two at once have places");
        // What becomes free goes to whoever has none, once there are no more than there are places for.
        drop(has.pop());
        assert!(got(&mut third).is_none() && got(&mut many[2]).is_none());
        drop(place);
        let place = got(&mut third).unwrap();
        assert!(got(&mut again).is_none() && got(&mut many[2]).is_none());
        drop((has, place));
        // In turn then: each has none.
        let (next, one) = (got(&mut many[2]).unwrap(), got(&mut again).unwrap());
        assert!(got(&mut many[3]).is_none());
        drop((next, one));
        assert!(got(&mut many[3]).is_some());
    }

    #[test]
    fn the_only_place_is_not_one_namespaces_alone() {
        let places = Places::new(1);
        let mut long = ask(&places, "many");
        let place = got(&mut long).unwrap();
        let (mut second, mut one, mut third) =
            (ask(&places, "many"), ask(&places, "one"), ask(&places, "third"));
        let beside = got(&mut one).unwrap();
        assert!(got(&mut second).is_none() && got(&mut third).is_none());
        // However long the first goes on, there is one beside it.
        drop(beside);
        let beside = got(&mut third).unwrap();
        drop(place);
        // The third has every place now.
        let place = got(&mut second).unwrap();
        let mut again = ask(&places, "many");
        drop(beside);
        assert!(got(&mut again).is_none(), "there is only one place");
        drop(place);
        assert!(got(&mut again).is_some());
    }

    #[test]
    fn whoever_gives_up_takes_no_place() {
        let places = Places::new(1);
        let mut first = ask(&places, "a");
        let place = got(&mut first).unwrap();
        let (given_up, mut next) = (ask(&places, "a"), ask(&places, "a"));
        drop(given_up);
        drop(place);
        let place = got(&mut next).unwrap();
        // Also if it was its turn already.
        let waits = ask(&places, "a");
        drop(place);
        drop(waits);
        assert!(got(&mut ask(&places, "a")).is_some());
        assert!(places.lock().taken.is_empty() && places.lock().waiting.is_empty());
    }
}
