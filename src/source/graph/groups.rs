//! Groups as pages tell of them: one group may come on many pages, each time with a part of its members, in any order.
//! Nothing is said of a group before the last page has come.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::decode::{self, Item, Member};
use super::membership::{Ids, Membership};
use crate::directory::{Anchor, Batch, Change, Members, Mode, Patch, Reference, fields};
use crate::source::json;

/// What pages told of groups.
#[derive(Default)]
pub(super) struct Groups {
    by_id: BTreeMap<Uuid, Group>,
    /// Who is in them.
    ids: Ids,
    /// How many came that cannot be told apart.
    nameless: u64,
}

/// What a page tells of a group.
pub(super) struct Part {
    id: Uuid,
    removed: Option<Result<(), String>>,
    patch: Patch,
    is_half: bool,
    /// Whether it hides its members, if the page says that.
    is_hidden: Option<bool>,
    members: Vec<Member>,
    /// Members that could not be understood.
    unknown: u64,
}

impl Part {
    /// What an object of a page tells; `None` if it cannot be told of which group.
    pub(super) fn of(item: &Item<'_>, literal: &BTreeSet<String>) -> Option<Self> {
        let id = decode::id(item)?;
        let (members, unknown) = decode::members(item);
        let visibility = item.get("visibility");
        Some(Self {
            id,
            removed: decode::removed(item),
            patch: decode::group(item, id, literal),
            is_half: decode::is_half(item),
            is_hidden: visibility.map(|it| json::text(it).as_deref() == Some("HiddenMembership")),
            members,
            unknown,
        })
    }
}

/// What pages told of one.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is said by itself")]
pub(super) struct Group {
    /// What it is, as far as pages said that.
    patch: Option<Patch>,
    /// Whether a page said only a part of what its addresses come from.
    is_half: bool,
    /// Whether it is there, as the last page said that told of it; or why that cannot be told.
    removed: Option<Result<(), String>>,
    /// Whether its members are shown only to those who have a right of their own to that.
    is_hidden: bool,
    /// Who came into it and went, in the order in which that was told.
    told: Vec<Membership>,
    /// Whether a page said whether its members are hidden.
    shows_visibility: bool,
    /// Whether pages said what cannot all be true.
    is_doubtful: bool,
    /// Whether it was told to be removed, whatever else was told.
    was_removed: bool,
    /// Whether all who are in it were asked for.
    is_listed: bool,
    /// Whether it was refused to show them.
    is_denied: bool,
    /// Members that could not be understood.
    unknown: u64,
}

impl Groups {
    /// Takes in what an object of a page tells.
    pub(super) fn note(&mut self, part: Option<Part>) {
        let Some(Part { id, removed, patch, is_half, is_hidden, members, unknown }) = part else {
            self.nameless += 1;
            return;
        };
        let group = self.by_id.entry(id).or_default();
        group.is_doubtful |= group.patch.is_some() && group.removed != removed;
        group.was_removed |= removed.is_some();
        group.removed = removed;
        if let Some(is_hidden) = is_hidden {
            (group.shows_visibility, group.is_hidden) = (true, is_hidden);
        }
        group.is_half |= is_half;
        group.patch = Some(match group.patch.take() {
            Some(before) => {
                group.is_doubtful |= before.contradicts(&patch);
                before.then(patch)
            }
            None => patch,
        });
        group.note(&mut self.ids, members);
        group.unknown += unknown;
    }

    /// Those of whom more must be known than was told: what they are. Of those among `known` the rest is as it was.
    pub(super) fn in_part(&self, mode: Mode, known: &HashSet<Anchor>) -> Vec<Uuid> {
        let is_enough = |id: &Uuid, group: &Group| {
            let is_known = known.contains(&decode::anchor(*id));
            // An empty list says nothing of a group that hides its members.
            let is_alone = group.patch.as_ref().is_some_and(|patch| patch.alone.is_ok());
            mode == Mode::Full || (!group.is_half && (is_known || (is_alone && group.shows_visibility)))
        };
        let groups = self.by_id.iter();
        let groups = groups
            .filter(|(id, group)| group.contradicts() || (group.removed.is_none() && !is_enough(id, group)));
        groups.map(|(id, _)| *id).collect()
    }

