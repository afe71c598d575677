//! Newer data for a run that is under way: whoever has left since waits for nobody who was planned before.

use std::sync::Arc;

use tokio::sync::watch;

/// Asks a run that is under way to plan anew, from what was read since; clones ask the same run. What was begun at the
/// target is finished, nothing else of the old plan is done.
#[derive(Clone, Debug)]
pub struct Replan(Arc<watch::Sender<bool>>);

impl Default for Replan {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Replan {
    /// There is something newer.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }

    /// Whether somebody asked since the plan was begun.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until somebody asks.
    pub(in crate::sync) async fn asked(&self) {
        // The sender is in here: it is not gone.
        drop(self.0.subscribe().wait_for(|asked| *asked).await);
    }

    /// A plan is begun: what is read from here on is what it is made from.
    pub(in crate::sync) fn begin(&self) {
        self.0.send_replace(false);
    }
}
