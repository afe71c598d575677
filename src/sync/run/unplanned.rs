//! Runs that end before they plan: what is held stays held, and an approval is taken note of.

use jiff::Timestamp;
use uuid::Uuid;

use super::approval::{self, Approved};
use super::moves::{self, HeldElsewhere};
use super::options::Options;
use super::report::{RunReport, TargetFound};
use crate::clock::Clock;
use crate::store::link::Place;
use crate::store::policy::Baseline;
use crate::store::{Store, StoreError};
use crate::sync::blocking;
use crate::sync::policy::Policy;
use crate::target::TargetError;

/// A run whose target could not be opened: it planned nothing, and what was held still is.
///
/// # Errors
/// When the store fails.
pub async fn unreached(
    store: &Store,
    policy: &Policy,
    identity: &str,
    options: Options,
    clock: &dyn Clock,
    why: TargetError,
) -> Result<RunReport, StoreError> {
    let id = options.id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let (reader, rules, of, at) = (store.clone(), policy.clone(), identity.to_owned(), clock.now());
    let asked = options.clone();
    let known = blocking(move || {
        let place = reader.place(&rules.owner, &of)?;
        let held = moves::held_elsewhere(&reader, &rules, &of, &asked, at)?;
        Ok::<_, StoreError>((place, held))
    });
    let message = why.message.clone();
    let found = TargetFound { identity: identity.to_owned(), about: Vec::new(), failed: Some(why) };
    let report = match known.await? {
        (_, Some(held)) => {
            let stays = stays(store, held, id, at, options.preview).await?;
            RunReport { failed: Some(message), ..stays }
        }
        (place, None) => {
            let report = cannot(store, place, id, at, message).await?;
            let report = RunReport { previewed: options.preview, ..report };
            heard(store, policy, place, &options, report).await?
        }
    };
    Ok(RunReport { target: Some(found), ..report })
}

/// What is said of a run that would have moved the policy from where something is held.
pub(super) async fn stays(
    store: &Store,
    held: HeldElsewhere,
    id: String,
    at: Timestamp,
    previewed: bool,
) -> Result<RunReport, StoreError> {
    let HeldElsewhere { here, hold, approval, .. } = held;
    let report = cannot(store, here, id, at, hold.reason.clone()).await?;
    Ok(RunReport { held: Some(hold), approval, previewed, ..report })
}

/// What is said of a run that could not plan.
pub(super) async fn cannot(
    store: &Store,
    place: Place,
    id: String,
    at: Timestamp,
    why: String,
) -> Result<RunReport, StoreError> {
    let store = store.clone();
    let known = blocking(move || Ok::<_, StoreError>((store.subjects(place)?, store.current_hold(place)?)));
    let (subjects, held) = known.await?;
    // It judged nothing, so what was held still is.
    Ok(RunReport { held, ..RunReport::cannot(id, Baseline::of(&subjects, at), why) })
}

/// Takes note of an approval that was given with a run which ended before it could judge it: it is valid from when it was first
/// seen.
pub(super) async fn heard(
    store: &Store,
    policy: &Policy,
    place: Place,
    options: &Options,
    report: RunReport,
) -> Result<RunReport, StoreError> {
    let Some(digest) = options.approve.clone().filter(|_| report.approval.is_none()) else {
        return Ok(report);
    };
    let (store, spec_hash, options, at) =
        (store.clone(), policy.spec_hash.clone(), options.clone(), report.started_at);
    let give = move || approval::give(&store, (place, &spec_hash), &digest, None, &options, at);
    let (hold, approval) = blocking(give).await?;
    let by = hold.and_then(|hold| hold.approved_by).into_iter().collect();
    Ok(RunReport { approval: Some(approval), approved: Approved { by, ..report.approved }, ..report })
}
