//! What a policy's status says. Pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::error_boundary::InvalidObject;

use super::sources::Sources;
use crate::api::policy::{Held, InStep, LastRun, SyncPolicyStatus};
use crate::api::reason::{Reason, policy};
use crate::controller::condition::{Conditions, Status, find};
use crate::controller::connector::status::problems;
use crate::directory::{ConnectorName, Owner};
use crate::spec::Problem;
use crate::store::StoreError;
use crate::store::hold::Hold;
use crate::sync::run::{Approval, RunReport, RunResult};
use crate::words::{count, thousands};

mod target;

pub(super) use target::{repaired, take_target};

/// The result of a run that did nothing but say what it would do.
pub(super) const PREVIEWED: &str = "Previewed";

/// So many other policies are named at most.
const RIVALS: usize = 3;

/// What is to be said.
pub(super) struct StatusInput<'a> {
    /// The status so far; what the last run did is in it.
    pub(super) before: &'a SyncPolicyStatus,
    pub(super) generation: Option<i64>,
    pub(super) now: Timestamp,
    pub(super) suspended: bool,
    /// What is wrong with the spec, if anything.
    pub(super) problems: Option<&'a [Problem]>,
    pub(super) sources: &'a Sources,
    /// Whether what was remembered is lost, and no run was complete since.
    pub(super) reset: bool,
    /// Why nothing checks who approves.
    pub(super) unguarded: Option<String>,
    /// Whether no run of what the policy is now has ended.
    pub(super) unrun: bool,
    /// How many operations are done, of how many, if a run is under way.
    pub(super) progress: Option<(u64, u64)>,
    pub(super) handled: Option<String>,
    pub(super) next_at: Option<Timestamp>,
}

pub(super) fn status(facts: &StatusInput<'_>) -> SyncPolicyStatus {
    let before = facts.before;
    let mut conditions = Conditions::new(&before.conditions, facts.generation, facts.now);
    if facts.suspended {
        if find(&before.conditions, "Ready").is_none() {
            let message = "the policy is paused while spec.suspend is true";
            conditions.set("Ready", Status::Unknown, policy::SUSPENDED.name, message);
            conditions.keep_all();
        } else {
            conditions.keep_all();
        }
    } else {
        let readiness = readiness(facts);
        conditions.set("Ready", readiness.ready, readiness.reason.name, &readiness.message);
        match readiness.going {
            Going::Nowhere => {
                conditions.set("Stalled", Status::True, readiness.reason.name, readiness.message);
            }
            Going::On => {
                conditions.set("Reconciling", Status::True, policy::PROGRESSING.name, readiness.message);
            }
            Going::Waiting => {
                let reason = readiness.reason.name;
                conditions.set("Reconciling", Status::True, reason, readiness.message);
            }
            Going::Again => {
                let reason = policy::PROGRESSING_WITH_RETRY.name;
                conditions.set("Reconciling", Status::True, reason, readiness.message);
            }
            Going::Done => {}
        }
        exceptions(&mut conditions, facts);
    }
    SyncPolicyStatus {
        observed_generation: facts.generation,
        conditions: conditions.finish(),
        last_handled_sync_requested_at: facts.handled.clone(),
        next_run_at: facts.next_at.map(Time),
        ..before.clone()
    }
}

/// `Ready`, and what comes of it.
struct Readiness {
    ready: Status,
    reason: Reason,
    message: String,
    going: Going,
}

/// Whether anything goes on by itself.
enum Going {
    /// All is as it should be.
    Done,
    /// It is under way.
    On,
    /// It is tried again.
    Again,
    /// It goes on once something that is missing is there.
    Waiting,
    /// Somebody must act.
    Nowhere,
}

