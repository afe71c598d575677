//! Where a source puts what it reads.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Reason, SourceError};
use crate::directory::{Anchor, Batch};

/// Where a source puts what it reads. The channel is bounded: a slow reader slows the source down.
#[derive(Clone)]
pub struct Sink {
    batches: mpsc::Sender<Batch>,
    last: Option<Arc<dyn LastRead>>,
}

/// What was read last.
pub trait LastRead: Send + Sync {
    /// The DNs of those of these entries that were there, as the directory spelt them.
    fn called(&self, entries: &[Anchor]) -> HashMap<Anchor, String>;

    /// How its entries are known, if anything was read.
    fn known_by(&self) -> Option<KnownBy> {
        None
    }
}

/// How the entries of the last read are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownBy {
    /// The attribute that holds their anchors, as in [`Completion::id`](crate::directory::Completion::id).
    pub id: Option<String>,
    /// What decided which of them came: before the attribute was kept, that said it.
    pub scope: String,
}

impl Sink {
    /// One of which somebody knows what was read last.
    pub fn after(last: Arc<dyn LastRead>, batches: mpsc::Sender<Batch>) -> Self {
        Self { batches, last: Some(last) }
    }

    /// Hands a batch over; fails when nobody listens any more.
    pub async fn send(&self, batch: Batch) -> Result<(), SourceError> {
        self.batches.send(batch).await.map_err(|_| given_up())
    }

    /// The same, on a thread that may wait.
    pub fn blocking_send(&self, batch: Batch) -> Result<(), SourceError> {
        self.batches.blocking_send(batch).map_err(|_| given_up())
    }

    /// How the entries of the last read are known; `None` before the first.
    pub fn known_by(&self) -> Option<KnownBy> {
        self.last.as_ref()?.known_by()
    }

    /// Whether nobody listens any more.
    pub fn is_closed(&self) -> bool {
        self.batches.is_closed()
    }

    /// What those of these entries were called that were there when everything was read last, or what changed; who is not
    /// among them may have been called anything, or nothing.
    pub async fn called(&self, entries: Vec<Anchor>) -> HashMap<Anchor, String> {
        let Some(last) = self.last.clone() else { return HashMap::new() };
        tokio::task::spawn_blocking(move || last.called(&entries)).await.unwrap_or_default()
    }
}

impl From<mpsc::Sender<Batch>> for Sink {
    /// One of which nothing is known.
    fn from(batches: mpsc::Sender<Batch>) -> Self {
        Self { batches, last: None }
    }
}

fn given_up() -> SourceError {
    SourceError::new(Reason::Cancelled, "the read was given up")
}
