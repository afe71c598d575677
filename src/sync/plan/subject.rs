//! Plans the operations of each user and group, except memberships.

use std::sync::Arc;

use jiff::Timestamp;

use super::input::{Input, Previous};
use super::leaver::{self, Next};
use super::step::{Action, Going, Phase, Plan, Planned};
use crate::directory::{Content, Evidence, Grade, Place, SubjectId, SubjectKind};
use crate::store::link::Link;
use crate::sync::policy::{LeaverAction, LeaverStep};
use crate::sync::project::SubjectState;

/// Plans the operations of all subjects; returns the leavers.
pub(super) fn plan(input: Input<'_>, plan: &mut Plan) -> Going {
    let mut subjects = Subjects { input, plan, going: Going::new() };
    for (subject, verdict) in &input.projection.users {
        let keep = match verdict {
            SubjectState::Keep(user) => SubjectState::Keep((&user.content, !user.disabled)),
            SubjectState::Frozen => SubjectState::Frozen,
            SubjectState::Gone(evidence) => SubjectState::Gone(*evidence),
        };
        subjects.plan(*subject, SubjectKind::User, keep);
    }
    for (subject, verdict) in &input.projection.groups {
        let keep = match verdict {
            SubjectState::Keep(group) => SubjectState::Keep((&group.content, true)),
            SubjectState::Frozen => SubjectState::Frozen,
            SubjectState::Gone(evidence) => SubjectState::Gone(*evidence),
        };
        subjects.plan(*subject, SubjectKind::Group, keep);
    }
    subjects.going
}

struct Subjects<'a, 'p> {
    input: Input<'a>,
    plan: &'p mut Plan,
    going: Going,
}

impl Subjects<'_, '_> {
    fn plan(&mut self, subject: SubjectId, kind: SubjectKind, verdict: SubjectState<(&Arc<Content>, bool)>) {
        let link = self.input.subjects.link(subject);
        match (verdict, link) {
            (SubjectState::Keep((content, true)), None) => {
                self.step(Planned::new(
                    subject,
                    kind,
                    Phase::of_content(kind),
                    Action::Create(content.clone()),
                ));
            }
            (SubjectState::Keep((content, active)), Some(link)) => {
                self.keep(subject, kind, content, active, link);
            }
            (SubjectState::Frozen, Some(link)) if self.input.projection.unsettled.contains(&subject) => {
                self.gone(subject, kind, Evidence::data(Grade::Absent), link, true);
            }
            (SubjectState::Gone(evidence), Some(link)) => self.gone(subject, kind, evidence, link, false),
            (SubjectState::Keep((_, false)) | SubjectState::Frozen | SubjectState::Gone(_), _) => {}
        }
    }

    fn keep(
        &mut self,
        subject: SubjectId,
        kind: SubjectKind,
        content: &Arc<Content>,
        active: bool,
        link: &Link,
    ) {
        if link.leaving.is_some() {
            self.plan.leaving.insert(subject, None);
        }
        if *content != link.confirmed {
            self.update(subject, kind, content, &link.confirmed);
        }
        if active && !link.active {
            let mut step = Planned::new(subject, kind, Phase::of_content(kind), Action::Enable);
            step.doubtful = self.doubtful(subject);
            self.step(step);
        } else if !active && link.active && self.may_remove(subject, link) {
            let mut step = Planned::new(subject, kind, Phase::Disable, Action::Disable);
            step.evidence = Some(Evidence::data(Grade::Disabled));
            step.doubtful = self.doubtful(subject);
            self.step(step);
        }
    }

