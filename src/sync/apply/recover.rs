//! Recovers operations without an answer, after a crash or an outage: looks at the target to find out what was done.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::ask;
use super::effect::bring_up_to_date;
use super::state::{Doubt, InDoubt};
use crate::clock::Clock;
use crate::directory::{Content, Match, SubjectId, SubjectKind, TargetId, TargetObject};
use crate::store::journal::{Done, Effect, Intent, IntentOutcome, Verb};
use crate::store::link::{Leaving, Link, Place, Subjects};
use crate::store::{Store, StoreError};
use crate::sync::blocking;
use crate::target::{Target, TargetError};

/// What came of looking at what was left open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// How many intents were settled.
    pub settled: usize,
    /// Whose intents stay open, because every look at their objects fails, and why: nothing is done to them.
    pub in_doubt: InDoubt,
}

/// Settles the open intents. Those of one object on which no look tells anything stay open. An error is what the target says
/// when it cannot be asked at all (then all stay open).
///
/// # Errors
/// When the store cannot be written (for example, the disk is full) or is damaged.
pub async fn recover<T: Target>(
    target: &T,
    store: &Store,
    place: Place,
    run: &str,
    clock: &dyn Clock,
) -> Result<Result<Recovered, TargetError>, StoreError> {
    let reader = store.clone();
    let intents = blocking(move || reader.open_intents(place)).await?;
    if intents.is_empty() {
        return Ok(Ok(Recovered::default()));
    }
    let reader = store.clone();
    let mut subjects = blocking(move || reader.subjects(place)).await?;
    let mut answers = look_at_all(target, &intents, &subjects).await;
    let (mut settled, mut along) = (Vec::with_capacity(intents.len()), BTreeSet::new());
    let mut in_doubt = InDoubt::default();
    for intent in intents {
        let (id, subject) = (intent.id, intent.effect.subject);
        // What comes after it builds on what became of it.
        if in_doubt.contains_key(&subject) {
            continue;
        }
        match look_with((target, store, place), &intent.effect, &subjects, answers.remove(&id)).await {
            Ok(mut effect) => {
                if let Some(link) = effect.as_mut().and_then(|effect| effect.link.as_mut()) {
                    let before = subjects.link(subject).and_then(|before| before.leaving);
                    link.leaving = link.leaving.map(|leaving| begun_again(before, leaving, clock.now()));
                }
                // Of one object several may be open; each builds on what the one before it left.
                let one = IntentOutcome { intent: Some(id), effect };
                let changed = bring_up_to_date(&mut subjects, std::slice::from_ref(&one));
                along.extend(changed.into_iter().map(|(group, _)| group));
                settled.push(one);
            }
            Err(error) if error.reason.is_of_all() => return Ok(Err(error)),
            Err(error) => {
                let link = intent.effect.link.as_ref().or_else(|| subjects.link(subject));
                let name = link.map(|link| link.confirmed.name().to_owned()).unwrap_or_default();
                in_doubt.insert(subject, Doubt { name, why: error.in_full() });
            }
        }
    }
    let count = settled.len();
    let along = along.into_iter().filter_map(|group| Some((group, subjects.link(group)?.clone()))).collect();
    let (store, run, done) = (store.clone(), run.to_owned(), Done { at: clock.now(), settled, along });
    blocking(move || store.settle(place, &run, &done)).await?;
    Ok(Ok(Recovered { settled: count, in_doubt }))
}

/// Where a leaver stands after a step of which it is not known when it was done: what they wait for counts from now on. The policy
/// may have been at another target since, and then all begins anew.
fn begun_again(before: Option<Leaving>, after: Leaving, now: Timestamp) -> Leaving {
    let is_done_since = before.is_none_or(|before| before.steps_done < after.steps_done);
    Leaving {
        since: before.map_or(now, |before| before.since),
        executed_at: after.executed_at.map(|at| if is_done_since { now } else { at }),
        ..after
    }
}

/// A question, and its answer.
type Answered = (Match, Result<Vec<TargetObject>, TargetError>);

/// Asks of everything that is open at once.
async fn look_at_all<T: Target>(
    target: &T,
    intents: &[Intent],
    subjects: &Subjects,
) -> HashMap<i64, Answered> {
    let mut answers = HashMap::with_capacity(intents.len());
    for kind in [SubjectKind::User, SubjectKind::Group] {
        let of_kind = intents.iter().filter(|intent| kind_of(&intent.effect, subjects) == Some(kind));
        let questions: Vec<(i64, Match)> = of_kind
            .filter_map(|intent| Some((intent.id, look_for(target, kind, &intent.effect, subjects)?)))
            .collect();
        let by: Vec<Match> = questions.iter().map(|(_, by)| by.clone()).collect();
        if by.is_empty() {
            continue;
        }
        let mut found = target.find(kind, &by).await;
        found.resize_with(by.len(), ask::no_answer);
        answers.extend(questions.into_iter().zip(found).map(|((id, by), found)| (id, (by, found))));
    }
    answers
}

