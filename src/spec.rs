//! From resources to working configurations: the one place where specs are validated, whoever brings
//! them (files or an apiserver).
//!
//! # Guarantees
//! - Every problem is said, not only the first, each with the object, the field and the remedy.
//! - An object with a problem never stops the others.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::directory::{ConnectorName, fields};
use crate::secret::Secret;
use crate::source::ldap::{ActiveDirectoryConfig, LdapConfig};
use crate::source::ldif::LdifConfig;
use crate::sync::expression::Expression;
use crate::sync::policy::Policy;

mod applied;
mod connector;
mod content;
mod filter;
pub mod manifest;
mod object;
mod policy;
pub mod reference;
mod resolve;
mod schedule;
mod schema;
mod stand_in;

pub use applied::rebuild;
pub use connector::SHORTEST_INTERVAL;
pub use content::Content;
pub use object::{Name, Objects, is_dns_name};
pub use schedule::Schedule;

/// What is wrong with an object, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Which object (`SyncPolicy identity/staff`), or which file.
    pub object: String,
    /// Which field of it (`spec.users.where`); empty for the object as a whole.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
    /// Whether it lies in another object, which is not there or does not hold what it must: it may be mended without an
    /// edit of this one.
    pub elsewhere: bool,
}

/// A connector that can be used.
#[derive(Clone, Debug)]
pub struct Connector {
    /// Which one.
    pub name: ConnectorName,
    /// What it reads.
    pub source: SourceConfig,
    /// How long after one read the next begins.
    pub interval: Duration,
    /// How long after the first failure it is tried again.
    pub retry_interval: Duration,
    /// How long one read may take.
    pub timeout: Duration,
    /// How long after a full read a change feed is checked against another.
    pub full_read_every: Duration,
    /// Whether it rests.
    pub suspend: bool,
}

/// What a connector reads.
#[derive(Clone, Debug)]
pub enum SourceConfig {
    /// A domain.
    ActiveDirectory(ActiveDirectoryConfig),
    /// A server.
    Ldap(LdapConfig),
    /// A file.
    Ldif(LdifConfig),
}

impl SourceConfig {
    /// Whether there is a server, which is reached and authenticates.
    pub fn is_a_server(&self) -> bool {
        !matches!(self, Self::Ldif(_))
    }

    /// What to say of these fields of the directory of this vendor, of which nothing came; nothing of a file, which is
    /// as it was made.
    pub fn unseen(&self, fields: &BTreeSet<&str>, directory: &str, vendor: Option<&str>) -> Option<String> {
        match self {
            Self::ActiveDirectory(config) => config.unseen(fields, directory),
            Self::Ldap(config) => config.unseen(fields, vendor),
            Self::Ldif(_) => None,
        }
    }
}

/// A policy that can be used.
#[derive(Clone, Debug)]
pub struct Runnable {
    /// The rules.
    pub policy: Arc<Policy>,
    /// When it runs; `None` means whenever a read brought something.
    pub schedule: Option<Schedule>,
    /// How long after the first failure it is tried again.
    pub retry_interval: Duration,
    /// How long one run may take.
    pub timeout: Duration,
    /// What readers of the registry must show; `None` means that it is not served.
    pub token: Option<Secret>,
    /// Whether it only shows what it would do.
    pub preview: bool,
    /// Whether it rests.
    pub suspend: bool,
}

/// What can be used of a set of objects, and what is wrong with the rest.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// Connectors, by name.
    pub connectors: BTreeMap<ConnectorName, Connector>,
    /// Policies, in order of their names.
    pub policies: Vec<Runnable>,
    /// What is wrong, sorted.
    pub problems: Vec<Problem>,
}

impl Problem {
    /// A problem of one field of an object.
    pub fn new(object: &str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { object: object.to_owned(), field: field.into(), message: message.into(), elsewhere: false }
    }

    /// A problem of what a field refers to.
    pub fn elsewhere(object: &str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { elsewhere: true, ..Self::new(object, field, message) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, field, message, .. } = self;
        if field.is_empty() {
            write!(f, "{object}: {message}")
        } else {
            write!(f, "{object}: {field}: {message}")
        }
    }
}

/// Makes working configurations of the objects.
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
    problems.sort();
    problems.dedup();
    Resolved { connectors, policies, problems }
}

/// Makes a working configuration of one policy among `objects`; the connectors that it names must be
/// among them.
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

/// Makes a working configuration of one connector among `objects`. `literal` is what policies name of its
/// directory's own attributes ([`literal`]).
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

/// Where relative paths in an object begin.
type Folder = Option<PathBuf>;
