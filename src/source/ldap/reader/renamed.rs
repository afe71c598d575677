//! Reads the lists again that name whoever was renamed, where lists name members by DN.

use std::time::Duration;

use tokio::time::Instant;

use super::Reader;
use crate::directory::{Anchor, EntryKind};
use crate::source::SourceError;
use crate::source::ldap::ask::AT_ONCE;
use crate::source::ldap::dialect::Dialect;
use crate::source::ldap::filter::among;
use crate::source::ldap::wire::filter::escape;

/// How long a server is given to change lists after it changed an entry (OpenLDAP's refint does that in the background).
pub(super) const MOMENT: Duration = Duration::from_secs(2);

impl<D: Dialect> Reader<'_, D> {
    /// Reads groups again that list who was renamed: a server that changes lists itself (OpenLDAP's refint) does not tell of that;
    /// and a newcomer may have the name of somebody whom a group still lists. False if others may have changed untold.
    pub(super) async fn follow_renames(&mut self, named: &[Anchor]) -> Result<bool, SourceError> {
        let called = self.output.sink.called(self.there.keys().cloned().collect()).await;
        let renamed = self.there.iter().filter(|(anchor, dn)| called.get(*anchor) != Some(*dn));
        let renamed: Vec<(&String, Option<&String>)> =
            renamed.map(|(anchor, dn)| (dn, called.get(anchor))).collect();
        let is = listing::<D>(renamed.iter().map(|(dn, _)| *dn));
        let was = listing::<D>(renamed.iter().filter_map(|(_, was)| *was));
        // Others may name who was renamed or deleted, or was changed without being read, and that changed untold.
        let not_read = named.iter().any(|one| !self.there.contains_key(one));
        if self.untold.refers().is_some() && (!was.is_empty() || not_read) {
            return Ok(false);
        }
        self.wait_until_nobody_is_listed(&was).await?;
        for lists in is {
            self.entries(EntryKind::Group, Some(&lists)).await?;
        }
        Ok(true)
    }

    /// A server that changes its lists itself does so a moment later. One that does not is not waited for any longer.
    async fn wait_until_nobody_is_listed(&mut self, under: &[String]) -> Result<(), SourceError> {
        let groups = self.session.groups().to_owned();
        let began = Instant::now();
        for lists in under {
            let filter = among(Some(lists), &groups);
            while self.session.is_anybody(&filter).await? && began.elapsed() <= MOMENT {
                tokio::time::sleep(MOMENT / 20).await;
            }
        }
        Ok(())
    }
}

/// The filters for groups that list these, in several searches.
fn listing<'d, D: Dialect>(dns: impl Iterator<Item = &'d String>) -> Vec<String> {
    let dns: Vec<String> = dns.map(|dn| escape(dn)).collect();
    let of = |dn: &String| D::LISTS.iter().map(|name| format!("({name}={dn})")).collect::<Vec<_>>().concat();
    let some = |some: &[String]| format!("(|{})", some.iter().map(of).collect::<String>());
    dns.chunks(AT_ONCE / 2).map(some).collect()
}
