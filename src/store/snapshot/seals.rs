//! What the seals of this process changed: whoever knows a snapshot may ask what is different since.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use roaring::RoaringBitmap;

use crate::store::lock::lock;

/// So many changed rows are remembered of each connector, and so many seals; older ones are forgotten.
const MOST: u64 = 1_000_000;
const MOST_SEALS: usize = 10_000;

/// The rows that a seal changed, and the sequences of the snapshot before it and after it.
#[derive(Debug)]
struct Seal {
    before: u64,
    after: u64,
    rows: RoaringBitmap,
}

/// By connector, oldest first.
#[derive(Debug, Default)]
pub(in crate::store) struct Seals(Mutex<BTreeMap<i64, VecDeque<Seal>>>);

impl Seals {
    pub(super) fn note(&self, connector: i64, (before, after): (u64, u64), rows: RoaringBitmap) {
        // Most reads bring nothing.
        if before == after {
            return;
        }
        let mut all = lock(&self.0);
        let seals = all.entry(connector).or_default();
        seals.push_back(Seal { before, after, rows });
        while seals.len() > MOST_SEALS || seals.iter().map(|seal| seal.rows.len()).sum::<u64>() > MOST {
            seals.pop_front();
        }
    }

    /// The rows that changed from one sequence to another; `None` if that is not known, or not any more.
    pub(super) fn between(&self, connector: i64, since: u64, until: u64) -> Option<RoaringBitmap> {
        let mut changed = RoaringBitmap::new();
        let mut at = until;
        for seal in lock(&self.0).get(&connector).into_iter().flatten().rev() {
            if at != since && seal.after == at {
                changed |= &seal.rows;
                at = seal.before;
            }
        }
        (at == since).then_some(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_known_from_seal_to_seal() {
        let seals = Seals::default();
        seals.note(1, (0, 5), (0..5).collect());
        seals.note(1, (5, 7), [2, 9].into_iter().collect());
        seals.note(2, (0, 6), [1].into_iter().collect());
        seals.note(1, (7, 9), [3].into_iter().collect());
        let between = |since, until| Some(seals.between(1, since, until)?.into_iter().collect::<Vec<u32>>());
        assert_eq!(between(5, 9), Some(vec![2, 3, 9]));
        assert_eq!(between(5, 7), Some(vec![2, 9]));
        assert_eq!(between(9, 9), Some(vec![]));
        assert_eq!(between(6, 9), None, "that was no snapshot of it");
        assert_eq!(between(5, 8), None);
        seals.note(1, (9, 10), (0..1_000_000).collect());
        assert_eq!(between(5, 10), None, "it is forgotten");
    }

    #[test]
    fn years_of_reads_are_not_remembered() {
        let seals = Seals::default();
        for at in 1..=20_000 {
            seals.note(1, (at, at), RoaringBitmap::new());
            seals.note(1, (at, at + 1), RoaringBitmap::new());
        }
        assert_eq!(lock(&seals.0)[&1].len(), MOST_SEALS);
        assert_eq!(
            (seals.between(1, 20_000, 20_001), seals.between(1, 1, 20_001)),
            (Some(RoaringBitmap::new()), None)
        );
    }
}
