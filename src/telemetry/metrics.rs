//! What is measured, by `prometheus-client`. Labels are bounded: objects by `namespace/name` for as long as
//! they are there, reasons from the lists that the API documents; nobody is named.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use self::conditions::Conditions;
use self::labelled::{Labelled, register, with_unit};
use self::operating::Operating;
use self::process::Process;

mod conditions;
mod labelled;
mod operating;
mod plain;
mod process;

/// Everything that is measured; clones share it.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    store: Arc<OnceLock<PathBuf>>,
    completed: Labelled<Gauge>,
    imports: Labelled<Counter>,
    import_duration: Labelled<Histogram>,
    entries: Labelled<Gauge>,
    missed: Labelled<Counter>,
    certificate: Labelled<Gauge>,
    runs: Labelled<Counter>,
    run_duration: Labelled<Histogram>,
    in_step: Labelled<Gauge>,
    held: Labelled<Gauge>,
    quarantined: Labelled<Gauge>,
    reset: Labelled<Gauge>,
    conditions: Conditions,
    writes: Labelled<Counter>,
    jobs: Labelled<Gauge>,
    operating: Operating,
}

impl Inner {
    fn forget_object(&self, kind: &str, object: &str) {
        let of = [("kind", kind), ("object", object)];
        self.conditions.forget(kind, object);
        self.operating.suspended.forget(&of);
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// What a completed import read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Import {
    /// When it completed, in seconds since 1970.
    pub completed_at: i64,
    /// How long it took.
    pub took: Duration,
    /// Users in the snapshot.
    pub users: u64,
    /// Contacts in the snapshot.
    pub contacts: u64,
    /// Groups in the snapshot.
    pub groups: u64,
    /// What this full read found and the feed had not told of.
    pub missed: u64,
    /// When the server's certificate ends, in seconds since 1970; none without one.
    pub certificate_ends_at: Option<i64>,
}

/// What a policy's run left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// How long it took.
    pub took: Duration,
    /// Users at the target that are in step.
    pub users: u64,
    /// Groups at the target that are in step.
    pub groups: u64,
    /// Memberships at the target that are in step.
    pub memberships: u64,
    /// Operations that wait for a person.
    pub held: u64,
    /// Entries that cannot be processed.
    pub quarantined: u64,
}

/// What is written to the apiserver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// The status of an object.
    Status,
    /// An Event.
    Event,
    /// The Lease.
    Lease,
}

/// What the apiserver was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// What changes.
    Watch,
    /// To read an object, or to write its status.
    Object,
    /// To take an Event.
    Event,
    /// To give or renew the Lease.
    Lease,
}

/// A job that waits for its turn; it counts as waiting until it begins or is dropped.
#[derive(Debug)]
pub struct Queued {
    counted: Counted,
    running: Gauge,
}

/// A job under way; it counts as running until it is dropped.
#[derive(Debug)]
pub struct Running {
    _counted: Counted,
}

/// Counts in a gauge for as long as it lives.
#[derive(Debug)]
struct Counted(Gauge);

impl Counted {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Queued {
    /// Its turn has come.
    pub fn begin(self) -> Running {
        drop(self.counted);
        Running { _counted: Counted::new(self.running) }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics of a process in which nothing has happened yet.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let store = Arc::new(OnceLock::new());
        registry.register_collector(Box::new(Process::new(store.clone())));
        let ours = registry.sub_registry_with_prefix("rollcall");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        ours.register("build", "The version of Rollcall", version);
        let inner = Inner {
            completed: with_unit(
                ours,
                "connector_last_completion_timestamp",
                "Time of the last complete read of the directory, in seconds since 1970",
                Unit::Seconds,
                Labelled::default(),
            ),
            imports: register(
                ours,
                "connector_imports",
                "Reads of the directory, by the reason of Ready after them",
            ),
            import_duration: with_unit(
                ours,
                "connector_import_duration",
                "Duration of reads of the directory, in seconds",
                Unit::Seconds,
                Labelled::by(slow),
            ),
            entries: register(
                ours,
                "connector_entries",
                "Entries of the last complete read: users, contacts, groups",
            ),
            missed: register(
                ours,
                "connector_feed_missed",
                "Changed entries that a full read found and the change feed had not reported",
            ),
            certificate: with_unit(
                ours,
                "connector_certificate_expiry_timestamp",
                "Expiry of the server's TLS certificate, in seconds since 1970",
                Unit::Seconds,
                Labelled::default(),
            ),
            runs: register(ours, "policy_runs", "Runs of the policy, by the reason of Ready after them"),
            run_duration: with_unit(
                ours,
                "policy_run_duration",
                "Duration of runs of the policy, in seconds",
                Unit::Seconds,
                Labelled::by(slow),
            ),
            in_step: register(
                ours,
                "policy_in_step",
                "Linked objects at the target: users, groups, memberships",
            ),
            held: register(
                ours,
                "policy_held_operations",
                "Operations that wait for an approval: see `rollcall plan show`",
            ),
            quarantined: register(ours, "policy_quarantined", "Entries that cannot be processed"),
            reset: with_unit(
                ours,
                "policy_store_reset_timestamp",
                "Time when the store was last found lost or replaced, in seconds since 1970",
                Unit::Seconds,
                Labelled::default(),
            ),
            conditions: Conditions::new(ours),
            writes: register(ours, "api_writes", "Writes to the apiserver: status, event, lease"),
            jobs: register(ours, "jobs", "Imports and runs that are waiting or in progress"),
            operating: Operating::new(ours),
            store,
            registry,
        };
        Self(Arc::new(inner))
    }

