//! Deletes the data of deleted policies and connectors.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Transaction, params};

use super::{Store, StoreError, object};
use crate::directory::{ConnectorName, Owner};

/// What may be forgotten: a row, and all rows that belong to it.
struct OwnedTables {
    table: &'static str,
    /// The column with its namespace and name.
    name: &'static str,
    /// Every table with rows of it, and the primary key of each.
    tables: &'static [(&'static str, &'static str)],
}

const POLICY: OwnedTables = OwnedTables {
    table: "policy",
    name: "owner",
    tables: &[
        // What is shown of all policies together goes first.
        ("hold", "policy, digest"),
        ("accepted", "policy, connector, field"),
        ("exception", "policy"),
        ("place", "policy"),
        ("approval", "policy, digest"),
        ("approver", "policy, digest"),
        ("used", "policy, verb, subject, member"),
        ("census", "policy, at"),
        ("rejection", "policy, target, subject"),
        ("reservation", "target, what"),
        ("intent", "id"),
        // Found by the links, so before them.
        (CLAIM, "target, object"),
        ("link", "policy, target, subject"),
        ("anchor", "policy, subject, directory, anchor"),
        ("subject", "policy, id"),
        ("registry", "policy, number"),
        ("journal", "id"),
    ],
};
const CONNECTOR: OwnedTables = OwnedTables {
    table: "connector",
    name: "name",
    tables: &[
        ("version", "connector, entry, sequence"),
        ("entry", "connector, id"),
        ("name", "connector, id"),
        ("coverage", "connector, field"),
        ("accepted", "policy, connector, field"),
        ("part", "connector, kind, part"),
        ("indexed", "connector"),
    ],
};
const CLAIM: &str = "claim";

/// Rows to delete in one transaction, so that nobody waits for long.
const CHUNK: u32 = 5000;
/// Between two of those: a lock that is taken again at once is not given to whoever waits for it.
const PAUSE: Duration = Duration::from_millis(1);

impl Store {
    /// Notes which policies and connectors are not there any more, among those of the namespaces that
    /// `within` covers, and forgets those that have not been for longer than `keeps`. Returns how many
    /// were forgotten.
    ///
    /// What is to be forgotten loses its name at once, so nobody finds a part of it, and goes bit by
    /// bit. What an earlier process did not get done is finished.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn forget_absent(
        &self,
        policies: &BTreeSet<Owner>,
        connectors: &BTreeSet<ConnectorName>,
        within: impl Fn(&str) -> bool,
        now: Timestamp,
        keeps: Duration,
    ) -> Result<usize, StoreError> {
        let before = now.checked_sub(keeps).unwrap_or(Timestamp::MIN).as_second();
        let (policies, connectors) = self.write(|writer| {
            let there = |name: &str| policies.iter().any(|owner| owner.as_str() == name);
            POLICY.note(writer, &there, &within, now)?;
            let there = |name: &str| connectors.iter().any(|connector| connector.as_str() == name);
            CONNECTOR.note(writer, &there, &within, now)?;
            let unnamed = (POLICY.unname(writer, before)?, CONNECTOR.unname(writer, before)?);
            writer.execute("DELETE FROM reader WHERE owner NOT IN (SELECT owner FROM policy)", [])?;
            object::forget(writer, policies)?;
            Ok::<_, StoreError>(unnamed)
        })?;
        for policy in &policies {
            self.forget(&POLICY, *policy)?;
        }
        for connector in &connectors {
            // Whoever found it while it had its name reads it to the end.
            self.pins().wait_for_older(*connector, u64::MAX);
            self.forget(&CONNECTOR, *connector)?;
        }
        Ok(policies.len() + connectors.len())
    }

    fn forget(&self, kind: &OwnedTables, id: i64) -> Result<(), StoreError> {
        while !self.write(|writer| kind.forget_some(writer, id, CHUNK))? {
            thread::sleep(PAUSE);
        }
        Ok(())
    }
}

