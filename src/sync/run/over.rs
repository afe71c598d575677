//! Which approved operations the directory calls for no longer: their approval is over, so that it does not cover what
//! happens later. Pure.

use std::collections::BTreeSet;

use super::still_held::{is_frozen, is_settled};
use crate::store::hold::{Hold, Line};
use crate::store::link::Subjects;
use crate::sync::guard;
use crate::sync::plan::Plan;
use crate::sync::project::Projection;

/// The lines of these holds that are over, by what the directory says now.
pub(super) fn over<'h>(
    approved: &'h [Hold],
    now: &Projection,
    plan: &Plan,
    subjects: &Subjects,
) -> BTreeSet<&'h Line> {
    if approved.is_empty() {
        return BTreeSet::new();
    }
    let ids = subjects.by_key();
    let is_over = |line: &&Line| {
        let Some(subject) = ids.get(&line.subject).copied() else { return false };
        let member = line.member.as_ref().and_then(|member| ids.get(member)).copied();
        match line.class.as_str() {
            "userRemoval" | "groupRemoval" | "disable" | "memberRemoval" | "identifierChange" => {
                is_settled(now, line, subject, member, subjects)
            }
            // They are of those who are there: it is over when nothing like it is to be done.
            _ => {
                let is_kept = now.users.contains_key(&subject)
                    || now.groups.contains_key(&subject)
                    || now.at_rest.contains(subject.0);
                let of_subject = plan.steps.iter().filter(|step| step.subject == subject);
                let is_planned = of_subject.into_iter().any(|step| guard::verb(&step.action) == line.verb);
                is_kept && !is_frozen(now, subject) && !is_planned
            }
        }
    };
    approved.iter().flat_map(|hold| &hold.lines).filter(is_over).collect()
}
