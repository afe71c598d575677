//! The members of each group: names resolved to rows, rows to subjects, nested groups to users.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use roaring::RoaringBitmap;

use super::name_index::{NameHolder, NameIndex};
use super::number_set::NumberSet;
use super::projection::{Broken, Group};
use crate::directory::{Content, Members, SubjectId};
use crate::store::dense::Dense;
use crate::store::snapshot::{Edges, Presence, Row, RowId, SnapshotInfo};
use crate::sync::policy::Nesting;

/// Why a member that a list names is not put in.
const SHARED: &str = "several entries have the name by which it lists a member";

/// Why a list is not believed that came with an older version.
const SEALED_BEFORE: &str =
    "it names a member whom no entry has, who may have been renamed; the next read settles it";

/// A group's row, as a path to its members.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) row: RowId,
    standing: PathState,
    /// Whether the last read brought no list.
    unread: bool,
    dn: Box<str>,
    /// Why it is partial, if the source said so.
    partial: Option<Box<str>>,
}

/// What a group's row is worth as a path to its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PathState {
    There,
    /// Gone, by evidence that rests on absence alone.
    WeaklyGone,
    Gone,
}

impl Path {
    /// `vanished` says that it went with a whole place: until that is believed, it leads where it did.
    pub(super) fn of(row: &Row, vanished: bool) -> Self {
        let standing = match &row.presence {
            Presence::Gone { .. } if vanished => PathState::There,
            Presence::Gone { evidence, .. } if evidence.grade.is_weak() => PathState::WeaklyGone,
            Presence::Gone { .. } => PathState::Gone,
            _ => PathState::There,
        };
        let unread = vanished || matches!(row.presence, Presence::Unreadable(_) | Presence::Unsettled { .. });
        let partial = match &row.entry.members {
            Members::Partial(_, why) => Some(match &row.entry.place {
                Some(place) => format!("{why} ({place})").into(),
                None => why.as_str().into(),
            }),
            Members::None | Members::NotStated | Members::Complete(_) => None,
        };
        Self { row: row.id, standing, unread, dn: row.entry.dn.as_str().into(), partial }
    }

    /// Whether it leads to anybody.
    pub(super) fn leads(&self) -> bool {
        self.standing != PathState::Gone
    }
}

/// A group's direct members, resolved.
#[derive(Debug)]
struct List {
    standing: PathState,
    /// What it states.
    names: NumberSet,
    /// Names that it states and nobody bears.
    dangling: NumberSet,
    membership: Membership<NumberSet>,
    groups: Vec<RowId>,
    /// Those whom it had and has no more, who may be somebody whom it names anew.
    waiting: Waiting,
    /// Why itself is not all that it should be, if it is not.
    broken: Option<Box<Broken>>,
}

/// Members whose memberships wait for another read.
#[derive(Debug, Default)]
struct Waiting {
    users: NumberSet,
    groups: Vec<RowId>,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.users.iter().next().is_none()
    }
}

/// Over which lists somebody is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// Those of groups that are there, as they state it.
    Stated,
    /// Those of groups that are gone on weak evidence too.
    WeaklyGone,
    /// Those of groups that are there, with the members who wait.
    Waiting,
}

/// Who is in a group, as it is kept, or as it is being worked out.
#[derive(Clone, Debug, Default)]
struct Membership<S = RoaringBitmap> {
    members: S,
    /// Those who share a name that a list on the way states: it may or may not speak of them.
    perhaps: S,
    /// Whether a list on the way has a name that nobody bears: whoever is frozen may be the one.
    unresolved: bool,
    /// Whether a list on the way was not read completely.
    incomplete: bool,
    /// Whether a list on the way was lost when many were.
    doubtful: bool,
}

/// Who may be a member, by row.
pub(super) struct Who<'a> {
    pub(super) names: &'a NameIndex,
    pub(super) users: &'a Dense<SubjectId>,
    /// Groups whose lists were lost when many were.
    pub(super) lost: Option<&'a RoaringBitmap>,
    /// Entries that were a user and are a group, or the other way round.
    pub(super) changed: &'a HashSet<RowId>,
    /// What the snapshot says of members who wait.
    pub(super) info: &'a SnapshotInfo,
}

/// All memberships, by the groups' rows.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// What each states itself.
    direct: BTreeMap<RowId, List>,
    /// Of groups with groups in them, all who are in those too.
    whole: HashMap<RowId, Membership<NumberSet>>,
    /// The same, if groups that are gone on weak evidence only were still there; none if there are no such.
    with_weak: HashMap<RowId, Membership<NumberSet>>,
    /// The same, with those who wait; none if nobody does.
    with_waiting: HashMap<RowId, Membership<NumberSet>>,
}

