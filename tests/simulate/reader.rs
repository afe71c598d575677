//! A source that reads the world, well or badly.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rollcall::directory::{
    Anchor, Batch, Change, Completion, Cursor, DirectoryId, Entry, Members, Mode, Reference, fields,
};
use rollcall::source::ldif::{Input, LdifConfig, LdifSource};
use rollcall::source::{LookUp, Reason, Sink, Source, SourceError};

use crate::dice::Dice;

pub(crate) const DIRECTORY: &str = "dc=corp,dc=example";

/// What a look-up of missing entries comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum LooksUp {
    #[default]
    Well,
    /// It is a file.
    Never,
    /// The server does not answer.
    Fails,
}

/// One read of the world, with what goes wrong in it.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// What the directory states at this moment.
    pub(crate) entries: Vec<Entry>,
    /// What it stated at each read that has ended, if it has a change feed.
    pub(crate) feed: Option<Vec<Vec<Entry>>>,
    /// Ends after this many changes, without a completion.
    pub(crate) ends_early: Option<usize>,
    /// Fails when all has come, before it can be told that this was all.
    pub(crate) ends_unproven: bool,
    /// Whether an export proves that it is whole.
    pub(crate) proves_its_end: bool,
    /// Entries that come and cannot be understood.
    pub(crate) unreadable: BTreeSet<String>,
    /// Entries that this read misses although they are there: a look-up finds them.
    pub(crate) missed: BTreeSet<String>,
    /// Groups of whose members only some could be read.
    pub(crate) partial: BTreeSet<String>,
    /// Whether some of it comes twice.
    pub(crate) repeats: bool,
    /// The order in which it comes.
    pub(crate) shuffle: u64,
    /// Nothing comes, and it is said to be all.
    pub(crate) empty: bool,
    pub(crate) looks_up: LooksUp,
    /// The place that cannot be seen, itself and all below it.
    pub(crate) hidden: Option<&'static str>,
    /// Entries of an export whose ids other entries have too.
    pub(crate) doubled: BTreeSet<String>,
    /// Who was deleted, and is shown by an export as such.
    pub(crate) buried: BTreeSet<String>,
    /// The text, if the directory is read from an export.
    pub(crate) export: Option<Vec<u8>>,
    /// Whether it was read already.
    pub(crate) was_read: AtomicBool,
    /// What it brought, for the oracle.
    pub(crate) brought: Mutex<Brought>,
}

/// What a read brought.
#[derive(Clone, Debug, Default)]
pub(crate) struct Brought {
    /// Everything, not only what changed.
    pub(crate) full: bool,
    pub(crate) whole: BTreeSet<String>,
    pub(crate) unreadable: BTreeSet<String>,
    pub(crate) tombstones: BTreeSet<String>,
}

impl Brought {
    fn of(mode: Mode, changes: &[Change]) -> Self {
        let mut brought = Self { full: mode == Mode::Full, ..Self::default() };
        for change in changes {
            match change {
                Change::Replace(entry) => brought.whole.insert(entry.anchor.as_str().to_owned()),
                Change::Tombstone(anchor) => brought.tombstones.insert(anchor.as_str().to_owned()),
                // Beside the group itself.
                Change::MembersDelta { .. } => false,
                Change::Unreadable { anchor, .. } => {
                    brought.unreadable.insert(anchor.as_ref().unwrap().as_str().to_owned())
                }
                // What only a feed says that lists ids, or a file; this reader's names whole entries.
                Change::Unchanged(_)
                | Change::Outside(_)
                | Change::Patch(_)
                | Change::OfNoKind { .. }
                | Change::Gap { .. }
                | Change::Stray { .. }
                | Change::Anonymous { .. }
                | Change::Unproven { .. } => {
                    panic!("this reader does not say {change:?}")
                }
            };
        }
        brought
    }
}

