//! What can go wrong with the store, and what to do about it.

use std::path::Path;

/// Why the store could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data folder cannot be used.
    #[error("the data folder {folder} cannot be used: {error}")]
    Folder {
        /// Which one.
        folder: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// SQLite says no.
    #[error("the store failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A stored value is not what this version writes.
    #[error(
        "the store holds something that this version cannot read ({0}); restore a backup, or start with a new data folder"
    )]
    Corrupt(String),
}

impl StoreError {
    pub(crate) fn folder(folder: &Path, error: std::io::Error) -> Self {
        Self::Folder { folder: folder.display().to_string(), error }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Corrupt(error.to_string())
    }
}
