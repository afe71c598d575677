//! What comes in during one import: compared with what is known, and written if it differs.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::coverage::Carried;
use super::double::{self, Double};
use super::imported::Imported;
use super::members_told::MembersTold;
use super::pending::Pending;
use super::place::Holders;
use super::renamed::Renamed;
use super::sealing::{Sealing, Told};
use super::settle::{Absent, LookUpResult, Missing};
use super::shrinkage;
use super::unreadable::UnreadableEntries;
use crate::directory::{
    Anchor, Batch, Change, Completion, ConnectorName, Cursor, Dn, Entry, EntryKind, Evidence, Grade, Members,
    Mode, OfNoKind, Patch, Reference, fields,
};
use crate::source::{KnownBy, Reason, SourceError};
use crate::store::snapshot::{
    Before, Coverage, Fingerprint, Former, Importing, Known, Last, Presence, PresenceByte, RowId, Shrunk,
    SnapshotInfo, Trip, UnreadableEntry, Version, content, fingerprint,
};
use crate::store::{Store, StoreError, bitmap};
use crate::text;
use crate::words::count;

mod doubles;
mod frozen;
mod lists;
mod places;
mod renamed;
mod told;

/// Fields that were asked for and that nobody carries, as far as there is somebody who could. Not the kind of
/// mailbox: most have none that is of a kind of its own.
fn bare(
    completion: &Completion,
    coverage: &BTreeMap<String, Coverage>,
    there: &RoaringBitmap,
    (people, groups): (bool, bool),
) -> BTreeSet<String> {
    let of_people = completion.fields.iter().cloned();
    let of_people = of_people.chain(completion.attributes.iter().map(|name| format!("attributes.{name}")));
    let asked = of_people.filter(|_| people).chain(groups.then(|| fields::MEMBERS.to_owned()));
    let carried = |field: &String| coverage.get(field).is_some_and(|it| !it.current.is_disjoint(there));
    asked.filter(|field| field != fields::MAILBOX && !carried(field)).collect()
}

/// The fields for which the coverage rule tripped.
fn trips(coverage: BTreeMap<String, Coverage>) -> BTreeMap<String, Trip> {
    let tripped = coverage.into_iter().filter(|(_, coverage)| coverage.tripped > 0);
    tripped
        .map(|(field, coverage)| (field, Trip { carried: coverage.tripped, lost: coverage.lost }))
        .collect()
}

/// Whom an entry may be that shows neither an id nor the name of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Nameless {
    /// None came.
    Nobody,
    /// Those that came did so in a read before, the newest of them at this time: anybody who is missing since then or longer,
    /// and is not settled.
    MissingBefore(Timestamp),
    /// Anybody who is missing.
    AnybodyMissing,
}

impl Nameless {
    /// Of one that comes since then, if it came before.
    fn since(came: Option<Timestamp>) -> Self {
        came.map_or(Self::AnybodyMissing, Self::MissingBefore)
    }
}

