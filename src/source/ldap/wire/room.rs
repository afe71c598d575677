//! Memory for large messages, shared by all connections of the process, so that it is bounded however many servers send
//! at once.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::limit::{LARGE_WITHIN, ROOM, WAIT_FOR_ROOM};

static ALL: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(ROOM)));

/// What one connection has of the room.
pub(super) struct Room {
    all: Arc<Semaphore>,
    taken: Option<Taken>,
}

struct Taken {
    _bytes: OwnedSemaphorePermit,
    until: Instant,
}

/// There was none for so long.
#[derive(Debug)]
pub(super) struct NoRoom;

impl Room {
    /// Nothing yet of what the process has.
    pub(super) fn shared() -> Self {
        Self::of(ALL.clone())
    }

    pub(super) fn of(all: Arc<Semaphore>) -> Self {
        Self { all, taken: None }
    }

    /// Reserves memory for a whole message at once, so that no two wait for each other; waits until there is some, in
    /// the order of requests.
    pub(super) async fn take(&mut self, bytes: usize) -> Result<(), NoRoom> {
        if self.taken.is_some() {
            return Ok(());
        }
        let bytes = u32::try_from(bytes).map_err(|_| NoRoom)?;
        let taking = timeout(WAIT_FOR_ROOM, self.all.clone().acquire_many_owned(bytes)).await;
        let Ok(Ok(permit)) = taking else { return Err(NoRoom) };
        self.taken = Some(Taken { _bytes: permit, until: Instant::now() + LARGE_WITHIN });
        Ok(())
    }

    /// Releases the memory of a message. Returns whether it had any.
    pub(super) fn give_back(&mut self) -> bool {
        self.taken.take().is_some()
    }

    /// How long the message that took room may take still.
    pub(super) fn left(&self) -> Option<Duration> {
        self.taken.as_ref().map(|taken| taken.until.saturating_duration_since(Instant::now()))
    }
}
