//! What a run is begun with.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::controller::job::Job;
use crate::directory::ConnectorName;
use crate::spec::Runnable;
use crate::sync::run::{Replan, RunState};
use crate::sync::verify::OnDrift;

/// What a run is begun with.
pub(in crate::controller) struct Begin {
    pub(super) runnable: Arc<Runnable>,
    /// A digest that a person approved and no run has seen.
    pub(super) approve: Option<String>,
    /// Who says to have approved it.
    pub(super) approved_by: Option<String>,
    /// Connectors on whose word nothing may be removed.
    pub(super) failed: BTreeSet<ConnectorName>,
    /// What happens with drift, if the target is to be compared with what was left there.
    pub(super) verify: Option<OnDrift>,
    /// What makes it plan anew when there is something newer.
    pub(super) replan: Replan,
    /// What the run before it left.
    pub(super) left_by_last_run: Option<RunState>,
    /// It bears the approval that its policy bore when it began.
    pub(super) job: Job<Option<String>>,
}
