//! Questions to a target.

use crate::directory::{Match, SubjectKind, TargetObject};
use crate::target::{Target, TargetError, TargetReason};

/// Asks one question; no answer at all is an error too.
pub(super) async fn find<T: Target>(
    target: &T,
    kind: SubjectKind,
    by: Match,
) -> Result<Vec<TargetObject>, TargetError> {
    let answer = target.find(kind, &[by]).await.pop();
    answer.unwrap_or_else(|| Err(TargetError::new(TargetReason::NoAnswer, "the target did not answer")))
}
