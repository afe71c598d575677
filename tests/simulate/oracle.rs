//! What the promises demand, worked out from the world and from what was read of it alone: it shares no
//! code with what it judges.

use std::collections::{BTreeMap, BTreeSet};

use crate::reader::{LooksUp, Reader};
use crate::rules::{OfDisabled, Rules};
use crate::world::{Person, Team, World};

/// What a promise demands and what was seen instead.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    /// The promise's number in the list of them.
    pub(crate) promise: u8,
    pub(crate) what: String,
}

pub(crate) fn demand(holds: bool, promise: u8, what: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken { promise, what: what() }) }
}

/// What is known of somebody after the last completed read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Standing {
    Here,
    Unreadable,
    /// Missing, and not looked up.
    Unsettled,
    Gone,
    /// Gone by the word of a source that cannot look up.
    WeaklyGone,
}

/// What was last read of one entry.
#[derive(Clone, Debug)]
pub(crate) struct Heard<T> {
    pub(crate) last: T,
    pub(crate) standing: Standing,
}

impl<T> Heard<T> {
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.standing, Standing::Gone | Standing::WeaklyGone)
    }
}

/// What all completed reads together have brought.
#[derive(Clone, Debug, Default)]
pub(crate) struct Knowledge {
    pub(crate) people: BTreeMap<String, Heard<Person>>,
    pub(crate) groups: BTreeMap<String, Heard<Team>>,
    /// Groups of whose members only some could be read: who else is in them cannot be told.
    pub(crate) partial: BTreeSet<String>,
    /// Who had a department when it was last believed that departments can be read …
    carried: BTreeSet<String>,
    /// … who has one now …
    carry: BTreeSet<String>,
    /// … and who lost theirs together with too many others.
    pub(crate) doubted: BTreeSet<String>,
    /// Who went together with everybody else of their place, by a read that could not say more of them than that.
    pub(crate) vanished: BTreeSet<String>,
}

impl Knowledge {
    /// A read has completed; `world` is what was there to be read.
    pub(crate) fn learn(&mut self, world: &World, reader: &Reader, looks_up: bool) {
        let seen = world.seen();
        let brought = reader.brought.lock().unwrap().clone();
        let before: Vec<(String, Person)> = self.there().collect();
        for anchor in &brought.unreadable {
            let known = self.people.get_mut(anchor).map(|heard| &mut heard.standing);
            let known = known.or_else(|| self.groups.get_mut(anchor).map(|heard| &mut heard.standing));
            if let Some(standing) = known {
                *standing = Standing::Unreadable;
            }
        }
        for anchor in &brought.whole {
            if let Some(person) = seen.people.get(anchor) {
                let heard = Heard { last: person.clone(), standing: Standing::Here };
                self.people.insert(anchor.clone(), heard);
                if person.department.is_some() || person.garbled {
                    self.carry.insert(anchor.clone());
                } else {
                    self.carry.remove(anchor);
                }
            } else if let Some(team) = seen.groups.get(anchor) {
                self.learn_team(anchor, team, reader.partial.contains(anchor));
            }
        }
        let absent = |anchor: &String| {
            if brought.full {
                !brought.whole.contains(anchor) && !brought.unreadable.contains(anchor)
            } else {
                brought.tombstones.contains(anchor)
            }
        };
        let missing = match (brought.full, reader.looks_up) {
            (false, _) => Standing::Gone,
            (true, LooksUp::Never) if looks_up => Standing::WeaklyGone,
            (true, LooksUp::Well) if looks_up => Standing::Gone,
            (true, _) => Standing::Unsettled,
        };
        let people = self.people.iter_mut().map(|(anchor, heard)| (anchor, &mut heard.standing));
        let groups = self.groups.iter_mut().map(|(anchor, heard)| (anchor, &mut heard.standing));
        for (anchor, standing) in people.chain(groups) {
            if brought.tombstones.contains(anchor) {
                *standing = Standing::Gone;
            } else if absent(anchor) && !matches!(standing, Standing::Gone | Standing::WeaklyGone) {
                *standing = missing;
            }
        }
        if brought.full {
            // Whoever was only missed is found by a look-up.
            let excused = brought.tombstones.union(&reader.missed).cloned().collect();
            let asks = reader.export.is_none() && reader.looks_up == LooksUp::Well;
            self.miss(&before, &excused, world.hidden.filter(|_| asks));
        }
        self.doubt(|anchor| {
            if brought.full {
                brought.whole.contains(anchor) || brought.unreadable.contains(anchor)
            } else {
                true
            }
        });
    }

