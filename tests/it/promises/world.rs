//! A company that lives: the truth that a directory states, and what happens to it.

use std::collections::{BTreeMap, BTreeSet};

use rollcall::directory::{Anchor, Dn, Entry, Kind, Members, Reference, Stated, fields};

/// A small generator of our own (the `SplitMix64` algorithm), so that a seed tells the same story for ever.
#[derive(Clone, Debug)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides.max(1)
    }

    pub(super) fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    pub(super) fn pick<T: Clone>(&mut self, of: impl IntoIterator<Item = T>) -> Option<T> {
        let all: Vec<T> = of.into_iter().collect();
        let at = usize::try_from(self.roll(all.len() as u64)).ok()?;
        all.get(at).cloned()
    }
}

/// Somebody in the directory.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Person {
    pub(super) uid: String,
    pub(super) mail: Option<String>,
    pub(super) name: String,
    pub(super) department: String,
    pub(super) disabled: bool,
    /// Stated, but a field of it cannot be decoded.
    pub(super) garbled: bool,
}

/// A group in the directory; members by anchor, users and groups alike.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Team {
    pub(super) name: String,
    pub(super) members: BTreeSet<String>,
}

/// What the directory states. Anchors are `u1`, `g1`, …, and are never used twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct World {
    pub(super) people: BTreeMap<String, Person>,
    pub(super) teams: BTreeMap<String, Team>,
    pub(super) born: u64,
}

impl World {
    /// A company of `people` and `teams`.
    pub(super) fn new(dice: &mut Dice, people: u64, teams: u64) -> Self {
        let mut world = Self::default();
        for _ in 0..people {
            world.join(dice);
        }
        for _ in 0..teams {
            world.found(dice);
        }
        world
    }

    fn born(&mut self, kind: &str) -> String {
        self.born += 1;
        format!("{kind}{}", self.born)
    }

    pub(super) fn join(&mut self, dice: &mut Dice) -> String {
        let anchor = self.born("u");
        let number = self.born;
        let mail = (!dice.one_in(12)).then(|| format!("p{number}@corp.example"));
        let person = Person {
            uid: format!("p{number}"),
            mail,
            name: format!("Person {number}"),
            department: ["Sales", "Engineering", "Support"][usize::try_from(dice.roll(3)).unwrap()]
                .to_owned(),
            disabled: dice.one_in(15),
            garbled: false,
        };
        self.people.insert(anchor.clone(), person);
        anchor
    }

    fn found(&mut self, dice: &mut Dice) {
        let anchor = self.born("g");
        let mut members = BTreeSet::new();
        for person in self.people.keys() {
            if dice.one_in(3) {
                members.insert(person.clone());
            }
        }
        for team in self.teams.keys() {
            if dice.one_in(6) {
                members.insert(team.clone());
            }
        }
        self.teams.insert(anchor, Team { name: format!("team-{}", self.born), members });
    }

