//! The lines of a hold, for digests and for display.

use std::collections::HashSet;

use super::bucket::{Bucket, Exceeded};
use super::input::Input;
use crate::directory::{Content, Evidence, Grade, Place, SubjectId, SubjectKind};
use crate::store::hold::{Hold, Identity, Line};
use crate::store::journal::Class;
use crate::sync::plan::{Action, Planned, Removal};
use crate::sync::policy::LeaverAction;
use crate::text::clean_within;
use crate::words::count;

/// Why something is held that was held before an edit.
pub(super) const STOOD: &str = "held before, and since then neither approved nor resolved by the directory";

/// Why something is held that no approval settles.
pub(super) const UNPROVABLE: &str = "missing from the export, which does not prove that it is gone (the notices and exceptions of the connector say \
     why); no approval settles this, only an export that proves its end and of which every record can be read";

/// What the approval of a line covers: what was approved although it was doubtful is so all the more when it no
/// longer is.
pub(super) fn covers(line: &Line) -> [Identity; 2] {
    [line.clone(), Line { doubtful: false, ..line.clone() }].map(|line| line.identity())
}

/// Creates lines, and knows which are approved.
pub(super) struct Lines<'a> {
    pub(super) input: Input<'a>,
    approved: HashSet<Identity>,
    /// The keys of groups of which some member is locked.
    locked_groups: HashSet<&'a str>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(input: Input<'a>) -> Self {
        let approved = input.approved.iter().flat_map(|hold| &hold.lines).flat_map(covers).collect();
        let locked = input.locked.iter().filter(|(_, member)| member.is_some());
        Self { input, approved, locked_groups: locked.map(|(group, _)| group.as_str()).collect() }
    }

    pub(super) fn any_approved(&self) -> bool {
        !self.approved.is_empty()
    }

    pub(super) fn is_approved(&self, line: &Line) -> bool {
        self.any_approved() && self.approved.contains(&line.identity())
    }

    /// Whether a person approved this step. Where nothing is approved no line is made to find out.
    pub(super) fn approve(&self, step: &Planned) -> bool {
        self.any_approved() && self.is_approved(&self.of_step(step))
    }

    /// Whether the step removes something from a subject with held operations.
    pub(super) fn is_locked(&self, step: &Planned) -> bool {
        let takes = step.evidence.is_some() || matches!(step.action, Action::Update { renames: true, .. });
        takes
            && (self.is_locked_in(step.subject)
                || matches!(step.action, Action::Delete | Action::Empty)
                    && self.has_locked_members(step.subject))
    }

    /// Whether something was held before of this user or group itself.
    pub(super) fn is_locked_in(&self, subject: SubjectId) -> bool {
        !self.input.locked.is_empty() && self.input.locked.contains(&(self.key(subject), None))
    }

    /// Whether something was held before of this membership itself.
    pub(super) fn is_locked_membership(&self, group: SubjectId, member: u32) -> bool {
        !self.locked_groups.is_empty()
            && self.input.locked.contains(&(self.key(group), Some(self.key(SubjectId(member)))))
    }

    fn has_locked_members(&self, group: SubjectId) -> bool {
        !self.locked_groups.is_empty() && self.locked_groups.contains(self.key(group).as_str())
    }

    pub(super) fn of_step(&self, step: &Planned) -> Line {
        let (class, action) = match (&step.action, Class::of(step)) {
            (Action::Update { content, renames: true, .. }, _) => {
                ("identifierChange", format!("rename to {}", content.name()))
            }
            (Action::Update { clears, .. }, _) if !clears.is_empty() => {
                ("clear", format!("clear {}", clears.join(", ")))
            }
            (Action::AddMembers(members), _) => {
                ("other", format!("add {}", count(members.len(), "member", "members")))
            }
            (Action::Release(_), _) => ("other", "rename temporarily".to_owned()),
            (Action::Enable, _) => ("enable", "enable".to_owned()),
            (Action::Empty, class) => (class.map_or("other", name), "remove all members".to_owned()),
            (action, class) => (class.map_or("other", name), verb(action).to_owned()),
        };
        // That somebody is missing where nobody can ask is no evidence.
        let grade = step.evidence.filter(|_| !step.unprovable).map(grade);
        let name = self.name(step.subject, &step.action);
        let line = self.line(class, step.subject, None, grade, (verb(&step.action), action), name);
        Line { doubtful: !step.doubtful.is_empty(), ..line }
    }

    pub(super) fn of_membership(&self, step: &Planned, removal: &Removal, member: u32) -> Line {
        let member = SubjectId(member);
        let weak = removal.weak.contains(member.0);
        let evidence = Evidence {
            grade: if weak { Grade::AbsentUnconfirmed } else { Grade::EdgeRemoved },
            configuration: removal.configuration.contains(member.0),
        };
        let name = self.name(step.subject, &step.action);
        let action = (verb(&step.action), "remove from the group".to_owned());
        let line =
            self.line("memberRemoval", step.subject, Some(member), Some(grade(evidence)), action, name);
        Line { doubtful: !step.doubtful.is_empty(), ..line }
    }

    pub(super) fn of_leaver(&self, subject: SubjectId, kind: SubjectKind, evidence: Evidence) -> Line {
        let class = match (kind, evidence.grade) {
            (SubjectKind::Group, _) => "groupRemoval",
            (SubjectKind::User, Grade::Disabled) => "disable",
            (SubjectKind::User, _) => "userRemoval",
        };
        let name = self.name(subject, &Action::Disable);
        let verb = self.input.plan.later.get(&subject).map_or("remove", |step| verb_of(*step));
        let words = if verb == "empty" { "remove all members" } else { verb };
        let action = (verb, format!("{words} when it is due"));
        let line = self.line(class, subject, None, Some(grade(evidence)), action, name);
        Line { doubtful: self.input.plan.doubtful.contains_key(&subject), ..line }
    }

    fn line(
        &self,
        class: &str,
        subject: SubjectId,
        member: Option<SubjectId>,
        grade: Option<String>,
        (verb, action): (&str, String),
        name: String,
    ) -> Line {
        Line {
            class: class.to_owned(),
            subject: self.key(subject),
            member: member.map(|member| self.key(member)),
            grade,
            doubtful: false,
            verb: verb.to_owned(),
            action,
            name,
            member_name: member.map(|member| self.name(member, &Action::Disable)),
            why: String::new(),
        }
    }

    /// What a subject is called: what it bears at the target, else what it is to bear.
    fn name(&self, subject: SubjectId, action: &Action) -> String {
        match (self.input.subjects.link(subject), action) {
            (Some(link), _) => link.confirmed.name().to_owned(),
            (None, Action::Create(content)) => Content::name(content).to_owned(),
            _ => String::new(),
        }
    }

    /// A newcomer has no key in `subjects` yet; it is only ever held with everything else, and its
    /// number names it well enough.
    fn key(&self, subject: SubjectId) -> String {
        let known = self.input.subjects.by_id.get(&subject);
        known.map_or_else(|| format!("new-{}", subject.0), |subject| subject.key.to_string())
    }
}

