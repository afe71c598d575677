//! The run itself, beside the reconciles: they never wait for it.

use std::sync::Arc;

use jiff::Timestamp;
use kube::runtime::events::EventType;
use tokio::time::Instant;
use tracing::Instrument as _;
use uuid::Uuid;

use super::gated::{Ends, Gated};
use super::job::Begin;
use super::state::{PolicyState, RanOf, Told};
use super::status;
use crate::api::policy::StoreRef;
use crate::api::reason::{Reason, policy as reasons};
use crate::clock::Clock;
use crate::controller::context::Context;
use crate::controller::job::Job;
use crate::controller::refused::Refused;
use crate::controller::watched::WatchedKind;
use crate::directory::ConnectorName;
use crate::spec::{self, Name, Runnable};
use crate::store::hold::APPROVAL_HOLDS;
use crate::store::{Store, StoreError};
use crate::sync::run::{self, Approval, Approved, RunReport, RunResult, Stop};
use crate::target::TargetReason;
use crate::target::registry::Registry;
use crate::target::turn::May;
use crate::telemetry::{self, Metrics};
use crate::words::count;

/// So many earlier runs are kept in the status.
const HISTORY: usize = 4;

/// Begins the run; when it has ended, the policy is looked at.
pub(super) fn begin(context: &Arc<Context>, name: &Name, mut begin: Begin) {
    let (context, name) = (context.clone(), name.clone());
    let id = Uuid::new_v4().to_string();
    let span = tracing::info_span!(parent: None, "run", policy = %name, run = id);
    let jobs = context.clone();
    let work = async move {
        let (job, queued) = (begin.job.clone(), context.metrics.queued_run());
        let run = Box::pin(run(&context, &mut begin, id));
        let ran = job.in_turn((&context.runs, &name.namespace), queued, run).await;
        // Without the lease nothing may be written, and that says nothing of the target.
        let given_up = begin.job.cancel.is_cancelled() || context.gate.check().is_err();
        let now = context.clock.now();
        context.policies.with(&name, |state| state.done(ran, begin, given_up, now, &context.metrics));
        context.parts.wake(WatchedKind::Policy, &name);
    };
    jobs.spawn("a run", work.instrument(span));
}

/// What a run did, and in which store; or why it could not even begin.
pub(super) type Ran = Result<(RunReport, StoreRef), StoreError>;

async fn run(context: &Context, begin: &mut Begin, id: String) -> Ran {
    let Runnable { policy, timeout, preview, .. } = &*begin.runnable;
    let until = (*timeout, Instant::now() + *timeout);
    let Job { cancel, term, .. } = begin.job.clone();
    let ends = Ends { gate: context.gate.clone(), term, cancel, until };
    let stop = ends.clone();
    // What was taken away while another run ended is not let happen by this one.
    let (owner, borne) = (policy.owner.clone(), begin.job.cause.clone());
    context.stored(move |store| store.withdraw_approvals(&owner, borne.as_deref())).await?;
    let replan = begin.replan.clone();
    let options = run::Options {
        replan: replan.clone(),
        verify: begin.verify,
        stop: Stop::when(move || stop.why()),
        id: Some(id),
        preview: *preview,
        approve: begin.approve.clone(),
        approved_by: begin.approved_by.clone(),
        failed_connectors: begin.failed.clone(),
    };
    let clock: &dyn Clock = &*context.clock;
    let registry = Registry::new(context.store.clone(), policy.owner.clone());
    let (config, permit) = (&begin.runnable.target, ends.clone());
    let may = move || {
        if replan.is_asked() {
            return May::Never("the directory was read again meanwhile".to_owned());
        }
        permit.may()
    };
    let opened = config.open(registry, &context.executors, may, context.clock.clone());
    let target = match opened.await {
        Ok(target) => Gated { target, ends },
        Err(error) => {
            let identity = config.identity(&policy.owner);
            let report = run::unreached(&context.store, policy, &identity, options, clock, error).await?;
            let id = context.stored(Store::id).await?;
            return Ok((report, StoreRef { id, sequence: 0 }));
        }
    };
    let work = run::Work {
        store: &context.store,
        target: &target,
        policy: policy.clone(),
        rebuild: spec::rebuild,
        clock,
    };
    let progress = begin.job.progress_teller();
    let report = run::run_on(&mut begin.left_by_last_run, work, options, progress).await?;
    let id = context.stored(Store::id).await?;
    let sequence = report.sequence;
    Ok((report, StoreRef { id, sequence }))
}

