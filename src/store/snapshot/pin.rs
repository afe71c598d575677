//! Which snapshots are being read: what they show is not deleted under them.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::store::{Store, lock};

/// A connector's number, and the sequence at which somebody reads it.
type Key = (i64, u64);

/// How many read what.
#[derive(Debug, Default)]
pub(in crate::store) struct Pins {
    readers: Mutex<BTreeMap<Key, usize>>,
    released: Condvar,
}

/// Keeps one snapshot readable for as long as it lives.
#[derive(Debug)]
pub(super) struct Pin {
    store: Store,
    key: Key,
}

impl Pin {
    pub(super) fn new(store: &Store, connector: i64, sequence: u64) -> Self {
        let key = (connector, sequence);
        *lock(&store.pins().readers).entry(key).or_insert(0) += 1;
        Self { store: store.clone(), key }
    }
}

impl Clone for Pin {
    fn clone(&self) -> Self {
        Self::new(&self.store, self.key.0, self.key.1)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let pins = self.store.pins();
        let mut readers = lock(&pins.readers);
        if let Some(count) = readers.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                readers.remove(&self.key);
            }
        }
        pins.released.notify_all();
    }
}

impl Pins {
    /// Waits until nobody reads the connector as it was before `sequence`. New readers read the newest,
    /// so this ends.
    pub(in crate::store) fn wait_for_older(&self, connector: i64, sequence: u64) {
        let mut readers = lock(&self.readers);
        while readers.range((connector, 0)..(connector, sequence)).next().is_some() {
            readers = self.released.wait(readers).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
