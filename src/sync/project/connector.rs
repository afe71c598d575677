//! The projection of one connector's snapshot.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::candidate::{Candidate, CandidateState, Named};
use super::doubt::Doubt;
use super::incremental::ConnectorState;
use super::member::{Path, Unstated, Who};
use super::projection::{Group, Newcomer, Projection, QuarantineReason, Quarantined, SubjectState};
use super::view::View;
use super::{collision, group, user};
use crate::directory::{
    Anchor, Content, DirectoryId, EntryKind, Evidence, Grade, Key, SubjectId, SubjectKind, fields,
};
use crate::store::StoreError;
use crate::store::dense::Dense;
use crate::store::link::Subjects;
use crate::store::snapshot::{Presence, Row, RowId};
use crate::sync::expression::Asked;
use crate::sync::policy::{ConnectorBinding, OnDisabled, OnRecreated, Policy};

/// Candidates that got their subjects.
struct Assigned<T> {
    verdicts: BTreeMap<SubjectId, SubjectState<T>>,
    /// The row that each kept subject comes from.
    rows: BTreeMap<SubjectId, RowId>,
}

/// The projection of one connector's snapshot.
pub(super) struct ConnectorProjection<'a> {
    pub(super) policy: &'a Policy,
    pub(super) binding: &'a ConnectorBinding,
    pub(super) view: &'a dyn View,
    pub(super) known: &'a Subjects,
    pub(super) now: Timestamp,
    pub(super) state: &'a mut ConnectorState,
    pub(super) projection: &'a mut Projection,
}

