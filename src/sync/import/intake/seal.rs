//! The end of an import: what it comes to is written, and becomes visible.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::Intake;
use crate::directory::{Completion, Mode, fields};
use crate::source::SourceError;
use crate::store::StoreError;
use crate::store::snapshot::{Coverage, Shrunk, SnapshotInfo, Trip};
use crate::sync::import::double;
use crate::sync::import::imported::Imported;
use crate::sync::import::sealing::{Sealing, Told};
use crate::sync::import::settle::{Absent, LookUpResult, rows};
use crate::sync::import::shrinkage;
use crate::words::count;

/// Fields that were asked for and that nobody carries, as far as there is somebody who could. Not the kind of
/// mailbox: most have none that is of a kind of its own.
fn bare(
    completion: &Completion,
    coverage: &BTreeMap<String, Coverage>,
    there: &RoaringBitmap,
    (people, groups): (bool, bool),
) -> BTreeSet<String> {
    let of_people = completion.fields.iter().cloned();
    let of_people = of_people.chain(completion.attributes.iter().map(|name| format!("attributes.{name}")));
    let asked = of_people.filter(|_| people).chain(groups.then(|| fields::MEMBERS.to_owned()));
    let carried = |field: &String| coverage.get(field).is_some_and(|it| !it.current.is_disjoint(there));
    asked.filter(|field| field != fields::MAILBOX && !carried(field)).collect()
}

/// The fields for which the coverage rule tripped.
fn trips(coverage: BTreeMap<String, Coverage>) -> BTreeMap<String, Trip> {
    let tripped = coverage.into_iter().filter(|(_, coverage)| coverage.tripped > 0);
    tripped
        .map(|(field, coverage)| (field, Trip { carried: coverage.tripped, lost: coverage.lost }))
        .collect()
}

/// Whether it is told of other unreadable entries, or what was asked is not the same.
fn is_news(before: &SnapshotInfo, now: &SnapshotInfo) -> bool {
    (&before.unreadable, before.unreadable_count, &before.fields, &before.attributes)
        != (&now.unreadable, now.unreadable_count, &now.fields, &now.attributes)
}

/// What is said of the comparison with the feed: why there was none, or how many changes it had not told.
fn told_notice(told: Option<&Result<Told, SourceError>>, missed: u64) -> Option<String> {
    if let Some(Err(error)) = told {
        return Some(format!(
            "what the change feed reports could not be compared with this full read: {error}"
        ));
    }
    let text =
        |entries| format!("the change feed had not reported {entries} that this full read found changed");
    (missed > 0).then(|| text(count(missed, "entry", "entries")))
}

