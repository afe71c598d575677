//! Primary groups where not all accounts were read.

use std::collections::HashSet;

use super::Reader;
use crate::directory::{Change, Reference};
use crate::source::SourceError;
use crate::source::ldap::dialect::Dialect;
use crate::source::ldap::filter::{among, in_brackets};
use crate::source::ldap::search::{Search, SearchItem};
use crate::source::schema::primary::PrimaryGroups;

impl<D: Dialect> Reader<'_, D> {
    /// Asks for those whose primary group one of these groups is.
    pub(super) async fn ask_primaries(&mut self, groups: &str) -> Result<D::Primaries, SourceError> {
        let numbers = self.numbers(groups).await?;
        let mut primaries = D::Primaries::asked(numbers.clone());
        if numbers.is_empty() {
            return Ok(primaries);
        }
        let mut any = false;
        for number in &numbers {
            let filter = among(Some(&D::Primaries::accounts_of(number)), self.session.users());
            any |= self.note_accounts(&filter, &mut primaries).await?;
        }
        if self.is_a_primary_group_hidden(any).await? {
            primaries.hide();
        }
        Ok(primaries)
    }

    /// The numbers of these groups.
    async fn numbers(&mut self, groups: &str) -> Result<HashSet<String>, SourceError> {
        let filter = among(Some(groups), self.session.groups());
        let mut numbers = HashSet::new();
        for base in self.session.bases.clone() {
            let attributes = vec![D::Primaries::NUMBER.to_owned()];
            let query = self.session.query(base, filter.clone(), attributes);
            let mut search = Search::new(&mut self.session.connection, query);
            while let Some(found) = search.next(self.output.came).await? {
                if let SearchItem::Entry(raw) = found {
                    numbers.extend(D::Primaries::number(&raw.attributes));
                }
            }
        }
        Ok(numbers)
    }

    /// Records the primary groups of the accounts that match. Returns whether there are any.
    async fn note_accounts(
        &mut self,
        filter: &str,
        primaries: &mut D::Primaries,
    ) -> Result<bool, SourceError> {
        let mut any = false;
        for base in self.session.bases.clone() {
            let query = self.session.query(base, filter.to_owned(), of_account::<D>());
            let mut search = Search::new(&mut self.session.connection, query);
            while let Some(found) = search.next(self.output.came).await? {
                match found {
                    SearchItem::Entry(raw)
                        if self.session.asking.leaves_out(self.session.asking.dn(&raw)) => {}
                    SearchItem::Entry(raw) if D::Primaries::is_hidden(&raw.attributes) => primaries.hide(),
                    SearchItem::Entry(raw) => {
                        any = true;
                        primaries.note(&raw.dn, &raw.attributes);
                    }
                    SearchItem::Unintelligible(_) => primaries.hide(),
                    SearchItem::Reference(_) => {}
                }
            }
        }
        Ok(any)
    }

    /// Whether anybody hides theirs: a search by the number of a group need not find them. It is asked once in a read. `any`
    /// says whether such a search found somebody.
    async fn is_a_primary_group_hidden(&mut self, any: bool) -> Result<bool, SourceError> {
        if let Some(hidden) = self.hides_primary_group {
            return Ok(hidden);
        }
        let users = in_brackets(self.session.users());
        let Some(filter) = D::Primaries::who_hides(any, &users) else { return Ok(false) };
        let mut hidden = false;
        'all: for base in self.session.bases.clone() {
            let query = self.session.query(base, filter.clone(), of_account::<D>());
            let mut search = Search::new(&mut self.session.connection, query);
            while let Some(found) = search.next(self.output.came).await? {
                let raw = match found {
                    SearchItem::Entry(raw) => raw,
                    SearchItem::Unintelligible(_) => {
                        hidden = true;
                        continue;
                    }
                    SearchItem::Reference(_) => continue,
                };
                let asking = &self.session.asking;
                if asking.leaves_out(asking.dn(&raw)) || !D::Primaries::is_hidden(&raw.attributes) {
                    continue;
                }
                hidden = true;
                let Some(why) = D::Primaries::HIDDEN else { break 'all };
                for anchor in asking.ids(&raw) {
                    let (what, why) = (asking.dn(&raw).to_owned(), why.to_owned());
                    self.output.change(Change::Unreadable { anchor: Some(anchor), what, why }).await?;
                }
            }
        }
        self.hides_primary_group = Some(hidden);
        Ok(hidden)
    }

    /// Reports the primary groups of the accounts that were read; groups that were read themselves already contain
    /// them.
    pub(super) async fn tell_primaries(&mut self) -> Result<(), SourceError> {
        for (filter, whose) in std::mem::take(&mut self.primaries).groups() {
            let filter = among(Some(&filter), self.session.groups());
            let found = self.session.find_read(&filter).await?;
            let groups = found.into_iter().flat_map(|found| found.anchors);
            for group in groups.filter(|group| !self.there.contains_key(group)).collect::<Vec<_>>() {
                let added: Vec<Reference> = whose.clone();
                let removed = Vec::new();
                self.output.change(Change::MembersDelta { group, added, removed }).await?;
            }
        }
        Ok(())
    }
}

fn of_account<D: Dialect>() -> Vec<String> {
    D::Primaries::OF_ACCOUNT.iter().map(|name| (*name).to_owned()).collect()
}
