//! What is known while steps are applied.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::OnceLock;

use super::denied::Denied;
use super::report::Report;
use super::wave::Task;
use crate::clock::Clock;
use crate::directory::{Key, Operation, SubjectId, SubjectKind, TargetError, TargetId};
use crate::store::Store;
use crate::store::journal::{Done, Effect, IntentOutcome, Rejection, Verb};
use crate::store::link::{Place, Subjects};
use crate::sync::policy::Policy;
use crate::sync::replan::Replan;

/// Subjects of whom nobody knows what became of an operation on their objects: nothing else is done to them before that is known.
pub type InDoubt = BTreeMap<SubjectId, Doubt>;

/// Why nobody knows what became of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// What the object is called, or was to be called.
    pub name: String,
    /// Why.
    pub why: String,
}

/// What applying needs to know.
pub struct Context<'a, T> {
    /// Where to.
    pub target: &'a T,
    /// What remembers.
    pub store: &'a Store,
    /// Whose links.
    pub place: Place,
    /// The rules: what may be adopted.
    pub policy: &'a Policy,
    /// The run's id.
    pub run: &'a str,
    /// The completion that removals rest on.
    pub completion: u64,
    /// Whom an earlier run left in doubt.
    pub in_doubt: InDoubt,
    /// What ends it, because there is something newer to plan from.
    pub replan: &'a Replan,
    /// What time it is.
    pub clock: &'a dyn Clock,
}

/// A task with what it does there and here.
pub(super) struct Open<'s> {
    pub(super) task: Task<'s>,
    /// `None` if the target needs not hear of it.
    pub(super) operation: Option<Operation>,
    pub(super) effect: Effect,
    pub(super) intent: Option<i64>,
    /// Whether an attempt ended so that nobody knows if it happened.
    pub(super) unclear: bool,
    /// The same of the last one, which says why.
    pub(super) doubt: Option<TargetError>,
}

impl Open<'_> {
    pub(super) fn settled(self) -> IntentOutcome {
        IntentOutcome { intent: self.intent, effect: Some(self.effect) }
    }

    /// It did not happen.
    pub(super) fn undone(self) -> IntentOutcome {
        IntentOutcome { intent: self.intent, effect: None }
    }

    /// Its object is not there any more.
    pub(super) fn lost(self) -> IntentOutcome {
        let effect = Effect { verb: Verb::Lost, link: None, spends: Vec::new(), ..self.effect };
        IntentOutcome { intent: self.intent, effect: Some(effect) }
    }
}

pub(super) struct Apply<'a, T> {
    pub(super) context: Context<'a, T>,
    pub(super) subjects: &'a mut Subjects,
    /// Their keys, from when they are asked for: they do not change in a run.
    pub(super) keys: OnceLock<HashSet<Key>>,
    /// Objects that this run made ours, or that it let go: the store hears of them a little later.
    pub(super) claims: HashMap<(SubjectKind, TargetId), bool>,
    pub(super) rejections: BTreeMap<SubjectId, Rejection>,
    pub(super) report: Report,
    /// What the target would not have now.
    pub(super) rejected: Vec<Rejection>,
    /// What it took, though it would not before.
    pub(super) accepted: Vec<SubjectId>,
    /// What was refused for want of a right.
    pub(super) denied: Denied,
    /// What was done and is not settled in the store yet: it will be together with the next intents,
    /// or at the end. Until then its own intents stay open, so a process that dies loses nothing.
    pub(super) done: Vec<Done>,
}
