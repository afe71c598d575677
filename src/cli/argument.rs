//! Arguments that several commands parse alike.

use std::time::Duration;

use crate::api;

/// Parses a duration, written as in the resources.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    api::Duration(text.to_owned())
        .get()
        .ok_or_else(|| "write it with ms, s, m and h, such as 90s or 1h30m".to_owned())
}
