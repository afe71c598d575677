//! Writing an import: new versions beside the sealed ones, then the seal.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use roaring::RoaringBitmap;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::index::{Fingerprint, Index, fingerprint};
use super::known::{EntryIndex, Known, PresenceByte};
use super::newest::{ANY, Newest};
use super::{Presence, RowId, SnapshotInfo};
use crate::directory::{Anchor, ConnectorName, Cursor, Entry, EntryKind};
use crate::store::link::Place;
use crate::store::sequence::next_sequence;
use crate::store::{Store, StoreError, bitmap, numbers};

/// The newest version of an entry, as it is stored.
#[derive(Debug, PartialEq)]
pub struct Last {
    /// The entry as JSON, without names and members.
    pub content: String,
    /// The names that it bears.
    pub names: RoaringBitmap,
    /// The names that its member list states, and whether the list is complete.
    pub edges: Option<(RoaringBitmap, bool)>,
}

/// Which rows carry a field.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage {
    /// At the last read that the coverage rule accepted.
    pub baseline: RoaringBitmap,
    /// Now.
    pub current: RoaringBitmap,
    /// How many entries carried it, if the rule tripped; else 0.
    pub tripped: u64,
    /// The rows that lost it, if the rule tripped.
    pub lost: RoaringBitmap,
}

/// A new version of an entry.
#[derive(Debug)]
pub enum Version {
    /// All of it.
    Whole {
        /// Its row.
        row: RowId,
        /// Of what follows.
        hash: Fingerprint,
        /// The entry as JSON, without names and members.
        content: String,
        /// The names that it bears, as a stored bitmap.
        names: Vec<u8>,
        /// The names that its member list states, as a stored bitmap, and whether the list is complete.
        edges: Option<(Vec<u8>, bool)>,
    },
    /// The content of the version before it, which may be of the same transaction; only whether it is there changed.
    Presence {
        /// Its row.
        row: RowId,
        /// What it is now.
        presence: Presence,
    },
}

/// An import under way. What it writes is invisible until [`Importing::seal`]; what is never sealed is
/// dropped by the connector's next import, as is what a seal superseded: so a snapshot stays readable
/// while the next one is written.
#[derive(Debug)]
pub struct Importing {
    pub(super) store: Store,
    pub(super) connector: i64,
    /// The sequence of the snapshot before it.
    pub(super) sealed: u64,
    /// The sequence of the newest version, written by this import or sealed before.
    pub(super) newest: u64,
    pub(super) completion: u64,
    /// Rows from this number on are of this import.
    pub(super) first_new: u32,
    pub(super) next_row: u32,
    pub(super) next_name: u32,
    pub(super) entries: EntryIndex,
    pub(super) names: Index,
    /// Rows of which this import wrote versions …
    pub(super) written: RoaringBitmap,
    /// … and those of them that had one before.
    pub(super) touched: RoaringBitmap,
    pub(super) new_rows: Vec<(RowId, Anchor)>,
    pub(super) new_names: Vec<(u32, String)>,
    /// Names that mean nobody any more once this is sealed.
    pub(super) retired: RoaringBitmap,
    /// Names by which these rows were called before, once this is sealed.
    pub(super) former: HashMap<u32, RowId>,
    /// Rows that are called so since this import, and were not before it.
    pub(super) given: HashMap<u32, Vec<RowId>>,
    /// Of those, who has a name that somebody else turned out to have had until this import.
    pub(super) lent: Vec<Lent>,
    /// DNs under which several entries came in the read before.
    pub(super) shared: RoaringBitmap,
}

/// A name that was given to a row before it was known whose it had been.
#[derive(Clone, Copy, Debug)]
pub struct Lent {
    /// Who was given it.
    pub row: RowId,
    /// Its number, which stays with whoever had it.
    pub name: u32,
}