    /// Something happens; says what, for the story of a failing seed.
    pub(super) fn happen(&mut self, dice: &mut Dice) -> String {
        let person = dice.pick(self.people.keys().cloned());
        let team = dice.pick(self.teams.keys().cloned());
        match (dice.roll(17), person, team) {
            (0 | 1, _, _) => format!("{} joins", self.join(dice)),
            (2, _, _) => {
                self.found(dice);
                format!("team g{} is founded", self.born)
            }
            (3 | 4, Some(person), _) => {
                self.people.remove(&person);
                format!("{person} leaves the directory")
            }
            (5, Some(anchor), _) => {
                let number = self.born + 1;
                self.born = number;
                let person = self.people.get_mut(&anchor).unwrap();
                person.mail = Some(format!("renamed{number}@corp.example"));
                format!("{anchor} is renamed to renamed{number}")
            }
            (6, Some(one), _) => {
                let other = dice.pick(self.people.keys().cloned()).unwrap();
                let (a, b) = (self.people[&one].mail.clone(), self.people[&other].mail.clone());
                self.people.get_mut(&one).unwrap().mail = b;
                self.people.get_mut(&other).unwrap().mail = a;
                format!("{one} and {other} swap addresses")
            }
            (7, Some(anchor), _) => {
                let person = self.people.get_mut(&anchor).unwrap();
                let other = if person.department == "Sales" { "Engineering" } else { "Sales" };
                other.clone_into(&mut person.department);
                format!("{anchor} moves to {}", person.department)
            }
            (8, Some(anchor), _) => {
                let person = self.people.get_mut(&anchor).unwrap();
                person.disabled = !person.disabled;
                format!("{anchor} is {}", if person.disabled { "disabled" } else { "enabled" })
            }
            (9, Some(anchor), _) => {
                let other = dice.pick(self.people.keys().cloned()).unwrap();
                let mail = self.people[&other].mail.clone();
                self.people.get_mut(&anchor).unwrap().mail = mail;
                format!("{anchor} gets the address of {other}")
            }
            (10, Some(old), _) => {
                let person = self.people.remove(&old).unwrap();
                let new = self.born("u");
                self.people.insert(new.clone(), person);
                format!("{old} is created anew as {new}")
            }
            (11, Some(anchor), _) => {
                let person = self.people.get_mut(&anchor).unwrap();
                person.garbled = !person.garbled;
                format!(
                    "a field of {anchor} is {}",
                    if person.garbled { "garbled" } else { "readable again" }
                )
            }
            (12 | 13, Some(member), Some(team)) => {
                let members = &mut self.teams.get_mut(&team).unwrap().members;
                if members.remove(&member) {
                    format!("{member} is taken out of {team}")
                } else {
                    members.insert(member.clone());
                    format!("{member} is put into {team}")
                }
            }
            (14, _, Some(team)) => {
                let other = dice.pick(self.teams.keys().cloned()).unwrap();
                self.teams.get_mut(&team).unwrap().members.insert(other.clone());
                format!("{other} is nested in {team}")
            }
            (15, _, Some(team)) => {
                self.teams.remove(&team);
                format!("{team} is deleted")
            }
            (16, _, Some(team)) => {
                self.born += 1;
                let name = format!("team-{}", self.born);
                self.teams.get_mut(&team).unwrap().name.clone_from(&name);
                format!("{team} is renamed to {name}")
            }
            _ => "nothing happens".to_owned(),
        }
    }

    /// A disaster: most of the directory is gone from one moment to the next.
    pub(super) fn lose_most(&mut self, dice: &mut Dice) {
        self.people.retain(|_, _| dice.one_in(4));
        self.teams.retain(|_, _| dice.one_in(2));
    }

    /// What a reader of the directory sees.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let people = self.people.iter().map(|(anchor, person)| person.entry(anchor));
        let teams = self.teams.iter().map(|(anchor, team)| team.entry(anchor));
        people.chain(teams).collect()
    }
}

/// Names never change with the address: a DN made of the anchor, so that edges stay what they are.
fn dn(anchor: &str) -> String {
    format!("cn={anchor},dc=corp,dc=example")
}

fn reference(anchor: &str) -> Reference {
    Reference::Dn(Dn::parse(&dn(anchor)).unwrap())
}

fn stated(value: &str) -> Stated {
    Stated::Values(vec![value.to_owned()])
}

impl Person {
    /// What a target calls them.
    pub(super) fn user_name(&self) -> String {
        self.mail.clone().unwrap_or_else(|| self.uid.clone())
    }

    fn entry(&self, anchor: &str) -> Entry {
        let mut about = BTreeMap::from([
            (fields::USER_NAME.to_owned(), stated(&self.uid)),
            (fields::DISPLAY_NAME.to_owned(), stated(&self.name)),
            (fields::DEPARTMENT.to_owned(), stated(&self.department)),
        ]);
        if let Some(mail) = &self.mail {
            about.insert(fields::MAIL.to_owned(), stated(mail));
        }
        if self.garbled {
            about.insert(fields::DEPARTMENT.to_owned(), Stated::Undecodable);
        }
        Entry {
            anchor: Anchor::new(anchor),
            kind: Kind::User,
            dn: dn(anchor),
            names: vec![reference(anchor)],
            disabled: Some(self.disabled),
            fields: about,
            attributes: BTreeMap::new(),
            members: Members::None,
        }
    }
}

impl Team {
    fn entry(&self, anchor: &str) -> Entry {
        Entry {
            anchor: Anchor::new(anchor),
            kind: Kind::Group,
            dn: dn(anchor),
            names: vec![reference(anchor)],
            disabled: None,
            fields: BTreeMap::from([(fields::NAME.to_owned(), stated(&self.name))]),
            attributes: BTreeMap::new(),
            members: Members::Complete(self.members.iter().map(|member| reference(member)).collect()),
        }
    }
}
