//! The operator: two controllers that bring about what the resources say, and write back what came of it.
//!
//! # From a watch to a reconcile
//! 1. `watch` follows the objects of a namespace, keeps them in `caches`, and reports what happened to each.
//! 2. `route` puts whoever that concerns into the `work_queue` of its kind: the object itself, those that use it, and the
//!    connectors of a policy. Jobs that end, alarms and a lease that is ours again put objects into the same queue.
//! 3. `controllers` takes names from the queue. It looks at each object once at a time, and at a limited number at once.
//! 4. `reconcile` is one look at an object of either kind: it resolves, decides, begins a read or run, and writes the status.
//!    What differs is in the folders of the kinds. What is remembered between two looks is in `state`.
//!
//! # Guarantees
//! - A reconcile never waits for a read or a run: those are jobs in the background, and their end is a reason to look again.
//! - Only a connector's controller imports, only a policy's runs. Each writes only its own status, under its own field
//!   manager, and only when the status is another than before.
//! - Nothing is begun or written, to the apiserver or to a target, unless the gate is open: the lease is ours for longer
//!   than the write may take. What was begun ends with the lease.
//! - If a job or a watch dies, the process ends with its reason.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::attended::Attended;
use self::context::Context;
use self::gate::Gate;
use self::lease::LEASE;
use self::namespaces::Namespaces;
use self::parts::Parts;
use self::places::Places;
use self::state::States;
use crate::clock::Timer;
use crate::gateway::{Gateway, Heard};
use crate::serve::{Answer, Consents, Readiness, Served};
use crate::store::{Store, StoreError, soundness};
use crate::sync::blocking;
use crate::target::turn::Executors;
use crate::telemetry::Metrics;

pub use self::approval::Unguarded;
pub use self::error::Error;
pub use self::gate::Shut;
pub use self::lease::{LeaseSettings, Times};
pub use self::watched::Scope;

mod announce;
mod approval;
mod attended;
mod caches;
pub mod condition;
pub mod connector;
mod context;
mod controllers;
mod delay;
mod error;
mod event;
mod gate;
mod job;
mod lease;
mod namespaces;
mod parts;
mod places;
pub mod policy;
mod read;
mod reconcile;
mod referred;
mod refused;
mod route;
mod sight;
mod state;
mod status;
mod sweep;
mod users;
mod watch;
mod watched;
mod work_queue;
mod write;

/// So many ask the store at once, beside imports and runs.
const QUESTIONS: usize = 4;
/// How long jobs may take to come to a safe point when the process is to end.
const GRACE: Duration = Duration::from_secs(20);
/// How often it is checked that the store is still where it was.
const CHECK: Duration = Duration::from_secs(5);
/// A replica that ends may still have the data folder open for so long.
const HANDOVER: Duration = Duration::from_secs(30);

/// What the operator works with.
pub struct Settings {
    /// Which objects are ours.
    pub scope: Scope,
    /// The lease to hold.
    pub lease: LeaseSettings,
    /// How many directories are read at once.
    pub imports: usize,
    /// How many policies run at once.
    pub runs: usize,
    /// What becomes of approvals while nothing checks who gives them.
    pub unguarded: Unguarded,
}

/// What the operator needs from outside.
pub struct Dependencies<O> {
    /// The apiserver.
    pub client: Client,
    /// Opens the store, once the lease is ours.
    pub open: O,
    /// What time it is.
    pub clock: Arc<dyn Timer>,
    /// Whose registries are served.
    pub served: Served,
    /// What is counted.
    pub metrics: Metrics,
    /// What must be so before this replica is ready.
    pub readiness: Readiness,
    /// The pages by which administrators consent, if they are served, and the answers that come there.
    pub consents: Option<(Consents, mpsc::Receiver<Answer>)>,
    /// The gateway of Sync Engines, if it is served, and what comes there.
    pub gateway: Option<(Gateway, Heard)>,
    /// Ends the operator at a safe point.
    pub stop: CancellationToken,
}

/// Runs until `dependencies.stop`, or until something ends it.
///
/// # Errors
/// When the lease is lost for too long, the store fails, or something ends that must not.
pub async fn run<O>(dependencies: Dependencies<O>, settings: Settings) -> Result<(), Error>
where
    O: Fn() -> Result<Store, StoreError> + Send + Sync + 'static,
{
    let Dependencies { client, open, clock, served, metrics, readiness, consents, gateway, stop } =
        dependencies;
    let (consents, answers) = consents.unzip();
    let (gateway, heard) = gateway.unzip();
    let gate = Gate::new(stop.clone());
    let chosen = settings.scope.namespace_selector.is_some();
    let parts = if chosen { vec![None] } else { settings.scope.parts() };
    served.expect(&parts, &parts);
    readiness.expect(LEASE);
    let holder_clock = clock.clone();
    let mut holder =
        lease::Holder::new(&client, settings.lease.clone(), gate.clone(), &*holder_clock, metrics.clone());
    if !holder.acquire(&stop).await {
        return Ok(());
    }
    metrics.lease_held(true);
    let told = readiness.clone();
    let working = async {
        let store = open_store(open, &stop).await?;
        let readers = store.clone();
        served.recall(blocking(move || readers.readers()).await?);
        readiness.reached(LEASE);
        let (mut namespaces, following) = Namespaces::new(&client, settings.scope, &readiness, &metrics);
        let (fatal, dying) = mpsc::channel(1);
        let (events, telling) = mpsc::channel(event::WAITING);
        let recorder = event::Recorder::new(client.clone(), &settings.lease.identity);
        let context = Arc::new(Context {
            events,
            client,
            store,
            clock,
            gate,
            served,
            metrics,
            readiness,
            consents,
            gateway,
            approvals: approval::Approvals::default(),
            unguarded: settings.unguarded,
            parts: Parts::default(),
            questions: Semaphore::new(QUESTIONS),
            connectors: States::default(),
            policies: States::default(),
            imports: Places::new(settings.imports),
            executors: Executors::default(),
            runs: Places::new(settings.runs),
            stopping: stop.clone(),
            jobs: TaskTracker::new(),
            fatal,
        });
        let (gate, metrics) = (context.gate.clone(), context.metrics.clone());
        context.spawn("the Events", event::tell_all(recorder, telling, gate, metrics, stop.clone()));
        let ended = tokio::select! {
            ended = work(&context, &mut namespaces, (answers, heard), dying) => ended,
            () = following => Err(Error::Died("the watch of the namespaces ended unexpectedly".to_owned())),
        };
        stop.cancel();
        ended
    };
    let ended = tokio::select! {
        ended = working => ended,
        why = holder.renew(&told) => Err(Error::Lost(why)),
    };
    if !matches!(ended, Err(Error::Lost(_))) {
        holder.release().await;
    }
    ended
}

