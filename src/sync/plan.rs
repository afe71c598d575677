//! The operations that take the target from what we last confirmed there to the projection. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use crate::directory::{Content, Evidence, SubjectId, SubjectKind};
use crate::store::link::Leaving;

/// What should be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In the order of application.
    pub steps: Vec<Planned>,
    /// Creates and renames that wait for a name which a linked object still bears.
    pub blocked: Vec<Blocked>,
    /// Links whose `leaving` changes without an operation: newly seen leavers whose first rung is
    /// not due yet, and returned ones who never got to a rung.
    pub leaving: Vec<(SubjectId, Option<Leaving>)>,
    /// When something falls due that no import will announce (a rung).
    pub due: Option<Timestamp>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Whom it concerns; the group, for memberships.
    pub subject: SubjectId,
    /// What that is.
    pub kind: SubjectKind,
    /// What to do.
    pub action: Action,
    /// Why it may remove, for what removes.
    pub evidence: Option<Evidence>,
    /// The rung that this executes, counted from 1, for a leaver's or vanished group's step.
    pub rung: Option<u32>,
    /// Fields that tripped the coverage rule and on which this depends: held until they are back or
    /// a person approves.
    pub doubtful: Vec<String>,
    /// Subjects whose steps must be executed for this one to be possible (they bear its name).
    pub after: BTreeSet<SubjectId>,
}

/// What to do with a subject.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Create (or adopt) its object.
    Create(Content),
    /// Change its content.
    Update {
        /// To this.
        content: Content,
        /// Whether its unique name changes.
        renames: bool,
        /// Attributes that had a value and get none.
        clears: Vec<String>,
    },
    /// Give it another, temporary name, to release the one that it bears (for swaps).
    Release(Content),
    /// Disable the account.
    Disable,
    /// Enable the account.
    Enable,
    /// Delete the object.
    Delete,
    /// Forget that it is ours.
    Unlink,
    /// Put members in.
    AddMembers(RoaringBitmap),
    /// Take members out.
    RemoveMembers {
        /// Those whose membership ended: judged as memberships.
        ended: RoaringBitmap,
        /// Those of `ended` for whom the evidence is weak.
        weak: RoaringBitmap,
        /// Those of `ended` that an edit of a spec removes.
        configuration: RoaringBitmap,
        /// Those who leave (or whose group goes): they follow that step, and count in no member limit.
        following: RoaringBitmap,
    },
}

/// A create or rename that waits for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Who waits.
    pub subject: SubjectId,
    /// For which name.
    pub name: String,
    /// Who bears it.
    pub holder: SubjectId,
}
