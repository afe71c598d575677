//! A directory whose people and groups change at random: the same world in OpenLDAP and in Active Directory.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::faults::Dice;
use super::happening::Happening;

/// A place that is hidden at times from who is in [`UNSIGHTED`].
pub(crate) const HIDEABLE: &str = "ou=Other,ou=Staff";
/// A group outside what is read.
pub(crate) const UNSIGHTED: &str = "cn=unsighted,ou=Out";
/// So many live in that place for good: who loses sight of it loses more than the limits let go, and all other
/// leavers of a life are fewer.
const CROWD: usize = 100;
/// What all of a life may do, and what may not be done to that crowd.
pub(crate) const POLICY: &str = "  users: { recreated: Replace, emailDomains: [example.test] }
  groups: { vanished: { do: Delete } }
  limits:
    userRemovals: { count: 80, percent: 100 }
    groupRemovals: { count: 900, percent: 100 }
    memberRemovals: { count: 900, percent: 100 }
    disables: { count: 900, percent: 100 }
    memberRemovalsPerGroup: { percent: 100 }
    identifierChanges: { count: 900, percent: 100 }";

/// The same, with a mapping over what the server works out from groups.
pub(crate) fn policy_over_groups() -> String {
    let title = ["team", "extra", "all"]
        .map(|group| format!("(user.values['memberOf'].exists(g, g.lowerAscii().startsWith('cn={group},')) ? '{group} ' : '')"))
        .join(" + ");
    POLICY.replace("users: {", &format!("users: {{ attributes: {{ title: \"'in ' + {title}\" }},"))
}

const STAFF: &str = "ou=Staff";
const OUT: &str = "ou=Out";
const PLACES: &[&str] = &[STAFF, HIDEABLE, OUT];
/// Whose lists change.
pub(crate) const GROUPS: &[&str] = &["team", "extra"];

/// What is spelt otherwise in each kind of directory.
pub(crate) struct Spelling {
    pub(crate) suffix: &'static str,
    /// The attribute that names a person in a place.
    pub(crate) naming: &'static str,
    /// What makes a person of an entry, and what it must have.
    pub(crate) person: fn(name: &str) -> String,
    /// What makes a group of one.
    pub(crate) group: fn(name: &str) -> String,
    /// What else must change with a name, as a modification.
    pub(crate) renamed: fn(name: &str) -> String,
    /// What somebody may become, who stays where they are.
    pub(crate) states: &'static [&'static str],
    /// Whether who was deleted may be restored.
    pub(crate) restores: bool,
}