    fn learn_team(&mut self, anchor: &str, team: &Team, partial: bool) {
        let mut last = team.clone();
        self.partial.remove(anchor);
        if partial {
            self.partial.insert(anchor.to_owned());
            let all: Vec<String> = team.members.iter().cloned().collect();
            last.members = Reader::half(&all).into_iter().collect();
            if let Some(before) = self.groups.get(anchor) {
                last.members.extend(before.last.members.iter().cloned());
            }
        }
        self.groups.insert(anchor.to_owned(), Heard { last, standing: Standing::Here });
    }

    /// When more than a tenth, and at least five, lose their departments at once, that is no fact about
    /// them.
    fn doubt(&mut self, came: impl Fn(&String) -> bool) {
        let there =
            |anchor: &&String| came(anchor) && self.people.get(*anchor).is_some_and(|heard| !heard.is_gone());
        let carried: BTreeSet<String> = self.carried.iter().filter(there).cloned().collect();
        let lost: BTreeSet<String> = carried.difference(&self.carry).cloned().collect();
        if lost.len() >= 5 && lost.len() * 10 > carried.len() {
            self.doubted = lost;
        } else {
            self.carried.clone_from(&self.carry);
            self.doubted.clear();
        }
    }

    /// Who is there, or was when nothing could be said of them.
    fn there(&self) -> impl Iterator<Item = (String, Person)> {
        let there = self.people.iter().filter(|(_, heard)| !heard.is_gone());
        there.map(|(anchor, heard)| (anchor.clone(), heard.last.clone()))
    }

    /// When two or more are missing from a place and nobody is left in it, that is no fact about them: whoever cannot
    /// be reached looks so. Of a place that is asked for and `hidden` itself, one is enough.
    fn miss(&mut self, before: &[(String, Person)], excused: &BTreeSet<String>, hidden: Option<&str>) {
        let there: BTreeMap<String, Person> = self.there().collect();
        let peopled: BTreeSet<&str> = there.values().map(|person| person.place).collect();
        let people = &self.people;
        let is_away =
            |anchor: &String| people.get(anchor).is_some_and(|heard| !peopled.contains(heard.last.place));
        // Of whom the directory says that they were deleted, more is known than that they are missing.
        self.vanished.retain(|anchor| is_away(anchor) && !excused.contains(anchor));
        let places: BTreeSet<&str> = before.iter().map(|(_, person)| person.place).collect();
        for place in places.difference(&peopled) {
            let lost: Vec<&String> = before
                .iter()
                .filter(|(anchor, person)| person.place == *place && !there.contains_key(anchor))
                .filter(|(anchor, _)| !excused.contains(anchor))
                .map(|(anchor, _)| anchor)
                .collect();
            // A place from which somebody moved was given up, perhaps.
            let moved =
                before.iter().any(|(anchor, person)| person.place == *place && there.contains_key(anchor));
            let least = if hidden == Some(*place) { 1 } else { 2 };
            if lost.len() >= least && !moved {
                self.vanished.extend(lost.into_iter().cloned());
            }
        }
    }

    /// A person accepted what was lost: what is carried now is what may be lost from here on.
    pub(crate) fn accept_losses(&mut self) {
        self.doubted.clear();
        self.vanished.clear();
        self.carried.clone_from(&self.carry);
    }

