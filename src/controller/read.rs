//! Questions to the apiserver.

use std::future::Future;
use std::time::Duration;

use super::error::Error;

/// No single question to the apiserver takes longer.
pub(super) const READ: Duration = Duration::from_secs(10);

/// Asks the apiserver, and not for ever.
pub(super) async fn read<T>(question: impl Future<Output = kube::Result<T>>) -> Result<T, Error> {
    match tokio::time::timeout(READ, question).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Error::Slow),
    }
}
