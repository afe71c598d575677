//! One import under way: what came so far, and where each change that comes goes.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::coverage::Carried;
use super::double::Double;
use super::members_told::MembersTold;
use super::nameless::Nameless;
use super::pending::Pending;
use super::place::Holders;
use super::renamed::Renamed;
use super::settle::{Absent, LookUpResult};
use super::shrinkage;
use super::unreadable::UnreadableEntries;
use crate::directory::{Batch, Change, Completion, ConnectorName, Cursor, DirectoryId, Dn, Grade, Mode};
use crate::source::{KnownBy, Reason, SourceError};
use crate::store::snapshot::{Before, Coverage, Former, Importing, Remembered, RowId, SnapshotInfo};
use crate::store::{Store, StoreError};
use crate::words::count;

mod absent;
mod copies;
mod doubles;
mod entry;
mod frozen;
mod gone;
mod lists;
mod places;
mod renamed;
mod seal;
mod told;
mod unreadable;
mod waiting;

/// An import under way.
pub(super) struct Intake {
    pub(super) importing: Importing,
    connector: ConnectorName,
    started_at: Timestamp,
    pub(super) info: Option<SnapshotInfo>,
    cursor: Option<Cursor>,
    coverage: BTreeMap<String, Coverage>,
    /// How many were there before.
    before: u64,
    carried: Carried,
    /// Rows whose entries came, understood or not.
    seen: RoaringBitmap,
    /// Rows whose entries came and were understood.
    read: RoaringBitmap,
    tombstones: RoaringBitmap,
    /// What entries of this read that could not be understood are called.
    damaged: HashMap<u32, String>,
    /// Rows whose anchor came with several DNs.
    doubles: BTreeMap<RowId, Double>,
    /// Rows that came last as a copy, each as that.
    copied: BTreeMap<RowId, Double>,
    /// Who of this read was a copy.
    copies: Remembered,
    /// Rows that came under other DNs than before, and could not be understood.
    astray: BTreeMap<RowId, Vec<Dn>>,
    /// Names that are not theirs under which entries with an id came that could not be understood …
    claimed: RoaringBitmap,
    /// … and of those names the ones that no read before this one brought with that id.
    newly_claimed: RoaringBitmap,
    /// Who is known and came under names that they did not have.
    renamed: BTreeMap<RowId, Renamed>,
    /// Since when entries come under these DNs, as they are compared, of those that came so and were not believed.
    came_before: HashMap<(RowId, String), Timestamp>,
    /// How many entries came that were known.
    known_again: u64,
    /// Whether somebody who is known came so for the first time: with the id of one and the name of another it may be made of two,
    /// and others may have stood between them.
    is_mixed: bool,
    /// Names of entries that were understood …
    borne: RoaringBitmap,
    /// … and of several of those.
    shared: RoaringBitmap,
    /// Names of entries that could not be understood and show no id …
    unidentified: RoaringBitmap,
    /// … and of those among them that no read before this one brought.
    newly_unidentified: RoaringBitmap,
    /// When the newest of the others came first.
    unidentified_since: Option<Timestamp>,
    /// How many of the same came that may hide others, by what stands there.
    alike: HashMap<String, u32>,
    /// Names of entries of no kind that show no id.
    anonymous: RoaringBitmap,
    /// Whom one may be that shows neither an id nor the name of somebody.
    nameless: Nameless,
    /// Of those who did not come in a read of everything, who was unsettled before: since when, and which server told of them last.
    unsettled: HashMap<RowId, (Timestamp, Option<String>)>,
    /// Rows that a read of everything found outside of what is read.
    outside: RoaringBitmap,
    /// Whether everything is read.
    is_full: bool,
    /// Entries of no kind that came, such as organizational units.
    holders: Holders,
    kinds: [RoaringBitmap; 3],
    /// Rows of which something was written.
    written: RoaringBitmap,
    /// Those of which a feed need not have told.
    untold: RoaringBitmap,
    /// Whether entries were listed rather than read.
    listed: bool,
    /// Entries that were listed or told of in part, and of which too little is known: everything is read next.
    unheard: u64,
    pending: Pending,
    /// What was told of members and is not written: of each group in one piece, in however many it came.
    told: BTreeMap<RowId, MembersTold>,
    unknown: UnreadableEntries,
    /// Rows that are new or other ones.
    changed: RoaringBitmap,
    /// What lists state that did not state it before.
    newly_listed: BTreeMap<RowId, RoaringBitmap>,
    /// Whom lists are taken to mean by the name of before, who did not come yet.
    presumed: HashMap<RowId, Vec<Former>>,
    unreadable: u64,
}

