//! Entries in doubt: those that lost a field which many lost at once and the policy uses, and those that are missing
//! with a whole subtree.

use std::collections::{BTreeMap, BTreeSet};

use roaring::RoaringBitmap;

use super::{group, user};
use crate::directory::{EntryKind, Place, SubjectId, fields};
use crate::store::snapshot::{Presence, Row, RowId, SnapshotInfo, Trip};
use crate::sync::expression::Expression;
use crate::sync::policy::{ConnectorBinding, Policy};

/// The fields that tripped the coverage rule and that count here.
pub(super) struct Doubt<'a> {
    users: Vec<(&'a str, &'a RoaringBitmap)>,
    groups: Vec<(&'a str, &'a RoaringBitmap)>,
    /// Places that vanished, each with whom it lost.
    places: Vec<(&'a str, &'a RoaringBitmap)>,
}

impl<'a> Doubt<'a> {
    pub(super) fn new(policy: &Policy, binding: &ConnectorBinding, info: &'a SnapshotInfo) -> Self {
        let (users, groups) = (of_users(policy, binding), of_groups(policy));
        let tripped = |read: BTreeSet<String>| {
            let lost = info.tripped.iter().filter(move |(field, _)| read.contains(*field));
            lost.map(|(field, trip)| (field.as_str(), &trip.lost)).collect()
        };
        let places = info.tripped.iter().filter(|(field, _)| Place::of(field).is_some());
        let places = places.map(|(field, trip)| (field.as_str(), &trip.lost)).collect();
        Self { users: tripped(users), groups: tripped(groups), places }
    }

    /// The groups that lost their member lists, if that tripped the rule.
    pub(super) fn without_members(&self) -> Option<&'a RoaringBitmap> {
        self.groups.iter().find(|(field, _)| *field == fields::MEMBERS).map(|(_, lost)| *lost)
    }

    /// The places with which an entry went, if nothing but that it is missing says that it went.
    pub(super) fn places(&self, row: &Row) -> Vec<String> {
        match row.presence {
            Presence::Gone { evidence, .. } if evidence.grade.is_absence() => {
                let lost = self.places.iter().filter(|(_, lost)| lost.contains(row.id.0));
                lost.map(|(place, _)| (*place).to_owned()).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn note(
        &self,
        row: RowId,
        kind: EntryKind,
        subject: SubjectId,
        doubtful: &mut BTreeMap<SubjectId, Vec<String>>,
    ) {
        let tripped = if kind == EntryKind::Group { &self.groups } else { &self.users };
        for (field, lost) in tripped {
            if lost.contains(row.0) {
                doubtful.entry(subject).or_default().push((*field).to_owned());
            }
        }
    }
}

/// What of a snapshot's doubts counts for a policy: fields that it reads, and places.
pub(crate) fn counts(policy: &Policy, binding: &ConnectorBinding, tripped: &mut BTreeMap<String, Trip>) {
    let (users, groups) = (of_users(policy, binding), of_groups(policy));
    tripped.retain(|field, _| Place::of(field).is_some() || users.contains(field) || groups.contains(field));
}

fn of_users(policy: &Policy, binding: &ConnectorBinding) -> BTreeSet<String> {
    let rules = policy.users.r#where.iter().chain(&binding.disabled_when);
    read(user::fields_read(), rules.chain(policy.users.attributes.values()))
}

fn of_groups(policy: &Policy) -> BTreeSet<String> {
    read(group::fields_read(), policy.groups.r#where.iter().chain(&policy.groups.name))
}

fn read<'e>(
    always: impl Iterator<Item = &'static str>,
    expressions: impl Iterator<Item = &'e Expression>,
) -> BTreeSet<String> {
    let mut read: BTreeSet<String> = always.map(str::to_owned).collect();
    for expression in expressions {
        read.extend(expression.fields().iter().cloned());
        read.extend(expression.attributes().iter().map(|name| format!("attributes.{name}")));
    }
    read
}
