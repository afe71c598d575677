//! What a policy has to know of its directories before it runs; fresher data is asked for here.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::decide;
use crate::controller::connector::{Asked, ConnectorHealth};
use crate::directory::ConnectorName;

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

/// What a connector that stands so is asked for, if it can be read: fresher data, or every absence looked up.
pub(super) fn needed(health: &ConnectorHealth, stale: bool, look_up: bool) -> Option<Asked> {
    match () {
        () if health.failing.is_some() || health.suspended => None,
        () if look_up && health.unsettled > 0 => Some(Asked::LookedUp),
        () => (stale && !health.awaited).then_some(Asked::Fresher),
    }
}

/// Whether all is done for an approval that can be: every absence was asked to be looked up, or there is none.
pub(super) fn is_looked_up(health: &ConnectorHealth, asked: Option<Asked>) -> bool {
    let readable = health.failing.is_none() && !health.suspended && health.settled;
    asked == Some(Asked::LookedUp) || (readable && health.unsettled == 0)
}

impl Sources {
    /// The number of the last change that was read.
    pub(super) fn sequence(&self) -> u64 {
        self.read.map_or(0, |read| read.sequence)
    }
}

impl decide::Sources {
    pub(super) fn and(self, other: Self) -> Self {
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
