//! The stored form of the specs that a policy was applied with: enough to create its rules again, and to detect every
//! edit that could remove something.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::object::{Name, Objects};
use super::service;
use crate::api::policy::{DeletionPolicy, Mimecast, Mode, Registry, Scim, Target, Verify};
use crate::api::{DirectoryConnectorSpec, SyncPolicySpec};
use crate::hex;

#[derive(Serialize, Deserialize)]
pub(super) struct Applied {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) policy: SyncPolicySpec,
    pub(super) connectors: Vec<(String, DirectoryConnectorSpec)>,
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
        verify: Verify::default(),
        target: without_the_way_there(&spec.target),
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
    let hash = format!("sha256:{}", hex::encode(&Sha256::digest(&json)));
    (json, hash)
}

/// A target without what only says how it is reached: with other credentials it is the same.
fn without_the_way_there(target: &Target) -> Target {
    let scim = |scim: &Scim| Scim { url: service::place(&scim.url).into_owned(), ..Scim::default() };
    let mimecast = |mimecast: &Mimecast| Mimecast {
        url: service::place(&mimecast.url).into_owned(),
        parent_folder: mimecast.parent_folder.clone(),
        ..Mimecast::default()
    };
    Target {
        registry: target.registry.as_ref().map(|_| Registry::default()),
        scim: target.scim.as_ref().map(scim),
        mimecast: target.mimecast.as_ref().map(mimecast),
    }
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
    if let Some(domino) = &mut spec.domino {
        domino.urls.clear();
        domino.start_tls = false;
        domino.insecure = false;
        domino.tls = crate::api::connector::Tls::default();
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
