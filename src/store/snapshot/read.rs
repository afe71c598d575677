//! Reading what was sealed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::mpsc::sync_channel;
use std::thread;

use roaring::RoaringBitmap;
use rusqlite::{OptionalExtension as _, Row as SqlRow, Transaction, params};

use super::index::{Index, IndexKind, fingerprint};
use super::names::stated;
use super::newest::Newest;
use super::pin::Pin;
use super::presence::{GONE, PRESENT};
use super::{Edges, NameId, Presence, Row, RowId, SnapshotInfo, Trip};
use crate::directory::{Anchor, ConnectorName, Dn, Entry, Reference, Stated};
use crate::store::bitmap;
use crate::store::{Store, StoreError};

/// The columns of a [`Row`].
const ROW: &str = "entry, sequence, standing, detail, content, names";
/// Rows that are handed over together …
const BATCH: usize = 200;
/// … and how many such batches wait at most.
const AHEAD: usize = 4;

/// A sealed snapshot, pinned at one sequence: the import after it does not change what it reads.
#[derive(Clone, Debug)]
pub struct Snapshot {
    store: Store,
    connector: i64,
    info: SnapshotInfo,
    _pin: Pin,
}

/// Hears of an entry what was selected of its last version.
type LastOf<'e> = dyn FnMut((&Transaction<'_>, i64), &Anchor, &SqlRow<'_>) -> Result<(), StoreError> + 'e;

