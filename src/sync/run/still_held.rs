//! What was held before, and still is: a hold stands until a run could judge it, and no edit lets it go. Pure.
//!
//! # Guarantees
//! - A line goes when the directory no longer calls for it by the spec that it was held under, when its object is
//!   not there any more, or when a person approved it. A line that an edit is the reason of goes with that edit.
//! - While a line stands, nothing is taken from its object.

use std::collections::{BTreeSet, HashSet};

use crate::directory::SubjectId;
use crate::store::hold::{Hold, Identity, Line};
use crate::store::link::Subjects;
use crate::sync::plan::{Action, Plan};
use crate::sync::project::{Projection, SubjectState};

/// What it is judged by.
pub(super) struct HoldReview<'a> {
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
    /// Whether removals may depend on the last read.
    pub(super) fresh: bool,
}

/// What stands.
#[derive(Debug, Default)]
pub(super) struct StillHeld {
    /// Lines that are not planned now, and stand nevertheless.
    pub(super) unplanned: Vec<Line>,
    /// From whom nothing may be taken: the key of a user or group, and of a member.
    pub(super) locked: HashSet<(String, Option<String>)>,
    /// Whether what is not planned would be done if it could be judged.
    pub(super) counts: bool,
    /// Whether anything of it was held under another spec.
    pub(super) from_before: bool,
}

impl HoldReview<'_> {
    /// `approved` are the lines that a person approved under the spec of now.
    pub(super) fn judge(&self, approved: &HashSet<Identity>) -> StillHeld {
        let ids = self.subjects.by_key();
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
            let is_planned = planned.has(line, subject, member, self.same_spec);
            if !is_planned {
                let settled = self.fresh && approved.contains(&line.identity());
                if settled {
                    continue;
                }
                unplanned.push(line.clone());
            }
            // What can be judged by the spec that it was held under, is.
            if !is_planned || !self.same_spec {
                open.push((line.subject.clone(), line.member.clone()));
            }
        }
        let from_before = !self.same_spec && !open.is_empty();
        StillHeld { unplanned, locked: open.into_iter().collect(), counts: self.same_spec, from_before }
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
pub(super) fn is_settled(
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
        ("disable", Some(SubjectState::Keep(user)), _) => !user.disabled,
        ("identifierChange", Some(SubjectState::Keep(user)), _) => {
            known.is_some_and(|known| known.confirmed.name_key() == user.content.name_key())
        }
        ("identifierChange", _, Some(SubjectState::Keep(group))) => {
            known.is_some_and(|known| known.confirmed.name_key() == group.content.name_key())
        }
        ("memberRemoval", _, Some(SubjectState::Keep(group))) => member.is_none_or(|member| {
            group.members.contains(member.0) || known.is_none_or(|known| !known.members.contains(member.0))
        }),
        // With the group goes the membership: that is another line.
        ("memberRemoval", _, Some(SubjectState::Gone(_))) => line.is_configuration(),
        (_, Some(SubjectState::Keep(_)), _) | (_, _, Some(SubjectState::Keep(_))) => true,
        _ => false,
    }
}

pub(super) fn is_frozen(by: &Projection, subject: SubjectId) -> bool {
    matches!(by.users.get(&subject), Some(SubjectState::Frozen))
        || matches!(by.groups.get(&subject), Some(SubjectState::Frozen))
}

/// What a plan would do, and of whom.
#[derive(Default)]
struct Planned {
    /// From whom something would be taken.
    taken: BTreeSet<SubjectId>,
    renamed: BTreeSet<SubjectId>,
    /// Of whom anything else would be done, which is no answer to a removal.
    changed: BTreeSet<SubjectId>,
    memberships: HashSet<(SubjectId, u32)>,
    /// Those that would end because the member leaves.
    following: HashSet<(SubjectId, u32)>,
}

impl Planned {
    fn of(plan: &Plan) -> Self {
        let leaving = plan.leaving.iter().filter(|(_, leaving)| leaving.is_some());
        let mut planned = Self { taken: leaving.map(|(subject, _)| *subject).collect(), ..Self::default() };
        for step in &plan.steps {
            match &step.action {
                Action::RemoveMembers(removal) => {
                    planned.memberships.extend(removal.ended.iter().map(|member| (step.subject, member)));
                    planned.following.extend(removal.following.iter().map(|member| (step.subject, member)));
                }
                Action::AddMembers(_) | Action::Create(_) => {}
                Action::Update { renames: true, .. } => drop(planned.renamed.insert(step.subject)),
                _ if step.evidence.is_some() => drop(planned.taken.insert(step.subject)),
                _ => drop(planned.changed.insert(step.subject)),
            }
        }
        planned
    }

    /// Whether what the line says would be done, or by the same spec something graver.
    fn has(&self, line: &Line, subject: SubjectId, member: Option<SubjectId>, same_spec: bool) -> bool {
        let (taken, renamed) = (self.taken.contains(&subject), self.renamed.contains(&subject));
        match (member, line.class.as_str()) {
            (Some(member), _) => {
                let membership = (subject, member.0);
                self.memberships.contains(&membership) || same_spec && self.following.contains(&membership)
            }
            (None, "userRemoval" | "groupRemoval" | "disable") => taken,
            (None, "identifierChange") => renamed || taken && same_spec,
            (None, _) => taken || renamed || self.changed.contains(&subject),
        }
    }
}

#[cfg(test)]
mod tests {
    use roaring::RoaringBitmap;
    use rstest::rstest;