    /// Those of whom it must be asked who is in them: in a read of what changed whoever is there and not among `known`.
    pub(super) fn unlisted(&self, mode: Mode, known: &HashSet<Anchor>) -> Vec<Uuid> {
        let is_enough = |id: &Uuid| mode == Mode::Full || known.contains(&decode::anchor(*id));
        let groups = self.by_id.iter();
        let groups =
            groups.filter(|(id, group)| group.contradicts() || (group.removed.is_none() && !is_enough(id)));
        groups.map(|(id, _)| *id).collect()
    }

    /// Those who are there, as far as pages say so.
    pub(super) fn there(&self) -> Vec<Uuid> {
        self.by_id.iter().filter(|(_, group)| group.removed.is_none()).map(|(id, _)| *id).collect()
    }

    /// Whether what was told of it cannot all be true.
    pub(super) fn is_doubtful(&self, id: Uuid) -> bool {
        self.by_id.get(&id).is_some_and(Group::contradicts)
    }

    /// Whether it hides its members.
    pub(super) fn is_hidden(&self, id: Uuid) -> bool {
        self.by_id.get(&id).is_some_and(|group| group.is_hidden)
    }

    /// Takes in a group of which everything but its members was asked: whatever pages said of that no longer counts.
    pub(super) fn see(&mut self, id: Uuid, part: Option<Part>) {
        if let Some(group) = self.by_id.get_mut(&id) {
            (group.patch, group.removed, group.is_doubtful) = (None, None, false);
        }
        self.note(part);
        if let Some(group) = self.by_id.get_mut(&id) {
            group.is_half = false;
        }
    }

    /// Graph knows no such group.
    pub(super) fn miss(&mut self, id: Uuid) {
        // One that nobody told to be removed went just now: the next read tells.
        if let Some(group) = self.by_id.get_mut(&id).filter(|group| group.was_removed) {
            (group.removed, group.is_doubtful) = (Some(Ok(())), false);
            group.told.clear();
        }
    }

    /// Graph shows to nobody like us who is in it.
    pub(super) fn deny(&mut self, id: Uuid) {
        if let Some(group) = self.by_id.get_mut(&id) {
            group.told.clear();
            (group.is_listed, group.is_denied) = (true, true);
        }
    }

    /// Replaces what was told of who is in a group by a list of all.
    pub(super) fn list(&mut self, id: Uuid, members: &[Option<Uuid>]) {
        let Some(group) = self.by_id.get_mut(&id) else { return };
        let here: Vec<Member> = members.iter().flatten().map(|id| Member { id: *id, went: false }).collect();
        (group.is_listed, group.unknown) = (true, (members.len() - here.len()) as u64);
        group.told.clear();
        group.note(&mut self.ids, here);
    }

    /// Whether somebody is shown in a group that hides its members, or to have left it: then the app may see them everywhere.
    fn shows_hidden(&self) -> bool {
        self.by_id.values().any(|group| group.is_hidden && !group.told.is_empty())
    }

    /// What was told, group by group. In a read of what changed, what was told of members is that of those among `known`; of any
    /// other group nothing is known of whom nobody asked.
    pub(super) fn changes(self, mode: Mode, known: &HashSet<Anchor>) -> impl Iterator<Item = Change> {
        let shows_hidden = self.shows_hidden();
        let nameless = (self.nameless > 0).then(|| Change::Unreadable {
            anchor: None,
            what: "a group without an id".to_owned(),
            why: "it has no id that is a UUID; Graph gives every object one".to_owned(),
        });
        let groups = self.by_id.into_iter();
        let changes = groups.flat_map(move |(id, group)| {
            let lists = match mode {
                Mode::Full => Lists::All,
                Mode::Delta if group.is_listed => Lists::All,
                Mode::Delta if known.contains(&decode::anchor(id)) => Lists::Changes,
                Mode::Delta => Lists::Nothing,
            };
            group.changes(id, &self.ids, mode, lists, shows_hidden)
        });
        changes.chain(nameless)
    }
}

