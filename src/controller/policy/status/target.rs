//! What a policy's status says of its target, where that is a service: whether it can be reached, and whether somebody else
//! changes what the policy left there. Pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::policy::{SyncPolicyStatus, TargetSeen, Verification};
use crate::api::reason::{Reason, policy};
use crate::controller::condition::{Conditions, Status};
use crate::directory::SubjectKind;
use crate::sync::run::{RunReport, TargetFound};
use crate::sync::verify::Verified;
use crate::target::TargetReason;
use crate::words::count;

/// Takes over what a run found of its target; `shared` says whether others can change that.
pub(in crate::controller::policy) fn take_target(
    status: &mut SyncPolicyStatus,
    report: &RunReport,
    shared: bool,
) {
    let before = status.target.take().filter(|_| shared);
    let now = report.target.as_ref().filter(|_| shared).map(|found| seen(found, before.as_ref()));
    let moved =
        now.as_ref().zip(before.as_ref()).is_some_and(|(now, before)| now.identity != before.identity);
    // At another target nothing was compared yet.
    let verification = status.verification.take().filter(|_| shared && !moved);
    status.target = now.or(before);
    status.verification = match &report.verified {
        Some(verified) if shared => Some(verification_of(verified, report.finished_at)),
        // What was written just now is what is there.
        None if shared && report.failed.is_none() && !report.previewed => {
            verification.or_else(|| Some(nothing_yet(report.finished_at)))
        }
        _ => verification,
    };
}

/// The target, as a run found it. What it was found to be before is still so while it cannot be asked.
fn seen(found: &TargetFound, before: Option<&TargetSeen>) -> TargetSeen {
    let known = before.filter(|before| found.about.is_empty() && before.identity == found.identity);
    TargetSeen {
        identity: found.identity.clone(),
        reason: found.failed.as_ref().map_or(policy::REACHABLE, |why| reason(why.reason)).name.to_owned(),
        message: found.failed.as_ref().map(|why| why.message.clone()).unwrap_or_default(),
        about: known.map_or_else(|| found.about.clone(), |before| before.about.clone()),
    }
}

/// Why a target cannot be worked with, as a reason.
fn reason(why: TargetReason) -> Reason {
    match why {
        TargetReason::Unreachable => policy::UNREACHABLE,
        TargetReason::TlsFailed => policy::TLS_FAILED,
        TargetReason::AuthenticationFailed => policy::AUTHENTICATION_FAILED,
        TargetReason::AccessDenied => policy::ACCESS_DENIED,
        TargetReason::Throttled => policy::THROTTLED,
        TargetReason::Unavailable => policy::UNAVAILABLE,
        TargetReason::NoAnswer => policy::NO_ANSWER,
        TargetReason::InvalidAnswer => policy::INVALID_ANSWER,
        TargetReason::Refused
        | TargetReason::Unsupported
        | TargetReason::NotDone
        | TargetReason::Stopped
        | TargetReason::StoreFailed => policy::REFUSED,
    }
}

/// Until a target was verified for the first time, the time counts from the end of the first run.
fn nothing_yet(at: Timestamp) -> Verification {
    Verification {
        at: Time(at),
        checked: 0,
        users_changed: 0,
        users_gone: 0,
        groups_changed: 0,
        groups_gone: 0,
        members_gone: 0,
        members_added: 0,
        lagging: 0,
        unknown: 0,
        left: 0,
        message: String::new(),
    }
}

fn verification_of(verified: &Result<Verified, String>, at: Timestamp) -> Verification {
    match verified {
        Err(why) => Verification { message: why.clone(), ..nothing_yet(at) },
        Ok(verified) => Verification {
            at: Time(at),
            checked: verified.checked,
            users_changed: verified.count(SubjectKind::User, false),
            users_gone: verified.count(SubjectKind::User, true),
            groups_changed: verified.count(SubjectKind::Group, false),
            groups_gone: verified.count(SubjectKind::Group, true),
            members_gone: verified.members(),
            members_added: verified.others(),
            lagging: verified.lagging,
            unknown: verified.unknown,
            left: verified.left,
            message: verified.why.clone().unwrap_or_default(),
        },
    }
}

/// What differs, in words.
fn differences(verification: &Verification) -> String {
    let Verification {
        users_changed,
        users_gone,
        groups_changed,
        groups_gone,
        members_gone,
        members_added,
        ..
    } = verification;
    let all = [
        (*users_changed, "user differs", "users differ"),
        (*users_gone, "user is not there any more", "users are not there any more"),
        (*groups_changed, "group differs", "groups differ"),
        (*groups_gone, "group is not there any more", "groups are not there any more"),
        (*members_gone, "membership is gone", "memberships are gone"),
        (*members_added, "membership was added", "memberships were added"),
    ];
    let all: Vec<String> =
        all.iter().filter(|(n, ..)| *n > 0).map(|(n, one, many)| count(*n, one, many)).collect();
    all.join(", ")
}

/// What is told of drift that a run set right.
pub(in crate::controller::policy) fn repaired(report: &RunReport) -> Option<String> {
    let verified = report.verified.as_ref()?.as_ref().ok()?;
    if report.previewed || verified.drifts.len() as u64 <= verified.left {
        return None;
    }
    let all = differences(&verification_of(&Ok(verified.clone()), report.finished_at));
    Some(format!(
        "somebody else had changed what this policy left at the target ({all}); it is set right within the limits"
    ))
}

