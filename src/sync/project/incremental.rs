//! The state that a projection leaves to the next one of the same policy, so that only changes are checked.
//!
//! What is *at rest* needs no look until its entry changes, a group that it is in, or one with its name: the target has what it
//! should have, or nobody wants anything of it. Everything else is looked at each time.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::{SignedDuration, Timestamp};
use roaring::RoaringBitmap;

use super::candidate::CandidateState;
use super::member::Lists;
use super::name_index::NameIndex;
use super::projection::{LeftOut, Skipped};
use super::view::View;
use super::{group, user};
use crate::directory::{Content, DirectoryId, Place, SubjectId, SubjectKind};
use crate::store::StoreError;
use crate::store::dense::Dense;
use crate::store::snapshot::{RowId, SnapshotInfo};
use crate::sync::expression::Asked;
use crate::sync::policy::Policy;

/// What a projection leaves to the next one.
#[derive(Debug, Default)]
pub struct IncrementalState {
    /// By connector, in the policy's order.
    pub(super) each: Vec<ConnectorState>,
    /// Subjects of which no connector has a row.
    pub(super) rowless: RoaringBitmap,
    /// When it was made …
    pub(super) now: Timestamp,
    /// … and when everything was looked at.
    all_at: Timestamp,
}

/// What is known of one connector's entries.
#[derive(Debug, Default)]
pub(super) struct ConnectorState {
    /// Of the snapshot that was projected.
    of: Option<SnapshotKey>,
    pub(super) names: NameIndex,
    pub(super) lists: Lists,
    /// Who each entry is.
    pub(super) subjects: Dense<SubjectId>,
    /// The possible members of groups: all kept users, and frozen ones with an object.
    pub(super) users: Dense<SubjectId>,
    /// The same for groups.
    pub(super) groups: Dense<SubjectId>,
    /// Entries that are left out on purpose.
    pub(super) out: Dense<LeftOut>,
    /// What each entry that is at rest is called at the target. If two hashes are the same, somebody is looked at for nothing.
    named: Dense<u64>,
    /// When the accounts expire that have not yet.
    pub(super) expires: BTreeMap<RowId, Timestamp>,
    /// Entries that are not in step.
    pub(super) open: RoaringBitmap,
    /// Subjects that are, and have an object.
    pub(super) rest: RoaringBitmap,
}

/// What makes a snapshot one that can be compared with the next.
#[derive(Debug, PartialEq)]
struct SnapshotKey {
    directory: DirectoryId,
    /// The fields and attributes that were asked for, as one text: there is one of these for each policy.
    asked_for: Box<str>,
    /// Places that vanished, each with whom it lost.
    places: BTreeMap<String, RoaringBitmap>,
    sequence: u64,
}

/// Where more than one entry in so many has to be looked at, all are.
const MANY: u64 = 2;
/// So often everything is looked at whatever changed: nothing may stay wrong for as long as a process lives.
const ALL_EVERY: SignedDuration = SignedDuration::from_hours(24);

impl IncrementalState {
    /// Of nothing yet.
    pub(super) fn new(connectors: usize, now: Timestamp) -> Self {
        let each = std::iter::repeat_with(ConnectorState::default).take(connectors).collect();
        Self { each, rowless: RoaringBitmap::new(), now, all_at: now }
    }

    /// What must be checked by the next projection.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn look(&self, policy: &Policy, views: &[&dyn View], now: Timestamp) -> Result<Look, StoreError> {
        let is_of_now = self.now <= now && now.duration_since(self.all_at) < ALL_EVERY;
        // Of two connectors either may know something of the other's entries.
        let ([state], [view], true) = (self.each.as_slice(), views, is_of_now) else {
            return Ok(Look::AtEverything);
        };
        let rows = state.rows(policy, *view, now)?;
        Ok(rows.map_or(Look::AtEverything, |rows| Look::At(vec![rows])))
    }

    /// Whom a projection of these rows has to know. That it is enough rests on this: whoever has an anchor in the directory
    /// has its row here, or is among those without one. A row's number is never another anchor's, nor an anchor's
    /// another row's.
    pub fn whom(&self, look: &Look) -> RoaringBitmap {
        let Look::At(rows) = look else { return RoaringBitmap::new() };
        let subjects = self.each.iter().zip(rows).flat_map(|(state, rows)| {
            rows.iter().filter_map(|row| state.subjects.get(row)).map(|subject| subject.0)
        });
        subjects.chain(&self.rowless).collect()
    }
}

