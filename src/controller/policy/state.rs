//! What is remembered of a policy while the process lives.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use kube::runtime::events::EventType;
use tokio_util::sync::CancellationToken;

use super::decide::{self, Inputs, Last, Next};
use super::job::{Begin, Job};
use super::resolved::Resolved;
use super::sources::Sources;
use super::status::{self, PREVIEWED};
use super::stored::Stored;
use crate::api::policy::SyncPolicyStatus;
use crate::api::{APPROVE, APPROVED_BY, SYNC_REQUESTED_AT, SyncPolicy, reason};
use crate::controller::error::Error;
use crate::controller::status::{self as writing, Written};
use crate::controller::{condition, delay};
use crate::spec::{Name, Runnable};
use crate::sync::run::RunState;
use crate::telemetry::Metrics;
use crate::text::clean;

/// While somebody waits for the first run, its progress is written so often.
pub(super) const PROGRESS: Duration = Duration::from_secs(30);

/// What is remembered of a policy while the process lives; all that must survive it is in the store and
/// in the status.
#[derive(Default)]
pub(in crate::controller) struct ControllerState {
    /// What the object came to.
    pub(super) resolved: Option<Resolved>,
    /// The run under way.
    pub(super) job: Option<Job>,
    /// What the last run was begun with.
    pub(super) begun: Option<RanOf>,
    /// What the last run that ended was begun with …
    pub(super) ended: Option<RanOf>,
    /// … and what it left to the next one.
    pub(super) left_by_last_run: Option<RunState>,
    /// When the last run failed, and how many did in a row.
    pub(super) failed: Option<(Timestamp, u32)>,
    /// The last approval that a run has seen, and whether that was a preview, which does nothing of it.
    pub(super) approval: Option<(String, bool)>,
    /// An approval of which a run was to hear that could not even begin.
    pub(super) unheard: Option<String>,
    /// The last approval for which every absence was asked to be looked up, or none was left.
    pub(super) looked_up_for: Option<String>,
    /// The last request by annotation that was acted on.
    pub(super) handled: Option<String>,
    /// Whether what was remembered is lost, and no run was complete since.
    pub(super) reset: bool,
    /// The number of the last change that the last run knew, if it was a preview and what was remembered is lost: it
    /// rebuilt nothing, and still need not be made again before something happens.
    pub(super) previewed: Option<u64>,
    /// Why nothing checks who approves.
    pub(super) unguarded: Option<String>,
    /// What is to be told by Events.
    pub(super) events: Vec<Told>,
    /// The status as it is to be; what a run did is in here as soon as it has ended.
    pub(super) status: SyncPolicyStatus,
    /// As last written.
    pub(super) written: Option<Written<SyncPolicyStatus>>,
    /// Whether a look has succeeded in this process.
    pub(super) looked: bool,
    /// What is said while no look succeeds.
    pub(super) blind: Option<Vec<Condition>>,
}

/// An Event: whether it is a warning, its reason, its message.
pub(super) type Told = (EventType, &'static str, String);

/// What makes a run another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RanOf {
    pub(super) spec_json: String,
    pub(super) preview: bool,
}

impl RanOf {
    pub(super) fn of(runnable: &Runnable) -> Self {
        Self { spec_json: runnable.policy.spec_json.clone(), preview: runnable.preview }
    }
}

/// What one look at a policy came to.
pub(super) struct Reconciled {
    pub(super) begin: Option<Begin>,
    pub(super) wake_at: Option<Timestamp>,
    pub(super) events: Vec<Told>,
    /// Of the status as it is now.
    pub(super) conditions: Vec<Condition>,
    /// When the store was seen to be another one, while it is not rebuilt.
    pub(super) reset_at: Option<Timestamp>,
    /// The status as last written, and another one that is to be.
    pub(super) write: Option<(Option<SyncPolicyStatus>, Box<SyncPolicyStatus>)>,
}

