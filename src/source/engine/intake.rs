//! What an engine brings for one task: it reaches the source once, in its place, and whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore, mpsc};
use tokio::time::Instant;

use super::refused::Refused;
use super::seen::Process;
use super::told;
use crate::directory::{Batch, Change};
use crate::source::{Reason, Sink, SourceError};
use crate::wire::{self, Chain, Taken};

/// So many whole batches wait for the source.
const ROOM: usize = 2;

/// What a source is told.
pub(super) enum Event {
    /// A batch.
    Batch(Batch),
    /// The read reached its end, and everything came: from this process.
    Complete(Process, Box<wire::Completion>),
    /// The look-up did.
    LookedUp(Process, Box<wire::LookedUp>),
    /// It failed.
    Failed(SourceError),
}

/// Where what comes for a task goes.
pub(super) struct Intake {
    at: AsyncMutex<At>,
    /// One batch is unpacked at a time: also while nobody waits for it any more, because whoever sent it was cut off.
    unpacking: Arc<Semaphore>,
    /// One place more than for batches: for the end, which never waits.
    events: mpsc::Sender<Event>,
    /// Notified when the source has taken something.
    freed: Arc<Notify>,
    has_ended: AtomicBool,
    /// That of a read.
    sink: Option<Sink>,
}

/// How far it is.
struct At {
    chain: Chain,
    /// The parts of a batch that is not whole.
    half: Vec<u8>,
}

/// The other end of an intake.
pub(super) struct Outlet {
    events: mpsc::Receiver<Event>,
    freed: Arc<Notify>,
}

impl Intake {
    /// That of a task; `sink` is that of a read.
    pub(super) fn of(task: &wire::Task, sink: Option<Sink>) -> (Self, Outlet) {
        let (events, heard) = mpsc::channel(ROOM + 1);
        let freed = Arc::<Notify>::default();
        let at = AsyncMutex::new(At { chain: Chain::of_task(task), half: Vec::new() });
        let (unpacking, has_ended) = (Arc::new(Semaphore::new(1)), AtomicBool::new(false));
        let intake = Self { at, unpacking, events, freed: freed.clone(), has_ended, sink };
        (intake, Outlet { events: heard, freed })
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// A part of a batch came.
    ///
    /// # Errors
    /// When it is not the next one. One that cannot be used ends the read.
    pub(super) async fn part(&self, number: u64, framed: &[u8]) -> Result<wire::Receipt, Refused> {
        let mut at = self.at.lock().await;
        if self.has_ended() || self.events.is_closed() {
            return Err(Refused::Gone);
        }
        let (part, ends, chain) = match at.chain.take(number, framed)? {
            Taken::Again => return Ok(self.receipt(&at)),
            Taken::New { part, ends, chain } => (part, ends, chain),
        };
        if at.half.len() + part.len() > wire::PACKED {
            let why = format!("a batch has more than {} bytes, packed", wire::PACKED);
            return Err(self.fails(why));
        }
        if !ends {
            at.half.extend_from_slice(part);
            at.chain = chain;
            return Ok(self.receipt(&at));
        }
        if self.places() == 0 {
            return Ok(self.receipt(&at));
        }
        let unpacking = self.unpacking.clone().acquire_owned().await.map_err(|_| Refused::Gone)?;
        let packed = [&at.half, part].concat();
        // Nothing is changed before this is done: whoever is cut off meanwhile sends the part again.
        let unpacked = tokio::task::spawn_blocking(move || (batch(&packed), unpacking)).await;
        match unpacked.map_err(|error| error.to_string()).and_then(|(batch, _)| batch) {
            // Only whoever has the lock puts something there.
            Ok(batch) => {
                self.events.try_send(Event::Batch(batch)).map_err(|_| Refused::Gone)?;
                at.half = Vec::new();
                at.chain = chain;
                Ok(self.receipt(&at))
            }
            Err(why) => Err(self.fails(why)),
        }
    }

    /// Waits until there is room for another batch.
    ///
    /// # Errors
    /// When nobody wants one any more.
    pub(super) async fn room(&self, wait: Duration) -> Result<wire::Receipt, Refused> {
        let deadline = Instant::now() + wait;
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.events.is_closed() {
                return Err(Refused::Gone);
            }
            if self.places() > 0 || tokio::time::timeout_at(deadline, freed).await.is_err() {
                break;
            }
        }
        let at = self.at.lock().await;
        Ok(self.receipt(&at))
    }

