//! What of a part cannot be seen: while a watch fails, whatever rests on it may be another than it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::watch::Kind;

/// The kinds of which nothing is told, and why; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Sight(Arc<watch::Sender<BTreeMap<Kind, String>>>);

impl Default for Sight {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::default()))
    }
}

impl Sight {
    /// Nothing is told of this kind any more. Returns whether that is new.
    pub(super) fn lost(&self, kind: Kind, why: String) -> bool {
        self.0.send_if_modified(|lost| lost.insert(kind, why.clone()).as_ref() != Some(&why))
    }

    /// Everything is told again. Returns whether that is new.
    pub(super) fn reached(&self, kind: Kind) -> bool {
        self.0.send_if_modified(|lost| lost.remove(&kind).is_some())
    }

    /// Why nothing is told of the first of these kinds that is lost.
    pub(super) fn missing(&self, kinds: &[Kind]) -> Option<String> {
        let lost = self.0.borrow();
        kinds.iter().find_map(|kind| lost.get(kind).cloned())
    }

    /// Waits until something is lost.
    pub(super) async fn is_lost(&self) {
        // It ends only with the sender, which is here.
        drop(self.0.subscribe().wait_for(|lost| !lost.is_empty()).await);
    }
}
