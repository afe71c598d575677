//! `DirectoryConnector`: where the directory is and how to reach it.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct into a private scope")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contacts::Contacts;
use super::reference::{CaRef, KeyRef, SecretRef};
use super::{Duration, NEVER_SEEN, bounded};

/// Where a directory is and how to reach it.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "rollcall.dev",
    version = "v1alpha1",
    kind = "DirectoryConnector",
    doc = "Where a directory is and how to reach it, and what was read there.",
    namespaced,
    shortname = "dirconn",
    category = "rollcall",
    status = "DirectoryConnectorStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"}"#,
    printcolumn = r#"{"name": "Reason", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].reason"}"#,
    printcolumn = r#"{"name": "Directory", "type": "string", "jsonPath": ".status.directory.vendor", "priority": 1}"#,
    printcolumn = r#"{"name": "Next import", "type": "string", "jsonPath": ".status.nextImportAt", "priority": 1}"#,
    printcolumn = r#"{"name": "Suspended", "type": "boolean", "jsonPath": ".spec.suspend", "priority": 1}"#,
    printcolumn = r#"{"name": "Users", "type": "integer", "jsonPath": ".status.directory.users"}"#,
    printcolumn = r#"{"name": "Groups", "type": "integer", "jsonPath": ".status.directory.groups"}"#,
    printcolumn = r#"{"name": "Last import", "type": "date", "jsonPath": ".status.lastImport.finishedAt"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schemars::transform::RecursiveTransform(super::schema::plain_numbers))]
#[schemars(transform = schemars::transform::RecursiveTransform(super::schema::choices))]
#[schemars(transform = schemars::transform::RecursiveTransform(super::schema::no_defaults_in_lists))]
#[x_kube(
    validation = ("[has(self.activeDirectory), has(self.entraId), has(self.googleWorkspace), has(self.ldap), has(self.ldif)].filter(kind, kind).size() == 1", "name exactly one kind of directory: activeDirectory, entraId, googleWorkspace, ldap or ldif")
)]
pub struct DirectoryConnectorSpec {
    /// A domain of Active Directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_directory: Option<ActiveDirectory>,
    /// A tenant of Microsoft Entra ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entra_id: Option<EntraId>,
    /// A customer of Google Workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub google_workspace: Option<GoogleWorkspace>,
    /// An LDAPv3 server: OpenLDAP, 389 Directory Server, FreeIPA and others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ldap: Option<Ldap>,
    /// An LDIF export (RFC 2849).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ldif: Option<Ldif>,
    /// The time from one read to the next. Each connector adds its own delay of up to a tenth (at most a minute), so
    /// that not all of them start at once.
    #[serde(default = "interval")]
    #[x_kube(validation = ("duration(self) >= duration('10s')", "is too short to read a directory: use 10s or more"))]
    pub interval: Duration,
    /// The delay before a failed read is retried; doubled with each failure, up to `1h`, and never longer than
    /// `interval`.
    #[serde(default = "retry_interval")]
    #[x_kube(validation = ("duration(self) >= duration('1s')", "is too short: use 1s or more"))]
    pub retry_interval: Duration,
    /// The maximum time for one read of the directory, including the look-ups of missing entries.
    #[serde(default = "timeout")]
    #[x_kube(validation = ("duration(self) >= duration('1s')", "is too short: use 1s or more"))]
    pub timeout: Duration,
    /// The time after which a change feed is checked by another full read. Changes that this read finds and the feed
    /// did not report are counted.
    #[serde(default = "full_read_every")]
    #[x_kube(validation = ("duration(self) >= duration('1m')", "is too short: use 1m or more"))]
    pub full_read_every: Duration,
    /// Pauses reading.
    #[serde(default)]
    pub suspend: bool,
}

