//! One active replica: a Lease, renewed while we live. Whether it is still ours is judged on our own
//! monotonic clock, from before the renewal was asked for; another's is judged by how long we have seen
//! it unchanged, so that nobody's wall clock matters.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::gate::{Gate, WRITE};
use crate::clock::Clock;
use crate::telemetry::{Metrics, Write};

/// For how long a renewal holds.
const LASTS: Duration = Duration::from_secs(15);
/// How often it is renewed, or asked for.
const EVERY: Duration = Duration::from_secs(4);

/// Which Lease, and who we are.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Who we are: no other living process is called so.
    pub identity: String,
}

/// Holds a Lease, or tries to.
pub(super) struct Holder<'a> {
    api: Api<Lease>,
    claim: Claim,
    gate: Gate,
    clock: &'a dyn Clock,
    metrics: Metrics,
    /// Another's claim as last seen, and since when.
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
        claim: Claim,
        gate: Gate,
        clock: &'a dyn Clock,
        metrics: Metrics,
    ) -> Self {
        let api = Api::namespaced(client.clone(), &claim.namespace);
        Self { api, claim, gate, clock, metrics, seen: None }
    }

    /// Waits until the Lease is ours; false if we are to stop before.
    pub(super) async fn acquire(&mut self, stop: &CancellationToken) -> bool {
        let mut told = String::new();
        loop {
            match self.attempt().await {
                Ok(Attempt::Ours) => {
                    tracing::info!(
                        lease = self.claim.name,
                        identity = self.claim.identity,
                        "this replica is the active one"
                    );
                    return true;
                }
                Ok(Attempt::Theirs(holder)) if holder != told => {
                    tracing::info!(
                        lease = self.claim.name,
                        holder,
                        "waiting: another replica is the active one"
                    );
                    told = holder;
                }
                Ok(Attempt::Theirs(_)) => {}
                Err(why) => {
                    tracing::warn!(lease = self.claim.name, why, "the lease cannot be had; trying again");
                }
            }
            if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
                return false;
            }
        }
    }

    /// Renews the Lease until it is lost, and says why.
    pub(super) async fn renew(&mut self) -> String {
        loop {
            // So early that a slow renewal still ends before the lease does.
            tokio::time::sleep(EVERY.min(self.gate.remaining())).await;
            match self.attempt().await {
                Ok(Attempt::Ours) => {}
                Ok(Attempt::Theirs(holder)) => return format!("the lease was taken over by {holder}"),
                Err(why) if self.gate.remaining().is_zero() => {
                    return format!("the lease could not be renewed in time: {why}");
                }
                Err(why) => {
                    tracing::warn!(lease = self.claim.name, why, "the lease was not renewed; trying again");
                }
            }
        }
    }

    /// Lets another replica have it at once.
    pub(super) async fn release(&self) {
        let released = async {
            let Some(mut lease) = self.api.get_opt(&self.claim.name).await? else { return Ok(()) };
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() == Some(&self.claim.identity) {
                spec.holder_identity = None;
                self.api.replace(&self.claim.name, &PostParams::default(), &lease).await?;
            }
            Ok::<(), kube::Error>(())
        };
        match tokio::time::timeout(WRITE, released).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the lease was not released; it runs out by itself"),
            Err(_) => tracing::warn!("the lease was not released in time; it runs out by itself"),
        }
    }

    async fn attempt(&mut self) -> Result<Attempt, String> {
        let asked_at = Instant::now();
        let attempt = tokio::time::timeout(WRITE, self.ask()).await;
        let attempt = attempt.map_err(|_| "the apiserver did not answer in time".to_owned())?;
        let attempt = attempt.map_err(|error| error.to_string())?;
        if attempt == Attempt::Ours {
            self.gate.open_until(asked_at + LASTS);
        }
        Ok(attempt)
    }

    async fn ask(&mut self) -> Result<Attempt, kube::Error> {
        let found = self.api.get_opt(&self.claim.name).await?;
        let (mut lease, exists) = match found {
            Some(lease) => (lease, true),
            None => (self.fresh(), false),
        };
        let spec = lease.spec.get_or_insert_default();
        let holder = spec.holder_identity.clone().filter(|holder| !holder.is_empty());
        if let Some(holder) = holder.clone().filter(|holder| *holder != self.claim.identity) {
            let lasts = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
            let lasts = lasts.map_or(LASTS, Duration::from_secs);
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
            if since.elapsed() <= lasts {
                return Ok(Attempt::Theirs(holder));
            }
        }
        let now = MicroTime(self.clock.now());
        if holder.as_deref() != Some(&self.claim.identity) {
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0) + i32::from(exists));
            spec.acquire_time = Some(now.clone());
        }
        spec.holder_identity = Some(self.claim.identity.clone());
        spec.renew_time = Some(now);
        spec.lease_duration_seconds = i32::try_from(LASTS.as_secs()).ok();
        self.metrics.api_write(Write::Lease);
        // Of a conflict the next attempt shows whether another replica was quicker, or our own last attempt, which
        // a slow apiserver did after all.
        if exists {
            self.api.replace(&self.claim.name, &PostParams::default(), &lease).await?;
        } else {
            self.api.create(&PostParams::default(), &lease).await?;
        }
        Ok(Attempt::Ours)
    }

    fn fresh(&self) -> Lease {
        let metadata = ObjectMeta { name: Some(self.claim.name.clone()), ..ObjectMeta::default() };
        Lease { metadata, spec: Some(LeaseSpec::default()) }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::routing::get;
    use serde_json::{Value, json};

    use super::*;
    use crate::clock::SystemClock;

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
        let claim =
            Claim { namespace: "ns".to_owned(), name: "rollcall".to_owned(), identity: "us".to_owned() };
        let gate = Gate::new(CancellationToken::new());
        let mut holder = Holder::new(&client, claim, gate.clone(), &SystemClock, Metrics::new());
        let why = holder.attempt().await.unwrap_err();
        assert!(why.contains("the object has been modified"), "{why}");
        assert!(gate.remaining().is_zero(), "nor that it is ours");
    }
}
