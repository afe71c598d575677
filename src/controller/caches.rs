//! What was last seen of the objects of a namespace.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Resource;
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::reflector::Store;

use super::sight::Sight;
use super::users::Users;
use super::watched::WatchedKind;
use super::work_queue::WorkQueue;
use crate::api::{DirectoryConnector, SyncPolicy};

/// The objects of one of our kinds: as last seen, and who is to be looked at. One that cannot be understood stops no other.
pub(super) struct Ours<K: Resource<DynamicType = ()> + 'static> {
    pub(super) cache: Store<DeserializeGuard<K>>,
    pub(super) queue: Arc<WorkQueue>,
}

/// One namespace, or all of them.
pub(super) struct NamespaceCaches {
    pub(super) namespace: Option<String>,
    pub(super) connectors: Ours<DirectoryConnector>,
    pub(super) policies: Ours<SyncPolicy>,
    pub(super) secrets: Store<PartialObjectMeta<Secret>>,
    pub(super) config_maps: Store<PartialObjectMeta<ConfigMap>>,
    pub(super) users: Users,
    pub(super) sight: Sight,
}

impl NamespaceCaches {
    /// Whether it has the objects of this namespace.
    pub(super) fn covers(&self, namespace: &str) -> bool {
        self.namespace.as_deref().is_none_or(|this| this == namespace)
    }

    /// Which objects of a kind are to be looked at; `None` of a kind that is not ours.
    pub(super) fn queue(&self, kind: WatchedKind) -> Option<&WorkQueue> {
        match kind {
            WatchedKind::Connector => Some(&self.connectors.queue),
            WatchedKind::Policy => Some(&self.policies.queue),
            WatchedKind::Secret | WatchedKind::ConfigMap | WatchedKind::Namespace => None,
        }
    }
}
