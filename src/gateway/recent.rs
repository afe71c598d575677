//! The numbers of the requests that came lately: none of them comes twice. Pure, but for what it remembers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::wire::{KeyId, Stamp};

/// Clocks may differ by so much. A request counts for so long, and its number is remembered for twice as long.
pub(super) const SKEW: SignedDuration = SignedDuration::from_mins(2);
/// So many requests of one engine may come in the time for which they are remembered: 40 a second.
const MOST: usize = 10_000;

/// The numbers of the requests that came lately.
#[derive(Debug, Default)]
pub(super) struct Recent(HashMap<KeyId, Of>);

/// Those of one key, by when they came, and all of them.
#[derive(Debug, Default)]
struct Of {
    when: BTreeMap<Timestamp, Vec<String>>,
    all: BTreeSet<String>,
    /// The latest moment for which one was signed that was taken.
    newest: Option<Timestamp>,
}

/// Why a request is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Old {
    /// It came before.
    Replayed,
    /// There are too many.
    TooMany,
}

impl Recent {
    /// Takes a request whose moment is near enough to `now`.
    pub(super) fn take(&mut self, stamp: &Stamp, now: Timestamp) -> Result<(), Old> {
        let of = self.0.entry(stamp.key.clone()).or_default();
        // Whatever is signed for a moment before that is too old anyway.
        let end = now.saturating_sub(SKEW + SKEW).unwrap_or(Timestamp::MIN);
        let kept = of.when.split_off(&end);
        for nonce in std::mem::replace(&mut of.when, kept).into_values().flatten() {
            of.all.remove(&nonce);
        }
        if of.all.contains(&stamp.nonce) {
            return Err(Old::Replayed);
        }
        if of.all.len() >= MOST {
            return Err(Old::TooMany);
        }
        // By when it came and when it says that it was made, the later one: it is forgotten only when it would be refused.
        of.when.entry(stamp.at.max(now)).or_default().push(stamp.nonce.clone());
        of.all.insert(stamp.nonce.clone());
        of.newest = of.newest.max(Some(stamp.at));
        Ok(())
    }

    /// Whether it was signed after all that were taken. Anybody on the way may have kept one that was not.
    pub(super) fn is_newer(&self, stamp: &Stamp) -> bool {
        self.0.get(&stamp.key).is_none_or(|of| of.newest < Some(stamp.at))
    }

    /// Forgets keys that are enrolled no more.
    pub(super) fn keep(&mut self, is_enrolled: impl Fn(&KeyId) -> bool) {
        self.0.retain(|key, _| is_enrolled(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::SigningKey;

    #[test]
    fn no_request_counts_twice_while_it_counts_at_all() {
        let (key, _) = SigningKey::generate().unwrap();
        let key = key.public().unwrap().id();
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let stamp = |at: Timestamp, nonce: &str| Stamp {
            key: key.clone(),
            instance: String::new(),
            session: String::new(),
            at,
            nonce: nonce.to_owned(),
            body: String::new(),
        };
        let mut recent = Recent::default();
        let skew = SKEW.as_secs();
        // Of a clock that is ahead as far as one may be: it counts until that is behind as far.
        let ahead = stamp(at(skew), "a");
        assert_eq!(recent.take(&ahead, at(0)), Ok(()));
        for later in 0..=2 * skew {
            assert_eq!(recent.take(&ahead, at(later)), Err(Old::Replayed), "after {later} s");
        }
        assert_eq!(recent.take(&stamp(at(0), "b"), at(0)), Ok(()));
        for number in 2..MOST {
            assert_eq!(recent.take(&stamp(at(0), &number.to_string()), at(0)), Ok(()));
        }
        assert_eq!(recent.take(&stamp(at(0), "last"), at(0)), Err(Old::TooMany));
        assert_eq!(recent.take(&stamp(at(4 * skew), "later"), at(4 * skew)), Ok(()));
        recent.keep(|_| false);
        assert!(recent.0.is_empty());
    }
}
