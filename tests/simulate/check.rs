//! The promises, asked after each run: was there a reason for each thing that went?

use std::collections::{BTreeMap, BTreeSet};

use rollcall::directory::SubjectId;
use rollcall::directory::{Content, Key, Owner, SubjectKind, TargetId};
use rollcall::store::link::Subjects;
use rollcall::sync::policy::PerGroup;
use rollcall::sync::project::{QuarantineReason, Quarantined};
use rollcall::sync::run::{RunReport, Verdict};

use crate::fake_target::{Object, kind};
use crate::life::{Life, Ran};
use crate::oracle::{Broken, Heard, Standing, Why, demand};
use crate::place::{Objects, Place};
use crate::rules::{Limits, OfDisabled, OfRecreated, PER_GROUP};
use crate::world::Person;

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

/// The anchor of an entry that was quarantined.
fn anchor_of(one: &Quarantined) -> &str {
    one.entry.trim_start_matches("cn=").split(',').next().unwrap_or_default()
}

fn waits_for_a_name(one: &Quarantined) -> bool {
    matches!(one.reason, QuarantineReason::Recreated | QuarantineReason::NameConflict)
}

/// Whether nothing was done, but to take those out of groups who had been disabled before.
fn is_untouched(looked: &Looked<'_>) -> bool {
    let of = |objects: &Objects| -> Objects {
        let is_active = |id: &TargetId| objects.get(id).is_some_and(|object| object.active);
        let mut active = objects.clone();
        for object in active.values_mut() {
            object.members.retain(is_active);
        }
        active
    };
    of(looked.before) == of(looked.after)
}

