//! Entries that came, could not be understood, and never were: all are counted, the first are named.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use crate::directory::{Anchor, Dn, END_OF};
use crate::store::snapshot::{MOST_REMEMBERED, Remembered, SnapshotInfo, UnreadableEntry};

/// So many are named.
const NAMED: usize = 100;

/// Those of this read, and those of before that it did not speak of.
#[derive(Default)]
pub(super) struct UnreadableEntries {
    named: Vec<UnreadableEntry>,
    count: u64,
    before: Vec<UnreadableEntry>,
    count_before: u64,
    /// What those of before are called, and who is known and could not be understood under the name of another.
    remembered: Remembered,
    /// Those of this read: since when they come.
    came: Vec<(Option<Anchor>, String, Option<Timestamp>)>,
    /// The last one that came with an id.
    last: Option<Last>,
    /// Further ids of those that are named, and what those are called.
    further: Vec<(Anchor, String)>,
}

/// What came with an id.
struct Last {
    anchor: Anchor,
    what: String,
    why: String,
    /// Whether it is named here, and not where somebody who is known is named.
    is_here: bool,
}

impl UnreadableEntries {
    pub(super) fn after(info: Option<&SnapshotInfo>) -> Self {
        let Some(info) = info else { return Self::default() };
        let mut remembered = info.remembered.clone();
        for UnreadableEntry { anchor, what, since, .. } in &info.unreadable {
            if remembered.since(anchor.as_ref(), what).is_none() {
                // Where it was not noted, it may be whoever is missing.
                remembered.add(anchor.as_ref(), what, since.unwrap_or(Timestamp::MAX));
            }
        }
        Self {
            before: info.unreadable.clone(),
            count_before: info.unreadable_count,
            remembered,
            ..Self::default()
        }
    }

    /// Whether the end of the file was unknown in the last read, and is known in this one.
    pub(super) fn end_is_known_now(&self, last: &SnapshotInfo) -> bool {
        let lacks_end = |all: &[UnreadableEntry]| {
            all.iter().any(|one| one.anchor.is_none() && one.what.starts_with(END_OF))
        };
        lacks_end(&last.unreadable) && !lacks_end(&self.named)
    }

    /// Something was said of this entry: whatever it was before, it is none of those any more. Since when it was one.
    pub(super) fn heard_of(&mut self, anchor: Option<&Anchor>, dn: Option<&str>) -> Option<Timestamp> {
        let since = dn.and_then(|dn| self.remembered.since(anchor, dn));
        for anchor in [anchor, None] {
            dn.inspect(|dn| self.remembered.forget(anchor, dn));
        }
        let is_it = |stranger: &UnreadableEntry| {
            let by_anchor = stranger.anchor.as_ref().zip(anchor).is_some_and(|(of, anchor)| of == anchor);
            by_anchor || dn.is_some_and(|dn| stranger.what == dn)
        };
        let were = self.before.extract_if(.., |stranger| is_it(stranger)).count();
        self.count_before = self.count_before.saturating_sub(were as u64);
        since
    }

    /// What one of this read with this anchor is called, if one is named.
    pub(super) fn called(&self, anchor: &Anchor) -> Option<String> {
        let found = self.named.iter().find(|stranger| stranger.anchor.as_ref() == Some(anchor));
        let further =
            || self.further.iter().find(|(further, _)| further == anchor).map(|(_, what)| what.clone());
        found.map(|stranger| stranger.what.clone()).or_else(further)
    }

    /// Whether this is the entry that came last, which shows this id too: it is one entry, and one exception.
    pub(super) fn is_further(&self, anchor: Option<&Anchor>, what: &str, why: &str) -> bool {
        let differs = |last: &Last| anchor.is_some_and(|anchor| *anchor != last.anchor);
        self.last.as_ref().is_some_and(|last| differs(last) && last.what == what && last.why == why)
    }

    /// Notes another id of the entry that came last.
    pub(super) fn add_further(&mut self, anchor: Option<&Anchor>, what: &str) {
        if let Some(anchor) = anchor.filter(|_| self.further.len() < NAMED) {
            self.further.push((anchor.clone(), what.to_owned()));
        }
    }

    /// Notes what came with the id of somebody who is known, and is named there.
    pub(super) fn is_of_known(&mut self, anchor: &Anchor, what: &str, why: &str, is_further: bool) {
        if let Some(here) = self.last.take_if(|last| is_further && last.is_here) {
            self.count = self.count.saturating_sub(1);
            self.named.pop_if(|named| named.anchor.as_ref() == Some(&here.anchor));
            self.add_further(Some(&here.anchor), &here.what);
        }
        let (what, why) = (what.to_owned(), why.to_owned());
        self.last = Some(Last { anchor: anchor.clone(), what, why, is_here: false });
    }

    pub(super) fn add(&mut self, stranger: UnreadableEntry) {
        self.count += 1;
        let UnreadableEntry { anchor, what, why, .. } = &stranger;
        self.last = anchor.as_ref().map(|anchor| Last {
            anchor: anchor.clone(),
            what: what.clone(),
            why: why.clone(),
            is_here: true,
        });
        if self.named.len() < NAMED {
            self.named.push(stranger);
        }
    }

    /// Has the next read know that this one came, if it did not come before; else since when it comes.
    pub(super) fn remember(&mut self, anchor: Option<&Anchor>, what: &str, since: Option<Timestamp>) {
        if (self.came.len() as u64) < MOST_REMEMBERED {
            self.came.push((anchor.cloned(), what.to_owned(), since));
        }
    }

    /// Those of this read without an id that bear the name of somebody who is known are named there, and not here: by their names,
    /// what is wrong with them, if that was kept.
    pub(super) fn are_known(&mut self, is_known: impl Fn(&Dn) -> bool) -> HashMap<Dn, String> {
        let name = |what: &str| Dn::parse(what).ok().filter(|dn| is_known(dn));
        let nameless = self.came.iter().filter(|(anchor, ..)| anchor.is_none());
        let known: HashSet<Dn> = nameless.filter_map(|(_, what, _)| name(what)).collect();
        self.count = self.count.saturating_sub(known.len() as u64);
        let is_one = |one: &mut UnreadableEntry| one.anchor.is_none() && name(&one.what).is_some();
        let ones: Vec<UnreadableEntry> = self.named.extract_if(.., is_one).collect();
        ones.into_iter().filter_map(|one| Some((name(&one.what)?, one.why))).collect()
    }

    /// After a read of everything those that came, else also those of which nothing was said. New ones are so from `now` on.
    pub(super) fn now(self, full: bool, now: Timestamp) -> (Vec<UnreadableEntry>, u64, Remembered) {
        let Self { mut named, mut count, before, count_before, remembered: earlier, came, .. } = self;
        for stranger in &mut named {
            stranger.since.get_or_insert(now);
        }
        let mut remembered = Remembered::default();
        for (anchor, what, since) in came {
            remembered.add(anchor.as_ref(), &what, since.unwrap_or(now));
        }
        if !full {
            named.extend(before);
            named.truncate(NAMED);
            count += count_before;
            remembered.extend(earlier);
        }
        (named, count, remembered)
    }
}
