//! What a run leaves to the next one of the same policy, while the process lives.

use jiff::Timestamp;

use super::draft::Draft;
use crate::store::link::Place;
use crate::store::policy::{Census, PolicyState};
use crate::sync::policy::Policy;
use crate::sync::project::Grounds;

/// What a run leaves to the next one, so that it costs what changed and not what there is.
#[derive(Debug)]
pub struct Basis {
    /// Of which spec.
    spec: String,
    /// Whose links, at which target.
    place: Place,
    /// How much is linked.
    pub(super) linked: Census,
    /// What was projected.
    pub(super) grounds: Grounds,
}

impl Basis {
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
    pub(super) fn basis(&mut self, policy: &Policy, place: Place, at: Timestamp) -> Basis {
        let grounds = std::mem::take(&mut self.grounds);
        Basis { spec: policy.spec_json.clone(), place, linked: self.linked(at), grounds }
    }

    /// How much is linked now.
    pub(super) fn linked(&self, at: Timestamp) -> Census {
        self.elsewhere.and(Census::of(&self.subjects, at))
    }
}
