//! Durations as Kubernetes writes them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A length of time as numbers with the units `ms`, `s`, `m` and `h`, such as `90s`, `1h30m` or
/// `720h`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("pattern" = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$", "maxLength" = 32))]
pub struct Duration(pub String);

impl Duration {
    /// The length, or `None` for a text that is not one.
    pub fn get(&self) -> Option<std::time::Duration> {
        let mut total = std::time::Duration::ZERO;
        let mut rest = self.0.as_str();
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let (digits, tail) = rest.split_at_checked(number)?;
            let well_formed = digits.starts_with(|c: char| c.is_ascii_digit())
                && digits.ends_with(|c: char| c.is_ascii_digit())
                && digits.matches('.').count() <= 1;
            let amount = well_formed.then(|| digits.parse::<f64>().ok())??;
            let (unit, tail) = match tail.as_bytes() {
                [b'm', b's', ..] => (0.001, tail.get(2..)?),
                [b's', ..] => (1.0, tail.get(1..)?),
                [b'm', ..] => (60.0, tail.get(1..)?),
                [b'h', ..] => (3600.0, tail.get(1..)?),
                _ => return None,
            };
            total = total.checked_add(std::time::Duration::try_from_secs_f64(amount * unit).ok()?)?;
            rest = tail;
        }
        // Kubernetes counts them in nanoseconds, and so knows none beyond 292 years.
        i64::try_from(total.as_nanos()).ok().map(|_| total)
    }
}

impl From<&str> for Duration {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0s", Some(0))]
    #[case("250ms", Some(250))]
    #[case("1h30m", Some(5_400_000))]
    #[case("1.5h", Some(5_400_000))]
    #[case("720h", Some(2_592_000_000))]
    #[case("", None)]
    #[case("7d", None)]
    #[case("10", None)]
    #[case("-1s", None)]
    #[case("1.s", None)]
    #[case("1.2.3s", None)]
    #[case("h", None)]
    #[case("99999999999999999999h", None)]
    #[case("2562047h", Some(9_223_369_200_000))]
    #[case("2562048h", None)]
    fn reads_what_the_schema_allows(#[case] text: &str, #[case] milliseconds: Option<u128>) {
        assert_eq!(Duration::from(text).get().map(|duration| duration.as_millis()), milliseconds);
    }
}
