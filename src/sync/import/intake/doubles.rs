//! Ids that come on several entries of one read: what stands of them is what stood before.

use std::collections::BTreeSet;

use roaring::RoaringBitmap;

use super::Intake;
use crate::directory::{Anchor, Dn, Reference};
use crate::store::StoreError;
use crate::store::snapshot::{Known, Presence, PresenceByte, RowId, UnreadableEntry, Version};
use crate::sync::import::double::{self, Double, Is};

impl Intake {
    /// Ids that came with several DNs.
    pub(in crate::sync::import) fn doubles(&self) -> Vec<Double> {
        self.doubles.values().cloned().collect()
    }

    /// Notes that an anchor came, if it came before with another DN.
    pub(super) fn note_double(&mut self, row: RowId, anchor: &Anchor, dn: &str) -> Result<(), StoreError> {
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
        let several: Vec<_> = doubles.into_iter().filter(|(_, is)| *is != Is::Renamed).collect();
        let rows: RoaringBitmap = several.iter().map(|(double, _)| double.row.0).collect();
        let mut before = Vec::with_capacity(several.len());
        for (double, _) in &several {
            before.push(self.importing.revert(double.row)?);
            self.seen.insert(double.row.0);
        }
        for (double, _) in &several {
            let dns: Vec<Dn> = double.dns().filter_map(|dn| Dn::parse(dn).ok()).collect();
            for dn in &dns {
                self.claimed.extend(self.importing.name(&Reference::Dn(dn.clone()))?);
            }
            self.astray.entry(double.row).or_default().extend(dns);
        }
        self.tombstones -= &rows;
        for of in [&mut self.read, &mut self.changed, &mut self.written].into_iter().chain(&mut self.kinds) {
            *of -= &rows;
        }
        self.read_lists_as_before(&rows)?;
        for ((double, is), before) in several.iter().zip(before) {
            let (row, why) = (double.row, double.why(*is, attribute));
            self.unreadable += double.dns().count() as u64;
            let known = before.as_ref().map(|(_, dn, _)| dn.as_str());
            for what in double.dns().filter(|other| known.is_none_or(|dn| !double::is_same(other, dn))) {
                let (what, why) = (what.clone(), why.clone());
                self.unknown.add(UnreadableEntry {
                    what,
                    why,
                    anchor: Some(double.anchor.clone()),
                    since: None,
                });
            }
            let Some((before, _, presence)) = before else { continue };
            let frozen = Presence::Unreadable(why);
            if presence != frozen {
                self.importing.note(Known { presence: PresenceByte::Unreadable, ..before });
                self.written.insert(row.0);
                self.untold.insert(row.0);
                self.pending.push(Version::Presence { row, presence: frozen });
            }
        }
        self.flush()?;
        let bearers =
            if several.is_empty() { RoaringBitmap::new() } else { self.bearers(&several, missing)? };
        self.keep(
            &bearers,
            "an entry with its former name shows the id of another one, so it is not known whether it is still there; \
             give that entry its own id again",
        )?;
        Ok((several.len(), bearers))
    }

    /// Who of `missing` was called as one of these entries.
    fn bearers(
        &self,
        several: &[(Double, Is)],
        missing: &RoaringBitmap,
    ) -> Result<RoaringBitmap, StoreError> {
        let dns: BTreeSet<String> =
            several.iter().flat_map(|(double, _)| double.dns()).map(|dn| double::key(dn)).collect();
        let called = self.importing.called(missing, false)?.into_iter();
        Ok(called.filter(|(.., dn)| dns.contains(&double::key(dn))).map(|(row, ..)| row.0).collect())
    }
}
