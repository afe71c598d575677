//! Is what a run says of itself true?

use std::collections::BTreeSet;

use rollcall::directory::{SubjectId, TargetId};
use rollcall::store::link::{Subject, Subjects};
use rollcall::sync::project::{QuarantineReason, Quarantined};
use rollcall::sync::run::{RunReport, RunResult};

use super::Looked;
use crate::life::{Life, other};
use crate::oracle::{Broken, demand};
use crate::place::{Objects, Place};

/// The anchor of an entry that was quarantined.
fn anchor_of(one: &Quarantined) -> &str {
    let name = one.entry.split(',').next().unwrap_or_default();
    // A group of an export has its name before its anchor.
    let (_, anchor) = name.rsplit_once("+ou=").or_else(|| name.split_once('=')).unwrap_or_default();
    anchor.trim_start_matches("double-of-")
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

/// What is there does not count as gone.
fn check_verified(report: &RunReport, looked: &Looked<'_>, subjects: &Subjects) -> Result<(), Broken> {
    let drifts = report.verified.iter().flatten().flat_map(|verified| &verified.drifts);
    for drift in drifts.filter(|drift| drift.is_gone()) {
        let key = subjects.by_id.get(&drift.subject).map(|subject| subject.key);
        let is_there = looked.before.values().any(|object| object.key.is_some() && object.key == key);
        demand(!is_there, 5, || format!("{} counts as gone, and is there", drift.name))?;
    }
    Ok(())
}

impl Life {
    pub(super) fn check_report(
        &mut self,
        report: &RunReport,
        looked: &Looked<'_>,
        faults: bool,
        subjects: &Subjects,
    ) -> Result<(), Broken> {
        if let Some(why) = &report.failed {
            let excused = faults || self.knowledge.people.is_empty() && self.knowledge.groups.is_empty();
            return demand(excused || self.read_at.is_none(), 6, || {
                format!("the run failed although nothing was wrong: {why}")
            });
        }
        let all_held = self.rules.limits.hold_all && !report.exceeded.is_empty();
        demand(!all_held || looked.approved || is_untouched(looked), 2, || {
            "a limit is exceeded and holds everything, and something was done".to_owned()
        })?;
        check_verified(report, looked, subjects)?;
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
        let verdict = report.result();
        if !matches!(verdict, RunResult::InStep | RunResult::InStepWithExceptions) {
            return Ok(());
        }
        demand(looked.fresh, 7, || format!("{verdict:?}, and no read is fresh"))?;
        demand(report.held.is_none() && report.stale.is_empty(), 7, || {
            format!("{verdict:?}, and something is held or stale")
        })?;
        let strict = verdict == RunResult::InStep;
        self.compare(looked, subjects, strict, report.due.is_some())
            .map_err(|what| Broken { promise: 7, what: format!("{verdict:?}, and {what}") })
    }

    /// Whether an object of which nobody knows what became of it had this name.
    fn is_in_doubt(&self, name: &str) -> bool {
        let (in_doubt, subjects) = (self.in_doubt(), self.subjects());
        let mut links = in_doubt.iter().filter_map(|subject| subjects.link(*subject));
        links.any(|link| link.confirmed.name().eq_ignore_ascii_case(name))
    }

    /// Nobody is put aside for nothing.
    fn check_quarantine(&self, report: &RunReport, looked: &Looked<'_>) -> Result<(), Broken> {
        for one in &report.blocked {
            // A rename that was approved may have given it up in this very run.
            let mut objects = looked.after.values().chain(looked.before.values());
            let taken = objects.any(|object| object.content.name_key() == one.name.to_lowercase());
            // What somebody deleted by hand, or we, and did not hear of it, is still thought to bear its name.
            demand(taken || !self.drift.is_empty() || self.is_in_doubt(&one.name), 6, || {
                format!("somebody waits for the name {}, which nobody bears", one.name)
            })?;
        }
        for one in &report.quarantined {
            let anchor = anchor_of(one);
            let several = |anchors: &&Vec<String>| anchors.len() > 1 && anchors.iter().any(|it| it == anchor);
            let excused = match one.reason {
                QuarantineReason::RejectedByTarget => {
                    self.rejected
                        || self.other_is_midway && one.message.contains(&format!("the policy {}", other()))
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
                        || self.name_of(anchor).is_some_and(|name| self.is_in_doubt(&name))
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

    /// After a run that did all of its work, what we know is what is there, but for objects in doubt.
    fn check_what_is_known(&self, looked: &Looked<'_>, subjects: &Subjects) -> Result<(), Broken> {
        let target = |member: u32| subjects.link(SubjectId(member)).map(|link| link.target.clone());
        let in_doubt = self.in_doubt();
        let of_doubt: BTreeSet<TargetId> = in_doubt.iter().filter_map(|subject| target(subject.0)).collect();
        let settled =
            |subject: &&Subject| !self.drift.contains(&subject.key) && !in_doubt.contains(&subject.id);
        for subject in subjects.by_id.values().filter(settled) {
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
                of_doubt.contains(id) || key.is_none_or(|key| self.drift.contains(&key))
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
}
