//! A read under way: what came is sent in batches.

use std::collections::{BTreeSet, HashMap};

use super::back_link::{self, BackLinks, List};
use super::decode::Raw;
use crate::directory::{Anchor, Change, EntryKind, Filler};
use crate::source::schema::posix::Primaries;
use crate::source::schema::{self, EntrySchema};
use crate::source::{Sink, SourceError};

/// Above so many changes everything is read: that is one search, and not hundreds.
pub(super) const MANY: usize = 5000;

/// A read under way.
pub(super) struct LdapRead {
    pub(super) sink: Sink,
    filler: Filler,
    pub(super) came: u64,
    /// References to other servers: the first of them, and how many.
    pub(super) references: Vec<String>,
    pub(super) referrals: u64,
}

impl LdapRead {
    pub(super) fn new(sink: Sink) -> Self {
        Self { sink, filler: Filler::default(), came: 0, references: Vec::new(), referrals: 0 }
    }

    /// An entry came. `primaries` are those whose primary group it may be; `links` are worked out from groups.
    pub(super) async fn entry(
        &mut self,
        schema: &EntrySchema,
        kind: EntryKind,
        raw: Raw,
        primaries: &Primaries,
        links: &mut BackLinks,
    ) -> Result<(), SourceError> {
        let not_text = || "its DN is not valid UTF-8; correct it in the directory".to_owned();
        let why = raw.beyond.clone().or_else(|| (!raw.dn_is_text).then(not_text));
        let mut primary = Vec::new();
        let change = if let Some(why) = why {
            let id = raw.attributes.values(&schema.anchor).next();
            let anchor = id.and_then(|id| schema::anchor(&schema.anchor, id));
            Change::Unreadable { anchor, what: raw.dn, why }
        } else {
            let Some(mut change) = schema.told(&raw.dn, &raw.attributes, Some(kind)) else { return Ok(()) };
            if let Change::Replace(entry) = &mut change {
                let stated = entry.members.references().len();
                primaries.join(&raw.attributes, &mut entry.members);
                if links.are_used() {
                    primary = entry.members.references().iter().skip(stated).cloned().collect();
                }
            }
            change
        };
        if kind == EntryKind::Group {
            links.list(&change, primary);
        }
        self.change(change).await
    }

    /// Of whom the server may say something else by now because these lists changed, though their entries came: those who
    /// came before the lists, and after a read of everything those too who were named by them. `None` if that cannot be told, or
    /// they are too many.
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
        let why = "the server sent it in a form that is not an entry".to_owned();
        self.change(Change::Unreadable { anchor: None, what, why }).await
    }

    pub(super) async fn change(&mut self, change: Change) -> Result<(), SourceError> {
        self.came += 1;
        match self.filler.add(change) {
            Some(batch) => self.sink.send(batch).await,
            None => Ok(()),
        }
    }

    /// These are there. Those of them who were not before, to be read; `None` if they are too many, or that cannot be told.
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
