//! `rollcall operator`

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, ValueEnum};
use kube::Client;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::certificate::Certificate;
use self::listen::{Addresses, kubernetes_name};
use super::Exit;
use super::argument::duration;
use crate::clock::{Clock, SystemClock};
use crate::controller::{self, Dependencies, LeaseSettings, Scope, Settings, Times};
use crate::gateway::{self, Gateway, Heard};
use crate::serve::{self, Consents, Readiness, Served, Tls};
use crate::store::{self, Store, StoreError};
use crate::telemetry::{LogLevel, Metrics};

mod certificate;
mod listen;

/// Run the operator: process DirectoryConnectors and SyncPolicies in a cluster, and write their status.
///
/// The apiserver is taken from KUBECONFIG, or else from the pod that this runs in. One replica is active at a time: the
/// holder of a Lease.
#[derive(Debug, Args)]
pub(super) struct Operator {
    /// The data folder: what was read, held and done. It is created if it does not exist.
    #[arg(long, env = "ROLLCALL_DATA", value_name = "DIR")]
    data: PathBuf,
    /// Namespaces to watch, separated by commas [default: the operator's own].
    #[arg(long, env = "ROLLCALL_WATCH_NAMESPACES", value_name = "NAMESPACE", value_delimiter = ',', value_parser = name_or_nothing)]
    watch_namespaces: Vec<String>,
    /// Watch all namespaces. The operator then needs permission to read every Secret.
    #[arg(long, env = "ROLLCALL_ALL_NAMESPACES", conflicts_with = "watch_namespaces")]
    all_namespaces: bool,
    /// Watch the namespaces with these labels, such as `rollcall.dev/watch=true`. They are added and removed without a
    /// restart. The operator needs permission to list namespaces, and its permissions in each of these.
    #[arg(
        long,
        env = "ROLLCALL_WATCH_NAMESPACE_SELECTOR",
        value_name = "SELECTOR",
        conflicts_with_all = ["watch_namespaces", "all_namespaces"]
    )]
    watch_namespace_selector: Option<String>,
    /// Watch only objects with these labels, such as `shard=a`; a policy and its connectors need the same labels.
    #[arg(long, env = "ROLLCALL_WATCH_LABEL_SELECTOR", value_name = "SELECTOR")]
    watch_label_selector: Option<String>,
    /// The operator's own namespace, where its Lease is [default: that of the pod, or of KUBECONFIG].
    #[arg(long, env = "ROLLCALL_NAMESPACE", value_name = "NAMESPACE", value_parser = kubernetes_name)]
    namespace: Option<String>,
    /// The name of the Lease. Operators that share the work need different names.
    #[arg(long, env = "ROLLCALL_LEASE_NAME", value_name = "NAME", default_value = "rollcall", value_parser = kubernetes_name)]
    lease_name: String,
    /// How long the Lease is valid without a renewal. After the loss of this process, another one waits this long.
    #[arg(long, env = "ROLLCALL_LEASE_DURATION", value_name = "DURATION", default_value = "15s", value_parser = duration)]
    lease_duration: Duration,
    /// How often the Lease is renewed.
    #[arg(long, env = "ROLLCALL_LEASE_RENEW_EVERY", value_name = "DURATION", default_value = "4s", value_parser = duration)]
    lease_renew_every: Duration,
    /// How long the registry is served while the apiserver is away and the Lease has expired. Nothing else is done in
    /// this time.
    #[arg(long, env = "ROLLCALL_SERVE_WITHOUT_LEASE", value_name = "DURATION", default_value = "1h", value_parser = duration)]
    serve_without_lease: Duration,
    /// The uid of the pod that this runs in. After a crash the pod's next process takes the Lease at once, because the
    /// kubelet starts it only when the former one is gone. Any other process waits until the Lease has expired.
    #[arg(long, env = "ROLLCALL_POD_UID", value_name = "UID")]
    pod_uid: Option<String>,
    #[command(flatten)]
    addresses: Addresses,
    /// What becomes of approvals while no rule for admission checks who gives them: `refuse` or `accept`.
    #[arg(long, env = "ROLLCALL_UNGUARDED_APPROVALS", value_name = "WHAT", value_enum, default_value_t)]
    unguarded_approvals: Unguarded,
    /// How many directories are read at once. If one namespace has all places, another one that has none gets one more.
    #[arg(long, env = "ROLLCALL_IMPORTS", value_name = "NUMBER", default_value_t = 2)]
    imports: usize,
    /// How many policies run at once. If one namespace has all places, another one that has none gets one more.
    #[arg(long, env = "ROLLCALL_RUNS", value_name = "NUMBER", default_value_t = 2)]
    runs: usize,
}