/// The first that applies.
fn readiness(facts: &StatusInput<'_>) -> Readiness {
    let StatusInput { sources, .. } = facts;
    let not = |reason: Reason, message: String, going: Going| Readiness {
        ready: Status::False,
        reason,
        message,
        going,
    };
    let wrong = facts.problems.unwrap_or_default();
    if wrong.iter().any(|problem| !problem.elsewhere) {
        return not(policy::INVALID_SPEC, problems(wrong), Going::Nowhere);
    }
    if !sources.missing.is_empty() {
        let message = format!(
            "there is no DirectoryConnector {} in this namespace; nothing is changed or removed until it exists",
            sources.missing.join(", ")
        );
        return not(policy::CONNECTOR_NOT_FOUND, message, Going::Waiting);
    }
    if !wrong.is_empty() {
        return not(policy::DEPENDENCY_NOT_READY, problems(wrong), Going::Waiting);
    }
    if facts.reset {
        let message = "the stored state was lost or is older than before; nothing is served until a complete run (a \
                       preview does not count) has rebuilt it";
        return not(policy::STORE_RESET, message.to_owned(), Going::On);
    }
    if let Some(failing) = &sources.failing {
        let message = format!("a directory that cannot be read removes nobody: {failing}");
        return not(policy::SOURCE_FAILED, message, Going::Again);
    }
    if let Some(stale) = &sources.stale {
        return not(policy::SOURCE_FAILED, format!("what is too old removes nobody: {stale}"), Going::On);
    }
    let Some(last) = facts.before.last_run.as_ref().filter(|_| !facts.unrun) else {
        let message = match facts.progress {
            Some((done, all)) if all > 0 => {
                format!(
                    "the first run of this spec is in progress: {done} of {}",
                    count(all, "operation", "operations")
                )
            }
            Some(_) => "the first run of this spec is in progress".to_owned(),
            None if sources.read.is_none() => "waiting for the first read of the directory".to_owned(),
            None => "waiting to run".to_owned(),
        };
        return Readiness { ready: Status::Unknown, reason: policy::PROGRESSING, message, going: Going::On };
    };
    let reason =
        policy::ALL.iter().find(|reason| reason.name == last.reason).copied().unwrap_or(policy::FAILED);
    let going = match reason {
        policy::IN_STEP | policy::IN_STEP_WITH_EXCEPTIONS | policy::PREVIEWED => Going::Done,
        policy::HELD | policy::TOO_MANY_QUARANTINED => Going::Nowhere,
        // What a source could not vouch for then is looked at again now that it can.
        _ => Going::Again,
    };
    let ready = matches!(going, Going::Done).into();
    let left = target::left(facts.before);
    if left > 0 && matches!(reason, policy::IN_STEP | policy::IN_STEP_WITH_EXCEPTIONS) {
        let objects = count(left, "object", "objects");
        let message = format!(
            "{}, except for {objects} that somebody else changed at the target; see DriftDetected",
            last.message
        );
        return Readiness { ready, reason: policy::IN_STEP_WITH_EXCEPTIONS, message, going };
    }
    Readiness { ready, reason, message: last.message.clone(), going }
}

/// What stands beside `Ready`.
fn exceptions(conditions: &mut Conditions<'_>, facts: &StatusInput<'_>) {
    let before = facts.before;
    if facts.sources.read.is_some() || facts.sources.failing.is_some() {
        match facts.sources.failing.as_ref().or(facts.sources.stale.as_ref()) {
            None => {
                let message = "all directories were read recently enough";
                conditions.set("SourcesHealthy", Status::True, policy::HEALTHY.name, message);
            }
            Some(failing) => {
                conditions.set("SourcesHealthy", Status::False, policy::SOURCE_FAILED.name, failing);
            }
        }
    }
    target::conditions(conditions, before);
    if let Some(held) = &before.held {
        let message = format!("{}; approve {}, or correct the cause", held.reason, held.digest);
        conditions.set("PlanHeld", Status::True, policy::HELD.name, message);
    }
    let quarantined = quarantined(before);
    if quarantined > 0 {
        let message = format!(
            "{}; see `rollcall plan exceptions`",
            count(
                quarantined,
                "entry cannot be processed; what it has stays as it is",
                "entries cannot be processed; what they have stays as it is"
            )
        );
        conditions.set("EntriesQuarantined", Status::True, policy::QUARANTINED.name, message);
    }
    if let Some(why) = &facts.unguarded {
        let message = format!("nothing checks who approves, or raises limits: {why}");
        conditions.set("ApprovalsUnguarded", Status::True, policy::ADMISSION_POLICY_MISSING.name, message);
    }
    if facts.reset {
        let message =
            "this is a different store than before, or an older state of it: was the volume replaced?";
        conditions.set("StoreReset", Status::True, policy::STORE_RESET.name, message);
    }
}

