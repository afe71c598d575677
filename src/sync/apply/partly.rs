//! The effect of a change of members that was done in part. Pure.

use std::collections::HashMap;

use roaring::RoaringBitmap;

use super::wave::Task;
use crate::directory::{RefusedMember, SubjectId, TargetError, TargetId};
use crate::store::journal::{Effect, Verb};
use crate::store::link::{Link, Subjects};
use crate::sync::guard;

/// Takes the members that were refused out of what was done; returns who they are, each with the reason.
pub(super) fn without(
    effect: &mut Effect,
    task: &Task<'_>,
    refused: Vec<RefusedMember>,
    before: Option<&Link>,
    subjects: &Subjects,
) -> Vec<(SubjectId, TargetError)> {
    let (Some(link), Some(before)) = (&mut effect.link, before) else { return Vec::new() };
    let these = asked(task, before);
    let why: HashMap<TargetId, TargetError> = refused.into_iter().map(|one| (one.member, one.why)).collect();
    let target_of = |member: u32| subjects.link(SubjectId(member)).map(|link| &link.target);
    let refused: RoaringBitmap =
        these.iter().filter(|member| target_of(*member).is_some_and(|id| why.contains_key(id))).collect();
    match effect.verb {
        Verb::AddMembers => link.members -= &refused - &before.members,
        _ => link.members |= &refused & &before.members,
    }
    if effect.verb == Verb::Empty {
        // The group is not empty: the step is still to be done.
        effect.verb = Verb::RemoveMembers;
        link.leaving = before.leaving;
    }
    effect.spends = guard::spends(task.step, Some(&(&these - &refused)));
    let named = |member| Some((SubjectId(member), why.get(target_of(member)?)?.clone()));
    refused.iter().filter_map(named).collect()
}

/// The members that the operation was about; emptying a group is about all of them.
fn asked(task: &Task<'_>, before: &Link) -> RoaringBitmap {
    task.members().unwrap_or(&before.members).clone()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rstest::rstest;

    use super::*;
    use crate::directory::{
        Anchor, Content, DirectoryId, GroupContent, Key, Owner, SubjectKind, TargetReason,
    };
    use crate::store::link::Subject;
    use crate::sync::plan::{Action, Phase, Planned, Removal};

    fn bits(members: &[u32]) -> RoaringBitmap {
        members.iter().copied().collect()
    }

    fn link(id: u32, members: &[u32]) -> Link {
        Link {
            target: TargetId(format!("t{id}").into()),
            confirmed: Arc::new(Content::Group(GroupContent::default())),
            active: true,
            members: bits(members),
            leaving: None,
        }
    }

    fn remove() -> Action {
        Action::RemoveMembers(Box::new(Removal { ended: bits(&[2, 3]), ..Removal::default() }))
    }

    #[rstest]
    #[case::add(Action::AddMembers(bits(&[4, 5, 6])), &[2, 3, 4, 5, 6], &["t5"], &[2, 3, 4, 6], Verb::AddMembers)]
    // One that was there before stays, whatever is said of it now.
    #[case::add_again(Action::AddMembers(bits(&[3, 4])), &[2, 3, 4], &["t3"], &[2, 3, 4], Verb::AddMembers)]
    #[case::remove(remove(), &[], &["t2"], &[2], Verb::RemoveMembers)]
    #[case::empty(Action::Empty, &[], &["t3"], &[3], Verb::RemoveMembers)]
    #[case::of_nobody(remove(), &[], &["t77"], &[], Verb::RemoveMembers)]
    fn what_was_refused_is_as_before(
        #[case] action: Action,
        #[case] wanted: &[u32],
        #[case] refused: &[&str],
        #[case] left: &[u32],
        #[case] verb: Verb,
    ) {
        let subject = |id: u32| {
            let key =
                Key::new(&Owner::new("test", "all"), &DirectoryId::new("d"), &Anchor::new(format!("a{id}")));
            let link = Some(link(id, &[]));
            (
                SubjectId(id),
                Subject { id: SubjectId(id), kind: SubjectKind::User, key, anchors: vec![], link },
            )
        };
        let subjects = Subjects { by_id: (2..8).map(subject).collect(), next: 9 };
        let before = link(1, &[2, 3]);
        let step = Planned::new(SubjectId(1), SubjectKind::Group, Phase::Members, action);
        let did = match &step.action {
            Action::AddMembers(_) => Verb::AddMembers,
            Action::Empty => Verb::Empty,
            _ => Verb::RemoveMembers,
        };
        let mut effect = Effect {
            subject: SubjectId(1),
            verb: did,
            link: Some(link(1, wanted)),
            spends: Vec::new(),
            approved: false,
        };
        let why = |member: &&str| RefusedMember {
            member: TargetId((*member).into()),
            why: TargetError::new(TargetReason::Refused, "no such member").in_its_words("of ada"),
        };
        let refused = refused.iter().map(why).collect();
        let named = without(&mut effect, &Task::whole(&step), refused, Some(&before), &subjects);
        assert_eq!((effect.verb, effect.link.unwrap().members), (verb, bits(left)));
        assert!(named.iter().all(|(_, why)| why.in_full() == "no such member: of ada"));
        assert_eq!(named.is_empty(), left.is_empty());
    }
}
