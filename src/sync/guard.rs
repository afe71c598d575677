//! Checks a plan against the limits: what is executed, what is held. Pure.
//!
//! # Guarantees
//! - Within one window no class of removals exceeds its budget, but for what a person approved.
//! - Every step is executed, held or blocked, exactly once.
//! - A hold's digest depends on what is held and why, and on nothing else: not on time, names or order.

use std::collections::{BTreeMap, HashSet};

use roaring::RoaringBitmap;

use crate::directory::{SubjectId, SubjectKind};
use crate::store::hold::{Hold, Line};
use crate::store::journal::Class;
use crate::store::link::Leaving;
use crate::sync::plan::{Action, Blocked, Planned, Removal};
use crate::sync::policy::OnExceed;

mod bucket;
mod budget;
mod input;
mod line;
#[cfg(test)]
mod tests;

use bucket::Bucket;
pub use bucket::Exceeded;
use budget::Budgets;
pub use budget::spends;
pub use input::Input;
use line::Lines;
pub(in crate::sync) use line::verb;

/// A plan that was judged.
#[derive(Clone, Debug, Default)]
pub struct Guarded {
    /// What may go, in the order of application.
    pub execute: Vec<Planned>,
    /// What waits for a person.
    pub hold: Option<Hold>,
    /// What waits for a name.
    pub blocked: Vec<Blocked>,
    /// Changes of `leaving` without an operation; not those of leavers who are held.
    pub leaving: BTreeMap<SubjectId, Option<Leaving>>,
    /// Which limits were exceeded, and by how much.
    pub exceeded: Vec<Exceeded>,
}

/// Judges.
pub fn guard(input: Input<'_>) -> Guarded {
    let lines = Lines::new(input);
    let budgets = Budgets::count(input, &lines);
    let exceeded = budgets.exceeded();
    let all = input.limits.on_exceed == OnExceed::HoldAll && !exceeded.is_empty();
    let mut judge = Judge {
        input,
        lines,
        budgets,
        all,
        held: Vec::new(),
        held_subjects: RoaringBitmap::new(),
        approved_subjects: RoaringBitmap::new(),
        guarded: Guarded::default(),
    };
    judge.judge();
    let Judge { held, mut guarded, .. } = judge;
    guarded.blocked.extend(input.plan.blocked.iter().cloned());
    guarded.hold = line::hold(input, with_standing(held, input.standing), &exceeded);
    guarded.exceeded = exceeded;
    guarded
}

/// What is held, and what was held before of others than these.
fn with_standing(mut held: Vec<Line>, standing: &[Line]) -> Vec<Line> {
    let whose = |line: &Line| (line.subject.clone(), line.member.clone());
    let mut named: HashSet<_> =
        if standing.is_empty() { HashSet::new() } else { held.iter().map(whose).collect() };
    held.extend(standing.iter().filter(|line| named.insert(whose(line))).cloned());
    held
}

/// Why it is held that somebody who is missing goes. No approval replaces a look-up.
const NOT_LOOKED_UP: &str = "missing from the directory, and not looked up yet";

struct Judge<'a> {
    input: Input<'a>,
    lines: Lines<'a>,
    budgets: Budgets,
    /// Whether everything is held.
    all: bool,
    held: Vec<Line>,
    /// Subjects of whom a step is held: what follows from it waits with it.
    held_subjects: RoaringBitmap,
    /// Subjects of whom a person approved that they go: what follows from it goes with it.
    approved_subjects: RoaringBitmap,
    guarded: Guarded,
}

