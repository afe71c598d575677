//! What was last seen of the objects of a namespace.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{Lookup, Store};

use super::object::{ConnectorObject, PolicyObject};
use super::sight::Sight;
use super::users::Users;
use super::work_queue::WorkQueue;

/// The objects of one of our kinds: as last seen, and who is to be looked at.
pub(super) struct Ours<K: Lookup<DynamicType = ()> + 'static> {
    pub(super) cache: Store<K>,
    pub(super) queue: Arc<WorkQueue>,
}

/// One namespace, or all of them.
pub(super) struct NamespaceCaches {
    pub(super) namespace: Option<String>,
    pub(super) connectors: Ours<ConnectorObject>,
    pub(super) policies: Ours<PolicyObject>,
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
}
