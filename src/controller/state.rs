//! What the process remembers of an object of either kind while it lives. What must survive it is in the store and in the
//! status.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::object::HasStatus;
use kube::{Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Error;
use super::job::Job;
use super::status::{self as writing, Written};
use super::watched::WatchedKind;
use super::{condition, delay};
use crate::api::SYNC_REQUESTED_AT;
use crate::spec::Name;
use crate::text::clean;

/// While somebody waits for the first read or run, its progress is written so often.
const PROGRESS: Duration = Duration::from_secs(30);

/// One of our two kinds: the types in which they differ.
pub(super) trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + HasStatus<Status: ObjectStatus>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// In watches, logs and metrics.
    const WATCHED: WatchedKind;
    /// What an object and all that it refers to came to.
    type Resolved: Send;
    /// Who asked for a job.
    type Cause: Send;
    /// What a job is begun with.
    type Begin: Send;
    /// What is remembered of an object.
    type State: Default + Send;

    /// What is remembered of an object of either kind.
    fn common(state: &mut Self::State) -> &mut ControllerState<Self>;

    /// What is still to be known, beside its job, of an object that is gone.
    fn left_by(_gone: Self::State) -> Option<Self::State> {
        None
    }
}

/// What the statuses of both kinds have in common.
pub(super) trait ObjectStatus: Clone + Default + Serialize + DeserializeOwned + Send + Sync {
    fn conditions(&self) -> &[Condition];
    fn conditions_mut(&mut self) -> &mut Vec<Condition>;
    fn observed_generation(&self) -> Option<i64>;
    /// The last request by annotation that was acted on.
    fn handled(&self) -> Option<&String>;
    /// When the next read or run begins.
    fn next_at(&self) -> Option<Timestamp>;
}

/// What is remembered of an object of either kind.
pub(super) struct ControllerState<K: Kind> {
    /// What the object came to.
    pub(super) resolved: Option<K::Resolved>,
    /// The read or run under way.
    pub(super) job: Option<Job<K::Cause>>,
    /// The last request by annotation that was acted on.
    pub(super) handled: Option<String>,
    /// The status as it is to be; what a job did is in here as soon as it has ended.
    pub(super) status: K::Status,
    /// The status as last written.
    pub(super) written: Option<Written<K::Status>>,
    /// Whether a look has succeeded in this process.
    looked: bool,
    /// The status that the first look found, if that look failed.
    found: Option<K::Status>,
    /// Since when the first read or run of an object goes on that shows nothing yet.
    began: Option<Timestamp>,
    /// The conditions that are shown while no look succeeds.
    blind: Option<Vec<Condition>>,
}

impl<K: Kind> Default for ControllerState<K> {
    fn default() -> Self {
        Self {
            resolved: None,
            job: None,
            handled: None,
            status: K::Status::default(),
            written: None,
            looked: false,
            found: None,
            began: None,
            blind: None,
        }
    }
}

/// What to do about an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Begin a read or run.
    Begin,
    /// Wait until then.
    At(Timestamp),
    /// Wait until something changes.
    Rest,
}

impl Next {
    /// The one that comes first.
    pub(super) fn earlier(self, other: Self) -> Self {
        match (self, other) {
            (Self::Begin, _) | (_, Self::Begin) => Self::Begin,
            (Self::At(one), Self::At(other)) => Self::At(one.min(other)),
            (Self::Rest, next) | (next, Self::Rest) => next,
        }
    }

    /// The time to wait for.
    pub(super) fn at(self) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::Begin | Self::Rest => None,
        }
    }
}

/// What one look at an object came to.
pub(super) struct Reconciled<K: Kind> {
    pub(super) begin: Option<K::Begin>,
    pub(super) wake_at: Option<Timestamp>,
    /// The conditions as they are now.
    pub(super) conditions: Vec<Condition>,
    /// The status, if it is to be written.
    pub(super) write: Option<Write<K>>,
}

/// A status that is to be written.
pub(super) struct Write<K: Kind> {
    /// The conditions that were written last; `None` if none were.
    pub(super) before: Option<Vec<Condition>>,
    pub(super) status: K::Status,
}

impl<K: Kind> ControllerState<K> {
    /// At the first look that succeeds in this process, the object's status says how things are: takes it over. Returns
    /// whether this is the first look, and the status.
    pub(super) fn recall(&mut self, object: &K) -> (bool, Option<K::Status>) {
        if std::mem::replace(&mut self.looked, true) {
            return (false, None);
        }
        let Some(status) = self.found.take().or_else(|| object.status().cloned()) else {
            return (true, None);
        };
        let version = object.meta().resource_version.as_ref();
        self.written.get_or_insert_with(|| Written::found(status.clone(), version));
        self.status = status.clone();
        let shown = writing::seen_again(self.status.conditions_mut());
        self.blind = self.blind.take().or(shown);
        self.handled = status.handled().cloned();
        (true, Some(status))
    }