impl Store {
    /// What a person approved for this policy: these entries lost these fields, and that is how things are. What is
    /// carried again since is not among it.
    ///
    /// # Errors
    /// When the store cannot be written: the disk is full, or what is stored does not match its sums.
    pub fn accept_losses(
        &self,
        place: Place,
        connector: &ConnectorName,
        losses: &BTreeMap<String, RoaringBitmap>,
    ) -> Result<(), StoreError> {
        if losses.is_empty() {
            return Ok(());
        }
        self.write(|writer| {
            let connector = numbers::of_connector(writer, connector)?;
            let mut lost = writer.prepare_cached(
                "SELECT coverage.lost, accepted.lost FROM coverage
                 LEFT JOIN accepted ON accepted.policy = ?1 AND accepted.connector = ?2 AND accepted.field = ?3
                 WHERE coverage.connector = ?2 AND coverage.field = ?3",
            )?;
            let mut accept = writer.prepare_cached(
                "INSERT OR REPLACE INTO accepted (policy, connector, field, lost) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for (field, rows) in losses {
                let found = lost
                    .query_row(params![place.policy, connector, field], |row| {
                        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Option<Vec<u8>>>(1)?))
                    })
                    .optional()?;
                let Some((lost, before)) = found else { continue };
                let before = before.map_or_else(|| Ok(RoaringBitmap::new()), |bytes| bitmap::read(&bytes))?;
                let rows = (rows | before) & bitmap::read(&lost)?;
                accept.execute(params![place.policy, connector, field, bitmap::write(&rows)?])?;
            }
            Ok(())
        })
    }

    /// What was approved of the losses of this connector's entries for this policy.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn accepted_losses(
        &self,
        place: Place,
        connector: &ConnectorName,
    ) -> Result<BTreeMap<String, RoaringBitmap>, StoreError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT field, lost FROM accepted
                 WHERE policy = ?1 AND connector = (SELECT id FROM connector WHERE name = ?2)",
            )?;
            let rows = statement.query_map(params![place.policy, connector.as_str()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))
            })?;
            rows.map(|row| {
                row.map_err(StoreError::from).and_then(|(field, lost)| Ok((field, bitmap::read(&lost)?)))
            })
            .collect()
        })
    }
}

