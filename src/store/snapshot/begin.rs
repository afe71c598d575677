//! Beginning an import: what is of no use any more is cleared away, and what is known is found.

use std::collections::{BTreeMap, HashMap};

use roaring::RoaringBitmap;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::index::{Index, IndexKind, fingerprint};
use super::known::EntryIndex;
use super::write::{Coverage, Importing, save_touched};
use super::{SnapshotInfo, read};
use crate::directory::{ConnectorName, Cursor};
use crate::store::{Store, StoreError, bitmap, numbers};

/// What was there before an import.
#[derive(Debug)]
pub struct Before {
    /// What the last seal said.
    pub info: Option<SnapshotInfo>,
    /// Where the feed resumes.
    pub cursor: Option<Cursor>,
    /// By field.
    pub coverage: BTreeMap<String, Coverage>,
}

/// What was noted at the last seal and since, so that nobody has to look for it.
struct Noted {
    there: RoaringBitmap,
    touched: RoaringBitmap,
}

impl Store {
    /// Begins an import of `connector`. There must be only one at a time for each connector.
    ///
    /// # Errors
    /// When the store cannot be written: the disk is full, or what is stored does not match its sums.
    pub fn begin_import(&self, connector: &ConnectorName) -> Result<(Before, Importing), StoreError> {
        self.refuse_damaged(connector)?;
        let (id, sealed) = self.write(|writer| {
            let id = numbers::of_connector(writer, connector)?;
            let found: (i64, i64) = writer
                .prepare_cached("SELECT id, sealed FROM connector WHERE id = ?1")?
                .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            // Names and anchors that no sealed version has: a retired name may be among them a second time. A
            // seal that did not say where new ones begin keeps all.
            for (table, first) in [("name", "next_name"), ("entry", "next_row")] {
                writer
                    .prepare_cached(&format!(
                        "DELETE FROM {table} WHERE connector = ?1 AND id >=
                             (SELECT nullif(json_extract(info, '$.{first}'), 0) FROM connector WHERE id = ?1)"
                    ))?
                    .execute([found.0])?;
            }
            Ok::<_, StoreError>(found)
        })?;
        let (info, noted) = self.read(|reader| {
            let info = read::sealed(reader, connector)?.map(|(_, info)| info);
            Ok::<_, StoreError>((info, noted(reader, id)?))
        })?;
        let first_new = info.as_ref().map_or(0, |info| info.next_row);
        let shared =
            info.as_ref().map(|info| info.shared_names.iter().copied().collect()).unwrap_or_default();
        let noted = noted.filter(|_| first_new > 0);
        let touched = noted.as_ref().map(|noted| &noted.touched);
        let useless = self.read(|reader| useless(reader, id, sealed, touched, first_new))?;
        if !useless.is_empty() {
            self.pins().wait_for_older(id, sealed.cast_unsigned());
            delete(self, id, &useless)?;
        }
        let (names, entries) = match noted {
            Some(noted) => {
                if !noted.touched.is_empty() {
                    note_touched(self, id, &RoaringBitmap::new())?;
                }
                let anchors = Index::stored(self, id, IndexKind::Anchors);
                (Index::stored(self, id, IndexKind::Names), EntryIndex::new(self, id, anchors, noted.there))
            }
            None => index(self, id)?,
        };
        self.read(|reader| {
            let (completion, next_row, next_name, cursor) = reader
                .prepare_cached(
                    "SELECT completion, next_row, next_name, cursor FROM connector WHERE id = ?1",
                )?
                .query_row([id], |row| {
                    Ok((
                        row.get::<_, i64>(0)?,
                        row.get(1)?,
                        row.get(2)?,
                        row.get::<_, Option<Vec<u8>>>(3)?.map(Cursor),
                    ))
                })?;
            let importing = Importing {
                store: self.clone(),
                connector: id,
                sealed: sealed.cast_unsigned(),
                newest: sealed.cast_unsigned(),
                completion: completion.cast_unsigned(),
                first_new: next_row,
                next_row,
                next_name,
                entries,
                names,
                written: RoaringBitmap::new(),
                touched: RoaringBitmap::new(),
                new_rows: Vec::new(),
                new_names: Vec::new(),
                retired: RoaringBitmap::new(),
                former: HashMap::new(),
                given: HashMap::new(),
                lent: Vec::new(),
                shared,
            };
            Ok((Before { info, cursor, coverage: coverage(reader, id)? }, importing))
        })
    }
}

