//! Takes out of a read what may not leave. Pure.

use std::collections::BTreeMap;

use super::{CLASS, Veto};
use crate::directory::{Change, Completion, Entry, Members, Patch, Reference, Stated};
use crate::wire;
use crate::words::count;

/// What is said in place of an entry's name.
const SOMEBODY: &str = "an entry that the engine withholds";
/// Why a list is not whole.
const PART: &str = "the engine withholds some of its members (engine.yaml)";

/// Takes out of a read what may not leave, and counts it.
pub(in crate::engine) struct Sieve<'a> {
    veto: &'a Veto,
    asked: &'a wire::Directory,
    /// Neutral fields that are withheld.
    fields: Vec<&'static str>,
    entries: u64,
    lists: u64,
}

impl<'a> Sieve<'a> {
    pub(in crate::engine) fn new(veto: &'a Veto, asked: &'a wire::Directory) -> Self {
        Self { veto, asked, fields: veto.withheld_fields(asked.server), entries: 0, lists: 0 }
    }

    /// A change without what may not leave; `None` if nothing of it may.
    pub(in crate::engine) fn change(&mut self, change: Change) -> Option<Change> {
        Some(match change {
            Change::Replace(entry) => Change::Replace(Box::new(self.entry(*entry)?)),
            Change::Unproven { entry, sure, why } => {
                Change::Unproven { entry: Box::new(self.entry(*entry)?), sure, why }
            }
            Change::Patch(patch) => {
                let Patch { set, mut cleared, mut cleared_attributes, alone } = *patch;
                cleared.retain(|field| self.leaves_field(field));
                cleared_attributes.retain(|name| self.leaves_attribute(name));
                Change::Patch(Box::new(Patch { set: self.entry(set)?, cleared, cleared_attributes, alone }))
            }
            Change::MembersDelta { group, added, removed } => {
                let leave = |references: Vec<Reference>| {
                    references.into_iter().filter(|it| self.leaves_name(it)).collect()
                };
                Change::MembersDelta { group, added: leave(added), removed: leave(removed) }
            }
            // That somebody is there who cannot be understood must be known, whoever it is.
            Change::Unreadable { anchor, what, why } => {
                Change::Unreadable { anchor, what: self.called(what), why }
            }
            Change::Stray { record, what, why } => Change::Stray { record, what: self.called(what), why },
            Change::Anonymous { dn } => Change::Anonymous { dn: self.called(dn) },
            Change::OfNoKind(entry) if !self.veto.leaves_called(&entry.what) => {
                self.entries += 1;
                return None;
            }
            other => other,
        })
    }

    /// What a read says that reached its end, without what may not leave, and with what is withheld.
    pub(in crate::engine) fn completion(&self, mut completion: Completion) -> Completion {
        completion.fields.retain(|field| self.leaves_field(field));
        completion.attributes.retain(|name| self.leaves_attribute(name));
        let mut unknown: Vec<&str> = self.fields.clone();
        unknown.extend(
            self.asked.literal.iter().filter(|name| !self.veto.leaves_literal(name)).map(String::as_str),
        );
        let notices = &mut completion.notices;
        if !unknown.is_empty() {
            notices.push(format!(
                "the engine withholds {}: they are unknown here (its engine.yaml)",
                unknown.join(", ")
            ));
        }
        if self.entries > 0 {
            let these = count(self.entries, "entry", "entries");
            let rules = [
                self.veto.chooses_bases().then_some("bases"),
                self.veto.chooses_classes().then_some("classes"),
            ];
            let rules: Vec<&str> = rules.into_iter().flatten().collect();
            notices.push(format!(
                "the engine withholds {these} by their {} (its engine.yaml): whoever of them was known keeps what they had",
                rules.join(" or ")
            ));
        }
        if self.lists > 0 {
            let these = count(self.lists, "group", "groups");
            notices.push(format!(
                "the engine withholds members of {these}: nobody is removed from them (its engine.yaml)"
            ));
        }
        completion
    }

    fn entry(&mut self, mut entry: Entry) -> Option<Entry> {
        if !self.veto.leaves_entry(&entry) {
            self.entries += 1;
            return None;
        }
        self.keep(&mut entry.fields, Self::leaves_field);
        self.keep(&mut entry.attributes, Self::leaves_attribute);
        entry.names.retain(|name| self.leaves_name(name));
        entry.members = self.members(entry.members);
        Some(entry)
    }

    fn keep(&self, stated: &mut BTreeMap<String, Stated>, leaves: impl Fn(&Self, &str) -> bool) {
        stated.retain(|name, _| leaves(self, name));
    }

    fn members(&mut self, members: Members) -> Members {
        let (mut list, why) = match members {
            Members::Complete(list) => (list, None),
            Members::Partial(list, why) => (list, Some(why)),
            other @ (Members::None | Members::NotStated) => return other,
        };
        let all = list.len();
        list.retain(|member| self.leaves_name(member));
        if list.len() == all {
            return why.map_or(Members::Complete(list.clone()), |why| Members::Partial(list, why));
        }
        self.lists += 1;
        Members::Partial(list, why.map_or_else(|| PART.to_owned(), |why| format!("{PART}; {why}")))
    }

    fn called(&self, what: String) -> String {
        if self.veto.leaves_called(&what) { what } else { SOMEBODY.to_owned() }
    }

    fn leaves_name(&self, name: &Reference) -> bool {
        self.veto.leaves_name(self.asked.server, name)
    }

    fn leaves_field(&self, field: &str) -> bool {
        !self.fields.contains(&field)
    }

    /// One that was asked for only to know whether an entry may leave goes nowhere.
    fn leaves_attribute(&self, name: &str) -> bool {
        let is_own = name == CLASS && !self.asked.literal.contains(CLASS);
        !is_own && self.veto.leaves_literal(name)
    }
}
