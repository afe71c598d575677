//! From a policy to what a run needs: the Secrets and ConfigMaps are read when their versions change, and only what is used of
//! them makes a failed run begin again before its time.

use std::sync::Arc;

use kube::ResourceExt as _;

use super::resolved::{Key, Resolved};
use crate::api::{DirectoryConnector, SyncPolicy};
use crate::controller::context::Context;
use crate::controller::error::Error;
use crate::controller::referred::fetch;
use crate::spec::reference;
use crate::spec::{self, Name};
use crate::sync::blocking;

pub(super) async fn resolve(context: &Context, name: &Name, object: &SyncPolicy) -> Result<Resolved, Error> {
    let references = reference::of_policy(&object.spec);
    let named = object.spec.connectors.iter().map(|connector| name.beside(&connector.name));
    let named: Vec<Name> = named.collect();
    let there = named.iter().filter_map(|name| {
        let of = |found: &DirectoryConnector| (name.clone(), found.uid(), found.metadata.generation);
        context.parts.connector(name, of)
    });
    let (versions, generations) = (context.parts.versions(name, &references), there.collect::<Vec<_>>());
    let is_known = |known: &Resolved| {
        known.versions == versions
            && known.generations == generations
            && known.key.uid == object.uid()
            && known.key.generation == object.metadata.generation
    };
    let known = context.policies.with(name, |state| state.common.resolved.clone());
    if let Some(known) = known.filter(is_known) {
        return Ok(known);
    }
    let mut objects = fetch(&context.client, name, &references).await?;
    let used_of_them = objects.content(name, &reference::keys_of_policy(&object.spec));
    let key = Key { uid: object.uid(), generation: object.metadata.generation, content: used_of_them };
    objects.policies.insert(name.clone(), object.spec.clone());
    let mut connectors = Vec::with_capacity(named.len());
    for name in named {
        // As it was at the beginning: if it is another one meanwhile, somebody looks again.
        let is_there = generations.iter().any(|(there, ..)| *there == name);
        let found = context.parts.connector(&name, |found| found.spec.clone()).filter(|_| is_there);
        connectors.push((name.clone(), found.is_some()));
        if let Some(spec) = found {
            objects.connectors.insert(name, (spec, None));
        }
    }
    // Expressions are compiled.
    let policy = name.clone();
    let resolve = move || {
        let runnable = spec::policy(&policy, &objects).map(Arc::new).map_err(Arc::from);
        Ok((runnable, spec::token(&policy, &objects)))
    };
    let (runnable, token) = blocking(resolve).await?;
    let resolved = Resolved { versions, generations, key, runnable, token, connectors };
    context.policies.with(name, |state| state.common.resolved = Some(resolved.clone()));
    Ok(resolved)
}
