//! What is remembered of a connector while the process lives.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use tokio_util::sync::CancellationToken;

use super::decide::{self, Failed, Inputs, Intervals, Next};
use super::health::{Asked, ConnectorHealth};
use super::job::{Begin, Job};
use super::outcome::{Failure, Read};
use super::resolved::{Key, Resolved};
use super::status;
use crate::api::connector::DirectoryConnectorStatus;
use crate::api::reason::connector as reason;
use crate::api::{DirectoryConnector, SYNC_REQUESTED_AT};
use crate::controller::error::Error;
use crate::controller::status::{self as writing, Written};
use crate::controller::{condition, delay};
use crate::spec::{Content, Name};
use crate::store::snapshot::SnapshotInfo;
use crate::telemetry::Metrics;
use crate::text::clean;

/// While somebody waits for the first read, its progress is written so often.
pub(super) const PROGRESS: Duration = Duration::from_secs(30);

/// What is remembered of a connector while the process lives; all that must survive it is in the store
/// and in the status.
#[derive(Default)]
pub(in crate::controller) struct ControllerState {
    /// What the object came to.
    pub(super) resolved: Option<Resolved>,
    /// What the last read was begun with.
    pub(super) tried: Option<Key>,
    /// What the last read that ended was begun with.
    pub(super) finished: Option<Key>,
    /// The read under way.
    pub(super) job: Option<Job>,
    /// How the last read ended; `None` if none did in this process.
    pub(super) outcome: Option<Result<Box<Read>, Failure>>,
    /// Whom the directory refused last, if it let nobody in since.
    pub(super) refused: Option<Content>,
    /// Whether a policy needs another read, and how much of it.
    pub(super) asked: Option<Asked>,
    /// The last request by annotation that was acted on.
    pub(super) handled: Option<String>,
    /// As it is to be.
    pub(super) status: Option<DirectoryConnectorStatus>,
    /// As last written.
    pub(super) written: Option<Written<DirectoryConnectorStatus>>,
    /// What was found at the first sight, if that look failed.
    pub(super) found: Option<DirectoryConnectorStatus>,
    /// What is said while no look succeeds.
    pub(super) blind: Option<Vec<Condition>>,
    /// What policies were last told.
    pub(super) health: ConnectorHealth,
}

/// What one look at a connector came to.
pub(super) struct Reconciled {
    pub(super) begin: Option<Begin>,
    pub(super) wake_at: Option<Timestamp>,
    pub(super) health_changed: bool,
    /// Of the status as it is now.
    pub(super) conditions: Vec<Condition>,
    /// The status before, and one that is to be written.
    pub(super) status: Option<(Option<DirectoryConnectorStatus>, DirectoryConnectorStatus)>,
}

impl ControllerState {
    /// At the first sight in this process: what the status says is how things are.
    pub(super) fn recall(
        &mut self,
        object: &DirectoryConnector,
        resolved: &Resolved,
        info: Option<&SnapshotInfo>,
        now: Timestamp,
        metrics: &Metrics,
    ) {
        if self.status.is_some() || self.tried.is_some() {
            return;
        }
        let Some(status) = self.found.take().or_else(|| object.status.clone()) else { return };
        // How long it was not read goes on to be told of. Either may be older: a status that was not written any more, a
        // store that was restored.
        let read_at = status.last_import.as_ref().map(|import| import.finished_at.0);
        if let Some(at) = read_at.max(info.map(|info| info.completed_at)) {
            metrics.completed(&Name::of(object).to_string(), at.as_second());
        }
        let version = object.metadata.resource_version.as_ref();
        self.written.get_or_insert_with(|| Written::found(status.clone(), version));
        let mut known = status.clone();
        self.blind = self.blind.take().or(writing::seen_again(&mut known.conditions));
        self.status = Some(known);
        self.handled.clone_from(&status.last_handled_sync_requested_at);
        let failure = Failure::recall(&status, now);
        if failure.as_ref().is_some_and(|failure| failure.reason == reason::AUTHENTICATION_FAILED) {
            self.refused = Some(resolved.account.clone());
        }
        self.outcome = failure.map(Err);
        // A read that was cut off by the end of the process, or that never began for what was wrong then, is
        // still to be done.
        let read = condition::ready(&status.conditions) == "True";
        let ended = read || self.outcome.is_some();
        // An older store than the one that the status tells of may lack what that read.
        let told = status.last_import.as_ref().map_or(0, |import| import.sequence);
        let asked_for = info
            .is_some_and(|info| resolved.key.literal.is_subset(&info.attributes) && told <= info.sequence);
        if status.observed_generation == object.metadata.generation && ended && asked_for {
            self.tried = Some(resolved.key.clone());
            self.finished = Some(resolved.key.clone());
        }
    }

