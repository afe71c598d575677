//! The conditions of every object. There are many: each object's are kept once, and its name too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

/// What a condition's status can be.
const STATUSES: [&str; 3] = ["True", "False", "Unknown"];

/// The conditions of every object; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions(Arc<Mutex<All>>);

#[derive(Debug, Default)]
struct All {
    /// By kind and `namespace/name`.
    objects: BTreeMap<&'static str, BTreeMap<Box<str>, Box<[Condition]>>>,
    /// Each type once, however many objects have it.
    types: BTreeSet<Arc<str>>,
}

/// A type, and which of the three statuses it has; none if it is another one.
type Condition = (Arc<str>, Option<u8>);

impl All {
    fn condition(&mut self, r#type: &str, status: &str) -> Condition {
        let known = self.types.get(r#type).cloned();
        let r#type = known.unwrap_or_else(|| {
            let new: Arc<str> = r#type.into();
            self.types.insert(new.clone());
            new
        });
        let status = STATUSES.iter().zip(0..).find(|(possible, _)| **possible == status);
        (r#type, status.map(|(_, at)| at))
    }

    fn set(&mut self, kind: &'static str, object: &str, all: Box<[Condition]>) {
        let objects = self.objects.entry(kind).or_default();
        match objects.get_mut(object) {
            Some(known) => *known = all,
            None => drop(objects.insert(object.into(), all)),
        }
    }
}

impl Conditions {
    /// Of no object yet.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let new = Self::default();
        registry.register(
            "condition",
            "1 for the current status of the condition, 0 for the other statuses",
            new.clone(),
        );
        new
    }

    /// An object has these, by type and status, and no others.
    pub(super) fn are<'c>(
        &self,
        kind: &'static str,
        object: &str,
        conditions: impl IntoIterator<Item = (&'c str, &'c str)>,
    ) {
        let mut all = self.all();
        let conditions = conditions.into_iter().map(|(r#type, status)| all.condition(r#type, status));
        let conditions = conditions.collect();
        all.set(kind, object, conditions);
    }

    /// One of them has this status; the others are as they were.
    pub(super) fn is(&self, kind: &'static str, object: &str, r#type: &str, status: &str) {
        let mut all = self.all();
        let new = all.condition(r#type, status);
        let known = all.objects.get(kind).and_then(|objects| objects.get(object));
        let others = known.into_iter().flatten().filter(|(other, _)| **other != *r#type).cloned();
        let conditions = others.chain([new]).collect();
        all.set(kind, object, conditions);
    }

    /// The object is no more.
    pub(super) fn forget(&self, kind: &str, object: &str) {
        if let Some(objects) = self.all().objects.get_mut(kind) {
            objects.remove(object);
        }
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EncodeMetric for Conditions {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        for (kind, objects) in &self.all().objects {
            for (object, conditions) in objects {
                let (namespace, _) = object.split_once('/').unwrap_or_default();
                for (r#type, status) in conditions {
                    for (possible, at) in STATUSES.iter().zip(0..) {
                        let labels = [
                            ("kind", *kind),
                            ("object", object),
                            ("namespace", namespace),
                            ("type", r#type),
                            ("status", possible),
                        ];
                        encoder.encode_family(&labels)?.encode_gauge(&i64::from(*status == Some(at)))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }

    fn is_empty(&self) -> bool {
        self.all().objects.values().all(BTreeMap::is_empty)
    }
}
