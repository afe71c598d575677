//! Is what belongs to others as it was?

use std::collections::BTreeSet;

use rollcall::directory::{Content, Key, Owner, TargetId};

use crate::fake_target::Object;
use crate::life::Life;
use crate::oracle::{Broken, demand};
use crate::place::Objects;
use crate::world::Person;

impl Life {
    /// What is not ours is as it was, unless it was adopted by the rule.
    pub(crate) fn check_foreign(
        &mut self,
        before: &Objects,
        after: &Objects,
        owner: &Owner,
    ) -> Result<(), Broken> {
        let ours: BTreeSet<Key> = self.anchors().keys().copied().collect();
        let is_main = *owner == crate::life::owner();
        let theirs = |object: &Object| match object.key {
            None => true,
            Some(key) => ours.contains(&key) != is_main,
        };
        for (id, was) in before.iter().filter(|(_, object)| theirs(object)) {
            let name = was.content.name();
            let Some(is) = after.get(id) else {
                return Err(Broken { promise: 3, what: format!("{name} is not ours, and was deleted") });
            };
            if was.key.is_none() && is.key.is_some() {
                let Content::User(user) = &was.content else {
                    return Err(Broken { promise: 3, what: format!("the group {name} was taken over") });
                };
                let people = self.world.people.values().map(Person::user_name);
                let read = self.knowledge.people.values().map(|heard| heard.last.user_name());
                let wanted: Vec<String> = people.chain(read).collect();
                let matches = user
                    .emails
                    .iter()
                    .any(|email| wanted.iter().any(|name| name.eq_ignore_ascii_case(email)));
                demand(self.rules.adopts && matches, 3, || {
                    format!("{name} was taken over, and no rule says so")
                })?;
                continue;
            }
            let same = was.key == is.key && was.content == is.content && was.active == is.active;
            let there = |object: &Object| -> Vec<TargetId> {
                object.members.iter().filter(|member| after.contains_key(*member)).cloned().collect()
            };
            demand(same && there(was) == there(is), 3, || {
                format!("{name} is not ours, and was changed from {was:?} to {is:?}")
            })?;
        }
        Ok(())
    }
}
