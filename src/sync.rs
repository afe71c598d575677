//! The middle: what turns snapshots into operations, within limits.
//!
//! `project`, `plan` and `guard` are pure; `import`, `apply` and `run` do the I/O at the two ends.

use crate::store::StoreError;

pub mod apply;
pub mod expression;
pub mod guard;
pub mod import;
pub mod plan;
pub mod policy;
pub mod project;
pub mod run;

/// Does what blocks (the store's work, projections) where blocking is allowed.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await?
}
