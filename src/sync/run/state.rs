//! The state that a run leaves to the next one of the same policy, while the process lives.

use std::sync::Arc;

use crate::store::link::Place;
use crate::store::policy::{Baseline, PolicyState};
use crate::sync::policy::Policy;
use crate::sync::project::IncrementalState;

/// What a run leaves to the next one, so that it costs what changed and not what there is.
#[derive(Debug)]
pub struct RunState {
    /// Of which spec.
    pub(super) spec: Arc<str>,
    /// Whose links, at which target.
    pub(super) place: Place,
    /// How much is linked.
    pub(super) linked: Baseline,
    /// What was projected.
    pub(super) projection: IncrementalState,
}

impl RunState {
    /// Whether a run of this policy can go on from it: not the first run, and not the first one under another spec.
    pub(super) fn serves(&self, policy: &Policy, place: Place, state: &PolicyState) -> bool {
        self.place == place
            && self.spec == policy.spec_json
            && state.applied_spec.as_deref() == Some(&*policy.spec_json)
            && state.first_complete_at.is_some()
    }
}
