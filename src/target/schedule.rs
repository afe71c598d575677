//! Who may call a target now. Pure: time is given, as the time since the beginning; whoever waits does so by itself.

use std::collections::BTreeSet;
use std::time::Duration;

use super::capability::Rates;
use super::lane::Lane;

/// Whether a call changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// It does not.
    Read,
    /// It does.
    Write,
}

/// Somebody who waits for a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    lane: Lane,
    number: u64,
}

/// What whoever waits does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Calls.
    Call,
    /// Looks again then, or when something changes.
    At(Duration),
    /// Looks again when something changes.
    Later,
}

/// What an answer says of the rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Its status; 0 if there was no answer.
    pub status: u16,
    /// How long to wait (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// How many calls are left, and for how long that counts (`RateLimit-Remaining`, `RateLimit-Reset`).
    pub remaining: Option<(u64, Duration)>,
}

/// So many calls may come at once after a rest.
const BURST: f64 = 5.0;
/// The wait after an answer that asks for one without saying how long; doubled each time.
const FIRST: Duration = Duration::from_secs(1);
/// The longest of those.
const LONGEST: Duration = Duration::from_mins(1);

/// Windows whose ends differ by no more are the same.
const SAME: Duration = Duration::from_millis(50);

/// Who may call a target now.
#[derive(Debug)]
pub(super) struct Schedule {
    at_once: usize,
    under_way: usize,
    reads: Bucket,
    writes: Bucket,
    waiting: BTreeSet<Ticket>,
    next: u64,
    /// Until when the target asks to be left alone.
    quiet_until: Duration,
    /// How often in a row it asked for that.
    asked: u32,
    /// How many calls are left as of the last answer, and until when that counts.
    left: Option<(u64, Duration)>,
}

/// Fills with time, up to a bound.
#[derive(Debug)]
struct Bucket {
    per_second: Option<f64>,
    tokens: f64,
    at: Duration,
}

impl Bucket {
    fn new(per_minute: Option<u32>) -> Self {
        Self {
            per_second: per_minute.map(|rate| f64::from(rate.max(1)) / 60.0),
            tokens: BURST,
            at: Duration::ZERO,
        }
    }

    /// How long until there is a token.
    fn wait(&mut self, now: Duration) -> Option<Duration> {
        let per_second = self.per_second?;
        self.tokens = (self.tokens + per_second * now.saturating_sub(self.at).as_secs_f64()).min(BURST);
        self.at = now;
        // What is lost by rounding must not keep anybody waiting for nothing.
        (self.tokens < 1.0 - 1e-6).then(|| Duration::from_secs_f64((1.0 - self.tokens) / per_second))
    }
}

impl Schedule {
    pub(super) fn new() -> Self {
        Self {
            at_once: 1,
            under_way: 0,
            reads: Bucket::new(None),
            writes: Bucket::new(None),
            waiting: BTreeSet::new(),
            next: 0,
            quiet_until: Duration::ZERO,
            asked: 0,
            left: None,
        }
    }

    /// How many calls may be under way at once, and how many there may be in a minute.
    pub(super) fn limit(&mut self, at_once: usize, rates: Rates) {
        self.at_once = at_once.max(1);
        for (bucket, rate) in
            [(&mut self.reads, rates.reads_per_minute), (&mut self.writes, rates.writes_per_minute)]
        {
            let new = Bucket::new(rate);
            if bucket.per_second != new.per_second {
                *bucket = new;
            }
        }
    }

    /// Somebody wants a turn.
    pub(super) fn ask(&mut self, lane: Lane) -> Ticket {
        let ticket = Ticket { lane, number: self.next };
        self.next += 1;
        self.waiting.insert(ticket);
        ticket
    }