impl Reader {
    /// What a group's partial list shows: every other member.
    pub(crate) fn half<T: Clone>(members: &[T]) -> Vec<T> {
        members.iter().step_by(2).cloned().collect()
    }

    /// Whether it is no wonder that this read brings nothing.
    pub(crate) fn is_to_fail(&self) -> bool {
        let brought = self.brought.lock().unwrap();
        // Somebody who was never understood is nobody who could be told to be there.
        let nothing = brought.full && brought.whole.is_empty();
        // A record that stands twice says that an export was damaged.
        let twice = self.export.is_some() && self.repeats;
        self.ends_early.is_some() || self.ends_unproven || nothing || twice
    }

    fn change(&self, entry: &Entry) -> Change {
        let anchor = entry.anchor.as_str();
        if self.unreadable.contains(anchor) {
            return Change::Unreadable {
                anchor: Some(entry.anchor.clone()),
                what: entry.dn.clone(),
                why: "the entry is damaged".to_owned(),
            };
        }
        let mut entry = entry.clone();
        if self.partial.contains(anchor) {
            let some = Self::half(entry.members.references());
            entry.members = Members::Partial(some, "some values cannot be read".to_owned());
        }
        Change::Replace(Box::new(entry))
    }

    /// What an export brings.
    fn exported(&self) -> Brought {
        let mut brought = Brought { full: true, ..Brought::default() };
        if self.empty {
            return brought;
        }
        for entry in &self.entries {
            let anchor = entry.anchor.as_str();
            if self.missed.contains(anchor) {
                continue;
            }
            let cannot = self.unreadable.contains(anchor) || self.doubled.contains(anchor);
            let of = if cannot { &mut brought.unreadable } else { &mut brought.whole };
            of.insert(anchor.to_owned());
        }
        brought.tombstones.clone_from(&self.buried);
        brought
    }

    /// What the directory stated at the read that the cursor names.
    fn before(&self, cursor: Option<&Cursor>) -> Option<&Vec<Entry>> {
        self.feed.as_ref().zip(cursor).and_then(|(feed, cursor)| {
            let at = u64::from_le_bytes(cursor.0.as_slice().try_into().ok()?);
            feed.get(usize::try_from(at).ok()?)
        })
    }

    /// What changed of an entry; of a group that is known in full who came and who went, as a cloud tells it.
    fn changed(&self, before: Option<&Entry>, now: &Entry, listed: &HashSet<Anchor>) -> Vec<Change> {
        let mut change = self.change(now);
        let lists = (before.map(|before| &before.members), &mut change);
        let (Some(Members::Complete(before)), Change::Replace(entry)) = lists else { return vec![change] };
        let (Members::Complete(members), true) = (&entry.members, listed.contains(&now.anchor)) else {
            return vec![change];
        };
        let not_in = |these: &[Reference], those: &[Reference]| {
            these.iter().filter(|member| !those.contains(member)).cloned().collect()
        };
        let (added, removed) = (not_in(members, before), not_in(before, members));
        entry.members = Members::NotStated;
        vec![change, Change::MembersDelta { group: now.anchor.clone(), added, removed }]
    }

    /// Everything, or what changed since the read that the cursor names.
    fn changes(&self, cursor: Option<&Cursor>, listed: &HashSet<Anchor>) -> (Mode, Vec<Change>) {
        let since = self.before(cursor);
        let there = self.entries.iter().filter(|entry| !self.missed.contains(entry.anchor.as_str()));
        let Some(before) = since else {
            let all = if self.empty { Vec::new() } else { there.map(|entry| self.change(entry)).collect() };
            return (Mode::Full, all);
        };
        let before: BTreeMap<&Anchor, &Entry> = before.iter().map(|entry| (&entry.anchor, entry)).collect();
        let now: BTreeSet<&Anchor> = self.entries.iter().map(|entry| &entry.anchor).collect();
        let changed = self.entries.iter().filter(|entry| before.get(&entry.anchor) != Some(entry));
        let gone = before.keys().filter(|anchor| !now.contains(*anchor));
        let gone = gone.map(|anchor| Change::Tombstone((*anchor).clone()));
        let changed = changed
            .flat_map(|entry| self.changed(before.get(&entry.anchor).copied(), entry, listed))
            .collect::<Vec<_>>();
        (Mode::Delta, changed.into_iter().chain(gone).collect())
    }
}