impl Intake {
    pub(super) fn begin(
        store: &Store,
        connector: &ConnectorName,
        started_at: Timestamp,
    ) -> Result<Self, StoreError> {
        let (Before { info, cursor, coverage }, importing) = store.begin_import(connector)?;
        let unknown = UnreadableEntries::after(info.as_ref());
        Ok(Self {
            before: importing.there().len(),
            importing,
            connector: connector.clone(),
            started_at,
            info,
            cursor,
            coverage,
            carried: Carried::default(),
            seen: RoaringBitmap::new(),
            read: RoaringBitmap::new(),
            tombstones: RoaringBitmap::new(),
            damaged: HashMap::new(),
            doubles: BTreeMap::new(),
            copied: BTreeMap::new(),
            copies: Remembered::default(),
            astray: BTreeMap::new(),
            claimed: RoaringBitmap::new(),
            newly_claimed: RoaringBitmap::new(),
            renamed: BTreeMap::new(),
            came_before: HashMap::new(),
            known_again: 0,
            is_mixed: false,
            borne: RoaringBitmap::new(),
            shared: RoaringBitmap::new(),
            unidentified: RoaringBitmap::new(),
            alike: HashMap::new(),
            anonymous: RoaringBitmap::new(),
            newly_unidentified: RoaringBitmap::new(),
            unidentified_since: None,
            nameless: Nameless::Nobody,
            unsettled: HashMap::new(),
            outside: RoaringBitmap::new(),
            is_full: false,
            holders: Holders::default(),
            kinds: Default::default(),
            written: RoaringBitmap::new(),
            untold: RoaringBitmap::new(),
            listed: false,
            unheard: 0,
            pending: Pending::default(),
            told: BTreeMap::new(),
            unknown,
            changed: RoaringBitmap::new(),
            newly_listed: BTreeMap::new(),
            presumed: HashMap::new(),
            unreadable: 0,
        })
    }

    pub(super) fn cursor(&self) -> Option<&Cursor> {
        self.cursor.as_ref()
    }

    /// How those who were read before are known.
    pub(super) fn known_by(&self) -> Option<KnownBy> {
        self.info.as_ref().map(|info| KnownBy {
            directory: info.directory.clone(),
            id: info.id.clone(),
            scope: info.scope.clone(),
            progress: info.progress.clone(),
        })
    }

    /// Whether a feed is to be checked by a read of everything.
    pub(super) fn is_full_read_due(&self, every: Duration) -> bool {
        let last = self.info.as_ref().and_then(|info| info.full_at);
        let age = last.map(|last| self.started_at.duration_since(last));
        age.is_none_or(|age| age.is_negative() || age.unsigned_abs() >= every)
    }

    /// Expects a read that brings nearly all.
    pub(super) fn expect_all(&mut self) -> Result<(), StoreError> {
        self.is_full = true;
        self.importing.read_all()
    }