impl ControllerState {
    /// At the first sight in this process: what the status and the store say is how things are.
    pub(super) fn recall(
        &mut self,
        object: &SyncPolicy,
        stored: &Stored,
        runnable: Option<&Runnable>,
        now: Timestamp,
        metrics: &Metrics,
    ) {
        let first = !std::mem::replace(&mut self.looked, true);
        if !first || self.begun.is_some() {
            return;
        }
        self.reset = stored.is_reset(object.status.as_ref());
        let Some(status) = &object.status else { return };
        self.status = status.clone();
        let shown = writing::seen_again(&mut self.status.conditions);
        self.blind = self.blind.take().or(shown);
        let version = object.metadata.resource_version.as_ref();
        self.written.get_or_insert_with(|| Written::found(status.clone(), version));
        // What waits goes on to be told of, however long no run ends.
        metrics.waiting(
            &Name::of(object).to_string(),
            status::held_count(status),
            status::quarantined(status),
        );
        self.handled.clone_from(&status.last_handled_sync_requested_at);
        let Some(last) = status.last_run.as_ref().filter(|_| !self.reset) else { return };
        let failures = [reason::policy::FAILED, reason::policy::STORE_DAMAGED];
        let failed = failures.iter().any(|reason| last.reason == reason.name);
        self.failed = failed.then(|| (last.finished_at.0.min(now), 1));
        if let Some(runnable) = runnable
            && stored.applied_spec.as_ref() == Some(&runnable.policy.spec_json)
            && (last.result == PREVIEWED) == runnable.preview
        {
            self.begun = Some(RanOf::of(runnable));
            self.ended.clone_from(&self.begun);
        }
    }

    pub(super) fn reconcile(
        &mut self,
        object: &SyncPolicy,
        resolved: &Resolved,
        sources: &Sources,
        approval: Option<String>,
        now: Timestamp,
        stopping: &CancellationToken,
    ) -> Reconciled {
        let request = object.annotations().get(SYNC_REQUESTED_AT).map(|request| clean(request).into_owned());
        let whose = Name::of(object).to_string();
        let runnable = resolved.runnable.as_ref().ok();
        // Of what is being deleted nothing is done any more, however long somebody's finalizer keeps it.
        let suspended = object.spec.suspend || object.metadata.deletion_timestamp.is_some();
        let edited = runnable.is_some_and(|runnable| self.begun.as_ref() != Some(&RanOf::of(runnable)));
        if let Some(job) = &self.job
            && (suspended || runnable.is_none() || edited)
        {
            // It does what is not wanted any more: it ends at its next safe point, and this is looked at
            // again.
            job.cancel.cancel();
        }
        let last = self.last();
        let again = self
            .failed
            .zip(runnable)
            .map(|((at, count), runnable)| delay::again(at, runnable.retry_interval, count, &whose));
        let schedule = runnable.and_then(|runnable| runnable.schedule.as_ref());
        let scheduled = schedule
            .zip(last)
            .and_then(|(schedule, last)| Some(delay::apart(schedule.next_after(last.started_at)?, &whose)));
        let next = decide::decide(&Inputs {
            now,
            suspended,
            valid: runnable.is_some() && sources.missing.is_empty(),
            running: self.job.is_some(),
            edited,
            requested: request.is_some() && request != self.handled,
            approved: approval.is_some(),
            // What is older than it was is rebuilt from what the directory says now.
            sources: sources.read.filter(|read| !self.reset || read.healthy),
            last,
            scheduled,
            again,
        });
        let mut begin = None;
        if let (Next::Run, Some(runnable)) = (next, runnable) {
            let job = Job::new(object.annotations().get(APPROVE).cloned(), stopping);
            begin = Some(Begin {
                runnable: runnable.clone(),
                approve: approval.clone().or(self.unheard.take()),
                approved_by: object.annotations().get(APPROVED_BY).map(|by| clean(by).into_owned()),
                failed: sources.failed.clone(),
                left_by_last_run: self.left_by_last_run.take(),
                job: job.clone(),
            });
            self.job = Some(job);
            self.begun = Some(RanOf::of(runnable));
            self.handled = request.or(self.handled.take());
            self.approval = approval.map(|digest| (digest, runnable.preview)).or(self.approval.take());
        }
        let next_at = match next {
            Next::At(at) => Some(at),
            Next::Run | Next::Rest => None,
        };
        let unrun = runnable.is_some_and(|runnable| self.ended.as_ref() != Some(&RanOf::of(runnable)));
        self.status = status::status(&status::StatusInput {
            before: &self.status,
            generation: object.metadata.generation,
            now,
            suspended,
            problems: resolved.runnable.as_ref().err().map(|problems| &problems[..]),
            sources,
            reset: self.reset,
            unguarded: self.unguarded.clone(),
            unrun,
            progress: self.job.as_ref().map(Job::progress),
            // Said only once the run has ended: a request must outlive a process that is killed meanwhile.
            handled: match &self.job {
                Some(_) => self.status.last_handled_sync_requested_at.clone(),
                None => self.handled.clone(),
            },
            // While a run is under way the time of the next one stays what it was: one write a run.
            next_at: if self.job.is_some() {
                self.status.next_run_at.as_ref().map(|at| at.0)
            } else {
                next_at
            },
        });
        if let Some(shown) = self.blind.take() {
            condition::since(&mut self.status.conditions, &shown, now);
        }
        let progress = (unrun && self.job.is_some()).then(|| delay::later(now, PROGRESS));
        let shown = (object.metadata.resource_version.as_ref(), object.status.as_ref());
        let stands = writing::stands(self.written.as_ref(), shown, &self.status);
        let before = self.written.as_ref().map(|written| written.status.clone());
        Reconciled {
            begin,
            wake_at: [next_at, progress, sources.stale_at].into_iter().flatten().min(),
            events: std::mem::take(&mut self.events),
            conditions: self.status.conditions.clone(),
            reset_at: condition::find(&self.status.conditions, "StoreReset")
                .map(|reset| reset.last_transition_time.0),
            write: (!stands).then(|| (before, Box::new(self.status.clone()))),
        }
    }

