//! From snapshots to what a target should hold. Pure, but for reading the pinned snapshots.
//!
//! The full projection: it looks at every entry. The incremental one, which will look at what changed,
//! must give the same.

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

mod collision;
mod doubt;
mod group;
mod member;
#[cfg(test)]
mod tests;
mod user;

use doubt::Doubt;
use member::{Bearers, Memberships};

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
#[derive(Clone, Copy)]
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
    /// Who may be a member of a group: everybody who is kept, and the frozen who have an object.
    members: Dense<SubjectId>,
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
    let mut projection = Projection::default();
    for (view, vouching) in views.iter().zip(&policy.connectors) {
        One { policy, vouching, view: *view, known, now, projection: &mut projection }.project()?;
    }
    // A subject of which no connector has a row: nothing was read that could say anything about it.
    for subject in known.by_id.values() {
        match subject.kind {
            SubjectKind::User => drop(projection.users.entry(subject.id).or_insert(Verdict::Frozen)),
            SubjectKind::Group => drop(projection.groups.entry(subject.id).or_insert(Verdict::Frozen)),
        }
    }
    Ok(projection)
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
    projection: &'a mut Projection,
}

impl One<'_> {
    fn project(mut self) -> Result<(), StoreError> {
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
        let mut bearers = Bearers::default();
        let room = |count: u64| Vec::with_capacity(usize::try_from(count).unwrap_or_default());
        let (mut users, mut groups) = (room(info.users + info.contacts), Vec::new());
        let mut changed = HashSet::new();
        self.view.for_each_row(&mut |row| {
            bearers.note(&row);
            let subject = by_anchor.get(&(&info.directory, &row.entry.anchor)).copied();
            let link = subject.and_then(|subject| self.known.link(subject));
            let linked = link.is_some();
            let kind = SubjectKind::of(row.entry.kind);
            if subject
                .and_then(|subject| self.known.by_id.get(&subject))
                .is_some_and(|known| known.kind != kind)
            {
                // Its object stays as it is: nothing that could be done to it would fit.
                changed.insert(row.id);
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
                    let due = &mut self.projection.due;
                    *due = Some(due.map_or(expires, |earliest| earliest.min(expires)));
                }
                if let (Finding::Out(out), false) = (&finding, linked) {
                    self.projection.skipped.count(*out);
                }
                users.extend(Candidate::new(row, info, subject, linked, finding));
            }
        })?;
        collision::part_twins(&mut users, self.known);
        collision::resolve(&mut users, self.known);
        collision::resolve(&mut groups, self.known);
        let people = self.settle(users, SubjectKind::User);
        let teams = self.settle(groups, SubjectKind::Group);
        bearers.frozen = people.frozen() | teams.frozen();
        self.projection.users.extend(people.verdicts);
        let memberships = Memberships::read(
            self.view,
            &bearers,
            self.policy.groups.nesting,
            &people.members,
            &teams.members,
            doubt.without_members(),
            &changed,
        )?;
        self.projection.skipped.dangling_members += memberships.dangling();
        for (subject, verdict) in teams.verdicts {
            let verdict = match verdict {
                Verdict::Keep(content) => {
                    let row = teams.rows[&subject];
                    if memberships.is_doubtful(row) {
                        let doubtful = self.projection.doubtful.entry(subject).or_default();
                        if !doubtful.iter().any(|field| field == fields::MEMBERS) {
                            doubtful.push(fields::MEMBERS.to_owned());
                        }
                    }
                    if memberships.is_incomplete(row) {
                        self.projection.quarantined.push(Quarantined::incomplete(content.name()));
                    }
                    let linked = self.known.link(subject).map(|link| &link.members);
                    Verdict::Keep(memberships.group(row, content, linked))
                }
                Verdict::Frozen => Verdict::Frozen,
                Verdict::Gone(evidence) => Verdict::Gone(evidence),
            };
            self.projection.groups.insert(subject, verdict);
        }
        Ok(())
    }

    /// Gives candidates their subjects: the one that they have, a leaver's whom they continue, or a
    /// new one.
    fn settle<T: Named>(&mut self, candidates: Vec<Candidate<T>>, kind: SubjectKind) -> Settled<T> {
        let leavers = if kind == SubjectKind::User { self.leavers(&candidates) } else { HashMap::new() };
        let mut settled =
            Settled { verdicts: BTreeMap::new(), rows: BTreeMap::new(), members: Dense::default() };
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
                *settled.members.at(row.0) = Some(subject);
                settled.rows.insert(subject, row);
                settled.verdicts.insert(subject, Verdict::Keep(kept));
                return;
            }
            Finding::Quarantine(reason, message) => {
                self.projection.quarantined.push(Quarantined { kind, entry: dn, reason, message });
                Verdict::Frozen
            }
            Finding::Unsettled => Verdict::Frozen,
            Finding::Out(_) => Verdict::Gone(Evidence::data(Grade::OutOfScope)),
            Finding::Gone(evidence) => Verdict::Gone(evidence),
        };
        let Some(subject) = subject else { return };
        if matches!(verdict, Verdict::Frozen) && linked {
            *settled.members.at(row.0) = Some(subject);
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
    fn count(&mut self, out: Out) {
        match out {
            Out::Scope => self.out_of_scope += 1,
            Out::NoAddress => self.without_address += 1,
            Out::DisabledAtFirstSight => self.disabled_at_first_sight += 1,
        }
    }
}
