//! What the store says of a policy.

use crate::api::policy::{StoreRef, SyncPolicyStatus};
use crate::store::object::Seen;

/// What the store says of a policy.
pub(super) struct Stored {
    /// The specs that the last complete run applied.
    pub(super) applied_spec: Option<String>,
    /// Whether the approval that the object bears was seen before: it holds for 24 hours from then, however
    /// long the object bears it.
    pub(super) approved: bool,
    /// Whether an approval was taken away that was seen before: what of it is not done is not done any more.
    pub(super) withdrawn: bool,
    /// What is to be known of the approval that the object bears.
    pub(super) seen: Seen,
    /// Which store this is, and how far it has come.
    pub(super) store: StoreRef,
}

impl Stored {
    /// Whether the store that this status tells of is lost: another one is here, or an older state of it. If it tells of
    /// none and there is one, nobody knows how old that is: it may be a volume from a backup, and the object from Git.
    pub(super) fn is_reset(&self, status: Option<&SyncPolicyStatus>) -> bool {
        match status.and_then(|status| status.store.as_ref()) {
            Some(told) => told.id != self.store.id || told.sequence > self.store.sequence,
            None => self.applied_spec.is_some(),
        }
    }
}
