//! The Sync Engines that are enrolled: what each is to do, and what comes of it. A source puts tasks in at one end; the gateway hands them
//! out at the other, and brings back what the engine says.
//!
//! # Guarantees
//! - A task goes to one process of one engine. What another one says of it is refused, so that no read is made of two.
//! - A batch reaches the source once, in its place, and only whole. An end reaches it only if the chain of its parts is whole.
//! - Few batches wait, and no more than one is half there.
//! - A request that is cut off at any moment leaves everything as it was before it, or as it is after it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use uuid::Uuid;

use super::enrolled::{Due, Enrolled};
use super::intake::{Event, Intake, Outlet};
use super::refused::Refused;
use super::seen::{Process, Seen, State, Trouble};
use crate::directory::ConnectorName;
use crate::source::Sink;
use crate::wire::{self, KeyId, PublicKey};

/// The active engine asks at least so often where others stand by, so that they notice when it is gone.
const BESIDE: Duration = Duration::from_secs(4);

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
    enrolled: BTreeMap<ConnectorName, Enrolled>,
    keys: HashMap<KeyId, ConnectorName>,
}

/// A task as its source has it; it is given up when this is dropped.
pub(super) struct Ticket {
    engines: Engines,
    connector: ConnectorName,
    id: String,
    outlet: Outlet,
}

impl fmt::Debug for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engines")
    }
}

