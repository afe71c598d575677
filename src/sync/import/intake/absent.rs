//! Who did not come in a read of everything: who may be an entry that could not be understood, and who is gone.

use std::collections::HashMap;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::Intake;
use crate::directory::{Completion, Dn, END_OF, Evidence, Grade};
use crate::store::StoreError;
use crate::store::snapshot::{Presence, RowId, UnreadableEntry, Version};
use crate::sync::import::nameless::Nameless;
use crate::sync::import::settle::{Absent, Missing, rows};
use crate::sync::import::shrinkage;

/// What is wrong with somebody whose name came without an id.
const NAMED_SO: &str =
    "an entry with its former name was read, and it could not be determined whether that is the same entry";

/// What to say where all ids are new and the names are not.
const NEW_IDS: &str = "no entry has an id of before, and others have the same names, so the ids may be written in another way, or \
                       those of a copy: who had these names is not removed. If the directory was made anew, use a new connector \
                       for it";

impl Intake {
    /// Who was there, or was missed and not looked up, and did not come in this full read.
    pub(in crate::sync::import) fn absent(&mut self) -> Result<Vec<Missing>, StoreError> {
        self.flush_all()?;
        let absent = self.importing.there() - &self.seen - &self.outside;
        self.look_for_nameless(&absent)?;
        let there = self.importing.holders(&absent, &(&self.unidentified | &self.anonymous))?;
        let called = self.importing.called(&there, false)?.into_iter();
        let called: HashMap<Dn, RowId> =
            called.filter_map(|(row, _, dn)| Some((Dn::parse(&dn).ok()?, row))).collect();
        let mut others = there.clone();
        for (dn, why) in self.unknown.are_known(|dn| called.contains_key(dn)) {
            let row = called.get(&dn).into_iter().map(|row| row.0).collect();
            others -= &row;
            self.keep(&row, &why)?;
        }
        self.keep(&others, NAMED_SO)?;
        let absent = absent - there;
        self.unsettled = self.importing.unsettled(&absent)?;
        let told = self.told_by();
        let called = self.importing.called(&absent, false)?;
        let mut called: HashMap<RowId, String> = called.into_iter().map(|(row, _, dn)| (row, dn)).collect();
        let missing = |(row, anchor)| {
            let before = self.unsettled.get(&row).cloned();
            let (since, server) =
                before.map_or_else(|| (None, told.clone()), |(since, server)| (Some(since), server));
            Missing { row, anchor, dn: called.remove(&row), server, since }
        };
        Ok(self.importing.anchors(&absent)?.into_iter().map(missing).collect())
    }

    /// A name that only lists state says of nobody who they are.
    pub(super) fn look_for_nameless(&mut self, absent: &RoaringBitmap) -> Result<(), StoreError> {
        if absent.is_empty() || self.unidentified.is_empty() {
            return Ok(());
        }
        let of_nobody = &self.unidentified - self.importing.borne_by(self.importing.there())?;
        let nameless = if !of_nobody.is_disjoint(&self.newly_unidentified) {
            Nameless::AnybodyMissing
        } else if !of_nobody.is_empty() {
            Nameless::MissingBefore(self.unidentified_since.unwrap_or(Timestamp::MAX))
        } else {
            Nameless::Nobody
        };
        self.nameless = self.nameless.max(nameless);
        Ok(())
    }

    /// Keeps these as they are, as entries that were seen and could not be understood.
    pub(super) fn keep(&mut self, rows: &RoaringBitmap, why: &str) -> Result<(), StoreError> {
        for row in rows {
            self.written.insert(row);
            self.untold.insert(row);
            self.pending
                .push(Version::Presence { row: RowId(row), presence: Presence::Unreadable(why.to_owned()) });
        }
        self.seen |= rows;
        self.flush()
    }

    /// Keeps those who are missing from a file that may have been cut, and those who were kept so before, until a file shows its
    /// end; whether there are any.
    pub(super) fn hold(&mut self, settled: &mut [(RowId, Absent)], completion: &Completion) -> bool {
        if !completion.shown.no_end {
            return false;
        }
        let came = (&self.seen | &self.outside | &self.tombstones).len();
        let is_cut = shrinkage::is_cut(self.before, came);
        let missing = rows(settled, |absent| absent == Absent::CannotLookUp);
        let kept = match &self.info {
            _ if is_cut => missing,
            Some(info) if info.held => self.among_unsettled(&missing).collect(),
            _ => RoaringBitmap::new(),
        };
        for (_, absent) in settled.iter_mut().filter(|(row, _)| kept.contains(row.0)) {
            *absent = Absent::NotLookedUp;
        }
        if !kept.is_empty() {
            self.unreadable += 1;
            let (what, why) = (format!("{END_OF}the file"), shrinkage::CUT.to_owned());
            self.unknown.add(UnreadableEntry { what, why, anchor: None, since: None });
        }
        !kept.is_empty()
    }

