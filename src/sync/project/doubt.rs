//! Who lost a field that many lost at once, and that the policy uses.

use std::collections::{BTreeMap, BTreeSet};

use roaring::RoaringBitmap;

use super::{group, user};
use crate::directory::{Kind, SubjectId, fields};
use crate::store::snapshot::{RowId, SnapshotInfo};
use crate::sync::expression::Expression;
use crate::sync::policy::{Policy, Vouching};

/// The fields that tripped the coverage rule and that count here.
pub(super) struct Doubt<'a> {
    users: Vec<(&'a str, &'a RoaringBitmap)>,
    groups: Vec<(&'a str, &'a RoaringBitmap)>,
}

impl<'a> Doubt<'a> {
    pub(super) fn new(policy: &Policy, vouching: &Vouching, info: &'a SnapshotInfo) -> Self {
        let users = policy
            .users
            .r#where
            .iter()
            .chain(&vouching.disabled_when)
            .chain(policy.users.attributes.values());
        let users = read(user::fields_read(), users);
        let groups = read(group::fields_read(), policy.groups.r#where.iter());
        let tripped = |read: BTreeSet<String>| {
            let lost = info.tripped.iter().filter(move |(field, _)| read.contains(*field));
            lost.map(|(field, trip)| (field.as_str(), &trip.lost)).collect()
        };
        Self { users: tripped(users), groups: tripped(groups) }
    }

    /// The groups that lost their member lists, if that tripped the rule.
    pub(super) fn without_members(&self) -> Option<&'a RoaringBitmap> {
        self.groups.iter().find(|(field, _)| *field == fields::MEMBERS).map(|(_, lost)| *lost)
    }

    pub(super) fn note(
        &self,
        row: RowId,
        kind: Kind,
        subject: SubjectId,
        doubtful: &mut BTreeMap<SubjectId, Vec<String>>,
    ) {
        let tripped = if kind == Kind::Group { &self.groups } else { &self.users };
        for (field, lost) in tripped {
            if lost.contains(row.0) {
                doubtful.entry(subject).or_default().push((*field).to_owned());
            }
        }
    }
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
