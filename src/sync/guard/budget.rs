//! Budgets: how much of each class may be removed within the window, and how much was and would be.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use roaring::RoaringBitmap;

use super::bucket::{Bucket, Exceeded};
use super::input::Input;
use super::line::{self, Lines};
use crate::directory::{Evidence, Grade, SubjectId, SubjectKind};
use crate::store::journal::Class;
use crate::sync::plan::{Action, Planned, Removal};

/// Counts per bucket.
pub(super) struct Budgets {
    counts: BTreeMap<Bucket, Exceeded>,
    /// How many memberships of each group ended within the window.
    ended: HashMap<SubjectId, u64>,
    /// Of which too many members would go.
    groups: BTreeSet<SubjectId>,
}

impl Budgets {
    /// Counts what was spent and what is planned, but for what a person approved.
    pub(super) fn count(input: Input<'_>, lines: &Lines<'_>) -> Self {
        let mut budgets = Self { counts: BTreeMap::new(), ended: HashMap::new(), groups: BTreeSet::new() };
        let mut counted: BTreeSet<(Bucket, SubjectId)> = BTreeSet::new();
        for spent in input.spent.iter().filter(|spent| !spent.approved) {
            let (configuration, weak) = spent
                .evidence
                .map_or((false, false), |evidence| (evidence.configuration, evidence.grade.is_weak()));
            for bucket in Bucket::of(spent.class, configuration, weak) {
                budgets.entry(input, bucket).spent += spent.count;
                if spent.class != Class::MemberRemoval {
                    counted.insert((bucket, spent.subject));
                }
            }
            if spent.class == Class::MemberRemoval {
                *budgets.ended.entry(spent.subject).or_default() += spent.count;
            }
        }
        let leavers = input.plan.leaving.iter().filter_map(|(subject, leaving)| {
            let kind = input.subjects.by_id.get(subject)?.kind;
            Some((*subject, kind, (*leaving)?.evidence))
        });
        // Of whom a step is planned, that counts.
        let due = input.plan.leavers();
        let leavers = leavers
            .filter(|(subject, kind, evidence)| {
                !due.contains(subject) && !lines.is_approved(&lines.of_leaver(*subject, *kind, *evidence))
            })
            .map(|(subject, kind, evidence)| (subject, Bucket::of_evidence(kind, evidence)));
        let steps = input
            .plan
            .steps
            .iter()
            .filter(|step| !matches!(step.action, Action::RemoveMembers(_)) && !lines.approve(step))
            .map(|step| (step.subject, Bucket::of_step(step)));
        // A person counts once, however many steps and reasons there are.
        for (subject, buckets) in steps.chain(leavers) {
            for bucket in buckets {
                if counted.insert((bucket, subject)) {
                    budgets.entry(input, bucket).planned += 1;
                }
            }
        }
        let mut standing = HashMap::new();
        if input.standing_counts {
            standing = budgets.count_standing(input, lines);
        }
        for step in &input.plan.steps {
            if let Action::RemoveMembers(removal) = &step.action {
                let standing = standing.get(&step.subject).copied().unwrap_or_default();
                budgets.count_memberships(input, lines, (step, removal), standing);
            }
        }
        budgets
    }

    /// Counts what cannot be judged now and was held before. Gives how many memberships of each group are among it.
    fn count_standing(&mut self, input: Input<'_>, lines: &Lines<'_>) -> HashMap<SubjectId, u64> {
        let groups = input.subjects.by_id.values().filter(|subject| subject.kind == SubjectKind::Group);
        let groups: HashMap<String, SubjectId> =
            groups.map(|group| (group.key.to_string(), group.id)).collect();
        let mut of_groups: HashMap<SubjectId, u64> = HashMap::new();
        for line in input.standing.iter().filter(|line| !lines.is_approved(line)) {
            let Some((class, evidence)) = line::counts(line) else { continue };
            let of_membership = class == Class::MemberRemoval && line.member.is_some();
            if let Some(group) = groups.get(&line.subject).filter(|_| of_membership) {
                *of_groups.entry(*group).or_default() += 1;
            }
            let (configuration, weak) = evidence
                .map_or((false, false), |evidence| (evidence.configuration, evidence.grade.is_weak()));
            for bucket in Bucket::of(class, configuration, weak) {
                self.entry(input, bucket).planned += 1;
            }
        }
        of_groups
    }

