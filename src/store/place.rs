//! The place of a policy's data: what is known of a policy at one target. Whoever moves to another target begins anew
//! there, and what was known at the old one is kept for as long as that of a policy that is gone.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{Store, StoreError, numbers};
use crate::directory::Owner;

/// The numbers of a policy and a target in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub(super) policy: i64,
    pub(super) target: i64,
}

/// What of a policy is of one spec, one window or one approval: none of it survives a move.
const OF_A_TIME: [&str; 6] = ["hold", "approval", "approver", "used", "census", "exception"];

impl Store {
    /// The place of `owner`'s data at the target of this identity: where it is, where it was, or where it would be.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn place(&self, owner: &Owner, identity: &str) -> Result<Place, StoreError> {
        self.write(|writer| {
            writer
                .prepare_cached("INSERT OR IGNORE INTO target (identity) VALUES (?1)")?
                .execute([identity])?;
            let target = writer
                .prepare_cached("SELECT id FROM target WHERE identity = ?1")?
                .query_row([identity], |row| row.get(0))?;
            let here = numbers::of_policy(writer, owner.as_str())?;
            let policy = match target_of(writer, here)? {
                Some(now) if now != target => numbers::of_policy(writer, &aside(owner, target))?,
                _ => here,
            };
            settle(writer, policy, target)?;
            Ok(Place { policy, target })
        })
    }

    /// The place where the policy is, and the identity of its target; `None` if it never ran.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn current_place(&self, owner: &Owner) -> Result<Option<(Place, String)>, StoreError> {
        self.read(|reader| {
            let sql =
                "SELECT policy.id, target.id, identity FROM policy JOIN place ON place.policy = policy.id
                       JOIN target ON target.id = place.target WHERE owner = ?1";
            let found = reader.prepare_cached(sql)?.query_row([owner.as_str()], |row| {
                Ok((Place { policy: row.get(0)?, target: row.get(1)? }, row.get(2)?))
            });
            Ok(found.optional()?)
        })
    }

    /// Moves the policy to this place, if it is not there. Returns whether it was at another one: then its next run is a first
    /// run, nothing is held, and no approval counts any more. So nobody moves it while something is held that nobody let go.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn move_to(&self, owner: &Owner, place: Place) -> Result<bool, StoreError> {
        let here = |reader: &Transaction<'_>| named(reader, owner.as_str());
        if self.read(here)? == Some(place.policy) {
            return Ok(false);
        }
        self.write(|writer| {
            if let Some(before) = here(writer)? {
                let Some(target) = target_of(writer, before)? else { return Ok(false) };
                rename(writer, before, &aside(owner, target))?;
                begin_anew(writer, before)?;
            }
            rename(writer, place.policy, owner.as_str())?;
            Ok(true)
        })
    }
}

/// The name of what is known of a policy at a target that is not its target now. No object has such a name: it has blanks.
fn aside(owner: &Owner, target: i64) -> String {
    format!("{owner} at {target}")
}

/// Of whom a row is, whether the policy is at that place or not; `None` for one that is being forgotten.
pub(super) fn owner(name: &str) -> Option<Owner> {
    let (namespace, name) = name.split_once('/')?;
    let name = name.split_once(" at ").map_or(name, |(name, _)| name);
    Some(Owner::new(namespace, name))
}

/// Whether a row is of a policy at the place where it is.
pub(super) fn is_current(name: &str) -> bool {
    name.contains('/') && !name.contains(" at ")
}

