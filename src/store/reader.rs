//! The readers of a policy's registry: the digest of the token, never the token.

use super::{Store, StoreError};
use crate::directory::Owner;

impl Store {
    /// The digests of the tokens, by policy.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn readers(&self) -> Result<Vec<(Owner, [u8; 32])>, StoreError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached("SELECT owner, digest FROM reader")?;
            let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
            let all: Vec<(String, [u8; 32])> = rows.collect::<Result<_, _>>()?;
            let named = |(owner, digest): (String, _)| {
                owner.split_once('/').map(|(namespace, name)| (Owner::new(namespace, name), digest))
            };
            Ok(all.into_iter().filter_map(named).collect())
        })
    }

    /// Remembers the digest of the policy's token; `None` if it has none any more.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn remember_reader(&self, owner: &Owner, digest: Option<[u8; 32]>) -> Result<(), StoreError> {
        self.write(|writer| {
            match digest {
                Some(digest) => writer
                    .prepare_cached("INSERT OR REPLACE INTO reader (owner, digest) VALUES (?1, ?2)")?
                    .execute((owner.as_str(), digest))?,
                None => {
                    writer.prepare_cached("DELETE FROM reader WHERE owner = ?1")?.execute([owner.as_str()])?
                }
            };
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_last_token_of_each() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (staff, guests) = (Owner::new("identity", "staff"), Owner::new("identity", "guests"));
        store.remember_reader(&staff, Some([1; 32])).unwrap();
        store.remember_reader(&guests, Some([2; 32])).unwrap();
        store.remember_reader(&staff, Some([3; 32])).unwrap();
        store.remember_reader(&guests, None).unwrap();
        assert_eq!(store.readers().unwrap(), [(staff, [3; 32])]);
    }
}
