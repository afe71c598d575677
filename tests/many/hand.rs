//! Whoever applies many objects at once, and waits until they are ready.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _, pin_mut, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use rollcall::api::{DirectoryConnector, SyncPolicy};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::namespace::Namespace;
use crate::{PATIENCE, POLICIES};

/// So many people are in each directory, which three policies use.
const PEOPLE: usize = 20;
/// So many objects are made at once.
const AT_ONCE: usize = 16;

/// Somebody who may do everything, and has many hands.
pub(crate) struct Hand {
    runtime: tokio::runtime::Runtime,
    client: Client,
    namespace: String,
}

impl Hand {
    pub(crate) fn of(namespace: &Namespace<'_>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(client(&namespace.cluster().kubeconfig()));
        Self { runtime, client, namespace: namespace.name().to_owned() }
    }

    /// Makes all of them, and waits until they are ready: how long the one took, and both.
    pub(crate) fn fill(&self, connectors: usize) -> (Duration, Duration) {
        let began = Instant::now();
        self.create(connectors);
        let created = began.elapsed();
        self.until_ready(connectors, connectors * POLICIES);
        (created, began.elapsed())
    }

    /// Makes all of them, as fast as the apiserver takes them.
    fn create(&self, connectors: usize) {
        let exports = (0..connectors).map(|at| {
            let export =
                json!({ "metadata": { "name": format!("export-{at}") }, "data": { "ldif": ldif(at) } });
            self.one::<ConfigMap>(export)
        });
        let read = (0..connectors).map(|at| {
            let ldif = json!({ "configMapKeyRef": { "name": format!("export-{at}"), "key": "ldif" } });
            self.one::<DirectoryConnector>(json!({
                "apiVersion": "rollcall.dev/v1alpha1", "kind": "DirectoryConnector",
                "metadata": { "name": format!("c{at}") }, "spec": { "ldif": ldif },
            }))
        });
        let kept = (0..connectors * POLICIES).map(|at| {
            let connector = json!({ "name": format!("c{}", at % connectors) });
            self.one::<SyncPolicy>(json!({
                "apiVersion": "rollcall.dev/v1alpha1", "kind": "SyncPolicy", "metadata": { "name": format!("p{at}") },
                "spec": { "connectors": [connector], "target": { "registry": {} } },
            }))
        });
        let all = stream::iter(exports.chain(read).chain(kept)).buffer_unordered(AT_ONCE);
        self.runtime.block_on(all.collect::<()>());
    }

    fn one<K>(&self, object: Value) -> futures::future::BoxFuture<'static, ()>
    where
        K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
        K: Serialize + DeserializeOwned + Clone + std::fmt::Debug + Send + Sync + 'static,
    {
        let api = Api::<K>::namespaced(self.client.clone(), &self.namespace);
        Box::pin(async move {
            let object = serde_json::from_value(object).unwrap();
            api.create(&PostParams::default(), &object).await.unwrap();
        })
    }

    fn until_ready(&self, connectors: usize, policies: usize) {
        let both = async {
            tokio::join!(self.ready::<DirectoryConnector>(connectors), self.ready::<SyncPolicy>(policies));
        };
        self.runtime.block_on(async { tokio::time::timeout(PATIENCE, both).await.unwrap() });
    }

    /// Waits until so many of this kind are ready.
    async fn ready<K>(&self, many: usize)
    where
        K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
        K: Serialize + DeserializeOwned + Clone + std::fmt::Debug + Send + Sync + 'static,
    {
        let api = Api::<K>::namespaced(self.client.clone(), &self.namespace);
        let objects = watcher(api, watcher::Config::default()).default_backoff().applied_objects();
        pin_mut!(objects);
        let mut ready = BTreeSet::new();
        while ready.len() < many {
            let object = objects.try_next().await.unwrap().expect("the watch goes on");
            let shown = serde_json::to_value(&object).unwrap();
            let conditions = shown["status"]["conditions"].as_array();
            let is_ready = |one: &Value| one["type"] == "Ready" && one["status"] == "True";
            if conditions.is_some_and(|all| all.iter().any(is_ready)) {
                ready.insert(object.name_any());
            } else {
                ready.remove(&object.name_any());
            }
        }
    }
}

/// A client for whoever this says.
pub(crate) async fn client(kubeconfig: &Path) -> Client {
    let (kubeconfig, options) = (Kubeconfig::read_from(kubeconfig).unwrap(), KubeConfigOptions::default());
    Client::try_from(kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap()).unwrap()
}

/// An export of a directory of twenty people.
fn ldif(at: usize) -> String {
    let mut ldif = format!("dn: dc=c{at}\nobjectClass: domain\nentryUUID: {at}\n");
    for person in 0..PEOPLE {
        let name = format!("p{person}");
        write!(
            ldif,
            "\ndn: uid={name},dc=c{at}\nobjectClass: person\nuid: {name}\nmail: {name}@c{at}.test\nentryUUID: {at}-{person}\n"
        )
        .unwrap();
    }
    ldif
}