/// Everything that acts on what is there, until somebody ends it or something dies.
async fn work(
    context: &Arc<Context>,
    namespaces: &mut Namespaces,
    (answers, heard): (Option<mpsc::Receiver<Answer>>, Option<Heard>),
    mut dying: mpsc::Receiver<String>,
) -> Result<(), Error> {
    let mut tasks = JoinSet::new();
    tasks.spawn(intact(context.clone()));
    tasks.spawn(again(context.clone()));
    tasks.spawn(sound(context.clone()));
    tasks.spawn(approval::follow::follow(context.clone()));
    if let Some(answers) = answers {
        tasks.spawn(connector::consent::follow(context.clone(), answers));
    }
    if let Some(heard) = heard {
        tasks.spawn(connector::engine::follow(context.clone(), heard));
    }
    let mut attended = Attended::new(context.clone());
    let ended = tokio::select! {
        biased;
        () = context.stopping.cancelled() => Ok(()),
        why = dying.recv() => Err(Error::Died(why.unwrap_or_default())),
        Some(ended) = tasks.join_next() => Err(Error::Died(attended::why(ended))),
        why = attend(context, &mut attended, namespaces) => Err(Error::Died(why)),
    };
    context.stopping.cancel();
    context.jobs.close();
    let safe = async {
        attended.ended().await;
        context.jobs.wait().await;
    };
    if tokio::time::timeout(GRACE, safe).await.is_err() {
        tracing::warn!("some work did not reach a safe point in time; the next run completes it");
    }
    ended
}

/// Attends to the namespaces as they come and go, and forgets what was deleted; says why if one of them ends by itself.
async fn attend(context: &Arc<Context>, attended: &mut Attended, namespaces: &mut Namespaces) -> String {
    let mut sweeping = JoinSet::new();
    loop {
        let scope = namespaces.scope().await;
        attended.change(&scope).await;
        if sweeping.is_empty() {
            sweeping.spawn(sweep::sweep(context.clone()));
        }
        tokio::select! {
            why = attended.died() => return why,
            Some(ended) = sweeping.join_next() => return attended::why(ended),
            () = namespaces.change(&scope) => {}
        }
    }
}

/// Opens the store; another replica that is about to end may still have it.
async fn open_store<O>(open: O, stop: &CancellationToken) -> Result<Store, StoreError>
where
    O: Fn() -> Result<Store, StoreError> + Send + Sync + 'static,
{
    let open = Arc::new(open);
    let began = tokio::time::Instant::now();
    loop {
        let open = open.clone();
        match blocking(move || open()).await {
            Err(StoreError::InUse { .. }) if began.elapsed() < HANDOVER && !stop.is_cancelled() => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            opened => return opened,
        }
    }
}

/// Looks at every object when the lease is ours again after it was not: much may be due since.
async fn again(context: Arc<Context>) {
    loop {
        context.gate.again().await;
        context.parts.wake_all(None);
    }
}

/// Ends when the store is not where it was: what is written then would be lost. While nobody uses it, it takes no memory.
async fn intact(context: Arc<Context>) {
    loop {
        tokio::time::sleep(CHECK).await;
        context.store.rest();
        if !context.store.is_intact() {
            let why = "the database was removed or replaced under the running operator; nothing more is written to it";
            drop(context.fatal.send(why.to_owned()).await);
            std::future::pending::<()>().await;
        }
    }
}

/// Looks at the whole store at the start, and again and again: whether what is in it is what was written.
async fn sound(context: Arc<Context>) {
    loop {
        let looked_at = context.clock.now();
        match context.stored(Store::examine).await {
            Ok(damage) => {
                for damage in &damage {
                    tracing::error!(damage, "the store is damaged: restore a backup");
                }
                context.metrics.store_damaged(!damage.is_empty());
            }
            Err(error) => {
                tracing::error!(%error, "the store could not be checked");
                context.metrics.store_damaged(matches!(error, StoreError::Damaged(_)));
            }
        }
        context.clock.until(delay::later(looked_at, soundness::EVERY)).await;
    }
}
