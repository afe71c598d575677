//! Whether what is stored is what was written. Each part is looked at when it is needed, and again when that was long
//! ago: whatever is planned and served is of rows that match.

#[cfg(debug_assertions)]
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rusqlite::{OptionalExtension as _, Transaction};

use super::digest::{self, CONNECTOR, POLICY, REGISTRY, SCHEMA, STORE, Sum, TARGET, Table};
use super::error::StoreError;
use super::findings::{All, Finding};
#[cfg(debug_assertions)]
use super::handle::Inner;
use super::handle::Store;
use super::link::Place;
use super::lock::lock;
use super::schema::DIGEST;
use crate::directory::{ConnectorName, Owner};

/// How often everything is checked …
pub const EVERY: Duration = Duration::from_hours(1);
/// … and how long what was found counts.
const COUNTS: Duration = Duration::from_mins(75);

/// Whose rows.
type Of = (&'static [Table], i64);

impl Store {
    /// Refuses the data of a run if they are damaged.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn vouch_for_run(&self, place: Place, connectors: &[ConnectorName]) -> Result<(), StoreError> {
        let mut parts = vec![(POLICY, place.policy), (REGISTRY, place.policy), (TARGET, place.target)];
        for connector in connectors {
            parts.extend(self.connector(connector)?.map(|id| (CONNECTOR, id)));
        }
        self.vouch(&parts)
    }

    /// Refuses what an import goes by, if it is known not to be what was written. A run looks before it goes by what the
    /// import made of it, and what did not match never matches again: so no import has to wait until all of it was looked at.
    pub(super) fn refuse_damaged(&self, connector: &ConnectorName) -> Result<(), StoreError> {
        let part = self.connector(connector)?;
        let findings = &lock(&self.inner.findings.all).each;
        let schema = [(SCHEMA.name, 0)].into_iter();
        let store = STORE.iter().map(|table| (table.name, 0));
        let own = part.into_iter().flat_map(|part| CONNECTOR.iter().map(move |table| (table.name, part)));
        let damage = schema.chain(store).chain(own).find_map(|key| findings.get(&key)?.damage.clone());
        damage.map_or(Ok(()), |damage| Err(StoreError::Damaged(damage)))
    }

    /// Refuses the data of a policy's registry if they are damaged.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn vouch_for_registry(&self, owner: &Owner) -> Result<(), StoreError> {
        let found = self.number_of("SELECT id FROM policy WHERE owner = ?1", owner.as_str())?;
        let parts: Vec<Of> = found.map(|id| (REGISTRY, id)).into_iter().collect();
        self.vouch(&parts)
    }

    /// Checks everything; returns what is damaged.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn examine(&self) -> Result<Vec<String>, StoreError> {
        let began = Instant::now();
        let mut damaged = Vec::new();
        let note = |damaged: &mut Vec<_>, name: &'static str, part: i64, found: Option<String>| {
            damaged.extend(found.map(|damage| ((name, part), damage)));
        };
        {
            let _looking = lock(&self.inner.findings.looking);
            let found = self.read(|reader| if is_kept(reader)? { structure(reader) } else { Ok(None) })?;
            self.find(SCHEMA.name, 0, found.clone());
            note(&mut damaged, SCHEMA.name, 0, found);
        }
        for table in digest::tables() {
            let _looking = lock(&self.inner.findings.looking);
            self.read(|reader| {
                if !is_kept(reader)? {
                    return Ok(());
                }
                let mut noted = digest::all_noted(reader, table.name)?;
                for (part, sum) in table.sums(reader, None)? {
                    let should = noted.remove(&part).unwrap_or_default();
                    note(&mut damaged, table.name, part, differs(table, should, sum));
                }
                for (part, should) in noted {
                    note(&mut damaged, table.name, part, differs(table, should, Sum::default()));
                }
                Ok::<_, StoreError>(())
            })?;
        }
        let said = damaged.iter().map(|(_, damage)| damage.clone()).collect();
        // What is sound need not be remembered one by one.
        let found = damaged.into_iter().map(|(of, damage)| (of, Finding { at: began, damage: Some(damage) }));
        *lock(&self.inner.findings.all) = All { whole: Some(began), each: found.collect() };
        Ok(said)
    }

    /// Accepts the present contents of the store as written: for tests that change it directly.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn take_for_written(&self) -> Result<(), StoreError> {
        self.write(digest::begin)?;
        *lock(&self.inner.findings.all) = All::default();
        Ok(())
    }

    /// Refuses what everything goes by, if it is not what was written.
    pub(super) fn vouch_for_store(&self) -> Result<(), StoreError> {
        self.vouch(&[])
    }

    fn connector(&self, connector: &ConnectorName) -> Result<Option<i64>, StoreError> {
        self.number_of("SELECT id FROM connector WHERE name = ?1", connector.as_str())
    }

    fn number_of(&self, sql: &str, name: &str) -> Result<Option<i64>, StoreError> {
        self.read(|reader| Ok(reader.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?))
    }

    fn vouch(&self, parts: &[Of]) -> Result<(), StoreError> {
        let mut damage = self.look(SCHEMA.name, 0, structure)?;
        for (tables, part) in [(STORE, 0)].iter().chain(parts) {
            for table in *tables {
                if damage.is_none() {
                    damage = self.look(table.name, *part, |reader| {
                        let found = table.sums(reader, Some(*part))?.remove(part).unwrap_or_default();
                        Ok(differs(table, digest::noted(reader, table.name, *part)?, found))
                    })?;
                }
            }
        }
        damage.map_or(Ok(()), |damage| Err(StoreError::Damaged(damage)))
    }

    /// What is damaged, as it was found not long ago, or is found now.
    fn look(
        &self,
        name: &'static str,
        part: i64,
        look: impl FnOnce(&Transaction<'_>) -> Result<Option<String>, StoreError>,
    ) -> Result<Option<String>, StoreError> {
        if let Some(found) = self.found(name, part) {
            return Ok(found.damage);
        }
        let _looking = lock(&self.inner.findings.looking);
        if let Some(found) = self.found(name, part) {
            return Ok(found.damage);
        }
        let damage = self.read(|reader| if is_kept(reader)? { look(reader) } else { Ok(None) })?;
        self.find(name, part, damage.clone());
        Ok(damage)
    }

    /// What was found of it not long ago.
    fn found(&self, name: &'static str, part: i64) -> Option<Finding> {
        let all = lock(&self.inner.findings.all);
        let sound = all.whole.map(|at| Finding { at, damage: None });
        let found = [all.each.get(&(name, part)).cloned(), sound];
        found.into_iter().flatten().find(|found| found.at.elapsed() < COUNTS)
    }

    fn find(&self, name: &'static str, part: i64, damage: Option<String>) {
        let finding = Finding { at: Instant::now(), damage };
        lock(&self.inner.findings.all).each.insert((name, part), finding);
    }
}