/// Of an object that cannot be understood.
pub(super) fn unreadable(
    invalid: &InvalidObject,
    before: &SyncPolicyStatus,
    now: Timestamp,
) -> SyncPolicyStatus {
    let problem = Problem::new("", "", format!("the object is invalid: {}", invalid.error));
    status(&StatusInput {
        before,
        generation: invalid.metadata.generation,
        now,
        suspended: false,
        problems: Some(&[problem]),
        sources: &Sources::default(),
        reset: false,
        unguarded: None,
        unrun: true,
        progress: None,
        handled: None,
        next_at: None,
    })
}

/// What the status would be after a run of its own, outside of a cluster.
pub fn of_run(report: &RunReport) -> SyncPolicyStatus {
    let mut before = SyncPolicyStatus {
        in_step: Some(in_step(report)),
        held: report.held.as_ref().map(held),
        last_run: Some(last_run(report)),
        due_at: report.due.map(Time),
        ..SyncPolicyStatus::default()
    };
    take_target(&mut before, report, report.target.is_some());
    status(&StatusInput {
        before: &before,
        generation: None,
        now: report.finished_at,
        suspended: false,
        problems: None,
        sources: &Sources::default(),
        reset: false,
        unguarded: None,
        unrun: false,
        progress: None,
        handled: None,
        next_at: None,
    })
}

/// How much is linked.
pub(super) fn in_step(report: &RunReport) -> InStep {
    InStep {
        users: report.in_step.users,
        groups: report.in_step.groups,
        memberships: report.in_step.memberships,
    }
}

/// The run.
pub(super) fn last_run(report: &RunReport) -> LastRun {
    let verdict = report.result();
    let (users, groups) = (&report.applied.users, &report.applied.groups);
    LastRun {
        id: report.id.clone(),
        started_at: Time(report.started_at),
        finished_at: Time(report.finished_at),
        result: match (report.failed.is_some(), report.previewed) {
            (true, _) => "Failed",
            (false, true) => PREVIEWED,
            (false, false) => "Applied",
        }
        .to_owned(),
        reason: reason(verdict).name.to_owned(),
        message: message(report, verdict),
        approved_by: approvers(report).filter(|_| {
            let moves = report.approval == Some(Approval::Moves) && report.failed.is_none();
            (report.approved.steps > 0 || moves) && !report.previewed
        }),
        created: users.created + groups.created + users.adopted + groups.adopted,
        updated: users.updated + groups.updated,
        disabled: users.disabled,
        enabled: users.enabled,
        removed: users.removed() + groups.removed(),
        members_added: report.applied.members_added,
        members_removed: report.applied.members_removed,
        quarantined: report.quarantined_count,
    }
}

/// How many operations wait for a person.
pub(super) fn held_count(status: &SyncPolicyStatus) -> u64 {
    let all = |held: &Held| held.user_removals + held.group_removals + held.member_removals + held.others;
    status.held.as_ref().map_or(0, all)
}

/// How many entries the last run could not take as they are.
pub(super) fn quarantined(status: &SyncPolicyStatus) -> u64 {
    status.last_run.as_ref().map_or(0, |last| last.quarantined)
}