    /// Everything, as `OpenMetrics` text.
    ///
    /// # Errors
    /// Never for a `String`: only a writer could fail.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0.registry)?;
        Ok(text)
    }

    /// Everything, in the text format that Prometheus had before.
    ///
    /// # Errors
    /// Never for a `String`: only a writer could fail.
    pub fn plain(&self) -> Result<String, fmt::Error> {
        Ok(plain::of(&self.text()?))
    }

    /// The store is this file: its size is measured from now on.
    pub fn store_is(&self, file: PathBuf) {
        // There is one store for as long as the process lives.
        drop(self.0.store.set(file));
    }

    /// A connector's read reached its end.
    pub fn imported(&self, connector: &str, reason: &'static str, import: &Import) {
        let (inner, of) = (&self.0, ("connector", connector));
        self.completed(connector, import.completed_at);
        inner.imports.at(&[of, ("reason", reason)]).inc();
        inner.import_duration.at(&[of]).observe(import.took.as_secs_f64());
        for (kind, count) in [("user", import.users), ("contact", import.contacts), ("group", import.groups)]
        {
            inner.entries.at(&[of, ("kind", kind)]).set(gauge(count));
        }
        inner.missed.at(&[of]).inc_by(import.missed);
        match import.certificate_ends_at {
            Some(at) => drop(inner.certificate.at(&[of]).set(at)),
            None => inner.certificate.forget(&[of]),
        }
    }

    /// A connector was last read to its end at this second since 1970, maybe before this process began.
    pub fn completed(&self, connector: &str, at: i64) {
        self.0.completed.at(&[("connector", connector)]).set(at);
    }

    /// A connector's read failed.
    pub fn import_failed(&self, connector: &str, reason: &'static str) {
        self.0.imports.at(&[("connector", connector), ("reason", reason)]).inc();
    }

    /// A policy ran.
    pub fn ran(&self, policy: &str, reason: &'static str, run: &Run) {
        let (inner, of) = (&self.0, ("policy", policy));
        inner.runs.at(&[of, ("reason", reason)]).inc();
        inner.run_duration.at(&[of]).observe(run.took.as_secs_f64());
        for (kind, count) in [("user", run.users), ("group", run.groups), ("membership", run.memberships)] {
            inner.in_step.at(&[of, ("kind", kind)]).set(gauge(count));
        }
        self.waiting(policy, run.held, run.quarantined);
    }

    /// So many operations of a policy wait for a person, and so many entries cannot be processed: its last run
    /// found so, maybe before this process began.
    pub fn waiting(&self, policy: &str, held: u64, quarantined: u64) {
        let of = ("policy", policy);
        self.0.held.at(&[of]).set(gauge(held));
        self.0.quarantined.at(&[of]).set(gauge(quarantined));
    }

