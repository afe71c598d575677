//! Who is in which group: names resolved to rows, rows to subjects, groups in groups to people.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use roaring::RoaringBitmap;

use super::{Group, View};
use crate::directory::{Content, Kind, SubjectId};
use crate::store::StoreError;
use crate::store::dense::Dense;
use crate::store::snapshot::{Edges, Presence, Row, RowId};
use crate::sync::policy::Nesting;

/// Which row bears which name, and which rows are groups.
#[derive(Default)]
pub(super) struct Bearers {
    by_name: Dense<Bearer>,
    /// Names that several entries bear which are there: such a name makes nobody a member, and ends
    /// nobody's membership.
    shared: HashMap<u32, Vec<RowId>>,
    groups: Vec<(RowId, Standing)>,
    /// Groups of which the last read brought no list.
    unread: HashSet<RowId>,
    /// Those of whom nothing can be said, not even what they are called now.
    pub(super) frozen: RoaringBitmap,
}

#[derive(Clone, Copy)]
struct Bearer {
    row: RowId,
    claim: Claim,
    is_group: bool,
}

/// Of two entries that bear one name, the one with the greater claim is meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    Gone,
    /// It could not be read, or was missed and not looked up: it is frozen under the names that it had.
    Frozen,
    There,
}

/// What a group's row is worth as a path to its members.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    There,
    /// Gone, by evidence that rests on absence alone.
    WeaklyGone,
    Gone,
}

impl Bearers {
    pub(super) fn note(&mut self, row: &Row) {
        let claim = match row.presence {
            Presence::Present => Claim::There,
            Presence::Unreadable(_) | Presence::Unsettled { .. } => Claim::Frozen,
            Presence::Gone { .. } => Claim::Gone,
        };
        let is_group = row.entry.kind == Kind::Group;
        for name in &row.names {
            let bearer = Bearer { row: row.id, claim, is_group };
            match self.by_name.at(name.0) {
                Some(known) if claim == Claim::There && known.claim == Claim::There => {
                    self.shared.entry(name.0).or_insert_with(|| vec![known.row]).push(row.id);
                }
                Some(known) if claim <= known.claim => {}
                slot => *slot = Some(bearer),
            }
        }
        if is_group {
            let standing = match &row.presence {
                Presence::Gone { evidence, .. } if evidence.grade.is_weak() => Standing::WeaklyGone,
                Presence::Gone { .. } => Standing::Gone,
                _ => Standing::There,
            };
            self.groups.push((row.id, standing));
            if matches!(row.presence, Presence::Unreadable(_) | Presence::Unsettled { .. }) {
                self.unread.insert(row.id);
            }
        }
    }

    fn of(&self, name: u32) -> Option<&Bearer> {
        if self.shared.contains_key(&name) { None } else { self.by_name.get(name) }
    }

    fn sharing(&self, name: u32) -> &[RowId] {
        self.shared.get(&name).map_or(&[], Vec::as_slice)
    }
}

/// Everybody's memberships.
pub(super) struct Memberships {
    now: HashMap<RowId, Membership>,
    /// The same, if groups that are gone on weak evidence only were still there.
    with_weak: Option<HashMap<RowId, Membership>>,
    dangling: u64,
}

#[derive(Clone, Default)]
struct Membership {
    people: RoaringBitmap,
    /// Those of whom a list on the way may or may not speak.
    perhaps: RoaringBitmap,
    /// Whether a list on the way was not read completely.
    incomplete: bool,
    /// Whether a list on the way has a new name that nobody bears: somebody who was renamed while the
    /// read went on, as the next one will tell.
    awaited: bool,
    /// Whether a list on the way was lost when many were.
    doubtful: bool,
}

/// A group's direct members, resolved.
struct Direct {
    row: RowId,
    standing: Standing,
    membership: Membership,
    groups: Vec<RowId>,
}

