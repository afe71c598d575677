//! Shared code of the store's tests.

use super::{Store, StoreError};

/// How SQLite goes about a statement.
pub(super) fn plan_of(store: &Store, sql: &str) -> Vec<String> {
    let plan = store.read(|reader| {
        let mut statement = reader.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
        // What is bound makes no difference.
        let mut rows = statement.raw_query();
        let mut plan = Vec::new();
        while let Some(row) = rows.next()? {
            plan.push(row.get(3)?);
        }
        Ok::<_, StoreError>(plan)
    });
    plan.unwrap()
}
