//! Readiness of the process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// What must be reached before the process is ready; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    part: Component,
    things: Arc<Mutex<BTreeMap<(Component, String), State>>>,
}

/// How it is with a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It was never there.
    Expected,
    There,
    /// It was there, and is not. What was known by it goes on to be served.
    Lost,
}

/// What a thing is part of; `None` is the process.
type Component = Option<String>;

impl Readiness {
    /// The same, for the things of a part. Of several parts, one that has all its things is enough.
    #[must_use]
    pub fn of_part(&self, part: &str) -> Self {
        Self { part: Some(part.to_owned()), things: self.things.clone() }
    }

    /// `name` is needed from now on; if nothing is known of it, it is not there yet.
    pub fn expect(&self, name: &str) {
        let thing = (self.part.clone(), name.to_owned());
        self.things.lock().unwrap_or_else(PoisonError::into_inner).entry(thing).or_insert(State::Expected);
    }

    /// There are no other parts than these any more.
    pub fn parts_are(&self, parts: &BTreeSet<String>) {
        let mut things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        things.retain(|(part, _), _| part.as_ref().is_none_or(|part| parts.contains(part)));
    }

    /// `name` is there.
    pub fn reached(&self, name: &str) {
        self.set(name, State::There);
    }

    /// `name` is no longer available. Readers of the registry are still served.
    pub fn lost(&self, name: &str) {
        let mut things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = things.get_mut(&(self.part.clone(), name.to_owned()))
            && *state == State::There
        {
            *state = State::Lost;
        }
    }

    /// What is not there, or not any more, in order of names.
    pub fn missing(&self) -> BTreeSet<String> {
        let things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = things.iter().filter(|(_, state)| **state != State::There);
        missing.map(|((_, name), _)| name.clone()).collect()
    }

    /// Whether the process is ready.
    pub fn is_ready(&self) -> bool {
        let things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        let mut whole: BTreeMap<&Component, bool> = BTreeMap::new();
        for ((part, _), state) in &*things {
            *whole.entry(part).or_insert(true) &= *state != State::Expected;
        }
        let itself = whole.remove(&None).unwrap_or(true);
        itself && (whole.is_empty() || whole.into_values().any(|is_whole| is_whole))
    }

    fn set(&self, name: &str, state: State) {
        let thing = (self.part.clone(), name.to_owned());
        self.things.lock().unwrap_or_else(PoisonError::into_inner).insert(thing, state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_parts_one_is_enough() {
        let readiness = Readiness::default();
        assert!(readiness.is_ready());
        let (one, other) = (readiness.of_part("one"), readiness.of_part("other"));
        for (part, name) in [(&one, "a"), (&one, "b"), (&other, "c"), (&readiness, "lease")] {
            part.expect(name);
        }
        one.reached("a");
        readiness.reached("lease");
        assert!(!readiness.is_ready(), "no part is whole");
        one.reached("b");
        assert!(readiness.is_ready());
        assert_eq!(readiness.missing(), BTreeSet::from(["c".to_owned()]));
        readiness.lost("lease");
        other.lost("c");
        assert!(readiness.is_ready(), "what is known is served");
        assert_eq!(readiness.missing(), ["c", "lease"].map(str::to_owned).into());
        readiness.expect("lease");
        assert!(readiness.is_ready(), "it was there before");
        readiness.parts_are(&BTreeSet::from(["one".to_owned()]));
        assert_eq!(readiness.missing(), ["lease".to_owned()].into());
        readiness.expect("listeners");
        assert!(!readiness.is_ready());
    }
}
