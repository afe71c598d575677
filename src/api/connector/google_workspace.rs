//! A customer of Google Workspace.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct into a private scope")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::trust::Trust;
use crate::api::reference::KeyRef;

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

fn requests_per_minute() -> u32 {
    2400
}