/// A domain of Active Directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("self.startTLS || self.insecure || self.urls.all(url, !url.startsWith('ldap://'))", "ldap:// would send passwords and people's data unprotected: use ldaps://, or startTLS: true, or accept it with insecure: true"),
    validation = ("has(self.dnsDiscovery) != (size(self.urls) > 0)", "name domain controllers in urls, or their domain in dnsDiscovery, and not both"),
    validation = ("!has(self.dnsDiscovery) || !self.insecure", "with dnsDiscovery the password would be sent unprotected to any server that DNS names: use startTLS: true, or neither"),
    validation = ("self.urls.all(url, !url.matches(':326[89]/?$'))", "a global catalog (ports 3268 and 3269) has only a part of each entry: use ldaps:// without a port, or ldap:// with startTLS")
)]
pub struct ActiveDirectory {
    /// Domain controllers of one domain, as `ldaps://host[:port]` or `ldap://host[:port]`, tried in order. Each read
    /// uses one of them.
    #[serde(default)]
    #[schemars(length(max = 8), inner(length(max = 512), regex(pattern = r"^ldaps?://[^/?#]+/?$")))]
    pub urls: Vec<String>,
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
    pub credentials_secret_ref: SecretRef,
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

/// A tenant of Microsoft Entra ID, read through Microsoft Graph by an app that an administrator of the tenant has consented to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!has(self.credentials.workloadIdentity) || !has(self.endpoints) || !has(self.endpoints.authority) || self.endpoints.authority == ''", "the pod's token goes to the cloud's own authority alone: leave out endpoints.authority, or use another credential")
)]
pub struct EntraId {
    /// The tenant: its ID, or one of its domains such as `corp.onmicrosoft.com`. With the ID, a read asks for less.
    #[serde(rename = "tenantID")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$"))]
    #[x_kube(validation = ("!(self.lowerAscii() in ['common', 'consumers', 'organizations'])", "must be one tenant: its ID, or one of its domains"))]
    pub tenant_id: String,
    /// The app's application (client) ID.
    #[serde(rename = "clientID")]
    #[schemars(length(max = 36), regex(pattern = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"))]
    pub client_id: String,
    /// The cloud that the tenant is of.
    #[serde(default)]
    pub cloud: Cloud,
    /// How the app proves who it is.
    pub credentials: EntraCredentials,
    /// Whether mail contacts are read, too. It takes the application permission `OrgContact.Read.All`. Policies say by
    /// `users.contacts` whether they sync them.
    #[serde(default)]
    pub contacts: Contacts,
    /// Hosts to use in place of the cloud's own; every read says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<EntraEndpoints>,
    /// How those hosts prove who they are.
    #[serde(default)]
    pub tls: Trust,
}

/// A cloud of Microsoft. Tenants and apps of one are unknown in the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Cloud {
    /// The worldwide one, GCC included: `login.microsoftonline.com`, `graph.microsoft.com`.
    #[default]
    Public,
    /// US Government L4: `login.microsoftonline.us`, `graph.microsoft.us`.
    UsGovGccHigh,
    /// US Government L5: `login.microsoftonline.us`, `dod-graph.microsoft.us`.
    UsGovDoD,
    /// China, run by 21Vianet: `login.chinacloudapi.cn`, `microsoftgraph.chinacloudapi.cn`.
    China,
}

/// How an app proves who it is: exactly one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("[has(self.clientSecretRef), has(self.certificateSecretRef), has(self.workloadIdentity)].filter(it, it).size() == 1", "name exactly one credential: clientSecretRef, certificateSecretRef or workloadIdentity")
)]
pub struct EntraCredentials {
    /// A key of a Secret that holds a client secret: its value, not its ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_ref: Option<KeyRef>,
    /// A Secret of type `kubernetes.io/tls` with a certificate that the app has, and its RSA key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_secret_ref: Option<SecretRef>,
    /// The operator's own service account, which a federated credential of the app names: no secret at all. The pod needs a
    /// projected token at `/var/run/secrets/azure/tokens/azure-identity-token`, where Microsoft Entra Workload ID puts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_identity: Option<WorkloadIdentity>,
}

/// The operator's own service account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadIdentity {}

/// Hosts to use in place of the cloud's own: a private endpoint, a test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntraEndpoints {
    /// Where tokens are issued, as `https://host[:port]`; empty means the cloud's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512), regex(pattern = r"^(https://[^/?#@\s]+/?)?$"))]
    pub authority: String,
    /// Where Graph is, as `https://host[:port]`; empty means the cloud's own. Tokens are asked for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512), regex(pattern = r"^(https://[^/?#@\s]+/?)?$"))]
    pub graph: String,
}