    /// Nobody could look. Returns what was said before, and what is to be said now, if that is something else.
    pub(super) fn look_failed(
        &mut self,
        object: &SyncPolicy,
        error: &Error,
        now: Timestamp,
    ) -> (Vec<Condition>, Option<SyncPolicyStatus>) {
        let before = self.written.as_ref().map(|written| &written.status).or(object.status.as_ref());
        let before = before.cloned().unwrap_or_default();
        let conditions = writing::blind(&before.conditions, object.metadata.generation, now, error);
        self.blind = Some(conditions.clone());
        let said = before.conditions.clone();
        let status = SyncPolicyStatus { conditions, ..before };
        let shown = (object.metadata.resource_version.as_ref(), object.status.as_ref());
        let stands = writing::stands(self.written.as_ref(), shown, &status);
        (said, (!stands).then_some(status))
    }

    /// Whether the object shows what was written last; nobody needs to look because of that.
    pub(in crate::controller) fn stands(&self, object: &SyncPolicy) -> bool {
        let (version, shown) = (object.metadata.resource_version.as_ref(), object.status.as_ref());
        self.written.as_ref().is_some_and(|written| written.stands(version, shown))
    }

    /// The last run, as far as the status tells; none of another store than this.
    pub(super) fn last(&self) -> Option<Last> {
        let last = self.status.last_run.as_ref()?;
        let sequence = if self.reset { self.previewed? } else { self.status.store.as_ref()?.sequence };
        Some(Last {
            started_at: last.started_at.0,
            sequence,
            due: self.status.due_at.as_ref().map(|due| due.0),
            lacked_source: last.reason == reason::policy::SOURCE_FAILED.name,
        })
    }

    /// An approval that is taken away lets nothing more happen: a run that goes by it ends at its next safe point, and
    /// another one is made, if there was one.
    pub(super) fn withdraw(&mut self, digest: Option<&String>, withdrawn: bool) {
        let of_job = self.job.as_ref().and_then(|job| job.approval.as_ref());
        if of_job.is_some() && of_job != digest {
            if let Some(job) = &self.job {
                job.cancel.cancel();
            }
        } else if withdrawn && self.job.is_none() {
            // What it let go is held again.
            self.begun = None;
        }
    }

    /// The approval that the object bears, if no run has seen it that does what this one would.
    pub(super) fn unseen(
        &mut self,
        digest: Option<&String>,
        stored: &Stored,
        previews: bool,
    ) -> Option<String> {
        if self.job.is_none() && digest.is_none() {
            self.approval = None;
        }
        self.unheard.take_if(|unheard| digest != Some(unheard));
        let seen = self.approval.as_ref().filter(|(_, previewed)| *previewed == previews);
        let seen = seen.map(|(digest, _)| digest);
        let unseen = |digest: &&String| !stored.approved && seen != Some(*digest);
        digest.filter(unseen).cloned()
    }

    /// The same, if every absence is still to be looked up for it: once for each approval, also if a run has seen it
    /// while its directory could not be read.
    pub(super) fn to_look_up(&self, digest: Option<&String>, stored: &Stored) -> Option<String> {
        let seen = self.approval.as_ref().map(|(digest, _)| digest);
        let given = |digest: &&String| !stored.approved || seen == Some(*digest);
        digest.filter(given).filter(|digest| self.looked_up_for.as_ref() != Some(*digest)).cloned()
    }

    /// The policy is not there any more: a run under way is given up. Until it has ended, none of a policy
    /// of the same name may begin; that is all that is left to remember.
    pub(in crate::controller) fn give_up(self) -> Option<Self> {
        let job = self.job?;
        job.cancel.cancel();
        Some(Self { job: Some(job), ..Self::default() })
    }
}
