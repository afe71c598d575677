//! Forgetting what nobody owns any more.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Transaction, params};

use super::{Store, StoreError};
use crate::directory::{ConnectorName, Owner};

/// Every table with rows of a policy.
const OF_POLICY: &[&str] = &[
    "subject",
    "anchor",
    "link",
    "claim",
    "intent",
    "journal",
    "census",
    "hold",
    "approval",
    "rejection",
    "exception",
    "registry",
];
/// Every table with rows of a connector.
const OF_CONNECTOR: &[&str] = &["entry", "name", "version", "coverage", "part", "indexed"];

impl Store {
    /// Notes which policies and connectors are not there any more, among those of the namespaces that
    /// `within` covers, and forgets those that have not been for longer than `keeps`. Returns how many
    /// were forgotten.
    pub fn forget_absent(
        &self,
        policies: &BTreeSet<Owner>,
        connectors: &BTreeSet<ConnectorName>,
        within: impl Fn(&str) -> bool,
        now: Timestamp,
        keeps: Duration,
    ) -> Result<usize, StoreError> {
        let before = now.checked_sub(keeps).unwrap_or(Timestamp::MIN).as_second();
        self.write(|writer| {
            let there = |name: &str| policies.iter().any(|owner| owner.as_str() == name);
            note(writer, "policy", "owner", &there, &within, now)?;
            let there = |name: &str| connectors.iter().any(|connector| connector.as_str() == name);
            note(writer, "connector", "name", &there, &within, now)?;
            let policies = forget(writer, "policy", OF_POLICY, before)?;
            Ok(policies + forget(writer, "connector", OF_CONNECTOR, before)?)
        })
    }
}

fn note(
    writer: &Transaction<'_>,
    table: &str,
    column: &str,
    there: &dyn Fn(&str) -> bool,
    within: &dyn Fn(&str) -> bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut statement = writer.prepare(&format!("SELECT id, {column}, absent_since FROM {table}"))?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<i64>>(2)?))
    })?;
    for row in rows.collect::<Result<Vec<_>, _>>()? {
        let (id, name, since) = row;
        let namespace = name.split_once('/').map_or("", |(namespace, _)| namespace);
        let absent = !there(&name);
        if absent != since.is_some() && (!absent || within(namespace)) {
            let since = absent.then(|| now.as_second());
            writer.execute(
                &format!("UPDATE {table} SET absent_since = ?2 WHERE id = ?1"),
                params![id, since],
            )?;
        }
    }
    Ok(())
}

fn forget(writer: &Transaction<'_>, table: &str, with: &[&str], before: i64) -> Result<usize, StoreError> {
    for other in with {
        let sql =
            format!("DELETE FROM {other} WHERE {table} IN (SELECT id FROM {table} WHERE absent_since < ?1)");
        writer.execute(&sql, [before])?;
    }
    Ok(writer.execute(&format!("DELETE FROM {table} WHERE absent_since < ?1"), [before])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_table_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let tables_of = |column: &str| -> BTreeSet<String> {
            let found = store.read(|reader| {
                let mut statement = reader.prepare(
                    "SELECT sqlite_schema.name FROM sqlite_schema JOIN pragma_table_info(sqlite_schema.name) AS field
                     WHERE sqlite_schema.type = 'table' AND field.name = ?1",
                )?;
                let tables = statement.query_map([column], |row| row.get(0))?;
                Ok::<_, StoreError>(tables.collect::<Result<_, _>>()?)
            });
            found.unwrap()
        };
        let all = |tables: &[&str]| tables.iter().map(|&table| table.to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(tables_of("policy"), all(OF_POLICY));
        assert_eq!(tables_of("connector"), all(OF_CONNECTOR));
    }
}
