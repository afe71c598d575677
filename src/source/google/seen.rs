//! Which groups were as they are at the last read, so that it is not asked again who is in them.
//!
//! A group shows how many are directly in it, and an etag; the documentation does not say that either changes when one member is
//! replaced by another. So a group that shows no change is trusted for some reads only: each read asks again for a part of them,
//! and the read of everything for all.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::decode::Item;
use crate::directory::Cursor;

/// After so many reads it was asked again who is in any group.
const PARTS: u8 = 4;
/// A mark has so many bytes.
const LENGTH: usize = 16;
/// A text of what was asked has so many bytes.
const FINGERPRINT: usize = 64;

/// A group as it shows itself.
pub(super) type Mark = [u8; LENGTH];

/// What was seen.
pub(super) struct Seen {
    /// Of what was asked.
    fingerprint: String,
    /// Which part is asked for.
    round: u8,
    /// How many strangers were in each.
    groups: HashMap<Mark, u32>,
}

/// Of all that an item says, its etag and the number of members among that.
pub(super) fn mark(item: &Item<'_>) -> Mark {
    let mut hasher = Sha256::new();
    // With their lengths, no two items are one text.
    for text in item.sorted().into_iter().flat_map(|(name, value)| [name, value]) {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    let mut mark = Mark::default();
    mark.copy_from_slice(&hasher.finalize()[..LENGTH]);
    mark
}

impl Seen {
    /// Nothing yet, after what was seen before.
    pub(super) fn after(before: Option<&Self>, fingerprint: String) -> Self {
        let round = before.map_or(0, |before| (before.round + 1) % PARTS);
        Self { fingerprint, round, groups: HashMap::new() }
    }

    /// A group was read as it shows itself.
    pub(super) fn note(&mut self, mark: Mark, strangers: u32) {
        self.groups.insert(mark, strangers);
    }

    /// How many strangers were in the group that shows itself so, unless it is time to ask for it again.
    pub(super) fn of(&self, mark: &Mark) -> Option<u32> {
        (mark[0] % PARTS != self.round).then(|| self.groups.get(mark).copied())?
    }

    /// What a cursor holds, if it is one of ours for the same question.
    pub(super) fn read(cursor: &Cursor, fingerprint: &str) -> Option<Self> {
        let (head, rest) = cursor.0.split_at_checked(FINGERPRINT)?;
        if head != fingerprint.as_bytes() {
            return None;
        }
        let (round, rest) = rest.split_first()?;
        let (groups, rest) = rest.as_chunks::<{ LENGTH + 4 }>();
        let group = |bytes: &[u8; LENGTH + 4]| {
            let (mut mark, mut strangers) = (Mark::default(), [0; 4]);
            mark.copy_from_slice(&bytes[..LENGTH]);
            strangers.copy_from_slice(&bytes[LENGTH..]);
            (mark, u32::from_le_bytes(strangers))
        };
        let groups = groups.iter().map(group).collect();
        let seen = Self { fingerprint: fingerprint.to_owned(), round: round % PARTS, groups };
        rest.is_empty().then_some(seen)
    }

    /// As it is kept.
    pub(super) fn cursor(&self) -> Cursor {
        let mut groups: Vec<(&Mark, &u32)> = self.groups.iter().collect();
        groups.sort_unstable();
        let mut bytes = self.fingerprint.clone().into_bytes();
        bytes.push(self.round);
        for (mark, strangers) in groups {
            bytes.extend_from_slice(mark);
            bytes.extend_from_slice(&strangers.to_le_bytes());
        }
        Cursor(bytes)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::source::json::object;

    fn group(count: &str) -> Mark {
        mark(&object(&json!({ "id": "g", "directMembersCount": count, "etag": "\"e\"" })))
    }

    #[test]
    fn a_group_that_shows_no_change_is_asked_again_after_some_reads() {
        let question = "a".repeat(FINGERPRINT);
        let mut seen = Seen::after(None, question.clone());
        for number in 0..100 {
            seen.note(group(&number.to_string()), number);
        }
        let asked_again = (0..PARTS).map(|_| {
            let again = Seen::read(&seen.cursor(), &question).unwrap();
            let asked: Vec<u32> =
                (0..100).filter(|number| again.of(&group(&number.to_string())) != Some(*number)).collect();
            assert!(again.of(&group("100")).is_none());
            let mut next = Seen::after(Some(&again), question.clone());
            (0..100).for_each(|number| next.note(group(&number.to_string()), number));
            seen = next;
            asked
        });
        let rounds: Vec<Vec<u32>> = asked_again.collect();
        assert!(rounds.iter().all(|asked| asked.len() < 50), "{rounds:?}");
        let mut all = rounds.concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn another_question_begins_anew() {
        let question = "a".repeat(FINGERPRINT);
        let mut seen = Seen::after(None, question.clone());
        seen.note(group("1"), 0);
        let Cursor(bytes) = seen.cursor();
        assert!(Seen::read(&Cursor(bytes.clone()), &"b".repeat(FINGERPRINT)).is_none());
        assert!(Seen::read(&Cursor(bytes[..bytes.len() - 1].to_vec()), &question).is_none());
        assert!(Seen::read(&Cursor(Vec::new()), &question).is_none());
    }
}
