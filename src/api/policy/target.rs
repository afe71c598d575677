//! Where users and groups are kept in step.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::overrides::ScimOverrides;
use crate::api::connector::Trust;
use crate::api::is_default;
use crate::api::reference::{KeyRef, SecretRef};

/// The target of users and groups: exactly one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("[has(self.registry), has(self.scim), has(self.mimecast)].filter(kind, kind).size() == 1", "name exactly one kind of target: registry, scim or mimecast"))]
pub struct Target {
    /// The embedded registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<Registry>,
    /// A service that speaks SCIM 2.0 (RFC 7643, RFC 7644).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim: Option<Scim>,
    /// A tenant of Mimecast, by its API 2.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mimecast: Option<Mimecast>,
}

/// The embedded registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Registry {
    /// The bearer token for reading this policy's users and groups over SCIM 2.0. If absent, they are not served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret_ref: Option<KeyRef>,
}

/// A service that speaks SCIM 2.0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.url.startsWith('https://') || (has(self.insecure) && self.insecure)", "url must begin with https://; insecure: true allows http://, for tests only"))]
pub struct Scim {
    /// The address below which the service has `Users` and `Groups`, such as `https://app.example/scim/v2`. A policy whose
    /// address changes has another target: its first run there removes nothing.
    #[schemars(length(min = 1, max = 2048), regex(pattern = r"^https?://[^/?#@\s]+(/[^?#\s]*)?$"))]
    pub url: String,
    /// How Rollcall proves to the service who it is.
    pub credentials: ScimCredentials,
    /// How the service proves who it is.
    #[serde(default)]
    pub tls: Trust,
    /// Allows `http://`: the token, users and groups cross the network unencrypted. For tests only.
    #[serde(default, skip_serializing_if = "is_default")]
    pub insecure: bool,
    /// How the service is spoken to: a name from the list of profiles in the documentation, or `Auto` to find out.
    #[serde(default = "auto", skip_serializing_if = "is_auto")]
    #[schemars(length(min = 1, max = 64))]
    pub profile: String,
    /// What the service does otherwise than its profile says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<ScimOverrides>,
}

/// How Rollcall proves to a SCIM service who it is: exactly one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("[has(self.tokenSecretRef), has(self.oauth)].filter(way, way).size() == 1", "name exactly one credential: tokenSecretRef or oauth"))]
pub struct ScimCredentials {
    /// A bearer token of the service (RFC 6750).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret_ref: Option<KeyRef>,
    /// A client that gets tokens by itself (RFC 6749, client credentials).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth: Option<ScimOAuth>,
}

/// A client that gets tokens by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimOAuth {
    /// The token endpoint.
    #[serde(rename = "tokenURL")]
    #[schemars(length(min = 1, max = 2048), regex(pattern = r"^https?://[^/?#@\s]+(/[^#\s]*)?$"))]
    pub token_url: String,
    /// The Secret with the client, under the keys `client-id` and `client-secret`.
    pub client_secret_ref: SecretRef,
    /// The scope to ask for. If empty, none is asked for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub scope: String,
}

/// A tenant of Mimecast. Its API deletes no users and nests no groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.url.startsWith('https://') || (has(self.insecure) && self.insecure)", "url must begin with https://; insecure: true allows http://, for tests only"))]
pub struct Mimecast {
    /// The base address of API 2.0, global or of one region. A policy whose address changes has another target: its first run
    /// there removes nothing.
    #[serde(default = "mimecast_url")]
    #[schemars(length(min = 1, max = 2048), regex(pattern = r"^https?://[^/?#@\s]+(/[^?#\s]*)?$"))]
    pub url: String,
    /// The Secret with the API application of the tenant, under the keys `client-id` and `client-secret`. Another
    /// `client-id` is another target.
    pub credentials_secret_ref: SecretRef,
    /// The name of the group below which Rollcall makes its groups. It is made if it is not there.
    #[serde(default = "parent_folder")]
    #[schemars(length(min = 1, max = 200))]
    pub parent_folder: String,
    /// How the service proves who it is.
    #[serde(default)]
    pub tls: Trust,
    /// Allows `http://`: the secret, users and groups cross the network unencrypted. For tests only.
    #[serde(default, skip_serializing_if = "is_default")]
    pub insecure: bool,
}

impl Default for Mimecast {
    fn default() -> Self {
        Self {
            url: mimecast_url(),
            credentials_secret_ref: SecretRef { name: String::new() },
            parent_folder: parent_folder(),
            tls: Trust::default(),
            insecure: false,
        }
    }
}

fn mimecast_url() -> String {
    "https://api.services.mimecast.com".to_owned()
}

fn parent_folder() -> String {
    "Rollcall".to_owned()
}

fn auto() -> String {
    "Auto".to_owned()
}

fn is_auto(profile: &str) -> bool {
    profile == "Auto"
}
