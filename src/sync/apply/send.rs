//! Sends operations to a target: as many at once as it can take, so that a slow one holds none of the others.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::denied::{FEW, may_be_of_one};
use crate::directory::{Operation, Outcome};
use crate::sync::replan::Replan;
use crate::target::{Target, TargetError, TargetReason};

/// What came of operations that were sent.
pub(super) struct Sent {
    /// The outcome of each, in order; `None` of what was not sent any more.
    pub(super) outcomes: Vec<Option<Outcome>>,
    /// Why nothing more was sent.
    pub(super) ended: Option<TargetError>,
}

/// Sends operations. Once the target as a whole refuses, or there is something newer to plan from, nothing more is sent.
pub(super) async fn send<T: Target>(target: &T, operations: &[Operation], replan: &Replan) -> Sent {
    let can = target.capabilities();
    let ending = Mutex::new(Ending::default());
    let part = async |at: usize, part: &[Operation]| {
        let outdated = || TargetError::new(TargetReason::Stopped, "the directory was read again meanwhile");
        if replan.is_asked() {
            locked(&ending).ended.get_or_insert_with(outdated);
        }
        if locked(&ending).ended.is_some() {
            return (at, vec![None; part.len()]);
        }
        let mut outcomes = target.apply(part).await;
        outcomes.resize_with(part.len(), no_answer);
        locked(&ending).note(&outcomes);
        (at, outcomes.into_iter().map(Some).collect())
    };
    let mut parts = operations.chunks(can.batch.max(1)).enumerate();
    let mut under_way: FuturesUnordered<_> =
        parts.by_ref().take(can.at_once.max(1)).map(|(at, one)| part(at, one)).collect();
    let mut answered = Vec::with_capacity(operations.len());
    while let Some(answer) = under_way.next().await {
        answered.push(answer);
        under_way.extend(parts.next().map(|(at, one)| part(at, one)));
    }
    drop(under_way);
    answered.sort_by_key(|(at, _)| *at);
    let outcomes = answered.into_iter().flat_map(|(_, outcomes)| outcomes).collect();
    Sent { outcomes, ended: ending.into_inner().unwrap_or_else(PoisonError::into_inner).ended }
}

/// Whether the target as a whole refuses.
#[derive(Default)]
struct Ending {
    ended: Option<TargetError>,
    /// So many were refused for want of a right, before anything was done.
    denied: usize,
    is_done: bool,
}

impl Ending {
    fn note(&mut self, outcomes: &[Outcome]) {
        self.is_done |= outcomes.iter().any(|outcome| matches!(outcome, Outcome::Done(_)));
        for outcome in outcomes {
            let Outcome::Failed(why) = outcome else { continue };
            self.denied += 1;
            if !may_be_of_one(why) || (!self.is_done && self.denied >= FEW) {
                self.ended.get_or_insert_with(|| why.clone());
            }
        }
    }
}

fn locked(ending: &Mutex<Ending>) -> MutexGuard<'_, Ending> {
    ending.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The outcome of an operation of which the target said nothing.
fn no_answer() -> Outcome {
    Outcome::Ambiguous(no_answer_at_all())
}

/// That the target said nothing.
pub(super) fn no_answer_at_all() -> TargetError {
    TargetError::new(TargetReason::NoAnswer, "the target did not answer")
}