impl Judge<'_> {
    fn judge(&mut self) {
        let (memberships, rest): (Vec<_>, Vec<_>) =
            self.input.plan.steps.iter().partition(|step| matches!(step.action, Action::RemoveMembers(_)));
        let mut execute = Vec::new();
        for step in rest {
            execute.extend(self.step(step));
        }
        // Memberships follow their people, so they are judged when it is known who goes.
        for step in memberships {
            execute.extend(self.memberships(step));
        }
        self.newly_leaving();
        let mut execute = self.without_blocked(execute);
        execute.sort_by_key(|step| (step.phase, step.subject));
        self.guarded.execute = execute;
    }

    /// The step, if it may go.
    fn step(&mut self, step: &Planned) -> Option<Planned> {
        let approved = !step.needs_look_up && self.lines.approve(step);
        match self.why_held(step) {
            Some(why) if !approved => {
                self.held.push(Line { why, ..self.lines.of_step(step) });
                self.held_subjects.insert(step.subject.0);
                None
            }
            _ => {
                if approved && step.evidence.is_some() {
                    self.approved_subjects.insert(step.subject.0);
                }
                Some(Planned { approved, ..step.clone() })
            }
        }
    }

    fn why_held(&self, step: &Planned) -> Option<String> {
        if step.unprovable {
            return Some(line::UNPROVABLE.to_owned());
        }
        if step.needs_look_up {
            return Some(NOT_LOOKED_UP.to_owned());
        }
        if !step.doubtful.is_empty() {
            return Some(line::lost(&step.doubtful));
        }
        if self.lines.is_locked(step) {
            return Some(line::STOOD.to_owned());
        }
        let exceeds = Bucket::of_step(step).into_iter().find(|bucket| self.budgets.exceeds(*bucket));
        if exceeds.is_some() || self.all { Some(line::cause(step, exceeds)) } else { None }
    }

    /// The part of a removal of members that may go, and apart from it what a person approved.
    fn memberships(&mut self, step: &Planned) -> Vec<Planned> {
        let Action::RemoveMembers(removal) = &step.action else { return Vec::new() };
        let mut go = Removal::clone(removal);
        let mut approved = RoaringBitmap::new();
        go.following -= &self.held_subjects;
        // Nor does it follow from anything else, while somebody is to approve it.
        if !self.input.locked.is_empty() {
            let is_locked = |member: &u32| {
                self.lines.is_locked_in(SubjectId(*member)) && !self.approved_subjects.contains(*member)
                    || self.lines.is_locked_membership(step.subject, *member)
            };
            go.following -= removal.following.iter().filter(is_locked).collect::<RoaringBitmap>();
        }
        let whole_group = self.budgets.exceeds_in_group(step.subject);
        for member in &removal.ended {
            let line = |lines: &Lines<'_>| lines.of_membership(step, removal, member);
            if self.lines.any_approved() && self.lines.is_approved(&line(&self.lines)) {
                approved.insert(member);
                continue;
            }
            let bucket = Bucket::of_membership(removal, member);
            let exceeds = bucket.into_iter().find(|bucket| self.budgets.exceeds(*bucket));
            let why = if !step.doubtful.is_empty() {
                line::lost(&step.doubtful)
            } else if self.lines.is_locked_in(SubjectId(member))
                || self.lines.is_locked_membership(step.subject, member)
            {
                line::STOOD.to_owned()
            } else if whole_group {
                "more of this group's members would be removed than limits.memberRemovalsPerGroup allows"
                    .to_owned()
            } else if exceeds.is_some() || self.all {
                line::cause(step, exceeds)
            } else {
                continue;
            };
            self.held.push(Line { why, ..line(&self.lines) });
            go.ended.remove(member);
        }
        go.ended -= &approved;
        let approved =
            Removal { ended: approved, following: RoaringBitmap::new(), ..Removal::clone(removal) };
        let parts = [(go, false), (approved, true)].into_iter();
        parts
            .filter(|(part, _)| !part.ended.is_empty() || !part.following.is_empty())
            .map(|(part, approved)| Planned {
                action: Action::RemoveMembers(part.into()),
                approved,
                ..step.clone()
            })
            .collect()
    }

    /// A leaver is judged when first seen, though the first step may be due much later.
    fn newly_leaving(&mut self) {
        let steps = self.input.plan.leavers();
        for (subject, leaving) in &self.input.plan.leaving {
            let Some(now) = leaving else {
                self.guarded.leaving.insert(*subject, None);
                continue;
            };
            if self.held_subjects.contains(subject.0) {
                continue;
            }
            if !steps.contains(subject) {
                let kind =
                    self.input.subjects.by_id.get(subject).map_or(SubjectKind::User, |subject| subject.kind);
                let exceeds = Bucket::of_evidence(kind, now.evidence)
                    .into_iter()
                    .find(|bucket| self.budgets.exceeds(*bucket));
                let line = self.lines.of_leaver(*subject, kind, now.evidence);
                let doubtful = self.input.plan.doubtful.get(subject);
                let locked = self.lines.is_locked_in(*subject);
                let held = doubtful.is_some() || exceeds.is_some() || self.all || locked;
                if held && !self.lines.is_approved(&line) {
                    let why = match doubtful {
                        None if locked => line::STOOD.to_owned(),
                        Some(fields) => line::lost(fields),
                        None => format!(
                            "{} would be exceeded when it is due",
                            exceeds.map_or("a limit", Bucket::field)
                        ),
                    };
                    self.held.push(Line { why, ..line });
                    continue;
                }
            }
            self.guarded.leaving.insert(*subject, *leaving);
        }
    }

    /// Whoever waits for the name of somebody who keeps it now is blocked, and whoever waits for them.
    fn without_blocked(&mut self, execute: Vec<Planned>) -> Vec<Planned> {
        let mut execute = execute;
        if execute.iter().all(|step| step.after.is_none() && !matches!(step.action, Action::Release(_))) {
            return execute;
        }
        loop {
            let gives = subjects(&execute, |action| {
                matches!(action, Action::Update { renames: true, .. } | Action::Delete)
            });
            let (go, blocked): (Vec<_>, Vec<_>) =
                execute.into_iter().partition(|step| step.after.is_none_or(|holder| gives.contains(&holder)));
            if blocked.is_empty() {
                return with_needed_releases(go);
            }
            for step in blocked {
                if let (Action::Create(content) | Action::Update { content, .. }, Some(holder)) =
                    (&step.action, step.after)
                {
                    let name = content.name().to_owned();
                    self.guarded.blocked.push(Blocked {
                        subject: step.subject,
                        kind: step.kind,
                        name,
                        holder,
                    });
                }
            }
            execute = go;
        }
    }
}

