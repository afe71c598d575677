//! The Sync Engines that are enrolled: what each is to do, and what comes of it. A source puts tasks in at one end; the gateway hands them
//! out at the other, and brings back what the engine says.
//!
//! # Guarantees
//! - A task goes to one process of an engine. What another one says of it is refused, so that no read is made of two.
//! - A batch reaches the source once, in its place, and only whole. An end reaches it only if the chain of its parts is whole.
//! - No more than [`ROOM`] batches wait, and no more than one is half there.
//! - A request that is cut off at any moment leaves everything as it was before it, or as it is after it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc};
use tokio::time::Instant;
use uuid::Uuid;

use super::told;
use crate::directory::{Batch, Change, ConnectorName};
use crate::source::{Reason, Sink, SourceError};
use crate::wire::{self, Chain, KeyId, PublicKey, Taken};

/// So many whole batches wait for the source.
const ROOM: usize = 2;
/// An engine of which nothing was heard for so long is not connected. It asks at least every half a minute.
pub const SILENCE: Duration = Duration::from_secs(75);

/// The engines that are enrolled; clones share them.
#[derive(Clone)]
pub struct Engines(Arc<Shared>);

struct Shared {
    known: Mutex<Known>,
    /// Notified when there is something to do, or not any more.
    work: Notify,
    /// Whose engine came or went.
    news: mpsc::Sender<ConnectorName>,
}

#[derive(Default)]
struct Known {
    engines: BTreeMap<ConnectorName, Engine>,
    keys: HashMap<KeyId, ConnectorName>,
}

/// What is known of one engine.
struct Engine {
    key: PublicKey,
    /// Its process.
    session: Option<String>,
    seen: Option<Seen>,
    heard: Option<Instant>,
    /// Whether it was told that it is connected.
    is_connected: bool,
    tasks: BTreeMap<String, Open>,
    queue: VecDeque<String>,
}

/// What an engine says of itself, and when it did last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: Timestamp,
    /// The version of its software.
    pub software: String,
    /// Its machine.
    pub host: String,
    /// How far its clock is ahead.
    pub skew: SignedDuration,
    /// Why it was refused, or does nothing.
    pub trouble: Option<Trouble>,
}

/// Why an engine was refused, or does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// In one word of [`wire::code`], or [`Trouble::STOPPED`].
    pub code: &'static str,
    /// For people.
    pub why: String,
}

impl Trouble {
    /// Somebody stopped it where it runs.
    pub const STOPPED: &str = "stopped";
}

/// How an engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Whether it is connected.
    pub is_connected: bool,
    /// What it said last, if it was there since the operator began.
    pub seen: Option<Seen>,
}

/// A task under way.
struct Open {
    task: wire::Task,
    /// By which process of the engine.
    taken: Option<String>,
    inner: Arc<Inner>,
}

struct Inner {
    intake: AsyncMutex<Intake>,
    /// One place more than for batches: for the end, which never waits.
    events: mpsc::Sender<Event>,
    /// Notified when the source has taken something.
    freed: Arc<Notify>,
    has_ended: AtomicBool,
    sink: Option<Sink>,
}

struct Intake {
    chain: Chain,
    /// The parts of a batch that is not whole.
    half: Vec<u8>,
}

/// What a source is told.
pub(super) enum Event {
    /// A batch.
    Batch(Batch),
    /// The read reached its end, and everything came.
    Complete(Box<wire::Completion>),
    /// The look-up did.
    LookedUp(Box<wire::LookedUp>),
    /// It failed.
    Failed(SourceError),
}

/// Why what an engine said is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody wants it any more.
    #[error(
        "the operator does not want this any more: the read was given up, or the operator was started again"
    )]
    Gone,
    /// It breaks the chain.
    #[error(transparent)]
    Chain(#[from] wire::Broken),
    /// It cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// A later process has the same key.
    #[error(
        "another engine with the same key was started later, and is the active one. Stop one of them; each engine needs a key of its own"
    )]
    Superseded,
}

/// A task as its source has it; it is given up when this is dropped.
pub(super) struct Ticket {
    engines: Engines,
    connector: ConnectorName,
    id: String,
    events: mpsc::Receiver<Event>,
    freed: Arc<Notify>,
}

impl fmt::Debug for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engines")
    }
}

