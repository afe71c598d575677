//! The controller of `DirectoryConnector`: it alone imports.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use kube::core::error_boundary::InvalidObject;

use super::caches::{NamespaceCaches, Ours};
use super::context::Context;
use super::error::Error;
use super::reconcile::Controlled;
use super::state::{Kind, Reconciled, States};
use super::watched::WatchedKind;
use crate::api::DirectoryConnector;
use crate::api::connector::DirectoryConnectorStatus;
use crate::directory::ConnectorName;
use crate::spec::Name;
use crate::spec::reference::{self, Reference};

mod accounts;
mod cancel;
pub(super) mod consent;
mod decide;
pub(super) mod engine;
mod enrolment;
mod health;
mod import;
mod job;
mod outcome;
mod resolve;
mod resolved;
mod state;
pub mod status;
#[cfg(test)]
mod tests;

pub(super) use self::health::{Asked, ConnectorHealth};

impl Controlled for DirectoryConnector {
    fn ours(part: &NamespaceCaches) -> &Ours<Self> {
        &part.connectors
    }

    fn states(context: &Context) -> &States<Self> {
        &context.connectors
    }

    fn references(&self) -> BTreeSet<Reference> {
        reference::of_connector(self.metadata.name.as_deref().unwrap_or_default(), &self.spec)
    }

    fn is_suspended(&self) -> bool {
        self.spec.suspend
    }

    async fn look(&self, context: &Arc<Context>, name: &Name) -> Result<Reconciled<Self>, Error> {
        let enrolments = engine::attend(context, name, self, context.clock.now()).await?;
        let resolved = resolve::resolve(context, name, self).await?;
        let info = context.snapshot_info(name).await?;
        let page = consent::page(context, name);
        let (now, ends) = (context.clock.now(), context.gate.ends());
        let (reconciled, health_changed) = context.connectors.with(name, |state| {
            state.page = page;
            let gateway = context.gateway.as_ref();
            state.told_of_engine =
                gateway.and_then(|gateway| status::engine::told(gateway, name, &enrolments));
            state.recall(self, &resolved, info.as_ref(), now, &context.metrics);
            let mut reconciled =
                state.reconcile(self, &resolved, info.map(|info| info.completed_at), now, &ends);
            for known in enrolments.values() {
                if let enrolment::Enrolment::Waiting { until, .. } = &known.enrolment {
                    // The token is renewed then.
                    reconciled.wake_at = Some(reconciled.wake_at.map_or(*until, |at| at.min(*until)));
                }
            }
            (reconciled, state.update_health(&resolved, self.spec.suspend))
        });
        if health_changed {
            context.parts.wake_users(WatchedKind::Connector, name);
        }
        if let Some(consents) = &context.consents {
            let directory = self.status.as_ref().and_then(|status| status.directory.as_ref());
            let directory = directory.map(|directory| directory.id.as_str());
            let asked = consent::asked(&resolved, &reconciled.conditions, directory);
            consents.set(&ConnectorName::new(&name.namespace, &name.name), asked);
        }
        Ok(reconciled)
    }

    fn begin(context: &Arc<Context>, name: &Name, begin: Self::Begin) {
        import::begin(context, name, begin);
    }

    fn unreadable(
        context: &Context,
        name: &Name,
        invalid: &InvalidObject,
        before: &DirectoryConnectorStatus,
        now: Timestamp,
    ) -> DirectoryConnectorStatus {
        // Nobody looks at its engine's Secret meanwhile, so that a key could not be revoked.
        engine::forget(context, name);
        status::unreadable(invalid, Some(before), now)
    }

    fn look_failed(context: &Context, name: &Name, error: &Error) {
        if context.connectors.with(name, |state| state.is_failing(error)) {
            context.parts.wake_users(Self::WATCHED, name);
        }
    }

    fn forget_beside(context: &Context, name: &Name) {
        context.metrics.forget_connector(&name.to_string());
        let now = context.clock.now();
        context.connectors.retain(|state| !state.is_over(now));
        engine::forget(context, name);
        if let Some(consents) = &context.consents {
            consents.set(&ConnectorName::new(&name.namespace, &name.name), None);
        }
    }
}
