//! One active replica: a Lease, renewed while we live. Whether it is still ours is judged on our own
//! monotonic clock, from before the renewal was asked for; another's is judged by how long we have seen
//! it unchanged, so that nobody's wall clock matters.
//!
//! While the apiserver is away the lease runs out, and nothing is done or written; the process goes on to serve what it
//! has, for its data folder is locked, and goes on to work if the lease is still its own afterwards.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::gate::{Gate, WRITE};
use crate::clock::Clock;
use crate::serve::Readiness;
use crate::telemetry::{Asked, Metrics, Write, chain};

/// What the process is not ready without.
pub(super) const LEASE: &str = "lease";

/// Which Lease, and who asks for it.
#[derive(Clone, Debug)]
pub struct LeaseSettings {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Who we are: no other living process is called so.
    pub identity: String,
    /// How long things may take.
    pub times: Times,
}

/// How long things may take that concern a Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// For how long a renewal holds.
    lasts: Duration,
    /// How often it is renewed, or asked for.
    every: Duration,
    /// For how long the process goes on to serve what it has after the lease has run out.
    outlasts: Duration,
}

impl Times {
    /// Refuses times by which the lease would run out while nothing is wrong.
    ///
    /// # Errors
    /// When the lease would run out while nothing is wrong, or a time is out of its bounds.
    pub fn new(lasts: Duration, every: Duration, outlasts: Duration) -> Result<Self, String> {
        const LONGEST: Duration = Duration::from_hours(1);
        let writes = 2 * WRITE;
        if every < Duration::from_secs(1) {
            Err("the lease cannot be renewed more often than once a second".to_owned())
        } else if lasts <= every + writes || lasts > LONGEST {
            Err(format!(
                "a lease lasts at most {} s, and more than {} s longer than the time until it is renewed, because a \
                 write may take {} s",
                LONGEST.as_secs(),
                writes.as_secs(),
                WRITE.as_secs()
            ))
        } else {
            Ok(Self { lasts, every, outlasts })
        }
    }
}

impl Default for Times {
    fn default() -> Self {
        Self {
            lasts: Duration::from_secs(15),
            every: Duration::from_secs(4),
            outlasts: Duration::from_hours(1),
        }
    }
}

/// Holds a Lease, or tries to.
pub(super) struct Holder<'a> {
    api: Api<Lease>,
    settings: LeaseSettings,
    gate: Gate,
    clock: &'a dyn Clock,
    metrics: Metrics,
    /// How often the Lease had changed hands when it came to be ours.
    transitions: Option<i32>,
    /// Another's identity as last seen, and since when.
    seen: Option<(Seen, Instant)>,
}

/// What of a Lease shows that its holder lives.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    holder: Option<String>,
    renewed: Option<MicroTime>,
    version: Option<String>,
}

/// What came of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Attempt {
    Ours,
    /// Somebody else has it.
    Theirs(String),
}

impl<'a> Holder<'a> {
    pub(super) fn new(
        client: &Client,
        settings: LeaseSettings,
        gate: Gate,
        clock: &'a dyn Clock,
        metrics: Metrics,
    ) -> Self {
        let api = Api::namespaced(client.clone(), &settings.namespace);
        Self { api, settings, gate, clock, metrics, transitions: None, seen: None }
    }

    /// Waits until the Lease is ours; false if we are to stop before.
    pub(super) async fn acquire(&mut self, stop: &CancellationToken) -> bool {
        let mut told = String::new();
        loop {
            match self.attempt().await {
                Ok(Attempt::Ours) => {
                    tracing::info!(
                        lease = self.settings.name,
                        identity = self.settings.identity,
                        "this replica is active"
                    );
                    return true;
                }
                Ok(Attempt::Theirs(holder)) if holder != told => {
                    tracing::info!(lease = self.settings.name, holder, "waiting: another replica is active");
                    told = holder;
                }
                Ok(Attempt::Theirs(_)) => {}
                Err(why) => {
                    tracing::warn!(lease = self.settings.name, why, "the lease cannot be acquired; retrying");
                }
            }
            if stop.run_until_cancelled(tokio::time::sleep(self.settings.times.every)).await.is_none() {
                return false;
            }
        }
    }