    /// What is told of the read before.
    ///
    /// # Errors
    /// When it is no question, or nobody wants an answer any more.
    pub(super) async fn told(&self, question: wire::Question) -> Result<wire::Told, Refused> {
        let sink = self.sink.clone().ok_or(Refused::Gone)?;
        let told = told::tell(&sink, question).await;
        told.ok_or_else(|| Refused::Invalid("the question about the last read is none".to_owned()))
    }

    /// The task has come to its end, says this process.
    ///
    /// # Errors
    /// When the end does not belong to what came, which ends the read too.
    pub(super) async fn end(&self, by: &Process, end: wire::End) -> Result<wire::Receipt, Refused> {
        let at = self.at.lock().await;
        if self.has_ended() {
            return Ok(self.receipt(&at));
        }
        let event = match end.outcome {
            wire::Outcome::Complete(seal, completion) if self.sink.is_some() => {
                let whole = if at.half.is_empty() { Ok(()) } else { Err(wire::Broken::End) };
                if let Err(broken) = whole.and_then(|()| at.chain.check(&seal)) {
                    self.fails(broken.to_string());
                    return Err(broken.into());
                }
                Event::Complete(by.clone(), completion)
            }
            wire::Outcome::LookedUp(found) if self.sink.is_none() => Event::LookedUp(by.clone(), found),
            wire::Outcome::Failed(failure) => Event::Failed(told::failed(&failure)),
            wire::Outcome::Complete(..) | wire::Outcome::LookedUp(_) => {
                return Err(self.fails("it is the end of something else".to_owned()));
            }
        };
        self.ends(event);
        Ok(self.receipt(&at))
    }

    /// How many more batches there is room for.
    fn places(&self) -> usize {
        self.events.capacity().saturating_sub(1)
    }

    fn receipt(&self, at: &At) -> wire::Receipt {
        wire::Receipt { next: at.chain.next(), room: u32::try_from(self.places()).unwrap_or(u32::MAX) }
    }

    /// Nothing comes after this. There is a place for it.
    fn ends(&self, event: Event) {
        if !self.has_ended.swap(true, Ordering::AcqRel) {
            // Nobody listens any more only when nobody wants it any more.
            drop(self.events.try_send(event));
        }
    }

    /// What came cannot be used: the read ends.
    fn fails(&self, why: String) -> Refused {
        let message = format!("what the engine sent cannot be used: {why}; nothing of this read was used");
        self.ends(Event::Failed(SourceError::new(Reason::InvalidData, message)));
        Refused::Invalid(why)
    }
}

impl Outlet {
    /// What comes next; `None` if nothing can come any more.
    pub(super) async fn next(&mut self) -> Option<Event> {
        let event = self.events.recv().await;
        self.freed.notify_waiters();
        event
    }
}

/// The changes of a batch.
fn batch(packed: &[u8]) -> Result<Batch, String> {
    let sent: Vec<wire::Change> = wire::unpack(packed, wire::UNPACKED).map_err(|error| error.to_string())?;
    if sent.len() > Batch::MAX {
        return Err(wire::Misfit::TooMany.to_string());
    }
    let changes = sent.into_iter().map(Change::try_from).collect::<Result<_, _>>();
    changes.map(Batch).map_err(|misfit| misfit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Change, Task};

    #[test]
    fn whoever_is_cut_off_again_and_again_has_one_batch_unpacked_at_a_time() {
        // The only thread that may wait does so until it is told.
        let one = tokio::runtime::Builder::new_current_thread().enable_time().max_blocking_threads(1).build();
        one.unwrap().block_on(async {
            let task = Task { id: "a".to_owned(), read: None, look_up: None };
            let (intake, mut outlet) = Intake::of(&task, None);
            let batch = wire::pack(&vec![Change::Tombstone("ann".to_owned())]).unwrap();
            let (framed, _) = Chain::of_task(&task).part(&batch, true);
            let (go_on, waits) = std::sync::mpsc::channel::<()>();
            let busy = tokio::task::spawn_blocking(move || waits.recv());
            for _ in 0..5 {
                let cut_off = tokio::time::timeout(Duration::from_millis(1), intake.part(0, &framed)).await;
                assert!(cut_off.is_err());
                assert_eq!(intake.unpacking.available_permits(), 0, "the first one is still to be unpacked");
            }
            go_on.send(()).unwrap();
            busy.await.unwrap().unwrap();
            // What was unpacked for nobody is gone, and the part that is sent again counts once.
            assert_eq!(intake.part(0, &framed).await.unwrap().next, 1);
            assert_eq!(intake.part(0, &framed).await.unwrap().next, 1);
            assert!(matches!(outlet.next().await, Some(Event::Batch(batch)) if batch.0.len() == 1));
            assert_eq!((intake.unpacking.available_permits(), intake.places()), (1, ROOM));
        });
    }
}
