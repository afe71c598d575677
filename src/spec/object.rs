//! The objects of manifests: our kinds, and those that they refer to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::api::{DirectoryConnectorSpec, SyncPolicySpec};
use crate::net::oauth::Issuer;
use crate::secret::Secret;
use crate::source::engine::Engines;

/// A namespace and a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// Objects by name. Whoever fills it (files, an apiserver) has parsed them.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Connectors, each with the folder in which its relative paths begin.
    pub connectors: BTreeMap<Name, (DirectoryConnectorSpec, Folder)>,
    /// Policies.
    pub policies: BTreeMap<Name, SyncPolicySpec>,
    /// Secrets.
    pub secrets: BTreeMap<Name, BTreeMap<String, Secret>>,
    /// ConfigMaps.
    pub config_maps: BTreeMap<Name, BTreeMap<String, Vec<u8>>>,
    /// Secrets that nobody looked at: each is taken to hold what it must.
    pub assumed: BTreeSet<Name>,
    /// Who issues tokens of service accounts: an apiserver.
    pub issuer: Option<Arc<dyn Issuer>>,
    /// Whether there is a gateway for Sync Engines.
    pub engines: EngineAccess,
    /// Whether there may be more than these: what is missing then cannot be told from its likes.
    pub partial: bool,
}

/// Whether there is a gateway for Sync Engines.
#[derive(Clone, Debug, Default)]
pub enum EngineAccess {
    /// There is no operator: manifests are only looked at.
    #[default]
    None,
    /// The operator has none.
    Off,
    /// The engines that come there.
    On(Engines),
}

impl Name {
    /// `name` in `namespace`.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// The name of this object.
    pub fn of<K: kube::Resource>(object: &K) -> Self {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        Self { namespace: part(&object.meta().namespace), name: part(&object.meta().name) }
    }

    /// The name `name` in the same namespace.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        Self { namespace: self.namespace.clone(), name: name.to_owned() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// RFC 1123: what a name in Kubernetes may be. Another one must not come into the path of a request.
pub fn is_dns_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=253).contains(&name.len())
        && name.split('.').all(|label| {
            !label.is_empty() && label.chars().all(inner) && !label.starts_with('-') && !label.ends_with('-')
        })
}

/// Where relative paths in an object begin.
pub(super) type Folder = Option<PathBuf>;
