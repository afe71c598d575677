//! Reads members again where lists name them by their ids.

use std::collections::{BTreeSet, HashMap};

use super::Reader;
use crate::directory::{Anchor, Reference};
use crate::source::SourceError;
use crate::source::ldap::back_link::List;
use crate::source::ldap::feeds::Feeds;

/// Groups are read again too: so often at most.
const ROUNDS: usize = 5;

impl<D: Feeds> Reader<'_, D> {
    pub(super) async fn read_again_by_id(
        &mut self,
        mut asked: BTreeSet<Anchor>,
        mut deleted: BTreeSet<Anchor>,
        after_all: bool,
    ) -> Result<bool, SourceError> {
        let mut known: HashMap<Anchor, Option<BTreeSet<Reference>>> = HashMap::new();
        for round in 0..ROUNDS {
            let mut lists: Vec<List> = self.untold.links.lists();
            lists.retain(|list| {
                list.group.as_ref().is_none_or(|group| known.get(group) != Some(&list.members))
            });
            asked.extend(lists.iter().filter_map(|list| list.group.clone()));
            let how = (after_all, round == 0);
            let concerned = self.concerned(std::mem::take(&mut asked), &lists, &deleted, how).await?;
            let Some(concerned) = concerned else { return Ok(false) };
            deleted.clear();
            known.extend(lists.into_iter().filter_map(|list| Some((list.group?, list.members))));
            let Some(members) = anchors(concerned.members) else { return Ok(false) };
            let mut again = concerned.came;
            again.extend(members);
            if again.is_empty() {
                return self.are_read().await;
            }
            // Whose primary group is which has not changed.
            let primaries = std::mem::take(&mut self.primaries);
            self.read_these(&again.into_iter().collect::<Vec<_>>()).await?;
            self.primaries = primaries;
        }
        Ok(false)
    }
}

/// Those of them who may be in this directory; `None` if one is named in another way than by id.
fn anchors(references: BTreeSet<Reference>) -> Option<Vec<Anchor>> {
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
