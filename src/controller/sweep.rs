//! Removes the data of objects that were deleted long ago, also of those that were deleted while the operator did not run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use super::context::{Context, connector_name, owner};
use super::delay;
use super::watched::WatchedKind;
use crate::spec::Name;
use crate::telemetry::chain;

/// How long a policy's links and a connector's snapshot are kept for one of the same namespace and name.
const KEEPS: Duration = Duration::from_hours(30 * 24);
/// How often this is done.
const EVERY: Duration = Duration::from_hours(1);
/// The kinds of which all objects must have been listed.
const KNOWN: [WatchedKind; 2] = [WatchedKind::Connector, WatchedKind::Policy];
/// How soon this is tried again without the lease.
const AGAIN: Duration = Duration::from_mins(1);

/// Removes such data again and again, while the lease is held. It begins once all objects were listed, or after an hour.
pub(super) async fn sweep(context: Arc<Context>) {
    let parts = context.parts.all();
    let began = context.clock.now();
    tokio::select! {
        _ = join_all(parts.iter().map(|part| part.sight.listed(&KNOWN))) => {}
        () = context.clock.until(delay::later(began, EVERY)) => {}
    }
    drop(parts);
    loop {
        let now = context.clock.now();
        if context.gate.check().is_err() {
            context.clock.until(delay::later(now, AGAIN)).await;
            continue;
        }
        // Where not all objects were listed yet, an object that was not seen may still exist.
        let parts = context.parts.all();
        let policies = parts.iter().flat_map(|part| part.policies.cache.state());
        let policies: BTreeSet<_> = policies.map(|policy| owner(&Name::of(&*policy))).collect();
        let connectors = parts.iter().flat_map(|part| part.connectors.cache.state());
        let connectors: BTreeSet<_> = connectors.map(|it| connector_name(&Name::of(&*it))).collect();
        let known: Vec<_> = parts.into_iter().filter(|part| part.sight.has_listed(&KNOWN)).collect();
        let swept = context.stored(move |store| {
            let within = |namespace: &str| known.iter().any(|part| part.covers(namespace));
            store.forget_absent(&policies, &connectors, within, now, KEEPS)
        });
        match swept.await {
            Ok(0) => {}
            Ok(forgotten) => {
                tracing::info!(forgotten, "the data of objects that were deleted 30 days ago were removed");
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), "the data of deleted objects could not be removed");
            }
        }
        context.clock.until(delay::later(now, EVERY)).await;
    }
}
