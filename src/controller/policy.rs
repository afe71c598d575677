//! The controller of `SyncPolicy`: resolve, decide, run, status. It alone runs.

use std::sync::Arc;

use kube::ResourceExt as _;
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;

use self::state::Told;
use self::stored::Stored;
use super::approval::{Unguarded, follow};
use super::context::{Context, owner};
use super::error::Error;
use super::object::PolicyObject;
use super::status as writing;
use super::write::write_status;
use crate::api::policy::SyncPolicyStatus;
use crate::api::{APPROVE, reason};
use crate::secret::Secret;
use crate::spec::Name;
use crate::spec::reference;
use crate::telemetry::chain;

mod decide;
mod gated;
mod job;
mod look;
mod resolve;
mod resolved;
mod run;
mod sources;
mod state;
pub mod status;
mod stored;
#[cfg(test)]
mod tests;

pub(super) use self::state::ControllerState;

pub(super) async fn reconcile(object: Arc<PolicyObject>, context: Arc<Context>) -> Result<Action, Error> {
    let looked = look(&object, &context).await;
    if let Err(error) = &looked
        && !matches!(error, Error::Shut(_))
    {
        blind(&object, &context, error).await;
    }
    looked
}

async fn look(object: &PolicyObject, context: &Arc<Context>) -> Result<Action, Error> {
    let name = Name::of(object);
    let known = match &object.0 {
        Ok(known) => known,
        Err(invalid) => {
            context.served.pause(&owner(&name));
            let written = context.policies.with(&name, |state| state.written.clone());
            let before = written.as_ref().map(|written| written.status.clone()).unwrap_or_default();
            let status = status::unreadable(invalid, &before, context.clock.now());
            let version = invalid.metadata.resource_version.as_ref();
            if !writing::stands(written.as_ref(), (version, None), &status) {
                write(context, object, status).await?;
            }
            return Ok(Action::await_change());
        }
    };
    context.sees(&name, &reference::of_policy(&known.spec))?;
    let resolved = resolve::resolve(context, &name, known).await?;
    let digest = known.annotations().get(APPROVE);
    let stored =
        look::stored(context, &name, known.metadata.uid.as_deref().unwrap_or_default(), digest).await?;
    let (refused, told) = refuse(context, &name, digest, &stored).await?;
    // What approves nothing is as if it were not there, but for what it approved before.
    let counts = digest.filter(|_| !refused);
    let now = context.clock.now();
    let (approval, look_up, reset) = context.policies.with(&name, |state| {
        state.recall(known, &stored, resolved.runnable.as_deref().ok(), now, &context.metrics);
        state.withdraw(digest, stored.withdrawn);
        let previews = resolved.runnable.as_ref().is_ok_and(|runnable| runnable.preview);
        let approval = state.unseen(counts, &stored, previews);
        state.events.extend(told);
        (approval, state.to_look_up(counts, &stored), state.reset)
    });
    context.served.outdated(&owner(&name), reset);
    admit(context, &name, resolved.token.as_ref()).await?;
    let sources = look::sources(context, &name, &resolved, look_up.as_deref(), now).await?;
    let (ends, unguarded) = (context.gate.ends(), context.approvals.unguarded());
    let reconciled = context.policies.with(&name, |state| {
        state.unguarded = unguarded;
        state.reconcile(known, &resolved, &sources, approval, now, &ends)
    });
    if let Some(begin) = reconciled.begin {
        run::begin(context, &name, begin);
    }
    context.policy_alarm(&name, reconciled.wake_at);
    context.shows("SyncPolicy", &name, known.spec.suspend, &reconciled.conditions);
    if let Some(at) = reconciled.reset_at {
        context.metrics.store_reset(&name.to_string(), at.as_second());
    }
    for (type_, reason, message) in reconciled.events {
        context.event(known, type_, reason, &message);
    }
    if let Some((before, status)) = reconciled.write {
        let now = status.conditions.clone();
        write(context, object, *status).await?;
        context.tell(known, before.as_ref().map(|before| &before.conditions[..]), &now);
    }
    Ok(Action::await_change())
}

async fn write(context: &Context, object: &PolicyObject, status: SyncPolicyStatus) -> Result<(), Error> {
    let written = write_status(context, object, status).await?;
    context.policies.with(&Name::of(object), |state| state.written = Some(written));
    Ok(())
}

/// Whether the approval that the object bears approves nothing, and what is to be told of that now.
async fn refuse(
    context: &Context,
    name: &Name,
    digest: Option<&String>,
    stored: &Stored,
) -> Result<(bool, Option<Told>), Error> {
    let Some(digest) = digest.filter(|_| !stored.approved) else { return Ok((false, None)) };
    let told = |why: &str| (EventType::Warning, reason::policy::APPROVAL_REFUSED.name, why.to_owned());
    if stored.seen.refused {
        let why = "the approval was already on the object when that was created, and approves nothing: remove \
                   rollcall.dev/approve, and set it again if something is held";
        return Ok((true, stored.seen.came_with.then(|| told(why))));
    }
    // What was seen a moment ago may not be so any more.
    let unguarded = follow::look(context).await?;
    let Some(why) = unguarded.filter(|_| context.unguarded == Unguarded::Refuse) else {
        return Ok((false, None));
    };
    let (owner, refused) = (owner(name), digest.clone());
    context.stored(move |store| store.refuse_approval(&owner, &refused)).await?;
    let why = format!(
        "the approval approves nothing, because nothing checks who sets it: {why}; install the chart's admission \
         policy, then remove rollcall.dev/approve and set it again"
    );
    Ok((true, Some(told(&why))))
}

/// A look failed: while nobody knows how things are, nothing is said to be well.
async fn blind(object: &PolicyObject, context: &Arc<Context>, error: &Error) {
    let (name, now) = (Name::of(object), context.clock.now());
    let Ok(known) = &object.0 else { return };
    let (before, status) = context.policies.with(&name, |state| state.look_failed(known, error, now));
    context.metrics.condition("SyncPolicy", &name.to_string(), "Ready", "False");
    let Some(status) = status else { return };
    let conditions = status.conditions.clone();
    match write(context, object, status).await {
        Ok(()) => context.tell(known, Some(&before), &conditions),
        Err(error) => {
            tracing::debug!(error = chain(&error), "the failure could not be written to the status");
        }
    }
}

/// Serves the policy's registry to whoever bears the token, and remembers who that is: after a restart the reader is not
/// taken for a stranger. While a token that the policy names is not there, its readers wait.
async fn admit(context: &Context, name: &Name, token: Option<&Result<Secret, String>>) -> Result<(), Error> {
    let owner = owner(name);
    let remember = async |digest| {
        let owner = owner.clone();
        context.stored(move |store| store.remember_reader(&owner, digest)).await
    };
    match token {
        Some(Ok(token)) => {
            if let Some(digest) = context.served.serve(owner.clone(), token.clone()) {
                remember(Some(digest)).await?;
                context.served.remembered(&owner, digest);
            }
        }
        Some(Err(_)) => context.served.pause(&owner),
        None if context.served.withdraw(&owner) => remember(None).await?,
        None => {}
    }
    Ok(())
}
