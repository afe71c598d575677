//! The engines of one connector: which of them reads, and what each has to do. Pure, but for what it remembers.
//!
//! One of them is active, the others stand by. Whoever asks for work takes over if nothing was heard of the active one for a while, or if
//! it cannot work; then everything that the one before had to do is given up. It stays the active one until something keeps it from that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::intake::Intake;
use super::refused::Refused;
use super::seen::{Process, Seen, State, Trouble};
use crate::wire::{self, KeyId, PublicKey};

/// An engine of which nothing was heard for so long is not connected. It asks at least every half a minute.
pub const SILENCE: Duration = Duration::from_secs(75);
/// One that stands by takes over from an active one of which nothing was heard for so long.
pub const TAKEOVER: Duration = Duration::from_secs(12);

/// The engines of one connector.
pub(super) struct Enrolled {
    /// At least one.
    engines: Vec<Engine>,
    /// Which one reads.
    active: KeyId,
    /// Since when.
    since: Instant,
    tasks: BTreeMap<String, Open>,
    /// Those that nobody took.
    queue: VecDeque<String>,
}

/// What is known of one engine.
struct Engine {
    key: PublicKey,
    /// Its process.
    session: Option<String>,
    seen: Option<Seen>,
    heard: Option<Instant>,
    /// Whether others were told that it is connected.
    is_connected: bool,
    /// Whether it was told that it stands by.
    is_told: bool,
}

/// What a process is to do.
pub(super) struct Due {
    pub(super) work: wire::Work,
    /// Whether it must know that now.
    pub(super) is_news: bool,
    /// When it is to be looked at again, if it stands by.
    pub(super) again: Option<Instant>,
}

/// A task under way.
struct Open {
    task: wire::Task,
    /// By which process of which engine.
    taken: Option<Process>,
    intake: Arc<Intake>,
}

impl Engine {
    fn new(key: PublicKey) -> Self {
        Self { key, session: None, seen: None, heard: None, is_connected: false, is_told: false }
    }

    fn trouble(&self) -> Option<&Trouble> {
        self.seen.as_ref()?.trouble.as_ref()
    }

    fn is_there(&self, now: Instant) -> bool {
        self.heard.is_some_and(|heard| now.duration_since(heard) < SILENCE) && self.trouble().is_none()
    }
}

impl Enrolled {
    /// Those with these keys; `None` of none. The first one reads.
    pub(super) fn new(keys: Vec<PublicKey>, now: Instant) -> Option<Self> {
        let active = keys.first()?.id();
        let engines = keys.into_iter().map(Engine::new).collect();
        Some(Self { engines, active, since: now, tasks: BTreeMap::new(), queue: VecDeque::new() })
    }

    /// Those with these keys from now on, of which there is at least one. Those who stay are as they were.
    pub(super) fn renew(&mut self, keys: Vec<PublicKey>, now: Instant) {
        let mut before = std::mem::take(&mut self.engines);
        let known = |key: PublicKey| match before.iter().position(|engine| engine.key == key) {
            Some(at) => before.swap_remove(at),
            None => Engine::new(key),
        };
        self.engines = keys.into_iter().map(known).collect();
        if self.engine(&self.active).is_none() {
            let there = self.engines.iter().find(|engine| engine.is_there(now));
            if let Some(next) = there.or(self.engines.first()) {
                (self.active, self.since) = (next.key.id(), now);
            }
        }
        let ids: Vec<KeyId> = self.keys().map(PublicKey::id).collect();
        self.give_up(|taken| !ids.contains(&taken.key));
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.engines.iter().map(|engine| &engine.key)
    }

    fn engine(&self, key: &KeyId) -> Option<&Engine> {
        self.engines.iter().find(|engine| engine.key.id() == *key)
    }

    fn engine_mut(&mut self, key: &KeyId) -> Result<&mut Engine, Refused> {
        self.engines.iter_mut().find(|engine| engine.key.id() == *key).ok_or(Refused::Gone)
    }

    fn give_up(&mut self, whose: impl Fn(&Process) -> bool) {
        // Its source notices: nobody can send to it any more.
        self.tasks.retain(|_, open| !open.taken.as_ref().is_some_and(&whose));
    }

