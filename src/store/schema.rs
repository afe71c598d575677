//! The tables, and how an older file becomes a newer one.

use rusqlite::Connection;

use super::StoreError;

/// Each migration only adds. Within one release a room's tables stand in a file of its own.
const MIGRATIONS: &[&str] = &[concat!(
    include_str!("schema/snapshot.sql"),
    include_str!("schema/policy.sql"),
    include_str!("schema/registry.sql"),
)];

/// Sets the connection up and brings the file to this version.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (migration, number) in MIGRATIONS.iter().zip(1u32..).skip_while(|(_, number)| *number <= version) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}
