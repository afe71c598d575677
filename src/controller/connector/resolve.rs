//! From a connector to what its source needs: the Secrets and ConfigMaps are read when their versions change, and only
//! what is used of them makes a read another one.

use std::sync::Arc;

use kube::ResourceExt as _;
use kube::api::ObjectMeta;

use super::accounts::Accounts;
use super::resolved::{Key, Named, Resolved};
use crate::api::{DirectoryConnector, SyncPolicySpec};
use crate::controller::context::{Context, connector_name};
use crate::controller::error::Error;
use crate::controller::referred::fetch;
use crate::spec::reference;
use crate::spec::{self, Connector, Content, Name, Objects, Runnable};
use crate::sync::blocking;

pub(super) async fn resolve(
    context: &Context,
    name: &Name,
    object: &DirectoryConnector,
) -> Result<Resolved, Error> {
    let references = reference::of_connector(&name.name, &object.spec);
    let Named { used, literal, .. } = named(context, name).await?;
    let versions = context.parts.versions(name, &references);
    let is_known = |known: &Resolved| {
        let key = &known.key;
        known.versions == versions
            && key.uid == object.uid()
            && key.generation == object.metadata.generation
            && key.literal == literal
    };
    let known = context.connectors.with(name, |state| state.common.resolved.clone());
    if let Some(known) = known.filter(is_known) {
        return Ok(Resolved { used, ..known });
    }
    let mut objects = fetch(&context.client, name, &references).await?;
    objects.connectors.insert(name.clone(), (object.spec.clone(), None));
    objects.issuer = Some(Arc::new(Accounts(context.client.clone())));
    objects.engines = match &context.gateway {
        Some(gateway) => spec::EngineAccess::On(gateway.engines.clone()),
        None => spec::EngineAccess::Off,
    };
    let used_of_them = objects.content(name, &reference::keys_of_connector(&name.name, &object.spec));
    let (read, of) = (literal.clone(), name.clone());
    // Expressions are compiled.
    let connector = blocking(move || Ok(spec::connector(&of, &objects, read))).await?;
    let key =
        Key { uid: object.uid(), generation: object.metadata.generation, content: used_of_them, literal };
    let account = account(connector.as_ref().ok());
    let connector = connector.map(Arc::new).map_err(Arc::from);
    let resolved = Resolved { versions, key, account, connector, used };
    context.connectors.with(name, |state| state.common.resolved = Some(resolved.clone()));
    Ok(resolved)
}

/// Who asks the directory, and with which password, whatever Secret holds them.
fn account(connector: Option<&Connector>) -> Content {
    Content::of(connector.map_or([None, None], |connector| connector.source.account()))
}

/// What the policies name of what the connector reads: their expressions are compiled again only when one of them is another
/// one.
async fn named(context: &Context, name: &Name) -> Result<Named, Error> {
    let of = |name: &Name, meta: &ObjectMeta| (name.clone(), meta.uid.clone(), meta.generation);
    let policies = context.parts.policies_of(name, |policy, it| {
        let connectors = it.spec.connectors.iter().map(|connector| name.beside(&connector.name));
        let connectors =
            connectors.filter_map(|one| context.parts.connector(&one, |it| of(&one, &it.metadata)));
        [of(policy, &it.metadata)].into_iter().chain(connectors).collect::<Vec<_>>()
    });
    let by: Vec<_> = policies.into_iter().flatten().collect();
    let known = context.connectors.with(name, |state| state.named.clone());
    if let Some(known) = known.filter(|known| known.by[..] == by) {
        return Ok(known);
    }
    let (objects, connector) = (naming(context, name), name.clone());
    let compile = move || {
        let policies = objects.policies.keys().filter_map(|policy| spec::policy(policy, &objects).ok());
        let policies: Vec<Runnable> = policies.collect();
        let used = spec::used(&connector_name(&connector), &policies).into();
        Ok(Named { by: by.into(), used, literal: spec::literal(&connector, &policies) })
    };
    let named = blocking(compile).await?;
    context.connectors.with(name, |state| state.named = Some(named.clone()));
    Ok(named)
}

/// The policies that use the connector, as far as they say what attributes they name.
fn naming(context: &Context, name: &Name) -> Objects {
    let policies = context.parts.policies_of(name, |policy, it| (policy.clone(), it.spec.clone()));
    let mut objects = Objects { partial: true, ..Objects::default() };
    for connector in policies.iter().flat_map(|(_, spec)| &spec.connectors) {
        let connector = name.beside(&connector.name);
        if let Some(found) = context.parts.connector(&connector, |found| found.spec.clone()) {
            objects.connectors.insert(connector, (found, None));
        }
    }
    // Who may read the target has nothing to do with what is read.
    let without_token = |mut spec: SyncPolicySpec| {
        spec.target.registry = Some(crate::api::policy::Registry::default());
        spec
    };
    objects.policies = policies.into_iter().map(|(name, spec)| (name, without_token(spec))).collect();
    objects
}
