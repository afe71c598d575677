//! What both controllers share.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret as KubeSecret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::EventType;
use kube::runtime::reflector::{Lookup, ObjectRef, Store as Cache};
use kube::{Api, Client, Resource};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::approval::{Approvals, Unguarded};
use super::caches::NamespaceCaches;
use super::error::Error;
use super::event::{Recorder, Told};
use super::gate::{Gate, WRITE};
use super::parts::Parts;
use super::read::read;
use super::users::{One, referred};
use super::watched::{Happened, WatchedKind};
use super::{condition, connector, policy};
use crate::api::reason;
use crate::api::{DirectoryConnector, SyncPolicy, SyncPolicySpec};
use crate::clock::Timer;
use crate::directory::{ConnectorName, Owner};
use crate::secret::Secret;
use crate::serve::{Readiness, Served};
use crate::spec::reference::{self, Reference};
use crate::spec::{Name, Objects};
use crate::store::snapshot::SnapshotInfo;
use crate::store::{Store, StoreError};
use crate::telemetry::{Asked, Metrics, Write, chain};

/// What both controllers share.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Timer>,
    pub(super) gate: Gate,
    pub(super) served: Served,
    pub(super) metrics: Metrics,
    pub(super) readiness: Readiness,
    pub(super) recorder: Arc<Recorder>,
    pub(super) approvals: Approvals,
    pub(super) unguarded: Unguarded,
    pub(super) parts: Parts,
    /// How many ask the store at once: each of them needs a thread and a connection.
    pub(super) questions: Semaphore,
    pub(super) connectors: States<connector::ControllerState>,
    pub(super) policies: States<policy::ControllerState>,
    /// How many imports go on at once.
    pub(super) imports: Semaphore,
    /// How many runs go on at once.
    pub(super) runs: Semaphore,
    /// Ends what is under way at a safe point.
    pub(super) stopping: CancellationToken,
    pub(super) jobs: TaskTracker,
    /// Why the process must end.
    pub(super) fatal: mpsc::Sender<String>,
}

/// What is remembered of each object of one kind.
pub(super) struct States<M>(Mutex<HashMap<Name, M>>);

impl<M> Default for States<M> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<M: Default> States<M> {
    /// Works with what is remembered of one; never for long.
    pub(super) fn with<T>(&self, name: &Name, work: impl FnOnce(&mut M) -> T) -> T {
        let mut memories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(memories.entry(name.clone()).or_default())
    }

    /// Forgets one, but for what `give_up` leaves of it.
    fn forget(&self, name: &Name, give_up: impl FnOnce(M) -> Option<M>) {
        let mut memories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = memories.remove(name).and_then(give_up) {
            memories.insert(name.clone(), left);
        }
    }
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

    /// What a watch told.
    pub(super) fn told(&self, kind: WatchedKind, name: &Name, happened: Happened) {
        if matches!(happened, Happened::Changed | Happened::Gone) {
            self.note_uses(kind, name);
        }
        match (kind, happened) {
            (_, Happened::Seen) => self.wake_part(&name.namespace),
            (WatchedKind::Connector, Happened::Changed) => {
                self.wake_connector(name);
                self.wake_policies_of(name);
            }
            (WatchedKind::Connector, Happened::Restated) => {
                let stands = |it: DirectoryConnector| self.connectors.with(name, |state| state.stands(&it));
                if !self.connector(name).is_some_and(stands) {
                    self.wake_connector(name);
                }
            }
            (WatchedKind::Connector, Happened::Gone) => {
                self.forget_connector(name);
                self.wake_policies_of(name);
            }
            (WatchedKind::Policy, Happened::Changed) => {
                self.wake_policy(name);
                for connector in self.policy(name).iter().flat_map(|policy| &policy.spec.connectors) {
                    self.wake_connector(&name.beside(&connector.name));
                }
            }
            (WatchedKind::Policy, Happened::Restated) => {
                let stands = |it: SyncPolicy| self.policies.with(name, |state| state.stands(&it));
                if !self.policy(name).is_some_and(stands) {
                    self.wake_policy(name);
                }
            }
            (WatchedKind::Policy, Happened::Gone) => {
                self.forget_policy(name);
                self.served.gone(&owner(name));
            }
            (WatchedKind::Secret | WatchedKind::ConfigMap, _) => {
                for user in self.users_of(kind, name) {
                    self.wake(&user);
                }
            }
            // Told to whoever chooses among them.
            (WatchedKind::Namespace, _) => {}
        }
    }

