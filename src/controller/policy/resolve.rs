//! From a policy to what a run needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::ResourceExt as _;

use crate::api::SyncPolicy;
use crate::controller::Error;
use crate::controller::context::Context;
use crate::secret::Secret;
use crate::spec::reference::{self, Reference};
use crate::spec::{self, Name, Problem, Runnable};

/// What decides what a policy comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    uid: Option<String>,
    generation: Option<i64>,
    versions: BTreeMap<Reference, Option<String>>,
    /// The uid and generation of each connector that is there.
    connectors: BTreeMap<Name, (Option<String>, Option<i64>)>,
}

/// What a policy came to.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    key: Key,
    pub(super) runnable: Result<Arc<Runnable>, Arc<[Problem]>>,
    /// What readers of its registry must show. It is known although the rest of the spec is wrong: what
    /// they read is what it last was. What is wrong if it is not there; `None` if nobody may read.
    pub(super) token: Option<Result<Secret, String>>,
    /// The connectors that it names, and which of them are there.
    pub(super) connectors: Vec<(Name, bool)>,
}

pub(super) async fn resolve(context: &Context, name: &Name, object: &SyncPolicy) -> Result<Resolved, Error> {
    let references = reference::of_policy(&object.spec);
    let named = object.spec.connectors.iter().map(|connector| name.beside(&connector.name));
    let found: Vec<_> = named.map(|name| (context.connector(&name), name)).collect();
    let there = found.iter().filter_map(|(found, name)| {
        let found = found.as_ref()?;
        Some((name.clone(), (found.uid(), found.metadata.generation)))
    });
    let key = Key {
        uid: object.uid(),
        generation: object.metadata.generation,
        versions: context.versions(name, &references),
        connectors: there.collect(),
    };
    let known = context.policies.with(name, |state| state.resolved.clone());
    if let Some(known) = known.filter(|known| known.key == key) {
        return Ok(known);
    }
    let mut objects = context.objects(name, &references).await?;
    objects.policies.insert(name.clone(), object.spec.clone());
    let connectors = found.iter().map(|(found, name)| (name.clone(), found.is_some())).collect();
    for (found, name) in found {
        if let Some(found) = found {
            objects.connectors.insert(name, (found.spec, None));
        }
    }
    let resolved = Resolved {
        key,
        runnable: spec::policy(name, &objects).map(Arc::new).map_err(Arc::from),
        token: spec::token(name, &objects),
        connectors,
    };
    context.policies.with(name, |state| state.resolved = Some(resolved.clone()));
    Ok(resolved)
}

#[cfg(test)]
impl Resolved {
    /// Of a policy that can be used.
    pub(super) fn of(runnable: Runnable) -> Self {
        let key = Key { uid: None, generation: None, versions: BTreeMap::new(), connectors: BTreeMap::new() };
        Self { key, runnable: Ok(Arc::new(runnable)), token: None, connectors: Vec::new() }
    }
}
