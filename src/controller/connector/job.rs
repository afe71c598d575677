//! What a read is begun with.

use std::sync::Arc;

use super::health::Asked;
use super::resolved::Key;
use crate::controller::job::Job;
use crate::source::Session;
use crate::spec::{Connector, Content};

/// What a read is begun with.
pub(in crate::controller) struct Begin {
    pub(super) connector: Arc<Connector>,
    pub(super) source: Session,
    pub(super) key: Key,
    /// Who asks, and with which password.
    pub(super) account: Content,
    /// Whether every absence is looked up, whatever their number.
    pub(super) look_up_all: bool,
    pub(super) job: Job<Option<Asked>>,
}