    /// A connector is gone, or not ours any more: what goes on for it ends, and nothing is told of it.
    pub(super) fn forget_connector(&self, name: &Name) {
        self.connectors.forget(name, connector::ControllerState::give_up);
        self.connector_alarm(name, None);
        self.metrics.forget_connector(&name.to_string());
    }

    /// A policy is gone, or not ours any more: what goes on for it ends, and nothing is told of it.
    pub(super) fn forget_policy(&self, name: &Name) {
        self.policies.forget(name, policy::ControllerState::give_up);
        self.policy_alarm(name, None);
        self.metrics.forget_policy(&name.to_string());
    }

    /// Every object is looked at.
    pub(super) fn wake_all(&self) {
        let (policies, connectors) = Self::there(&self.parts.all());
        for name in &connectors {
            self.wake_connector(name);
        }
        for name in &policies {
            self.wake_policy(name);
        }
    }

    /// Whether whoever refers to these is told of what changes.
    pub(super) fn sees(&self, of: &Name, references: &BTreeSet<Reference>) -> Result<(), Error> {
        let Some(part) = self.part(&of.namespace) else { return Ok(()) };
        let referred = references.iter().map(|reference| match reference {
            Reference::Secret(_) => WatchedKind::Secret,
            Reference::ConfigMap(_) => WatchedKind::ConfigMap,
        });
        let kinds: Vec<WatchedKind> =
            [WatchedKind::Connector, WatchedKind::Policy].into_iter().chain(referred).collect();
        part.sight.missing(&kinds).map_or(Ok(()), |why| Err(Error::Unseen(why)))
    }

    /// Every object of these namespaces is looked at again.
    fn wake_part(&self, namespace: &str) {
        // What is told of all namespaces has none.
        let mut parts = self.parts.all().into_iter();
        let Some(part) = parts.find(|part| part.namespace.as_deref().unwrap_or("") == namespace) else {
            return;
        };
        for object in part.connectors.cache.state() {
            part.connectors.queue.now(&Name::of(&*object));
        }
        for object in part.policies.cache.state() {
            part.policies.queue.now(&Name::of(&*object));
        }
    }

    /// What an object uses is known from now on, as far as it can be understood.
    fn note_uses(&self, kind: WatchedKind, name: &Name) {
        let Some(part) = self.part(&name.namespace) else { return };
        let one = (kind, name.clone());
        match kind {
            WatchedKind::Connector => part.users.set(&one, || {
                let connector = self.connector(name);
                let references = connector.map(|it| reference::of_connector(&it.spec)).unwrap_or_default();
                referred(name, references).collect()
            }),
            WatchedKind::Policy => part.users.set(&one, || {
                let Some(policy) = self.policy(name) else { return BTreeSet::new() };
                let connectors = policy.spec.connectors.iter();
                let connectors = connectors.map(|it| (WatchedKind::Connector, name.beside(&it.name)));
                connectors.chain(referred(name, reference::of_policy(&policy.spec))).collect()
            }),
            WatchedKind::Secret | WatchedKind::ConfigMap | WatchedKind::Namespace => {}
        }
    }

    fn users_of(&self, kind: WatchedKind, name: &Name) -> Vec<One> {
        self.part(&name.namespace).map(|part| part.users.of(&(kind, name.clone()))).unwrap_or_default()
    }

    fn wake(&self, (kind, name): &One) {
        match kind {
            WatchedKind::Connector => self.wake_connector(name),
            _ => self.wake_policy(name),
        }
    }

    /// Somebody is to look at a connector.
    pub(super) fn wake_connector(&self, name: &Name) {
        if let Some(part) = self.part(&name.namespace) {
            part.connectors.queue.now(name);
        }
    }

