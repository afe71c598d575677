//! A source that reads the world, well or badly.

use std::collections::{BTreeSet, HashSet};

use rollcall::directory::{Anchor, Batch, Change, Completion, Cursor, DirectoryId, Entry, Mode, fields};
use rollcall::source::{LookUp, Reason, Sink, Source, SourceError};

use super::world::Dice;

/// One read of the world, with what goes wrong in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Reader {
    /// What the directory states at this moment.
    pub(super) entries: Vec<Entry>,
    /// Ends after this many changes, without a completion.
    pub(super) ends_early: Option<usize>,
    /// Entries that come and cannot be understood.
    pub(super) unreadable: BTreeSet<String>,
    /// Entries that this read misses although they are there: a look-up finds them.
    pub(super) hidden: BTreeSet<String>,
    /// A field that this read may not see, for anybody.
    pub(super) blind_to: Option<&'static str>,
    /// The order in which entries come.
    pub(super) shuffle: u64,
    /// Whether anchors can be looked up.
    pub(super) looks_up: bool,
}

impl Source for Reader {
    async fn read(&self, _: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        let mut dice = Dice(self.shuffle);
        let mut open: Vec<&Entry> =
            self.entries.iter().filter(|entry| !self.hidden.contains(entry.anchor.as_str())).collect();
        let mut sent = 0;
        while !open.is_empty() {
            let mut batch = Batch::default();
            while !open.is_empty() && batch.0.len() < 7 {
                if self.ends_early == Some(sent) {
                    let message = format!("the connection was cut after {sent} entries");
                    return Err(SourceError::new(Reason::Interrupted, message));
                }
                let at = usize::try_from(dice.roll(open.len() as u64)).unwrap();
                batch.0.push(self.change(open.swap_remove(at)));
                sent += 1;
            }
            if sink.send(batch).await.is_err() {
                return Err(SourceError::new(Reason::Cancelled, "the reader went away"));
            }
        }
        if self.ends_early.is_some() {
            return Err(SourceError::new(Reason::Interrupted, "the connection was cut at the very end"));
        }
        Ok(Completion {
            mode: Mode::Full,
            directory: DirectoryId::new("dc=corp,dc=example"),
            cursor: None,
            fields: fields::OF_USER.iter().chain(fields::OF_GROUP).map(|field| (*field).to_owned()).collect(),
            attributes: BTreeSet::new(),
            scope: "everything".to_owned(),
            notices: Vec::new(),
            vendor: None,
        })
    }

    async fn look_up(&self, anchors: &[Anchor]) -> Result<Option<LookUp>, SourceError> {
        if !self.looks_up {
            return Ok(None);
        }
        let there: HashSet<&Anchor> = self.entries.iter().map(|entry| &entry.anchor).collect();
        let (found, missing) = anchors.iter().cloned().partition(|anchor| there.contains(anchor));
        Ok(Some(LookUp { found, missing }))
    }
}

impl Reader {
    fn change(&self, entry: &Entry) -> Change {
        if self.unreadable.contains(entry.anchor.as_str()) {
            return Change::Unreadable {
                anchor: Some(entry.anchor.clone()),
                what: entry.dn.clone(),
                why: "the entry is damaged".to_owned(),
            };
        }
        let mut entry = entry.clone();
        if let Some(field) = self.blind_to {
            entry.fields.remove(field);
        }
        Change::Replace(Box::new(entry))
    }
}
