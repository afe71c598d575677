//! The promises, asked after each run. What is asked is in the files of this folder.

use std::collections::{BTreeMap, BTreeSet};

use rollcall::directory::{Key, SubjectKind, TargetId};
use rollcall::store::link::Subjects;

use crate::fake_target::Object;
use crate::life::{Life, Ran};
use crate::oracle::{Broken, Standing, Why, demand};
use crate::place::Objects;
use crate::rules::OfDisabled;

mod foreign;
mod holds;
mod limits;
mod removals;
mod report;
mod shown;

pub(crate) use holds::Holding;

const DAY: i64 = 24 * 3600;

/// Something that went, and that nobody approved.
#[derive(Clone, Debug)]
pub(crate) struct Removal {
    at: i64,
    /// Whose object, or which membership.
    of: (Key, Option<Key>),
    what: Went,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Went {
    User(Why),
    Group { weakly: bool },
    Membership,
    Name,
}

/// What the checks of one run look at.
struct Looked<'a> {
    before: &'a Objects,
    after: &'a Objects,
    /// By key, all anchors of the subject.
    anchors: BTreeMap<Key, Vec<String>>,
    first: bool,
    fresh: bool,
    /// Whether something was approved when it began.
    approved: bool,
}

impl Looked<'_> {
    fn of(&self, object: &Object) -> &[String] {
        object.key.and_then(|key| self.anchors.get(&key)).map_or(&[], Vec::as_slice)
    }
}

impl Life {
    /// Who each of our objects is: every anchor of its subject, or the one that founded it.
    fn anchors_of(&mut self, subjects: &Subjects) -> BTreeMap<Key, Vec<String>> {
        let mut anchors: BTreeMap<Key, Vec<String>> =
            self.anchors().iter().map(|(key, anchor)| (*key, vec![anchor.clone()])).collect();
        for subject in subjects.by_id.values() {
            let all = subject.anchors.iter().map(|(_, anchor)| anchor.as_str().to_owned());
            let known = anchors.entry(subject.key).or_default();
            for anchor in all {
                if !known.contains(&anchor) {
                    known.push(anchor);
                }
            }
        }
        anchors
    }

    /// Whether removals may rest on what was read.
    fn is_fresh(&self) -> bool {
        let age = self.read_at.map(|at| (self.clock.seconds() - at).abs());
        !self.last_read_failed && age.is_some_and(|age| age <= DAY)
    }

    pub(crate) fn check(
        &mut self,
        before: &Objects,
        after: &Objects,
        first: bool,
        ran: &Ran,
        faults: bool,
    ) -> Result<(), Broken> {
        let subjects = self.subjects();
        let anchors = self.anchors_of(&subjects);
        let now = self.clock.seconds();
        let approved = self.approved.values().any(|until| now < *until);
        let looked = Looked { before, after, anchors, first, fresh: self.is_fresh(), approved };
        let went_before = self.removals.len();
        self.note_leavers(&looked, ran);
        self.check_users(&looked)?;
        self.check_comers(&looked)?;
        self.note_names(&looked);
        self.check_groups(&looked)?;
        self.check_memberships(&looked)?;
        self.check_budgets(before, went_before)?;
        self.check_foreign(before, after, &crate::life::owner())?;
        self.check_elsewhere()?;
        let mut keys = BTreeSet::new();
        for key in after.values().filter_map(|object| object.key) {
            demand(keys.insert(key), 5, || {
                format!("two objects bear the key of {:?}", looked.anchors.get(&key))
            })?;
        }
        if let Ran::Reported(report) = ran {
            self.check_hold(report, &looked)?;
            self.check_report(report, &looked, faults, &subjects)?;
        }
        Ok(())
    }

    fn is_approved(&self, class: &str, subject: Key, member: Option<Key>) -> bool {
        let line = (class.to_owned(), subject.to_string(), member.map(|member| member.to_string()));
        let under = self.rules.policy("all").spec_hash;
        self.approved.get(&(under, line)).is_some_and(|until| self.clock.seconds() < *until)
    }

    /// Whether it was approved, of which nothing is left when it is done.
    fn was_approved(&mut self, classes: &[String], subject: Key, member: Option<Key>) -> bool {
        let approved = classes.iter().any(|class| self.is_approved(class, subject, member));
        let under = self.rules.policy("all").spec_hash;
        for class in classes {
            let line = (class.clone(), subject.to_string(), member.map(|member| member.to_string()));
            self.approved.remove(&(under.clone(), line));
        }
        approved
    }

    fn went(&mut self, of: (Key, Option<Key>), what: Went) {
        self.removals.push(Removal { at: self.clock.passed(), of, what });
    }

