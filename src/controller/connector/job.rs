//! A read under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

use super::health::Asked;
use super::resolved::Key;
use crate::spec::{Connector, Content};

/// A read under way.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// How many entries came so far.
    pub(super) came: Arc<AtomicU64>,
    /// Gives it up.
    pub(super) cancel: CancellationToken,
    /// What a policy asked for, if it waits for it.
    pub(super) asked: Option<Asked>,
}

/// What a read is begun with.
pub(super) struct Begin {
    pub(super) connector: Arc<Connector>,
    pub(super) key: Key,
    /// Who asks, and with which password.
    pub(super) account: Content,
    /// Whether every absence is looked up, whatever their number.
    pub(super) look_up_all: bool,
    pub(super) job: Job,
}

impl Job {
    pub(super) fn new(cancel: CancellationToken, asked: Option<Asked>) -> Self {
        Self { came: Arc::default(), cancel, asked }
    }

    pub(super) fn came(&self) -> u64 {
        self.came.load(Ordering::Relaxed)
    }
}
