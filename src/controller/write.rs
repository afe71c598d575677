//! Writes a status to the apiserver.

use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::DeserializeGuard;
use kube::{Api, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::context::Context;
use super::error::Error;
use super::gate::WRITE;
use super::status::{Written, comparable, number, text, without};
use crate::spec::Name;
use crate::telemetry::Write;

/// Writes the whole status of an object; one that is gone meanwhile needs none, nor does another one that
/// bears its name now.
pub(super) async fn write_status<K, S>(
    context: &Context,
    object: &DeserializeGuard<K>,
    status: S,
) -> Result<Written<S>, Error>
where
    K: Resource<DynamicType = ()>,
    S: Serialize + DeserializeOwned,
{
    context.gate.check()?;
    let name = Name::of(object);
    let manager = format!("rollcall-{}", K::kind(&()).to_lowercase());
    let wanted = text(&status);
    let patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": { "name": name.name, "uid": object.uid() },
        "status": wanted,
    });
    // The answer need not be understood: the object may be one that cannot be.
    let resource = ApiResource::erase::<K>(&());
    let api = Api::<DynamicObject>::namespaced_with(context.client.clone(), &name.namespace, &resource);
    let whole = PatchParams::apply(&manager).force();
    let mut answer = ask(context, &api, &name, whole, Patch::Apply(patch)).await?;
    // What others added in our words is not taken away by saying ours.
    if let Some(shown) = &answer
        && let Some(without) = without(&shown.data["status"], &wanted)
    {
        let version = shown.resource_version();
        let patch = json!({ "metadata": { "resourceVersion": version }, "status": without });
        let parameters = PatchParams { field_manager: Some(manager), ..PatchParams::default() };
        answer = ask(context, &api, &name, parameters, Patch::Merge(patch)).await?.or(answer);
    }
    let version = answer.as_ref().and_then(|answer| number(answer.metadata.resource_version.as_ref()));
    let shown = answer.and_then(|answer| serde_json::from_value::<S>(answer.data["status"].clone()).ok());
    let shown = shown.map(|shown| comparable(&shown)).filter(|shown| *shown != comparable(&status));
    Ok(Written { status, shown, version })
}

/// Patches the status; `None` if the object is gone, or somebody was quicker.
async fn ask(
    context: &Context,
    api: &Api<DynamicObject>,
    name: &Name,
    parameters: PatchParams,
    patch: Patch<Value>,
) -> Result<Option<DynamicObject>, Error> {
    context.metrics.api_write(Write::Status);
    match tokio::time::timeout(WRITE, api.patch_status(&name.name, &parameters, &patch)).await {
        Ok(Ok(answer)) => Ok(Some(answer)),
        Ok(Err(kube::Error::Api(answer))) if [404, 409].contains(&answer.code) => Ok(None),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Error::Slow),
    }
}