/// What is carried again was approved for that one loss, and not for the next.
fn end_acceptance(
    writer: &Transaction<'_>,
    connector: i64,
    field: &str,
    lost: &RoaringBitmap,
) -> Result<(), StoreError> {
    let accepted: Vec<(i64, Vec<u8>)> = writer
        .prepare_cached("SELECT policy, lost FROM accepted WHERE connector = ?1 AND field = ?2")?
        .query_map(params![connector, field], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (policy, before) in accepted {
        let before = bitmap::read(&before)?;
        let left = &before & lost;
        let key = params![policy, connector, field];
        if left.is_empty() {
            writer
                .prepare_cached("DELETE FROM accepted WHERE policy = ?1 AND connector = ?2 AND field = ?3")?
                .execute(key)?;
        } else if left != before {
            writer
                .prepare_cached(
                    "UPDATE accepted SET lost = ?4 WHERE policy = ?1 AND connector = ?2 AND field = ?3",
                )?
                .execute(params![policy, connector, field, bitmap::write(&left)?])?;
        }
    }
    Ok(())
}

impl Importing {
    /// Up to which sequence versions count: as they were sealed, or as they are now.
    fn until(&self, sealed: bool) -> i64 {
        if sealed { self.sealed.cast_signed() } else { ANY }
    }

    /// Has all anchors and names at hand: for a read that brings nearly all.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn read_all(&mut self) -> Result<(), StoreError> {
        self.entries.read_all()?;
        self.names.read_all()
    }

    /// What is known of an anchor, by what was written or noted.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn known(&mut self, anchor: &Anchor) -> Result<Option<Known>, StoreError> {
        self.entries.get(anchor)
    }

    /// Notes what is known of a row from here on.
    pub fn note(&mut self, known: Known) {
        self.entries.set(known);
    }

    /// The rows that are not gone, by what was written.
    pub fn there(&self) -> &RoaringBitmap {
        &self.entries.there
    }

    /// A new row for an anchor that was never seen.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn new_row(&mut self, anchor: &Anchor) -> Result<RowId, StoreError> {
        let row = RowId(take_number(&mut self.next_row, "rows")?);
        self.entries.anchors.insert(fingerprint([anchor.as_str().as_bytes()]), row.0)?;
        self.new_rows.push((row, anchor.clone()));
        Ok(row)
    }

    /// The names that the row's member list states in its newest version.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn edges(&self, row: RowId) -> Result<RoaringBitmap, StoreError> {
        self.store.read(|reader| {
            let mut newest = Newest::select("edges", reader, self.connector, ANY)?;
            let stored: Option<Option<Vec<u8>>> = newest.of(row.0, |row| Ok(row.get(0)?))?;
            stored.flatten().map_or_else(|| Ok(RoaringBitmap::new()), |bytes| bitmap::read(&bytes))
        })
    }

    /// The names that the row's member list stated before this import.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn edges_before(&self, row: RowId) -> Result<RoaringBitmap, StoreError> {
        self.store.read(|reader| {
            let mut newest = Newest::select("edges", reader, self.connector, self.sealed.cast_signed())?;
            let stored: Option<Option<Vec<u8>>> = newest.of(row.0, |row| Ok(row.get(0)?))?;
            stored.flatten().map_or_else(|| Ok(RoaringBitmap::new()), |bytes| bitmap::read(&bytes))
        })
    }

    /// The row's newest version that was written.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn last(&self, row: RowId) -> Result<Option<Last>, StoreError> {
        self.store.read(|reader| {
            Newest::select("content, names, complete, edges", reader, self.connector, ANY)?.of(row.0, |row| {
                let (complete, edges): (bool, Option<Vec<u8>>) = (row.get(2)?, row.get(3)?);
                let edges =
                    edges.map(|edges| bitmap::read(&edges)).transpose()?.map(|edges| (edges, complete));
                Ok(Last { content: row.get(0)?, names: bitmap::read(&row.get::<_, Vec<u8>>(1)?)?, edges })
            })
        })
    }

    /// Since when each of `rows` is unsettled, and which server told of it last; not those that are not.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn unsettled(
        &self,
        rows: &RoaringBitmap,
    ) -> Result<HashMap<RowId, (Timestamp, Option<String>)>, StoreError> {
        self.store.read(|reader| {
            let mut newest = Newest::select("standing, detail", reader, self.connector, ANY)?;
            let mut unsettled = HashMap::new();
            for row in rows {
                let presence = newest.of(row, |row| Presence::read(row, 0))?;
                if let Some(Presence::Unsettled { since, server }) = presence {
                    unsettled.insert(RowId(row), (since, server));
                }
            }
            Ok(unsettled)
        })
    }

    /// How many of `rows` are present users, groups and contacts: as they were sealed, or as they are now.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn kinds(&self, rows: &RoaringBitmap, sealed: bool) -> Result<[u64; 3], StoreError> {
        self.store.read(|reader| {
            let columns = "standing, json_extract(content, '$.kind')";
            let mut newest = Newest::select(columns, reader, self.connector, self.until(sealed))?;
            let mut kinds = [0; 3];
            for row in rows {
                let found = newest.of(row, |row| Ok((row.get::<_, u8>(0)?, row.get::<_, String>(1)?)))?;
                if let Some((0, kind)) = found
                    && let Some(at) = ["user", "group", "contact"].iter().position(|known| *known == kind)
                {
                    kinds[at] += 1;
                }
            }
            Ok(kinds)
        })
    }

    /// What these rows are, and their DNs: as they were sealed, or as they are now.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn called(
        &self,
        rows: &RoaringBitmap,
        sealed: bool,
    ) -> Result<Vec<(RowId, EntryKind, String)>, StoreError> {
        self.store.read(|reader| {
            let columns = "json_extract(content, '$.kind'), json_extract(content, '$.dn')";
            let mut newest = Newest::select(columns, reader, self.connector, self.until(sealed))?;
            let mut called = Vec::new();
            for row in rows {
                let found = newest.of(row, |found| Ok((found.get::<_, String>(0)?, found.get(1)?)))?;
                let Some((kind, dn)) = found else { continue };
                let kind = match kind.as_str() {
                    "group" => EntryKind::Group,
                    "contact" => EntryKind::Contact,
                    _ => EntryKind::User,
                };
                called.push((RowId(row), kind, dn));
            }
            Ok(called)
        })
    }

    /// Calls `each` with every row and its DN, gone ones included, until it has had enough.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn for_each_dn(&self, each: &mut dyn FnMut(RowId, &str) -> bool) -> Result<(), StoreError> {
        self.store.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT entry, json_extract(content, '$.dn') FROM version WHERE connector = ?1
                 ORDER BY entry, sequence DESC",
            )?;
            let mut rows = statement.query([self.connector])?;
            let mut last = None;
            while let Some(row) = rows.next()? {
                let id: u32 = row.get(0)?;
                // The newest version comes first.
                if last.replace(id) != Some(id)
                    && !each(RowId(id), row.get_ref(1)?.as_str().unwrap_or_default())
                {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Takes back what this import wrote of a row, but for its names ([`Importing::call_again`]). Returns what is known of it
    /// now, its DN, and whether it is there; `None` if nothing was written of it before.
    ///
    /// # Errors
    /// When the store cannot be written: the disk is full, or what is stored does not match its sums.
    pub fn revert(&mut self, row: RowId) -> Result<Option<(Known, String, Presence)>, StoreError> {
        let last = self.store.write(|writer| {
            let key = params![self.connector, row.0, self.sealed.cast_signed()];
            writer
                .prepare_cached("DELETE FROM version WHERE connector = ?1 AND entry = ?2 AND sequence > ?3")?
                .execute(key)?;
            let columns = "hash, json_extract(content, '$.dn'), standing, detail";
            let mut newest = Newest::select(columns, writer, self.connector, ANY)?;
            newest.of(row.0, |row| Ok((row.get(0)?, row.get(1)?, Presence::read(row, 2)?)))
        })?;
        let Some((hash, dn, presence)) = last else {
            self.entries.there.remove(row.0);
            self.note(Known { row, hash: Fingerprint::default(), presence: PresenceByte::Gone });
            return Ok(None);
        };
        let standing = PresenceByte::of(&presence);
        if standing == PresenceByte::Gone {
            self.entries.there.remove(row.0);
        } else {
            self.entries.there.insert(row.0);
        }
        let known = Known { row, hash, presence: standing };
        self.note(known);
        Ok(Some((known, dn, presence)))
    }

    /// The anchors of these rows, in the order of their numbers.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn anchors(&self, rows: &RoaringBitmap) -> Result<Vec<(RowId, Anchor)>, StoreError> {
        self.store.read(|reader| {
            let mut select =
                reader.prepare_cached("SELECT anchor FROM entry WHERE connector = ?1 AND id = ?2")?;
            let mut found = Vec::new();
            for row in rows {
                let anchor: Option<String> =
                    select.query_row(params![self.connector, row], |row| row.get(0)).optional()?;
                found.extend(anchor.map(|anchor| (RowId(row), Anchor::new(anchor))));
            }
            Ok(found)
        })
    }

    /// Writes versions, and the rows and names that they need, in one transaction.
    ///
    /// # Errors
    /// When the store cannot be written: the disk is full, or what is stored does not match its sums.
    pub fn write(&mut self, versions: &[Version]) -> Result<(), StoreError> {
        let (rows, names) = (std::mem::take(&mut self.new_rows), std::mem::take(&mut self.new_names));
        let touched = self.touched.len();
        for version in versions {
            let row = version.row().0;
            let there = !matches!(version, Version::Presence { presence: Presence::Gone { .. }, .. });
            if !self.written.insert(row) || row < self.first_new {
                self.touched.insert(row);
            }
            if there {
                self.entries.there.insert(row)
            } else {
                self.entries.there.remove(row)
            };
        }
        self.newest = self.store.write(|writer| {
            let mut insert = writer.prepare_cached(
                "INSERT INTO entry (connector, id, anchor) SELECT ?1, ?2, ?3 WHERE put_entry(?1, ?2, ?3)",
            )?;
            for (row, anchor) in &rows {
                insert.execute(params![self.connector, row.0, anchor.as_str()])?;
            }
            let mut insert = writer.prepare_cached(
                "INSERT INTO name (connector, id, key) SELECT ?1, ?2, ?3 WHERE put_name(?1, ?2, ?3)",
            )?;
            for (number, key) in &names {
                insert.execute(params![self.connector, number, key])?;
            }
            let first = next_sequence(writer, versions.len() as u64)?;
            for (version, sequence) in versions.iter().zip(first..) {
                version.insert(writer, self.connector, sequence)?;
            }
            if self.touched.len() > touched {
                save_touched(writer, self.connector, &self.touched)?;
            }
            writer
                .prepare_cached("UPDATE connector SET next_row = ?2, next_name = ?3 WHERE id = ?1")?
                .execute(params![self.connector, self.next_row, self.next_name])?;
            Ok::<_, StoreError>((first + versions.len() as u64).saturating_sub(1).max(self.newest))
        })?;
        Ok(())
    }

    /// Makes everything that was written visible: one short transaction, whatever the size. `news` says whether
    /// `info` tells policies something new, versions aside; `coverage` is that of the fields where it is another
    /// one.
    ///
    /// # Errors
    /// When the store cannot be written: the disk is full, or what is stored does not match its sums.
    pub fn seal<'c>(
        mut self,
        mut info: SnapshotInfo,
        news: bool,
        cursor: Option<&Cursor>,
        coverage: impl Iterator<Item = (&'c String, &'c Coverage)>,
    ) -> Result<SnapshotInfo, StoreError> {
        self.entries.anchors.save()?;
        self.names.save()?;
        let info = self.store.write(|writer| {
            info.completion = self.completion + 1;
            info.sequence = if news { next_sequence(writer, 1)? } else { self.newest };
            info.next_row = self.next_row;
            info.next_name = self.next_name;
            writer
                .prepare_cached(
                    "UPDATE connector SET sealed = ?2, completion = ?3, info = ?4, cursor = ?5 WHERE id = ?1",
                )?
                .execute(params![
                    self.connector,
                    info.sequence.cast_signed(),
                    info.completion.cast_signed(),
                    serde_json::to_string(&info)?,
                    cursor.map(|cursor| &cursor.0),
                ])?;
            self.retire(writer)?;
            for (field, coverage) in coverage {
                coverage.save(writer, self.connector, field)?;
                end_acceptance(writer, self.connector, field, &coverage.lost)?;
            }
            writer
                .prepare_cached(
                    "INSERT OR REPLACE INTO indexed (connector, there, touched) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![
                    self.connector,
                    bitmap::write(self.there())?,
                    bitmap::write(&self.touched)?
                ])?;
            Ok::<_, StoreError>(info)
        })?;
        self.store.seals().note(self.connector, (self.sealed, info.sequence), self.written);
        Ok(info)
    }
}