/// A name is only released for a rename that goes on, and nobody needs to wait for one that was released before.
fn with_needed_releases(mut go: Vec<Planned>) -> Vec<Planned> {
    let renames = subjects(&go, |action| matches!(action, Action::Update { renames: true, .. }));
    let is_release = |action: &Action| matches!(action, Action::Release(_));
    go.retain(|step| !is_release(&step.action) || renames.contains(&step.subject));
    let released = subjects(&go, is_release);
    for step in &mut go {
        step.after = step.after.filter(|holder| !released.contains(holder));
    }
    go
}

/// Whose actions are such.
fn subjects(steps: &[Planned], is_such: impl Fn(&Action) -> bool) -> HashSet<SubjectId> {
    steps.iter().filter(|step| is_such(&step.action)).map(|step| step.subject).collect()
}

impl Class {
    /// The class of a step, if it counts in one.
    pub fn of(step: &Planned) -> Option<Self> {
        use crate::directory::Grade;
        match (&step.action, step.kind, step.evidence) {
            (Action::Update { renames: true, .. }, _, _) => Some(Self::IdentifierChange),
            (Action::RemoveMembers(_), _, _) => Some(Self::MemberRemoval),
            (_, SubjectKind::User, Some(evidence)) if evidence.grade == Grade::Disabled => {
                Some(Self::Disable)
            }
            (_, SubjectKind::User, Some(_)) => Some(Self::UserRemoval),
            (_, SubjectKind::Group, Some(_)) => Some(Self::GroupRemoval),
            _ => None,
        }
    }
}
