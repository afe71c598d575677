//! Runs work so that a panic ends only that work.

use tokio::task::JoinSet;

use crate::source::{Reason, SourceError};

/// Runs `work` where a panic, which would be a fault of ours, ends it and nothing else. Dropping the returned future ends the work.
pub(super) async fn contained<T: Send + 'static>(
    work: impl Future<Output = Result<T, SourceError>> + Send + 'static,
) -> Result<T, SourceError> {
    let mut tasks = JoinSet::new();
    tasks.spawn(work);
    match tasks.join_next().await {
        Some(Ok(done)) => done,
        _ => Err(SourceError::new(
            Reason::Interrupted,
            "the read ended because of a defect of Rollcall, which the log shows; nothing of this read was used",
        )),
    }
}
