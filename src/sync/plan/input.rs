//! What a plan is made of.

use jiff::Timestamp;

use crate::store::link::Subjects;
use crate::sync::policy::Policy;
use crate::sync::project::Projection;

/// What a plan is made of.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The rules.
    pub policy: &'a Policy,
    /// What the target should hold.
    pub projection: &'a Projection,
    /// What it should hold by the spec that was applied last.
    pub previous: Previous<'a>,
    /// What the target holds of ours.
    pub subjects: &'a Subjects,
    /// Who vouches.
    pub freshness: Freshness,
    /// Whether the policy never completed a run against this target.
    pub first_run: bool,
    /// What time it is.
    pub now: Timestamp,
}

/// What the target should hold by the spec that was applied last: what only the new one removes is graded
/// configuration.
#[derive(Clone, Copy, Debug)]
pub enum Previous<'a> {
    /// The same: it is the spec of now, or there is none.
    Same,
    /// This.
    Other(&'a Projection),
    /// Nobody can tell: this version cannot make its rules again, or it read from elsewhere. So whatever goes may go
    /// by the edit.
    Unknown,
}

/// The word on which removals rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// The number of the last completion.
    pub completion: u64,
    /// Whether it is recent enough, and the connector is not failing.
    pub fresh: bool,
}
