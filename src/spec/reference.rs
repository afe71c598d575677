//! The references of a spec, so that the caller knows which objects to fetch.

use std::collections::BTreeSet;
use std::fmt;

use super::object::is_dns_name;
use crate::api::connector::{EntraCredentials, SyncEngine};
use crate::api::reference::{CaKind, CaRef};
use crate::api::{DirectoryConnectorSpec, SyncPolicySpec};

/// The keys of a `kubernetes.io/basic-auth` Secret: who, and the password.
pub(super) const CREDENTIALS: [&str; 2] = ["username", "password"];

/// The keys of a `kubernetes.io/tls` Secret: the certificate, and its key.
pub(super) const CERTIFICATE: [&str; 2] = ["tls.crt", "tls.key"];

/// The key of a Secret with the public half of an engine's key.
pub const PUBLIC_KEY: &str = "publicKey";

/// The keys of a Secret with an OAuth client: who, and its secret.
pub(super) const CLIENT: [&str; 2] = ["client-id", "client-secret"];

/// A Secret or ConfigMap in the namespace of the object that refers to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// A Secret, by its name.
    Secret(String),
    /// A ConfigMap, by its name.
    ConfigMap(String),
}

impl Reference {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Secret(name) | Self::ConfigMap(name) => name,
        }
    }

    /// Whether there can be such an object: one of another name is not asked for.
    pub fn is_possible(&self) -> bool {
        is_dns_name(self.name())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(name) => write!(f, "Secret {name}"),
            Self::ConfigMap(name) => write!(f, "ConfigMap {name}"),
        }
    }
}

/// A key of one of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Whose key.
    pub of: Reference,
    /// Which of its keys.
    pub key: String,
}

/// What a connector refers to.
pub fn of_connector(name: &str, spec: &DirectoryConnectorSpec) -> BTreeSet<Reference> {
    let engines = engine_secrets(name, spec).into_iter().map(Reference::Secret);
    keys_of_connector(name, spec).into_iter().map(|key| key.of).chain(engines).collect()
}

/// What a connector uses of that.
pub fn keys_of_connector(name: &str, spec: &DirectoryConnectorSpec) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    // Who stands by makes no read another one.
    keys.extend(engine_secrets(name, spec).first().map(|of| secret(of, PUBLIC_KEY)));
    let domain = spec.active_directory.iter().map(|it| (it.credentials_secret_ref.as_ref(), &it.tls));
    let server = spec.ldap.iter().map(|it| (it.credentials_secret_ref.as_ref(), &it.tls));
    let domino = spec.domino.iter().map(|it| (it.credentials_secret_ref.as_ref(), &it.tls));
    for (credentials, tls) in domain.chain(server).chain(domino) {
        keys.extend(credentials.into_iter().flat_map(|it| CREDENTIALS.map(|key| secret(&it.name, key))));
        keys.extend(tls.ca_ref.iter().map(authority));
    }
    if let Some(tenant) = &spec.entra_id {
        let EntraCredentials { client_secret_ref, certificate_secret_ref, .. } = &tenant.credentials;
        keys.extend(client_secret_ref.iter().map(|it| secret(&it.name, &it.key)));
        keys.extend(
            certificate_secret_ref.iter().flat_map(|it| CERTIFICATE.map(|key| secret(&it.name, key))),
        );
        keys.extend(tenant.tls.ca_ref.iter().map(authority));
    }
    if let Some(customer) = &spec.google_workspace {
        keys.extend(customer.credentials.service_account_key_ref.iter().map(|it| secret(&it.name, &it.key)));
        keys.extend(customer.tls.ca_ref.iter().map(authority));
    }
    if let Some(ldif) = &spec.ldif {
        keys.extend(ldif.secret_key_ref.iter().map(|it| secret(&it.name, &it.key)));
        keys.extend(ldif.config_map_key_ref.iter().map(|it| map(&it.name, &it.key)));
    }
    keys
}

/// The Secrets by which a connector's Sync Engines join, one for each, and that have the public halves of their keys; none if none reads.
pub fn engine_secrets(name: &str, spec: &DirectoryConnectorSpec) -> Vec<String> {
    let domain = spec.active_directory.as_ref().and_then(|it| it.sync_engine.as_ref());
    let engine = domain.or(spec.ldap.as_ref().and_then(|it| it.sync_engine.as_ref()));
    let engines = engine.map_or(0, |engine| engine.engines.min(SyncEngine::MOST));
    (1..=engines).map(|number| engine_secret(name, number)).collect()
}

/// The Secret of one of them.
pub fn engine_secret(name: &str, number: u32) -> String {
    if number == 1 { format!("{name}-engine") } else { format!("{name}-engine-{number}") }
}

/// What a policy refers to, but for its connectors.
pub fn of_policy(spec: &SyncPolicySpec) -> BTreeSet<Reference> {
    keys_of_policy(spec).into_iter().map(|key| key.of).collect()
}

/// What a policy uses of that.
pub fn keys_of_policy(spec: &SyncPolicySpec) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    keys.extend(
        spec.target.registry.iter().flat_map(|it| &it.token_secret_ref).map(|it| secret(&it.name, &it.key)),
    );
    if let Some(scim) = &spec.target.scim {
        keys.extend(scim.credentials.token_secret_ref.iter().map(|it| secret(&it.name, &it.key)));
        let clients = scim.credentials.oauth.iter();
        keys.extend(clients.flat_map(|it| CLIENT.map(|key| secret(&it.client_secret_ref.name, key))));
        keys.extend(scim.tls.ca_ref.iter().map(authority));
    }
    if let Some(mimecast) = &spec.target.mimecast {
        keys.extend(CLIENT.map(|key| secret(&mimecast.credentials_secret_ref.name, key)));
        keys.extend(mimecast.tls.ca_ref.iter().map(authority));
    }
    keys
}

fn secret(name: &str, key: &str) -> Key {
    Key { of: Reference::Secret(name.to_owned()), key: key.to_owned() }
}

fn map(name: &str, key: &str) -> Key {
    Key { of: Reference::ConfigMap(name.to_owned()), key: key.to_owned() }
}

fn authority(of: &CaRef) -> Key {
    match of.kind {
        CaKind::ConfigMap => map(&of.name, &of.key),
        CaKind::Secret => secret(&of.name, &of.key),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("reader", true)]
    #[case("reader.corp-1", true)]
    #[case("..", false)]
    #[case("../configmaps/other", false)]
    #[case("reader/status", false)]
    #[case("reader?watch=1", false)]
    #[case("%2e%2e", false)]
    #[case("Reader", false)]
    #[case("", false)]
    fn what_cannot_be_a_name_is_not_asked_for(#[case] name: &str, #[case] possible: bool) {
        assert_eq!(Reference::Secret(name.to_owned()).is_possible(), possible);
        assert_eq!(Reference::ConfigMap(name.to_owned()).is_possible(), possible);
    }
}
