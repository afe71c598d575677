//! A target that is written only while that may be: a run ends at the first operations that may not
//! begin, and what it did until then is accounted for.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::controller::gate::Gate;
use crate::directory::{Content, Match, Operation, Outcome, SubjectKind, TargetObject};
use crate::target::turn::{LONGEST_WRITE, May};
use crate::target::{Capabilities, Target, TargetError, TargetReason};

pub(super) struct Gated<T> {
    pub(super) target: T,
    pub(super) ends: Ends,
}

/// What ends a run before it is done.
#[derive(Clone)]
pub(super) struct Ends {
    pub(super) gate: Gate,
    /// The lease as it was when the run began: it ends with it.
    pub(super) term: CancellationToken,
    /// Somebody does not want the run any more.
    pub(super) cancel: CancellationToken,
    /// How long the run may take, and when that is over.
    pub(super) until: (Duration, Instant),
}

impl Ends {
    /// Whether a write of a remote target may begin.
    pub(super) fn may(&self) -> May {
        match self.why() {
            Some(why) => May::Never(why),
            None if self.gate.remaining() > LONGEST_WRITE => May::Yes,
            // It is renewed, or it runs out and ends the run.
            None => May::NotNow,
        }
    }

    /// Why nothing more may be written, if that is so.
    fn shut(&self) -> Option<String> {
        self.why().or_else(|| Some(self.gate.check().err()?.to_string()))
    }

    /// Why the run must end, if it must.
    pub(super) fn why(&self) -> Option<String> {
        if let Some(shut) = self.gate.ended(&self.term) {
            return Some(shut.to_string());
        }
        if self.cancel.is_cancelled() {
            return Some(
                "the run was stopped because the policy was changed or is not managed any more".to_owned(),
            );
        }
        let (timeout, until) = self.until;
        (Instant::now() >= until).then(|| {
            format!(
                "the run took longer than {} s (spec.timeout); the next one continues from here",
                timeout.as_secs()
            )
        })
    }
}

impl<T: Target> Target for Gated<T> {
    fn identity(&self) -> &str {
        self.target.identity()
    }

    fn capabilities(&self) -> Capabilities {
        self.target.capabilities()
    }

    async fn apply(&self, batch: &[Operation]) -> Vec<Outcome> {
        match self.ends.shut() {
            Some(why) => {
                let stopped = TargetError::new(TargetReason::Stopped, why);
                batch.iter().map(|_| Outcome::Failed(stopped.clone())).collect()
            }
            None => self.target.apply(batch).await,
        }
    }

    fn about(&self) -> Vec<String> {
        self.target.about()
    }

    fn held(&self, content: &Content) -> Content {
        self.target.held(content)
    }

    async fn find(&self, kind: SubjectKind, by: &[Match]) -> Vec<Result<Vec<TargetObject>, TargetError>> {
        self.target.find(kind, by).await
    }

    async fn list(
        &self,
        kind: SubjectKind,
        each: impl FnMut(TargetObject) + Send,
    ) -> Result<(), TargetError> {
        self.target.list(kind, each).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_run_says_what_ended_it() {
        let stop = CancellationToken::new();
        let gate = Gate::new(stop.clone());
        let minute = Duration::from_mins(1);
        let lease = || gate.open_until(Instant::now() + minute);
        lease();
        let ends = || {
            let term = gate.ends();
            let cancel = term.child_token();
            Ends { gate: gate.clone(), term, cancel, until: (minute, Instant::now() + minute) }
        };
        let says = |ends: &Ends, part: &str| {
            let (why, shut) = (ends.why().unwrap(), ends.shut().unwrap());
            assert!(why.contains(part) && why == shut, "{why} {shut}");
        };
        let (edited, lost) = (ends(), ends());
        assert_eq!((edited.why(), edited.shut()), (None, None));
        edited.cancel.cancel();
        says(&edited, "the policy was changed");
        gate.close();
        says(&lost, "the lease was lost");
        lease();
        assert!(lost.cancel.is_cancelled());
        says(&lost, "the lease was lost");
        let late = ends();
        assert_eq!(late.why(), None);
        tokio::time::advance(minute).await;
        lease();
        says(&late, "spec.timeout");
        stop.cancel();
        says(&ends(), "stopping");
    }
}
