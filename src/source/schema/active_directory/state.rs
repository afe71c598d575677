//! Whether an account of a domain is disabled, and when it expires. What is not shown is unknown: it is never "enabled" or
//! "not expired". Pure.

use jiff::{SignedDuration, Timestamp};

use super::attribute::{number, values};
use super::mailbox::{self, WITHOUT_LOGIN};
use crate::directory::EntryKind;
use crate::source::schema::attributes::{Attributes, is_said};

/// A bit of `userAccountControl`.
const DISABLED: i64 = 0x2;

/// Hundreds of nanoseconds from the year 1601 to 1970.
const UNIX_EPOCH: i64 = 116_444_736_000_000_000;

/// The attributes that every account of a domain has: one that does not show them hides them.
pub(in crate::source) const ATTRIBUTES: &[&str] = &["userAccountControl", "accountExpires"];
/// Whether an account is disabled, in Active Directory Lightweight Directory Services; accounts there need not expire.
const OF_LIGHTWEIGHT: &str = "msds-useraccountdisabled";

/// Whether an entry shows a state as accounts of a domain do.
pub(in crate::source) fn is_shown(attributes: &Attributes) -> bool {
    attributes.has("useraccountcontrol") || attributes.has(OF_LIGHTWEIGHT)
}

/// The first of [`ATTRIBUTES`] that an account must show and does not; none of what has no account, or one that nobody logs in
/// with.
pub(in crate::source) fn hidden(kind: EntryKind, attributes: &Attributes) -> Option<&'static str> {
    let shows = |name: &str| values(attributes, &name.to_lowercase()).any(is_said);
    if kind != EntryKind::User || has_no_login(attributes) == Ok(true) || is_lightweight(attributes) {
        return None;
    }
    ATTRIBUTES.iter().find(|name| !shows(name)).copied()
}

/// What is unknown of an account that hides this attribute.
pub(in crate::source) fn unknown(hidden: &str) -> String {
    let unknown = if hidden == "accountExpires" { "has expired" } else { "is disabled" };
    format!("it shows no {hidden}, so it is unknown whether the account {unknown}")
}

/// Whether an account is disabled, and when it expires; nothing of what has no account, or one that nobody logs in with.
pub(in crate::source::schema) fn of(
    kind: EntryKind,
    attributes: &Attributes,
) -> Result<(Option<bool>, Option<Timestamp>), String> {
    if kind != EntryKind::User || has_no_login(attributes)? {
        return Ok((None, None));
    }
    if let Some(name) = hidden(kind, attributes) {
        return Err(format!("{}; allow the account that reads to see that attribute", unknown(name)));
    }
    Ok((Some(disabled(attributes)?), expires(attributes)?))
}

fn has_no_login(attributes: &Attributes) -> Result<bool, String> {
    Ok(mailbox::of(attributes)?.is_some_and(|mailbox| WITHOUT_LOGIN.contains(&mailbox)))
}

/// Whether it is an account of Lightweight Directory Services.
pub(in crate::source) fn is_lightweight(attributes: &Attributes) -> bool {
    attributes.has(OF_LIGHTWEIGHT) && !attributes.has("useraccountcontrol")
}

fn disabled(attributes: &Attributes) -> Result<bool, String> {
    if is_lightweight(attributes) {
        return match values(attributes, OF_LIGHTWEIGHT).next().map(<[u8]>::trim_ascii) {
            Some(value) if value.eq_ignore_ascii_case(b"TRUE") => Ok(true),
            Some(value) if value.eq_ignore_ascii_case(b"FALSE") => Ok(false),
            _ => Err("its msDS-UserAccountDisabled is neither TRUE nor FALSE".to_owned()),
        };
    }
    let bits = number::<i64>(attributes, "useraccountcontrol");
    bits.map(|bits| bits & DISABLED != 0).ok_or_else(|| "its userAccountControl is not a number".to_owned())
}