impl Engines {
    /// None yet. Out of the other end come the connectors whose engine came or went; one that nobody has room for is lost.
    pub fn new() -> (Self, mpsc::Receiver<ConnectorName>) {
        let (news, heard) = mpsc::channel(256);
        (Self(Arc::new(Shared { known: Mutex::default(), work: Notify::new(), news })), heard)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of a connector's engine, from now on; `None` if it has none, or none any more. With another key it is another engine, and
    /// whatever the one before had to do is given up.
    pub fn enrol(&self, connector: &ConnectorName, key: Option<PublicKey>) {
        let mut known = self.known();
        if known.engines.get(connector).map(|engine| &engine.key) == key.as_ref() {
            return;
        }
        if let Some(gone) = known.engines.remove(connector) {
            known.keys.remove(&gone.key.id());
            // Its tasks end: nobody can send to them any more.
        }
        if let Some(key) = key {
            // A key is one engine's: the connector that had it first keeps it.
            if known.keys.contains_key(&key.id()) {
                return;
            }
            known.keys.insert(key.id(), connector.clone());
            let engine = Engine {
                key,
                session: None,
                seen: None,
                heard: None,
                is_connected: false,
                tasks: BTreeMap::new(),
                queue: VecDeque::new(),
            };
            known.engines.insert(connector.clone(), engine);
        }
        drop(known);
        self.0.work.notify_waiters();
    }

    /// Whose key this is.
    pub fn of_key(&self, key: &KeyId) -> Option<(ConnectorName, PublicKey)> {
        let known = self.known();
        let connector = known.keys.get(key)?;
        Some((connector.clone(), known.engines.get(connector)?.key.clone()))
    }

    /// How a connector's engine is; `None` if none is enrolled.
    pub fn state(&self, connector: &ConnectorName) -> Option<State> {
        let known = self.known();
        let engine = known.engines.get(connector)?;
        Some(State { is_connected: engine.is_there(), seen: engine.seen.clone() })
    }

    /// How many engines are connected.
    pub fn connected(&self) -> usize {
        self.known().engines.values().filter(|engine| engine.is_there()).count()
    }

    /// Tells of those who went silent.
    pub fn lapse(&self) {
        let mut known = self.known();
        for (connector, engine) in &mut known.engines {
            if engine.is_connected && !engine.is_there() {
                engine.is_connected = false;
                // Whoever has no room for it looks again by itself.
                drop(self.0.news.try_send(connector.clone()));
            }
        }
    }

    /// Something that an engine signed was refused. What it said of itself before stands.
    pub fn troubled(
        &self,
        connector: &ConnectorName,
        at: Timestamp,
        skew: Option<SignedDuration>,
        trouble: Trouble,
    ) {
        let mut known = self.known();
        let Some(engine) = known.engines.get_mut(connector) else { return };
        let mut seen = engine.seen.take().unwrap_or_else(|| Seen {
            at,
            software: String::new(),
            host: String::new(),
            skew: SignedDuration::ZERO,
            trouble: None,
        });
        let is_news = seen.trouble.as_ref().is_none_or(|before| before.code != trouble.code);
        (seen.at, seen.skew, seen.trouble) = (at, skew.unwrap_or(seen.skew), Some(trouble));
        engine.seen = Some(seen);
        engine.is_connected = false;
        if is_news {
            drop(self.0.news.try_send(connector.clone()));
        }
    }

    /// An engine said something, with a signature of its key. `session` is its process.
    ///
    /// # Errors
    /// When a later process of it is there.
    pub fn heard(&self, connector: &ConnectorName, session: &str, seen: Seen) -> Result<(), Refused> {
        let mut known = self.known();
        let engine = known.engines.get_mut(connector).ok_or(Refused::Gone)?;
        let mine = Some(session);
        if engine.session.as_deref() > mine {
            return Err(Refused::Superseded);
        }
        let is_fine = seen.trouble.is_none();
        let is_news = engine.seen.as_ref().is_none_or(|before| {
            before.trouble != seen.trouble || before.host != seen.host || before.software != seen.software
        });
        if is_fine {
            if engine.session.as_deref() != mine {
                engine.session = Some(session.to_owned());
                // What the process before had is lost with it.
                let lost = |open: &Open| open.taken.as_deref().is_some_and(|taken| taken != session);
                engine.tasks.retain(|_, open| !lost(open));
            }
            engine.heard = Some(Instant::now());
        }
        engine.seen = Some(seen);
        let is_there = is_fine && engine.is_there();
        let was = std::mem::replace(&mut engine.is_connected, is_there);
        if is_news || was != is_there {
            drop(self.0.news.try_send(connector.clone()));
        }
        Ok(())
    }

    /// What the engine is to do now: a task that it has not, and those of its own that are not wanted any more. Waits for that so long.
    ///
    /// # Errors
    /// When it is enrolled no more, or a later process of it is there.
    pub async fn work(
        &self,
        connector: &ConnectorName,
        session: &str,
        has: &BTreeSet<String>,
        wait: Duration,
    ) -> Result<wire::Work, Refused> {
        let deadline = Instant::now() + wait;
        loop {
            let changed = self.0.work.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let work = self.work_now(connector, session, has)?;
            let is_none = work.task.is_none() && work.dropped.is_empty();
            if !is_none || tokio::time::timeout_at(deadline, changed).await.is_err() {
                return Ok(work);
            }
        }
    }

    fn work_now(
        &self,
        connector: &ConnectorName,
        session: &str,
        has: &BTreeSet<String>,
    ) -> Result<wire::Work, Refused> {
        let mut known = self.known();
        let engine = known.engines.get_mut(connector).ok_or(Refused::Gone)?;
        if engine.session.as_deref() != Some(session) {
            return Err(Refused::Superseded);
        }
        engine.heard = Some(Instant::now());
        let dropped = has.iter().filter(|id| !engine.tasks.contains_key(*id)).cloned().collect();
        // One that was handed out and is not there was lost on the way.
        let lost = engine.tasks.values().find(|open| {
            let is_open = !open.inner.has_ended.load(Ordering::Acquire);
            is_open && open.taken.as_deref() == Some(session) && !has.contains(&open.task.id)
        });
        let mut task = lost.map(|open| open.task.clone());
        while task.is_none() {
            let Some(id) = engine.queue.pop_front() else { break };
            if let Some(open) = engine.tasks.get_mut(&id) {
                open.taken = Some(session.to_owned());
                task = Some(open.task.clone());
            }
        }
        Ok(wire::Work { task, dropped })
    }

    /// A task of this process of the engine.
    fn open(&self, connector: &ConnectorName, session: &str, task: &str) -> Result<Arc<Inner>, Refused> {
        let mut known = self.known();
        let engine = known.engines.get_mut(connector).ok_or(Refused::Gone)?;
        let open = engine.tasks.get(task).filter(|open| open.taken.as_deref() == Some(session));
        let inner = open.ok_or(Refused::Gone)?.inner.clone();
        engine.heard = Some(Instant::now());
        Ok(inner)
    }

    /// A part of a batch came.
    ///
    /// # Errors
    /// When it is not the next one. One that cannot be used ends the read.
    pub async fn part(
        &self,
        (connector, session, task): (&ConnectorName, &str, &str),
        number: u64,
        framed: &[u8],
    ) -> Result<wire::Receipt, Refused> {
        let inner = self.open(connector, session, task)?;
        let mut intake = inner.intake.lock().await;
        if inner.has_ended() || inner.events.is_closed() {
            return Err(Refused::Gone);
        }
        let (part, ends, chain) = match intake.chain.take(number, framed)? {
            Taken::Again => return Ok(inner.receipt(&intake)),
            Taken::New { part, ends, chain } => (part, ends, chain),
        };
        if intake.half.len() + part.len() > wire::PACKED {
            let why = format!("a batch has more than {} bytes, packed", wire::PACKED);
            return Err(inner.fails(why));
        }
        if !ends {
            intake.half.extend_from_slice(part);
            intake.chain = chain;
            return Ok(inner.receipt(&intake));
        }
        if inner.room() == 0 {
            return Ok(inner.receipt(&intake));
        }
        let packed = [&intake.half, part].concat();
        // Nothing is changed before this is done: whoever is cut off meanwhile sends the part again.
        let unpacked = tokio::task::spawn_blocking(move || batch(&packed)).await;
        match unpacked.map_err(|error| error.to_string()).and_then(|batch| batch) {
            // Only whoever has the intake puts something there.
            Ok(batch) => {
                inner.events.try_send(Event::Batch(batch)).map_err(|_| Refused::Gone)?;
                intake.half = Vec::new();
                intake.chain = chain;
                Ok(inner.receipt(&intake))
            }
            Err(why) => Err(inner.fails(why)),
        }
    }

    /// Waits until there is room for another batch.
    ///
    /// # Errors
    /// When nobody wants one any more.
    pub async fn room(
        &self,
        (connector, session, task): (&ConnectorName, &str, &str),
        wait: Duration,
    ) -> Result<wire::Receipt, Refused> {
        let inner = self.open(connector, session, task)?;
        let deadline = Instant::now() + wait;
        loop {
            let freed = inner.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if inner.events.is_closed() {
                return Err(Refused::Gone);
            }
            if inner.room() > 0 || tokio::time::timeout_at(deadline, freed).await.is_err() {
                break;
            }
        }
        let intake = inner.intake.lock().await;
        Ok(inner.receipt(&intake))
    }

    /// What is told of the read before.
    ///
    /// # Errors
    /// When it is no question, or nobody wants an answer any more.
    pub async fn told(
        &self,
        (connector, session, task): (&ConnectorName, &str, &str),
        question: wire::Question,
    ) -> Result<wire::Told, Refused> {
        let inner = self.open(connector, session, task)?;
        let sink = inner.sink.clone().ok_or(Refused::Gone)?;
        let told = told::tell(&sink, question).await;
        told.ok_or_else(|| Refused::Invalid("the question about the last read is none".to_owned()))
    }

    /// The task has come to its end.
    ///
    /// # Errors
    /// When the end does not belong to what came, which ends the read too.
    pub async fn end(
        &self,
        (connector, session, task): (&ConnectorName, &str, &str),
        end: wire::End,
    ) -> Result<wire::Receipt, Refused> {
        let inner = self.open(connector, session, task)?;
        let intake = inner.intake.lock().await;
        if inner.has_ended() {
            return Ok(inner.receipt(&intake));
        }
        let event = match end.outcome {
            wire::Outcome::Complete(seal, completion) if inner.sink.is_some() => {
                let whole = if intake.half.is_empty() { Ok(()) } else { Err(wire::Broken::End) };
                if let Err(broken) = whole.and_then(|()| intake.chain.check(&seal)) {
                    inner.fails(broken.to_string());
                    return Err(broken.into());
                }
                Event::Complete(completion)
            }
            wire::Outcome::LookedUp(found) if inner.sink.is_none() => Event::LookedUp(found),
            wire::Outcome::Failed(failure) => Event::Failed(told::failed(&failure)),
            wire::Outcome::Complete(..) | wire::Outcome::LookedUp(_) => {
                return Err(inner.fails("it is the end of something else".to_owned()));
            }
        };
        inner.ends(event);
        Ok(inner.receipt(&intake))
    }

    /// Asks a connector's engine for something; `None` if none is enrolled. `sink` is that of a read.
    pub(super) fn ask(
        &self,
        connector: &ConnectorName,
        what: impl FnOnce(String) -> wire::Task,
        sink: Option<Sink>,
    ) -> Option<Ticket> {
        let id = Uuid::new_v4().simple().to_string();
        let task = what(id.clone());
        let chain = Chain::of_task(&task);
        let (events, heard) = mpsc::channel(ROOM + 1);
        let intake = AsyncMutex::new(Intake { chain, half: Vec::new() });
        let (freed, has_ended) = (Arc::<Notify>::default(), AtomicBool::new(false));
        let inner = Inner { intake, events, freed: freed.clone(), has_ended, sink };
        let open = Open { task, taken: None, inner: Arc::new(inner) };
        let mut known = self.known();
        let engine = known.engines.get_mut(connector)?;
        engine.tasks.insert(id.clone(), open);
        engine.queue.push_back(id.clone());
        drop(known);
        self.0.work.notify_waiters();
        Some(Ticket { engines: self.clone(), connector: connector.clone(), id, events: heard, freed })
    }

    /// How long nothing was heard of the engine; `None` if it never was.
    fn silence(&self, connector: &ConnectorName) -> Option<Duration> {
        Some(self.known().engines.get(connector)?.heard?.elapsed())
    }
}

impl Engine {
    fn is_there(&self) -> bool {
        let has_trouble = self.seen.as_ref().is_some_and(|seen| seen.trouble.is_some());
        self.heard.is_some_and(|heard| heard.elapsed() < SILENCE) && !has_trouble
    }
}

impl Inner {
    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// How many more batches there is room for.
    fn room(&self) -> usize {
        self.events.capacity().saturating_sub(1)
    }

    fn receipt(&self, intake: &Intake) -> wire::Receipt {
        wire::Receipt { next: intake.chain.next(), room: u32::try_from(self.room()).unwrap_or(u32::MAX) }
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

impl Ticket {
    /// What comes next; `None` if nothing can come any more.
    pub(super) async fn next(&mut self) -> Option<Event> {
        let event = self.events.recv().await;
        self.freed.notify_waiters();
        event
    }

    /// What keeps the engine from working, for people.
    pub(super) fn trouble(&self) -> Option<String> {
        let seen = self.engines.state(&self.connector)?.seen?;
        seen.trouble.map(|trouble| trouble.why)
    }

    /// How long nothing was heard of the engine; `None` if it never was.
    pub(super) fn silence(&self) -> Option<Duration> {
        self.engines.silence(&self.connector)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(engine) = self.engines.known().engines.get_mut(&self.connector) {
            engine.tasks.remove(&self.id);
        }
        self.engines.0.work.notify_waiters();
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
