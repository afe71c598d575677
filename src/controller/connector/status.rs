//! What a connector's status says. Pure.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::error_boundary::InvalidObject;

use super::outcome::{Failure, Read, STAGES};
use crate::api::connector::{ActiveFeed, Directory, DirectoryConnectorStatus, LastImport};
use crate::api::reason::{Reason, connector};
use crate::controller::condition::{Conditions, Status, find};
use crate::source::SourceConfig;
use crate::spec::Problem;
use crate::store::snapshot::SnapshotInfo;
use crate::sync::import::{ImportError, Imported};
use crate::words::count;

pub(super) mod consent;
pub(super) mod engine;

/// From so long before the end of a certificate on somebody is told of it.
const CERTIFICATE_WARNING: SignedDuration = SignedDuration::from_hours(30 * 24);
/// From this difference on Kerberos refuses logins.
const SKEW_WARNING: SignedDuration = SignedDuration::from_mins(5);

/// The condition of a connector that uses other hosts than the usual ones.
pub(in crate::controller) const ENDPOINTS: &str = "EndpointsOverridden";

/// What is to be said.
pub(super) struct StatusInput<'a> {
    /// The status so far.
    pub(super) before: Option<&'a DirectoryConnectorStatus>,
    pub(super) generation: Option<i64>,
    pub(super) now: Timestamp,
    pub(super) state: State<'a>,
    /// Whether there is a server that is reached and authenticates.
    pub(super) staged: bool,
    /// Whether somebody must consent.
    pub(super) consents: bool,
    /// Whether somebody was asked, and declined.
    pub(super) is_declined: bool,
    /// Our page that leads to where somebody consents.
    pub(super) page: Option<&'a str>,
    /// What to say of hosts that are used in place of the usual ones.
    pub(super) elsewhere: Option<String>,
    /// What to say of its Sync Engine, if it has one.
    pub(super) engine: Option<&'a engine::Engine>,
    pub(super) handled: Option<String>,
    pub(super) next_at: Option<Timestamp>,
    /// What to say of what came of nobody.
    pub(super) unseen: Option<String>,
}