impl ConnectorProjection<'_> {
    /// Looks at these rows, or at all.
    pub(super) fn project(mut self, rows: Option<&RoaringBitmap>) -> Result<(), StoreError> {
        let info = self.view.info();
        let asked = Asked { fields: &info.fields, attributes: &info.attributes };
        let by_anchor = self.known.by_anchor();
        let doubt = Doubt::new(self.policy, self.binding, info);
        let user_rules = user::Rules {
            users: &self.policy.users,
            disabled_when: self.binding.disabled_when.as_ref(),
            asked,
            now: self.now,
        };
        let group_rules = group::Rules { groups: &self.policy.groups, asked };
        if let Some(rows) = rows {
            self.state.forget(rows);
        }
        self.state.is_of(info);
        let room = |count: u64| Vec::with_capacity(usize::try_from(count).unwrap_or_default());
        let mut users = room(rows.map_or(info.users + info.contacts, RoaringBitmap::len));
        let (mut groups, mut paths) = (Vec::new(), Vec::new());
        let (mut changed, mut with_places) = (HashSet::new(), BTreeMap::new());
        let mut look = |row: Row| {
            self.state.names.note(&row);
            let places = doubt.places(&row);
            if row.entry.kind == EntryKind::Group {
                paths.push(Path::of(&row, !places.is_empty()));
            }
            let subject = by_anchor.get(&(&info.directory, &row.entry.anchor)).copied();
            *self.state.subjects.at(row.id.0) = subject;
            let link = subject.and_then(|subject| self.known.link(subject));
            let linked = link.is_some();
            let kind = SubjectKind::of(row.entry.kind);
            if subject
                .and_then(|subject| self.known.by_id.get(&subject))
                .is_some_and(|known| known.kind != kind)
            {
                // Its object stays as it is: nothing that could be done to it would fit.
                changed.insert(row.id);
                self.state.open.insert(row.id.0);
                self.projection.quarantined.push(Quarantined::kind_changed(kind, row.entry.dn));
                return;
            }
            if let Some(subject) = subject {
                // Whoever has no object has nothing to lose.
                if linked && !places.is_empty() {
                    with_places.insert(subject, places);
                }
                doubt.note(row.id, row.entry.kind, subject, &mut self.projection.doubtful);
                if matches!(row.presence, Presence::Unsettled { .. }) {
                    self.projection.unsettled.insert(subject);
                    if info.unprovable {
                        self.projection.unprovable.insert(subject);
                    }
                }
            }
            if row.entry.kind == EntryKind::Group {
                let finding = group_rules.judge(&row, link).sharing(link);
                self.state.leave_out(row.id, &finding, linked);
                groups.extend(Candidate::new(row, info, subject, linked, finding));
            } else {
                let finding = user_rules.judge(&row, link).sharing(link);
                let expires = row.entry.expires.filter(|at| *at > self.now);
                if let (CandidateState::Keep(_), Some(expires)) = (&finding, expires)
                    && !(linked && self.policy.users.disabled == OnDisabled::Ignore)
                {
                    self.state.expires.insert(row.id, expires);
                }
                self.state.leave_out(row.id, &finding, linked);
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
        let groups = self.settle(groups, SubjectKind::Group);
        for (subject, places) in with_places {
            if people.is_gone(subject) || groups.is_gone(subject) {
                self.projection.doubtful.entry(subject).or_default().extend(places);
            }
        }
        self.read_lists(&paths, doubt.without_members(), &changed)?;
        let unstated = self.unstated(people.frozen() | groups.frozen());
        for (subject, verdict) in groups.verdicts {
            let verdict = match (verdict, groups.rows.get(&subject)) {
                (SubjectState::Keep(content), Some(row)) => {
                    SubjectState::Keep(self.group(subject, *row, content, &unstated))
                }
                (SubjectState::Gone(evidence), _) => SubjectState::Gone(evidence),
                (SubjectState::Frozen | SubjectState::Keep(_), _) => SubjectState::Frozen,
            };
            self.projection.groups.insert(subject, verdict);
        }
        self.projection.users.extend(people.verdicts);
        self.projection.skipped.add(self.state.skipped());
        let due = self.state.expires.values().min().copied();
        self.projection.due = self.projection.due.into_iter().chain(due).min();
        self.note_rest(rows);
        Ok(())
    }

    /// What decides about members who are not stated, and about those who are and of whom nothing can be said.
    fn unstated(&self, frozen: RoaringBitmap) -> Unstated {
        let unsettled: RoaringBitmap = self.projection.unsettled.iter().map(|subject| subject.0).collect();
        let missing = unsettled & &frozen;
        let is_disabled =
            |subject: &u32| self.known.link(SubjectId(*subject)).is_some_and(|link| !link.active);
        let disabled: RoaringBitmap = frozen.iter().filter(is_disabled).collect();
        Unstated { no_more: disabled | &missing, missing, frozen }
    }

    /// Reads the lists of these groups, and works out who is in them.
    fn read_lists(
        &mut self,
        paths: &[Path],
        lost: Option<&RoaringBitmap>,
        changed: &HashSet<RowId>,
    ) -> Result<(), StoreError> {
        let ConnectorState { names, lists, users, groups, .. } = &mut *self.state;
        let who = Who { names, users, lost, changed, info: self.view.info() };
        for path in paths.iter().filter(|path| path.leads()) {
            lists.take(path, self.view.edges(path.row)?, &who);
        }
        let rows = paths.iter().map(|path| path.row).collect();
        lists.spread(&rows, self.policy.groups.nesting, groups);
        Ok(())
    }

    fn group(&mut self, subject: SubjectId, row: RowId, content: Arc<Content>, unstated: &Unstated) -> Group {
        let lists = &self.state.lists;
        if lists.is_doubtful(row) {
            let doubtful = self.projection.doubtful.entry(subject).or_default();
            if !doubtful.iter().any(|field| field == fields::MEMBERS) {
                doubtful.push(fields::MEMBERS.to_owned());
            }
        }
        if lists.is_incomplete(row) {
            self.state.open.insert(row.0);
            let broken = lists.broken(row, self.policy.groups.nesting);
            self.projection.quarantined.push(Quarantined::incomplete(content.name(), &broken));
        } else if lists.is_ambiguous(row) {
            self.state.open.insert(row.0);
            let broken = lists.broken(row, self.policy.groups.nesting);
            self.projection.quarantined.push(Quarantined::ambiguous(content.name(), &broken));
        }
        let linked = self.known.link(subject).map(|link| &link.members);
        lists.group(row, content, linked, unstated)
    }

    /// Tells apart who is at rest and who is not, of those who were looked at.
    fn note_rest(&mut self, rows: Option<&RoaringBitmap>) {
        let looked: Vec<(u32, SubjectId)> = match rows {
            Some(rows) => rows.iter().filter_map(|row| Some((row, *self.state.subjects.get(row)?))).collect(),
            None => self.state.subjects.iter().map(|(row, subject)| (row, *subject)).collect(),
        };
        for (row, subject) in looked {
            match self.rest(subject) {
                Some(Rest::As(content)) if !self.state.open.contains(row) => {
                    self.state.note_rest(RowId(row), subject, &content);
                }
                Some(Rest::Without) => {}
                _ => drop(self.state.open.insert(row)),
            }
        }
    }

    /// Whether there is nothing to be done about a subject until its entry changes.
    fn rest(&self, subject: SubjectId) -> Option<Rest> {
        // Whoever has several entries, or is new, is looked at again.
        let known = self.known.by_id.get(&subject).filter(|known| known.anchors.len() == 1)?;
        let (content, active, members) = match known.kind {
            SubjectKind::User => match self.projection.users.get(&subject)? {
                SubjectState::Keep(user) => (&user.content, !user.disabled, None),
                SubjectState::Gone(_) if known.link.is_none() => return Some(Rest::Without),
                SubjectState::Gone(_) | SubjectState::Frozen => return None,
            },
            SubjectKind::Group => match self.projection.groups.get(&subject)? {
                SubjectState::Keep(group) => (&group.content, true, Some(&group.members)),
                SubjectState::Gone(_) if known.link.is_none() => return Some(Rest::Without),
                SubjectState::Gone(_) | SubjectState::Frozen => return None,
            },
        };
        let link = known.link.as_ref()?;
        let is_same = Arc::ptr_eq(content, &link.confirmed) && link.active == active;
        let is_whole = members.is_none_or(|members| *members == link.members);
        (is_same && is_whole && link.leaving.is_none()).then(|| Rest::As(content.clone()))
    }

    /// Gives candidates their subjects: the one that they have, a leaver's whom they continue, or a
    /// new one.
    fn settle<T: Named>(&mut self, candidates: Vec<Candidate<T>>, kind: SubjectKind) -> Assigned<T> {
        let leavers = if kind == SubjectKind::User { self.leavers(&candidates) } else { HashMap::new() };
        let mut settled = Assigned { verdicts: BTreeMap::new(), rows: BTreeMap::new() };
        for mut candidate in candidates {
            if let (CandidateState::Keep(kept), false) = (&candidate.finding, candidate.linked)
                && let Some((leaver, was)) = leavers.get(&kept.content().name_key())
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
                        let why = format!(
                            "{was}, who left, has the same name {:?}; if this is the same person, set users.recreated \
                             to Relink; if it is a different person, set it to Replace",
                            kept.content().name()
                        );
                        candidate.finding = CandidateState::Quarantine(QuarantineReason::Recreated, why);
                    }
                }
            }
            self.settle_one(candidate, kind, &mut settled);
        }
        settled
    }

    fn settle_one<T>(&mut self, candidate: Candidate<T>, kind: SubjectKind, settled: &mut Assigned<T>) {
        let Candidate { row, directory, anchor, dn, subject, linked, finding, .. } = candidate;
        let verdict = match finding {
            CandidateState::Keep(kept) => {
                let subject = subject.unwrap_or_else(|| self.newcomer(kind, directory, anchor, &dn));
                *self.state.subjects.at(row.0) = Some(subject);
                *self.members(kind).at(row.0) = Some(subject);
                settled.rows.insert(subject, row);
                settled.verdicts.insert(subject, SubjectState::Keep(kept));
                return;
            }
            CandidateState::Quarantine(reason, message) => {
                self.state.open.insert(row.0);
                self.projection.quarantined.push(Quarantined { kind, entry: dn, reason, message });
                SubjectState::Frozen
            }
            CandidateState::Unsettled => SubjectState::Frozen,
            CandidateState::Out(_) => SubjectState::Gone(Evidence::data(Grade::OutOfScope)),
            CandidateState::Gone(evidence) => SubjectState::Gone(evidence),
        };
        let Some(subject) = subject else { return };
        if matches!(verdict, SubjectState::Frozen) && linked {
            *self.members(kind).at(row.0) = Some(subject);
        }
        // A subject of several anchors is gone only if all of them are.
        let stronger = match settled.verdicts.get(&subject) {
            None | Some(SubjectState::Gone(_)) => true,
            Some(SubjectState::Keep(_) | SubjectState::Frozen) => false,
        };
        if stronger {
            settled.verdicts.insert(subject, verdict);
        }
    }

    fn members(&mut self, kind: SubjectKind) -> &mut Dense<SubjectId> {
        match kind {
            SubjectKind::User => &mut self.state.users,
            SubjectKind::Group => &mut self.state.groups,
        }
    }

    fn newcomer(&mut self, kind: SubjectKind, directory: DirectoryId, anchor: Anchor, dn: &str) -> SubjectId {
        let number = u32::try_from(self.projection.newcomers.len()).unwrap_or(u32::MAX);
        let id = SubjectId(self.known.next.saturating_add(number));
        let key = Key::of_entry(&self.policy.owner, &directory, &anchor, dn);
        self.projection.newcomers.push(Newcomer { id, kind, key, anchor: (directory, anchor) });
        id
    }

    /// Linked subjects who are gone by every anchor that they have, by name, each with the DN of before.
    fn leavers<T>(&self, candidates: &[Candidate<T>]) -> HashMap<String, (SubjectId, String)> {
        let of = |candidate: &Candidate<T>| candidate.subject.filter(|_| candidate.linked);
        let gone = |candidate: &&Candidate<T>| matches!(candidate.finding, CandidateState::Gone(_));
        if !candidates.iter().any(|candidate| gone(&candidate)) {
            return HashMap::new();
        }
        let there: BTreeSet<SubjectId> =
            candidates.iter().filter(|candidate| !gone(candidate)).filter_map(of).collect();
        candidates
            .iter()
            .filter(gone)
            .filter_map(|candidate| Some((of(candidate)?, &candidate.dn)))
            .filter(|(subject, _)| !there.contains(subject))
            .filter_map(|(subject, dn)| {
                Some((self.known.link(subject)?.confirmed.name_key(), (subject, dn.clone())))
            })
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

impl<T> Assigned<T> {
    fn is_gone(&self, subject: SubjectId) -> bool {
        matches!(self.verdicts.get(&subject), Some(SubjectState::Gone(_)))
    }

    /// Of whom nothing can be said.
    fn frozen(&self) -> RoaringBitmap {
        let frozen = self.verdicts.iter().filter(|(_, verdict)| matches!(verdict, SubjectState::Frozen));
        frozen.map(|(subject, _)| subject.0).collect()
    }
}