    /// Whether a look has succeeded in this process.
    pub(super) fn is_looked_at(&self) -> bool {
        self.looked
    }

    /// The request by annotation that the object bears, if it is to be acted on.
    pub(super) fn request(&self, object: &K) -> Option<String> {
        let request = object.annotations().get(SYNC_REQUESTED_AT).map(|request| clean(request).into_owned());
        request.filter(|request| self.handled.as_ref() != Some(request))
    }

    /// The request that the status says was acted on. It is said only once the job has ended: a request must outlive a
    /// process that is killed meanwhile.
    pub(super) fn handled_now(&self) -> Option<String> {
        if self.job.is_some() { self.status.handled().cloned() } else { self.handled.clone() }
    }

    /// The time of the next job that the status shows. While one is under way it stays what it was: one write a job.
    pub(super) fn next_shown(&self, next: Next) -> Option<Timestamp> {
        if self.job.is_some() { self.status.next_at() } else { next.at() }
    }

    /// A job begins, and acts on this request, if there is one.
    pub(super) fn begin(&mut self, job: Job<K::Cause>, request: Option<String>) {
        self.job = Some(job);
        self.handled = request.or(self.handled.take());
    }

    /// The job under way is not wanted any more. It ends at its next safe point, and the object is looked at again.
    pub(super) fn cancel(&self) {
        if let Some(job) = &self.job {
            job.cancel.cancel();
        }
    }

    /// Ends a look: this is the status from now on. `first` says whether no job of what the object is now has ended.
    pub(super) fn conclude(
        &mut self,
        object: &K,
        mut status: K::Status,
        (begin, next, first): (Option<K::Begin>, Next, bool),
        now: Timestamp,
    ) -> Reconciled<K> {
        if let Some(shown) = self.blind.take() {
            condition::since(status.conditions_mut(), &shown, now);
        }
        self.status = status.clone();
        let progress = (first && self.job.is_some()).then(|| delay::later(now, PROGRESS));
        let shows = self.written.is_some() || object.status().is_some();
        let waits = writing::can_wait(&mut self.began, shows, status.conditions(), now);
        Reconciled {
            begin,
            wake_at: [next.at().or(progress), waits].into_iter().flatten().min(),
            conditions: status.conditions().to_vec(),
            write: if waits.is_some() { None } else { self.write(object, status) },
        }
    }

    /// No look is possible. Returns the status that says so, if it is to be written.
    pub(super) fn look_failed(&mut self, object: &K, error: &Error, now: Timestamp) -> Option<Write<K>> {
        if !self.looked && self.found.is_none() {
            self.found = object.status().cloned();
        }
        let before = self.written.as_ref().map(|written| &written.status).or(object.status());
        let mut status = before.cloned().unwrap_or_default();
        let conditions = writing::blind(status.conditions(), object.meta().generation, now, error);
        self.blind = Some(conditions.clone());
        let before = Some(std::mem::replace(status.conditions_mut(), conditions));
        self.write(object, status).map(|write| Write { before, ..write })
    }

    fn write(&self, object: &K, status: K::Status) -> Option<Write<K>> {
        let shown = (object.meta().resource_version.as_ref(), object.status());
        let before = self.written.as_ref().map(|written| written.status.conditions().to_vec());
        (!writing::stands(self.written.as_ref(), shown, &status)).then_some(Write { before, status })
    }

    /// Whether the object shows what was written last; nobody needs to look because of that.
    pub(super) fn stands(&self, object: &K) -> bool {
        let (version, shown) = (object.meta().resource_version.as_ref(), object.status());
        self.written.as_ref().is_some_and(|written| written.stands(version, shown))
    }
}

/// What is remembered of each object of one kind.
pub(super) struct States<K: Kind>(Mutex<HashMap<Name, Box<K::State>>>);

impl<K: Kind> Default for States<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Kind> States<K> {
    /// Works with what is remembered of an object; never for long.
    pub(super) fn with<T>(&self, name: &Name, work: impl FnOnce(&mut K::State) -> T) -> T {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(states.entry(name.clone()).or_default())
    }

    /// Forgets those that are not to be kept.
    pub(super) fn retain(&self, keep: impl Fn(&K::State) -> bool) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.retain(|_, state| keep(state));
    }

    /// Forgets an object that is gone.
    pub(super) fn forget(&self, name: &Name) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = states.remove(name).and_then(|gone| give_up::<K>(*gone)) {
            states.insert(name.clone(), Box::new(left));
        }
    }
}

/// Gives up the job of an object that is gone. Until the job has ended, none of an object of the same name may begin; that
/// and what the kind wants to be known is all that is left to remember.
pub(super) fn give_up<K: Kind>(mut gone: K::State) -> Option<K::State> {
    let job = K::common(&mut gone).job.take();
    let left = K::left_by(gone);
    let Some(job) = job else { return left };
    job.cancel.cancel();
    let mut left = left.unwrap_or_default();
    K::common(&mut left).job = Some(job);
    Some(left)
}
