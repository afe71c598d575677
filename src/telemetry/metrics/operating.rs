//! Metrics of the operator as a whole, and of objects of either kind.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::labelled::{Labelled, register, with_unit};

pub(super) struct Operating {
    pub(super) suspended: Labelled<Gauge>,
    pub(super) lease: Labelled<Gauge>,
    pub(super) damaged: Labelled<Gauge>,
    pub(super) watches: Labelled<Gauge>,
    pub(super) approvals: Labelled<Gauge>,
    pub(super) reconcile_duration: Labelled<Histogram>,
    pub(super) reconcile_errors: Labelled<Counter>,
    pub(super) api_errors: Labelled<Counter>,
    pub(super) requests: Labelled<Counter>,
    pub(super) gateway: Labelled<Counter>,
    pub(super) engines_joined: Labelled<Gauge>,
    pub(super) engines: Labelled<Gauge>,
}

impl Operating {
    pub(super) fn new(registry: &mut Registry) -> Self {
        Self {
            suspended: register(registry, "suspended", "1 while the object is suspended, else 0"),
            lease: register(
                registry,
                "lease_held",
                "1 while this process holds the lease; without it nothing is read, run or written",
            ),
            damaged: register(
                registry,
                "store_damaged",
                "1 if the database is damaged, 0 if not, according to the last complete check",
            ),
            watches: register(
                registry,
                "watch_up",
                "1 while the watch works, 0 while the operator may not or cannot watch; the namespace is empty for \
                 all namespaces",
            ),
            approvals: register(
                registry,
                "approvals_guarded",
                "1 while an admission policy checks who approves, 0 if none is found",
            ),
            reconcile_duration: with_unit(
                registry,
                "reconcile_duration",
                "Duration of reconciling an object, without the imports and runs that it started, in seconds",
                Unit::Seconds,
                Labelled::by(fast),
            ),
            reconcile_errors: register(registry, "reconcile_errors", "Failed reconciliations of objects"),
            api_errors: register(
                registry,
                "api_errors",
                "Failed requests to the apiserver: watch, object (a read or the write of a status), event, lease",
            ),
            requests: register(registry, "scim_requests", "Requests to the registry, by HTTP status"),
            gateway: register(
                registry,
                "gateway_requests",
                "Requests to the gateway of Sync Engines, by result: ok, or why they were refused",
            ),
            engines_joined: register(registry, "engines_joined", "Sync Engines that have joined"),
            engines: register(
                registry,
                "engines_connected",
                "Sync Engines that are connected to the gateway",
            ),
        }
    }
}

/// Of what takes milliseconds.
fn fast() -> Histogram {
    Histogram::new([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0])
}