/// What decides about members who are not stated.
pub(super) struct Unstated {
    /// Those of whom nothing can be said, not even what they are called now.
    pub(super) frozen: RoaringBitmap,
    /// Of those, who did not come and is not known to be gone: a list without them may be the work of what made them be missing.
    pub(super) missing: RoaringBitmap,
    /// Those of whom nothing can be said and who are missing, or whose object is disabled: they keep their memberships, and get
    /// no new ones.
    pub(super) no_more: RoaringBitmap,
}

impl Lists {
    /// Forgets what these groups' lists were.
    pub(super) fn forget(&mut self, rows: &RoaringBitmap) {
        for row in rows {
            self.direct.remove(&RowId(row));
            self.whole.remove(&RowId(row));
        }
    }

    /// Takes in what a group's list states.
    pub(super) fn take(&mut self, path: &Path, edges: Edges, who: &Who<'_>) {
        let Edges { names, complete } = edges;
        let doubtful = who.lost.is_some_and(|lost| lost.contains(path.row.0));
        let mut membership: Membership =
            Membership { incomplete: !complete, doubtful, ..Membership::default() };
        let mut why =
            (!complete).then(|| path.partial.as_deref().unwrap_or("not all of its members could be read"));
        let (mut groups, mut dangling) = (Vec::new(), RoaringBitmap::new());
        for name in &names {
            match who.names.of(name) {
                None => {
                    dangling.insert(name);
                    let sharing = who.names.sharing(name);
                    membership.unresolved |= sharing.is_empty();
                    if who.info.waiting.is_none() && name >= who.info.new_names {
                        membership.incomplete = true;
                        why.get_or_insert(SEALED_BEFORE);
                    }
                    if !sharing.is_empty() {
                        why.get_or_insert(SHARED);
                    }
                    let sharing = sharing.iter().filter_map(|row| who.users.get(row.0));
                    membership.perhaps.extend(sharing.map(|subject| subject.0));
                }
                Some(member) => {
                    if who.changed.contains(&member.row) {
                        membership.incomplete = true;
                        why.get_or_insert("a member was a user and is now a group, or the other way round");
                    }
                    if member.is_group {
                        groups.push(member.row);
                    } else {
                        membership.members.extend(who.users.get(member.row.0).map(|subject| subject.0));
                    }
                }
            }
        }
        // An old list may name members as they were called before.
        if membership.unresolved && path.unread {
            membership.incomplete = true;
            why.get_or_insert(
                "it could not be read this time, and its former list contains names that no entry has now",
            );
        }
        let waiting = who.waiting(path.row);
        let broken = why.map(|why| Broken { dn: path.dn.clone(), why: why.into() }.into());
        let (names, dangling) = (NumberSet::from(&names), NumberSet::from(&dangling));
        let membership = membership.of();
        self.direct.insert(
            path.row,
            List { standing: path.standing, names, dangling, membership, groups, waiting, broken },
        );
    }

    /// Works out who is in these groups by any path; of groups in them that are not among these, it is known.
    pub(super) fn spread(&mut self, rows: &BTreeSet<RowId>, nesting: Nesting, groups: &Dense<SubjectId>) {
        let lists = rows.iter().filter_map(|row| Some((*row, self.direct.get(row)?)));
        let nested = lists.filter(|(_, list)| !list.groups.is_empty());
        match nesting {
            Nesting::Preserve => {
                let all: Vec<_> = nested.map(|(row, list)| (row, list.with_groups(row, groups))).collect();
                self.whole.extend(all);
                let waiting = self.direct.iter().filter(|(_, list)| !list.waiting.is_empty());
                self.with_waiting = waiting.map(|(row, list)| (*row, list.waiting(groups))).collect();
            }
            Nesting::Flatten => {
                let there = |(_, list): &(RowId, &List)| list.standing == PathState::There;
                let all = self.flattened(nested.filter(there), Over::Stated);
                self.whole.extend(all);
                let all = || self.direct.iter().map(|(row, list)| (*row, list));
                let is_any = |is: fn(&List) -> bool| self.direct.values().any(is);
                let (mut with_weak, mut with_waiting) = (HashMap::new(), HashMap::new());
                if is_any(|list| list.standing == PathState::WeaklyGone) {
                    with_weak = self.flattened(all(), Over::WeaklyGone);
                }
                if is_any(|list| !list.waiting.is_empty()) {
                    with_waiting = self.flattened(all().filter(there), Over::Waiting);
                }
                (self.with_weak, self.with_waiting) = (with_weak, with_waiting);
            }
        }
    }

