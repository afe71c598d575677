//! The two kinds that people write, as plain types: `DirectoryConnector` says where the directory is,
//! `SyncPolicy` says what goes to which target, when and within which limits.
//!
//! Doc comments here are what `kubectl explain` and `docs/reference/` show.

pub mod connector;
pub mod duration;
pub mod policy;
pub mod reason;
pub mod reference;

pub use connector::{DirectoryConnector, DirectoryConnectorSpec, DirectoryConnectorStatus};
pub use duration::Duration;
pub use policy::{SyncPolicy, SyncPolicySpec, SyncPolicyStatus};

/// The API group.
pub const GROUP: &str = "rollcall.dev";
/// The API version.
pub const VERSION: &str = "v1alpha1";
