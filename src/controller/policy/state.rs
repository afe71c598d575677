//! What is remembered of a policy while the process lives.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use kube::runtime::events::EventType;
use tokio_util::sync::CancellationToken;

use super::decide::{self, Inputs, Last};
use super::job::Begin;
use super::resolved::{Key, Resolved};
use super::sources::Sources;
use super::status::{self, PREVIEWED};
use super::stored::Stored;
use crate::api::policy::SyncPolicyStatus;
use crate::api::{APPROVE, APPROVED_BY, SyncPolicy, reason};
use crate::controller::job::Job;
use crate::controller::refused::Refused;
use crate::controller::state::{ControllerState, Kind, Next, ObjectStatus, Reconciled};
use crate::controller::watched::WatchedKind;
use crate::controller::{condition, delay};
use crate::spec::{Content, Name, Runnable};
use crate::sync::run::{Replan, RunState};
use crate::telemetry::Metrics;
use crate::text::clean;

impl Kind for SyncPolicy {
    const WATCHED: WatchedKind = WatchedKind::Policy;
    type Resolved = Resolved;
    /// The approval that the policy bore.
    type Cause = Option<String>;
    type Begin = Begin;
    type State = PolicyState;

    fn common(state: &mut PolicyState) -> &mut ControllerState<Self> {
        &mut state.common
    }
}

impl ObjectStatus for SyncPolicyStatus {
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
        self.next_run_at.as_ref().map(|at| at.0)
    }
}

/// What is remembered of a policy while the process lives.
#[derive(Default)]
pub(in crate::controller) struct PolicyState {
    /// What is remembered of an object of either kind.
    pub(super) common: ControllerState<SyncPolicy>,
    /// What the last run was begun with.
    pub(super) begun: Option<RanOf>,
    /// What the last run that ended was begun with …
    pub(super) ended: Option<RanOf>,
    /// … and what it left to the next one.
    pub(super) left_by_last_run: Option<RunState>,
    /// What all that the last run was told of came from.
    pub(super) begun_from: Option<Key>,
    /// When the last run failed, and how many did in a row.
    pub(super) failed: Option<(Timestamp, u32)>,
    /// The credentials that the target refused, if no run has succeeded since.
    pub(super) refused: Refused<Content>,
    /// The last approval that a run has seen, and whether that was a preview, which does nothing of it.
    pub(super) approval: Option<(String, bool)>,
    /// An approval of which a run was to hear that could not even begin.
    pub(super) unheard: Option<String>,
    /// The last approval for which every absence was asked to be looked up, or none was left.
    pub(super) looked_up_for: Option<String>,
    /// Whether what was remembered is lost, and no run was complete since.
    pub(super) reset: bool,
    /// The number of the last change that the last run knew, if it was a preview and what was remembered is lost: it
    /// rebuilt nothing, and still need not be made again before something happens.
    pub(super) previewed: Option<u64>,
    /// Why nothing checks who approves.
    pub(super) unguarded: Option<String>,
    /// What is to be told by Events.
    pub(super) events: Vec<Told>,
    /// What makes the run under way plan anew, and the number of the last change that it was told of.
    pub(super) planned_from: Option<(Replan, u64)>,
}

/// An Event: whether it is a warning, its reason, its message.
pub(super) type Told = (EventType, &'static str, String);

/// What makes a run another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RanOf {
    pub(super) spec_json: Arc<str>,
    pub(super) preview: bool,
}

impl RanOf {
    pub(super) fn of(runnable: &Runnable) -> Self {
        Self { spec_json: runnable.policy.spec_json.clone(), preview: runnable.preview }
    }
}

