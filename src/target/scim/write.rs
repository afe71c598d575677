//! Changes objects: one at a time, each read back when it is the first of its kind.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::answer::Said;
use super::client::Client;
use super::dialect::{By, Deletion, Members, Update};
use super::learned::{Act, Learned};
use super::look::Looker;
use super::{patch, resource};
use crate::directory::{Content, Key, Outcome, SubjectKind, TargetError, TargetId, TargetReason};
use crate::net::http::Method;
use crate::target::Names;
use crate::target::refusal::{No, Refusal, doubt, not_begun, outcome};

/// So often a change is begun anew that others came before.
const TRIES: usize = 3;
/// So often it is looked whether something is done that was only accepted.
pub(super) const LOOKS: u32 = 5;
/// How long it is waited after the first of these looks; doubled each time.
pub(super) const FIRST_LOOK: Duration = Duration::from_millis(100);

/// What is said of an object that may be anybody's.
const NO_KEY: &str = "a create was answered with an object without externalId, and not with 201: it is left to its owner unless it may be \
                      adopted. If the service keeps no externalId, say so in the overrides of the target";

/// Who changes what.
pub(super) struct Writer<'a> {
    pub(super) client: &'a Client,
    pub(super) learned: &'a Learned,
    pub(super) looker: Looker<'a>,
    /// Attributes that may be cleared.
    pub(super) owned: &'a BTreeSet<String>,
    /// Whether the service gives versions to resources.
    pub(super) etag: bool,
}

/// What a change is to make of an object.
#[derive(Clone, Copy)]
pub(super) enum Aim<'a> {
    /// This, with our key; and active if it is one of ours that is made anew.
    Content { key: Key, content: &'a Content, enable: bool },
    /// Enabled or disabled.
    State(bool),
}

impl Aim<'_> {
    fn kind(&self) -> SubjectKind {
        match self {
            Self::Content { content: Content::Group(_), .. } => SubjectKind::Group,
            Self::Content { .. } | Self::State(_) => SubjectKind::User,
        }
    }

    fn act(&self) -> Act {
        match self {
            Self::Content { .. } => Act::Update(self.kind()),
            Self::State(_) => Act::State,
        }
    }
}

