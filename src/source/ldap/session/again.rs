//! Reads entries again whose computed attributes changed because the list of a group changed.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::{MOMENT, Session};
use crate::directory::{Anchor, Dn, EntryKind, Reference};
use crate::source::ldap::back_link::{self, List, Shows};
use crate::source::ldap::feed::Changes;
use crate::source::ldap::fetch;
use crate::source::ldap::filter::{among, any_of};
use crate::source::ldap::look_up::{self, NO_SUCH_OBJECT};
use crate::source::ldap::read::{LdapRead, MANY};
use crate::source::ldap::search::{Query, Search, SearchItem};
use crate::source::ldap::wire::Scope;
use crate::source::ldap::wire::filter::escape;
use crate::source::{Reason, SourceError, schema};

impl Session {
    /// Reads who entered or left the lists that came, or was in one that was deleted. `others` are entries that changed and are
    /// not read. False if it cannot be known who that is, or they are too many.
    pub(super) async fn read_again(
        &mut self,
        changes: &Changes,
        others: &[String],
        after_all: bool,
        reading: &mut LdapRead,
    ) -> Result<bool, SourceError> {
        // Nobody was in a group that is not read; if somebody is now, it is such a one.
        for some in others.chunks(look_up::AT_ONCE) {
            let named = any_of(back_link::FOLLOWED, some);
            if self.is_anybody(&among(Some(&named), &self.either())).await? {
                return Ok(false);
            }
        }
        let deleted: BTreeSet<Anchor> =
            changes.deleted.iter().filter(|one| !self.there.contains_key(*one)).cloned().collect();
        let concerned = changes.touched.iter().chain(&deleted).chain(self.there.keys());
        let concerned: BTreeSet<Anchor> = concerned.cloned().collect();
        let Some(before) = reading.sink.members(concerned.into_iter().collect()).await else {
            return Ok(false);
        };
        // One that is there and is no longer read keeps its members.
        if before.keys().any(|group| !deleted.contains(group) && !self.there.contains_key(group)) {
            return Ok(false);
        }
        let called = reading.sink.called(before.keys().cloned().collect()).await;
        let lists = self.untold.links.lists();
        let Some(again) = back_link::read_again((&before, &called), &lists, &deleted, after_all) else {
            return Ok(false);
        };
        if again.len() > back_link::AT_MOST {
            self.connection.skipped.push(back_link::too_many(again.len()));
            return Ok(false);
        }
        let came = self.there.keys().cloned().collect();
        let Some(came) = reading.came_before_lists(came, &called, &lists, after_all).await else {
            return Ok(false);
        };
        let came: Vec<Anchor> = came.into_iter().collect();
        for some in came.chunks(look_up::AT_ONCE) {
            let ids = look_up::filter(&self.schema.anchor, some);
            self.entries(EntryKind::User, Some(&ids), reading).await?;
        }
        let are_called: BTreeSet<&Dn> = lists.iter().filter_map(|list| list.dn.as_ref()).collect();
        let were_called = called.values().filter_map(|dn| Dn::parse(dn).ok());
        let gone: BTreeSet<Dn> = were_called.filter(|dn| !are_called.contains(dn)).collect();
        // A server that sees to that itself does so a moment after the list was changed.
        let began = Instant::now();
        let (mut open, mut came) = (again, BTreeSet::new());
        loop {
            let (mut later, mut more) = (BTreeSet::new(), false);
            for list in &lists {
                let Some(shown) = self.read_new(list, &mut came, reading).await? else { return Ok(false) };
                more |= shown == Shows::More;
            }
            for reference in open {
                let Reference::Dn(dn) = &reference else { continue };
                match self.read_one(dn, (&lists, &gone), reading).await? {
                    Some(Shows::TheSame) => {}
                    Some(shows) => {
                        more |= shows == Shows::More;
                        later.insert(reference);
                    }
                    // Who is in a group that is in a group may be said to be in both.
                    None if self.is_group(dn).await? => return Ok(false),
                    None => {}
                }
            }
            if (later.is_empty() && !more) || began.elapsed() > MOMENT {
                return Ok(!more && self.are_read().await?);
            }
            open = later;
            tokio::time::sleep(MOMENT / 20).await;
        }
    }

