//! The newest version of a row, of those that were written up to a sequence.

use rusqlite::{CachedStatement, Row as SqlRow, Transaction, params};

use crate::store::StoreError;

/// Every version counts, sealed or not.
pub(super) const ANY: i64 = i64::MAX;

/// Reads the newest versions of a connector's rows.
pub(super) struct Newest<'r> {
    statement: CachedStatement<'r>,
    connector: i64,
    until: i64,
}

impl<'r> Newest<'r> {
    /// Selects these columns of the versions that were written up to the sequence `until`.
    pub(super) fn select(
        columns: &str,
        reader: &'r Transaction<'_>,
        connector: i64,
        until: i64,
    ) -> Result<Self, StoreError> {
        let statement = reader.prepare_cached(&format!(
            "SELECT {columns} FROM version WHERE connector = ?1 AND entry = ?2 AND sequence <= ?3
             ORDER BY sequence DESC LIMIT 1"
        ))?;
        Ok(Self { statement, connector, until })
    }

    /// What `take` makes of the columns of this row; `None` if the row has no such version.
    pub(super) fn of<T>(
        &mut self,
        row: u32,
        take: impl FnOnce(&SqlRow<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.statement.query(params![self.connector, row, self.until])?.next()?.map(take).transpose()
    }
}
