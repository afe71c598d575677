//! Was there a reason for each thing that went, and had its time come?

use std::collections::BTreeSet;

use rollcall::directory::{Key, SubjectKind, TargetId};

use super::{Looked, Went};
use crate::fake_target::Object;
use crate::life::Life;
use crate::oracle::{Broken, Heard, Standing, Why, demand};
use crate::rules::{OfDisabled, OfRecreated};

impl Life {
    pub(super) fn check_users(&mut self, looked: &Looked<'_>) -> Result<(), Broken> {
        for (id, object) in looked.before {
            let now = looked.after.get(id);
            let disabled = object.active && !now.is_some_and(|object| object.active);
            let anchors = looked.of(object);
            let goes = disabled || now.is_none();
            if object.content.kind() != SubjectKind::User || !goes || anchors.is_empty() {
                continue;
            }
            let name = format!("{} ({})", object.content.name(), anchors.join(", "));
            let whys: Vec<_> = anchors.iter().map(|anchor| (anchor, self.may_go(anchor))).collect();
            // Of several entries that were taken for one person, the one that is there says why.
            let why = whys
                .iter()
                .filter_map(|(_, why)| why.as_ref().ok())
                .copied()
                .min_by_key(|why| matches!(why, Why::Left | Why::LeftWeakly));
            let key = object.key.unwrap();
            let doubted = anchors.iter().any(|anchor| self.knowledge.doubted.contains(anchor));
            let verb = if now.is_none() { "delete" } else { "disable" };
            let doubtful = self.was_approved(&[format!("userRemoval {verb}, doubtful")], key, None);
            let approved = ["userRemoval", "disable"].map(|class| format!("{class} {verb}"));
            let approved = self.was_approved(&approved, key, None);
            if why.is_none() && doubted && doubtful {
                continue;
            }
            let Some(why) = why else {
                let because: Vec<String> = whys
                    .into_iter()
                    .filter_map(|(anchor, why)| Some(format!("{anchor} {}", why.err()?)))
                    .collect();
                let what = format!("{name} was removed, and {}", because.join("; "));
                return Err(Broken { promise: 1, what });
            };
            let vanished = disabled && anchors.iter().all(|anchor| self.knowledge.vanished.contains(anchor));
            demand(!vanished || self.is_approved("userRemoval, doubtful", key, None), 2, || {
                format!("{name} was removed, and went with everybody else of the place")
            })?;
            demand(looked.fresh, 4, || {
                format!("{name} was removed although no fresh read vouches for that")
            })?;
            demand(!looked.first || why == Why::Disabled, 2, || format!("the first run removed {name}"))?;
            demand(!self.rules.protects(&object.content), 2, || {
                format!("{name} is protected, and was removed")
            })?;
            self.check_ladder((key, &name), why, now.is_none())?;
            if !approved {
                self.went((key, None), Went::User(why));
            }
        }
        Ok(())
    }

    /// Whether the time has come for somebody to be disabled, or deleted.
    fn check_ladder(&self, (key, name): (Key, &str), why: Why, deleted: bool) -> Result<(), Broken> {
        let only_disabled = why == Why::Disabled && self.rules.disabled != OfDisabled::Leave;
        let after = match (deleted, self.rules.hours_to_delete()) {
            // Another has the name of somebody who left, and needs it at once.
            (true, _) if self.rules.recreated == OfRecreated::Replace && !only_disabled => return Ok(()),
            (true, after) => {
                let after = after.filter(|_| !only_disabled);
                after.ok_or_else(|| Broken {
                    promise: 1,
                    what: format!("{name} was deleted, and leavers are not"),
                })?
            }
            (false, _) if only_disabled => return Ok(()),
            (false, _) => self.rules.hours_to_disable(),
        };
        let since = self.left.get(&key).copied().unwrap_or_default();
        let hours = (self.clock.seconds() - since) / 3600;
        demand(hours >= after.cast_signed(), 2, || {
            format!("{name} left {hours} hours ago, and has {after} to go on")
        })
    }