    pub(super) fn take(&mut self, batch: Batch) -> Result<(), StoreError> {
        for change in batch.0 {
            match self.spelt(change)? {
                Change::Replace(entry) => self.replace(&entry)?,
                Change::Patch(patch) => self.patch(*patch)?,
                Change::Tombstone(anchor) => self.gone(&anchor, Grade::Tombstone)?,
                Change::Outside(anchor) if self.is_full => self.outside(&anchor)?,
                Change::Outside(anchor) => self.gone(&anchor, Grade::OutOfScope)?,
                Change::Unchanged(anchor) => self.unchanged(&anchor)?,
                Change::MembersDelta { group, added, removed } => {
                    self.members_delta(&group, &added, &removed)?;
                }
                Change::Gap { record } => _ = self.gap(record),
                Change::Stray { record, what, why } => self.stray(record, what, why),
                Change::Anonymous { dn } => self.anonymous(&dn)?,
                Change::OfNoKind(entry) => {
                    self.holders.note(&entry.what);
                    self.of_no_kind(entry)?;
                }
                Change::Unproven { entry, sure, why } => self.unproven(&entry, sure, why)?,
                Change::Unreadable { anchor, what, why } => self.unreadable(anchor.as_ref(), what, why)?,
            }
        }
        if self.pending.is_full() { self.flush() } else { Ok(()) }
    }

