//! What is read through a Sync Engine.

use super::engines::Engines;
use crate::directory::ConnectorName;
use crate::wire;

/// What is read through a Sync Engine, and through whose.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The connector, whose engine it is.
    pub connector: ConnectorName,
    /// The engines that are enrolled.
    pub engines: Engines,
    /// What is read.
    pub directory: wire::Directory,
    /// The public half of its key; empty before it has joined.
    pub key: String,
}

impl EngineConfig {
    /// Its kind, as in the spec.
    pub fn kind(&self) -> &'static str {
        match self.directory.server {
            wire::Server::ActiveDirectory => "activeDirectory",
            wire::Server::Ldap => "ldap",
        }
    }
}