fn noted(reader: &Transaction<'_>, connector: i64) -> Result<Option<Noted>, StoreError> {
    let noted: Option<(Vec<u8>, Vec<u8>)> = reader
        .prepare_cached("SELECT there, touched FROM indexed WHERE connector = ?1")?
        .query_row([connector], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((there, touched)) = noted else { return Ok(None) };
    Ok(Some(Noted { there: bitmap::read(&there)?, touched: bitmap::read(&touched)? }))
}

/// Notes the rows of which there may be several versions.
pub(super) fn note_touched(store: &Store, connector: i64, touched: &RoaringBitmap) -> Result<(), StoreError> {
    store.write(|writer| save_touched(writer, connector, touched))
}

/// Versions that nobody needs: superseded by a sealed one, or never sealed. They are of rows that were
/// touched or are new; where that was not noted, of any.
fn useless(
    reader: &Transaction<'_>,
    connector: i64,
    sealed: i64,
    touched: Option<&RoaringBitmap>,
    first_new: u32,
) -> Result<Vec<(u32, i64)>, StoreError> {
    let mut useless = Useless { sealed, found: Vec::new(), last: None };
    if let Some(touched) = touched {
        let mut statement = reader.prepare_cached(
            "SELECT sequence FROM version WHERE connector = ?1 AND entry = ?2 ORDER BY sequence",
        )?;
        for row in touched {
            let mut rows = statement.query(params![connector, row])?;
            while let Some(version) = rows.next()? {
                useless.note(row, version.get(0)?);
            }
        }
    }
    let from = if touched.is_some() { first_new } else { 0 };
    let mut statement = reader.prepare_cached(
        "SELECT entry, sequence FROM version WHERE connector = ?1 AND entry >= ?2 ORDER BY entry, sequence",
    )?;
    let mut rows = statement.query([connector, i64::from(from)])?;
    while let Some(version) = rows.next()? {
        useless.note(version.get(0)?, version.get(1)?);
    }
    Ok(useless.found)
}

/// Of versions that come in order.
struct Useless {
    sealed: i64,
    found: Vec<(u32, i64)>,
    last: Option<(u32, i64)>,
}

impl Useless {
    fn note(&mut self, entry: u32, sequence: i64) {
        let version = (entry, sequence);
        if sequence > self.sealed {
            self.found.push(version);
        } else {
            self.found.extend(self.last.replace(version).filter(|(last, _)| *last == entry));
        }
    }
}

/// Rows to delete in one transaction, so that nobody waits for long.
const CHUNK: usize = 5000;

fn delete(store: &Store, connector: i64, versions: &[(u32, i64)]) -> Result<(), StoreError> {
    for chunk in versions.chunks(CHUNK) {
        store.write(|writer| {
            let mut delete = writer.prepare_cached(
                "DELETE FROM version WHERE connector = ?1 AND entry = ?2 AND sequence = ?3",
            )?;
            for (entry, sequence) in chunk {
                delete.execute(params![connector, entry, sequence])?;
            }
            Ok::<_, StoreError>(())
        })?;
    }
    Ok(())
}

/// What is known where it was not noted: before the first seal, where an earlier version of Rollcall wrote
/// last, and where a process died while it was being written.
fn index(store: &Store, connector: i64) -> Result<(Index, EntryIndex), StoreError> {
    store.write(|writer| {
        writer.prepare_cached("DELETE FROM part WHERE connector = ?1")?.execute([connector])?;
        Ok::<_, StoreError>(())
    })?;
    let mut names = Index::empty(store, connector, IndexKind::Names);
    let mut anchors = Index::empty(store, connector, IndexKind::Anchors);
    let there = store.read(|reader| {
        let known = "SELECT key, id FROM name WHERE connector = ?1 AND key NOT GLOB 'retired *'";
        fill(reader, connector, known, &mut names)?;
        fill(reader, connector, "SELECT anchor, id FROM entry WHERE connector = ?1", &mut anchors)?;
        let mut statement = reader.prepare_cached(
            "SELECT entry FROM version WHERE connector = ?1 AND standing <> 2 ORDER BY entry",
        )?;
        let there = statement.query_map([connector], |row| row.get::<_, u32>(0))?;
        Ok::<_, StoreError>(there.collect::<Result<RoaringBitmap, _>>()?)
    })?;
    Ok((names, EntryIndex::new(store, connector, anchors, there)))
}

fn fill(reader: &Transaction<'_>, connector: i64, sql: &str, index: &mut Index) -> Result<(), StoreError> {
    let mut statement = reader.prepare_cached(sql)?;
    let mut rows = statement.query([connector])?;
    while let Some(row) = rows.next()? {
        let text = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        index.insert(fingerprint([text.as_bytes()]), row.get(1)?)?;
    }
    Ok(())
}

fn coverage(reader: &Transaction<'_>, connector: i64) -> Result<BTreeMap<String, Coverage>, StoreError> {
    let mut statement = reader.prepare_cached(
        "SELECT field, baseline, current, tripped, lost FROM coverage WHERE connector = ?1",
    )?;
    let mut rows = statement.query([connector])?;
    let mut coverage = BTreeMap::new();
    while let Some(row) = rows.next()? {
        coverage.insert(
            row.get(0)?,
            Coverage {
                baseline: bitmap::read(&row.get::<_, Vec<u8>>(1)?)?,
                current: bitmap::read(&row.get::<_, Vec<u8>>(2)?)?,
                tripped: row.get::<_, i64>(3)?.cast_unsigned(),
                lost: bitmap::read(&row.get::<_, Vec<u8>>(4)?)?,
            },
        );
    }
    Ok(coverage)
}
