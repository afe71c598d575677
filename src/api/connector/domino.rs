//! A Domino Directory.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct into a private scope")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::trust::Tls;
use crate::api::reference::SecretRef;

/// A Domino Directory, which an HCL Domino server shows over LDAP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("self.startTLS || self.insecure || self.urls.all(url, !url.startsWith('ldap://'))", "ldap:// would send passwords and people's data unprotected: use ldaps://, or startTLS: true, or accept it with insecure: true")
)]
pub struct Domino {
    /// `ldaps://host[:port]` or `ldap://host[:port]`, tried in order: servers with replicas of the same directory.
    #[schemars(length(min = 1, max = 8), inner(length(max = 512), regex(pattern = r"^ldaps?://[^/?#]+/?$")))]
    pub urls: Vec<String>,
    /// Secures connections to `ldap://` URLs with StartTLS (RFC 4511 section 4.14) before anything else is sent.
    #[serde(default, rename = "startTLS")]
    pub start_tls: bool,
    /// Allows `ldap://` URLs without StartTLS. Passwords and people's data are then sent unencrypted.
    #[serde(default)]
    pub insecure: bool,
    /// How the certificate of the server is verified.
    #[serde(default)]
    pub tls: Tls,
    /// A Secret of type `kubernetes.io/basic-auth`: `username` is the name to bind with (`cn=Reader,o=Corp`, or a short
    /// name), `password` its Internet password. Without it the directory is read anonymously, and Domino shows only what
    /// its configuration allows everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,
    /// The parts of the organization to read. If empty, everything is read. Groups have flat names, which are below no
    /// organization: with base DNs they are not read.
    #[serde(default, rename = "baseDNs", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 1024)))]
    pub base_dns: Vec<String>,
    /// An LDAP filter (RFC 4515) for people and mailboxes. If empty, it is
    /// `(|(objectClass=dominoPerson)(objectClass=dominoServerMailInDatabase))`. It may span several lines, with line
    /// breaks between its components.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub user_filter: String,
    /// An LDAP filter (RFC 4515) for groups. If empty, it is `(objectClass=dominoGroup)`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub group_filter: String,
    /// The kinds of groups to read, of those that `groupFilter` finds. A group that does not say its kind is
    /// multi-purpose. If groups came and none says its kind, it may be hidden from the account: the read ends with
    /// `AccessDenied`, unless all five are named.
    #[serde(default = "group_types")]
    #[schemars(length(min = 1, max = 5), extend("x-kubernetes-list-type" = "set"))]
    pub group_types: Vec<DominoGroupType>,
    /// How the parts of groups are called that were split because a group document holds 32 KB of names, such as
    /// `{name} {number}`: then `All Staff 1` and `All Staff 2` are no groups of their own, and their members are members of
    /// `All Staff`, if that group lists them and no other one does. If empty, they are groups like any other.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(
        length(max = 128),
        regex(pattern = r"^$|^[A-Za-z0-9 ._()-]*\{name\}[A-Za-z0-9 ._()-]*\{number\}[A-Za-z0-9 ._()-]*$")
    )]
    pub split_groups: String,
    /// The attribute with an entry's immutable id. If empty, it is `dominoUNID`. Name a different one only if the server
    /// cannot show that: one that people can change makes a changed entry a new one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128))]
    #[x_kube(validation = ("self.lowerAscii() != 'dn'", "a DN changes when an entry is renamed or moved: name an attribute that never changes, or leave it out"))]
    pub anchor_attribute: String,
    /// A CEL expression over `user` that is true if the account is disabled, such as
    /// `user.attributes['employeeStatus'] == 'inactive'`. Domino has no such state; it has groups of kind `DenyListOnly`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub disabled_when: String,
}

/// A kind of group in a Domino Directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum DominoGroupType {
    /// For any purpose.
    MultiPurpose,
    /// Mailing lists.
    MailOnly,
    /// For access control lists.
    AccessControlOnly,
    /// Those who may not use servers, such as people who left.
    DenyListOnly,
    /// Groups of servers.
    ServersOnly,
}

fn group_types() -> Vec<DominoGroupType> {
    vec![DominoGroupType::MultiPurpose, DominoGroupType::MailOnly, DominoGroupType::AccessControlOnly]
}
