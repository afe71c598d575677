//! `DirectoryConnector`: where the directory is and how to reach it.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct into a private scope")]

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::Duration;

mod active_directory;
mod domino;
mod entra_id;
mod google_workspace;
mod ldap;
mod ldif;
mod status;
mod sync_engine;
mod trust;

pub use active_directory::{ActiveDirectory, ChangeFeed, DnsDiscovery};
pub use domino::{Domino, DominoGroupType};
pub use entra_id::{Cloud, EntraCredentials, EntraEndpoints, EntraId, WorkloadIdentity};
pub use google_workspace::{GoogleCredentials, GoogleEndpoints, GoogleWorkloadIdentity, GoogleWorkspace};
pub use ldap::{Ldap, LdapChangeFeed};
pub use ldif::Ldif;
pub use status::{ActiveFeed, Directory, DirectoryConnectorStatus, EngineStatus, LastImport, OneEngine};
pub use sync_engine::SyncEngine;
pub use trust::{Tls, Trust};

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
    validation = ("[has(self.activeDirectory), has(self.domino), has(self.entraId), has(self.googleWorkspace), has(self.ldap), has(self.ldif)].filter(kind, kind).size() == 1", "name exactly one kind of directory: activeDirectory, domino, entraId, googleWorkspace, ldap or ldif")
)]
pub struct DirectoryConnectorSpec {
    /// A domain of Active Directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_directory: Option<ActiveDirectory>,
    /// A Domino Directory of HCL Domino.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domino: Option<Domino>,
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
    /// The maximum time for one read of the directory, including the look-ups of missing entries. More than 24h counts as 24h.
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
