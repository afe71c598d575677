//! Which entries came that could not be understood, by numbers made of what they are called, and since when they do.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::index::fingerprint;
use crate::directory::Anchor;
use crate::store::StoreError;

/// So many are remembered, in 60 kB. Those beyond that are new each time that they come.
pub const MOST: u64 = 10_000;

/// By the time at which a read brought them first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(Timestamp, String)>", into = "Vec<(Timestamp, String)>")]
pub struct Remembered(BTreeMap<Timestamp, RoaringBitmap>);

impl Remembered {
    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Since when an entry with this id and name comes.
    pub fn since(&self, anchor: Option<&Anchor>, name: &str) -> Option<Timestamp> {
        // Most know none, and many are asked for.
        if self.0.is_empty() {
            return None;
        }
        let number = number(anchor, name);
        self.0.iter().find(|(_, all)| all.contains(number)).map(|(since, _)| *since)
    }

    /// Remembers it, if there is room.
    pub fn add(&mut self, anchor: Option<&Anchor>, name: &str, since: Timestamp) {
        if self.0.values().map(RoaringBitmap::len).sum::<u64>() < MOST {
            self.0.entry(since).or_default().insert(number(anchor, name));
        }
    }

    /// Forgets it.
    pub fn forget(&mut self, anchor: Option<&Anchor>, name: &str) {
        if self.0.is_empty() {
            return;
        }
        let number = number(anchor, name);
        self.0.retain(|_, all| {
            all.remove(number);
            !all.is_empty()
        });
    }

    /// Remembers these too, as far as there is room.
    pub fn extend(&mut self, others: Self) {
        for (since, all) in others.0 {
            let room = MOST.saturating_sub(self.0.values().map(RoaringBitmap::len).sum());
            let all: RoaringBitmap =
                all.into_iter().take(usize::try_from(room).unwrap_or_default()).collect();
            if !all.is_empty() {
                *self.0.entry(since).or_default() |= all;
            }
        }
    }
}

/// Two of 10,000 have the same one in one of a hundred directories: then one of them counts as having come before.
fn number(anchor: Option<&Anchor>, name: &str) -> u32 {
    let id = anchor.map_or(&[][..], |anchor| anchor.as_str().as_bytes());
    let [a, b, c, d, ..] = fingerprint([id, name.as_bytes()]);
    u32::from_le_bytes([a, b, c, d])
}

impl From<Remembered> for Vec<(Timestamp, String)> {
    fn from(Remembered(all): Remembered) -> Self {
        let bytes = |of: &RoaringBitmap| of.iter().flat_map(u32::to_le_bytes).collect::<Vec<u8>>();
        all.iter().map(|(since, of)| (*since, STANDARD.encode(bytes(of)))).collect()
    }
}

impl TryFrom<Vec<(Timestamp, String)>> for Remembered {
    type Error = StoreError;

    fn try_from(stored: Vec<(Timestamp, String)>) -> Result<Self, StoreError> {
        let damaged =
            || StoreError::Damaged("what entries were called that could not be understood".to_owned());
        let all = stored.into_iter().map(|(since, text)| {
            let bytes = STANDARD.decode(text).map_err(|_| damaged())?;
            let (numbers, rest) = bytes.as_chunks::<4>();
            let numbers = numbers.iter().map(|number| u32::from_le_bytes(*number)).collect();
            rest.is_empty().then_some((since, numbers)).ok_or_else(damaged)
        });
        Ok(Self(all.collect::<Result<_, StoreError>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_remembered_and_no_more() {
        let (ann, now) = (Anchor::new("ann"), Timestamp::UNIX_EPOCH);
        let mut all = Remembered::default();
        all.add(Some(&ann), "cn=a", now);
        assert_eq!((all.since(Some(&ann), "cn=a"), all.since(None, "cn=a")), (Some(now), None));
        let mut others = Remembered::default();
        for one in 0..MOST + 9 {
            others.add(None, &format!("cn={one}"), Timestamp::MAX);
        }
        all.extend(others);
        let stored = serde_json::to_string(&all).unwrap();
        assert!(stored.len() < 60_000, "{}", stored.len());
        assert_eq!(serde_json::from_str::<Remembered>(&stored).unwrap(), all);
        let is_known = |one: u64| all.since(None, &format!("cn={one}")).is_some();
        assert!((0..MOST + 9).filter(|one| is_known(*one)).count() < 10_000);
        all.forget(Some(&ann), "cn=a");
        assert_eq!(all.since(Some(&ann), "cn=a"), None);
    }
}