    /// Why somebody may lose their account or its use, if anything says so.
    fn may_go(&self, anchor: &str) -> Result<Why, String> {
        self.knowledge.may_go(&self.rules, anchor, self.clock.seconds())
    }

    /// Whether somebody is on the way out.
    fn leaves(&self, anchor: &str) -> bool {
        self.may_go(anchor).is_ok() && !self.is_only_disabled(anchor)
    }

    /// Whether somebody is disabled for as long as the directory says so, and has no time left.
    fn is_only_disabled(&self, anchor: &str) -> bool {
        self.may_go(anchor) == Ok(Why::Disabled) && self.rules.disabled != OfDisabled::Leave
    }

    /// Notes who is seen to leave. Whoever is seen to have come back by a run that could see it starts anew; the
    /// clock may have gone back.
    fn note_leavers(&mut self, looked: &Looked<'_>, ran: &Ran) {
        let now = self.clock.seconds();
        let could_see = matches!(ran, Ran::Reported(report) if report.failed.is_none());
        for (id, object) in looked.before {
            let (Some(key), anchors) = (object.key, looked.of(object)) else { continue };
            let active = looked.after.get(id).is_some_and(|object| object.active);
            if anchors.iter().any(|anchor| self.leaves(anchor)) {
                let since = self.left.entry(key).or_insert(now);
                *since = now.min(*since);
            } else if self.left.contains_key(&key)
                && could_see
                && active
                && anchors.iter().all(|anchor| self.is_fine(anchor))
            {
                self.left.remove(&key);
            }
        }
    }

    /// Whether somebody is there and wanted.
    fn is_wanted(&self, anchor: &str) -> bool {
        let heard = self.knowledge.people.get(anchor).filter(|heard| heard.standing == Standing::Here);
        heard.is_some_and(|heard| self.rules.wants_active(&heard.last, self.clock.seconds()))
    }

    /// Whether somebody is disabled in the directory, and may stay as they are.
    fn is_ignored(&self, anchor: &str) -> bool {
        let heard = self.knowledge.people.get(anchor).filter(|heard| heard.standing == Standing::Here);
        self.rules.disabled == OfDisabled::Ignore
            && heard.is_some_and(|heard| self.rules.keeps(&heard.last, self.clock.seconds()))
    }

    /// Nobody gets an account that works while theirs in the directory is disabled.
    fn check_comers(&self, looked: &Looked<'_>) -> Result<(), Broken> {
        let now = self.clock.seconds();
        let works = |id: &TargetId| looked.before.get(id).is_some_and(|object| object.active);
        for (id, object) in looked.after.iter().filter(|(id, object)| object.active && !works(id)) {
            let heard: Vec<_> =
                looked.of(object).iter().filter_map(|anchor| self.knowledge.people.get(anchor)).collect();
            let disabled = !heard.is_empty() && heard.iter().all(|heard| heard.last.is_disabled(now));
            demand(!disabled || object.content.kind() != SubjectKind::User, 1, || {
                format!("{} ({id:?}) works now, and is disabled in the directory", object.content.name())
            })?;
        }
        Ok(())
    }

    /// Whether, besides, nothing is wrong with their entry.
    fn is_fine(&self, anchor: &str) -> bool {
        self.is_wanted(anchor) && !self.knowledge.is_bad(&self.rules, anchor)
    }

    /// Whether an object of somebody else bears the name of this entry.
    fn is_name_taken(&self, anchor: &str, looked: &Looked<'_>) -> bool {
        let Some(name) = self.name_of(anchor) else { return false };
        let wanted = if anchor.starts_with('g') { SubjectKind::Group } else { SubjectKind::User };
        looked.before.values().chain(looked.after.values()).any(|object| {
            object.content.kind() == wanted
                && object.content.name_key() == name
                && !looked.of(object).iter().any(|other| other == anchor)
        })
    }

    /// What an entry was called when it was read last, in lower case.
    fn name_of(&self, anchor: &str) -> Option<String> {
        let person = self.knowledge.people.get(anchor).map(|heard| heard.last.user_name());
        let team = || self.knowledge.groups.get(anchor).map(|heard| heard.last.name.clone());
        person.or_else(team).map(|name| name.to_lowercase())
    }

    pub(crate) fn converged(&mut self, strict: bool) -> Result<(), Broken> {
        let (objects, subjects) = (self.objects(), self.subjects());
        let anchors = self.anchors_of(&subjects);
        let looked =
            Looked { before: &objects, after: &objects, anchors, first: false, fresh: true, approved: false };
        self.compare(&looked, &subjects, strict, false)
            .map_err(|what| Broken { promise: 5, what: format!("in the end {what}") })
    }
}
