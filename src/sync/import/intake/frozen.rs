//! Entries that came and of which it is not known whether they are what they seem: what stands of them is what stood before.

use roaring::RoaringBitmap;

use super::Intake;
use crate::directory::{Dn, Reference};
use crate::store::StoreError;
use crate::store::snapshot::{Known, Presence, PresenceByte, RowId, Version};

/// What stood of an entry before this read: what is known of it, its DN, and whether it was there.
pub(super) type Before = Option<(Known, String, Presence)>;

impl Intake {
    /// Takes back what came of these entries, under these DNs; what stood before, of each.
    pub(super) fn take_back(&mut self, entries: &[(RowId, Vec<String>)]) -> Result<Vec<Before>, StoreError> {
        self.flush()?;
        let rows: RoaringBitmap = entries.iter().map(|(row, _)| row.0).collect();
        let mut before = Vec::with_capacity(entries.len());
        for (row, _) in entries {
            before.push(self.importing.revert(*row)?);
        }
        for (row, dns) in entries {
            let dns: Vec<Dn> = dns.iter().filter_map(|dn| Dn::parse(dn).ok()).collect();
            for dn in &dns {
                self.claimed.extend(self.importing.name(&Reference::Dn(dn.clone()))?);
            }
            self.astray.entry(*row).or_default().extend(dns);
        }
        self.seen |= &rows;
        self.tombstones -= &rows;
        for of in [&mut self.read, &mut self.changed, &mut self.written].into_iter().chain(&mut self.kinds) {
            *of -= &rows;
        }
        self.read_lists_as_before(&rows)?;
        Ok(before)
    }

    /// Has an entry stay as it was, as one that could not be understood.
    pub(super) fn freeze(&mut self, row: RowId, before: Known, presence: &Presence, why: String) {
        let frozen = Presence::Unreadable(why);
        if *presence != frozen {
            self.importing.note(Known { presence: PresenceByte::Unreadable, ..before });
            self.written.insert(row.0);
            self.untold.insert(row.0);
            self.pending.push(Version::Presence { row, presence: frozen });
        }
    }
}
