//! Plans memberships to add and remove.

use roaring::RoaringBitmap;

use super::input::{Input, Previous};
use super::step::{Action, Going, Phase, Plan, Planned, Removal};
use crate::directory::{SubjectId, SubjectKind};
use crate::store::link::Link;
use crate::sync::project::{Group, SubjectState};

pub(super) fn plan(input: Input<'_>, going: &Going, plan: &mut Plan) {
    let (mut coming, mut emptied) = (RoaringBitmap::new(), RoaringBitmap::new());
    for step in &plan.steps {
        match step.action {
            Action::Create(_) => drop(coming.insert(step.subject.0)),
            Action::Empty => drop(emptied.insert(step.subject.0)),
            _ => {}
        }
    }
    // Its deletion was planned before, and was refused or held.
    let is_late = |subject: SubjectId, link: &Link| {
        let since = link.leaving.map(|leaving| leaving.since);
        since.is_some_and(|since| since < input.now) && !emptied.contains(subject.0)
    };
    let has_object =
        |member: u32| coming.contains(member) || input.subjects.link(SubjectId(member)).is_some();
    let leaving: RoaringBitmap = going.iter().map(|subject| subject.0).collect();
    for (subject, verdict) in &input.projection.groups {
        let link = input.subjects.link(*subject);
        match (verdict, link) {
            (SubjectState::Keep(group), _) => {
                if link.is_none() && !coming.contains(subject.0) {
                    continue;
                }
                let added = match link {
                    // Whoever is created in this plan cannot be a member yet.
                    Some(link) => &group.members - (&link.members - &coming),
                    None => group.members.clone(),
                };
                let added: RoaringBitmap = added.into_iter().filter(|member| has_object(*member)).collect();
                if !added.is_empty() {
                    let action = Action::AddMembers(added);
                    plan.steps.push(Planned::new(*subject, SubjectKind::Group, Phase::Members, action));
                }
                if let Some(link) = link {
                    let waits = input.first_run && !link.members.is_subset(&group.members);
                    if waits || group.awaits {
                        // The first run removes nothing, and what a newer read tells comes with that.
                        plan.note_due(input.now);
                    }
                    remove(input, *subject, removal(input, *subject, group, link, &leaving), plan);
                }
            }
            // Whoever leaves is taken out of every group that we put them into, also of one that should have gone before.
            (SubjectState::Frozen | SubjectState::Gone(_), Some(link))
                if !going.contains(subject) || is_late(*subject, link) =>
            {
                let following = &link.members & &leaving;
                remove(input, *subject, Removal { following, ..Removal::default() }, plan);
            }
            _ => {}
        }
    }
}

fn remove(input: Input<'_>, group: SubjectId, removal: Removal, plan: &mut Plan) {
    if removal.ended.is_empty() && removal.following.is_empty() {
        return;
    }
    let mut step =
        Planned::new(group, SubjectKind::Group, Phase::Revoke, Action::RemoveMembers(removal.into()));
    step.doubtful = input.projection.doubtful.get(&group).cloned().unwrap_or_default();
    plan.steps.push(step);
}

fn removal(
    input: Input<'_>,
    subject: SubjectId,
    group: &Group,
    link: &Link,
    leaving: &RoaringBitmap,
) -> Removal {
    let out = &link.members - &group.members;
    let mut removal = Removal { following: &out & leaving, ..Removal::default() };
    if input.first_run || !input.freshness.fresh {
        return removal;
    }
    for member in &out - &group.unproven - leaving {
        // Nothing is known about somebody who is not kept and does not leave now; who has no object any
        // more has no membership either.
        match (verdict_of(input, SubjectId(member)), input.subjects.link(SubjectId(member))) {
            (Some(MemberState::Kept), Some(_)) => drop(removal.ended.insert(member)),
            (_, None) => drop(removal.following.insert(member)),
            (Some(MemberState::Other) | None, Some(_)) => {}
        }
    }
    removal.weak = &removal.ended & &group.weak;
    match input.previous {
        Previous::Same => {}
        Previous::Other(previous) => {
            if let Some(SubjectState::Keep(before)) = previous.groups.get(&subject) {
                removal.configuration = &removal.ended & &before.members;
            }
        }
        Previous::Unknown => removal.configuration.clone_from(&removal.ended),
    }
    removal
}

enum MemberState {
    Kept,
    Other,
}

fn verdict_of(input: Input<'_>, member: SubjectId) -> Option<MemberState> {
    let kept = match (input.projection.users.get(&member), input.projection.groups.get(&member)) {
        (Some(verdict), _) => matches!(verdict, SubjectState::Keep(_) | SubjectState::Frozen),
        (None, Some(verdict)) => matches!(verdict, SubjectState::Keep(_) | SubjectState::Frozen),
        (None, None) if input.projection.at_rest.contains(member.0) => true,
        (None, None) => return None,
    };
    Some(if kept { MemberState::Kept } else { MemberState::Other })
}
