//! What the promises demand, worked out from the world alone: it shares no code with what it judges.

use std::collections::{BTreeMap, BTreeSet};

use super::world::World;

/// The rules of the policy under test, in the oracle's own words.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// Only people of these departments, if any is named.
    pub(super) departments: Option<BTreeSet<String>>,
    /// Whether groups in groups are resolved to people.
    pub(super) flatten: bool,
}

/// What a target should show in the end, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Expected {
    /// Everybody who must be there and active: anchor by user name.
    pub(super) active: BTreeMap<String, String>,
    /// Teams by name.
    pub(super) teams: BTreeMap<String, Members>,
}

/// Who is in a team, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Members {
    /// People whom the rules want, by any path where groups in groups are resolved.
    pub(super) people: BTreeSet<String>,
    /// Other teams, where groups in groups are kept.
    pub(super) teams: BTreeSet<String>,
}

impl Rules {
    /// Whether the rules want this person, whatever the state of the account.
    pub(super) fn want(&self, world: &World, anchor: &str) -> bool {
        world.people.get(anchor).is_some_and(|person| {
            self.departments.as_ref().is_none_or(|wanted| wanted.contains(&person.department))
        })
    }

    /// Everybody in `team` by any path (or directly, where nesting is preserved).
    pub(super) fn people_in(&self, world: &World, team: &str) -> BTreeSet<String> {
        let mut people = BTreeSet::new();
        let mut seen = BTreeSet::from([team.to_owned()]);
        let mut open = vec![team.to_owned()];
        while let Some(team) = open.pop() {
            for member in world.teams.get(&team).map(|team| &team.members).into_iter().flatten() {
                if world.people.contains_key(member) {
                    people.insert(member.clone());
                } else if self.flatten && seen.insert(member.clone()) {
                    open.push(member.clone());
                }
            }
        }
        people
    }

    /// What a target should show once nothing is held, doubled or garbled any more.
    pub(super) fn expected(&self, world: &World) -> Expected {
        let mut expected = Expected::default();
        for (anchor, person) in &world.people {
            if !self.want(world, anchor) {
                continue;
            }
            if !person.disabled {
                expected.active.insert(person.user_name(), anchor.clone());
            }
        }
        for (anchor, team) in &world.teams {
            let people = self.people_in(world, anchor);
            let wanted = people.iter().filter(|person| self.want(world, person));
            let members = Members {
                people: wanted.map(|person| world.people[person].user_name()).collect(),
                teams: if self.flatten { BTreeSet::new() } else { direct_teams(world, anchor) },
            };
            expected.teams.insert(team.name.clone(), members);
        }
        expected
    }
}

fn direct_teams(world: &World, team: &str) -> BTreeSet<String> {
    let others = world.teams[team].members.iter().filter(|member| *member != team);
    others.filter_map(|member| Some(world.teams.get(member)?.name.clone())).collect()
}
