//! The effect of an operation at the target and in the store. Pure.

use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::wave::Task;
use crate::directory::{Content, Operation, SubjectId, SubjectKind, TargetId};
use crate::store::journal::{Effect, IntentOutcome, Verb};
use crate::store::link::{Leaving, Link, Subject, Subjects};
use crate::sync::guard;
use crate::sync::plan::{Action, Planned};

/// The operation, if the target has to hear of it, and its effect. `None` if nothing can be done now:
/// the object, or those who should be its members, are not there (yet).
pub(super) fn of(
    task: &Task<'_>,
    subjects: &Subjects,
    completion: u64,
    now: Timestamp,
) -> Option<(Option<Operation>, Effect)> {
    let step = task.step;
    let subject = subjects.by_id.get(&step.subject)?;
    let (verb, operation, link) = match (&step.action, &subject.link) {
        (Action::Create(content), None) => {
            let link = Link {
                target: TargetId(Arc::default()),
                confirmed: content.clone(),
                active: true,
                members: RoaringBitmap::new(),
                leaving: None,
            };
            let operation = Operation::Create { key: subject.key, content: content.clone() };
            (Verb::Create, Some(operation), Some(link))
        }
        (_, None) | (Action::Create(_), Some(_)) => return None,
        (action, Some(link)) => linked(task, action, subject, link, subjects)?,
    };
    let link = link.map(|link| with_step_done(link, step, completion, now));
    // Of a step in several parts, each part spends for its own members.
    let spends = guard::spends(step, task.members());
    Some((operation, Effect { subject: step.subject, verb, link, spends, approved: step.approved }))
}

fn linked(
    task: &Task<'_>,
    action: &Action,
    subject: &Subject,
    link: &Link,
    subjects: &Subjects,
) -> Option<(Verb, Option<Operation>, Option<Link>)> {
    let id = link.target.clone();
    let update = |content: &Arc<Content>| {
        let operation = Operation::Update {
            id: id.clone(),
            key: subject.key,
            content: content.clone(),
            before: Some(link.confirmed.clone()),
        };
        (Some(operation), Some(Link { confirmed: content.clone(), ..link.clone() }))
    };
    Some(match action {
        Action::Create(_) => return None,
        Action::Update { content, .. } => {
            let (operation, link) = update(content);
            (Verb::Update, operation, link)
        }
        Action::Release(content) => {
            let (operation, link) = update(content);
            (Verb::Release, operation, link)
        }
        Action::Disable => {
            let after = Link { active: false, ..link.clone() };
            (Verb::Disable, Some(Operation::SetActive { id, active: false }), Some(after))
        }
        Action::Enable => {
            let after = Link { active: true, ..link.clone() };
            (Verb::Enable, Some(Operation::SetActive { id, active: true }), Some(after))
        }
        Action::Empty => {
            let members = targets(subjects, &link.members);
            let operation = (!members.is_empty()).then_some(Operation::RemoveMembers { group: id, members });
            (Verb::Empty, operation, Some(Link { members: RoaringBitmap::new(), ..link.clone() }))
        }
        Action::Delete => (Verb::Delete, Some(Operation::Delete { kind: subject.kind, id }), None),
        Action::Unlink => (Verb::Unlink, None, None),
        Action::AddMembers(_) => {
            let these = task.members()?;
            let members = targets(subjects, these);
            if members.is_empty() {
                return None;
            }
            // Nearly always they are all there.
            let absent = these.iter().filter(|member| subjects.link(SubjectId(*member)).is_none());
            let these = these - absent.collect::<RoaringBitmap>();
            let after = Link { members: &link.members | these, ..link.clone() };
            (Verb::AddMembers, Some(Operation::AddMembers { group: id, members }), Some(after))
        }
        Action::RemoveMembers(_) => {
            let these = task.members()?;
            let members = targets(subjects, these);
            let operation = (!members.is_empty()).then_some(Operation::RemoveMembers { group: id, members });
            (Verb::RemoveMembers, operation, Some(Link { members: &link.members - these, ..link.clone() }))
        }
    })
}

/// The objects of those who have one.
fn targets(subjects: &Subjects, members: &RoaringBitmap) -> Vec<TargetId> {
    members.iter().filter_map(|member| Some(subjects.link(SubjectId(member))?.target.clone())).collect()
}

/// Notes which step of the schedule was done for a leaver.
fn with_step_done(mut link: Link, step: &Planned, completion: u64, now: Timestamp) -> Link {
    if let (Some(number), Some(evidence)) = (step.step_number, step.evidence) {
        let since = link.leaving.map_or(now, |leaving| leaving.since);
        link.leaving =
            Some(Leaving { since, evidence, steps_done: number, executed_at: Some(now), completion });
    }
    link
}

/// Brings `subjects` up to date; returns the groups whose members changed along, because objects that
/// were members are not there any more.
pub(in crate::sync) fn bring_up_to_date(
    subjects: &mut Subjects,
    settled: &[IntentOutcome],
) -> Vec<(SubjectId, Link)> {
    let mut gone = RoaringBitmap::new();
    for effect in settled.iter().filter_map(|one| one.effect.as_ref()) {
        if let Some(subject) = subjects.by_id.get_mut(&effect.subject) {
            subject.link.clone_from(&effect.link);
        }
        if effect.link.is_none() {
            gone.insert(effect.subject.0);
        }
    }
    if gone.is_empty() {
        return Vec::new();
    }
    let mut along = Vec::new();
    for subject in subjects.by_id.values_mut().filter(|subject| subject.kind == SubjectKind::Group) {
        if let Some(link) = &mut subject.link
            && !link.members.is_disjoint(&gone)
        {
            link.members -= &gone;
            along.push((subject.id, link.clone()));
        }
    }
    along
}