    /// An object (`kind` is `DirectoryConnector` or `SyncPolicy`) has these conditions, by type and status, and no others;
    /// and whether it rests.
    pub fn conditions<'c>(
        &self,
        kind: &'static str,
        object: &str,
        suspended: bool,
        conditions: impl IntoIterator<Item = (&'c str, &'c str)>,
    ) {
        let (namespace, _) = object.split_once('/').unwrap_or_default();
        let of = [("kind", kind), ("object", object), ("namespace", namespace)];
        self.0.operating.suspended.at(&of).set(i64::from(suspended));
        self.0.conditions.are(kind, object, conditions);
    }

    /// A condition of an object has this status.
    pub fn condition(&self, kind: &'static str, object: &str, r#type: &str, status: &str) {
        self.0.conditions.is(kind, object, r#type, status);
    }

    /// The store of a policy was seen, at this second since 1970, to be gone or replaced.
    pub fn store_reset(&self, policy: &str, at: i64) {
        self.0.reset.at(&[("policy", policy)]).set(at);
    }

    /// Whether this process holds the lease.
    pub fn lease_held(&self, is: bool) {
        self.0.operating.lease.at(&[]).set(i64::from(is));
    }

    /// Whether what changes of this kind is told of, in this namespace.
    pub fn watching(&self, kind: &'static str, namespace: &str, up: bool) {
        self.0.operating.watches.at(&[("kind", kind), ("namespace", namespace)]).set(i64::from(up));
    }

    /// What was watched in this namespace is not any more.
    pub fn not_watched(&self, namespace: &str) {
        let there = |name: &str, value: &str| name == "namespace" && value == namespace;
        self.0.operating.watches.keep(&[], |labels| !labels.iter().any(|(name, value)| there(name, value)));
    }

    /// The store was looked at as a whole.
    pub fn store_damaged(&self, damaged: bool) {
        self.0.operating.damaged.at(&[]).set(i64::from(damaged));
    }

    /// A request came to the gateway of Sync Engines.
    pub fn gateway_request(&self, result: &'static str) {
        self.0.operating.gateway.at(&[("result", result)]).inc();
    }

    /// So many Sync Engines have joined, and so many of them are connected.
    pub fn engines(&self, (joined, connected): (usize, usize)) {
        let Operating { engines_joined, engines, .. } = &self.0.operating;
        for (gauge, count) in [(engines_joined, joined), (engines, connected)] {
            gauge.at(&[]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Whether a rule for admission checks who approves.
    pub fn approvals_guarded(&self, are: bool) {
        self.0.operating.approvals.at(&[]).set(i64::from(are));
    }

    /// Something was written to the apiserver.
    pub fn api_write(&self, what: Write) {
        let what = match what {
            Write::Status => "status",
            Write::Event => "event",
            Write::Lease => "lease",
        };
        self.0.writes.at(&[("what", what)]).inc();
    }

    /// An import waits for its turn.
    pub fn queued_import(&self) -> Queued {
        self.queued("import")
    }

    /// A run waits for its turn.
    pub fn queued_run(&self) -> Queued {
        self.queued("run")
    }

    fn queued(&self, kind: &'static str) -> Queued {
        let jobs = |state| self.0.jobs.at(&[("kind", kind), ("state", state)]);
        Queued { counted: Counted::new(jobs("queued")), running: jobs("running") }
    }

    /// An object of this kind was looked at.
    pub fn reconciled(&self, kind: &'static str, took: Duration) {
        self.0.operating.reconcile_duration.at(&[("kind", kind)]).observe(took.as_secs_f64());
    }

    /// An object of this kind could not be looked at.
    pub fn reconcile_failed(&self, kind: &'static str) {
        self.0.operating.reconcile_errors.at(&[("kind", kind)]).inc();
    }

    /// The apiserver refused, could not be reached, or did not answer in time.
    pub fn api_failed(&self, what: Asked) {
        let what = match what {
            Asked::Watch => "watch",
            Asked::Object => "object",
            Asked::Event => "event",
            Asked::Lease => "lease",
        };
        self.0.operating.api_errors.at(&[("what", what)]).inc();
    }

    /// A request to the registry was answered.
    pub fn scim_request(&self, status: u16) {
        self.0.operating.requests.at(&[("code", &status.to_string())]).inc();
    }

    /// The connector is no more.
    pub fn forget_connector(&self, connector: &str) {
        let (inner, of) = (&self.0, ("connector", connector));
        inner.completed.forget(&[of]);
        inner.imports.forget(&[of]);
        inner.import_duration.forget(&[of]);
        inner.entries.forget(&[of]);
        inner.missed.forget(&[of]);
        inner.certificate.forget(&[of]);
        inner.forget_object("DirectoryConnector", connector);
    }

    /// The policy is no more.
    pub fn forget_policy(&self, policy: &str) {
        let (inner, of) = (&self.0, ("policy", policy));
        inner.runs.forget(&[of]);
        inner.run_duration.forget(&[of]);
        inner.in_step.forget(&[of]);
        inner.held.forget(&[of]);
        inner.quarantined.forget(&[of]);
        inner.reset.forget(&[of]);
        inner.forget_object("SyncPolicy", policy);
    }
}

/// Of what takes seconds to hours.
fn slow() -> Histogram {
    Histogram::new([0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0])
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