/// A run that could not begin.
pub(super) fn could_not(reason: Reason, why: &str, now: Timestamp) -> LastRun {
    LastRun {
        id: String::new(),
        started_at: Time(now),
        finished_at: Time(now),
        result: "Failed".to_owned(),
        reason: reason.name.to_owned(),
        message: why.to_owned(),
        approved_by: None,
        created: 0,
        updated: 0,
        disabled: 0,
        enabled: 0,
        removed: 0,
        members_added: 0,
        members_removed: 0,
        quarantined: 0,
    }
}

/// Why a run could not begin, as a reason.
pub fn failure(why: &StoreError) -> Reason {
    if matches!(why, StoreError::Damaged(_)) { policy::STORE_DAMAGED } else { policy::FAILED }
}

/// A verdict as a reason.
pub fn reason(verdict: RunResult) -> Reason {
    match verdict {
        RunResult::Failed => policy::FAILED,
        RunResult::SourceFailed => policy::SOURCE_FAILED,
        RunResult::TooManyQuarantined => policy::TOO_MANY_QUARANTINED,
        RunResult::Held => policy::HELD,
        RunResult::InStepWithExceptions => policy::IN_STEP_WITH_EXCEPTIONS,
        RunResult::InStep => policy::IN_STEP,
        RunResult::Previewed => policy::PREVIEWED,
    }
}

fn message(report: &RunReport, verdict: RunResult) -> String {
    let message = outcome(report, verdict);
    if report.applied.rivals.is_empty() {
        return message;
    }
    let rivals: Vec<&str> = report.applied.rivals.iter().take(RIVALS).map(Owner::as_str).collect();
    format!("{message}; SyncPolicy {} has objects at the target that this one wants too", rivals.join(", "))
}

fn outcome(report: &RunReport, verdict: RunResult) -> String {
    match verdict {
        RunResult::Failed => report.failed.clone().unwrap_or_default(),
        RunResult::SourceFailed => {
            let stale: Vec<&str> = report.stale.iter().map(ConnectorName::as_str).collect();
            format!(
                "DirectoryConnector {} could not be read, so nothing was removed because of it",
                stale.join(", ")
            )
        }
        RunResult::TooManyQuarantined => format!(
            "{}, and limits.quarantined allows {}; see `rollcall plan exceptions`",
            count(report.quarantined_count, "entry cannot be processed", "entries cannot be processed"),
            thousands(report.quarantine_allowance)
        ),
        RunResult::Held => report.held.as_ref().map(|hold| hold.reason.clone()).unwrap_or_default(),
        RunResult::InStepWithExceptions if report.quarantined_count == 0 && report.blocked.is_empty() => {
            format!(
                "in step, except for {} that the next run continues with",
                count(report.applied.waiting, "operation", "operations")
            )
        }
        RunResult::InStepWithExceptions => format!(
            "in step, except for {} and {}; list them with `rollcall plan exceptions`",
            count(report.quarantined_count, "quarantined entry", "quarantined entries"),
            count(report.blocked.len() as u64, "blocked name", "blocked names")
        ),
        RunResult::InStep => "in step".to_owned(),
        RunResult::Previewed => "nothing was changed".to_owned(),
    }
}

/// What waits for a person.
pub(super) fn held(hold: &Hold) -> Held {
    let of = |class: &str| hold.lines.iter().filter(|line| line.class == class).count() as u64;
    let (users, groups, members) = (of("userRemoval"), of("groupRemoval"), of("memberRemoval"));
    Held {
        digest: hold.digest.clone(),
        user_removals: users,
        group_removals: groups,
        member_removals: members,
        others: hold.lines.len() as u64 - users - groups - members,
        reason: hold.reason.clone(),
        since: Time(hold.since),
    }
}

#[cfg(test)]
mod tests;

/// Who approved what this run executed or left held.
pub(super) fn approvers(report: &RunReport) -> Option<String> {
    let all: Vec<&str> = report.approved.by.iter().map(String::as_str).collect();
    (!all.is_empty()).then(|| all.join(", "))
}
