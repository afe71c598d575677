//! Messages of a SCIM service: its description and its errors (RFC 7643 section 5, RFC 7644 sections 3.4.2 and 3.12).

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Why a request fails, as a SCIM error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status.
    pub status: u16,
    /// The kind of failure, where RFC 7644 has a name for it.
    pub kind: Option<&'static str>,
    /// What is wrong and what to do.
    pub detail: String,
}

impl Failure {
    /// A failure that RFC 7644 has no name for.
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, kind: None, detail: detail.into() }
    }

    /// A request that cannot be understood.
    pub fn bad(kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status: 400, kind: Some(kind), detail: detail.into() }
    }

    /// As a message.
    pub fn message(&self) -> Value {
        let mut message = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            // A text: RFC 7644 will have it so.
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let Some(kind) = self.kind {
            message["scimType"] = kind.into();
        }
        message
    }
}

/// Some of many resources.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    schemas: [&'static str; 1],
    total_results: u64,
    start_index: u64,
    #[serde(rename = "itemsPerPage")]
    shown: usize,
    #[serde(rename = "Resources")]
    resources: Vec<Box<RawValue>>,
}

impl Page {
    /// `resources`, of `total`, from the one numbered `start` (the first is 1) on.
    pub fn new(total: u64, start: u64, resources: Vec<Box<RawValue>>) -> Self {
        Self {
            schemas: ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            total_results: total,
            start_index: start,
            shown: resources.len(),
            resources,
        }
    }
}

/// What a read-only service at `base` can do; a page has at most `most` resources.
pub fn service_provider_config(base: &str, most: u64) -> Value {
    let no = json!({ "supported": false });
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": no,
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": most },
        "changePassword": no,
        "sort": no,
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "The token in the Secret that the policy's tokenSecretRef names.",
            "primary": true,
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig") },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_its_status_as_a_text() {
        let message = Failure::bad("invalidFilter", "no").message();
        assert_eq!(message["status"], "400");
        assert_eq!(message["scimType"], "invalidFilter");
        assert_eq!(Failure::new(404, "no").message().get("scimType"), None);
    }
}
