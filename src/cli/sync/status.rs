//! What the status of the two kinds would be.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::connector::{Directory, DirectoryConnectorStatus, LastImport};
use crate::api::policy::{Held, InStep, LastRun, SyncPolicyStatus};
use crate::api::reason::{Reason, connector, policy};
use crate::cli::table::count;
use crate::source;
use crate::store::hold::Hold;
use crate::store::snapshot::SnapshotInfo;
use crate::sync::import::{ImportError, Imported};
use crate::sync::run::{RunReport, Verdict};

/// A condition of this type.
fn condition(type_: &str, status: bool, reason: &str, message: String, at: Timestamp) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status: if status { "True" } else { "False" }.to_owned(),
        reason: reason.to_owned(),
        message,
        last_transition_time: Time(at),
        observed_generation: None,
    }
}

/// `Ready`, of an object that cannot be used or rests.
pub(super) fn not_ready(reason: Reason, message: String, at: Timestamp) -> Condition {
    condition("Ready", false, reason.name, message, at)
}

pub(super) fn of_import(
    imported: &Result<Imported, ImportError>,
    now: Timestamp,
) -> DirectoryConnectorStatus {
    match imported {
        Ok(imported) => {
            let ready = condition("Ready", true, connector::READ.name, read(imported), imported.finished_at);
            DirectoryConnectorStatus {
                conditions: vec![ready],
                directory: Some(directory(&imported.info)),
                last_import: Some(LastImport {
                    mode: format!("{:?}", imported.info.mode),
                    started_at: Time(imported.started_at),
                    finished_at: Time(imported.finished_at),
                    changed: imported.changed,
                    removed: imported.removed,
                    unsettled: imported.unsettled,
                    sequence: imported.info.sequence,
                    notices: imported.info.notices.clone(),
                }),
                ..DirectoryConnectorStatus::default()
            }
        }
        Err(error) => DirectoryConnectorStatus {
            conditions: vec![condition("Ready", false, import_reason(error).name, error.to_string(), now)],
            ..DirectoryConnectorStatus::default()
        },
    }
}

fn directory(info: &SnapshotInfo) -> Directory {
    Directory {
        id: info.directory.to_string(),
        vendor: info.vendor.clone(),
        users: info.users,
        groups: info.groups,
        contacts: info.contacts,
    }
}

fn read(imported: &Imported) -> String {
    let info = &imported.info;
    let (users, groups) = (count(info.users, "user", "users"), count(info.groups, "group", "groups"));
    if imported.unsettled == 0 {
        return format!("{users} and {groups} read");
    }
    let missing = count(imported.unsettled, "missing entry was", "missing entries were");
    format!("{users} and {groups} read; {missing} not looked up")
}

fn import_reason(error: &ImportError) -> Reason {
    let ImportError::Source(error) = error else { return connector::STORE_FAILED };
    match error.reason {
        source::Reason::Unreachable => connector::UNREACHABLE,
        source::Reason::TlsFailed => connector::TLS_FAILED,
        source::Reason::AuthenticationFailed => connector::AUTHENTICATION_FAILED,
        source::Reason::AccessDenied => connector::ACCESS_DENIED,
        source::Reason::NotFound => connector::NOT_FOUND,
        source::Reason::LimitExceeded => connector::LIMIT_EXCEEDED,
        source::Reason::Interrupted | source::Reason::Cancelled => connector::INTERRUPTED,
        source::Reason::InvalidData => connector::INVALID_DATA,
        source::Reason::DirectoryChanged => connector::DIRECTORY_CHANGED,
    }
}

pub(super) fn of_run(report: &RunReport) -> SyncPolicyStatus {
    let at = report.finished_at;
    let verdict = report.verdict();
    let ready = matches!(verdict, Verdict::InStep | Verdict::InStepWithExceptions | Verdict::Previewed);
    let mut conditions =
        vec![condition("Ready", ready, policy_reason(verdict).name, message(report, verdict), at)];
    if let Some(hold) = &report.held {
        conditions.push(condition("PlanHeld", true, policy::HELD.name, hold.reason.clone(), at));
    }
    if report.quarantined_count > 0 {
        let message = format!(
            "{} cannot be taken as they are; {} allowed",
            count(report.quarantined_count, "entry", "entries"),
            count(report.quarantine_allowance, "is", "are")
        );
        conditions.push(condition("EntriesQuarantined", true, "Quarantined", message, at));
    }
    let (users, groups) = (&report.applied.users, &report.applied.groups);
    SyncPolicyStatus {
        conditions,
        in_step: Some(InStep {
            users: report.in_step.users,
            groups: report.in_step.groups,
            memberships: report.in_step.memberships,
        }),
        held: report.held.as_ref().map(held),
        last_run: Some(LastRun {
            id: report.id.clone(),
            started_at: Time(report.started_at),
            finished_at: Time(report.finished_at),
            result: match (report.failed.is_some(), report.previewed) {
                (true, _) => "Failed",
                (false, true) => "Previewed",
                (false, false) => "Applied",
            }
            .to_owned(),
            reason: policy_reason(verdict).name.to_owned(),
            message: message(report, verdict),
            created: users.created + groups.created + users.adopted + groups.adopted,
            updated: users.updated + groups.updated,
            disabled: users.disabled,
            enabled: users.enabled,
            removed: users.removed() + groups.removed(),
            members_added: report.applied.members_added,
            members_removed: report.applied.members_removed,
            quarantined: report.quarantined_count,
        }),
        due_at: report.due.map(Time),
        ..SyncPolicyStatus::default()
    }
}

fn policy_reason(verdict: Verdict) -> Reason {
    match verdict {
        Verdict::Failed => policy::FAILED,
        Verdict::SourceFailed => policy::SOURCE_FAILED,
        Verdict::TooManyQuarantined => policy::TOO_MANY_QUARANTINED,
        Verdict::Held => policy::HELD,
        Verdict::InStepWithExceptions => policy::IN_STEP_WITH_EXCEPTIONS,
        Verdict::InStep => policy::IN_STEP,
        Verdict::Previewed => policy::PREVIEWED,
    }
}

fn message(report: &RunReport, verdict: Verdict) -> String {
    match verdict {
        Verdict::Failed => report.failed.clone().unwrap_or_default(),
        Verdict::SourceFailed => {
            let stale: Vec<&str> = report.stale.iter().map(crate::directory::ConnectorName::as_str).collect();
            format!(
                "DirectoryConnector {} could not be read; nothing was removed on its word",
                stale.join(", ")
            )
        }
        Verdict::TooManyQuarantined => format!(
            "{} cannot be taken as they are, and limits.quarantined allows {}",
            count(report.quarantined_count, "entry", "entries"),
            report.quarantine_allowance
        ),
        Verdict::Held => report.held.as_ref().map(|hold| hold.reason.clone()).unwrap_or_default(),
        Verdict::InStepWithExceptions => format!(
            "in step, but for {} and {} blocked",
            count(report.quarantined_count, "quarantined entry", "quarantined entries"),
            count(report.blocked.len() as u64, "name", "names")
        ),
        Verdict::InStep => "in step".to_owned(),
        Verdict::Previewed => "nothing was done".to_owned(),
    }
}

fn held(hold: &Hold) -> Held {
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
