//! When something is done next: longer pauses after failures, and a different moment for each object.

use std::hash::{DefaultHasher, Hasher as _};
use std::time::Duration;

use jiff::Timestamp;

/// The longest pause before something is tried again.
pub(super) const LONGEST: Duration = Duration::from_hours(1);
/// The longest delay that keeps objects from beginning at the same moment.
const APART: Duration = Duration::from_mins(1);
/// So far apart the clocks of two machines may be.
const AGREE: Duration = Duration::from_mins(1);

/// When something that failed `failures` times (at least once), last at `at`, is tried again: after
/// `first`, doubled with each further failure, up to an hour, and up to a tenth more.
pub(super) fn again(at: Timestamp, first: Duration, failures: u32, whose: &str) -> Timestamp {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1).min(30));
    let delay = first.saturating_mul(doubled).min(LONGEST.max(first));
    later(at, delay + share((whose, failures), delay / 10))
}

/// When something that is done every `interval`, last at `at`, is done next: up to a tenth of it later,
/// at most a minute, and for each object always as much.
pub(super) fn next(at: Timestamp, interval: Duration, whose: &str) -> Timestamp {
    later(at, interval + share(whose, (interval / 10).min(APART)))
}

/// When something that is due at `at` for many at once is done for this one: up to a minute later.
pub(super) fn apart(at: Timestamp, whose: &str) -> Timestamp {
    later(at, share(whose, APART))
}

/// Whether `at`, which was noted as past, lies ahead: the clock was wrong then, or is now. What rests on it is due, as nobody knows
/// how long ago it was. Two machines may differ by a little.
pub(super) fn is_ahead(at: Timestamp, now: Timestamp) -> bool {
    at > later(now, AGREE)
}

/// `moment` so much later; the end of time, if that comes first.
pub(super) fn later(moment: Timestamp, by: Duration) -> Timestamp {
    moment.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// A part of `whole`, always the same for the same thing; whole seconds, so that times in a status are
/// the times at which things happen.
fn share(of: impl std::hash::Hash, whole: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    match whole.as_secs() {
        0 => Duration::ZERO,
        seconds => Duration::from_secs(hasher.finish() % (seconds + 1)),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::the_first_time(60, 1, 60)]
    #[case::doubled(60, 2, 120)]
    #[case::doubled_again(60, 3, 240)]
    #[case::up_to_an_hour(60, 12, 3600)]
    #[case::for_ever(60, u32::MAX, 3600)]
    #[case::longer_only_if_asked_for(7200, 3, 7200)]
    fn waits_longer_each_time(#[case] first: u64, #[case] failures: u32, #[case] seconds: u64) {
        let at = Timestamp::UNIX_EPOCH;
        let again = again(at, Duration::from_secs(first), failures, "ns/name");
        let waits = Duration::try_from(again.duration_since(at)).unwrap().as_secs();
        assert!((seconds..=seconds + seconds / 10).contains(&waits), "{waits}");
    }

    #[test]
    fn each_keeps_its_own_distance() {
        let interval = Duration::from_mins(15);
        let of = |whose: &str| next(Timestamp::UNIX_EPOCH, interval, whose);
        assert_eq!(of("a/b"), of("a/b"));
        let all: std::collections::BTreeSet<Timestamp> = (0..50).map(|n| of(&format!("a/{n}"))).collect();
        assert!(all.len() > 20, "{}", all.len());
        assert!(all.iter().all(|at| (900..=960).contains(&at.as_second())));
    }
}
