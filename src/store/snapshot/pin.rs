//! A snapshot that is being read: it is not deleted meanwhile.

use crate::store::handle::Store;
use crate::store::pins::Key;

/// Keeps one snapshot readable for as long as it lives.
#[derive(Debug)]
pub(super) struct Pin {
    store: Store,
    key: Key,
}

impl Pin {
    pub(super) fn new(store: &Store, connector: i64, sequence: u64) -> Self {
        let key = (connector, sequence);
        store.pins().add(key);
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
        self.store.pins().release(self.key);
    }
}
