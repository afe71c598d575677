//! How a server proves who it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::reference::CaRef;

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

/// Whom to believe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trust {
    /// The certificate authority to trust, and no other; without it those that the system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_ref: Option<CaRef>,
}