    /// Everybody in `team` by any path (or directly, where nesting is preserved), by what was read.
    pub(crate) fn in_team(&self, rules: &Rules, team: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::from([team.to_owned()]);
        let mut open = vec![team.to_owned()];
        while let Some(team) = open.pop() {
            for member in self.groups.get(&team).map(|team| &team.last.members).into_iter().flatten() {
                if self.people.contains_key(member) {
                    found.insert(member.clone());
                } else if self.groups.get(member).is_some_and(|inner| !inner.is_gone()) {
                    if !rules.flatten {
                        // No group is a member of itself.
                        if *member != team {
                            found.insert(member.clone());
                        }
                    } else if seen.insert(member.clone()) {
                        open.push(member.clone());
                    }
                }
            }
        }
        found
    }

    /// Whether the list of a group in this one could not be read again: it names its members as they were called before, so
    /// nobody can be told to be out of it. If an export `may_miss` entries, so is that of a group which is missing from it.
    pub(crate) fn has_old_list(&self, rules: &Rules, team: &str, may_miss: bool) -> bool {
        let counts =
            |heard: &&Heard<Team>| !heard.is_gone() || may_miss && heard.standing == Standing::WeaklyGone;
        let inner = |team: &String| self.groups.get(team).filter(counts);
        let mut seen = BTreeSet::new();
        let mut open = vec![team.to_owned()];
        while let Some(heard) = open.pop().as_ref().and_then(inner) {
            if heard.standing != Standing::Here {
                return true;
            }
            let groups = heard.last.members.iter().filter(|member| rules.flatten && inner(member).is_some());
            open.extend(groups.filter(|group| seen.insert((*group).clone())).cloned());
        }
        false
    }

    /// Whether every group's list was read as it is now.
    pub(crate) fn all_lists_are_read(&self) -> bool {
        self.partial.is_empty() && self.groups.values().all(|heard| heard.standing != Standing::Unreadable)
    }

    /// Why this person's account may be taken away; an error says why it may not.
    pub(crate) fn may_go(&self, rules: &Rules, anchor: &str, now: i64) -> Result<Why, String> {
        let Some(heard) = self.people.get(anchor) else {
            return Err("was never read".to_owned());
        };
        let person = &heard.last;
        match heard.standing {
            Standing::Gone => return Ok(Why::Left),
            Standing::WeaklyGone => return Ok(Why::LeftWeakly),
            Standing::Unreadable => return Err("could not be read".to_owned()),
            Standing::Unsettled => return Err("is missing and was not looked up".to_owned()),
            Standing::Here => {}
        }
        if rules.departments.is_some() {
            if person.garbled {
                return Err("has a department that cannot be read".to_owned());
            }
            if self.doubted.contains(anchor) {
                return Err("lost the department together with many others".to_owned());
            }
        }
        match rules.wants(person) {
            Some(false) => return Ok(Why::OutOfScope),
            None => return Err("has a number on which the expression fails".to_owned()),
            Some(true) => {}
        }
        match (person.is_disabled(now), rules.disabled) {
            (true, OfDisabled::Disable | OfDisabled::Leave) => Ok(Why::Disabled),
            _ => Err("is there, and wanted".to_owned()),
        }
    }

    /// Why this entry may be quarantined, if it may.
    pub(crate) fn is_bad(&self, rules: &Rules, anchor: &str) -> bool {
        if let Some(heard) = self.groups.get(anchor) {
            let name = heard.last.name.to_lowercase();
            let others = self.groups.iter().filter(|(other, heard)| *other != anchor && !heard.is_gone());
            return heard.standing == Standing::Unreadable
                || others.into_iter().any(|(_, other)| other.last.name.to_lowercase() == name);
        }
        let Some(heard) = self.people.get(anchor) else { return true };
        let name = heard.last.user_name().to_lowercase();
        heard.standing == Standing::Unreadable
            || (rules.departments.is_some() && heard.last.garbled)
            || rules.wants(&heard.last).is_none()
            // Somebody else has the name, or had it.
            || self.people.iter().any(|(other, heard)| {
                other != anchor && heard.last.user_name().to_lowercase() == name
            })
    }
}

/// Why somebody's account goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Why {
    Left,
    LeftWeakly,
    OutOfScope,
    Disabled,
}