/// Who is in which group.
pub(crate) type Memberships = BTreeSet<(&'static str, String)>;

impl Spelling {
    fn at(&self, rdn: &str) -> String {
        format!("{rdn},{}", self.suffix)
    }

    fn name(&self, name: &str, place: &str) -> String {
        self.at(&format!("{}={name},{place}", self.naming))
    }

    fn change(dn: &str, what: &str) -> String {
        format!("dn: {dn}\nchangetype: modify\n{what}\n\n")
    }

    fn person(&self, name: &str, place: &str) -> String {
        let (dn, person) = (self.name(name, place), (self.person)(name));
        format!("dn: {dn}\nchangetype: add\n{person}mail: {name}@example.test\n\n")
    }

    fn member(&self, verb: &str, group: &str, who: &str) -> String {
        Self::change(&self.at(group), &format!("{verb}: member\nmember: {who}"))
    }

    /// Takes from `who` the right to see [`HIDEABLE`], or gives it back.
    pub(crate) fn sight(&self, who: &str, of: bool) -> String {
        self.member(if of { "delete" } else { "add" }, UNSIGHTED, who)
    }

    /// The places and the groups, and people who stay.
    pub(crate) fn founding(&self) -> String {
        let mut ldif = String::new();
        for place in [STAFF, HIDEABLE, OUT, "ou=Groups"] {
            let name = place.split(',').next().unwrap().trim_start_matches("ou=");
            let dn = self.at(place);
            write!(ldif, "dn: {dn}\nchangetype: add\nobjectClass: organizationalUnit\nou: {name}\n\n")
                .unwrap();
        }
        let others = (0..8).map(|n| (format!("other{n}"), STAFF));
        let crowd = (0..CROWD).map(|n| (format!("crowd{n}"), HIDEABLE));
        let mut members = String::new();
        for (name, place) in others.chain(crowd) {
            ldif += &self.person(&name, place);
            writeln!(members, "member: {}", self.name(&name, place)).unwrap();
        }
        for (group, members) in [("team", ""), ("extra", ""), ("all", &*members), ("unsighted", "")] {
            let place = if group == "unsighted" { OUT } else { "ou=Groups" };
            let (dn, group) = (self.at(&format!("cn={group},{place}")), (self.group)(group));
            write!(ldif, "dn: {dn}\nchangetype: add\n{group}{members}\n").unwrap();
        }
        ldif
    }
}

/// What is known of a directory that changes at random.
pub(crate) struct World {
    spelling: &'static Spelling,
    dice: Dice,
    numbers: usize,
    /// Where each person is, by name.
    people: BTreeMap<String, &'static str>,
    /// Whom to restore.
    deleted: Vec<String>,
    /// Who is in each group.
    members: BTreeMap<&'static str, BTreeSet<String>>,
    /// Names that came or went in this burst. A server that sees to the lists that name them does so a little later
    /// (OpenLDAP's refint), so they are in no list that is changed before.
    unsettled: BTreeSet<String>,
}

impl World {
    pub(crate) fn new(spelling: &'static Spelling, seed: u64) -> Self {
        Self {
            spelling,
            dice: Dice::of(seed),
            numbers: 0,
            people: BTreeMap::new(),
            deleted: Vec::new(),
            members: BTreeMap::new(),
            unsettled: BTreeSet::new(),
        }
    }

    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        usize::try_from(self.dice.below(sides as u64)).unwrap()
    }

    fn one_of<T: Copy>(&mut self, these: &[T]) -> T {
        these[self.roll(these.len())]
    }

    /// A name that nobody has; names come again: somebody else is called so then.
    fn free_name(&mut self) -> String {
        loop {
            self.numbers += 1;
            let name = format!("p{}", self.roll(12 + self.numbers));
            if !self.people.contains_key(&name) {
                return name;
            }
        }
    }

    /// An address that nobody else ever has: who gets one that somebody had depends on who was seen first. Only
    /// somebody new begins with the address of one who had the name.
    fn new_address(&mut self, name: &str) -> String {
        self.numbers += 1;
        format!("replace: mail\nmail: {name}.{}@example.test", self.numbers)
    }

    /// So many changes, together as far as they are LDIF.
    pub(crate) fn burst(&mut self, changes: u64) -> Vec<Happening> {
        self.unsettled.clear();
        let mut burst = Vec::new();
        for _ in 0..changes {
            match (burst.last_mut(), self.next()) {
                (Some(Happening::Changes(before)), Happening::Changes(change)) => *before += &change,
                (_, happening) => burst.push(happening),
            }
        }
        burst
    }

    fn next(&mut self) -> Happening {
        if self.spelling.restores && self.roll(12) == 0 {
            let restored = self.deleted.pop().filter(|account| !self.people.contains_key(account));
            if let Some(account) = restored {
                let place = self.one_of(PLACES);
                self.people.insert(account.clone(), place);
                self.numbers += 1;
                let mail = format!("{account}.{}@example.test", self.numbers);
                return Happening::Restored { dn: self.spelling.name(&account, place), account, mail };
            }
        }
        Happening::Changes(self.change())
    }

    /// Who is in which group.
    pub(crate) fn memberships(&self) -> Memberships {
        let named = |name: &String| self.spelling.name(name, self.people[name]);
        let lists = self.members.iter();
        lists.flat_map(|(group, members)| members.iter().map(move |name| (*group, named(name)))).collect()
    }

    /// One change, as LDIF.
    fn change(&mut self) -> String {
        let spelling = self.spelling;
        let names: Vec<String> = self.people.keys().cloned().collect();
        let what = self.roll(12);
        if names.len() < 4 || what <= 1 {
            let (name, place) = (self.free_name(), self.one_of(PLACES));
            self.people.insert(name.clone(), place);
            return spelling.person(&name, place);
        }
        let name = names[self.roll(names.len())].clone();
        let place = self.people[&name];
        let dn = spelling.name(&name, place);
        let moved = |name: &str, place: &str| {
            let (rdn, to) = (format!("{}={name}", spelling.naming), spelling.at(place));
            format!("dn: {dn}\nchangetype: moddn\nnewrdn: {rdn}\ndeleteoldrdn: 1\nnewsuperior: {to}\n\n")
        };
        match what {
            2 | 3 => {
                self.unsettled.insert(name.clone());
                self.people.remove(&name);
                self.deleted.push(name.clone());
                // The server takes them out of their groups.
                for members in self.members.values_mut() {
                    members.remove(&name);
                }
                format!("dn: {dn}\nchangetype: delete\n\n")
            }
            4 => {
                let to = self.one_of(PLACES);
                if to == place {
                    return Spelling::change(&dn, "replace: title\ntitle: stays");
                }
                self.unsettled.insert(name.clone());
                self.people.insert(name.clone(), to);
                moved(&name, to)
            }
            5 => {
                let new = self.free_name();
                self.unsettled.extend([name.clone(), new.clone()]);
                self.people.remove(&name);
                self.people.insert(new.clone(), place);
                for members in self.members.values_mut() {
                    if members.remove(&name) {
                        members.insert(new.clone());
                    }
                }
                let mail = format!("{}{}", (spelling.renamed)(&new), self.new_address(&new));
                moved(&new, place) + &Spelling::change(&spelling.name(&new, place), &mail)
            }
            10 | 11 if !self.unsettled.contains(&name) => {
                let group = self.one_of(GROUPS);
                let members = self.members.entry(group).or_default();
                let verb = if members.remove(&name) {
                    "delete"
                } else {
                    members.insert(name.clone());
                    "add"
                };
                spelling.member(verb, &format!("cn={group},ou=Groups"), &dn)
            }
            6 => Spelling::change(&dn, &format!("replace: sn\nsn: Name{}", self.roll(100))),
            7 => Spelling::change(&dn, &self.new_address(&name)),
            _ => Spelling::change(&dn, self.one_of(spelling.states)),
        }
    }
}
