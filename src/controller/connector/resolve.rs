//! From a connector to what its source needs: the Secrets and ConfigMaps are read when they are needed,
//! and only their versions are remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::ResourceExt as _;

use crate::api::{DirectoryConnector, SyncPolicySpec};
use crate::controller::Error;
use crate::controller::context::Context;
use crate::directory::ConnectorName;
use crate::spec::reference::{self, Reference};
use crate::spec::{self, Connector, Name, Objects, Problem, Runnable};

/// What makes a read another one: the object, the versions of what it refers to, and what policies name
/// of its directory's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    uid: Option<String>,
    generation: Option<i64>,
    versions: BTreeMap<Reference, Option<String>>,
    pub(super) literal: BTreeSet<String>,
}

/// What a connector came to.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    pub(super) key: Key,
    pub(super) connector: Result<Arc<Connector>, Arc<[Problem]>>,
    /// What policies rest on of what it reads.
    pub(super) used: BTreeSet<String>,
}

pub(super) async fn resolve(
    context: &Context,
    name: &Name,
    object: &DirectoryConnector,
) -> Result<Resolved, Error> {
    let references = reference::of_connector(&object.spec);
    let policies = naming(context, name);
    let used = spec::used(&ConnectorName::new(&name.namespace, &name.name), &policies);
    let key = Key {
        uid: object.uid(),
        generation: object.metadata.generation,
        versions: context.versions(name, &references),
        literal: spec::literal(name, &policies),
    };
    let known = context.connectors.with(name, |memory| memory.resolved.clone());
    if let Some(known) = known.filter(|known| known.key == key) {
        return Ok(Resolved { used, ..known });
    }
    let mut objects = context.objects(name, &references).await?;
    objects.connectors.insert(name.clone(), (object.spec.clone(), None));
    let connector = spec::connector(name, &objects, key.literal.clone());
    let resolved = Resolved { key, connector: connector.map(Arc::new).map_err(Arc::from), used };
    context.connectors.with(name, |memory| memory.resolved = Some(resolved.clone()));
    Ok(resolved)
}

#[cfg(test)]
impl Key {
    /// Of an object with this uid, of whose directory's attributes this one is named.
    pub(super) fn of(uid: &str, literal: &str) -> Self {
        Self {
            uid: Some(uid.to_owned()),
            generation: Some(1),
            versions: BTreeMap::new(),
            literal: BTreeSet::from([literal.to_owned()]),
        }
    }
}

/// The policies that use the connector, as far as they say what attributes they name.
fn naming(context: &Context, name: &Name) -> Vec<Runnable> {
    let policies = context.policies_of(name);
    let mut objects = Objects { partial: true, ..Objects::default() };
    for connector in policies.iter().flat_map(|(_, spec)| &spec.connectors) {
        let connector = name.beside(&connector.name);
        if let Some(found) = context.connector(&connector) {
            objects.connectors.insert(connector, (found.spec.clone(), None));
        }
    }
    // Who may read the target has nothing to do with what is read.
    let without_token = |mut spec: SyncPolicySpec| {
        spec.target.registry = Some(crate::api::policy::Registry::default());
        spec
    };
    objects.policies = policies.into_iter().map(|(name, spec)| (name, without_token(spec))).collect();
    objects.policies.keys().filter_map(|policy| spec::policy(policy, &objects).ok()).collect()
}
