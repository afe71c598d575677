//! Whom lists mean: by which names people are called now, by which they were before, and who has those by now.

use std::collections::HashMap;

use roaring::RoaringBitmap;

use super::Intake;
use crate::directory::{Dn, Reference};
use crate::store::StoreError;
use crate::store::snapshot::{Former, Known, Last, Lent, Presence, PresenceByte, RowId};
use crate::sync::import::stored::{Stored, stated};

impl Intake {
    /// What an entry is called, and by which names lists may still have it.
    pub(super) fn with_former(
        &mut self,
        known: Option<Known>,
        names: &RoaringBitmap,
        stated: &[Reference],
    ) -> Result<RoaringBitmap, StoreError> {
        let Some(known) = known else { return Ok(names.clone()) };
        let again = self.importing.names_again(known.row, names, stated)?;
        let former = if known.presence == PresenceByte::Gone {
            RoaringBitmap::new()
        } else {
            self.importing.former_names(known.row, names)?
        };
        Ok(again | former | names)
    }

    /// Who did not come, or not as one who could be understood, and is not gone, is who lists meant by the names that they had,
    /// whoever is called so by now.
    pub(super) fn keep_names(&mut self) -> Result<(), StoreError> {
        let Some(until) = self.info.as_ref().map(|info| info.next_name) else { return Ok(()) };
        let given = self.importing.given();
        let not_read = self.importing.there() - &self.read;
        let older: RoaringBitmap = given.iter().filter(|name| *name < until).collect();
        self.importing.keep_names(&not_read, &older)?;
        // Lists that state for the first time what somebody was called who may be called otherwise, or what somebody else may be
        // called, mean nobody until that is known.
        let listed = self.newly_listed.values().fold(RoaringBitmap::new(), |all, new| all | new);
        let astray: RoaringBitmap = self.astray.keys().map(|row| row.0).collect();
        self.importing.keep_names(&(&not_read & astray), &listed)?;
        self.importing.keep_names(&not_read, &(listed & &self.claimed))?;
        self.keep_shared(&given)?;
        self.name_anew()
    }

    /// Of two who came under one name the one who had it before came earlier than a rename, and the other one after it.
    fn keep_shared(&mut self, given: &RoaringBitmap) -> Result<(), StoreError> {
        let (newly, to) = self.importing.newly_given(&(given & &self.shared), &self.read)?;
        if newly.is_empty() {
            return Ok(());
        }
        let before = self.importing.holders(&(&self.read - to), &newly)?;
        self.importing.keep_names(&before, &newly)
    }

    /// Gives another number to the names of those who came before it was known whose names those had been.
    pub(super) fn name_anew(&mut self) -> Result<(), StoreError> {
        for Lent { row, name } in self.importing.take_lent() {
            if self.tombstones.contains(row.0) || self.damaged.contains_key(&row.0) {
                continue;
            }
            self.flush_of(row)?;
            let Some(Last { content, mut names, edges }) = self.importing.last(row)? else { continue };
            if !names.remove(name) {
                continue;
            }
            let mut stated = self.importing.stated(row, &names)?;
            let number = self.importing.number_anew(name)?;
            self.importing.give(row, &RoaringBitmap::from_iter([number]))?;
            names.insert(number);
            stated.insert(number);
            let hash = Stored::new(&stated, edges.as_ref())?.hash(&content);
            self.written.insert(row.0);
            self.write(row, hash, Last { content, names, edges })?;
        }
        Ok(())
    }

    /// A list that stated the former name of somebody, and states it still, means them: the server has not seen to it
    /// since, unless it names them as they are called now, too.
    pub(super) fn as_meant(
        &mut self,
        group: RowId,
        stated: &RoaringBitmap,
    ) -> Result<RoaringBitmap, StoreError> {
        self.flush_of(group)?;
        let before = self.importing.edges(group)?;
        let new = stated - &before;
        if !new.is_empty() {
            self.newly_listed.insert(group, new);
        }
        let mut meant = stated.clone();
        for former in self.importing.former_among(&(&before - stated))? {
            let Some(now) = former.now.filter(|now| stated.contains(*now) && !before.contains(*now)) else {
                continue;
            };
            self.flush_of(former.row)?;
            let again = RoaringBitmap::from_iter([now]);
            // By the number of before they are meant alone, though another one may be called so by now.
            if self.importing.bears(former.row, &again)? || !self.importing.bears(former.row, stated)? {
                meant.remove(now);
                meant.insert(former.name);
                if !self.read.contains(former.row.0) {
                    self.presumed.entry(group).or_default().push(former);
                }
            }
        }
        Ok(meant)
    }

