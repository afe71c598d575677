//! From snapshots to what a target should hold. Pure.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use crate::directory::{Anchor, Content, DirectoryId, Evidence, Key, SubjectId, SubjectKind};
use crate::store::StoreError;
use crate::store::snapshot::{Edges, Row, RowId, SnapshotInfo};

/// A sealed snapshot, pinned: what a projection reads.
pub trait View {
    /// What is known about it as a whole.
    fn info(&self) -> &SnapshotInfo;
    /// Every row, gone ones included, by ascending number.
    fn for_each_row(&self, each: &mut dyn FnMut(Row)) -> Result<(), StoreError>;
    /// A group's direct members, as stated.
    fn edges(&self, group: RowId) -> Result<Edges, StoreError>;
}

/// What a target should hold, and what is known about everybody the policy knows.
#[derive(Clone, Debug, Default)]
pub struct Projection {
    /// Everybody who is known to the policy or in its scope.
    pub users: BTreeMap<SubjectId, Verdict<User>>,
    /// Every group that is known to the policy or in its scope.
    pub groups: BTreeMap<SubjectId, Verdict<Group>>,
    /// Subjects that are new in this projection, with the numbers that it gave them.
    pub newcomers: Vec<Newcomer>,
    /// Anchors that join a known subject (`recreated: Relink`).
    pub joins: Vec<(SubjectId, DirectoryId, Anchor)>,
    /// Entries that cannot be projected, each with its reason.
    pub quarantined: Vec<Quarantined>,
    /// Entries that are left out on purpose, and why.
    pub skipped: Skipped,
    /// Subjects whose entry lost a field that tripped the coverage rule and that the policy uses:
    /// their removals, clears and enables are held. The value names the fields.
    pub doubtful: BTreeMap<SubjectId, Vec<String>>,
}

/// What the directory says about one subject.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict<T> {
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
    /// What the target should hold.
    pub content: Content,
    /// Whether the directory says that the account is disabled (policies that ignore that see
    /// `false` here).
    pub disabled: bool,
}

/// A group in scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What the target should hold.
    pub content: Content,
    /// Its members as of now, by [`SubjectId`]: users in scope (and groups in scope, where nesting
    /// is preserved), linked ones that are frozen, and, while dormant, none that are gone.
    pub members: RoaringBitmap,
    /// Not members by what was read, but without evidence that they ended: they stay if they are
    /// there, and are not added if they are not.
    pub unproven: RoaringBitmap,
    /// Not members now, on weak evidence only (a nested group that is `AbsentUnconfirmed` or
    /// `Vanished` was their path): removals of these are graded so.
    pub weak: RoaringBitmap,
    /// A new member that waits: in scope, and not to be added yet (quarantined and never linked).
    pub waiting: u64,
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
    /// Which directory.
    pub directory: DirectoryId,
    /// Which entry.
    pub anchor: Anchor,
    /// What it would be.
    pub kind: SubjectKind,
    /// Its DN, for people.
    pub dn: String,
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
    /// Members that no entry bears the name of.
    pub dangling_members: u64,
}