/// What becomes of approvals that nobody checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Unguarded {
    /// They approve nothing.
    #[default]
    Refuse,
    /// They count, and each policy says that nobody checks them.
    Accept,
}

impl Operator {
    pub(super) fn run(self, level: LogLevel) -> Result<Exit> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let ended = runtime.block_on(self.operate(level));
        // Whoever lost the lease ends, whatever still works on a thread of its own: a write that is cut off never happened.
        runtime.shutdown_timeout(Duration::from_secs(1));
        ended.map(|()| Exit::Fine)
    }

    async fn operate(self, level: LogLevel) -> Result<()> {
        let times = Times::new(self.lease_duration, self.lease_renew_every, self.serve_without_lease);
        let times = times.map_err(|why| {
            anyhow!(
                "{why}; --lease-duration is {:?} and --lease-renew-every {:?}",
                self.lease_duration,
                self.lease_renew_every
            )
        })?;
        let mut config = kube::Config::infer()
            .await
            .context("no apiserver is configured: set KUBECONFIG, or run in a pod with a service account")?;
        let own = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let agent = concat!("rollcall/", env!("CARGO_PKG_VERSION"));
        config.headers.push(("user-agent".parse()?, agent.parse()?));
        let client = Client::try_from(config)?;
        let (stop, metrics) = (CancellationToken::new(), Metrics::new());
        let (readiness, served) = (Readiness::default(), Served::default());
        readiness.expect("the listeners");
        metrics.store_is(self.data.join(store::FILE));

        let Addresses { scim_address, health_address, metrics_address, admin_address, .. } = self.addresses;
        let mut doors = JoinSet::new();
        let listener = listen::bind(health_address, "--health-address")?;
        doors.spawn(serve::health(listener, readiness.clone(), stop.clone()));
        let listener = listen::bind(metrics_address, "--metrics-address")?;
        doors.spawn(serve::metrics(listener, metrics.clone(), stop.clone()));
        let listener = listen::bind(admin_address, "--admin-address")?;
        doors.spawn(serve::admin(listener, level, stop.clone()));
        let scim = listen::bind(scim_address, "--scim-address")?;
        let certificate = self.addresses.scim_tls_secret.as_deref();
        let certificate =
            certificate.map(|name| Certificate::new(client.clone(), &own, name, "--scim-tls-secret"));
        let tls = match &certificate {
            Some(certificate) => Some(certificate.read().await?),
            None => None,
        };
        let consents = match &self.addresses.consent_external_url {
            Some(url) => {
                let listener = listen::bind(self.addresses.consent_address, "--consent-address")?;
                let (consents, answers) = Consents::new(url)?;
                let (tls, clock) = (tls.clone(), Arc::new(SystemClock));
                doors.spawn(serve::consent(listener, tls, consents.clone(), clock, stop.clone()));
                Some((consents, answers))
            }
            None => None,
        };
        let gateway = self.gateway((&client, &own), &metrics, &stop, &mut doors).await?;
        readiness.reached("the listeners");

        // The registry is served from the store, which is opened once the lease is ours.
        let (opened, store) = watch::channel(None);
        let data = self.data.clone();
        let settings = Settings {
            scope: self.scope(&own),
            lease: LeaseSettings {
                namespace: own.clone(),
                name: self.lease_name.clone(),
                identity: self.identity(),
                times,
            },
            imports: self.imports,
            runs: self.runs,
            unguarded: match self.unguarded_approvals {
                Unguarded::Refuse => controller::Unguarded::Refuse,
                Unguarded::Accept => controller::Unguarded::Accept,
            },
        };
        let given = Dependencies {
            client,
            open: move || {
                store::take_back(&data).map_err(|error| StoreError::folder(&data, error))?;
                let store = Store::open(&data)?;
                opened.send_replace(Some(store.clone()));
                Ok(store)
            },
            clock: Arc::new(SystemClock),
            served: served.clone(),
            metrics: metrics.clone(),
            readiness,
            consents,
            gateway,
            stop: stop.clone(),
        };
        let external_url = self.addresses.scim_external_url;
        let registry = |store| serve::Registry { store, served, metrics, external_url };
        doors.spawn(serve_registry(scim, tls.clone(), store, registry, stop.clone()));
        if let (Some(certificate), Some(tls)) = (certificate, tls) {
            doors.spawn(until(certificate.follow(tls), stop.clone()));
        }
        doors.spawn(stop_on_signal(stop.clone()));
        let operating = controller::run(given, settings);
        tokio::select! {
            ended = operating => {
                stop.cancel();
                while doors.join_next().await.is_some() {}
                Ok(ended?)
            }
            why = closed(&mut doors, &stop) => Err(why),
        }
    }

    /// Opens the gateway of Sync Engines, if there is to be one.
    async fn gateway(
        &self,
        (client, own): (&Client, &str),
        metrics: &Metrics,
        stop: &CancellationToken,
        doors: &mut JoinSet<io::Result<()>>,
    ) -> Result<Option<(Gateway, Heard)>> {
        let Some(url) = &self.addresses.gateway_external_url else { return Ok(None) };
        let listener = listen::bind(self.addresses.gateway_address, "--gateway-address")?;
        let mut tls = None;
        if let Some(name) = self.addresses.gateway_tls_secret.as_deref() {
            let certificate = Certificate::new(client.clone(), own, name, "--gateway-tls-secret");
            let shown = certificate.read().await?;
            doors.spawn(until(certificate.follow(shown.clone()), stop.clone()));
            tls = Some(shown);
        }
        let (gateway, heard) = Gateway::new(url);
        let with = (Arc::new(SystemClock) as Arc<dyn Clock>, metrics.clone());
        doors.spawn(gateway::gateway(listener, tls, gateway.clone(), with, stop.clone()));
        Ok(Some((gateway, heard)))
    }

    fn scope(&self, own: &str) -> Scope {
        let named: BTreeSet<String> =
            self.watch_namespaces.iter().filter(|it| !it.is_empty()).cloned().collect();
        let namespaces = match (self.all_namespaces, named.is_empty()) {
            (true, _) => None,
            (false, true) => Some(BTreeSet::from([own.to_owned()])),
            (false, false) => Some(named),
        };
        let namespace_selector = self.watch_namespace_selector.clone().filter(|it| !it.is_empty());
        Scope {
            namespaces,
            namespace_selector,
            selector: self.watch_label_selector.clone().filter(|it| !it.is_empty()),
        }
    }

    /// No other living process has it, and it tells where this one runs.
    fn identity(&self) -> String {
        let host = std::env::var("HOSTNAME").ok().filter(|host| !host.is_empty());
        let own = self.pod_uid.clone().filter(|uid| !uid.is_empty());
        let own = own.unwrap_or_else(|| Uuid::new_v4().simple().to_string());
        format!("{}-{own}", host.unwrap_or_else(|| "rollcall".to_owned()))
    }
}

