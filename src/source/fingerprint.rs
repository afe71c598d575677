//! Of everything that decides what is asked: a feed goes on for the same question alone.

use sha2::{Digest as _, Sha256};

/// Other parts have another one.
pub(super) fn fingerprint<T: AsRef<str>>(parts: impl IntoIterator<Item = T>) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    crate::hex::encode(&digest.finalize())
}
