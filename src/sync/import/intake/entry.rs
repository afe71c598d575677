//! What is read of entries: compared with what is known, and written if it differs.

use roaring::RoaringBitmap;

use super::Intake;
use crate::directory::{Entry, EntryKind, Members, Patch, fields};
use crate::store::StoreError;
use crate::store::snapshot::{Fingerprint, Known, Last, PresenceByte, RowId, Version, content};
use crate::sync::import::double::Double;
use crate::sync::import::renamed::Renamed;
use crate::sync::import::stored::Stored;

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

impl Intake {
    pub(super) fn replace(&mut self, entry: &Entry) -> Result<(), StoreError> {
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
        self.note_kind(row, entry.kind);
        if self.doubles.get(&row).is_some_and(Double::is_of_many) {
            // All that came of it is taken back.
            return Ok(());
        }
        self.note_copied(row, known, entry)?;
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

    fn note_kind(&mut self, row: RowId, is: EntryKind) {
        let kinds = [EntryKind::User, EntryKind::Group, EntryKind::Contact];
        for (kind, rows) in kinds.into_iter().zip(&mut self.kinds) {
            if kind == is {
                rows.insert(row.0);
            } else {
                rows.remove(row.0);
            }
        }
    }

    /// Takes what was told of an entry that is there for what changed of it. Of one that is new, or is back, it is all, if that is
    /// enough; of one that could not be understood nobody knows what else changed since.
    pub(super) fn patch(&mut self, patch: Patch) -> Result<(), StoreError> {
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

    /// Who is known and comes as they were is there; as another one they may only have come in part.
    pub(super) fn unproven(&mut self, entry: &Entry, sure: bool, why: String) -> Result<(), StoreError> {
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

    /// What is wrong with an entry is looked for where it stands now. Of what it states nothing changed.
    pub(super) fn stands_elsewhere(
        &mut self,
        row: RowId,
        hash: Fingerprint,
        content: String,
    ) -> Result<(), StoreError> {
        self.flush_of(row)?;
        let Some(last) = self.importing.last(row)?.filter(|last| last.content != content) else {
            return Ok(());
        };
        self.untold.insert(row.0);
        self.written.insert(row.0);
        self.write(row, hash, Last { content, ..last })
    }

    /// Whether an account was disabled, or was to expire, when it was read last.
    pub(super) fn was_disabled(&mut self, row: RowId) -> Result<bool, StoreError> {
        self.flush_of(row)?;
        let last = self.importing.last(row)?;
        let was = last.and_then(|last| serde_json::from_str::<Entry>(&last.content).ok());
        Ok(was.is_some_and(|was| was.disabled == Some(true) || was.expires.is_some()))
    }

    /// Writes what is known of an entry with another list.
    pub(super) fn write_again(&mut self, row: RowId, now: Last) -> Result<(), StoreError> {
        let hash = Stored::new(&now.names, now.edges.as_ref())?.hash(&now.content);
        self.write(row, hash, now)
    }

    /// Writes an entry that is there; the hash is of what it states, by whatever numbers lists mean it.
    pub(super) fn write(&mut self, row: RowId, hash: Fingerprint, now: Last) -> Result<(), StoreError> {
        let Stored { names, edges } = Stored::new(&now.names, now.edges.as_ref())?;
        self.importing.note(Known { row, hash, presence: PresenceByte::Present });
        self.pending.push(Version::Whole { row, hash, content: now.content, names, edges });
        Ok(())
    }
}
