//! Reads what changed.

use std::collections::{BTreeSet, HashSet};

use super::Reader;
use crate::directory::{Anchor, Change, Dn, Mode};
use crate::source::SourceError;
use crate::source::ldap::ask::AT_ONCE;
use crate::source::ldap::dialect::MembersBy;
use crate::source::ldap::feed::Changes;
use crate::source::ldap::feeds::Feeds;

/// What a look at those who did not come brought.
#[derive(Default)]
struct NotRead {
    /// The DNs of entries that are there and are not read.
    others: Vec<String>,
    /// Those who are told to be deleted, and are not to be seen.
    unseen: Vec<Anchor>,
}

impl<D: Feeds> Reader<'_, D> {
    /// Reads what changed. `None` if everything is to be read instead: what changed may have changed others of which no feed
    /// tells, or it is too much.
    pub(super) async fn read_changes(
        &mut self,
        changes: &Changes,
        after_all: bool,
    ) -> Result<Option<Mode>, SourceError> {
        self.untold.links.keep_lists();
        let no_deletions = BTreeSet::new();
        let doubted = if D::BELIEVES_DELETIONS { &no_deletions } else { &changes.deleted };
        let named: Vec<Anchor> = changes.touched.union(doubted).cloned().collect();
        if named.len() > D::MOST_CHANGES {
            return Ok(None);
        }
        let mut not_read = NotRead::default();
        for some in named.chunks(AT_ONCE) {
            self.read_these(some).await?;
            if !self.settle(some, changes, &mut not_read).await? {
                return Ok(None);
            }
        }
        if D::may_move_others(self.session, changes, &self.there, &self.output).await? {
            return Ok(None);
        }
        let lists_all = self.untold.is_in_filters();
        if lists_all && !self.list_ids(true).await? {
            return Ok(None);
        }
        if D::MEMBERS == MembersBy::Dn && self.bears_a_name_of(&not_read.unseen).await {
            return Ok(None);
        }
        self.tell_primaries().await?;
        if D::BELIEVES_DELETIONS {
            for deleted in &changes.deleted {
                self.output.change(Change::Tombstone(deleted.clone())).await?;
            }
        }
        if D::MEMBERS == MembersBy::Dn && !self.follow_renames(&named).await? {
            return Ok(None);
        }
        if self.untold.links.are_used() && !self.read_again(changes, &not_read.others, after_all).await? {
            return Ok(None);
        }
        if lists_all {
            return Ok(Some(Mode::Full));
        }
        // A server may call deleted also who was changed where the account may not look any more: all who are there are listed,
        // and who is missing is looked up as after any read.
        if not_read.unseen.is_empty() && !D::hides_deletions(self.session).await? {
            return Ok(Some(Mode::Delta));
        }
        self.list_ids(false).await?;
        Ok(Some(Mode::Full))
    }

    /// Says what became of those who were told of and did not come. False if that cannot be told of one of them.
    async fn settle(
        &mut self,
        some: &[Anchor],
        changes: &Changes,
        not_read: &mut NotRead,
    ) -> Result<bool, SourceError> {
        let missing: Vec<Anchor> =
            some.iter().filter(|one| !self.there.contains_key(*one)).cloned().collect();
        if missing.is_empty() {
            return Ok(true);
        }
        let (asking, contexts) = (self.session.asking.clone(), self.session.contexts());
        let anywhere = asking.settle(&mut self.session.connection, (&contexts, None), &missing).await?;
        not_read.others.extend(anywhere.there.values().map(|seen| seen.dn.clone()));
        for one in missing.into_iter().filter(|one| !anywhere.there.contains_key(one)) {
            let is_deleted = changes.deleted.contains(&one);
            // One that is not deleted and not to be seen may be a group.
            if !anywhere.missing.contains(&one) || (self.untold.links.are_used() && !is_deleted) {
                return Ok(false);
            }
            if is_deleted {
                not_read.unseen.push(one);
            }
            // What is neither there nor told to be deleted is hidden, or went just now: the next read tells.
        }
        let left = self.session.left(&asking, &anywhere.there).await?;
        let outside = left.outside.into_iter().map(Change::Outside);
        for change in outside.chain(left.of_no_kind.into_iter().map(Change::OfNoKind)) {
            self.output.change(change).await?;
        }
        Ok(!left.unclear)
    }

    /// Whether somebody who came has the name of one of these. Lists that still name those who are gone would name them.
    async fn bears_a_name_of(&self, gone: &[Anchor]) -> bool {
        let called = self.output.sink.called(gone.to_vec()).await;
        let left: HashSet<Dn> = gone.iter().filter_map(|one| Dn::parse(called.get(one)?).ok()).collect();
        self.there.values().any(|dn| Dn::parse(dn).is_ok_and(|dn| left.contains(&dn)))
    }
}