/// Looks at the target for what became of something that was begun; `None` if it did not happen.
pub(super) async fn look<T: Target>(
    at: (&T, &Store, Place),
    effect: &Effect,
    subjects: &Subjects,
) -> Result<Option<Effect>, TargetError> {
    look_with(at, effect, subjects, None).await
}

/// The same, with an answer that is there already, if it is one to the question of now.
async fn look_with<T: Target>(
    at: (&T, &Store, Place),
    effect: &Effect,
    subjects: &Subjects,
    answered: Option<Answered>,
) -> Result<Option<Effect>, TargetError> {
    let (target, ..) = at;
    let Some(kind) = kind_of(effect, subjects) else { return Ok(None) };
    let Some(by) = look_for(target, kind, effect, subjects) else { return Ok(None) };
    let found = match answered.filter(|(asked, _)| *asked == by) {
        Some((_, found)) => found?,
        None => ask::find(target, kind, by).await?,
    };
    let found = match (effect.verb, &effect.link) {
        (Verb::Create, Some(link)) => ask::the_created(at, kind, &link.confirmed, found).await?,
        _ => found.into_iter().next(),
    };
    // Where an address is an account, one that was dropped may still be one although the object looks as wanted, so the update is
    // sent again.
    if found.is_some() && target.capabilities().addresses_are_accounts && drops_an_address(effect, subjects) {
        return Ok(None);
    }
    Ok(became(effect.clone(), found, subjects, |content| target.held(content)))
}

fn kind_of(effect: &Effect, subjects: &Subjects) -> Option<SubjectKind> {
    subjects.by_id.get(&effect.subject).map(|subject| subject.kind)
}

fn look_for<T: Target>(target: &T, kind: SubjectKind, effect: &Effect, subjects: &Subjects) -> Option<Match> {
    let subject = subjects.by_id.get(&effect.subject)?;
    match (effect.verb, &effect.link) {
        (Verb::Create, Some(link)) => Some(ask::created(target, kind, subject.key, &link.confirmed)),
        (Verb::Adopt, Some(link)) => Some(Match::Id(link.target.clone())),
        _ => subject.link.as_ref().map(|link| Match::Id(link.target.clone())),
    }
}

/// What became of it, given what the target shows now; `None` if it did not happen.
fn became(
    effect: Effect,
    found: Option<TargetObject>,
    subjects: &Subjects,
    held: impl Fn(&Content) -> Content,
) -> Option<Effect> {
    let before = subjects.link(effect.subject);
    match (found, effect.verb) {
        (None, Verb::Create | Verb::Adopt) | (Some(_), Verb::Delete) => None,
        (None, Verb::Delete) => Some(effect),
        (None, _) => Some(Effect { verb: Verb::Lost, link: None, spends: Vec::new(), ..effect }),
        (Some(found), _) => happened(effect, found, before, subjects, held),
    }
}

fn happened(
    mut effect: Effect,
    found: TargetObject,
    before: Option<&Link>,
    subjects: &Subjects,
    held: impl Fn(&Content) -> Content,
) -> Option<Effect> {
    let link = effect.link.as_mut()?;
    // A target may keep less than it is told.
    let is_as_wanted = found.content == held(&link.confirmed);
    let did = match effect.verb {
        Verb::Create => true,
        Verb::Adopt => {
            is_as_wanted || found.key == subjects.by_id.get(&effect.subject).map(|subject| subject.key)
        }
        Verb::Update | Verb::Release => is_as_wanted,
        // Where the target does not say, it is done again.
        Verb::Disable | Verb::Enable => found.active == Some(link.active),
        Verb::Empty | Verb::AddMembers | Verb::RemoveMembers => {
            let before = &before?.members;
            let there = members(&found, &(before | &link.members), subjects)?;
            // What we put in, and what we would have: as far as it is there now.
            link.members = (before | &link.members) & there;
            // That somebody else took a member out meanwhile does not make a group empty.
            if effect.verb == Verb::Empty { link.members.is_empty() } else { link.members != *before }
        }
        Verb::Delete | Verb::Unlink | Verb::Lost => false,
    };
    link.target = found.id;
    if matches!(effect.verb, Verb::Create | Verb::Adopt) {
        if !is_as_wanted {
            link.confirmed = Arc::new(found.content);
        }
        link.active = found.active.unwrap_or(true);
    }
    did.then_some(effect)
}

