//! Converts resources to working configurations: the only place where specs are validated, from files or from an
//! apiserver.
//!
//! # Guarantees
//! - Every problem is said, not only the first, each with the object, the field and the remedy.
//! - An object with a problem never stops the others.

use std::collections::{BTreeMap, BTreeSet};

use crate::directory::{ConnectorName, fields};
use crate::secret::Secret;
use crate::sync::expression::Expression;

mod applied;
mod configuration;
mod connector;
mod content;
mod filter;
pub mod manifest;
mod mimecast;
mod object;
mod policy;
mod problem;
mod rebuild;
pub mod reference;
mod resolve;
mod schedule;
mod schema;
mod scim;
mod service;
mod stand_in;

pub use configuration::{Connector, Resolved, Runnable};
pub use connector::{SHORTEST_INTERVAL, elsewhere};
pub use content::Content;
pub use object::{EngineAccess, Name, Objects, is_dns_name};
pub use problem::Problem;
pub use rebuild::rebuild;
pub use schedule::Schedule;

/// Converts the objects to working configurations.
pub fn resolve(objects: &Objects) -> Resolved {
    let mut problems = Vec::new();
    let mut policies = Vec::new();
    for name in objects.policies.keys() {
        match policy(name, objects) {
            Ok(runnable) => policies.push(runnable),
            Err(wrong) => problems.extend(wrong),
        }
    }
    let mut connectors = BTreeMap::new();
    for name in objects.connectors.keys() {
        match connector(name, objects, literal(name, &policies)) {
            Ok(connector) => drop(connectors.insert(connector.name.clone(), connector)),
            Err(wrong) => problems.extend(wrong),
        }
    }
    Resolved { connectors, policies, problems: Vec::new() }.with(problems)
}

/// Converts one policy among `objects` to a working configuration; the connectors that it names must be among them.
///
/// # Errors
/// All problems of the spec, each with its field and the remedy.
pub fn policy(name: &Name, objects: &Objects) -> Result<Runnable, Vec<Problem>> {
    let mut problems = Vec::new();
    let found = objects.policies.get(name);
    let runnable = found.and_then(|found| policy::resolve(name, found, objects, &mut problems));
    runnable.ok_or(problems)
}

/// What readers of a policy's registry must show, if they may read and the Secret is there.
pub fn token(name: &Name, objects: &Objects) -> Option<Result<Secret, String>> {
    policy::token(name, objects.policies.get(name)?, objects)
}

/// Converts one connector among `objects` to a working configuration. `literal` are the directory's own attributes that
/// policies name ([`literal`]).
///
/// # Errors
/// All problems of the spec, each with its field and the remedy.
pub fn connector(
    name: &Name,
    objects: &Objects,
    literal: BTreeSet<String>,
) -> Result<Connector, Vec<Problem>> {
    let mut problems = Vec::new();
    let found = objects.connectors.get(name);
    let connector = found.and_then(|found| connector::resolve(name, found, literal, objects, &mut problems));
    connector.ok_or(problems)
}

/// What these policies name literally of a connector's attributes: it asks for them together.
pub fn literal<'a>(connector: &Name, policies: impl IntoIterator<Item = &'a Runnable>) -> BTreeSet<String> {
    let connector = ConnectorName::new(&connector.namespace, &connector.name);
    let of = |runnable: &'a Runnable| runnable.policy.expressions();
    using(&connector, policies).flat_map(of).flat_map(Expression::attributes).cloned().collect()
}

/// What these policies rest on of what a connector reads, as the coverage rule calls it: addresses and members,
/// and what their expressions name.
pub fn used<'a>(
    connector: &ConnectorName,
    policies: impl IntoIterator<Item = &'a Runnable>,
) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for runnable in using(connector, policies) {
        used.extend([fields::MAIL, fields::MEMBERS].map(str::to_owned));
        if !runnable.policy.users.without_mailboxes.is_empty() {
            used.insert(fields::MAILBOX.to_owned());
        }
        for expression in runnable.policy.expressions() {
            used.extend(expression.fields().iter().cloned());
            used.extend(expression.attributes().iter().map(|name| format!("attributes.{name}")));
        }
    }
    used
}

/// Those of the policies that use a connector.
fn using<'a>(
    connector: &ConnectorName,
    policies: impl IntoIterator<Item = &'a Runnable>,
) -> impl Iterator<Item = &'a Runnable> {
    let uses = move |runnable: &&Runnable| {
        runnable.policy.connectors.iter().any(|binding| binding.connector == *connector)
    };
    policies.into_iter().filter(uses)
}
