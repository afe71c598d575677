//! A trial of a target, for whoever sets it up: how far the way to it goes, whether it lets us read, and on request whether
//! objects can be made, changed and removed. It asks for nothing that the contract does not have.

use std::sync::Arc;

use super::{Target, TargetError, TargetReason};
use crate::directory::{
    Content, GroupContent, Key, Match, Operation, Outcome, SubjectKind, TargetId, UserContent,
};

/// One step of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was tried.
    pub what: &'static str,
    /// What came of it; `None` for nothing that must be said.
    pub failed: Option<TargetError>,
}

impl Step {
    fn done(what: &'static str) -> Self {
        Self { what, failed: None }
    }
}

/// How far the way to a target went that could not be opened: the steps that were done, and the one that was not.
/// `is_named` says whether the name of its host is known, `is_secure` whether the way is to be encrypted.
pub fn way(why: TargetError, is_named: bool, is_secure: bool) -> Vec<Step> {
    let secured = if is_secure { &[NAME, CONNECT, SECURE][..] } else { &[NAME, CONNECT][..] };
    let (before, failed): (&[&str], _) = match why.reason {
        TargetReason::Unreachable if !is_named => (&[], NAME),
        TargetReason::Unreachable => (&[NAME], CONNECT),
        TargetReason::TlsFailed => (&[NAME, CONNECT], SECURE),
        TargetReason::AuthenticationFailed => (secured, SIGN_IN),
        TargetReason::AccessDenied => (secured, "be allowed to read"),
        TargetReason::InvalidAnswer | TargetReason::Unsupported | TargetReason::NotDone => {
            (secured, "understand the answers")
        }
        TargetReason::Throttled | TargetReason::Unavailable | TargetReason::NoAnswer => {
            (secured, "get an answer")
        }
        TargetReason::Refused | TargetReason::Stopped | TargetReason::StoreFailed => (&[], "ask"),
    };
    let mut steps: Vec<Step> = steps_of(before);
    steps.push(Step { what: failed, failed: Some(why) });
    steps
}

/// The way to a target that could be opened.
pub fn whole_way(is_secure: bool) -> Vec<Step> {
    steps_of(if is_secure { &[NAME, CONNECT, SECURE, SIGN_IN] } else { &[NAME, CONNECT, SIGN_IN] })
}

fn steps_of(done: &[&'static str]) -> Vec<Step> {
    done.iter().map(|what| Step::done(what)).collect()
}

const NAME: &str = "find the host by its name";
const CONNECT: &str = "connect";
const SECURE: &str = "make a secure connection";
const SIGN_IN: &str = "sign in";

/// Looks for a user and a group whom nobody has: whether we may read. Changes nothing.
pub async fn reading<T: Target>(target: &T) -> Vec<Step> {
    let nobody = Match::Name(format!("rollcall-trial-{}", uuid::Uuid::new_v4()));
    let mut steps = Vec::new();
    for (kind, what) in [(SubjectKind::User, "look for a user"), (SubjectKind::Group, "look for a group")] {
        if target.capabilities().of(kind).is_some() {
            let answer = target.find(kind, std::slice::from_ref(&nobody)).await.pop();
            steps.push(Step { what, failed: answer.and_then(Result::err) });
        }
    }
    steps
}

/// Makes a user and a group of its own at the target, as far as it has such, changes them, reads them back and removes
/// them. Stops at the first step that fails, and removes what it made all the same.
pub async fn writing<T: Target>(target: &T) -> Vec<Step> {
    let mut trial = Trial { target, steps: Vec::new(), made: Vec::new() };
    // What it made is removed whatever came between.
    trial.write().await;
    trial.remove().await;
    trial.steps
}

struct Trial<'a, T> {
    target: &'a T,
    steps: Vec<Step>,
    made: Vec<(SubjectKind, TargetId)>,
}

