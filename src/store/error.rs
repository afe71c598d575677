//! The errors of the store, with what to do about them.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

/// Why the store could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data folder cannot be used.
    #[error(
        "the data folder {folder} cannot be used: {error}; check the path and its permissions, or use another one"
    )]
    Folder {
        /// Which one.
        folder: String,
        /// What the system says.
        error: io::Error,
    },
    /// The data folder, or the database in it, is somebody else's.
    #[error(
        "{what} belongs to the user {owner}, and this runs as the user {us}: its owner could change the stored data, \
         and so decide who keeps an account; use a folder of your own, such as ~/rollcall, or run as its owner"
    )]
    NotOurs {
        /// The folder or the database.
        what: String,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        us: u32,
    },
    /// Others may write in the data folder, or to the database in it.
    #[error(
        "{what} may be written by others (mode {mode:04o}), who could change the stored data, and so decide who keeps \
         an account; remove that permission (chmod go-w) if you trust the contents, or use another folder"
    )]
    Exposed {
        /// The folder or the database.
        what: String,
        /// Its mode.
        mode: u32,
    },
    /// There is no store in the folder.
    #[error("there is no store in {folder}; `rollcall sync --data {folder} …` creates one")]
    Missing {
        /// Which folder.
        folder: String,
    },
    /// Another process writes it.
    #[error(
        "the data folder {folder} is in use by another rollcall{process}; stop that one, or use another folder"
    )]
    InUse {
        /// Which folder.
        folder: String,
        /// Which process, if it said.
        process: String,
    },
    /// The file is of a version that this one cannot read.
    #[error(
        "{file} was written by a newer rollcall (schema {found}, which needs a reader of at least {min_reader}; this one \
         is {ours}); use that version, or restore a backup made before the upgrade"
    )]
    Newer {
        /// Which file.
        file: String,
        /// Its schema.
        found: u32,
        /// The least schema that a reader must know.
        min_reader: u32,
        /// The schema that this version knows.
        ours: u32,
    },
    /// The file is something else.
    #[error("{file} is not a rollcall store; move it away, or use another data folder")]
    Foreign {
        /// Which file.
        file: String,
    },
    /// The disk is full.
    #[error("the disk of the data folder is full; nothing was changed. Make room and run again")]
    Full,
    /// The disk or the folder refuses to be written.
    #[error(
        "the data folder cannot be written ({0}); nothing was changed. Check its permissions and how it is mounted"
    )]
    Unwritable(String),
    /// Something tried to write a store that was opened for reading.
    #[error("this store was opened read-only")]
    ReadOnly,
    /// A copy could not be made.
    #[error(
        "the backup {to} cannot be written: {error}; name a file that does not exist yet, in a folder that exists"
    )]
    Backup {
        /// Where to.
        to: String,
        /// What the system says.
        error: io::Error,
    },
    /// More numbers were needed than there are.
    #[error(
        "no numbers are left for {0}: four thousand million were used; export, and start with a new data folder"
    )]
    Exhausted(String),
    /// SQLite says no.
    #[error("the store failed: {0}")]
    Sqlite(rusqlite::Error),
    /// What is stored is not what was written.
    #[error(
        "the store is damaged ({0}); nothing is planned or removed because of it. Check the disk, and restore a backup \
         (docs/operations.md says how), or start with a new data folder"
    )]
    Damaged(String),
    /// Whoever asked does not want it any more, for this reason.
    #[error("{0}")]
    GivenUp(String),
    /// Work with it ended by a panic, or with the process.
    #[error(
        "it stopped before its end ({0}); what was done until then is kept, and it is retried. If it happens again, \
         this is a defect of Rollcall: please report it with the log of that time"
    )]
    Ended(String),
}

impl StoreError {
    pub(crate) fn folder(folder: &Path, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::StorageFull {
            return Self::Full;
        }
        Self::Folder { folder: folder.display().to_string(), error }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        // The index beside the journal is the first to find no room.
        if error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_IOERR_SHMSIZE) {
            return Self::Full;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::SystemIoFailure) => {
                Self::Unwritable(error.to_string())
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            None if is_of_a_value(&error) => Self::Damaged(error.to_string()),
            _ => Self::Sqlite(error),
        }
    }
}

/// Whether it says that a value is none of those that are written there.
fn is_of_a_value(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    matches!(
        error,
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..)
    )
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}