/// So many bytes of a place's DN are shown.
const LONGEST: usize = 256;

/// Begins why something is held that went with a whole place.
const EVERYONE_IN: &str = "everybody in ";

/// Why something is held that follows from what many lost at once.
pub(super) fn lost(fields: &[String]) -> String {
    let places = fields.iter().filter_map(|field| Place::of(field));
    let shown =
        |Place(dn): Place<'_>| format!("{EVERYONE_IN}{} is missing at once", clean_within(dn, LONGEST));
    let places = places.map(shown);
    let fields: Vec<&str> =
        fields.iter().filter(|field| Place::of(field).is_none()).map(String::as_str).collect();
    let fields = (!fields.is_empty()).then(|| format!("many entries lost {} at once", fields.join(", ")));
    places.chain(fields).collect::<Vec<_>>().join("; ")
}

/// The same for a status, which names no place: a place may be called as a person is.
fn without_place(why: &str) -> &str {
    if why.starts_with(EVERYONE_IN) {
        "everybody in one subtree of the directory is missing at once; `rollcall plan show` names it"
    } else {
        why
    }
}

/// Why a limit holds a step.
pub(super) fn cause(step: &Planned, exceeds: Option<Bucket>) -> String {
    match exceeds {
        Some(bucket) if bucket.is_weak() => {
            "above the limit for removals that the source cannot confirm (5, or 1 %)".to_owned()
        }
        Some(bucket) if bucket.is_configuration() => {
            format!("above {}, because of an edit of the spec", bucket.field())
        }
        Some(bucket) => format!("above {}", bucket.field()),
        None if step.evidence.is_some() => "limits.onExceed is HoldAll".to_owned(),
        None => "limits.onExceed is HoldAll, and a limit is exceeded".to_owned(),
    }
}

