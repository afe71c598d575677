//! Who came under names that they did not have. Where another entry had those and is missing, two records of a file may have been
//! made one: the id of one, and the name of the other.

use std::collections::BTreeSet;

use roaring::RoaringBitmap;

use super::Intake;
use crate::store::StoreError;
use crate::store::snapshot::RowId;
use crate::sync::import::double;
use crate::sync::import::renamed::Renamed;

/// What is wrong with them.
const TAKEN: &str = "it has the DN or login name of an entry that is missing, so two records may have been merged, and it stays as it \
                     was; if that is right, the next export in which anything has changed settles it";

impl Intake {
    /// Those of `missing` whose names another one has for the first time.
    pub(super) fn newly_replaced(&self, missing: &RoaringBitmap) -> Result<RoaringBitmap, StoreError> {
        let new = self.renamed.values().filter(|renamed| renamed.since.is_none());
        let names = new.fold(RoaringBitmap::new(), |names, renamed| names | &renamed.names);
        self.importing.holders(missing, &names)
    }

    /// Has whoever came under a name of these missing entries stay as they were: it is not known whether those are gone.
    pub(super) fn freeze_renamed(&mut self, missing: &RoaringBitmap) -> Result<(), StoreError> {
        if missing.is_empty() || self.renamed.is_empty() {
            return Ok(());
        }
        let names = self.importing.borne_by(missing)?;
        let dns: BTreeSet<String> =
            self.importing.called(missing, false)?.iter().map(|(.., dn)| double::key(dn)).collect();
        let renamed = std::mem::take(&mut self.renamed);
        let came: RoaringBitmap = renamed.keys().map(|row| row.0).collect();
        let mut called = self.importing.called(&(came & &self.read), false)?;
        // By their DNs too, as a DN may have got another number since they are missing.
        called.retain(|(row, _, dn)| {
            let is_named_so = |it: &Renamed| !it.names.is_disjoint(&names);
            renamed.get(row).is_some_and(is_named_so) || dns.contains(&double::key(dn))
        });
        let rows = called.iter().map(|(row, ..)| row.0).collect();
        let anchors = self.importing.anchors(&rows)?;
        let entries: Vec<(RowId, Vec<String>)> =
            called.into_iter().map(|(row, _, dn)| (row, vec![dn])).collect();
        for ((row, dns), (_, anchor)) in entries.iter().zip(&anchors) {
            let since = renamed.get(row).and_then(|it| it.since);
            for dn in dns {
                self.unknown.remember(Some(anchor), dn, since);
            }
        }
        let before = self.take_back(&entries)?;
        for ((row, _), before) in entries.iter().zip(before) {
            let Some((known, _, presence)) = before else { continue };
            self.unreadable += 1;
            self.freeze(*row, known, &presence, TAKEN.to_owned());
        }
        self.flush()
    }
}