    /// Notes whose name changed: not who gets back the one that they had before a hand edit, or was found again
    /// after the store was lost, nor who has another for a moment.
    pub(super) fn note_names(&mut self, looked: &Looked<'_>) {
        for (id, object) in looked.before {
            let (Some(key), Some(now)) = (object.key, looked.after.get(id)) else { continue };
            let excused = looked.of(object).is_empty() || self.lost || self.drift.contains(&key);
            let is_temporary = now.content.name().starts_with("renaming-");
            let renamed = object.content.name_key() != now.content.name_key() && !is_temporary;
            if renamed && !excused && !self.was_approved(&["identifierChange rename".to_owned()], key, None) {
                self.went((key, None), Went::Name);
            }
        }
    }

    pub(super) fn check_groups(&mut self, looked: &Looked<'_>) -> Result<(), Broken> {
        for (id, object) in looked.before {
            let Some(anchor) = looked.of(object).first() else { continue };
            if object.content.kind() != SubjectKind::Group || looked.after.contains_key(id) {
                continue;
            }
            let name = format!("the group {} ({anchor})", object.content.name());
            let heard = self.knowledge.groups.get(anchor);
            let gone = heard.is_some_and(Heard::is_gone);
            demand(gone, 1, || {
                format!("{name} was removed, and it is {:?}", heard.map(|heard| heard.standing))
            })?;
            demand(looked.fresh, 4, || {
                format!("{name} was removed although no fresh read vouches for that")
            })?;
            demand(!looked.first, 2, || format!("the first run removed {name}"))?;
            let weakly = heard.is_some_and(|heard| heard.standing == Standing::WeaklyGone);
            let key = object.key.unwrap();
            if !self.was_approved(&["groupRemoval delete".to_owned()], key, None) {
                self.went((key, None), Went::Group { weakly });
            }
        }
        Ok(())
    }

    pub(super) fn check_memberships(&mut self, looked: &Looked<'_>) -> Result<(), Broken> {
        for (id, group) in looked.before {
            let (Some(anchor), Some(now)) = (looked.of(group).first(), looked.after.get(id)) else {
                continue;
            };
            let gone = self.knowledge.groups.get(anchor).is_some_and(Heard::is_gone);
            if group.content.kind() != SubjectKind::Group || gone {
                continue;
            }
            let inside = self.knowledge.in_team(&self.rules, anchor);
            let went_before = self.removals.len();
            for member in group.members.difference(&now.members) {
                self.check_membership(looked, (anchor, group), member, &inside)?;
            }
            self.check_share(looked, group, went_before)?;
        }
        Ok(())
    }

    fn check_membership(
        &mut self,
        looked: &Looked<'_>,
        (team, group): (&str, &Object),
        member: &TargetId,
        inside: &BTreeSet<String>,
    ) -> Result<(), Broken> {
        let (Some(before), Some(after)) = (looked.before.get(member), looked.after.get(member)) else {
            return Ok(());
        };
        let name = format!("{} in {} ({team})", before.content.name(), group.content.name());
        let anchors = looked.of(before);
        if anchors.is_empty() {
            return Err(Broken { promise: 3, what: format!("{name} is not ours, and was taken out") });
        }
        let is_user = before.content.kind() == SubjectKind::User;
        // Whoever leaves is out of every group, and was judged as a leaver.
        let leaves = |anchor: &String| {
            if is_user {
                self.may_go(anchor).is_ok()
            } else {
                self.knowledge.groups.get(anchor).is_some_and(Heard::is_gone)
            }
        };
        if anchors.iter().any(leaves) || (is_user && !after.active) {
            return Ok(());
        }
        // Of two entries that were taken for one person, either may be the one who goes on.
        let is_inside = anchors.iter().all(|anchor| inside.contains(anchor));
        demand(!is_inside, 1, || format!("{name} was taken out for nothing"))?;
        let standing = self.knowledge.groups.get(team).map(|heard| heard.standing);
        demand(standing == Some(Standing::Here), 1, || {
            format!("{name} was taken out, and the group is {standing:?}")
        })?;
        demand(looked.fresh, 4, || format!("{name} was taken out although no fresh read vouches for that"))?;
        demand(!looked.first, 2, || format!("the first run took {name} out"))?;
        let key = group.key.unwrap();
        if !self.was_approved(&["memberRemoval takeOut".to_owned()], key, before.key) {
            self.went((key, before.key), Went::Membership);
        }
        Ok(())
    }
}
