//! Writing an import: new versions beside the sealed ones, then the seal.

use std::collections::HashMap;

use roaring::RoaringBitmap;
use rusqlite::{Transaction, params};

use super::accepted::end_acceptance;
use super::index::{Fingerprint, Index};
use super::known::EntryIndex;
use super::{Presence, RowId, SnapshotInfo};
use crate::directory::{Anchor, Cursor, Entry};
use crate::store::sequence::next_sequence;
use crate::store::{Store, StoreError, bitmap};

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

impl Importing {
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