/// A customer of Google Workspace (or Cloud Identity), read through the Directory API of the Admin SDK by a service account that acts in
/// the name of an administrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!has(self.customer) || self.customer == '' || !has(self.domain) || self.domain == ''", "name a customer or a domain, and not both"),
    validation = ("!has(self.credentials.workloadIdentity) || !has(self.endpoints)", "what the pod's token brings goes to Google's own hosts alone: leave out endpoints, or use another credential")
)]
pub struct GoogleWorkspace {
    /// The customer whose users and groups are read, in all of its domains: its ID such as `C01abc234`, or `my_customer` for the one of
    /// the administrator. If both this and `domain` are empty, it is `my_customer`. With the ID, a read asks for less.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64), regex(pattern = r"^([A-Za-z0-9_-]+)?$"))]
    pub customer: String,
    /// The one domain to read, such as `corp.example`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253), regex(pattern = r"^([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+)?$"))]
    pub domain: String,
    /// The primary address of the administrator in whose name is read. A role with the rights to read users and groups is enough.
    #[schemars(length(min = 3, max = 254), regex(pattern = r"^[^@\s/]+@[^@\s/]+$"))]
    pub admin_email: String,
    /// How the service account proves who it is.
    pub credentials: GoogleCredentials,
    /// How many requests a minute may be sent. All connectors whose service accounts are of one Google Cloud project share them.
    /// Google's quota is 2400 unless it was raised.
    #[serde(default = "requests_per_minute")]
    #[schemars(range(min = 60, max = 1_000_000))]
    pub requests_per_minute: u32,
    /// Hosts to use in place of Google's own; every read says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<GoogleEndpoints>,
    /// How those hosts prove who they are.
    #[serde(default)]
    pub tls: Trust,
}

/// How a service account proves who it is: exactly one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("has(self.serviceAccountKeyRef) != has(self.workloadIdentity)", "name exactly one credential: serviceAccountKeyRef or workloadIdentity")
)]
pub struct GoogleCredentials {
    /// A key of a Secret that holds the whole JSON file that Google made with the service account's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_key_ref: Option<KeyRef>,
    /// The operator's own Kubernetes service account, which a workload identity pool of Google knows: no key at all. The pod needs a
    /// projected token at `/var/run/secrets/google/tokens/google-identity-token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_identity: Option<GoogleWorkloadIdentity>,
}

/// A service account of Google for which IAM signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GoogleWorkloadIdentity {
    /// The service account, such as `reader@project.iam.gserviceaccount.com`. It has the domain-wide delegation.
    #[schemars(length(max = 254), regex(pattern = r"^[A-Za-z0-9.-]+@[A-Za-z0-9.-]+$"))]
    pub service_account_email: String,
    /// The provider of the workload identity pool that knows the cluster:
    /// `projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`.
    #[schemars(
        length(max = 512),
        regex(
            pattern = r"^projects/[0-9]+/locations/[a-z0-9-]+/workloadIdentityPools/[a-z0-9-]+/providers/[a-z0-9-]+$"
        )
    )]
    pub provider: String,
}

/// Hosts to use in place of Google's own: a private endpoint, a test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GoogleEndpoints {
    /// Where the Directory API is, as `https://host[:port]`; empty means `https://admin.googleapis.com`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512), regex(pattern = r"^(https://[^/?#@\s]+/?)?$"))]
    pub directory: String,
    /// Where tokens are issued, as `https://host[:port]`; empty means `https://oauth2.googleapis.com`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512), regex(pattern = r"^(https://[^/?#@\s]+/?)?$"))]
    pub token: String,
}

/// Whom to believe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trust {
    /// The certificate authority to trust, and no other; without it those that the system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_ref: Option<CaRef>,
}

/// An LDAPv3 server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("self.startTLS || self.insecure || self.urls.all(url, !url.startsWith('ldap://'))", "ldap:// would send passwords and people's data unprotected: use ldaps://, or startTLS: true, or accept it with insecure: true")
)]
pub struct Ldap {
    /// `ldaps://host[:port]` or `ldap://host[:port]`, tried in order.
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

/// How the certificate of a server is verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// The only certificate authority to trust. If absent, the system's authorities are trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_ref: Option<CaRef>,
    /// The host name that the server's certificate must be for. If empty, it is the host of the URL.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub server_name: String,
}

