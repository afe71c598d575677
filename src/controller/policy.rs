//! The controller of `SyncPolicy`: resolve, decide, run, status. It alone runs.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use tokio_util::sync::CancellationToken;

use self::decide::{Inputs, Last, Next};
use self::resolve::Resolved;
use self::run::Job;
use self::sources::Sources;
use self::status::PREVIEWED;
use self::stored::Stored;
use super::approval::{self, Unguarded};
use super::context::{Context, owner};
use super::status::{self as writing, Written};
use super::{Error, condition, delay};
use crate::api::policy::SyncPolicyStatus;
use crate::api::{APPROVE, APPROVED_BY, SYNC_REQUESTED_AT, SyncPolicy, reason};
use crate::secret::Secret;
use crate::spec::reference;
use crate::spec::{Name, Runnable};
use crate::sync::run::RunState;
use crate::telemetry::{Metrics, chain};
use crate::text::clean;

mod decide;
mod gated;
mod resolve;
mod run;
mod sources;
pub mod status;
mod stored;
#[cfg(test)]
mod tests;

/// As it comes from the apiserver: one that cannot be understood stops nobody else.
pub(super) type Object = DeserializeGuard<SyncPolicy>;

/// While somebody waits for the first run, its progress is written so often.
const PROGRESS: Duration = Duration::from_secs(30);

/// What is remembered of a policy while the process lives; all that must survive it is in the store and
/// in the status.
#[derive(Default)]
pub(super) struct ControllerState {
    /// What the object came to.
    resolved: Option<Resolved>,
    /// The run under way.
    job: Option<Job>,
    /// What the last run was begun with.
    begun: Option<RanOf>,
    /// What the last run that ended was begun with …
    ended: Option<RanOf>,
    /// … and what it left to the next one.
    left_by_last_run: Option<RunState>,
    /// When the last run failed, and how many did in a row.
    failed: Option<(Timestamp, u32)>,
    /// The last approval that a run has seen, and whether that was a preview, which does nothing of it.
    approval: Option<(String, bool)>,
    /// An approval of which a run was to hear that could not even begin.
    unheard: Option<String>,
    /// The last approval for which every absence was asked to be looked up, or none was left.
    looked_up_for: Option<String>,
    /// The last request by annotation that was acted on.
    handled: Option<String>,
    /// Whether what was remembered is lost, and no run was complete since.
    reset: bool,
    /// The number of the last change that the last run knew, if it was a preview and what was remembered is lost: it
    /// rebuilt nothing, and still need not be made again before something happens.
    previewed: Option<u64>,
    /// Why nothing checks who approves.
    unguarded: Option<String>,
    /// What is to be told by Events.
    events: Vec<Told>,
    /// The status as it is to be; what a run did is in here as soon as it has ended.
    status: SyncPolicyStatus,
    /// As last written.
    written: Option<Written<SyncPolicyStatus>>,
    /// Whether a look has succeeded in this process.
    looked: bool,
    /// What is said while no look succeeds.
    blind: Option<Vec<Condition>>,
}

/// An Event: whether it is a warning, its reason, its message.
type Told = (EventType, &'static str, String);

/// What makes a run another one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RanOf {
    spec_json: String,
    preview: bool,
}

impl RanOf {
    fn of(runnable: &Runnable) -> Self {
        Self { spec_json: runnable.policy.spec_json.clone(), preview: runnable.preview }
    }
}

pub(super) async fn reconcile(object: Arc<Object>, context: Arc<Context>) -> Result<Action, Error> {
    let looked = look(&object, &context).await;
    if let Err(error) = &looked
        && !matches!(error, Error::Shut(_))
    {
        blind(&object, &context, error).await;
    }
    looked
}

