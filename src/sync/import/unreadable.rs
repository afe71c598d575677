//! Entries that came, could not be understood, and never were: all are counted, the first are named.

use jiff::Timestamp;

use crate::directory::Anchor;
use crate::store::snapshot::{SnapshotInfo, UnreadableEntry};

/// So many are named.
const NAMED: usize = 100;

/// Those of this read, and those of before that it did not speak of.
#[derive(Default)]
pub(super) struct UnreadableEntries {
    named: Vec<UnreadableEntry>,
    count: u64,
    before: Vec<UnreadableEntry>,
    count_before: u64,
}

impl UnreadableEntries {
    pub(super) fn after(info: Option<&SnapshotInfo>) -> Self {
        let before = info.map(|info| (info.unreadable.clone(), info.unreadable_count));
        let (before, count_before) = before.unwrap_or_default();
        Self { before, count_before, ..Self::default() }
    }

    /// Something was said of this entry: whatever it was before, it is none of those any more. Since when it was one.
    pub(super) fn heard_of(&mut self, anchor: Option<&Anchor>, dn: Option<&str>) -> Option<Timestamp> {
        if self.before.is_empty() {
            return None;
        }
        let is_it = |stranger: &UnreadableEntry| {
            let by_anchor = stranger.anchor.as_ref().zip(anchor).is_some_and(|(of, anchor)| of == anchor);
            by_anchor || dn.is_some_and(|dn| stranger.what == dn)
        };
        let were: Vec<UnreadableEntry> = self.before.extract_if(.., |stranger| is_it(stranger)).collect();
        self.count_before = self.count_before.saturating_sub(were.len() as u64);
        // Where it was not noted, it may be whoever is missing.
        were.iter().map(|stranger| stranger.since.unwrap_or(Timestamp::MAX)).max()
    }

    /// What one of this read with this anchor is called, if one is named.
    pub(super) fn called(&self, anchor: &Anchor) -> Option<String> {
        let found = self.named.iter().find(|stranger| stranger.anchor.as_ref() == Some(anchor));
        found.map(|stranger| stranger.what.clone())
    }

    pub(super) fn add(&mut self, stranger: UnreadableEntry) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(stranger);
        }
    }

    /// After a read of everything those that came, else also those of which nothing was said. New ones are so from `now` on.
    pub(super) fn now(self, full: bool, now: Timestamp) -> (Vec<UnreadableEntry>, u64) {
        let Self { mut named, mut count, before, count_before } = self;
        for stranger in &mut named {
            stranger.since.get_or_insert(now);
        }
        if !full {
            named.extend(before);
            named.truncate(NAMED);
            count += count_before;
        }
        (named, count)
    }
}