/// How many objects differ at the target and are left so.
pub(super) fn left(status: &SyncPolicyStatus) -> u64 {
    status.verification.as_ref().map_or(0, |verification| verification.left)
}

/// `TargetReachable` and `DriftDetected`.
pub(super) fn conditions(conditions: &mut Conditions<'_>, before: &SyncPolicyStatus) {
    if let Some(target) = &before.target {
        let reachable = target.reason == policy::REACHABLE.name;
        let message = if reachable {
            format!("the last run could work with {}", target.identity)
        } else {
            format!("{}: {}", target.identity, target.message)
        };
        conditions.set("TargetReachable", reachable.into(), &target.reason, message);
    }
    let Some(verification) = &before.verification else { return };
    if verification.left > 0 {
        let mut message = format!(
            "somebody else changed what this policy left at the target: {}; `rollcall verify` lists the objects",
            differences(verification)
        );
        if !verification.message.is_empty() {
            message.push_str("; ");
            message.push_str(&verification.message);
        }
        conditions.set("DriftDetected", Status::True, policy::DRIFTED.name, message);
    } else if !verification.message.is_empty() {
        let message = format!("the target could not be verified: {}", verification.message);
        conditions.set("DriftDetected", Status::Unknown, policy::VERIFICATION_FAILED.name, message);
    }
}

/// Each reason that a target gives, as the status after a run that it ended.
#[cfg(test)]
pub(super) fn samples() -> Vec<SyncPolicyStatus> {
    use crate::store::policy::Baseline;
    use crate::target::TargetError;

    let now = Timestamp::UNIX_EPOCH;
    let found = |failed: Option<TargetReason>| TargetFound {
        identity: "scim:https://app.example".to_owned(),
        about: vec!["profile standard".to_owned()],
        failed: failed.map(|reason| TargetError::new(reason, "no")),
    };
    let of = |target, verified| {
        let report = RunReport {
            target: Some(target),
            verified,
            ..RunReport::nothing("a".to_owned(), now, Baseline::nothing(now))
        };
        let mut status = SyncPolicyStatus::default();
        take_target(&mut status, &report, true);
        status
    };
    let reasons = [
        TargetReason::Unreachable,
        TargetReason::TlsFailed,
        TargetReason::AuthenticationFailed,
        TargetReason::AccessDenied,
        TargetReason::Throttled,
        TargetReason::Unavailable,
        TargetReason::NoAnswer,
        TargetReason::InvalidAnswer,
        TargetReason::Refused,
    ];
    let drifted = Verified { left: 1, ..Verified::default() };
    let verified = [None, Some(Ok(drifted)), Some(Err("the list is not whole".to_owned()))];
    let failed = reasons.map(|reason| of(found(Some(reason)), None));
    failed.into_iter().chain(verified.map(|verified| of(found(None), verified))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::policy::Baseline;
    use crate::target::TargetError;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn report(second: i64, identity: &str, failed: Option<TargetReason>) -> RunReport {
        let target = TargetFound {
            identity: identity.to_owned(),
            about: if failed.is_some() { Vec::new() } else { vec!["profile standard".to_owned()] },
            failed: failed.map(|reason| TargetError::new(reason, "no").in_its_words("ada@corp.example")),
        };
        let failed = failed.map(|_| "no".to_owned());
        let nothing = RunReport::nothing("a".to_owned(), at(second), Baseline::nothing(at(second)));
        RunReport { target: Some(target), failed, ..nothing }
    }

    #[test]
    fn what_a_target_was_found_to_be_outlives_its_absence() {
        let mut status = SyncPolicyStatus::default();
        take_target(&mut status, &report(1, "a", None), true);
        take_target(&mut status, &report(2, "a", Some(TargetReason::Unreachable)), true);
        let target = status.target.clone().unwrap();
        assert_eq!((target.reason.as_str(), target.message.as_str()), ("Unreachable", "no"));
        assert_eq!(target.about, ["profile standard"]);
        take_target(&mut status, &report(3, "b", Some(TargetReason::TlsFailed)), true);
        assert!(status.target.unwrap().about.is_empty(), "it is another one");
    }

    #[test]
    fn the_time_of_a_verification_counts_from_the_first_run_at_a_target() {
        let mut status = SyncPolicyStatus::default();
        let verified_at =
            |status: &SyncPolicyStatus| status.verification.as_ref().map(|one| one.at.0.as_second());
        take_target(&mut status, &report(1, "a", Some(TargetReason::Unreachable)), true);
        assert_eq!(verified_at(&status), None);
        take_target(&mut status, &report(2, "a", None), true);
        take_target(&mut status, &report(3, "a", None), true);
        assert_eq!(verified_at(&status), Some(2));
        let drifted = Verified { left: 1, ..Verified::default() };
        take_target(&mut status, &RunReport { verified: Some(Ok(drifted)), ..report(4, "a", None) }, true);
        take_target(&mut status, &report(5, "a", None), true);
        assert_eq!((verified_at(&status), left(&status)), (Some(4), 1), "it is as it was verified");
        take_target(&mut status, &report(6, "b", None), true);
        assert_eq!((verified_at(&status), left(&status)), (Some(6), 0));
        take_target(&mut status, &RunReport { target: None, ..report(7, "", None) }, false);
        assert_eq!((status.verification, status.target), (None, None), "the registry has no such thing");
    }
}