fn named(reader: &Transaction<'_>, name: &str) -> Result<Option<i64>, StoreError> {
    let found = reader
        .prepare_cached("SELECT id FROM policy WHERE owner = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(found)
}

fn target_of(reader: &Transaction<'_>, policy: i64) -> Result<Option<i64>, StoreError> {
    let found = reader
        .prepare_cached("SELECT target FROM place WHERE policy = ?1")?
        .query_row([policy], |row| row.get(0))
        .optional()?;
    Ok(found)
}

fn settle(writer: &Transaction<'_>, policy: i64, target: i64) -> Result<(), StoreError> {
    if target_of(writer, policy)?.is_none() {
        writer
            .prepare_cached("INSERT INTO place (policy, target) VALUES (?1, ?2)")?
            .execute([policy, target])?;
    }
    Ok(())
}

fn rename(writer: &Transaction<'_>, policy: i64, name: &str) -> Result<(), StoreError> {
    writer
        .prepare_cached("UPDATE policy SET owner = ?2, absent_since = NULL WHERE id = ?1")?
        .execute(params![policy, name])?;
    Ok(())
}

/// When the policy comes back, its next run is a first run: what it linked is still its own, and what leavers waited for
/// begins anew.
fn begin_anew(writer: &Transaction<'_>, policy: i64) -> Result<(), StoreError> {
    for table in OF_A_TIME {
        writer.execute(&format!("DELETE FROM {table} WHERE policy = ?1"), [policy])?;
    }
    writer
        .execute("UPDATE policy SET first_complete_at = NULL, applied_spec = NULL WHERE id = ?1", [policy])?;
    writer.execute("UPDATE link SET leaving = NULL WHERE policy = ?1 AND leaving IS NOT NULL", [policy])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::store::hold::Hold;
    use crate::store::policy::Baseline;

    fn at(days: i64) -> Timestamp {
        Timestamp::from_second(days * 24 * 3600).unwrap()
    }

    fn open() -> (tempfile::TempDir, Store, Owner) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        (folder, store, Owner::new("test", "staff"))
    }

    #[test]
    fn whoever_moves_begins_anew_and_finds_its_links_when_it_comes_back() {
        let (_folder, store, owner) = open();
        let old = store.place(&owner, "scim:https://old.example").unwrap();
        assert!(!store.move_to(&owner, old).unwrap(), "it is there");
        store.complete_run(old, Baseline::nothing(at(0)), Some("{}"), Duration::from_hours(24)).unwrap();
        let hold = Hold {
            owner: owner.clone(),
            digest: "sha256:0".to_owned(),
            spec_hash: String::new(),
            spec: None,
            limits: None,
            since: at(0),
            reason: String::new(),
            lines: Vec::new(),
            approved_by: None,
        };
        let is_complete = |store: &Store| {
            let (place, _) = store.current_place(&owner).unwrap().unwrap();
            store.policy_state(place).unwrap().first_complete_at.is_some()
        };
        store.save_hold(old, Some(hold.clone()), at(0)).unwrap();
        store.approve(old, &hold, Some("april"), at(0)).unwrap();
        let new = store.place(&owner, "scim:https://new.example").unwrap();
        assert_eq!(store.policy_state(new).unwrap().first_complete_at, None);
        // Whoever only looks moves nothing.
        assert!(is_complete(&store) && store.was_approved(&owner, "sha256:0").unwrap());
        assert_eq!(store.place(&owner, "scim:https://old.example").unwrap(), old);
        assert!(store.move_to(&owner, new).unwrap());
        assert!(!is_complete(&store) && !store.was_approved(&owner, "sha256:0").unwrap());
        assert_eq!(store.owners().unwrap(), std::slice::from_ref(&owner), "it is one policy");
        let back = store.place(&owner, "scim:https://old.example").unwrap();
        assert_eq!(back, old);
        assert!(store.move_to(&owner, back).unwrap());
        assert_eq!((store.current_hold(back).unwrap(), store.holds().unwrap()), (None, vec![]));
        assert_eq!(store.policy_state(back).unwrap().first_complete_at, None, "its next run is a first run");
    }

    #[test]
    fn what_was_left_is_kept_for_a_while() {
        let (_folder, store, owner) = open();
        let old = store.place(&owner, "a").unwrap();
        let new = store.place(&owner, "b").unwrap();
        store.move_to(&owner, new).unwrap();
        let forget = |days| {
            let there = BTreeSet::from([owner.clone()]);
            let keeps = Duration::from_hours(30 * 24);
            store.forget_absent(&there, &BTreeSet::new(), |_| true, at(days), keeps).unwrap()
        };
        assert_eq!((forget(0), forget(29)), (0, 0));
        assert_eq!(store.place(&owner, "a").unwrap(), old);
        // Somebody looked, which is a use.
        assert_eq!((forget(31), forget(62)), (0, 1));
        assert_ne!(store.place(&owner, "a").unwrap(), old);
        assert_eq!(store.place(&owner, "b").unwrap(), new);
    }

    #[test]
    fn a_name_says_whose_a_row_is() {
        let staff = Owner::new("test", "staff");
        assert_eq!(owner(&aside(&staff, 7)), Some(staff.clone()));
        assert_eq!(owner(staff.as_str()), Some(staff.clone()));
        assert_eq!(owner("forgotten 7"), None);
        assert!(is_current(staff.as_str()) && !is_current(&aside(&staff, 7)) && !is_current("forgotten 7"));
    }
}