    /// The members of these groups by any path over these lists. Groups that contain
    /// each other have the same members; with each such cycle taken as one, what is left is read from the innermost
    /// groups outwards.
    fn flattened<'d>(
        &'d self,
        these: impl Iterator<Item = (RowId, &'d List)>,
        over: Over,
    ) -> HashMap<RowId, Membership<NumberSet>> {
        let mut graph: DiGraph<(RowId, &List), ()> = DiGraph::new();
        let nodes: HashMap<RowId, NodeIndex> = these.map(|one| (one.0, graph.add_node(one))).collect();
        for from in graph.node_indices() {
            let list = graph[from].1;
            for to in list.groups_over(over).filter_map(|row| nodes.get(&row).copied()) {
                graph.add_edge(from, to, ());
            }
        }
        let mut flattened: HashMap<RowId, Membership<NumberSet>> = HashMap::with_capacity(nodes.len());
        // In post-order: what a group contains comes before it.
        for cycle in kosaraju_scc(&graph) {
            let mut whole: Membership = Membership::default();
            for group in &cycle {
                let list = graph[*group].1;
                whole.add(&list.membership);
                if over == Over::Waiting {
                    whole.members.extend(list.waiting.users.iter());
                }
                for inner in list.groups_over(over) {
                    // One of this cycle is not known yet, and is added by itself.
                    let known = if nodes.contains_key(&inner) {
                        flattened.get(&inner)
                    } else {
                        self.known(inner).filter(|_| over == Over::Stated)
                    };
                    if let Some(inner) = known {
                        whole.add(inner);
                    }
                }
            }
            let whole = whole.of();
            flattened.extend(cycle.iter().map(|group| (graph[*group].0, whole.clone())));
        }
        flattened
    }

    /// Who is in a group that is there, as far as that was worked out.
    fn known(&self, row: RowId) -> Option<&Membership<NumberSet>> {
        let list = self.direct.get(&row).filter(|list| list.standing == PathState::There)?;
        Some(self.whole.get(&row).unwrap_or(&list.membership))
    }

    /// The groups whose lists state one of these names, and all groups that contain one of those or of `rows`.
    pub(super) fn containing(&self, rows: &RoaringBitmap, names: &RoaringBitmap) -> RoaringBitmap {
        let stating = self.direct.iter().filter(|(_, list)| list.names.has_one_of(names));
        let mut containing: RoaringBitmap = stating.map(|(row, _)| row.0).collect();
        let mut outer: HashMap<RowId, Vec<RowId>> = HashMap::new();
        for (row, list) in &self.direct {
            for inner in &list.groups {
                outer.entry(*inner).or_default().push(*row);
            }
        }
        let mut open: Vec<u32> = (rows | &containing).into_iter().collect();
        while let Some(inner) = open.pop() {
            for outer in outer.get(&RowId(inner)).into_iter().flatten() {
                if containing.insert(outer.0) {
                    open.push(outer.0);
                }
            }
        }
        containing
    }

    /// Whether not all of the group's members are known.
    pub(super) fn is_incomplete(&self, row: RowId) -> bool {
        self.known(row).is_some_and(|membership| membership.incomplete)
    }

    /// Whether one of its members is named as several entries are.
    pub(super) fn is_ambiguous(&self, row: RowId) -> bool {
        self.known(row).is_some_and(|membership| membership.perhaps.iter().next().is_some())
    }

    /// The lists, its own or of groups in it, for which not all of the group's members are known: some of them, where
    /// they are many.
    pub(super) fn broken(&self, row: RowId, nesting: Nesting) -> Vec<&Broken> {
        const NAMED: usize = 3;
        let (mut open, mut seen, mut broken) = (vec![row], HashSet::from([row]), Vec::new());
        while let Some(row) = open.pop() {
            let list = self.direct.get(&row).filter(|list| list.standing == PathState::There);
            let Some(list) = list.filter(|_| broken.len() < NAMED) else { continue };
            broken.extend(list.broken.as_deref());
            if nesting == Nesting::Flatten {
                open.extend(list.groups.iter().copied().filter(|inner| seen.insert(*inner)));
            }
        }
        broken
    }

    /// Whether the group's members hang on a list that was lost when many were.
    pub(super) fn is_doubtful(&self, row: RowId) -> bool {
        self.known(row).is_some_and(|membership| membership.doubtful)
    }

