//! What the gateway's process has: who it is, and what came lately.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::expected::Gateway;
use super::recent::Recent;
use crate::clock::Clock;
use crate::telemetry::Metrics;
use crate::wire::{KeyId, NoKey, Stamp};

/// So many requests of one engine are answered at once.
const AT_ONCE: usize = 8;
/// So many of its questions and ends, which may be long, are unpacked and answered at once. An engine asks one after another.
const LETTERS: usize = 1;
/// So many who have a token may try to join in a second.
const JOINS: u32 = 5;

/// What the gateway's process has.
pub(super) struct Desk {
    pub(super) gateway: Gateway,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Metrics,
    pub(super) stop: CancellationToken,
    /// Who this process is: what is signed is signed for it, so that nothing counts after it ended.
    pub(super) instance: String,
    recent: Mutex<Recent>,
    under_way: Mutex<HashMap<KeyId, UnderWay>>,
    joins: Mutex<(i64, u32)>,
}

/// What may be under way of one key.
struct UnderWay {
    requests: Arc<Semaphore>,
    letters: Arc<Semaphore>,
}

/// A place among what is under way of one key. It is held until the last of the answer was taken, or nobody takes it any more.
pub(super) struct Place {
    #[expect(dead_code, reason = "it is held, and never asked")]
    request: OwnedSemaphorePermit,
    letters: Arc<Semaphore>,
}

impl Place {
    /// Waits for a place among the letters; `None` if there are none any more.
    pub(super) async fn letter(&self) -> Option<OwnedSemaphorePermit> {
        self.letters.clone().acquire_owned().await.ok()
    }
}

impl Desk {
    pub(super) fn new(
        gateway: Gateway,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        stop: CancellationToken,
    ) -> Result<Self, NoKey> {
        Ok(Self {
            gateway,
            clock,
            metrics,
            stop,
            instance: Stamp::nonce()?,
            recent: Mutex::default(),
            under_way: Mutex::default(),
            joins: Mutex::default(),
        })
    }

    /// The numbers of the requests that came lately.
    pub(super) fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a request of this key, if there is one.
    pub(super) fn place(&self, key: &KeyId) -> Option<Place> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if !under_way.contains_key(key) {
            // Those of keys that are gone go with them.
            under_way.retain(|key, _| self.gateway.engines.of_key(key).is_some());
            self.recent().keep(|key| self.gateway.engines.of_key(key).is_some());
        }
        let of = under_way.entry(key.clone()).or_insert_with(|| UnderWay {
            requests: Arc::new(Semaphore::new(AT_ONCE)),
            letters: Arc::new(Semaphore::new(LETTERS)),
        });
        let request = of.requests.clone().try_acquire_owned().ok()?;
        Some(Place { request, letters: of.letters.clone() })
    }

    /// Whether one more who has a token may try to join in this second.
    pub(super) fn may_join(&self, now: Timestamp) -> bool {
        let mut joins = self.joins.lock().unwrap_or_else(PoisonError::into_inner);
        if joins.0 != now.as_second() {
            *joins = (now.as_second(), 0);
        }
        joins.1 = joins.1.saturating_add(1);
        joins.1 <= JOINS
    }
}