fn name_or_nothing(text: &str) -> Result<String, String> {
    if text.is_empty() { Ok(String::new()) } else { kubernetes_name(text) }
}

/// Serves the registry once there is a store.
async fn serve_registry(
    listener: TcpListener,
    tls: Option<Tls>,
    mut store: watch::Receiver<Option<Store>>,
    registry: impl FnOnce(Store) -> serve::Registry,
    stop: CancellationToken,
) -> io::Result<()> {
    let store = stop.run_until_cancelled(store.wait_for(Option::is_some)).await;
    let Some(store) = store.and_then(Result::ok).and_then(|store| store.clone()) else { return Ok(()) };
    serve::registry(listener, tls, registry(store), stop).await
}

/// Waits until a listener has ended without a stop request, and returns the reason.
async fn closed(doors: &mut JoinSet<io::Result<()>>, stop: &CancellationToken) -> anyhow::Error {
    loop {
        match doors.join_next().await {
            Some(Ok(Ok(()))) if stop.is_cancelled() => {}
            Some(Ok(Ok(()))) => return anyhow!("a listener ended unexpectedly"),
            Some(Ok(Err(error))) => return anyhow!(error).context("a listener ended"),
            Some(Err(error)) => return anyhow!(error).context("a listener panicked"),
            None => std::future::pending().await,
        }
    }
}

async fn until(work: impl Future<Output = ()>, stop: CancellationToken) -> io::Result<()> {
    stop.run_until_cancelled(work).await;
    Ok(())
}

/// SIGTERM and SIGINT end the operator at a safe point.
async fn stop_on_signal(stop: CancellationToken) -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stop.cancelled() => return Ok(()),
    }
    tracing::info!("stopping at the next safe point");
    stop.cancel();
    Ok(())
}
