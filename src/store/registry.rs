//! The objects of the registry, as rows.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use roaring::RoaringBitmap;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use uuid::Uuid;

use super::link::{kind, number};
use super::{Store, StoreError, bitmap, digest, numbers};
use crate::directory::{Content, Owner, SubjectKind};

/// An object in the registry.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its number within the policy's part.
    pub number: u32,
    /// What it is.
    pub kind: SubjectKind,
    /// Its id, which is our key.
    pub id: Uuid,
    /// Whether it is active.
    pub active: bool,
    /// What it is like.
    pub content: Content,
    /// The numbers of its members.
    pub members: RoaringBitmap,
}

/// The registry of one policy, within one transaction.
pub struct PolicyRegistry<'t> {
    transaction: &'t Transaction<'t>,
    policy: i64,
    changes: &'t AtomicU64,
    /// The number that the next object gets, once one was asked for.
    next: Cell<Option<u32>>,
    /// Of objects that this transaction deleted, and that are still in the groups that they were in:
    /// those are gone through once, at its end.
    gone: RefCell<RoaringBitmap>,
}

/// Whether a change was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeResult {
    /// It was.
    Made,
    /// There is no such object.
    Missing,
    /// Another object has the name.
    NameTaken,
}

impl Store {
    /// Changes the policy's part of the registry, in one transaction.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn change_registry<T>(
        &self,
        owner: &Owner,
        work: impl FnOnce(&PolicyRegistry<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write(|writer| {
            let policy = numbers::of_policy(writer, owner.as_str())?;
            let part = PolicyRegistry::new(writer, policy, &self.inner.registry_changes);
            let value = work(&part)?;
            part.take_out_gone()?;
            Ok(value)
        })
    }

    /// Reads the policy's part of the registry as of one moment; `None` if it never ran, or is at another target. What is
    /// not what was written is not read.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn read_registry<T>(
        &self,
        owner: &Owner,
        work: impl FnOnce(&PolicyRegistry<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.vouch_for_registry(owner)?;
        self.read(|reader| {
            // What the name stands for is where the policy is now. A store that no version with places wrote has registries alone.
            let sql = if digest::has_table(reader, "place")? {
                "SELECT policy.id FROM policy LEFT JOIN place ON place.policy = policy.id
                 LEFT JOIN target ON target.id = place.target
                 WHERE owner = ?1 AND coalesce(identity = ?2, 1)"
            } else {
                "SELECT id FROM policy WHERE owner = ?1 AND ?2 != ''"
            };
            let policy = reader
                .prepare_cached(sql)?
                .query_row([owner.as_str(), &identity_of(owner)], |row| row.get(0))
                .optional()?;
            let changes = &self.inner.registry_changes;
            policy.map(|policy| work(&PolicyRegistry::new(reader, policy, changes))).transpose()
        })
    }
}

/// What the policy's part of the registry is called, as a target.
pub fn identity_of(owner: &Owner) -> String {
    format!("registry:{owner}")
}

const COLUMNS: &str = "number, kind, id, active, content, members";
/// By that index, as the primary key would go through all users too.
const WITH_MEMBERS: &str = "SELECT id, members FROM registry INDEXED BY registry_name
     WHERE policy = ?1 AND kind = ?2 AND members IS NOT NULL";

impl<'t> PolicyRegistry<'t> {
    fn new(transaction: &'t Transaction<'t>, policy: i64, changes: &'t AtomicU64) -> Self {
        Self { transaction, policy, changes, next: Cell::new(None), gone: RefCell::default() }
    }

