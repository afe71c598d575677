//! What is remembered of the specs that a policy was applied with: so much that its rules can be made
//! again, and that any edit which could remove something shows.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::object::{Name, Objects};
use super::policy;
use crate::api::policy::{DeletionPolicy, Mode, Registry, Target};
use crate::api::{DirectoryConnectorSpec, SyncPolicySpec};
use crate::sync::policy::Policy;

#[derive(Serialize, Deserialize)]
struct Applied {
    namespace: String,
    name: String,
    policy: SyncPolicySpec,
    connectors: Vec<(String, DirectoryConnectorSpec)>,
}

/// The specs as JSON, and a hash over what of them decides what is removed.
pub(super) fn of(name: &Name, spec: &SyncPolicySpec, objects: &Objects) -> (String, String) {
    // When and how it runs, and whether it rests or only shows what it would do, changes nothing about
    // what that is.
    let policy = SyncPolicySpec {
        mode: Mode::Apply,
        suspend: false,
        schedule: None,
        deletion_policy: DeletionPolicy::default(),
        retry_interval: "1m".into(),
        timeout: "1h".into(),
        target: Target { registry: spec.target.registry.as_ref().map(|_| Registry::default()) },
        ..spec.clone()
    };
    let connectors = spec.connectors.iter().filter_map(|reference| {
        let (connector, _) = objects.connectors.get(&name.beside(&reference.name))?;
        Some((reference.name.clone(), without_the_way(connector.clone())))
    });
    let applied = Applied {
        namespace: name.namespace.clone(),
        name: name.name.clone(),
        connectors: connectors.collect(),
        policy,
    };
    let json = serde_json::to_string(&applied).unwrap_or_default();
    let mut hash = "sha256:".to_owned();
    for byte in Sha256::digest(&json) {
        // Writing to a String cannot fail.
        let _written = write!(hash, "{byte:02x}");
    }
    (json, hash)
}

/// A connector without what only says how the directory is reached: another server of the same
/// directory, or another place of the same file, removes nobody.
fn without_the_way(mut spec: DirectoryConnectorSpec) -> DirectoryConnectorSpec {
    spec.interval = "15m".into();
    spec.retry_interval = "1m".into();
    spec.timeout = "1h".into();
    spec.suspend = false;
    spec.full_read_every = "24h".into();
    if let Some(domain) = &mut spec.active_directory {
        domain.urls.clear();
        domain.dns_discovery = None;
        domain.start_tls = false;
        domain.insecure = false;
        domain.tls = crate::api::connector::Tls::default();
        domain.change_feed = crate::api::connector::ChangeFeed::Auto;
    }
    if let Some(ldap) = &mut spec.ldap {
        ldap.urls.clear();
        ldap.start_tls = false;
        ldap.insecure = false;
        ldap.tls = crate::api::connector::Tls::default();
        ldap.page_size = 0;
        ldap.change_feed = crate::api::connector::LdapChangeFeed::Auto;
    }
    if let Some(ldif) = &mut spec.ldif {
        ldif.path = None;
        ldif.secret_key_ref = None;
        ldif.config_map_key_ref = None;
    }
    spec
}

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
    let mut problems = Vec::new();
    let runnable = policy::resolve(&name, &applied.policy, &objects, &mut problems)?;
    Some(std::sync::Arc::unwrap_or_clone(runnable.policy))
}