    pub(super) fn reconcile(
        &mut self,
        object: &DirectoryConnector,
        resolved: &Resolved,
        read_at: Option<Timestamp>,
        now: Timestamp,
        stopping: &CancellationToken,
    ) -> Reconciled {
        let request = object.annotations().get(SYNC_REQUESTED_AT).map(|request| clean(request).into_owned());
        let whose = Name::of(object).to_string();
        let connector = resolved.connector.as_ref().ok();
        let suspended = object.spec.suspend;
        let edited = self.tried.as_ref() != Some(&resolved.key);
        if let Some(job) = &self.job
            && (suspended || connector.is_none() || edited)
        {
            // It reads what is not wanted any more; when it has ended, this is looked at again.
            job.cancel.cancel();
        }
        let failure = self.outcome.as_ref().and_then(|outcome| outcome.as_ref().err());
        // Directories lock an account after a few wrong passwords: whatever is edited, the same one is tried again only when
        // its time comes, or when a person asks for it.
        let refused = failure.is_some() && self.refused.as_ref() == Some(&resolved.account);
        let next = decide::decide(&Inputs {
            now,
            whose: &whose,
            suspended,
            intervals: connector.map(|it| Intervals { interval: it.interval, retry: it.retry_interval }),
            reading: self.job.is_some(),
            edited: edited && !refused,
            requested: request.is_some() && request != self.handled,
            asked: self.asked,
            read_at,
            failed: failure.map(|failure| Failed {
                at: failure.at,
                count: failure.count,
                not_before: failure.not_before,
            }),
        });
        let mut begin = None;
        if let (Next::Read, Ok(connector)) = (next, &resolved.connector) {
            let asked = self.asked.take();
            let job = Job::new(stopping.child_token(), asked);
            let look_up_all = asked == Some(Asked::LookedUp);
            begin = Some(Begin {
                connector: connector.clone(),
                key: resolved.key.clone(),
                account: resolved.account.clone(),
                look_up_all,
                job: job.clone(),
            });
            self.job = Some(job);
            self.tried = Some(resolved.key.clone());
            self.handled.clone_from(&request);
        }
        let unread =
            !suspended && connector.is_some() && !refused && self.finished.as_ref() != Some(&resolved.key);
        let next_at = match next {
            Next::At(at) => Some(at),
            Next::Read | Next::Rest => None,
        };
        let mut status = self.status_now(object, resolved, unread, next_at, now);
        if let Some(shown) = self.blind.take() {
            condition::since(&mut status.conditions, &shown, now);
        }
        self.status = Some(status.clone());
        let shown = (object.metadata.resource_version.as_ref(), object.status.as_ref());
        let stands = writing::stands(self.written.as_ref(), shown, &status);
        let before = self.written.as_ref().map(|written| written.status.clone());
        let health = self.health_now(resolved, suspended);
        let health_changed = health != self.health;
        self.health = health;
        let progress = (unread && self.job.is_some()).then(|| delay::later(now, PROGRESS));
        Reconciled {
            begin,
            wake_at: next_at.or(progress),
            health_changed,
            conditions: status.conditions.clone(),
            status: (!stands).then_some((before, status)),
        }
    }

    /// Nobody could look. Returns whether policies are to be told, what was said before, and what is to be said now, if
    /// that is something else.
    pub(super) fn look_failed(
        &mut self,
        object: &DirectoryConnector,
        error: &Error,
        now: Timestamp,
    ) -> (bool, Vec<Condition>, Option<DirectoryConnectorStatus>) {
        if self.status.is_none() && self.found.is_none() {
            self.found.clone_from(&object.status);
        }
        let before = self.written.as_ref().map(|written| &written.status).or(object.status.as_ref());
        let before = before.cloned().unwrap_or_default();
        let conditions = writing::blind(&before.conditions, object.metadata.generation, now, error);
        self.blind = Some(conditions.clone());
        let failing = Some(error.to_string());
        let told = self.health.failing != failing;
        self.health.failing = failing;
        let said = before.conditions.clone();
        let status = DirectoryConnectorStatus { conditions, ..before };
        let shown = (object.metadata.resource_version.as_ref(), object.status.as_ref());
        let stands = writing::stands(self.written.as_ref(), shown, &status);
        (told, said, (!stands).then_some(status))
    }

