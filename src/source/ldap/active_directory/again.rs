//! Reads entries again whose computed attributes changed because the list of a group changed.

use std::collections::{BTreeSet, HashMap};

use super::session::Session;
use crate::directory::{Anchor, Dn, Reference};
use crate::source::ldap::back_link::{self, List};
use crate::source::ldap::base::only_context;
use crate::source::ldap::feed::Changes;
use crate::source::ldap::filter::{among, any_of, either};
use crate::source::ldap::read::LdapRead;
use crate::source::ldap::wire::Scope;
use crate::source::ldap::{fetch, look_up};
use crate::source::schema::active_directory::primary::Primaries;
use crate::source::{Reason, SourceError};

/// Groups are read again too: so often at most.
const ROUNDS: usize = 5;

impl Session {
    /// Why back links cannot be followed, if so: no feed tells of groups of other domains, nor of deleted ones without that
    /// right.
    pub(super) async fn no_back_links(&mut self, context: &str) -> Result<Option<String>, SourceError> {
        let begin = "policies use memberof, and";
        if !self.sees_deleted(context).await? {
            return Ok(Some(format!(
                "{begin} the account sees no deleted groups (or none was ever deleted), so everything is read each \
                 time; allow it to list and read them: dsacls \"CN=Deleted Objects,{context}\" /takeOwnership, then \
                 dsacls \"CN=Deleted \
                 Objects,{context}\" /G \"{}:LCRP\"",
                self.account()
            )));
        }
        let is_catalog = self.facts.has("isglobalcatalogready", "TRUE");
        let Some(configuration) = self.facts.text("configurationnamingcontext").filter(|_| is_catalog) else {
            return Ok(None);
        };
        let (place, domains) = (format!("CN=Partitions,{configuration}"), "(nETBIOSName=*)");
        let found =
            fetch::some(&mut self.connection, &[], (&place, Scope::Subtree), domains, &["1.1"], 2).await;
        let is_only = match found {
            Ok(found) => found.len() < 2,
            Err(error) if matches!(error.reason, Reason::AccessDenied | Reason::NotFound) => false,
            Err(error) => return Err(error),
        };
        Ok((!is_only).then(|| {
            format!(
                "{begin} the domain controller is a global catalog of several domains, so memberOf may name groups of \
                 each, and a feed covers one: so everything is read each time"
            )
        }))
    }

    /// Reads who entered or left the lists that came, or was in one that was deleted. `others` are entries that changed and are
    /// not read. False if it cannot be known who that is, or they are too many.
    pub(super) async fn read_again(
        &mut self,
        changes: &Changes,
        others: &[String],
        after_all: bool,
        reading: &mut LdapRead,
        own: &mut Primaries,
    ) -> Result<bool, SourceError> {
        let Some(context) = only_context(&self.bases, &self.facts) else { return Ok(false) };
        if !self.sees_deleted(&context).await? {
            return Ok(false);
        }
        // Nobody was in a group that is not read; if somebody is now, it is such a one.
        let either = either(self.user_filter(), self.group_filter());
        for some in others.chunks(look_up::AT_ONCE) {
            let named = among(Some(&any_of(back_link::FOLLOWED, some)), &either);
            if !self.anchors(self.bases.clone(), named, &self.excluded.clone()).await?.is_empty() {
                return Ok(false);
            }
        }
        let mut deleted: BTreeSet<Anchor> =
            changes.deleted.iter().filter(|one| !self.there.contains(*one)).cloned().collect();
        let mut concerned: BTreeSet<Anchor> = changes.touched.union(&deleted).cloned().collect();
        let mut known: HashMap<Anchor, Option<BTreeSet<Reference>>> = HashMap::new();
        for round in 0..ROUNDS {
            let lists: Vec<List> = self.untold.links.lists();
            let is_new =
                |list: &List| list.group.as_ref().is_none_or(|group| known.get(group) != Some(&list.members));
            let lists: Vec<List> = lists.into_iter().filter(is_new).collect();
            concerned.extend(lists.iter().filter_map(|list| list.group.clone()));
            let asked: Vec<Anchor> = std::mem::take(&mut concerned).into_iter().collect();
            let Some(before) = reading.sink.members(asked).await else { return Ok(false) };
            // One that is there and is no longer read keeps its members.
            if before.keys().any(|group| !deleted.contains(group) && !self.there.contains(group)) {
                return Ok(false);
            }
            let called = reading.sink.called(before.keys().cloned().collect()).await;
            let Some(again) = back_link::read_again((&before, &called), &lists, &deleted, after_all) else {
                return Ok(false);
            };
            if again.len() > back_link::AT_MOST {
                self.connection.skipped.push(back_link::too_many(again.len()));
                return Ok(false);
            }
            let mut ids = BTreeSet::new();
            if round == 0 {
                let came = self.there.iter().cloned().collect();
                let Some(came) = reading.came_before_lists(came, &called, &lists, after_all).await else {
                    return Ok(false);
                };
                ids = came;
            }
            deleted.clear();
            known.extend(lists.into_iter().filter_map(|list| Some((list.group?, list.members))));
            let Some(again) = by_id(again) else { return Ok(false) };
            ids.extend(again);
            if ids.is_empty() {
                return self.are_read().await;
            }
            let again: Vec<Anchor> = ids.into_iter().collect();
            // Whose primary group is which has not changed.
            let mut first = Primaries::default();
            for some in again.chunks(look_up::AT_ONCE) {
                self.read_these(some, reading, &mut first, own).await?;
            }
        }
        Ok(false)
    }

    /// Whether the groups that were named are among those that are read.
    async fn are_read(&mut self) -> Result<bool, SourceError> {
        let named: Vec<Dn> = self.untold.links.not_seen().into_iter().collect();
        for some in named.chunks(look_up::AT_ONCE) {
            let dns = any_of("distinguishedName", some);
            let filter = among(Some(&format!("(&{dns}(member=*))")), self.group_filter());
            if self.anchors(self.bases.clone(), filter, &self.excluded.clone()).await?.len() < some.len() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Those of them who may be in this domain; `None` if one is named in another way than by their id.
fn by_id(references: BTreeSet<Reference>) -> Option<Vec<Anchor>> {
    let mut ids = Vec::new();
    for reference in references {
        match reference {
            Reference::Anchor(anchor) if uuid::Uuid::parse_str(anchor.as_str()).is_ok() => ids.push(anchor),
            // One that stands for somebody whose primary group is not shown, and members from other forests.
            Reference::Anchor(_) | Reference::Sid(_) => {}
            Reference::Dn(_) | Reference::Uid(_) | Reference::Address(_) => return None,
        }
    }
    Some(ids)
}