impl Store {
    /// What `connector` last read; `None` before its first seal.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn snapshot(&self, connector: &ConnectorName) -> Result<Option<Snapshot>, StoreError> {
        loop {
            let Some((id, info)) = self.read(|reader| sealed(reader, connector))? else { return Ok(None) };
            let pin = Pin::new(self, id, info.sequence);
            // What was sealed before the pin stood may be gone already, or about to be forgotten.
            let newest: Option<i64> = self.read(|reader| {
                Ok::<_, StoreError>(
                    reader
                        .prepare_cached("SELECT sealed FROM connector WHERE id = ?1 AND name = ?2")?
                        .query_row(params![id, connector.as_str()], |row| row.get(0))
                        .optional()?,
                )
            })?;
            if newest.map(i64::cast_unsigned) == Some(info.sequence) {
                return Ok(Some(Snapshot { store: self.clone(), connector: id, info, _pin: pin }));
            }
        }
    }

    /// What is known of `connector`'s snapshot as a whole; `None` before its first seal.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn snapshot_info(&self, connector: &ConnectorName) -> Result<Option<SnapshotInfo>, StoreError> {
        self.read(|reader| Ok(sealed(reader, connector)?.map(|(_, info)| info)))
    }

    /// The DNs of those of these entries that are there, as `connector` read them last.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn called(
        &self,
        connector: &ConnectorName,
        entries: &[Anchor],
    ) -> Result<HashMap<Anchor, String>, StoreError> {
        let mut called = HashMap::new();
        let select = "standing, json_extract(content, '$.dn')";
        self.last_of(connector, entries, select, &mut |_, anchor, row| {
            if row.get::<_, u8>(0)? == PRESENT {
                called.insert(anchor.clone(), row.get(1)?);
            }
            Ok(())
        })?;
        Ok(called)
    }

    /// Those of these entries that were not there when `connector` read last.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn strange(
        &self,
        connector: &ConnectorName,
        entries: &[Anchor],
    ) -> Result<HashSet<Anchor>, StoreError> {
        let mut strange: HashSet<Anchor> = entries.iter().cloned().collect();
        self.last_of(connector, entries, "standing", &mut |_, anchor, row| {
            if row.get::<_, u8>(0)? != GONE {
                strange.remove(anchor);
            }
            Ok(())
        })?;
        Ok(strange)
    }

    /// The members of those of these entries that are groups, as `connector` read them last; `None` where not all are known.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn members(
        &self,
        connector: &ConnectorName,
        entries: &[Anchor],
    ) -> Result<HashMap<Anchor, Option<Vec<Reference>>>, StoreError> {
        let mut members = HashMap::new();
        self.last_of(connector, entries, "standing, complete, edges", &mut |reader, anchor, row| {
            let (standing, complete): (u8, bool) = (row.get(0)?, row.get(1)?);
            if let Some(edges) = row.get::<_, Option<Vec<u8>>>(2)?.filter(|_| standing != GONE) {
                let is_known = complete && standing == PRESENT;
                let list = is_known.then(|| stated(reader.0, reader.1, &bitmap::read(&edges)?));
                members.insert(anchor.clone(), list.transpose()?.flatten());
            }
            Ok(())
        })?;
        Ok(members)
    }

    /// Those of these entries that are groups of which all members are known, as `connector` read them last.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn listed(
        &self,
        connector: &ConnectorName,
        entries: &[Anchor],
    ) -> Result<HashSet<Anchor>, StoreError> {
        let mut listed = HashSet::new();
        let select = "standing, complete AND edges IS NOT NULL";
        self.last_of(connector, entries, select, &mut |_, anchor, row| {
            if row.get::<_, u8>(0)? == PRESENT && row.get(1)? {
                listed.insert(anchor.clone());
            }
            Ok(())
        })?;
        Ok(listed)
    }

    /// The values of a literal attribute, whatever the letter case of its name, of those of these entries that are there, as
    /// `connector` read them last.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn values(
        &self,
        connector: &ConnectorName,
        attribute: &str,
        entries: &[Anchor],
    ) -> Result<HashMap<Anchor, Vec<String>>, StoreError> {
        let mut values = HashMap::new();
        let select = "standing, json_extract(content, '$.attributes')";
        self.last_of(connector, entries, select, &mut |_, anchor, row| {
            if row.get::<_, u8>(0)? != PRESENT {
                return Ok(());
            }
            let stored: Option<String> = row.get(1)?;
            let attributes: BTreeMap<String, Stated> =
                stored.map_or_else(|| Ok(BTreeMap::new()), |stored| serde_json::from_str(&stored))?;
            let of = attributes.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case(attribute));
            let of = of.filter_map(|(_, stated)| match stated {
                Stated::Values(values) => Some(values),
                Stated::Undecodable => None,
            });
            values.insert(anchor.clone(), of.flatten().collect());
            Ok(())
        })?;
        Ok(values)
    }

    /// Those who are there, as `connector` read them last, and of whom a value of this literal attribute names one of these
    /// entries. All are looked through.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn naming(
        &self,
        connector: &ConnectorName,
        attribute: &str,
        dns: &BTreeSet<Dn>,
    ) -> Result<Vec<Anchor>, StoreError> {
        let Some(snapshot) = self.snapshot(connector)? else { return Ok(Vec::new()) };
        // Many name the same.
        let mut known: HashMap<String, bool> = HashMap::new();
        let mut naming = Vec::new();
        snapshot.for_each_row(&mut |row| {
            let of = row.entry.attributes.iter().filter(|(name, _)| name.eq_ignore_ascii_case(attribute));
            let values = of.filter_map(|(_, stated)| match stated {
                Stated::Values(values) => Some(values),
                Stated::Undecodable => None,
            });
            let mut names = |value: &String| {
                *known.entry(value.clone()).or_insert_with(|| {
                    // It may have ids in front (`<GUID=…>;CN=…`).
                    let dn = Dn::parse(value.rsplit(">;").next().unwrap_or(value));
                    dn.is_ok_and(|dn| dns.contains(&dn))
                })
            };
            if row.presence == Presence::Present && values.flatten().any(&mut names) {
                naming.push(row.entry.anchor);
            }
        })?;
        Ok(naming)
    }

    /// Calls `each` with those of these entries of which something is known, and these columns of its newest version.
    fn last_of(
        &self,
        connector: &ConnectorName,
        entries: &[Anchor],
        columns: &str,
        each: &mut LastOf<'_>,
    ) -> Result<(), StoreError> {
        let found = self.read(|reader| {
            Ok::<_, StoreError>(
                reader
                    .prepare_cached("SELECT id, sealed FROM connector WHERE name = ?1")?
                    .query_row([connector.as_str()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
                    .optional()?,
            )
        })?;
        let Some((id, sealed)) = found else { return Ok(()) };
        let mut index = Index::stored(self, id, IndexKind::Anchors);
        let mut rows = Vec::new();
        for anchor in entries {
            let row = index.get(&fingerprint([anchor.as_str().as_bytes()]))?;
            rows.extend(row.map(|row| (anchor, row)));
        }
        self.read(|reader| {
            let mut newest = Newest::select(columns, reader, id, sealed)?;
            for (anchor, row) in rows {
                newest.of(row, |row| each((reader, id), anchor, row))?;
            }
            Ok(())
        })
    }
}

impl Snapshot {
    /// What is known about it as a whole.
    pub fn info(&self) -> &SnapshotInfo {
        &self.info
    }

    /// Says which fields count as lost by many, for whoever reads it.
    pub fn set_tripped(&mut self, tripped: BTreeMap<String, Trip>) {
        self.info.tripped = tripped;
    }

    /// Calls `each` for every row, gone ones included, by ascending number. Where they are many, they are read and
    /// decoded on a thread beside this one, a few batches ahead.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn for_each_row(&self, each: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        if self.info.users + self.info.contacts + self.info.groups <= BATCH as u64 {
            return self.read_rows(each);
        }
        thread::scope(|scope| {
            let (sink, batches) = sync_channel::<Vec<Row>>(AHEAD);
            let reading = scope.spawn(move || {
                let mut batch = Vec::with_capacity(BATCH);
                self.read_rows(&mut |row| {
                    batch.push(row);
                    if batch.len() == BATCH {
                        // Nobody listens any more only if `each` has panicked.
                        drop(sink.send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))));
                    }
                })?;
                drop(sink.send(batch));
                Ok(())
            });
            batches.into_iter().flatten().for_each(each);
            reading
                .join()
                .unwrap_or_else(|_| Err(StoreError::Ended("reading a snapshot panicked".to_owned())))
        })
    }

    fn read_rows(&self, each: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        self.store.read(|reader| {
            let mut statement = reader.prepare_cached(&format!(
                "SELECT {ROW} FROM version WHERE connector = ?1 AND sequence <= ?2 ORDER BY entry, sequence",
            ))?;
            let mut rows = statement.query(params![self.connector, self.info.sequence.cast_signed()])?;
            // Of several versions of one entry, the last is the one that was sealed.
            let mut pending: Option<Row> = None;
            while let Some(row) = rows.next()? {
                let row = read_row(row)?;
                if pending.as_ref().is_some_and(|Row { id, .. }| *id != row.id) {
                    pending.take().into_iter().for_each(&mut *each);
                }
                pending = Some(row);
            }
            pending.into_iter().for_each(each);
            Ok(())
        })
    }

    /// Calls `each` for those of these rows that it has, gone ones included, by ascending number.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn rows(&self, rows: &RoaringBitmap, each: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        self.store.read(|reader| {
            let mut newest = self.newest(ROW, reader)?;
            for row in rows {
                newest.of(row, read_row)?.into_iter().for_each(&mut *each);
            }
            Ok(())
        })
    }

    /// The rows that are not what they were in this connector's snapshot of that sequence; `None` if that is not known
    /// (any more).
    pub fn changed_since(&self, sequence: u64) -> Option<RoaringBitmap> {
        self.store.seals().between(self.connector, sequence, self.info.sequence)
    }

    /// A group's direct members, as stated.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn edges(&self, group: RowId) -> Result<Edges, StoreError> {
        self.store.read(|reader| {
            let mut newest = self.newest("complete, edges", reader)?;
            let found = newest.of(group.0, |row| Ok((row.get(0)?, row.get::<_, Option<Vec<u8>>>(1)?)))?;
            let Some((complete, Some(edges))) = found else { return Ok(Edges::default()) };
            Ok(Edges { names: bitmap::read(&edges)?, complete })
        })
    }
}