impl<T: Target> Trial<'_, T> {
    async fn write(&mut self) -> Option<()> {
        // Names that nobody else has.
        let name = format!("rollcall-trial-{}", uuid::Uuid::new_v4());
        let can = self.target.capabilities();
        let user = match can.users {
            Some(of) => Some(self.write_user(&name, of.rename, can.disable).await?),
            None => None,
        };
        can.groups?;
        let content = Content::Group(GroupContent { display_name: name, ..GroupContent::default() });
        let group = self.create("make a group", Key::from_uuid(uuid::Uuid::new_v4()), content).await?;
        let members = vec![user?];
        let add = Operation::AddMembers { group: group.clone(), members: members.clone() };
        self.done("add a member", add).await?;
        self.done("remove the member", Operation::RemoveMembers { group, members }).await
    }

    /// What can be done with a user.
    async fn write_user(&mut self, name: &str, renames: bool, disables: bool) -> Option<TargetId> {
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
        let key = Key::from_uuid(uuid::Uuid::new_v4());
        let id = self.create("make a user", key, user(name)).await?;
        let mut shown_as = name.to_owned();
        if renames {
            shown_as = format!("{name}-2");
            let content = Arc::new(user(&shown_as));
            let update = Operation::Update { id: id.clone(), key, content, before: None };
            self.done("rename the user", update).await?;
        }
        if disables {
            let disable = Operation::SetActive { id: id.clone(), active: false };
            self.done("disable the user", disable).await?;
        }
        let shown = self.target.find(SubjectKind::User, &[Match::Id(id.clone())]).await.pop();
        let failed = match shown {
            Some(Ok(found)) => {
                let is_as_written = found.first().is_some_and(|object| {
                    object.active != Some(disables) && object.content.name().eq_ignore_ascii_case(&shown_as)
                });
                let not_so = || TargetError::new(TargetReason::NotDone, "the user is not as it was written");
                (!is_as_written).then(not_so)
            }
            Some(Err(error)) => Some(error),
            None => Some(TargetError::new(TargetReason::NoAnswer, "nothing came of it")),
        };
        self.step("read the user back", failed)?;
        Some(id)
    }

    /// Removes what was made, the newest first.
    async fn remove(&mut self) {
        for (kind, id) in std::mem::take(&mut self.made).into_iter().rev() {
            let what = match kind {
                SubjectKind::User => "remove the user",
                SubjectKind::Group => "remove the group",
            };
            let can = self.target.capabilities().of(kind).is_some_and(|of| of.delete);
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
        let id = match self.target.apply(&[create]).await.pop() {
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
        let outcome = self.target.apply(&[operation]).await.pop();
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
            Outcome::Short(_, _, error)
            | Outcome::Rejected(error)
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::no_such_name(TargetReason::Unreachable, false, true, &[NAME])]
    #[case::nobody_there(TargetReason::Unreachable, true, true, &[NAME, CONNECT])]
    #[case::another_authority(TargetReason::TlsFailed, true, true, &[NAME, CONNECT, SECURE])]
    #[case::wrong_token(TargetReason::AuthenticationFailed, true, true, &[NAME, CONNECT, SECURE, SIGN_IN])]
    #[case::wrong_token_in_the_open(TargetReason::AuthenticationFailed, true, false, &[NAME, CONNECT, SIGN_IN])]
    #[case::no_rights(TargetReason::AccessDenied, true, false, &[NAME, CONNECT, "be allowed to read"])]
    #[case::a_page_to_sign_in(TargetReason::InvalidAnswer, true, false, &[NAME, CONNECT, "understand the answers"])]
    #[case::busy(TargetReason::Throttled, true, false, &[NAME, CONNECT, "get an answer"])]
    #[case::not_asked(TargetReason::Refused, true, true, &["ask"])]
    fn the_step_that_failed_is_the_last(
        #[case] reason: TargetReason,
        #[case] is_named: bool,
        #[case] is_secure: bool,
        #[case] expected: &[&str],
    ) {
        let steps = way(TargetError::new(reason, "no"), is_named, is_secure);
        assert_eq!(steps.iter().map(|step| step.what).collect::<Vec<_>>(), expected);
        let failed: Vec<bool> = steps.iter().map(|step| step.failed.is_some()).collect();
        assert_eq!(failed.iter().position(|failed| *failed), Some(expected.len() - 1));
    }
}
