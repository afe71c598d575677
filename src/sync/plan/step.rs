//! What should be done, in steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use crate::directory::{Content, Evidence, SubjectId, SubjectKind};
use crate::store::link::Leaving;
use crate::sync::policy::LeaverAction;

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
    /// Whether nobody can look it up, so that only another read settles it: no approval does.
    pub unprovable: bool,
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

/// Who leaves in this plan, by a step that is planned or was executed before.
pub(super) type Going = BTreeSet<SubjectId>;

impl Planned {
    pub(in crate::sync) fn new(subject: SubjectId, kind: SubjectKind, phase: Phase, action: Action) -> Self {
        Self {
            subject,
            kind,
            phase,
            action,
            evidence: None,
            step_number: None,
            doubtful: Vec::new(),
            needs_look_up: false,
            unprovable: false,
            after: None,
            approved: false,
        }
    }

    /// What it wants the object to be, if that is what it is about.
    pub(in crate::sync) fn content(&self) -> Option<&Content> {
        match &self.action {
            Action::Create(content) | Action::Update { content, .. } => Some(content),
            _ => None,
        }
    }
}

impl Action {
    /// Whether it gives the object a unique name.
    pub(super) fn wants_name(&self) -> bool {
        matches!(self, Self::Create(_) | Self::Update { renames: true, .. })
    }

    /// The name that it wants, and what is left of it without.
    pub(super) fn without_name(&self, confirmed: Option<&Arc<Content>>) -> (String, Option<Self>) {
        match (self, confirmed) {
            (Self::Update { content, clears, .. }, Some(confirmed)) => {
                let kept = Arc::new(Content::clone(content).with_name(confirmed.name()));
                let rest = Self::Update { content: kept.clone(), renames: false, clears: clears.clone() };
                (content.name().to_owned(), (kept != *confirmed).then_some(rest))
            }
            (Self::Create(content) | Self::Update { content, .. }, _) => (content.name().to_owned(), None),
            _ => (String::new(), None),
        }
    }
}

impl Phase {
    /// Where users or groups are created and changed.
    pub(super) fn of_content(kind: SubjectKind) -> Self {
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

    pub(super) fn note_due(&mut self, due: Timestamp) {
        self.due = Some(self.due.map_or(due, |earliest| earliest.min(due)));
    }
}
