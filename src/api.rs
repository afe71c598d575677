//! The two custom resources as plain types: `DirectoryConnector` describes the directory, `SyncPolicy` what is synced
//! to which target, when and within which limits.
//!
//! Doc comments here are what `kubectl explain` and `docs/reference/` show.

mod bounded;
pub mod connector;
pub mod contacts;
mod definition;
pub mod duration;
pub mod policy;
pub mod reason;
pub mod reference;
mod schema;

pub use connector::{DirectoryConnector, DirectoryConnectorSpec, DirectoryConnectorStatus};
pub use definition::definition;
pub use duration::Duration;
pub use policy::{SyncPolicy, SyncPolicySpec, SyncPolicyStatus};

/// Whether a field is left out when an object is written.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The API group.
pub const GROUP: &str = "rollcall.dev";
/// The API version.
pub const VERSION: &str = "v1alpha1";
/// The generation that the status of a new object tells of, until somebody has looked at it: without it, whoever waits for an
/// object could take one that nobody has seen yet for one that is as it should be.
pub const NEVER_SEEN: i64 = -1;
/// Annotation: any new value of it requests a read or a run now, also in back-off; repeated in the status
/// when it was handled.
pub const SYNC_REQUESTED_AT: &str = "rollcall.dev/sync-requested-at";
/// Annotation on a policy: the digest of the held operations that are approved.
pub const APPROVE: &str = "rollcall.dev/approve";
/// Annotation on a policy: who sets that one.
pub const APPROVED_BY: &str = "rollcall.dev/approved-by";