    /// What is lost only because many lost it at once is held apart: the rest goes on.
    fn update(
        &mut self,
        subject: SubjectId,
        kind: SubjectKind,
        content: &Arc<Content>,
        confirmed: &Arc<Content>,
    ) {
        let doubtful = self.doubtful(subject);
        let clears = clears(content, confirmed);
        let loses = !clears.is_empty() || content.name_key() != confirmed.name_key();
        if doubtful.is_empty() || !loses {
            self.step(update_step(subject, kind, content.clone(), confirmed));
            return;
        }
        let safe = without_losses(content, confirmed);
        if safe != **confirmed {
            self.step(update_step(subject, kind, Arc::new(safe), confirmed));
        }
        let mut held = update_step(subject, kind, content.clone(), confirmed);
        held.doubtful = doubtful;
        self.step(held);
    }

    fn gone(
        &mut self,
        subject: SubjectId,
        kind: SubjectKind,
        evidence: Evidence,
        link: &Link,
        needs_look_up: bool,
    ) {
        let leaving = link.leaving.unwrap_or_else(|| leaver::first_seen(evidence, self.input.now));
        if leaving.steps_done > 0 {
            self.going.insert(subject);
        }
        let schedule: &[LeaverStep] = match kind {
            SubjectKind::User => &self.input.policy.users.leavers,
            SubjectKind::Group => &self.input.policy.groups.vanished,
        };
        let next = if self.input.projection.replaced.contains(&subject) {
            Next::Now(LeaverAction::Delete, u32::try_from(schedule.len()).unwrap_or(u32::MAX))
        } else {
            leaver::next(&leaving, schedule, self.input.freshness, self.input.now)
        };
        // Whether they left at all is asked at once, however long leavers have.
        let next = match (next, schedule.first()) {
            (Next::At(_), Some(first)) if needs_look_up && link.leaving.is_none() => {
                Next::Now(first.action, 1)
            }
            (next, _) => next,
        };
        if next == Next::Completion {
            self.note_due(self.input.now);
        }
        if matches!(next, Next::Nothing | Next::Completion) || !self.may_remove(subject, link) {
            return;
        }
        let evidence = self.graded(subject, kind, evidence, link);
        if link.leaving.is_none() && !needs_look_up {
            self.plan.leaving.insert(subject, Some(leaver::first_seen(evidence, self.input.now)));
        }
        match next {
            Next::Now(action, number) => {
                if let Some(due) = leaver::after(number, schedule, self.input.now) {
                    self.note_due(due);
                }
                // That the place is gone is believed once a first step was taken for it.
                let is_believed = leaving.steps_done > 0;
                self.leaver_step((subject, kind), (action, number), evidence, needs_look_up, is_believed);
            }
            Next::At(due) => {
                self.note_due(due);
                if self.plan.leaving.contains_key(&subject) {
                    self.plan.later.extend(schedule.first().map(|first| (subject, first.action)));
                    let doubtful = self.doubtful(subject);
                    if !doubtful.is_empty() {
                        self.plan.doubtful.insert(subject, doubtful);
                    }
                }
            }
            Next::Completion | Next::Nothing => {}
        }
    }

    fn leaver_step(
        &mut self,
        (subject, kind): (SubjectId, SubjectKind),
        (action, number): (LeaverAction, u32),
        evidence: Evidence,
        needs_look_up: bool,
        is_believed: bool,
    ) {
        let (phase, action) = match action {
            LeaverAction::Disable => (Phase::Disable, Action::Disable),
            LeaverAction::Empty => (Phase::Revoke, Action::Empty),
            LeaverAction::Unlink => (Phase::Delete, Action::Unlink),
            LeaverAction::Delete => (Phase::Delete, Action::Delete),
        };
        let mut planned = Planned::new(subject, kind, phase, action);
        planned.evidence = Some(evidence);
        planned.step_number = Some(number);
        planned.doubtful = self.doubtful(subject);
        planned.doubtful.retain(|field| !is_believed || Place::of(field).is_none());
        planned.needs_look_up = needs_look_up;
        planned.unprovable = needs_look_up && self.input.projection.unprovable.contains(&subject);
        self.going.insert(subject);
        self.step(planned);
    }

