//! The two controllers of a part.

use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use kube::Resource;
use kube::runtime::Controller;
use kube::runtime::controller::{self, Action};
use kube::runtime::reflector::ObjectRef;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::caches::{NamespaceCaches, Ours};
use super::context::{Context, owner};
use super::error::Error;
use super::watched::{Happened, WatchedKind};
use super::{connector, delay, policy};
use crate::spec::Name;
use crate::telemetry::{Asked, chain};

/// So many objects of one kind are looked at at once.
const AT_ONCE: u16 = 16;

/// After an object could not be looked at for the first time; doubled each time.
const STUMBLE: Duration = Duration::from_secs(1);

/// Both controllers of a part, until `over`. A kind is looked at as soon as all of it was seen, so that a namespace that may not be
/// watched hinders no other.
pub(super) async fn controllers(context: Arc<Context>, part: Arc<NamespaceCaches>, over: CancellationToken) {
    let connectors = async {
        if over.run_until_cancelled(part.sight.can_look(WatchedKind::Connector)).await.is_some() {
            controller(&context, WatchedKind::Connector, &part.connectors, connector::reconcile, &over).await;
        }
    };
    let policies = async {
        if over.run_until_cancelled(part.sight.can_look(WatchedKind::Policy)).await.is_some() {
            let all = part.policies.cache.state();
            let owners = all.iter().map(|policy| owner(&Name::of(&**policy))).collect();
            context.served.listed(part.namespace.as_deref(), owners);
            controller(&context, WatchedKind::Policy, &part.policies, policy::reconcile, &over).await;
        }
    };
    tokio::join!(connectors, policies);
}

/// The controller of one kind in one part: watches, jobs and alarms alike tell it whom to look at.
fn controller<K, Reconciling>(
    context: &Arc<Context>,
    kind: WatchedKind,
    ours: &Ours<K>,
    reconcile: fn(Arc<K>, Arc<Context>) -> Reconciling,
    over: &CancellationToken,
) -> BoxFuture<'static, ()>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    Reconciling: Future<Output = Result<Action, Error>> + Send + 'static,
{
    let (context, queue, over) = (context.clone(), ours.queue.clone(), over.clone());
    let calls = queue.clone().calls().map(|name| ObjectRef::<K>::new(&name.name).within(&name.namespace));
    let stumbles = Arc::new(Stumbles::default());
    let counts = stumbles.clone();
    let cache = ours.cache.clone();
    let reconciler = move |object: Arc<K>, context: Arc<Context>| {
        let (began, name, stumbles) = (Instant::now(), Name::of(&*object), stumbles.clone());
        let (uid, cache) = (object.meta().uid.clone(), cache.clone());
        async move {
            // Whoever may write nothing begins nothing either.
            let ended = match context.gate.check() {
                Ok(()) => reconcile(object, context.clone()).await,
                Err(shut) => Err(shut.into()),
            };
            // It may have gone meanwhile: what was begun, served or remembered since must not outlive it.
            let there = cache.get(&ObjectRef::new(&name.name).within(&name.namespace));
            if there.is_none_or(|there| there.meta().uid != uid) {
                context.told(kind, &name, Happened::Gone);
            }
            context.metrics.reconciled(kind.word(), began.elapsed());
            if ended.is_ok() {
                stumbles.forget(&name);
            }
            ended
        }
    };
    let error_policy = move |object: Arc<K>, error: &Error, context: Arc<Context>| {
        let name = Name::of(&*object);
        if !matches!(error, Error::Shut(_)) {
            context.metrics.reconcile_failed(kind.word());
            if matches!(error, Error::Kube(_) | Error::Slow | Error::Unread { .. }) {
                context.metrics.api_failed(Asked::Object);
            }
            tracing::warn!(kind = kind.word(), object = %name, error = chain(error), "could not be processed; retrying");
        }
        let at = delay::again(context.clock.now(), STUMBLE, counts.count(&name), &name.to_string());
        queue.at(&name, Some(at));
        Action::await_change()
    };
    Controller::for_stream(stream::pending(), ours.cache.clone())
        .reconcile_on(calls)
        .with_config(controller::Config::default().concurrency(AT_ONCE))
        .graceful_shutdown_on(async move { over.cancelled().await })
        .run(reconciler, error_policy, context)
        .for_each(|_| std::future::ready(()))
        .boxed()
}

/// How often in a row an object could not be looked at.
#[derive(Default)]
struct Stumbles(Mutex<HashMap<Name, u32>>);

impl Stumbles {
    fn count(&self, name: &Name) -> u32 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(name.clone()).or_default();
        // From some point on it waits no longer each time: half a minute is enough.
        *count = (*count + 1).min(6);
        *count
    }

    fn forget(&self, name: &Name) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}