    /// Somebody does not want one any more.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        self.waiting.remove(&ticket);
    }

    /// What somebody who waits does; whoever is told to call has a turn, until [`Self::done`].
    pub(super) fn next(&mut self, ticket: Ticket, call: Call, now: Duration) -> Next {
        if self.waiting.first() != Some(&ticket) || self.under_way >= self.at_once {
            return Next::Later;
        }
        if now < self.quiet_until {
            return Next::At(self.quiet_until);
        }
        match self.left {
            Some((_, until)) if now >= until => self.left = None,
            // Those under way may not be counted yet.
            Some((left, until)) if left <= self.under_way as u64 => return Next::At(until),
            _ => {}
        }
        let bucket = match call {
            Call::Read => &mut self.reads,
            Call::Write => &mut self.writes,
        };
        if let Some(wait) = bucket.wait(now) {
            return Next::At(now + wait);
        }
        if bucket.per_second.is_some() {
            bucket.tokens -= 1.0;
        }
        self.waiting.remove(&ticket);
        self.under_way += 1;
        Next::Call
    }

    /// A turn is over.
    pub(super) fn done(&mut self, said: Said, now: Duration) {
        self.under_way = self.under_way.saturating_sub(1);
        let asks_to_wait = matches!(said.status, 403 | 503) && said.retry_after.is_some();
        let is_busy = said.status == 429 || asks_to_wait;
        if is_busy {
            let own = FIRST.saturating_mul(1 << self.asked.min(16)).min(LONGEST);
            self.asked = self.asked.saturating_add(1);
            self.quiet_until = self.quiet_until.max(now + said.retry_after.unwrap_or(own));
        } else if said.status != 0 {
            self.asked = 0;
        }
        let told = said.remaining.map(|(left, reset)| (left, now + reset, (reset / 2).max(SAME)));
        self.left = match (told, self.left) {
            // Answers may overtake each other: of one window the least counts.
            (Some((left, until, same)), Some((known, end))) if until <= end + same => {
                Some((left.min(known), until))
            }
            (Some((left, until, _)), _) => Some((left, until)),
            (None, known) => known.map(|(left, until)| (left.saturating_sub(1), until)),
        };
    }

    /// Until when everybody waits, if the target asked for it.
    pub(super) fn quiet_until(&self) -> Duration {
        match self.left {
            Some((0, until)) => self.quiet_until.max(until),
            _ => self.quiet_until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn wide(at_once: usize) -> Schedule {
        let mut schedule = Schedule::new();
        schedule.limit(at_once, Rates::default());
        schedule
    }

    fn fine() -> Said {
        Said { status: 200, ..Said::default() }
    }

    #[test]
    fn a_leaver_who_comes_last_goes_first() {
        let mut schedule = wide(1);
        let updates: Vec<Ticket> = (0..10_000).map(|_| schedule.ask(Lane::Rest)).collect();
        assert_eq!(schedule.next(updates[0], Call::Write, secs(0)), Next::Call);
        let joiner = schedule.ask(Lane::Joiners);
        let leaver = schedule.ask(Lane::Leavers);
        assert_eq!(schedule.next(leaver, Call::Write, secs(0)), Next::Later, "one is under way");
        schedule.done(fine(), secs(1));
        for waiting in [updates[1], joiner] {
            assert_eq!(schedule.next(waiting, Call::Write, secs(1)), Next::Later);
        }
        assert_eq!(schedule.next(leaver, Call::Write, secs(1)), Next::Call);
        schedule.done(fine(), secs(2));
        assert_eq!(schedule.next(joiner, Call::Write, secs(2)), Next::Call);
    }

    #[test]
    fn no_more_are_under_way_than_may_be() {
        let mut schedule = wide(3);
        let all: Vec<Ticket> = (0..5).map(|_| schedule.ask(Lane::Rest)).collect();
        let told: Vec<Next> = all.iter().map(|one| schedule.next(*one, Call::Read, secs(0))).collect();
        assert_eq!(told, [Next::Call, Next::Call, Next::Call, Next::Later, Next::Later]);
        schedule.done(fine(), secs(0));
        assert_eq!(
            schedule.next(all[4], Call::Read, secs(0)),
            Next::Later,
            "in the order in which they came"
        );
        assert_eq!(schedule.next(all[3], Call::Read, secs(0)), Next::Call);
        schedule.done(fine(), secs(0));
        schedule.leave(all[4]);
        let late = schedule.ask(Lane::Rest);
        assert_eq!(schedule.next(late, Call::Read, secs(0)), Next::Call);
    }

    #[test]
    fn a_rate_is_kept_whatever_the_burst() {
        let mut schedule = Schedule::new();
        schedule.limit(1, Rates { reads_per_minute: None, writes_per_minute: Some(16) });
        let (mut now, mut calls) = (secs(0), 0);
        while now < secs(600) {
            let ticket = schedule.ask(Lane::Rest);
            loop {
                match schedule.next(ticket, Call::Write, now) {
                    Next::Call => break,
                    Next::At(then) => {
                        assert!(then > now);
                        now = then;
                    }
                    Next::Later => panic!("nobody else is there"),
                }
            }
            calls += 1;
            schedule.done(fine(), now);
        }
        assert!((160..=166).contains(&calls), "{calls} in ten minutes");
        // Reads have no rate here.
        let ticket = schedule.ask(Lane::Rest);
        assert_eq!(schedule.next(ticket, Call::Read, now), Next::Call);
    }

    #[test]
    fn a_refusal_that_asks_to_wait_is_one_for_everybody() {
        for (status, until) in [(403, 31), (503, 31), (400, 0)] {
            let mut schedule = wide(2);
            let ticket = schedule.ask(Lane::Rest);
            assert_eq!(schedule.next(ticket, Call::Write, secs(0)), Next::Call);
            schedule.done(Said { status, retry_after: Some(secs(30)), remaining: None }, secs(1));
            assert_eq!(schedule.quiet_until(), secs(until), "{status}");
        }
    }

    #[test]
    fn everybody_waits_for_as_long_as_the_target_asks() {
        let mut schedule = wide(2);
        let [one, other] = [schedule.ask(Lane::Rest), schedule.ask(Lane::Leavers)];
        assert_eq!(schedule.next(other, Call::Write, secs(0)), Next::Call);
        schedule.done(Said { status: 429, retry_after: Some(secs(30)), remaining: None }, secs(1));
        assert_eq!(schedule.next(one, Call::Write, secs(2)), Next::At(secs(31)));
        assert_eq!(schedule.next(one, Call::Write, secs(31)), Next::Call);
        // Without a time: longer each time, until something is answered.
        let busy = Said { status: 429, ..Said::default() };
        schedule.done(busy, secs(31));
        assert_eq!(schedule.quiet_until(), secs(33), "it is the second time");
        let next = schedule.ask(Lane::Rest);
        assert_eq!(schedule.next(next, Call::Write, secs(33)), Next::Call);
        schedule.done(fine(), secs(33));
        let next = schedule.ask(Lane::Rest);
        assert_eq!(schedule.next(next, Call::Write, secs(33)), Next::Call);
        schedule.done(busy, secs(33));
        assert_eq!(schedule.quiet_until(), secs(34));
    }

    #[test]
    fn what_is_left_is_not_exceeded() {
        let mut schedule = wide(4);
        let first = schedule.ask(Lane::Rest);
        assert_eq!(schedule.next(first, Call::Read, secs(0)), Next::Call);
        schedule.done(Said { status: 200, retry_after: None, remaining: Some((2, secs(10))) }, secs(0));
        let all: Vec<Ticket> = (0..4).map(|_| schedule.ask(Lane::Rest)).collect();
        let told: Vec<Next> = all.iter().map(|one| schedule.next(*one, Call::Write, secs(1))).collect();
        assert_eq!(told, [Next::Call, Next::Call, Next::At(secs(10)), Next::Later]);
        assert_eq!(schedule.next(all[2], Call::Write, secs(10)), Next::Call);
    }

    #[test]
    fn an_answer_that_was_overtaken_gives_nothing_back() {
        let mut schedule = wide(4);
        let told =
            |left, reset| Said { status: 200, retry_after: None, remaining: Some((left, secs(reset))) };
        let call = |schedule: &mut Schedule, now| {
            let ticket = schedule.ask(Lane::Rest);
            schedule.next(ticket, Call::Write, now)
        };
        assert_eq!([(); 2].map(|()| call(&mut schedule, secs(0))), [Next::Call, Next::Call]);
        // The second one is answered first.
        schedule.done(told(1, 10), secs(1));
        schedule.done(told(2, 10), secs(1));
        assert_eq!([(); 2].map(|()| call(&mut schedule, secs(2))), [Next::Call, Next::At(secs(11))]);
        schedule.done(told(0, 9), secs(2));
        // Another window has its own.
        let ticket = schedule.waiting.pop_first().unwrap();
        schedule.leave(ticket);
        assert_eq!(call(&mut schedule, secs(11)), Next::Call);
        schedule.done(told(9, 10), secs(11));
        assert_eq!(schedule.left.unwrap().0, 9);
    }
}