fn measured(report: &RunReport) -> telemetry::Run {
    telemetry::Run {
        took: report.finished_at.duration_since(report.started_at).unsigned_abs(),
        users: report.in_step.users,
        groups: report.in_step.groups,
        memberships: report.in_step.memberships,
        held: report.held.as_ref().map_or(0, |hold| hold.lines.len() as u64),
        quarantined: report.quarantined_count,
    }
}

impl PolicyState {
    /// The job is done, whatever became of its run.
    pub(super) fn done(
        &mut self,
        ran: Option<Ran>,
        begin: Begin,
        given_up: bool,
        now: Timestamp,
        metrics: &Metrics,
    ) {
        self.common.job = None;
        if self.begun != Some(RanOf::of(&begin.runnable)) {
            // It was of a policy that is gone, whatever bears its name now.
            return;
        }
        // Not before: of what is gone nothing is measured any more. If it goes now, this is forgotten after that.
        if let Some(Ok((report, _))) = &ran {
            let reason = status::reason(report.result()).name;
            metrics.ran(begin.runnable.policy.owner.as_str(), reason, &measured(report));
        }
        match ran {
            Some(Ok((report, store))) if !(given_up && report.failed.is_some()) => {
                self.left_by_last_run = begin.left_by_last_run;
                self.take(&report, store, &begin.runnable);
            }
            Some(Err(error)) => {
                self.cannot(&error, RanOf::of(&begin.runnable), begin.approve, now);
            }
            _ => self.given_up(),
        }
    }

    /// A run ended.
    fn take(&mut self, report: &RunReport, store: StoreRef, runnable: &Runnable) {
        let verdict = report.result();
        let before = self.failed.map_or(0, |(_, count)| count);
        self.failed = (verdict == RunResult::Failed).then(|| (report.finished_at, before.saturating_add(1)));
        self.refusal(report);
        self.ended = Some(RanOf::of(runnable));
        self.events.extend(told(report));
        self.events.extend(
            status::repaired(report)
                .map(|message| (EventType::Normal, reasons::DRIFT_REPAIRED.name, message)),
        );
        if let Some(hold) = &report.held
            && self.common.status.held.as_ref().is_none_or(|held| held.digest != hold.digest)
        {
            // The digest first: a message that is too long is cut.
            let message = format!("{}; list it with `rollcall plan show`: {}", hold.digest, hold.reason);
            self.events.push((EventType::Warning, reasons::HELD.name, message));
        }
        // Whoever only looks has rebuilt nothing: what is older than it was stays so.
        self.reset &= report.failed.is_some() || report.previewed;
        self.previewed = (self.reset && report.failed.is_none()).then_some(report.sequence);
        let status = &mut self.common.status;
        if let Some(last) = status.last_run.take() {
            status.history.insert(0, last);
            status.history.truncate(HISTORY);
        }
        status::take_target(status, report, runnable.verify.is_some());
        status.in_step = Some(status::in_step(report));
        status.held = report.held.as_ref().map(status::held);
        status.last_run = Some(status::last_run(report));
        status.due_at = report.due.map(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time);
        // Until a run is complete in a new store, the loss of the old one shows.
        if !self.reset && (report.failed.is_none() || status.store.is_none()) {
            status.store = Some(store);
        }
    }

    /// Notes whether the target refused who asks.
    fn refusal(&mut self, report: &RunReport) {
        let why = report.target.as_ref().and_then(|target| target.failed.as_ref()).map(|why| why.reason);
        match (why, &self.begun_from) {
            (Some(TargetReason::AuthenticationFailed), Some(asked)) => {
                self.refused.add(asked.content.clone());
            }
            (None, _) if report.failed.is_none() => self.refused = Refused::default(),
            _ => {}
        }
    }

