//! Families of metrics, which can forget an object.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

/// Names and values.
pub(super) type Labels = Vec<(&'static str, String)>;

/// A metric for each set of labels that occurred.
#[derive(Clone, Debug)]
pub(super) struct Labelled<M> {
    family: Family<Labels, M, fn() -> M>,
    // The library does not say which sets there are.
    there: Arc<Mutex<HashSet<Labels>>>,
}

impl<M: Default> Default for Labelled<M> {
    fn default() -> Self {
        Self::by(M::default)
    }
}

impl<M> Labelled<M> {
    /// Metrics that `make` makes.
    pub(super) fn by(make: fn() -> M) -> Self {
        Self { family: Family::new_with_constructor(make), there: Arc::default() }
    }
}

impl<M: Clone> Labelled<M> {
    /// The metric that bears these labels.
    pub(super) fn at(&self, labels: &[(&'static str, &str)]) -> M {
        let labels: Labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let mut there = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        let metric = self.family.get_or_create_owned(&labels);
        there.insert(labels);
        metric
    }

    /// Takes away every metric whose first labels are these.
    pub(super) fn forget(&self, first: &[(&'static str, &str)]) {
        self.keep(first, |_| false);
    }

    /// Takes away every metric whose first labels are these, but for those that are to be kept.
    pub(super) fn keep(&self, first: &[(&'static str, &str)], keeps: impl Fn(&Labels) -> bool) {
        let mut there = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        there.retain(|labels| {
            let pairs = labels.iter().map(|(name, value)| (*name, value.as_str()));
            let gone = pairs.take(first.len()).eq(first.iter().copied()) && !keeps(labels);
            if gone {
                self.family.remove(labels);
            }
            !gone
        });
    }
}

/// Registers a metric.
pub(super) fn register<M>(registry: &mut Registry, name: &str, help: &str) -> Labelled<M>
where
    Labelled<M>: Default,
    M: TypedMetric
        + prometheus_client::encoding::EncodeMetric
        + Clone
        + std::fmt::Debug
        + Send
        + Sync
        + 'static,
{
    let metric: Labelled<M> = Labelled::default();
    registry.register(name, help, metric.family.clone());
    metric
}

/// Registers a metric whose name ends with its unit.
pub(super) fn with_unit<M>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    unit: Unit,
    metric: Labelled<M>,
) -> Labelled<M>
where
    M: TypedMetric
        + prometheus_client::encoding::EncodeMetric
        + Clone
        + std::fmt::Debug
        + Send
        + Sync
        + 'static,
{
    registry.register_with_unit(name, help, unit, metric.family.clone());
    metric
}
