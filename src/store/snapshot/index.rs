//! Which number an anchor or a name has. A full read, which asks for nearly all, has all at hand; the few
//! that a feed's changes ask for are read as they are asked for, in parts.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use sha2::{Digest as _, Sha256};

use crate::directory::Reference;
use crate::store::{Store, StoreError};

/// A hash that is as good as what it was made of: half of a SHA-256.
pub type Fingerprint = [u8; 16];

/// By fingerprint: a hash that needs no hashing again.
type ByFingerprint<V> = HashMap<Fingerprint, V, BuildHasherDefault<Beginning>>;

/// Takes the beginning of a fingerprint for its hash.
#[derive(Clone, Copy, Debug, Default)]
struct Beginning(u64);

impl Hasher for Beginning {
    fn write(&mut self, fingerprint: &[u8]) {
        if let Some(beginning) = fingerprint.first_chunk() {
            self.0 = u64::from_le_bytes(*beginning);
        }
    }

    /// The length, which is that of all.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A fingerprint of these parts.
pub fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Fingerprint {
    let mut hasher = Sha256::new();
    for part in parts {
        // Each part's length goes first, so that no two lists of parts are one text.
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    finish(hasher)
}

/// The fingerprint of a reference's key, without making that.
pub(super) fn fingerprint_of(reference: &Reference) -> Fingerprint {
    let [tag, value] = reference.key_parts();
    let mut hasher = Sha256::new();
    hasher.update(((tag.len() + value.len()) as u64).to_le_bytes());
    hasher.update(tag);
    hasher.update(value);
    finish(hasher)
}

fn finish(hasher: Sha256) -> Fingerprint {
    let mut fingerprint = Fingerprint::default();
    fingerprint.copy_from_slice(&hasher.finalize()[..16]);
    fingerprint
}

/// So many parts there are: a part of 100,000 people is a page of the database, and all parts of a few
/// people are few.
const PARTS: u16 = 1 << 12;

/// Parts to write in one transaction, so that nobody waits for long.
const CHUNK: usize = 1024;

/// What has numbers.
#[derive(Clone, Copy, Debug)]
pub(super) enum IndexKind {
    Anchors,
    Names,
}

/// The numbers of one kind, as they are now; saved when an import is sealed.
#[derive(Debug)]
pub(super) struct Index {
    store: Store,
    connector: i64,
    kind: IndexKind,
    /// `None` for one that was not read yet, or is empty.
    parts: Vec<Option<Box<IndexPage>>>,
    /// Whether all that is stored was read, or counts for nothing.
    is_whole: bool,
}

#[derive(Debug, Default)]
struct IndexPage {
    numbers: ByFingerprint<u32>,
    changed: bool,
}

impl Index {
    /// What is stored.
    pub(super) fn stored(store: &Store, connector: i64, kind: IndexKind) -> Self {
        let parts = (0..PARTS).map(|_| None).collect();
        Self { store: store.clone(), connector, kind, parts, is_whole: false }
    }

    /// Nothing, whatever is stored.
    pub(super) fn empty(store: &Store, connector: i64, kind: IndexKind) -> Self {
        Self { is_whole: true, ..Self::stored(store, connector, kind) }
    }

    pub(super) fn get(&mut self, of: &Fingerprint) -> Result<Option<u32>, StoreError> {
        Ok(self.part(of)?.numbers.get(of).copied())
    }

    pub(super) fn insert(&mut self, of: Fingerprint, number: u32) -> Result<(), StoreError> {
        let part = self.part(&of)?;
        part.numbers.insert(of, number);
        part.changed = true;
        Ok(())
    }

    pub(super) fn remove(&mut self, of: &Fingerprint) -> Result<Option<u32>, StoreError> {
        let part = self.part(of)?;
        let removed = part.numbers.remove(of);
        part.changed |= removed.is_some();
        Ok(removed)
    }

    /// Has all at hand.
    pub(super) fn read_all(&mut self) -> Result<(), StoreError> {
        let parts = &mut self.parts;
        self.store.read(|reader| {
            let mut select =
                reader.prepare_cached("SELECT numbers, part FROM part WHERE connector = ?1 AND kind = ?2")?;
            let mut rows = select.query(params![self.connector, self.kind as u8])?;
            while let Some(row) = rows.next()? {
                if let Some(part @ None) = parts.get_mut(usize::from(row.get::<_, u16>(1)?)) {
                    *part = Some(Box::new(IndexPage::stored(row)?));
                }
            }
            Ok::<_, StoreError>(())
        })?;
        self.is_whole = true;
        Ok(())
    }

    fn part(&mut self, of: &Fingerprint) -> Result<&mut IndexPage, StoreError> {
        let at = u16::from_le_bytes([of[14], of[15]]) % PARTS;
        let part = &mut self.parts[usize::from(at)];
        if part.is_none() && !self.is_whole {
            let stored = self.store.read(|reader| {
                reader
                    .prepare_cached(
                        "SELECT numbers FROM part WHERE connector = ?1 AND kind = ?2 AND part = ?3",
                    )?
                    .query_row(params![self.connector, self.kind as u8, at], |row| Ok(IndexPage::stored(row)))
                    .optional()?
                    .transpose()
            })?;
            *part = stored.map(Box::new);
        }
        Ok(part.get_or_insert_default())
    }

    /// Writes what changed. Until the import is sealed this is of no use, so what is stored counts for
    /// nothing from here to there.
    pub(super) fn save(&mut self) -> Result<(), StoreError> {
        let changed: Vec<(u16, Box<IndexPage>)> = (0..PARTS)
            .zip(std::mem::take(&mut self.parts))
            .filter_map(|(at, part)| Some((at, part.filter(|part| part.changed)?)))
            .collect();
        for chunk in changed.chunks(CHUNK) {
            self.store.write(|writer| {
                writer
                    .prepare_cached("DELETE FROM indexed WHERE connector = ?1")?
                    .execute([self.connector])?;
                let mut save = writer.prepare_cached(
                    "INSERT OR REPLACE INTO part (connector, kind, part, numbers) VALUES (?1, ?2, ?3, ?4)",
                )?;
                for (at, part) in chunk {
                    save.execute(params![self.connector, self.kind as u8, at, part.to_stored()])?;
                }
                Ok::<_, StoreError>(())
            })?;
        }
        Ok(())
    }
}

/// After a change by a version that does not keep it, the index is made anew.
pub(in crate::store) fn drop_outdated(writer: &Transaction<'_>) -> Result<(), StoreError> {
    writer.execute("DELETE FROM indexed WHERE (SELECT indexed <> sequence FROM store)", [])?;
    Ok(())
}

impl IndexPage {
    fn stored(row: &Row<'_>) -> Result<Self, StoreError> {
        let stored = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        let (numbers, rest) = stored.as_chunks::<20>();
        if !rest.is_empty() {
            return Err(StoreError::Damaged("numbers of anchors or names".to_owned()));
        }
        let numbers = numbers.iter().map(|stored| {
            let (mut fingerprint, mut number) = (Fingerprint::default(), [0; 4]);
            fingerprint.copy_from_slice(&stored[..16]);
            number.copy_from_slice(&stored[16..]);
            (fingerprint, u32::from_le_bytes(number))
        });
        Ok(Self { numbers: numbers.collect(), changed: false })
    }

    fn to_stored(&self) -> Vec<u8> {
        let mut stored = Vec::with_capacity(self.numbers.len() * 20);
        for (fingerprint, number) in &self.numbers {
            stored.extend_from_slice(fingerprint);
            stored.extend_from_slice(&number.to_le_bytes());
        }
        stored
    }
}