    use super::*;
    use crate::directory::{
        Anchor, DirectoryId, Evidence, Grade, Key, Owner, SubjectKind, TargetId, UserContent,
    };
    use crate::store::link::{Link, Subject};
    use crate::sync::plan::{Phase, Planned as Step};

    fn subject(id: u32) -> Subject {
        let content = UserContent { user_name: format!("u{id}"), ..UserContent::default() };
        let link = Link {
            target: TargetId(format!("t{id}").into()),
            confirmed: crate::directory::Content::User(content).into(),
            active: true,
            members: RoaringBitmap::new(),
            leaving: None,
        };
        let (directory, anchor) = (DirectoryId::new("d"), Anchor::new(format!("a{id}")));
        let key = Key::new(&Owner::new("test", "all"), &directory, &anchor);
        let id = SubjectId(id);
        Subject { id, kind: SubjectKind::User, key, anchors: vec![(directory, anchor)], link: Some(link) }
    }

    /// Two are held, of whom the second cannot be read any more.
    #[rstest]
    #[case::by_the_spec_of_now(true, &[2])]
    #[case::by_another_one(false, &[1, 2])]
    fn only_what_cannot_be_judged_is_locked(#[case] same_spec: bool, #[case] locked: &[u32]) {
        let all: Vec<Subject> = [1, 2].map(subject).into();
        let key = |id: u32| subject(id).key.to_string();
        let line = |id: u32| {
            let line = serde_json::json!({ "class": "userRemoval", "subject": key(id), "grade": "Absent", "verb": "disable" });
            serde_json::from_value::<Line>(line).unwrap()
        };
        let hold = serde_json::json!({
            "owner": "test/all", "digest": "", "specHash": "", "since": "2026-01-01T00:00:00Z", "lines": [line(1), line(2)]
        });
        let before = serde_json::from_value(hold).unwrap();
        let subjects =
            Subjects { by_id: all.into_iter().map(|one| (one.id, one)).collect(), ..Subjects::default() };
        let evidence = Some(Evidence::data(Grade::Absent));
        let disable = Step::new(SubjectId(1), SubjectKind::User, Phase::Disable, Action::Disable);
        let steps = vec![Step { evidence, ..disable }];
        let plan = Plan { steps, ..Plan::default() };
        let mut now = Projection::default();
        now.users.insert(SubjectId(2), SubjectState::Frozen);
        let then = same_spec.then_some(&now);
        let standing = HoldReview {
            before: &before,
            same_spec,
            then,
            now: &now,
            plan: &plan,
            subjects: &subjects,
            fresh: true,
        };
        let stands = standing.judge(&HashSet::new());
        assert_eq!(stands.unplanned, [line(2)]);
        assert_eq!(stands.locked, locked.iter().map(|id| (key(*id), None)).collect());
        assert_eq!((stands.counts, stands.from_before), (same_spec, !same_spec));
    }

    /// One is held; under another spec something else is to be done to them.
    #[rstest]
    #[case::nothing("userRemoval", "Absent", None, true)]
    #[case::a_change("userRemoval", "OutOfScope", Some(update(false)), true)]
    #[case::to_be_enabled("disable", "Disabled", Some((Action::Enable, None)), true)]
    #[case::a_rename("userRemoval", "OutOfScope", Some(update(true)), true)]
    #[case::the_same("userRemoval", "OutOfScope", Some((Action::Disable, Some(Grade::OutOfScope))), false)]
    #[case::graver("userRemoval", "OutOfScope", Some((Action::Delete, Some(Grade::OutOfScope))), false)]
    #[case::no_rename("identifierChange", "", Some(update(false)), true)]
    #[case::another_rename("identifierChange", "", Some(update(true)), false)]
    #[case::a_removal_in_place_of_a_rename("identifierChange", "", Some((Action::Disable, Some(Grade::Absent))), true)]
    fn what_an_edit_does_to_somebody_else_is_no_answer(
        #[case] class: &str,
        #[case] grade: &str,
        #[case] step: Option<(Action, Option<Grade>)>,
        #[case] is_unplanned: bool,
    ) {
        let line = serde_json::json!({ "class": class, "subject": subject(1).key.to_string(), "grade": grade, "verb": "x" });
        let line = serde_json::from_value::<Line>(line).unwrap();
        let hold = serde_json::json!({
            "owner": "test/all", "digest": "", "specHash": "", "since": "2026-01-01T00:00:00Z", "lines": [line]
        });
        let before = serde_json::from_value(hold).unwrap();
        let subjects =
            Subjects { by_id: [(SubjectId(1), subject(1))].into_iter().collect(), ..Subjects::default() };
        let steps = step.map(|(action, grade)| {
            let step = Step::new(SubjectId(1), SubjectKind::User, Phase::Users, action);
            Step { evidence: grade.map(Evidence::data), ..step }
        });
        let plan = Plan { steps: steps.into_iter().collect(), ..Plan::default() };
        let mut then = Projection::default();
        then.users.insert(SubjectId(1), SubjectState::Gone(Evidence::data(Grade::OutOfScope)));
        let standing = HoldReview {
            before: &before,
            same_spec: false,
            then: Some(&then),
            now: &Projection::default(),
            plan: &plan,
            subjects: &subjects,
            fresh: true,
        };
        let stands = standing.judge(&HashSet::new());
        assert_eq!(stands.unplanned.len(), usize::from(is_unplanned));
        assert_eq!(stands.locked.len(), 1, "nothing is taken from them");
    }

    fn update(renames: bool) -> (Action, Option<Grade>) {
        let content = crate::directory::Content::User(UserContent::default()).into();
        (Action::Update { content, renames, clears: Vec::new() }, None)
    }
}
