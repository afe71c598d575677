//! Adoption: decides whether an existing object at the target may be linked.

use super::ask;
use super::state::{Apply, Open};
use crate::directory::{Content, Match, Operation, TargetId, TargetObject};
use crate::store::StoreError;
use crate::store::journal::Verb;
use crate::store::link::Ownership;
use crate::sync::blocking;
use crate::sync::plan::Action;
use crate::sync::policy::{Adopt, MatchBy};
use crate::target::{Target, TargetError};

/// Why nothing was found that could be adopted.
enum Unclear {
    /// The target cannot be asked.
    Unanswered(String),
    /// The answer is no reason to act.
    Ambiguous(String),
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
        let mut kept = Vec::with_capacity(open.len());
        for mut one in open.drain(..) {
            if !matches!(one.operation, Some(Operation::Create { .. })) {
                kept.push(one);
                continue;
            }
            match self.existing(&one).await {
                Ok(None) => kept.push(one),
                Ok(Some(found)) => match self.judge(&found, &one).await {
                    Ok(()) => {
                        self.take_over(&mut one, found);
                        kept.push(one);
                    }
                    Err(why) => self.reject(&one, why),
                },
                Err(Unclear::Ambiguous(why)) => self.reject(&one, why),
                Err(Unclear::Unanswered(why)) => {
                    self.report.failed.get_or_insert(why);
                }
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
            Err(Unclear::Ambiguous(why) | Unclear::Unanswered(why)) => Adoption::Leave(why),
        }
    }

    /// Nothing can be done about a name but to say whose it is.
    async fn taken(&self, one: &Open<'_>, name: &str) -> Adoption {
        let holders = ask::find(self.context.target, one.task.step.kind, Match::Name(name.to_owned())).await;
        let mut ours = false;
        for found in holders.unwrap_or_default() {
            ours |= self.claim(&found.id).await.is_ok_and(|claim| claim == Some(Ownership::Ours));
        }
        Adoption::Leave(if ours {
            format!(
                "the target's object {name} still belongs to another entry, which left or was renamed; this one waits \
                 until that object is renamed or deleted"
            )
        } else {
            format!(
                "the target has another object with the name {name}; rename or remove that object, or give this entry \
                 a different name in the directory"
            )
        })
    }

    /// The object that bears our key, else the first that the policy's match rules find.
    async fn existing(&self, one: &Open<'_>) -> Result<Option<TargetObject>, Unclear> {
        let Action::Create(content) = &one.task.step.action else { return Ok(None) };
        let Some(Operation::Create { key, .. }) = &one.operation else { return Ok(None) };
        let rules = match content.as_ref() {
            Content::User(_) => &self.context.policy.users.adopt,
            Content::Group(_) => &self.context.policy.groups.adopt,
        };
        let mut matches = vec![Match::Key(*key)];
        if let Adopt::By(rules) = rules {
            matches.extend(rules.iter().filter_map(|rule| match_of(*rule, content)));
        }
        for by in matches {
            let unanswered = |error: TargetError| Unclear::Unanswered(error.to_string());
            let all = ask::find(self.context.target, one.task.step.kind, by).await.map_err(unanswered)?;
            let mut found = Vec::with_capacity(all.len());
            for one in all {
                // What belongs to another of our entries (one that left may still have the address) is nobody's to adopt.
                if self.claim(&one.id).await.map_err(Unclear::Unanswered)? != Some(Ownership::Ours) {
                    found.push(one);
                }
            }
            match found.len() {
                0 => {}
                1 => return Ok(found.pop()),
                // Which of them it should be is not for us to guess.
                several => {
                    return Err(Unclear::Ambiguous(format!(
                        "the target has {several} objects that match {}; remove all but one of them",
                        content.name()
                    )));
                }
            }
        }
        Ok(None)
    }

    /// Whether the object may be ours.
    async fn judge(&self, found: &TargetObject, one: &Open<'_>) -> Result<(), String> {
        let Some(Operation::Create { key, .. }) = &one.operation else { return Ok(()) };
        if let Some(Ownership::Of(owner)) = self.claim(&found.id).await? {
            return Err(format!(
                "the target's object {} belongs to the policy {owner}; put this entry into the scope of only one of \
                 the two policies",
                found.content.name()
            ));
        }
        match found.key {
            Some(theirs) if theirs != *key => Err(format!(
                "the target's object {} has the key of another policy or of another directory entry; remove the one \
                 that is not wanted",
                found.content.name()
            )),
            _ => Ok(()),
        }
    }

    /// Which policy has the object.
    async fn claim(&self, object: &TargetId) -> Result<Option<Ownership>, String> {
        match self.claims.get(object) {
            Some(true) => Ok(Some(Ownership::Ours)),
            Some(false) => Ok(None),
            None => {
                let (store, place, object) = (self.context.store.clone(), self.context.place, object.clone());
                blocking(move || store.owner_of(place, &object)).await.map_err(|error| error.to_string())
            }
        }
    }

    /// Makes the object that was found ours, with the content that the new one would have had.
    fn take_over(&mut self, one: &mut Open<'_>, found: TargetObject) {
        let Some(Operation::Create { key, content }) = one.operation.take() else { return };
        // Somebody disabled it: the next plan sees that, and decides by its evidence.
        self.report.waiting += u64::from(!found.active);
        // From here on it is no other's to adopt.
        self.claims.insert(found.id.clone(), true);
        one.effect.verb = Verb::Adopt;
        if let Some(link) = &mut one.effect.link {
            link.target = found.id.clone();
            link.active = found.active;
        }
        one.operation = Some(Operation::Update { id: found.id, key, content });
    }
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
