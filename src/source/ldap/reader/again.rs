//! Reads entries again whose computed attributes changed because the list of a group changed.

use std::collections::{BTreeSet, HashMap};

use super::Reader;
use crate::directory::{Anchor, Dn, Reference};
use crate::source::SourceError;
use crate::source::ldap::ask::AT_ONCE;
use crate::source::ldap::back_link::{self, List};
use crate::source::ldap::dialect::MembersBy;
use crate::source::ldap::feed::Changes;
use crate::source::ldap::feeds::Feeds;
use crate::source::ldap::filter::{among, any_of};

mod by_dn;
mod by_id;

/// Whose computed attributes may have changed.
struct Concerned {
    /// Those who entered or left a list.
    members: BTreeSet<Reference>,
    /// Those who came before the lists did.
    came: BTreeSet<Anchor>,
    /// What the groups were called before.
    called: HashMap<Anchor, String>,
}

impl<D: Feeds> Reader<'_, D> {
    /// Reads who entered or left the lists that came, or was in one that was deleted. `others` are entries that changed and are
    /// not read. False if it cannot be known who that is, or they are too many.
    pub(super) async fn read_again(
        &mut self,
        changes: &Changes,
        others: &[String],
        after_all: bool,
    ) -> Result<bool, SourceError> {
        if D::hides_deletions(self.session).await? {
            return Ok(false);
        }
        // Nobody was in a group that is not read; if somebody is now, it is such a one.
        let either = self.session.either();
        for some in others.chunks(AT_ONCE) {
            let named = among(Some(&any_of(back_link::FOLLOWED, some)), &either);
            if self.session.is_anybody(&named).await? {
                return Ok(false);
            }
        }
        let deleted: BTreeSet<Anchor> =
            changes.deleted.iter().filter(|one| !self.there.contains_key(*one)).cloned().collect();
        let asked = changes.touched.iter().chain(&deleted).chain(self.there.keys()).cloned().collect();
        match D::MEMBERS {
            MembersBy::Dn => self.read_again_by_dn(asked, &deleted, after_all).await,
            MembersBy::Id => self.read_again_by_id(asked, deleted, after_all).await,
        }
    }

    /// Whom these lists concern, and the deletion of these entries; `None` if that cannot be known, or they are too many. Those
    /// who came before the lists are told only if `first`.
    async fn concerned(
        &mut self,
        asked: BTreeSet<Anchor>,
        lists: &[List],
        deleted: &BTreeSet<Anchor>,
        (after_all, first): (bool, bool),
    ) -> Result<Option<Concerned>, SourceError> {
        let sink = self.output.sink.clone();
        let Some(before) = sink.members(asked.into_iter().collect()).await else { return Ok(None) };
        // One that is there and is no longer read keeps its members.
        if before.keys().any(|group| !deleted.contains(group) && !self.there.contains_key(group)) {
            return Ok(None);
        }
        let called = sink.called(before.keys().cloned().collect()).await;
        let Some(members) = back_link::read_again((&before, &called), lists, deleted, after_all) else {
            return Ok(None);
        };
        if members.len() > back_link::AT_MOST {
            self.notices.push(back_link::too_many(members.len()));
            return Ok(None);
        }
        let came = if first {
            let came = self.there.keys().cloned().collect();
            self.output.came_before_lists(came, &called, lists, after_all).await
        } else {
            Some(BTreeSet::new())
        };
        Ok(came.map(|came| Concerned { members, came, called }))
    }

    /// Whether the groups that were named are among those that are read; notes which are not.
    async fn are_read(&mut self) -> Result<bool, SourceError> {
        let mut not_seen = self.untold.links.not_seen();
        let named: Vec<Dn> = not_seen.iter().cloned().collect();
        let has_members: Vec<String> = D::LISTS.iter().map(|name| format!("({name}=*)")).collect();
        for some in named.chunks(AT_ONCE) {
            let only = format!("(&{}(|{}))", any_of(D::DN, some), has_members.concat());
            let filter = among(Some(&only), self.session.groups());
            for found in self.session.find_read(&filter).await? {
                if let Ok(dn) = Dn::parse(&found.dn) {
                    not_seen.remove(&dn);
                }
            }
        }
        Ok(not_seen.is_empty())
    }
}
