//! The result of a projection.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use crate::directory::{Anchor, Content, DirectoryId, Evidence, Key, SubjectId, SubjectKind};
use crate::store::link::Subjects;

/// What a target should hold, and the state of every subject of the policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Projection {
    /// All users that were checked and are known to the policy or in its scope.
    pub users: BTreeMap<SubjectId, SubjectState<User>>,
    /// All groups that were checked and are known to the policy or in its scope.
    pub groups: BTreeMap<SubjectId, SubjectState<Group>>,
    /// The subjects that are in step, whether they were checked or not.
    pub at_rest: RoaringBitmap,
    /// Subjects that are new in this projection, with the numbers that it gave them.
    pub newcomers: Vec<Newcomer>,
    /// Anchors that join a known subject (`recreated: Relink`).
    pub joins: Vec<(SubjectId, DirectoryId, Anchor)>,
    /// Leavers whose object is replaced by that of a newcomer with the same name (`recreated: Replace`).
    pub replaced: BTreeSet<SubjectId>,
    /// Subjects that were missed by a full read and not yet looked up.
    pub unsettled: BTreeSet<SubjectId>,
    /// Those of them whom nobody can look up: only another read says what became of them.
    pub unprovable: BTreeSet<SubjectId>,
    /// Entries that cannot be projected, each with its reason.
    pub quarantined: Vec<Quarantined>,
    /// Entries that are left out on purpose, and why.
    pub skipped: Skipped,
    /// Subjects whose entry lost a field that tripped the coverage rule and that the policy uses:
    /// their removals, clears and enables are held. The value names the fields.
    pub doubtful: BTreeMap<SubjectId, Vec<String>>,
    /// When the first of those accounts expires that have not yet.
    pub due: Option<Timestamp>,
}

/// What the directory says about one subject.
#[derive(Clone, Debug, PartialEq)]
pub enum SubjectState<T> {
    /// In scope: the target should hold this.
    Keep(T),
    /// Nothing can be said (quarantined, not readable, missing but not yet looked up): the target
    /// keeps what it has.
    Frozen,
    /// It may be removed, for this reason.
    Gone(Evidence),
}

/// A user in scope.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// What the target should hold; the very one that was confirmed there, if it is the same.
    pub content: Arc<Content>,
    /// Whether the account is to be disabled: the directory says that it is; where policies ignore that, the one
    /// that is there is so already.
    pub disabled: bool,
}

/// A group in scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What the target should hold; the very one that was confirmed there, if it is the same.
    pub content: Arc<Content>,
    /// Its members as of now, by [`SubjectId`]: users in scope (and groups in scope, where nesting
    /// is preserved), linked ones that are frozen, and, while dormant, none that are gone.
    pub members: RoaringBitmap,
    /// Not members by what was read, but without evidence that they ended: they stay if they are
    /// there, and are not added if they are not.
    pub unproven: RoaringBitmap,
    /// Whether the next read tells of those.
    pub awaits: bool,
    /// Not members now, on weak evidence only (a nested group that is `AbsentUnconfirmed` or
    /// `Vanished` was their path): removals of these are graded so.
    pub weak: RoaringBitmap,
}

/// A subject that this projection saw first.
#[derive(Clone, Debug, PartialEq)]
pub struct Newcomer {
    /// The number that it gets.
    pub id: SubjectId,
    /// What it is.
    pub kind: SubjectKind,
    /// Its key.
    pub key: Key,
    /// Its founding anchor.
    pub anchor: (DirectoryId, Anchor),
}

/// An entry that cannot be projected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// What it would be.
    pub kind: SubjectKind,
    /// Which entry, for people: its DN, or its name at the target.
    pub entry: String,
    /// A bounded kind.
    pub reason: QuarantineReason,
    /// What is wrong and what to do, for people.
    pub message: String,
}

/// Why an entry is quarantined; bounded, documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuarantineReason {
    /// A CEL expression failed for it, or gave something of another type.
    ExpressionFailed,
    /// Another entry has the same name.
    NameConflict,
    /// It has the name of somebody who left, and the policy does not say that it is the same person.
    Recreated,
    /// The source could not understand it.
    Unreadable,
    /// A field that the policy needs could not be decoded or was not read.
    UnknownField,
    /// It was a user and is a group now, or the other way round.
    KindChanged,
    /// The connector never read it.
    NeverRead,
    /// The target will not have it.
    RejectedByTarget,
}

