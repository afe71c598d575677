//! Many objects cost little while nothing happens, and little when something does: 100 connectors and 300 policies, or
//! `CONNECTORS` of them and three policies each, with the bounds that are promised for 1,000 (`make many`).
//! A program of its own, so that no other test computes while this one measures.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// The other tests need more of it.
#![allow(dead_code)]

#[path = "../it/support"]
mod support {
    pub(crate) mod assets;
    pub(crate) mod cli;
    pub(crate) mod cluster;
    pub(crate) mod http;
    pub(crate) mod kubectl;
    pub(crate) mod namespace;
    pub(crate) mod operator;
    pub(crate) mod port;
    pub(crate) mod process;
    pub(crate) mod secrets;
}

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
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

mod floor;

use crate::support::cluster::Cluster;
use crate::support::http;
use crate::support::namespace::Namespace;
use crate::support::operator::Operator;
use crate::support::process::eventually;

const PATIENCE: Duration = Duration::from_mins(10);
/// So many people are in each directory, which three policies use.
const PEOPLE: usize = 20;
const POLICIES: usize = 3;
/// It never has more memory than this, in bytes.
const PEAK: u64 = 250_000_000;
/// Nor than this while nothing happens.
const AT_REST: u64 = 150_000_000;
/// Everything is ready by then, or within three times as long as the apiserver takes by itself.
const READY: Duration = Duration::from_secs(30);
/// So many objects are made at once.
const AT_ONCE: usize = 16;

/// How many connectors there are, how long nothing happens, and whether the promised bounds are for so many.
fn size() -> (usize, Duration, bool) {
    match std::env::var("CONNECTORS") {
        Ok(many) => (many.parse().expect("CONNECTORS is a number"), Duration::from_mins(1), true),
        Err(_) => (100, Duration::from_secs(10), false),
    }
}

#[test]
fn many_connectors_and_policies_rest_at_no_cost() {
    let (connectors, rest, bounded) = size();
    let policies = connectors * POLICIES;
    let (made, told) = floor::measure(&Hand::of(&Cluster::shared().namespace()), connectors);
    println!(
        "without an operator: created in {made:.1?}, a status and an Event of each written in {told:.1?}"
    );

    let namespace = Cluster::shared().namespace();
    let mut operator = Operator::start(&namespace);
    operator.ready();
    println!("with nothing to do: {}", memory(&operator));
    let hand = Hand::of(&namespace);

    let began = Instant::now();
    hand.create(connectors);
    let created = began.elapsed();
    hand.until_ready(connectors, policies);
    let in_step = began.elapsed();
    println!(
        "{connectors} connectors, {policies} policies: created in {created:.1?}, in step after {in_step:.1?} (at least \
         {:.1?}), {:.1?} of processor time; {}",
        made + told,
        operator.cpu(),
        memory(&operator)
    );
    println!("asked of the apiserver: {}", asked(&namespace));
    assert!(!bounded || operator.peak_memory() <= PEAK, "{}", memory(&operator));
    assert!(!bounded || in_step <= READY.max((made + told) * 3), "in step after {in_step:.1?}");

    rests(&namespace, &operator, rest, bounded);
    looks_are_short(&operator);

    // The next process finds it all as it is.
    operator.stop();
    let began = Instant::now();
    operator.restart();
    operator.ready();
    let ready = began.elapsed();
    until_idle(&operator);
    println!(
        "after a restart: ready within {ready:.1?}, idle after {:.1?} of processor time",
        operator.cpu()
    );
    rests(&namespace, &operator, rest, bounded);
}

/// While nothing happens there is no write but the lease's, and next to no work.
fn rests(namespace: &Namespace<'_>, operator: &Operator, rest: Duration, bounded: bool) {
    let account = format!("system:serviceaccount:{}:rollcall", namespace.name());
    let writes = || {
        let all = namespace.cluster().writes_by(&account, namespace.name());
        all.iter().filter(|write| write.resource != "leases").count()
    };
    // The last Events may still be on their way.
    let mut before = writes();
    eventually(PATIENCE, "nothing is on its way", || {
        passes(Duration::from_secs(2));
        let now = writes();
        (std::mem::replace(&mut before, now) == now).then_some(())
    });
    let (cpu, began) = (operator.cpu(), Instant::now());
    passes(rest);
    let spent = operator.cpu().saturating_sub(cpu).as_secs_f64() / began.elapsed().as_secs_f64();
    println!("at rest for {rest:?}: {:.2} % of a core; {}", spent * 100.0, memory(operator));
    assert_eq!(writes(), before);
    assert!(spent <= 0.01, "{:.2} % of a core", spent * 100.0);
    assert!(!bounded || operator.memory() <= AT_REST, "{}", memory(operator));
}

/// Who was to be changed, and how often.
fn asked(namespace: &Namespace<'_>) -> String {
    let account = format!("system:serviceaccount:{}:rollcall", namespace.name());
    let mut counts = BTreeMap::<_, u64>::new();
    for write in namespace.cluster().writes_by(&account, namespace.name()) {
        *counts.entry((write.resource, write.verb)).or_default() += 1;
    }
    let counts: Vec<String> =
        counts.into_iter().map(|((of, verb), count)| format!("{verb} {of} {count}")).collect();
    counts.join(", ")
}

fn until_idle(operator: &Operator) {
    eventually(PATIENCE, "it does nothing any more", || {
        let cpu = operator.cpu();
        passes(Duration::from_secs(2));
        (operator.cpu().saturating_sub(cpu) <= Duration::from_millis(40)).then_some(())
    });
}

fn passes(time: Duration) {
    let began = Instant::now();
    eventually(PATIENCE, "time passes", || (began.elapsed() >= time).then_some(()));
}

fn memory(operator: &Operator) -> String {
    let of = |bytes| bytes / 1_000_000;
    format!("{} MB of memory, {} MB at most", of(operator.memory()), of(operator.peak_memory()))
}

/// Each look at an object is short, although the apiserver was busy with whoever made them all.
fn looks_are_short(operator: &Operator) {
    let (_, text) = http::get(&operator.metrics, "/metrics").unwrap();
    for kind in ["connector", "policy"] {
        let of = |name: &str, label: &str| {
            let line = format!("rollcall_reconcile_duration_seconds_{name}{{");
            text.lines()
                .filter(|it| {
                    it.starts_with(&line) && it.contains(&format!("kind=\"{kind}\"")) && it.contains(label)
                })
                .filter_map(|it| it.rsplit_once(' ')?.1.parse::<f64>().ok())
                .next_back()
                .unwrap_or_else(|| panic!("no {name} of {kind} {label} in\n{text}"))
        };
        let (within, all) = (of("bucket", "le=\"0.5\""), of("count", ""));
        println!("{kind}: {all} looks, {within} of them within half a second");
        assert!(within * 2.0 > all, "half of the looks at a {kind} take longer than half a second");
    }
}

/// Somebody who may do everything, and has many hands.
struct Hand {
    runtime: tokio::runtime::Runtime,
    client: Client,
    namespace: String,
}

impl Hand {
    fn of(namespace: &Namespace<'_>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let kubeconfig = Kubeconfig::read_from(namespace.cluster().kubeconfig()).unwrap();
        let client = runtime.block_on(async {
            let options = KubeConfigOptions::default();
            Client::try_from(kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap())
                .unwrap()
        });
        Self { runtime, client, namespace: namespace.name().to_owned() }
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
