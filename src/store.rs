//! What Rollcall remembers: one SQLite file in a data folder.
//!
//! One connection writes, behind a lock; readers have connections of their own (WAL), so a long
//! read never waits for an import. All calls block and are short: async callers wrap them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

mod error;
pub mod hold;
pub mod journal;
pub mod link;
pub mod policy;
pub mod registry;
mod schema;
pub mod snapshot;

pub use error::StoreError;

/// The file's name within the data folder.
pub const FILE: &str = "rollcall.db";

/// A handle on the store; clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl Store {
    /// Opens the store in `folder`, making both where they are not there yet.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(|error| StoreError::folder(folder, error))?;
        let path = folder.join(FILE);
        let mut writer = Connection::open(&path)?;
        schema::prepare(&mut writer)?;
        Ok(Self { inner: Arc::new(Inner { path, writer: Mutex::new(writer), readers: Mutex::default() }) })
    }

    /// Runs `work` in one write transaction; an error rolls it back.
    pub(crate) fn write<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut writer = lock(&self.inner.writer);
        let transaction =
            writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)?;
        let value = work(&transaction)?;
        transaction.commit().map_err(StoreError::from)?;
        Ok(value)
    }

    /// Runs `work` on a connection that sees one moment of the store for as long as it runs.
    pub(crate) fn read<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let pooled = lock(&self.inner.readers).pop();
        let mut reader = match pooled {
            Some(reader) => reader,
            None => Connection::open_with_flags(&self.inner.path, OpenFlags::SQLITE_OPEN_READ_ONLY)
                .map_err(StoreError::from)?,
        };
        let value = {
            let transaction = reader.transaction().map_err(StoreError::from)?;
            work(&transaction)?
        };
        lock(&self.inner.readers).push(reader);
        Ok(value)
    }
}

/// A poisoned lock guards a connection whose transaction was rolled back when the panic dropped it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
