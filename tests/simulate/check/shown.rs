//! Does the target show what was read?

use std::collections::{BTreeMap, BTreeSet};

use rollcall::directory::{Key, SubjectKind, TargetId};
use rollcall::store::link::Subjects;

use super::Looked;
use crate::fake_target::Object;
use crate::life::Life;
use crate::oracle::{Heard, Standing};
use crate::world::Team;

impl Life {
    /// Whether the target shows what was read; says what differs. Unless it is `strict`, what is wrong
    /// with entries excuses them; `due` excuses leavers whose time has not come.
    pub(super) fn compare(
        &self,
        looked: &Looked<'_>,
        subjects: &Subjects,
        strict: bool,
        due: bool,
    ) -> Result<(), String> {
        let comparison = Comparison::new(self, looked, subjects, strict, due);
        comparison.everybody_is_there()?;
        comparison.nobody_stays()?;
        comparison.groups_are_right()
    }

    fn is_put_aside(&self, anchor: &str) -> bool {
        self.name_of(anchor).is_some_and(|name| self.put_aside.contains(&name))
    }
}

/// What was read beside what the target shows, and what excuses a difference.
struct Comparison<'a> {
    life: &'a Life,
    looked: &'a Looked<'a>,
    strict: bool,
    due: bool,
    /// Whose objects are known.
    linked: BTreeSet<Key>,
    /// Whose objects somebody edited by hand.
    drifted: BTreeSet<&'a String>,
    /// Whose objects bear a name that was put aside, or did before the run.
    aside: BTreeSet<&'a String>,
    /// Of two entries that were taken for one person, one waits.
    twins: BTreeSet<&'a String>,
    by_anchor: BTreeMap<&'a String, (&'a TargetId, &'a Object)>,
}

impl<'a> Comparison<'a> {
    fn new(life: &'a Life, looked: &'a Looked<'a>, subjects: &Subjects, strict: bool, due: bool) -> Self {
        let linked = subjects.by_id.values().filter(|subject| subject.link.is_some());
        let drifted = life.drift.iter().filter_map(|key| looked.anchors.get(key));
        // A rename of which nobody knows whether it was done may have been.
        let aside = looked.before.values().chain(looked.after.values());
        let aside = aside.filter(|object| life.put_aside.contains(&object.content.name_key()));
        let twins = looked.anchors.values().filter(|anchors| anchors.len() > 1);
        let mut comparison = Self {
            life,
            looked,
            strict,
            due,
            linked: linked.map(|subject| subject.key).collect(),
            drifted: drifted.flatten().collect(),
            aside: aside.flat_map(|object| looked.of(object)).collect(),
            twins: twins.flatten().collect(),
            by_anchor: BTreeMap::new(),
        };
        // Whoever was relinked after the store was lost has the object that is linked, not the one of before.
        let (orphans, others): (Vec<_>, Vec<_>) =
            comparison.ours().partition(|(_, object)| comparison.is_orphan(object));
        for (id, object) in orphans.into_iter().chain(others) {
            comparison.by_anchor.extend(looked.of(object).iter().map(|anchor| (anchor, (id, object))));
        }
        comparison
    }

    fn ours(&self) -> impl Iterator<Item = (&'a TargetId, &'a Object)> {
        let looked = self.looked;
        looked.after.iter().filter(|(_, object)| !looked.of(object).is_empty())
    }

    fn is_drift(&self, object: &Object) -> bool {
        object.key.is_some_and(|key| self.life.drift.contains(&key))
    }

    /// What a lost store knew of, and nobody is found for any more.
    fn is_orphan(&self, object: &Object) -> bool {
        self.life.lost && object.key.is_some_and(|key| !self.linked.contains(&key))
    }

    fn is_bad(&self, anchor: &String) -> bool {
        !self.strict
            && (self.life.knowledge.is_bad(&self.life.rules, anchor)
                || self.twins.contains(anchor)
                || self.life.is_name_taken(anchor, self.looked)
                || self.life.is_put_aside(anchor)
                || self.aside.contains(anchor))
    }

    fn is_excused(&self, anchor: &String) -> bool {
        self.drifted.contains(anchor) || self.is_bad(anchor)
    }

    /// Whoever is there and wanted is active at the target, as they were read.
    fn everybody_is_there(&self) -> Result<(), String> {
        let people = &self.life.knowledge.people;
        for (anchor, heard) in people.iter().filter(|(anchor, _)| self.life.is_wanted(anchor)) {
            let object = self.by_anchor.get(anchor).map(|(_, object)| *object);
            // An object that was found disabled is enabled by the next run.
            let waits = self.life.waits && object.is_some_and(|object| !object.active);
            if waits || self.is_excused(anchor) {
                continue;
            }
            let Some(object) = object.filter(|object| object.active) else {
                return Err(format!("{anchor} ({}) is not there, or not active", heard.last.user_name()));
            };
            if !heard.last.is(&object.content) {
                return Err(format!("{anchor} should be {:?}, and is {:?}", heard.last, object.content));
            }
        }
        Ok(())
    }

