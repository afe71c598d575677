//! Whether a request is sent again, and when. Pure: whoever asks waits by itself.

use std::time::Duration;

use jiff::Timestamp;

/// What came of a request that may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// An answer with this status, and how long it asks to wait.
    Status(u16, Option<Duration>),
    /// No whole answer: the connection was lost, or nothing came in time.
    Nothing,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is sent again after this time.
    Again(Duration),
    /// It is not sent again; the server asks to be left alone for this time, if it says one.
    GiveUp(Option<Duration>),
}

/// How often, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// So often a request is sent at most.
    pub tries: u32,
    /// The first wait where the server says none; doubled each time.
    pub first: Duration,
    /// Whoever asks to wait longer is asked no more; no wait of our own is longer.
    pub longest: Duration,
}

impl Default for Policy {
    /// A read waits out what passes by itself; what lasts longer is the connector's to try again.
    fn default() -> Self {
        Self { tries: 6, first: Duration::from_secs(1), longest: Duration::from_mins(2) }
    }
}

impl Policy {
    /// What to do after the request was sent `tried` times. `chance` is a number from 0 to 1 that spreads those who
    /// failed together.
    pub fn next(&self, came: Came, tried: u32, chance: f64) -> Next {
        let asked = match came {
            Came::Status(status, asked) if passes(status) => asked,
            // So some say that they are asked too often.
            Came::Status(403, Some(asked)) => Some(asked),
            Came::Status(..) => return Next::GiveUp(None),
            Came::Nothing => None,
        };
        if tried >= self.tries || asked.is_some_and(|asked| asked > self.longest) {
            return Next::GiveUp(asked);
        }
        let chance = if chance.is_finite() { chance.clamp(0.0, 1.0) } else { 1.0 };
        if let Some(asked) = asked {
            // Never sooner than it was asked, and not all in the same moment.
            return Next::Again(asked + Duration::from_secs(1).mul_f64(chance));
        }
        let doubled = self.first.saturating_mul(1 << (tried.saturating_sub(1)).min(16));
        let half = doubled.min(self.longest) / 2;
        Next::Again(half + half.mul_f64(chance))
    }
}

/// Whether what a status says passes by itself.
pub fn passes(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504 | 509)
}

/// How long `Retry-After` asks to wait (RFC 9110 section 10.2.3): a number of seconds, or a date, as of `now`. `None` of
/// what is neither.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if value.is_empty() {
        return None;
    }
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let left = date(value)?.duration_since(now);
    Some(Duration::try_from(left).unwrap_or(Duration::ZERO))
}

/// The moment of an HTTP date (RFC 9110 section 5.6.7), in the form in which servers send it.
pub fn date(value: &str) -> Option<Timestamp> {
    let moment = jiff::fmt::rfc2822::parse(value.trim()).ok()?;
    Some(moment.timestamp())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const POLICY: Policy =
        Policy { tries: 4, first: Duration::from_secs(1), longest: Duration::from_mins(1) };

    fn seconds(next: Next) -> Option<f64> {
        match next {
            Next::Again(wait) => Some(wait.as_secs_f64()),
            Next::GiveUp(_) => None,
        }
    }

    #[rstest]
    #[case::first(Came::Status(503, None), 1, 0.5, 1.0)]
    #[case::doubled(Came::Status(500, None), 2, 1.0, 2.0)]
    #[case::again(Came::Nothing, 3, 2.0, 4.0)]
    #[case::as_asked(Came::Status(429, Some(Duration::from_secs(7))), 1, 7.0, 8.0)]
    #[case::at_once(Came::Status(429, Some(Duration::ZERO)), 3, 0.0, 1.0)]
    fn waits_at_least_and_at_most(
        #[case] came: Came,
        #[case] tried: u32,
        #[case] least: f64,
        #[case] most: f64,
    ) {
        for chance in [0.0, 0.3, 1.0] {
            let waited = seconds(POLICY.next(came, tried, chance)).unwrap();
            assert!((least..=most).contains(&waited), "{waited}");
        }
        for chance in [-5.0, 7.0, f64::NAN, f64::INFINITY] {
            assert!(seconds(POLICY.next(came, tried, chance)).is_some());
        }
    }

    #[rstest]
    #[case::refused(Came::Status(403, None), 1, None)]
    #[case::not_there(Came::Status(404, Some(Duration::from_secs(1))), 1, None)]
    #[case::too_often(Came::Status(503, None), 4, None)]
    #[case::too_often_asked(Came::Status(429, Some(Duration::from_secs(3))), 4, Some(3))]
    #[case::too_long(Came::Status(429, Some(Duration::from_secs(61))), 1, Some(61))]
    #[case::for_ever(Came::Status(503, Some(Duration::MAX)), 1, Some(u64::MAX))]
    fn gives_up(#[case] came: Came, #[case] tried: u32, #[case] asked: Option<u64>) {
        let Next::GiveUp(left) = POLICY.next(came, tried, 0.5) else { panic!("it goes on") };
        assert_eq!(left.map(|left| left.as_secs()), asked);
    }

    #[test]
    fn no_number_of_tries_overflows() {
        let policy = Policy { tries: u32::MAX, ..POLICY };
        assert_eq!(seconds(policy.next(Came::Nothing, u32::MAX - 1, 1.0)), Some(60.0));
    }

    #[rstest]
    #[case("0", Some(0))]
    #[case(" 120 ", Some(120))]
    #[case("99999999999999999999999", Some(u64::MAX))]
    #[case("Sun, 06 Nov 1994 08:49:37 GMT", Some(37))]
    #[case("Sun, 06 Nov 1994 08:40:00 GMT", Some(0))]
    #[case("Thu, 31 Dec 9998 23:59:59 GMT", Some(u64::MAX))]
    #[case("", None)]
    #[case("-1", None)]
    #[case("1.5", None)]
    #[case("soon", None)]
    fn reads_seconds_and_dates(#[case] value: &str, #[case] seconds: Option<u64>) {
        let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
        let read = retry_after(value, now).map(|wait| wait.as_secs());
        match seconds {
            // Dates of the far end are only to be long.
            Some(seconds) if seconds > 1 << 32 => assert!(read.unwrap() > 1 << 32),
            seconds => assert_eq!(read, seconds),
        }
    }
}
