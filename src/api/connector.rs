//! `DirectoryConnector`: where the directory is and how to reach it.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct into a private scope")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reference::{CaRef, KeyRef, SecretRef};
use super::{Duration, bounded};

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
#[schemars(transform = schemars::transform::RecursiveTransform(super::plain_numbers))]
#[schemars(transform = schemars::transform::RecursiveTransform(super::choices))]
#[x_kube(
    validation = ("[has(self.activeDirectory), has(self.ldap), has(self.ldif)].filter(kind, kind).size() == 1", "name exactly one kind of directory: activeDirectory, ldap or ldif")
)]
pub struct DirectoryConnectorSpec {
    /// A domain of Active Directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_directory: Option<ActiveDirectory>,
    /// An LDAPv3 server: OpenLDAP, 389 Directory Server, FreeIPA and others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ldap: Option<Ldap>,
    /// An LDIF export (RFC 2849).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ldif: Option<Ldif>,
    /// How long after one read the next begins; each connector adds up to a tenth of its own (at most a
    /// minute), so that they do not all begin at once.
    #[serde(default = "interval")]
    #[x_kube(validation = ("duration(self) >= duration('10s')", "each read is of the whole directory: use 10s or more"))]
    pub interval: Duration,
    /// How long after a read that failed it is tried again; doubled with each failure, up to `1h`, and
    /// never longer than `interval`.
    #[serde(default = "retry_interval")]
    #[x_kube(validation = ("duration(self) >= duration('1s')", "is too short: use 1s or more"))]
    pub retry_interval: Duration,
    /// How long one read of the whole directory may take, look-ups of who is missing included.
    #[serde(default = "timeout")]
    #[x_kube(validation = ("duration(self) >= duration('1s')", "is too short for anything: use 1s or more"))]
    pub timeout: Duration,
    /// How long after a full read a change feed is checked against another. What that finds and the feed did
    /// not tell is counted.
    #[serde(default = "full_read_every")]
    #[x_kube(validation = ("duration(self) >= duration('1m')", "is too short: use 1m or more"))]
    pub full_read_every: Duration,
    /// Whether the connector rests: nothing is read.
    #[serde(default)]
    pub suspend: bool,
}

/// A domain of Active Directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("self.startTLS || self.insecure || self.urls.all(url, !url.startsWith('ldap://'))", "ldap:// would send passwords and people's data unprotected: use ldaps://, or startTLS: true, or accept it with insecure: true"),
    validation = ("has(self.dnsDiscovery) != (size(self.urls) > 0)", "name domain controllers in urls, or their domain in dnsDiscovery, and not both"),
    validation = ("!has(self.dnsDiscovery) || !self.insecure", "with dnsDiscovery the password would go unprotected to whomever DNS names: use startTLS: true, or neither"),
    validation = ("self.urls.all(url, !url.matches(':326[89]/?$'))", "a global catalog (ports 3268 and 3269) holds a part of each entry only: use ldaps:// without a port, or ldap:// with startTLS")
)]
pub struct ActiveDirectory {
    /// Domain controllers of one domain, as `ldaps://host[:port]` or `ldap://host[:port]`, tried in order; each
    /// read stays with one of them.
    #[serde(default)]
    #[schemars(length(max = 8), inner(length(max = 512), regex(pattern = r"^ldaps?://[^/?#]+/?$")))]
    pub urls: Vec<String>,
    /// Domain controllers are found by DNS instead, and reached by `ldaps://`, or by `ldap://` with `startTLS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_discovery: Option<DnsDiscovery>,
    /// Whether a connection to an `ldap://` url is made secure before anything else is said.
    #[serde(default, rename = "startTLS")]
    pub start_tls: bool,
    /// Whether an `ldap://` url without StartTLS is acceptable: passwords and people's data then go over
    /// the network as they are, and most domain controllers refuse them.
    #[serde(default)]
    pub insecure: bool,
    /// How the domain controllers prove who they are.
    #[serde(default)]
    pub tls: Tls,
    /// A Secret of type `kubernetes.io/basic-auth`: `username` is `name@domain`, `DOMAIN\name` or a DN. The
    /// account needs no right but to read.
    pub credentials_secret_ref: SecretRef,
    /// Where to read: the subtrees under these DNs. None means the whole domain.
    #[serde(default, rename = "baseDNs", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 1024)))]
    pub base_dns: Vec<String>,
    /// What to leave out: the subtrees under these DNs.
    #[serde(default, rename = "excludeDNs", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 1024)))]
    pub exclude_dns: Vec<String>,
    /// Which entries are users or contacts (RFC 4515); empty means all but computers, trusts and the accounts
    /// that every domain has (`krbtgt`, `Guest`, `Administrator`). It may stand on several lines, which begin between
    /// components.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub user_filter: String,
    /// Which entries are groups (RFC 4515); empty means `(objectClass=group)`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub group_filter: String,
    /// How changes come. `Auto` takes the best that the account may use, and says in status why no better one.
    #[serde(default)]
    pub change_feed: ChangeFeed,
}

