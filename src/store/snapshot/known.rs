//! What is known of each anchor, before and during an import.

use std::collections::HashMap;

use roaring::RoaringBitmap;

use super::index::{Fingerprint, Index, fingerprint};
use super::newest::{ANY, Newest};
use super::{Presence, RowId};
use crate::directory::Anchor;
use crate::store::{Store, StoreError};

/// What is known of an anchor before or during an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its row.
    pub row: RowId,
    /// Of its content, names and members as last written.
    pub hash: Fingerprint,
    /// Whether it is there.
    pub presence: PresenceByte,
}

/// [`Presence`] in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresenceByte {
    /// The last read brought it.
    Present,
    /// It came, and could not be understood.
    Unreadable,
    /// It is gone.
    Gone,
    /// It was missed, and not looked up.
    Unsettled,
}

/// Where more than one in so many is asked for, all are read at once.
const MANY: u64 = 10;

/// Every entry that was ever read.
#[derive(Debug)]
pub(super) struct EntryIndex {
    store: Store,
    connector: i64,
    pub(super) anchors: Index,
    /// What was asked for or written.
    rows: HashMap<u32, (Fingerprint, PresenceByte)>,
    all: bool,
    /// Who is not gone, by what was written.
    pub(super) there: RoaringBitmap,
}

impl EntryIndex {
    pub(super) fn new(store: &Store, connector: i64, anchors: Index, there: RoaringBitmap) -> Self {
        Self { store: store.clone(), connector, anchors, rows: HashMap::new(), all: false, there }
    }

    pub(super) fn get(&mut self, anchor: &Anchor) -> Result<Option<Known>, StoreError> {
        let Some(row) = self.anchors.get(&fingerprint([anchor.as_str().as_bytes()]))? else {
            return Ok(None);
        };
        if !self.all && self.rows.len() as u64 * MANY > self.there.len() {
            self.read_rows()?;
        }
        let (hash, presence) = if let Some(known) = self.rows.get(&row) {
            *known
        } else {
            let newest = self.newest(row)?;
            self.rows.insert(row, newest);
            newest
        };
        Ok(Some(Known { row: RowId(row), hash, presence }))
    }

    /// What was, or is about to be, written of a row.
    pub(super) fn set(&mut self, known: Known) {
        self.rows.insert(known.row.0, (known.hash, known.presence));
    }

    /// Has all at hand: for who asks for nearly all.
    pub(super) fn read_all(&mut self) -> Result<(), StoreError> {
        self.anchors.read_all()?;
        self.read_rows()
    }

    fn read_rows(&mut self) -> Result<(), StoreError> {
        self.all = true;
        let known = &mut self.rows;
        self.store.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT entry, hash, standing FROM version WHERE connector = ?1 ORDER BY entry, sequence DESC",
            )?;
            let mut rows = statement.query([self.connector])?;
            while let Some(row) = rows.next()? {
                // The newest comes first, and what is about to be written is newer.
                let standing = PresenceByte::from_stored(row.get(2)?);
                known.entry(row.get(0)?).or_insert((row.get(1)?, standing));
            }
            Ok(())
        })
    }

    /// A row without a version is of an import that was never sealed.
    fn newest(&self, row: u32) -> Result<(Fingerprint, PresenceByte), StoreError> {
        if self.all {
            return Ok((Fingerprint::default(), PresenceByte::Gone));
        }
        self.store.read(|reader| {
            let mut newest = Newest::select("hash, standing", reader, self.connector, ANY)?;
            let newest = newest.of(row, |row| Ok((row.get(0)?, PresenceByte::from_stored(row.get(1)?))))?;
            Ok(newest.unwrap_or((Fingerprint::default(), PresenceByte::Gone)))
        })
    }
}

impl PresenceByte {
    pub(super) fn of(presence: &Presence) -> Self {
        match presence {
            Presence::Present => Self::Present,
            Presence::Unreadable(_) => Self::Unreadable,
            Presence::Gone { .. } => Self::Gone,
            Presence::Unsettled { .. } => Self::Unsettled,
        }
    }

    fn from_stored(standing: u8) -> Self {
        match standing {
            0 => Self::Present,
            1 => Self::Unreadable,
            3 => Self::Unsettled,
            _ => Self::Gone,
        }
    }
}