    /// A connector reads one directory for ever; another one's entries would all be new, and
    /// all of its people leavers.
    pub(super) fn check_directory(&self, completion: &Completion) -> Result<(), SourceError> {
        match &self.info {
            Some(info) if info.directory != completion.directory => Err(SourceError::new(
                Reason::DirectoryChanged,
                format!(
                    "{} read the directory {} before, and this is {}; nothing was used. Point it back to the former \
                     directory, or create a new connector for this one. If an LDIF export of the same directory begins \
                     at another base now, set directoryID: \"{}\"",
                    self.connector, info.directory, completion.directory, info.directory
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Nobody empties a directory on purpose while a connector reads it.
    pub(super) fn check_not_empty(&self, completion: &Completion) -> Result<(), SourceError> {
        let before = self.importing.there().len();
        if completion.mode != Mode::Full || !self.seen.is_empty() || before == 0 {
            return Ok(());
        }
        let were = count(before, "entry was", "entries were");
        let message = if self.unreadable > 0 {
            format!(
                "the read of {} brought {} that could not be understood and none that could, where {were} before; nothing \
                 was used. Check that ids, DNs and attributes are as the directory has them, and export or read again",
                self.connector,
                count(self.unreadable, "entry", "entries")
            )
        } else {
            format!(
                "the read of {} was complete and empty, where {were} before; nothing was used. Check what the account that \
                 reads or exports may see, the base and the filters; if the directory is really meant to be empty, delete \
                 the policies that read it",
                self.connector
            )
        };
        Err(SourceError::new(Reason::InvalidData, message))
    }

    /// Where the identity of a directory is that of every one of its kind, those who were read before tell whether it is theirs.
    pub(super) fn check_same_entries(
        &self,
        (mode, directory): (Mode, &DirectoryId),
        settled: &LookUpResult,
    ) -> Result<(), SourceError> {
        if mode != Mode::Full || !directory.is_of_every() {
            return Ok(());
        }
        let became = |is: &[Absent]| settled.absent.iter().filter(|(_, one)| is.contains(one)).count() as u64;
        let of_no_kind = settled.of_no_kind.len() as u64;
        let came = self.before.saturating_sub(settled.absent.len() as u64 + of_no_kind);
        let elsewhere = became(&[Absent::Elsewhere]) + of_no_kind;
        let gone = became(&[Absent::Missing, Absent::CannotLookUp]);
        if !shrinkage::is_another(self.before, came, elsewhere, gone) {
            return Ok(());
        }
        let message = format!(
            "of {} that {} read before, {came} came, so this seems to be another directory; nothing was used. Point it back to the \
             former directory, or let the account see what it saw; for another directory create a new connector",
            count(self.before, "entry", "entries"),
            self.connector
        );
        Err(SourceError::new(Reason::DirectoryChanged, message))
    }

    fn flush_all(&mut self) -> Result<(), StoreError> {
        self.write_told()?;
        self.flush()
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        if self.pending.is_empty() && !self.importing.has_new_names() {
            return Ok(());
        }
        self.importing.write(&self.pending.take())
    }

    /// What is read of a row is its newest version only if that does not wait to be written.
    fn flush_of(&mut self, row: RowId) -> Result<(), StoreError> {
        self.write_told_of(row)?;
        self.flush_version_of(row)
    }

    /// The same, but for what was told of its members.
    fn flush_version_of(&mut self, row: RowId) -> Result<(), StoreError> {
        if self.pending.holds(row) { self.flush() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{Anchor, Entry, EntryKind, Members, Reference};
    use crate::store::bitmap;
    use crate::store::snapshot::Version;

    #[test]
    fn what_became_of_entries_is_written_together() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let connector = ConnectorName::new("test", "corp");
        let mut intake = Intake::begin(&store, &connector, Timestamp::UNIX_EPOCH).unwrap();
        let anchor = |number: u32| Anchor::new(number.to_string());
        let person = |number| Change::Replace(Box::new(Entry { anchor: anchor(number), ..Entry::nobody() }));
        let unreadable = |number: u32| Change::Unreadable {
            anchor: Some(anchor(number)),
            what: number.to_string(),
            why: "it is damaged".to_owned(),
        };
        intake.take(Batch((0..20).map(person).collect())).unwrap();
        intake.flush().unwrap();
        intake.take(Batch((0..10).map(unreadable).collect())).unwrap();
        intake.take(Batch((10..20).map(anchor).map(Change::Tombstone).collect())).unwrap();
        assert_eq!(intake.pending.take().len(), 20, "of none of them was anything to be read back");
    }

    #[test]
    fn whose_identity_is_that_of_every_directory_is_told_by_its_entries() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let connector = ConnectorName::new("test", "corp");
        let mut intake = Intake::begin(&store, &connector, Timestamp::UNIX_EPOCH).unwrap();
        intake.before = 10;
        let check = |directory: &str, missing: u32, became: Absent| {
            let absent = (0..missing).map(|row| (RowId(row), became)).collect();
            let settled = LookUpResult { absent, ..LookUpResult::default() };
            intake.check_same_entries((Mode::Full, &DirectoryId::new(directory)), &settled)
        };
        assert!(check("domino", 5, Absent::Missing).is_ok());
        for became in [Absent::Missing, Absent::NotLookedUp] {
            let error = check("domino", 6, became).unwrap_err();
            assert_eq!(error.reason, Reason::DirectoryChanged);
            assert!(error.message.contains("4 came"), "{}", error.message);
            assert!(check("domino", 10, became).is_err());
        }
        assert!(check("domino", 10, Absent::Elsewhere).is_ok(), "they are there, and not read");
        assert!(check("dc=x", 10, Absent::Missing).is_ok(), "its identity tells it apart");
    }

    /// A list of so many costs as much as it is long, in however many parts it comes.
    #[test]
    fn parts_of_one_list_are_written_together() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let connector = ConnectorName::new("test", "corp");
        let mut intake = Intake::begin(&store, &connector, Timestamp::UNIX_EPOCH).unwrap();
        let group = |members| {
            let kind = EntryKind::Group;
            Change::Replace(Box::new(Entry { anchor: Anchor::new("all"), kind, members, ..Entry::nobody() }))
        };
        let by = |number: u32| Reference::Anchor(Anchor::new(number.to_string()));
        intake.take(Batch(vec![group(Members::Complete(Vec::new()))])).unwrap();
        for part in 0..100 {
            let added = (part * 1000..(part + 1) * 1000).map(by).collect();
            let removed = vec![by(part * 1000), by(part)];
            let told = Change::MembersDelta { group: Anchor::new("all"), added, removed };
            // As it comes on every page that has a part of its members.
            intake.take(Batch(vec![group(Members::NotStated), told])).unwrap();
        }
        assert_eq!(intake.pending.take().len(), 0, "its first version was written to be read");
        intake.write_told().unwrap();
        let written = intake.pending.take();
        let [Version::Whole { edges: Some((edges, true)), .. }] = written.as_slice() else {
            panic!("{written:?}")
        };
        assert_eq!(bitmap::read(edges).unwrap().len(), 100_000 - 99);
    }
}
