//! A handle on the store: one connection that writes, behind a lock, and others that read.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::digest::Tally;
use super::error::StoreError;
use super::findings::Findings;
use super::lock::lock;
use super::pins::Pins;
use super::snapshot::Seals;

/// Longer than any of our transactions takes.
const BUSY: Duration = Duration::from_secs(30);

/// More than there are: each is compiled once.
const STATEMENTS: usize = 128;

/// A handle on the store; clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) path: PathBuf,
    /// Which file that was when it was opened.
    pub(super) file: Option<u64>,
    /// `None` for a store that is only read.
    pub(super) writer: Option<Mutex<Writer>>,
    readers: Mutex<Vec<Connection>>,
    /// Snapshots that are being read.
    pins: Pins,
    seals: Seals,
    pub(super) findings: Findings,
    /// How often an object of the registry was made or deleted since the store was opened.
    pub(super) registry_changes: AtomicU64,
    /// How often it was asked or written.
    uses: AtomicU64,
    /// How often when somebody last asked whether it rests, and when its caches were last given back.
    rested: Mutex<(u64, u64)>,
    /// Held for as long as the store is open for writing.
    _lock: Option<File>,
}

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) connection: Connection,
    tally: Arc<Tally>,
    /// How sure it is that what was committed is on the disk.
    synchronous: &'static str,
}

/// What is committed outlives the process; the loss of power may take the last of it back.
pub(super) const NORMAL: &str = "NORMAL";

impl Writer {
    pub(super) fn new(connection: Connection) -> Result<Self, StoreError> {
        Ok(Self { tally: Tally::listen(&connection)?, connection, synchronous: NORMAL })
    }
}

impl Store {
    pub(super) fn new(path: PathBuf, writer: Option<Writer>, lock: Option<File>) -> Self {
        let file = fs::metadata(&path).ok().map(|found| found.ino());
        let inner = Inner {
            file,
            path,
            writer: writer.map(Mutex::new),
            readers: Mutex::default(),
            pins: Pins::default(),
            seals: Seals::default(),
            findings: Findings::default(),
            registry_changes: AtomicU64::new(0),
            uses: AtomicU64::new(0),
            rested: Mutex::default(),
            _lock: lock,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Runs `work` in one write transaction; an error rolls it back.
    pub(crate) fn write<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.write_with(NORMAL, work)
    }

    fn write_with<T, E: From<StoreError>>(
        &self,
        synchronous: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let Some(writer) = &self.inner.writer else {
            return Err(StoreError::ReadOnly.into());
        };
        self.inner.uses.fetch_add(1, Ordering::Relaxed);
        let Writer { connection, tally, synchronous: before } = &mut *lock(writer);
        if *before != synchronous {
            connection.pragma_update(None, "synchronous", synchronous).map_err(StoreError::from)?;
            *before = synchronous;
        }
        // What a transaction that was given up changed does not count.
        tally.clear();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)?;
        let value = work(&transaction)?;
        tally.note(&transaction)?;
        transaction.commit().map_err(StoreError::from)?;
        Ok(value)
    }

    /// The same; it returns when what was written is on the disk, so that not even the loss of power takes it back.
    pub(crate) fn write_to_disk<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.write_with("FULL", work)
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

    pub(super) fn pins(&self) -> &Pins {
        &self.inner.pins
    }

    pub(super) fn seals(&self) -> &Seals {
        &self.inner.seals
    }

    /// Gives back what SQLite keeps in memory of the file, if nobody has used the store since this was called last. Returns
    /// whether it did. What is used again is read again.
    pub fn rest(&self) -> bool {
        let uses = self.inner.uses.load(Ordering::Relaxed);
        let mut rested = lock(&self.inner.rested);
        let (before, given_back) = *rested;
        rested.0 = uses;
        if before != uses || given_back == uses {
            return false;
        }
        // Whoever writes for so long does not rest.
        let Some(Ok(writer)) = self.inner.writer.as_ref().map(Mutex::try_lock) else { return false };
        rested.1 = uses;
        let readers = lock(&self.inner.readers);
        let all = readers.iter().chain([&writer.connection]);
        all.map(Connection::release_memory).all(|released| released.is_ok())
    }

    pub(super) fn reader(&self) -> Result<Connection, StoreError> {
        self.inner.uses.fetch_add(1, Ordering::Relaxed);
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

pub(super) fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    // A connection is in one thread at a time, as it is.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without this a statement with a bound value is compiled anew each time it comes from the cache.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_used_gives_its_caches_back_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert!(!store.rest(), "it was opened a moment ago");
        assert!(store.rest());
        assert!(!store.rest(), "nothing is left to give back");
        store.sequence().unwrap();
        assert!(!store.rest());
        assert!(store.rest());
        store.write(|_| Ok::<_, StoreError>(())).unwrap();
        assert!(!store.rest());
        assert!(store.rest());
        assert_eq!(store.sequence().unwrap(), 0, "it can be used again");
    }
}