/// 0 and the largest number mean never.
fn expires(attributes: &Attributes) -> Result<Option<Timestamp>, String> {
    if values(attributes, "accountexpires").next().is_none() {
        return Ok(None);
    }
    match number::<i64>(attributes, "accountexpires") {
        None => Err("its accountExpires is not a number".to_owned()),
        Some(0 | i64::MAX) => Ok(None),
        Some(..0) => {
            Err("its accountExpires is negative, which is no date; correct it in the directory".to_owned())
        }
        Some(ticks) => {
            let since = SignedDuration::from_micros(ticks.saturating_sub(UNIX_EPOCH) / 10);
            // Later than any clock can show is never.
            Ok(Timestamp::UNIX_EPOCH.checked_add(since).ok())
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Whether it is disabled, and whether it expires.
    type Told = Result<(Option<bool>, bool), String>;

    /// Of lines such as `accountExpires: 0`; and what is hidden.
    fn state(kind: EntryKind, lines: &[&str]) -> (Told, Option<&'static str>) {
        let mut attributes = Attributes::new();
        for (name, value) in lines.iter().map(|line| line.split_once(": ").unwrap()) {
            attributes.add(name, [value.as_bytes().to_vec()]);
        }
        let state = of(kind, &attributes).map(|(disabled, expires)| (disabled, expires.is_some()));
        (state, hidden(kind, &attributes))
    }

    #[rstest]
    #[case::enabled(&["userAccountControl: 66048", "accountExpires: 0"], Some(false), false)]
    #[case::disabled(&["userAccountControl: 66050", "accountExpires: 9223372036854775807"], Some(true), false)]
    #[case::expires(&["userAccountControl: 512", "accountExpires: 131000000000000000"], Some(false), true)]
    #[case::room(&["userAccountControl: 514", "msExchRecipientTypeDetails: 16"], None, false)]
    #[case::lightweight(&["msDS-UserAccountDisabled: TRUE"], Some(true), false)]
    #[case::lightweight_and_enabled(&["msDS-UserAccountDisabled: false"], Some(false), false)]
    #[case::lightweight_that_expires(&["msDS-UserAccountDisabled: FALSE", "accountExpires: 131000000000000000"], Some(false), true)]
    #[case::both(&["msDS-UserAccountDisabled: FALSE", "userAccountControl: 514", "accountExpires: 0"], Some(true), false)]
    fn an_account_says_its_state(
        #[case] lines: &[&str],
        #[case] disabled: Option<bool>,
        #[case] expires: bool,
    ) {
        assert_eq!(state(EntryKind::User, lines), (Ok((disabled, expires)), None));
    }

    #[rstest]
    #[case::nothing(&["cn: a"], Some("userAccountControl"), "is disabled")]
    #[case::no_expiry(&["userAccountControl: 512"], Some("accountExpires"), "has expired")]
    #[case::no_expiry_of_a_disabled_one(&["userAccountControl: 514"], Some("accountExpires"), "has expired")]
    #[case::expiry_alone(&["accountExpires: 0"], Some("userAccountControl"), "is disabled")]
    #[case::blank(&["userAccountControl: 512", "accountExpires:  "], Some("accountExpires"), "has expired")]
    #[case::no_number(&["userAccountControl: 0x200", "accountExpires: 0"], None, "is not a number")]
    #[case::no_date(&["userAccountControl: 512", "accountExpires: never"], None, "is not a number")]
    #[case::negative(&["userAccountControl: 512", "accountExpires: -1"], None, "negative")]
    #[case::very_negative(&["userAccountControl: 512", "accountExpires: -9223372036854775808"], None, "negative")]
    #[case::no_truth(&["msDS-UserAccountDisabled: 0"], None, "neither TRUE nor FALSE")]
    fn what_is_not_shown_is_unknown(
        #[case] lines: &[&str],
        #[case] attribute: Option<&str>,
        #[case] why: &str,
    ) {
        let (state, hidden) = state(EntryKind::User, lines);
        assert_eq!(hidden, attribute);
        assert!(state.as_ref().is_err_and(|said| said.contains(why)), "{state:?}");
    }

    #[test]
    fn what_has_no_account_has_no_state() {
        for kind in [EntryKind::Group, EntryKind::Contact] {
            assert_eq!(state(kind, &["cn: a"]), (Ok((None, false)), None));
        }
    }
}
