//! Which namespaces are watched now, if a label selects them.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::Client;
use tokio::sync::watch as channel;

use super::sight::Sight;
use super::watch::{self, Following};
use super::watched::{Happened, Scope, WatchedKind};
use crate::serve::Readiness;
use crate::spec::Name;
use crate::telemetry::Metrics;

/// Namespaces that are created or deleted together are one change if they follow each other within this time.
const SETTLE: Duration = Duration::from_secs(2);

/// The namespaces as they were last seen.
pub(super) struct Namespaces {
    scope: Scope,
    /// If a label selects them: which ones, and whether all were listed.
    chosen: Option<(channel::Receiver<BTreeSet<String>>, Sight)>,
}

impl Namespaces {
    /// Of this scope, with the watch that must be polled.
    pub(super) fn new(
        client: &Client,
        scope: Scope,
        readiness: &Readiness,
        metrics: &Metrics,
    ) -> (Self, Following) {
        let Some(selector) = &scope.namespace_selector else {
            return (Self { scope, chosen: None }, Box::pin(std::future::pending()));
        };
        let (sender, chosen) = channel::channel(BTreeSet::new());
        let tell = move |_: WatchedKind, name: Name, happened| tell(&sender, name.name, happened);
        let (sight, following) = watch::namespaces(client, selector, readiness, metrics, tell);
        (Self { scope, chosen: Some((chosen, sight)) }, following)
    }

    /// The scope as it is now. Waits until the namespaces were listed.
    pub(super) async fn scope(&mut self) -> Scope {
        let Some((chosen, sight)) = &mut self.chosen else { return self.scope.clone() };
        sight.listed(&[WatchedKind::Namespace]).await;
        let namespaces = Some(chosen.borrow_and_update().clone());
        Scope { namespaces, ..self.scope.clone() }
    }

    /// Waits until other namespaces are selected than those of `scope`. A watch that fails changes nothing.
    pub(super) async fn change(&mut self, scope: &Scope) {
        let Some((chosen, _)) = &mut self.chosen else { return std::future::pending().await };
        loop {
            if chosen.changed().await.is_err() {
                return std::future::pending().await;
            }
            tokio::time::sleep(SETTLE).await;
            if scope.namespaces.as_ref() != Some(&*chosen.borrow_and_update()) {
                return;
            }
        }
    }
}

fn tell(chosen: &channel::Sender<BTreeSet<String>>, name: String, happened: Happened) {
    chosen.send_if_modified(|chosen| match happened {
        Happened::Changed => chosen.insert(name),
        Happened::Gone => chosen.remove(&name),
        Happened::Restated | Happened::Seen => false,
    });
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_comes_and_goes_together_is_one_change() {
        let (sender, chosen) = channel::channel(BTreeSet::new());
        let sight = Sight::default();
        let mut namespaces = Namespaces { scope: Scope::default(), chosen: Some((chosen, sight.clone())) };
        tell(&sender, "a".to_owned(), Happened::Changed);
        assert!(namespaces.scope().now_or_never().is_none(), "the rest is still to come");
        sight.reached(WatchedKind::Namespace);
        let scope = namespaces.scope().await;
        assert_eq!(scope.namespaces, Some(BTreeSet::from(["a".to_owned()])));
        let mut change = Box::pin(namespaces.change(&scope));
        // One that only comes by, and one that says something else of itself.
        tell(&sender, "b".to_owned(), Happened::Changed);
        tell(&sender, "a".to_owned(), Happened::Restated);
        assert!(change.as_mut().now_or_never().is_none());
        tell(&sender, "b".to_owned(), Happened::Gone);
        let long = Duration::from_hours(1);
        assert!(tokio::time::timeout(long, change.as_mut()).await.is_err());
        tell(&sender, "c".to_owned(), Happened::Changed);
        tell(&sender, "a".to_owned(), Happened::Gone);
        change.await;
        assert_eq!(namespaces.scope().await.namespaces, Some(BTreeSet::from(["c".to_owned()])));
    }
}