impl OwnedTables {
    fn note(
        &self,
        writer: &Transaction<'_>,
        there: &dyn Fn(&str) -> bool,
        within: &dyn Fn(&str) -> bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Self { table, name, .. } = self;
        let mut statement = writer.prepare(&format!("SELECT id, {name}, absent_since FROM {table}"))?;
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

    /// Takes their names from those that have been absent since before then: one of the same name
    /// begins anew. Returns the numbers of all that have none. Whoever has a name has a `/` in it.
    fn unname(&self, writer: &Transaction<'_>, before: i64) -> Result<Vec<i64>, StoreError> {
        let Self { table, name, .. } = self;
        writer.execute(
            &format!("UPDATE {table} SET {name} = 'forgotten ' || id WHERE absent_since < ?1"),
            [before],
        )?;
        let mut statement =
            writer.prepare(&format!("SELECT id FROM {table} WHERE {name} = 'forgotten ' || id"))?;
        let unnamed = statement.query_map([], |row| row.get(0))?;
        Ok(unnamed.collect::<Result<_, _>>()?)
    }

    /// Deletes at most so many rows of what has no name any more, and it itself when it has no others.
    /// Returns whether it is gone.
    fn forget_some(&self, writer: &Transaction<'_>, id: i64, most: u32) -> Result<bool, StoreError> {
        let mut left = most;
        for (table, key) in self.tables {
            let deleted = writer.execute(&self.delete(table, key), params![id, left])?;
            left = left.saturating_sub(u32::try_from(deleted).unwrap_or(u32::MAX));
            if left == 0 {
                return Ok(false);
            }
        }
        if self.tables.iter().any(|(table, _)| *table == CLAIM) {
            // No claim is without a link; this goes through all of them, once.
            writer.execute(&format!("DELETE FROM {CLAIM} WHERE policy = ?1"), [id])?;
        }
        writer.execute(&format!("DELETE FROM {} WHERE id = ?1", self.table), [id])?;
        Ok(true)
    }

    /// What deletes at most `?2` rows of `?1`, each by its whole key.
    fn delete(&self, table: &str, key: &str) -> String {
        let whose = self.table;
        let (of, only) = if table == CLAIM { ("link", " AND policy = ?1") } else { (table, "") };
        format!(
            "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {of} WHERE {whose} = ?1 LIMIT ?2){only}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::plan_of;

    /// A table's columns, with their types.
    fn columns(store: &Store, table: &str) -> Vec<(String, String)> {
        let columns = store.read(|reader| {
            let mut statement = reader.prepare("SELECT name, type FROM pragma_table_info(?1)")?;
            let columns = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok::<_, StoreError>(columns.collect::<Result<_, _>>()?)
        });
        columns.unwrap()
    }

    /// Gives it so many rows in each table, and a name.
    fn fill(store: &Store, kind: &OwnedTables, id: i64, rows: i64) {
        let named = format!("INSERT INTO {} (id, {}) VALUES ({id}, 'test/n{id}')", kind.table, kind.name);
        store.write(|writer| Ok::<_, StoreError>(writer.execute(&named, [])?)).unwrap();
        for (table, key) in kind.tables {
            let rows = if *key == kind.table { 1 } else { rows };
            for row in 0..rows {
                let number = id * 1000 + row;
                let value = |(name, of): &(String, String)| match (name == kind.table, of.as_str()) {
                    (true, _) => id.to_string(),
                    (_, "TEXT") => format!("'{number}'"),
                    (_, "BLOB") => format!("CAST('{number}' AS BLOB)"),
                    _ => number.to_string(),
                };
                let values: Vec<String> = columns(store, table).iter().map(value).collect();
                let insert = format!("INSERT INTO {table} VALUES ({})", values.join(", "));
                store.write(|writer| Ok::<_, StoreError>(writer.execute(&insert, [])?)).unwrap();
            }
        }
        store.take_for_written().unwrap();
    }

    /// How many rows of it there are in each table.
    fn left(store: &Store, kind: &OwnedTables, id: i64) -> Vec<i64> {
        let count = |(table, _): &(&str, &str)| {
            let sql = format!("SELECT count(*) FROM {table} WHERE {} = ?1", kind.table);
            store
                .read(|reader| Ok::<i64, StoreError>(reader.query_row(&sql, [id], |row| row.get(0))?))
                .unwrap()
        };
        kind.tables.iter().map(count).collect()
    }

    fn numbers(store: &Store, kind: &OwnedTables) -> Vec<i64> {
        let sql = format!("SELECT id FROM {} ORDER BY id", kind.table);
        let numbers = store.read(|reader| {
            let mut statement = reader.prepare(&sql)?;
            let numbers = statement.query_map([], |row| row.get(0))?;
            Ok::<_, StoreError>(numbers.collect::<Result<_, _>>()?)
        });
        numbers.unwrap()
    }

    fn at(days: i64) -> Timestamp {
        Timestamp::from_second(days * 24 * 3600).unwrap()
    }

    const KEEPS: Duration = Duration::from_hours(30 * 24);

    /// Forgets all but what has the number 1.
    fn forget_others(store: &Store, days: i64) -> usize {
        let policies = BTreeSet::from([Owner::new("test", "n1")]);
        let connectors = BTreeSet::from([ConnectorName::new("test", "n1")]);
        store.forget_absent(&policies, &connectors, |_| true, at(days), KEEPS).unwrap()
    }

    #[test]
    fn what_was_forgotten_in_part_is_found_by_nobody_and_forgotten_wholly_later() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        for kind in [&POLICY, &CONNECTOR] {
            for id in [1, 2, 3] {
                fill(&store, kind, id, 7);
            }
        }
        let whole = [&POLICY, &CONNECTOR].map(|kind| left(&store, kind, 1));
        assert_eq!(forget_others(&store, 0), 0, "they were there until now");
        // A process that dies after some rows of the second.
        store
            .write(|writer| {
                for kind in [&POLICY, &CONNECTOR] {
                    assert_eq!(kind.unname(writer, at(1).as_second())?, [2, 3]);
                    for _ in 0..3 {
                        let before = writer.total_changes();
                        assert!(!kind.forget_some(writer, 2, 4)?);
                        assert!((1..=4).contains(&(writer.total_changes() - before)));
                    }
                }
                Ok::<_, StoreError>(())
            })
            .unwrap();
        let owner = Owner::new("test", "n2");
        assert_eq!(store.owners().unwrap(), [Owner::new("test", "n1")]);
        assert!(store.read_registry(&owner, |_| Ok(())).unwrap().is_none());
        assert!(store.snapshot(&ConnectorName::new("test", "n2")).unwrap().is_none());
        // Whoever comes by that name meanwhile begins anew, and stays.
        store.place(&owner, "another").unwrap();
        drop(store.begin_import(&ConnectorName::new("test", "n2")).unwrap());
        for (kind, whole) in [&POLICY, &CONNECTOR].into_iter().zip(&whole) {
            assert_eq!(numbers(&store, kind), [1, 2, 3, 4], "{}", kind.table);
            assert_ne!(left(&store, kind, 2), *whole, "{}", kind.table);
        }
        // Not even a clock that went back brings anything back.
        assert_eq!(forget_others(&store, -100), 4);
        for (kind, whole) in [&POLICY, &CONNECTOR].into_iter().zip(&whole) {
            assert_eq!(numbers(&store, kind), [1, 4], "{}", kind.table);
            assert_eq!(left(&store, kind, 1), *whole, "{}", kind.table);
            for id in [2, 3] {
                assert!(left(&store, kind, id).iter().all(|rows| *rows == 0), "{} {id}", kind.table);
            }
        }
    }

    #[test]
    fn no_number_is_given_twice() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let one = |days: i64| {
            let policy = store.place(&Owner::new("test", "n2"), "registry").unwrap().policy;
            drop(store.begin_import(&ConnectorName::new("test", "n2")).unwrap());
            let connector = *numbers(&store, &CONNECTOR).last().unwrap();
            forget_others(&store, days);
            assert_eq!(forget_others(&store, days + 31), 2);
            (policy, connector)
        };
        let given: Vec<_> = [0, 100, 200].map(one).into();
        assert_eq!(given, [(1, 1), (2, 2), (3, 3)]);
        // Not even to a policy that an older version of this program writes.
        store
            .write(|writer| {
                Ok::<_, StoreError>(writer.execute("INSERT INTO policy (id, owner) VALUES (9, 'a/b')", [])?)
            })
            .unwrap();
        assert_eq!(store.place(&Owner::new("test", "n3"), "registry").unwrap().policy, 10);
    }

    #[test]
    fn whoever_is_used_is_not_forgotten_by_an_older_list() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (owner, connector) = (Owner::new("test", "n2"), ConnectorName::new("test", "n2"));
        let policy = store.place(&owner, "registry").unwrap().policy;
        drop(store.begin_import(&connector).unwrap());
        forget_others(&store, 0);
        // They are made again after 40 days, and run at once; the list of what is there is from before.
        assert_eq!(store.place(&owner, "registry").unwrap().policy, policy);
        drop(store.begin_import(&connector).unwrap());
        assert_eq!(forget_others(&store, 40), 0);
        assert_eq!((numbers(&store, &POLICY), numbers(&store, &CONNECTOR)), (vec![policy], vec![1]));
        assert_eq!(forget_others(&store, 71), 2);
    }

