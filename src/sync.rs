//! The core: turns snapshots into operations, within limits.
//!
//! `project`, `plan` and `guard` are pure; `import`, `apply`, `verify` and `run` do the I/O at the two ends.

use crate::store::StoreError;

pub mod apply;
pub mod expression;
pub mod guard;
pub mod import;
pub mod plan;
pub mod policy;
pub mod project;
mod replan;
pub mod run;
mod snapshot;
pub mod verify;

/// Begins what blocks (the store's work, projections) where blocking is allowed.
///
/// # Errors
/// Those of the work, and [`StoreError::Ended`] when it panicked.
pub fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> impl Future<Output = Result<T, StoreError>> + Send {
    let done = tokio::task::spawn_blocking(work);
    async { done.await.unwrap_or_else(|error| Err(StoreError::Ended(error.to_string()))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_not_called_a_damaged_store() {
        let error = blocking(|| -> Result<(), StoreError> { panic!("out of range") }).await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains("out of range") && !said.contains("damaged"), "{said}");
    }
}
