//! Who is gone by what the directory says, and who is there and not read.

use roaring::RoaringBitmap;

use super::Intake;
use crate::directory::{Anchor, EntryKind, Evidence, Grade, OfNoKind};
use crate::store::StoreError;
use crate::store::snapshot::{Known, Presence, PresenceByte, RowId, Version};
use crate::sync::import::double;

impl Intake {
    /// The directory says so.
    pub(super) fn gone(&mut self, anchor: &Anchor, grade: Grade) -> Result<(), StoreError> {
        self.unknown.heard_of(Some(anchor), None);
        let known = self.importing.known(anchor)?.filter(|known| known.presence != PresenceByte::Gone);
        let Some(known) = known else { return Ok(()) };
        let row = known.row;
        if self.is_full {
            self.note_double(row, anchor, double::DELETED, None)?;
        }
        // What was told of its members before stands; it is noted as there by that.
        self.write_told_of(row)?;
        self.importing.note(Known { presence: PresenceByte::Gone, ..known });
        self.seen.remove(row.0);
        self.read.remove(row.0);
        self.tombstones.insert(row.0);
        self.kinds.iter_mut().for_each(|rows| {
            rows.remove(row.0);
        });
        let evidence = Evidence::data(grade);
        let presence = Presence::Gone { evidence, since: self.started_at };
        self.written.insert(row.0);
        self.flush_of(row)?;
        self.importing.retire_names(row)?;
        self.name_anew()?;
        self.pending.push(Version::Presence { row, presence });
        Ok(())
    }

    /// A listing says of it that it is there; what it is, is known.
    pub(super) fn unchanged(&mut self, anchor: &Anchor) -> Result<(), StoreError> {
        self.listed = true;
        match self.importing.known(anchor)? {
            Some(known) if known.presence != PresenceByte::Gone => {
                let row = known.row;
                self.seen.insert(row.0);
                if known.presence == PresenceByte::Unsettled {
                    self.importing.note(Known { presence: PresenceByte::Present, ..known });
                    self.written.insert(row.0);
                    self.pending.push(Version::Presence { row, presence: Presence::Present });
                }
            }
            _ => self.unheard += 1,
        }
        Ok(())
    }

    /// It is there, and not among those that are read.
    pub(super) fn outside(&mut self, anchor: &Anchor) -> Result<(), StoreError> {
        self.unknown.heard_of(Some(anchor), None);
        let known = self.importing.known(anchor)?.filter(|known| known.presence != PresenceByte::Gone);
        self.outside.extend(known.map(|known| known.row.0));
        Ok(())
    }

    /// Of those who are known it is no evidence of anything, unless a filter of somebody's own left them out.
    pub(super) fn of_no_kind(&mut self, entry: OfNoKind) -> Result<(), StoreError> {
        let known = self.importing.known(&entry.anchor)?;
        let Some(known) = known.filter(|known| known.presence != PresenceByte::Gone) else { return Ok(()) };
        if self.is_of(known.row, entry.kinds)? {
            return self.unreadable(Some(&entry.anchor), entry.what, entry.why);
        }
        if self.is_full { self.outside(&entry.anchor) } else { self.gone(&entry.anchor, Grade::OutOfScope) }
    }

    /// Those who are there and are not read. Whom a look-up found as entries of no kind keep what they have, unless a filter of
    /// somebody's own left them out.
    pub(super) fn elsewhere(
        &mut self,
        of_no_kind: Vec<(RowId, OfNoKind)>,
    ) -> Result<impl Iterator<Item = RowId> + use<>, StoreError> {
        for (row, entry) in of_no_kind {
            if self.is_of(row, entry.kinds)? {
                self.unreadable(Some(&entry.anchor), entry.what, entry.why)?;
            } else {
                self.outside.insert(row.0);
            }
        }
        // One that is left out may have the id of somebody who is read.
        Ok((&self.outside - &self.seen).into_iter().map(RowId))
    }

    /// Whether it was of one of these kinds when it was read last; of one that never was, nothing else is known.
    pub(super) fn is_of(&mut self, row: RowId, kinds: &[EntryKind]) -> Result<bool, StoreError> {
        self.flush_of(row)?;
        let was = self.importing.called(&RoaringBitmap::from_iter([row.0]), false)?;
        Ok(was.first().is_none_or(|(_, kind, _)| kinds.contains(kind)))
    }
}
