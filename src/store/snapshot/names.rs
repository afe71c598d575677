//! By which numbers an import knows names: new ones, those that mean nobody any more, and those of before.

use std::collections::HashMap;

use roaring::RoaringBitmap;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::RowId;
use super::index::{fingerprint, fingerprint_of};
use super::newest::{ANY, Newest};
use super::write::{Importing, Lent, take_number};
use crate::directory::Reference;
use crate::store::{StoreError, bitmap};

/// Begins the key of a name that means nobody any more; its number and what it was follow.
const RETIRED: &str = "retired ";
/// Begins the key of one by which somebody was called before who is there; their row, its number and what it was follow.
/// Lists that stated it then, and state it still, mean nobody else.
const FORMER: &str = "retired former ";

/// A name by which a row was called before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Former {
    /// Its number then.
    pub name: u32,
    /// Whose it was.
    pub row: RowId,
    /// The number that it has by now, if anybody is called or listed so again.
    pub now: Option<u32>,
}

impl Importing {
    /// The numbers of these names, new ones included.
    ///
    /// # Errors
    /// When the store cannot be written: the disk is full, or what is stored does not match its sums.
    pub fn intern(&mut self, references: &[Reference]) -> Result<RoaringBitmap, StoreError> {
        let mut numbers = RoaringBitmap::new();
        for reference in references {
            let fingerprint = fingerprint_of(reference);
            let number = if let Some(number) = self.names.get(&fingerprint)? {
                number
            } else {
                let number = take_number(&mut self.next_name, "names")?;
                self.names.insert(fingerprint, number)?;
                self.new_names.push((number, reference.key()));
                number
            };
            numbers.insert(number);
        }
        Ok(numbers)
    }

