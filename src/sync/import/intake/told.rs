//! What a feed tells of members: who came and who went, in as many parts as it likes.

use roaring::RoaringBitmap;

use super::Intake;
use crate::directory::{Anchor, Entry, Members, Reference};
use crate::store::StoreError;
use crate::store::snapshot::{Known, Last, PresenceByte, RowId};
use crate::sync::import::members_told::MembersTold;

/// Why a list is partial of which nothing was ever told, or not since it was known last.
const NOT_STATED: &str = "the directory said nothing of its members when it told of the group; they are known after the next full \
                          read";

impl Intake {
    /// Keeps it until the list is needed or all has come: a large list is written once, not with each part. Of a group that is
    /// not known, or could not be understood, the whole list must come.
    pub(super) fn members_delta(
        &mut self,
        group: &Anchor,
        added: &[Reference],
        removed: &[Reference],
    ) -> Result<(), StoreError> {
        let known = self.importing.known(group)?.filter(|known| known.presence == PresenceByte::Present);
        let Some(known) = known else { return Ok(()) };
        let added = self.importing.intern(added)?;
        let mut gone = RoaringBitmap::new();
        for reference in removed {
            // One that no list ever stated is in none.
            gone.extend(self.importing.name(reference)?);
        }
        self.told.entry(known.row).or_default().then(&added, &(gone - &added));
        Ok(())
    }

    /// Writes what was told of members.
    pub(super) fn write_told(&mut self) -> Result<(), StoreError> {
        while let Some(row) = self.told.keys().next().copied() {
            self.write_told_of(row)?;
            if self.pending.is_full() {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Writes what was told of the members of this group, if it was.
    pub(super) fn write_told_of(&mut self, row: RowId) -> Result<(), StoreError> {
        let Some(MembersTold { added, removed }) = self.told.remove(&row) else { return Ok(()) };
        self.flush_version_of(row)?;
        let Some(last) = self.importing.last(row)? else { return Ok(()) };
        let Some((before, complete)) = last.edges else { return Ok(()) };
        let gone = self.meant_by(&removed, &before)?;
        let edges = (&before - gone) | &added;
        self.carried.list(row, !edges.is_empty());
        if edges == before {
            return Ok(());
        }
        if self.info.is_some() {
            // Whoever is called so by now is meant.
            *self.newly_listed.entry(row).or_default() |= &added - &before;
        }
        self.changed.insert(row.0);
        self.written.insert(row.0);
        self.write_again(row, Last { edges: Some((edges, complete)), ..last })
    }

    /// The numbers by which a list has those who are called so now: a list may have somebody by a DN of before.
    fn meant_by(&mut self, names: &RoaringBitmap, list: &RoaringBitmap) -> Result<RoaringBitmap, StoreError> {
        let mut meant = names.clone();
        let dns = self.importing.dns_of_now(names)?;
        if dns.is_empty() {
            return Ok(meant);
        }
        for former in self.importing.former_among(list)? {
            self.flush_version_of(former.row)?;
            if self.importing.bears(former.row, &dns)? {
                meant.insert(former.name);
            }
        }
        Ok(meant)
    }

    /// The list that a group has, of which nothing is said now, and whether it is known in full.
    pub(super) fn as_before(&mut self, known: Option<Known>) -> Result<(RoaringBitmap, bool), StoreError> {
        let Some(known) = known else { return Ok((RoaringBitmap::new(), false)) };
        self.flush_version_of(known.row)?;
        let (edges, complete) =
            self.importing.last(known.row)?.and_then(|last| last.edges).unwrap_or_default();
        // What a feed told of members while it was not among those who are there was not heard.
        Ok((edges, complete && known.presence == PresenceByte::Present))
    }

    /// Why a list is partial of which nothing is said now.
    pub(super) fn why_partial(&self, known: Option<Known>) -> Result<String, StoreError> {
        let last = known.map(|known| self.importing.last(known.row)).transpose()?.flatten();
        let was = last.and_then(|last| serde_json::from_str::<Entry>(&last.content).ok());
        Ok(match was.map(|was| was.members) {
            Some(Members::Partial(_, why)) => why,
            _ => NOT_STATED.to_owned(),
        })
    }
}
