//! What a SCIM target is told.

use std::collections::BTreeSet;

use super::dialect::Overrides;
use super::profile::Profile;
use crate::net::http::Url;
use crate::net::oauth;
use crate::secret::Secret;

/// Where a SCIM service is, and how it is met.
#[derive(Clone, Debug)]
pub struct ScimConfig {
    /// The address below which are `Users` and `Groups`.
    pub url: Url,
    /// Who we are there.
    pub credential: Credential,
    /// The certificate authorities to trust in place of the system's, in PEM form.
    pub ca_pem: Option<Vec<u8>>,
    /// Whether an address without TLS is allowed.
    pub insecure: bool,
    /// Headers that every request carries.
    pub headers: Vec<(String, String)>,
    /// What the service does otherwise; `None` to find out.
    pub profile: Option<&'static Profile>,
    /// What it does otherwise than its profile.
    pub overrides: Overrides,
    /// The attributes of users that the policy maps, and `emails`: only these are cleared when nobody has a value for them.
    pub owned: BTreeSet<String>,
}

/// Who we are at a SCIM service.
#[derive(Clone, Debug)]
pub enum Credential {
    /// Whoever has this token (RFC 6750).
    Token(Secret),
    /// A client that gets tokens (RFC 6749 section 4.4).
    OAuth(oauth::Client),
}