impl Version {
    /// Whose it is.
    pub fn row(&self) -> RowId {
        match self {
            Self::Whole { row, .. } | Self::Presence { row, .. } => *row,
        }
    }

    fn insert(&self, writer: &Transaction<'_>, connector: i64, sequence: u64) -> Result<(), StoreError> {
        match self {
            Self::Whole { row, hash, content, names, edges } => {
                let (edges, complete) = match edges {
                    Some((edges, complete)) => (Some(edges), *complete),
                    None => (None, true),
                };
                writer
                    .prepare_cached(
                        "INSERT INTO version (connector, entry, sequence, standing, detail, hash, content, names,
                                              complete, edges)
                         SELECT ?1, ?2, ?3, 0, NULL, ?4, ?5, ?6, ?7, ?8
                         WHERE put_version(?1, ?2, ?3, 0, NULL, ?4, ?5, ?6, ?7, ?8)",
                    )?
                    .execute(params![
                        connector,
                        row.0,
                        sequence.cast_signed(),
                        hash,
                        content,
                        names,
                        complete,
                        edges
                    ])?;
            }
            Self::Presence { row, presence } => {
                let (standing, detail) = presence.to_stored()?;
                writer
                    .prepare_cached(
                        "INSERT INTO version (connector, entry, sequence, standing, detail, hash, content, names,
                                              complete, edges)
                         SELECT ?1, ?2, ?3, ?4, ?5, hash, content, names, complete, edges FROM (
                             SELECT hash, content, names, complete, edges FROM version
                             WHERE connector = ?1 AND entry = ?2 ORDER BY sequence DESC LIMIT 1)
                         WHERE put_version(?1, ?2, ?3, ?4, ?5, hash, content, names, complete, edges)",
                    )?
                    .execute(params![connector, row.0, sequence.cast_signed(), standing, detail])?;
            }
        }
        Ok(())
    }
}