    /// A list that came before somebody whose name another has by now means the other, if it names both, or states the
    /// name for the first time.
    pub(super) fn read_lists_again(&mut self) -> Result<(), StoreError> {
        self.flush()?;
        self.keep_names()?;
        self.forget_retired()?;
        let former = self.importing.former_here().clone();
        let mut presumed = std::mem::take(&mut self.presumed);
        if former.is_empty() && presumed.is_empty() {
            return Ok(());
        }
        // Of one that turned out not to be understood, the list of before stands.
        let listed = std::mem::take(&mut self.newly_listed).into_iter();
        for (group, new) in listed.filter(|(group, _)| self.read.contains(group.0)).collect::<Vec<_>>() {
            let presumed = presumed.remove(&group).unwrap_or_default();
            self.restate(group, |intake, edges| intake.meant_by_now(&former, &presumed, edges, &new))?;
        }
        Ok(())
    }

    /// Whoever came under another name and was not believed stays in lists that had them, and state that name instead: another
    /// one may have had it, and been in the list too.
    pub(super) fn keep_astray(&mut self) -> Result<(), StoreError> {
        let mut borne = Vec::new();
        for row in self.astray.keys().filter(|row| !self.read.contains(row.0)) {
            borne.push((*row, self.importing.borne_by(&RoaringBitmap::from_iter([row.0]))?));
        }
        let names = borne.iter().fold(RoaringBitmap::new(), |all, (_, names)| all | names);
        if names.is_empty() {
            return Ok(());
        }
        let [_, groups, _] = &self.kinds;
        for group in (groups & &self.read & &self.written).into_iter().map(RowId) {
            let before = self.importing.edges_before(group)?;
            if before.is_disjoint(&names) {
                continue;
            }
            self.restate(group, |intake, edges| {
                let mut meant = edges.clone();
                for (row, borne) in &borne {
                    let had = borne & &before;
                    let is_taken_out = !had.is_empty() && edges.is_disjoint(&had);
                    if is_taken_out && intake.is_listed_as_it_came(*row, edges)? {
                        meant |= had;
                    }
                }
                Ok(meant)
            })?;
        }
        Ok(())
    }

