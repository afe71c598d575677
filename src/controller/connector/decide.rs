//! Whether a connector's directory is read now, and if not, when.

use std::time::Duration;

use jiff::Timestamp;

use super::health::Asked;
use crate::controller::delay;
use crate::controller::state::Next;
use crate::spec::SHORTEST_INTERVAL;

/// What the decision rests on.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Inputs<'a> {
    pub(super) now: Timestamp,
    /// `namespace/name`: sets apart those who would begin at once.
    pub(super) whose: &'a str,
    /// Whether it rests.
    pub(super) suspended: bool,
    /// Its intervals; `None` if its spec cannot work.
    pub(super) intervals: Option<Intervals>,
    /// Whether a read is under way.
    pub(super) reading: bool,
    /// Whether the spec, or what is used of a Secret or ConfigMap that it names, is another than what was tried last;
    /// not if the directory refused who asks, and nobody else would ask now.
    pub(super) edited: bool,
    /// Whether somebody asked for a read by the annotation.
    pub(super) requested: bool,
    /// Whether a policy needs another read than there is, and which.
    pub(super) asked: Option<Asked>,
    /// Whether an administrator answered who was asked for consent.
    pub(super) answered: bool,
    /// When the last read that reached its end did so.
    pub(super) read_at: Option<Timestamp>,
    /// How the last one failed; none if it did not.
    pub(super) failed: Option<Failed>,
}

/// A read that failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed {
    pub(super) at: Timestamp,
    /// How many did in a row.
    pub(super) count: u32,
    /// When it is tried again at the earliest, as was said before this process began.
    pub(super) not_before: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Intervals {
    pub(super) interval: Duration,
    pub(super) retry: Duration,
}

pub(super) fn decide(facts: &Inputs<'_>) -> Next {
    let Some(Intervals { interval, retry }) = facts.intervals.filter(|_| !facts.suspended && !facts.reading)
    else {
        return Next::Rest;
    };
    if facts.edited || facts.requested {
        return Next::Begin;
    }
    let last = facts.failed.map(|failed| failed.at).or(facts.read_at);
    if last.is_some_and(|at| delay::is_ahead(at, facts.now)) {
        return Next::Begin;
    }
    let due = match (facts.failed, facts.read_at) {
        // Nobody waits longer for a second try than for the next read.
        // A person waits for it, and whoever finds the page could ask without end.
        (Some(Failed { at, .. }), _) if facts.answered => delay::later(at, SHORTEST_INTERVAL),
        (Some(Failed { at, count, not_before }), _) => delay::again(at, retry, count, facts.whose)
            .min(delay::next(at, interval.max(retry), facts.whose))
            .max(not_before.unwrap_or(at)),
        (None, Some(at)) => match facts.asked {
            // A person waits for it, and asks once.
            Some(Asked::LookedUp) => facts.now,
            // However often policies ask: one that finds every read too old would have it read without end.
            Some(Asked::Fresher) => delay::later(at, SHORTEST_INTERVAL),
            None => delay::next(at, interval, facts.whose),
        },
        (None, None) => facts.now,
    };
    if due <= facts.now { Next::Begin } else { Next::At(due) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Read at 0, now 100, every 15 minutes.
    fn facts() -> Inputs<'static> {
        let intervals = Intervals { interval: Duration::from_mins(15), retry: Duration::from_mins(1) };
        Inputs {
            now: at(100),
            whose: "id/corp",
            suspended: false,
            intervals: Some(intervals),
            reading: false,
            edited: false,
            requested: false,
            asked: None,
            answered: false,
            read_at: Some(at(0)),
            failed: None,
        }
    }

    fn failed(count: u32) -> Failed {
        Failed { at: at(90), count, not_before: None }
    }

    #[rstest]
    #[case::never_read(Inputs { read_at: None, ..facts() }, Next::Begin)]
    #[case::read_already(facts(), Next::At(delay::next(at(0), Duration::from_mins(15), "id/corp")))]
    #[case::due(Inputs { now: at(960), ..facts() }, Next::Begin)]
    #[case::overdue_after_a_long_stop(Inputs { now: at(1_000_000), ..facts() }, Next::Begin)]
    #[case::read_when_the_clock_was_ahead(Inputs { now: at(-1_000_000), ..facts() }, Next::Begin)]
    #[case::read_when_the_clock_was_ahead_a_little(
        Inputs { now: at(-30), ..facts() },
        Next::At(delay::next(at(0), Duration::from_mins(15), "id/corp"))
    )]
    #[case::failed_when_the_clock_was_ahead(
        Inputs { now: at(-1_000_000), failed: Some(failed(1)), ..facts() },
        Next::Begin
    )]
    #[case::edited(Inputs { edited: true, ..facts() }, Next::Begin)]
    #[case::requested(Inputs { requested: true, ..facts() }, Next::Begin)]
    #[case::asked_by_a_policy(Inputs { asked: Some(Asked::Fresher), ..facts() }, Next::Begin)]
    #[case::asked_again_at_once(
        Inputs { now: at(3), asked: Some(Asked::Fresher), ..facts() },
        Next::At(at(10))
    )]
    #[case::asked_for_an_approval(Inputs { now: at(3), asked: Some(Asked::LookedUp), ..facts() }, Next::Begin)]
    #[case::suspended(Inputs { suspended: true, requested: true, edited: true, ..facts() }, Next::Rest)]
    #[case::under_way(Inputs { reading: true, requested: true, ..facts() }, Next::Rest)]
    #[case::cannot_work(Inputs { intervals: None, requested: true, ..facts() }, Next::Rest)]
    #[case::failed(Inputs { failed: Some(failed(1)), ..facts() }, Next::At(delay::again(at(90), Duration::from_mins(1), 1, "id/corp")))]
    #[case::asked_while_failing(
        Inputs { failed: Some(failed(1)), asked: Some(Asked::Fresher), ..facts() },
        Next::At(delay::again(at(90), Duration::from_mins(1), 1, "id/corp"))
    )]
    #[case::failed_before_a_restart(
        Inputs { failed: Some(Failed { at: at(90), count: 1, not_before: Some(at(800)) }), ..facts() },
        Next::At(at(800))
    )]
    #[case::answered_while_failing(
        Inputs { answered: true, failed: Some(Failed { at: at(90), ..failed(9) }), ..facts() },
        Next::Begin
    )]
    #[case::answered_again_at_once(
        Inputs { answered: true, failed: Some(Failed { at: at(99), ..failed(9) }), ..facts() },
        Next::At(at(109))
    )]
    #[case::requested_while_failing(Inputs { failed: Some(failed(9)), requested: true, ..facts() }, Next::Begin)]
    #[case::never_later_than_the_interval(
        Inputs { failed: Some(failed(30)), ..facts() },
        Next::At(delay::next(at(90), Duration::from_mins(15), "id/corp"))
    )]
    fn decides(#[case] facts: Inputs<'_>, #[case] expected: Next) {
        assert_eq!(decide(&facts), expected);
    }
}
