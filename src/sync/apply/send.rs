//! Sends operations to a target: as many at once as it can take, so that a slow one holds none of the others.

use std::sync::{Mutex, PoisonError};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use crate::directory::{Operation, Outcome};
use crate::sync::replan::Replan;
use crate::target::{Target, TargetError, TargetReason};

/// Answers for each operation, in order. Once the target as a whole refuses, or there is something newer to plan from, nothing
/// more is sent.
pub(super) async fn send<T: Target>(target: &T, operations: &[Operation], replan: &Replan) -> Vec<Outcome> {
    let can = target.capabilities();
    let refused: Mutex<Option<TargetError>> = Mutex::new(None);
    let part = async |at: usize, part: &[Operation]| {
        let before = refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let outdated = || TargetError::new(TargetReason::Stopped, "the directory was read again meanwhile");
        if let Some(why) = before.or_else(|| replan.is_asked().then(outdated)) {
            return (at, vec![Outcome::Failed(why); part.len()]);
        }
        let mut outcomes = target.apply(part).await;
        outcomes.resize_with(part.len(), no_answer);
        let failed = outcomes.iter().find_map(|outcome| match outcome {
            Outcome::Failed(why) => Some(why.clone()),
            _ => None,
        });
        if failed.is_some() {
            *refused.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        }
        (at, outcomes)
    };
    let mut parts = operations.chunks(can.batch.max(1)).enumerate();
    let mut under_way: FuturesUnordered<_> =
        parts.by_ref().take(can.at_once.max(1)).map(|(at, one)| part(at, one)).collect();
    let mut answered = Vec::with_capacity(operations.len());
    while let Some(answer) = under_way.next().await {
        answered.push(answer);
        under_way.extend(parts.next().map(|(at, one)| part(at, one)));
    }
    answered.sort_by_key(|(at, _)| *at);
    answered.into_iter().flat_map(|(_, outcomes)| outcomes).collect()
}

/// The outcome of an operation of which the target said nothing.
fn no_answer() -> Outcome {
    Outcome::Ambiguous(no_answer_at_all())
}

/// That the target said nothing.
pub(super) fn no_answer_at_all() -> TargetError {
    TargetError::new(TargetReason::NoAnswer, "the target did not answer")
}
