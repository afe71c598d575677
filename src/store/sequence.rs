//! Change numbers.

use rusqlite::Transaction;

use super::error::StoreError;

/// Takes the next `count` change numbers; returns the first.
pub(in crate::store) fn next_sequence(writer: &Transaction<'_>, count: u64) -> Result<u64, StoreError> {
    let last: i64 = writer
        .prepare_cached(
            "UPDATE store SET sequence = sequence + ?1, indexed = sequence + ?1 RETURNING sequence",
        )?
        .query_row([count.cast_signed()], |row| row.get(0))?;
    Ok(last.cast_unsigned() - count + 1)
}