impl Writer<'_> {
    pub(super) async fn create(&self, key: Key, content: &Content) -> Outcome {
        let kind = kind_of(content);
        let dialect = self.learned.dialect();
        let names = match kind {
            SubjectKind::User => dialect.user_names,
            SubjectKind::Group => dialect.group_names,
        };
        // Where two may have one name, nobody but us notices that it is there.
        if names == Names::Shared {
            match self.ours(kind, key).await {
                Ok(Some(id)) => return self.again(&id, key, content).await,
                Ok(None) => {}
                Err(refusal) => return outcome(refusal),
            }
        }
        let body = resource::new(content, key, &dialect);
        let said = match self.client.send(Method::POST, &[self.looker.place(kind)], Some(&body), None).await {
            Ok(said) => said,
            Err(refusal) => return self.not_created(refusal, key, content).await,
        };
        match self.created(&said, kind, key, content).await {
            Ok(id) => Outcome::Done(id),
            Err(outcome) => outcome,
        }
    }

    /// The object that a yes to a create is about, after it was read back if that is due.
    async fn created(
        &self,
        said: &Said,
        kind: SubjectKind,
        key: Key,
        content: &Content,
    ) -> Result<TargetId, Outcome> {
        let id = said
            .body
            .as_ref()
            .and_then(resource::id)
            .or_else(|| Some(TargetId(self.client.id_in(said.location.as_deref()?)?.into())));
        let act = Act::Create(kind);
        let id = match id {
            // A service that gives one that is there in place of a new one does not say that it was created.
            Some(id) if said.is_done && said.status == 201 && self.learned.is_proven(act) => return Ok(id),
            Some(id) if said.is_done => id,
            // It says neither when nor where.
            _ => self.appears(kind, key, content).await?,
        };
        let dialect = self.learned.dialect();
        let shown = self.looker.by_id(kind, &id).await.map_err(doubt)?;
        let Some(shown) = shown else {
            let message = format!("{} says that it made the object, and it is not there", self.client.host());
            return Err(Outcome::Ambiguous(TargetError::new(TargetReason::NotDone, message)));
        };
        if self.is_given(&shown, said, kind, key) {
            return Err(Outcome::NameTaken(content.name().to_owned()));
        }
        let missing = resource::missing(&shown, content, Some(key), &dialect);
        if missing.iter().any(|name| matches!(*name, "userName" | "displayName")) {
            let message = format!("{} made an object with another name than it was told", self.client.host());
            return Err(Outcome::Rejected(TargetError::new(TargetReason::NotDone, message)));
        }
        if missing.contains(&"externalId") {
            let note = "externalId is not kept, so objects are found by their names and addresses";
            self.learned.learn(
                |dialect| match kind {
                    SubjectKind::User => dialect.keys.users = false,
                    SubjectKind::Group => dialect.keys.groups = false,
                },
                note,
            );
        }
        self.note_missing(&missing);
        if kind == SubjectKind::User && !resource::is_active(&shown) {
            return match self.change(&id, Aim::State(true)).await {
                Outcome::Done(id) => Ok(id),
                other => Err(other),
            };
        }
        self.learned.prove(act);
        Ok(id)
    }

    /// Whether an object that a create was answered with was there before, and is another's. Where keys are kept, or it was not said that it
    /// was created, one without a key is another's too: only what was created shows that none is kept.
    fn is_given(&self, shown: &Value, said: &Said, kind: SubjectKind, key: Key) -> bool {
        let dialect = self.learned.dialect();
        match resource::text(shown, "externalId") {
            Some(bears) => dialect.holds_key(kind) && !resource::same(bears, &key.to_string()),
            None if !self.learned.keeps_keys_as_given(kind) => false,
            None if said.status != 201 => {
                self.learned.note(NO_KEY);
                true
            }
            None => dialect.holds_key(kind) && self.learned.is_proven(Act::Create(kind)),
        }
    }

    /// Waits for an object that was promised, and not for long.
    async fn appears(&self, kind: SubjectKind, key: Key, content: &Content) -> Result<TargetId, Outcome> {
        let mut wait = FIRST_LOOK;
        for _ in 0..LOOKS {
            let found = self.looker.by(kind, By::Name, content.name()).await.map_err(doubt)?;
            let holds_key = self.learned.dialect().holds_key(kind);
            let ours = found.iter().find(|object| !holds_key || resource::key_of(object) == Some(key));
            if let Some(id) = ours.and_then(resource::id) {
                return Ok(id);
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        let message = format!("{} accepted the object and has not made it yet", self.client.host());
        Err(Outcome::Ambiguous(TargetError::new(TargetReason::NoAnswer, message)))
    }

    /// What a no to a create means: the object may be there, from before or all the same.
    async fn not_created(&self, refusal: Refusal, key: Key, content: &Content) -> Outcome {
        let kind = kind_of(content);
        let is_taken = refusal.no == No::Taken;
        if !matches!(refusal.no, No::Taken | No::Unknown) {
            return outcome(refusal);
        }
        match self.ours(kind, key).await {
            Ok(Some(id)) => return self.again(&id, key, content).await,
            Ok(None) => {}
            Err(_) if !is_taken => return outcome(refusal),
            Err(looked) => return outcome(looked),
        }
        if is_taken {
            return Outcome::NameTaken(content.name().to_owned());
        }
        // Some services fail where a name is taken.
        match self.looker.by(kind, By::Name, content.name()).await {
            Ok(found) if found.iter().any(|object| self.is_others(object, kind, key)) => {
                Outcome::NameTaken(content.name().to_owned())
            }
            _ => outcome(refusal),
        }
    }

    /// The one object that bears our key.
    async fn ours(&self, kind: SubjectKind, key: Key) -> Result<Option<TargetId>, Refusal> {
        if !self.learned.dialect().holds_key(kind) {
            return Ok(None);
        }
        let found = self.looker.by(kind, By::Key, &key.to_string()).await?;
        let ids: Vec<_> = found.iter().filter_map(resource::id).collect();
        match ids.as_slice() {
            [] => Ok(None),
            [id] => Ok(Some(id.clone())),
            _ => {
                let message = format!(
                    "{} objects of {} bear the same key of ours; delete all but one",
                    ids.len(),
                    self.client.host()
                );
                Err(Refusal::new(No::Refused, TargetReason::Refused, message))
            }
        }
    }

    fn is_others(&self, object: &Value, kind: SubjectKind, key: Key) -> bool {
        !self.learned.dialect().holds_key(kind) || resource::key_of(object) != Some(key)
    }

    /// What a repeated create does.
    async fn again(&self, id: &TargetId, key: Key, content: &Content) -> Outcome {
        let enable = kind_of(content) == SubjectKind::User;
        self.change(id, Aim::Content { key, content, enable }).await
    }

    /// Makes an object what it should be, leaving the rest of it as it is.
    pub(super) async fn change(&self, id: &TargetId, aim: Aim<'_>) -> Outcome {
        let mut last = None;
        for _ in 0..TRIES {
            match self.change_once(id, aim).await {
                Ok(outcome) => return outcome,
                // Others were faster, or it must be done in another way.
                Err(refusal) => last = Some(refusal),
            }
        }
        last.map_or(Outcome::Gone, outcome)
    }

    async fn change_once(&self, id: &TargetId, aim: Aim<'_>) -> Result<Outcome, Refusal> {
        let kind = aim.kind();
        let mut dialect = self.learned.dialect();
        let update = *dialect.update(kind);
        let path = [self.looker.place(kind), &*id.0];
        if !resource::is_id(&id.0) {
            return Ok(Outcome::Gone);
        }
        // A state needs no look before, unless the whole object is written.
        let now = match (aim, update) {
            (Aim::State(_), Update::Patch) => None,
            _ => match self.looker.by_id(kind, id).await {
                Ok(Some(now)) => Some(now),
                Ok(None) => return Ok(Outcome::Gone),
                Err(refusal) => return Ok(not_begun(refusal)),
            },
        };
        let wanted = now.clone().map(|mut wanted| {
            match aim {
                Aim::State(active) => wanted["active"] = active.into(),
                Aim::Content { key, content, enable } => {
                    resource::with(&mut wanted, content, Some(key), self.owned, &dialect);
                    if enable {
                        wanted["active"] = true.into();
                    }
                }
            }
            wanted
        });
        if update == Update::Put && kind == SubjectKind::Group && dialect.members != Members::Given {
            let message = "groups are changed as a whole here, and their members cannot be read; this group was left as it is";
            return Ok(Outcome::Rejected(TargetError::new(TargetReason::Unsupported, message)));
        }
        let (method, body) = match (update, &now, &wanted, aim) {
            (Update::Put, Some(now), Some(wanted), _) if now == wanted => {
                return Ok(Outcome::Done(id.clone()));
            }
            (Update::Put, _, Some(wanted), _) => (Method::PUT, patch::whole(wanted)),
            (_, Some(now), Some(wanted), _) => match patch::difference(now, wanted, &dialect) {
                Some(body) => (Method::PATCH, body),
                None => return Ok(Outcome::Done(id.clone())),
            },
            (_, _, _, Aim::State(active)) => (Method::PATCH, patch::state(active, &dialect)),
            (_, _, _, Aim::Content { .. }) => return Ok(Outcome::Gone),
        };
        let version = now.as_ref().filter(|_| self.etag).and_then(resource::version);
        match self.client.send(method, &path, Some(&body), version).await {
            Ok(said) => self.proof(id, aim, (update, &said), now.as_ref()).await,
            Err(refusal) => self.not_changed(refusal, id, aim, update).await,
        }
    }

    /// Reads a change back if it is the first of its kind, or if the service does not say that it is done.
    async fn proof(
        &self,
        id: &TargetId,
        aim: Aim<'_>,
        (update, said): (Update, &Said),
        before: Option<&Value>,
    ) -> Result<Outcome, Refusal> {
        if said.is_done && self.learned.is_proven(aim.act()) {
            return Ok(Outcome::Done(id.clone()));
        }
        let dialect = self.learned.dialect();
        let missing_in = |shown: &Value| match aim {
            Aim::State(active) if resource::is_active(shown) == active => Vec::new(),
            Aim::State(_) => vec!["active"],
            Aim::Content { key, content, .. } => resource::missing(shown, content, Some(key), &dialect),
        };
        let is_all_done = |shown: &Value| missing_in(shown).is_empty() && self.shows_the_rest(shown, aim);
        let looked = self.look_until(aim.kind(), id, said, |shown| shown.is_none_or(is_all_done)).await;
        let missing = match looked {
            // A part of it may be what was so before, or what is done first.
            Ok(Some(shown)) if !said.is_done && !is_all_done(&shown) => {
                return Ok(Outcome::Ambiguous(self.not_yet()));
            }
            Ok(Some(shown)) => missing_in(&shown),
            Ok(None) => return Ok(Outcome::Gone),
            Err(refusal) => return Ok(doubt(refusal)),
        };
        let before = match (aim, before) {
            (Aim::Content { key, content, .. }, Some(before)) => {
                resource::missing(before, content, Some(key), &dialect)
            }
            _ => vec!["active"],
        };
        if missing.is_empty() || missing.len() < before.len() {
            self.note_missing(&missing);
            self.learned.prove(aim.act());
            return Ok(Outcome::Done(id.clone()));
        }
        let message = format!(
            "{} says that it changed the object, and {} is as before",
            self.client.host(),
            missing.join(", ")
        );
        let refusal = Refusal::new(No::Refused, TargetReason::NotDone, message);
        if self.try_other_way(aim.kind(), update, "does nothing") {
            Err(refusal)
        } else {
            Ok(outcome(refusal))
        }
    }

    /// Whether a user is enabled and cleared as it should be, beside what it should have.
    fn shows_the_rest(&self, shown: &Value, aim: Aim<'_>) -> bool {
        let Aim::Content { content, enable, .. } = aim else { return true };
        (!enable || resource::is_active(shown))
            && resource::left(shown, content, self.owned, &self.learned.dialect()).is_empty()
    }

    /// Looks what became of an object; again and not for long, where the service did not say that it is done.
    async fn look_until(
        &self,
        kind: SubjectKind,
        id: &TargetId,
        said: &Said,
        is_there: impl Fn(Option<&Value>) -> bool,
    ) -> Result<Option<Value>, Refusal> {
        let mut wait = FIRST_LOOK;
        for _ in 1..LOOKS {
            let shown = self.looker.by_id(kind, id).await?;
            if said.is_done || is_there(shown.as_ref()) {
                return Ok(shown);
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        self.looker.by_id(kind, id).await
    }

    /// That something is to come, and has not come yet.
    pub(super) fn not_yet(&self) -> TargetError {
        let message =
            format!("{} did not say that the change is done, and it is not done yet", self.client.host());
        TargetError::new(TargetReason::NoAnswer, message)
    }

    async fn not_changed(
        &self,
        refusal: Refusal,
        id: &TargetId,
        aim: Aim<'_>,
        update: Update,
    ) -> Result<Outcome, Refusal> {
        match refusal.no {
            No::NotThere => Ok(Outcome::Gone),
            No::Changed => Err(refusal),
            No::Unsupported if self.try_other_way(aim.kind(), update, "is refused") => Err(refusal),
            No::Taken | No::Unknown => Ok(self.taken(refusal, id, aim).await),
            _ => Ok(outcome(refusal)),
        }
    }

    /// Whether it is another's name that stood in the way; some services say that by failing.
    async fn taken(&self, refusal: Refusal, id: &TargetId, aim: Aim<'_>) -> Outcome {
        let Aim::Content { content, .. } = aim else { return outcome(refusal) };
        let found = self.looker.by(aim.kind(), By::Name, content.name()).await;
        let is_others =
            found.is_ok_and(|found| found.iter().any(|object| resource::id(object).as_ref() != Some(id)));
        if is_others || refusal.no == No::Taken {
            return Outcome::NameTaken(content.name().to_owned());
        }
        outcome(refusal)
    }

    fn try_other_way(&self, kind: SubjectKind, from: Update, why: &str) -> bool {
        let (to, name) = match from {
            Update::Patch => (Update::Put, "PATCH"),
            Update::Put => (Update::Patch, "PUT"),
        };
        // Once only: what came from the other way does not go back.
        let note = format!("{name} {why}, so objects are changed in the other way");
        from == Update::Patch && self.learned.learn(|dialect| *dialect.update(kind) = to, &note)
    }

    fn note_missing(&self, missing: &[&str]) {
        for name in missing {
            self.learned.note(&format!("{name} is not kept"));
        }
    }

    pub(super) async fn delete(&self, kind: SubjectKind, id: &TargetId) -> Outcome {
        if !resource::is_id(&id.0) {
            return Outcome::Done(id.clone());
        }
        let path = [self.looker.place(kind), &*id.0];
        let act = Act::Delete(kind);
        let is_proven = self.learned.is_proven(act);
        // Who is disabled already shows nothing of what a deletion does.
        let mut was_active = false;
        if kind == SubjectKind::User && !is_proven {
            match self.looker.by_id(kind, id).await {
                Ok(Some(before)) => was_active = resource::is_active(&before),
                Ok(None) => return Outcome::Done(id.clone()),
                Err(refusal) => return not_begun(refusal),
            }
        }
        let said = match self.client.send(Method::DELETE, &path, None, None).await {
            Ok(said) => said,
            Err(refusal) if refusal.no == No::NotThere => return Outcome::Done(id.clone()),
            Err(refusal) => return outcome(refusal),
        };
        if said.is_done && is_proven {
            return Outcome::Done(id.clone());
        }
        match self.look_until(kind, id, &said, |shown| shown.is_none()).await {
            Ok(None) => {}
            Ok(Some(_)) if !said.is_done => return Outcome::Ambiguous(self.not_yet()),
            Ok(Some(shown)) if was_active && !resource::is_active(&shown) => {
                self.learned.learn(
                    |dialect| dialect.deletion = Deletion::Disables,
                    "a user that is deleted stays there, disabled",
                );
            }
            Ok(Some(_)) => {
                let message =
                    format!("{} says that it deleted the object, and it is still there", self.client.host());
                return Outcome::Rejected(TargetError::new(TargetReason::NotDone, message));
            }
            Err(refusal) => return doubt(refusal),
        }
        self.learned.prove(act);
        Outcome::Done(id.clone())
    }
}

fn kind_of(content: &Content) -> SubjectKind {
    match content {
        Content::User(_) => SubjectKind::User,
        Content::Group(_) => SubjectKind::Group,
    }
}
