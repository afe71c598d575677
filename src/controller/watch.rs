//! What is watched: both kinds as they are, Secrets and ConfigMaps as metadata only.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::reflector;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout};

use super::caches::{NamespaceCaches, Ours};
use super::sight::Sight;
use super::state::{Kind, ObjectStatus as _};
use super::users::Users;
use super::watched::{Happened, Scope, WatchedKind};
use super::work_queue::WorkQueue;
use crate::api::{GROUP, NEVER_SEEN};
use crate::clock::Timer;
use crate::serve::Readiness;
use crate::spec::Name;
use crate::telemetry::{Asked, Metrics, chain};

/// A watch that fails for less is not lost: it goes on from where it was. Whoever cannot reach the apiserver for
/// longer loses the lease.
const BLIP: Duration = Duration::from_secs(15);
/// A watch that fails is tried again sooner: if it does not fail again until then, it runs. Nobody says so while
/// nothing happens that it could tell of.
const QUIET: Duration = Duration::from_secs(90);
/// After a failure; doubled with each further one.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// No watch waits longer: whoever gives it the right waits for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A watch that runs for as long as it is polled; it tells what happened.
pub(super) type Following = futures::future::BoxFuture<'static, ()>;

/// Prepares everything that is to be watched in a namespace, or in all; `tell` hears of what happened once the futures run.
pub(super) fn prepare<F>(
    client: &Client,
    scope: &Scope,
    namespace: Option<String>,
    readiness: &Readiness,
    metrics: &Metrics,
    clock: &Arc<dyn Timer>,
    tell: &F,
) -> (NamespaceCaches, Vec<Following>)
where
    F: Fn(WatchedKind, Name, Happened) + Clone + Send + 'static,
{
    let ours = scope
        .selector
        .as_ref()
        .map_or_else(watcher::Config::default, |selector| watcher::Config::default().labels(selector));
    let all = watcher::Config::default();
    let within = namespace.as_deref();
    let sight = Sight::default();
    let follow = |kind: WatchedKind| {
        let (tell, metrics) = (tell.clone(), metrics.clone());
        let readiness = within.map_or_else(|| readiness.clone(), |within| readiness.of_part(within));
        let all = kind.plural();
        let what = within.map_or_else(|| all.to_owned(), |within| format!("{all} in {within}"));
        readiness.expect(&what);
        metrics.watching(kind.word(), within.unwrap_or_default(), false);
        let tell = move |name, happened| tell(kind, name, happened);
        let namespace = within.unwrap_or_default().to_owned();
        Follow { kind, what, namespace, readiness, sight: sight.clone(), metrics, tell }
    };
    let (connectors, writer) = reflector::store();
    let stream = watcher(api(client, within), ours.clone()).modify(trim_ours).reflect(writer);
    let watch_connectors: Following = Box::pin(follow(WatchedKind::Connector).run(stream, spec_hash));
    let (policies, writer) = reflector::store();
    let stream = watcher(api(client, within), ours).modify(trim_ours).reflect(writer);
    let watch_policies: Following = Box::pin(follow(WatchedKind::Policy).run(stream, spec_hash));
    let (secrets, writer) = reflector::store();
    let stream = watcher(api::<PartialObjectMeta<Secret>>(client, within), all.clone());
    let stream = stream.modify(prune).reflect(writer);
    let watch_secrets: Following = Box::pin(follow(WatchedKind::Secret).run(stream, version_hash));
    let (config_maps, writer) = reflector::store();
    let stream = watcher(api::<PartialObjectMeta<ConfigMap>>(client, within), all);
    let stream = stream.modify(prune).reflect(writer);
    let watch_config_maps: Following = Box::pin(follow(WatchedKind::ConfigMap).run(stream, version_hash));
    let connectors = Ours { cache: connectors, queue: Arc::new(WorkQueue::new(clock.clone())) };
    let policies = Ours { cache: policies, queue: Arc::new(WorkQueue::new(clock.clone())) };
    let following = vec![watch_connectors, watch_policies, watch_secrets, watch_config_maps];
    let users = Users::default();
    (NamespaceCaches { namespace, connectors, policies, secrets, config_maps, users, sight }, following)
}

/// Follows the namespaces with these labels; `tell` hears of what happened once the future runs.
pub(super) fn namespaces<F>(
    client: &Client,
    selector: &str,
    readiness: &Readiness,
    metrics: &Metrics,
    tell: F,
) -> (Sight, Following)
where
    F: Fn(WatchedKind, Name, Happened) + Send + 'static,
{
    let (kind, sight) = (WatchedKind::Namespace, Sight::default());
    readiness.expect(kind.plural());
    metrics.watching(kind.word(), "", false);
    let follow = Follow {
        kind,
        what: kind.plural().to_owned(),
        namespace: String::new(),
        readiness: readiness.clone(),
        sight: sight.clone(),
        metrics: metrics.clone(),
        tell: move |name, happened| tell(kind, name, happened),
    };
    let config = watcher::Config::default().labels(selector);
    let stream = watcher(Api::<PartialObjectMeta<Namespace>>::all(client.clone()), config);
    (sight, Box::pin(follow.run(stream.modify(prune), spec_hash)))
}

fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Of what others own only names and versions are kept.
fn prune<K>(object: &mut PartialObjectMeta<K>) {
    object.metadata.managed_fields = None;
    object.metadata.annotations = None;
    object.metadata.labels = None;
    object.metadata.owner_references = None;
}

/// Of our own objects that is left out which is for others. Who manages which field is several times as much as the rest.
fn trim<K: Resource>(object: &mut K) {
    let metadata = object.meta_mut();
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.retain(|name, _| name.split_once('/').is_some_and(|(whose, _)| whose == GROUP));
    }
}

/// The same, and the status of an object that nobody has looked at yet: it has none.
fn trim_ours<K: Kind>(object: &mut DeserializeGuard<K>) {
    trim(object);
    if let Ok(known) = &mut object.0 {
        known.status_mut().take_if(|status| status.observed_generation() == Some(NEVER_SEEN));
    }
}

/// What concerns a controller of its own object: our writes to the status are not among it.
fn spec_hash<K: Resource>(object: &K) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&object.meta().uid, object.meta().generation, &object.meta().annotations).hash(&mut hasher);
    hasher.finish()
}

fn version_hash<K: Resource>(object: &K) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&object.meta().uid, &object.meta().resource_version).hash(&mut hasher);
    hasher.finish()
}

/// One watch.
struct Follow<F> {
    kind: WatchedKind,
    what: String,
    /// Where; empty if everywhere.
    namespace: String,
    readiness: Readiness,
    sight: Sight,
    metrics: Metrics,
    tell: F,
}

impl<F: Fn(Name, Happened)> Follow<F> {
    /// Nothing is told any more: whom that concerns says so.
    fn lost(&self, error: &watcher::Error) {
        self.readiness.lost(&self.what);
        self.metrics.watching(self.kind.word(), &self.namespace, false);
        let error = chain(error);
        if self.sight.lost(self.kind, &format!("{} cannot be watched: {error}", self.what)) {
            (self.tell)(Name::new(&self.namespace, ""), Happened::Seen);
        }
    }

    /// It is told again.
    fn reached(&self) {
        self.readiness.reached(&self.what);
        self.metrics.watching(self.kind.word(), &self.namespace, true);
        if self.sight.reached(self.kind) {
            (self.tell)(Name::new(&self.namespace, ""), Happened::Seen);
        }
    }

    /// Runs the watch; `hash` says what of an object concerns us.
    async fn run<K>(self, stream: impl Stream<Item = watcher::Result<watcher::Event<K>>>, hash: fn(&K) -> u64)
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let mut stream = pin!(stream);
        let mut seen = Seen::default();
        // Since when it fails, and whether everything was listed before.
        let (mut failing, mut listed) = (None::<Instant>, false);
        let mut failures = 0;
        loop {
            let event = if failing.is_some() && listed {
                let Ok(event) = timeout(QUIET, stream.next()).await else {
                    (failing, failures) = (None, 0);
                    self.reached();
                    continue;
                };
                event
            } else {
                stream.next().await
            };
            let event = match event {
                Some(Ok(event)) => event,
                Some(Err(error)) => {
                    if failing.get_or_insert_with(Instant::now).elapsed() >= BLIP {
                        self.lost(&error);
                    }
                    self.metrics.api_failed(Asked::Watch);
                    tracing::warn!(what = self.what, error = chain(&error), "the watch failed");
                    // It is not polled meanwhile, and so asks nothing.
                    tokio::time::sleep(pause(failures, &self.what)).await;
                    failures += 1;
                    continue;
                }
                None => return,
            };
            listed = !matches!(event, watcher::Event::Init | watcher::Event::InitApply(_));
            for (name, happened) in seen.take(event, hash) {
                (self.tell)(name, happened);
            }
            if listed {
                (failing, failures) = (None, 0);
                self.reached();
            }
        }
    }
}

/// How long a watch waits that has failed so often in a row before: as long as that is a list, each time anew.
pub(super) fn pause(failures: u32, what: &str) -> Duration {
    let pause = LONGEST_PAUSE.min(SHORTEST_PAUSE.saturating_mul(2_u32.saturating_pow(failures.min(30))));
    let mut hasher = DefaultHasher::new();
    (what, failures).hash(&mut hasher);
    // Up to a quarter more, so that not all ask at once.
    pause + pause / 1024 * u32::try_from(hasher.finish() % 256).unwrap_or_default()
}

