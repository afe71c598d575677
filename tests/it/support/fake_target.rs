//! A target that somebody else writes too: in memory, with unique names, and with every kind of trouble
//! that a remote one makes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use rollcall::directory::{Content, Key, Match, Operation, Outcome, SubjectKind, TargetId, TargetObject};
use rollcall::target::turn::{Call, Said, Turns};
use rollcall::target::{
    Capabilities, Lane, NameLimits, Names, OfKind, Rates, Target, TargetError, TargetReason,
};
use tokio::sync::Notify;
use tokio::time::Instant;

/// An object at the target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object {
    /// That with which it was last written; whether the target shows it is another question.
    pub(crate) key: Option<Key>,
    pub(crate) content: Content,
    pub(crate) active: bool,
    pub(crate) members: BTreeSet<TargetId>,
}

/// What goes wrong with the next operations, one each.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// A time-out; it had not happened.
    LostBefore,
    /// A time-out; it had happened.
    LostAfter,
    /// Too many requests.
    Busy(Option<Duration>),
    /// The target will not have it.
    Rejects,
    /// The target does not allow it.
    Denies,
    /// The target refuses everything from here on, for this call.
    Down,
    /// It says that the name is taken, and that is not so.
    Conflict,
    /// It happens, and of the rest of the batch nothing happens and nothing is heard.
    CutShort,
}

/// The fake.
pub(crate) struct Fake {
    objects: Mutex<BTreeMap<TargetId, Object>>,
    troubles: Mutex<VecDeque<Trouble>>,
    pub(crate) capabilities: Capabilities,
    next: AtomicU64,
    /// The process dies when so many more operations were asked for; even: before it happens, odd:
    /// after. In halves, so that both are told apart.
    dies_in: AtomicU64,
    died: Notify,
    /// The process waits for others, in so many half-steps …
    pauses_in: AtomicU64,
    paused: Notify,
    /// … until it is told to go on.
    goes_on: Notify,
    /// How a process comes to its turns.
    pub(crate) turns: Turns,
    /// Until when it asked to be left alone.
    pub(crate) quiet_until: Mutex<Option<Instant>>,
    /// So many questions are not answered.
    pub(crate) deaf: AtomicU64,
    /// Names that it will not have, lower case.
    pub(crate) dislikes: Mutex<BTreeSet<String>>,
    /// Objects of which it answers nothing.
    pub(crate) silent: Mutex<BTreeSet<TargetId>>,
    /// Whether what is asked of those happens all the same.
    pub(crate) hears: AtomicBool,
    /// Objects that no list shows.
    pub(crate) unlisted: Mutex<BTreeSet<TargetId>>,
    /// Why lists do not come to their end.
    pub(crate) broken: Mutex<Option<TargetError>>,
    pub(crate) identity: String,
    /// Every operation that was asked for.
    pub(crate) log: Mutex<Vec<Operation>>,
}

const NEVER: u64 = u64::MAX;

impl Fake {
    pub(crate) fn new() -> Self {
        Self {
            objects: Mutex::default(),
            troubles: Mutex::default(),
            capabilities: Self::able(),
            next: AtomicU64::new(1),
            dies_in: AtomicU64::new(NEVER),
            died: Notify::new(),
            pauses_in: AtomicU64::new(NEVER),
            paused: Notify::new(),
            goes_on: Notify::new(),
            turns: Turns::free(),
            quiet_until: Mutex::default(),
            deaf: AtomicU64::new(0),
            dislikes: Mutex::default(),
            silent: Mutex::default(),
            hears: AtomicBool::new(false),
            unlisted: Mutex::default(),
            broken: Mutex::default(),
            identity: "fake:https://fake.example".to_owned(),
            log: Mutex::default(),
        }
    }