    /// Renews the Lease until it is lost, and says why. While it cannot be renewed nothing may be done; it is lost when
    /// another has it, or had it meanwhile, or when that has lasted too long.
    pub(super) async fn renew(&mut self, readiness: &Readiness) -> String {
        let (mut ran_out, mut told) = (None::<Instant>, String::new());
        loop {
            let pause = if ran_out.is_some() {
                self.settings.times.every
            } else {
                // So early that a slow renewal still ends before the lease does.
                self.settings.times.every.min(self.gate.remaining())
            };
            tokio::time::sleep(pause).await;
            if ran_out.is_none() && self.gate.remaining().is_zero() {
                ran_out = Some(Instant::now());
                self.gate.close();
                self.holds(readiness, false);
                tracing::warn!(
                    lease = self.settings.name,
                    "the lease has expired: nothing is done until it is renewed, and the registry is served as it was"
                );
            }
            match self.attempt().await {
                Ok(Attempt::Ours) => {
                    told.clear();
                    if let Some(since) = ran_out.take() {
                        self.holds(readiness, true);
                        let after = since.elapsed().as_secs();
                        tracing::info!(
                            lease = self.settings.name,
                            after,
                            "the lease is renewed; the work continues"
                        );
                    }
                }
                Ok(Attempt::Theirs(holder)) => return format!("the lease was taken over by {holder}"),
                Err(why) if ran_out.is_some_and(|since| since.elapsed() >= self.settings.times.outlasts) => {
                    return format!("the lease could not be renewed in time: {why}");
                }
                Err(why) => {
                    if told != why {
                        tracing::warn!(
                            lease = self.settings.name,
                            why,
                            "the lease was not renewed; retrying"
                        );
                    }
                    told = why;
                }
            }
        }
    }

    fn holds(&self, readiness: &Readiness, is: bool) {
        self.metrics.lease_held(is);
        if is {
            readiness.reached(LEASE);
        } else {
            readiness.lost(LEASE);
        }
    }

