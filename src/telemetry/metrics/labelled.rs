//! Families of metrics, which can forget an object.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::{
    EncodeLabel, EncodeLabelSet, EncodeMetric, LabelSetEncoder, MetricEncoder,
};
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::{Registry, Unit};

/// A name and its value.
pub(super) type Label = (&'static str, Box<str>);

/// The labels of one metric.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Labels(Box<[Label]>);

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, value) in &self.0 {
            EncodeLabel::encode(&(*name, &**value), encoder.encode_label())?;
        }
        Ok(())
    }
}

impl Borrow<[Label]> for Labels {
    fn borrow(&self) -> &[Label] {
        &self.0
    }
}

/// A metric for each set of labels that occurred; clones share them. Those that begin alike are beside each other.
#[derive(Debug)]
pub(super) struct Labelled<M> {
    make: fn() -> M,
    there: Arc<Mutex<BTreeMap<Labels, M>>>,
}

impl<M> Clone for Labelled<M> {
    fn clone(&self) -> Self {
        Self { make: self.make, there: self.there.clone() }
    }
}

impl<M: Default> Default for Labelled<M> {
    fn default() -> Self {
        Self::by(M::default)
    }
}

impl<M> Labelled<M> {
    /// Metrics that `make` makes.
    pub(super) fn by(make: fn() -> M) -> Self {
        Self { make, there: Arc::default() }
    }

    fn there(&self) -> MutexGuard<'_, BTreeMap<Labels, M>> {
        self.there.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Clone> Labelled<M> {
    /// The metric that bears these labels.
    pub(super) fn at(&self, labels: &[(&'static str, &str)]) -> M {
        self.there().entry(Labels(owned(labels))).or_insert_with(self.make).clone()
    }

    /// Takes away every metric whose first labels are these.
    pub(super) fn forget(&self, first: &[(&'static str, &str)]) {
        self.keep(first, |_| false);
    }

    /// Takes away every metric whose first labels are these, but for those that are to be kept.
    pub(super) fn keep(&self, first: &[(&'static str, &str)], keeps: impl Fn(&[Label]) -> bool) {
        let first = owned(first);
        let mut there = self.there();
        let from = (Bound::Included(&first[..]), Bound::Unbounded);
        let alike = there.range::<[Label], _>(from).take_while(|(labels, _)| labels.0.starts_with(&first));
        let gone: Vec<Box<[Label]>> =
            alike.map(|(labels, _)| &labels.0).filter(|labels| !keeps(labels)).cloned().collect();
        for labels in gone {
            there.remove(&labels[..]);
        }
    }
}

impl<M: EncodeMetric + TypedMetric> EncodeMetric for Labelled<M> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        for (labels, metric) in &*self.there() {
            metric.encode(encoder.encode_family(labels)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }

    fn is_empty(&self) -> bool {
        self.there().is_empty()
    }
}

fn owned(labels: &[(&'static str, &str)]) -> Box<[Label]> {
    labels.iter().map(|(name, value)| (*name, (*value).into())).collect()
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
    registry.register(name, help, metric.clone());
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
    registry.register_with_unit(name, help, unit, metric.clone());
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
        metrics.keep(&[("object", "a/b")], |labels| &*labels[1].1 == "Ready");
        metrics.forget(&[("object", "b")]);
        let there = |metrics: &Labelled<Gauge>| {
            let there = metrics.there();
            there.keys().map(|labels| format!("{}.{}", labels.0[0].1, labels.0[1].1)).collect::<Vec<_>>()
        };
        assert_eq!(there(&metrics), ["a/b.Ready", "a/b .Held", "a/b .Ready", "a/bc.Held", "a/bc.Ready"]);
        assert_eq!(metrics.at(&of("b", "Held")).get(), 0, "it is another one");
        metrics.keep(&[], |labels| &*labels[0].1 == "b");
        assert_eq!(there(&metrics), ["b.Held"]);
    }
}