    /// The number of a name that was ever stated.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn name(&mut self, reference: &Reference) -> Result<Option<u32>, StoreError> {
        self.names.get(&fingerprint_of(reference))
    }

    /// The DNs that a row bears which left mean nobody from here on. A server may have taken them out of lists
    /// without telling; who has such a DN after them is in a list only if that is read again.
    ///
    /// # Errors
    /// When the store cannot be written: the disk is full, or what is stored does not match its sums.
    pub fn retire_names(&mut self, row: RowId) -> Result<(), StoreError> {
        for (name, key) in self.keys(|borne| borne, row)? {
            if self.take_away(row, name, &key)? {
                self.retired.insert(name);
            }
        }
        Ok(())
    }

    /// Gives whoever is called so from here on another number, as must have whoever was given it by this import before it
    /// was known to be the row's; `false` for what is no DN, or is no name of now.
    fn take_away(&mut self, row: RowId, name: u32, key: &str) -> Result<bool, StoreError> {
        let fingerprint = fingerprint([key.as_bytes()]);
        let is_of_now = Reference::is_dn(key) && self.names.get(&fingerprint)? == Some(name);
        if is_of_now {
            self.names.remove(&fingerprint)?;
            let mut others = self.given.remove(&name).unwrap_or_default();
            if self.shared.contains(name) {
                let names = RoaringBitmap::from_iter([name]);
                others.extend(self.holders(self.there(), &names)?.into_iter().map(RowId));
            }
            let others = others.into_iter().filter(|other| *other != row);
            self.lent.extend(others.map(|row| Lent { row, name }));
        }
        Ok(is_of_now)
    }

    /// Leaves to these rows those of `names` that they bear: lists mean them by those until they are read under other names, and
    /// whoever is called so from here on gets another number.
    ///
    /// # Errors
    /// When the store cannot be written: the disk is full, or what is stored does not match its sums.
    pub fn keep_names(&mut self, rows: &RoaringBitmap, names: &RoaringBitmap) -> Result<(), StoreError> {
        if names.is_empty() {
            return Ok(());
        }
        let mut kept = Vec::new();
        self.store.read(|reader| {
            for row in rows {
                let names = borne(reader, self.connector, row)? & names;
                kept.extend(keys(reader, self.connector, &names)?.into_iter().map(|of| (RowId(row), of)));
            }
            Ok::<_, StoreError>(())
        })?;
        for (row, (name, key)) in kept {
            if self.take_away(row, name, &key)? {
                self.former.insert(name, row);
            }
        }
        Ok(())
    }

    /// Notes which of its names the row was not called by before this import, and gives them.
    ///
    /// # Errors
    /// When the store cannot be written: the disk is full, or what is stored does not match its sums.
    pub fn give(&mut self, row: RowId, names: &RoaringBitmap) -> Result<RoaringBitmap, StoreError> {
        let new = names - self.borne_by(&RoaringBitmap::from_iter([row.0]))?;
        for name in &new {
            self.given.entry(name).or_default().push(row);
        }
        Ok(new)
    }

    /// The names that this import gave to rows that were not called so before it.
    pub fn given(&self) -> RoaringBitmap {
        self.given.keys().copied().collect()
    }

    /// Those of `names` that this import gave to a row that is among these, and never had the same name under another number; and
    /// all rows that it gave them to.
    ///
    /// # Errors
    /// When the store cannot be read, or what is stored does not match its sums.
    pub fn newly_given(
        &self,
        names: &RoaringBitmap,
        among: &RoaringBitmap,
    ) -> Result<(RoaringBitmap, RoaringBitmap), StoreError> {
        let (mut newly, mut to) = (RoaringBitmap::new(), RoaringBitmap::new());
        for name in names {
            for row in self.given.get(&name).into_iter().flatten() {
                let borne = self.keys(|borne| borne, *row)?;
                let key = borne.iter().find(|(of, _)| *of == name).and_then(|(_, key)| plain(key));
                let is_old = |(of, other): &(u32, String)| *of != name && plain(other) == key;
                if key.is_some() && among.contains(row.0) && !borne.iter().any(is_old) {
                    newly.insert(name);
                }
                to.insert(row.0);
            }
        }
        Ok((newly, to))
    }

    /// Those of `names` that are DNs of now: several may have come under one.
    ///
    /// # Errors
    /// When the store cannot be read, or what is stored does not match its sums.
    pub fn dns_of_now(&self, names: &RoaringBitmap) -> Result<RoaringBitmap, StoreError> {
        let keys = self.store.read(|reader| keys(reader, self.connector, names))?;
        let is_of_now = |name: u32| !self.retired.contains(name) && !self.former.contains_key(&name);
        let dns = keys.into_iter().filter(|(name, key)| Reference::is_dn(key) && is_of_now(*name));
        Ok(dns.map(|(name, _)| name).collect())
    }

    /// The numbers by which those who left had names that somebody is called or listed by again, each with the one of now.
    ///
    /// # Errors
    /// When the store cannot be read, or what is stored does not match its sums.
    pub fn retired_anew(&mut self) -> Result<HashMap<u32, u32>, StoreError> {
        let keys = self.store.read(|reader| keys(reader, self.connector, &self.retired))?;
        let mut anew = HashMap::new();
        for (name, key) in keys {
            let now = self.names.get(&fingerprint([key.as_bytes()]))?;
            anew.extend(now.map(|now| (name, now)));
        }
        Ok(anew)
    }

    /// Those who need another number for their name.
    pub fn take_lent(&mut self) -> Vec<Lent> {
        std::mem::take(&mut self.lent)
    }

    /// Those of the row's names that are stated, and not of before.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn stated(&self, row: RowId, names: &RoaringBitmap) -> Result<RoaringBitmap, StoreError> {
        let keys = self.store.read(|reader| keys(reader, self.connector, names))?;
        let is_stated = |name: u32, key: &str| {
            !key.starts_with(RETIRED) && !self.retired.contains(name) && self.former.get(&name) != Some(&row)
        };
        Ok(keys.into_iter().filter(|(name, key)| is_stated(*name, key)).map(|(name, _)| name).collect())
    }

    /// Beside `names`, of which all is `stated`, the retired and former names of the row that say what it is called now: it is
    /// back, and lists that were not read since it left have it by those.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn names_again(
        &self,
        row: RowId,
        names: &RoaringBitmap,
        stated: &[Reference],
    ) -> Result<RoaringBitmap, StoreError> {
        let is_stated = |key: &str| stated.iter().any(|reference| reference.key() == key);
        let own = format!("{FORMER}{} ", row.0);
        let is_before = |name: u32, key: &str| {
            let is_theirs = key.starts_with(&own) || !key.starts_with(FORMER);
            let of_now = self.retired.contains(name) || self.former.get(&name) == Some(&row);
            if key.starts_with(RETIRED) { is_theirs } else { of_now }
        };
        let is_again = |name: u32, key: &str| is_before(name, key) && plain(key).is_some_and(is_stated);
        let keys = self.keys(|borne| borne - names, row)?;
        let again = keys.into_iter().filter(|(name, key)| is_again(*name, key));
        Ok(again.map(|(name, _)| name).collect())
    }

    /// Beside `names`, of which all is stated, the DNs by which the row was called before: a server may see to its lists
    /// a moment after it has renamed somebody, or never. Who is called so from here on is not who those lists mean.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn former_names(&mut self, row: RowId, names: &RoaringBitmap) -> Result<RoaringBitmap, StoreError> {
        let (mut former, own) = (RoaringBitmap::new(), format!("{FORMER}{} ", row.0));
        for (name, key) in self.keys(|borne| borne - names, row)? {
            if key.starts_with(&own) || self.former.get(&name) == Some(&row) {
                former.insert(name);
            } else if self.take_away(row, name, &key)? {
                self.former.insert(name, row);
                former.insert(name);
            }
        }
        Ok(former)
    }

    /// These names, as they were stated.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn references(&self, names: &RoaringBitmap) -> Result<Vec<(u32, Reference)>, StoreError> {
        let keys = self.store.read(|reader| keys(reader, self.connector, names))?.into_iter();
        Ok(keys.filter_map(|(name, key)| Some((name, Reference::of_key(plain(&key)?)?))).collect())
    }

    /// Those of `names` by which somebody was called before.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn former_among(&mut self, names: &RoaringBitmap) -> Result<Vec<Former>, StoreError> {
        let keys = self.store.read(|reader| keys(reader, self.connector, names))?;
        let mut former = Vec::new();
        for (name, key) in keys {
            let stored = key.strip_prefix(FORMER).and_then(|key| key.split_once(' '));
            let stored = stored.and_then(|(row, key)| Some((row.parse().ok()?, key.split_once(' ')?.1)));
            let (row, key) = match (stored, self.former.get(&name)) {
                (Some((row, key)), _) => (RowId(row), key),
                (None, Some(row)) => (*row, key.as_str()),
                (None, None) => continue,
            };
            let now = self.names.get(&fingerprint([key.as_bytes()]))?;
            former.push(Former { name, row, now });
        }
        Ok(former)
    }

    /// Has rows of which everything was taken back ([`Importing::revert`]) be called what they were called before this
    /// import. Returns the numbers that such names have had since, each with the one that it has again; lists of this
    /// import may state them. A name by which somebody else is called by now is theirs.
    ///
    /// # Errors
    /// When the store cannot be written: the disk is full, or what is stored does not match its sums.
    pub fn call_again(&mut self, rows: &RoaringBitmap) -> Result<HashMap<u32, u32>, StoreError> {
        self.given.retain(|_, to| {
            to.retain(|row| !rows.contains(row.0));
            !to.is_empty()
        });
        let mut names: RoaringBitmap =
            self.former.iter().filter(|(_, row)| rows.contains(row.0)).map(|(name, _)| *name).collect();
        if !self.retired.is_empty() {
            names |= &self.retired & self.borne_by(rows)?;
        }
        let mut again = Vec::new();
        for (name, key) in self.store.read(|reader| keys(reader, self.connector, &names))? {
            let fingerprint = fingerprint([key.as_bytes()]);
            again.push((name, fingerprint, self.names.get(&fingerprint)?));
        }
        let since: RoaringBitmap = again.iter().filter_map(|(_, _, since)| *since).collect();
        let others = if since.is_empty() { since } else { since & self.borne_by(&(&self.written - rows))? };
        let mut stand_for = HashMap::new();
        for (name, fingerprint, since) in again {
            if since.is_some_and(|since| others.contains(since)) {
                continue;
            }
            self.names.insert(fingerprint, name)?;
            self.former.remove(&name);
            self.retired.remove(name);
            stand_for.extend(since.map(|since| (since, name)));
        }
        self.new_names.retain(|(name, _)| !stand_for.contains_key(name));
        self.store.write(|writer| {
            let mut forget = writer.prepare_cached("DELETE FROM name WHERE connector = ?1 AND id = ?2")?;
            for since in stand_for.keys() {
                forget.execute(params![self.connector, since])?;
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(stand_for)
    }

    /// The names that any of these rows bears in its newest version.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn borne_by(&self, rows: &RoaringBitmap) -> Result<RoaringBitmap, StoreError> {
        self.store.read(|reader| {
            let mut names = RoaringBitmap::new();
            for row in rows {
                names |= borne(reader, self.connector, row)?;
            }
            Ok(names)
        })
    }

    /// Whether everything that versions need is written.
    pub fn has_new_names(&self) -> bool {
        !self.new_names.is_empty()
    }

    /// Names by which rows were called until this import, each with its row.
    pub fn former_here(&self) -> &HashMap<u32, RowId> {
        &self.former
    }

    /// The number that the name of this number has for whoever is called so from here on.
    ///
    /// # Errors
    /// When the store cannot be written: the disk is full, or what is stored does not match its sums.
    pub fn number_anew(&mut self, name: u32) -> Result<u32, StoreError> {
        let names = RoaringBitmap::from_iter([name]);
        // Names of this import may not be written yet.
        let unwritten = self.new_names.iter().find(|(number, _)| *number == name).map(|(_, key)| key.clone());
        let key = match unwritten {
            Some(key) => Some(key),
            None => self.store.read(|reader| keys(reader, self.connector, &names))?.pop().map(|(_, key)| key),
        };
        let Some(key) = key else { return Ok(name) };
        let fingerprint = fingerprint([key.as_bytes()]);
        if let Some(number) = self.names.get(&fingerprint)? {
            return Ok(number);
        }
        let number = take_number(&mut self.next_name, "names")?;
        self.names.insert(fingerprint, number)?;
        self.new_names.push((number, key));
        Ok(number)
    }

    /// Whether the row bears one of `names` in its newest version.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn bears(&self, row: RowId, names: &RoaringBitmap) -> Result<bool, StoreError> {
        self.store.read(|reader| Ok(!borne(reader, self.connector, row.0)?.is_disjoint(names)))
    }

    /// Those of `rows` that bear one of `names` in their newest version.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn holders(&self, rows: &RoaringBitmap, names: &RoaringBitmap) -> Result<RoaringBitmap, StoreError> {
        if names.is_empty() {
            return Ok(RoaringBitmap::new());
        }
        self.store.read(|reader| {
            let mut holders = RoaringBitmap::new();
            for row in rows {
                if !borne(reader, self.connector, row)?.is_disjoint(names) {
                    holders.insert(row);
                }
            }
            Ok(holders)
        })
    }

    /// Who of `rows` bears which of `names` in their newest version.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn holders_of_each(
        &self,
        rows: &RoaringBitmap,
        names: &RoaringBitmap,
    ) -> Result<HashMap<u32, RoaringBitmap>, StoreError> {
        let mut holders: HashMap<u32, RoaringBitmap> = HashMap::new();
        if names.is_empty() {
            return Ok(holders);
        }
        self.store.read(|reader| {
            for row in rows {
                for name in borne(reader, self.connector, row)? & names {
                    holders.entry(name).or_default().insert(row);
                }
            }
            Ok(holders)
        })
    }

    /// Keeps under keys of their own the names that mean nobody any more, and those of before.
    pub(super) fn retire(&self, writer: &Transaction<'_>) -> Result<(), StoreError> {
        let mut retire = writer.prepare_cached(
            "UPDATE name SET key = ?3 || id || ' ' || key WHERE connector = ?1 AND id = ?2",
        )?;
        for name in &self.retired {
            retire.execute(params![self.connector, name, RETIRED])?;
        }
        for (name, row) in &self.former {
            retire.execute(params![self.connector, name, format!("{FORMER}{} ", row.0)])?;
        }
        Ok(())
    }

    /// Those `of` the names that the row bears in its newest version, each with its key.
    fn keys(
        &self,
        of: impl Fn(RoaringBitmap) -> RoaringBitmap,
        row: RowId,
    ) -> Result<Vec<(u32, String)>, StoreError> {
        self.store.read(|reader| {
            let names = of(borne(reader, self.connector, row.0)?);
            keys(reader, self.connector, &names)
        })
    }
}