    /// Lets another replica have it at once.
    pub(super) async fn release(&self) {
        let released = async {
            let Some(mut lease) = self.api.get_opt(&self.settings.name).await? else { return Ok(()) };
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() == Some(&self.settings.identity) {
                spec.holder_identity = None;
                self.api.replace(&self.settings.name, &PostParams::default(), &lease).await?;
            }
            Ok::<(), kube::Error>(())
        };
        match tokio::time::timeout(WRITE, released).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = chain(&error), "the lease was not released; it expires by itself");
            }
            Err(_) => tracing::warn!("the lease was not released in time; it expires by itself"),
        }
    }

    async fn attempt(&mut self) -> Result<Attempt, String> {
        let asked_at = Instant::now();
        // That a lease has run out is to be noticed when it has.
        let left = Some(self.gate.remaining()).filter(|left| !left.is_zero());
        let patience = left.map_or(WRITE, |left| left.min(WRITE));
        let attempt = match tokio::time::timeout(patience, self.ask()).await {
            Ok(attempt) => attempt.map_err(|error| chain(&error)),
            Err(_) => Err("the apiserver did not answer in time".to_owned()),
        };
        let attempt = attempt.inspect_err(|_| self.metrics.api_failed(Asked::Lease))?;
        if attempt == Attempt::Ours {
            self.gate.open_until(asked_at + self.settings.times.lasts);
        }
        Ok(attempt)
    }

    async fn ask(&mut self) -> Result<Attempt, kube::Error> {
        let found = self.api.get_opt(&self.settings.name).await?;
        let (mut lease, exists) = match found {
            Some(lease) => (lease, true),
            None => (self.fresh(), false),
        };
        let spec = lease.spec.get_or_insert_default();
        let holder = spec.holder_identity.clone().filter(|holder| !holder.is_empty());
        if let Some(holder) = holder.clone().filter(|holder| *holder != self.settings.identity) {
            let lasts = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
            let lasts = lasts.map_or(self.settings.times.lasts, Duration::from_secs);
            let seen = Seen {
                holder: Some(holder.clone()),
                renewed: spec.renew_time.clone(),
                version: lease.metadata.resource_version.clone(),
            };
            let since = match &self.seen {
                Some((before, since)) if *before == seen => *since,
                _ => Instant::now(),
            };
            self.seen = Some((seen, since));
            if self.transitions.is_some() || since.elapsed() <= lasts {
                return Ok(Attempt::Theirs(holder));
            }
        }
        // Whoever had it meanwhile may have done what this process knows nothing of.
        let (ours, now) = (self.transitions, spec.lease_transitions);
        if holder.is_none() && ours.zip(now).is_some_and(|(ours, now)| now > ours) {
            return Ok(Attempt::Theirs("another replica, which has released it since".to_owned()));
        }
        let now = MicroTime(self.clock.now());
        if holder.as_deref() != Some(&self.settings.identity) {
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0) + i32::from(exists));
            spec.acquire_time = Some(now.clone());
        }
        spec.holder_identity = Some(self.settings.identity.clone());
        spec.renew_time = Some(now);
        // Never less than what we ourselves go by.
        let seconds =
            self.settings.times.lasts.as_secs() + u64::from(self.settings.times.lasts.subsec_nanos() > 0);
        spec.lease_duration_seconds = i32::try_from(seconds).ok();
        let transitions = spec.lease_transitions.unwrap_or(0);
        self.metrics.api_write(Write::Lease);
        // Of a conflict the next attempt shows whether another replica was quicker, or our own last attempt, which
        // a slow apiserver did after all.
        if exists {
            self.api.replace(&self.settings.name, &PostParams::default(), &lease).await?;
        } else {
            self.api.create(&PostParams::default(), &lease).await?;
        }
        self.transitions = Some(transitions);
        Ok(Attempt::Ours)
    }

    fn fresh(&self) -> Lease {
        let metadata = ObjectMeta { name: Some(self.settings.name.clone()), ..ObjectMeta::default() };
        Lease { metadata, spec: Some(LeaseSpec::default()) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::extract::State;
    use axum::http::{Method, StatusCode};
    use axum::routing::get;
    use serde_json::{Value, json};

    use super::*;
    use crate::clock::SystemClock;

    /// An apiserver that has one Lease, and answers or does not.
    #[derive(Clone)]
    struct Fake(Arc<Mutex<(Value, bool)>>);

    impl Fake {
        fn new(holder: Option<&str>) -> Self {
            let lease = json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": { "name": "rollcall", "namespace": "ns", "resourceVersion": "1" },
                "spec": { "holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 3 },
            });
            Self(Arc::new(Mutex::new((lease, true))))
        }

        fn answers(&self, does: bool) {
            self.0.lock().unwrap().1 = does;
        }

        fn is_held_by(&self, holder: Option<&str>, transitions: i32) {
            let mut fake = self.0.lock().unwrap();
            fake.0["spec"]["holderIdentity"] = json!(holder);
            fake.0["spec"]["leaseTransitions"] = json!(transitions);
        }

        fn client(&self) -> Client {
            let asked = async |State(fake): State<Fake>, method: Method, body: String| {
                let mut fake = fake.0.lock().unwrap();
                if !fake.1 {
                    return (StatusCode::SERVICE_UNAVAILABLE, String::new());
                }
                if method == Method::PUT {
                    fake.0 = serde_json::from_str(&body).unwrap();
                }
                (StatusCode::OK, fake.0.to_string())
            };
            Client::new(axum::Router::new().fallback(asked).with_state(self.clone()), "ns")
        }
    }

    fn times(lasts: u64, every: u64, outlasts: u64) -> Result<Times, String> {
        let [lasts, every, outlasts] = [lasts, every, outlasts].map(Duration::from_secs);
        Times::new(lasts, every, outlasts)
    }

    fn settings(times: Times) -> LeaseSettings {
        LeaseSettings {
            namespace: "ns".to_owned(),
            name: "rollcall".to_owned(),
            identity: "us".to_owned(),
            times,
        }
    }

    /// One who has the lease and renews it, what it may write meanwhile, and how it says how it is.
    async fn holding(fake: &Fake, times: Times) -> (tokio::task::JoinHandle<String>, Gate, Readiness) {
        let (gate, readiness) = (Gate::new(CancellationToken::new()), Readiness::default());
        readiness.expect(LEASE);
        let (client, held, ready) = (fake.client(), gate.clone(), readiness.clone());
        let (acquired, is_held) = tokio::sync::oneshot::channel();
        let renewing = tokio::spawn(async move {
            let mut holder = Holder::new(&client, settings(times), held, &SystemClock, Metrics::new());
            assert!(holder.acquire(&CancellationToken::new()).await);
            ready.reached(LEASE);
            acquired.send(()).unwrap();
            holder.renew(&ready).await
        });
        is_held.await.unwrap();
        (renewing, gate, readiness)
    }

    #[tokio::test(start_paused = true)]
    async fn an_apiserver_that_is_away_costs_the_lease_and_not_the_process() {
        let fake = Fake::new(None);
        let (renewing, gate, readiness) = holding(&fake, Times::default()).await;
        tokio::time::sleep(Duration::from_hours(2)).await;
        assert_eq!((gate.check(), readiness.missing().len()), (Ok(()), 0));
        let under_way = gate.ends();
        fake.answers(false);
        tokio::time::sleep(Duration::from_secs(21)).await;
        assert!(gate.check().is_err() && under_way.is_cancelled(), "nothing is done without the lease");
        tokio::time::sleep(Duration::from_mins(10)).await;
        assert!(gate.check().is_err() && gate.ends().is_cancelled());
        assert!(readiness.is_ready() && readiness.missing().contains(LEASE), "it serves, and says so");
        fake.answers(true);
        gate.again().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((gate.check(), readiness.missing().len()), (Ok(()), 0));
        assert!(!gate.ends().is_cancelled() && !renewing.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_not_waited_for_for_ever() {
        let fake = Fake::new(None);
        let (renewing, gate, _) = holding(&fake, times(15, 4, 60).unwrap()).await;
        fake.answers(false);
        let began = Instant::now();
        let why = renewing.await.unwrap();
        assert!(why.contains("could not be renewed in time"), "{why}");
        assert!((70..=90).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        assert!(gate.check().is_err());
    }

    #[rstest::rstest]
    #[case::has_it(Some("another"), "taken over by another")]
    #[case::had_it_meanwhile(None, "another replica, which has released it")]
    #[tokio::test(start_paused = true)]
    async fn whoever_finds_that_another_acted_meanwhile_does_nothing_more(
        #[case] holder: Option<&str>,
        #[case] says: &str,
    ) {
        let fake = Fake::new(None);
        let (renewing, gate, _) = holding(&fake, Times::default()).await;
        fake.answers(false);
        tokio::time::sleep(Duration::from_mins(5)).await;
        fake.is_held_by(holder, 5);
        fake.answers(true);
        let why = renewing.await.unwrap();
        assert!(why.contains(says), "{why}");
        assert!(gate.check().is_err() && gate.ends().is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_somebody_cleared_is_taken_again() {
        let fake = Fake::new(None);
        let (renewing, gate, _) = holding(&fake, Times::default()).await;
        fake.is_held_by(None, 4);
        tokio::time::sleep(Duration::from_mins(5)).await;
        assert!(gate.check().is_ok() && !renewing.is_finished());
    }

    #[rstest::rstest]
    #[case(15, 4, true)]
    #[case(14, 4, false)]
    #[case(12, 1, true)]
    #[case(12, 0, false)]
    #[case(60, 30, true)]
    #[case(7200, 30, false)]
    fn a_lease_does_not_run_out_while_nothing_is_wrong(
        #[case] lasts: u64,
        #[case] every: u64,
        #[case] fine: bool,
    ) {
        assert_eq!(times(lasts, every, 0).is_ok(), fine);
    }

    #[tokio::test]
    async fn a_conflict_does_not_mean_that_the_lease_is_another_s() {
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": { "name": "rollcall", "namespace": "ns", "resourceVersion": "1" },
            "spec": { "holderIdentity": "us", "leaseDurationSeconds": 15 },
        });
        let conflict: Value = json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Conflict", "code": 409,
            "message": "the object has been modified",
        });
        let refused = move || async move { (StatusCode::CONFLICT, conflict.to_string()) };
        let router = axum::Router::new().fallback(get(move || async move { lease.to_string() }).put(refused));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = axum_server::from_tcp(listener).unwrap();
        tokio::spawn(server.serve(router.into_make_service()));
        let client = Client::try_from(kube::Config::new(url.parse().unwrap())).unwrap();
        let gate = Gate::new(CancellationToken::new());
        let mut holder =
            Holder::new(&client, settings(Times::default()), gate.clone(), &SystemClock, Metrics::new());
        let why = holder.attempt().await.unwrap_err();
        assert!(why.contains("the object has been modified"), "{why}");
        assert!(gate.remaining().is_zero(), "nor that it is ours");
    }
}
