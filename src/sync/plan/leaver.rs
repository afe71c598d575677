//! The next step for a leaver, and when it is due.

use std::time::Duration;

use jiff::Timestamp;

use super::input::Freshness;
use crate::directory::Evidence;
use crate::store::link::Leaving;
use crate::sync::policy::{LeaverAction, LeaverStep};

/// What is next for a leaver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// This step now; its number in the schedule is this, counted from 1.
    Now(LeaverAction, u32),
    /// Nothing before this moment.
    At(Timestamp),
    /// Nothing before another completion.
    Completion,
    /// Nothing any more.
    Nothing,
}

/// Where somebody stands who is seen to have left just now.
pub(super) fn first_seen(evidence: Evidence, now: Timestamp) -> Leaving {
    Leaving { since: now, evidence, steps_done: 0, executed_at: None, completion: 0 }
}

/// The first step is due at its time after the leaver was first seen; each later one when the remaining
/// time since the step before it was executed has passed, and needs a newer completion. So the clock of
/// a leaver whose step is held stands still.
pub(super) fn next(leaving: &Leaving, schedule: &[LeaverStep], vouched: Freshness, now: Timestamp) -> Next {
    let done = leaving.steps_done as usize;
    let Some(step) = schedule.get(done) else { return Next::Nothing };
    let due = match (done.checked_sub(1).and_then(|before| schedule.get(before)), leaving.executed_at) {
        (Some(before), Some(executed_at)) => later(executed_at, step.after.saturating_sub(before.after)),
        _ => later(leaving.since, step.after),
    };
    if due > now {
        Next::At(due)
    } else if done > 0 && vouched.completion <= leaving.completion {
        Next::Completion
    } else {
        Next::Now(step.action, leaving.steps_done + 1)
    }
}

/// When the step after the one of this number falls due, if that one is executed now.
pub(super) fn after(number: u32, schedule: &[LeaverStep], now: Timestamp) -> Option<Timestamp> {
    let done = number as usize;
    let (before, next) = (schedule.get(done.checked_sub(1)?)?, schedule.get(done)?);
    Some(later(now, next.after.saturating_sub(before.after)))
}

fn later(than: Timestamp, by: Duration) -> Timestamp {
    than.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::directory::Grade;

    const HOUR: u64 = 3600;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(hours * 3600).unwrap()
    }

    fn schedule() -> [LeaverStep; 2] {
        [
            LeaverStep { after: Duration::from_secs(2 * HOUR), action: LeaverAction::Disable },
            LeaverStep { after: Duration::from_secs(26 * HOUR), action: LeaverAction::Delete },
        ]
    }

    fn leaving(steps_done: u32, executed_at: Option<i64>) -> Leaving {
        let evidence = Evidence::data(Grade::Absent);
        Leaving { since: at(0), evidence, steps_done, executed_at: executed_at.map(at), completion: 7 }
    }

    #[test]
    fn the_next_step_is_announced_by_the_run_that_executes_the_one_before() {
        assert_eq!(after(1, &schedule(), at(100)), Some(at(124)));
        assert_eq!(after(2, &schedule(), at(100)), None);
    }

    #[rstest]
    #[case(leaving(0, None), 1, 7, Next::At(at(2)))]
    #[case(leaving(0, None), 2, 7, Next::Now(LeaverAction::Disable, 1))]
    #[case(leaving(0, None), 900, 7, Next::Now(LeaverAction::Disable, 1))]
    #[case(leaving(1, Some(2)), 25, 8, Next::At(at(26)))]
    #[case(leaving(1, Some(2)), 26, 8, Next::Now(LeaverAction::Delete, 2))]
    #[case(leaving(1, Some(2)), 26, 7, Next::Completion)]
    // Held for 100 hours: what is left of the schedule begins when the first step was executed.
    #[case(leaving(1, Some(102)), 125, 8, Next::At(at(126)))]
    #[case(leaving(2, Some(126)), 900, 99, Next::Nothing)]
    fn climbs_down(
        #[case] leaving: Leaving,
        #[case] now: i64,
        #[case] completion: u64,
        #[case] expected: Next,
    ) {
        assert_eq!(next(&leaving, &schedule(), Freshness { completion, fresh: true }, at(now)), expected);
    }
}
