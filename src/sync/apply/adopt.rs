//! Adoption: decides whether an existing object at the target may be linked.

use std::collections::VecDeque;

use super::ask;
use super::state::{Apply, Open};
use crate::directory::{Content, Key, Match, Operation, Owner, SubjectKind, TargetId, TargetObject};
use crate::store::StoreError;
use crate::store::journal::Verb;
use crate::store::link::{Ownership, Subject};
use crate::sync::policy::{Adopt, MatchBy};
use crate::target::{Target, TargetError};

/// Why nothing was found that could be adopted.
enum Unclear {
    /// The target cannot be asked.
    Unanswered(TargetError),
    /// The answer is no reason to act.
    Ambiguous(String),
}

/// A question about an object that may be there already.
enum Question {
    /// What is found is adopted.
    Adopts(Match),
    /// What is found is somebody else's.
    IsTaken(Match),
}

impl Question {
    fn by(&self) -> &Match {
        match self {
            Self::Adopts(by) | Self::IsTaken(by) => by,
        }
    }
}

/// The decision about an object whose name is taken.
pub(super) enum Adoption {
    /// The object that was found is made ours instead.
    Adopt,
    /// It is left as it is, for this reason.
    Leave(String),
}

impl<T: Target> Apply<'_, T> {
    /// Where somebody else can write, an object of ours may be there already: created before the store
    /// was lost, or by hand and to be adopted. Looked for first, so that no second one is made.
    pub(super) async fn adopt_before(&mut self, open: &mut Vec<Open<'_>>) -> Result<(), StoreError> {
        let is_create = |one: &Open<'_>| matches!(one.operation, Some(Operation::Create { .. }));
        let (creates, mut kept): (Vec<_>, Vec<_>) = open.drain(..).partition(is_create);
        let found = self.existing_of(&creates).await;
        for (mut one, found) in creates.into_iter().zip(found) {
            let found = match found {
                // Another of these has taken it meanwhile.
                Ok(Some(object)) if self.claims.get(&of(&object)) == Some(&true) => self.existing(&one).await,
                found => found,
            };
            match found {
                Ok(None) => kept.push(one),
                Ok(Some(found)) => match self.judge(&found, &one).await {
                    Ok(()) => {
                        self.take_over(&mut one, found);
                        kept.push(one);
                    }
                    Err(why) => self.reject(&one, why),
                },
                Err(Unclear::Ambiguous(why)) => self.reject(&one, why),
                Err(Unclear::Unanswered(error)) if error.reason.is_of_all() => {
                    self.report.failed.get_or_insert(error);
                }
                Err(Unclear::Unanswered(error)) => self.reject(&one, error.in_full()),
            }
        }
        *open = kept;
        Ok(())
    }

    /// A name that a create or a rename needs turned out to be taken.
    pub(super) async fn adopt(&mut self, one: &mut Open<'_>, name: &str) -> Adoption {
        if !matches!(one.operation, Some(Operation::Create { .. })) {
            return self.taken(one, name).await;
        }
        match self.existing(one).await {
            Ok(Some(found)) => match self.judge(&found, one).await {
                Ok(()) => {
                    self.take_over(one, found);
                    Adoption::Adopt
                }
                Err(why) => Adoption::Leave(why),
            },
            Ok(None) => self.taken(one, name).await,
            Err(Unclear::Ambiguous(why)) => Adoption::Leave(why),
            Err(Unclear::Unanswered(error)) => Adoption::Leave(error.in_full()),
        }
    }

    /// Nothing can be done about a name but to say whose it is.
    async fn taken(&self, one: &Open<'_>, name: &str) -> Adoption {
        let holders = ask::find(self.context.target, one.task.step.kind, Match::Name(name.to_owned())).await;
        let mut ours = false;
        for found in holders.unwrap_or_default() {
            ours |= self.claim(&found).await.is_ok_and(|claim| claim == Some(Ownership::Ours));
        }
        Adoption::Leave(if ours {
            format!(
                "the target's object {name} still belongs to another entry, which left or was renamed; this one waits \
                 until that object is renamed or deleted"
            )
        } else {
            taken_by_another(name)
        })
    }

    /// The object that bears our key, else the first that the policy's match rules find.
    async fn existing(&self, one: &Open<'_>) -> Result<Option<TargetObject>, Unclear> {
        self.existing_of(std::slice::from_ref(one)).await.pop().unwrap_or(Ok(None))
    }

    /// The same for many: of all the first question at once, then of those who have no answer the next one.
    async fn existing_of(&self, all: &[Open<'_>]) -> Vec<Result<Option<TargetObject>, Unclear>> {
        let mut questions: Vec<VecDeque<Question>> = all.iter().map(|one| self.questions(one)).collect();
        let mut found: Vec<_> = all.iter().map(|_| Ok(None)).collect();
        while questions.iter().any(|left| !left.is_empty()) {
            for kind in [SubjectKind::User, SubjectKind::Group] {
                let of_kind = all.iter().zip(&mut questions).enumerate();
                let of_kind = of_kind.filter(|(_, (one, _))| one.task.step.kind == kind);
                let asked: Vec<(usize, Question)> =
                    of_kind.filter_map(|(at, (_, left))| Some((at, left.pop_front()?))).collect();
                let by: Vec<Match> = asked.iter().map(|(_, question)| question.by().clone()).collect();
                if by.is_empty() {
                    continue;
                }
                let mut answers = self.context.target.find(kind, &by).await;
                answers.resize_with(by.len(), ask::no_answer);
                for ((at, question), answer) in asked.into_iter().zip(answers) {
                    let (Some(one), Some(found), Some(left)) =
                        (all.get(at), found.get_mut(at), questions.get_mut(at))
                    else {
                        continue;
                    };
                    *found = self.answered(one, &question, answer).await;
                    if !matches!(found, Ok(None)) {
                        left.clear();
                    }
                }
            }
        }
        found
    }

    /// What is asked before an object is created.
    fn questions(&self, one: &Open<'_>) -> VecDeque<Question> {
        let mut questions = VecDeque::new();
        let Some(Operation::Create { key, content }) = &one.operation else { return questions };
        let rules = match content.as_ref() {
            Content::User(_) => &self.context.policy.users.adopt,
            Content::Group(_) => &self.context.policy.groups.adopt,
        };
        let holds_key = ask::holds_key(self.context.target, one.task.step.kind);
        if holds_key {
            questions.push_back(Question::Adopts(Match::Key(*key)));
            questions.extend(self.keys_of_before(one).map(Match::Key).map(Question::Adopts));
        }
        if let Adopt::By(rules) = rules {
            let matches = rules.iter().filter_map(|rule| match_of(*rule, content));
            questions.extend(matches.map(Question::Adopts));
        }
        if !holds_key {
            // What bears the name now could not be told later from what the create makes.
            questions.push_back(Question::IsTaken(Match::Name(content.name().to_owned())));
        }
        questions
    }

    /// Keys that this entry would have by what its directory is called, and by each tree of it; none that another entry has.
    fn keys_of_before(&self, one: &Open<'_>) -> impl Iterator<Item = Key> {
        let subject = self.subjects.by_id.get(&one.task.step.subject);
        let of = |subject: &Subject| {
            let keys = subject.anchors.iter();
            let keys = keys.flat_map(|(directory, anchor)| {
                Key::of_before(&self.context.policy.owner, directory, anchor)
            });
            let others =
                || self.keys.get_or_init(|| self.subjects.by_id.values().map(|one| one.key).collect());
            keys.filter(|key| *key != subject.key && !others().contains(key)).collect::<Vec<_>>()
        };
        subject.map(of).unwrap_or_default().into_iter()
    }

    async fn answered(
        &self,
        one: &Open<'_>,
        question: &Question,
        answer: Result<Vec<TargetObject>, TargetError>,
    ) -> Result<Option<TargetObject>, Unclear> {
        let content = one.task.step.content();
        let name = content.map(Content::name).unwrap_or_default();
        let mut found = Vec::new();
        for object in answer.map_err(Unclear::Unanswered)? {
            // What belongs to another of our entries (one that left may still have the address) is nobody's to adopt.
            if self.claim(&object).await.map_err(Unclear::Unanswered)? != Some(Ownership::Ours) {
                found.push(object);
            }
        }
        match (found.len(), question) {
            (0, _) => Ok(None),
            (_, Question::IsTaken(_)) => Err(Unclear::Ambiguous(taken_by_another(name))),
            (1, Question::Adopts(_)) => Ok(found.pop()),
            // Which of them it should be is not for us to guess.
            (several, Question::Adopts(_)) => Err(Unclear::Ambiguous(format!(
                "the target has {several} objects that match {name}; remove all but one of them"
            ))),
        }
    }

    /// Whether the object may be ours.
    async fn judge(&mut self, found: &TargetObject, one: &Open<'_>) -> Result<(), String> {
        let Some(Operation::Create { key, .. }) = &one.operation else { return Ok(()) };
        if let Some(Ownership::Of(owner)) = self.claim(found).await.map_err(|error| error.in_full())? {
            return Err(self.belongs_to(owner, Some(&found.content)));
        }
        let is_ours = |theirs| theirs == *key || self.keys_of_before(one).any(|before| before == theirs);
        match found.key {
            Some(theirs) if !is_ours(theirs) => Err(format!(
                "the target's object {} has the key of another policy or of another directory entry; remove the one \
                 that is not wanted",
                found.content.name()
            )),
            _ => Ok(()),
        }
    }

    /// Says that something is another policy's.
    pub(super) fn belongs_to(&mut self, rival: Owner, content: Option<&Content>) -> String {
        let name = content.map(Content::name).unwrap_or_default();
        let why = format!(
            "the target's object {name} belongs to the policy {rival}; put this entry into the scope of only one of \
             the two policies"
        );
        self.report.rivals.insert(rival);
        why
    }

    /// Which policy has the object, or is about to make it its own.
    async fn claim(&self, found: &TargetObject) -> Result<Option<Ownership>, TargetError> {
        match self.claims.get(&of(found)) {
            Some(true) => Ok(Some(Ownership::Ours)),
            Some(false) => Ok(None),
            None => ask::owner_of(self.context.store, self.context.place, found).await,
        }
    }

    /// Makes the object that was found ours, with the content that the new one would have had.
    fn take_over(&mut self, one: &mut Open<'_>, found: TargetObject) {
        let Some(Operation::Create { key, content }) = one.operation.take() else { return };
        // Somebody disabled it: the next plan sees that, and decides by its evidence.
        self.report.waiting += u64::from(found.active == Some(false));
        // From here on it is no other's to adopt.
        self.claims.insert(of(&found), true);
        one.effect.verb = Verb::Adopt;
        if let Some(link) = &mut one.effect.link {
            link.target = found.id.clone();
            link.active = found.active.unwrap_or(true);
        }
        one.operation = Some(Operation::Update { id: found.id, key, content, before: None });
    }
}

/// Which object that is: a user and a group may have the same id.
fn of(object: &TargetObject) -> (SubjectKind, TargetId) {
    (object.content.kind(), object.id.clone())
}

fn taken_by_another(name: &str) -> String {
    format!(
        "the target has another object with the name {name}; rename or remove that object, or give this entry \
         a different name in the directory"
    )
}

fn match_of(rule: MatchBy, content: &Content) -> Option<Match> {
    match rule {
        // Our key was asked for already.
        MatchBy::ExternalId => None,
        MatchBy::Email => match content {
            Content::User(user) => user.emails.first().cloned().map(Match::Email),
            Content::Group(group) => group.attributes.get("mail").cloned().map(Match::Email),
        },
        MatchBy::Name => Some(Match::Name(content.name().to_owned())),
    }
}
