//! The operations that take the target from what we last confirmed there to the projection. Pure.
//!
//! # Guarantees
//! - Nothing is removed but on the word of a projection that says `Gone`, or of a member list that was
//!   read completely; and never in a policy's first run, or on the word of a connector that is not
//!   fresh.
//! - Whoever is unchanged costs a comparison, and no operation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use crate::directory::{Content, Evidence, SubjectId, SubjectKind};
use crate::store::link::{Leaving, Subjects};
use crate::sync::policy::{LeaverAction, Policy};
use crate::sync::project::Projection;

mod leaver;
mod member;
mod name;
mod subject;
#[cfg(test)]
mod tests;

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

/// What should be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In the order of application.
    pub steps: Vec<Planned>,
    /// Creates and renames that wait for a name which a linked object still bears.
    pub blocked: Vec<Blocked>,
    /// Links whose `leaving` changes without an operation: newly seen leavers, and returned ones.
    pub leaving: BTreeMap<SubjectId, Option<Leaving>>,
    /// What is done first, when its time comes, with newly seen leavers who have no step yet.
    pub later: BTreeMap<SubjectId, LeaverAction>,
    /// Newly seen leavers without a step yet, whose entry lost fields that tripped the coverage rule.
    pub doubtful: BTreeMap<SubjectId, Vec<String>>,
    /// Subjects that the policy protects and that would have been removed or disabled.
    pub protected: Vec<SubjectId>,
    /// When something falls due that no import will announce (a step of a leaver, an account that expires).
    pub due: Option<Timestamp>,
}

/// When a step is done: each phase is finished before the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Who must not sign in any more comes first.
    Disable,
    /// Then what they had access to.
    Revoke,
    /// Names that others need.
    Release,
    /// Users are created and changed.
    Users,
    /// Groups are created and changed.
    Groups,
    /// Members are added.
    Members,
    /// What is gone is deleted.
    Delete,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Whom it concerns; the group, for memberships.
    pub subject: SubjectId,
    /// What that is.
    pub kind: SubjectKind,
    /// When.
    pub phase: Phase,
    /// What to do.
    pub action: Action,
    /// Why it may remove, for what removes.
    pub evidence: Option<Evidence>,
    /// The step of the schedule that this executes, counted from 1, for a leaver's or vanished group's step.
    pub step_number: Option<u32>,
    /// Fields that tripped the coverage rule and on which this depends: held until they are back or
    /// a person approves.
    pub doubtful: Vec<String>,
    /// Whether the subject was missed and not yet looked up: never executed as it is.
    pub needs_look_up: bool,
    /// The subject that bears the name which this needs, and gives it up in this plan.
    pub after: Option<SubjectId>,
    /// Whether a person approved it: outside the budgets.
    pub approved: bool,
}

/// What to do with a subject.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Create (or adopt) its object.
    Create(Arc<Content>),
    /// Change its content.
    Update {
        /// To this.
        content: Arc<Content>,
        /// Whether its unique name changes.
        renames: bool,
        /// Attributes that had a value and get none.
        clears: Vec<String>,
    },
    /// Give it another, temporary name, to release the one that it bears (for swaps).
    Release(Arc<Content>),
    /// Disable the account.
    Disable,
    /// Enable the account.
    Enable,
    /// Take all members out.
    Empty,
    /// Delete the object.
    Delete,
    /// Forget that it is ours.
    Unlink,
    /// Put members in.
    AddMembers(RoaringBitmap),
    /// Take members out.
    RemoveMembers(Box<Removal>),
}

/// Members to take out of one group, by why.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Removal {
    /// Those whose membership ended: judged as memberships.
    pub ended: RoaringBitmap,
    /// Those of `ended` for whom the evidence is weak.
    pub weak: RoaringBitmap,
    /// Those of `ended` that an edit of a spec removes.
    pub configuration: RoaringBitmap,
    /// Those who leave: they follow that step, and count in no member limit.
    pub following: RoaringBitmap,
}

/// A create or rename that waits for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Who waits.
    pub subject: SubjectId,
    /// What that is.
    pub kind: SubjectKind,
    /// For which name.
    pub name: String,
    /// Who bears it.
    pub holder: SubjectId,
}

/// Plans.
pub fn plan(input: Input<'_>) -> Plan {
    let mut plan = Plan { due: input.projection.due, ..Plan::default() };
    let going = subject::plan(input, &mut plan);
    name::order(input.subjects, &mut plan);
    member::plan(input, &going, &mut plan);
    plan.steps.sort_by_key(|step| (step.phase, step.subject));
    plan
}

/// Who leaves in this plan, by a step that is planned or was executed before.
type Going = BTreeSet<SubjectId>;

impl Planned {
    pub(super) fn new(subject: SubjectId, kind: SubjectKind, phase: Phase, action: Action) -> Self {
        Self {
            subject,
            kind,
            phase,
            action,
            evidence: None,
            step_number: None,
            doubtful: Vec::new(),
            needs_look_up: false,
            after: None,
            approved: false,
        }
    }
}

impl Phase {
    /// Where users or groups are created and changed.
    fn of_content(kind: SubjectKind) -> Self {
        match kind {
            SubjectKind::User => Self::Users,
            SubjectKind::Group => Self::Groups,
        }
    }
}

impl Plan {
    /// Of whom a step is planned because they left.
    pub fn leavers(&self) -> BTreeSet<SubjectId> {
        self.steps.iter().filter(|step| step.step_number.is_some()).map(|step| step.subject).collect()
    }

    fn note_due(&mut self, due: Timestamp) {
        self.due = Some(self.due.map_or(due, |earliest| earliest.min(due)));
    }
}
