//! What was held before, and still is: a hold stands until a run could judge it, and no edit lets it go. Pure.
//!
//! # Guarantees
//! - A line goes when the directory no longer calls for it by the spec that it was held under, when its object is
//!   not there any more, or when a person approved it. A line that an edit is the reason of goes with that edit.
//! - While a line stands, nothing is taken from its object.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::directory::SubjectId;
use crate::store::hold::{Hold, Identity, Line};
use crate::store::link::Subjects;
use crate::sync::plan::{Action, Plan};
use crate::sync::project::{Projection, Verdict};

/// What it is judged by.
pub(super) struct Standing<'a> {
    /// What was held until now.
    pub(super) before: &'a Hold,
    /// Whether that was under the spec of now.
    pub(super) same_spec: bool,
    /// By the spec that it was held under; `None` if nobody can tell.
    pub(super) then: Option<&'a Projection>,
    /// By the spec of now.
    pub(super) now: &'a Projection,
    pub(super) plan: &'a Plan,
    pub(super) subjects: &'a Subjects,
    /// Whether removals may rest on what was read.
    pub(super) fresh: bool,
}

/// What stands.
#[derive(Debug, Default)]
pub(super) struct Stands {
    /// Lines that are not planned now, and stand nevertheless.
    pub(super) unplanned: Vec<Line>,
    /// From whom nothing may be taken: the key of a user or group, and of a member.
    pub(super) locked: HashSet<(String, Option<String>)>,
    /// Whether anything of it was held under another spec.
    pub(super) from_before: bool,
}

impl Standing<'_> {
    /// `approved` are the lines that a person approved under the spec of now.
    pub(super) fn judge(&self, approved: &HashSet<Identity>) -> Stands {
        let ids: HashMap<String, SubjectId> =
            self.subjects.by_id.values().map(|subject| (subject.key.to_string(), subject.id)).collect();
        let planned = Planned::of(self.plan);
        let mut open = Vec::new();
        let mut unplanned = Vec::new();
        for line in &self.before.lines {
            let subject = ids.get(&line.subject).copied();
            let member = line.member.as_ref().and_then(|member| ids.get(member)).copied();
            let Some(subject) = subject.filter(|subject| self.subjects.link(*subject).is_some()) else {
                continue;
            };
            let is_open = match (&line.member, member) {
                (Some(_), None) => false,
                _ => self.is_open(line, subject, member),
            };
            if !is_open {
                continue;
            }
            if !planned.has(subject, member) {
                let settled = self.fresh && approved.contains(&line.identity());
                if settled {
                    continue;
                }
                unplanned.push(line.clone());
            }
            open.push((line.subject.clone(), line.member.clone()));
        }
        // Where all of it can be judged, it is.
        if self.same_spec && unplanned.is_empty() {
            return Stands::default();
        }
        let from_before = !self.same_spec && !open.is_empty();
        Stands { unplanned, locked: open.into_iter().collect(), from_before }
    }

    /// Whether the directory may still call for what the line says.
    fn is_open(&self, line: &Line, subject: SubjectId, member: Option<SubjectId>) -> bool {
        if line.is_configuration()
            && !self.same_spec
            && is_settled(self.now, line, subject, member, self.subjects)
        {
            return false;
        }
        match line.class.as_str() {
            "userRemoval" | "groupRemoval" | "disable" | "memberRemoval" | "identifierChange" => {}
            // Nothing is lost by these.
            _ => return is_frozen(self.now, subject),
        }
        if !self.fresh && line.class != "identifierChange" {
            return true;
        }
        self.then.is_none_or(|then| !is_settled(then, line, subject, member, self.subjects))
    }
}

/// Whether a projection says that nothing of the line is to be done.
fn is_settled(
    by: &Projection,
    line: &Line,
    subject: SubjectId,
    member: Option<SubjectId>,
    subjects: &Subjects,
) -> bool {
    if by.at_rest.contains(subject.0) {
        return true;
    }
    let known = subjects.link(subject);
    match (line.class.as_str(), by.users.get(&subject), by.groups.get(&subject)) {
        ("disable", Some(Verdict::Keep(user)), _) => !user.disabled,
        ("identifierChange", Some(Verdict::Keep(user)), _) => {
            known.is_some_and(|known| known.confirmed.name_key() == user.content.name_key())
        }
        ("identifierChange", _, Some(Verdict::Keep(group))) => {
            known.is_some_and(|known| known.confirmed.name_key() == group.content.name_key())
        }
        ("memberRemoval", _, Some(Verdict::Keep(group))) => member.is_none_or(|member| {
            group.members.contains(member.0) || known.is_none_or(|known| !known.members.contains(member.0))
        }),
        // With the group goes the membership: that is another line.
        ("memberRemoval", _, Some(Verdict::Gone(_))) => line.is_configuration(),
        (_, Some(Verdict::Keep(_)), _) | (_, _, Some(Verdict::Keep(_))) => true,
        _ => false,
    }
}

fn is_frozen(by: &Projection, subject: SubjectId) -> bool {
    matches!(by.users.get(&subject), Some(Verdict::Frozen))
        || matches!(by.groups.get(&subject), Some(Verdict::Frozen))
}

/// Of whom a plan would take something.
struct Planned {
    subjects: BTreeSet<SubjectId>,
    memberships: HashSet<(SubjectId, u32)>,
}

impl Planned {
    fn of(plan: &Plan) -> Self {
        let leaving = plan.leaving.iter().filter(|(_, leaving)| leaving.is_some());
        let mut planned =
            Self { subjects: leaving.map(|(subject, _)| *subject).collect(), memberships: HashSet::new() };
        for step in &plan.steps {
            match &step.action {
                Action::RemoveMembers(removal) => {
                    let out = &removal.ended | &removal.following;
                    planned.memberships.extend(out.iter().map(|member| (step.subject, member)));
                }
                Action::AddMembers(_) | Action::Create(_) => {}
                _ => drop(planned.subjects.insert(step.subject)),
            }
        }
        planned
    }

    fn has(&self, subject: SubjectId, member: Option<SubjectId>) -> bool {
        match member {
            Some(member) => self.memberships.contains(&(subject, member.0)),
            None => self.subjects.contains(&subject),
        }
    }
}
