//! A target that is written only while that may be: a run ends at the first operations that may not
//! begin, and what it did until then is accounted for.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::controller::gate::Gate;
use crate::directory::{Match, Operation, Outcome, SubjectKind, TargetObject};
use crate::target::{Capabilities, Target, TargetError};

pub(super) struct Gated<T> {
    pub(super) target: T,
    pub(super) gate: Gate,
    /// Somebody does not want the run any more.
    pub(super) cancel: CancellationToken,
    /// How long the run may take, and when that is over.
    pub(super) until: (Duration, Instant),
}

impl<T> Gated<T> {
    fn shut(&self) -> Option<String> {
        if let Err(shut) = self.gate.check() {
            return Some(shut.to_string());
        }
        ended(&self.cancel, self.until)
    }
}

/// Why a run must end, if it must: nobody wants it any more, or its time is over.
pub(super) fn ended(cancel: &CancellationToken, (timeout, until): (Duration, Instant)) -> Option<String> {
    if cancel.is_cancelled() {
        return Some("the run was stopped because the policy was changed".to_owned());
    }
    (Instant::now() >= until).then(|| {
        format!(
            "the run took longer than {} s (spec.timeout); the next one continues from here",
            timeout.as_secs()
        )
    })
}

impl<T: Target> Target for Gated<T> {
    fn identity(&self) -> &str {
        self.target.identity()
    }

    fn capabilities(&self) -> Capabilities {
        self.target.capabilities()
    }

    async fn apply(&self, batch: &[Operation]) -> Vec<Outcome> {
        match self.shut() {
            Some(why) => batch.iter().map(|_| Outcome::Failed(why.clone())).collect(),
            None => self.target.apply(batch).await,
        }
    }

    async fn find(&self, kind: SubjectKind, by: &Match) -> Result<Vec<TargetObject>, TargetError> {
        self.target.find(kind, by).await
    }
}
