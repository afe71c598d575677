//! Counts what the readers of each policy use: requests, from their heads to the ends of their answers, and answers
//! that were not received yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::directory::Owner;

/// The shares of one listener; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    bounds: Bounds,
    taken: Arc<Mutex<BTreeMap<Owner, Taken>>>,
}

/// How much there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Requests of one policy.
    pub(super) requests: usize,
    /// Bytes of answers of one policy …
    pub(super) bytes: usize,
    /// … and of all.
    pub(super) bytes_of_all: usize,
}

#[derive(Debug, Default)]
struct Taken {
    requests: usize,
    bytes: usize,
}

/// A request's share; it is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Shares,
    owner: Owner,
    bytes: usize,
}

impl Shares {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, taken: Arc::default() }
    }

    /// A share for one more request of this policy's; `None` if it has too many.
    pub(super) fn take(&self, owner: &Owner) -> Option<Share> {
        let mut all = self.lock();
        if all.get(owner).is_some_and(|taken| taken.requests >= self.bounds.requests) {
            return None;
        }
        all.entry(owner.clone()).or_default().requests += 1;
        Some(Share { shares: self.clone(), owner: owner.clone(), bytes: 0 })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Owner, Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Reserves memory for an answer of so many bytes; false if there is none. An answer that is larger than the share
    /// of a policy reserves the whole share: otherwise it could never be sent.
    pub(super) fn weigh(&mut self, bytes: usize) -> bool {
        let Bounds { bytes: most, bytes_of_all, .. } = self.shares.bounds;
        let bytes = bytes.min(most);
        let mut all = self.shares.lock();
        let sum: usize = all.values().map(|taken| taken.bytes).sum();
        let Some(taken) = all.get_mut(&self.owner) else { return false };
        if taken.bytes + bytes > most || sum + bytes > bytes_of_all {
            return false;
        }
        taken.bytes += bytes;
        self.bytes += bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut all = self.shares.lock();
        if let Some(taken) = all.get_mut(&self.owner) {
            taken.requests -= 1;
            taken.bytes -= self.bytes;
            if taken.requests == 0 {
                all.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_taken_is_bounded_for_each_policy_and_for_all() {
        let shares = Shares::new(Bounds { requests: 3, bytes: 100, bytes_of_all: 150 });
        let (staff, guests) = (Owner::new("identity", "staff"), Owner::new("identity", "guests"));
        let take = |owner: &Owner| shares.take(owner).unwrap();
        let (mut first, mut second, third) = (take(&staff), take(&staff), take(&staff));
        assert!(shares.take(&staff).is_none(), "it has its share");
        drop(third);
        assert!(first.weigh(60));
        assert!(!second.weigh(41) && second.weigh(40));
        let (mut other, mut more) = (take(&guests), take(&guests));
        assert!(!other.weigh(51), "the sum is bounded, too");
        assert!(other.weigh(50));
        drop((first, second));
        assert!(!more.weigh(1_000), "of the policy's 100 are 50 left");
        drop(other);
        assert!(more.weigh(1_000), "what is larger than all is given alone");
        assert!(!take(&guests).weigh(1));
        drop(more);
        assert!(shares.lock().is_empty());
    }
}
