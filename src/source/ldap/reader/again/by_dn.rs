//! Reads members again where lists name them by DN.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::{Concerned, Reader};
use crate::directory::{Anchor, Dn, EntryKind, Reference};
use crate::source::SourceError;
use crate::source::ldap::back_link::{self, List, Shows};
use crate::source::ldap::feeds::Feeds;
use crate::source::ldap::fetch::{self, Named};
use crate::source::ldap::filter::among;
use crate::source::ldap::output::MANY;
use crate::source::ldap::reader::entries::tell;
use crate::source::ldap::reader::renamed::MOMENT;
use crate::source::ldap::wire::filter::escape;

impl<D: Feeds> Reader<'_, D> {
    pub(super) async fn read_again_by_dn(
        &mut self,
        asked: BTreeSet<Anchor>,
        deleted: &BTreeSet<Anchor>,
        after_all: bool,
    ) -> Result<bool, SourceError> {
        let lists = self.untold.links.lists();
        let concerned = self.concerned(asked, &lists, deleted, (after_all, true)).await?;
        let Some(Concerned { members, came, called }) = concerned else { return Ok(false) };
        self.read_users(&came.into_iter().collect::<Vec<_>>()).await?;
        let are_called: BTreeSet<&Dn> = lists.iter().filter_map(|list| list.dn.as_ref()).collect();
        let were_called = called.values().filter_map(|dn| Dn::parse(dn).ok());
        let gone: BTreeSet<Dn> = were_called.filter(|dn| !are_called.contains(dn)).collect();
        // A server that computes this itself does so a moment after the list was changed.
        let began = Instant::now();
        let (mut open, mut came) = (members, BTreeSet::new());
        loop {
            let (mut later, mut more) = (BTreeSet::new(), false);
            for list in &lists {
                let Some(shown) = self.read_new(list, &mut came).await? else { return Ok(false) };
                more |= shown == Shows::More;
            }
            for reference in open {
                let Reference::Dn(dn) = &reference else { continue };
                match self.read_one(dn, (&lists, &gone)).await? {
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
    ) -> Result<Option<Shows>, SourceError> {
        let (Some(group), Some(members)) = (&list.dn, &list.members) else { return Ok(None) };
        let (mut shows, mut there) = (Shows::TheSame, Vec::new());
        let named = format!("({}={})", back_link::FOLLOWED, escape(group.as_str()));
        let filter = among(Some(&named), self.session.users());
        for found in self.session.find_read(&filter).await? {
            if !Dn::parse(&found.dn).is_ok_and(|dn| members.contains(&Reference::Dn(dn))) {
                shows = Shows::More;
            }
            there.extend(found.anchors);
        }
        let before = self.output.sink.values(back_link::FOLLOWED, there.clone()).await;
        let Some(before) = before else { return Ok(None) };
        let were = |one: &Anchor| before.get(one).is_some_and(|values| back_link::names(values, group));
        there.retain(|one| !were(one) && came.insert(one.clone()));
        if there.len() > MANY {
            return Ok(None);
        }
        self.read_users(&there).await?;
        Ok(Some(shows))
    }

    /// Reads the user of this DN, if there is one; how what they show stands to the lists.
    async fn read_one(
        &mut self,
        dn: &Dn,
        (lists, gone): (&[List], &BTreeSet<Dn>),
    ) -> Result<Option<Shows>, SourceError> {
        if !self.session.bases.iter().any(|base| Dn::parse(base).is_ok_and(|base| dn.is_within(&base))) {
            return Ok(None);
        }
        let attributes = self.session.dialect.attributes(EntryKind::User);
        match self.at(dn, self.session.users().to_owned(), attributes).await? {
            Named::Entry(raw) => {
                self.untold.note(EntryKind::User, &raw.attributes);
                let anchors = self.session.asking.ids(&raw).into_iter();
                self.there.extend(anchors.map(|anchor| (anchor, raw.dn.clone())));
                let shows = back_link::shows(dn, &raw.attributes, lists, gone);
                let to = (&mut self.output, &mut self.untold);
                tell(
                    (&self.session.dialect, &self.session.asking),
                    to,
                    &self.primaries,
                    (&raw, EntryKind::User),
                    None,
                )
                .await?;
                Ok(Some(shows))
            }
            Named::Doubtful => {
                self.output.unintelligible(format!("an entry below {dn}")).await?;
                Ok(None)
            }
            // Not there, or not to be seen: it is not what was read before.
            Named::Nothing | Named::NoSuchObject | Named::Refused(_) => Ok(None),
        }
    }

    async fn is_group(&mut self, dn: &Dn) -> Result<bool, SourceError> {
        let found = self.at(dn, self.session.groups().to_owned(), vec!["1.1".to_owned()]).await?;
        Ok(matches!(found, Named::Entry(_)))
    }

    /// What is under this DN, if it matches.
    async fn at(&mut self, dn: &Dn, filter: String, attributes: Vec<String>) -> Result<Named, SourceError> {
        let query = self.session.query(dn.as_str().to_owned(), filter, attributes);
        fetch::named(&mut self.session.connection, query, self.output.came).await
    }
}
