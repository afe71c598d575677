//! Whether a policy runs now, and if not, when.

use jiff::Timestamp;

use crate::controller::delay;
use crate::controller::state::Next;

/// What the decision rests on.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Inputs {
    pub(super) now: Timestamp,
    /// Whether it rests.
    pub(super) suspended: bool,
    /// Whether its spec can work and its connectors are there.
    pub(super) valid: bool,
    /// Whether a run is under way.
    pub(super) running: bool,
    /// Whether the spec that decides what is done is another than what ran last.
    pub(super) edited: bool,
    /// Whether somebody asked for a run by the annotation.
    pub(super) requested: bool,
    /// Whether an approval was given that no run has seen.
    pub(super) approved: bool,
    /// Its directories; `None` if one of them was never read to its end.
    pub(super) sources: Option<Sources>,
    /// The last run; `None` if there is none that counts in this store.
    pub(super) last: Option<Last>,
    /// The next time that its schedule names after the last run; `None` without a schedule.
    pub(super) scheduled: Option<Timestamp>,
    /// When a run that failed is tried again.
    pub(super) again: Option<Timestamp>,
    /// When the target is to be compared with what was left there; a schedule says when that is done.
    pub(super) verify_at: Option<Timestamp>,
}

/// What is known of a policy's directories together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sources {
    /// The number of the last change.
    pub(super) sequence: u64,
    /// When the one that completed longest ago did so.
    pub(super) completed_at: Timestamp,
    /// Whether all of them can be read, and were, within `maxAge`.
    pub(super) healthy: bool,
    /// Whether one is being read because this policy asked for it.
    pub(super) awaited: bool,
}

/// A run that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Last {
    pub(super) started_at: Timestamp,
    /// The number of the last change that it knew.
    pub(super) sequence: u64,
    /// When something falls due that no read will announce.
    pub(super) due: Option<Timestamp>,
    /// Whether it left something undone because a directory could not be read.
    pub(super) lacked_source: bool,
}

pub(super) fn decide(facts: &Inputs) -> Next {
    let Some(sources) = facts.sources else { return Next::Rest };
    if facts.suspended || !facts.valid || facts.running || sources.awaited {
        return Next::Rest;
    }
    if facts.edited || facts.requested || facts.approved {
        return Next::Begin;
    }
    let Some(last) = facts.last else {
        // The first run waits for nothing but a failure's pause.
        return facts.again.map_or(Next::Begin, |at| facts.when(at));
    };
    if last.lacked_source && sources.healthy || delay::is_ahead(last.started_at, facts.now) {
        return Next::Begin;
    }
    if let Some(at) = facts.again {
        return facts.when(at);
    }
    match facts.scheduled {
        Some(at) => facts.when(at),
        None if sources.sequence > last.sequence => Next::Begin,
        None => {
            let due = last.due.map_or(Next::Rest, |due| facts.due(due, last, sources));
            facts.verify_at.map_or(due, |at| due.earlier(facts.when(at)))
        }
    }
}

impl Inputs {
    fn when(&self, at: Timestamp) -> Next {
        if at <= self.now { Next::Begin } else { Next::At(at) }
    }

