//! Whether the app that reads a tenant may do so. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::reason::Reason;
use crate::api::reason::connector::{
    APP_NOT_FOUND, CONSENT_DECLINED, CONSENT_MISSING, CONSENT_WITHDRAWN, CONSENTED, PERMISSION_MISSING,
};
use crate::controller::condition::{Conditions, Status, find};
use crate::controller::connector::outcome::Failure;

/// The condition.
pub(in crate::controller::connector) const TYPE: &str = "Consented";
/// How a message begins of a consent that an administrator declined.
const DECLINED: &str = "an administrator declined to consent: ";
/// The same of one that was there before.
const WITHDRAWN: &str = "the consent was withdrawn: ";

/// How a message goes on where we have a page that leads to the question.
const PAGE: &str = ". To have Rollcall look at once, open instead ";

/// Why a read failed, and what to say: of a consent that is missing also whether it was declined or withdrawn, which an
/// answer to the question told, or what stood before; and our own page that leads to the question.
pub(super) fn reason(
    failure: &Failure,
    before: &[Condition],
    is_declined: bool,
    page: Option<&str>,
) -> (Reason, String) {
    let Failure { reason, message, .. } = failure;
    if !is_missing(*reason) {
        return (*reason, message.clone());
    }
    let before = find(before, TYPE);
    let was = |reason: Reason| before.is_some_and(|before| before.reason == reason.name);
    let had_it = before.is_some_and(|before| before.status == "True") || was(PERMISSION_MISSING);
    // One that was remembered says it already.
    let bare = message.split(PAGE).next().unwrap_or_default();
    let bare = [DECLINED, WITHDRAWN].iter().find_map(|begin| bare.strip_prefix(begin)).unwrap_or(bare);
    let (reason, begin) = match *reason {
        PERMISSION_MISSING => (PERMISSION_MISSING, ""),
        _ if is_declined || was(CONSENT_DECLINED) || *reason == CONSENT_DECLINED => {
            (CONSENT_DECLINED, DECLINED)
        }
        APP_NOT_FOUND => (APP_NOT_FOUND, ""),
        _ if had_it || was(CONSENT_WITHDRAWN) || *reason == CONSENT_WITHDRAWN => {
            (CONSENT_WITHDRAWN, WITHDRAWN)
        }
        _ => (CONSENT_MISSING, ""),
    };
    let page = page.map(|page| format!("{PAGE}{page}")).unwrap_or_default();
    (reason, format!("{begin}{bare}{page}"))
}

/// Whether it is the consent that is missing, or a part of it.
pub(in crate::controller::connector) fn is_missing(reason: Reason) -> bool {
    [CONSENT_MISSING, CONSENT_DECLINED, CONSENT_WITHDRAWN, PERMISSION_MISSING, APP_NOT_FOUND]
        .contains(&reason)
}

/// Of a read that failed. Any other failure says nothing of the consent.
pub(super) fn failed(conditions: &mut Conditions<'_>, reason: Reason, message: &str) {
    if is_missing(reason) {
        conditions.set(TYPE, Status::False, reason.name, message);
    } else {
        conditions.keep(TYPE);
    }
}

/// Of a read that reached its end: whoever read has what that takes.
pub(super) fn read(conditions: &mut Conditions<'_>) {
    let message = "the app has the permissions that it needs, as of the last read";
    conditions.set(TYPE, Status::True, CONSENTED.name, message);
}
