//! What a policy has to know of its directories before it runs; fresher data is asked for here.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::decide;
use super::resolve::Resolved;
use crate::controller::connector::{Asked, Standing};
use crate::controller::context::Context;
use crate::controller::{Error, delay};
use crate::directory::ConnectorName;
use crate::spec::{self, Name};

/// What is known of a policy's directories together.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    /// Connectors that are not there.
    pub(super) missing: Vec<String>,
    /// Why some cannot be read, or were not for too long, in words.
    pub(super) failing: Option<String>,
    /// Those of which a run is told that nothing may be removed on their word.
    pub(super) failed: BTreeSet<ConnectorName>,
    /// Together; `None` if one of them was never read to its end.
    pub(super) read: Option<decide::Sources>,
    /// When the first of them is older than it may be.
    pub(super) stale_at: Option<Timestamp>,
}

pub(super) async fn look(
    context: &Context,
    name: &Name,
    resolved: &Resolved,
    approval: Option<&str>,
    now: Timestamp,
) -> Result<Sources, Error> {
    let missing = resolved.connectors.iter().filter(|(_, there)| !there).map(|(name, _)| name.name.clone());
    let mut sources = Sources { missing: missing.collect(), ..Sources::default() };
    let Ok(runnable) = &resolved.runnable else { return Ok(sources) };
    let mut together: Option<decide::Sources> = None;
    let mut unread = false;
    for ((connector, _), vouching) in resolved.connectors.iter().zip(&runnable.policy.connectors) {
        let info = context.snapshot_info(connector).await?;
        let fresh_until = info.as_ref().map(|info| delay::later(info.completed_at, vouching.max_age));
        let stale = fresh_until.is_some_and(|until| until < now);
        // What was not asked for is not known: the connector reads anew because the policy names it.
        let named = spec::literal(connector, [&**runnable]);
        let lacking = info.as_ref().is_some_and(|info| !named.is_subset(&info.attributes));
        let look_up =
            approval.is_some_and(|digest| context.policies.with(name, |memory| memory.looks_up_for(digest)));
        let (standing, asked) = ask(context, connector, stale, look_up);
        let resting = (stale || lacking) && standing.suspended;
        if standing.failing.is_some() || resting {
            let why = standing.failing.unwrap_or_else(|| {
                let what = if stale { "too old" } else { "without attributes that the policy names" };
                format!("it is suspended, and what it last read is {what}")
            });
            sources.failing.get_or_insert(format!("DirectoryConnector {}: {why}", connector.name));
            sources.failed.insert(vouching.connector.clone());
        }
        let Some(info) = info else {
            unread = true;
            continue;
        };
        let one = decide::Sources {
            sequence: info.sequence,
            completed_at: info.completed_at,
            healthy: sources.failing.is_none(),
            awaited: sources.failing.is_none() && (asked || standing.awaited || !standing.settled || lacking),
        };
        together = Some(together.map_or(one, |all| all.and(one)));
        sources.stale_at = sources.stale_at.into_iter().chain(fresh_until).min();
    }
    // A moment later it is too old, not at that moment.
    sources.stale_at = sources
        .stale_at
        .filter(|at| *at >= now)
        .map(|at| delay::later(at, std::time::Duration::from_secs(1)));
    sources.read = together.filter(|_| !unread);
    Ok(sources)
}

/// Asks a connector that can be read for another read, if one is needed: fresher data, or every absence
/// looked up. Returns how it stood before, and whether it was asked.
fn ask(context: &Context, connector: &Name, stale: bool, look_up: bool) -> (Standing, bool) {
    let (standing, asked) = context.connectors.with(connector, |memory| {
        let standing = memory.standing().clone();
        let what = match () {
            () if standing.failing.is_some() || standing.suspended => None,
            () if look_up && standing.unsettled > 0 => Some(Asked::LookedUp),
            () => (stale && !standing.awaited).then_some(Asked::Fresher),
        };
        if let Some(what) = what {
            memory.ask(what);
        }
        (standing, what.is_some())
    });
    if asked {
        context.wake_connector(connector);
    }
    (standing, asked)
}

impl decide::Sources {
    fn and(self, other: Self) -> Self {
        Self {
            sequence: self.sequence.max(other.sequence),
            completed_at: self.completed_at.min(other.completed_at),
            healthy: self.healthy && other.healthy,
            awaited: self.awaited || other.awaited,
        }
    }
}
