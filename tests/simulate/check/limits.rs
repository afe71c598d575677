//! Did more go than the limits allow?

use std::collections::BTreeSet;

use rollcall::sync::policy::PerGroup;

use super::{DAY, Looked, Removal, Went};
use crate::fake_target::Object;
use crate::life::Life;
use crate::oracle::{Broken, Why, demand};
use crate::place::Objects;
use crate::rules::{Limits, PER_GROUP};

impl Life {
    /// No more than the share of one group that the limit allows was taken out of it.
    pub(super) fn check_share(
        &self,
        looked: &Looked<'_>,
        group: &Object,
        went_before: usize,
    ) -> Result<(), Broken> {
        let PerGroup { percent, minimum_size } = PER_GROUP;
        let since = self.clock.passed() - DAY;
        let of_group = |removal: &&Removal| {
            removal.what == Went::Membership && Some(removal.of.0) == group.key && removal.at > since
        };
        let went = self.removals.iter().filter(of_group).count() as u64;
        let (before, now) = self.removals.split_at(went_before);
        let before = before.iter().filter(of_group).count() as u64;
        let ours =
            group.members.iter().filter(|id| looked.before.get(*id).is_some_and(|it| it.key.is_some()));
        let size = ours.count() as u64 + before;
        // Who was put in before the store was lost, and is nobody's now, is not counted as ours.
        let excused = now.is_empty() || size < minimum_size || !self.drift.is_empty() || self.lost;
        demand(excused || went * 100 <= size * u64::from(percent), 2, || {
            format!("{went} of {size} members were taken out of {}", group.content.name())
        })
    }

    /// No more than the limits allow went within any window: once by the directory's own change, and
    /// once by an edit of the spec.
    /// Judged when something goes, by the time that passed, whatever the clock says.
    pub(super) fn check_budgets(&mut self, before: &Objects, went_before: usize) -> Result<(), Broken> {
        let since = self.clock.passed() - DAY;
        let count = |wanted: &dyn Fn(Went) -> bool| {
            if !self.removals.iter().skip(went_before).any(|removal| wanted(removal.what)) {
                return 0;
            }
            let within = self.removals.iter().filter(|removal| removal.at > since && wanted(removal.what));
            // Whoever goes twice counts once.
            within.map(|removal| removal.of).collect::<BTreeSet<_>>().len() as u64
        };
        let Limits { users, groups, members, disables, names, .. } = self.rules.limits;
        // An edit of the spec has a budget of its own.
        let causes = 1 + u64::from(self.edited);
        let of = before.len() as u64;
        let memberships: u64 = before.values().map(|object| object.members.len() as u64).sum();
        let left = |went: Went| matches!(went, Went::User(Why::Left | Why::LeftWeakly | Why::OutOfScope));
        let weak = |went: Went| matches!(went, Went::User(Why::LeftWeakly) | Went::Group { weakly: true });
        let all = [
            ("users were removed", count(&left), causes * Limits::of(users, 5, of)),
            (
                "users were disabled",
                count(&|went| went == Went::User(Why::Disabled)),
                causes * Limits::of(disables, 20, of),
            ),
            (
                "groups were removed",
                count(&|went| matches!(went, Went::Group { .. })),
                causes * Limits::of(groups, 10, of),
            ),
            ("unconfirmed went", count(&weak), 10),
            (
                "memberships ended",
                count(&|went| went == Went::Membership),
                causes * Limits::of(members, 10, memberships * 2),
            ),
            ("names changed", count(&|went| went == Went::Name), Limits::of(names, 5, of)),
        ];
        for (what, went, allowed) in all {
            demand(went <= allowed, 2, || format!("{went} {what} within a day, and {allowed} may be"))?;
        }
        Ok(())
    }
}
