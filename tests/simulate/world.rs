//! A company that lives: the truth that a directory states, and what happens to it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rollcall::directory::{Anchor, Content, Dn, Entry, EntryKind, Members, Reference, Stated, fields};

use crate::dice::Dice;

const DEPARTMENTS: &[&str] = &["Sales", "Engineering", "Support"];
const PLACES: &[&str] = &["north", "south"];

/// Somebody in the directory.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Person {
    pub(crate) uid: String,
    pub(crate) mail: Option<String>,
    pub(crate) name: String,
    pub(crate) department: Option<String>,
    /// The number of the employee; a text where somebody mistyped it.
    pub(crate) number: String,
    /// The organizational unit.
    pub(crate) place: &'static str,
    pub(crate) disabled: bool,
    /// The second at which the account expires.
    pub(crate) expires: Option<i64>,
    /// Stated, but the department cannot be decoded.
    pub(crate) garbled: bool,
}

/// A group in the directory; members by anchor, users and groups alike.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Team {
    pub(crate) name: String,
    pub(crate) members: BTreeSet<String>,
}

/// What is in the directory. Anchors are `u1`, `g1`, …, and are never used twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct World {
    pub(crate) people: BTreeMap<String, Person>,
    pub(crate) groups: BTreeMap<String, Team>,
    /// Where everybody is, or was last: member lists go on naming those who left.
    pub(crate) places: BTreeMap<String, &'static str>,
    pub(crate) born: u64,
    /// An organizational unit that our account may not see.
    pub(crate) hidden: Option<&'static str>,
    /// A field that our account may not see, for anybody.
    pub(crate) blind_to: Option<&'static str>,
    /// Whether the directory is read from exports, whose groups are named in their DNs and which say of nobody that they are
    /// disabled.
    pub(crate) exported: bool,
    /// Groups whose id was on several entries: nothing but its DN tells which of them is left, so they keep their names.
    pub(crate) doubled: BTreeSet<String>,
    /// What groups are called, or were last.
    pub(crate) called: BTreeMap<String, String>,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Happening {
    Join,
    Found,
    Leave,
    Rename,
    Marry,
    SwapAddresses,
    ChangeDepartment,
    SwitchAccount,
    Expire,
    TakeAddress,
    Recreate,
    Garble,
    Misnumber,
    Move,
    SwitchMembership,
    Nest,
    DeleteTeam,
    RenameTeam,
    HidePlace,
    HideField,
    Disaster,
}

impl World {
    fn born(&mut self, kind: &str) -> String {
        self.born += 1;
        format!("{kind}{}", self.born)
    }

    /// It happens at this second, to whom the dice say; says so in plain words.
    pub(crate) fn happen(&mut self, what: Happening, now: i64, dice: &mut Dice) -> String {
        let told = match what {
            Happening::Join => Some(self.join(dice)),
            Happening::Found => Some(self.found(dice)),
            Happening::Leave => self.leave(dice),
            Happening::Rename => self.rename(dice),
            Happening::Marry => self.marry(dice),
            Happening::SwapAddresses => self.swap_addresses(dice),
            Happening::ChangeDepartment => self.change_department(dice),
            Happening::SwitchAccount | Happening::Expire if self.exported => None,
            Happening::SwitchAccount => self.switch_account(dice),
            Happening::Expire => self.expire(now, dice),
            Happening::TakeAddress => self.take_address(dice),
            Happening::Recreate => self.recreate(dice),
            Happening::Garble => self.garble(dice),
            Happening::Misnumber => self.misnumber(dice),
            Happening::Move => self.r#move(dice),
            Happening::SwitchMembership => self.switch_membership(dice),
            Happening::Nest => self.nest(dice),
            Happening::DeleteTeam => self.delete_team(dice),
            Happening::RenameTeam => self.rename_team(dice),
            Happening::HidePlace => Some(self.hide_place(dice)),
            Happening::HideField => Some(self.hide_field(dice)),
            Happening::Disaster => Some(self.lose_most(dice)),
        };
        told.unwrap_or_else(|| "nothing happens".to_owned())
    }

