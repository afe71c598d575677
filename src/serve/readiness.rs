//! Whether the process may be sent work.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What must be reached before the process is ready; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    things: Arc<Mutex<BTreeMap<String, bool>>>,
}

impl Readiness {
    /// `name` is needed from now on, and not there yet.
    pub fn expect(&self, name: &str) {
        self.set(name, false);
    }

    /// `name` is there.
    pub fn reached(&self, name: &str) {
        self.set(name, true);
    }

    /// `name` is no longer there.
    pub fn lost(&self, name: &str) {
        self.set(name, false);
    }

    /// What is not there, in order of names; the process is ready when that is nothing.
    pub fn missing(&self) -> Vec<String> {
        let things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        things.iter().filter(|(_, there)| !**there).map(|(name, _)| name.clone()).collect()
    }

    fn set(&self, name: &str, there: bool) {
        self.things.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), there);
    }
}