    /// Whether a list states a DN under which the row came, by whatever number.
    fn is_listed_as_it_came(&mut self, row: RowId, edges: &RoaringBitmap) -> Result<bool, StoreError> {
        let came: Vec<Dn> = self.astray.get(&row).into_iter().flatten().cloned().collect();
        let former = self.importing.former_among(edges)?;
        for dn in came {
            let name = self.importing.name(&Reference::Dn(dn))?;
            if name.is_some_and(|name| edges.contains(name) || former.iter().any(|of| of.now == Some(name))) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes the list of a group again, if it means others than it says.
    fn restate(
        &mut self,
        group: RowId,
        meaning: impl FnOnce(&mut Self, &RoaringBitmap) -> Result<RoaringBitmap, StoreError>,
    ) -> Result<(), StoreError> {
        self.flush_of(group)?;
        let Some(last) = self.importing.last(group)? else { return Ok(()) };
        let Some((edges, complete)) = last.edges else { return Ok(()) };
        let meant = meaning(self, &edges)?;
        if meant != edges {
            self.written.insert(group.0);
            self.write_again(group, Last { edges: Some((meant, complete)), ..last })?;
        }
        Ok(())
    }

    /// DNs under which several entries came, after a read of everything in that alone.
    pub(super) fn shared_names(&self, full: bool) -> Result<Vec<u32>, StoreError> {
        let mut shared = self.shared.clone();
        if !full {
            shared.extend(self.info.iter().flat_map(|info| &info.shared_names));
        }
        Ok(self.importing.dns_of_now(&shared)?.into_iter().collect())
    }

    /// A list that came before it was known that somebody has left means by their name whoever has it now, as it would have after.
    fn forget_retired(&mut self) -> Result<(), StoreError> {
        let anew = self.importing.retired_anew()?;
        if anew.is_empty() {
            return Ok(());
        }
        let [_, groups, _] = &self.kinds;
        for group in (groups & &self.read).into_iter().map(RowId) {
            self.restate(group, |_, edges| Ok(renumbered(edges, &anew)))?;
        }
        Ok(())
    }

    /// What a list means once it is known who is called how. One name that means somebody else may be why another does.
    pub(super) fn meant_by_now(
        &mut self,
        former: &HashMap<u32, RowId>,
        presumed: &[Former],
        edges: &RoaringBitmap,
        new: &RoaringBitmap,
    ) -> Result<RoaringBitmap, StoreError> {
        let mut meant = edges.clone();
        let of = |name: u32| former.get(&name).map(|row| (name, *row, None));
        let presumed = presumed.iter().filter(|one| edges.contains(one.name));
        let mut open: Vec<(u32, RowId, Option<u32>)> = edges.iter().filter_map(of).collect();
        open.extend(presumed.map(|one| (one.name, one.row, one.now)));
        loop {
            let mut left = Vec::new();
            let mut is_settled = true;
            for (name, row, now) in std::mem::take(&mut open) {
                meant.remove(name);
                self.flush_of(row)?;
                // Who is presumed and has left is nobody whom a list means.
                let is_gone = now.is_some() && !self.importing.there().contains(row.0);
                if !is_gone && !new.contains(name) && !self.is_named(row, &meant)? {
                    meant.insert(name);
                    left.push((name, row, now));
                    continue;
                }
                is_settled = false;
                let now = now.map_or_else(|| self.importing.number_anew(name), Ok)?;
                meant.insert(now);
                left.extend(of(now));
            }
            if is_settled {
                return Ok(meant);
            }
            open = left;
        }
    }

    /// Whether a list of these names has the row by what it is called; of one that could not be understood, by what it came as.
    fn is_named(&mut self, row: RowId, names: &RoaringBitmap) -> Result<bool, StoreError> {
        for dn in self.astray.get(&row).into_iter().flatten() {
            if self.importing.name(&Reference::Dn(dn.clone()))?.is_some_and(|name| names.contains(name)) {
                return Ok(true);
            }
        }
        self.importing.bears(row, names)
    }

    /// Has these rows be called what they were called before this read, of which everything was taken back; lists that came
    /// after they seemed to have another name state that by its number of then.
    pub(super) fn read_lists_as_before(&mut self, rows: &RoaringBitmap) -> Result<(), StoreError> {
        let stand_for = self.importing.call_again(rows)?;
        if stand_for.is_empty() {
            return Ok(());
        }
        let damaged: RoaringBitmap = self.damaged.keys().copied().collect();
        let lists = (&self.written - &self.tombstones - damaged) | rows;
        for row in lists.into_iter().map(RowId) {
            let Some(Last { content, names, edges: Some((edges, complete)) }) = self.importing.last(row)?
            else {
                continue;
            };
            let meant = renumbered(&edges, &stand_for);
            if meant == edges {
                continue;
            }
            let meant = Last { content, names, edges: Some((meant, complete)) };
            let before = self.importing.revert(row)?;
            if let Some(new) = self.newly_listed.get_mut(&row) {
                let listed = self.importing.edges(row)?;
                *new = renumbered(new, &stand_for) - listed;
            }
            if before.is_some_and(|(_, _, presence)| presence == Presence::Present)
                && self.importing.last(row)?.as_ref() == Some(&meant)
            {
                self.changed.remove(row.0);
                self.written.remove(row.0);
            } else {
                self.write_again(row, meant)?;
            }
        }
        self.flush()
    }

    /// Whether a group only lost members, which a feed need not tell of when they are gone themselves; or has names
    /// that were never stated before, as one that left has if a list still states it.
    pub(super) fn only_lost_members(&self, last: &Last, now: &Last) -> bool {
        let (Some((before, _)), Some((edges, _))) = (&last.edges, &now.edges) else { return false };
        let first_new = self.info.as_ref().map_or(0, |info| info.next_name);
        stated(&last.content) == stated(&now.content)
            && last.names == now.names
            && (edges - before).min().is_none_or(|name| name >= first_new)
    }

    /// Whether a group is what it was, by other names.
    pub(super) fn is_as_it_was(last: &Last, now: &Last) -> bool {
        stated(&last.content) == stated(&now.content) && last.names == now.names && last.edges == now.edges
    }
}

/// The same names, each by the number that stands for it.
fn renumbered(names: &RoaringBitmap, by: &HashMap<u32, u32>) -> RoaringBitmap {
    names.iter().map(|name| by.get(&name).copied().unwrap_or(name)).collect()
}
