//! Locks of this process.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A poisoned lock guards a connection whose transaction was rolled back when the panic dropped it.
pub(in crate::store) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
