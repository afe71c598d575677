//! What a Mimecast target is told.

use std::sync::Arc;

use crate::directory::TargetId;
use crate::net::http::Url;
use crate::secret::Secret;

/// Whether an account is somebody's, whichever policy has it.
pub type Claimed = Arc<dyn Fn(&TargetId) -> bool + Send + Sync>;

/// Where a tenant of Mimecast is, and who we are there.
#[derive(Clone, Debug)]
pub struct MimecastConfig {
    /// The base address of API 2.0, global or of one region.
    pub url: Url,
    /// The id of the API application.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// The certificate authorities to trust in place of the system's, in PEM form.
    pub ca_pem: Option<Vec<u8>>,
    /// Whether an address without TLS is allowed.
    pub insecure: bool,
    /// The group below which are the groups that Rollcall makes.
    pub parent_folder: String,
    /// Whether an account that nobody claims becomes a user's own when the user's address changes to that of the account.
    pub adopts: bool,
}
