//! From a policy to what a run needs.

use std::sync::Arc;

use kube::ResourceExt as _;

use super::resolved::{Key, Resolved};
use crate::api::SyncPolicy;
use crate::controller::context::Context;
use crate::controller::error::Error;
use crate::controller::referred::fetch;
use crate::spec::reference;
use crate::spec::{self, Name};

pub(super) async fn resolve(context: &Context, name: &Name, object: &SyncPolicy) -> Result<Resolved, Error> {
    let references = reference::of_policy(&object.spec);
    let named = object.spec.connectors.iter().map(|connector| name.beside(&connector.name));
    let found: Vec<_> = named.map(|name| (context.parts.connector(&name), name)).collect();
    let there = found.iter().filter_map(|(found, name)| {
        let found = found.as_ref()?;
        Some((name.clone(), (found.uid(), found.metadata.generation)))
    });
    let key = Key {
        uid: object.uid(),
        generation: object.metadata.generation,
        versions: context.parts.versions(name, &references),
        connectors: there.collect(),
    };
    let known = context.policies.with(name, |state| state.common.resolved.clone());
    if let Some(known) = known.filter(|known| known.key == key) {
        return Ok(known);
    }
    let mut objects = fetch(&context.client, name, &references).await?;
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
    context.policies.with(name, |state| state.common.resolved = Some(resolved.clone()));
    Ok(resolved)
}