    #[test]
    fn more_than_goes_at_once_is_forgotten_and_who_came_back_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        fill(&store, &CONNECTOR, 2, 3);
        let many = format!(
            "WITH RECURSIVE n (n) AS (SELECT 10000 UNION ALL SELECT n + 1 FROM n LIMIT {})
             INSERT INTO entry SELECT 2, n, 'anchor' FROM n",
            2 * CHUNK + 1
        );
        store.write(|writer| Ok::<_, StoreError>(writer.execute(&many, [])?)).unwrap();
        store.take_for_written().unwrap();
        forget_others(&store, 0);
        store
            .forget_absent(
                &BTreeSet::new(),
                &BTreeSet::from([ConnectorName::new("test", "n2")]),
                |_| true,
                at(29),
                KEEPS,
            )
            .unwrap();
        for (days, forgotten) in [(31, 0), (61, 0), (62, 1), (63, 0)] {
            assert_eq!(forget_others(&store, days), forgotten, "day {days}");
        }
        assert_eq!(numbers(&store, &CONNECTOR), [0; 0]);
        assert!(left(&store, &CONNECTOR, 2).iter().all(|rows| *rows == 0));
    }

    #[test]
    fn whoever_reads_what_is_to_be_forgotten_reads_it_to_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let connector = ConnectorName::new("test", "n2");
        store
            .write(|writer| {
                let info = r#"{"connector": "test/n2", "directory": "dc=test", "sequence": 0, "completion": 1,
                    "completed_at": "2026-01-01T00:00:00Z", "mode": "Full", "fields": [], "attributes": [],
                    "scope": "", "notices": [], "vendor": null, "strangers": [], "stranger_count": 0,
                    "users": 0, "groups": 0, "contacts": 0}"#;
                writer.execute("INSERT INTO connector (id, name, info) VALUES (2, 'test/n2', ?1)", [info])?;
                writer.execute("INSERT INTO entry VALUES (2, 1, 'ann')", [])?;
                Ok::<_, StoreError>(())
            })
            .unwrap();
        store.take_for_written().unwrap();
        forget_others(&store, 0);
        let snapshot = store.snapshot(&connector).unwrap().unwrap();
        thread::scope(|scope| {
            let forgetting = scope.spawn(|| forget_others(&store, 31));
            while store.snapshot_info(&connector).unwrap().is_some() {
                thread::sleep(PAUSE);
            }
            assert!(store.snapshot(&connector).unwrap().is_none(), "nobody else finds it");
            thread::sleep(50 * PAUSE);
            assert_eq!(left(&store, &CONNECTOR, 2).into_iter().sum::<i64>(), 1);
            drop(snapshot);
            assert_eq!(forgetting.join().unwrap(), 1);
        });
        assert_eq!(left(&store, &CONNECTOR, 2).into_iter().sum::<i64>(), 0);
    }

    #[test]
    fn each_row_is_found_by_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        for kind in [&POLICY, &CONNECTOR] {
            for (table, key) in kind.tables {
                let plan = plan_of(&store, &kind.delete(table, key));
                let columns: Vec<_> = key.split(", ").map(|column| format!("{column}=?")).collect();
                let by = if columns.len() == 1 {
                    format!("SEARCH {table} USING INTEGER PRIMARY KEY (rowid=?)")
                } else {
                    format!("SEARCH {table} USING PRIMARY KEY ({})", columns.join(" AND "))
                };
                assert_eq!(plan.first(), Some(&by), "{plan:?}");
                // Of intents there are never many.
                assert!(*table == "intent" || !plan.iter().any(|step| step.starts_with("SCAN")), "{plan:?}");
            }
        }
    }

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
        for kind in [&POLICY, &CONNECTOR] {
            let all: BTreeSet<String> = kind.tables.iter().map(|(table, _)| (*table).to_owned()).collect();
            assert_eq!(tables_of(kind.table), all);
        }
    }
}