/// Whether it is known what should be there: a store of an older version that is only read has no sums.
fn is_kept(reader: &Transaction<'_>) -> Result<bool, StoreError> {
    let version: u32 = reader.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'digest'";
    let sums: i64 = reader.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    match (version >= DIGEST, sums > 0) {
        (true, true) => Ok(true),
        (false, false) => Ok(false),
        _ => Err(StoreError::Damaged(format!("its schema is not that of its version {version}"))),
    }
}

fn structure(reader: &Transaction<'_>) -> Result<Option<String>, StoreError> {
    let found: String = reader.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        // Above it stands which database that is.
        return Ok(found.lines().last().map(str::to_owned));
    }
    let schema = SCHEMA.sums(reader, None)?.remove(&0).unwrap_or_default();
    Ok(differs(&SCHEMA, digest::noted(reader, SCHEMA.name, 0)?, schema))
}

fn differs(table: &Table, should: Sum, found: Sum) -> Option<String> {
    let name = table.name;
    if should.rows != found.rows {
        return Some(format!("the table {name} has {} rows and should have {}", found.rows, should.rows));
    }
    (should.sum != found.sum).then(|| format!("rows of the table {name} are not what was written"))
}

/// Where debug assertions are on, whoever closes a store that they wrote shows that they kept the sums.
#[cfg(debug_assertions)]
impl Drop for Inner {
    fn drop(&mut self) {
        let damaged = lock(&self.findings.all).each.values().any(|found| found.damage.is_some());
        let Some(writer) = self.writer.as_ref().filter(|_| !damaged && !std::thread::panicking()) else {
            return;
        };
        let writer = &mut lock(writer).connection;
        let Ok(reader) = writer.transaction() else { return };
        for table in digest::tables() {
            let sums = |sums: Result<BTreeMap<i64, Sum>, StoreError>| {
                sums.ok().map(|sums| {
                    sums.into_iter().filter(|(_, sum)| *sum != Sum::default()).collect::<Vec<_>>()
                })
            };
            let noted = sums(digest::all_noted(&reader, table.name));
            let found = sums(table.sums(&reader, None));
            debug_assert!(
                noted.is_none() || found.is_none() || noted == found,
                "{}: {noted:?} {found:?}",
                table.name
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::Connection;
    use uuid::Uuid;

    use super::*;
    use crate::directory::{Content, UserContent};
    use crate::store::FILE;
    use crate::store::registry::ChangeResult;

    fn user(name: &str) -> Content {
        Content::User(UserContent { user_name: name.to_owned(), ..UserContent::default() })
    }

    fn id(of: u8) -> Uuid {
        Uuid::from_bytes([of; 16])
    }

    /// A store of two registries, each of three users.
    fn two(folder: &Path) -> [Owner; 2] {
        let store = Store::open(folder).unwrap();
        let owners = ["staff", "guests"].map(|name| Owner::new("test", name));
        for owner in &owners {
            let fill = |part: &super::super::registry::PolicyRegistry<'_>| {
                for number in 1..4 {
                    assert_eq!(part.create(id(number), &user(&format!("user{number}")))?, ChangeResult::Made);
                }
                // What is refused leaves no trace.
                assert_eq!(part.create(id(9), &user("user1"))?, ChangeResult::NameTaken);
                assert_eq!(part.update(id(2), &user("user1"))?, ChangeResult::NameTaken);
                Ok(())
            };
            store.change_registry(owner, fill).unwrap();
        }
        owners
    }

    fn by_hand(folder: &Path, sql: &str) {
        Connection::open(folder.join(FILE)).unwrap().execute_batch(sql).unwrap();
    }

    fn count(store: &Store, owner: &Owner) -> Result<u64, StoreError> {
        let users = crate::directory::SubjectKind::User;
        Ok(store.read_registry(owner, |part| part.count(users))?.unwrap_or_default())
    }

    #[test]
    fn what_changed_by_itself_is_refused_and_the_rest_is_not() {
        for damage in [
            "UPDATE registry SET active = 0 WHERE policy = 1 AND number = 2",
            "UPDATE registry SET content = replace(content, 'user3', 'user4') WHERE policy = 1",
            "DELETE FROM registry WHERE policy = 1 AND number = 2",
            "UPDATE digest SET sum = sum + 1 WHERE name = 'registry' AND part = 1",
            "DELETE FROM digest WHERE name = 'registry' AND part = 1",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let [damaged, sound] = two(folder.path());
            by_hand(folder.path(), damage);
            let store = Store::open(folder.path()).unwrap();
            let why = count(&store, &damaged).unwrap_err().to_string();
            assert!(
                why.contains("the store is damaged") && why.contains("restore a backup"),
                "{damage}: {why}"
            );
            assert_eq!(count(&store, &sound).unwrap(), 3, "{damage}");
            assert_eq!(store.examine().unwrap().len(), 1, "{damage}");
        }
    }

    #[test]
    fn what_all_need_is_of_all() {
        for damage in [
            "UPDATE policy SET owner = 'test/stafg' WHERE id = 1",
            "UPDATE store SET id = '0'",
            "DELETE FROM target",
            "DROP INDEX registry_name",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let owners = two(folder.path());
            Store::open(folder.path()).unwrap().place(&owners[0], "registry").unwrap();
            by_hand(folder.path(), damage);
            let store = Store::open(folder.path()).unwrap();
            for owner in &owners {
                assert!(matches!(count(&store, owner), Err(StoreError::Damaged(_))), "{damage}");
            }
            drop(store);
            assert!(matches!(Store::open_read_only(folder.path()), Err(StoreError::Damaged(_))), "{damage}");
        }
    }

    #[test]
    fn what_once_did_not_match_never_matches_again() {
        let folder = tempfile::tempdir().unwrap();
        let [damaged, _] = two(folder.path());
        by_hand(folder.path(), "UPDATE registry SET active = 0 WHERE policy = 1 AND number = 2");
        let store = Store::open(folder.path()).unwrap();
        let mend = |part: &super::super::registry::PolicyRegistry<'_>| {
            part.set_active(id(2), true)?;
            part.delete(id(2))
        };
        store.change_registry(&damaged, mend).unwrap();
        assert!(count(&store, &damaged).is_err());
        store.take_for_written().unwrap();
        assert_eq!(count(&store, &damaged).unwrap(), 2);
    }

    #[test]
    fn every_table_and_column_counts() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let left_out = store.read(|reader| {
            let mut all = reader.prepare(
                "SELECT tables.name || '.' || columns.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
                 WHERE tables.type = 'table' ORDER BY 1",
            )?;
            let all = all.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
            let counts = |column: &String| digest::tables().any(|table| table.has(column));
            Ok::<_, StoreError>(all.into_iter().filter(|column| !counts(column)).collect::<Vec<_>>())
        });
        let own = ["digest.name", "digest.part", "digest.rows", "digest.sum"];
        assert_eq!(left_out.unwrap(), [&own[..], &["intent.id", "journal.id"]].concat());
    }
}
