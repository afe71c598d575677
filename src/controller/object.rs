//! Our objects as they come from the apiserver: one that cannot be understood stops nobody else.

use kube::core::DeserializeGuard;

use crate::api::{DirectoryConnector, SyncPolicy};

/// A `DirectoryConnector`.
pub(super) type ConnectorObject = DeserializeGuard<DirectoryConnector>;
/// A `SyncPolicy`.
pub(super) type PolicyObject = DeserializeGuard<SyncPolicy>;