    /// Nobody wanted it any more: what it did is in the store, and the next run goes on from it. So does an
    /// approval that it has seen; one that it has not is still to be seen.
    fn given_up(&mut self) {
        self.begun = None;
        self.approval = None;
    }

    /// A run could not even begin: the next one is told what this one was.
    fn cannot(&mut self, error: &StoreError, ran: RanOf, approve: Option<String>, now: Timestamp) {
        tracing::error!(%error, "the run failed");
        let before = self.failed.map_or(0, |(_, count)| count);
        self.failed = Some((now, before.saturating_add(1)));
        self.ended = Some(ran);
        self.unheard = approve;
        self.common.status.last_run =
            Some(status::could_not(status::failure(error), &error.to_string(), now));
    }
}

/// What is told of approvals after a run: of one that was given with it, or of one from before by which it let something go.
fn told(report: &RunReport) -> Option<Told> {
    let normal = |message| Some((EventType::Normal, reasons::APPROVED.name, message));
    let warning = |reason: Reason, message: &str| Some((EventType::Warning, reason.name, message.to_owned()));
    match report.approval {
        Some(Approval::Accepted) => normal(accepted(report)),
        Some(Approval::Unknown) => warning(
            reasons::APPROVAL_UNKNOWN,
            "the approval names a digest that is not held; use the digest in status.held",
        ),
        Some(Approval::Outdated) => warning(
            reasons::APPROVAL_OUTDATED,
            "the approval names a digest of an earlier spec; look at what is held now",
        ),
        Some(Approval::Unprovable) => warning(
            reasons::APPROVAL_REFUSED,
            "the approval names what no approval settles; look at what is held now",
        ),
        Some(Approval::Moves) => normal(moved(report)),
        None if report.approved.steps > 0 && !report.previewed && report.failed.is_none() => {
            normal("operations that were approved before and had to wait were executed now".to_owned())
        }
        None => None,
    }
}

/// What came of an approval.
fn accepted(report: &RunReport) -> String {
    let Approved { named, held, steps, .. } = report.approved;
    let approval = match status::approvers(report) {
        Some(who) => format!("the approval by {who}"),
        None => "the approval".to_owned(),
    };
    let holds = format!("{approval} was accepted and is valid for {} hours", APPROVAL_HOLDS.as_secs() / 3600);
    if report.previewed {
        return format!(
            "{approval} names what is held, but this was a preview, so nothing was changed; unless it is removed, it \
             counts once mode is Apply"
        );
    }
    if report.failed.is_some() {
        return format!("{holds}; this run failed before its end, and the next one continues");
    }
    if !report.stale.is_empty() {
        let stale: Vec<&str> = report.stale.iter().map(ConnectorName::as_str).collect();
        return format!(
            "{holds}; DirectoryConnector {} could not be read, so nothing was removed because of it; these operations \
             wait until it can be read again",
            stale.join(", ")
        );
    }
    if held > 0 {
        let all = count(named, "operation", "operations");
        return format!(
            "{holds}; of the {all} that it names, {} still held until each entry is looked up: see `rollcall plan show`",
            count(held, "is", "are")
        );
    }
    if steps == 0 {
        return format!(
            "{approval} was accepted; the directory no longer calls for any operation that it names, so nothing was executed"
        );
    }
    if report.applied.waiting > 0 {
        return format!("{holds}; its operations were executed, except for those that wait for the next run");
    }
    format!(
        "{approval} was accepted; the operations that it names and the directory still calls for were executed"
    )
}

/// What came of an approval of what is held at the target of before.
fn moved(report: &RunReport) -> String {
    let approval = match status::approvers(report) {
        Some(who) => format!("the approval by {who}"),
        None => "the approval".to_owned(),
    };
    let moves = format!("{approval} lets the policy move to the target that its spec names");
    if report.held.is_some() && report.failed.is_some() {
        format!(
            "{moves}, once that can be reached; it is valid for {} hours",
            APPROVAL_HOLDS.as_secs() / 3600
        )
    } else {
        format!("{moves}; nothing of what was held at the target of before was executed")
    }
}