impl Memberships {
    /// `people` and `teams` are those rows that may be members; `lost` are the groups whose lists were lost
    /// when many were, and `changed` those that were a user and are a group, or the other way round.
    pub(super) fn read(
        view: &dyn View,
        bearers: &Bearers,
        nesting: Nesting,
        people: &Dense<SubjectId>,
        teams: &Dense<SubjectId>,
        lost: Option<&RoaringBitmap>,
        changed: &HashSet<RowId>,
    ) -> Result<Self, StoreError> {
        let new_names = view.info().new_names;
        let mut dangling = RoaringBitmap::new();
        let mut direct = Vec::with_capacity(bearers.groups.len());
        for (row, standing) in &bearers.groups {
            if *standing == Standing::Gone {
                continue;
            }
            let Edges { names, complete } = view.edges(*row)?;
            let doubtful = lost.is_some_and(|lost| lost.contains(row.0));
            let mut membership = Membership { incomplete: !complete, doubtful, ..Membership::default() };
            let mut groups = Vec::new();
            let mut unresolved = false;
            for name in names {
                let bearer = bearers.of(name);
                membership.incomplete |= bearer.is_some_and(|bearer| changed.contains(&bearer.row));
                match bearer {
                    None => {
                        dangling.insert(name);
                        unresolved |= bearers.sharing(name).is_empty();
                        membership.awaited |= name >= new_names;
                        let sharing = bearers.sharing(name).iter().filter_map(|row| people.get(row.0));
                        membership.perhaps.extend(sharing.map(|subject| subject.0));
                    }
                    Some(member) if member.is_group => groups.push(member.row),
                    Some(member) => {
                        membership.people.extend(people.get(member.row.0).map(|subject| subject.0));
                    }
                }
            }
            if unresolved {
                // Who was moved and could not be read may be the one who is named.
                membership.perhaps |= &bearers.frozen;
                // An old list may name members as they were called before.
                membership.incomplete |= bearers.unread.contains(row);
            }
            direct.push(Direct { row: *row, standing: *standing, membership, groups });
        }
        let there = |direct: &&Direct| direct.standing == Standing::There;
        let (now, with_weak) = match nesting {
            Nesting::Preserve => (preserved(&direct, teams), None),
            Nesting::Flatten => {
                let weak = !direct.iter().all(|direct| there(&direct));
                (flattened(direct.iter().filter(there)), weak.then(|| flattened(direct.iter())))
            }
        };
        Ok(Self { now, with_weak, dangling: dangling.len() })
    }

    /// Whether not all of the group's members are known.
    pub(super) fn is_incomplete(&self, row: RowId) -> bool {
        self.now.get(&row).is_some_and(|membership| membership.incomplete)
    }

    /// Whether the group's members hang on a list that was lost when many were.
    pub(super) fn is_doubtful(&self, row: RowId) -> bool {
        self.now.get(&row).is_some_and(|membership| membership.doubtful)
    }

    /// How many names are stated that no entry bears.
    pub(super) fn dangling(&self) -> u64 {
        self.dangling
    }

    /// A group with its members. `linked` are the members that we put.
    pub(super) fn group(&self, row: RowId, content: Arc<Content>, linked: Option<&RoaringBitmap>) -> Group {
        let Membership { people: members, perhaps, incomplete, awaited, .. } =
            self.now.get(&row).cloned().unwrap_or_default();
        let unproven = match linked {
            Some(linked) if incomplete || awaited => linked - &members,
            Some(linked) => (linked & perhaps) - &members,
            None => RoaringBitmap::new(),
        };
        let weak = match self.with_weak.as_ref().and_then(|with| with.get(&row)) {
            Some(with) => &with.people - &members,
            None => RoaringBitmap::new(),
        };
        let awaits = awaited && !incomplete && !unproven.is_empty();
        Group { content, members, unproven, awaits, weak }
    }
}

/// Direct members, groups among them where they are in scope.
fn preserved(direct: &[Direct], teams: &Dense<SubjectId>) -> HashMap<RowId, Membership> {
    let with_groups = |direct: &Direct| {
        let mut membership = direct.membership.clone();
        let groups = direct.groups.iter().filter(|group| **group != direct.row);
        membership.people.extend(groups.filter_map(|group| teams.get(group.0)).map(|subject| subject.0));
        (direct.row, membership)
    };
    direct.iter().map(with_groups).collect()
}

/// Everybody who is in a group by any path. Groups that contain each other have the same people; with
/// each such cycle taken as one, what is left is read from the innermost groups outwards.
fn flattened<'d>(direct: impl Iterator<Item = &'d Direct>) -> HashMap<RowId, Membership> {
    let mut graph: DiGraph<&Direct, ()> = DiGraph::new();
    let nodes: HashMap<RowId, NodeIndex> =
        direct.map(|direct| (direct.row, graph.add_node(direct))).collect();
    for from in graph.node_indices() {
        for to in graph[from].groups.iter().filter_map(|row| nodes.get(row)) {
            graph.add_edge(from, *to, ());
        }
    }
    let mut flattened: HashMap<RowId, Membership> = HashMap::with_capacity(nodes.len());
    // In post-order: what a group contains comes before it.
    for cycle in kosaraju_scc(&graph) {
        let mut whole = Membership::default();
        for group in &cycle {
            let direct = graph[*group];
            whole.add(&direct.membership);
            direct.groups.iter().filter_map(|inner| flattened.get(inner)).for_each(|inner| whole.add(inner));
        }
        flattened.extend(cycle.iter().map(|group| (graph[*group].row, whole.clone())));
    }
    flattened
}

impl Membership {
    fn add(&mut self, other: &Self) {
        self.people |= &other.people;
        self.perhaps |= &other.perhaps;
        self.incomplete |= other.incomplete;
        self.awaited |= other.awaited;
        self.doubtful |= other.doubtful;
    }
}