/// A hold of these lines, if there are any.
pub(super) fn hold(input: Input<'_>, mut lines: Vec<Line>, exceeded: &[Exceeded]) -> Option<Hold> {
    if lines.is_empty() {
        return None;
    }
    lines.sort();
    lines.dedup_by_key(|line| line.identity());
    let digest = Hold::digest_of(input.owner, input.spec_hash, &lines);
    Some(Hold {
        owner: input.owner.clone(),
        digest,
        spec_hash: input.spec_hash.to_owned(),
        spec: None,
        limits: None,
        since: input.now,
        reason: reason(&lines, exceeded),
        lines,
        approved_by: None,
    })
}

fn reason(lines: &[Line], exceeded: &[Exceeded]) -> String {
    // Where both limits of a class are exceeded, one of them says enough.
    let said = |one: &&Exceeded| {
        !one.weak
            || !exceeded.iter().any(|other| other.class == one.class && !other.weak && !other.configuration)
    };
    let mut reasons: Vec<String> = exceeded.iter().filter(said).map(ToString::to_string).collect();
    // What no budget holds says why itself; each such reason once.
    let mut others: Vec<&str> =
        lines.iter().map(|line| without_place(&line.why)).filter(|why| !why.starts_with("above ")).collect();
    others.sort_unstable();
    others.dedup();
    reasons.extend(others.into_iter().map(str::to_owned));
    reasons.join("; ")
}

fn grade(evidence: Evidence) -> String {
    if evidence.configuration {
        format!("{}{}", evidence.grade, Line::BY_EDIT)
    } else {
        evidence.grade.to_string()
    }
}

/// What a line's removal counts as, if it is one: the class, and the evidence.
pub(super) fn counts(line: &Line) -> Option<(Class, Option<Evidence>)> {
    let class = CLASSES.iter().copied().find(|class| name(*class) == line.class)?;
    let evidence = line.grade.as_ref().and_then(|text| {
        let grade = text.strip_suffix(Line::BY_EDIT).unwrap_or(text);
        let grade = Grade::ALL.iter().copied().find(|one| one.to_string() == grade)?;
        Some(Evidence { grade, configuration: line.is_configuration() })
    });
    Some((class, evidence))
}

const CLASSES: &[Class] =
    &[Class::UserRemoval, Class::GroupRemoval, Class::MemberRemoval, Class::IdentifierChange, Class::Disable];

fn name(class: Class) -> &'static str {
    match class {
        Class::UserRemoval => "userRemoval",
        Class::GroupRemoval => "groupRemoval",
        Class::MemberRemoval => "memberRemoval",
        Class::IdentifierChange => "identifierChange",
        Class::Disable => "disable",
    }
}

/// What a step does, in one word.
pub(in crate::sync) fn verb(action: &Action) -> &'static str {
    match action {
        Action::Disable => verb_of(LeaverAction::Disable),
        Action::Empty => verb_of(LeaverAction::Empty),
        Action::Delete => verb_of(LeaverAction::Delete),
        Action::Unlink => verb_of(LeaverAction::Unlink),
        Action::Enable => "enable",
        Action::Create(_) => "create",
        Action::Update { renames: true, .. } => "rename",
        Action::Update { clears, .. } if !clears.is_empty() => "clear",
        Action::Update { .. } => "update",
        Action::Release(_) => "release",
        Action::AddMembers(_) => "addMembers",
        Action::RemoveMembers(_) => "takeOut",
    }
}

fn verb_of(step: LeaverAction) -> &'static str {
    match step {
        LeaverAction::Disable => "disable",
        LeaverAction::Empty => "empty",
        LeaverAction::Unlink => "unlink",
        LeaverAction::Delete => "delete",
    }
}
