//! Subjects and links: which object at the target is whose.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use roaring::RoaringBitmap;

use crate::directory::{Anchor, Content, DirectoryId, Evidence, Key, SubjectId, SubjectKind, TargetId};

/// A person or group that a policy knows, and the object at the target that is theirs, if any.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// Its number.
    pub id: SubjectId,
    /// What it is.
    pub kind: SubjectKind,
    /// The key that marks its object.
    pub key: Key,
    /// The anchors that are this subject: several when several directories state it, or when it was
    /// created anew and relinked.
    pub anchors: Vec<(DirectoryId, Anchor)>,
    /// Its object at the target.
    pub link: Option<Link>,
}

/// The record that we own an object at the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The object.
    pub target: TargetId,
    /// What we last confirmed there.
    pub confirmed: Content,
    /// Whether we last confirmed it active.
    pub active: bool,
    /// For a group: the members that we put in and last confirmed (by [`SubjectId`]).
    pub members: RoaringBitmap,
    /// Set from the moment it is first seen to have left until it returns.
    pub leaving: Option<Leaving>,
}

/// How far a leaver is down the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// When it was first seen to have left.
    pub since: Timestamp,
    /// Why.
    pub evidence: Evidence,
    /// How many rungs were executed.
    pub rungs: u32,
    /// When the last of them was.
    pub executed_at: Option<Timestamp>,
    /// The completion that the last of them rested on (0 before the first).
    pub completion: u64,
}

/// All subjects of one policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subjects {
    /// By number.
    pub by_id: BTreeMap<SubjectId, Subject>,
    /// The next free number.
    pub next: u32,
}

impl Subjects {
    /// The subject's object at the target.
    pub fn link(&self, subject: SubjectId) -> Option<&Link> {
        self.by_id.get(&subject)?.link.as_ref()
    }

    /// Who has which anchor.
    pub fn by_anchor(&self) -> HashMap<(&DirectoryId, &Anchor), SubjectId> {
        let anchors = |subject: &'_ Subject| subject.anchors.len();
        let mut by_anchor = HashMap::with_capacity(self.by_id.values().map(anchors).sum());
        for subject in self.by_id.values() {
            by_anchor
                .extend(subject.anchors.iter().map(|(directory, anchor)| ((directory, anchor), subject.id)));
        }
        by_anchor
    }
}
