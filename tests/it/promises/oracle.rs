//! What the promises demand, worked out from the world alone: it shares no code with what it judges.

use std::collections::{BTreeMap, BTreeSet};

use super::world::World;

/// The rules of the policy under test, in the oracle's own words.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Only people of these departments, if any is named.
    pub departments: Option<BTreeSet<String>>,
    /// Whether groups in groups are resolved to people.
    pub flatten: bool,
}

/// What a target should show in the end, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    /// Everybody who must be there and active: anchor by user name.
    pub active: BTreeMap<String, String>,
    /// Everybody whose account the directory states to be disabled: there and not active, or not there.
    pub disabled: BTreeMap<String, String>,
    /// Teams by name, with the anchors of the people in them by any path.
    pub teams: BTreeMap<String, BTreeSet<String>>,
}

impl Rules {
    /// Whether the rules want this person, whatever the state of the account.
    pub fn want(&self, world: &World, anchor: &str) -> bool {
        world.people.get(anchor).is_some_and(|person| {
            self.departments.as_ref().is_none_or(|wanted| wanted.contains(&person.department))
        })
    }

    /// Everybody in `team` by any path (or directly, where nesting is preserved).
    pub fn people_in(&self, world: &World, team: &str) -> BTreeSet<String> {
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
    pub fn expected(&self, world: &World) -> Expected {
        let mut expected = Expected::default();
        for (anchor, person) in &world.people {
            if !self.want(world, anchor) {
                continue;
            }
            let name = person.mail.clone().unwrap_or_else(|| person.uid.clone());
            let into = if person.disabled { &mut expected.disabled } else { &mut expected.active };
            into.insert(name, anchor.clone());
        }
        for (anchor, team) in &world.teams {
            let people = self.people_in(world, anchor);
            let wanted = people.into_iter().filter(|person| self.want(world, person)).collect();
            expected.teams.insert(team.name.clone(), wanted);
        }
        expected
    }
}