/// These names, each with its key.
fn keys(
    reader: &Transaction<'_>,
    connector: i64,
    names: &RoaringBitmap,
) -> Result<Vec<(u32, String)>, StoreError> {
    let mut select = reader.prepare_cached("SELECT key FROM name WHERE connector = ?1 AND id = ?2")?;
    let mut keys = Vec::new();
    for name in names {
        let key = select.query_row(params![connector, name], |row| row.get(0)).optional()?;
        keys.extend(key.map(|key| (name, key)));
    }
    Ok(keys)
}

/// The references of these names, as they were stated, whoever they mean by now; `None` if one cannot be told.
pub(super) fn stated(
    reader: &Transaction<'_>,
    connector: i64,
    names: &RoaringBitmap,
) -> Result<Option<Vec<Reference>>, StoreError> {
    let reference = |(_, key): (u32, String)| Reference::of_key(plain(&key)?);
    Ok(keys(reader, connector, names)?.into_iter().map(reference).collect())
}

/// The key of a name as it was stated, whoever it means by now.
fn plain(mut key: &str) -> Option<&str> {
    while let Some(retired) = key.strip_prefix(RETIRED) {
        let numbered = key.strip_prefix(FORMER).and_then(|rest| Some(rest.split_once(' ')?.1));
        key = numbered.unwrap_or(retired).split_once(' ')?.1;
    }
    Some(key)
}

/// The names that a row bears in its newest version.
fn borne(reader: &Transaction<'_>, connector: i64, row: u32) -> Result<RoaringBitmap, StoreError> {
    let stored: Option<Vec<u8>> =
        Newest::select("names", reader, connector, ANY)?.of(row, |row| Ok(row.get(0)?))?;
    stored.map_or_else(|| Ok(RoaringBitmap::new()), |bytes| bitmap::read(&bytes))
}
