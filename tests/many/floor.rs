//! What the apiserver itself takes: somebody who sees every object, asks for what it names, and writes a status and an
//! Event for each, as Rollcall does, and does nothing else. No operator that writes as much can be done sooner.

use std::fmt::Debug;
use std::path::Path;
use std::thread::JoinHandle;

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use rollcall::api::{DirectoryConnector, SyncPolicy};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::hand::client;
use crate::support::namespace::Namespace;

/// So many objects of a kind are written at once, as in the operator.
const AT_ONCE: usize = 16;

/// Writes until it is dropped.
pub(crate) struct Floor {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Floor {
    pub(crate) fn start(namespace: &Namespace<'_>) -> Self {
        let (kubeconfig, name) = (namespace.cluster().kubeconfig(), namespace.name().to_owned());
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = write(&kubeconfig, &name) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.thread.take().map(JoinHandle::join));
    }
}

async fn write(kubeconfig: &Path, namespace: &str) {
    let client = client(kubeconfig).await;
    let read = json!({
        "directory": { "id": "dc=c0", "users": 20, "groups": 0, "contacts": 0 },
        "lastImport": {
            "mode": "Full", "startedAt": Timestamp::UNIX_EPOCH, "finishedAt": Timestamp::UNIX_EPOCH, "changed": 20,
            "removed": 0, "sequence": 20,
        },
        "nextImportAt": Timestamp::UNIX_EPOCH,
    });
    let ran = json!({
        "inStep": { "users": 20, "groups": 0, "memberships": 0 },
        "lastRun": {
            "id": "00000000-0000-0000-0000-000000000000", "startedAt": Timestamp::UNIX_EPOCH,
            "finishedAt": Timestamp::UNIX_EPOCH, "result": "InStep", "reason": "InStep", "created": 20, "updated": 0,
            "disabled": 0, "removed": 0, "quarantined": 0,
        },
        "store": { "id": "00000000-0000-0000-0000-000000000000", "sequence": 20 },
    });
    let conditions = ["Ready", "Readable", "SourcesHealthy", "TargetReachable"];
    tokio::join!(
        each::<DirectoryConnector>(&client, namespace, status(&conditions[..2], read), true),
        each::<SyncPolicy>(
            &client,
            namespace,
            status(&[conditions[0], conditions[2], conditions[3]], ran),
            false
        ),
    );
}

fn status(conditions: &[&str], mut status: Value) -> Value {
    let one = |type_: &&str| {
        json!({
            "type": type_, "status": "True", "reason": "Read", "message": "20 users and 0 groups read",
            "observedGeneration": 1, "lastTransitionTime": Timestamp::UNIX_EPOCH,
        })
    };
    status["conditions"] = conditions.iter().map(one).collect();
    status["observedGeneration"] = json!(1);
    status
}

/// Writes this status to every object of a kind that has none, and an Event.
async fn each<K>(client: &Client, namespace: &str, status: Value, reads: bool)
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    K: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static,
{
    let api = Api::<K>::namespaced(client.clone(), namespace);
    let events = Api::<Event>::namespaced(client.clone(), namespace);
    let config_maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    let all = watcher(api.clone(), watcher::Config::default()).default_backoff().applied_objects();
    let write = async |object: K| {
        if reads {
            let name = object.name_any().replacen('c', "export-", 1);
            config_maps.get(&name).await.unwrap();
        }
        let patch = json!({
            "apiVersion": K::api_version(&()), "kind": K::kind(&()),
            "metadata": { "name": object.name_any(), "uid": object.uid() }, "status": status,
        });
        let how = PatchParams::apply("floor").force();
        api.patch_status(&object.name_any(), &how, &Patch::Apply(patch)).await.unwrap();
        events.create(&PostParams::default(), &event(&object)).await.unwrap();
    };
    let new = all.filter_map(|object| {
        let object = object.unwrap();
        let has_none = serde_json::to_value(&object).unwrap()["status"]["conditions"].is_null();
        std::future::ready(has_none.then_some(object))
    });
    new.for_each_concurrent(AT_ONCE, write).await;
}

fn event<K: Resource<DynamicType = ()>>(object: &K) -> Event {
    let mut event = Event {
        action: Some("Reconcile".to_owned()),
        event_time: Some(MicroTime(Timestamp::UNIX_EPOCH)),
        note: Some("20 users and 0 groups read".to_owned()),
        reason: Some("Read".to_owned()),
        regarding: Some(object.object_ref(&())),
        reporting_controller: Some("floor".to_owned()),
        reporting_instance: Some("floor".to_owned()),
        type_: Some("Normal".to_owned()),
        ..Event::default()
    };
    event.metadata.generate_name = Some(format!("{}-", object.name_any()));
    event
}
