//! Which object a policy was last seen as, and which approval on it approves nothing.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension as _, Transaction};

use super::{Store, StoreError};
use crate::directory::Owner;

/// What is to be known of the approval that an object bears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// It approves nothing.
    pub refused: bool,
    /// That is so from now on, since it came with the object.
    pub came_with: bool,
}

/// What is known of an object.
type Known = (String, Option<String>);

impl Store {
    /// The policy is this object, which bears an approval of `digest`, if of any. What an object bears when it is first seen
    /// came with it: whoever may make an object, or restore it, need not be who may approve.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn see(&self, owner: &Owner, uid: &str, digest: Option<&str>) -> Result<Seen, StoreError> {
        let known: Option<Known> = self.read(|reader| {
            let sql = "SELECT uid, refused FROM object WHERE owner = ?1";
            let found =
                reader.prepare_cached(sql)?.query_row([owner.as_str()], |row| Ok((row.get(0)?, row.get(1)?)));
            Ok::<_, StoreError>(found.optional()?)
        })?;
        let same = known.as_ref().filter(|(before, _)| before == uid);
        let refused = match same {
            Some((_, refused)) => refused.as_deref().filter(|refused| digest == Some(*refused)),
            None => digest,
        };
        if same.is_none() && known.is_some() {
            // What was approved for the one before is over with it.
            self.withdraw_approvals(owner, None)?;
        }
        if same.is_none_or(|(_, before)| before.as_deref() != refused) {
            self.write(|writer| {
                let sql = "INSERT OR REPLACE INTO object (owner, uid, refused) VALUES (?1, ?2, ?3)";
                writer.prepare_cached(sql)?.execute((owner.as_str(), uid, refused))?;
                Ok::<_, StoreError>(())
            })?;
        }
        Ok(Seen { refused: refused.is_some(), came_with: same.is_none() && refused.is_some() })
    }

    /// The approval of `digest` that the policy's object bears approves nothing, until it is set anew.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn refuse_approval(&self, owner: &Owner, digest: &str) -> Result<(), StoreError> {
        self.write(|writer| {
            let sql = "UPDATE object SET refused = ?2 WHERE owner = ?1";
            writer.prepare_cached(sql)?.execute((owner.as_str(), digest))?;
            Ok(())
        })
    }
}

/// Forgets the objects of policies that are neither there nor remembered.
pub(super) fn forget(writer: &Transaction<'_>, there: &BTreeSet<Owner>) -> Result<(), StoreError> {
    let gone = {
        let sql = "SELECT owner FROM object WHERE owner NOT IN (SELECT owner FROM policy)";
        let mut statement = writer.prepare(sql)?;
        let owners = statement.query_map([], |row| row.get::<_, String>(0))?;
        owners.collect::<Result<Vec<_>, _>>()?
    };
    for owner in gone.iter().filter(|owner| !there.iter().any(|there| there.as_str() == *owner)) {
        writer.execute("DELETE FROM object WHERE owner = ?1", [owner])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_forgotten_with_its_policy() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let [ran, made, gone] = ["ran", "made", "gone"].map(|name| Owner::new("identity", name));
        store.place(&ran, "registry").unwrap();
        for owner in [&ran, &made, &gone] {
            store.see(owner, "one", None).unwrap();
        }
        let now = jiff::Timestamp::UNIX_EPOCH;
        let (connectors, keeps) = (BTreeSet::new(), std::time::Duration::from_hours(1));
        store.forget_absent(&[made.clone()].into(), &connectors, |_| true, now, keeps).unwrap();
        let came_with = |owner| store.see(owner, "one", Some("sha256:1")).unwrap().came_with;
        assert_eq!([&ran, &made, &gone].map(came_with), [false, false, true]);
    }

    #[test]
    fn an_approval_counts_only_if_it_was_set_on_an_object_that_was_seen() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let staff = Owner::new("identity", "staff");
        let see = |uid, digest| store.see(&staff, uid, digest).unwrap();
        let counts = Seen::default();
        let refused = Seen { refused: true, came_with: false };
        let came_with = Seen { refused: true, came_with: true };
        assert_eq!(see("one", None), counts);
        assert_eq!(see("one", Some("sha256:1")), counts);
        // Made anew, or restored.
        assert_eq!(see("two", Some("sha256:1")), came_with);
        assert_eq!(see("two", Some("sha256:1")), refused);
        assert_eq!(see("two", Some("sha256:2")), counts, "another is set");
        assert_eq!(see("two", Some("sha256:1")), counts, "it was set anew");
        assert_eq!(see("three", Some("sha256:1")), came_with);
        assert_eq!(see("three", None), counts);
        assert_eq!(see("three", Some("sha256:1")), counts);
        store.refuse_approval(&staff, "sha256:1").unwrap();
        assert_eq!(see("three", Some("sha256:1")), refused);
        assert_eq!(see("three", None), counts);
        assert_eq!(see("three", Some("sha256:1")), counts);
        // Nobody knows since when an object bears it in a store that is new.
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.see(&staff, "three", Some("sha256:1")).unwrap(), came_with);
    }
}
