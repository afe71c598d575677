//! Families of metrics, which can forget an object.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

/// A name and its value.
pub(super) type Label = (&'static str, String);

/// The labels of one metric; clones share them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Labels(Arc<Vec<Label>>);

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        (&self.0[..]).encode(encoder)
    }
}

impl Borrow<[Label]> for Labels {
    fn borrow(&self) -> &[Label] {
        &self.0
    }
}

/// A metric for each set of labels that occurred.
#[derive(Clone, Debug)]
pub(super) struct Labelled<M> {
    family: Family<Labels, M, fn() -> M>,
    // The library does not say which sets there are. Those that begin alike are beside each other.
    there: Arc<Mutex<BTreeSet<Labels>>>,
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
        let labels = Labels(Arc::new(owned(labels)));
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
    pub(super) fn keep(&self, first: &[(&'static str, &str)], keeps: impl Fn(&[Label]) -> bool) {
        let first = owned(first);
        let mut there = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        let from = (Bound::Included(&first[..]), Bound::Unbounded);
        let alike = there.range::<[Label], _>(from).take_while(|labels| labels.0.starts_with(&first));
        let gone: Vec<Labels> = alike.filter(|labels| !keeps(&labels.0)).cloned().collect();
        for labels in gone {
            self.family.remove(&labels);
            there.remove(&labels);
        }
    }
}

fn owned(labels: &[(&'static str, &str)]) -> Vec<Label> {
    labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
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

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::gauge::Gauge;

    use super::*;

    #[test]
    fn only_what_begins_so_is_forgotten() {
        let metrics: Labelled<Gauge> = Labelled::default();
        let of = |object: &'static str, r#type: &'static str| [("object", object), ("type", r#type)];
        for object in ["a/b", "a/bc", "a/b ", "b"] {
            for r#type in ["Held", "Ready"] {
                metrics.at(&of(object, r#type)).set(1);
            }
        }
        metrics.keep(&[("object", "a/b")], |labels| labels[1].1 == "Ready");
        metrics.forget(&[("object", "b")]);
        let there = |metrics: &Labelled<Gauge>| {
            let there = metrics.there.lock().unwrap();
            there.iter().map(|labels| format!("{}.{}", labels.0[0].1, labels.0[1].1)).collect::<Vec<_>>()
        };
        assert_eq!(there(&metrics), ["a/b.Ready", "a/b .Held", "a/b .Ready", "a/bc.Held", "a/bc.Ready"]);
        assert_eq!(metrics.at(&of("b", "Held")).get(), 0, "it is another one");
        metrics.keep(&[], |labels| labels[0].1 == "b");
        assert_eq!(there(&metrics), ["b.Held"]);
    }
}
