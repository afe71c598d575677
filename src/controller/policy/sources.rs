//! What a policy has to know of its directories before it runs; fresher data is asked for here.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::decide;
use super::resolve::Resolved;
use crate::controller::connector::{Asked, ConnectorHealth};
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

/// Looks at them. `look_up` is an approval for which every absence is still to be looked up.
pub(super) async fn look(
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
        let fresh_until = info.as_ref().map(|info| delay::later(info.completed_at, binding.max_age));
        let stale = fresh_until.is_some_and(|until| until < now);
        // What was not asked for is not known: the connector reads anew because the policy names it.
        let named = spec::literal(connector, [&**runnable]);
        let lacking = info.as_ref().is_some_and(|info| !named.is_subset(&info.attributes));
        let (health, asked) = ask(context, connector, stale && !rests, look_up.is_some());
        looked_up &= is_looked_up(&health, asked);
        let resting = (stale || lacking) && health.suspended;
        if health.failing.is_some() || resting {
            let why = health.failing.unwrap_or_else(|| {
                let what = if stale { "too old" } else { "without attributes that the policy uses" };
                format!("it is suspended, and its last read is {what}")
            });
            sources.failing.get_or_insert(format!("DirectoryConnector {}: {why}", connector.name));
            sources.failed.insert(binding.connector.clone());
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
        sources.stale_at = sources.stale_at.into_iter().chain(fresh_until).min();
    }
    if let Some(digest) = look_up.filter(|_| looked_up) {
        context.policies.with(name, |state| state.looked_up_for = Some(digest.to_owned()));
    }
    // A moment later it is too old, not at that moment.
    sources.stale_at = sources
        .stale_at
        .filter(|at| *at >= now)
        .map(|at| delay::later(at, std::time::Duration::from_secs(1)));
    sources.read = together.filter(|_| !unread);
    Ok(sources)
}

/// Asks a connector for another read, if one is needed. Returns how it stood before, and what it was asked for.
fn ask(context: &Context, connector: &Name, stale: bool, look_up: bool) -> (ConnectorHealth, Option<Asked>) {
    let (health, asked) = context.connectors.with(connector, |state| {
        let health = state.health().clone();
        let asked = needed(&health, stale, look_up);
        if let Some(what) = asked {
            state.ask(what);
        }
        (health, asked)
    });
    if asked.is_some() {
        context.wake_connector(connector);
    }
    (health, asked)
}

/// What a connector that stands so is asked for, if it can be read: fresher data, or every absence looked up.
fn needed(health: &ConnectorHealth, stale: bool, look_up: bool) -> Option<Asked> {
    match () {
        () if health.failing.is_some() || health.suspended => None,
        () if look_up && health.unsettled > 0 => Some(Asked::LookedUp),
        () => (stale && !health.awaited).then_some(Asked::Fresher),
    }
}

/// Whether all is done for an approval that can be: every absence was asked to be looked up, or there is none.
fn is_looked_up(health: &ConnectorHealth, asked: Option<Asked>) -> bool {
    let readable = health.failing.is_none() && !health.suspended && health.settled;
    asked == Some(Asked::LookedUp) || (readable && health.unsettled == 0)
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Read to its end, with nothing missing.
    fn read() -> ConnectorHealth {
        ConnectorHealth { settled: true, ..ConnectorHealth::default() }
    }

    fn unsettled() -> ConnectorHealth {
        ConnectorHealth { unsettled: 3, ..read() }
    }

    fn no_answer() -> String {
        "no server answered".to_owned()
    }

    /// How a connector stands while an approval waits for its look-ups, what it is asked for, and whether that is all.
    #[rstest]
    #[case::nothing_is_missing(read(), None, true)]
    #[case::some_are(unsettled(), Some(Asked::LookedUp), true)]
    #[case::away(ConnectorHealth { failing: Some(no_answer()), ..unsettled() }, None, false)]
    #[case::away_with_nothing_missing(ConnectorHealth { failing: Some(no_answer()), ..read() }, None, false)]
    #[case::resting(ConnectorHealth { suspended: true, ..unsettled() }, None, false)]
    #[case::not_known_yet(ConnectorHealth::default(), None, false)]
    fn an_approval_gets_its_look_ups_once_they_can_be_had(
        #[case] health: ConnectorHealth,
        #[case] asked: Option<Asked>,
        #[case] is_all: bool,
    ) {
        assert_eq!(needed(&health, false, true), asked);
        assert_eq!(is_looked_up(&health, asked), is_all);
    }

    #[rstest]
    #[case::stale(unsettled(), true, Some(Asked::Fresher))]
    #[case::fresh(unsettled(), false, None)]
    #[case::under_way(ConnectorHealth { awaited: true, ..read() }, true, None)]
    #[case::away(ConnectorHealth { failing: Some(no_answer()), ..read() }, true, None)]
    fn fresher_data_is_asked_for_where_it_can_be_had(
        #[case] health: ConnectorHealth,
        #[case] stale: bool,
        #[case] asked: Option<Asked>,
    ) {
        assert_eq!(needed(&health, stale, false), asked);
    }
}
