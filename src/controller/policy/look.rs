//! What a look at a policy finds: in the store, and of its directories, of which fresher data is asked for here.

use super::decide;
use super::resolved::Resolved;
use super::sources::{Age, Sources, is_looked_up, needed};
use super::stored::Stored;
use jiff::Timestamp;

use crate::api::policy::StoreRef;
use crate::controller::connector::{Asked, ConnectorHealth};
use crate::controller::context::{Context, owner};
use crate::controller::error::Error;
use crate::controller::watched::WatchedKind;
use crate::spec::{self, Name};
use crate::store::StoreError;

/// What the store says of it.
pub(super) async fn stored(
    context: &Context,
    name: &Name,
    uid: &str,
    digest: Option<&String>,
) -> Result<Stored, StoreError> {
    let (owner, digest, now) = (owner(name), digest.cloned(), context.clock.now());
    let uid = uid.to_owned();
    let ask = move |store: &crate::store::Store| {
        let seen = store.see(&owner, &uid, digest.as_deref())?;
        store.forget_approvals(&owner, digest.as_deref(), now)?;
        Ok(Stored {
            withdrawn: store.withdraw_approvals(&owner, digest.as_deref())?,
            applied_spec: store.applied_spec(&owner)?,
            approved: match &digest {
                Some(digest) => store.was_approved(&owner, digest)?,
                None => false,
            },
            seen,
            store: StoreRef { id: store.id()?, sequence: store.sequence()? },
        })
    };
    context.stored(ask).await
}

/// Looks at them. `look_up` is an approval for which every absence is still to be looked up.
pub(super) async fn sources(
    context: &Context,
    name: &Name,
    resolved: &Resolved,
    look_up: Option<&str>,
    now: Timestamp,
) -> Result<Sources, Error> {
    let missing = resolved.connectors.iter().filter(|(_, there)| !there).map(|(name, _)| name.name.clone());
    let mut sources = Sources { missing: missing.collect(), ..Sources::default() };
    let Ok(runnable) = &resolved.runnable else { return Ok(sources) };
    let mut together: Option<decide::Sources> = None;
    // What rests needs nothing of its directories.
    let (rests, look_up) = (runnable.suspend, look_up.filter(|_| !runnable.suspend));
    let (mut unread, mut looked_up) = (false, true);
    for ((connector, _), binding) in resolved.connectors.iter().zip(&runnable.policy.connectors) {
        let info = context.snapshot_info(connector).await?;
        let age = info.as_ref().map(|info| Age::of(info.completed_at, binding.max_age, now));
        let (stale, aging) = age.map_or((false, false), |age| (age.stale, age.aging));
        // What was not asked for is not known: the connector reads anew because the policy names it.
        let named = spec::literal(connector, [&**runnable]);
        let lacking = info.as_ref().is_some_and(|info| !named.is_subset(&info.attributes));
        let (health, asked) = ask(context, connector, aging && !rests, look_up.is_some());
        looked_up &= is_looked_up(&health, asked);
        let resting = (stale || lacking) && health.suspended;
        if health.failing.is_some() || resting {
            let why = health.failing.unwrap_or_else(|| {
                let what = if stale { "too old" } else { "without attributes that the policy uses" };
                format!("it is suspended, and its last read is {what}")
            });
            sources.failing.get_or_insert(format!("DirectoryConnector {}: {why}", connector.name));
            sources.failed.insert(binding.connector.clone());
        } else if stale {
            let what = "its last read is older than maxAge, and the next one has not ended yet";
            sources.stale.get_or_insert(format!("DirectoryConnector {}: {what}", connector.name));
        }
        let Some(info) = info else {
            unread = true;
            continue;
        };
        let one = decide::Sources {
            sequence: info.sequence,
            completed_at: info.completed_at,
            healthy: sources.failing.is_none(),
            awaited: sources.failing.is_none()
                && (asked.is_some() || health.awaited || !health.settled || lacking),
        };
        together = Some(together.map_or(one, |all| all.and(one)));
        sources.look_at = sources.look_at.into_iter().chain(age.and_then(|age| age.until)).min();
    }
    if let Some(digest) = look_up.filter(|_| looked_up) {
        context.policies.with(name, |state| state.looked_up_for = Some(digest.to_owned()));
    }
    sources.read = together.filter(|_| !unread);
    Ok(sources)
}

/// Asks a connector for another read, if one is needed. Returns how it stood before, and what it was asked for.
fn ask(context: &Context, connector: &Name, aging: bool, look_up: bool) -> (ConnectorHealth, Option<Asked>) {
    let (health, asked) = context.connectors.with(connector, |state| {
        let health = state.health().clone();
        let asked = needed(&health, aging, look_up);
        if let Some(what) = asked {
            state.ask(what);
        }
        (health, asked)
    });
    if asked.is_some() {
        context.parts.wake(WatchedKind::Connector, connector);
    }
    (health, asked)
}
