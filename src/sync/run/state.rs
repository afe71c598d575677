//! What a run leaves to the next one of the same policy, while the process lives.

use jiff::Timestamp;

use super::draft::Draft;
use crate::store::link::Place;
use crate::store::policy::{Baseline, PolicyState};
use crate::sync::policy::Policy;
use crate::sync::project::IncrementalState;

/// What a run leaves to the next one, so that it costs what changed and not what there is.
#[derive(Debug)]
pub struct RunState {
    /// Of which spec.
    spec: String,
    /// Whose links, at which target.
    place: Place,
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
            && state.applied_spec.as_ref() == Some(&policy.spec_json)
            && state.first_complete_at.is_some()
    }
}

impl Draft {
    /// What this run leaves.
    pub(super) fn state(&mut self, policy: &Policy, place: Place, at: Timestamp) -> RunState {
        let projection = std::mem::take(&mut self.incremental);
        RunState { spec: policy.spec_json.clone(), place, linked: self.linked(at), projection }
    }

    /// How much is linked now.
    pub(super) fn linked(&self, at: Timestamp) -> Baseline {
        self.elsewhere.and(Baseline::of(&self.subjects, at))
    }
}