    /// Whether a complete run of the policy ever ended here: until then what there is is only a part.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn is_complete(&self) -> Result<bool, StoreError> {
        let sql = "SELECT first_complete_at IS NOT NULL FROM policy WHERE id = ?1";
        Ok(self.transaction.prepare_cached(sql)?.query_row([self.policy], |row| row.get(0))?)
    }

    /// The object of this id.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn by_id(&self, id: Uuid) -> Result<Option<Object>, StoreError> {
        self.one(&format!("SELECT {COLUMNS} FROM registry WHERE policy = ?1 AND id = ?2"), id.as_bytes())
    }

    /// The object of this kind and name.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn by_name(&self, kind: SubjectKind, name: &str) -> Result<Option<Object>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM registry WHERE policy = ?1 AND kind = {} AND name_key = ?2",
            number(kind)
        );
        self.one(&sql, name.to_lowercase())
    }

    /// Every object of this kind, in order of names.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn for_each(
        &self,
        kind: SubjectKind,
        mut each: impl FnMut(Object) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM registry WHERE policy = ?1 AND kind = ?2 ORDER BY name_key");
        let mut statement = self.transaction.prepare_cached(&sql)?;
        let mut rows = statement.query(params![self.policy, number(kind)])?;
        while let Some(row) = rows.next()? {
            each(self.object(row)?)?;
        }
        Ok(())
    }

    /// The object of this number.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn by_number(&self, number: u32) -> Result<Option<Object>, StoreError> {
        self.one(&format!("SELECT {COLUMNS} FROM registry WHERE policy = ?1 AND number = ?2"), number)
    }

    /// How many objects of this kind there are.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn count(&self, kind: SubjectKind) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM registry WHERE policy = ?1 AND kind = ?2";
        let mut statement = self.transaction.prepare_cached(sql)?;
        Ok(statement
            .query_row(params![self.policy, number(kind)], |row| row.get::<_, i64>(0))?
            .cast_unsigned())
    }

    /// At most `count` objects of this kind, in order of names, without the first `skip`; those are
    /// counted off in an index, not read.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn page(&self, kind: SubjectKind, skip: u64, count: u64) -> Result<Vec<Object>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM registry WHERE policy = ?1 AND number IN (
                 SELECT number FROM registry INDEXED BY registry_name WHERE policy = ?1 AND kind = ?2
                 ORDER BY name_key LIMIT ?4 OFFSET ?3)
             ORDER BY name_key"
        );
        let mut statement = self.transaction.prepare_cached(&sql)?;
        let mut rows = statement.query(params![
            self.policy,
            number(kind),
            i64::try_from(skip).unwrap_or(i64::MAX),
            i64::try_from(count).unwrap_or(i64::MAX)
        ])?;
        let mut objects = Vec::new();
        while let Some(row) = rows.next()? {
            objects.push(self.object(row)?);
        }
        Ok(objects)
    }

    /// Grows whenever an object may have been made or deleted, in whatever part: as long as it is the
    /// same, so are [`PolicyRegistry::numbers`].
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// The number of each object.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn numbers(&self) -> Result<HashMap<Uuid, u32>, StoreError> {
        let mut statement =
            self.transaction.prepare_cached("SELECT id, number FROM registry WHERE policy = ?1")?;
        let rows =
            statement.query_map([self.policy], |row| Ok((Uuid::from_bytes(row.get(0)?), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Creates an object, active and without members.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn create(&self, id: Uuid, content: &Content) -> Result<ChangeResult, StoreError> {
        self.changes.fetch_add(1, Ordering::SeqCst);
        let kind = match content {
            Content::User(_) => SubjectKind::User,
            Content::Group(_) => SubjectKind::Group,
        };
        let next = self.next_number()?;
        let made = self
            .transaction
            .prepare_cached(
                "INSERT INTO registry (policy, number, kind, id, name_key, active, content)
                 VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6)",
            )?
            .execute(params![
                self.policy,
                next,
                number(kind),
                id.as_bytes(),
                content.name_key(),
                serde_json::to_string(content)?
            ]);
        let made = change(made)?;
        // A number that was not taken is free still.
        self.next.set(if made == ChangeResult::Made { next.checked_add(1) } else { Some(next) });
        Ok(made)
    }

    /// Asked of the table once a transaction: asked within each insert, it made SQLite prepare that
    /// anew every time.
    fn next_number(&self) -> Result<u32, StoreError> {
        if let Some(next) = self.next.get() {
            return Ok(next);
        }
        let last: u32 = self
            .transaction
            .prepare_cached("SELECT coalesce(max(number), 0) FROM registry WHERE policy = ?1")?
            .query_row([self.policy], |row| row.get(0))?;
        // Whoever got the number of one who is gone would be in that one's groups.
        let last = self.gone.borrow().max().map_or(last, |gone| last.max(gone));
        last.checked_add(1).ok_or_else(|| StoreError::Exhausted("registry objects".to_owned()))
    }

    /// Changes an object's content.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn update(&self, id: Uuid, content: &Content) -> Result<ChangeResult, StoreError> {
        let made = self
            .transaction
            .prepare_cached("UPDATE registry SET name_key = ?3, content = ?4 WHERE policy = ?1 AND id = ?2")?
            .execute(params![
                self.policy,
                id.as_bytes(),
                content.name_key(),
                serde_json::to_string(content)?
            ]);
        change(made)
    }

    /// Enables or disables a user.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn set_active(&self, id: Uuid, active: bool) -> Result<ChangeResult, StoreError> {
        let made = self
            .transaction
            .prepare_cached("UPDATE registry SET active = ?3 WHERE policy = ?1 AND id = ?2")?
            .execute(params![self.policy, id.as_bytes(), active]);
        change(made)
    }

    /// Sets a group's members.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn set_members(&self, id: Uuid, members: &RoaringBitmap) -> Result<ChangeResult, StoreError> {
        let members = if members.is_empty() { None } else { Some(bitmap::write(members)?) };
        let made = self
            .transaction
            .prepare_cached("UPDATE registry SET members = ?3 WHERE policy = ?1 AND id = ?2")?
            .execute(params![self.policy, id.as_bytes(), members]);
        change(made)
    }

    /// Deletes an object, and removes it from every group.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn delete(&self, id: Uuid) -> Result<ChangeResult, StoreError> {
        let gone: Option<u32> = self
            .transaction
            .prepare_cached("DELETE FROM registry WHERE policy = ?1 AND id = ?2 RETURNING number")?
            .query_row(params![self.policy, id.as_bytes()], |row| row.get(0))
            .optional()?;
        let Some(gone) = gone else { return Ok(ChangeResult::Missing) };
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.gone.borrow_mut().insert(gone);
        Ok(ChangeResult::Made)
    }

    /// Takes whoever is gone out of every group.
    fn take_out_gone(&self) -> Result<(), StoreError> {
        let gone = self.gone.take();
        if gone.is_empty() {
            return Ok(());
        }
        let mut containing = Vec::new();
        let mut statement = self.transaction.prepare_cached(WITH_MEMBERS)?;
        let mut rows = statement.query(params![self.policy, number(SubjectKind::Group)])?;
        while let Some(row) = rows.next()? {
            let members = bitmap::read(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)?;
            if !members.is_disjoint(&gone) {
                containing.push((Uuid::from_bytes(row.get(0)?), members - &gone));
            }
        }
        for (group, members) in containing {
            self.set_members(group, &members)?;
        }
        Ok(())
    }

    fn one(&self, sql: &str, argument: impl rusqlite::ToSql) -> Result<Option<Object>, StoreError> {
        let mut statement = self.transaction.prepare_cached(sql)?;
        let mut rows = statement.query(params![self.policy, argument])?;
        rows.next()?.map(|row| self.object(row)).transpose()
    }

    fn object(&self, row: &Row<'_>) -> Result<Object, StoreError> {
        let members = row.get_ref(5)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
        let members = members.map_or_else(|| Ok(RoaringBitmap::new()), bitmap::read)?;
        Ok(Object {
            number: row.get(0)?,
            kind: kind(row.get(1)?),
            id: Uuid::from_bytes(row.get(2)?),
            active: row.get(3)?,
            content: serde_json::from_str(row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?)?,
            members: members - &*self.gone.borrow(),
        })
    }
}