/// Whether it is a change of a user who has an e-mail address less after it.
fn drops_an_address(effect: &Effect, subjects: &Subjects) -> bool {
    let emails = |link: Option<&Link>| match link.map(|link| &*link.confirmed) {
        Some(Content::User(user)) => user.emails.iter().map(|email| email.to_lowercase()).collect(),
        _ => BTreeSet::new(),
    };
    matches!(effect.verb, Verb::Update | Verb::Release)
        && !emails(subjects.link(effect.subject)).is_subset(&emails(effect.link.as_ref()))
}

/// Which of these are in the group at the target.
fn members(found: &TargetObject, of: &RoaringBitmap, subjects: &Subjects) -> Option<RoaringBitmap> {
    let there: HashSet<&TargetId> = found.members.as_ref()?.iter().collect();
    let is_there =
        |member: &u32| subjects.link(SubjectId(*member)).is_some_and(|link| there.contains(&link.target));
    Some(of.iter().filter(is_there).collect())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::directory::{Anchor, DirectoryId, Evidence, Grade, GroupContent, Key, Owner, UserContent};
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
    fn a_user_was_disabled_if_the_target_says_so() {
        let one = subject(1, SubjectKind::User, &[]);
        let subjects = Subjects { by_id: [(one.id, one)].into_iter().collect(), next: 2 };
        let before = subjects.link(SubjectId(1)).unwrap();
        let was_disabled = |active: Option<bool>| {
            let link = Some(Link { active: false, ..before.clone() });
            let effect = Effect {
                subject: SubjectId(1),
                verb: Verb::Disable,
                link,
                spends: Vec::new(),
                approved: false,
            };
            let (id, content) = (before.target.clone(), (*before.confirmed).clone());
            let found = TargetObject { id, key: None, content, active, members: None };
            happened(effect, found, Some(before), &subjects, Content::clone).is_some()
        };
        assert_eq!([Some(false), Some(true), None].map(was_disabled), [true, false, false]);
    }

    #[test]
    fn an_address_is_dropped_when_it_is_not_kept_in_any_case() {
        let link = |emails: &[&str]| {
            let emails = emails.iter().map(|email| (*email).to_owned()).collect();
            let user = UserContent { user_name: "ada".to_owned(), emails, ..UserContent::default() };
            Link {
                target: TargetId("t1".into()),
                confirmed: Arc::new(Content::User(user)),
                active: true,
                members: RoaringBitmap::new(),
                leaving: None,
            }
        };
        let mut one = subject(1, SubjectKind::User, &[]);
        one.link = Some(link(&["ada@corp.example", "a@corp.example"]));
        let subjects = Subjects { by_id: [(one.id, one)].into_iter().collect(), next: 2 };
        let drops = |verb: Verb, emails: &[&str]| {
            let link = Some(link(emails));
            let effect = Effect { subject: SubjectId(1), verb, link, spends: Vec::new(), approved: false };
            drops_an_address(&effect, &subjects)
        };
        assert!(drops(Verb::Update, &["ada@corp.example"]));
        assert!(!drops(Verb::Update, &["new@corp.example", "A@corp.example", "ada@corp.example"]));
        assert!(!drops(Verb::Disable, &[]));
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
                active: Some(true),
                members: Some(there.iter().map(|id| TargetId((*id).into())).collect()),
            };
            happened(effect, found, Some(before), &subjects, Content::clone).is_some()
        };
        assert!(was_emptied(&[]) && was_emptied(&["somebody-elses"]));
        assert!(!was_emptied(&["t2", "t3"]));
        assert!(!was_emptied(&["t2"]), "somebody else took the other out");
    }

    fn leaving(since: i64, steps_done: u32, executed_at: Option<i64>) -> Leaving {
        let at = |hours: i64| Timestamp::from_second(hours * 3600).unwrap();
        let evidence = Evidence::data(Grade::Absent);
        Leaving { since: at(since), evidence, steps_done, executed_at: executed_at.map(at), completion: 7 }
    }

    #[rstest]
    #[case::the_first_step(Some(leaving(1, 0, None)), leaving(1, 1, Some(2)), leaving(1, 1, Some(9)))]
    #[case::a_later_step(Some(leaving(1, 1, Some(2))), leaving(1, 2, Some(5)), leaving(1, 2, Some(9)))]
    #[case::something_else(Some(leaving(1, 1, Some(2))), leaving(1, 1, Some(2)), leaving(1, 1, Some(2)))]
    #[case::before_it_came_back(None, leaving(1, 1, Some(2)), leaving(9, 1, Some(9)))]
    #[case::something_else_before_it_came_back(None, leaving(1, 0, None), leaving(9, 0, None))]
    fn what_a_leaver_waits_for_counts_from_when_it_is_known(
        #[case] before: Option<Leaving>,
        #[case] after: Leaving,
        #[case] then: Leaving,
    ) {
        assert_eq!(begun_again(before, after, Timestamp::from_second(9 * 3600).unwrap()), then);
    }
}
