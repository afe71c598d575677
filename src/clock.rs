//! The only reader of wall time. All other code gets the time as an argument.

use std::time::{Duration, SystemTime};

use futures::future::{BoxFuture, FutureExt as _};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A source of the current time, which tests can replace.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// A clock that can also wait.
pub trait Timer: Clock {
    /// Waits until it is `moment` or later.
    fn until(&self, moment: Timestamp) -> BoxFuture<'_, ()>;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// Whoever sets the machine's clock forward is noticed after so long.
const NAP: Duration = Duration::from_mins(1);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // One beyond what can be written is refused at the start: see `check`.
        Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::MAX)
    }
}

/// Says what is wrong with the machine's clock, if its year cannot be.
///
/// # Errors
/// When the year is not one from 2020 to 2199.
pub fn check(now: Timestamp) -> Result<(), String> {
    let year = now.to_zoned(TimeZone::UTC).year();
    if (2020..2200).contains(&year) {
        return Ok(());
    }
    Err(format!("this machine's clock is in the year {year}; set it with a time service"))
}

impl Timer for SystemClock {
    fn until(&self, moment: Timestamp) -> BoxFuture<'_, ()> {
        async move {
            while let Ok(left) = Duration::try_from(moment.duration_since(self.now()))
                && !left.is_zero()
            {
                tokio::time::sleep(left.min(NAP)).await;
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_in_a_far_year_is_refused() {
        for (now, fine) in [
            ("2019-12-31T23:59:59Z", false),
            ("2020-01-01T00:00:00Z", true),
            ("2199-12-31T23:59:59Z", true),
            ("2200-01-01T00:00:00Z", false),
            ("9999-01-01T00:00:00Z", false),
        ] {
            assert_eq!(check(now.parse().unwrap()).is_ok(), fine, "{now}");
        }
        assert!(check(Timestamp::MIN).is_err() && check(Timestamp::MAX).is_err());
    }
}
