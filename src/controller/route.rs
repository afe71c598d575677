//! From a watch to whoever is to look: a changed object itself, those that use it, and the connectors of a policy.

use super::context::{Context, owner};
use super::parts::cached;
use super::reconcile::Controlled;
use super::watched::{Happened, WatchedKind};
use crate::api::{DirectoryConnector, SyncPolicy};
use crate::spec::Name;

/// Acts on what a watch told.
pub(super) fn told(context: &Context, kind: WatchedKind, name: &Name, happened: Happened) {
    let parts = &context.parts;
    match happened {
        // What is told of all namespaces has none.
        Happened::Seen => parts.wake_all(Some(&name.namespace)),
        Happened::Restated => {
            if !stands(context, kind, name) {
                parts.wake(kind, name);
            }
        }
        Happened::Changed => {
            parts.note_uses(kind, name);
            parts.wake(kind, name);
            parts.wake_users(kind, name);
            if kind == WatchedKind::Policy {
                // It may name other attributes now, which are then read.
                parts.policy(name, |policy| {
                    for connector in &policy.spec.connectors {
                        parts.wake(WatchedKind::Connector, &name.beside(&connector.name));
                    }
                });
            }
        }
        Happened::Gone => {
            parts.note_uses(kind, name);
            forget(context, kind, name);
            parts.wake_users(kind, name);
            if kind == WatchedKind::Policy {
                context.served.gone(&owner(name));
            }
        }
    }
}

/// Forgets an object that is gone, or not ours any more: what goes on for it ends, and nothing is told of it.
pub(super) fn forget(context: &Context, kind: WatchedKind, name: &Name) {
    match kind {
        WatchedKind::Connector => forget_one::<DirectoryConnector>(context, name),
        WatchedKind::Policy => forget_one::<SyncPolicy>(context, name),
        WatchedKind::Secret | WatchedKind::ConfigMap | WatchedKind::Namespace => {}
    }
}

fn forget_one<K: Controlled>(context: &Context, name: &Name) {
    K::states(context).forget(name);
    context.parts.alarm(K::WATCHED, name, None);
    K::forget_beside(context, name);
}

/// Whether an object shows the status that was written last.
fn stands(context: &Context, kind: WatchedKind, name: &Name) -> bool {
    match kind {
        WatchedKind::Connector => one_stands::<DirectoryConnector>(context, name),
        WatchedKind::Policy => one_stands::<SyncPolicy>(context, name),
        WatchedKind::Secret | WatchedKind::ConfigMap | WatchedKind::Namespace => true,
    }
}

fn one_stands<K: Controlled>(context: &Context, name: &Name) -> bool {
    let Some(part) = context.parts.of(&name.namespace) else { return false };
    let object = cached(&K::ours(&part).cache, name);
    let known = object.as_ref().and_then(|object| object.0.as_ref().ok());
    known.is_some_and(|known| K::states(context).with(name, |state| K::common(state).stands(known)))
}