    /// Groups of which memberships wait.
    pub(super) fn waiting(&self) -> impl Iterator<Item = u32> {
        self.direct.iter().filter(|(_, list)| !list.waiting.is_empty()).map(|(row, _)| row.0)
    }

    /// How many names are stated that no entry bears.
    pub(super) fn dangling(&self) -> u64 {
        let all = self.direct.values().flat_map(|list| list.dangling.iter());
        all.collect::<RoaringBitmap>().len()
    }

    /// A group with its members. `linked` are the members that we put.
    pub(super) fn group(
        &self,
        row: RowId,
        content: Arc<Content>,
        linked: Option<&RoaringBitmap>,
        unstated: &Unstated,
    ) -> Group {
        let Membership { mut members, perhaps, unresolved, incomplete, .. } =
            self.known(row).map(Membership::of).unwrap_or_default();
        members -= linked.map_or_else(|| unstated.no_more.clone(), |linked| &unstated.no_more - linked);
        let mut unproven = match linked {
            Some(linked) if incomplete => linked - &members,
            // Who was moved and could not be read may be the one who is named.
            Some(linked) if unresolved => (linked & (perhaps | &unstated.frozen)) - &members,
            Some(linked) => (linked & (perhaps | &unstated.missing)) - &members,
            None => RoaringBitmap::new(),
        };
        let beside = |with: &HashMap<RowId, Membership<NumberSet>>| match with.get(&row) {
            Some(with) => RoaringBitmap::from(&with.members) - &members,
            None => RoaringBitmap::new(),
        };
        let weak = beside(&self.with_weak);
        let waiting = beside(&self.with_waiting) & linked.unwrap_or(&RoaringBitmap::new());
        let awaits = !incomplete && !waiting.is_empty();
        unproven |= waiting;
        Group { content, members, unproven, awaits, weak }
    }
}

impl Who<'_> {
    /// Those of a group's members who wait.
    fn waiting(&self, group: RowId) -> Waiting {
        let names =
            self.info.waiting.as_ref().and_then(|waiting| waiting.get(&group.0)).into_iter().flatten();
        let holders = names.filter_map(|name| self.names.of(*name));
        let (groups, users): (Vec<&NameHolder>, Vec<_>) = holders.partition(|holder| holder.is_group);
        let users: RoaringBitmap =
            users.iter().filter_map(|user| self.users.get(user.row.0)).map(|subject| subject.0).collect();
        Waiting { users: NumberSet::from(&users), groups: groups.iter().map(|group| group.row).collect() }
    }
}

impl List {
    /// The groups in it, over these lists.
    fn groups_over(&self, over: Over) -> impl Iterator<Item = RowId> {
        let waiting = Some(&self.waiting.groups).filter(|_| over == Over::Waiting);
        self.groups.iter().chain(waiting.into_iter().flatten()).copied()
    }

    /// Those who wait, groups among them where they are in scope.
    fn waiting(&self, groups: &Dense<SubjectId>) -> Membership<NumberSet> {
        let nested = self.waiting.groups.iter().filter_map(|group| groups.get(group.0));
        let members = self.waiting.users.iter().chain(nested.map(|subject| subject.0)).collect();
        Membership { members, ..Membership::default() }.of()
    }

    /// Direct members, groups among them where they are in scope.
    fn with_groups(&self, row: RowId, groups: &Dense<SubjectId>) -> Membership<NumberSet> {
        let mut membership: Membership = self.membership.of();
        let nested = self.groups.iter().filter(|group| **group != row);
        membership.members.extend(nested.filter_map(|group| groups.get(group.0)).map(|subject| subject.0));
        membership.of()
    }
}

impl<S> Membership<S> {
    /// The same in other sets: in small ones to keep, in quick ones to work with.
    fn of<'a, T: From<&'a S>>(&'a self) -> Membership<T> {
        let Self { members, perhaps, unresolved, incomplete, doubtful } = self;
        Membership {
            members: members.into(),
            perhaps: perhaps.into(),
            unresolved: *unresolved,
            incomplete: *incomplete,
            doubtful: *doubtful,
        }
    }
}

impl Membership {
    fn add(&mut self, other: &Membership<NumberSet>) {
        self.members.extend(other.members.iter());
        self.perhaps.extend(other.perhaps.iter());
        self.unresolved |= other.unresolved;
        self.incomplete |= other.incomplete;
        self.doubtful |= other.doubtful;
    }
}
