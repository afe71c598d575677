//! Members whom a list has no more, while it names somebody anew whom no entry of this read is: one of them may have been renamed
//! after the entry was read and before the list was, or the list may be damaged. They wait for one other read, and no longer.

use std::collections::{BTreeMap, HashMap, HashSet};

use roaring::RoaringBitmap;

use super::Intake;
use crate::directory::{Dn, Reference};
use crate::store::StoreError;
use crate::store::snapshot::{Last, RowId, Waiting};
use crate::words::count;

/// What to say of them.
fn notice(waiting: &Waiting) -> Option<String> {
    let members: u64 = waiting.values().map(|names| names.len() as u64).sum();
    let wait = count(members, "membership waits", "memberships wait");
    (members > 0).then(|| {
        format!(
            "{wait} in {}: the list no longer has the member, and has a new name that no entry has, so it may have been \
             renamed during the read; if the next read (of an export: the next one in which anything has changed) does not \
             list the member either, the membership ends",
            count(waiting.len() as u64, "group", "groups")
        )
    })
}

/// Whom one list had before, whom it lost, and whom it names anew whom no entry is.
struct Listed {
    group: RowId,
    before: RoaringBitmap,
    lost: RoaringBitmap,
    strangers: RoaringBitmap,
}

impl Intake {
    /// Whom lists mean, now that all has come, and who waits.
    pub(super) fn settle_lists(
        &mut self,
        again: bool,
        notices: &mut Vec<String>,
    ) -> Result<(Option<Waiting>, u32), StoreError> {
        let listing_anew = self.listing_anew();
        self.read_lists_again()?;
        self.keep_astray()?;
        self.flush()?;
        let (waiting, new_names) = self.waiting(&listing_anew, again)?;
        notices.extend(waiting.as_ref().and_then(notice));
        Ok((waiting, new_names))
    }

    /// Groups that state what they did not state before.
    fn listing_anew(&self) -> Vec<RowId> {
        let anew = self.newly_listed.iter().filter(|(_, new)| !new.is_empty());
        anew.map(|(group, _)| *group).collect()
    }

    /// Who waits, of those whom these groups had until this read; and what an older version noted of it, as long as that counts.
    /// `again` is that the same export was read before, which says no more than it did.
    fn waiting(&mut self, listing_anew: &[RowId], again: bool) -> Result<(Option<Waiting>, u32), StoreError> {
        let Some(info) = &self.info else { return Ok((Some(Waiting::new()), 0)) };
        if again {
            return Ok((info.waiting.clone(), info.new_names));
        }
        let known = &self.borne - &self.shared - &self.claimed;
        let mut lists = Vec::new();
        for group in listing_anew {
            let Some(Last { edges: Some((now, true)), .. }) = self.importing.last(*group)? else { continue };
            let before = self.importing.edges_before(*group)?;
            let mut strangers = &now - &before - &known;
            strangers.remove_range(..info.next_name);
            let lost = &before - now;
            if !lost.is_empty() && !strangers.is_empty() {
                lists.push(Listed { group: *group, before, lost, strangers });
            }
        }
        if lists.is_empty() {
            return Ok((Some(Waiting::new()), 0));
        }
        let strangers = lists.iter().fold(RoaringBitmap::new(), |all, list| all | &list.strangers);
        let lost = lists.iter().fold(RoaringBitmap::new(), |all, list| all | &list.lost);
        let strangers = self.importing.references(&strangers)?;
        let may_be_renamed = self.may_be_renamed(&strangers)?;
        let elsewhere = places(&strangers).filter(|(name, _)| !may_be_renamed.contains(*name)).collect();
        let mut waits = Vec::new();
        for list in lists {
            if !list.strangers.is_disjoint(&may_be_renamed) || self.may_be_damaged(&list, &elsewhere)? {
                waits.push(list);
            }
        }
        let of_somebody = self.of_somebody(&lost)?;
        let waiting = waits.into_iter().map(|Listed { group, lost, .. }| {
            let names: Vec<u32> = (lost & &of_somebody).into_iter().collect();
            (group.0, names)
        });
        let waiting: BTreeMap<_, _> = waiting.filter(|(_, names)| !names.is_empty()).collect();
        Ok((Some(waiting), 0))
    }

    /// Those of `names` that may be new ones of entries that are read: an id never changes, and nobody is renamed into another
    /// directory.
    fn may_be_renamed(&self, names: &[(u32, Reference)]) -> Result<RoaringBitmap, StoreError> {
        let (mut may, mut dns) = (RoaringBitmap::new(), Vec::new());
        for (name, reference) in names {
            match reference {
                Reference::Dn(dn) => dns.push((*name, dn)),
                Reference::Uid(_) | Reference::Address(_) => drop(may.insert(*name)),
                Reference::Anchor(_) | Reference::Sid(_) => {}
            }
        }
        let mut suffix: Option<Dn> = None;
        let is_there = |dn: &Dn, suffix: &Option<Dn>| suffix.as_ref().is_some_and(|all| dn.is_within(all));
        self.importing.for_each_dn(&mut |row, dn| {
            if let (true, Ok(dn)) = (self.importing.there().contains(row.0), Dn::parse(dn)) {
                suffix = Some(suffix.take().map_or_else(|| dn.clone(), |all| all.common_suffix(&dn)));
            }
            !dns.iter().all(|(_, dn)| is_there(dn, &suffix))
        })?;
        may.extend(dns.iter().filter(|(_, dn)| is_there(dn, &suffix)).map(|(name, _)| *name));
        Ok(may)
    }

    /// Whether `list` names somebody `elsewhere`, outside of the directory, where it named nobody before: a damaged DN is of such a
    /// place, and one of another directory is only the first time.
    fn may_be_damaged(&self, list: &Listed, elsewhere: &HashMap<u32, &str>) -> Result<bool, StoreError> {
        let new: HashSet<&str> =
            list.strangers.iter().filter_map(|name| elsewhere.get(&name).copied()).collect();
        if new.is_empty() {
            return Ok(false);
        }
        let before = self.importing.references(&list.before)?;
        let known: HashSet<&str> = places(&before).map(|(_, place)| place).collect();
        Ok(!new.is_subset(&known))
    }

    /// Those of `names` by which somebody is there, or was called before; where only changes came, all: of most it is not known.
    fn of_somebody(&mut self, names: &RoaringBitmap) -> Result<RoaringBitmap, StoreError> {
        if !self.is_full {
            return Ok(names.clone());
        }
        let not_read = self.importing.there() - &self.read;
        let mut of_somebody = names & (&self.borne | self.importing.borne_by(&not_read)?);
        let former = self.importing.former_among(names)?.into_iter();
        of_somebody.extend(former.filter(|it| self.importing.there().contains(it.row.0)).map(|it| it.name));
        Ok(of_somebody)
    }
}

/// What each of the DNs is directly below.
fn places(names: &[(u32, Reference)]) -> impl Iterator<Item = (u32, &str)> {
    names.iter().filter_map(|(name, reference)| match reference {
        Reference::Dn(dn) => Some((*name, dn.ancestors().next().unwrap_or_default())),
        _ => None,
    })
}
