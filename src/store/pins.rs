//! Which snapshots are being read: what they show is not deleted under them.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};

use super::lock::lock;

/// A connector's number, and the sequence at which somebody reads it.
pub(super) type Key = (i64, u64);

/// How many read what.
#[derive(Debug, Default)]
pub(super) struct Pins {
    readers: Mutex<BTreeMap<Key, usize>>,
    released: Condvar,
}

impl Pins {
    pub(super) fn add(&self, key: Key) {
        *lock(&self.readers).entry(key).or_insert(0) += 1;
    }

    pub(super) fn release(&self, key: Key) {
        let mut readers = lock(&self.readers);
        if let Some(count) = readers.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                readers.remove(&key);
            }
        }
        self.released.notify_all();
    }

    /// Waits until nobody reads the connector as it was before `sequence`. New readers read the newest,
    /// so this ends.
    pub(super) fn wait_for_older(&self, connector: i64, sequence: u64) {
        let mut readers = lock(&self.readers);
        while readers.range((connector, 0)..(connector, sequence)).next().is_some() {
            readers = self.released.wait(readers).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
