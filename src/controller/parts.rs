//! The namespaces that are watched: what was last seen of the objects of each, who uses whom, and whom to look at. One
//! that comes or goes concerns no other.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use kube::runtime::reflector::{Lookup, ObjectRef, Store as Cache};

use super::caches::NamespaceCaches;
use super::error::Error;
use super::users::{One, referred, watched};
use super::watched::WatchedKind;
use crate::api::{DirectoryConnector, SyncPolicy};
use crate::spec::Name;
use crate::spec::reference::{self, Reference};

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

    /// Somebody is to look at a connector or policy. Of another kind nobody looks at the object itself.
    pub(super) fn wake(&self, kind: WatchedKind, name: &Name) {
        if let Some(part) = self.of(&name.namespace)
            && let Some(queue) = part.queue(kind)
        {
            queue.now(name);
        }
    }

    /// Whoever uses this object looks again.
    pub(super) fn wake_users(&self, kind: WatchedKind, name: &Name) {
        for (kind, name) in self.users_of(kind, name) {
            self.wake(kind, &name);
        }
    }

    /// Every object is looked at; `namespace` chooses those of one part, which has none if it is told of all namespaces.
    pub(super) fn wake_all(&self, namespace: Option<&str>) {
        let is_meant = |part: &&Arc<NamespaceCaches>| {
            namespace.is_none_or(|namespace| part.namespace.as_deref().unwrap_or("") == namespace)
        };
        for part in self.all().iter().filter(is_meant) {
            for object in part.connectors.cache.state() {
                part.connectors.queue.now(&Name::of(&*object));
            }
            for object in part.policies.cache.state() {
                part.policies.queue.now(&Name::of(&*object));
            }
        }
    }

    /// When a connector or policy is to be looked at next, if nothing happens.
    pub(super) fn alarm(&self, kind: WatchedKind, name: &Name, at: Option<Timestamp>) {
        if let Some(part) = self.of(&name.namespace)
            && let Some(queue) = part.queue(kind)
        {
            queue.at(name, at);
        }
    }

    /// Notes what a connector or policy uses from now on, as far as it can be understood.
    pub(super) fn note_uses(&self, kind: WatchedKind, name: &Name) {
        let Some(part) = self.of(&name.namespace) else { return };
        let one = (kind, name.clone());
        match kind {
            WatchedKind::Connector => part.users.set(&one, || {
                let references = self.connector(name, |it| reference::of_connector(&name.name, &it.spec));
                referred(name, references.unwrap_or_default()).collect()
            }),
            WatchedKind::Policy => part.users.set(&one, || {
                let used = |policy: &SyncPolicy| {
                    let connectors = policy.spec.connectors.iter();
                    let connectors = connectors.map(|it| (WatchedKind::Connector, name.beside(&it.name)));
                    connectors.chain(referred(name, reference::of_policy(&policy.spec))).collect()
                };
                self.policy(name, used).unwrap_or_default()
            }),
            WatchedKind::Secret | WatchedKind::ConfigMap | WatchedKind::Namespace => {}
        }
    }

    fn users_of(&self, kind: WatchedKind, name: &Name) -> Vec<One> {
        self.of(&name.namespace).map(|part| part.users.of(&(kind, name.clone()))).unwrap_or_default()
    }

    /// Fails if a watch is lost that would tell of changes of an object and of what it names.
    pub(super) fn sees(&self, of: &Name, references: &BTreeSet<Reference>) -> Result<(), Error> {
        let Some(part) = self.of(&of.namespace) else { return Ok(()) };
        let kinds = [WatchedKind::Connector, WatchedKind::Policy].into_iter();
        let kinds: Vec<WatchedKind> = kinds.chain(references.iter().map(watched)).collect();
        part.sight.missing(&kinds).map_or(Ok(()), |why| Err(Error::Unseen(why)))
    }

    /// What `look` finds in the connector, if that is there and can be understood.
    pub(super) fn connector<T>(&self, name: &Name, look: impl FnOnce(&DirectoryConnector) -> T) -> Option<T> {
        let cached = cached(&self.of(&name.namespace)?.connectors.cache, name)?;
        cached.0.as_ref().ok().map(look)
    }

    /// What `look` finds in the policy, if that is there and can be understood.
    pub(super) fn policy<T>(&self, name: &Name, look: impl FnOnce(&SyncPolicy) -> T) -> Option<T> {
        let cached = cached(&self.of(&name.namespace)?.policies.cache, name)?;
        cached.0.as_ref().ok().map(look)
    }

    /// What `look` finds in the policies that use a connector.
    pub(super) fn policies_of<T>(&self, connector: &Name, look: impl Fn(&Name, &SyncPolicy) -> T) -> Vec<T> {
        let users = self.users_of(WatchedKind::Connector, connector).into_iter();
        users.filter_map(|(_, name)| self.policy(&name, |policy| look(&name, policy))).collect()
    }

    /// The versions of what an object names; `None` for what is not there. While they stay as they are nothing is read
    /// again; what was read may still be the same when they do not.
    pub(super) fn versions(
        &self,
        of: &Name,
        references: &BTreeSet<Reference>,
    ) -> Vec<(Reference, Option<String>)> {
        let version = |reference: &Reference| {
            let part = self.of(&of.namespace)?;
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
}

/// The object of this name, as last seen.
pub(super) fn cached<K>(cache: &Cache<K>, name: &Name) -> Option<Arc<K>>
where
    K: Lookup<DynamicType = ()> + Clone + 'static,
{
    cache.get(&ObjectRef::new(&name.name).within(&name.namespace))
}
