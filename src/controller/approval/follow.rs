//! Watches the admission policy that guards approvals.

use std::sync::Arc;

use futures::stream::{self, StreamExt as _};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::Api;
use kube::runtime::watcher;

use super::NAME;
use crate::controller::context::Context;
use crate::controller::error::Error;
use crate::controller::watch::pause;

/// Checks the admission policy at the start and at each change.
pub(in crate::controller) async fn follow(context: Arc<Context>) {
    let config = || watcher::Config::default().fields(&format!("metadata.name={NAME}"));
    let rules = watcher(Api::<ValidatingAdmissionPolicy>::all(context.client.clone()), config());
    let bindings = watcher(Api::<ValidatingAdmissionPolicyBinding>::all(context.client.clone()), config());
    let mut happened =
        std::pin::pin!(stream::select(rules.filter_map(happening), bindings.filter_map(happening)));
    let mut failures = 0;
    while let Some(event) = happened.next().await {
        let looked = look(&context).await;
        failures = if event.is_ok() && looked.is_ok() { 0 } else { failures + 1 };
        if failures > 0 {
            tokio::time::sleep(pause(failures, NAME)).await;
        }
    }
}

/// Checks it now. If the result is new, all objects are reconciled. Returns why approvals are not guarded, if they are not.
pub(in crate::controller) async fn look(context: &Context) -> Result<Option<String>, Error> {
    let is_new = context.approvals.look(&context.client).await?;
    let why = context.approvals.unguarded();
    if is_new {
        context.metrics.approvals_guarded(why.is_none());
        if let Some(why) = &why {
            tracing::warn!(why, "nothing checks who approves");
        }
        context.parts.wake_all(None);
    }
    Ok(why)
}

/// The events after which to check: a list counts at its end.
async fn happening<K>(event: watcher::Result<watcher::Event<K>>) -> Option<watcher::Result<()>> {
    match event {
        Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => None,
        event => Some(event.map(drop)),
    }
}
