//! The two kinds that people write, as plain types: `DirectoryConnector` says where the directory is,
//! `SyncPolicy` says what is synced to which target, when and within which limits.
//!
//! Doc comments here are what `kubectl explain` and `docs/reference/` show.

mod bounded;
pub mod connector;
mod definition;
pub mod duration;
pub mod policy;
pub mod reason;
pub mod reference;

pub use connector::{DirectoryConnector, DirectoryConnectorSpec, DirectoryConnectorStatus};
pub use definition::definition;
pub use duration::Duration;
pub use policy::{SyncPolicy, SyncPolicySpec, SyncPolicyStatus};

/// The API group.
pub const GROUP: &str = "rollcall.dev";
/// The API version.
pub const VERSION: &str = "v1alpha1";
/// Annotation: any new value of it requests a read or a run now, also in back-off; repeated in the status
/// when it was handled.
pub const SYNC_REQUESTED_AT: &str = "rollcall.dev/sync-requested-at";
/// Annotation on a policy: the digest of the held operations that are approved.
pub const APPROVE: &str = "rollcall.dev/approve";

/// Replaces unsigned formats, which Kubernetes does not know and warns of. The `minimum` keeps numbers from being negative.
fn plain_numbers(schema: &mut schemars::Schema) {
    let unsigned =
        schema.get("format").and_then(|format| format.as_str()).is_some_and(|it| it.starts_with("uint"));
    if unsigned {
        schema.insert("format".to_owned(), "int64".into());
    }
}

/// Describes each value of an enum in the description of its field: `kubectl explain` shows nothing else.
fn choices(schema: &mut schemars::Schema) {
    let meaning = |choice: &serde_json::Value| {
        let meaning = choice.get("description")?.as_str()?.replace('\n', " ");
        Some(format!("`{}`: {meaning}", choice.get("const")?.as_str()?))
    };
    let choices = schema.get("oneOf").and_then(|choices| choices.as_array());
    let Some(meanings) = choices.and_then(|all| all.iter().map(meaning).collect::<Option<Vec<_>>>()) else {
        return;
    };
    let about = schema.get("description").and_then(|about| about.as_str()).unwrap_or_default();
    let about = format!("{about} {}", meanings.join(" "));
    schema.insert("description".to_owned(), about.into());
}