/// An LDIF export (RFC 2849).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!has(self.path)", "a file on disk is only for `rollcall sync`: put the export into a Secret or ConfigMap and name that with secretKeyRef or configMapKeyRef"),
    validation = ("[has(self.path), has(self.secretKeyRef), has(self.configMapKeyRef)].filter(place, place).size() == 1", "name exactly one place: path, secretKeyRef or configMapKeyRef")
)]
pub struct Ldif {
    /// A file on disk, relative to the manifest; only for `rollcall sync`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub path: Option<String>,
    /// A key of a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<KeyRef>,
    /// A key of a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<KeyRef>,
    /// The identity of the exported directory, which never changes. If empty, it is the suffix that all entries have in
    /// common.
    #[serde(default, rename = "directoryID", skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub directory_id: String,
    /// The attribute with an entry's immutable id. If empty, it is the one of `entryUUID`, `nsUniqueId`, `ipaUniqueID`
    /// and `objectGUID` that most entries of the first file have. With `dn` the DN is the id: then a renamed entry
    /// counts as a different one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128))]
    pub anchor_attribute: String,
    /// An LDAP filter (RFC 4515) for users and contacts. If empty, they are selected by their object classes; in an
    /// export of Active Directory only the accounts of people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub user_filter: String,
    /// An LDAP filter (RFC 4515) for groups. If empty, they are selected by their object classes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub group_filter: String,
    /// A CEL expression over `user` that is true if the account is disabled.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub disabled_when: String,
}

/// The observed state of a directory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schemars::transform::RecursiveTransform(super::schema::plain_numbers))]
#[schemars(extend("default" = { "observedGeneration": NEVER_SEEN }))]
pub struct DirectoryConnectorStatus {
    /// The generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: the last read reached its end. `Reachable`, `Authenticated`, `Readable`: how far it got. `Consented`, of
    /// kinds that need it: an administrator of the directory has consented to the app that reads. `Reconciling`,
    /// `Stalled` and `EndpointsOverridden` exist only while they are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// What was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<Directory>,
    /// When the server's TLS certificate expires, according to the last complete read. `Reachable` warns from 30 days
    /// before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_expires_at: Option<Time>,
    /// The last complete read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_import: Option<LastImport>,
    /// How changes are found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_feed: Option<ActiveFeed>,
    /// The time of the next read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_import_at: Option<Time>,
    /// The last value of the annotation `rollcall.dev/sync-requested-at` that was handled.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "bounded::optional::<262_144, _>"
    )]
    #[schemars(length(max = 262_144))]
    pub last_handled_sync_requested_at: Option<String>,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Directory {
    /// The identity of the directory, fixed by the first read.
    #[serde(serialize_with = "bounded::text::<1024, _>")]
    #[schemars(length(max = 1024))]
    pub id: String,
    /// The directory product, as the server reports it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "bounded::optional::<256, _>"
    )]
    #[schemars(length(max = 256))]
    pub vendor: Option<String>,
    /// Users in the directory.
    pub users: u64,
    /// Groups in the directory.
    pub groups: u64,
    /// Contacts in the directory.
    pub contacts: u64,
}

/// How changes are found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActiveFeed {
    /// `DeltaQuery`, `DirSync`, `UsnChanged`, `SyncRepl`, `Listing` or `FullRead`.
    #[schemars(length(max = 32))]
    pub active: String,
    /// Why no better feed is used: the missing permission, and the command that grants it.
    #[serde(default, skip_serializing_if = "String::is_empty", serialize_with = "bounded::text::<2048, _>")]
    #[schemars(length(max = 2048))]
    pub reason: String,
}

/// A complete read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastImport {
    /// `Full` or `Delta`.
    #[schemars(length(max = 32))]
    pub mode: String,
    /// When it started.
    pub started_at: Time,
    /// When it ended and became visible.
    pub finished_at: Time,
    /// New or changed entries.
    pub changed: u64,
    /// Entries that were removed.
    pub removed: u64,
    /// Entries that are missing and were not looked up. They stay until they are looked up.
    #[serde(default)]
    pub unsettled: u64,
    /// Changed entries that a full read found and the change feed had not reported; should always be 0.
    #[serde(default)]
    pub missed: u64,
    /// The number of the last change.
    pub sequence: u64,
    /// Remarks on that read, such as referrals that were not followed and attributes that were refused.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        serialize_with = "bounded::texts::<16, 1024, _>"
    )]
    #[schemars(length(max = 16), inner(length(max = 1024)))]
    pub notices: Vec<String>,
}

fn interval() -> Duration {
    "15m".into()
}

fn retry_interval() -> Duration {
    "1m".into()
}

fn timeout() -> Duration {
    "1h".into()
}

fn full_read_every() -> Duration {
    "24h".into()
}

fn requests_per_minute() -> u32 {
    2400
}

fn page_size() -> u32 {
    500
}
