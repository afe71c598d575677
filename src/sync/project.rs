//! From snapshots to what a target should hold. Pure, but for reading the pinned snapshots.
//!
//! A projection looks at every entry, or goes on from what the one before it left ([`Basis`]) and looks only at what may be
//! another thing now. Of what both look at they say the same.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use crate::directory::{
    Anchor, Content, DirectoryId, Evidence, Grade, Key, Kind, SubjectId, SubjectKind, fields,
};
use crate::store::StoreError;
use crate::store::dense::Dense;
use crate::store::link::{Link, Subjects};
use crate::store::snapshot::{Edges, Presence, Row, RowId, SnapshotInfo};
use crate::sync::expression::Asked;
use crate::sync::policy::{OnDisabled, OnRecreated, Policy, Vouching};

mod basis;
mod bearer;
mod collision;
mod doubt;
mod group;
mod member;
#[cfg(test)]
mod tests;
mod user;

pub use basis::Basis;
use basis::Ground;
use doubt::Doubt;
use member::{Path, Unstated, Who};

/// A sealed snapshot, pinned: what a projection reads.
pub trait View {
    /// What is known about it as a whole.
    fn info(&self) -> &SnapshotInfo;
    /// Every row, gone ones included, by ascending number.
    fn for_each_row(&self, each: &mut dyn FnMut(Row)) -> Result<(), StoreError>;
    /// Those of these rows that are there, by ascending number.
    fn rows(&self, rows: &RoaringBitmap, each: &mut dyn FnMut(Row)) -> Result<(), StoreError>;
    /// The rows that are not what they were in the snapshot of that sequence; `None` if that is not known.
    fn changed_since(&self, sequence: u64) -> Option<RoaringBitmap>;
    /// A group's direct members, as stated.
    fn edges(&self, group: RowId) -> Result<Edges, StoreError>;
}

/// What a target should hold, and what is known about everybody the policy knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Projection {
    /// Everybody who was looked at and is known to the policy or in its scope.
    pub users: BTreeMap<SubjectId, Verdict<User>>,
    /// Every group that was looked at and is known to the policy or in its scope.
    pub groups: BTreeMap<SubjectId, Verdict<Group>>,
    /// Those who have just what they should have, whether they were looked at or not.
    pub at_rest: RoaringBitmap,
    /// Subjects that are new in this projection, with the numbers that it gave them.
    pub newcomers: Vec<Newcomer>,
    /// Anchors that join a known subject (`recreated: Relink`).
    pub joins: Vec<(SubjectId, DirectoryId, Anchor)>,
    /// Leavers whose object makes way for a newcomer of the same name (`recreated: Replace`).
    pub replaced: BTreeSet<SubjectId>,
    /// Subjects that were missed by a full read and not yet looked up.
    pub unsettled: BTreeSet<SubjectId>,
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
    /// What the target should hold; the very one that was confirmed there, if it is the same.
    pub content: Arc<Content>,
    /// Whether the directory says that the account is disabled (policies that ignore that see
    /// `false` here).
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

/// What an entry comes to, before it is compared with others.
enum Finding<T> {
    /// In scope.
    Keep(T),
    /// Left out on purpose.
    Out(Out),
    /// Cannot be projected.
    Quarantine(QuarantineReason, String),
    /// Missing, and not looked up.
    Unsettled,
    /// Gone.
    Gone(Evidence),
}

/// Why an entry is left out.
#[derive(Clone, Copy, Debug)]
enum Out {
    Scope,
    NoAddress,
    DisabledAtFirstSight,
}

/// An entry that is known to the policy or might come to be.
struct Candidate<T> {
    row: RowId,
    directory: DirectoryId,
    anchor: Anchor,
    dn: String,
    subject: Option<SubjectId>,
    linked: bool,
    finding: Finding<T>,
}

/// Candidates that got their subjects.
struct Settled<T> {
    verdicts: BTreeMap<SubjectId, Verdict<T>>,
    /// The row that each kept subject comes from.
    rows: BTreeMap<SubjectId, RowId>,
}

/// What the target should hold under `policy` at this moment, given what it knows already. `views` are those of the
/// policy's connectors, in order.
///
/// Subjects that are new get numbers from `known.next` on, in the order of their rows.
pub fn project(
    policy: &Policy,
    views: &[&dyn View],
    known: &Subjects,
    now: Timestamp,
) -> Result<Projection, StoreError> {
    let (mut basis, scope) = (Basis::default(), Scope::Everything);
    Projecting { policy, views, known, now }.on(&mut basis, &scope)
}