    /// Writes what became of those who did not come; how many are gone, and how many were not looked up. `again` is that the
    /// same export was read before and showed its end then as now, `unprovable` that the source cannot look up.
    pub(super) fn settle(
        &mut self,
        settled: Vec<(RowId, Absent)>,
        configuration: bool,
        (again, unprovable): (bool, bool),
        at: Timestamp,
        notices: &mut Vec<String>,
    ) -> Result<(u64, u64), StoreError> {
        let (mut removed, mut unsettled) = (self.tombstones.len(), 0);
        let gone = rows(&settled, |absent| matches!(absent, Absent::CannotLookUp | Absent::Missing));
        let mut kept = match self.nameless {
            Nameless::AnybodyMissing => gone,
            Nameless::MissingBefore(came) => {
                let missed = self.unsettled.iter().filter(|(_, (since, _))| *since <= came);
                missed.map(|(row, _)| row.0).filter(|row| gone.contains(*row)).collect()
            }
            Nameless::Nobody => RoaringBitmap::new(),
        };
        // Of a server it was heard by id that they are not there.
        let unheard = rows(&settled, |absent| absent == Absent::CannotLookUp);
        if again {
            // The same export says no more than it did.
            kept.extend(self.among_unsettled(&unheard));
        }
        // Where nobody has the id of before and others have the names, the ids are other ones, and not the people.
        if unheard.len() > 1 && self.known_again == 0 {
            let replaced = self.importing.holders(&unheard, &self.importing.given())?;
            if replaced.len() > 1 {
                notices.push(NEW_IDS.to_owned());
                kept |= replaced;
            }
        }
        // A record with the id of one and the name of another may be made of two, and others may have stood between them.
        kept |= if self.is_mixed || !self.newly_replaced(&unheard)?.is_empty() {
            unheard
        } else {
            self.importing.holders(&unheard, &self.newly_claimed)?
        };
        if !kept.is_empty() {
            notices.push(
                "missing entries stay as they are, because unreadable data may belong to them; see the exceptions"
                    .to_owned(),
            );
        }
        let settled = settled
            .into_iter()
            .map(|(row, absent)| (row, if kept.contains(row.0) { Absent::NotLookedUp } else { absent }));
        let settled: Vec<_> = settled.collect();
        if unprovable {
            self.freeze_renamed(&rows(&settled, |absent| absent == Absent::NotLookedUp))?;
        }
        for (row, absent) in settled {
            let grade = match absent {
                Absent::Missing => Grade::Absent,
                Absent::Elsewhere => Grade::OutOfScope,
                Absent::CannotLookUp => Grade::AbsentUnconfirmed,
                Absent::NotLookedUp => {
                    unsettled += 1;
                    if !self.unsettled.contains_key(&row) {
                        self.written.insert(row.0);
                        self.untold.insert(row.0);
                        let server = self.told_by();
                        let presence = Presence::Unsettled { since: at, server };
                        self.pending.push(Version::Presence { row, presence });
                    }
                    continue;
                }
            };
            removed += 1;
            self.written.insert(row.0);
            if self.listed {
                // Not all lists were read.
                self.flush_of(row)?;
                self.importing.retire_names(row)?;
            }
            let presence = Presence::Gone { evidence: Evidence { grade, configuration }, since: at };
            self.pending.push(Version::Presence { row, presence });
        }
        Ok((removed, unsettled))
    }

    /// Those of `rows` who were unsettled before.
    pub(super) fn among_unsettled(&self, rows: &RoaringBitmap) -> impl Iterator<Item = u32> {
        self.unsettled.keys().map(|row| row.0).filter(|row| rows.contains(*row))
    }

    /// Which server told of those who are present.
    pub(super) fn told_by(&self) -> Option<String> {
        self.info.as_ref()?.server.clone()
    }
}
