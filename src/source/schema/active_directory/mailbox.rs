//! What kind of mailbox an account of a domain has.

use super::attribute::{number, values};
use crate::source::schema::attributes::{Attributes, is_said};

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
pub(super) const WITHOUT_LOGIN: &[&str] = &["linked", "shared", "room", "equipment"];

/// What kind of mailbox it has that is not simply a user's own. Of what cannot be read it is not known whether its account is
/// disabled by design.
pub(super) fn of(attributes: &Attributes) -> Result<Option<&'static str>, String> {
    let stated = [("msExchRecipientTypeDetails", MAILBOXES), ("msExchRecipientDisplayType", SHOWN_AS)];
    let is_said = |name: &str| values(attributes, &name.to_lowercase()).any(is_said);
    let Some((name, kinds)) = stated.into_iter().find(|(name, _)| is_said(name)) else { return Ok(None) };
    let stated: i64 = number(attributes, &name.to_lowercase()).ok_or_else(|| {
        format!("its {name} is not a number, so it is unknown whether the account is for a person")
    })?;
    Ok(kinds.iter().find(|(number, _)| *number == stated).map(|(_, mailbox)| *mailbox))
}
