//! The tables, and the migrations of older files.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::{Connection, ErrorCode};
use uuid::Uuid;

use super::handle::NORMAL;
use super::{StoreError, digest};

/// Marks the file as ours: "Roll" in ASCII.
const APPLICATION_ID: i32 = 0x526f_6c6c;

/// Each migration only adds. Within one release a room's tables stand in a file of its own.
const MIGRATIONS: &[&str] = &[
    concat!(
        include_str!("schema/store.sql"),
        include_str!("schema/snapshot.sql"),
        include_str!("schema/policy.sql"),
        include_str!("schema/registry.sql"),
    ),
    include_str!("schema/absence.sql"),
    include_str!("schema/index.sql"),
    include_str!("schema/exception.sql"),
    include_str!("schema/reader.sql"),
    include_str!("schema/number.sql"),
    include_str!("schema/digest.sql"),
    include_str!("schema/approver.sql"),
    include_str!("schema/used.sql"),
    include_str!("schema/place.sql"),
    include_str!("schema/reservation.sql"),
];

/// The schema that this version writes.
#[expect(clippy::cast_possible_truncation, reason = "there are few migrations")]
const OURS: u32 = MIGRATIONS.len() as u32;

/// The least schema that a reader of our files must know: it grows only when a migration changes what
/// older versions would misread. One that does not keep the sums of what it writes would leave a store that seems damaged.
const MIN_READER: u32 = DIGEST;

/// The schema from which on it is known what each table should hold.
pub(super) const DIGEST: u32 = 7;

/// Sets the writing connection up and brings the file to this version; an older file is copied first.
pub(super) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found = check(connection, path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", NORMAL)?;
    // In kB: what a large first run touches in no order (keys, names) stays at hand.
    connection.pragma_update(None, "cache_size", -16_000)?;
    // In pages: fewer waits for the disk while much is written, for a longer journal.
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    if found > 0 && found < OURS {
        keep(connection, path)?;
    }
    migrate(connection, found, OURS)
}

/// Brings a file of the schema `from` to the schema `to`. Each step is a transaction: a process may die between any two.
fn migrate(connection: &mut Connection, from: u32, to: u32) -> Result<(), StoreError> {
    let steps = MIGRATIONS.iter().zip(1..).filter(|(_, number)| (from + 1..=to).contains(number));
    for (migration, number) in steps {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration).map_err(|error| match error.sqlite_error_code() {
            // What it makes is there already, or what it changes is not.
            Some(ErrorCode::Unknown) => {
                StoreError::Damaged(format!("its schema is not that of version {from}: {error}"))
            }
            _ => error.into(),
        })?;
        if number == 1 {
            transaction.execute(
                "INSERT INTO store (id, sequence, min_reader) VALUES (?1, 0, ?2)",
                (Uuid::new_v4().to_string(), MIN_READER),
            )?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        }
        transaction.execute("UPDATE store SET min_reader = max(min_reader, ?1)", [MIN_READER])?;
        transaction.pragma_update(None, "user_version", number)?;
        // Each step changes what the sums are of.
        if number >= DIGEST {
            digest::begin(&transaction)?;
        }
        transaction.commit()?;
    }
    Ok(())
}

/// Keeps a copy of an older file beside it. It gets its name when it is whole: a process that dies here
/// must not hinder the next one.
fn keep(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let (part, copy) = (path.with_extension("part"), path.with_extension(format!("before-{OURS}.db")));
    let in_folder = |error| StoreError::folder(path, error);
    if part.exists() {
        fs::remove_file(&part).map_err(in_folder)?;
    }
    // SQLite writes into an empty file; one that it makes itself could be read by others.
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part).map_err(in_folder)?;
    connection.execute("VACUUM INTO ?1", [part.to_string_lossy()])?;
    fs::rename(part, copy).map_err(in_folder)
}

/// Refuses what is not ours and what this version cannot read; returns the file's schema, 0 for a new
/// file.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<u32, StoreError> {
    let file = || path.display().to_string();
    let found: u32 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|error| match error
            .sqlite_error_code()
        {
            Some(ErrorCode::NotADatabase) => StoreError::Foreign { file: file() },
            _ => error.into(),
        })?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: u32 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (tables > 0 || found > 0) {
        return Err(StoreError::Foreign { file: file() });
    }
    if found > OURS {
        let min_reader: u32 = connection.query_row("SELECT min_reader FROM store", [], |row| row.get(0))?;
        if min_reader > OURS {
            return Err(StoreError::Newer { file: file(), found, min_reader, ours: OURS });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::store::{FILE, Store};

    /// A process may die between two migrations: the next one goes on from there, and takes nothing for damage.
    #[test]
    fn a_file_that_was_brought_to_any_version_is_brought_to_this_one() {
        for to in 1..=OURS {
            let folder = tempfile::tempdir().unwrap();
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
            let mut connection = Connection::open(folder.path().join(FILE)).unwrap();
            migrate(&mut connection, 0, to).unwrap();
            drop(connection);
            drop(Store::open(folder.path()).unwrap_or_else(|error| panic!("from {to}: {error}")));
            Store::open(folder.path()).unwrap();
        }
    }

    #[test]
    fn nobody_else_may_read_the_copy_of_an_older_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollcall.db");
        let older = Connection::open(&path).unwrap();
        older.execute_batch("CREATE TABLE it (value); INSERT INTO it VALUES (1)").unwrap();
        fs::write(path.with_extension("part"), "of a process that died").unwrap();
        keep(&older, &path).unwrap();
        let copy = path.with_extension(format!("before-{OURS}.db"));
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
        let value = |row: &rusqlite::Row<'_>| row.get::<_, u32>(0);
        assert_eq!(Connection::open(copy).unwrap().query_row("SELECT value FROM it", [], value), Ok(1));
    }
}
