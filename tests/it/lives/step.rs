//! The life of people and groups, step by step, and what is to arrive of it at every target.

use std::collections::{BTreeMap, BTreeSet};

/// What happens in a directory. People and groups go by the name that they had first.
#[derive(Clone, Copy, Debug)]
pub(super) enum Happening {
    Joins(&'static str),
    /// Their entry is deleted.
    Leaves(&'static str),
    /// Another primary address: what stands before the @.
    Moves(&'static str, &'static str),
    Disabled(&'static str, bool),
    Founded(&'static str),
    Named(&'static str, &'static str),
    Dissolved(&'static str),
    /// Into a group, or out of it: somebody, or another group.
    In(&'static str, &'static str),
    Out(&'static str, &'static str),
}

/// Something happens, and this is what a target holds then.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) happens: &'static [Happening],
    /// Accounts that work, by what stands before the @.
    pub(super) works: &'static str,
    /// Accounts that do not.
    pub(super) off: &'static str,
    /// Former addresses: accounts that do not work, at targets where another address is another account.
    pub(super) former: &'static str,
    /// Groups, and who is in them.
    pub(super) groups: &'static [(&'static str, &'static str)],
}

use Happening::{Disabled, Dissolved, Founded, In, Joins, Leaves, Moves, Named, Out};

/// `Team` is in `All`, and `Outer` has no members but `All`. `Empty` has nobody who is a user.
pub(super) const LIFE: &[Step] = &[
    Step {
        name: "a company",
        happens: &[
            Joins("Ada Koch"),
            Joins("Ben Wolf"),
            Joins("Cy Noor"),
            Joins("Dag Holm"),
            Founded("Team"),
            Founded("All"),
            Founded("Outer"),
            Founded("Empty"),
            In("Team", "Ada Koch"),
            In("Team", "Ben Wolf"),
            In("All", "Team"),
            In("All", "Cy Noor"),
            In("Outer", "All"),
        ],
        works: "akoch bwolf cnoor dholm",
        off: "",
        former: "",
        groups: &[
            ("Team", "akoch bwolf"),
            ("All", "akoch bwolf cnoor"),
            ("Outer", "akoch bwolf cnoor"),
            ("Empty", ""),
        ],
    },
    Step {
        name: "somebody joins",
        happens: &[Joins("Eva Roth"), In("Team", "Eva Roth")],
        works: "akoch bwolf cnoor dholm eroth",
        off: "",
        former: "",
        groups: &[
            ("Team", "akoch bwolf eroth"),
            ("All", "akoch bwolf cnoor eroth"),
            ("Outer", "akoch bwolf cnoor eroth"),
            ("Empty", ""),
        ],
    },
    Step {
        name: "another address",
        happens: &[Moves("Ada Koch", "lovelace")],
        works: "lovelace bwolf cnoor dholm eroth",
        off: "",
        former: "akoch",
        groups: &[
            ("Team", "lovelace bwolf eroth"),
            ("All", "lovelace bwolf cnoor eroth"),
            ("Outer", "lovelace bwolf cnoor eroth"),
            ("Empty", ""),
        ],
    },
    Step {
        name: "an account is disabled",
        happens: &[Disabled("Ben Wolf", true)],
        works: "lovelace cnoor dholm eroth",
        off: "bwolf",
        former: "akoch",
        groups: &[
            ("Team", "lovelace bwolf eroth"),
            ("All", "lovelace bwolf cnoor eroth"),
            ("Outer", "lovelace bwolf cnoor eroth"),
            ("Empty", ""),
        ],
    },
    Step {
        name: "and enabled",
        happens: &[Disabled("Ben Wolf", false)],
        works: "lovelace bwolf cnoor dholm eroth",
        off: "",
        former: "akoch",
        groups: &[
            ("Team", "lovelace bwolf eroth"),
            ("All", "lovelace bwolf cnoor eroth"),
            ("Outer", "lovelace bwolf cnoor eroth"),
            ("Empty", ""),
        ],
    },
    Step {
        name: "out of one group, into another",
        happens: &[Out("Team", "Eva Roth"), In("Empty", "Dag Holm")],
        works: "lovelace bwolf cnoor dholm eroth",
        off: "",
        former: "akoch",
        groups: &[
            ("Team", "lovelace bwolf"),
            ("All", "lovelace bwolf cnoor"),
            ("Outer", "lovelace bwolf cnoor"),
            ("Empty", "dholm"),
        ],
    },
    Step {
        name: "a group is renamed",
        happens: &[Named("Team", "Crew")],
        works: "lovelace bwolf cnoor dholm eroth",
        off: "",
        former: "akoch",
        groups: &[
            ("Crew", "lovelace bwolf"),
            ("All", "lovelace bwolf cnoor"),
            ("Outer", "lovelace bwolf cnoor"),
            ("Empty", "dholm"),
        ],
    },
    Step {
        name: "a group is taken out of a group",
        happens: &[Out("All", "Team")],
        works: "lovelace bwolf cnoor dholm eroth",
        off: "",
        former: "akoch",
        groups: &[("Crew", "lovelace bwolf"), ("All", "cnoor"), ("Outer", "cnoor"), ("Empty", "dholm")],
    },
    Step {
        name: "somebody leaves",
        happens: &[Leaves("Cy Noor")],
        works: "lovelace bwolf dholm eroth",
        off: "cnoor",
        former: "akoch",
        groups: &[("Crew", "lovelace bwolf"), ("All", ""), ("Outer", ""), ("Empty", "dholm")],
    },
    Step {
        name: "and is hired again",
        happens: &[Joins("Cy Noor"), In("Team", "Cy Noor")],
        works: "lovelace bwolf cnoor dholm eroth",
        off: "",
        former: "akoch",
        groups: &[("Crew", "lovelace bwolf cnoor"), ("All", ""), ("Outer", ""), ("Empty", "dholm")],
    },
    Step {
        name: "a group is dissolved",
        happens: &[Dissolved("Team")],
        works: "lovelace bwolf cnoor dholm eroth",
        off: "",
        former: "akoch",
        groups: &[("All", ""), ("Outer", ""), ("Empty", "dholm")],
    },
];

/// What a directory holds after what has happened.
#[derive(Clone, Debug, Default)]
pub(super) struct Company {
    pub(super) people: BTreeMap<&'static str, Person>,
    pub(super) groups: BTreeMap<&'static str, Group>,
    /// What each group was called last, also when it is gone.
    names: BTreeMap<&'static str, &'static str>,
    joined: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Person {
    /// Of everybody who ever joined; whoever is hired again has another one.
    pub(super) number: usize,
    /// What stands before the @.
    pub(super) local: String,
    pub(super) is_disabled: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) number: usize,
    pub(super) name: &'static str,
    pub(super) members: BTreeSet<&'static str>,
}

impl Company {
    pub(super) fn befalls(&mut self, happening: Happening) {
        match happening {
            Joins(who) => {
                self.joined += 1;
                let person = Person { number: self.joined, local: short(who), is_disabled: false };
                self.people.insert(who, person);
            }
            Leaves(who) => {
                self.people.remove(who);
                self.forget(who);
            }
            Moves(who, local) => local.clone_into(&mut self.person(who).local),
            Disabled(who, is_disabled) => self.person(who).is_disabled = is_disabled,
            Founded(group) => {
                self.joined += 1;
                let (number, members) = (self.joined, BTreeSet::new());
                self.groups.insert(group, Group { number, name: group, members });
                self.names.insert(group, group);
            }
            Named(group, name) => {
                self.group(group).name = name;
                self.names.insert(group, name);
            }
            Dissolved(group) => {
                self.groups.remove(group);
                self.forget(group);
            }
            In(group, member) => {
                self.group(group).members.insert(member);
            }
            Out(group, member) => {
                self.group(group).members.remove(member);
            }
        }
    }

    /// What a group is called, or was called last.
    pub(super) fn name_of(&self, group: &str) -> &'static str {
        self.names[group]
    }

    fn forget(&mut self, member: &str) {
        for group in self.groups.values_mut() {
            group.members.remove(member);
        }
    }

    fn person(&mut self, who: &str) -> &mut Person {
        self.people.get_mut(who).unwrap()
    }

    fn group(&mut self, group: &str) -> &mut Group {
        self.groups.get_mut(group).unwrap()
    }
}

/// What stands before the @ at first.
pub(super) fn short(name: &str) -> String {
    crate::support::domino::short(name)
}

pub(super) fn address(local: &str) -> String {
    format!("{local}@corp.example")
}