/// So many bytes of what an entry is called are shown.
const LONGEST: usize = 1024;

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
                Change::Gap { record } => self.gap(&record),
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
        let message = format!(
            "the read of {} was complete and empty, where {} before; nothing was used. Check the account's \
             permissions, the base and the filters; if the directory is really meant to be empty, delete the policies \
             that read it",
            self.connector,
            count(before, "entry was", "entries were")
        );
        Err(SourceError::new(Reason::InvalidData, message))
    }

    /// Who was there, or was missed and not looked up, and did not come in this full read.
    pub(super) fn absent(&mut self) -> Result<Vec<Missing>, StoreError> {
        self.flush_all()?;
        let absent = self.importing.there() - &self.seen - &self.outside;
        self.look_for_nameless(&absent)?;
        let there = self.importing.holders(&absent, &(&self.unidentified | &self.anonymous))?;
        let called = self.importing.called(&there, false)?.into_iter();
        let called: HashMap<Dn, RowId> =
            called.filter_map(|(row, _, dn)| Some((Dn::parse(&dn).ok()?, row))).collect();
        let mut others = there.clone();
        for (dn, why) in self.unknown.are_known(|dn| called.contains_key(dn)) {
            let row = called.get(&dn).into_iter().map(|row| row.0).collect();
            others -= &row;
            self.keep(&row, &why)?;
        }
        self.keep(&others, NAMED_SO)?;
        let absent = absent - there;
        self.unsettled = self.importing.unsettled(&absent)?;
        let told = self.told_by();
        let called = self.importing.called(&absent, false)?;
        let mut called: HashMap<RowId, String> = called.into_iter().map(|(row, _, dn)| (row, dn)).collect();
        let missing = |(row, anchor)| {
            let before = self.unsettled.get(&row).cloned();
            let (since, server) =
                before.map_or_else(|| (None, told.clone()), |(since, server)| (Some(since), server));
            Missing { row, anchor, dn: called.remove(&row), server, since }
        };
        Ok(self.importing.anchors(&absent)?.into_iter().map(missing).collect())
    }

    /// A name that only lists state says of nobody who they are.
    fn look_for_nameless(&mut self, absent: &RoaringBitmap) -> Result<(), StoreError> {
        if absent.is_empty() || self.unidentified.is_empty() {
            return Ok(());
        }
        let of_nobody = &self.unidentified - self.importing.borne_by(self.importing.there())?;
        let nameless = if !of_nobody.is_disjoint(&self.newly_unidentified) {
            Nameless::AnybodyMissing
        } else if !of_nobody.is_empty() {
            Nameless::MissingBefore(self.unidentified_since.unwrap_or(Timestamp::MAX))
        } else {
            Nameless::Nobody
        };
        self.nameless = self.nameless.max(nameless);
        Ok(())
    }

    /// Keeps these as they are, as entries that were seen and could not be understood.
    fn keep(&mut self, rows: &RoaringBitmap, why: &str) -> Result<(), StoreError> {
        for row in rows {
            self.written.insert(row);
            self.untold.insert(row);
            self.pending
                .push(Version::Presence { row: RowId(row), presence: Presence::Unreadable(why.to_owned()) });
        }
        self.seen |= rows;
        self.flush()
    }

    pub(super) fn seal(mut self, sealing: Sealing) -> Result<Imported, StoreError> {
        let Sealing { mut completion, settled, doubles, told, read_at, finished_at } = sealing;
        let LookUpResult { absent: mut settled, of_no_kind, orphans, unprovable, mut notices } = settled;
        settled.extend(self.elsewhere(of_no_kind)?.map(|row| (row, Absent::Elsewhere)));
        let configuration = self.info.as_ref().is_some_and(|info| info.scope != completion.scope);
        let again = self.is_again(&completion);
        let missing = rows(&settled, |absent| absent != Absent::Elsewhere);
        self.flush_all()?;
        // A list may name one of them.
        let attribute = completion.id.as_deref().unwrap_or("id");
        let (doubles, bearers) = self.settle_doubles(doubles, attribute, &missing)?;
        settled.retain(|(row, _)| !bearers.contains(row.0));
        if doubles > 0 {
            // What becomes of one of them is told under the id of both.
            completion.cursor = None;
            notices.push(double::notice(doubles));
        }
        let held = self.hold(&mut settled, &completion);
        let (removed, unsettled) =
            self.settle(settled, configuration, (again, unprovable), finished_at, &mut notices)?;
        self.read_lists_again()?;
        self.flush()?;
        let places = self.places(&missing, orphans, unprovable)?;
        let missed = self.missed(told.as_ref())?;
        if missed > 0 {
            notices.push(format!(
                "the change feed had not reported {} that this full read found changed",
                count(missed, "entry", "entries")
            ));
        }
        if self.unheard > 0 {
            // They have come into sight without a change of their own, so everything is read next.
            completion.cursor = None;
        }
        let [users, groups, contacts] = self.counts(completion.mode)?;
        let shrunk = self.shrunk(&completion, users + groups + contacts, finished_at);
        if let Some(shrunk) = &shrunk {
            completion.cursor = None;
            if !held {
                notices.push(shrinkage::notice(shrunk));
            }
        }
        let full = completion.mode == Mode::Full && !self.listed;
        let full_at = if full { Some(finished_at) } else { self.info.as_ref().and_then(|info| info.full_at) };
        let there = self.there(completion.mode);
        let mut coverage = std::mem::take(&mut self.carried).judge(&self.coverage, &self.read, &there);
        coverage.extend(places);
        let bare = bare(&completion, &coverage, &there, (users + contacts > 0, groups > 0));
        let new_names = self.new_names(again);
        let shared_names = self.shared_names(full)?;
        let (unreadable, unreadable_count, remembered) = self.unknown.now(full, finished_at);
        let info = SnapshotInfo {
            connector: self.connector,
            directory: completion.directory,
            id: completion.id,
            server: completion.server,
            progress: completion.shown.progress,
            sequence: 0,
            completion: 0,
            completed_at: finished_at,
            mode: completion.mode,
            fields: completion.fields,
            attributes: completion.attributes,
            scope: completion.scope,
            notices: completion.notices.into_iter().chain(notices).collect(),
            vendor: completion.vendor,
            feed: completion.feed,
            full_at,
            shrunk,
            held,
            unprovable,
            tripped: BTreeMap::new(),
            unreadable,
            unreadable_count,
            remembered,
            new_names,
            shared_names,
            next_name: 0,
            next_row: 0,
            users,
            groups,
            contacts,
        };
        let other = coverage.iter().filter(|(field, coverage)| self.coverage.get(*field) != Some(coverage));
        let news = self.info.as_ref().is_some_and(|before| {
            (&before.unreadable, before.unreadable_count, &before.fields, &before.attributes)
                != (&info.unreadable, info.unreadable_count, &info.fields, &info.attributes)
        });
        let mut info = self.importing.seal(info, news, completion.cursor.as_ref(), other)?;
        info.tripped = trips(coverage);
        Ok(Imported {
            info,
            first: self.info.is_none(),
            changed: self.changed.len(),
            removed,
            unreadable: self.unreadable,
            unsettled,
            missed,
            bare,
            certificate_ends_at: completion.shown.certificate_ends_at,
            skew: completion.shown.clock.map(|clock| clock.duration_since(read_at)),
            started_at: self.started_at,
            finished_at,
        })
    }

    /// Keeps those who are missing from a file that may have been cut, and those who were kept so before, until a file shows its
    /// end; whether there are any.
    fn hold(&mut self, settled: &mut [(RowId, Absent)], completion: &Completion) -> bool {
        if !completion.shown.no_end {
            return false;
        }
        let came = (&self.seen | &self.outside | &self.tombstones).len();
        let is_cut = shrinkage::is_cut(self.before, came);
        let missing = rows(settled, |absent| absent == Absent::CannotLookUp);
        let kept = match &self.info {
            _ if is_cut => missing,
            Some(info) if info.held => self.among_unsettled(&missing).collect(),
            _ => RoaringBitmap::new(),
        };
        for (_, absent) in settled.iter_mut().filter(|(row, _)| kept.contains(row.0)) {
            *absent = Absent::NotLookedUp;
        }
        if !kept.is_empty() {
            self.unreadable += 1;
            let (what, why) = ("the end of the file".to_owned(), shrinkage::CUT.to_owned());
            self.unknown.add(UnreadableEntry { what, why, anchor: None, since: None });
        }
        !kept.is_empty()
    }

    /// Writes what became of those who did not come; how many are gone, and how many were not looked up. `again` is that the
    /// same export was read before, `unprovable` that the source cannot look up.
    fn settle(
        &mut self,
        settled: Vec<(RowId, Absent)>,
        configuration: bool,
        (again, unprovable): (bool, bool),
        at: Timestamp,
        notices: &mut Vec<String>,
    ) -> Result<(u64, u64), StoreError> {
        let (mut removed, mut unsettled) = (self.tombstones.len(), 0);
        let gone = rows(&settled, |absent| matches!(absent, Absent::CannotLookUp | Absent::Missing));
        let mut kept = match self.nameless {
            Nameless::AnybodyMissing => gone,
            Nameless::MissingBefore(came) => {
                let missed = self.unsettled.iter().filter(|(_, (since, _))| *since <= came);
                missed.map(|(row, _)| row.0).filter(|row| gone.contains(*row)).collect()
            }
            Nameless::Nobody => RoaringBitmap::new(),
        };
        // Of a server it was heard by id that they are not there.
        let unheard = rows(&settled, |absent| absent == Absent::CannotLookUp);
        if again {
            // The same export says no more than it did.
            kept.extend(self.among_unsettled(&unheard));
        }
        // Where nobody has the id of before and others have the names, the ids are other ones, and not the people.
        if unheard.len() > 1 && self.known_again == 0 {
            let replaced = self.importing.holders(&unheard, &self.importing.given())?;
            if replaced.len() > 1 {
                notices.push(NEW_IDS.to_owned());
                kept |= replaced;
            }
        }
        // A record with the id of one and the name of another may be made of two, and others may have stood between them.
        kept |= if self.is_mixed || !self.newly_replaced(&unheard)?.is_empty() {
            unheard
        } else {
            self.importing.holders(&unheard, &self.newly_claimed)?
        };
        if !kept.is_empty() {
            notices.push(
                "missing entries stay as they are, because unreadable data may belong to them; see the exceptions"
                    .to_owned(),
            );
        }
        let settled = settled
            .into_iter()
            .map(|(row, absent)| (row, if kept.contains(row.0) { Absent::NotLookedUp } else { absent }));
        let settled: Vec<_> = settled.collect();
        if unprovable {
            self.freeze_renamed(&rows(&settled, |absent| absent == Absent::NotLookedUp))?;
        }
        for (row, absent) in settled {
            let grade = match absent {
                Absent::Missing => Grade::Absent,
                Absent::Elsewhere => Grade::OutOfScope,
                Absent::CannotLookUp => Grade::AbsentUnconfirmed,
                Absent::NotLookedUp => {
                    unsettled += 1;
                    if !self.unsettled.contains_key(&row) {
                        self.written.insert(row.0);
                        self.untold.insert(row.0);
                        let server = self.told_by();
                        let presence = Presence::Unsettled { since: at, server };
                        self.pending.push(Version::Presence { row, presence });
                    }
                    continue;
                }
            };
            removed += 1;
            self.written.insert(row.0);
            if self.listed {
                // Not all lists were read.
                self.flush_of(row)?;
                self.importing.retire_names(row)?;
            }
            let presence = Presence::Gone { evidence: Evidence { grade, configuration }, since: at };
            self.pending.push(Version::Presence { row, presence });
        }
        Ok((removed, unsettled))
    }

    /// Whether many are missing, where `now` are there. What is read may be another part of the directory by now.
    fn shrunk(&self, completion: &Completion, now: u64, at: Timestamp) -> Option<Shrunk> {
        let last = self.info.as_ref().filter(|last| last.scope == completion.scope)?;
        match completion.mode {
            Mode::Full => shrinkage::judge(last.shrunk, last.users + last.groups + last.contacts, now, at),
            Mode::Delta => last.shrunk,
        }
    }

    /// From which number on names are new: those of reads that were never sealed are so too. No name is newer than it was when
    /// the same export was read.
    fn new_names(&self, again: bool) -> u32 {
        let of_now = |info: &SnapshotInfo| if again { info.new_names } else { info.next_name };
        self.info.as_ref().map_or(0, of_now)
    }

    /// Whether the same export was read before.
    fn is_again(&self, completion: &Completion) -> bool {
        let last = self.info.as_ref().and_then(|info| info.progress.as_ref());
        last.is_some() && last == completion.shown.progress.as_ref()
    }

    /// Those of `rows` who were unsettled before.
    fn among_unsettled(&self, rows: &RoaringBitmap) -> impl Iterator<Item = u32> {
        self.unsettled.keys().map(|row| row.0).filter(|row| rows.contains(*row))
    }

    /// Which server told of those who are present.
    fn told_by(&self) -> Option<String> {
        self.info.as_ref()?.server.clone()
    }

    /// What changed without the feed having told of it.
    fn missed(&self, told: Option<&Told>) -> Result<u64, StoreError> {
        let Some(told) = told else { return Ok(0) };
        let changed = self.importing.anchors(&(&self.written - &self.untold))?;
        Ok(changed.iter().filter(|(_, anchor)| !told.is_of(anchor)).count() as u64)
    }

    /// Users, groups and contacts that are present. Where only changes came, the counts of before change by
    /// what those did.
    fn counts(&self, mode: Mode) -> Result<[u64; 3], StoreError> {
        let before = match &self.info {
            Some(info) if mode == Mode::Delta || self.listed => [info.users, info.groups, info.contacts],
            _ => return Ok(self.kinds.each_ref().map(RoaringBitmap::len)),
        };
        let was = self.importing.kinds(&self.written, true)?;
        let is = self.importing.kinds(&self.written, false)?;
        let mut counts = before;
        for (count, (was, is)) in counts.iter_mut().zip(was.into_iter().zip(is)) {
            *count = (*count + is).saturating_sub(was);
        }
        Ok(counts)
    }

    /// The rows that count as present: in a full read those that came, else those that did not go.
    fn there(&self, mode: Mode) -> RoaringBitmap {
        if mode == Mode::Full {
            return self.seen.clone();
        }
        self.importing.there().clone()
    }

    fn replace(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let since = self.unknown.heard_of(Some(&entry.anchor), Some(&entry.dn));
        let names = self.importing.intern(&entry.names)?;
        let known = self.importing.known(&entry.anchor)?;
        let edges = match &entry.members {
            Members::None => None,
            Members::Complete(members) => Some((self.importing.intern(members)?, true)),
            // Who was a member before and cannot be told to have left is one still.
            Members::Partial(members, _) => {
                if let Some(known) = known {
                    self.flush_of(known.row)?;
                }
                let before = known
                    .map_or_else(|| Ok(RoaringBitmap::new()), |known| self.importing.edges(known.row))?;
                Some((self.importing.intern(members)? | before, false))
            }
            Members::NotStated => Some(self.as_before(known)?),
        };
        if let (Members::Complete(_), Some(known)) = (&entry.members, known) {
            // It was told before the whole list came.
            self.told.remove(&known.row);
        }
        let content = match (&entry.members, &edges) {
            (Members::NotStated, Some((_, false))) => {
                let members = Members::Partial(Vec::new(), self.why_partial(known)?);
                content(&Entry { members, ..entry.clone() })?
            }
            _ => content(entry)?,
        };
        let stored = Stored::new(&names, edges.as_ref())?;
        let hash = stored.hash(&content);
        let row = if let Some(known) = known {
            self.known_again += 1;
            known.row
        } else {
            let row = self.importing.new_row(&entry.anchor)?;
            self.damaged.extend(self.unknown.called(&entry.anchor).map(|other| (row.0, other)));
            row
        };
        self.note_double(row, &entry.anchor, &entry.dn, since)?;
        self.seen.insert(row.0);
        self.read.insert(row.0);
        self.tombstones.remove(row.0);
        self.shared |= &names & &self.borne;
        self.borne |= &names;
        self.carried.note(row, entry);
        if let (Members::NotStated, Some((before, _))) = (&entry.members, &edges) {
            self.carried.list(row, !before.is_empty());
        }
        for (kind, rows) in
            [EntryKind::User, EntryKind::Group, EntryKind::Contact].into_iter().zip(&mut self.kinds)
        {
            if kind == entry.kind {
                rows.insert(row.0);
            } else {
                rows.remove(row.0);
            }
        }
        if known.is_none_or(|known| known.hash != hash || known.presence != PresenceByte::Present) {
            if let Some(known) = known.filter(|_| shows_no_state(entry))
                && known.presence != PresenceByte::Gone
                && self.was_disabled(known.row)?
            {
                self.read.remove(row.0);
                return self.unreadable(Some(&entry.anchor), entry.dn.clone(), STATELESS.to_owned());
            }
            // Neither is part of the hash, which is of what was stated.
            let edges = match edges {
                Some(_) if entry.members == Members::NotStated => {
                    self.flush_of(row)?;
                    // Numbers of before, which mean whom they meant.
                    Some(self.as_before(known)?)
                }
                Some((stated, complete)) if self.info.is_some() => {
                    Some((self.as_meant(row, &stated)?, complete))
                }
                edges => edges,
            };
            self.flush_of(row)?;
            if self.info.is_some() {
                let new = self.importing.give(row, &names)?;
                if known.is_some_and(|known| known.presence != PresenceByte::Gone) && !new.is_empty() {
                    self.renamed.insert(row, Renamed { names: new, since });
                }
            }
            let names = self.with_former(known, &names, &entry.names)?;
            self.name_anew()?;
            let now = Last { content, names, edges };
            let last = if now.edges.is_some() { self.importing.last(row)? } else { None };
            if let Some(last) = last {
                let is_present = known.is_some_and(|known| known.presence == PresenceByte::Present);
                if is_present && Self::is_as_it_was(&last, &now) {
                    return Ok(());
                }
                if self.cursor.is_some() && self.only_lost_members(&last, &now) {
                    self.untold.insert(row.0);
                }
            }
            self.changed.insert(row.0);
            self.written.insert(row.0);
            self.write(row, hash, now)?;
        } else if entry.place.is_some() {
            self.stands_elsewhere(row, hash, content)?;
        }
        Ok(())
    }

    /// Takes what was told of an entry that is there for what changed of it. Of one that is new, or is back, it is all, if that is
    /// enough; of one that could not be understood nobody knows what else changed since.
    fn patch(&mut self, patch: Patch) -> Result<(), StoreError> {
        let known = self.importing.known(&patch.set.anchor)?;
        let known = known.filter(|known| known.hash != Fingerprint::default());
        let why = match (known.map(|known| (known.row, known.presence)), &patch.alone) {
            (Some((row, PresenceByte::Present | PresenceByte::Unsettled)), _) => {
                self.flush_version_of(row)?;
                let last = self.importing.last(row)?;
                if let Some(was) = last.and_then(|last| serde_json::from_str(&last.content).ok()) {
                    return self.replace(&patch.onto(was));
                }
                MISSED.to_owned()
            }
            (Some((_, PresenceByte::Unreadable)), _) => MISSED.to_owned(),
            (Some((_, PresenceByte::Gone)) | None, Ok(())) => return self.replace(&patch.set),
            (Some((_, PresenceByte::Gone)) | None, Err(why)) => why.clone(),
        };
        if why == MISSED {
            // Everything is read next.
            self.unheard += 1;
        }
        self.unreadable(Some(&patch.set.anchor), patch.set.dn, why)
    }

    /// What is wrong with an entry is looked for where it stands now. Of what it states nothing changed.
    fn stands_elsewhere(&mut self, row: RowId, hash: Fingerprint, content: String) -> Result<(), StoreError> {
        self.flush_of(row)?;
        let Some(last) = self.importing.last(row)?.filter(|last| last.content != content) else {
            return Ok(());
        };
        self.untold.insert(row.0);
        self.written.insert(row.0);
        self.write(row, hash, Last { content, ..last })
    }

    /// Whether an account was disabled, or was to expire, when it was read last.
    fn was_disabled(&mut self, row: RowId) -> Result<bool, StoreError> {
        self.flush_of(row)?;
        let last = self.importing.last(row)?;
        let was = last.and_then(|last| serde_json::from_str::<Entry>(&last.content).ok());
        Ok(was.is_some_and(|was| was.disabled == Some(true) || was.expires.is_some()))
    }

    /// Writes what is known of an entry with another list.
    fn write_again(&mut self, row: RowId, now: Last) -> Result<(), StoreError> {
        let hash = Stored::new(&now.names, now.edges.as_ref())?.hash(&now.content);
        self.write(row, hash, now)
    }

    /// Writes an entry that is there; the hash is of what it states, by whatever numbers lists mean it.
    fn write(&mut self, row: RowId, hash: Fingerprint, now: Last) -> Result<(), StoreError> {
        let Stored { names, edges } = Stored::new(&now.names, now.edges.as_ref())?;
        self.importing.note(Known { row, hash, presence: PresenceByte::Present });
        self.pending.push(Version::Whole { row, hash, content: now.content, names, edges });
        Ok(())
    }

    /// The directory says so.
    fn gone(&mut self, anchor: &Anchor, grade: Grade) -> Result<(), StoreError> {
        self.unknown.heard_of(Some(anchor), None);
        let known = self.importing.known(anchor)?.filter(|known| known.presence != PresenceByte::Gone);
        let Some(known) = known else { return Ok(()) };
        let row = known.row;
        if self.is_full {
            self.note_double(row, anchor, double::DELETED, None)?;
        }
        // What was told of its members before stands; it is noted as there by that.
        self.write_told_of(row)?;
        self.importing.note(Known { presence: PresenceByte::Gone, ..known });
        self.seen.remove(row.0);
        self.read.remove(row.0);
        self.tombstones.insert(row.0);
        self.kinds.iter_mut().for_each(|rows| {
            rows.remove(row.0);
        });
        let evidence = Evidence::data(grade);
        let presence = Presence::Gone { evidence, since: self.started_at };
        self.written.insert(row.0);
        self.flush_of(row)?;
        self.importing.retire_names(row)?;
        self.name_anew()?;
        self.pending.push(Version::Presence { row, presence });
        Ok(())
    }

    /// A listing says of it that it is there; what it is, is known.
    fn unchanged(&mut self, anchor: &Anchor) -> Result<(), StoreError> {
        self.listed = true;
        match self.importing.known(anchor)? {
            Some(known) if known.presence != PresenceByte::Gone => {
                let row = known.row;
                self.seen.insert(row.0);
                if known.presence == PresenceByte::Unsettled {
                    self.importing.note(Known { presence: PresenceByte::Present, ..known });
                    self.written.insert(row.0);
                    self.pending.push(Version::Presence { row, presence: Presence::Present });
                }
            }
            _ => self.unheard += 1,
        }
        Ok(())
    }

    /// It is there, and not among those that are read.
    fn outside(&mut self, anchor: &Anchor) -> Result<(), StoreError> {
        self.unknown.heard_of(Some(anchor), None);
        let known = self.importing.known(anchor)?.filter(|known| known.presence != PresenceByte::Gone);
        self.outside.extend(known.map(|known| known.row.0));
        Ok(())
    }

    /// Of those who are known it is no evidence of anything, unless a filter of somebody's own left them out.
    fn of_no_kind(&mut self, entry: OfNoKind) -> Result<(), StoreError> {
        let known = self.importing.known(&entry.anchor)?;
        let Some(known) = known.filter(|known| known.presence != PresenceByte::Gone) else { return Ok(()) };
        if self.is_of(known.row, entry.kinds)? {
            return self.unreadable(Some(&entry.anchor), entry.what, entry.why);
        }
        if self.is_full { self.outside(&entry.anchor) } else { self.gone(&entry.anchor, Grade::OutOfScope) }
    }

    /// Whoever is missing since this came first may have stood there.
    fn gap(&mut self, record: &str) {
        let since = self.unknown.heard_of(None, Some(record));
        self.nameless = self.nameless.max(Nameless::since(since));
        self.unknown.remember(None, record, since);
    }

    /// Whoever is missing and was called so may be it.
    fn anonymous(&mut self, dn: &str) -> Result<(), StoreError> {
        if let Ok(dn) = Dn::parse(dn) {
            self.anonymous.extend(self.importing.name(&Reference::Dn(dn))?);
        }
        Ok(())
    }

    /// Whether it was of one of these kinds when it was read last; of one that never was, nothing else is known.
    fn is_of(&mut self, row: RowId, kinds: &[EntryKind]) -> Result<bool, StoreError> {
        self.flush_of(row)?;
        let was = self.importing.called(&RoaringBitmap::from_iter([row.0]), false)?;
        Ok(was.first().is_none_or(|(_, kind, _)| kinds.contains(kind)))
    }

    /// Those who are there and are not read. Whom a look-up found as entries of no kind keep what they have, unless a filter of
    /// somebody's own left them out.
    fn elsewhere(
        &mut self,
        of_no_kind: Vec<(RowId, OfNoKind)>,
    ) -> Result<impl Iterator<Item = RowId> + use<>, StoreError> {
        for (row, entry) in of_no_kind {
            if self.is_of(row, entry.kinds)? {
                self.unreadable(Some(&entry.anchor), entry.what, entry.why)?;
            } else {
                self.outside.insert(row.0);
            }
        }
        // One that is left out may have the id of somebody who is read.
        Ok((&self.outside - &self.seen).into_iter().map(RowId))
    }

    /// Who is known and comes as they were is there; as another one they may only have come in part.
    fn unproven(&mut self, entry: &Entry, sure: bool, why: String) -> Result<(), StoreError> {
        let known = self.importing.known(&entry.anchor)?.filter(|known| known.hash != Fingerprint::default());
        let as_it_was = match known {
            None => sure,
            Some(known) => {
                self.flush_of(known.row)?;
                let names = self.importing.intern(&entry.names)?;
                let last = self.importing.last(known.row)?.filter(|last| names.is_subset(&last.names));
                last.is_some_and(|last| is_of(&last.content, entry))
            }
        };
        if !as_it_was {
            let place = entry.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
            return self.unreadable(Some(&entry.anchor), entry.dn.clone(), why + &place);
        }
        let mut entry = entry.clone();
        match &mut entry.members {
            Members::Complete(members) => entry.members = Members::Partial(std::mem::take(members), why),
            Members::Partial(..) | Members::NotStated => {}
            Members::None => entry.place = None,
        }
        self.replace(&entry)
    }

    fn unreadable(&mut self, anchor: Option<&Anchor>, what: String, why: String) -> Result<(), StoreError> {
        self.unreadable += 1;
        let known = match anchor {
            Some(anchor) => self.importing.known(anchor)?,
            None => None,
        };
        // Whoever it is, the one who had this name last is not missing.
        let dn = Dn::parse(&what).ok();
        let what = shown(what);
        let since = self.unknown.heard_of(anchor, Some(&what));
        let name = dn.as_ref().map_or(Ok(None), |dn| self.importing.name(&Reference::Dn(dn.clone())))?;
        let came = since.filter(|_| dn.is_some());
        if anchor.is_none() {
            self.without_id(name, came);
        } else {
            self.with_id(known, dn.as_ref(), name, came.is_some())?;
        }
        if dn.is_some() {
            self.unknown.remember(anchor, &what, came);
        }
        match (known, anchor) {
            // One that was gone has come back in some form, so it is gone no more.
            (Some(known), Some(known_as)) if known.hash != Fingerprint::default() => {
                let row = known.row;
                self.note_double(row, known_as, &what, since)?;
                // What came of it before stands.
                self.write_told_of(row)?;
                self.damaged.insert(row.0, what);
                self.seen.insert(row.0);
                if known.presence != PresenceByte::Unreadable {
                    self.importing.note(Known { presence: PresenceByte::Unreadable, ..known });
                    self.written.insert(row.0);
                    self.pending.push(Version::Presence { row, presence: Presence::Unreadable(why) });
                }
            }
            _ => {
                self.unknown.add(UnreadableEntry { what, why, anchor: anchor.cloned(), since });
            }
        }
        Ok(())
    }

    /// Whom an entry that could not be understood may be, as it shows no id.
    fn without_id(&mut self, name: Option<u32>, came: Option<Timestamp>) {
        match name {
            Some(name) if came.is_none() => _ = self.newly_unidentified.insert(name),
            Some(_) => self.unidentified_since = self.unidentified_since.max(came),
            None => {
                self.nameless = self.nameless.max(Nameless::since(came));
            }
        }
        self.unidentified.extend(name);
    }

    /// An id tells one that could not be understood from whoever had its name.
    fn with_id(
        &mut self,
        known: Option<Known>,
        dn: Option<&Dn>,
        name: Option<u32>,
        came: bool,
    ) -> Result<(), StoreError> {
        if let Some(known) = known.filter(|known| known.hash != Fingerprint::default()) {
            self.flush_of(known.row)?;
            let names = name.into_iter().collect();
            if self.importing.bears(known.row, &names)? {
                return Ok(());
            }
            self.astray.entry(known.row).or_default().extend(dn.cloned());
        }
        if let Some(name) = name {
            self.claimed.insert(name);
            if !came {
                self.newly_claimed.insert(name);
                self.is_mixed |= known.is_some();
            }
        }
        Ok(())
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

/// Of whom this became.
fn rows(settled: &[(RowId, Absent)], is: impl Fn(Absent) -> bool) -> RoaringBitmap {
    settled.iter().filter(|(_, absent)| is(*absent)).map(|(row, _)| row.0).collect()
}

/// What an entry is called where it is named: a directory may give it a name of any length.
fn shown(what: String) -> String {
    if what.len() <= LONGEST {
        return what;
    }
    format!("{} ({} bytes)", text::clean_within(&what, LONGEST), what.len())
}

/// What an entry states by its content: not where it stands, which changes with what stands before it.
fn stated(content: &str) -> Cow<'_, str> {
    let states = |content: &str| {
        let entry: Entry = serde_json::from_str(content).ok()?;
        serde_json::to_string(&Entry { place: None, ..entry }).ok()
    };
    let with_place = content.contains("\"place\":").then(|| states(content)).flatten();
    with_place.map_or(Cow::Borrowed(content), Cow::Owned)
}