impl Snapshot {
    fn newest<'r>(&self, columns: &str, reader: &'r Transaction<'_>) -> Result<Newest<'r>, StoreError> {
        Newest::select(columns, reader, self.connector, self.info.sequence.cast_signed())
    }
}

/// The connector's number and what its last seal said.
pub(super) fn sealed(
    reader: &Transaction<'_>,
    connector: &ConnectorName,
) -> Result<Option<(i64, SnapshotInfo)>, StoreError> {
    let found = reader
        .prepare_cached("SELECT id, info FROM connector WHERE name = ?1")?
        .query_row([connector.as_str()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?)))
        .optional()?;
    let Some((id, Some(info))) = found else { return Ok(None) };
    let mut info: SnapshotInfo = serde_json::from_str(&info)?;
    info.tripped = tripped(reader, id)?;
    Ok(Some((id, info)))
}

fn tripped(reader: &Transaction<'_>, connector: i64) -> Result<BTreeMap<String, Trip>, StoreError> {
    let mut statement = reader
        .prepare_cached("SELECT field, tripped, lost FROM coverage WHERE connector = ?1 AND tripped > 0")?;
    let rows = statement.query_map([connector], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?))
    })?;
    let mut tripped = BTreeMap::new();
    for row in rows {
        let (field, carried, lost) = row?;
        tripped.insert(field, Trip { carried: carried.cast_unsigned(), lost: bitmap::read(&lost)? });
    }
    Ok(tripped)
}

/// Reads the columns [`ROW`].
fn read_row(row: &SqlRow<'_>) -> Result<Row, StoreError> {
    let content: Entry = serde_json::from_str(row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?)?;
    let names = bitmap::read(row.get_ref(5)?.as_blob().map_err(rusqlite::Error::from)?)?;
    Ok(Row {
        id: RowId(row.get(0)?),
        sequence: row.get::<_, i64>(1)?.cast_unsigned(),
        entry: content,
        names: names.into_iter().map(NameId).collect(),
        presence: Presence::read(row, 2)?,
    })
}
