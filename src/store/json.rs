//! What is stored as JSON.

use rusqlite::Rows;
use serde::de::DeserializeOwned;

use super::error::StoreError;

/// What was stored as JSON, one of a row.
pub(in crate::store) fn bodies<T: DeserializeOwned>(mut rows: Rows<'_>) -> Result<Vec<T>, StoreError> {
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(serde_json::from_str(&row.get::<_, String>(0)?)?);
    }
    Ok(all)
}