/// An object's uid, the hash of what concerns us of it, and its version.
type Known = (Option<String>, u64, Option<String>);

/// What was seen of each object.
#[derive(Default)]
struct Seen {
    known: HashMap<Name, Known>,
    /// While everything is listed anew: those that came. They are told of at the end, since the cache has none of
    /// them before: whoever was told sooner would look at what was.
    listed: BTreeMap<Name, Known>,
}

impl Seen {
    fn take<K: Resource>(&mut self, event: watcher::Event<K>, hash: fn(&K) -> u64) -> Vec<(Name, Happened)> {
        match event {
            watcher::Event::Init => {
                self.listed.clear();
                Vec::new()
            }
            watcher::Event::InitApply(object) => {
                self.listed.insert(Name::of(&object), known(&object, hash));
                Vec::new()
            }
            watcher::Event::Apply(object) => self.changed(Name::of(&object), known(&object, hash)),
            watcher::Event::Delete(object) => {
                let name = Name::of(&object);
                self.known.remove(&name);
                vec![(name, Happened::Gone)]
            }
            watcher::Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                let gone: Vec<Name> =
                    self.known.keys().filter(|name| !listed.contains_key(name)).cloned().collect();
                self.known.retain(|name, _| listed.contains_key(name));
                let mut told: Vec<_> =
                    listed.into_iter().flat_map(|(name, known)| self.changed(name, known)).collect();
                told.extend(gone.into_iter().map(|name| (name, Happened::Gone)));
                told
            }
        }
    }

    fn changed(&mut self, name: Name, known: Known) -> Vec<(Name, Happened)> {
        let told = match self.known.get(&name) {
            Some(before) if *before == known => Vec::new(),
            // Of the same name, but not the same: its end was missed.
            Some((uid, hash, _)) if *uid == known.0 && *hash == known.1 => {
                vec![(name.clone(), Happened::Restated)]
            }
            Some((uid, ..)) if *uid != known.0 => {
                vec![(name.clone(), Happened::Gone), (name.clone(), Happened::Changed)]
            }
            _ => vec![(name.clone(), Happened::Changed)],
        };
        self.known.insert(name, known);
        told
    }
}