/// The reasons of what is told of approvals.
#[cfg(test)]
pub(super) fn approvals() -> Vec<&'static str> {
    let now = Timestamp::UNIX_EPOCH;
    let of = |approval| {
        let nothing = RunReport::nothing(String::new(), now, crate::store::policy::Baseline::nothing(now));
        told(&RunReport { approval: Some(approval), ..nothing }).unwrap().1
    };
    let refused = reasons::APPROVAL_REFUSED.name;
    [Approval::Accepted, Approval::Unknown, Approval::Outdated].map(of).into_iter().chain([refused]).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::store::policy::Baseline;

    #[test]
    fn an_approval_outlives_a_run_that_was_given_up() {
        let begun = RanOf { spec_json: "{}".into(), preview: false };
        let approval = Some(("sha256:0".to_owned(), false));
        let mut state = PolicyState { begun: Some(begun), approval, ..PolicyState::default() };
        state.given_up();
        assert_eq!((state.begun, state.approval), (None, None), "the next run is told of it");
    }

    #[test]
    fn an_approval_outlives_a_run_that_could_not_begin() {
        let mut state = PolicyState::default();
        let ran = RanOf { spec_json: "{}".into(), preview: false };
        let approval = Some("sha256:0".to_owned());
        state.cannot(&StoreError::Full, ran, approval.clone(), Timestamp::UNIX_EPOCH);
        assert_eq!(state.unheard, approval, "the next run is told of it");
    }

    /// A run with an approval that names three operations, of which so many steps were let go.
    fn approved(steps: u64) -> RunReport {
        let now = Timestamp::UNIX_EPOCH;
        RunReport {
            approval: Some(Approval::Accepted),
            approved: Approved { by: ["april".to_owned()].into(), named: 3, held: 0, steps },
            ..RunReport::nothing("a".to_owned(), now, Baseline::nothing(now))
        }
    }

    #[rstest]
    #[case::done(approved(3), Some("were executed"))]
    #[case::nothing_of_it_is_called_for(approved(0), Some("nothing was executed"))]
    #[case::its_directory_was_away(
        RunReport { stale: vec![ConnectorName::new("id", "corp")], ..approved(0) },
        Some("DirectoryConnector id/corp could not be read, so nothing was removed because of it")
    )]
    #[case::a_preview(
        RunReport { previewed: true, ..approved(3) },
        Some("this was a preview, so nothing was changed")
    )]
    #[case::a_preview_without_its_directory(
        RunReport { previewed: true, stale: vec![ConnectorName::new("id", "corp")], ..approved(3) },
        Some("this was a preview, so nothing was changed")
    )]
    #[case::it_failed_on_the_way(
        RunReport { failed: Some("the disk is full".to_owned()), ..approved(3) },
        Some("this run failed before its end")
    )]
    #[case::some_are_to_be_looked_up(
        RunReport { approved: Approved { held: 2, ..approved(1).approved }, ..approved(1) },
        Some("of the 3 operations that it names, 2 are still held")
    )]
    #[case::it_waited_until_now(
        RunReport { approval: None, ..approved(3) },
        Some("had to wait were executed now")
    )]
    #[case::one_that_waited_in_a_preview(RunReport { approval: None, previewed: true, ..approved(3) }, None)]
    #[case::none(RunReport { approval: None, ..approved(0) }, None)]
    fn an_approval_is_told_as_what_came_of_it(#[case] report: RunReport, #[case] says: Option<&str>) {
        let told = told(&report);
        assert_eq!(told.is_some(), says.is_some());
        let (Some((_, reason, message)), Some(says)) = (told, says) else { return };
        assert_eq!(reason, "Approved");
        assert!(message.contains(says), "{message}");
        assert_eq!(message.contains("approval by april"), report.approval.is_some(), "{message}");
        let happened = report.approved.steps > 0
            && report.approved.held == 0
            && !report.previewed
            && report.failed.is_none()
            && report.stale.is_empty();
        assert_eq!(message.contains("were executed"), happened, "{message}");
    }
}
