//! A domain of Active Directory.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct into a private scope")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sync_engine::SyncEngine;
use super::trust::Tls;
use crate::api::reference::SecretRef;

/// A domain of Active Directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("self.startTLS || self.insecure || self.urls.all(url, !url.startsWith('ldap://'))", "ldap:// would send passwords and people's data unprotected: use ldaps://, or startTLS: true, or accept it with insecure: true"),
    validation = ("has(self.syncEngine) || has(self.dnsDiscovery) != (size(self.urls) > 0)", "name domain controllers in urls, or their domain in dnsDiscovery, and not both"),
    validation = ("!has(self.dnsDiscovery) || !self.insecure", "with dnsDiscovery the password would be sent unprotected to any server that DNS names: use startTLS: true, or neither"),
    validation = ("self.urls.all(url, !url.matches(':326[89]/?$'))", "a global catalog (ports 3268 and 3269) has only a part of each entry: use ldaps:// without a port, or ldap:// with startTLS"),
    validation = ("has(self.syncEngine) || has(self.credentialsSecretRef)", "name the Secret of the account that reads in credentialsSecretRef"),
    validation = ("!has(self.syncEngine) || !(size(self.urls) > 0 || has(self.dnsDiscovery) || self.startTLS || self.insecure || has(self.credentialsSecretRef) || (has(self.tls) && (has(self.tls.caRef) || (has(self.tls.serverName) && self.tls.serverName != ''))))", "with syncEngine the engine's own engine.yaml says where the directory is and who reads it: leave out urls, dnsDiscovery, startTLS, insecure, tls and credentialsSecretRef")
)]
pub struct ActiveDirectory {
    /// Domain controllers of one domain, as `ldaps://host[:port]` or `ldap://host[:port]`, tried in order. Each read
    /// uses one of them.
    #[serde(default)]
    #[schemars(length(max = 8), inner(length(max = 512), regex(pattern = r"^ldaps?://[^/?#]+/?$")))]
    pub urls: Vec<String>,
    /// Reads the domain through a Sync Engine instead: an agent inside its network, which only makes outbound connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_engine: Option<SyncEngine>,
    /// Finds domain controllers by DNS instead. They are reached by `ldaps://`, or by `ldap://` with `startTLS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_discovery: Option<DnsDiscovery>,
    /// Secures connections to `ldap://` URLs with StartTLS before anything else is sent.
    #[serde(default, rename = "startTLS")]
    pub start_tls: bool,
    /// Allows `ldap://` URLs without StartTLS. Passwords and people's data are then sent unencrypted, and most domain
    /// controllers refuse that.
    #[serde(default)]
    pub insecure: bool,
    /// How the certificates of the domain controllers are verified.
    #[serde(default)]
    pub tls: Tls,
    /// A Secret of type `kubernetes.io/basic-auth`: `username` is `name@domain`, `DOMAIN\name` or a DN. The account
    /// needs only permission to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,
    /// The subtrees to read. If empty, the whole domain is read.
    #[serde(default, rename = "baseDNs", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 1024)))]
    pub base_dns: Vec<String>,
    /// The subtrees to leave out.
    #[serde(default, rename = "excludeDNs", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 1024)))]
    pub exclude_dns: Vec<String>,
    /// An LDAP filter (RFC 4515) for users and contacts. If empty, all of them are read except computers, trusts and
    /// the accounts that every domain has (`krbtgt`, `Guest`, `Administrator`). It may span several lines, with line
    /// breaks between its components.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub user_filter: String,
    /// An LDAP filter (RFC 4515) for groups. If empty, it is `(objectClass=group)`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub group_filter: String,
    /// How changes are found. `Auto` uses the best feed that the account may use; `status.changeFeed` says why no
    /// better one is used.
    #[serde(default)]
    pub change_feed: ChangeFeed,
}

/// Domain controllers found by DNS, in the order of priority and weight (RFC 2782). Each connector stays with one of
/// them while it answers. Only host names of the domain are accepted, and certificates are verified against them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DnsDiscovery {
    /// The DNS name of the domain, such as `corp.example`.
    #[schemars(length(min = 1, max = 190), regex(pattern = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"))]
    pub domain: String,
    /// The site (of Active Directory Sites and Services) whose domain controllers are tried first.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 63), regex(pattern = r"^[A-Za-z0-9_-]*$"))]
    pub site: String,
    /// The name servers to ask, as `address` or `address:port`. If empty, those of the pod are used, which must know
    /// the domain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(max = 64), regex(pattern = r"^[0-9A-Fa-f.:\[\]]+$")))]
    pub nameservers: Vec<String>,
}

/// How changes are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ChangeFeed {
    /// `DirSync` if the account may use it, else `UsnChanged`.
    #[default]
    Auto,
    /// The domain controller reports what changed: everything with the permission `Replicating Directory Changes`,
    /// otherwise what the account may see.
    DirSync,
    /// The same domain controller is searched for entries with a later `uSNChanged`.
    UsnChanged,
    /// Everything is read each time.
    FullRead,
}