/// What a projection looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum Scope {
    /// Every entry.
    Everything,
    /// These rows of each view, as [`Basis::scope`] says; then only those have to be known whom [`Basis::whom`] names.
    At(Vec<RoaringBitmap>),
}

/// What a projection is made of.
#[derive(Clone, Copy)]
pub struct Projecting<'a> {
    /// The rules.
    pub policy: &'a Policy,
    /// The policy's connectors, in order.
    pub views: &'a [&'a dyn View],
    /// What the target holds.
    pub known: &'a Subjects,
    /// What time it is.
    pub now: Timestamp,
}

impl Projecting<'_> {
    /// Projects what is in the scope, going on from `basis`, and leaves there what the next one needs.
    pub fn on(self, basis: &mut Basis, scope: &Scope) -> Result<Projection, StoreError> {
        let Self { policy, views, known, now } = self;
        if *scope == Scope::Everything {
            *basis = Basis { grounds: views.iter().map(|_| Ground::default()).collect(), ..Basis::default() };
        }
        let mut projection = Projection::default();
        let grounds = basis.grounds.iter_mut();
        for (at, ((view, vouching), ground)) in views.iter().zip(&policy.connectors).zip(grounds).enumerate()
        {
            let rows = match scope {
                Scope::Everything => None,
                Scope::At(rows) => rows.get(at),
            };
            let projection = &mut projection;
            One { policy, vouching, view: *view, known, now, ground, projection }.project(rows)?;
        }
        // A subject of which no connector has a row: nothing was read that could say anything about it.
        basis.rowless.clear();
        for subject in known.by_id.values() {
            let has_row = match subject.kind {
                SubjectKind::User => projection.users.contains_key(&subject.id),
                SubjectKind::Group => projection.groups.contains_key(&subject.id),
            };
            if has_row {
                continue;
            }
            basis.rowless.insert(subject.id.0);
            match subject.kind {
                SubjectKind::User => drop(projection.users.insert(subject.id, Verdict::Frozen)),
                SubjectKind::Group => drop(projection.groups.insert(subject.id, Verdict::Frozen)),
            }
        }
        basis.now = now;
        for ground in &basis.grounds {
            projection.at_rest |= &ground.rest;
        }
        Ok(projection)
    }
}

impl Projection {
    /// Those whose memberships may change although nothing else of them does.
    pub fn members_to_know(&self, known: &Subjects) -> RoaringBitmap {
        let mut members = RoaringBitmap::new();
        for (subject, verdict) in &self.groups {
            let linked = known.link(*subject).map(|link| &link.members);
            match (verdict, linked) {
                (Verdict::Keep(group), Some(linked)) => members |= &group.members ^ linked,
                (Verdict::Keep(group), None) => members |= &group.members,
                (Verdict::Gone(_), Some(linked)) => members |= linked,
                (Verdict::Gone(_), None) | (Verdict::Frozen, _) => {}
            }
        }
        members
    }
}

impl<T> Settled<T> {
    /// Of whom nothing can be said.
    fn frozen(&self) -> RoaringBitmap {
        let frozen = self.verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Frozen));
        frozen.map(|(subject, _)| subject.0).collect()
    }
}

/// The projection of one connector's snapshot.
struct One<'a> {
    policy: &'a Policy,
    vouching: &'a Vouching,
    view: &'a dyn View,
    known: &'a Subjects,
    now: Timestamp,
    ground: &'a mut Ground,
    projection: &'a mut Projection,
}