    pub(crate) fn join(&mut self, dice: &mut Dice) -> String {
        let anchor = self.born("u");
        let number = self.born;
        let person = Person {
            uid: format!("p{number}"),
            mail: (!dice.one_in(12)).then(|| format!("p{number}@corp.example")),
            name: format!("Person {number}"),
            department: Some(dice.one_of(DEPARTMENTS).to_owned()),
            number: number.to_string(),
            place: dice.one_of(PLACES),
            disabled: dice.one_in(15) && !self.exported,
            expires: None,
            garbled: false,
        };
        let told = format!(
            "{anchor} joins {}{}{}",
            person.department.as_deref().unwrap_or_default(),
            if person.mail.is_none() { ", without an address" } else { "" },
            if person.disabled { ", disabled" } else { "" }
        );
        self.places.insert(anchor.clone(), person.place);
        self.people.insert(anchor, person);
        told
    }

    fn found(&mut self, dice: &mut Dice) -> String {
        let anchor = self.born("g");
        let mut members: BTreeSet<String> = self.people.keys().filter(|_| dice.one_in(3)).cloned().collect();
        members.extend(self.groups.keys().filter(|_| dice.one_in(6)).cloned());
        let told = format!("the group {anchor} is founded with {members:?}");
        let name = format!("team-{}", self.born);
        self.called.insert(anchor.clone(), name.clone());
        self.groups.insert(anchor, Team { name, members });
        told
    }

    fn somebody(&self, dice: &mut Dice) -> Option<String> {
        dice.pick(self.people.keys().cloned())
    }

    fn some_team(&self, dice: &mut Dice) -> Option<String> {
        dice.pick(self.groups.keys().cloned())
    }

    fn leave(&mut self, dice: &mut Dice) -> Option<String> {
        let anchor = self.somebody(dice)?;
        self.people.remove(&anchor);
        // What a directory with referential integrity does; others leave the name in the list.
        if dice.one_in(2) {
            self.groups.values_mut().for_each(|team| {
                team.members.remove(&anchor);
            });
        }
        Some(format!("{anchor} leaves the directory"))
    }

    fn rename(&mut self, dice: &mut Dice) -> Option<String> {
        let anchor = self.somebody(dice)?;
        self.born += 1;
        let mail = format!("renamed{}@corp.example", self.born);
        self.people.get_mut(&anchor)?.mail = Some(mail.clone());
        Some(format!("{anchor} is renamed to {mail}"))
    }

    /// Another name, and the address of before.
    fn marry(&mut self, dice: &mut Dice) -> Option<String> {
        let anchor = self.somebody(dice)?;
        self.born += 1;
        let name = format!("Person {}", self.born);
        self.people.get_mut(&anchor)?.name.clone_from(&name);
        Some(format!("{anchor} marries, and is {name} now"))
    }

    fn swap_addresses(&mut self, dice: &mut Dice) -> Option<String> {
        let (one, other) = (self.somebody(dice)?, self.somebody(dice)?);
        let (a, b) = (self.people[&one].mail.clone(), self.people[&other].mail.clone());
        self.people.get_mut(&one)?.mail = b;
        self.people.get_mut(&other)?.mail = a;
        Some(format!("{one} and {other} swap addresses"))
    }

    fn change_department(&mut self, dice: &mut Dice) -> Option<String> {
        let anchor = self.somebody(dice)?;
        let to = dice.one_of(DEPARTMENTS);
        self.people.get_mut(&anchor)?.department = Some(to.to_owned());
        Some(format!("{anchor} goes to {to}"))
    }

    fn switch_account(&mut self, dice: &mut Dice) -> Option<String> {
        let anchor = self.somebody(dice)?;
        let person = self.people.get_mut(&anchor)?;
        person.disabled = !person.disabled;
        Some(format!("{anchor} is {}", if person.disabled { "disabled" } else { "enabled" }))
    }

    fn expire(&mut self, now: i64, dice: &mut Dice) -> Option<String> {
        let anchor = self.somebody(dice)?;
        let hours = i64::try_from(1 + dice.roll(40)).ok()?;
        let expires = &mut self.people.get_mut(&anchor)?.expires;
        if expires.take().is_some() {
            return Some(format!("the account of {anchor} does not expire any more"));
        }
        *expires = Some(now + hours * 3600);
        Some(format!("the account of {anchor} expires in {hours} hours"))
    }

