//! What is remembered of a connector while the process lives.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use tokio_util::sync::CancellationToken;

use super::decide::{self, Failed, Inputs, Intervals};
use super::enrolment::Enrolments;
use super::health::{Asked, ConnectorHealth};
use super::job::Begin;
use super::outcome::{Failure, Read};
use super::resolved::{Key, Named, Resolved};
use super::status;
use crate::api::DirectoryConnector;
use crate::api::connector::DirectoryConnectorStatus;
use crate::api::reason::connector as reason;
use crate::controller::error::Error;
use crate::controller::job::Job;
use crate::controller::refused::Refused;
use crate::controller::state::{ControllerState, Kind, Next, ObjectStatus, Reconciled};
use crate::controller::watched::WatchedKind;
use crate::controller::{condition, delay};
use crate::source::Session;
use crate::spec::{self, Connector, Content, Name};
use crate::store::snapshot::SnapshotInfo;
use crate::telemetry::Metrics;

impl Kind for DirectoryConnector {
    const WATCHED: WatchedKind = WatchedKind::Connector;
    type Resolved = Resolved;
    type Cause = Option<Asked>;
    type Begin = Begin;
    type State = ConnectorState;

    fn common(state: &mut ConnectorState) -> &mut ControllerState<Self> {
        &mut state.common
    }

    /// Whoever makes it anew does not have a wrong password tried again at once.
    fn left_by(gone: ConnectorState) -> Option<ConnectorState> {
        let failed = gone.outcome.filter(|outcome| outcome.is_err() && !gone.refused.is_empty());
        failed.map(|failed| ConnectorState {
            refused: gone.refused,
            outcome: Some(failed),
            ..ConnectorState::default()
        })
    }
}

impl ObjectStatus for DirectoryConnectorStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn conditions_mut(&mut self) -> &mut Vec<Condition> {
        &mut self.conditions
    }

    fn observed_generation(&self) -> Option<i64> {
        self.observed_generation
    }

    fn handled(&self) -> Option<&String> {
        self.last_handled_sync_requested_at.as_ref()
    }

    fn next_at(&self) -> Option<Timestamp> {
        self.next_import_at.as_ref().map(|at| at.0)
    }
}

/// What is remembered of a connector while the process lives.
#[derive(Default)]
pub(in crate::controller) struct ConnectorState {
    /// What is remembered of an object of either kind.
    pub(super) common: ControllerState<DirectoryConnector>,
    /// What policies name of what it reads.
    pub(super) named: Option<Named>,
    /// The directory as the last read opened it, and of which connector.
    session: Option<(Arc<Connector>, Session)>,
    /// What the last read was begun with.
    pub(super) tried: Option<Key>,
    /// What the last read that ended was begun with.
    pub(super) finished: Option<Key>,
    /// How the last read ended; `None` if none did in this process.
    pub(super) outcome: Option<Result<Box<Read>, Failure>>,
    /// The accounts that the directory refused, if it accepted none since.
    pub(super) refused: Refused<Content>,
    /// Whether a policy needs another read, and how much of it.
    pub(super) asked: Option<Asked>,
    /// Whether an administrator who was asked for consent answered, or an engine came, since the last read began; and whether an
    /// administrator once declined.
    pub(super) is_answered: bool,
    pub(super) is_declined: bool,
    /// Our page that leads to the question.
    pub(super) page: Option<String>,
    /// What is known of the enrolments of its Sync Engines.
    pub(super) engines: Enrolments,
    /// What the status says of its Sync Engine, if it has one.
    pub(super) told_of_engine: Option<status::engine::Engine>,
    /// What policies were last told.
    pub(super) health: ConnectorHealth,
}

