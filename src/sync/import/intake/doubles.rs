//! Ids that come on several entries of one read: what stands of them is what stood before.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::Intake;
use crate::directory::{Anchor, Dn, Reference};
use crate::store::StoreError;
use crate::store::snapshot::{RowId, UnreadableEntry};
use crate::sync::import::double::{self, Double, Is};
use crate::sync::import::nameless::Nameless;

impl Intake {
    /// Ids that came with several DNs.
    pub(in crate::sync::import) fn doubles(&self) -> Vec<Double> {
        self.doubles.values().cloned().collect()
    }

    /// Notes that an anchor came, if it came before with another DN; and since when it comes with this one, if it was not believed.
    pub(super) fn note_double(
        &mut self,
        row: RowId,
        anchor: &Anchor,
        dn: &str,
        since: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.came_before.extend(since.map(|since| ((row, double::key(dn)), since)));
        if let Some(double) = self.doubles.get_mut(&row) {
            double.add(dn);
            return Ok(());
        }
        let before = match self.damaged.get(&row.0) {
            Some(before) => before.clone(),
            None if self.read.contains(row.0) => {
                self.flush_of(row)?;
                let last = self.importing.called(&RoaringBitmap::from_iter([row.0]), false)?;
                let Some((_, _, before)) = last.into_iter().next() else { return Ok(()) };
                before
            }
            None if self.is_full && self.tombstones.contains(row.0) => double::DELETED.to_owned(),
            None => return Ok(()),
        };
        if !double::is_same(&before, dn) {
            let mut double = Double::new(row, anchor, &before);
            double.add(dn);
            self.doubles.insert(row, double);
        }
        Ok(())
    }

    /// What stands of ids that several entries bear is what stood before; how many such ids there are. Who of `missing` was called
    /// as one of those entries stays too, and is given back: it may be theirs, with an id that is wrong.
    pub(super) fn settle_doubles(
        &mut self,
        doubles: Vec<(Double, Is)>,
        attribute: &str,
        missing: &RoaringBitmap,
    ) -> Result<(usize, RoaringBitmap), StoreError> {
        let mut copied = std::mem::take(&mut self.copied);
        // Who was a copy is no new name of the other one.
        let of_one = |(double, is): &(Double, Is)| *is == Is::Renamed && !copied.contains_key(&double.row);
        let mut several: Vec<_> = doubles.into_iter().filter(|double| !of_one(double)).collect();
        let how_many = several.len();
        copied.retain(|row, _| several.iter().all(|(double, _)| double.row != *row));
        several.extend(copied.into_values().map(|double| (double, Is::Left)));
        if several.is_empty() {
            return Ok((0, RoaringBitmap::new()));
        }
        let entries: Vec<(RowId, Vec<String>)> =
            several.iter().map(|(double, _)| (double.row, double.dns().cloned().collect())).collect();
        let before = self.take_back(&entries)?;
        let bearers = self.bearers(&several, missing)?;
        let had = self.who_had(&several)?;
        for ((double, is), before) in several.iter().zip(before) {
            let (row, why) = (double.row, double.why(*is, attribute));
            self.note_copies(double, *is, before.as_ref().map(|(_, dn, _)| dn));
            self.unreadable += double.dns().count() as u64;
            for what in double.dns() {
                let key = double::key(what);
                let since = self.came_before.get(&(row, key.clone())).copied();
                let had = had.get(&key);
                let is_bearers = bearers.contains_key(&key);
                if had.is_none() && !is_bearers {
                    // It may be whoever is missing since it came so first.
                    self.nameless = self.nameless.max(Nameless::since(since));
                }
                self.unknown.remember(Some(&double.anchor), what, since);
                let is_known = before.as_ref().is_some_and(|(_, dn, _)| double::is_same(what, dn));
                // Who was called so is named.
                let was_damaged =
                    had.is_some_and(|had| had.iter().any(|row| self.damaged.contains_key(&row)));
                let is_named =
                    is_known || is_bearers || was_damaged || what == double::DELETED || *is == Is::Left;
                if !is_named {
                    let (what, why, anchor) = (what.clone(), why.clone(), Some(double.anchor.clone()));
                    self.unknown.add(UnreadableEntry { what, why, anchor, since: None });
                }
            }
            if let Some((before, _, presence)) = before {
                self.freeze(row, before, &presence, why);
            }
        }
        self.flush()?;
        let bearers = bearers.into_values().map(|row| row.0).collect();
        self.keep(
            &bearers,
            "an entry with its former name shows the id of another one, so it is not known whether it is still there; \
             give that entry its own id again",
        )?;
        Ok((how_many, bearers))
    }

    /// Who has the DNs of these entries, by what stands of them; each DN as it is compared.
    fn who_had(&mut self, several: &[(Double, Is)]) -> Result<HashMap<String, RoaringBitmap>, StoreError> {
        let mut names = HashMap::new();
        for dn in several.iter().flat_map(|(double, _)| double.dns()).filter_map(|dn| Dn::parse(dn).ok()) {
            let name = self.importing.name(&Reference::Dn(dn.clone()))?;
            names.extend(name.map(|name| (name, dn.to_string())));
        }
        let all = names.keys().copied().collect();
        let holders = self.importing.holders_of_each(self.importing.there(), &all)?.into_iter();
        Ok(holders.filter_map(|(name, rows)| Some((names.remove(&name)?, rows))).collect())
    }

    /// Who of `missing` was called as one of these entries, by how that is compared.
    fn bearers(
        &self,
        several: &[(Double, Is)],
        missing: &RoaringBitmap,
    ) -> Result<BTreeMap<String, RowId>, StoreError> {
        let dns: BTreeSet<String> =
            several.iter().flat_map(|(double, _)| double.dns()).map(|dn| double::key(dn)).collect();
        let called = self.importing.called(missing, false)?.into_iter();
        let called = called.map(|(row, _, dn)| (double::key(&dn), row));
        Ok(called.filter(|(dn, _)| dns.contains(dn)).collect())
    }
}