fn known<K: Resource>(object: &K, hash: fn(&K) -> u64) -> Known {
    (object.meta().uid.clone(), hash(object), object.meta().resource_version.clone())
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use kube::core::ObjectMeta;
    use kube::runtime::reflector::ObjectRef;

    use super::*;

    fn object(name: &str, version: &str) -> Secret {
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some("ns".to_owned()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        };
        Secret { metadata, ..Secret::default() }
    }

    fn follow<F>(readiness: &Readiness, tell: F) -> Follow<F> {
        Follow {
            kind: WatchedKind::Secret,
            what: "Secrets".to_owned(),
            namespace: "ns".to_owned(),
            readiness: readiness.clone(),
            sight: Sight::default(),
            metrics: Metrics::new(),
            tell,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_not_be_watched_is_asked_for_less_and_less_and_told_of() {
        use watcher::Event::{Init, InitDone};
        let asked = std::cell::Cell::new(0_u32);
        // As a list without rights is: it begins, and fails.
        let refused = stream::repeat_with(|| asked.set(asked.get() + 1))
            .flat_map(|()| stream::iter([Ok(Init), Err(watcher::Error::NoResourceVersion)]));
        let told = std::cell::RefCell::new(Vec::new());
        let readiness = Readiness::default();
        let one = follow(&readiness, |name: Name, happened| told.borrow_mut().push((name, happened)));
        let (sight, metrics) = (one.sight.clone(), one.metrics.clone());
        drop(timeout(Duration::from_hours(1), one.run(refused, version_hash::<Secret>)).await);
        assert!((60..=130).contains(&asked.get()), "{} questions in an hour", asked.get());
        assert!(sight.missing(&[WatchedKind::Secret]).unwrap().contains("Secrets cannot be watched"));
        assert_eq!(sight.missing(&[WatchedKind::ConfigMap]), None);
        assert_eq!(*told.borrow(), [(Name::new("ns", ""), Happened::Seen)]);
        let up = |value: u8| format!("rollcall_watch_up{{kind=\"secret\",namespace=\"ns\"}} {value}");
        assert!(metrics.text().unwrap().lines().any(|line| line == up(0)));
        let again =
            Follow { sight: sight.clone(), metrics: metrics.clone(), ..follow(&readiness, |_, _| {}) };
        let listed = stream::iter([Ok(Init), Ok(InitDone)]);
        again.run(listed, version_hash::<Secret>).await;
        assert_eq!(sight.missing(&[WatchedKind::Secret]), None);
        assert!(metrics.text().unwrap().lines().any(|line| line == up(1)));
    }

    /// Whether a watch is ready after these events, each so many seconds after the one before, and then none.
    async fn ready_after(events: Vec<(u64, watcher::Result<watcher::Event<Secret>>)>, then: u64) -> bool {
        let readiness = Readiness::default();
        readiness.expect("Secrets");
        let later = |(seconds, event)| async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            event
        };
        let stream = stream::iter(events).then(later).chain(stream::pending());
        let follow = follow(&readiness, |_, _| {});
        drop(timeout(Duration::from_secs(then), follow.run(stream, version_hash)).await);
        readiness.missing().is_empty()
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_is_ready_again_although_nothing_happens() {
        use watcher::Event::{Init, InitDone};
        let listed = || vec![(0, Ok(Init)), (0, Ok(InitDone))];
        let failed = |seconds| (seconds, Err(watcher::Error::NoResourceVersion));
        assert!(!ready_after(vec![failed(0), failed(5)], 600).await, "it was never listed");
        assert!(ready_after(listed(), 600).await);
        let with =
            |failures: &[u64]| listed().into_iter().chain(failures.iter().copied().map(failed)).collect();
        assert!(ready_after(with(&[100, 1, 2]), 105).await, "the apiserver was away for a moment");
        assert!(!ready_after(with(&[100, 10, 20]), 140).await, "it cannot be watched");
        assert!(ready_after(with(&[100, 10, 20]), 600).await, "it can be watched again");
        let anew = with(&[100, 10, 20]).into_iter().chain([(0, Ok(Init))]).collect();
        assert!(!ready_after(anew, 600).await, "it is still being listed");
    }

    fn take(seen: &mut Seen, events: Vec<watcher::Event<Secret>>) -> Vec<(String, Happened)> {
        let all = events.into_iter().flat_map(|event| seen.take(event, version_hash));
        all.map(|(name, happened)| (name.name, happened)).collect()
    }

    #[test]
    fn tells_what_changed_and_what_went_while_nobody_watched() {
        use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
        let mut seen = Seen::default();
        let list = |names: &[&str]| {
            let each = names.iter().map(|name| InitApply(object(name, "1")));
            [Init].into_iter().chain(each).chain([InitDone]).collect::<Vec<_>>()
        };
        let changed = |name: &str| (name.to_owned(), Happened::Changed);
        let gone = |name: &str| (name.to_owned(), Happened::Gone);
        assert_eq!(take(&mut seen, list(&["a", "b"])), [changed("a"), changed("b")]);
        assert_eq!(take(&mut seen, vec![Apply(object("a", "1"))]), []);
        assert_eq!(take(&mut seen, vec![Apply(object("a", "2"))]), [changed("a")]);
        assert_eq!(take(&mut seen, vec![Delete(object("a", "2"))]), [gone("a")]);
        assert_eq!(take(&mut seen, list(&["c"])), [changed("c"), gone("b")]);
        // Deleted and made anew while nobody watched.
        let mut other = object("c", "9");
        other.metadata.uid = Some("another".to_owned());
        assert_eq!(take(&mut seen, vec![Init, InitApply(other)]), [], "the cache has it only at the end");
        assert_eq!(take(&mut seen, vec![InitDone]), [gone("c"), changed("c")]);
        // A list that was cut off says nothing.
        assert_eq!(take(&mut seen, vec![Init, InitApply(object("d", "1")), Init, InitDone]), [gone("c")]);
    }

    #[tokio::test]
    async fn who_is_told_of_a_change_finds_it_in_the_cache() {
        use watcher::Event::{Apply, Init, InitApply, InitDone};
        let (cache, writer) = reflector::store();
        let list = |version| [Init, InitApply(object("a", version)), InitApply(object("b", "1")), InitDone];
        let events = list("1").into_iter().chain([Apply(object("b", "2"))]).chain(list("3"));
        let stream = stream::iter(events.map(Ok::<_, watcher::Error>)).reflect(writer);
        let told = std::cell::RefCell::new(Vec::new());
        let follow = follow(&Readiness::default(), |name: Name, _| {
            let found = cache.get(&ObjectRef::new(&name.name).within(&name.namespace));
            let version = found.and_then(|found| found.metadata.resource_version.clone());
            told.borrow_mut().push((name.name, version.unwrap_or_default()));
        });
        follow.run(stream, version_hash).await;
        let expected = [("a", "1"), ("b", "1"), ("b", "2"), ("a", "3"), ("b", "1")];
        assert_eq!(told.into_inner(), expected.map(|(name, version)| (name.to_owned(), version.to_owned())));
    }
}
