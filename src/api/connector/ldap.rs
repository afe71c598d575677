//! An LDAPv3 server.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct into a private scope")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sync_engine::SyncEngine;
use super::trust::Tls;
use crate::api::reference::SecretRef;

/// An LDAPv3 server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("self.startTLS || self.insecure || self.urls.all(url, !url.startsWith('ldap://'))", "ldap:// would send passwords and people's data unprotected: use ldaps://, or startTLS: true, or accept it with insecure: true"),
    validation = ("has(self.syncEngine) || size(self.urls) > 0", "name the servers in urls"),
    validation = ("!has(self.syncEngine) || !(size(self.urls) > 0 || self.startTLS || self.insecure || has(self.credentialsSecretRef) || (has(self.tls) && (has(self.tls.caRef) || (has(self.tls.serverName) && self.tls.serverName != ''))))", "with syncEngine the engine's own engine.yaml says where the directory is and who reads it: leave out urls, startTLS, insecure, tls and credentialsSecretRef")
)]
pub struct Ldap {
    /// `ldaps://host[:port]` or `ldap://host[:port]`, tried in order.
    #[serde(default)]
    #[schemars(length(max = 8), inner(length(max = 512), regex(pattern = r"^ldaps?://[^/?#]+/?$")))]
    pub urls: Vec<String>,
    /// Reads the server through a Sync Engine instead: an agent inside its network, which only makes outbound connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_engine: Option<SyncEngine>,
    /// Secures connections to `ldap://` URLs with StartTLS (RFC 4511 section 4.14) before anything else is sent.
    #[serde(default, rename = "startTLS")]
    pub start_tls: bool,
    /// Allows `ldap://` URLs without StartTLS. Passwords and people's data are then sent unencrypted.
    #[serde(default)]
    pub insecure: bool,
    /// How the certificate of the server is verified.
    #[serde(default)]
    pub tls: Tls,
    /// A Secret of type `kubernetes.io/basic-auth`: `username` is the DN to bind with, `password` its
    /// password. Without it the directory is read anonymously.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,
    /// The subtrees to read. If empty, the server's default naming context is read, or else all of its naming contexts
    /// that contain people.
    #[serde(default, rename = "baseDNs", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 1024)))]
    pub base_dns: Vec<String>,
    /// An LDAP filter (RFC 4515) for users. If empty, it is
    /// `(|(objectClass=person)(objectClass=posixAccount)(objectClass=account))`. It may span several lines, with line
    /// breaks between its components.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub user_filter: String,
    /// An LDAP filter (RFC 4515) for groups. If empty, it is
    /// `(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup)(objectClass=group))`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub group_filter: String,
    /// The attribute with an entry's immutable id. If empty, it is `nsUniqueId` where the server has it (389 Directory
    /// Server, FreeIPA), else `entryUUID`, else `ipaUniqueID`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128))]
    #[x_kube(validation = ("self.lowerAscii() != 'dn'", "a DN changes when an entry is renamed or moved: name an attribute that never changes, or leave it out"))]
    pub anchor_attribute: String,
    /// The number of entries in a page of a search (RFC 2696).
    #[serde(default = "page_size")]
    #[schemars(range(min = 1, max = 10000))]
    pub page_size: u32,
    /// How changes are found. `Auto` uses the best feed that the server offers; `status.changeFeed` says why no better
    /// one is used.
    #[serde(default)]
    pub change_feed: LdapChangeFeed,
    /// A CEL expression over `user` that is true if the account is disabled, such as `user.attributes['employeeStatus']
    /// == 'inactive'`. LDAP has no standard for this.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub disabled_when: String,
}

/// How changes are found on an LDAPv3 server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LdapChangeFeed {
    /// `SyncRepl` if the server offers it, else `FullRead`.
    #[default]
    Auto,
    /// The server reports what changed (RFC 4533). OpenLDAP needs the overlay `syncprov` for that, and
    /// `syncprov-sessionlog` to report deletions too.
    SyncRepl,
    /// Everything is read each time.
    FullRead,
}

fn page_size() -> u32 {
    500
}