    /// How each of them is.
    pub(super) fn states(&self, now: Instant) -> Vec<State> {
        let state = |engine: &Engine| State {
            key: engine.key.id(),
            is_active: engine.key.id() == self.active,
            is_connected: engine.is_there(now),
            seen: engine.seen.clone(),
        };
        self.engines.iter().map(state).collect()
    }

    /// How many are connected.
    pub(super) fn connected(&self, now: Instant) -> usize {
        self.engines.iter().filter(|engine| engine.is_there(now)).count()
    }

    /// How long nothing was heard of any of them.
    pub(super) fn silence(&self, now: Instant) -> Option<Duration> {
        self.engines.iter().filter_map(|engine| Some(now.duration_since(engine.heard?))).min()
    }

    /// Whether one went silent that was there.
    pub(super) fn lapse(&mut self, now: Instant) -> bool {
        let mut is_news = false;
        for engine in &mut self.engines {
            if engine.is_connected && !engine.is_there(now) {
                (engine.is_connected, is_news) = (false, true);
            }
        }
        is_news
    }

    /// Something that an engine signed was refused. What it said of itself before stands. Whether that is news.
    pub(super) fn troubled(
        &mut self,
        key: &KeyId,
        at: Timestamp,
        skew: Option<SignedDuration>,
        trouble: Trouble,
    ) -> bool {
        let Ok(engine) = self.engine_mut(key) else { return false };
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
        is_news
    }

    /// An engine said something, with a signature of its key. Whether that is news.
    ///
    /// # Errors
    /// When a later process of it is there.
    pub(super) fn heard(&mut self, process: &Process, seen: Seen, now: Instant) -> Result<bool, Refused> {
        let engine = self.engine_mut(&process.key)?;
        if engine.session.as_ref() > Some(&process.session) {
            return Err(Refused::Superseded);
        }
        let is_fine = seen.trouble.is_none();
        let mut is_news = engine.seen.as_ref().is_none_or(|before| {
            before.trouble != seen.trouble || before.host != seen.host || before.software != seen.software
        });
        let is_another = is_fine && engine.session.as_ref() != Some(&process.session);
        if is_fine {
            (engine.session, engine.heard) = (Some(process.session.clone()), Some(now));
            engine.is_told &= !is_another;
        }
        engine.seen = Some(seen);
        let is_there = is_fine && engine.is_there(now);
        is_news |= std::mem::replace(&mut engine.is_connected, is_there) != is_there;
        if is_another {
            // What the process before had is lost with it.
            self.give_up(|taken| taken.key == process.key && taken.session != process.session);
        }
        Ok(is_news)
    }

    /// When the active one counts as gone.
    fn lapses_at(&self) -> Instant {
        match self.engine(&self.active) {
            Some(engine) if engine.trouble().is_none() => {
                engine.heard.map_or(self.since, |heard| heard.max(self.since)) + TAKEOVER
            }
            _ => self.since,
        }
    }

    /// Whether an engine that can work is the active one. If the one before is gone, it takes over.
    fn leads(&mut self, key: &KeyId, now: Instant) -> bool {
        if self.active != *key && self.lapses_at() <= now {
            (self.active, self.since) = (key.clone(), now);
            self.give_up(|taken| taken.key != *key);
        }
        self.active == *key
    }

    /// What this process is to do now: a task that it has not, and those of its own that are not wanted any more.
    ///
    /// # Errors
    /// When a later process of it is there.
    pub(super) fn work(
        &mut self,
        process: &Process,
        has: &BTreeSet<String>,
        now: Instant,
    ) -> Result<Due, Refused> {
        if self.engine_mut(&process.key)?.session.as_ref() != Some(&process.session) {
            return Err(Refused::Superseded);
        }
        let leads = self.leads(&process.key, now);
        let was_told = std::mem::replace(&mut self.engine_mut(&process.key)?.is_told, !leads);
        let dropped: BTreeSet<String> =
            has.iter().filter(|id| !self.tasks.contains_key(*id)).cloned().collect();
        if !leads {
            let (is_news, again) = (!was_told || !dropped.is_empty(), Some(self.lapses_at()));
            let work = wire::Work { task: None, dropped, standby: Some(self.reader()) };
            return Ok(Due { work, is_news, again });
        }
        // One that was handed out and is not there was lost on the way.
        let lost = self.tasks.values().find(|open| {
            !open.intake.has_ended() && open.taken.as_ref() == Some(process) && !has.contains(&open.task.id)
        });
        let mut task = lost.map(|open| open.task.clone());
        while task.is_none() {
            let Some(id) = self.queue.pop_front() else { break };
            if let Some(open) = self.tasks.get_mut(&id) {
                open.taken = Some(process.clone());
                task = Some(open.task.clone());
            }
        }
        let is_news = task.is_some() || !dropped.is_empty();
        Ok(Due { work: wire::Work { task, dropped, standby: None }, is_news, again: None })
    }

