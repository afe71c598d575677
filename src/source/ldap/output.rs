//! What a read sends, in batches.

use std::collections::{BTreeSet, HashMap};

use super::back_link::{self, List};
use crate::directory::{Anchor, Change, Filler};
use crate::source::{Sink, SourceError};

/// Above so many entries that are to be read one by one, everything is read: that is one search, and not hundreds.
pub(super) const MANY: usize = 5000;

/// So many references to other servers are named; all are counted.
const REFERENCES: usize = 3;

/// Something that should be an entry.
pub(super) fn no_entry(what: String) -> Change {
    let why = "the server sent it in a form that is not an entry".to_owned();
    Change::Unreadable { anchor: None, what, why }
}

/// What a read sends.
pub(super) struct Output {
    pub(super) sink: Sink,
    filler: Filler,
    /// How many changes were sent.
    pub(super) came: u64,
    /// References to other servers: the first of them, and how many.
    pub(super) references: Vec<String>,
    pub(super) referrals: u64,
}

impl Output {
    pub(super) fn new(sink: Sink) -> Self {
        Self { sink, filler: Filler::default(), came: 0, references: Vec::new(), referrals: 0 }
    }

    /// A reference to another server came.
    pub(super) fn reference(&mut self, urls: Vec<String>) {
        self.referrals += 1;
        self.references.extend(urls);
        self.references.truncate(REFERENCES);
    }

    /// Entries that came, and of which the server may say something else by now because these lists changed: those that came before
    /// the lists, and after a full read also those that the lists named. `None` if that cannot be told, or they are too many.
    pub(super) async fn came_before_lists(
        &self,
        mut came: BTreeSet<Anchor>,
        called: &HashMap<Anchor, String>,
        lists: &[List],
        after_all: bool,
    ) -> Option<BTreeSet<Anchor>> {
        if lists.is_empty() && called.is_empty() {
            return Some(BTreeSet::new());
        }
        if after_all {
            came.extend(self.sink.naming(back_link::FOLLOWED, back_link::names_of(called, lists)).await?);
        }
        (came.len() <= MANY).then_some(came)
    }

    /// Something came that should be an entry.
    pub(super) async fn unintelligible(&mut self, what: String) -> Result<(), SourceError> {
        self.change(no_entry(what)).await
    }

    /// Sends what was kept until all came. What is unreadable by others than itself is not told of who was not there: that would
    /// bring it back.
    pub(super) async fn kept(&mut self, kept: Vec<Change>) -> Result<(), SourceError> {
        let unreadable = |change: &Change| match change {
            Change::Unreadable { anchor, .. } => anchor.clone(),
            _ => None,
        };
        let anchors: Vec<Anchor> = kept.iter().filter_map(unreadable).collect();
        let strange = if anchors.is_empty() { None } else { self.sink.strange(anchors).await };
        let strange = strange.unwrap_or_default();
        for change in kept {
            if unreadable(&change).is_none_or(|anchor| !strange.contains(&anchor)) {
                self.change(change).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn change(&mut self, change: Change) -> Result<(), SourceError> {
        self.came += 1;
        match self.filler.add(change) {
            Some(batch) => self.sink.send(batch).await,
            None => Ok(()),
        }
    }

    /// Reports these as there. Returns those who were not there before, which are to be read; `None` if they are too many, or that
    /// cannot be told.
    pub(super) async fn listed(&mut self, all: Vec<Anchor>) -> Result<Option<Vec<Anchor>>, SourceError> {
        if all.is_empty() {
            return Ok(Some(all));
        }
        let Some(new) = self.sink.strange(all.clone()).await.filter(|new| new.len() <= MANY) else {
            return Ok(None);
        };
        for anchor in all.into_iter().filter(|anchor| !new.contains(anchor)) {
            self.change(Change::Unchanged(anchor)).await?;
        }
        Ok(Some(new.into_iter().collect()))
    }

    pub(super) async fn flush(&mut self) -> Result<(), SourceError> {
        match self.filler.rest() {
            Some(batch) => self.sink.send(batch).await,
            None => Ok(()),
        }
    }
}