impl ConnectorState {
    /// The rows to look at; `None` if that is all.
    fn rows(
        &self,
        policy: &Policy,
        view: &dyn View,
        now: Timestamp,
    ) -> Result<Option<RoaringBitmap>, StoreError> {
        let info = view.info();
        let Some(sequence) = self.of.as_ref().map(|of| of.sequence) else { return Ok(None) };
        // What is in doubt is so for many.
        if self.of != SnapshotKey::new(info).map(|of| SnapshotKey { sequence, ..of }) {
            return Ok(None);
        }
        let Some(mut rows) = view.changed_since(sequence) else { return Ok(None) };
        rows |= &self.open;
        // A membership that waited for this read, or waits since it, changes although the list does not.
        rows.extend(self.lists.waiting());
        rows.extend(info.waiting.iter().flatten().map(|(group, _)| *group));
        rows.extend(self.expires.iter().filter(|(_, at)| **at <= now).map(|(row, _)| row.0));
        let mut names = self.names.names_of(&rows);
        let mut wanted = HashSet::new();
        let asked = Asked { fields: &info.fields, attributes: &info.attributes };
        view.rows(&rows, &mut |row| {
            names.extend(row.names.iter().map(|name| name.0));
            let kind = SubjectKind::of(row.entry.kind);
            let may_want = match kind {
                SubjectKind::User => user::names(&row.entry, asked).map(Cow::Borrowed),
                SubjectKind::Group => group::names(&row.entry, &policy.groups, asked),
            };
            let may_want = may_want.ok().unwrap_or_default();
            wanted.extend(may_want.iter().map(|name| hash(kind, &name.to_lowercase())));
        })?;
        rows |= self.lists.containing(&rows, &names);
        rows.extend(self.named.iter().filter(|(_, name)| wanted.contains(name)).map(|(row, _)| row));
        let many = rows.len() * MANY > u64::from(info.next_row);
        Ok((!many).then_some(rows))
    }

    /// Forgets what is known of these rows.
    pub(super) fn forget(&mut self, rows: &RoaringBitmap) {
        self.names.forget(rows);
        self.lists.forget(rows);
        for row in rows {
            let subject = self.subjects.take(row);
            subject.map(|subject| self.rest.remove(subject.0));
            self.users.take(row);
            self.groups.take(row);
            self.out.take(row);
            self.named.take(row);
            self.expires.remove(&RowId(row));
        }
        self.open -= rows;
    }

    /// Notes what this one has at rest.
    pub(super) fn note_rest(&mut self, row: RowId, subject: SubjectId, content: &Content) {
        let kind = match content {
            Content::User(_) => SubjectKind::User,
            Content::Group(_) => SubjectKind::Group,
        };
        *self.named.at(row.0) = Some(hash(kind, &content.name_key()));
        self.rest.insert(subject.0);
    }

    /// Notes which snapshot it is of.
    pub(super) fn is_of(&mut self, info: &SnapshotInfo) {
        self.of = SnapshotKey::new(info);
    }

    /// Notes why an entry is left out that has no object.
    pub(super) fn leave_out<T>(&mut self, row: RowId, finding: &CandidateState<T>, linked: bool) {
        if let (CandidateState::Out(out), false) = (finding, linked) {
            *self.out.at(row.0) = Some(*out);
        }
    }

    pub(super) fn skipped(&self) -> Skipped {
        let mut skipped = Skipped { dangling_members: self.lists.dangling(), ..Skipped::default() };
        self.out.values().for_each(|out| skipped.count(*out));
        skipped
    }
}

impl IncrementalState {
    /// The rows of these subjects, by connector, in the policy's order.
    pub fn rows_of(&self, subjects: &BTreeSet<SubjectId>) -> Vec<RoaringBitmap> {
        let of = |state: &ConnectorState| {
            let theirs = state.subjects.iter().filter(|(_, subject)| subjects.contains(*subject));
            theirs.map(|(row, _)| row).collect()
        };
        self.each.iter().map(of).collect()
    }
}

impl SnapshotKey {
    /// `None` for one of which fields were lost by many: nobody knows yet what that means.
    fn new(info: &SnapshotInfo) -> Option<Self> {
        let mut places = BTreeMap::new();
        for (field, trip) in &info.tripped {
            Place::of(field)?;
            places.insert(field.clone(), trip.lost.clone());
        }
        let asked_for = serde_json::to_string(&(&info.fields, &info.attributes)).ok()?.into();
        Some(Self { directory: info.directory.clone(), asked_for, places, sequence: info.sequence })
    }
}

fn hash(kind: SubjectKind, name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (kind, name).hash(&mut hasher);
    hasher.finish()
}

/// What a projection looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum Look {
    /// Every entry.
    AtEverything,
    /// These rows of each view, as [`IncrementalState::look`] says; then only those have to be known whom [`IncrementalState::whom`] names.
    At(Vec<RoaringBitmap>),
}