impl One<'_> {
    /// Looks at these rows, or at all.
    fn project(mut self, rows: Option<&RoaringBitmap>) -> Result<(), StoreError> {
        let info = self.view.info();
        let asked = Asked { fields: &info.fields, attributes: &info.attributes };
        let by_anchor = self.known.by_anchor();
        let doubt = Doubt::new(self.policy, self.vouching, info);
        let user_rules = user::Rules {
            users: &self.policy.users,
            disabled_when: self.vouching.disabled_when.as_ref(),
            asked,
            now: self.now,
        };
        let group_rules = group::Rules { groups: &self.policy.groups, asked };
        rows.into_iter().for_each(|rows| self.ground.forget(rows));
        self.ground.is_of(info);
        let room = |count: u64| Vec::with_capacity(usize::try_from(count).unwrap_or_default());
        let mut users = room(rows.map_or(info.users + info.contacts, RoaringBitmap::len));
        let (mut groups, mut paths) = (Vec::new(), Vec::new());
        let mut changed = HashSet::new();
        let mut look = |row: Row| {
            self.ground.bearers.note(&row);
            if row.entry.kind == Kind::Group {
                paths.push(Path::of(&row));
            }
            let subject = by_anchor.get(&(&info.directory, &row.entry.anchor)).copied();
            *self.ground.subjects.at(row.id.0) = subject;
            let link = subject.and_then(|subject| self.known.link(subject));
            let linked = link.is_some();
            let kind = SubjectKind::of(row.entry.kind);
            if subject
                .and_then(|subject| self.known.by_id.get(&subject))
                .is_some_and(|known| known.kind != kind)
            {
                // Its object stays as it is: nothing that could be done to it would fit.
                changed.insert(row.id);
                self.ground.open.insert(row.id.0);
                self.projection.quarantined.push(Quarantined::kind_changed(kind, row.entry.dn));
                return;
            }
            if let Some(subject) = subject {
                doubt.note(row.id, row.entry.kind, subject, &mut self.projection.doubtful);
                if matches!(row.presence, Presence::Unsettled { .. }) {
                    self.projection.unsettled.insert(subject);
                }
            }
            if row.entry.kind == Kind::Group {
                let finding = group_rules.judge(&row).sharing(link);
                groups.extend(Candidate::new(row, info, subject, linked, finding));
            } else {
                let finding = user_rules.judge(&row, linked).sharing(link);
                let expires = row.entry.expires.filter(|at| *at > self.now);
                if let (Finding::Keep(_), Some(expires)) = (&finding, expires)
                    && self.policy.users.disabled != OnDisabled::Ignore
                {
                    self.ground.expires.insert(row.id, expires);
                }
                if let (Finding::Out(out), false) = (&finding, linked) {
                    *self.ground.out.at(row.id.0) = Some(*out);
                }
                users.extend(Candidate::new(row, info, subject, linked, finding));
            }
        };
        match rows {
            Some(rows) => self.view.rows(rows, &mut look)?,
            None => self.view.for_each_row(&mut look)?,
        }
        collision::part_twins(&mut users, self.known);
        collision::resolve(&mut users, self.known);
        collision::resolve(&mut groups, self.known);
        let people = self.settle(users, SubjectKind::User);
        let teams = self.settle(groups, SubjectKind::Group);
        let frozen = people.frozen() | teams.frozen();
        self.read_lists(&paths, doubt.without_members(), &changed)?;
        let unstated = Unstated { frozen: &frozen, new_names: info.new_names };
        for (subject, verdict) in teams.verdicts {
            let verdict = match (verdict, teams.rows.get(&subject)) {
                (Verdict::Keep(content), Some(row)) => {
                    Verdict::Keep(self.team(subject, *row, content, &unstated))
                }
                (Verdict::Gone(evidence), _) => Verdict::Gone(evidence),
                (Verdict::Frozen | Verdict::Keep(_), _) => Verdict::Frozen,
            };
            self.projection.groups.insert(subject, verdict);
        }
        self.projection.users.extend(people.verdicts);
        self.projection.skipped.add(self.ground.skipped());
        let due = self.ground.expires.values().min().copied();
        self.projection.due = self.projection.due.into_iter().chain(due).min();
        self.note_rest(rows);
        Ok(())
    }

    /// Reads the lists of these groups, and works out who is in them.
    fn read_lists(
        &mut self,
        paths: &[Path],
        lost: Option<&RoaringBitmap>,
        changed: &HashSet<RowId>,
    ) -> Result<(), StoreError> {
        let Ground { bearers, lists, people, teams, .. } = &mut *self.ground;
        let who = Who { bearers, people, lost, changed };
        for path in paths.iter().filter(|path| path.leads()) {
            lists.take(*path, self.view.edges(path.row)?, &who);
        }
        let rows = paths.iter().map(|path| path.row).collect();
        lists.spread(&rows, self.policy.groups.nesting, teams);
        Ok(())
    }

    fn team(
        &mut self,
        subject: SubjectId,
        row: RowId,
        content: Arc<Content>,
        unstated: &Unstated<'_>,
    ) -> Group {
        let lists = &self.ground.lists;
        if lists.is_doubtful(row) {
            let doubtful = self.projection.doubtful.entry(subject).or_default();
            if !doubtful.iter().any(|field| field == fields::MEMBERS) {
                doubtful.push(fields::MEMBERS.to_owned());
            }
        }
        if lists.is_incomplete(row) {
            self.ground.open.insert(row.0);
            self.projection.quarantined.push(Quarantined::incomplete(content.name()));
        }
        let linked = self.known.link(subject).map(|link| &link.members);
        lists.group(row, content, linked, unstated)
    }

    /// Tells apart who is at rest and who is not, of those who were looked at.
    fn note_rest(&mut self, rows: Option<&RoaringBitmap>) {
        let looked: Vec<(u32, SubjectId)> = match rows {
            Some(rows) => {
                rows.iter().filter_map(|row| Some((row, *self.ground.subjects.get(row)?))).collect()
            }
            None => self.ground.subjects.iter().map(|(row, subject)| (row, *subject)).collect(),
        };
        for (row, subject) in looked {
            match self.rest(subject) {
                Some(Rest::As(content)) if !self.ground.open.contains(row) => {
                    self.ground.note_rest(RowId(row), subject, &content);
                }
                Some(Rest::Without) => {}
                _ => drop(self.ground.open.insert(row)),
            }
        }
    }

    /// Whether there is nothing to be done about a subject until its entry changes.
    fn rest(&self, subject: SubjectId) -> Option<Rest> {
        // Whoever has several entries, or is new, is looked at again.
        let known = self.known.by_id.get(&subject).filter(|known| known.anchors.len() == 1)?;
        let (content, active, members) = match known.kind {
            SubjectKind::User => match self.projection.users.get(&subject)? {
                Verdict::Keep(user) => (&user.content, !user.disabled, None),
                Verdict::Gone(_) if known.link.is_none() => return Some(Rest::Without),
                Verdict::Gone(_) | Verdict::Frozen => return None,
            },
            SubjectKind::Group => match self.projection.groups.get(&subject)? {
                Verdict::Keep(group) => (&group.content, true, Some(&group.members)),
                Verdict::Gone(_) if known.link.is_none() => return Some(Rest::Without),
                Verdict::Gone(_) | Verdict::Frozen => return None,
            },
        };
        let link = known.link.as_ref()?;
        let is_same = Arc::ptr_eq(content, &link.confirmed) && link.active == active;
        let is_whole = members.is_none_or(|members| *members == link.members);
        (is_same && is_whole && link.leaving.is_none()).then(|| Rest::As(content.clone()))
    }

    /// Gives candidates their subjects: the one that they have, a leaver's whom they continue, or a
    /// new one.
    fn settle<T: Named>(&mut self, candidates: Vec<Candidate<T>>, kind: SubjectKind) -> Settled<T> {
        let leavers = if kind == SubjectKind::User { self.leavers(&candidates) } else { HashMap::new() };
        let mut settled = Settled { verdicts: BTreeMap::new(), rows: BTreeMap::new() };
        for mut candidate in candidates {
            if let (Finding::Keep(kept), false) = (&candidate.finding, candidate.linked)
                && let Some(leaver) = leavers.get(&kept.content().name_key())
            {
                match self.policy.users.recreated {
                    OnRecreated::Relink => {
                        let anchor = (candidate.directory.clone(), candidate.anchor.clone());
                        self.projection.joins.push((*leaver, anchor.0, anchor.1));
                        candidate.subject = Some(*leaver);
                    }
                    OnRecreated::Replace => {
                        self.projection.replaced.insert(*leaver);
                    }
                    OnRecreated::Quarantine => {
                        let why = "somebody who left has this name; if this is the same person set users.recreated to Relink, \
                                   if it is another set it to Replace";
                        candidate.finding = Finding::Quarantine(QuarantineReason::Recreated, why.to_owned());
                    }
                }
            }
            self.settle_one(candidate, kind, &mut settled);
        }
        settled
    }

    fn settle_one<T>(&mut self, candidate: Candidate<T>, kind: SubjectKind, settled: &mut Settled<T>) {
        let Candidate { row, directory, anchor, dn, subject, linked, finding } = candidate;
        let verdict = match finding {
            Finding::Keep(kept) => {
                let subject = subject.unwrap_or_else(|| self.newcomer(kind, directory, anchor));
                *self.ground.subjects.at(row.0) = Some(subject);
                *self.members(kind).at(row.0) = Some(subject);
                settled.rows.insert(subject, row);
                settled.verdicts.insert(subject, Verdict::Keep(kept));
                return;
            }
            Finding::Quarantine(reason, message) => {
                self.ground.open.insert(row.0);
                self.projection.quarantined.push(Quarantined { kind, entry: dn, reason, message });
                Verdict::Frozen
            }
            Finding::Unsettled => Verdict::Frozen,
            Finding::Out(_) => Verdict::Gone(Evidence::data(Grade::OutOfScope)),
            Finding::Gone(evidence) => Verdict::Gone(evidence),
        };
        let Some(subject) = subject else { return };
        if matches!(verdict, Verdict::Frozen) && linked {
            *self.members(kind).at(row.0) = Some(subject);
        }
        // A subject of several anchors is gone only if all of them are.
        let stronger = match settled.verdicts.get(&subject) {
            None | Some(Verdict::Gone(_)) => true,
            Some(Verdict::Keep(_) | Verdict::Frozen) => false,
        };
        if stronger {
            settled.verdicts.insert(subject, verdict);
        }
    }

    fn members(&mut self, kind: SubjectKind) -> &mut Dense<SubjectId> {
        match kind {
            SubjectKind::User => &mut self.ground.people,
            SubjectKind::Group => &mut self.ground.teams,
        }
    }

    fn newcomer(&mut self, kind: SubjectKind, directory: DirectoryId, anchor: Anchor) -> SubjectId {
        let number = u32::try_from(self.projection.newcomers.len()).unwrap_or(u32::MAX);
        let id = SubjectId(self.known.next.saturating_add(number));
        let key = Key::new(&self.policy.owner, &directory, &anchor);
        self.projection.newcomers.push(Newcomer { id, kind, key, anchor: (directory, anchor) });
        id
    }

    /// Linked subjects who are gone by every anchor that they have, by name.
    fn leavers<T>(&self, candidates: &[Candidate<T>]) -> HashMap<String, SubjectId> {
        let of = |candidate: &Candidate<T>| candidate.subject.filter(|_| candidate.linked);
        let gone = |candidate: &&Candidate<T>| matches!(candidate.finding, Finding::Gone(_));
        if !candidates.iter().any(|candidate| gone(&candidate)) {
            return HashMap::new();
        }
        let there: BTreeSet<SubjectId> =
            candidates.iter().filter(|candidate| !gone(candidate)).filter_map(of).collect();
        candidates
            .iter()
            .filter(gone)
            .filter_map(of)
            .filter(|subject| !there.contains(subject))
            .filter_map(|subject| Some((self.known.link(subject)?.confirmed.name_key(), subject)))
            .collect()
    }
}

