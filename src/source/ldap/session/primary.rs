//! Primary groups if not all accounts were read.

use std::collections::HashSet;

use super::Session;
use crate::directory::{Change, Reference};
use crate::source::SourceError;
use crate::source::ldap::filter::among;
use crate::source::ldap::read::LdapRead;
use crate::source::ldap::search::{Query, Search, SearchItem};
use crate::source::schema;
use crate::source::schema::posix::{self, Primaries};

/// What tells whether an account shows its primary group.
const OF_ACCOUNT: &[&str] = &["objectClass", "gidNumber", "uid", "objectGUID", "userAccountControl"];

impl Session {
    /// Asks for those whose primary group one of these groups is.
    pub(super) async fn ask_primaries(&mut self, groups: &str, came: u64) -> Result<Primaries, SourceError> {
        let numbers = self.numbers(groups, came).await?;
        let mut primaries = Primaries::of(numbers.clone());
        if numbers.is_empty() {
            return Ok(primaries);
        }
        for number in &numbers {
            let filter = among(Some(&format!("(gidNumber={number})")), self.users());
            for base in self.bases.clone() {
                let query = self.query(base, filter.clone());
                let mut search = Search::new(&mut self.connection, query);
                while let Some(found) = search.next(came).await? {
                    match found {
                        SearchItem::Entry(raw) if posix::is_hidden(&raw.attributes) => primaries.hide(),
                        SearchItem::Entry(raw) => primaries.note(&raw.dn, &raw.attributes),
                        SearchItem::Unintelligible(_) => primaries.hide(),
                        SearchItem::Reference(_) => {}
                    }
                }
            }
        }
        if self.is_a_primary_group_hidden(came).await? {
            primaries.hide();
        }
        Ok(primaries)
    }

    /// The numbers of these groups.
    async fn numbers(&mut self, groups: &str, came: u64) -> Result<HashSet<String>, SourceError> {
        let filter = among(Some(groups), self.groups());
        let mut numbers = HashSet::new();
        for base in self.bases.clone() {
            let attributes = vec!["gidNumber".to_owned()];
            let query = Query { attributes, ..self.query(base, filter.clone()) };
            let mut search = Search::new(&mut self.connection, query);
            while let Some(found) = search.next(came).await? {
                if let SearchItem::Entry(raw) = found {
                    numbers.extend(posix::number(&raw.attributes));
                }
            }
        }
        Ok(numbers)
    }

    /// Whether anybody does not show theirs: a search by the number need not find them. It is asked once in a read.
    async fn is_a_primary_group_hidden(&mut self, came: u64) -> Result<bool, SourceError> {
        if let Some(hidden) = self.hides_primary_group {
            return Ok(hidden);
        }
        let mut hidden = false;
        for base in self.bases.clone() {
            let attributes = OF_ACCOUNT.iter().map(|name| (*name).to_owned()).collect();
            let query = Query { attributes, ..self.query(base, self.users().to_owned()) };
            let mut search = Search::new(&mut self.connection, query);
            while !hidden && let Some(found) = search.next(came).await? {
                hidden = match found {
                    SearchItem::Entry(raw) => posix::is_hidden(&raw.attributes),
                    SearchItem::Unintelligible(_) => true,
                    SearchItem::Reference(_) => false,
                };
            }
        }
        self.hides_primary_group = Some(hidden);
        Ok(hidden)
    }

    /// Reports the primary groups of the accounts that were read; groups that were read themselves already contain
    /// them.
    pub(super) async fn tell_primaries(&mut self, reading: &mut LdapRead) -> Result<(), SourceError> {
        let primaries = std::mem::take(&mut self.primaries);
        for (number, whose) in primaries.numbers() {
            let filter = among(Some(&format!("(gidNumber={number})")), self.groups());
            for base in self.bases.clone() {
                let query = self.query(base, filter.clone());
                let mut groups = Vec::new();
                let mut search = Search::new(&mut self.connection, query);
                while let Some(found) = search.next(reading.came).await? {
                    if let SearchItem::Entry(raw) = found {
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
