//! The account of a user in a domain: whether it is disabled, when it expires, and what kind of mailbox it is for. Pure.

use jiff::{SignedDuration, Timestamp};

use super::attribute::{number, values};
use crate::directory::EntryKind;
use crate::source::schema::attributes::{Attributes, is_said};

/// The bit of `userAccountControl` for a disabled account.
const DISABLED: i64 = 0x2;

/// What is wrong with an account that does not show when it expires.
pub(super) const NO_EXPIRY: &str = "it shows no accountExpires, so it is unknown whether the account has expired; allow the \
                         account that reads to see that attribute";

/// Kinds of mailbox (`msExchRecipientTypeDetails`) that are not simply a user's own.
const MAILBOXES: &[(i64, &str)] = &[
    (0x2, "linked"),
    (0x4, "shared"),
    (0x10, "room"),
    (0x20, "equipment"),
    // Arbitration.
    (0x80_0000, "other"),
    (0x200_0000, "linked"),
    // Discovery.
    (0x2000_0000, "other"),
    (0x8000_0000, "remote"),
    (0x2_0000_0000, "room"),
    (0x4_0000_0000, "equipment"),
    (0x8_0000_0000, "shared"),
    // Of public folders, of sites of SharePoint, for monitoring.
    (0x10_0000_0000, "other"),
    (0x20_0000_0000, "other"),
    (0x40_0000_0000, "other"),
    (0x80_0000_0000, "other"),
    (0x200_0000_0000, "room"),
    // Of audit logs.
    (0x400_0000_0000, "other"),
];

/// What is shown of them (`msExchRecipientDisplayType`) tells only rooms and equipment from users' own.
const SHOWN_AS: &[(i64, &str)] =
    &[(7, "room"), (8, "equipment"), (-2_147_481_850, "room"), (-2_147_481_594, "equipment")];

/// Their accounts are disabled by design, which says nothing of the mailbox. Those of Exchange's own mailboxes are
/// too, and nobody wants those.
const WITHOUT_LOGIN: &[&str] = &["linked", "shared", "room", "equipment"];

/// Hundreds of nanoseconds from the year 1601 to 1970.
const UNIX_EPOCH: i64 = 116_444_736_000_000_000;

/// Whether an account is disabled, and when it expires; nothing of what has no account, or one that nobody logs in with.
pub(in crate::source::schema) fn state(
    kind: EntryKind,
    attributes: &Attributes,
) -> Result<(Option<bool>, Option<Timestamp>), String> {
    if kind != EntryKind::User || mailbox(attributes)?.is_some_and(|mailbox| WITHOUT_LOGIN.contains(&mailbox))
    {
        return Ok((None, None));
    }
    Ok((Some(disabled(attributes)?), expires(attributes)?))
}

/// What kind of mailbox it has that is not simply a user's own. Of what cannot be read it is not known whether its account is
/// disabled by design.
pub(super) fn mailbox(attributes: &Attributes) -> Result<Option<&'static str>, String> {
    let stated = [("msExchRecipientTypeDetails", MAILBOXES), ("msExchRecipientDisplayType", SHOWN_AS)];
    let is_said = |name: &str| values(attributes, &name.to_lowercase()).any(is_said);
    let Some((name, kinds)) = stated.into_iter().find(|(name, _)| is_said(name)) else { return Ok(None) };
    let stated: i64 = number(attributes, &name.to_lowercase()).ok_or_else(|| {
        format!("its {name} is not a number, so it is unknown whether the account is for a person")
    })?;
    Ok(kinds.iter().find(|(number, _)| *number == stated).map(|(_, mailbox)| *mailbox))
}

/// Every account has this attribute, so one that does not show it hides it.
fn disabled(attributes: &Attributes) -> Result<bool, String> {
    number::<i64>(attributes, "useraccountcontrol").map(|bits| bits & DISABLED != 0).ok_or_else(|| {
        "it shows no userAccountControl, so it is unknown whether the account is disabled; allow the account that \
         reads to see that attribute"
            .to_owned()
    })
}

/// 0 and the largest number mean never.
fn expires(attributes: &Attributes) -> Result<Option<Timestamp>, String> {
    if values(attributes, "accountexpires").next().is_none() {
        return Ok(None);
    }
    match number::<i64>(attributes, "accountexpires") {
        None => Err("its accountExpires is not a number".to_owned()),
        Some(0 | i64::MAX) => Ok(None),
        Some(ticks) => {
            let since = SignedDuration::from_micros(ticks.saturating_sub(UNIX_EPOCH) / 10);
            // Later than any clock can show is never.
            Ok(Timestamp::UNIX_EPOCH.checked_add(since).ok())
        }
    }
}
