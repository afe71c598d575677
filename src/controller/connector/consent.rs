//! The consent of an administrator, for connectors that need one: what is asked, and what becomes of the answers.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::resolved::Resolved;
use super::state::ConnectorState;
use super::status::consent::TYPE;
use crate::controller::condition;
use crate::controller::context::Context;
use crate::controller::watched::WatchedKind;
use crate::directory::ConnectorName;
use crate::serve::{Answer, Asked};
use crate::spec::Name;

/// What is asked of an administrator, if the connector's consent is missing.
pub(super) fn asked(resolved: &Resolved, conditions: &[Condition], directory: Option<&str>) -> Option<Asked> {
    condition::find(conditions, TYPE).filter(|one| one.status == "False")?;
    let connector = resolved.connector.as_ref().ok().filter(|connector| !connector.suspend)?;
    let config = connector.source.consenting()?;
    let tenant = [Some(&*config.tenant), directory];
    Some(Asked {
        uid: resolved.key.uid.clone()?,
        page: config.consent(),
        tenant: tenant.into_iter().flatten().find_map(|it| Uuid::try_parse(it).ok()),
    })
}

/// Has each connector looked at whose administrator answered.
pub(in crate::controller) async fn follow(context: Arc<Context>, mut answers: mpsc::Receiver<Answer>) {
    while let Some(Answer { connector, uid, is_declined }) = answers.recv().await {
        let Some((namespace, name)) = connector.as_str().split_once('/') else { continue };
        let name = Name::new(namespace, name);
        tracing::info!(connector = %name, declined = is_declined, "an answer to the question for consent came");
        context.connectors.with(&name, |state| state.answered(&uid, is_declined));
        context.parts.wake(WatchedKind::Connector, &name);
    }
    // Nobody asks any more while the process ends.
    std::future::pending::<()>().await;
}

/// The page of ours that leads to a connector's question.
pub(super) fn page(context: &Context, name: &Name) -> Option<String> {
    let consents = context.consents.as_ref()?;
    Some(consents.address(&ConnectorName::new(&name.namespace, &name.name)))
}

impl ConnectorState {
    /// Somebody says that an administrator answered. That is no more than a reason to look again, and soon.
    fn answered(&mut self, uid: &str, is_declined: bool) {
        if self.common.resolved.as_ref().and_then(|it| it.key.uid.as_deref()) != Some(uid) {
            return;
        }
        self.is_answered = true;
        self.is_declined |= is_declined;
        if let Some(Err(failure)) = &mut self.outcome {
            // What was given just now may take a moment to count: who fails again is tried again as after a first time.
            failure.count = 0;
        }
    }
}