    /// Whether the object shows what was written last; nobody needs to look because of that.
    pub(in crate::controller) fn stands(&self, object: &DirectoryConnector) -> bool {
        let (version, shown) = (object.metadata.resource_version.as_ref(), object.status.as_ref());
        self.written.as_ref().is_some_and(|written| written.stands(version, shown))
    }

    pub(super) fn status_now(
        &self,
        object: &DirectoryConnector,
        resolved: &Resolved,
        unread: bool,
        next_at: Option<Timestamp>,
        now: Timestamp,
    ) -> DirectoryConnectorStatus {
        let state = match (&resolved.connector, &self.outcome) {
            (Err(problems), _) if problems.iter().all(|problem| problem.elsewhere) => {
                status::State::Lacking(problems)
            }
            (Err(problems), _) => status::State::Invalid(problems),
            (Ok(connector), _) if connector.suspend => status::State::Suspended,
            _ if unread => status::State::Beginning { came: self.job.as_ref().map_or(0, Job::came) },
            (Ok(_), Some(Err(failure))) => status::State::Failed(failure),
            (Ok(_), Some(Ok(read))) => status::State::Read(read),
            (Ok(_), None) => status::State::AsBefore,
        };
        status::status(&status::StatusInput {
            before: self.status.as_ref(),
            generation: object.metadata.generation,
            now,
            state,
            staged: object.spec.ldif.is_none(),
            unseen: match (&resolved.connector, &self.outcome) {
                (Ok(connector), Some(Ok(read))) => status::unseen(read, &connector.source, &resolved.used),
                _ => None,
            },
            // Said only once the read has ended: a request must outlive a process that is killed meanwhile.
            handled: match &self.job {
                Some(_) => self.status.as_ref().and_then(|it| it.last_handled_sync_requested_at.clone()),
                None => self.handled.clone(),
            },
            // While a read is under way the time of the next one stays what it was: one write a read.
            next_at: next_at.or_else(|| {
                self.job.as_ref().and(self.status.as_ref()?.next_import_at.clone()).map(|at| at.0)
            }),
        })
    }

    pub(super) fn health_now(&self, resolved: &Resolved, suspended: bool) -> ConnectorHealth {
        let failing = match (&resolved.connector, &self.outcome) {
            (Err(problems), _) => Some(status::problems(problems)),
            (Ok(_), Some(Err(failure))) => Some(failure.message.clone()),
            (Ok(_), _) => None,
        };
        ConnectorHealth {
            // What rests is not read, however long somebody waits: what was read last holds.
            settled: suspended
                || resolved.connector.is_err()
                || self.finished.as_ref() == Some(&resolved.key),
            failing,
            suspended,
            awaited: self.asked.is_some() || self.job.as_ref().is_some_and(|job| job.asked.is_some()),
            unsettled: match &self.outcome {
                Some(Ok(read)) => read.import.unsettled,
                _ => self.status.as_ref().and_then(|it| it.last_import.as_ref()).map_or(0, |it| it.unsettled),
            },
        }
    }

    /// A policy needs another read; one that is under way will do, if it only must be fresher.
    pub(in crate::controller) fn ask(&mut self, what: Asked) {
        match &mut self.job {
            Some(job) if what == Asked::Fresher => job.asked = job.asked.max(Some(what)),
            _ => self.asked = self.asked.max(Some(what)),
        }
    }

    /// The connector is not there any more: a read under way is given up. Until it has ended, none of a
    /// connector of the same name may begin; that is all that is left to remember.
    pub(in crate::controller) fn give_up(self) -> Option<Self> {
        let job = self.job?;
        job.cancel.cancel();
        Some(Self { job: Some(job), ..Self::default() })
    }

    /// What policies need to know.
    pub(in crate::controller) fn health(&self) -> &ConnectorHealth {
        &self.health
    }
}