    /// What fell due and was not done then waits for a newer read (a later step of a schedule needs one).
    fn due(&self, due: Timestamp, last: Last, sources: Sources) -> Next {
        if due > last.started_at {
            self.when(due)
        } else if sources.completed_at > last.started_at {
            Next::Begin
        } else {
            Next::Rest
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn sources() -> Sources {
        Sources { sequence: 7, completed_at: at(40), healthy: true, awaited: false }
    }

    fn last() -> Last {
        Last { started_at: at(50), sequence: 7, due: None, lacked_source: false }
    }

    /// Ran at 50, and nothing has happened since.
    fn facts() -> Inputs {
        Inputs {
            now: at(100),
            suspended: false,
            valid: true,
            running: false,
            edited: false,
            requested: false,
            approved: false,
            sources: Some(sources()),
            last: Some(last()),
            scheduled: None,
            again: None,
            verify_at: None,
        }
    }

    fn changed() -> Inputs {
        Inputs { sources: Some(Sources { sequence: 8, ..sources() }), ..facts() }
    }

    fn due(due: i64, completed_at: i64) -> Inputs {
        let last = Last { due: Some(at(due)), ..last() };
        Inputs {
            last: Some(last),
            sources: Some(Sources { completed_at: at(completed_at), ..sources() }),
            ..facts()
        }
    }

    fn lacking(healthy: bool) -> Inputs {
        let last = Last { lacked_source: true, ..last() };
        Inputs { last: Some(last), sources: Some(Sources { healthy, ..sources() }), ..facts() }
    }

    #[rstest]
    #[case::nothing_happened(facts(), Next::Rest)]
    #[case::a_read_brought_something(changed(), Next::Begin)]
    #[case::never_ran(Inputs { last: None, ..facts() }, Next::Begin)]
    #[case::never_ran_and_is_scheduled(Inputs { last: None, scheduled: Some(at(500)), ..facts() }, Next::Begin)]
    #[case::nothing_to_run_on(Inputs { last: None, sources: None, ..facts() }, Next::Rest)]
    #[case::first_run_failed(Inputs { last: None, again: Some(at(160)), ..facts() }, Next::At(at(160)))]
    #[case::requested_after_the_first_failed(
        Inputs { last: None, again: Some(at(160)), requested: true, ..facts() },
        Next::Begin
    )]
    #[case::edited(Inputs { edited: true, ..facts() }, Next::Begin)]
    #[case::requested_in_back_off(Inputs { requested: true, again: Some(at(900)), ..facts() }, Next::Begin)]
    #[case::approved(Inputs { approved: true, scheduled: Some(at(900)), ..facts() }, Next::Begin)]
    #[case::verified_later(Inputs { verify_at: Some(at(200)), ..facts() }, Next::At(at(200)))]
    #[case::to_be_verified(Inputs { verify_at: Some(at(90)), ..facts() }, Next::Begin)]
    #[case::due_before_it_is_verified(Inputs { verify_at: Some(at(200)), ..due(150, 40) }, Next::At(at(150)))]
    #[case::verified_before_it_is_due(Inputs { verify_at: Some(at(120)), ..due(150, 40) }, Next::At(at(120)))]
    #[case::verified_by_the_schedule(
        Inputs { verify_at: Some(at(90)), scheduled: Some(at(500)), ..facts() },
        Next::At(at(500))
    )]
    #[case::verified_after_the_pause_of_a_failure(
        Inputs { verify_at: Some(at(90)), again: Some(at(160)), ..facts() },
        Next::At(at(160))
    )]
    #[case::suspended(Inputs { suspended: true, requested: true, ..changed() }, Next::Rest)]
    #[case::invalid(Inputs { valid: false, requested: true, ..changed() }, Next::Rest)]
    #[case::under_way(Inputs { running: true, requested: true, ..changed() }, Next::Rest)]
    #[case::waits_for_a_read(
        Inputs { sources: Some(Sources { awaited: true, ..sources() }), approved: true, ..facts() },
        Next::Rest
    )]
    #[case::scheduled(Inputs { scheduled: Some(at(500)), ..changed() }, Next::At(at(500)))]
    #[case::its_time_has_come(Inputs { scheduled: Some(at(100)), ..facts() }, Next::Begin)]
    #[case::failed(Inputs { again: Some(at(160)), ..changed() }, Next::At(at(160)))]
    #[case::failed_long_ago(Inputs { again: Some(at(90)), ..facts() }, Next::Begin)]
    #[case::falls_due(due(150, 40), Next::At(at(150)))]
    #[case::is_due(due(100, 40), Next::Begin)]
    #[case::was_due_and_waits_for_a_read(due(50, 40), Next::Rest)]
    #[case::was_due_and_there_is_a_read(due(50, 60), Next::Begin)]
    #[case::ran_when_the_clock_was_ahead(
        Inputs { now: at(-1_000_000), scheduled: Some(at(500)), ..facts() },
        Next::Begin
    )]
    #[case::ran_when_the_clock_was_ahead_a_little(Inputs { now: at(0), ..facts() }, Next::Rest)]
    #[case::a_source_is_still_missing(lacking(false), Next::Rest)]
    #[case::a_source_came_back(lacking(true), Next::Begin)]
    fn decides(#[case] facts: Inputs, #[case] expected: Next) {
        assert_eq!(decide(&facts), expected);
    }
}