    /// Whoever is not wanted is not active, and whoever is gone was deleted where leavers are.
    fn nobody_stays(&self) -> Result<(), String> {
        let Self { life, looked, .. } = self;
        for (id, object) in self.ours().filter(|(_, object)| object.content.kind() == SubjectKind::User) {
            // Whoever was protected when it was planned, and was given another name in the same run.
            let was_protected = looked.before.get(id).is_some_and(|was| life.rules.protects(&was.content));
            let anchors = looked.of(object);
            // The first run removes nobody, and says that this is the next one's. Whoever was on the way out goes
            // on, whatever is not known of them now.
            let was_leaving = object.key.is_some_and(|key| life.left.contains_key(&key));
            let may_have_time = looked.first || was_leaving;
            let has_time =
                |anchor: &String| life.leaves(anchor) || may_have_time && !life.is_only_disabled(anchor);
            let excused = self.due && anchors.iter().all(has_time)
                || self.is_drift(object)
                || self.is_orphan(object)
                || was_protected
                || life.rules.protects(&object.content)
                || anchors.iter().any(|anchor| self.is_bad(anchor));
            if excused {
                continue;
            }
            let of_whom = || format!("{} ({})", object.content.name(), anchors.join(", "));
            if object.active
                && !anchors.iter().any(|anchor| life.is_wanted(anchor) || life.is_ignored(anchor))
            {
                return Err(format!("{} is still active", of_whom()));
            }
            let is_gone = |anchor: &String| life.knowledge.people.get(anchor).is_some_and(Heard::is_gone);
            if life.rules.deletes() && anchors.iter().all(is_gone) {
                return Err(format!("{} was not deleted", of_whom()));
            }
        }
        Ok(())
    }

    fn groups_are_right(&self) -> Result<(), String> {
        let groups = &self.life.knowledge.groups;
        for (anchor, heard) in groups.iter().filter(|(anchor, _)| !self.is_excused(anchor)) {
            let object = self.by_anchor.get(anchor).map(|(_, object)| *object);
            if heard.standing == Standing::Here {
                let object = object.filter(|object| object.content.name() == heard.last.name);
                let object =
                    object.ok_or_else(|| format!("the group {anchor} ({}) is not there", heard.last.name))?;
                let inside = self.life.knowledge.in_team(&self.life.rules, anchor);
                self.members_are_inside((anchor, &heard.last), object, &inside)?;
                self.nobody_else_is_inside((anchor, &heard.last), object, &inside)?;
            } else if heard.is_gone() && !self.due && object.is_some_and(|object| self.lives(object)) {
                return Err(format!("the group {anchor} ({}) is still there", heard.last.name));
            }
        }
        Ok(())
    }

    fn members_are_inside(
        &self,
        (anchor, team): (&str, &Team),
        object: &Object,
        inside: &BTreeSet<String>,
    ) -> Result<(), String> {
        // One who was moved may be in the part of a list that was not read.
        if !self.life.knowledge.all_lists_are_read() {
            return Ok(());
        }
        for member in inside {
            let there = self.by_anchor.get(member).filter(|(_, object)| object.active);
            let Some((id, of)) = there else { continue };
            // One that is missing, and of which nothing could be learned, may be gone.
            let is_here = |heard: &Heard<Team>| heard.standing == Standing::Here;
            let should =
                self.life.is_wanted(member) || self.life.knowledge.groups.get(member).is_some_and(is_here);
            if should && !object.members.contains(*id) && !self.is_drift(of) && !self.is_bad(member) {
                return Err(format!("{member} is not in {anchor} ({})", team.name));
            }
        }
        Ok(())
    }

    fn nobody_else_is_inside(
        &self,
        (anchor, team): (&str, &Team),
        object: &Object,
        inside: &BTreeSet<String>,
    ) -> Result<(), String> {
        let Self { life, looked, .. } = self;
        let may_miss = life.world.exported && !life.proves_its_end;
        let is_old = !self.strict && life.knowledge.has_old_list(&life.rules, anchor, may_miss);
        if self.due || life.lost || is_old || !life.knowledge.partial.is_empty() {
            return Ok(());
        }
        for id in &object.members {
            let Some(of) = looked.after.get(id) else { continue };
            let anchors = looked.of(of);
            let leaves = anchors.iter().all(|anchor| life.leaves(anchor));
            let excused = anchors.is_empty()
                || !(of.active || leaves)
                || life.put_in.contains(id)
                || self.is_drift(of)
                || life.rules.protects(&of.content)
                || anchors.iter().any(|anchor| self.is_bad(anchor));
            if !excused && (leaves || !anchors.iter().any(|anchor| inside.contains(anchor))) {
                let what = format!("{} is in {anchor} ({})", anchors.join(", "), team.name);
                return Err(format!("{what}, and should not be"));
            }
        }
        Ok(())
    }

    /// Whether a group that is gone is there, where groups are deleted, or has members of ours.
    fn lives(&self, object: &Object) -> bool {
        let Self { life, looked, .. } = self;
        let ours = object.members.iter().filter(|id| !life.put_in.contains(*id));
        let mut members = ours.filter_map(|id| looked.after.get(id));
        let has_members = members.any(|member| !looked.of(member).is_empty() && !life.lost);
        !self.is_orphan(object) && (life.rules.deletes_groups || has_members)
    }
}
