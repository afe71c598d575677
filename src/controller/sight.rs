//! What of a part is seen: while a watch fails, whatever rests on it may be another than it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::watch;

use super::watched::WatchedKind;

/// Which kinds are watched; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Sight(Arc<watch::Sender<Kinds>>);

#[derive(Debug, Default)]
struct Kinds {
    /// Of which everything that there was came at least once.
    listed: BTreeSet<WatchedKind>,
    /// Of which nothing is told, and why.
    lost: BTreeMap<WatchedKind, String>,
}

impl Kinds {
    fn have(&self, these: &[WatchedKind]) -> bool {
        these.iter().all(|kind| self.listed.contains(kind))
    }
}

impl Default for Sight {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::default()))
    }
}

impl Sight {
    /// Nothing is told of this kind any more. Returns whether that is new.
    pub(super) fn lost(&self, kind: WatchedKind, why: &str) -> bool {
        let is_new = |kinds: &mut Kinds| kinds.lost.insert(kind, why.to_owned()).as_deref() != Some(why);
        self.0.send_if_modified(is_new)
    }

    /// Everything is told of this kind. Returns whether it was lost.
    pub(super) fn reached(&self, kind: WatchedKind) -> bool {
        let mut was_lost = false;
        self.0.send_if_modified(|kinds| {
            was_lost = kinds.lost.remove(&kind).is_some();
            kinds.listed.insert(kind) || was_lost
        });
        was_lost
    }

    /// Why nothing is told of the first of these kinds that is lost.
    pub(super) fn missing(&self, kinds: &[WatchedKind]) -> Option<String> {
        let seen = self.0.borrow();
        kinds.iter().find_map(|kind| seen.lost.get(kind).cloned())
    }

    /// Waits until everything of these kinds came at least once.
    pub(super) async fn listed(&self, these: &[WatchedKind]) {
        self.until(|kinds| kinds.have(these)).await;
    }

    /// Whether everything of these kinds came at least once.
    pub(super) fn has_listed(&self, these: &[WatchedKind]) -> bool {
        self.0.borrow().have(these)
    }

    /// Waits until everything of this kind came at least once, and of each other that too, or it is lost, which is then said
    /// of whom it concerns.
    pub(super) async fn can_look(&self, at: WatchedKind) {
        self.until(|kinds| {
            let known = |kind| kinds.listed.contains(kind) || kinds.lost.contains_key(kind);
            kinds.listed.contains(&at) && WatchedKind::ALL.iter().all(known)
        })
        .await;
    }

    async fn until(&self, is_so: impl Fn(&Kinds) -> bool) {
        // It ends only with the sender, which is here.
        drop(self.0.subscribe().wait_for(|kinds| is_so(kinds)).await);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_kind_is_looked_at_once_it_came_and_the_rest_did_or_cannot() {
        let sight = Sight::default();
        let looks = |kind| sight.can_look(kind).now_or_never().is_some();
        sight.reached(WatchedKind::Connector);
        assert!(sight.lost(WatchedKind::Policy, "forbidden"));
        assert!(!sight.lost(WatchedKind::Policy, "forbidden"), "that is known");
        assert!(!looks(WatchedKind::Connector), "the rest is still to come");
        assert!(!sight.reached(WatchedKind::Secret) && !sight.reached(WatchedKind::ConfigMap));
        assert!(looks(WatchedKind::Connector), "it is to say so");
        assert!(!looks(WatchedKind::Policy));
        let both = [WatchedKind::Connector, WatchedKind::Policy];
        assert!(sight.listed(&both).now_or_never().is_none());
        assert_eq!(sight.missing(&both).as_deref(), Some("forbidden"));
        assert!(sight.reached(WatchedKind::Policy));
        assert!(looks(WatchedKind::Policy) && sight.listed(&both).now_or_never().is_some());
        assert_eq!(sight.missing(&both), None);
    }
}