/// Domain controllers as DNS names them, in the order of priority and weight (RFC 2782). Each connector keeps to one of
/// them while that is there. Only names of the domain's own machines are believed, and certificates are checked against those.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DnsDiscovery {
    /// The domain's name in DNS, such as `corp.example`.
    #[schemars(length(min = 1, max = 190), regex(pattern = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"))]
    pub domain: String,
    /// The site (of Active Directory Sites and Services) whose domain controllers come first; empty means none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 63), regex(pattern = r"^[A-Za-z0-9_-]*$"))]
    pub site: String,
    /// Who is asked, as `address` or `address:port`; none means those of the pod, which must know the domain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(max = 64), regex(pattern = r"^[0-9A-Fa-f.:\[\]]+$")))]
    pub nameservers: Vec<String>,
}

/// How changes come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ChangeFeed {
    /// `DirSync` if the account may use it, else `UsnChanged`.
    #[default]
    Auto,
    /// The domain controller tells what changed (the right `Replicating Directory Changes`, or as much as the
    /// account may see).
    DirSync,
    /// What has a later `uSNChanged` than before, asked of the same domain controller.
    UsnChanged,
    /// Everything is read each time.
    FullRead,
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
    /// Whether a connection to an `ldap://` url is made secure before anything else is said (RFC 4511
    /// section 4.14).
    #[serde(default, rename = "startTLS")]
    pub start_tls: bool,
    /// Whether an `ldap://` url without StartTLS is acceptable: passwords and people's data then go over
    /// the network as they are.
    #[serde(default)]
    pub insecure: bool,
    /// How the server proves who it is.
    #[serde(default)]
    pub tls: Tls,
    /// A Secret of type `kubernetes.io/basic-auth`: `username` is the DN to bind with, `password` its
    /// password. Without it the directory is read anonymously.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,
    /// Where to read: the subtrees under these DNs. None means the default naming context that the server
    /// names, else all of its naming contexts that hold people.
    #[serde(default, rename = "baseDNs", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 1024)))]
    pub base_dns: Vec<String>,
    /// Which entries are users (RFC 4515); empty means
    /// `(|(objectClass=person)(objectClass=posixAccount)(objectClass=account))`. It may stand on several lines, which begin
    /// between components.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub user_filter: String,
    /// Which entries are groups (RFC 4515); empty means
    /// `(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup)(objectClass=group))`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub group_filter: String,
    /// The attribute that holds an entry's immutable id; empty means `nsUniqueId` where the server has
    /// it (389 Directory Server, FreeIPA), else `entryUUID`, else `ipaUniqueID`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128))]
    #[x_kube(validation = ("self.lowerAscii() != 'dn'", "a DN changes when somebody is renamed or moves: name an attribute that never does, or leave it out"))]
    pub anchor_attribute: String,
    /// Entries asked for at once (RFC 2696).
    #[serde(default = "page_size")]
    #[schemars(range(min = 1, max = 10000))]
    pub page_size: u32,
    /// How changes come. `Auto` takes the best that the server offers, and says in status why no better one.
    #[serde(default)]
    pub change_feed: LdapChangeFeed,
    /// When a user's account counts as disabled, in CEL over `user`, such as
    /// `user.attributes['employeeStatus'] == 'inactive'`. LDAP itself has no such state.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub disabled_when: String,
}

