//! The controller of `SyncPolicy`: it alone runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::events::EventType;

use self::state::Told;
use self::stored::Stored;
use super::announce;
use super::approval::{Unguarded, follow};
use super::caches::{NamespaceCaches, Ours};
use super::context::{Context, owner};
use super::error::Error;
use super::reconcile::Controlled;
use super::state::{Reconciled, States};
use crate::api::policy::SyncPolicyStatus;
use crate::api::{APPROVE, SyncPolicy, reason};
use crate::secret::Secret;
use crate::spec::Name;
use crate::spec::reference::{self, Reference};

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

impl Controlled for SyncPolicy {
    fn ours(part: &NamespaceCaches) -> &Ours<Self> {
        &part.policies
    }

    fn states(context: &Context) -> &States<Self> {
        &context.policies
    }

    fn references(&self) -> BTreeSet<Reference> {
        reference::of_policy(&self.spec)
    }

    fn is_suspended(&self) -> bool {
        self.spec.suspend
    }

    fn ends(&self, approval: &Option<String>) -> bool {
        let withdrawn = approval.is_some() && approval.as_ref() != self.annotations().get(APPROVE);
        self.spec.suspend || self.metadata.deletion_timestamp.is_some() || withdrawn
    }

    async fn look(&self, context: &Arc<Context>, name: &Name) -> Result<Reconciled<Self>, Error> {
        let resolved = resolve::resolve(context, name, self).await?;
        let digest = self.annotations().get(APPROVE);
        let stored =
            look::stored(context, name, self.metadata.uid.as_deref().unwrap_or_default(), digest).await?;
        let (refused, told) = refuse(context, name, digest, &stored).await?;
        // What approves nothing is as if it were not there, but for what it approved before.
        let counts = digest.filter(|_| !refused);
        let now = context.clock.now();
        let (approval, look_up, reset) = context.policies.with(name, |state| {
            state.recall(self, &stored, resolved.runnable.as_deref().ok(), now, &context.metrics);
            state.withdraw(stored.withdrawn);
            let previews = resolved.runnable.as_ref().is_ok_and(|runnable| runnable.preview);
            let approval = state.unseen(counts, &stored, previews);
            state.events.extend(told);
            (approval, state.to_look_up(counts, &stored), state.reset)
        });
        context.served.outdated(&owner(name), reset);
        admit(context, name, resolved.token.as_ref()).await?;
        let sources = look::sources(context, name, &resolved, look_up.as_deref(), now).await?;
        let (ends, unguarded) = (context.gate.ends(), context.approvals.unguarded());
        let (reconciled, events, reset_at) = context.policies.with(name, |state| {
            state.unguarded = unguarded;
            let reconciled = state.reconcile(self, &resolved, &sources, approval, now, &ends);
            (reconciled, std::mem::take(&mut state.events), state.reset_at())
        });
        if let Some(at) = reset_at {
            context.metrics.store_reset(&name.to_string(), at.as_second());
        }
        for (type_, reason, message) in events {
            announce::event(context, self, type_, reason, &message);
        }
        Ok(reconciled)
    }

    fn begin(context: &Arc<Context>, name: &Name, begin: Self::Begin) {
        run::begin(context, name, begin);
    }

    fn unreadable(
        context: &Context,
        name: &Name,
        invalid: &InvalidObject,
        before: &SyncPolicyStatus,
        now: Timestamp,
    ) -> SyncPolicyStatus {
        context.served.pause(&owner(name));
        status::unreadable(invalid, before, now)
    }

    fn forget_beside(context: &Context, name: &Name) {
        context.metrics.forget_policy(&name.to_string());
    }
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