/// How things are.
pub(super) enum State<'a> {
    /// The spec cannot work.
    Invalid(&'a [Problem]),
    /// Something that the spec names is not there yet, or not as it must be.
    Lacking(&'a [Problem]),
    /// It rests.
    Suspended,
    /// It was never read as it is now.
    Beginning {
        /// How many entries came so far.
        came: u64,
    },
    /// The last read failed.
    Failed(&'a Failure),
    /// The last read reached its end.
    Read(&'a Read),
    /// Nothing has happened since the status was written.
    AsBefore,
}

pub(super) fn status(facts: &StatusInput<'_>) -> DirectoryConnectorStatus {
    let before = facts.before.cloned().unwrap_or_default();
    let mut conditions = Conditions::new(&before.conditions, facts.generation, facts.now);
    let (mut directory, mut last_import) = (before.directory.clone(), before.last_import.clone());
    let mut change_feed = before.change_feed.clone();
    let mut certificate_expires_at = before.certificate_expires_at.clone();
    match &facts.state {
        State::Invalid(problems) => {
            let message = self::problems(problems);
            conditions.set("Ready", Status::False, connector::INVALID_SPEC.name, &message);
            conditions.set("Stalled", Status::True, connector::INVALID_SPEC.name, message);
        }
        State::Lacking(problems) => {
            let message = self::problems(problems);
            conditions.set("Ready", Status::False, connector::DEPENDENCY_NOT_READY.name, &message);
            conditions.set("Reconciling", Status::True, connector::DEPENDENCY_NOT_READY.name, message);
        }
        State::Suspended if find(&before.conditions, "Ready").is_none() => {
            let message = "reading is paused while spec.suspend is true";
            conditions.set("Ready", Status::Unknown, connector::SUSPENDED.name, message);
            conditions.keep_all();
        }
        State::Suspended | State::AsBefore => conditions.keep_all(),
        State::Beginning { came } => {
            let message = if *came == 0 {
                "waiting for the first entries of the first read".to_owned()
            } else {
                format!("the first read is in progress: {} so far", count(*came, "entry", "entries"))
            };
            conditions.set("Ready", Status::Unknown, connector::PROGRESSING.name, &message);
            conditions.set("Reconciling", Status::True, connector::PROGRESSING.name, message);
        }
        State::Failed(failure) => {
            let (reason, message) =
                consent::reason(failure, &before.conditions, facts.is_declined, facts.page);
            conditions.set("Ready", Status::False, reason.name, &message);
            conditions.set("Reconciling", Status::True, connector::PROGRESSING_WITH_RETRY.name, &message);
            match stage(reason) {
                Some(stage) => failed_stages(&mut conditions, facts.staged, (stage, reason.name, &message)),
                None => STAGES.iter().for_each(|stage| conditions.keep(stage)),
            }
            if facts.consents {
                consent::failed(&mut conditions, reason, &message);
            }
        }
        State::Read(read) => {
            conditions.set("Ready", Status::True, connector::READ.name, &read.message);
            stages(&mut conditions, facts.staged, &remarks(read, facts.unseen.clone(), facts.now));
            if facts.consents {
                consent::read(&mut conditions);
            }
            directory = Some(read.directory.clone());
            last_import = Some(read.import.clone());
            change_feed.clone_from(&read.feed);
            certificate_expires_at = read.certificate_ends_at.map(Time);
        }
    }
    if let Some(engine) = facts.engine {
        engine.say(&mut conditions);
    }
    conditions.leave_out(ENDPOINTS);
    if let Some(elsewhere) = &facts.elsewhere {
        conditions.set(ENDPOINTS, Status::True, connector::ENDPOINTS_OVERRIDDEN.name, elsewhere);
    }
    DirectoryConnectorStatus {
        observed_generation: facts.generation,
        conditions: conditions.finish(),
        directory,
        certificate_expires_at,
        last_import,
        change_feed,
        engine: facts.engine.map(|engine| engine.status.clone()),
        next_import_at: facts.next_at.map(Time),
        last_handled_sync_requested_at: facts.handled.clone(),
    }
}

/// The stages that there are.
fn of_staged(staged: bool) -> impl Iterator<Item = (usize, &'static str)> {
    STAGES.into_iter().enumerate().skip(if staged { 0 } else { 2 })
}

/// Of a read that ended before its end: where, and why. What was to be said of what it passed still is.
fn failed_stages(
    conditions: &mut Conditions<'_>,
    staged: bool,
    (failed, reason, message): (usize, &str, &str),
) {
    for (at, stage) in of_staged(staged) {
        match at.cmp(&failed) {
            Ordering::Less if conditions.was(stage, Status::True) => conditions.keep(stage),
            Ordering::Less => passed(conditions, stage, &[]),
            Ordering::Equal => conditions.set(stage, Status::False, reason, message),
            Ordering::Greater => {
                let message = format!("unknown while {} is not True", STAGES[failed]);
                conditions.set(stage, Status::Unknown, reason, message);
            }
        }
    }
}

/// Of a read that reached its end.
fn stages(conditions: &mut Conditions<'_>, staged: bool, remarks: &[Remark]) {
    for (at, stage) in of_staged(staged) {
        let mine: Vec<&Remark> = remarks.iter().filter(|remark| remark.stage == at).collect();
        passed(conditions, stage, &mine);
    }
}

fn passed(conditions: &mut Conditions<'_>, stage: &str, remarks: &[&Remark]) {
    let reason = remarks.first().map_or(connector::READ, |remark| remark.reason);
    let told = remarks.iter().map(|remark| remark.message.as_str());
    let message = std::iter::once("as of the last read").chain(told).collect::<Vec<_>>().join("; ");
    conditions.set(stage, Status::True, reason.name, message);
}

/// What is to be said of a stage that a read passed.
struct Remark {
    stage: usize,
    reason: Reason,
    message: String,
}

/// What is to be said of a read that reached its end.
fn remarks(read: &Read, unseen: Option<String>, now: Timestamp) -> Vec<Remark> {
    let certificate = read.certificate_ends_at.and_then(|at| certificate(at, now));
    let clock = read.skew.and_then(clock);
    let feed = read.feed.as_ref().map(|feed| feed.reason.clone()).filter(|reason| !reason.is_empty());
    let readable = unseen.into_iter().chain(feed).collect::<Vec<_>>().join("; ");
    let readable = Some(readable).filter(|text| !text.is_empty());
    let remark = |stage, reason| move |message| Remark { stage, reason, message };
    [
        certificate.map(remark(0, connector::CERTIFICATE_EXPIRING)),
        clock.map(remark(0, connector::CLOCK_SKEWED)),
        readable.map(remark(2, connector::READ_WITH_REMARKS)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn certificate(ends_at: Timestamp, now: Timestamp) -> Option<String> {
    let left = ends_at.duration_since(now);
    (left < CERTIFICATE_WARNING).then(|| {
        let days = count(u64::try_from(left.as_hours() / 24).unwrap_or(0), "day", "days");
        let day = ends_at.strftime("%F");
        format!(
            "the server's certificate expires in {days}, on {day}, and after that nothing is read: renew it"
        )
    })
}

fn clock(ahead: SignedDuration) -> Option<String> {
    (ahead.abs() >= SKEW_WARNING).then(|| {
        let minutes = count((ahead.unsigned_abs().as_secs() + 30) / 60, "minute", "minutes");
        let side = if ahead.is_negative() { "behind" } else { "ahead of" };
        format!(
            "the server's clock is {minutes} {side} this machine's: synchronize both with a time service (NTP), \
             because the expiry of accounts depends on them, and Kerberos allows at most five minutes"
        )
    })
}

/// At which stage a read fails for this reason; `None` if that has nothing to do with the directory.
fn stage(reason: Reason) -> Option<usize> {
    if [connector::UNREACHABLE, connector::TLS_FAILED, connector::ENGINE_NOT_CONNECTED].contains(&reason) {
        Some(0)
    } else if [connector::AUTHENTICATION_FAILED, connector::APP_NOT_FOUND].contains(&reason) {
        Some(1)
    } else if [connector::STORE_FAILED, connector::STORE_DAMAGED].contains(&reason) {
        None
    } else {
        Some(2)
    }
}

/// Of an object that cannot be understood.
pub(super) fn unreadable(
    invalid: &InvalidObject,
    before: Option<&DirectoryConnectorStatus>,
    now: Timestamp,
) -> DirectoryConnectorStatus {
    let problem = Problem::new("", "", format!("the object is invalid: {}", invalid.error));
    status(&StatusInput {
        before,
        generation: invalid.metadata.generation,
        now,
        state: State::Invalid(&[problem]),
        staged: false,
        consents: false,
        is_declined: false,
        page: None,
        elsewhere: None,
        engine: None,
        handled: None,
        next_at: None,
        unseen: None,
    })
}

/// Problems in one message.
pub(in crate::controller) fn problems(problems: &[Problem]) -> String {
    let each = problems.iter().map(|problem| match problem.field.as_str() {
        "" => problem.message.clone(),
        field => format!("{field}: {}", problem.message),
    });
    each.collect::<Vec<_>>().join("; ")
}

/// What to say of what came of nobody, if that is something that policies rest on.
pub(super) fn unseen(read: &Read, source: &SourceConfig, used: &BTreeSet<String>) -> Option<String> {
    let fields = read.bare.intersection(used).map(String::as_str).collect();
    source.unseen(&fields, &read.directory.id, read.directory.vendor.as_deref())
}

/// What one read, by whoever is not the operator, says. Nobody tries again.
pub fn of_import(
    imported: &Result<Imported, ImportError>,
    source: &SourceConfig,
    used: &BTreeSet<String>,
    now: Timestamp,
) -> DirectoryConnectorStatus {
    let outcome = imported.as_ref().map(read).map_err(|error| Failure::new(error, now, 0));
    let state = match &outcome {
        Ok(read) => State::Read(read),
        Err(failure) => State::Failed(failure),
    };
    let mut status = status(&StatusInput {
        before: None,
        generation: None,
        now: imported.as_ref().map_or(now, |imported| imported.finished_at),
        state,
        staged: source.abilities().is_a_server,
        consents: source.consenting().is_some(),
        is_declined: false,
        page: None,
        elsewhere: source.elsewhere(),
        engine: None,
        handled: None,
        next_at: None,
        unseen: outcome.as_ref().ok().and_then(|read| unseen(read, source, used)),
    });
    status.conditions.retain(|condition| condition.type_ != "Reconciling");
    status
}

/// What a read that reached its end says.
pub(super) fn read(imported: &Imported) -> Read {
    Read {
        directory: directory(&imported.info),
        import: last_import(imported),
        feed: feed(&imported.info),
        certificate_ends_at: imported.certificate_ends_at,
        skew: imported.skew,
        bare: imported.bare.clone(),
        message: message(imported),
    }
}

/// What was read.
fn directory(info: &SnapshotInfo) -> Directory {
    Directory {
        id: info.directory.to_string(),
        vendor: info.vendor.clone(),
        users: info.users,
        groups: info.groups,
        contacts: info.contacts,
    }
}

/// How changes come.
fn feed(info: &SnapshotInfo) -> Option<ActiveFeed> {
    info.feed.as_ref().map(|feed| ActiveFeed { active: feed.active.clone(), reason: feed.reason.clone() })
}

/// The read.
fn last_import(imported: &Imported) -> LastImport {
    LastImport {
        mode: format!("{:?}", imported.info.mode),
        started_at: Time(imported.started_at),
        finished_at: Time(imported.finished_at),
        changed: imported.changed,
        removed: imported.removed,
        unsettled: imported.unsettled,
        missed: imported.missed,
        sequence: imported.info.sequence,
        notices: imported.info.notices.clone(),
    }
}

/// What came, in words.
fn message(imported: &Imported) -> String {
    let info = &imported.info;
    let (users, groups) = (count(info.users, "user", "users"), count(info.groups, "group", "groups"));
    if imported.unsettled == 0 {
        return format!("{users} and {groups} read");
    }
    let missing = count(imported.unsettled, "missing entry was", "missing entries were");
    format!("{users} and {groups} read; {missing} not looked up")
}

#[cfg(test)]
mod tests;
