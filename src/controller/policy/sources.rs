//! What a policy has to know of its directories before it runs; fresher data is asked for here.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::decide;
use crate::controller::connector::{Asked, ConnectorHealth};
use crate::controller::delay;
use crate::directory::ConnectorName;

const MOMENT: Duration = Duration::from_secs(1);

/// What is known of a policy's directories together.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    /// Connectors that are not there.
    pub(super) missing: Vec<String>,
    /// Why some cannot be read, or were not for too long, in words.
    pub(super) failing: Option<String>,
    /// Which of them was read too long ago, in words. It is being read anew, and what needs it waits for that.
    pub(super) stale: Option<String>,
    /// Those of which a run is told that nothing may be removed on their word.
    pub(super) failed: BTreeSet<ConnectorName>,
    /// Together; `None` if one of them was never read to its end.
    pub(super) read: Option<decide::Sources>,
    /// When the first of them is to be read anew, or is older than it may be.
    pub(super) look_at: Option<Timestamp>,
}

/// What a connector that stands so is asked for, if it can be read: fresher data, or every absence looked up.
pub(super) fn needed(health: &ConnectorHealth, aging: bool, look_up: bool) -> Option<Asked> {
    match () {
        () if health.failing.is_some() || health.suspended => None,
        () if look_up && health.unsettled > 0 => Some(Asked::LookedUp),
        () => (aging && !health.awaited).then_some(Asked::Fresher),
    }
}

/// Whether all is done for an approval that can be: every absence was asked to be looked up, or there is none.
pub(super) fn is_looked_up(health: &ConnectorHealth, asked: Option<Asked>) -> bool {
    let readable = health.failing.is_none() && !health.suspended && health.settled;
    asked == Some(Asked::LookedUp) || (readable && health.unsettled == 0)
}

/// How old a read is, compared with what a policy allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Age {
    /// Whether it is too old, or dated in the future by as much: the clock was wrong.
    pub(super) stale: bool,
    /// Whether another one is to be had: in time, so that there is one before this one is too old.
    pub(super) aging: bool,
    /// When the next of these begins.
    pub(super) until: Option<Timestamp>,
}

impl Age {
    pub(super) fn of(completed_at: Timestamp, max_age: Duration, now: Timestamp) -> Self {
        let age = now.duration_since(completed_at).unsigned_abs();
        let soon = max_age / 10 * 9;
        let marks = [soon, max_age].map(|mark| delay::later(completed_at, mark));
        // A moment later it is too old, not at that moment.
        let until = marks.into_iter().find(|mark| *mark >= now).map(|mark| delay::later(mark, MOMENT));
        Self { stale: age > max_age, aging: age > soon, until }
    }
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
    #[case::fresh(89, (false, false), Some(91))]
    #[case::at_the_mark(90, (false, false), Some(91))]
    #[case::another_one_is_to_be_had(91, (false, true), Some(101))]
    #[case::as_old_as_it_may_be(100, (false, true), Some(101))]
    #[case::too_old(101, (true, true), None)]
    #[case::dated_a_little_in_the_future(-5, (false, false), Some(91))]
    #[case::dated_far_in_the_future(-101, (true, true), Some(91))]
    fn another_read_is_had_before_one_is_too_old(
        #[case] now: i64,
        #[case] expected: (bool, bool),
        #[case] until: Option<i64>,
    ) {
        let at = |second| Timestamp::from_second(second).unwrap();
        let age = Age::of(at(0), Duration::from_secs(100), at(now));
        assert_eq!((age.stale, age.aging), expected);
        assert_eq!(age.until, until.map(at));
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
