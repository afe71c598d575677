//! Places from which everybody is missing at once.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use super::Intake;
use crate::directory::{Dn, EntryKind, Place};
use crate::store::StoreError;
use crate::store::snapshot::Coverage;
use crate::sync::import::place::Places;

impl Intake {
    /// Places that vanished, in this read or before it, as far as they are not back.
    /// `orphans` are those who are missing with the entry right above them; of a source that cannot look up, what it brought tells.
    pub(super) fn places(
        &self,
        missing: &RoaringBitmap,
        orphans: RoaringBitmap,
        unprovable: bool,
    ) -> Result<BTreeMap<String, Coverage>, StoreError> {
        let orphans = if unprovable { self.without_place(missing)? } else { orphans };
        let before =
            self.coverage.iter().filter(|(field, place)| Place::of(field).is_some() && place.tripped > 0);
        let back = &self.seen | &self.tombstones;
        let mut places: BTreeMap<String, Coverage> = BTreeMap::new();
        for (field, place) in before {
            let mut lost = &place.lost - &back;
            // A group that stays away where others are back has gone as any other, whoever is in it.
            if !place.lost.is_disjoint(&self.seen) {
                for (row, kind, _) in self.importing.called(&lost, false)? {
                    if kind == EntryKind::Group {
                        lost.remove(row.0);
                    }
                }
            }
            places.insert(field.clone(), Coverage { lost, ..Coverage::default() });
        }
        // Whoever goes from a place in which nobody is yet goes with those who went before.
        let lost = places.values().fold(missing.clone(), |all, place| all | &place.lost);
        let vanished = if missing.is_empty() { BTreeMap::new() } else { self.vanished(&lost, &orphans)? };
        for (dn, rows) in vanished {
            places.entry(Place::field(&dn)).or_default().lost |= rows;
        }
        for place in places.values_mut() {
            place.tripped = place.lost.len();
        }
        Ok(places)
    }

    /// Those of `missing` of whom a read of everything brought no entry right above them, though it brings places.
    fn without_place(&self, missing: &RoaringBitmap) -> Result<RoaringBitmap, StoreError> {
        let called = self.importing.called(missing, false)?;
        let orphans = called.iter().filter(|(_, _, dn)| self.holders.lack_place_of(dn));
        Ok(orphans.map(|(row, ..)| row.0).collect())
    }

    /// The places from which everybody is missing.
    pub(super) fn vanished(
        &self,
        missing: &RoaringBitmap,
        orphans: &RoaringBitmap,
    ) -> Result<BTreeMap<Dn, RoaringBitmap>, StoreError> {
        let missing = self.importing.called(missing, false)?;
        let mut places =
            Places::of(missing.iter().map(|(row, kind, dn)| (*row, *kind, dn.as_str())), orphans);
        if places.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.importing.for_each_dn(&mut |row, dn| {
            if self.seen.contains(row.0) {
                places.there(dn);
            }
            !places.is_empty()
        })?;
        if !places.is_empty() {
            let moved = self.importing.called(&(&self.written & &self.read), true)?;
            for (_, _, from) in &moved {
                places.moved(from);
            }
        }
        Ok(places.vanished())
    }
}
