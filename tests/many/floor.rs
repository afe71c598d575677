//! What the apiserver takes by itself: the same objects, made where nobody looks after them, and then one status and one Event
//! written of each, as many at once, by somebody who does nothing else. Whoever tells of each object cannot be done sooner.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Resource};
use rollcall::api::{DirectoryConnector, SyncPolicy};
use serde_json::json;

use crate::{AT_ONCE, Hand, POLICIES};

/// How long making them took, and telling of them.
pub(crate) fn measure(hand: &Hand, connectors: usize) -> (Duration, Duration) {
    let began = Instant::now();
    hand.create(connectors);
    let created = began.elapsed();
    let began = Instant::now();
    let read = (0..connectors).map(|at| tell::<DirectoryConnector>(hand, format!("c{at}")));
    let kept = (0..connectors * POLICIES).map(|at| tell::<SyncPolicy>(hand, format!("p{at}")));
    hand.runtime.block_on(stream::iter(read.chain(kept)).buffer_unordered(AT_ONCE).collect::<()>());
    (created, began.elapsed())
}

/// Writes a status and an Event of this object.
fn tell<K>(hand: &Hand, name: String) -> futures::future::BoxFuture<'static, ()>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    K: serde::de::DeserializeOwned + Clone + std::fmt::Debug + Send + Sync + 'static,
{
    let api = Api::<K>::namespaced(hand.client.clone(), &hand.namespace);
    let events = Api::<Event>::namespaced(hand.client.clone(), &hand.namespace);
    let namespace = hand.namespace.clone();
    let condition = |of: &str| {
        json!({
            "type": of, "status": "True", "reason": "Read", "message": "20 users and 0 groups",
            "lastTransitionTime": "1970-01-01T00:00:00Z", "observedGeneration": 1,
        })
    };
    let conditions = ["Ready", "SourcesHealthy", "TargetReachable"].map(condition);
    let status = json!({
        "apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": { "name": name },
        "status": { "observedGeneration": 1, "conditions": conditions },
    });
    let event = json!({
        "metadata": { "generateName": format!("{name}-") }, "eventTime": "1970-01-01T00:00:00.000000Z",
        "action": "Read", "reason": "Read", "note": "20 users and 0 groups", "type": "Normal",
        "reportingController": "rollcall.dev/floor", "reportingInstance": "floor",
        "regarding": {
            "apiVersion": K::api_version(&()), "kind": K::kind(&()), "name": name, "namespace": namespace,
        },
    });
    Box::pin(async move {
        let how = PatchParams::apply("floor").force();
        api.patch_status(&name, &how, &Patch::Apply(status)).await.unwrap();
        let event: Event = serde_json::from_value(event).unwrap();
        events.create(&PostParams::default(), &event).await.unwrap();
    })
}