    fn count_memberships(
        &mut self,
        input: Input<'_>,
        lines: &Lines<'_>,
        (step, removal): (&Planned, &Removal),
        standing: u64,
    ) {
        let mut ended = 0;
        for member in &removal.ended {
            if lines.any_approved() && lines.is_approved(&lines.of_membership(step, removal, member)) {
                continue;
            }
            ended += 1;
            for bucket in Bucket::of_membership(removal, member) {
                self.entry(input, bucket).planned += 1;
            }
        }
        let spent = self.ended.get(&step.subject).copied().unwrap_or_default();
        let size = input.subjects.link(step.subject).map_or(0, |link| link.members.len()) + spent;
        let limit = input.limits.member_removals_per_group;
        let all = ended + standing + spent;
        if size >= limit.minimum_size && all * 100 > size * u64::from(limit.percent) && ended > 0 {
            self.groups.insert(step.subject);
        }
    }

    fn entry(&mut self, input: Input<'_>, bucket: Bucket) -> &mut Exceeded {
        self.counts.entry(bucket).or_insert_with(|| {
            let base = match bucket.class {
                Class::UserRemoval | Class::Disable => input.base.users,
                Class::GroupRemoval => input.base.groups,
                Class::MemberRemoval => input.base.memberships,
                Class::IdentifierChange => input.base.users + input.base.groups,
            };
            Exceeded {
                class: bucket.class,
                configuration: bucket.is_configuration(),
                weak: bucket.is_weak(),
                planned: 0,
                spent: 0,
                allowance: bucket.budget(input.limits).allowance(base),
                base,
            }
        })
    }

    /// Whether nothing more of this may go. A read from which too much is missing to be believed is
    /// not believed in anything that rests on absence alone, users, groups or memberships.
    pub(super) fn exceeds(&self, bucket: Bucket) -> bool {
        let of = |count: &Exceeded| count.weak == bucket.is_weak() && count.is_exceeded();
        if bucket.is_weak() {
            return self.counts.values().any(of);
        }
        self.counts.get(&bucket).is_some_and(Exceeded::is_exceeded)
    }

    /// Whether too many of this group's members would go.
    pub(super) fn exceeds_in_group(&self, group: SubjectId) -> bool {
        self.groups.contains(&group)
    }

    pub(super) fn exceeded(&self) -> Vec<Exceeded> {
        self.counts.values().filter(|count| count.is_exceeded()).cloned().collect()
    }
}

/// What an executed step spends: the evidence that it is counted under, and how many. `part` are the
/// members that it is about, if it is done in parts.
pub fn spends(step: &Planned, part: Option<&RoaringBitmap>) -> Vec<(Class, Option<Evidence>, u64)> {
    match (&step.action, Class::of(step)) {
        (Action::RemoveMembers(removal), _) => {
            let ended = part.map_or_else(|| removal.ended.clone(), |part| &removal.ended & part);
            let configuration = &ended & &removal.configuration;
            let weak = &ended & &removal.weak;
            let both = &configuration & &weak;
            [
                (Evidence::data(Grade::EdgeRemoved), ended - &configuration - &weak),
                (Evidence::data(Grade::AbsentUnconfirmed), weak - &both),
                (Evidence::configuration(Grade::EdgeRemoved), configuration - &both),
                (Evidence::configuration(Grade::AbsentUnconfirmed), both),
            ]
            .into_iter()
            .filter(|(_, members)| !members.is_empty())
            .map(|(evidence, members)| (Class::MemberRemoval, Some(evidence), members.len()))
            .collect()
        }
        (_, Some(class)) => vec![(class, step.evidence, 1)],
        (_, None) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::plan::Phase;

    #[test]
    fn what_is_spent_is_what_was_planned() {
        let ended: RoaringBitmap = (0..10).collect();
        let (weak, configuration) = ((0..6).collect(), (4..9).collect());
        let removal = Removal { ended: ended.clone(), weak, configuration, ..Removal::default() };
        let step = Planned::new(
            SubjectId(1),
            SubjectKind::Group,
            Phase::Revoke,
            Action::RemoveMembers(removal.clone().into()),
        );
        for part in [ended, (3..8).collect()] {
            let (mut planned, mut spent) = (BTreeMap::new(), BTreeMap::new());
            for bucket in part.iter().flat_map(|member| Bucket::of_membership(&removal, member)) {
                *planned.entry(bucket).or_insert(0) += 1;
            }
            for (class, evidence, count) in spends(&step, Some(&part)) {
                let Evidence { grade, configuration } = evidence.unwrap();
                for bucket in Bucket::of(class, configuration, grade.is_weak()) {
                    *spent.entry(bucket).or_insert(0) += count;
                }
            }
            assert_eq!(planned, spent);
        }
    }
}