/// What it is that was told of a group's members.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lists {
    /// All of them.
    All,
    /// Who came and who went.
    Changes,
    /// Nothing that can be used.
    Nothing,
}

impl Group {
    /// Takes in who came and who went.
    fn note(&mut self, ids: &mut Ids, members: Vec<Member>) {
        self.told.reserve_exact(members.len());
        for member in members {
            match ids.note(member) {
                Some(membership) => self.told.push(membership),
                None => self.unknown += 1,
            }
        }
    }

    /// Whether what pages said of it cannot all be true.
    fn contradicts(&self) -> bool {
        let mut last: HashMap<u32, bool> = HashMap::new();
        let is_mixed = self.told.iter().any(|one| one.went()) && self.told.iter().any(|one| !one.went());
        let mut told = self.told.iter();
        let mut both =
            || told.any(|one| last.insert(one.number(), one.went()).is_some_and(|was| was != one.went()));
        self.is_doubtful || (is_mixed && both())
    }

    fn changes(mut self, id: Uuid, ids: &Ids, mode: Mode, lists: Lists, shows_hidden: bool) -> Vec<Change> {
        let anchor = decode::anchor(id);
        let unreadable = |why: String| {
            vec![Change::Unreadable { anchor: Some(anchor.clone()), what: format!("groups/{id}"), why }]
        };
        match self.removed {
            Some(Ok(())) => return vec![Change::Tombstone(anchor)],
            Some(Err(why)) => return unreadable(why),
            None => {}
        }
        let Some(mut patch) = self.patch.take() else { return Vec::new() };
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        // Of who came and went, what was told last.
        self.told.sort_by_key(|one| ids.of(*one));
        let each = self.told.chunk_by(|one, next| one.number() == next.number());
        for last in each.filter_map(<[Membership]>::last) {
            let of = if last.went() { &mut removed } else { &mut added };
            of.push(Reference::Anchor(decode::anchor(ids.of(*last))));
        }
        let why_partial = if self.unknown > 0 {
            Some("a member has no id that is a UUID; Graph gives every object one")
        } else if self.is_denied || (self.is_hidden && !shows_hidden) {
            Some(
                "its membership is hidden (visibility HiddenMembership), so who is not shown may be in it; let the app see \
                 that (the application permission Member.Read.Hidden)",
            )
        } else {
            None
        };
        let mut told = Vec::new();
        patch.set.members = match (lists, why_partial) {
            (Lists::Nothing, _) => Members::NotStated,
            (_, Some(why)) => Members::Partial(added, why.to_owned()),
            (Lists::All, None) => Members::Complete(added),
            (Lists::Changes, None) => {
                told = parts(&anchor, &added, &removed);
                Members::NotStated
            }
        };
        // Every group has a name: who shows none hides the rest too. Its list is asked for when it is shown again.
        let is_nameless = patch.cleared.contains(fields::NAME);
        match (mode, patch.alone) {
            (Mode::Delta, Err(why)) if is_nameless => return unreadable(why),
            (Mode::Full, Ok(())) => told.insert(0, Change::Replace(Box::new(patch.set))),
            (Mode::Full, Err(why)) => return unreadable(why),
            (Mode::Delta, alone) => told.insert(0, Change::Patch(Box::new(Patch { alone, ..patch }))),
        }
        told
    }
}

/// Who went and who came, in parts of bounded size.
fn parts(group: &Anchor, added: &[Reference], removed: &[Reference]) -> Vec<Change> {
    let part = |added: &[Reference], removed: &[Reference]| Change::MembersDelta {
        group: group.clone(),
        added: added.to_vec(),
        removed: removed.to_vec(),
    };
    let went = removed.chunks(Batch::MEMBERS).map(|some| part(&[], some));
    went.chain(added.chunks(Batch::MEMBERS).map(|some| part(some, &[]))).collect()
}

#[cfg(test)]
mod tests;