fn export(text: Vec<u8>) -> LdifSource {
    LdifSource::new(LdifConfig {
        input: Input::Text(text.into()),
        name: "the export".to_owned(),
        directory_id: Some(DirectoryId::new(DIRECTORY)),
        anchor: None,
        user_filter: None,
        group_filter: None,
        literal: BTreeSet::new(),
    })
}

impl Source for Reader {
    async fn read(&self, cursor: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        if let Some(text) = &self.export {
            *self.brought.lock().unwrap() = self.exported();
            return export(text.clone()).read(cursor, sink).await;
        }
        let mut dice = Dice(self.shuffle);
        let there = self.before(cursor).into_iter().flatten().map(|entry| entry.anchor.clone()).collect();
        let listed = sink.listed(there).await.unwrap_or_default();
        let (mode, mut open) = self.changes(cursor, &listed);
        // What is asked after everything was read only checks the feed.
        if !self.was_read.swap(true, Ordering::Relaxed) {
            *self.brought.lock().unwrap() = Brought::of(mode, &open);
        }
        if self.repeats {
            let again: Vec<Change> = open.iter().filter(|_| dice.one_in(3)).cloned().collect();
            open.extend(again);
        }
        let mut sent = 0;
        while !open.is_empty() {
            let mut batch = Batch::default();
            while !open.is_empty() && batch.0.len() < 7 {
                if self.ends_early == Some(sent) {
                    break;
                }
                batch.0.push(open.swap_remove(dice.below(open.len())));
                sent += 1;
            }
            if sink.send(batch).await.is_err() {
                return Err(SourceError::new(Reason::Cancelled, "the reader went away"));
            }
            if self.ends_early == Some(sent) {
                let message = format!("the connection was cut after {sent} entries");
                return Err(SourceError::new(Reason::Interrupted, message));
            }
        }
        if self.ends_early.is_some() || self.ends_unproven {
            return Err(SourceError::new(Reason::Interrupted, "the connection was cut at the very end"));
        }
        let next = self.feed.as_ref().map(|feed| Cursor((feed.len() as u64).to_le_bytes().to_vec()));
        Ok(Completion {
            mode,
            directory: DirectoryId::new(DIRECTORY),
            id: None,
            server: None,
            cursor: next,
            fields: fields::OF_USER.iter().chain(fields::OF_GROUP).map(|field| (*field).to_owned()).collect(),
            attributes: BTreeSet::new(),
            scope: "everything".to_owned(),
            notices: Vec::new(),
            vendor: None,
            feed: None,
            shown: rollcall::directory::Shown::default(),
        })
    }

    async fn look_up(
        &self,
        anchors: &[Anchor],
        called: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        match self.looks_up {
            LooksUp::Never => return Ok(None),
            LooksUp::Fails => return Err(SourceError::new(Reason::Unreachable, "no server answers")),
            LooksUp::Well => {}
        }
        let there: BTreeSet<&Anchor> = self.entries.iter().map(|entry| &entry.anchor).collect();
        let (found, missing) = anchors.iter().cloned().partition(|anchor| there.contains(anchor));
        let missing: Vec<Anchor> = missing;
        let place = self.hidden.map(|place| format!(",ou={place},"));
        let is_hidden = |anchor: &&Anchor| {
            place.as_ref().zip(called.get(anchor)).is_some_and(|(place, dn)| dn.contains(place))
        };
        let orphans = missing.iter().filter(is_hidden).cloned().collect();
        Ok(Some(LookUp { found, missing, orphans, ..LookUp::default() }))
    }
}
