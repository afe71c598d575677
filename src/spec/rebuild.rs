//! The rules of a policy, made again from what was remembered of its specs.

use super::applied::Applied;
use super::object::{Name, Objects};
use super::policy;
use crate::sync::policy::Policy;

/// Makes the rules of a policy again from what was remembered; `None` if this version cannot.
pub fn rebuild(json: &str) -> Option<Policy> {
    let mut applied: Applied = serde_json::from_str(json).ok()?;
    for connector in &mut applied.policy.connectors {
        // Versions before this one took any age. It has nothing to do with what the rules are, and without
        // them what an edit removes would not be known for that.
        if connector.max_age.get().is_some_and(|age| age < policy::SHORTEST_AGE) {
            connector.max_age = "1m".into();
        }
    }
    let name = Name { namespace: applied.namespace, name: applied.name };
    let connectors =
        applied.connectors.into_iter().map(|(connector, spec)| (name.beside(&connector), (spec, None)));
    let objects = Objects { connectors: connectors.collect(), ..Objects::default() };
    policy::rules(&name, &applied.policy, &objects)
}