impl PolicyState {
    /// At the first look in this process: what the status and the store say is how things are.
    pub(super) fn recall(
        &mut self,
        object: &SyncPolicy,
        stored: &Stored,
        runnable: Option<&Runnable>,
        now: Timestamp,
        metrics: &Metrics,
    ) {
        let (true, status) = self.common.recall(object) else { return };
        self.reset = stored.is_reset(status.as_ref());
        let Some(status) = status else { return };
        // What waits goes on to be told of, however long no run ends.
        metrics.waiting(
            &Name::of(object).to_string(),
            status::held_count(&status),
            status::quarantined(&status),
        );
        let Some(last) = status.last_run.as_ref().filter(|_| !self.reset) else { return };
        let failures = [reason::policy::FAILED, reason::policy::STORE_DAMAGED];
        let failed = failures.iter().any(|reason| last.reason == reason.name);
        self.failed = failed.then(|| (last.finished_at.0.min(now), 1));
        if let Some(runnable) = runnable
            && stored.applied_spec.as_deref() == Some(&*runnable.policy.spec_json)
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
    ) -> Reconciled<SyncPolicy> {
        let request = self.common.request(object);
        let whose = Name::of(object).to_string();
        let runnable = resolved.runnable.as_ref().ok();
        // Of what is being deleted nothing is done any more, however long somebody's finalizer keeps it.
        let suspended = object.spec.suspend || object.metadata.deletion_timestamp.is_some();
        let edited = runnable.is_some_and(|runnable| self.begun.as_ref() != Some(&RanOf::of(runnable)));
        if suspended || runnable.is_none() || edited {
            self.common.cancel();
        }
        let last = self.last();
        let failed = self.failed.filter(|(at, _)| !delay::is_ahead(*at, now));
        let again = failed
            .zip(runnable)
            .map(|((at, count), runnable)| delay::again(at, runnable.retry_interval, count, &whose));
        let schedule = runnable.and_then(|runnable| runnable.schedule.as_ref());
        let scheduled = schedule
            .zip(last)
            .and_then(|(schedule, last)| Some(delay::apart(schedule.next_after(last.started_at)?, &whose)));
        let verify_at = runnable.and_then(|runnable| self.verify_at(runnable, now));
        self.replan(sources);
        let next = decide::decide(&Inputs {
            now,
            suspended,
            valid: runnable.is_some() && sources.missing.is_empty(),
            running: self.common.job.is_some(),
            edited,
            requested: request.is_some() || self.is_corrected(resolved),
            approved: approval.is_some(),
            // What is older than it was is rebuilt from what the directory says now.
            sources: sources.read.filter(|read| !self.reset || read.healthy),
            last,
            scheduled,
            again,
            verify_at,
        });
        let mut begin = None;
        if let (Next::Begin, Some(runnable)) = (next, runnable) {
            let job = Job::new(stopping, object.annotations().get(APPROVE).cloned());
            begin = Some(Begin {
                runnable: runnable.clone(),
                approve: approval.clone().or(self.unheard.take()),
                approved_by: object.annotations().get(APPROVED_BY).map(|by| clean(by).into_owned()),
                failed: sources.failed.clone(),
                verify: runnable
                    .verify
                    .filter(|_| verify_at.is_some_and(|at| at <= now))
                    .map(|(_, what)| what),
                replan: Replan::default(),
                left_by_last_run: self.left_by_last_run.take(),
                job: job.clone(),
            });
            self.begun = Some(RanOf::of(runnable));
            self.begun_from = Some(resolved.key.clone());
            // The registry takes a whole plan in the time that another one costs.
            let slow = begin.as_ref().filter(|begin| begin.runnable.target.is_shared());
            self.planned_from = slow.map(|begin| (begin.replan.clone(), sources.sequence()));
            self.common.begin(job, request);
            self.approval = approval.map(|digest| (digest, runnable.preview)).or(self.approval.take());
        }
        let unrun = runnable.is_some_and(|runnable| self.ended.as_ref() != Some(&RanOf::of(runnable)));
        let status = status::status(&status::StatusInput {
            before: &self.common.status,
            generation: object.metadata.generation,
            now,
            suspended,
            problems: resolved.runnable.as_ref().err().map(|problems| &problems[..]),
            sources,
            reset: self.reset,
            unguarded: self.unguarded.clone(),
            unrun,
            progress: self.common.job.as_ref().map(Job::progress),
            handled: self.common.handled_now(),
            next_at: self.common.next_shown(next),
        });
        let reconciled = self.common.conclude(object, status, (begin, next, unrun), now);
        let wake_at = reconciled.wake_at.into_iter().chain(sources.look_at).min();
        Reconciled { wake_at, ..reconciled }
    }

    /// Whether something was corrected since the last run failed, such as a token: then it need not wait for its time, unless the
    /// target refused that too.
    fn is_corrected(&self, resolved: &Resolved) -> bool {
        self.failed.is_some()
            && self.begun_from.as_ref().is_some_and(|from| *from != resolved.key)
            && !self.refused.waits(&resolved.key.content)
    }

    /// When the target is to be compared with what was left there.
    fn verify_at(&self, runnable: &Runnable, now: Timestamp) -> Option<Timestamp> {
        let (every, _) = runnable.verify?;
        let last = self.common.status.verification.as_ref()?.at.0;
        Some(if delay::is_ahead(last, now) { now } else { delay::later(last, every) })
    }

    /// A run under way plans anew when something newer was read: whoever has left since waits for nobody who was planned
    /// before.
    fn replan(&mut self, sources: &Sources) {
        if self.common.job.is_none() {
            self.planned_from = None;
        }
        if let Some((replan, told)) = &mut self.planned_from
            && sources.sequence() > *told
        {
            *told = sources.sequence();
            replan.ask();
        }
    }

    /// When the store was seen to be another one, while it is not rebuilt.
    pub(super) fn reset_at(&self) -> Option<Timestamp> {
        let reset = condition::find(&self.common.status.conditions, "StoreReset");
        reset.map(|reset| reset.last_transition_time.0)
    }

    /// The last run, as far as the status tells; none of another store than this.
    pub(super) fn last(&self) -> Option<Last> {
        let status = &self.common.status;
        let last = status.last_run.as_ref()?;
        let sequence = if self.reset { self.previewed? } else { status.store.as_ref()?.sequence };
        Some(Last {
            started_at: last.started_at.0,
            sequence,
            due: status.due_at.as_ref().map(|due| due.0),
            lacked_source: last.reason == reason::policy::SOURCE_FAILED.name,
        })
    }

    /// An approval that was seen was taken away: another run is made. One that goes by it was given up.
    pub(super) fn withdraw(&mut self, withdrawn: bool) {
        if withdrawn && self.common.job.is_none() {
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
        if self.common.job.is_none() && digest.is_none() {
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
}
