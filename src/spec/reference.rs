//! What a spec refers to, so that whoever brings objects knows which ones.

use std::collections::BTreeSet;

use crate::api::reference::CaKind;
use crate::api::{DirectoryConnectorSpec, SyncPolicySpec};

/// A Secret or ConfigMap in the namespace of the object that refers to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// A Secret, by its name.
    Secret(String),
    /// A ConfigMap, by its name.
    ConfigMap(String),
}

/// What a connector refers to.
pub fn of_connector(spec: &DirectoryConnectorSpec) -> BTreeSet<Reference> {
    let mut references = BTreeSet::new();
    let domain = spec.active_directory.iter().map(|it| (Some(&it.credentials_secret_ref), &it.tls));
    let server = spec.ldap.iter().map(|it| (it.credentials_secret_ref.as_ref(), &it.tls));
    for (credentials, tls) in domain.chain(server) {
        references.extend(credentials.map(|it| Reference::Secret(it.name.clone())));
        references.extend(tls.ca_ref.iter().map(|it| match it.kind {
            CaKind::ConfigMap => Reference::ConfigMap(it.name.clone()),
            CaKind::Secret => Reference::Secret(it.name.clone()),
        }));
    }
    if let Some(ldif) = &spec.ldif {
        references.extend(ldif.secret_key_ref.iter().map(|it| Reference::Secret(it.name.clone())));
        references.extend(ldif.config_map_key_ref.iter().map(|it| Reference::ConfigMap(it.name.clone())));
    }
    references
}

/// What a policy refers to, but for its connectors.
pub fn of_policy(spec: &SyncPolicySpec) -> BTreeSet<Reference> {
    let token = spec.target.registry.as_ref().and_then(|registry| registry.token_secret_ref.as_ref());
    token.map(|token| Reference::Secret(token.name.clone())).into_iter().collect()
}
