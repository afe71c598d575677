//! A tenant of Microsoft Entra ID.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct into a private scope")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::trust::Trust;
use crate::api::contacts::Contacts;
use crate::api::reference::{KeyRef, SecretRef};

/// A tenant of Microsoft Entra ID, read through Microsoft Graph by an app that an administrator of the tenant has consented to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!has(self.credentials.workloadIdentity) || !has(self.endpoints) || !has(self.endpoints.authority) || self.endpoints.authority == ''", "a service account's token goes to the cloud's own authority alone: leave out endpoints.authority, or use another credential")
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
    /// A service account of Kubernetes, which a federated credential of the app names: no secret at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_identity: Option<WorkloadIdentity>,
}

/// A service account of Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadIdentity {
    /// A service account of the connector's namespace. The operator has the apiserver issue a token for it, which takes
    /// `workloadIdentity.serviceAccounts` of the chart. If it is empty, it is the operator's own: the pod then needs a projected token
    /// at `/var/run/secrets/azure/tokens/azure-identity-token`, where Microsoft Entra Workload ID puts it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(
        length(max = 253),
        regex(pattern = r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)?$")
    )]
    pub service_account_name: String,
}

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
