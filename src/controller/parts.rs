//! The namespaces that are watched, each with all that goes on for it. One that comes or goes concerns no other.

use std::sync::{Arc, PoisonError, RwLock};

use super::caches::NamespaceCaches;

/// What is watched, one by one; or one for all namespaces.
#[derive(Default)]
pub(super) struct Parts(RwLock<Vec<Arc<NamespaceCaches>>>);

impl Parts {
    /// All of them, as they are now.
    pub(super) fn all(&self) -> Vec<Arc<NamespaceCaches>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The one that has the objects of this namespace.
    pub(super) fn of(&self, namespace: &str) -> Option<Arc<NamespaceCaches>> {
        let parts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        parts.iter().find(|part| part.covers(namespace)).cloned()
    }

    pub(super) fn add(&self, part: Arc<NamespaceCaches>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(part);
    }

    pub(super) fn remove(&self, namespace: Option<&str>) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|part| part.namespace.as_deref() != namespace);
    }
}
