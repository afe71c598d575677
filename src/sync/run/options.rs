//! What a run is asked to do.

use std::collections::BTreeSet;

use super::stop::Stop;
use crate::directory::ConnectorName;
use crate::sync::replan::Replan;
use crate::sync::verify::OnDrift;

/// What a run is asked to do.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The run's id; one is made if absent.
    pub id: Option<String>,
    /// Say what would be done, and do nothing.
    pub preview: bool,
    /// A hold that a person approves with this run, by its digest.
    pub approve: Option<String>,
    /// Who does, as far as is known.
    pub approved_by: Option<String>,
    /// Connectors whose last import failed: what they stated before is projected, but nothing is
    /// removed on their word.
    pub failed_connectors: BTreeSet<ConnectorName>,
    /// Compare the target with what was left there first, and what happens with what somebody else changed.
    pub verify: Option<OnDrift>,
    /// What ends it while it looks at entries.
    pub stop: Stop,
    /// What makes it plan anew while it applies.
    pub replan: Replan,
}
