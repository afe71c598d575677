//! What an answer says of how often the service may be asked. Pure.

use std::time::Duration;

use jiff::Timestamp;

use crate::net::http::Answer;

/// A window of more seconds is none that anybody waits for.
const LONGEST: i64 = 3600;
/// More seconds than this are a moment (here in 2001), and not a wait.
const MOMENT: i64 = 1_000_000_000;

/// How many requests are left in the window, and when that ends.
pub(super) fn remaining(answer: &Answer, now: Timestamp) -> Option<(u64, Duration)> {
    let left = number(answer, ["ratelimit-remaining", "x-ratelimit-remaining"])?;
    // Some say at what time, others in how many seconds.
    let reset = number(answer, ["ratelimit-reset", "x-ratelimit-reset"])?;
    let seconds = if reset > MOMENT { (reset - now.as_second()).max(0) } else { reset };
    let within = (0..=LONGEST).contains(&seconds);
    Some((left.try_into().ok()?, Duration::from_secs(seconds.unsigned_abs()))).filter(|_| within)
}

/// How long a service that refuses asks to wait. GitHub says so with status 403, too
/// (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>).
pub(super) fn wait(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let used_up = || match remaining(answer, now) {
        Some((0, wait)) if matches!(answer.status, 403 | 429) => Some(wait),
        _ => None,
    };
    answer.retry_after(now).or_else(used_up)
}

fn number(answer: &Answer, names: [&str; 2]) -> Option<i64> {
    names.into_iter().find_map(|name| answer.header(name))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::as_asked(403, &[("retry-after", "60")], Some(60))]
    #[case::in_seconds(429, &[("ratelimit-remaining", "0"), ("ratelimit-reset", "30")], Some(30))]
    #[case::at_a_moment(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1767225720")], Some(120))]
    #[case::passed(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1767225599")], Some(0))]
    #[case::some_are_left(403, &[("x-ratelimit-remaining", "7"), ("x-ratelimit-reset", "1767225720")], None)]
    #[case::too_long(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1767312000")], None)]
    #[case::no_limit(400, &[("ratelimit-remaining", "0"), ("ratelimit-reset", "30")], None)]
    fn a_service_asks_to_wait(
        #[case] status: u16,
        #[case] headers: &[(&'static str, &'static str)],
        #[case] seconds: Option<u64>,
    ) {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let answer = Answer::of(status, headers, "{}");
        assert_eq!(wait(&answer, now), seconds.map(Duration::from_secs));
    }
}
