//! Whose primary group is which, where not everybody came.

use super::{Search, Session};
use crate::directory::{Change, Reference};
use crate::source::SourceError;
use crate::source::ldap::decode::Raw;
use crate::source::ldap::search::Found;
use crate::source::ldap::{Reading, among};
use crate::source::schema;
use crate::source::schema::posix::{self, Primaries};

impl Session {
    /// Asks for those whose primary group this is.
    pub(super) async fn ask_primaries(&mut self, group: &Raw, came: u64) -> Result<Primaries, SourceError> {
        let mut primaries = Primaries::default();
        let Some(number) = posix::number(&group.attributes) else { return Ok(primaries) };
        let filter = among(Some(&format!("(gidNumber={number})")), self.users());
        for base in self.bases.clone() {
            let query = self.query(base, filter.clone());
            let mut search = Search::new(&mut self.connection, query);
            while let Some(found) = search.next(came).await? {
                if let Found::Entry(raw) = found {
                    primaries.note(&raw.dn, &raw.attributes);
                }
            }
        }
        Ok(primaries)
    }

    /// Tells the groups of those who came whose primary one they are; groups that came themselves know it.
    pub(super) async fn tell_primaries(&mut self, reading: &mut Reading) -> Result<(), SourceError> {
        let primaries = std::mem::take(&mut self.primaries);
        for (number, whose) in primaries.numbers() {
            let filter = among(Some(&format!("(gidNumber={number})")), self.groups());
            for base in self.bases.clone() {
                let query = self.query(base, filter.clone());
                let mut groups = Vec::new();
                let mut search = Search::new(&mut self.connection, query);
                while let Some(found) = search.next(reading.came).await? {
                    if let Found::Entry(raw) = found {
                        let id = &self.schema.anchor;
                        groups
                            .extend(raw.attributes.values(id).filter_map(|value| schema::anchor(id, value)));
                    }
                }
                for group in groups.into_iter().filter(|group| !self.there.contains_key(group)) {
                    let added = whose.iter().cloned().map(Reference::Dn).collect();
                    reading.change(Change::MembersAdded { group, added }).await?;
                }
            }
        }
        Ok(())
    }
}
