//! One pass of one policy: project, plan, guard, apply.
//!
//! # Guarantees
//! - A run reads sealed snapshots only.
//! - What an earlier run left open (it was killed) is settled before anything is planned.
//! - What somebody else changed at the target, if that is asked for, is found before anything is planned.
//! - It goes by what was written: of a store in which bytes changed by themselves nothing is planned.
//! - What is known of a policy is of one target: at another one its first run removes nothing, and no approval counts. While
//!   something is held, it moves to another one only when a person approves that.
//! - The spec counts as applied, and with it as the yardstick for the next edit, only when a run ends
//!   whole and holds nothing that an edit removes.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;
use uuid::Uuid;

use crate::clock::Clock;
use crate::store::link::{Place, Subjects};
use crate::store::policy::Baseline;
use crate::store::{Store, StoreError};
use crate::sync::policy::Policy;
use crate::sync::verify::{self, OnDrift, Verified};
use crate::sync::{apply, blocking};
use crate::target::Target;

mod approval;
mod draft;
mod moves;
mod options;
mod over;
mod report;
mod state;
mod still_held;
mod stop;
mod unplanned;

pub use crate::sync::replan::Replan;
pub use approval::{Approval, Approved};
use draft::Drafting;
pub use options::Options;
pub use report::{BlockedName, RunReport, RunResult, TargetFound};
pub use state::RunState;
pub use stop::Stop;
pub use unplanned::unreached;
use unplanned::{cannot, heard, stays};

/// What a run is of.
pub struct Work<'a, T> {
    /// What remembers.
    pub store: &'a Store,
    /// Where to.
    pub target: &'a T,
    /// The rules.
    pub policy: Arc<Policy>,
    /// Creates the rules from the last applied specs (`Policy::spec_json`); `None` if this version cannot.
    pub rebuild: fn(&str) -> Option<Policy>,
    /// What time it is.
    pub clock: &'a dyn Clock,
}

/// Runs, and looks at everything; `progress` hears how many operations of how many are done.
///
/// # Errors
/// When the store fails. What happens at the target is in the report.
pub async fn run<T: Target>(
    work: Work<'_, T>,
    options: Options,
    progress: impl Fn(u64, u64),
) -> Result<RunReport, StoreError> {
    run_on(&mut None, work, options, progress).await
}

/// Runs, going on from what the policy's last run in this process left in `previous`, if it can, and leaves there what the next
/// one needs. What is done is the same.
///
/// When it is asked to plan anew ([`Options::replan`]), it stops what it does and does so at once, at the same open target:
/// what is done first in any plan, disabling who has left, waits for nothing else.
///
/// # Errors
/// When the store fails. What happens at the target is in the report.
pub async fn run_on<T: Target>(
    previous: &mut Option<RunState>,
    work: Work<'_, T>,
    mut options: Options,
    progress: impl Fn(u64, u64),
) -> Result<RunReport, StoreError> {
    let mut before: Option<RunReport> = None;
    loop {
        options.replan.begin();
        let report = pass(previous, &work, options.clone(), &progress).await?;
        let report = match before.take() {
            Some(before) => report.after(before),
            None => report,
        };
        if report.failed.is_none() || !options.replan.is_asked() || options.stop.why().is_some() {
            return Ok(report);
        }
        tracing::info!(policy = %work.policy.owner, run = report.id, "newer data came, so the rest is planned anew");
        // What was asked for once was done, or is planned again.
        (options.verify, options.approve) = (None, None);
        before = Some(report);
    }
}

/// Plans once, and does it.
async fn pass<T: Target>(
    previous: &mut Option<RunState>,
    work: &Work<'_, T>,
    options: Options,
    progress: &impl Fn(u64, u64),
) -> Result<RunReport, StoreError> {
    let Work { store, target, policy, clock, .. } = work;
    let (store, target) = (*store, *target);
    let id = options.id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let started_at = clock.now();
    let identity = target.identity().to_owned();
    let (reader, owner, preview) = (store.clone(), policy.owner.clone(), options.preview);
    let connectors: Vec<_> = policy.connectors.iter().map(|binding| binding.connector.clone()).collect();
    let (rules, asked) = (policy.clone(), options.clone());
    let vouched_for = move || {
        let place = reader.place(&owner, &identity)?;
        reader.vouch_for_run(place, &connectors)?;
        let held = moves::held_elsewhere(&reader, &rules, &identity, &asked, started_at)?;
        if held.as_ref().is_some_and(|held| !held.is_approved) {
            return Ok((place, held));
        }
        if !preview && reader.move_to(&owner, place)? {
            tracing::info!(policy = %owner, "the policy is at another target than before: its first run there removes nothing");
            if let Some(held) = &held {
                // Here it approves nothing, and is known to be seen.
                reader.approve(place, &held.hold, held.hold.approved_by.as_deref(), started_at)?;
            }
        }
        Ok((place, held))
    };
    let (place, held_elsewhere) = blocking(vouched_for).await?;
    let Some(held) = held_elsewhere else {
        let report = plan_and_apply(previous, work, place, id, started_at, options.clone(), progress).await?;
        return heard(store, policy, place, &options, report).await;
    };
    if !held.is_approved {
        let found = TargetFound::of(target, None);
        return Ok(RunReport { target: found, ..stays(store, held, id, started_at, preview).await? });
    }
    let options = Options { approve: None, ..options };
    let report = plan_and_apply(previous, work, place, id, started_at, options, progress).await?;
    Ok(RunReport {
        approval: Some(held.approval.unwrap_or(Approval::Moves)),
        approved: Approved { by: held.hold.approved_by.into_iter().collect(), ..report.approved },
        ..report
    })
}