    /// Reads those who are in the group by what the server says of them, and were not by what it said before: a list may have
    /// named them already, before they were there. Says whether somebody is whom the list does not name; `None` if that
    /// cannot be known.
    async fn read_new(
        &mut self,
        list: &List,
        came: &mut BTreeSet<Anchor>,
        reading: &mut LdapRead,
    ) -> Result<Option<Shows>, SourceError> {
        let (Some(group), Some(members)) = (&list.dn, &list.members) else { return Ok(None) };
        let (mut shows, mut there) = (Shows::TheSame, Vec::new());
        let named = format!("({}={})", back_link::FOLLOWED, escape(group.as_str()));
        for base in self.bases.clone() {
            let attributes = vec![self.schema.anchor.clone()];
            let query = Query { attributes, ..self.query(base, among(Some(&named), self.users())) };
            let mut search = Search::new(&mut self.connection, query);
            while let Some(found) = search.next(reading.came).await? {
                let SearchItem::Entry(entry) = found else { continue };
                let is_listed = |dn| members.contains(&Reference::Dn(dn));
                if !Dn::parse(&entry.dn).is_ok_and(is_listed) {
                    shows = Shows::More;
                }
                let id = &self.schema.anchor;
                let values = entry.attributes.values(id);
                there.extend(values.filter_map(|value| schema::anchor(id, value)));
            }
        }
        let Some(before) = reading.sink.values(back_link::FOLLOWED, there.clone()).await else {
            return Ok(None);
        };
        let were = |one: &Anchor| before.get(one).is_some_and(|values| back_link::names(values, group));
        there.retain(|one| !were(one) && came.insert(one.clone()));
        if there.len() > MANY {
            return Ok(None);
        }
        for some in there.chunks(look_up::AT_ONCE) {
            let ids = look_up::filter(&self.schema.anchor, some);
            self.entries(EntryKind::User, Some(&ids), reading).await?;
        }
        Ok(Some(shows))
    }

    /// Reads the user of this name, if there is one; how what they show stands to the lists.
    async fn read_one(
        &mut self,
        dn: &Dn,
        (lists, gone): (&[List], &BTreeSet<Dn>),
        reading: &mut LdapRead,
    ) -> Result<Option<Shows>, SourceError> {
        if !self.bases.iter().any(|base| Dn::parse(base).is_ok_and(|base| dn.is_within(&base))) {
            return Ok(None);
        }
        let query = self.query(dn.as_str().to_owned(), self.users().to_owned());
        let query = Query { base_only: true, page_size: None, ..query };
        let mut search = Search::new(&mut self.connection, query);
        let mut came = None;
        loop {
            match search.next(reading.came).await {
                Ok(Some(SearchItem::Entry(entry))) => {
                    self.untold.note(EntryKind::User, &entry.attributes);
                    let id = &self.schema.anchor;
                    let values = entry.attributes.values(id);
                    let ids = values.filter_map(|value| schema::anchor(id, value));
                    self.there.extend(ids.map(|id| (id, entry.dn.clone())));
                    came = Some(back_link::shows(dn, &entry.attributes, lists, gone));
                    let links = &mut self.untold.links;
                    reading.entry(&self.schema, EntryKind::User, entry, &self.primaries, links).await?;
                }
                Ok(Some(SearchItem::Unintelligible(what))) => reading.unintelligible(what).await?,
                Ok(Some(SearchItem::Reference(_))) => {}
                Ok(None) => return Ok(came),
                // Not there, or not to be seen: it is not what was read before.
                Err(_) if search.code == Some(NO_SUCH_OBJECT) => return Ok(came),
                Err(error) if matches!(error.reason, Reason::NotFound | Reason::AccessDenied) => {
                    return Ok(came);
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn is_group(&mut self, dn: &Dn) -> Result<bool, SourceError> {
        let groups = self.groups().to_owned();
        match fetch::one(&mut self.connection, dn.as_str(), &groups, Scope::Base, &["1.1"]).await {
            Ok(found) => Ok(found.is_some()),
            Err(error) if matches!(error.reason, Reason::NotFound | Reason::AccessDenied) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the groups that were named are among those that are read; notes which are not.
    async fn are_read(&mut self) -> Result<bool, SourceError> {
        let mut not_seen = self.untold.links.not_seen();
        let named: Vec<Dn> = not_seen.iter().cloned().collect();
        for some in named.chunks(look_up::AT_ONCE) {
            let dns = any_of("entryDN", some);
            let only = format!("(&{dns}(|(member=*)(uniqueMember=*)))");
            for base in self.bases.clone() {
                let query = Query {
                    attributes: vec!["1.1".to_owned()],
                    ..self.query(base, among(Some(&only), self.groups()))
                };
                let mut search = Search::new(&mut self.connection, query);
                while let Some(found) = search.next(0).await? {
                    if let SearchItem::Entry(raw) = found
                        && let Ok(dn) = Dn::parse(&raw.dn)
                    {
                        not_seen.remove(&dn);
                    }
                }
            }
        }
        Ok(not_seen.is_empty())
    }
}