/// What a subject is that there is nothing to be done about.
enum Rest {
    /// It has this, as it should.
    As(Arc<Content>),
    /// It has nothing, as it should.
    Without,
}

impl Quarantined {
    fn incomplete(group: &str) -> Self {
        let message = "not all of its members, or of those of a group in it, could be read, so nobody is taken out of it; \
                       correct its member list in the directory (an LDIF file must end with an empty line)";
        Self {
            kind: SubjectKind::Group,
            entry: group.to_owned(),
            reason: QuarantineReason::UnknownField,
            message: message.to_owned(),
        }
    }

    fn kind_changed(kind: SubjectKind, entry: String) -> Self {
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

/// What has a unique name at the target.
trait Named {
    fn content(&self) -> &Arc<Content>;
    fn content_mut(&mut self) -> &mut Arc<Content>;
}

impl Named for User {
    fn content(&self) -> &Arc<Content> {
        &self.content
    }

    fn content_mut(&mut self) -> &mut Arc<Content> {
        &mut self.content
    }
}

impl Named for Arc<Content> {
    fn content(&self) -> &Arc<Content> {
        self
    }

    fn content_mut(&mut self) -> &mut Arc<Content> {
        self
    }
}

impl<T: Named> Finding<T> {
    /// What is as it was confirmed need not be in memory twice.
    fn sharing(mut self, link: Option<&Link>) -> Self {
        if let (Self::Keep(kept), Some(link)) = (&mut self, link)
            && *kept.content() == link.confirmed
        {
            kept.content_mut().clone_from(&link.confirmed);
        }
        self
    }
}

impl<T> Candidate<T> {
    /// `None` for an entry that is of no concern: not known, and not to be.
    fn new(
        row: Row,
        info: &SnapshotInfo,
        subject: Option<SubjectId>,
        linked: bool,
        finding: Finding<T>,
    ) -> Option<Self> {
        if subject.is_none() && !matches!(finding, Finding::Keep(_) | Finding::Quarantine(..)) {
            return None;
        }
        let directory = info.directory.clone();
        Some(Self {
            row: row.id,
            directory,
            anchor: row.entry.anchor,
            dn: row.entry.dn,
            subject,
            linked,
            finding,
        })
    }
}

impl Skipped {
    fn add(&mut self, other: Self) {
        self.without_address += other.without_address;
        self.disabled_at_first_sight += other.disabled_at_first_sight;
        self.out_of_scope += other.out_of_scope;
        self.dangling_members += other.dangling_members;
    }

    fn count(&mut self, out: Out) {
        match out {
            Out::Scope => self.out_of_scope += 1,
            Out::NoAddress => self.without_address += 1,
            Out::DisabledAtFirstSight => self.disabled_at_first_sight += 1,
        }
    }
}
