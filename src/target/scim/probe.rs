//! A trial of a service, for whoever sets it up: what answers, and on request whether objects can be made, changed and removed.

use std::sync::Arc;

use super::Scim;
use crate::directory::{
    Content, GroupContent, Key, Match, Operation, Outcome, SubjectKind, TargetError, TargetId, TargetReason,
    UserContent,
};
use crate::target::Target as _;

/// One step of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was tried.
    pub what: &'static str,
    /// What came of it; `None` for nothing that must be said.
    pub failed: Option<TargetError>,
}

impl Scim {
    /// Makes a user and a group of its own at the service, changes them, reads them back and removes them. Stops at
    /// the first step that fails, and removes what it made all the same.
    pub async fn try_writing(&self) -> Vec<Step> {
        let mut trial = Trial { scim: self, steps: Vec::new(), made: Vec::new() };
        // What it made is removed whatever came between.
        trial.write().await;
        trial.remove().await;
        trial.steps
    }
}

struct Trial<'a> {
    scim: &'a Scim,
    steps: Vec<Step>,
    made: Vec<(SubjectKind, TargetId)>,
}

impl Trial<'_> {
    async fn write(&mut self) -> Option<()> {
        // Names that nobody else has.
        let mark = uuid::Uuid::new_v4();
        let name = format!("rollcall-trial-{mark}");
        let user = |name: &str| {
            Content::User(UserContent {
                user_name: name.to_owned(),
                emails: vec![format!("{name}@rollcall.invalid")],
                attributes: [("familyName", "Trial"), ("givenName", "Rollcall")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into_iter()
                    .collect(),
            })
        };
        let key = Key::from_uuid(mark);
        let id = self.create("make a user", key, user(&name)).await?;
        let renamed = format!("{name}-2");
        let update = Operation::Update { id: id.clone(), key, content: Arc::new(user(&renamed)) };
        self.done("rename the user", update).await?;
        self.done("disable the user", Operation::SetActive { id: id.clone(), active: false }).await?;
        let shown = self.scim.find(SubjectKind::User, &[Match::Id(id.clone())]).await.remove(0);
        let failed = match shown.as_deref() {
            Ok([object]) if !object.active && object.content.name().eq_ignore_ascii_case(&renamed) => None,
            Ok(_) => Some(TargetError::new(TargetReason::NotDone, "the user is not as it was written")),
            Err(error) => Some(error.clone()),
        };
        self.step("read the user back", failed)?;
        let content = Content::Group(GroupContent { display_name: name, ..GroupContent::default() });
        let group_key = Key::from_uuid(uuid::Uuid::new_v4());
        let group = self.create("make a group", group_key, content).await?;
        let members = || vec![id.clone()];
        self.done("add a member", Operation::AddMembers { group: group.clone(), members: members() }).await?;
        self.done("remove the member", Operation::RemoveMembers { group, members: members() }).await
    }

    /// Removes what was made, the newest first.
    async fn remove(&mut self) {
        for (kind, id) in std::mem::take(&mut self.made).into_iter().rev() {
            let what = match kind {
                SubjectKind::User => "remove the user",
                SubjectKind::Group => "remove the group",
            };
            let can = self.scim.capabilities().of(kind).is_some_and(|of| of.delete);
            let operation =
                if can { Operation::Delete { kind, id } } else { Operation::SetActive { id, active: false } };
            self.done(what, operation).await;
        }
    }

    async fn create(&mut self, what: &'static str, key: Key, content: Content) -> Option<TargetId> {
        let kind = match content {
            Content::User(_) => SubjectKind::User,
            Content::Group(_) => SubjectKind::Group,
        };
        let create = Operation::Create { key, content: Arc::new(content) };
        let id = match self.scim.apply(&[create]).await.pop() {
            Some(Outcome::Done(id)) => id,
            other => {
                self.step(what, failure(other))?;
                return None;
            }
        };
        self.made.push((kind, id.clone()));
        self.step(what, None)?;
        Some(id)
    }

    async fn done(&mut self, what: &'static str, operation: Operation) -> Option<()> {
        let outcome = self.scim.apply(&[operation]).await.pop();
        self.step(what, failure(outcome))
    }

    fn step(&mut self, what: &'static str, failed: Option<TargetError>) -> Option<()> {
        let goes_on = failed.is_none().then_some(());
        self.steps.push(Step { what, failed });
        goes_on
    }
}

fn failure(outcome: Option<Outcome>) -> Option<TargetError> {
    let new = |message: &str| Some(TargetError::new(TargetReason::NotDone, message));
    match outcome {
        Some(Outcome::Done(_)) => None,
        Some(
            Outcome::Rejected(error)
            | Outcome::Retry(error)
            | Outcome::Ambiguous(error)
            | Outcome::Failed(error),
        ) => Some(error),
        Some(Outcome::Partly(_, refused)) => refused.into_iter().next().map(|refused| refused.why),
        Some(Outcome::Gone) => new("the object that was made is gone"),
        Some(Outcome::NameTaken(_)) => new("the service says that a name is taken which nobody has"),
        None => new("nothing came of it"),
    }
}