    fn take_address(&mut self, dice: &mut Dice) -> Option<String> {
        let (anchor, other) = (self.somebody(dice)?, self.somebody(dice)?);
        let mail = self.people[&other]
            .mail
            .clone()
            .map(|mail| if dice.one_in(3) { mail.to_uppercase() } else { mail });
        self.people.get_mut(&anchor)?.mail = mail;
        Some(format!("{anchor} gets the address of {other}"))
    }

    fn recreate(&mut self, dice: &mut Dice) -> Option<String> {
        let old = self.somebody(dice)?;
        let person = self.people.remove(&old)?;
        let new = self.born("u");
        for team in self.groups.values_mut() {
            if team.members.remove(&old) {
                team.members.insert(new.clone());
            }
        }
        self.places.insert(new.clone(), person.place);
        self.people.insert(new.clone(), person);
        Some(format!("{old} is deleted and created anew as {new}, with the same address"))
    }

    fn garble(&mut self, dice: &mut Dice) -> Option<String> {
        let anchor = self.somebody(dice)?;
        let person = self.people.get_mut(&anchor)?;
        person.garbled = !person.garbled;
        let is = if person.garbled { "garbled" } else { "readable again" };
        Some(format!("the department of {anchor} is {is}"))
    }

    fn misnumber(&mut self, dice: &mut Dice) -> Option<String> {
        let anchor = self.somebody(dice)?;
        let person = self.people.get_mut(&anchor)?;
        person.number = if person.number == "none" { "1".to_owned() } else { "none".to_owned() };
        Some(format!("the number of {anchor} is {:?}", person.number))
    }

    fn r#move(&mut self, dice: &mut Dice) -> Option<String> {
        let anchor = self.somebody(dice)?;
        let to = dice.one_of(PLACES);
        self.people.get_mut(&anchor)?.place = to;
        self.places.insert(anchor.clone(), to);
        Some(format!("{anchor} is moved to ou={to}"))
    }

    fn switch_membership(&mut self, dice: &mut Dice) -> Option<String> {
        let (member, team) = (self.somebody(dice)?, self.some_team(dice)?);
        let members = &mut self.groups.get_mut(&team)?.members;
        if members.remove(&member) {
            return Some(format!("{member} is taken out of {team}"));
        }
        members.insert(member.clone());
        Some(format!("{member} is put into {team}"))
    }

    fn nest(&mut self, dice: &mut Dice) -> Option<String> {
        let (inner, outer) = (self.some_team(dice)?, self.some_team(dice)?);
        let members = &mut self.groups.get_mut(&outer)?.members;
        if members.remove(&inner) {
            return Some(format!("{inner} is taken out of {outer}"));
        }
        members.insert(inner.clone());
        Some(format!("{inner} is nested in {outer}"))
    }

    fn delete_team(&mut self, dice: &mut Dice) -> Option<String> {
        let team = self.some_team(dice)?;
        self.groups.remove(&team);
        Some(format!("the group {team} is deleted"))
    }

    fn rename_team(&mut self, dice: &mut Dice) -> Option<String> {
        let (team, other) = (self.some_team(dice)?, self.some_team(dice)?);
        self.born += 1;
        let name =
            if dice.one_in(4) { self.groups[&other].name.clone() } else { format!("team-{}", self.born) };
        if self.doubled.contains(&team) {
            return None;
        }
        self.name_team(&team, &name);
        Some(format!("the group {team} is renamed to {name}"))
    }

    /// The group is called so from now on.
    pub(crate) fn name_team(&mut self, anchor: &str, name: &str) {
        if let Some(team) = self.groups.get_mut(anchor) {
            name.clone_into(&mut team.name);
            self.called.insert(anchor.to_owned(), name.to_owned());
        }
    }

    fn hide_place(&mut self, dice: &mut Dice) -> String {
        self.hidden = if self.hidden.is_some() { None } else { Some(dice.one_of(PLACES)) };
        match self.hidden {
            Some(place) => format!("our account may not see ou={place} any more"),
            None => "our account may see every organizational unit".to_owned(),
        }
    }

    fn hide_field(&mut self, dice: &mut Dice) -> String {
        const FIELDS: &[&str] = &[fields::MAIL, fields::DEPARTMENT, fields::DISPLAY_NAME];
        self.blind_to = if self.blind_to.is_some() { None } else { Some(dice.one_of(FIELDS)) };
        match self.blind_to {
            Some(field) => format!("our account may not see {field} any more"),
            None => "our account may see every field".to_owned(),
        }
    }

    /// A disaster: most of the directory is gone from one moment to the next.
    fn lose_most(&mut self, dice: &mut Dice) -> String {
        self.people.retain(|_, _| dice.one_in(4));
        self.groups.retain(|_, _| dice.one_in(2));
        format!("most of the directory is gone: {:?} are left", self.people.keys().collect::<Vec<_>>())
    }

    /// What our account sees: the same company, without what it may not see.
    pub(crate) fn seen(&self) -> Self {
        let mut seen = self.clone();
        seen.people.retain(|_, person| Some(person.place) != self.hidden);
        for person in seen.people.values_mut() {
            match self.blind_to {
                Some(fields::MAIL) => person.mail = None,
                Some(fields::DEPARTMENT) => {
                    person.department = None;
                    person.garbled = false;
                }
                Some(fields::DISPLAY_NAME) => person.name.clear(),
                _ => {}
            }
        }
        seen
    }

    /// What our account is shown of it.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let seen = self.seen();
        let people = seen.people.iter().map(|(anchor, person)| person.entry(anchor));
        let groups = self.groups.iter().map(|(anchor, team)| self.team_entry(anchor, team));
        people.chain(groups).collect()
    }

    /// Edges are stated by DN, which moves with the person.
    pub(crate) fn dn(&self, anchor: &str) -> String {
        match (self.places.get(anchor), self.called.get(anchor)) {
            (Some(place), _) => dn(anchor, place),
            (None, Some(name)) if self.exported => dn(&format!("{name}+ou={anchor}"), "groups"),
            (None, _) => dn(anchor, "groups"),
        }
    }

    fn reference(&self, anchor: &str) -> Reference {
        Reference::Dn(Dn::parse(&self.dn(anchor)).unwrap())
    }

    fn team_entry(&self, anchor: &str, team: &Team) -> Entry {
        Entry {
            anchor: Anchor::new(anchor),
            kind: EntryKind::Group,
            dn: dn(anchor, "groups"),
            names: vec![self.reference(anchor)],
            fields: BTreeMap::from([(fields::NAME.to_owned(), stated(&team.name))]),
            members: Members::Complete(team.members.iter().map(|member| self.reference(member)).collect()),
            ..Entry::nobody()
        }
    }
}

