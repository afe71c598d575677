//! Writing a status: by server-side apply, under a field manager of its own.

use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::DeserializeGuard;
use kube::{Api, Resource, ResourceExt as _};
use serde::Serialize;
use serde_json::json;

use super::Error;
use super::context::Context;
use super::gate::WRITE;
use crate::spec::Name;
use crate::telemetry::Write;
use crate::text::replace_unseen;

/// Writes the whole status of an object; one that is gone meanwhile needs none, nor does another one that
/// bears its name now.
pub(super) async fn write<K, S>(
    context: &Context,
    object: &DeserializeGuard<K>,
    status: &S,
) -> Result<(), Error>
where
    K: Resource<DynamicType = ()>,
    S: Serialize,
{
    context.gate.check()?;
    let name = Name::of(object);
    let manager = format!("rollcall-{}", K::kind(&()).to_lowercase());
    let mut patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": { "name": name.name, "uid": object.uid() },
        "status": status,
    });
    // One character that is no text would cost the whole status.
    replace_unseen(&mut patch["status"]);
    // The answer need not be understood: the object may be one that cannot be.
    let resource = ApiResource::erase::<K>(&());
    let api = Api::<DynamicObject>::namespaced_with(context.client.clone(), &name.namespace, &resource);
    context.metrics.api_write(Write::Status);
    let parameters = PatchParams::apply(&manager).force();
    let patch = Patch::Apply(&patch);
    let patched = api.patch_status(&name.name, &parameters, &patch);
    match tokio::time::timeout(WRITE, patched).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(kube::Error::Api(answer))) if [404, 409].contains(&answer.code) => Ok(()),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Error::Slow),
    }
}
