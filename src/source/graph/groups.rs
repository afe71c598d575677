//! Groups as pages tell of them: one group may come on many pages, each time with a part of its members, in any order.
//! Nothing is said of a group before the last page has come.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

use super::decode::{self, Item};
use crate::directory::{Anchor, Change, Entry, Members, Reference};

/// What pages told of groups.
#[derive(Default)]
pub(super) struct Groups {
    groups: BTreeMap<Uuid, Group>,
    /// How many came that cannot be told apart.
    nameless: u64,
}

/// What pages told of one.
#[derive(Default)]
pub(super) struct Group {
    /// What it is, as far as a page said that.
    entry: Option<Box<Entry>>,
    /// Whether it is there, as the last page said that told of it; or why that cannot be told.
    removed: Option<Result<(), String>>,
    /// Whether its members are shown only to those who have a right of their own to that.
    is_hidden: bool,
    /// Who came into it (`true`) and went, in the order in which that was told.
    told: Vec<(Uuid, bool)>,
    /// Members that could not be understood.
    unknown: u64,
}

/// Who a group had before what was told.
pub(super) enum Before {
    /// Just these.
    These(Vec<Reference>),
    /// Nobody: all who are in it were told.
    Nobody,
}

impl Groups {
    /// Takes in an object of a page.
    pub(super) fn note(&mut self, item: &Item, literal: &BTreeSet<String>) {
        let Some(id) = decode::id(item) else {
            self.nameless += 1;
            return;
        };
        let group = self.groups.entry(id).or_default();
        group.removed = decode::removed(item);
        if let Some(entry) = decode::group(item, id, literal) {
            group.entry = Some(Box::new(entry));
            group.is_hidden = item.get("visibility").and_then(Value::as_str) == Some("HiddenMembership");
        }
        let members =
            item.get("members@delta").map(|members| members.as_array().map_or(&[][..], Vec::as_slice));
        for member in members.into_iter().flatten() {
            group.member(member);
        }
    }

    /// Those who are there and of whom more must be known than was told: what they are.
    pub(super) fn without_entry(&self) -> Vec<Uuid> {
        self.ids(|group| group.entry.is_none() && group.removed.is_none())
    }

    /// Those who are there.
    pub(super) fn there(&self) -> Vec<Uuid> {
        self.ids(|group| group.removed.is_none())
    }

    fn ids(&self, which: impl Fn(&Group) -> bool) -> Vec<Uuid> {
        self.groups.iter().filter(|(_, group)| which(group)).map(|(id, _)| *id).collect()
    }

    /// Replaces what was told of who is in a group by a list of all.
    pub(super) fn list(&mut self, id: Uuid, members: &[Item]) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.told.clear();
        group.unknown = 0;
        for member in members {
            match decode::id(member) {
                Some(member) => group.told.push((member, true)),
                None => group.unknown += 1,
            }
        }
    }

    /// Whether somebody is shown in a group that hides its members: then the app may see them everywhere.
    fn shows_hidden(&self) -> bool {
        self.groups.values().any(|group| group.is_hidden && group.told.iter().any(|(_, is_in)| *is_in))
    }

    /// What was told, group by group, after what `before` says that each had.
    pub(super) fn changes(self, mut before: impl FnMut(&Anchor) -> Before) -> impl Iterator<Item = Change> {
        let shows_hidden = self.shows_hidden();
        let nameless = (self.nameless > 0).then(|| Change::Unreadable {
            anchor: None,
            what: "a group without an id".to_owned(),
            why: "it has no id that is a UUID; Graph gives every object one".to_owned(),
        });
        let groups = self.groups.into_iter();
        let changes = groups.map(move |(id, group)| {
            let before = before(&decode::anchor(id));
            group.change(id, before, shows_hidden)
        });
        changes.chain(nameless)
    }
}

impl Group {
    fn member(&mut self, member: &Value) {
        let id = member.as_object().and_then(decode::id);
        match (id, member.get("@removed")) {
            (Some(id), removed) => self.told.push((id, removed.is_none())),
            (None, _) => self.unknown += 1,
        }
    }

    fn change(self, id: Uuid, before: Before, shows_hidden: bool) -> Change {
        let anchor = decode::anchor(id);
        let unreadable = |why: &str| Change::Unreadable {
            anchor: Some(anchor.clone()),
            what: format!("groups/{id}"),
            why: why.to_owned(),
        };
        match self.removed {
            Some(Ok(())) => return Change::Tombstone(anchor),
            Some(Err(why)) => return unreadable(&why),
            None => {}
        }
        let Some(mut entry) = self.entry else {
            return unreadable(
                "Graph shows nothing of it but its id; let the app read groups (the application permission \
                 GroupMember.Read.All)",
            );
        };
        let mut members: BTreeSet<Reference> = match before {
            Before::These(members) => members.into_iter().collect(),
            Before::Nobody => BTreeSet::new(),
        };
        for (member, is_in) in self.told {
            let member = Reference::Anchor(decode::anchor(member));
            if is_in {
                members.insert(member);
            } else {
                members.remove(&member);
            }
        }
        let members: Vec<Reference> = members.into_iter().collect();
        entry.members = if self.unknown > 0 {
            let why = "a member has no id that is a UUID; Graph gives every object one".to_owned();
            Members::Partial(members, why)
        } else if self.is_hidden && !shows_hidden {
            let why = "its membership is hidden (visibility HiddenMembership), so who is not shown may be in it; let the app see \
                       that (the application permission Member.Read.Hidden)"
                .to_owned();
            Members::Partial(members, why)
        } else {
            Members::Complete(members)
        };
        Change::Replace(entry)
    }
}

#[cfg(test)]
mod tests;