    /// Whether anything may be taken from this subject in this run at all.
    fn may_remove(&mut self, subject: SubjectId, link: &Link) -> bool {
        if self.is_protected(&link.confirmed) {
            self.plan.protected.push(subject);
            return false;
        }
        // The first run removes nothing, but what the directory itself says of an account is no guess
        // of ours.
        let stated = matches!(self.input.projection.users.get(&subject), Some(SubjectState::Keep(user)) if user.disabled);
        if self.input.first_run && !stated {
            // Somebody whom an interrupted first run created and who has left since: the next run's.
            self.note_due(self.input.now);
            return false;
        }
        self.input.freshness.fresh
    }

    fn is_protected(&self, content: &Content) -> bool {
        let protected = &self.input.policy.users.protected;
        match content {
            Content::User(user) => {
                let names = std::iter::once(&user.user_name).chain(&user.emails);
                !protected.is_empty()
                    && names.into_iter().any(|name| protected.contains(&name.to_lowercase()))
            }
            Content::Group(_) => false,
        }
    }

    /// Evidence, told apart by whether the last applied spec would have kept the subject. Whoever began to leave by
    /// an edit goes on so, though that edit counts as applied since: the directory has not said anything else.
    fn graded(&self, subject: SubjectId, kind: SubjectKind, evidence: Evidence, link: &Link) -> Evidence {
        let kept = |previous: &crate::sync::project::Projection| match kind {
            SubjectKind::User => !matches!(previous.users.get(&subject), None | Some(SubjectState::Gone(_))),
            SubjectKind::Group => {
                !matches!(previous.groups.get(&subject), None | Some(SubjectState::Gone(_)))
            }
        };
        let began = link.leaving.is_some_and(|leaving| {
            leaving.evidence.configuration && leaving.evidence.grade == evidence.grade
        });
        let by_edit = match self.input.previous {
            Previous::Same => false,
            Previous::Other(previous) => kept(previous),
            Previous::Unknown => true,
        };
        let configuration = evidence.configuration || began || by_edit;
        Evidence { configuration, ..evidence }
    }

    fn doubtful(&self, subject: SubjectId) -> Vec<String> {
        self.input.projection.doubtful.get(&subject).cloned().unwrap_or_default()
    }

    fn note_due(&mut self, due: Timestamp) {
        self.plan.note_due(due);
    }

    fn step(&mut self, step: Planned) {
        self.plan.steps.push(step);
    }
}

fn update_step(subject: SubjectId, kind: SubjectKind, content: Arc<Content>, confirmed: &Content) -> Planned {
    let renames = content.name_key() != confirmed.name_key();
    let clears = clears(&content, confirmed);
    Planned::new(subject, kind, Phase::of_content(kind), Action::Update { content, renames, clears })
}

/// Attributes that had a value and get none.
fn clears(content: &Content, confirmed: &Content) -> Vec<String> {
    let lost = confirmed.attributes().keys().filter(|name| !content.attributes().contains_key(*name));
    let mut clears: Vec<String> = lost.cloned().collect();
    if let (Content::User(now), Content::User(before)) = (content, confirmed)
        && before.emails.iter().any(|email| !now.emails.contains(email))
    {
        clears.push("emails".to_owned());
    }
    clears
}

/// The content, with what would be lost kept as it was: names and addresses among it.
fn without_losses(content: &Content, confirmed: &Content) -> Content {
    let mut safe = content.clone();
    match (&mut safe, confirmed) {
        (Content::User(safe), Content::User(before)) => {
            safe.user_name.clone_from(&before.user_name);
            safe.emails.clone_from(&before.emails);
            for (name, value) in &before.attributes {
                safe.attributes.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        (Content::Group(safe), Content::Group(before)) => {
            safe.display_name.clone_from(&before.display_name);
            for (name, value) in &before.attributes {
                safe.attributes.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        _ => {}
    }
    safe
}