impl Known {
    fn of(&mut self, process: &Process) -> Result<&mut Enrolled, Refused> {
        self.enrolled.get_mut(&process.connector).ok_or(Refused::Gone)
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

    /// Whoever has no room for it looks again by itself.
    fn tell(&self, connector: &ConnectorName) {
        drop(self.0.news.try_send(connector.clone()));
    }

    /// The keys of a connector's engines, from now on. The first one reads, if none did. Whatever one had to do whose key is not among them
    /// is given up.
    pub fn enrol(&self, connector: &ConnectorName, keys: impl IntoIterator<Item = PublicKey>) {
        let mut known = self.known();
        let Known { enrolled, keys: whose } = &mut *known;
        let mut own: Vec<PublicKey> = Vec::new();
        for key in keys {
            // A key is one engine's: the connector that had it first keeps it.
            let is_free = whose.get(&key.id()).is_none_or(|of| of == connector);
            if is_free && !own.contains(&key) {
                own.push(key);
            }
        }
        let before = enrolled.get(connector);
        let before: BTreeSet<KeyId> =
            before.into_iter().flat_map(|it| it.keys().map(PublicKey::id)).collect();
        let after: BTreeSet<KeyId> = own.iter().map(PublicKey::id).collect();
        if before == after {
            return;
        }
        whose.retain(|key, _| !before.contains(key));
        whose.extend(after.iter().map(|key| (key.clone(), connector.clone())));
        let now = Instant::now();
        if let Some(it) = enrolled.get_mut(connector).filter(|_| !before.is_disjoint(&after)) {
            it.renew(own, now);
        } else {
            // Its tasks end: nobody can send to them any more.
            enrolled.remove(connector);
            enrolled.extend(Enrolled::new(own, now).map(|it| (connector.clone(), it)));
        }
        drop(known);
        self.0.work.notify_waiters();
    }

    /// Whose key this is.
    pub fn of_key(&self, key: &KeyId) -> Option<(ConnectorName, PublicKey)> {
        let known = self.known();
        let connector = known.keys.get(key)?;
        let key = known.enrolled.get(connector)?.keys().find(|own| own.id() == *key)?.clone();
        Some((connector.clone(), key))
    }

    /// How a connector's engines are that are enrolled.
    pub fn states(&self, connector: &ConnectorName) -> Vec<State> {
        self.known().enrolled.get(connector).map_or_else(Vec::new, |of| of.states(Instant::now()))
    }

    /// How many engines have joined, and how many of them are connected.
    pub fn count(&self) -> (usize, usize) {
        let (known, now) = (self.known(), Instant::now());
        (known.keys.len(), known.enrolled.values().map(|of| of.connected(now)).sum())
    }

    /// Tells of those who went silent.
    pub fn lapse(&self) {
        let now = Instant::now();
        for (connector, of) in &mut self.known().enrolled {
            if of.lapse(now) {
                self.tell(connector);
            }
        }
    }

    /// Something that an engine signed was refused. What it said of itself before stands.
    pub fn troubled(
        &self,
        (connector, key): (&ConnectorName, &KeyId),
        at: Timestamp,
        skew: Option<SignedDuration>,
        trouble: Trouble,
    ) {
        let mut known = self.known();
        let Some(of) = known.enrolled.get_mut(connector) else { return };
        if of.troubled(key, at, skew, trouble) {
            self.tell(connector);
            self.0.work.notify_waiters();
        }
    }

    /// An engine said something, with a signature of its key.
    ///
    /// # Errors
    /// When a later process of it is there.
    pub fn heard(&self, process: &Process, seen: Seen) -> Result<(), Refused> {
        if self.known().of(process)?.heard(process, seen, Instant::now())? {
            self.tell(&process.connector);
            self.0.work.notify_waiters();
        }
        Ok(())
    }

    /// What the engine is to do now: a task that it has not, and those of its own that are not wanted any more. Waits for that so long.
    ///
    /// # Errors
    /// When it is enrolled no more, or a later process of it is there.
    pub async fn work(
        &self,
        process: &Process,
        has: &BTreeSet<String>,
        wait: Duration,
    ) -> Result<wire::Work, Refused> {
        let began = Instant::now();
        loop {
            let changed = self.0.work.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let Due { work, is_news, again } = self.work_now(process, has)?;
            let is_watched = again.is_none() && self.are_several(process);
            let deadline = began + if is_watched { BESIDE.min(wait) } else { wait };
            let wake = again.map_or(deadline, |again| again.min(deadline));
            let waits = async { tokio::time::timeout_at(wake, changed).await.is_ok() };
            if is_news || !waits.await && Instant::now() >= deadline {
                return Ok(work);
            }
        }
    }

    fn work_now(&self, process: &Process, has: &BTreeSet<String>) -> Result<Due, Refused> {
        let mut known = self.known();
        let of = known.of(process)?;
        let before = of.active().clone();
        let due = of.work(process, has, Instant::now())?;
        if *of.active() != before {
            tracing::info!(connector = %process.connector, key = %process.key, "a Sync Engine took over");
            self.tell(&process.connector);
        }
        Ok(due)
    }

    fn are_several(&self, process: &Process) -> bool {
        self.known().of(process).is_ok_and(|of| of.are_several())
    }

    /// A task of this process of the engine.
    fn open(&self, process: &Process, task: &str) -> Result<Arc<Intake>, Refused> {
        self.known().of(process)?.open(process, task, Instant::now())
    }

    /// A part of a batch came.
    ///
    /// # Errors
    /// When it is not the next one. One that cannot be used ends the read.
    pub async fn part(
        &self,
        (process, task): (&Process, &str),
        number: u64,
        framed: &[u8],
    ) -> Result<wire::Receipt, Refused> {
        self.open(process, task)?.part(number, framed).await
    }

    /// Waits until there is room for another batch.
    ///
    /// # Errors
    /// When nobody wants one any more.
    pub async fn room(
        &self,
        (process, task): (&Process, &str),
        wait: Duration,
    ) -> Result<wire::Receipt, Refused> {
        self.open(process, task)?.room(wait).await
    }

    /// What is told of the read before.
    ///
    /// # Errors
    /// When it is no question, or nobody wants an answer any more.
    pub async fn told(
        &self,
        (process, task): (&Process, &str),
        question: wire::Question,
    ) -> Result<wire::Told, Refused> {
        self.open(process, task)?.told(question).await
    }

    /// The task has come to its end.
    ///
    /// # Errors
    /// When the end does not belong to what came, which ends the read too.
    pub async fn end(
        &self,
        (process, task): (&Process, &str),
        end: wire::End,
    ) -> Result<wire::Receipt, Refused> {
        self.open(process, task)?.end(process, end).await
    }

    /// Asks a connector's active engine for something, or this process alone; `None` if none is enrolled, or that one reads no more. `sink`
    /// is that of a read.
    pub(super) fn ask(
        &self,
        connector: &ConnectorName,
        what: impl FnOnce(String) -> wire::Task,
        sink: Option<Sink>,
        of: Option<Process>,
    ) -> Option<Ticket> {
        let id = Uuid::new_v4().simple().to_string();
        let task = what(id.clone());
        let (intake, outlet) = Intake::of(&task, sink);
        if !self.known().enrolled.get_mut(connector)?.ask(task, intake, of) {
            return None;
        }
        self.0.work.notify_waiters();
        Some(Ticket { engines: self.clone(), connector: connector.clone(), id, outlet })
    }
}

impl Ticket {
    /// What comes next; `None` if nothing can come any more.
    pub(super) async fn next(&mut self) -> Option<Event> {
        self.outlet.next().await
    }

    /// What keeps the engine from working, for people.
    pub(super) fn trouble(&self) -> Option<String> {
        self.engines.known().enrolled.get(&self.connector)?.trouble().map(|trouble| trouble.why.clone())
    }

    /// How long nothing was heard of any engine; `None` if nothing ever was.
    pub(super) fn silence(&self) -> Option<Duration> {
        self.engines.known().enrolled.get(&self.connector)?.silence(Instant::now())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(of) = self.engines.known().enrolled.get_mut(&self.connector) {
            of.forget(&self.id);
        }
        self.engines.0.work.notify_waiters();
    }
}
