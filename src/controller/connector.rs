//! The controller of `DirectoryConnector`: resolve, decide, import, status. It alone imports.

use std::sync::Arc;

use kube::runtime::controller::Action;

use super::context::Context;
use super::error::Error;
use super::object::ConnectorObject;
use super::status as writing;
use super::write::write_status;
use crate::api::connector::DirectoryConnectorStatus;
use crate::spec::Name;
use crate::spec::reference;
use crate::telemetry::chain;

mod cancel;
mod decide;
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
pub(super) use self::state::ControllerState;

pub(super) async fn reconcile(object: Arc<ConnectorObject>, context: Arc<Context>) -> Result<Action, Error> {
    let looked = look(&object, &context).await;
    if let Err(error) = &looked
        && !matches!(error, Error::Shut(_))
    {
        blind(&object, &context, error).await;
    }
    looked
}

async fn look(object: &ConnectorObject, context: &Arc<Context>) -> Result<Action, Error> {
    let name = Name::of(object);
    let known = match &object.0 {
        Ok(known) => known,
        Err(invalid) => {
            let written = context.connectors.with(&name, |state| state.written.clone());
            let before = written.as_ref().map(|written| &written.status);
            let status = status::unreadable(invalid, before, context.clock.now());
            let version = invalid.metadata.resource_version.as_ref();
            if !writing::stands(written.as_ref(), (version, None), &status) {
                write(context, object, status).await?;
            }
            return Ok(Action::await_change());
        }
    };
    context.sees(&name, &reference::of_connector(&known.spec))?;
    let resolved = resolve::resolve(context, &name, known).await?;
    let info = context.snapshot_info(&name).await?;
    let (now, ends) = (context.clock.now(), context.gate.ends());
    let reconciled = context.connectors.with(&name, |state| {
        state.recall(known, &resolved, info.as_ref(), now, &context.metrics);
        state.reconcile(known, &resolved, info.map(|info| info.completed_at), now, &ends)
    });
    if let Some(begin) = reconciled.begin {
        import::begin(context, &name, begin);
    }
    context.connector_alarm(&name, reconciled.wake_at);
    if reconciled.health_changed {
        context.wake_policies_of(&name);
    }
    context.shows("DirectoryConnector", &name, known.spec.suspend, &reconciled.conditions);
    if let Some((before, status)) = reconciled.status {
        let now = status.conditions.clone();
        write(context, object, status).await?;
        context.tell(known, before.as_ref().map(|before| &before.conditions[..]), &now);
    }
    Ok(Action::await_change())
}

async fn write(
    context: &Context,
    object: &ConnectorObject,
    status: DirectoryConnectorStatus,
) -> Result<(), Error> {
    let written = write_status(context, object, status).await?;
    context.connectors.with(&Name::of(object), |state| state.written = Some(written));
    Ok(())
}

/// A look failed: while nobody knows how things are, nothing is said to be well.
async fn blind(object: &ConnectorObject, context: &Arc<Context>, error: &Error) {
    let (name, now) = (Name::of(object), context.clock.now());
    let Ok(known) = &object.0 else { return };
    let (told, before, status) = context.connectors.with(&name, |state| state.look_failed(known, error, now));
    context.metrics.condition("DirectoryConnector", &name.to_string(), "Ready", "False");
    if told {
        context.wake_policies_of(&name);
    }
    let Some(status) = status else { return };
    let conditions = status.conditions.clone();
    match write(context, object, status).await {
        Ok(()) => context.tell(known, Some(&before), &conditions),
        Err(error) => {
            tracing::debug!(error = chain(&error), "the failure could not be written to the status");
        }
    }
}