/// What the checks of one run look at.
struct Looked<'a> {
    before: &'a Objects,
    after: &'a Objects,
    /// By key, all anchors of the subject.
    anchors: BTreeMap<Key, Vec<String>>,
    first: bool,
    fresh: bool,
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
        let looked = Looked { before, after, anchors, first, fresh: self.is_fresh() };
        let went_before = self.removals.len();
        self.note_leavers(&looked, ran);
        self.check_users(&looked)?;
        self.note_names(&looked);
        self.check_groups(&looked)?;
        self.check_memberships(&looked)?;
        self.check_budgets(before, went_before)?;
        self.check_foreign(before, after, &crate::life::owner())?;
        let mut keys = BTreeSet::new();
        for key in after.values().filter_map(|object| object.key) {
            demand(keys.insert(key), 5, || {
                format!("two objects bear the key of {:?}", looked.anchors.get(&key))
            })?;
        }
        if let Ran::Reported(report) = ran {
            self.check_report(report, &looked, faults, &subjects)?;
        }
        Ok(())
    }

    fn is_approved(&self, class: &str, subject: Key, member: Option<Key>) -> bool {
        let line = (class.to_owned(), subject.to_string(), member.map(|member| member.to_string()));
        let under = self.rules.policy("all").spec_hash;
        self.approved.get(&(under, line)).is_some_and(|until| self.clock.seconds() < *until)
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

    /// Whether, besides, nothing is wrong with their entry.
    fn is_fine(&self, anchor: &str) -> bool {
        self.is_wanted(anchor) && !self.knowledge.is_bad(&self.rules, anchor)
    }

    fn check_users(&mut self, looked: &Looked<'_>) -> Result<(), Broken> {
        for (id, object) in looked.before {
            let now = looked.after.get(id);
            let disabled = object.active && !now.is_some_and(|object| object.active);
            let anchors = looked.of(object);
            let goes = disabled || now.is_none();
            if kind(&object.content) != SubjectKind::User || !goes || anchors.is_empty() {
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
            if why.is_none() && doubted && self.is_approved("userRemoval, doubtful", key, None) {
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
            demand(looked.fresh, 4, || {
                format!("{name} was removed although no fresh read vouches for that")
            })?;
            demand(!looked.first || why == Why::Disabled, 2, || format!("the first run removed {name}"))?;
            demand(!self.is_protected(&object.content), 2, || {
                format!("{name} is protected, and was removed")
            })?;
            self.check_ladder((key, &name), why, now.is_none())?;
            if !self.is_approved("userRemoval", key, None) && !self.is_approved("disable", key, None) {
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
    fn note_names(&mut self, looked: &Looked<'_>) {
        for (id, object) in looked.before {
            let (Some(key), Some(now)) = (object.key, looked.after.get(id)) else { continue };
            let excused = looked.of(object).is_empty() || self.lost || self.drift.contains(&key);
            let is_temporary = now.content.name().starts_with("renaming-");
            let renamed = object.content.name_key() != now.content.name_key() && !is_temporary;
            if renamed && !excused && !self.is_approved("identifierChange", key, None) {
                self.went((key, None), Went::Name);
            }
        }
    }

    fn is_protected(&self, content: &Content) -> bool {
        let Content::User(user) = content else { return false };
        let mut names = user.emails.iter().chain([&user.user_name]);
        names.any(|name| self.rules.protected.contains(&name.to_lowercase()))
    }

    fn check_groups(&mut self, looked: &Looked<'_>) -> Result<(), Broken> {
        for (id, object) in looked.before {
            let Some(anchor) = looked.of(object).first() else { continue };
            if kind(&object.content) != SubjectKind::Group || looked.after.contains_key(id) {
                continue;
            }
            let name = format!("the group {} ({anchor})", object.content.name());
            let heard = self.knowledge.teams.get(anchor);
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
            if !self.is_approved("groupRemoval", key, None) {
                self.went((key, None), Went::Group { weakly });
            }
        }
        Ok(())
    }

    fn check_memberships(&mut self, looked: &Looked<'_>) -> Result<(), Broken> {
        for (id, group) in looked.before {
            let (Some(anchor), Some(now)) = (looked.of(group).first(), looked.after.get(id)) else {
                continue;
            };
            let gone = self.knowledge.teams.get(anchor).is_some_and(Heard::is_gone);
            if kind(&group.content) != SubjectKind::Group || gone {
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

    /// No more than the share of one group that the limit allows was taken out of it.
    fn check_share(&self, looked: &Looked<'_>, group: &Object, went_before: usize) -> Result<(), Broken> {
        let PerGroup { percent, minimum_size } = PER_GROUP;
        let since = self.clock.passed() - DAY;
        let of_group = |removal: &&Removal| {
            removal.what == Went::Membership && Some(removal.of.0) == group.key && removal.at > since
        };
        let went = self.removals.iter().filter(of_group).count() as u64;
        let (before, now) = self.removals.split_at(went_before);
        let before = before.iter().filter(of_group).count() as u64;
        let ours =
            group.members.iter().filter(|id| looked.before.get(*id).is_some_and(|it| it.key.is_some()));
        let size = ours.count() as u64 + before;
        // Who was put in before the store was lost, and is nobody's now, is not counted as ours.
        let excused = now.is_empty() || size < minimum_size || !self.drift.is_empty() || self.lost;
        demand(excused || went * 100 <= size * u64::from(percent), 2, || {
            format!("{went} of {size} members were taken out of {}", group.content.name())
        })
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
        let is_user = kind(&before.content) == SubjectKind::User;
        // Whoever leaves is out of every group, and was judged as a leaver.
        let leaves = |anchor: &String| {
            if is_user {
                self.may_go(anchor).is_ok()
            } else {
                self.knowledge.teams.get(anchor).is_some_and(Heard::is_gone)
            }
        };
        if anchors.iter().any(leaves) || (is_user && !after.active) {
            return Ok(());
        }
        // Of two entries that were taken for one person, either may be the one who goes on.
        let is_inside = anchors.iter().all(|anchor| inside.contains(anchor));
        demand(!is_inside, 1, || format!("{name} was taken out for nothing"))?;
        let standing = self.knowledge.teams.get(team).map(|heard| heard.standing);
        demand(standing == Some(Standing::Here), 1, || {
            format!("{name} was taken out, and the group is {standing:?}")
        })?;
        demand(looked.fresh, 4, || format!("{name} was taken out although no fresh read vouches for that"))?;
        demand(!looked.first, 2, || format!("the first run took {name} out"))?;
        let key = group.key.unwrap();
        if !self.is_approved("memberRemoval", key, before.key) {
            self.went((key, before.key), Went::Membership);
        }
        Ok(())
    }

    /// No more than the limits allow went within any window: once by the directory's own change, and
    /// once by an edit of the spec.
    /// Judged when something goes, by the time that passed, whatever the clock says.
    fn check_budgets(&mut self, before: &Objects, went_before: usize) -> Result<(), Broken> {
        let since = self.clock.passed() - DAY;
        let count = |wanted: &dyn Fn(Went) -> bool| {
            if !self.removals.iter().skip(went_before).any(|removal| wanted(removal.what)) {
                return 0;
            }
            let within = self.removals.iter().filter(|removal| removal.at > since && wanted(removal.what));
            // Whoever goes twice counts once.
            within.map(|removal| removal.of).collect::<BTreeSet<_>>().len() as u64
        };
        let Limits { users, groups, members, disables, names, .. } = self.rules.limits;
        // An edit of the spec has a budget of its own.
        let causes = 1 + u64::from(self.edited);
        let of = before.len() as u64;
        let memberships: u64 = before.values().map(|object| object.members.len() as u64).sum();
        let left = |went: Went| matches!(went, Went::User(Why::Left | Why::LeftWeakly | Why::OutOfScope));
        let weak = |went: Went| matches!(went, Went::User(Why::LeftWeakly) | Went::Group { weakly: true });
        let all = [
            ("users were removed", count(&left), causes * Limits::of(users, 5, of)),
            (
                "users were disabled",
                count(&|went| went == Went::User(Why::Disabled)),
                causes * Limits::of(disables, 20, of),
            ),
            (
                "groups were removed",
                count(&|went| matches!(went, Went::Group { .. })),
                causes * Limits::of(groups, 10, of),
            ),
            ("unconfirmed went", count(&weak), 10),
            (
                "memberships ended",
                count(&|went| went == Went::Membership),
                causes * Limits::of(members, 10, memberships * 2),
            ),
            ("names changed", count(&|went| went == Went::Name), Limits::of(names, 5, of)),
        ];
        for (what, went, allowed) in all {
            demand(went <= allowed, 2, || format!("{went} {what} within a day, and {allowed} may be"))?;
        }
        Ok(())
    }

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

    fn check_report(
        &mut self,
        report: &RunReport,
        looked: &Looked<'_>,
        faults: bool,
        subjects: &Subjects,
    ) -> Result<(), Broken> {
        if let Some(why) = &report.failed {
            let excused = faults || self.knowledge.people.is_empty() && self.knowledge.teams.is_empty();
            return demand(excused || self.read_at.is_none(), 6, || {
                format!("the run failed although nothing was wrong: {why}")
            });
        }
        let now = self.clock.seconds();
        let all_held = self.rules.limits.hold_all && !report.exceeded.is_empty();
        let approved = self.approved.values().any(|until| now < *until);
        demand(!all_held || approved || is_untouched(looked), 2, || {
            "a limit is exceeded and holds everything, and something was done".to_owned()
        })?;
        self.check_quarantine(report, looked)?;
        let rejected =
            report.quarantined.iter().filter(|one| one.reason == QuarantineReason::RejectedByTarget);
        let names = rejected.map(|one| &one.entry).chain(report.blocked.iter().map(|one| &one.name));
        self.waits = report.applied.waiting > 0;
        self.put_aside = names.map(|name| name.to_lowercase()).collect();
        if !self.drift.is_empty() {
            let waiting = report.quarantined.iter().filter(|one| waits_for_a_name(one));
            let names: Vec<_> = waiting.filter_map(|one| self.name_of(anchor_of(one))).collect();
            self.put_aside.extend(names);
        }
        self.check_what_is_known(looked, subjects)?;
        let verdict = report.verdict();
        if !matches!(verdict, Verdict::InStep | Verdict::InStepWithExceptions) {
            return Ok(());
        }
        demand(looked.fresh, 7, || format!("{verdict:?}, and no read is fresh"))?;
        demand(report.held.is_none() && report.stale.is_empty(), 7, || {
            format!("{verdict:?}, and something is held or stale")
        })?;
        let strict = verdict == Verdict::InStep;
        self.compare(looked, subjects, strict, report.due.is_some())
            .map_err(|what| Broken { promise: 7, what: format!("{verdict:?}, and {what}") })
    }

    /// Nobody is put aside for nothing.
    fn check_quarantine(&self, report: &RunReport, looked: &Looked<'_>) -> Result<(), Broken> {
        for one in &report.blocked {
            // A rename that was approved may have given it up in this very run.
            let mut objects = looked.after.values().chain(looked.before.values());
            let taken = objects.any(|object| object.content.name_key() == one.name.to_lowercase());
            // What somebody deleted by hand is still thought to bear its name.
            demand(taken || !self.drift.is_empty(), 6, || {
                format!("somebody waits for the name {}, which nobody bears", one.name)
            })?;
        }
        for one in &report.quarantined {
            let anchor = anchor_of(one);
            let several = |anchors: &&Vec<String>| anchors.len() > 1 && anchors.iter().any(|it| it == anchor);
            let excused = match one.reason {
                QuarantineReason::RejectedByTarget => {
                    self.rejected
                        || matches!(&self.place, Place::Shared(fake) if {
                            let dislikes = !fake.dislikes.lock().unwrap().is_empty();
                            dislikes || !self.drift.is_empty() || self.lost
                                || looked.after.values().any(|object| looked.of(object).is_empty())
                        })
                }
                // What somebody edited by hand is still thought to bear its name.
                _ if waits_for_a_name(one) => {
                    looked.anchors.values().any(|anchors| several(&anchors))
                        || self.knowledge.is_bad(&self.rules, anchor)
                        || self.is_name_taken(anchor, looked)
                        || !self.drift.is_empty()
                }
                _ => self.knowledge.is_bad(&self.rules, anchor),
            };
            demand(excused, 6, || {
                format!("{} is quarantined for nothing: {:?}, {}", one.entry, one.reason, one.message)
            })?;
        }
        Ok(())
    }

    /// Whether an object of somebody else bears the name of this entry.
    fn is_name_taken(&self, anchor: &str, looked: &Looked<'_>) -> bool {
        let Some(name) = self.name_of(anchor) else { return false };
        let wanted = if anchor.starts_with('g') { SubjectKind::Group } else { SubjectKind::User };
        looked.before.values().chain(looked.after.values()).any(|object| {
            kind(&object.content) == wanted
                && object.content.name_key() == name
                && !looked.of(object).iter().any(|other| other == anchor)
        })
    }

    /// After a run that did all of its work, what we know is what is there.
    fn check_what_is_known(&self, looked: &Looked<'_>, subjects: &Subjects) -> Result<(), Broken> {
        let target = |member: u32| subjects.link(SubjectId(member)).map(|link| link.target.clone());
        for subject in subjects.by_id.values().filter(|subject| !self.drift.contains(&subject.key)) {
            let Some(link) = &subject.link else { continue };
            let name = link.confirmed.name();
            let Some(object) = looked.after.get(&link.target) else {
                return Err(Broken { promise: 5, what: format!("{name} is known, and not there") });
            };
            demand(object.content == *link.confirmed && object.active == link.active, 5, || {
                format!("{name} is known as {link:?}, and is {object:?}")
            })?;
            let known: BTreeSet<TargetId> = link.members.iter().filter_map(target).collect();
            let is_drifted = |id: &TargetId| {
                let key = looked.after.get(id).and_then(|object| object.key);
                key.is_none_or(|key| self.drift.contains(&key))
            };
            let missing: Vec<_> =
                known.difference(&object.members).filter(|member| !is_drifted(member)).collect();
            demand(missing.is_empty(), 5, || {
                format!("{missing:?} are known to be members of {name}, and are not")
            })?;
            let more: Vec<_> = object
                .members
                .difference(&known)
                .filter(|id| looked.after.get(*id).is_some_and(|object| !looked.of(object).is_empty()))
                .filter(|member| !is_drifted(member) && !self.put_in.contains(*member))
                .collect();
            demand(more.is_empty() || self.lost, 5, || {
                format!("{more:?} are members of {name}, and that is not known")
            })?;
        }
        Ok(())
    }

    /// Whether the target shows what was read; says what differs. Unless it is `strict`, what is wrong
    /// with entries excuses them; `due` excuses leavers whose time has not come.
    #[expect(clippy::too_many_lines, reason = "one comparison, read from top to bottom")]
    fn compare(
        &self,
        looked: &Looked<'_>,
        subjects: &Subjects,
        strict: bool,
        due: bool,
    ) -> Result<(), String> {
        let known = &self.knowledge;
        let linked: BTreeSet<Key> = subjects
            .by_id
            .values()
            .filter(|subject| subject.link.is_some())
            .map(|subject| subject.key)
            .collect();
        let is_drift = |object: &Object| object.key.is_some_and(|key| self.drift.contains(&key));
        // What a lost store knew of, and nobody is found for any more.
        let is_orphan = |object: &Object| self.lost && object.key.is_some_and(|key| !linked.contains(&key));
        let drifted: BTreeSet<&String> =
            self.drift.iter().filter_map(|key| looked.anchors.get(key)).flatten().collect();
        let wanted = |anchor: &String| self.is_wanted(anchor);
        let mut aside: BTreeSet<&String> = BTreeSet::new();
        for object in
            looked.after.values().filter(|object| self.put_aside.contains(&object.content.name_key()))
        {
            aside.extend(looked.of(object));
        }
        // Of two entries that were taken for one person, one waits.
        let twins: BTreeSet<&String> =
            looked.anchors.values().filter(|anchors| anchors.len() > 1).flatten().collect();
        let is_bad = |anchor: &String| {
            !strict
                && (known.is_bad(&self.rules, anchor)
                    || twins.contains(anchor)
                    || self.is_name_taken(anchor, looked)
                    || self.is_put_aside(anchor)
                    || aside.contains(anchor))
        };
        let ours = looked.after.iter().filter(|(_, object)| !looked.of(object).is_empty());
        let mut by_anchor: BTreeMap<&String, (&TargetId, &Object)> = BTreeMap::new();
        // Whoever was relinked after the store was lost has the object that is linked, not the one of before.
        let (orphans, others): (Vec<_>, Vec<_>) = ours.clone().partition(|(_, object)| is_orphan(object));
        for (id, object) in orphans.into_iter().chain(others) {
            by_anchor.extend(looked.of(object).iter().map(|anchor| (anchor, (id, object))));
        }
        for (anchor, heard) in known.people.iter().filter(|(anchor, _)| wanted(anchor)) {
            // An object that was found disabled is enabled by the next run.
            let waits = self.waits && by_anchor.get(anchor).is_some_and(|(_, object)| !object.active);
            let excused = drifted.contains(anchor) || is_bad(anchor) || waits;
            if excused {
                continue;
            }
            let Some((_, object)) = by_anchor.get(anchor).filter(|(_, object)| object.active) else {
                return Err(format!("{anchor} ({}) is not there, or not active", heard.last.user_name()));
            };
            if !heard.last.is(&object.content) {
                return Err(format!("{anchor} should be {:?}, and is {:?}", heard.last, object.content));
            }
        }
        for (id, object) in ours.clone().filter(|(_, object)| kind(&object.content) == SubjectKind::User) {
            // Whoever was protected when it was planned, and was given another name in the same run.
            let was_protected = looked.before.get(id).is_some_and(|was| self.is_protected(&was.content));
            let anchors = looked.of(object);
            // The first run removes nobody, and says that this is the next one's. Whoever was on the way out goes
            // on, whatever is not known of them now.
            let was_leaving = object.key.is_some_and(|key| self.left.contains_key(&key));
            let may_have_time = looked.first || was_leaving;
            let has_time =
                |anchor: &String| self.leaves(anchor) || may_have_time && !self.is_only_disabled(anchor);
            let excused = due && anchors.iter().all(has_time)
                || is_drift(object)
                || is_orphan(object)
                || was_protected
                || self.is_protected(&object.content)
                || anchors.iter().any(is_bad);
            if excused {
                continue;
            }
            if object.active && !anchors.iter().any(wanted) {
                return Err(format!("{} ({}) is still active", object.content.name(), anchors.join(", ")));
            }
            let is_gone = |anchor: &String| known.people.get(anchor).is_some_and(Heard::is_gone);
            if self.rules.deletes() && anchors.iter().all(is_gone) {
                return Err(format!("{} ({}) was not deleted", object.content.name(), anchors.join(", ")));
            }
        }
        for (anchor, heard) in &known.teams {
            let excused = drifted.contains(anchor) || is_bad(anchor);
            let object = by_anchor.get(anchor).map(|(_, object)| *object);
            if heard.standing == Standing::Here {
                let Some(object) = object.filter(|object| object.content.name() == heard.last.name) else {
                    if excused {
                        continue;
                    }
                    return Err(format!("the group {anchor} ({}) is not there", heard.last.name));
                };
                if !excused {
                    let inside = known.in_team(&self.rules, anchor);
                    for member in &inside {
                        let there = by_anchor.get(member).filter(|(_, object)| object.active);
                        let Some((id, of)) = there else { continue };
                        // One who was moved may be in the part of a list that was not read.
                        let should =
                            (wanted(member) || member.starts_with('g')) && known.all_lists_are_read();
                        if should && !object.members.contains(*id) && !is_drift(of) && !is_bad(member) {
                            return Err(format!("{member} is not in {anchor} ({})", heard.last.name));
                        }
                    }
                    for id in &object.members {
                        let Some(of) = looked.after.get(id) else { continue };
                        let anchors = looked.of(of);
                        let leaves = anchors.iter().all(|anchor| self.leaves(anchor));
                        let excused = anchors.is_empty()
                            || !(of.active || leaves)
                            || self.put_in.contains(id)
                            || due
                            || self.lost
                            || !known.partial.is_empty()
                            || is_drift(of)
                            || self.is_protected(&of.content)
                            || anchors.iter().any(is_bad);
                        if !excused && (leaves || !anchors.iter().any(|anchor| inside.contains(anchor))) {
                            let what = format!("{} is in {anchor} ({})", anchors.join(", "), heard.last.name);
                            return Err(format!("{what}, and should not be"));
                        }
                    }
                }
            } else if heard.is_gone() && !due && !excused {
                let lives = object.filter(|object| !is_orphan(object)).is_some_and(|object| {
                    let ours = object.members.iter().filter(|id| !self.put_in.contains(*id));
                    let mut members = ours.filter_map(|id| looked.after.get(id));
                    self.rules.deletes_groups
                        || members.any(|member| !looked.of(member).is_empty() && !self.lost)
                });
                if lives {
                    return Err(format!("the group {anchor} ({}) is still there", heard.last.name));
                }
            }
        }
        Ok(())
    }

    fn is_put_aside(&self, anchor: &str) -> bool {
        self.name_of(anchor).is_some_and(|name| self.put_aside.contains(&name))
    }

    /// What an entry was called when it was read last, in lower case.
    fn name_of(&self, anchor: &str) -> Option<String> {
        let person = self.knowledge.people.get(anchor).map(|heard| heard.last.user_name());
        let team = || self.knowledge.teams.get(anchor).map(|heard| heard.last.name.clone());
        person.or_else(team).map(|name| name.to_lowercase())
    }

    /// The end of a life: first nothing goes wrong any more, then what is wrong is put right. Whatever
    /// happened before, the target comes to what the directory says.
    pub(crate) async fn end(&mut self) -> Result<(), Broken> {
        self.tell("from now on nothing goes wrong any more");
        self.forget_faults();
        // A directory that has nobody left is refused, for ever.
        let joined = self.world.join(&mut crate::dice::Dice(1));
        self.tell(joined);
        (self.world.hidden, self.world.blind_to) = (None, None);
        self.settle(8, true).await?;
        self.converged(false)?;
        self.tell("what was wrong with entries is put right");
        self.put_right();
        let report = self.settle(40, false).await?;
        let verdict = report.as_ref().map(|report| report.verdict());
        let excused = !self.drift.is_empty() || self.lost;
        demand(verdict == Some(Verdict::InStep) || excused, 5, || {
            format!(
                "it never comes to rest: {}",
                report.map_or(String::new(), |it| crate::story::of_report(&it))
            )
        })?;
        self.converged(!excused)
    }

    fn converged(&mut self, strict: bool) -> Result<(), Broken> {
        let (objects, subjects) = (self.objects(), self.subjects());
        let anchors = self.anchors_of(&subjects);
        let looked = Looked { before: &objects, after: &objects, anchors, first: false, fresh: true };
        self.compare(&looked, &subjects, strict, false)
            .map_err(|what| Broken { promise: 5, what: format!("in the end {what}") })
    }

    /// Every entry can be understood, and has a name of its own.
    fn put_right(&mut self) {
        let now = self.clock.seconds();
        let mut names = BTreeSet::new();
        for (anchor, person) in &mut self.world.people {
            person.garbled = false;
            if person.number == "none" {
                "1".clone_into(&mut person.number);
            }
            if !names.insert(person.user_name().to_lowercase()) {
                person.mail = Some(format!("{anchor}@corp.example"));
            }
        }
        // Whoever came back after another entry had taken their place: a person removes one of the two.
        let subjects = self.subjects();
        for subject in subjects.by_id.values() {
            let there: Vec<_> = subject
                .anchors
                .iter()
                .map(|(_, anchor)| anchor.as_str().to_owned())
                .filter(|anchor| self.world.people.contains_key(anchor))
                .collect();
            for anchor in there.iter().skip(1) {
                self.world.people.remove(anchor);
            }
        }
        // A leaver's object keeps its name: whoever has an object already, and wants that name, waits. So
        // does everybody if the leaver is still in the directory, and only out of scope, or is protected.
        let mut left: BTreeMap<String, bool> = BTreeMap::new();
        for subject in subjects.by_id.values() {
            let anchors = subject.anchors.iter().map(|(_, anchor)| anchor.as_str());
            let people: Vec<_> = anchors.filter_map(|anchor| self.world.people.get(anchor)).collect();
            if let Some(link) = &subject.link
                && !people.iter().any(|person| self.rules.keeps(person, now))
            {
                let is_kept = !people.is_empty() || self.is_protected(&link.confirmed);
                left.insert(link.confirmed.name_key(), is_kept);
            }
        }
        let linked: BTreeSet<&str> = subjects
            .by_id
            .values()
            .filter(|subject| subject.link.is_some())
            .flat_map(|subject| subject.anchors.iter().map(|(_, anchor)| anchor.as_str()))
            .collect();
        for (anchor, person) in &mut self.world.people {
            let name = person.user_name().to_lowercase();
            let Some(is_kept) = left.get(&name) else { continue };
            let waits = *is_kept
                || self.rules.recreated == OfRecreated::Quarantine
                || linked.contains(anchor.as_str());
            // Not those who left themselves: their objects have these names.
            if waits && self.rules.keeps(person, now) {
                person.mail = Some(format!("{anchor}@corp.example"));
            }
        }
        // So does a vanished group that was emptied.
        for (anchor, team) in &mut self.world.teams {
            let name = team.name.to_lowercase();
            let borne = subjects.by_id.values().any(|subject| {
                let is_this = subject.anchors.iter().any(|(_, known)| known.as_str() == anchor);
                !is_this && subject.link.as_ref().is_some_and(|link| link.confirmed.name_key() == name)
            });
            if borne || !names.insert(name) {
                team.name = format!("team-{anchor}");
            }
        }
        self.clear_the_way();
    }
}
