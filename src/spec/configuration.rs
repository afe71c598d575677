//! Working configurations.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::problem::Problem;
use super::schedule::Schedule;
use crate::directory::ConnectorName;
use crate::secret::Secret;
use crate::source::SourceConfig;
use crate::sync::policy::Policy;
use crate::sync::verify::OnDrift;
use crate::target::TargetConfig;

/// A connector that can be used.
#[derive(Clone, Debug)]
pub struct Connector {
    /// Which one.
    pub name: ConnectorName,
    /// What it reads.
    pub source: SourceConfig,
    /// How long after one read the next begins.
    pub interval: Duration,
    /// How long after the first failure it is tried again.
    pub retry_interval: Duration,
    /// How long one read may take.
    pub timeout: Duration,
    /// How long after a full read a change feed is checked against another.
    pub full_read_every: Duration,
    /// Whether it rests.
    pub suspend: bool,
}

/// A policy that can be used.
#[derive(Clone, Debug)]
pub struct Runnable {
    /// The rules.
    pub policy: Arc<Policy>,
    /// Where to.
    pub target: TargetConfig,
    /// When it runs; `None` means whenever a read brought something.
    pub schedule: Option<Schedule>,
    /// How long after the first failure it is tried again.
    pub retry_interval: Duration,
    /// How long one run may take.
    pub timeout: Duration,
    /// How often the target is compared with what was left there, and what happens with what somebody else changed; `None`
    /// where nobody else can.
    pub verify: Option<(Duration, OnDrift)>,
    /// What readers of the registry must show; `None` means that it is not served.
    pub token: Option<Secret>,
    /// Whether it only shows what it would do.
    pub preview: bool,
    /// Whether it rests.
    pub suspend: bool,
}

/// What can be used of a set of objects, and what is wrong with the rest.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// Connectors, by name.
    pub connectors: BTreeMap<ConnectorName, Connector>,
    /// Policies, in order of their names.
    pub policies: Vec<Runnable>,
    /// What is wrong, sorted.
    pub problems: Vec<Problem>,
}

impl Resolved {
    /// The same, with more that is wrong: with the manifests that the objects came from.
    #[must_use]
    pub fn with(mut self, problems: Vec<Problem>) -> Self {
        self.problems.extend(problems);
        self.problems.sort();
        self.problems.dedup();
        self
    }
}
