//! Times as directories write them.

use jiff::Timestamp;

/// A time as directories write it (RFC 4517 section 3.3.13), if it is of the usual form, in UTC.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let (seconds, rest) = text.split_at_checked("YYYYMMDDhhmmss".len())?;
    rest.ends_with('Z').then_some(())?;
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", seconds).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}
