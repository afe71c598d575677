//! Who is in which group: names resolved to rows, rows to subjects, groups in groups to people.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use roaring::RoaringBitmap;

use super::{Group, View};
use crate::directory::{Content, Kind, SubjectId};
use crate::store::StoreError;
use crate::store::snapshot::{Edges, Presence, Row, RowId};
use crate::sync::policy::Nesting;

/// Which row bears which name, and which rows are groups.
#[derive(Default)]
pub(super) struct Bearers {
    by_name: HashMap<u32, Bearer>,
    groups: Vec<(RowId, Standing)>,
}

#[derive(Clone, Copy)]
struct Bearer {
    /// `None` if two entries that are there bear the name: then it names nobody.
    row: Option<RowId>,
    there: bool,
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
        let there = matches!(row.presence, Presence::Present);
        for name in &row.names {
            let bearer = Bearer { row: Some(row.id), there };
            match self.by_name.entry(name.0) {
                Slot::Vacant(slot) => drop(slot.insert(bearer)),
                // One that is there bears its name before one that is gone or could not be read.
                Slot::Occupied(mut slot) => match (slot.get().there, there) {
                    (true, true) => slot.get_mut().row = None,
                    (false, true) => drop(slot.insert(bearer)),
                    (_, false) => {}
                },
            }
        }
        if row.entry.kind == Kind::Group {
            let standing = match &row.presence {
                Presence::Gone { evidence, .. } if evidence.grade.is_weak() => Standing::WeaklyGone,
                Presence::Gone { .. } => Standing::Gone,
                _ => Standing::There,
            };
            self.groups.push((row.id, standing));
        }
    }

    fn row(&self, name: u32) -> Option<RowId> {
        self.by_name.get(&name)?.row
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
    /// Whether a list on the way was not read completely.
    incomplete: bool,
}

/// A group's direct members, resolved.
struct Direct {
    row: RowId,
    standing: Standing,
    membership: Membership,
    groups: Vec<RowId>,
}

impl Memberships {
    /// `people` and `teams` are those rows that may be members.
    pub(super) fn read(
        view: &dyn View,
        bearers: &Bearers,
        nesting: Nesting,
        people: &HashMap<RowId, SubjectId>,
        teams: &HashMap<RowId, SubjectId>,
    ) -> Result<Self, StoreError> {
        let is_group: HashMap<RowId, Standing> = bearers.groups.iter().copied().collect();
        let mut dangling = RoaringBitmap::new();
        let mut direct = Vec::with_capacity(bearers.groups.len());
        for (row, standing) in &bearers.groups {
            if *standing == Standing::Gone {
                continue;
            }
            let Edges { names, complete } = view.edges(*row)?;
            let mut membership = Membership { people: RoaringBitmap::new(), incomplete: !complete };
            let mut groups = Vec::new();
            for name in names {
                match bearers.row(name) {
                    None => drop(dangling.insert(name)),
                    Some(member) if is_group.contains_key(&member) => groups.push(member),
                    Some(member) => membership.people.extend(people.get(&member).map(|subject| subject.0)),
                }
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

    /// How many names are stated that no entry bears.
    pub(super) fn dangling(&self) -> u64 {
        self.dangling
    }

    /// A group with its members. `linked` are the members that we put.
    pub(super) fn group(&self, row: RowId, content: Content, linked: Option<&RoaringBitmap>) -> Group {
        let Membership { people: members, incomplete } = self.now.get(&row).cloned().unwrap_or_default();
        let unproven = match linked {
            Some(linked) if incomplete => linked - &members,
            _ => RoaringBitmap::new(),
        };
        let weak = match self.with_weak.as_ref().and_then(|with| with.get(&row)) {
            Some(with) => &with.people - &members,
            None => RoaringBitmap::new(),
        };
        Group { content, members, unproven, weak }
    }
}

/// Direct members, groups among them where they are in scope.
fn preserved(direct: &[Direct], teams: &HashMap<RowId, SubjectId>) -> HashMap<RowId, Membership> {
    let with_groups = |direct: &Direct| {
        let mut membership = direct.membership.clone();
        let groups = direct.groups.iter().filter(|group| **group != direct.row);
        membership.people.extend(groups.filter_map(|group| teams.get(group)).map(|subject| subject.0));
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
        self.incomplete |= other.incomplete;
    }
}