    /// What those are told who stand by.
    fn reader(&self) -> String {
        let seen = self.engine(&self.active).and_then(|engine| engine.seen.as_ref());
        let host = seen.map_or("another machine", |seen| seen.host.as_str());
        let after = TAKEOVER.as_secs();
        format!(
            "the engine on {host} reads, and this one stands by: it takes over when nothing was heard of that one for {after} s"
        )
    }

    /// Whether others stand by.
    pub(super) fn are_several(&self) -> bool {
        self.engines.len() > 1
    }

    /// Which one is the active one.
    pub(super) fn active(&self) -> &KeyId {
        &self.active
    }

    /// What keeps the active one from working.
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.engine(&self.active)?.trouble()
    }

    /// Where what this process says of its task goes.
    ///
    /// # Errors
    /// When it is not its task.
    pub(super) fn open(
        &mut self,
        process: &Process,
        task: &str,
        now: Instant,
    ) -> Result<Arc<Intake>, Refused> {
        let open = self.tasks.get(task).filter(|open| open.taken.as_ref() == Some(process));
        let intake = open.ok_or(Refused::Gone)?.intake.clone();
        let engine = self.engine_mut(&process.key)?;
        engine.heard = engine.heard.max(Some(now));
        Ok(intake)
    }

    /// Asks for something: of this process alone, if one is named. Whether that one still reads.
    pub(super) fn ask(&mut self, task: wire::Task, intake: Intake, of: Option<Process>) -> bool {
        if let Some(process) = &of {
            let session = self.engine(&self.active).and_then(|engine| engine.session.as_ref());
            if self.active != process.key || session != Some(&process.session) {
                return false;
            }
        } else {
            self.queue.push_back(task.id.clone());
        }
        self.tasks.insert(task.id.clone(), Open { task, taken: of, intake: Arc::new(intake) });
        true
    }

    /// Nobody wants this any more.
    pub(super) fn forget(&mut self, task: &str) {
        self.tasks.remove(task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::ConnectorName;
    use crate::wire::SigningKey;

    fn key() -> PublicKey {
        SigningKey::generate().unwrap().0.public().unwrap()
    }

    fn seen(trouble: Option<&'static str>) -> Seen {
        let trouble = trouble.map(|code| Trouble { code, why: String::new() });
        let (software, host) = (String::new(), "dmz".to_owned());
        Seen { at: Timestamp::UNIX_EPOCH, software, host, skew: SignedDuration::ZERO, trouble }
    }

    fn process(key: &PublicKey, session: &str) -> Process {
        Process { connector: ConnectorName::new("id", "corp"), key: key.id(), session: session.to_owned() }
    }

    fn task(id: &str) -> wire::Task {
        wire::Task { id: id.to_owned(), read: None, look_up: None }
    }

    /// Two engines, the first of which reads, and the moment from which on time counts.
    struct Two {
        all: Enrolled,
        start: Instant,
        one: Process,
        other: Process,
    }

    impl Two {
        fn new() -> Self {
            let (one, other, start) = (key(), key(), Instant::now());
            let all = Enrolled::new(vec![one.clone(), other.clone()], start).unwrap();
            Self { all, start, one: process(&one, "1"), other: process(&other, "1") }
        }

        /// What a process is given to do after so many seconds, of a task that is open or not; `Err` if it stands by.
        fn asks(&mut self, process: &Process, second: u64) -> Result<Option<String>, String> {
            let now = self.start + Duration::from_secs(second);
            self.all.heard(process, seen(None), now).map_err(|error| error.to_string())?;
            let Due { work, again, .. } = self.all.work(process, &BTreeSet::new(), now).unwrap();
            assert_eq!(again.is_some(), work.standby.is_some());
            work.standby.map_or(Ok(work.task.map(|task| task.id)), Err)
        }

        fn opens(&mut self, id: &str, of: Option<&Process>) -> (bool, super::super::intake::Outlet) {
            let (intake, outlet) = Intake::of(&task(id), None);
            (self.all.ask(task(id), intake, of.cloned()), outlet)
        }

        fn has(&mut self, process: &Process, id: &str) -> bool {
            self.all.open(process, id, self.start).is_ok()
        }
    }

    #[test]
    fn one_reads_and_another_takes_over_only_when_nothing_is_heard_of_it() {
        let mut two = Two::new();
        let (one, other) = (two.one.clone(), two.other.clone());
        let _open = two.opens("read", None);
        let told = two.asks(&other, 0).unwrap_err();
        assert!(told.contains("stands by"), "the first one is given a moment: {told}");
        assert_eq!(two.asks(&one, 11), Ok(Some("read".to_owned())));
        assert!(two.has(&one, "read") && !two.has(&other, "read"));
        let told = two.asks(&other, 22).unwrap_err();
        assert!(told.contains("the engine on dmz reads"), "{told}");
        assert_eq!(two.asks(&other, 23), Ok(None), "what the one before had is given up, not handed on");
        assert!(!two.has(&one, "read") && !two.has(&other, "read"));
        // Whoever comes back stands by: it stays the other one's.
        assert!(two.asks(&one, 24).is_err() && two.asks(&other, 30).is_ok() && two.asks(&one, 41).is_err());
        let _open = two.opens("next", None);
        assert!(two.asks(&one, 41).is_err());
        assert_eq!(two.asks(&other, 41), Ok(Some("next".to_owned())));
    }

    #[test]
    fn whoever_cannot_work_or_is_revoked_leaves_at_once() {
        let mut two = Two::new();
        let (one, other, start) = (two.one.clone(), two.other.clone(), two.start);
        assert!(two.asks(&one, 0).is_ok() && two.asks(&other, 0).is_err());
        two.all.heard(&one, seen(Some(Trouble::STOPPED)), start).unwrap();
        assert_eq!(two.asks(&other, 0), Ok(None));
        assert!(two.asks(&one, 1).is_err(), "what keeps it from working is gone, and the other one reads");
        let _open = two.opens("read", None);
        assert_eq!(two.asks(&other, 2), Ok(Some("read".to_owned())));
        let first = two.all.keys().next().unwrap().clone();
        two.all.renew(vec![first], start + Duration::from_secs(3));
        assert!(!two.has(&other, "read"));
        assert_eq!(two.asks(&one, 3), Ok(None));
        assert!(two.asks(&other, 3).is_err());
    }

    #[test]
    fn what_is_asked_of_one_process_goes_to_no_other() {
        let mut two = Two::new();
        let (one, other) = (two.one.clone(), two.other.clone());
        let later = Process { session: "2".to_owned(), ..one.clone() };
        assert!(two.asks(&one, 0).is_ok());
        assert!(!two.opens("no", Some(&other)).0 && !two.opens("no", Some(&later)).0);
        let open = two.opens("look-up", Some(&one));
        assert!(open.0);
        assert_eq!(two.asks(&one, 0), Ok(Some("look-up".to_owned())));
        // A later process of the same engine.
        assert_eq!(two.asks(&later, 1), Ok(None));
        assert!(two.asks(&one, 1).unwrap_err().contains("the same key"));
        assert!(!two.has(&one, "look-up") && !two.has(&later, "look-up"));
    }

    #[test]
    fn those_who_stay_are_as_they_were() {
        let mut two = Two::new();
        let (one, other) = (two.one.clone(), two.other.clone());
        let _open = two.opens("read", None);
        assert!(two.asks(&one, 0).is_ok() && two.asks(&other, 0).is_err());
        let mut keys: Vec<PublicKey> = two.all.keys().cloned().collect();
        keys.reverse();
        keys.push(key());
        two.all.renew(keys, two.start);
        assert!(two.has(&one, "read"));
        let states = two.all.states(two.start);
        let of = |key: &KeyId| states.iter().find(|state| state.key == *key).unwrap();
        assert!(of(&one.key).is_active && of(&other.key).is_connected && !of(&other.key).is_active);
        assert_eq!((states.len(), two.all.connected(two.start)), (3, 2));
    }
}