/// How changes come from an LDAPv3 server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LdapChangeFeed {
    /// `SyncRepl` if the server offers it, else `FullRead`.
    #[default]
    Auto,
    /// The server tells what changed (RFC 4533); OpenLDAP does with the overlay `syncprov`, and with
    /// `syncprov-sessionlog` it tells of deletions too.
    SyncRepl,
    /// Everything is read each time.
    FullRead,
}

/// How a server proves who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// The certificate authority to trust, and no other; without it those that the system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_ref: Option<CaRef>,
    /// The name that the server's certificate must bear; empty means the url's host.
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
    /// Which directory the export is of, for ever; empty means the DN that all its entries are within.
    #[serde(default, rename = "directoryID", skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub directory_id: String,
    /// The attribute that holds an entry's immutable id; empty means that of `entryUUID`,
    /// `nsUniqueId`, `ipaUniqueID` and `objectGUID` that most entries of the first file have. `dn` takes the DN: then an
    /// entry that is renamed is another one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128))]
    pub anchor_attribute: String,
    /// Which entries are users or contacts (RFC 4515); empty means by their classes, in an export of Active Directory none but
    /// the accounts of people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub user_filter: String,
    /// Which entries are groups (RFC 4515); empty means by their classes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub group_filter: String,
    /// When a user's account counts as disabled, in CEL over `user`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub disabled_when: String,
}

/// What is known of a directory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schemars::transform::RecursiveTransform(super::plain_numbers))]
pub struct DirectoryConnectorStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: whether the last read reached its end. `Reachable`, `Authenticated`, `Readable`: how far
    /// it came. `Reconciling` and `Stalled` stand only while they are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// What was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<Directory>,
    /// When the certificate that the server proved itself with ends, as of the last read that reached its
    /// end. `Reachable` says so from 30 days before on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_expires_at: Option<Time>,
    /// The last read that reached its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_import: Option<LastImport>,
    /// How changes come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_feed: Option<ActiveFeed>,
    /// When the directory is read next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_import_at: Option<Time>,
    /// The last value of the annotation `rollcall.dev/sync-requested-at` that was acted on.
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
    /// The directory's own identity: pinned at the first read.
    #[serde(serialize_with = "bounded::text::<1024, _>")]
    #[schemars(length(max = 1024))]
    pub id: String,
    /// What the directory says it is.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "bounded::optional::<256, _>"
    )]
    #[schemars(length(max = 256))]
    pub vendor: Option<String>,
    /// Users that are there.
    pub users: u64,
    /// Groups that are there.
    pub groups: u64,
    /// Contacts that are there.
    pub contacts: u64,
}

/// How changes come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActiveFeed {
    /// `DirSync`, `UsnChanged`, `SyncRepl` or `FullRead`.
    #[schemars(length(max = 32))]
    pub active: String,
    /// Why it is no better one: the right that is missing, and the command that grants it.
    #[serde(default, skip_serializing_if = "String::is_empty", serialize_with = "bounded::text::<2048, _>")]
    #[schemars(length(max = 2048))]
    pub reason: String,
}

/// A read that reached its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastImport {
    /// `Full` or `Delta`.
    #[schemars(length(max = 32))]
    pub mode: String,
    /// When it began.
    pub started_at: Time,
    /// When it was sealed.
    pub finished_at: Time,
    /// New or changed entries.
    pub changed: u64,
    /// Entries that are gone since.
    pub removed: u64,
    /// Entries that are missing and were not looked up: they stay until they are.
    #[serde(default)]
    pub unsettled: u64,
    /// Entries whose change a full read found and the feed had not told of; should always be 0.
    #[serde(default)]
    pub missed: u64,
    /// The number of the last change.
    pub sequence: u64,
    /// What to know about that read: references that were not followed, attributes that were refused.
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

fn page_size() -> u32 {
    500
}
