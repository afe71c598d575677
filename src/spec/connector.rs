//! Converts a `DirectoryConnector` to the configuration of its source.

use std::collections::BTreeSet;
use std::time::Duration;

use super::configuration::Connector;
use super::object::{Folder, Name, Objects};
use super::problem::Problem;
use crate::api::DirectoryConnectorSpec;
use crate::directory::ConnectorName;
use crate::source::graph;
use crate::sync::expression::{Expression, Returns, Subject};

mod active_directory;
mod domino;
mod entra_id;
mod field;
mod google_workspace;
mod ldap;
mod ldif;
mod sync_engine;

pub(super) use field::not_a_duration;
use field::{Resolving, given};

/// Directories are not read more often.
pub const SHORTEST_INTERVAL: Duration = Duration::from_secs(10);
/// Feeds are not checked more often.
const SHORTEST_CHECK: Duration = Duration::from_mins(1);
/// Nothing is tried again sooner.
pub(super) const SHORTEST_RETRY: Duration = Duration::from_secs(1);
/// Nothing can be done in less.
pub(super) const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
/// Nothing takes longer: what never ends has its place for ever.
pub(super) const LONGEST_TIMEOUT: Duration = Duration::from_hours(24);

/// The connector, if nothing is wrong with it. `literal` are the attributes that policies name.
pub(super) fn resolve(
    name: &Name,
    (spec, folder): &(DirectoryConnectorSpec, Folder),
    literal: BTreeSet<String>,
    objects: &Objects,
    problems: &mut Vec<Problem>,
) -> Option<Connector> {
    let mut of = Resolving { name, objects, literal, problems: Vec::new() };
    let DirectoryConnectorSpec { active_directory, domino, entra_id, google_workspace, ldap, ldif, .. } =
        spec;
    let source = match (active_directory, domino, entra_id, google_workspace, ldap, ldif) {
        (Some(domain), None, None, None, None, None) if domain.sync_engine.is_some() => {
            of.domain_of_engine(domain)
        }
        (Some(domain), None, None, None, None, None) => Some(of.active_directory(domain)),
        (None, Some(domino), None, None, None, None) => Some(of.domino(domino)),
        (None, None, Some(tenant), None, None, None) => of.entra_id(tenant),
        (None, None, None, Some(customer), None, None) => of.google_workspace(customer),
        (None, None, None, None, Some(ldap), None) if ldap.sync_engine.is_some() => of.server_of_engine(ldap),
        (None, None, None, None, Some(ldap), None) => Some(of.ldap(ldap)),
        (None, None, None, None, None, Some(ldif)) => of.ldif(ldif, folder),
        (None, None, None, None, None, None) => of.fail(
            "spec",
            "name a kind of directory: activeDirectory, domino, entraId, googleWorkspace, ldap or ldif",
        ),
        _ => {
            let why = "names several kinds of directory, of activeDirectory, domino, entraId, googleWorkspace, ldap and ldif; keep \
                       one of them";
            of.fail("spec", why)
        }
    };
    let interval = of.duration("spec.interval", &spec.interval);
    if interval.is_some_and(|interval| interval < SHORTEST_INTERVAL) {
        of.problem("spec.interval", "is too short to read a directory; use 10s or more");
    }
    let retry_interval = of.duration("spec.retryInterval", &spec.retry_interval);
    if retry_interval.is_some_and(|interval| interval < SHORTEST_RETRY) {
        of.problem("spec.retryInterval", "is too short; use 1s or more");
    }
    let timeout = of.duration("spec.timeout", &spec.timeout);
    if timeout.is_some_and(|timeout| timeout < SHORTEST_TIMEOUT) {
        of.problem("spec.timeout", "is too short; use 1s or more");
    }
    let full_read_every = of.duration("spec.fullReadEvery", &spec.full_read_every);
    if full_read_every.is_some_and(|every| every < SHORTEST_CHECK) {
        of.problem("spec.fullReadEvery", "is too short; use 1m or more");
    }
    let sound = of.problems.is_empty();
    problems.append(&mut of.problems);
    let connector = Connector {
        name: ConnectorName::new(&name.namespace, &name.name),
        source: source?,
        interval: interval?,
        retry_interval: retry_interval?,
        // Those of before may have more.
        timeout: timeout?.min(LONGEST_TIMEOUT),
        full_read_every: full_read_every?,
        suspend: spec.suspend,
    };
    sound.then_some(connector)
}

/// The rule for disabled accounts, if the connector has one that compiles.
pub(super) fn disabled_when(spec: &DirectoryConnectorSpec) -> Option<Expression> {
    let domino = spec.domino.as_ref().map(|domino| &domino.disabled_when);
    let ldap = spec.ldap.as_ref().map(|ldap| &ldap.disabled_when);
    let text = domino.or(ldap).or(spec.ldif.as_ref().map(|ldif| &ldif.disabled_when))?;
    Expression::compile(text, Subject::User, Returns::Bool).ok().filter(|_| !text.is_empty())
}

/// What to say of hosts that the spec names in place of the usual ones.
pub fn elsewhere(spec: &DirectoryConnectorSpec) -> Option<String> {
    if let Some(customer) = &spec.google_workspace {
        return google_workspace::endpoints(customer.endpoints.as_ref()?).elsewhere();
    }
    let endpoints = spec.entra_id.as_ref()?.endpoints.as_ref()?;
    graph::elsewhere(given(&endpoints.authority).as_deref(), given(&endpoints.graph).as_deref())
}
