//! Tells of an object by Events.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource;
use kube::runtime::events::EventType;

use super::condition;
use super::connector::status::ENDPOINTS;
use super::context::Context;
use super::event::{Telling, Told};
use crate::api::reason;
use crate::telemetry::Asked;

/// Tells of a change of `Ready`, and of what must never be silent, by an Event each.
pub(super) fn ready<K>(context: &Context, object: &K, before: Option<&[Condition]>, now: &[Condition])
where
    K: Resource<DynamicType = ()>,
{
    let is_new = |one: &&Condition| {
        !before.and_then(|before| condition::find(before, &one.type_)).is_some_and(|it| is_told(it, one))
    };
    if let Some(one) = condition::find(now, ENDPOINTS).filter(is_new) {
        event(context, object, EventType::Warning, &one.reason, &one.message);
    }
    let Some(ready) = condition::find(now, "Ready").filter(is_new) else { return };
    let type_ = if ready.status == "False" { EventType::Warning } else { EventType::Normal };
    event(context, object, type_, &ready.reason, &ready.message);
}

/// Publishes an Event in the background. If that fails, the Event is lost, and a warning is logged.
pub(super) fn event<K>(context: &Context, object: &K, type_: EventType, reason: &str, message: &str)
where
    K: Resource<DynamicType = ()>,
{
    let about = object.object_ref(&());
    let told = Told::new(&about, type_, reason, message);
    if context.events.try_send(Telling { about, told, at: context.clock.now() }).is_err() {
        context.metrics.api_failed(Asked::Event);
        tracing::warn!("an Event was lost: too many wait for the apiserver");
    }
}

/// Whether `Ready` was told of already. A message that only counts what came while all is well is nothing new.
fn is_told(before: &Condition, now: &Condition) -> bool {
    let counts = [reason::connector::READ.name, reason::connector::PROGRESSING.name].contains(&&*now.reason);
    before.status == now.status && before.reason == now.reason && (counts || before.message == now.message)
}
