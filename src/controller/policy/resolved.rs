//! What a policy came to.

use std::sync::Arc;

use crate::secret::Secret;
use crate::spec::reference::Reference;
use crate::spec::{Content, Name, Problem, Runnable};

/// What may correct a failed run: the object, and what is used of the Secrets and ConfigMaps that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) uid: Option<String>,
    pub(super) generation: Option<i64>,
    pub(super) content: Content,
}

/// What a policy came to.
#[derive(Clone, Debug)]
pub(in crate::controller) struct Resolved {
    pub(super) versions: Vec<(Reference, Option<String>)>,
    /// The uid and generation of each connector that is there.
    pub(super) generations: Vec<(Name, Option<String>, Option<i64>)>,
    pub(super) key: Key,
    pub(super) runnable: Result<Arc<Runnable>, Arc<[Problem]>>,
    /// What readers of its registry must show. It is known although the rest of the spec is wrong: what
    /// they read is what it last was. What is wrong if it is not there; `None` if nobody may read.
    pub(super) token: Option<Result<Secret, String>>,
    /// The connectors that it names, and which of them are there.
    pub(super) connectors: Vec<(Name, bool)>,
}

#[cfg(test)]
impl Resolved {
    /// Of a policy that can be used.
    pub(super) fn of(runnable: Runnable) -> Self {
        Self {
            versions: Vec::new(),
            generations: Vec::new(),
            key: Key { uid: None, generation: None, content: Content::of([]) },
            runnable: Ok(Arc::new(runnable)),
            token: None,
            connectors: Vec::new(),
        }
    }
}
