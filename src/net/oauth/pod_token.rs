//! The token that the cluster gives a pod, in a file that is read anew each time: the kubelet replaces it.

use std::path::Path;

use super::error::TokenError;
use crate::secret::Secret;

pub(super) async fn read(file: &Path) -> Result<Secret, TokenError> {
    let read = tokio::fs::read(file).await.map_err(|error| {
        let file = file.display();
        TokenError::Credential(format!("the token that proves who we are cannot be read ({file}): {error}"))
    });
    read.map(Secret::new)
}
