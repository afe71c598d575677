//! Recovers operations without an answer, after a crash or an outage: looks at the target to find out what was done.

use std::collections::HashMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::ask;
use super::effect::bring_up_to_date;
use crate::clock::Clock;
use crate::directory::{Match, SubjectId, TargetId, TargetObject};
use crate::store::journal::{Done, Effect, IntentOutcome, Verb};
use crate::store::link::{Link, Place, Subjects};
use crate::store::{Store, StoreError};
use crate::sync::blocking;
use crate::target::{Target, TargetError};

/// Settles every open intent. Returns how many there were, or what the target says when it cannot be asked (then they
/// stay open).
///
/// # Errors
/// When the store cannot be written (for example, the disk is full) or is damaged.
pub async fn recover<T: Target>(
    target: &T,
    store: &Store,
    place: Place,
    run: &str,
    clock: &dyn Clock,
) -> Result<Result<usize, String>, StoreError> {
    let reader = store.clone();
    let intents = blocking(move || reader.open_intents(place)).await?;
    if intents.is_empty() {
        return Ok(Ok(0));
    }
    let reader = store.clone();
    let mut subjects = blocking(move || reader.subjects(place)).await?;
    let mut settled = Vec::with_capacity(intents.len());
    for intent in intents {
        match look(target, &intent.effect, &subjects).await {
            Ok(effect) => {
                // Of one object several may be open; each builds on what the one before it left.
                let one = IntentOutcome { intent: Some(intent.id), effect };
                bring_up_to_date(&mut subjects, std::slice::from_ref(&one));
                settled.push(one);
            }
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
    let count = settled.len();
    let groups = subjects.by_id.values().filter_map(|subject| Some((subject.id, subject.link.clone()?)));
    let along: Vec<(SubjectId, Link)> = groups.filter(|(_, link)| !link.members.is_empty()).collect();
    let (store, run, done) = (store.clone(), run.to_owned(), Done { at: clock.now(), settled, along });
    blocking(move || store.settle(place, &run, &done)).await?;
    Ok(Ok(count))
}

/// Looks at the target for what became of something that was begun; `None` if it did not happen.
pub(super) async fn look<T: Target>(
    target: &T,
    effect: &Effect,
    subjects: &Subjects,
) -> Result<Option<Effect>, TargetError> {
    let kind = subjects.by_id.get(&effect.subject).map(|subject| subject.kind);
    let (Some(kind), Some(by)) = (kind, look_for(effect, subjects)) else { return Ok(None) };
    let found = ask::find(target, kind, by).await?;
    Ok(became(effect.clone(), found.into_iter().next(), subjects))
}

fn look_for(effect: &Effect, subjects: &Subjects) -> Option<Match> {
    let subject = subjects.by_id.get(&effect.subject)?;
    match effect.verb {
        Verb::Create => Some(Match::Key(subject.key)),
        Verb::Adopt => effect.link.as_ref().map(|link| Match::Id(link.target.clone())),
        _ => subject.link.as_ref().map(|link| Match::Id(link.target.clone())),
    }
}

/// What became of it, given what the target shows now; `None` if it did not happen.
fn became(effect: Effect, found: Option<TargetObject>, subjects: &Subjects) -> Option<Effect> {
    let before = subjects.link(effect.subject);
    match (found, effect.verb) {
        (None, Verb::Create | Verb::Adopt) | (Some(_), Verb::Delete) => None,
        (None, Verb::Delete) => Some(effect),
        (None, _) => Some(Effect { verb: Verb::Lost, link: None, spends: Vec::new(), ..effect }),
        (Some(found), _) => happened(effect, found, before, subjects),
    }
}

fn happened(
    mut effect: Effect,
    found: TargetObject,
    before: Option<&Link>,
    subjects: &Subjects,
) -> Option<Effect> {
    let link = effect.link.as_mut()?;
    let did = match effect.verb {
        Verb::Create => true,
        Verb::Adopt => found.key == subjects.by_id.get(&effect.subject).map(|subject| subject.key),
        Verb::Update | Verb::Release => found.content == *link.confirmed,
        Verb::Disable | Verb::Enable => found.active == link.active,
        Verb::Empty | Verb::AddMembers | Verb::RemoveMembers => {
            let (there, before) = (members(&found, subjects)?, &before?.members);
            // What we put in, and what we would have: as far as it is there now.
            link.members = (before | &link.members) & there;
            // That somebody else took a member out meanwhile does not make a group empty.
            if effect.verb == Verb::Empty { link.members.is_empty() } else { link.members != *before }
        }
        Verb::Delete | Verb::Unlink | Verb::Lost => false,
    };
    link.target = found.id;
    if matches!(effect.verb, Verb::Create | Verb::Adopt) {
        link.confirmed = Arc::new(found.content);
        link.active = found.active;
    }
    did.then_some(effect)
}

/// Which of ours are in the group at the target.
fn members(found: &TargetObject, subjects: &Subjects) -> Option<RoaringBitmap> {
    let by_target: HashMap<&TargetId, u32> = subjects
        .by_id
        .values()
        .filter_map(|subject| Some((&subject.link.as_ref()?.target, subject.id.0)))
        .collect();
    let members = found.members.as_ref()?;
    Some(members.iter().filter_map(|member| by_target.get(member).copied()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{Anchor, Content, DirectoryId, GroupContent, Key, Owner, SubjectKind};
    use crate::store::link::Subject;

    fn subject(id: u32, kind: SubjectKind, members: &[u32]) -> Subject {
        let link = Link {
            target: TargetId(format!("t{id}").into()),
            confirmed: Arc::new(Content::Group(GroupContent::default())),
            active: true,
            members: members.iter().copied().collect(),
            leaving: None,
        };
        let anchor = Anchor::new(format!("a{id}"));
        let key = Key::new(&Owner::new("test", "all"), &DirectoryId::new("d"), &anchor);
        Subject { id: SubjectId(id), kind, key, anchors: Vec::new(), link: Some(link) }
    }

    #[test]
    fn a_group_was_emptied_when_none_of_ours_is_left_in_it() {
        let all = [
            subject(1, SubjectKind::Group, &[2, 3]),
            subject(2, SubjectKind::User, &[]),
            subject(3, SubjectKind::User, &[]),
        ];
        let subjects = Subjects { by_id: all.into_iter().map(|one| (one.id, one)).collect(), next: 4 };
        let before = subjects.link(SubjectId(1)).unwrap();
        let was_emptied = |there: &[&str]| {
            let link = Some(Link { members: RoaringBitmap::new(), ..before.clone() });
            let effect = Effect {
                subject: SubjectId(1),
                verb: Verb::Empty,
                link,
                spends: Vec::new(),
                approved: false,
            };
            let found = TargetObject {
                id: before.target.clone(),
                key: None,
                content: (*before.confirmed).clone(),
                active: true,
                members: Some(there.iter().map(|id| TargetId((*id).into())).collect()),
            };
            happened(effect, found, Some(before), &subjects).is_some()
        };
        assert!(was_emptied(&[]) && was_emptied(&["somebody-elses"]));
        assert!(!was_emptied(&["t2", "t3"]));
        assert!(!was_emptied(&["t2"]), "somebody else took the other out");
    }
}
