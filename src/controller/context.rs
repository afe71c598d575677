//! What both controllers share.

use std::future::Future;
use std::sync::Arc;

use kube::Client;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::approval::{Approvals, Unguarded};
use super::event::Telling;
use super::gate::Gate;
use super::parts::Parts;
use super::places::Places;
use super::state::States;
use crate::api::{DirectoryConnector, SyncPolicy};
use crate::clock::Timer;
use crate::directory::{ConnectorName, Owner};
use crate::gateway::Gateway;
use crate::serve::{Consents, Readiness, Served};
use crate::spec::Name;
use crate::store::snapshot::SnapshotInfo;
use crate::store::{Store, StoreError};
use crate::sync::blocking;
use crate::target::turn::Executors;
use crate::telemetry::Metrics;

/// What both controllers share.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Timer>,
    pub(super) gate: Gate,
    pub(super) served: Served,
    pub(super) metrics: Metrics,
    pub(super) readiness: Readiness,
    /// What is to be told by Events.
    pub(super) events: mpsc::Sender<Telling>,
    pub(super) consents: Option<Consents>,
    pub(super) gateway: Option<Gateway>,
    pub(super) approvals: Approvals,
    pub(super) unguarded: Unguarded,
    pub(super) parts: Parts,
    /// How many ask the store at once: each of them needs a thread and a connection.
    pub(super) questions: Semaphore,
    pub(super) connectors: States<DirectoryConnector>,
    pub(super) policies: States<SyncPolicy>,
    /// How many imports go on at once.
    pub(super) imports: Arc<Places>,
    /// Who may call which target now.
    pub(super) executors: Executors,
    /// How many runs go on at once.
    pub(super) runs: Arc<Places>,
    /// Ends what is under way at a safe point.
    pub(super) stopping: CancellationToken,
    pub(super) jobs: TaskTracker,
    /// Why the process must end.
    pub(super) fatal: mpsc::Sender<String>,
}

impl Context {
    /// Does something beside the reconciles; one that panics ends the process.
    pub(super) fn spawn(&self, what: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let fatal = self.fatal.clone();
        let task = tokio::spawn(work);
        self.jobs.spawn(async move {
            if let Err(error) = task.await {
                // Nobody listens any more only while the process ends anyway.
                drop(fatal.send(format!("{what} ended unexpectedly: {error}")).await);
            }
        });
    }

    /// What is known of a connector's snapshot.
    pub(super) async fn snapshot_info(&self, name: &Name) -> Result<Option<SnapshotInfo>, StoreError> {
        let connector = connector_name(name);
        self.stored(move |store| store.snapshot_info(&connector)).await
    }

    /// Asks the store where blocking is allowed.
    pub(super) async fn stored<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        // It is never closed.
        let _turn = self.questions.acquire().await;
        let store = self.store.clone();
        blocking(move || ask(&store)).await
    }
}

/// Whose links a policy's are.
pub(super) fn owner(policy: &Name) -> Owner {
    Owner::new(&policy.namespace, &policy.name)
}

/// The name of a connector in the store.
pub(super) fn connector_name(connector: &Name) -> ConnectorName {
    ConnectorName::new(&connector.namespace, &connector.name)
}