async fn look(object: &Object, context: &Arc<Context>) -> Result<Action, Error> {
    let name = Name::of(object);
    let known = match &object.0 {
        Ok(known) => known,
        Err(invalid) => {
            context.served.pause(&owner(&name));
            let written = context.policies.with(&name, |state| state.written.clone());
            let before = written.as_ref().map(|written| written.status.clone()).unwrap_or_default();
            let status = status::unreadable(invalid, &before, context.clock.now());
            let version = invalid.metadata.resource_version.as_ref();
            if !writing::stands(written.as_ref(), (version, None), &status) {
                write(context, object, status).await?;
            }
            return Ok(Action::await_change());
        }
    };
    context.sees(&name, &reference::of_policy(&known.spec))?;
    let resolved = resolve::resolve(context, &name, known).await?;
    let digest = known.annotations().get(APPROVE);
    let stored =
        stored::look(context, &name, known.metadata.uid.as_deref().unwrap_or_default(), digest).await?;
    let (refused, told) = refuse(context, &name, digest, &stored).await?;
    // What approves nothing is as if it were not there, but for what it approved before.
    let counts = digest.filter(|_| !refused);
    let now = context.clock.now();
    let (approval, look_up, reset) = context.policies.with(&name, |state| {
        state.recall(known, &stored, resolved.runnable.as_deref().ok(), now, &context.metrics);
        state.withdraw(digest, stored.withdrawn);
        let previews = resolved.runnable.as_ref().is_ok_and(|runnable| runnable.preview);
        let approval = state.unseen(counts, &stored, previews);
        state.events.extend(told);
        (approval, state.to_look_up(counts, &stored), state.reset)
    });
    context.served.outdated(&owner(&name), reset);
    admit(context, &name, resolved.token.as_ref()).await?;
    let sources = sources::look(context, &name, &resolved, look_up.as_deref(), now).await?;
    let (ends, unguarded) = (context.gate.ends(), context.approvals.unguarded());
    let reconciled = context.policies.with(&name, |state| {
        state.unguarded = unguarded;
        state.reconcile(known, &resolved, &sources, approval, now, &ends)
    });
    if let Some(begin) = reconciled.begin {
        run::begin(context, &name, begin);
    }
    context.policy_alarm(&name, reconciled.wake_at);
    context.shows("SyncPolicy", &name, known.spec.suspend, &reconciled.conditions);
    if let Some(at) = reconciled.reset_at {
        context.metrics.store_reset(&name.to_string(), at.as_second());
    }
    for (type_, reason, message) in reconciled.events {
        context.event(known, type_, reason, &message);
    }
    if let Some((before, status)) = reconciled.write {
        let now = status.conditions.clone();
        write(context, object, *status).await?;
        context.tell(known, before.as_ref().map(|before| &before.conditions[..]), &now);
    }
    Ok(Action::await_change())
}

async fn write(context: &Context, object: &Object, status: SyncPolicyStatus) -> Result<(), Error> {
    let written = writing::write(context, object, status).await?;
    context.policies.with(&Name::of(object), |state| state.written = Some(written));
    Ok(())
}

/// Whether the approval that the object bears approves nothing, and what is to be told of that now.
async fn refuse(
    context: &Context,
    name: &Name,
    digest: Option<&String>,
    stored: &Stored,
) -> Result<(bool, Option<Told>), Error> {
    let Some(digest) = digest.filter(|_| !stored.approved) else { return Ok((false, None)) };
    let told = |why: &str| (EventType::Warning, reason::policy::APPROVAL_REFUSED.name, why.to_owned());
    if stored.seen.refused {
        let why = "the approval was already on the object when that was created, and approves nothing: remove \
                   rollcall.dev/approve, and set it again if something is held";
        return Ok((true, stored.seen.came_with.then(|| told(why))));
    }
    // What was seen a moment ago may not be so any more.
    let unguarded = approval::look(context).await?;
    let Some(why) = unguarded.filter(|_| context.unguarded == Unguarded::Refuse) else {
        return Ok((false, None));
    };
    let (owner, refused) = (owner(name), digest.clone());
    context.stored(move |store| store.refuse_approval(&owner, &refused)).await?;
    let why = format!(
        "the approval approves nothing, because nothing checks who sets it: {why}; install the chart's admission \
         policy, then remove rollcall.dev/approve and set it again"
    );
    Ok((true, Some(told(&why))))
}