    /// Somebody is to look at a policy.
    pub(super) fn wake_policy(&self, name: &Name) {
        if let Some(part) = self.part(&name.namespace) {
            part.policies.queue.now(name);
        }
    }

    /// Whoever uses the connector looks again.
    pub(super) fn wake_policies_of(&self, connector: &Name) {
        for policy in self.users_of(WatchedKind::Connector, connector) {
            self.wake(&policy);
        }
    }

    /// When a connector is to be looked at next, if nothing happens.
    pub(super) fn connector_alarm(&self, name: &Name, at: Option<Timestamp>) {
        if let Some(part) = self.part(&name.namespace) {
            part.connectors.queue.at(name, at);
        }
    }

    /// When a policy is to be looked at next, if nothing happens.
    pub(super) fn policy_alarm(&self, name: &Name, at: Option<Timestamp>) {
        if let Some(part) = self.part(&name.namespace) {
            part.policies.queue.at(name, at);
        }
    }

    /// The connector, if it is there and can be understood.
    pub(super) fn connector(&self, name: &Name) -> Option<DirectoryConnector> {
        let cached = cached(&self.part(&name.namespace)?.connectors.cache, name)?;
        cached.0.as_ref().ok().cloned()
    }

    /// The policy, if it is there and can be understood.
    pub(super) fn policy(&self, name: &Name) -> Option<SyncPolicy> {
        let cached = cached(&self.part(&name.namespace)?.policies.cache, name)?;
        cached.0.as_ref().ok().cloned()
    }

    /// The policies that use a connector.
    pub(super) fn policies_of(&self, connector: &Name) -> Vec<(Name, SyncPolicySpec)> {
        let users = self.users_of(WatchedKind::Connector, connector).into_iter();
        users.filter_map(|(_, name)| self.policy(&name).map(|policy| (name, policy.spec))).collect()
    }

    /// The policies and connectors that are there in these parts, understood or not.
    pub(super) fn there(parts: &[Arc<NamespaceCaches>]) -> (BTreeSet<Name>, BTreeSet<Name>) {
        let policies = parts.iter().flat_map(|part| part.policies.cache.state());
        let connectors = parts.iter().flat_map(|part| part.connectors.cache.state());
        let policies = policies.map(|object| Name::of(&*object)).collect();
        (policies, connectors.map(|object| Name::of(&*object)).collect())
    }

    fn part(&self, namespace: &str) -> Option<Arc<NamespaceCaches>> {
        self.parts.of(namespace)
    }

    /// The versions of what an object refers to; `None` for what is not there. While they stay as they are nothing
    /// is read anew; what was read may still be the same when they do not.
    pub(super) fn versions(
        &self,
        of: &Name,
        references: &BTreeSet<Reference>,
    ) -> BTreeMap<Reference, Option<String>> {
        let version = |reference: &Reference| {
            let part = self.part(&of.namespace)?;
            match reference {
                Reference::Secret(name) => {
                    cached(&part.secrets, &of.beside(name))?.metadata.resource_version.clone()
                }
                Reference::ConfigMap(name) => {
                    cached(&part.config_maps, &of.beside(name))?.metadata.resource_version.clone()
                }
            }
        };
        references.iter().map(|reference| (reference.clone(), version(reference))).collect()
    }