fn change(made: Result<usize, rusqlite::Error>) -> Result<ChangeResult, StoreError> {
    match made {
        Ok(0) => Ok(ChangeResult::Missing),
        Ok(_) => Ok(ChangeResult::Made),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => {
            Ok(ChangeResult::NameTaken)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{GroupContent, UserContent};
    use crate::store::tests::plan_of;

    fn id(of: u8) -> Uuid {
        Uuid::from_bytes([of; 16])
    }

    fn user(name: u8) -> Content {
        Content::User(UserContent { user_name: name.to_string(), ..UserContent::default() })
    }

    fn group(name: u8) -> Content {
        Content::Group(GroupContent { display_name: name.to_string(), ..GroupContent::default() })
    }

    /// Users 1 to 4, and the groups 10 of 1, 2 and 4 and 11 of 3.
    fn company(store: &Store, owner: &Owner) {
        store
            .change_registry(owner, |part| {
                for group_id in [10, 11] {
                    part.create(id(group_id), &group(group_id))?;
                }
                for user_id in 1..=4 {
                    part.create(id(user_id), &user(user_id))?;
                }
                let numbers = part.numbers()?;
                let of = |ids: &[u8]| ids.iter().map(|of| numbers[&id(*of)]).collect::<RoaringBitmap>();
                part.set_members(id(10), &of(&[1, 2, 4]))?;
                part.set_members(id(11), &of(&[3]))?;
                Ok(())
            })
            .unwrap();
    }

    fn members(part: &PolicyRegistry<'_>, group: u8) -> Vec<u8> {
        let members = part.by_id(id(group)).unwrap().unwrap().members;
        members
            .iter()
            .filter_map(|one| part.by_number(one).unwrap())
            .map(|one| one.id.as_bytes()[0])
            .collect()
    }

    #[test]
    fn whoever_is_deleted_is_in_no_group_and_each_group_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let owner = Owner::new("test", "staff");
        company(&store, &owner);
        let written = || store.write(|writer| Ok::<_, StoreError>(writer.total_changes())).unwrap();
        let before = written();
        store
            .change_registry(&owner, |part| {
                for gone in [1, 4] {
                    assert_eq!(part.delete(id(gone))?, ChangeResult::Made);
                    assert_eq!(part.delete(id(gone))?, ChangeResult::Missing);
                }
                assert_eq!(
                    part.by_id(id(10))?.unwrap().members.len(),
                    1,
                    "not in one that is read meanwhile either"
                );
                Ok(())
            })
            .unwrap();
        assert_eq!(
            written() - before,
            4,
            "two users and the group that they were in, and the sum of the table"
        );
        let read = |part: &PolicyRegistry<'_>| {
            let numbers = part.by_id(id(10)).unwrap().unwrap().members;
            Ok((members(part, 10), members(part, 11), numbers))
        };
        let (first, second, numbers) = store.read_registry(&owner, read).unwrap().unwrap();
        assert_eq!((first, second, numbers.len()), (vec![2], vec![3], 1));
        // A group of nobody is as one that never had members.
        store.change_registry(&owner, |part| part.delete(id(2))).unwrap();
        let left: u32 = store
            .read(|reader| {
                let sql = "SELECT count(*) FROM registry WHERE members IS NOT NULL";
                Ok::<_, StoreError>(reader.query_row(sql, [], |row| row.get(0))?)
            })
            .unwrap();
        assert_eq!(left, 1);
    }

    #[test]
    fn whoever_comes_with_those_who_go_is_in_none_of_their_groups() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let owner = Owner::new("test", "staff");
        company(&store, &owner);
        store
            .change_registry(&owner, |part| {
                part.delete(id(4))?;
                part.create(id(5), &user(5))?;
                let new = part.by_id(id(5))?.unwrap().number;
                part.set_members(
                    id(11),
                    &(part.by_id(id(11))?.unwrap().members | RoaringBitmap::from([new])),
                )?;
                Ok(())
            })
            .unwrap();
        let read = |part: &PolicyRegistry<'_>| Ok((members(part, 10), members(part, 11)));
        assert_eq!(store.read_registry(&owner, read).unwrap(), Some((vec![1, 2], vec![3, 5])));
    }

    #[test]
    fn groups_are_found_without_going_through_users() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(
            plan_of(&store, WITH_MEMBERS),
            ["SEARCH registry USING INDEX registry_name (policy=? AND kind=?)"]
        );
    }
}
