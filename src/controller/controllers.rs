//! The two controllers of a part.

use std::sync::Arc;

use futures::StreamExt as _;
use kube::Resource as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::caches::NamespaceCaches;
use super::context::{Context, owner};
use super::error::Error;
use super::parts::cached;
use super::reconcile::{Controlled, reconcile};
use super::route;
use super::watched::{Happened, WatchedKind};
use crate::api::{DirectoryConnector, SyncPolicy};
use crate::spec::Name;
use crate::telemetry::{Asked, chain};

/// How many objects of one kind are reconciled at the same time.
const AT_ONCE: usize = 16;

/// Runs both controllers of a part until `over`. Each begins once all objects of its kind were listed. A namespace that may
/// not be watched does not delay any other.
pub(super) async fn controllers(context: Arc<Context>, part: Arc<NamespaceCaches>, over: CancellationToken) {
    let connectors = async {
        if over.run_until_cancelled(part.sight.can_look(WatchedKind::Connector)).await.is_some() {
            controller::<DirectoryConnector>(&context, &part, &over).await;
        }
    };
    let policies = async {
        if over.run_until_cancelled(part.sight.can_look(WatchedKind::Policy)).await.is_some() {
            let all = part.policies.cache.state();
            let owners = all.iter().map(|policy| owner(&Name::of(&**policy))).collect();
            context.served.listed(part.namespace.as_deref(), owners);
            controller::<SyncPolicy>(&context, &part, &over).await;
        }
    };
    tokio::join!(connectors, policies);
}

/// Runs the controller of one kind in one part: reconciles the objects that the queue names. At the end, reconciles that have
/// begun are finished.
async fn controller<K: Controlled>(context: &Arc<Context>, part: &NamespaceCaches, over: &CancellationToken) {
    let queue = &K::ours(part).queue;
    let calls = queue.clone().calls().take_until(over.cancelled());
    calls
        .for_each_concurrent(AT_ONCE, |name| async move {
            let looked = look::<K>(context, part, &name).await;
            queue.done(&name, looked.is_ok());
        })
        .await;
}

async fn look<K: Controlled>(
    context: &Arc<Context>,
    part: &NamespaceCaches,
    name: &Name,
) -> Result<(), Error> {
    let (cache, kind) = (&K::ours(part).cache, K::WATCHED.word());
    let Some(object) = cached(cache, name) else { return Ok(()) };
    let began = Instant::now();
    // Without the lease nothing is begun.
    let looked = match context.gate.check() {
        Ok(()) => reconcile(&object, context).await,
        Err(shut) => Err(shut.into()),
    };
    // If it was deleted meanwhile, what was begun, served or remembered since must not outlive it.
    if cached(cache, name).is_none_or(|there| there.meta().uid != object.meta().uid) {
        route::told(context, K::WATCHED, name, Happened::Gone);
    }
    context.metrics.reconciled(kind, began.elapsed());
    if let Err(error) = &looked
        && !matches!(error, Error::Shut(_))
    {
        context.metrics.reconcile_failed(kind);
        if matches!(error, Error::Kube(_) | Error::Slow | Error::Unread { .. }) {
            context.metrics.api_failed(Asked::Object);
        }
        tracing::warn!(kind, object = %name, error = chain(error), "could not be processed; retrying");
    }
    looked
}