fn dn(anchor: &str, place: &str) -> String {
    format!("cn={anchor},ou={place},dc=corp,dc=example")
}

fn stated(value: &str) -> Stated {
    Stated::Values(vec![value.to_owned()])
}

impl Person {
    /// What a target calls them.
    pub(crate) fn user_name(&self) -> String {
        self.mail.clone().unwrap_or_else(|| self.uid.clone())
    }

    /// Whether this says of them what a target should hold.
    pub(crate) fn is(&self, content: &Content) -> bool {
        let Content::User(user) = content else { return false };
        let name = user.attributes.get("displayName").map(String::as_str).unwrap_or_default();
        user.user_name == self.user_name()
            && user.emails == Vec::from_iter(self.mail.clone())
            && name == self.name
    }

    /// Whether the account is disabled at this second.
    pub(crate) fn is_disabled(&self, now: i64) -> bool {
        self.disabled || self.expires.is_some_and(|at| at <= now)
    }

    fn entry(&self, anchor: &str) -> Entry {
        let mut about = BTreeMap::from([
            (fields::USER_NAME.to_owned(), stated(&self.uid)),
            (fields::EMPLOYEE_NUMBER.to_owned(), stated(&self.number)),
        ]);
        if !self.name.is_empty() {
            about.insert(fields::DISPLAY_NAME.to_owned(), stated(&self.name));
        }
        if let Some(mail) = &self.mail {
            about.insert(fields::MAIL.to_owned(), stated(mail));
        }
        if let Some(department) = &self.department {
            about.insert(fields::DEPARTMENT.to_owned(), stated(department));
        }
        if self.garbled {
            about.insert(fields::DEPARTMENT.to_owned(), Stated::Undecodable);
        }
        let dn = dn(anchor, self.place);
        Entry {
            anchor: Anchor::new(anchor),
            names: vec![Reference::Dn(Dn::parse(&dn).unwrap())],
            dn,
            disabled: Some(self.disabled),
            expires: self.expires.map(|at| Timestamp::from_second(at).unwrap()),
            fields: about,
            ..Entry::nobody()
        }
    }
}
