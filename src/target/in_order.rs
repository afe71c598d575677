//! Operations that a target does one after the other.

use std::future::Future;

use crate::directory::{Operation, Outcome};

/// Does one operation after the other. Once one says that everything fails, nothing more is tried.
pub(super) async fn in_order<'b, F: Future<Output = Outcome> + Send>(
    batch: &'b [Operation],
    one: impl Fn(&'b Operation) -> F + Send,
) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(batch.len());
    for operation in batch {
        let outcome = match outcomes.last() {
            Some(Outcome::Failed(error)) => Outcome::Failed(error.clone()),
            _ => one(operation).await,
        };
        outcomes.push(outcome);
    }
    outcomes
}
