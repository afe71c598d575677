//! What Rollcall remembers: one SQLite file in a data folder.
//!
//! One connection writes, behind a lock; readers have connections of their own (WAL), so a long
//! read never waits for an import. All calls block and are short: async callers wrap them.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Rows, Transaction, TransactionBehavior};
use serde::de::DeserializeOwned;

mod absence;
pub(crate) mod bitmap;
pub(crate) mod dense;
mod digest;
mod error;
pub mod exception;
mod folder;
pub mod hold;
pub mod journal;
pub mod link;
mod numbers;
pub mod object;
pub mod policy;
mod reader;
pub mod registry;
mod schema;
pub mod snapshot;
pub mod soundness;
#[cfg(test)]
mod tests;

use digest::Tally;
pub use error::StoreError;
pub use folder::take_back;
use snapshot::{Pins, Seals};

/// The database's name within the data folder.
pub const FILE: &str = "rollcall.db";
/// Longer than any of our transactions takes.
const BUSY: Duration = Duration::from_secs(30);
/// More than there are: each is compiled once.
const STATEMENTS: usize = 128;

/// A handle on the store; clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// Which file that was when it was opened.
    file: Option<u64>,
    /// `None` for a store that is only read.
    writer: Option<Mutex<Writer>>,
    readers: Mutex<Vec<Connection>>,
    /// Snapshots that are being read.
    pins: Pins,
    seals: Seals,
    findings: soundness::Findings,
    /// How often an object of the registry was made or deleted since the store was opened.
    registry_changes: AtomicU64,
    /// Held for as long as the store is open for writing.
    _lock: Option<File>,
}

#[derive(Debug)]
struct Writer {
    connection: Connection,
    tally: Arc<Tally>,
}

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
        let writer = Writer { tally: Tally::listen(&connection)?, connection };
        let store = Self::new(path, Some(writer), Some(lock));
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

    fn new(path: PathBuf, writer: Option<Writer>, lock: Option<File>) -> Self {
        let file = fs::metadata(&path).ok().map(|found| found.ino());
        let inner = Inner {
            file,
            path,
            writer: writer.map(Mutex::new),
            readers: Mutex::default(),
            pins: Pins::default(),
            seals: Seals::default(),
            findings: soundness::Findings::default(),
            registry_changes: AtomicU64::new(0),
            _lock: lock,
        };
        Self { inner: Arc::new(inner) }
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

    /// Runs `work` in one write transaction; an error rolls it back.
    pub(crate) fn write<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let Some(writer) = &self.inner.writer else {
            return Err(StoreError::ReadOnly.into());
        };
        let Writer { connection, tally } = &mut *lock(writer);
        // What a transaction that was given up changed does not count.
        tally.clear();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)?;
        let value = work(&transaction)?;
        tally.note(&transaction)?;
        transaction.commit().map_err(StoreError::from)?;
        Ok(value)
    }

    /// Runs `work` on a connection that sees one moment of the store for as long as it runs.
    pub(crate) fn read<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut reader = self.reader()?;
        let value = {
            let transaction = reader.transaction().map_err(StoreError::from)?;
            work(&transaction)?
        };
        lock(&self.inner.readers).push(reader);
        Ok(value)
    }

    fn pins(&self) -> &Pins {
        &self.inner.pins
    }

    fn seals(&self) -> &Seals {
        &self.inner.seals
    }

    fn reader(&self) -> Result<Connection, StoreError> {
        if let Some(reader) = lock(&self.inner.readers).pop() {
            return Ok(reader);
        }
        // Not SQLITE_OPEN_READ_ONLY: a reader of a WAL database must be able to make its index.
        let reader = connect(&self.inner.path, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .or_else(|_| connect(&self.inner.path, OpenFlags::SQLITE_OPEN_READ_ONLY))?;
        reader.pragma_update(None, "query_only", true)?;
        Ok(reader)
    }
}

fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    // A connection is in one thread at a time, as it is.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without this a statement with a bound value is compiled anew each time it comes from the cache.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// Takes the next `count` change numbers; returns the first.
fn next_sequence(writer: &Transaction<'_>, count: u64) -> Result<u64, StoreError> {
    let last: i64 = writer
        .prepare_cached(
            "UPDATE store SET sequence = sequence + ?1, indexed = sequence + ?1 RETURNING sequence",
        )?
        .query_row([count.cast_signed()], |row| row.get(0))?;
    Ok(last.cast_unsigned() - count + 1)
}

/// What was stored as JSON, one of a row.
fn bodies<T: DeserializeOwned>(mut rows: Rows<'_>) -> Result<Vec<T>, StoreError> {
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(serde_json::from_str(&row.get::<_, String>(0)?)?);
    }
    Ok(all)
}

/// A poisoned lock guards a connection whose transaction was rolled back when the panic dropped it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