    fn able() -> Capabilities {
        let all = OfKind {
            rename: true,
            delete: true,
            holds_key: true,
            names: Names::UniqueIgnoringCase,
            limits: NameLimits::UNKNOWN,
        };
        Capabilities {
            users: Some(all),
            groups: Some(all),
            disable: true,
            nested_groups: true,
            addresses_are_accounts: false,
            members_readable: true,
            members_per_operation: 3,
            batch: 5,
            at_once: 1,
            rates: Rates::default(),
            shared: true,
        }
    }

    /// From here on no object shows our key, or is found by it.
    pub(crate) fn holds_no_key(&mut self) {
        for of in [&mut self.capabilities.users, &mut self.capabilities.groups] {
            of.as_mut().unwrap().holds_key = false;
        }
    }

    /// As Mimecast: no object shows our key, users are not deleted, groups are in no groups.
    pub(crate) fn be_like_mimecast(&mut self) {
        self.holds_no_key();
        self.capabilities.users.as_mut().unwrap().delete = false;
        self.capabilities.nested_groups = false;
    }

    fn shows_key(&self, content: &Content) -> bool {
        self.capabilities.of(content.kind()).is_some_and(|of| of.holds_key)
    }

    pub(crate) fn objects(&self) -> MutexGuard<'_, BTreeMap<TargetId, Object>> {
        self.objects.lock().unwrap()
    }

    /// Somebody else's object.
    pub(crate) fn add_by_hand(&self, content: Content) -> TargetId {
        self.insert(None, content)
    }

    pub(crate) fn trouble(&self, troubles: impl IntoIterator<Item = Trouble>) {
        self.troubles.lock().unwrap().extend(troubles);
    }

    pub(crate) fn no_trouble(&self) {
        self.troubles.lock().unwrap().clear();
        self.dies_in.store(NEVER, Ordering::SeqCst);
        self.pauses_in.store(NEVER, Ordering::SeqCst);
        self.deaf.store(0, Ordering::SeqCst);
        self.silent.lock().unwrap().clear();
        // Of several operations at once more than one may have told of the end.
        for told in [&self.died, &self.paused] {
            std::pin::pin!(told.notified()).as_mut().enable();
        }
    }

    /// The process that uses it dies at half-step `at` from now.
    pub(crate) fn die_at(&self, at: u64) {
        self.dies_in.store(at, Ordering::SeqCst);
    }

    /// Waits for that.
    pub(crate) async fn died(&self) {
        self.died.notified().await;
    }

    /// The process that uses it waits at half-step `at` from now.
    pub(crate) fn pause_at(&self, at: u64) {
        self.pauses_in.store(at, Ordering::SeqCst);
    }

    /// Waits for that. Whoever is told lets another process use it, which does not die meanwhile.
    pub(crate) async fn paused(&self) -> u64 {
        self.paused.notified().await;
        self.dies_in.swap(NEVER, Ordering::SeqCst)
    }

    /// The process that waits goes on, and dies when it would have.
    pub(crate) fn go_on(&self, dies_in: u64) {
        self.dies_in.store(dies_in, Ordering::SeqCst);
        self.goes_on.notify_one();
    }

    fn insert(&self, key: Option<Key>, content: Content) -> TargetId {
        let id = TargetId(format!("o{}", self.next.fetch_add(1, Ordering::SeqCst)).into());
        let object = Object { key, content, active: true, members: BTreeSet::new() };
        self.objects().insert(id.clone(), object);
        id
    }

    /// One half-step of a process's life.
    async fn live(&self) {
        match self.pauses_in.load(Ordering::SeqCst) {
            NEVER => {}
            0 => {
                self.pauses_in.store(NEVER, Ordering::SeqCst);
                self.paused.notify_one();
                self.goes_on.notified().await;
            }
            left => self.pauses_in.store(left - 1, Ordering::SeqCst),
        }
        let left = self.dies_in.load(Ordering::SeqCst);
        if left == NEVER {
            return;
        }
        if left == 0 {
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
        self.dies_in.store(left - 1, Ordering::SeqCst);
        if left == 1 {
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
    }

    fn bearer(&self, content: &Content) -> Option<TargetId> {
        let same = |(_, object): &(&TargetId, &Object)| {
            object.content.name_key() == content.name_key() && object.content.kind() == content.kind()
        };
        self.objects().iter().find(same).map(|(id, _)| id.clone())
    }

    fn is_silent(&self, operation: &Operation) -> bool {
        let of = match operation {
            Operation::Create { .. } => return false,
            Operation::Update { id, .. }
            | Operation::SetActive { id, .. }
            | Operation::Delete { id, .. }
            | Operation::AddMembers { group: id, .. }
            | Operation::RemoveMembers { group: id, .. } => id,
        };
        self.silent.lock().unwrap().contains(of)
    }

    fn act(&self, operation: &Operation) -> Outcome {
        if let Operation::Create { content, .. } | Operation::Update { content, .. } = operation
            && self.dislikes.lock().unwrap().contains(&content.name_key())
        {
            return Outcome::Rejected(error(TargetReason::Refused, "the target does not like this name"));
        }
        match operation {
            Operation::Create { key, content } => match self.bearer(content) {
                Some(id) => {
                    let mut objects = self.objects();
                    let object = objects.get_mut(&id).unwrap();
                    if self.shows_key(content) && object.key == Some(*key) {
                        object.content = Content::clone(content);
                        object.active = true;
                        return Outcome::Done(id);
                    }
                    Outcome::NameTaken(content.name().to_owned())
                }
                None => Outcome::Done(self.insert(Some(*key), Content::clone(content))),
            },
            Operation::Update { id, key, content, .. } => match self.bearer(content) {
                Some(other) if other != *id => Outcome::NameTaken(content.name().to_owned()),
                _ => self.change(id, |object| {
                    object.content = Content::clone(content);
                    object.key = Some(*key);
                }),
            },
            Operation::SetActive { id, active } => self.change(id, |object| object.active = *active),
            Operation::AddMembers { group, members } => {
                self.change(group, |object| object.members.extend(members.iter().cloned()))
            }
            Operation::RemoveMembers { group, members } => {
                self.change(group, |object| object.members.retain(|member| !members.contains(member)))
            }
            Operation::Delete { kind, .. } if self.capabilities.of(*kind).is_none_or(|of| !of.delete) => {
                Outcome::Rejected(error(TargetReason::Unsupported, "the target deletes none"))
            }
            Operation::Delete { id, .. } => {
                let mut objects = self.objects();
                objects.remove(id);
                for object in objects.values_mut() {
                    object.members.remove(id);
                }
                Outcome::Done(id.clone())
            }
        }
    }

    fn change(&self, id: &TargetId, change: impl FnOnce(&mut Object)) -> Outcome {
        match self.objects().get_mut(id) {
            Some(object) => {
                change(object);
                Outcome::Done(id.clone())
            }
            None => Outcome::Gone,
        }
    }
}

impl Target for Fake {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn apply(&self, batch: &[Operation]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for operation in batch {
            self.log.lock().unwrap().push(operation.clone());
            self.live().await;
            let turn = match self.turns.in_lane(Lane::of(operation)).take(Call::Write).await {
                Ok(turn) => turn,
                Err(error) => {
                    outcomes.push(Outcome::Failed(error));
                    return outcomes;
                }
            };
            // As long as it takes, others wait.
            tokio::task::yield_now().await;
            let trouble = self.troubles.lock().unwrap().pop_front().unwrap_or(Trouble::None);
            if let Trouble::Busy(after) = trouble {
                *self.quiet_until.lock().unwrap() = after.map(|after| Instant::now() + after);
                turn.said(Said { status: 429, retry_after: after, remaining: None });
            } else {
                turn.said(Said { status: 200, ..Said::default() });
            }
            let outcome = match trouble {
                _ if self.is_silent(operation) => {
                    if self.hears.load(Ordering::SeqCst) {
                        self.act(operation);
                    }
                    Outcome::Ambiguous(silence())
                }
                Trouble::None => self.act(operation),
                Trouble::LostBefore => Outcome::Ambiguous(silence()),
                Trouble::LostAfter => {
                    self.act(operation);
                    Outcome::Ambiguous(silence())
                }
                Trouble::Busy(after) => {
                    Outcome::Retry(error(TargetReason::Throttled, "too many requests").again_after(after))
                }
                Trouble::Rejects => {
                    Outcome::Rejected(error(TargetReason::Refused, "the target does not like this"))
                }
                Trouble::Denies => {
                    Outcome::Failed(error(TargetReason::AccessDenied, "the target does not allow this"))
                }
                Trouble::Conflict => match operation {
                    Operation::Create { content, .. } | Operation::Update { content, .. } => {
                        Outcome::NameTaken(content.name().to_owned())
                    }
                    _ => self.act(operation),
                },
                Trouble::CutShort => {
                    outcomes.push(self.act(operation));
                    return outcomes;
                }
                Trouble::Down => {
                    let down = |_: &Operation| {
                        Outcome::Failed(error(TargetReason::Unreachable, "the target is down"))
                    };
                    outcomes.extend(batch.iter().skip(outcomes.len()).map(down));
                    return outcomes;
                }
            };
            self.live().await;
            outcomes.push(outcome);
        }
        outcomes
    }

    async fn find(&self, wanted: SubjectKind, by: &[Match]) -> Vec<Result<Vec<TargetObject>, TargetError>> {
        by.iter().map(|by| self.find_one(wanted, by)).collect()
    }

    async fn list(
        &self,
        wanted: SubjectKind,
        each: impl FnMut(TargetObject) + Send,
    ) -> Result<(), TargetError> {
        let objects = self.objects().clone();
        let of_kind = objects.iter().filter(|(_, object)| object.content.kind() == wanted);
        let listed = of_kind.filter(|(id, _)| !self.unlisted.lock().unwrap().contains(*id));
        listed.map(|(id, object)| self.shown(id, object)).for_each(each);
        self.broken.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

impl Fake {
    fn find_one(&self, wanted: SubjectKind, by: &Match) -> Result<Vec<TargetObject>, TargetError> {
        if self.deaf.load(Ordering::SeqCst) > 0 {
            self.deaf.fetch_sub(1, Ordering::SeqCst);
            return Err(silence());
        }
        if let Match::Id(id) = by
            && self.silent.lock().unwrap().contains(id)
        {
            return Err(silence());
        }
        let matches = |id: &TargetId, object: &Object| match by {
            Match::Id(wanted) => id == wanted,
            Match::Key(key) => self.shows_key(&object.content) && object.key == Some(*key),
            Match::Name(name) => object.content.name().eq_ignore_ascii_case(name),
            Match::Email(address) => match &object.content {
                Content::User(user) => user.emails.iter().any(|email| email.eq_ignore_ascii_case(address)),
                Content::Group(group) => {
                    group.attributes.get("mail").is_some_and(|mail| mail.eq_ignore_ascii_case(address))
                }
            },
        };
        let objects = self.objects();
        let found =
            objects.iter().filter(|(id, object)| object.content.kind() == wanted && matches(id, object));
        Ok(found.map(|(id, object)| self.shown(id, object)).collect())
    }

    fn shown(&self, id: &TargetId, object: &Object) -> TargetObject {
        let members = || object.members.iter().cloned().collect();
        TargetObject {
            id: id.clone(),
            key: object.key.filter(|_| self.shows_key(&object.content)),
            content: object.content.clone(),
            active: Some(object.active),
            members: (object.content.kind() == SubjectKind::Group).then(members),
        }
    }
}

fn error(reason: TargetReason, message: &str) -> TargetError {
    TargetError::new(reason, message)
}

fn silence() -> TargetError {
    error(TargetReason::NoAnswer, "no answer within 30 s")
}
