//! Copies: entries with the id of another one, of which it is known who had it first. What that has is not theirs when it is gone.

use std::collections::BTreeSet;

use super::Intake;
use crate::directory::{Anchor, Entry, Stated, fields};
use crate::store::StoreError;
use crate::store::snapshot::{Known, Remembered, RowId};
use crate::sync::import::double::{self, Double, Is};

/// Whether both have a login name, an address or a group's name.
fn share_a_name(one: &Entry, other: &Entry) -> bool {
    let values = |entry: &Entry, field: &str| match entry.fields.get(field) {
        Some(Stated::Values(values)) => values.iter().map(|value| value.to_lowercase()).collect(),
        Some(Stated::Undecodable) | None => BTreeSet::new(),
    };
    let share = |field| !values(one, field).is_disjoint(&values(other, field));
    [fields::MAIL, fields::USER_NAME, fields::NAME].into_iter().any(share)
}

impl Intake {
    /// Notes whether an entry that came is a copy, by what stood of its row until now.
    pub(super) fn note_copied(
        &mut self,
        row: RowId,
        known: Option<Known>,
        entry: &Entry,
    ) -> Result<(), StoreError> {
        self.copied.remove(&row);
        if known.is_none() || !self.was_copy(&entry.anchor, &entry.dn) {
            return Ok(());
        }
        self.flush_of(row)?;
        let last = self.importing.last(row)?;
        let former = last.and_then(|last| serde_json::from_str::<Entry>(&last.content).ok());
        let is_other =
            |former: &Entry| !double::is_same(&former.dn, &entry.dn) && !share_a_name(former, entry);
        if former.is_some_and(|former| is_other(&former)) {
            self.copied.insert(row, Double::new(row, &entry.anchor, &entry.dn));
        }
        Ok(())
    }

    /// An entry of which nothing else is known is the copy that it was.
    pub(super) fn note_copy(&mut self, anchor: &Anchor, dn: &str) {
        if self.was_copy(anchor, dn) {
            self.copies.add(Some(anchor), &double::key(dn), self.started_at);
        }
    }

    /// Of entries with one id, those are copies that are not called as the one that had it first.
    pub(super) fn note_copies(&mut self, double: &Double, is: Is, first: Option<&String>) {
        let Some(first) = first else { return };
        for dn in double.dns().filter(|dn| !double::is_same(dn, first)) {
            // One entry may have been renamed.
            if is != Is::Unknown || self.was_copy(&double.anchor, dn) {
                self.copies.add(Some(&double.anchor), &double::key(dn), self.started_at);
            }
        }
    }

    /// Those that the next read is to know.
    pub(super) fn copies_now(&mut self, full: bool) -> Remembered {
        let mut now = std::mem::take(&mut self.copies);
        if let Some(info) = self.info.as_ref().filter(|_| !full) {
            now.extend(info.copies.clone());
        }
        now
    }

    fn was_copy(&self, anchor: &Anchor, dn: &str) -> bool {
        let before = self.info.as_ref().map(|info| &info.copies).filter(|copies| !copies.is_empty());
        before.is_some_and(|copies| copies.since(Some(anchor), &double::key(dn)).is_some())
    }
}
