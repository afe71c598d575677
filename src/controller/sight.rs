//! Which kinds of a namespace can be watched. While a watch fails, what was last seen of its objects may be out of date.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::watch;

use super::watched::WatchedKind;

/// Which kinds can be watched. Clones share the state.
#[derive(Clone, Debug)]
pub(super) struct Sight(Arc<watch::Sender<Kinds>>);

#[derive(Debug, Default)]
struct Kinds {
    /// The kinds of which all objects were listed at least once.
    listed: BTreeSet<WatchedKind>,
    /// The kinds whose watch fails, and why.
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
    /// The watch of this kind fails. Returns whether that is new.
    pub(super) fn lost(&self, kind: WatchedKind, why: &str) -> bool {
        let is_new = |kinds: &mut Kinds| kinds.lost.insert(kind, why.to_owned()).as_deref() != Some(why);
        self.0.send_if_modified(is_new)
    }

    /// The watch of this kind works. Returns whether it failed before.
    pub(super) fn reached(&self, kind: WatchedKind) -> bool {
        let mut was_lost = false;
        self.0.send_if_modified(|kinds| {
            was_lost = kinds.lost.remove(&kind).is_some();
            kinds.listed.insert(kind) || was_lost
        });
        was_lost
    }

    /// Why the first of these kinds whose watch fails cannot be watched.
    pub(super) fn missing(&self, kinds: &[WatchedKind]) -> Option<String> {
        let seen = self.0.borrow();
        kinds.iter().find_map(|kind| seen.lost.get(kind).cloned())
    }

    /// Waits until all objects of these kinds were listed once.
    pub(super) async fn listed(&self, these: &[WatchedKind]) {
        self.until(|kinds| kinds.have(these)).await;
    }

    /// Whether all objects of these kinds were listed once.
    pub(super) fn has_listed(&self, these: &[WatchedKind]) -> bool {
        self.0.borrow().have(these)
    }

    /// Waits until all objects of this kind were listed once, and each other kind was listed or cannot be watched. The
    /// latter is then shown in the status of the objects that it concerns.
    pub(super) async fn can_look(&self, at: WatchedKind) {
        self.until(|kinds| {
            let known = |kind| kinds.listed.contains(kind) || kinds.lost.contains_key(kind);
            kinds.listed.contains(&at) && WatchedKind::ALL.iter().all(known)
        })
        .await;
    }

    async fn until(&self, is_so: impl Fn(&Kinds) -> bool) {
        // It cannot fail: the sender lives as long as this.
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