/// Entries that are left out on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Neither an address nor a login name, and never linked.
    pub without_address: u64,
    /// Disabled when first seen.
    pub disabled_at_first_sight: u64,
    /// Outside the scope and never linked.
    pub out_of_scope: u64,
    /// Groups outside the scope and never linked.
    pub groups_out_of_scope: u64,
    /// Members whose name no entry has.
    pub dangling_members: u64,
}

impl Projection {
    /// Those whose memberships may change although nothing else of them does.
    pub fn members_to_know(&self, known: &Subjects) -> RoaringBitmap {
        let mut members = RoaringBitmap::new();
        for (subject, verdict) in &self.groups {
            let linked = known.link(*subject).map(|link| &link.members);
            match (verdict, linked) {
                (SubjectState::Keep(group), Some(linked)) => members |= &group.members ^ linked,
                (SubjectState::Keep(group), None) => members |= &group.members,
                (SubjectState::Gone(_), Some(linked)) => members |= linked,
                (SubjectState::Gone(_), None) | (SubjectState::Frozen, _) => {}
            }
        }
        members
    }
}

impl Quarantined {
    pub(super) fn incomplete(group: &str, broken: &[&Broken]) -> Self {
        let lists: Vec<String> = broken.iter().map(|Broken { dn, why }| format!("{dn}: {why}")).collect();
        let message = format!(
            "not all of its members could be read, so no members are removed; correct the member list of {}",
            lists.join("; and of ")
        );
        Self {
            kind: SubjectKind::Group,
            entry: group.to_owned(),
            reason: QuarantineReason::UnknownField,
            message,
        }
    }

    pub(super) fn ambiguous(group: &str, broken: &[&Broken]) -> Self {
        let lists: Vec<&str> = broken.iter().map(|Broken { dn, .. }| &**dn).collect();
        let message = format!(
            "several entries have a name by which it lists a member, so none of them is put into it or taken out; rename \
             one of them, or correct the member list of {}",
            lists.join("; and of ")
        );
        let entry = group.to_owned();
        Self { kind: SubjectKind::Group, entry, reason: QuarantineReason::UnknownField, message }
    }

    pub(super) fn unread(kind: SubjectKind, name: &str) -> Self {
        let message = "its connector never read it, so it is not known whether it left; if it is in the directory, \
                       make the connector read it; if it left while the connector was renamed, give the connector its \
                       former name until the entry is removed (the data under that name are kept for 30 days)";
        Self {
            kind,
            entry: name.to_owned(),
            reason: QuarantineReason::NeverRead,
            message: message.to_owned(),
        }
    }

    pub(super) fn kind_changed(kind: SubjectKind, entry: String) -> Self {
        let (is, was) = match kind {
            SubjectKind::User => ("user", "group"),
            SubjectKind::Group => ("group", "user"),
        };
        let message = format!(
            "it is a {is} now and was a {was} before; restore its object classes, or delete it and create another entry"
        );
        Self { kind, entry, reason: QuarantineReason::KindChanged, message }
    }
}

impl Skipped {
    pub(super) fn add(&mut self, other: Self) {
        self.without_address += other.without_address;
        self.disabled_at_first_sight += other.disabled_at_first_sight;
        self.out_of_scope += other.out_of_scope;
        self.groups_out_of_scope += other.groups_out_of_scope;
        self.dangling_members += other.dangling_members;
    }

    pub(super) fn count(&mut self, out: LeftOut) {
        match out {
            LeftOut::Scope => self.out_of_scope += 1,
            LeftOut::GroupScope => self.groups_out_of_scope += 1,
            LeftOut::NoAddress => self.without_address += 1,
            LeftOut::DisabledAtFirstSight => self.disabled_at_first_sight += 1,
        }
    }
}

/// Why an entry is left out.
#[derive(Clone, Copy, Debug)]
pub(super) enum LeftOut {
    Scope,
    GroupScope,
    NoAddress,
    DisabledAtFirstSight,
}

/// A member list that could not be read whole, for users.
#[derive(Debug)]
pub(super) struct Broken {
    /// Whose.
    pub(super) dn: Box<str>,
    pub(super) why: Box<str>,
}
