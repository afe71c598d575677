//! The numbers of policies and connectors: each is used once.

use rusqlite::{OptionalExtension as _, Transaction};

use super::StoreError;
use crate::directory::ConnectorName;

/// The number of the policy of this name; it gets one if it has none.
pub(super) fn of_policy(writer: &Transaction<'_>, owner: &str) -> Result<i64, StoreError> {
    numbered(writer, ("policy", "owner"), owner)
}

/// The connector's number; it gets one if it has none.
pub(super) fn of_connector(writer: &Transaction<'_>, connector: &ConnectorName) -> Result<i64, StoreError> {
    numbered(writer, ("connector", "name"), connector.as_str())
}

/// Whoever is used is there, whatever an older list says: it is not forgotten.
fn numbered(writer: &Transaction<'_>, (table, column): (&str, &str), name: &str) -> Result<i64, StoreError> {
    let found: Option<(i64, Option<i64>)> = writer
        .prepare_cached(&format!("SELECT id, absent_since FROM {table} WHERE {column} = ?1"))?
        .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((id, absent)) = found else {
        let insert = format!(
            "INSERT INTO {table} (id, {column}) SELECT 1 + max(
                 coalesce((SELECT last FROM number WHERE kind = '{table}'), 0),
                 coalesce((SELECT max(id) FROM {table}), 0)), ?1"
        );
        writer.prepare_cached(&insert)?.execute([name])?;
        return Ok(writer.last_insert_rowid());
    };
    if absent.is_some() {
        writer.execute(&format!("UPDATE {table} SET absent_since = NULL WHERE id = ?1"), [id])?;
    }
    Ok(id)
}