    /// What an object refers to, read now.
    pub(super) async fn objects(
        &self,
        of: &Name,
        references: &BTreeSet<Reference>,
    ) -> Result<Objects, Error> {
        let mut objects = Objects { partial: true, ..Objects::default() };
        for reference in references.iter().filter(|reference| reference.is_possible()) {
            match reference {
                Reference::Secret(name) => {
                    let api = Api::<KubeSecret>::namespaced(self.client.clone(), &of.namespace);
                    let secret = read(api.get_opt(name)).await;
                    let Some(secret) = secret.map_err(unread("Secret", of, name))? else { continue };
                    let data = secret.data.unwrap_or_default().into_iter();
                    let data = data.map(|(key, value)| (key, Secret::new(value.0))).collect();
                    objects.secrets.insert(of.beside(name), data);
                }
                Reference::ConfigMap(name) => {
                    let api = Api::<ConfigMap>::namespaced(self.client.clone(), &of.namespace);
                    let map = read(api.get_opt(name)).await;
                    let Some(map) = map.map_err(unread("ConfigMap", of, name))? else { continue };
                    let texts = map.data.unwrap_or_default().into_iter();
                    let binary = map.binary_data.unwrap_or_default().into_iter();
                    let texts = texts.map(|(key, text)| (key, text.into_bytes()));
                    let data = texts.chain(binary.map(|(key, bytes)| (key, bytes.0))).collect();
                    objects.config_maps.insert(of.beside(name), data);
                }
            }
        }
        Ok(objects)
    }

    /// What is known of a connector's snapshot.
    pub(super) async fn snapshot_info(&self, name: &Name) -> Result<Option<SnapshotInfo>, StoreError> {
        let connector = ConnectorName::new(&name.namespace, &name.name);
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
        tokio::task::spawn_blocking(move || ask(&store)).await?
    }

    /// What an object shows, in numbers.
    pub(super) fn shows(&self, kind: &'static str, name: &Name, suspended: bool, conditions: &[Condition]) {
        let shown = conditions.iter().map(|it| (it.type_.as_str(), it.status.as_str()));
        self.metrics.conditions(kind, &name.to_string(), suspended, shown);
    }

    /// Tells of a change of `Ready` by an Event.
    pub(super) fn tell<K>(&self, object: &K, before: Option<&[Condition]>, now: &[Condition])
    where
        K: Resource<DynamicType = ()>,
    {
        let Some(ready) = condition::find(now, "Ready") else { return };
        if before.and_then(|before| condition::find(before, "Ready")).is_some_and(|it| is_told(it, ready)) {
            return;
        }
        let type_ = if ready.status == "False" { EventType::Warning } else { EventType::Normal };
        self.event(object, type_, &ready.reason, &ready.message);
    }

    /// Publishes an Event, beside whatever goes on; one that is lost costs nothing but itself.
    pub(super) fn event<K>(&self, object: &K, type_: EventType, reason: &str, message: &str)
    where
        K: Resource<DynamicType = ()>,
    {
        let about = object.object_ref(&());
        let (told, now) = (Told::new(&about, type_, reason, message), self.clock.now());
        let (gate, recorder, metrics) = (self.gate.clone(), self.recorder.clone(), self.metrics.clone());
        self.spawn("an Event", async move {
            if gate.check().is_err() {
                return;
            }
            metrics.api_write(Write::Event);
            match tokio::time::timeout(WRITE, recorder.publish(&about, told, now)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    metrics.api_failed(Asked::Event);
                    tracing::warn!(error = chain(&error), "an Event was lost");
                }
                Err(_) => {
                    metrics.api_failed(Asked::Event);
                    tracing::warn!("an Event was lost: the apiserver did not answer in time");
                }
            }
        });
    }
}

/// Whether what `Ready` says needs no other Event than what it said before. Messages that count what came while all is well
/// are no happening each.
fn is_told(before: &Condition, now: &Condition) -> bool {
    let counts = [reason::connector::READ.name, reason::connector::PROGRESSING.name].contains(&&*now.reason);
    before.status == now.status && before.reason == now.reason && (counts || before.message == now.message)
}

/// Says of what an error is.
fn unread(kind: &str, of: &Name, name: &str) -> impl FnOnce(Error) -> Error {
    let what = format!("{kind} {}", of.beside(name));
    move |why| Error::Unread { what, why: Box::new(why) }
}

fn cached<K>(cache: &Cache<K>, name: &Name) -> Option<Arc<K>>
where
    K: Lookup<DynamicType = ()> + Clone + 'static,
{
    cache.get(&ObjectRef::new(&name.name).within(&name.namespace))
}

/// Whose links a policy's are.
pub(super) fn owner(policy: &Name) -> Owner {
    Owner::new(&policy.namespace, &policy.name)
}