impl Coverage {
    fn save(&self, writer: &Transaction<'_>, connector: i64, field: &str) -> Result<(), StoreError> {
        writer
            .prepare_cached(
                "INSERT OR REPLACE INTO coverage (connector, field, baseline, current, tripped, lost)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                connector,
                field,
                bitmap::write(&self.baseline)?,
                bitmap::write(&self.current)?,
                self.tripped.cast_signed(),
                bitmap::write(&self.lost)?
            ])?;
        Ok(())
    }
}

/// What is stored as an entry's content.
///
/// # Errors
/// When the store cannot be written: the disk is full, or what is stored does not match its sums.
pub fn content(entry: &Entry) -> Result<String, StoreError> {
    Ok(serde_json::to_string(entry)?)
}

/// The next free number; none is ever given twice.
pub(super) fn take_number(next: &mut u32, of: &str) -> Result<u32, StoreError> {
    let number = *next;
    *next = number.checked_add(1).ok_or_else(|| StoreError::Exhausted(of.to_owned()))?;
    Ok(number)
}

pub(super) fn save_touched(
    writer: &Transaction<'_>,
    connector: i64,
    touched: &RoaringBitmap,
) -> Result<(), StoreError> {
    writer
        .prepare_cached("UPDATE indexed SET touched = ?2 WHERE connector = ?1")?
        .execute(params![connector, bitmap::write(touched)?])?;
    Ok(())
}
