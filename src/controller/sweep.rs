//! Forgets what was deleted long ago, also what was deleted while nobody watched.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::context::{Context, owner};
use super::delay;
use crate::directory::ConnectorName;
use crate::spec::Name;
use crate::telemetry::chain;

/// How long a policy's links and a connector's snapshot are kept for one of the same namespace and name.
const KEEPS: Duration = Duration::from_hours(30 * 24);
/// How often it is looked.
const EVERY: Duration = Duration::from_hours(1);
/// How soon it is looked again when that may not be.
const AGAIN: Duration = Duration::from_mins(1);

/// Looks again and again, while the lease is ours. Everything that is there must be known already.
pub(super) async fn sweep(context: Arc<Context>) {
    loop {
        let now = context.clock.now();
        if context.gate.check().is_err() {
            context.clock.until(delay::later(now, AGAIN)).await;
            continue;
        }
        let (policies, connectors) = context.there();
        let policies: BTreeSet<_> = policies.iter().map(owner).collect();
        let connector = |name: &Name| ConnectorName::new(&name.namespace, &name.name);
        let connectors: BTreeSet<_> = connectors.iter().map(connector).collect();
        let scope = context.scope.clone();
        let swept = context.stored(move |store| {
            store.forget_absent(&policies, &connectors, |namespace| scope.covers(namespace), now, KEEPS)
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
