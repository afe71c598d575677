//! What an import asks of what is stored, and what it has at hand of it.

use std::collections::HashMap;

use jiff::Timestamp;
use roaring::RoaringBitmap;
use rusqlite::{OptionalExtension as _, params};

use super::index::{Fingerprint, fingerprint};
use super::known::{Known, PresenceByte};
use super::newest::{ANY, Newest};
use super::write::{Importing, take_number};
use super::{Presence, RowId};
use crate::directory::{Anchor, EntryKind};
use crate::store::{StoreError, bitmap};

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
        self.edges_of(row, false)
    }

    /// The names that the row's member list stated before this import.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn edges_before(&self, row: RowId) -> Result<RoaringBitmap, StoreError> {
        self.edges_of(row, true)
    }

    fn edges_of(&self, row: RowId, sealed: bool) -> Result<RoaringBitmap, StoreError> {
        self.store.read(|reader| {
            let mut newest = Newest::select("edges", reader, self.connector, self.until(sealed))?;
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

    /// What was last written of the row's presence.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was changed by another hand.
    pub fn presence(&self, row: RowId) -> Result<Option<Presence>, StoreError> {
        self.store.read(|reader| {
            let mut newest = Newest::select("standing, detail", reader, self.connector, ANY)?;
            newest.of(row.0, |row| Presence::read(row, 0))
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
}