impl ConnectorState {
    /// Whether this is of an object that is gone, and tells nothing any more to one of the same name.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        let is_of_nobody = self.common.job.is_none() && !self.common.is_looked_at();
        let over = |failure: &Failure| delay::later(failure.at, delay::LONGEST) < now;
        is_of_nobody && matches!(&self.outcome, Some(Err(failure)) if over(failure))
    }

    /// At the first look in this process: what the status says is how things are.
    pub(super) fn recall(
        &mut self,
        object: &DirectoryConnector,
        resolved: &Resolved,
        info: Option<&SnapshotInfo>,
        now: Timestamp,
        metrics: &Metrics,
    ) {
        let (_, Some(status)) = self.common.recall(object) else { return };
        // How long it was not read goes on to be measured. Either may be older: a status that was not written any more, a
        // store that was restored.
        let read_at = status.last_import.as_ref().map(|import| import.finished_at.0);
        if let Some(at) = read_at.max(info.map(|info| info.completed_at)) {
            metrics.completed(&Name::of(object).to_string(), at.as_second());
        }
        let failure = Failure::recall(&status, now);
        if failure.as_ref().is_some_and(|failure| failure.reason == reason::AUTHENTICATION_FAILED) {
            self.refused.add(resolved.account.clone());
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
    ) -> Reconciled<DirectoryConnector> {
        let request = self.common.request(object);
        let whose = Name::of(object).to_string();
        let connector = resolved.connector.as_ref().ok();
        let suspended = object.spec.suspend;
        let edited = self.tried.as_ref() != Some(&resolved.key);
        if suspended || connector.is_none() || edited {
            self.common.cancel();
        }
        let failure = self.outcome.as_ref().and_then(|outcome| outcome.as_ref().err());
        // Whatever is edited, the same password is tried again only when its time comes, or when a person asks for it; and so is
        // any other, after a few wrong ones.
        let refused = failure.is_some() && self.refused.waits(&resolved.account);
        let next = decide::decide(&Inputs {
            now,
            whose: &whose,
            suspended,
            intervals: connector.map(|it| Intervals { interval: it.interval, retry: it.retry_interval }),
            reading: self.common.job.is_some(),
            edited: edited && !refused,
            requested: request.is_some(),
            asked: self.asked,
            answered: self.is_answered,
            read_at,
            failed: failure.map(|failure| Failed {
                at: failure.at,
                count: failure.count,
                not_before: failure.not_before,
            }),
        });
        let mut begin = None;
        if let (Next::Begin, Ok(connector)) = (next, &resolved.connector) {
            let asked = self.asked.take();
            self.is_answered = false;
            let job = Job::new(stopping, asked);
            // Whatever changed of the connector or of a Secret made another one of it.
            let before = self.session.take().filter(|(of, _)| Arc::ptr_eq(of, connector));
            let source = connector.source.open(before.as_ref().map(|(_, session)| session));
            self.session = Some((connector.clone(), source.clone()));
            begin = Some(Begin {
                connector: connector.clone(),
                source,
                key: resolved.key.clone(),
                account: resolved.account.clone(),
                look_up_all: asked == Some(Asked::LookedUp),
                job: job.clone(),
            });
            self.tried = Some(resolved.key.clone());
            self.common.begin(job, request);
        }
        let unread =
            !suspended && connector.is_some() && !refused && self.finished.as_ref() != Some(&resolved.key);
        let status = self.status_now(object, resolved, unread, next, now);
        self.common.conclude(object, status, (begin, next, unread), now)
    }

    /// No look is possible, which policies must know. Returns whether that is new to them.
    pub(super) fn is_failing(&mut self, error: &Error) -> bool {
        let failing = Some(error.to_string());
        let is_new = self.health.failing != failing;
        self.health.failing = failing;
        is_new
    }

    fn status_now(
        &self,
        object: &DirectoryConnector,
        resolved: &Resolved,
        unread: bool,
        next: Next,
        now: Timestamp,
    ) -> DirectoryConnectorStatus {
        let state = match (&resolved.connector, &self.outcome) {
            (Err(problems), _) if problems.iter().all(|problem| problem.elsewhere) => {
                status::State::Lacking(problems)
            }
            (Err(problems), _) => status::State::Invalid(problems),
            (Ok(connector), _) if connector.suspend => status::State::Suspended,
            _ if unread => {
                status::State::Beginning { came: self.common.job.as_ref().map_or(0, |job| job.progress().0) }
            }
            (Ok(_), Some(Err(failure))) => status::State::Failed(failure),
            (Ok(_), Some(Ok(read))) => status::State::Read(read),
            (Ok(_), None) => status::State::AsBefore,
        };
        status::status(&status::StatusInput {
            before: Some(&self.common.status),
            generation: object.metadata.generation,
            now,
            state,
            staged: object.spec.ldif.is_none(),
            consents: object.spec.entra_id.is_some(),
            is_declined: self.is_declined,
            page: self.page.as_deref(),
            engine: self.told_of_engine.as_ref(),
            elsewhere: spec::elsewhere(&object.spec),
            unseen: match (&resolved.connector, &self.outcome) {
                (Ok(connector), Some(Ok(read))) => status::unseen(read, &connector.source, &resolved.used),
                _ => None,
            },
            handled: self.common.handled_now(),
            next_at: self.common.next_shown(next),
        })
    }

    /// Policies look again if they were told something else before. Returns whether they were.
    pub(super) fn update_health(&mut self, resolved: &Resolved, suspended: bool) -> bool {
        let failing = match (&resolved.connector, &self.outcome) {
            (Err(problems), _) => Some(status::problems(problems)),
            (Ok(_), Some(Err(failure))) => Some(failure.message.clone()),
            (Ok(_), _) => None,
        };
        let health = ConnectorHealth {
            // What rests is not read, however long somebody waits: what was read last holds.
            settled: suspended
                || resolved.connector.is_err()
                || self.finished.as_ref() == Some(&resolved.key),
            failing,
            suspended,
            awaited: self.asked.is_some() || self.common.job.as_ref().is_some_and(|job| job.cause.is_some()),
            unsettled: match &self.outcome {
                Some(Ok(read)) => read.import.unsettled,
                _ => self.common.status.last_import.as_ref().map_or(0, |it| it.unsettled),
            },
        };
        let is_new = health != self.health;
        self.health = health;
        is_new
    }

    /// A policy needs another read; one that is under way will do, if it only must be fresher.
    pub(in crate::controller) fn ask(&mut self, what: Asked) {
        match &mut self.common.job {
            Some(job) if what == Asked::Fresher => job.cause = job.cause.max(Some(what)),
            _ => self.asked = self.asked.max(Some(what)),
        }
    }

    /// What policies need to know.
    pub(in crate::controller) fn health(&self) -> &ConnectorHealth {
        &self.health
    }
}
