//! The channel into which a source puts what it reads.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::error::{Reason, SourceError};
use crate::directory::{Anchor, Batch, DirectoryId, Dn, Reference};

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

    /// Those of these entries that were not there; `None` if that cannot be told.
    fn strange(&self, _entries: &[Anchor]) -> Option<HashSet<Anchor>> {
        None
    }

    /// The members of those of these entries that were there and are groups, `None` of those of which not all were known; all
    /// `None` if that cannot be told.
    fn members(&self, _entries: &[Anchor]) -> Option<Lists> {
        None
    }

    /// Those of these entries that were there and are groups of which all members were known; `None` if that cannot be told.
    fn listed(&self, _entries: &[Anchor]) -> Option<HashSet<Anchor>> {
        None
    }

    /// The values of a literal attribute of those of these entries that were there; `None` if that cannot be told.
    fn values(&self, _attribute: &str, _entries: &[Anchor]) -> Option<HashMap<Anchor, Vec<String>>> {
        None
    }

    /// Those who were there and of whom a value of this literal attribute names one of these entries; `None` if that cannot be
    /// told.
    fn naming(&self, _attribute: &str, _dns: &BTreeSet<Dn>) -> Option<Vec<Anchor>> {
        None
    }

    /// How its entries are known, if anything was read.
    fn known_by(&self) -> Option<KnownBy> {
        None
    }
}

/// The members of groups, `None` where not all are known.
pub type Lists = HashMap<Anchor, Option<Vec<Reference>>>;

/// How the entries of the last read are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownBy {
    /// The directory that they are in.
    pub directory: DirectoryId,
    /// The attribute with their anchors, as in [`Completion::id`](crate::directory::Completion::id).
    pub id: Option<String>,
    /// What decided which of them came: before the attribute was kept, that said it.
    pub scope: String,
    /// The replication progress of the server that reported them, as in
    /// [`Shown::progress`](crate::directory::Shown::progress).
    pub progress: Option<String>,
}

impl Sink {
    /// A sink with access to the last read.
    pub fn after(last: Arc<dyn LastRead>, batches: mpsc::Sender<Batch>) -> Self {
        Self { batches, last: Some(last) }
    }

    /// Sends a batch; fails when the receiver has ended.
    ///
    /// # Errors
    /// When the receiver has ended: the read ends as cancelled.
    pub async fn send(&self, batch: Batch) -> Result<(), SourceError> {
        self.batches.send(batch).await.map_err(|_| given_up())
    }

    /// The same, on a thread that may wait.
    ///
    /// # Errors
    /// When the receiver has ended: the read ends as cancelled.
    pub fn blocking_send(&self, batch: Batch) -> Result<(), SourceError> {
        self.batches.blocking_send(batch).map_err(|_| given_up())
    }

    /// How the entries of the last read are known; `None` before the first.
    pub fn known_by(&self) -> Option<KnownBy> {
        self.last.as_ref()?.known_by()
    }

    /// Whether the receiver has ended.
    pub fn is_closed(&self) -> bool {
        self.batches.is_closed()
    }

    /// What those of these entries were called that were there when everything was read last, or what changed; who is not
    /// among them may have been called anything, or nothing.
    pub async fn called(&self, entries: Vec<Anchor>) -> HashMap<Anchor, String> {
        let Some(last) = self.last.clone() else { return HashMap::new() };
        tokio::task::spawn_blocking(move || last.called(&entries)).await.unwrap_or_default()
    }

    /// Those of these entries that did not exist at the last read; `None` if that is unknown.
    pub async fn strange(&self, entries: Vec<Anchor>) -> Option<HashSet<Anchor>> {
        let last = self.last.clone()?;
        tokio::task::spawn_blocking(move || last.strange(&entries)).await.ok().flatten()
    }

    /// The members, at the last read, of those of these entries that were groups; `None` for groups whose members were
    /// not all known, and for all if that is unknown.
    pub async fn members(&self, entries: Vec<Anchor>) -> Option<Lists> {
        let last = self.last.clone()?;
        tokio::task::spawn_blocking(move || last.members(&entries)).await.ok().flatten()
    }

    /// Those of these entries that were groups at the last read of which all members were known: what changed of those can be told
    /// by who came and who went. `None` if that is unknown.
    pub async fn listed(&self, entries: Vec<Anchor>) -> Option<HashSet<Anchor>> {
        let last = self.last.clone()?;
        tokio::task::spawn_blocking(move || last.listed(&entries)).await.ok().flatten()
    }

    /// The values, at the last read, of a literal attribute of those of these entries that existed; `None` if that is
    /// unknown.
    pub async fn values(
        &self,
        attribute: &'static str,
        entries: Vec<Anchor>,
    ) -> Option<HashMap<Anchor, Vec<String>>> {
        let last = self.last.clone()?;
        tokio::task::spawn_blocking(move || last.values(attribute, &entries)).await.ok().flatten()
    }

    /// The entries of the last read in which a value of this literal attribute names one of these entries; `None` if
    /// that is unknown. It scans all entries.
    pub async fn naming(&self, attribute: &'static str, dns: BTreeSet<Dn>) -> Option<Vec<Anchor>> {
        let last = self.last.clone()?;
        tokio::task::spawn_blocking(move || last.naming(attribute, &dns)).await.ok().flatten()
    }
}

impl From<mpsc::Sender<Batch>> for Sink {
    /// One of which nothing is known.
    fn from(batches: mpsc::Sender<Batch>) -> Self {
        Self { batches, last: None }
    }
}

fn given_up() -> SourceError {
    SourceError::new(Reason::Cancelled, "the read was stopped")
}
