//! Requests to the apiserver.

use std::future::Future;
use std::time::Duration;

use super::error::Error;

/// A single request to the apiserver takes no longer.
pub(super) const READ: Duration = Duration::from_secs(10);

/// Makes a request, and fails if there is no answer in time.
pub(super) async fn read<T>(question: impl Future<Output = kube::Result<T>>) -> Result<T, Error> {
    match tokio::time::timeout(READ, question).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Error::Slow),
    }
}