/// What is wrong with somebody whose name came without an id.
const NAMED_SO: &str =
    "an entry with its former name was read, and it could not be determined whether that is the same entry";

/// What to say where all ids are new and the names are not.
const NEW_IDS: &str = "no entry has an id of before, and others have the same names, so the ids may be written in another way, or \
                       those of a copy: who had these names is not removed. If the directory was made anew, use a new connector \
                       for it";

/// What is wrong with an account that was known to be disabled and does not say any more whether it is.
const STATELESS: &str = "it was disabled, or had an expiry date, and no longer shows its state (userAccountControl), \
                         so its state is unknown; read or export that attribute too";

/// What is wrong with an entry of which only a part was told after it could not be understood.
const MISSED: &str = "a part of it came, and what else changed while it could not be understood did not; everything is read next";

/// Whether an account says nothing of whether it is disabled. Of a mailbox that nobody logs in with, that says nothing.
fn shows_no_state(entry: &Entry) -> bool {
    entry.kind == EntryKind::User && entry.disabled.is_none() && !entry.fields.contains_key(fields::MAILBOX)
}

/// Whether this is the content of the entry, but for its members.
fn is_of(content: &str, entry: &Entry) -> bool {
    let bare = |entry: Entry| Entry { names: Vec::new(), members: Members::None, place: None, ..entry };
    serde_json::from_str(content).is_ok_and(|was: Entry| bare(was) == bare(entry.clone()))
}

/// Names and members as the store keeps them.
struct Stored {
    names: Vec<u8>,
    edges: Option<(Vec<u8>, bool)>,
}

impl Stored {
    fn new(names: &RoaringBitmap, edges: Option<&(RoaringBitmap, bool)>) -> Result<Self, StoreError> {
        let edges = edges.map(|(edges, complete)| Ok::<_, StoreError>((bitmap::write(edges)?, *complete)));
        Ok(Self { names: bitmap::write(names)?, edges: edges.transpose()? })
    }

    /// Of an entry with this content.
    fn hash(&self, content: &str) -> Fingerprint {
        let (edges, complete) = match &self.edges {
            Some((edges, complete)) => (edges.as_slice(), [1 + u8::from(*complete)]),
            None => (&[][..], [0]),
        };
        fingerprint([stated(content).as_bytes(), &self.names, edges, &complete])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
