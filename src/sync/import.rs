//! From a directory to a sealed snapshot.
//!
//! # Guarantees
//! - Nothing becomes visible before the source has minted its completion. A read that ends early, a
//!   process that dies, a store that fails: all leave the last snapshot as it was.
//! - Reading and writing overlap, and memory is bounded by what is remembered of each anchor and
//!   name (a few dozen bytes), not by the entries; where only changes come, by what they ask for.
//! - An entry is written only if what it states changed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::directory::{Anchor, Batch, Change, ConnectorName, Cursor, Dn, Mode};
use crate::source::{KnownBy, LastRead, Lists, Sink, Source, SourceError};
use crate::store::{Store, StoreError};
use crate::sync::blocking;

pub(crate) mod coverage;
mod deadline;
mod double;
mod imported;
mod intake;
mod members_told;
mod nameless;
mod options;
mod pending;
mod place;
mod renamed;
mod sealing;
mod settle;
mod shrinkage;
mod spelling;
mod stored;
mod unreadable;

use deadline::Deadline;
pub use imported::Imported;
use intake::Intake;
pub use options::Options;
use sealing::{Sealing, Told};
use settle::settle;

/// Why an import brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The source could not do its work.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads `source` into the snapshot of `connector`; `progress` hears how many entries came so far.
///
/// # Errors
/// When the source fails before its end, the directory is another one, or the store fails: nothing of the read is taken.
pub async fn import<S: Source>(
    source: &S,
    store: &Store,
    connector: &ConnectorName,
    options: Options,
    clock: &dyn Clock,
    progress: impl Fn(u64) + Send + 'static,
) -> Result<Imported, ImportError> {
    let (started_at, deadline) = (clock.now(), Deadline::after(options.timeout));
    let intake = {
        let (store, connector) = (store.clone(), connector.clone());
        blocking(move || Intake::begin(&store, &connector, started_at)).await?
    };
    let feed = intake.cursor().cloned();
    let check = intake.is_full_read_due(options.full_read_every);
    let cursor = feed.clone().filter(|_| !check);
    let full = cursor.is_none();
    // One batch ahead: enough for reading and writing to overlap.
    let (batches_to, batches) = mpsc::channel::<Batch>(1);
    let last = Last { store: store.clone(), connector: connector.clone(), known_by: intake.known_by() };
    let last: Arc<dyn LastRead> = Arc::new(last);
    let sink = Sink::after(last.clone(), batches_to);
    let given_up = CancellationToken::new();
    let ended = given_up.clone();
    let writing = blocking(move || {
        let mut batches = batches;
        let mut intake = intake;
        let mut came = 0;
        if full {
            // While the directory makes its first page.
            intake.expect_all()?;
        }
        let runtime = Handle::current();
        // Who reads may hang and never let go of the other end.
        while let Some(Some(batch)) = runtime.block_on(ended.run_until_cancelled(batches.recv())) {
            came += batch.0.len() as u64;
            intake.take(batch)?;
            progress(came);
        }
        Ok(intake)
    });
    let read = deadline.answer(source.read(cursor.as_ref(), sink)).await;
    if read.is_err() && deadline.has_passed() {
        given_up.cancel();
    }
    let read_at = clock.now();
    // The store's failure comes first: it is why the source found nobody listening.
    let intake = writing.await?;
    let completion = read?;
    intake.check_directory(&completion)?;
    intake.check_not_empty(&completion)?;

    let (intake, absent, completion) = blocking(move || {
        let mut intake = intake;
        let absent = if completion.mode == Mode::Full { intake.absent()? } else { Vec::new() };
        Ok((intake, absent, completion))
    })
    .await?;
    let doubles = Box::pin(double::ask(source, intake.doubles(), options.look_ups, deadline)).await;
    let settled = Box::pin(settle(source, absent, options.look_ups, deadline, clock.now())).await;
    intake.check_same_entries((completion.mode, &completion.directory), &settled)?;
    // Everything was read; what the feed tells of the time until now explains what changed.
    let told = match feed.filter(|_| check && completion.cursor.is_some()) {
        Some(feed) => Some(told(source, &feed, last, deadline).await),
        None => None,
    };
    let finished_at = clock.now();
    let sealing = Sealing { completion, settled, doubles, told, read_at, finished_at };
    let imported = blocking(move || intake.seal(sealing)).await?;
    tracing::info!(
        %connector,
        users = imported.info.users,
        groups = imported.info.groups,
        changed = imported.changed,
        removed = imported.removed,
        unreadable = imported.unreadable,
        unsettled = imported.unsettled,
        missed = imported.missed,
        "read"
    );
    Ok(imported)
}

/// What a connector read last, for its source.
struct Last {
    store: Store,
    connector: ConnectorName,
    known_by: Option<KnownBy>,
}

impl LastRead for Last {
    fn called(&self, entries: &[Anchor]) -> HashMap<Anchor, String> {
        // If it cannot be told, the source does without.
        self.store.called(&self.connector, entries).unwrap_or_default()
    }

    fn strange(&self, entries: &[Anchor]) -> Option<HashSet<Anchor>> {
        self.store.strange(&self.connector, entries).ok()
    }

    fn members(&self, entries: &[Anchor]) -> Option<Lists> {
        self.store.members(&self.connector, entries).ok()
    }

    fn listed(&self, entries: &[Anchor]) -> Option<HashSet<Anchor>> {
        self.store.listed(&self.connector, entries).ok()
    }

    fn values(&self, attribute: &str, entries: &[Anchor]) -> Option<HashMap<Anchor, Vec<String>>> {
        self.store.values(&self.connector, attribute, entries).ok()
    }

    fn naming(&self, attribute: &str, dns: &BTreeSet<Dn>) -> Option<Vec<Anchor>> {
        self.store.naming(&self.connector, attribute, dns).ok()
    }

    fn known_by(&self) -> Option<KnownBy> {
        self.known_by.clone()
    }
}

/// Of whom the feed tells since `cursor`, after what was read `last`.
async fn told<S: Source>(
    source: &S,
    cursor: &Cursor,
    last: Arc<dyn LastRead>,
    deadline: Deadline,
) -> Result<Told, SourceError> {
    let (batches_to, mut batches) = mpsc::channel::<Batch>(4);
    let hearing = async {
        let (mut of, mut listed) = (HashSet::new(), HashSet::new());
        while let Some(batch) = batches.recv().await {
            for change in &batch.0 {
                let told = if matches!(change, Change::Unchanged(_)) { &mut listed } else { &mut of };
                told.extend(change.anchor().cloned());
            }
        }
        (of, listed)
    };
    let read = deadline.answer(source.read(Some(cursor), Sink::after(last, batches_to)));
    let (ended, (of, listed)) = tokio::join!(read, hearing);
    let completion = ended.inspect_err(SourceError::log)?;
    Ok(Told { of, listed: (completion.mode == Mode::Full).then_some(listed) })
}