/// A look failed: while nobody knows how things are, nothing is said to be well.
async fn blind(object: &Object, context: &Arc<Context>, error: &Error) {
    let (name, now) = (Name::of(object), context.clock.now());
    let Ok(known) = &object.0 else { return };
    let (before, status) = context.policies.with(&name, |state| state.look_failed(known, error, now));
    context.metrics.condition("SyncPolicy", &name.to_string(), "Ready", "False");
    let Some(status) = status else { return };
    let conditions = status.conditions.clone();
    match write(context, object, status).await {
        Ok(()) => context.tell(known, Some(&before), &conditions),
        Err(error) => {
            tracing::debug!(error = chain(&error), "the failure could not be written to the status");
        }
    }
}

/// Serves the policy's registry to whoever bears the token, and remembers who that is: after a restart the reader is not
/// taken for a stranger. While a token that the policy names is not there, its readers wait.
async fn admit(context: &Context, name: &Name, token: Option<&Result<Secret, String>>) -> Result<(), Error> {
    let owner = owner(name);
    let remember = async |digest| {
        let owner = owner.clone();
        context.stored(move |store| store.remember_reader(&owner, digest)).await
    };
    match token {
        Some(Ok(token)) => {
            if let Some(digest) = context.served.serve(owner.clone(), token.clone()) {
                remember(Some(digest)).await?;
                context.served.remembered(&owner, digest);
            }
        }
        Some(Err(_)) => context.served.pause(&owner),
        None if context.served.withdraw(&owner) => remember(None).await?,
        None => {}
    }
    Ok(())
}

/// What one look at a policy came to.
struct Reconciled {
    begin: Option<run::Begin>,
    wake_at: Option<Timestamp>,
    events: Vec<Told>,
    /// Of the status as it is now.
    conditions: Vec<Condition>,
    /// When the store was seen to be another one, while it is not rebuilt.
    reset_at: Option<Timestamp>,
    /// The status as last written, and another one that is to be.
    write: Option<(Option<SyncPolicyStatus>, Box<SyncPolicyStatus>)>,
}

impl ControllerState {
    /// At the first sight in this process: what the status and the store say is how things are.
    fn recall(
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

    fn reconcile(
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
            begin = Some(run::Begin {
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
    fn look_failed(
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
    pub(super) fn stands(&self, object: &SyncPolicy) -> bool {
        let (version, shown) = (object.metadata.resource_version.as_ref(), object.status.as_ref());
        self.written.as_ref().is_some_and(|written| written.stands(version, shown))
    }

    /// The last run, as far as the status tells; none of another store than this.
    fn last(&self) -> Option<Last> {
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
    fn withdraw(&mut self, digest: Option<&String>, withdrawn: bool) {
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
    fn unseen(&mut self, digest: Option<&String>, stored: &Stored, previews: bool) -> Option<String> {
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
    fn to_look_up(&self, digest: Option<&String>, stored: &Stored) -> Option<String> {
        let seen = self.approval.as_ref().map(|(digest, _)| digest);
        let given = |digest: &&String| !stored.approved || seen == Some(*digest);
        digest.filter(given).filter(|digest| self.looked_up_for.as_ref() != Some(*digest)).cloned()
    }

    /// The policy is not there any more: a run under way is given up. Until it has ended, none of a policy
    /// of the same name may begin; that is all that is left to remember.
    pub(super) fn give_up(self) -> Option<Self> {
        let job = self.job?;
        job.cancel.cancel();
        Some(Self { job: Some(job), ..Self::default() })
    }
}