impl Intake {
    pub(in crate::sync::import) fn seal(mut self, sealing: Sealing) -> Result<Imported, StoreError> {
        let Sealing { mut completion, settled, doubles, told, read_at, finished_at } = sealing;
        let LookUpResult { absent: mut settled, of_no_kind, orphans, unprovable, mut notices } = settled;
        settled.extend(self.elsewhere(of_no_kind)?.map(|row| (row, Absent::Elsewhere)));
        let configuration = self.info.as_ref().is_some_and(|info| info.scope != completion.scope);
        let again = self.is_again(&completion);
        let missing = rows(&settled, |absent| absent != Absent::Elsewhere);
        self.flush_all()?;
        // A list may name one of them.
        let attribute = completion.id.as_deref().unwrap_or("id");
        let (doubles, bearers) = self.settle_doubles(doubles, attribute, &missing)?;
        settled.retain(|(row, _)| !bearers.contains(row.0));
        if doubles > 0 {
            notices.push(double::notice(doubles));
        }
        if doubles > 0 || !self.copies.is_empty() {
            // What becomes of one of them is told under the id of both.
            completion.cursor = None;
        }
        let held = self.hold(&mut settled, &completion);
        let last = self.info.as_ref();
        let same = again && !last.is_some_and(|last| self.unknown.end_is_known_now(last));
        let (removed, unsettled) =
            self.settle(settled, configuration, (same, unprovable), finished_at, &mut notices)?;
        let (waiting, new_names) = self.settle_lists(again, &mut notices)?;
        let places = self.places(&missing, orphans, unprovable)?;
        let missed = self.missed(told.as_ref())?;
        notices.extend(told_notice(told.as_ref(), missed));
        if self.unheard > 0 {
            // They have come into sight without a change of their own, so everything is read next.
            completion.cursor = None;
        }
        let [users, groups, contacts] = self.counts(completion.mode)?;
        let shrunk = self.shrunk(&completion, users + groups + contacts, finished_at);
        if let Some(shrunk) = &shrunk {
            completion.cursor = None;
            if !held {
                notices.push(shrinkage::notice(shrunk));
            }
        }
        let full = completion.mode == Mode::Full && !self.listed;
        let full_at = if full { Some(finished_at) } else { self.info.as_ref().and_then(|info| info.full_at) };
        let there = self.there(completion.mode);
        let mut coverage = std::mem::take(&mut self.carried).judge(&self.coverage, &self.read, &there);
        coverage.extend(places);
        let bare = bare(&completion, &coverage, &there, (users + contacts > 0, groups > 0));
        let shared_names = self.shared_names(full)?;
        let copies = self.copies_now(full);
        let (unreadable, unreadable_count, remembered) = self.unknown.now(full, finished_at);
        let info = SnapshotInfo {
            connector: self.connector,
            directory: completion.directory,
            id: completion.id,
            server: completion.server,
            progress: completion.shown.progress,
            sequence: 0,
            completion: 0,
            completed_at: finished_at,
            mode: completion.mode,
            fields: completion.fields,
            attributes: completion.attributes,
            scope: completion.scope,
            notices: completion.notices.into_iter().chain(notices).collect(),
            vendor: completion.vendor,
            feed: completion.feed,
            full_at,
            shrunk,
            held,
            unprovable,
            tripped: BTreeMap::new(),
            unreadable,
            unreadable_count,
            remembered,
            copies,
            waiting,
            new_names,
            shared_names,
            next_name: 0,
            next_row: 0,
            users,
            groups,
            contacts,
        };
        let other = coverage.iter().filter(|(field, coverage)| self.coverage.get(*field) != Some(coverage));
        let news = self.info.as_ref().is_some_and(|before| is_news(before, &info));
        let mut info = self.importing.seal(info, news, completion.cursor.as_ref(), other)?;
        info.tripped = trips(coverage);
        Ok(Imported {
            info,
            first: self.info.is_none(),
            changed: self.changed.len(),
            removed,
            unreadable: self.unreadable,
            unsettled,
            missed,
            bare,
            certificate_ends_at: completion.shown.certificate_ends_at,
            skew: completion.shown.clock.map(|clock| clock.duration_since(read_at)),
            started_at: self.started_at,
            finished_at,
        })
    }

    /// Whether the same export was read before.
    pub(super) fn is_again(&self, completion: &Completion) -> bool {
        let last = self.info.as_ref().and_then(|info| info.progress.as_ref());
        last.is_some() && last == completion.shown.progress.as_ref()
    }

    /// Whether many are missing, where `now` are there. What is read may be another part of the directory by now.
    pub(super) fn shrunk(&self, completion: &Completion, now: u64, at: Timestamp) -> Option<Shrunk> {
        let last = self.info.as_ref().filter(|last| last.scope == completion.scope)?;
        match completion.mode {
            Mode::Full => shrinkage::judge(last.shrunk, last.users + last.groups + last.contacts, now, at),
            Mode::Delta => last.shrunk,
        }
    }

    /// What changed without the feed having told of it, as far as it could be asked.
    pub(super) fn missed(&self, told: Option<&Result<Told, SourceError>>) -> Result<u64, StoreError> {
        let Some(Ok(told)) = told else { return Ok(0) };
        let changed = self.importing.anchors(&(&self.written - &self.untold))?;
        Ok(changed.iter().filter(|(_, anchor)| !told.is_of(anchor)).count() as u64)
    }

    /// Users, groups and contacts that are present. Where only changes came, the counts of before change by
    /// what those did.
    pub(super) fn counts(&self, mode: Mode) -> Result<[u64; 3], StoreError> {
        let before = match &self.info {
            Some(info) if mode == Mode::Delta || self.listed => [info.users, info.groups, info.contacts],
            _ => return Ok(self.kinds.each_ref().map(RoaringBitmap::len)),
        };
        let was = self.importing.kinds(&self.written, true)?;
        let is = self.importing.kinds(&self.written, false)?;
        let mut counts = before;
        for (count, (was, is)) in counts.iter_mut().zip(was.into_iter().zip(is)) {
            *count = (*count + is).saturating_sub(was);
        }
        Ok(counts)
    }

    /// The rows that count as present: in a full read those that came, else those that did not go.
    pub(super) fn there(&self, mode: Mode) -> RoaringBitmap {
        if mode == Mode::Full {
            return self.seen.clone();
        }
        self.importing.there().clone()
    }
}
