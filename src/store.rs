//! What Rollcall remembers: one SQLite file in a data folder.
//!
//! One connection writes, behind a lock; readers have connections of their own (WAL), so a long
//! read never waits for an import. All calls block and are short: async callers wrap them.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rusqlite::OpenFlags;

mod absence;
pub(crate) mod bitmap;
pub mod claim;
pub(crate) mod dense;
mod digest;
mod error;
pub mod exception;
mod findings;
mod folder;
mod handle;
pub mod hold;
pub mod journal;
mod json;
pub mod link;
mod lock;
mod numbers;
pub mod object;
mod pins;
mod place;
pub mod policy;
mod reader;
pub mod registry;
mod schema;
mod sequence;
pub mod snapshot;
pub mod soundness;
#[cfg(test)]
mod tests;
mod used;

pub use error::StoreError;
pub use folder::{FILE, take_back};
pub use handle::Store;
use handle::{Writer, connect};

impl Store {
    /// Opens the store in `folder` for reading and writing, making both where they are not there
    /// yet. Only one process at a time can, and only in a folder that nobody else may write.
    ///
    /// # Errors
    /// When the folder is used by another process, belongs to somebody else, is of a newer version, or holds a damaged store.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let lock = folder::take(folder)?;
        let path = folder.join(FILE);
        let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        schema::prepare(&mut connection, &path)?;
        let store = Self::new(path, Some(Writer::new(connection)?), Some(lock));
        store.write(snapshot::drop_outdated)?;
        Ok(store)
    }

    /// Opens the store in `folder` for reading, while another process may be writing.
    ///
    /// # Errors
    /// When there is no store in the folder, or it cannot be read.
    pub fn open_read_only(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        let missing = || StoreError::Missing { folder: folder.display().to_string() };
        if !path.exists() {
            return Err(missing());
        }
        folder::check(folder)?;
        let store = Self::new(path, None, None);
        // A process that died while it made the store leaves a file without tables.
        let found = store.read(|reader| schema::check(reader, &store.inner.path))?;
        if found == 0 {
            return Err(missing());
        }
        store.vouch_for_store()?;
        Ok(store)
    }

    /// The store's own id, made with it: a restored or new store shows.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn id(&self) -> Result<String, StoreError> {
        self.read(|reader| Ok(reader.query_row("SELECT id FROM store", [], |row| row.get(0))?))
    }

    /// The last change number that was given.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn sequence(&self) -> Result<u64, StoreError> {
        self.read(|reader| {
            Ok(reader
                .query_row("SELECT sequence FROM store", [], |row| row.get::<_, i64>(0))?
                .cast_unsigned())
        })
    }

    /// Whether the database is still the file that was opened.
    pub fn is_intact(&self) -> bool {
        fs::metadata(&self.inner.path).is_ok_and(|found| Some(found.ino()) == self.inner.file)
    }

    /// Writes one consistent copy of the whole store to `to`, which must not be there yet. No backup holds what is not what
    /// was written.
    ///
    /// # Errors
    /// When the store cannot be written: the disk is full, or what is stored does not match its sums.
    pub fn backup(&self, to: &Path) -> Result<(), StoreError> {
        if let Some(damage) = self.examine()?.into_iter().next() {
            return Err(StoreError::Damaged(damage));
        }
        let made = OpenOptions::new().create_new(true).write(true).mode(0o600).open(to);
        drop(made.map_err(|error| StoreError::Backup { to: to.display().to_string(), error })?);
        let reader = self.reader()?;
        // Into the empty file that was just made with the right mode; what is read stays as it is.
        reader.pragma_update(None, "query_only", false)?;
        reader.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
        Ok(())
    }
}
