//! What could not be understood: whom it may be, and what is kept because of it.

use jiff::Timestamp;

use super::Intake;
use crate::directory::{Anchor, Dn, Reference};
use crate::store::StoreError;
use crate::store::snapshot::{Fingerprint, Known, Presence, PresenceByte, UnreadableEntry, Version};
use crate::sync::import::nameless::Nameless;
use crate::text;

/// So many bytes of what an entry is called are shown.
const LONGEST: usize = 1024;

/// What an entry is called where it is named: a directory may give it a name of any length.
fn shown(what: String) -> String {
    if what.len() <= LONGEST {
        return what;
    }
    format!("{} ({} bytes)", text::clean_within(&what, LONGEST), what.len())
}

impl Intake {
    pub(super) fn unreadable(
        &mut self,
        anchor: Option<&Anchor>,
        what: String,
        why: String,
    ) -> Result<(), StoreError> {
        let known = match anchor {
            Some(anchor) => self.importing.known(anchor)?,
            None => None,
        };
        // Whoever it is, the one who had this name last is not missing.
        let dn = Dn::parse(&what).ok();
        let what = shown(what);
        // A record may show several ids.
        let is_further = self.unknown.is_further(anchor, &what, &why);
        self.unreadable += u64::from(!is_further);
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
                self.note_copy(known_as, &what);
                self.unknown.is_of_known(known_as, &what, &why, is_further);
                // What came of it before stands.
                self.write_told_of(row)?;
                self.damaged.insert(row.0, what);
                let is_first = self.seen.insert(row.0);
                let presence = Presence::Unreadable(why);
                let is_news = match known.presence {
                    // The reason may be another one, or stand at another line.
                    PresenceByte::Unreadable => {
                        is_first && self.importing.presence(row)?.as_ref() != Some(&presence)
                    }
                    _ => true,
                };
                if is_news {
                    self.importing.note(Known { presence: PresenceByte::Unreadable, ..known });
                    self.written.insert(row.0);
                    self.pending.push(Version::Presence { row, presence });
                }
            }
            _ if is_further => self.unknown.add_further(anchor, &what),
            _ => {
                self.unknown.add(UnreadableEntry { what, why, anchor: anchor.cloned(), since });
            }
        }
        Ok(())
    }

    /// Whom an entry that could not be understood may be, as it shows no id.
    pub(super) fn without_id(&mut self, name: Option<u32>, came: Option<Timestamp>) {
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
    pub(super) fn with_id(
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

    /// Whoever is missing since this came first may have stood there. One more of the same is another. Since when it comes.
    pub(super) fn gap(&mut self, mut record: String) -> Option<Timestamp> {
        let alike = self.alike.entry(record.clone()).or_default();
        *alike += 1;
        if *alike > 1 {
            record = format!("{record}, the {alike}th");
        }
        let since = self.unknown.heard_of(None, Some(&record));
        self.nameless = self.nameless.max(Nameless::since(since));
        self.unknown.remember(None, &record, since);
        since
    }

    /// Whoever is missing since this came first may be it.
    pub(super) fn stray(&mut self, record: String, what: String, why: String) {
        self.unreadable += 1;
        let since = self.gap(record);
        let what = shown(what);
        self.unknown.heard_of(None, Some(&what));
        self.unknown.add(UnreadableEntry { what, why, anchor: None, since });
    }

    /// Whoever is missing and was called so may be it.
    pub(super) fn anonymous(&mut self, dn: &str) -> Result<(), StoreError> {
        if let Ok(dn) = Dn::parse(dn) {
            self.anonymous.extend(self.importing.name(&Reference::Dn(dn))?);
        }
        Ok(())
    }
}