/// Plans once at this place, where the policy is, and does it.
async fn plan_and_apply<T: Target>(
    previous: &mut Option<RunState>,
    work: &Work<'_, T>,
    place: Place,
    id: String,
    started_at: Timestamp,
    options: Options,
    progress: &impl Fn(u64, u64),
) -> Result<RunReport, StoreError> {
    let Work { store, target, policy, rebuild, clock } = work;
    let (store, target, rebuild, clock) = (*store, *target, *rebuild, *clock);
    // Whatever becomes of this run: if it does not come to its end, the next one looks at everything.
    let mut before = if options.preview { None } else { previous.take() };
    let seen = match look(work, place, &options, &id, started_at).await? {
        Ok(seen) => seen,
        Err((found, why)) => {
            return Ok(RunReport { target: found, ..cannot(store, place, id, started_at, why).await? });
        }
    };
    // Whoever is in doubt or was changed by others is looked at, whatever the directory says.
    if seen.is_news {
        before = None;
    }
    let drafting = Drafting {
        store: store.clone(),
        place,
        subjects: Subjects::default(),
        elsewhere: Baseline::nothing(started_at),
        policy: policy.clone(),
        rebuild,
        options: options.clone(),
        now: started_at,
    };
    let mut draft = match blocking(move || drafting.draft(before)).await {
        Ok(Ok(draft)) => draft,
        Err(StoreError::GivenUp(why)) | Ok(Err(why)) => {
            return cannot(store, place, id, started_at, why).await;
        }
        Err(error) => return Err(error),
    };
    let applied = if options.preview {
        apply::Report::of_steps(&draft.guarded.execute)
    } else {
        let completion = draft.vouched.completion;
        let context = apply::Context {
            target,
            store,
            place,
            policy,
            run: &id,
            completion,
            in_doubt: seen.in_doubt,
            replan: &options.replan,
            clock,
        };
        apply::apply(context, &mut draft.subjects, &draft.guarded.execute, progress).await?
    };
    let finished_at = clock.now();
    if !options.preview && applied.failed.is_none() {
        let (store, accepts, spec) = (store.clone(), draft.accepted_losses(), draft.applied_spec(policy));
        let (policy, baseline) = (policy.clone(), draft.linked(finished_at));
        blocking(move || complete(&store, place, &policy, baseline, spec.as_deref(), &accepts)).await?;
    }
    if !options.preview {
        *previous = Some(draft.state(policy, place, finished_at));
    }
    let report = RunReport {
        verified: seen.verified,
        target: TargetFound::of(target, applied.failed.as_ref()),
        ..RunReport::of(id, (started_at, finished_at), policy, &options, draft, applied)
    };
    // A run that could not do all of its work does not know all of them.
    if !options.preview && report.failed.is_none() {
        let (store, exceptions) = (store.clone(), report.exceptions(&policy.owner));
        blocking(move || store.save_exceptions(place, &exceptions)).await?;
    }
    tracing::info!(
        policy = %policy.owner,
        run = report.id,
        verdict = ?report.result(),
        looked_at = report.looked_at,
        users = report.in_step.users,
        groups = report.in_step.groups,
        held = report.held.as_ref().map_or(0, |hold| hold.lines.len()),
        quarantined = report.quarantined_count,
        "ran"
    );
    Ok(report)
}

/// What was found at the target before anything is planned.
#[derive(Default)]
struct Seen {
    in_doubt: apply::InDoubt,
    verified: Option<Result<Verified, String>>,
    /// Whether what was known of it was corrected.
    is_news: bool,
}

/// Settles what an interrupted run left open, and finds what somebody else changed, if that is asked for. The error says why
/// nothing can be planned.
async fn look<T: Target>(
    work: &Work<'_, T>,
    place: Place,
    options: &Options,
    run: &str,
    now: Timestamp,
) -> Result<Result<Seen, (Option<TargetFound>, String)>, StoreError> {
    let Work { store, target, policy, clock, .. } = work;
    let (store, target) = (*store, *target);
    let mut seen = Seen::default();
    if !options.preview {
        match apply::recover(target, store, place, run, *clock).await? {
            Ok(recovered) => {
                seen.is_news = recovered != apply::Recovered::default();
                seen.in_doubt = recovered.in_doubt;
            }
            Err(why) => {
                let message = format!(
                    "it could not be found out at the target what an interrupted run had done: {why}"
                );
                return Ok(Err((TargetFound::of(target, Some(&why)), message)));
            }
        }
    }
    let Some(on_drift) = options.verify else { return Ok(Ok(seen)) };
    let on_drift = if options.preview { OnDrift::Report } else { on_drift };
    let in_doubt = seen.in_doubt.keys().copied().collect();
    let context = verify::Context { target, store, place, policy, in_doubt, now };
    match verify::verify(&context).await? {
        Ok(found) => {
            let found = verify::settle(&context, run, on_drift, found).await?;
            seen.is_news |= found.drifts.len() as u64 > found.left;
            seen.verified = Some(Ok(found));
        }
        Err(why) if why.reason.is_of_all() => {
            return Ok(Err((TargetFound::of(target, Some(&why)), why.message)));
        }
        Err(why) => seen.verified = Some(Err(why.message)),
    }
    Ok(Ok(seen))
}

fn complete(
    store: &Store,
    place: Place,
    policy: &Policy,
    baseline: Baseline,
    applied_spec: Option<&str>,
    accepted: &[BTreeMap<String, RoaringBitmap>],
) -> Result<(), StoreError> {
    store.complete_run(place, baseline, applied_spec, policy.limits.window)?;
    for (binding, accepted) in policy.connectors.iter().zip(accepted) {
        store.accept_losses(place, &binding.connector, accepted)?;
    }
    store.purge_journal(baseline.at, crate::store::journal::RETENTION)
}
