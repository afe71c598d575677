//! Tests of plans.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::*;
use crate::directory::{
    Anchor, ConnectorName, Content, DirectoryId, Evidence, Grade, GroupContent, Key, Owner, SubjectId,
    SubjectKind, TargetId, UserContent,
};
use crate::store::link::{Leaving, Link, Subject, Subjects};
use crate::sync::policy::{
    Adopt, Budget, ConnectorBinding, GroupRules, LeaverAction, LeaverStep, Limits, Nesting, OnDisabled,
    OnExceed, OnRecreated, PerGroup, Policy, UserRules,
};
use crate::sync::project::{Group, Projection, SubjectState, User};

/// Groups have numbers from here on.
const GROUPS: u32 = 100;

/// What the directory says, and what is linked.
struct Case {
    policy: Policy,
    projection: Projection,
    previous: Option<Projection>,
    unknown: bool,
    subjects: Subjects,
    vouched: Freshness,
    first_run: bool,
    now: Timestamp,
}

impl Case {
    fn new() -> Self {
        Self {
            policy: policy(),
            projection: Projection::default(),
            previous: None,
            unknown: false,
            subjects: Subjects::default(),
            vouched: Freshness { completion: 7, fresh: true },
            first_run: false,
            now: at(0),
        }
    }

    fn plan(&self) -> Plan {
        plan(Input {
            policy: &self.policy,
            projection: &self.projection,
            previous: match &self.previous {
                _ if self.unknown => Previous::Unknown,
                Some(projection) => Previous::Other(projection),
                None => Previous::Same,
            },
            subjects: &self.subjects,
            freshness: self.vouched,
            first_run: self.first_run,
            now: self.now,
        })
    }

    /// Each step as (whom, what), in order.
    fn steps(&self) -> Vec<(u32, String)> {
        self.plan().steps.iter().map(|step| (step.subject.0, verb(&step.action))).collect()
    }

    /// Somebody whom the directory wants under this name.
    fn keep(mut self, id: u32, name: &str) -> Self {
        self.know(id);
        if id < GROUPS {
            let user = User { content: content(id, name).into(), disabled: false };
            self.projection.users.insert(SubjectId(id), SubjectState::Keep(user));
        } else {
            let group = Group {
                content: content(id, name).into(),
                members: RoaringBitmap::new(),
                unproven: RoaringBitmap::new(),
                awaits: false,
                weak: RoaringBitmap::new(),
            };
            self.projection.groups.insert(SubjectId(id), SubjectState::Keep(group));
        }
        self
    }

    fn gone(mut self, id: u32, grade: Grade) -> Self {
        self.know(id);
        let evidence = Evidence::data(grade);
        if id < GROUPS {
            self.projection.users.insert(SubjectId(id), SubjectState::Gone(evidence));
        } else {
            self.projection.groups.insert(SubjectId(id), SubjectState::Gone(evidence));
        }
        self
    }

    /// Somebody who has an object under this name.
    fn linked(mut self, id: u32, name: &str) -> Self {
        self.know(id).link = Some(Link {
            target: TargetId(format!("t{id}").into()),
            confirmed: content(id, name).into(),
            active: true,
            members: RoaringBitmap::new(),
            leaving: None,
        });
        self
    }

    fn members(mut self, group: u32, wanted: &[u32], linked: &[u32]) -> Self {
        if let Some(SubjectState::Keep(keep)) = self.projection.groups.get_mut(&SubjectId(group)) {
            keep.members = wanted.iter().copied().collect();
        }
        if let Some(link) = &mut self.know(group).link {
            link.members = linked.iter().copied().collect();
        }
        self
    }

    fn link(&mut self, id: u32) -> &mut Link {
        self.know(id).link.as_mut().unwrap()
    }

    fn know(&mut self, id: u32) -> &mut Subject {
        let known = &mut self.subjects.by_id;
        if known.get(&SubjectId(id)).is_none() {
            known.insert(
                SubjectId(id),
                Subject {
                    id: SubjectId(id),
                    kind: if id < GROUPS { SubjectKind::User } else { SubjectKind::Group },
                    key: Key::new(
                        &Owner::new("test", "all"),
                        &DirectoryId::new("d"),
                        &Anchor::new(format!("a{id}")),
                    ),
                    anchors: Vec::new(),
                    link: None,
                },
            );
        }
        known.get_mut(&SubjectId(id)).unwrap()
    }
}

fn policy() -> Policy {
    let any = Budget { count: 100, percent: 100 };
    Policy {
        owner: Owner::new("test", "all"),
        connectors: vec![ConnectorBinding {
            connector: ConnectorName::new("test", "corp"),
            max_age: Duration::from_hours(24),
            disabled_when: None,
        }],
        users: UserRules {
            email_domains: BTreeSet::new(),
            r#where: None,
            contacts: false,
            without_mailboxes: BTreeSet::new(),
            disabled: OnDisabled::Disable,
            leavers: vec![
                LeaverStep { after: Duration::ZERO, action: LeaverAction::Disable },
                LeaverStep { after: Duration::from_hours(10), action: LeaverAction::Delete },
            ],
            recreated: OnRecreated::Quarantine,
            adopt: Adopt::Never,
            protected: BTreeSet::from(["boss".to_owned()]),
            attributes: BTreeMap::new(),
        },
        groups: GroupRules {
            include: Vec::new(),
            exclude: Vec::new(),
            r#where: None,
            name: None,
            nesting: Nesting::Flatten,
            authoritative: false,
            vanished: vec![LeaverStep { after: Duration::ZERO, action: LeaverAction::Delete }],
            adopt: Adopt::Never,
        },
        limits: Limits {
            window: Duration::from_hours(24),
            user_removals: any,
            group_removals: any,
            member_removals: any,
            member_removals_per_group: PerGroup { percent: 100, minimum_size: 0 },
            identifier_changes: any,
            disables: any,
            quarantined: any,
            on_exceed: OnExceed::HoldRemovals,
        },
        spec_hash: String::new(),
        spec_json: "".into(),
    }
}

fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + hours * 3600).unwrap()
}

fn content(id: u32, name: &str) -> Content {
    if id < GROUPS {
        Content::User(UserContent { user_name: name.to_owned(), ..UserContent::default() })
    } else {
        Content::Group(GroupContent { display_name: name.to_owned(), ..GroupContent::default() })
    }
}

fn with_title(id: u32, name: &str, title: &str) -> Content {
    let attributes = std::iter::once(("title".to_owned(), title.to_owned())).collect();
    match content(id, name) {
        Content::User(user) => Content::User(UserContent { attributes, ..user }),
        group @ Content::Group(_) => group,
    }
}

fn verb(action: &Action) -> String {
    let list =
        |members: &RoaringBitmap| members.iter().map(|id| id.to_string()).collect::<Vec<_>>().join(" ");
    match action {
        Action::Create(content) => format!("create {}", content.name()),
        Action::Update { content, renames: true, .. } => format!("rename to {}", content.name()),
        Action::Update { .. } => "update".to_owned(),
        Action::Release(_) => "release".to_owned(),
        Action::Disable => "disable".to_owned(),
        Action::Enable => "enable".to_owned(),
        Action::Empty => "empty".to_owned(),
        Action::Delete => "delete".to_owned(),
        Action::Unlink => "unlink".to_owned(),
        Action::AddMembers(members) => format!("add {}", list(members)),
        Action::RemoveMembers(removal) => {
            format!("end {} follow {}", list(&removal.ended), list(&removal.following))
        }
    }
}

fn said(steps: &[(u32, &str)]) -> Vec<(u32, String)> {
    steps.iter().map(|(id, verb)| (*id, (*verb).to_owned())).collect()
}

#[test]
fn who_is_new_is_created_and_who_is_unchanged_costs_nothing() {
    let case = Case::new().keep(1, "ann").keep(2, "bob").linked(2, "bob").keep(GROUPS, "team").members(
        GROUPS,
        &[1, 2],
        &[],
    );
    assert_eq!(case.steps(), said(&[(1, "create ann"), (100, "create team"), (100, "add 1 2")]));
}

#[test]
fn a_swap_goes_through_a_temporary_name() {
    let case = Case::new().keep(1, "bob").linked(1, "ann").keep(2, "ann").linked(2, "bob");
    let plan = case.plan();
    assert_eq!(plan.blocked, []);
    let freed: Vec<_> = plan.steps.iter().filter(|step| step.phase == Phase::Release).collect();
    assert_eq!(freed.len(), 1);
    let released = freed[0].subject;
    let renames = plan.steps.iter().filter(|step| step.phase == Phase::Users);
    let after: Vec<_> = renames.map(|step| (step.subject.0, step.after.unwrap().0)).collect();
    assert_eq!(after, [(1, 2), (2, 1)]);
    assert!([1, 2].contains(&released.0));
}

#[test]
fn a_chain_of_names_is_followed_and_a_name_that_is_kept_blocks() {
    let case = Case::new().keep(1, "bob").linked(1, "ann").keep(2, "cid").linked(2, "bob").keep(3, "ann");
    let plan = case.plan();
    let after = |id: u32| plan.steps.iter().find(|step| step.subject.0 == id).unwrap().after;
    assert_eq!((after(1), after(2), after(3)), (Some(SubjectId(2)), None, Some(SubjectId(1))));
    let case = Case::new().keep(1, "bob").linked(1, "ann").keep(2, "bob").linked(2, "bob").keep(3, "ann");
    let plan = case.plan();
    assert_eq!(plan.steps, [], "{:?}", plan.steps);
    let blocked: Vec<_> = plan.blocked.iter().map(|blocked| (blocked.subject.0, blocked.holder.0)).collect();
    assert_eq!(blocked.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from([(1, 2), (3, 1)]));
}

#[test]
fn a_leaver_climbs_down_and_memberships_end_with_the_first_step() {
    let mut case =
        Case::new().gone(1, Grade::Absent).linked(1, "ann").keep(GROUPS, "team").linked(GROUPS, "team");
    case = case.members(GROUPS, &[], &[1]);
    assert_eq!(case.steps(), said(&[(1, "disable"), (100, "end  follow 1")]));
    assert!(case.plan().leaving[&SubjectId(1)].is_some());
    assert_eq!(case.plan().due, Some(at(10)), "the step after this one");
    let evidence = Evidence::data(Grade::Absent);
    case.link(1).leaving =
        Some(Leaving { since: at(0), evidence, steps_done: 1, executed_at: Some(at(0)), completion: 7 });
    case.link(1).active = false;
    case.link(GROUPS).members.clear();
    assert_eq!((case.steps(), case.plan().due), (said(&[]), Some(at(10))));
    case.now = at(11);
    assert_eq!(case.steps(), said(&[]), "the next step needs a newer completion");
    assert_eq!(case.plan().due, Some(at(11)), "and goes on being due");
    case.vouched.completion = 8;
    assert_eq!(case.steps(), said(&[(1, "delete")]));
}

#[test]
fn who_returns_is_restored_without_a_trace() {
    let mut case = Case::new().keep(1, "ann").linked(1, "ann");
    let evidence = Evidence::data(Grade::Absent);
    case.link(1).leaving =
        Some(Leaving { since: at(0), evidence, steps_done: 1, executed_at: Some(at(0)), completion: 7 });
    case.link(1).active = false;
    assert_eq!(case.steps(), said(&[(1, "enable")]));
    assert_eq!(case.plan().leaving, BTreeMap::from([(SubjectId(1), None)]));
}

#[test]
fn nothing_is_removed_first_nor_on_an_old_word_nor_of_the_protected() {
    let everything = || {
        let case = Case::new()
            .gone(1, Grade::Absent)
            .linked(1, "ann")
            .gone(GROUPS, Grade::Absent)
            .linked(GROUPS, "gone");
        case.keep(GROUPS + 1, "team").linked(GROUPS + 1, "team").keep(2, "bob").linked(2, "bob").members(
            GROUPS + 1,
            &[],
            &[2],
        )
    };
    assert_eq!(everything().steps(), said(&[(1, "disable"), (101, "end 2 follow "), (100, "delete")]));
    let first = Case { first_run: true, ..everything() };
    assert_eq!((first.steps(), first.plan().due), (said(&[]), Some(first.now)), "the next run sees to it");
    let old = Freshness { completion: 7, fresh: false };
    assert_eq!(Case { vouched: old, ..everything() }.steps(), said(&[]));
    let case = Case::new().gone(1, Grade::Absent).linked(1, "Boss");
    assert_eq!((case.steps(), case.plan().protected), (said(&[]), vec![SubjectId(1)]));
}

/// A group that should have gone in an earlier run loses those who leave, whatever hinders its deletion; in the run in which it is
/// deleted for the first time that would be one request too many.
#[test]
fn who_leaves_goes_out_of_a_group_that_cannot_be_deleted() {
    let case = |since: i64| {
        let case = Case::new()
            .gone(1, Grade::Absent)
            .linked(1, "ann")
            .gone(GROUPS, Grade::Absent)
            .linked(GROUPS, "team");
        let mut case = case.members(GROUPS, &[], &[1]);
        let evidence = Evidence::data(Grade::Absent);
        let leaving = Leaving { since: at(since), evidence, steps_done: 0, executed_at: None, completion: 0 };
        case.link(GROUPS).leaving = Some(leaving);
        case.now = at(100);
        case
    };
    assert_eq!(case(100).steps(), said(&[(1, "disable"), (100, "delete")]));
    assert_eq!(case(0).steps(), said(&[(1, "disable"), (100, "end  follow 1"), (100, "delete")]));
    // One that is emptied loses everybody.
    let mut emptied = case(0);
    emptied
        .policy
        .groups
        .vanished
        .insert(0, LeaverStep { after: Duration::ZERO, action: LeaverAction::Empty });
    assert_eq!(emptied.steps(), said(&[(1, "disable"), (100, "empty")]));
    emptied.link(GROUPS).leaving.as_mut().unwrap().steps_done = 1;
    emptied.link(GROUPS).leaving.as_mut().unwrap().executed_at = Some(at(50));
    emptied.link(GROUPS).members.clear();
    assert_eq!(emptied.steps(), said(&[(1, "disable"), (100, "delete")]));
}

#[test]
fn who_is_stated_to_be_disabled_may_be_disabled_even_first() {
    let mut case = Case { first_run: true, ..Case::new().keep(1, "ann").linked(1, "ann") };
    if let Some(SubjectState::Keep(user)) = case.projection.users.get_mut(&SubjectId(1)) {
        user.disabled = true;
    }
    let plan = case.plan();
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(
        (&plan.steps[0].action, plan.steps[0].evidence),
        (&Action::Disable, Some(Evidence::data(Grade::Disabled)))
    );
}

#[test]
fn who_was_missed_and_not_looked_up_is_only_ever_held() {
    let mut case = Case::new().linked(1, "ann");
    case.projection.users.insert(SubjectId(1), SubjectState::Frozen);
    assert_eq!(case.steps(), said(&[]));
    case.projection.unsettled.insert(SubjectId(1));
    let plan = case.plan();
    assert!(plan.steps.len() == 1 && plan.steps[0].needs_look_up, "{:?}", plan.steps);
    assert_eq!(plan.leaving, BTreeMap::new(), "nobody is marked as a leaver on that");
    // However long leavers have.
    case.policy.users.leavers.remove(0);
    let plan = case.plan();
    assert!(plan.steps.len() == 1 && plan.steps[0].needs_look_up, "{:?}", plan.steps);
    assert_eq!(plan.leaving, BTreeMap::new());
}

#[test]
fn what_only_an_edit_removes_is_graded_so() {
    let mut case =
        Case::new().gone(1, Grade::OutOfScope).linked(1, "ann").gone(2, Grade::Absent).linked(2, "bob");
    let mut previous = Case::new().keep(1, "ann").projection;
    previous.users.insert(SubjectId(2), SubjectState::Gone(Evidence::data(Grade::Absent)));
    case.previous = Some(previous);
    let by_edit: Vec<(u32, bool)> =
        case.plan().steps.iter().map(|step| (step.subject.0, step.evidence.unwrap().configuration)).collect();
    assert_eq!(by_edit, [(1, true), (2, false)]);
}

#[test]
fn what_an_edit_removes_that_cannot_be_told_is_graded_so() {
    let mut case = Case::new().gone(1, Grade::Absent).linked(1, "ann").keep(2, "bob").linked(2, "bob");
    case = case.keep(GROUPS, "team").linked(GROUPS, "team").members(GROUPS, &[], &[2]);
    case.unknown = true;
    let plan = case.plan();
    let removals: Vec<bool> = plan
        .steps
        .iter()
        .map(|step| match &step.action {
            Action::RemoveMembers(removal) => {
                removal.configuration == removal.ended && !removal.ended.is_empty()
            }
            _ => step.evidence.unwrap().configuration,
        })
        .collect();
    assert_eq!(removals, [true, true]);
}

#[test]
fn what_began_by_an_edit_goes_on_so() {
    let began = |case: &mut Case, configuration: bool| {
        let evidence = Evidence { grade: Grade::OutOfScope, configuration };
        let executed_at = Some(at(0));
        let leaving = Leaving { since: at(0), evidence, steps_done: 1, executed_at, completion: 1 };
        case.link(1).leaving = Some(leaving);
        case.now = at(100_000);
    };
    for (grade, by_edit, expected) in [
        (Grade::OutOfScope, true, true),
        (Grade::OutOfScope, false, false),
        // The directory has said something else since.
        (Grade::Absent, true, false),
    ] {
        let mut case = Case::new().gone(1, grade).linked(1, "ann");
        began(&mut case, by_edit);
        let plan = case.plan();
        assert_eq!(plan.steps[0].action, Action::Delete);
        assert_eq!(plan.steps[0].evidence.unwrap().configuration, expected, "{grade:?} {by_edit}");
    }
}

#[test]
fn what_is_in_doubt_is_held_apart_from_what_is_not() {
    let mut case = Case::new().keep(1, "ann").linked(1, "ann@corp");
    case.link(1).confirmed = with_title(1, "ann@corp", "Boss").into();
    case.projection.doubtful.insert(SubjectId(1), vec!["mail".to_owned()]);
    let doubts: Vec<(String, bool)> =
        case.plan().steps.iter().map(|step| (verb(&step.action), step.doubtful.is_empty())).collect();
    assert_eq!(doubts, [("rename to ann".to_owned(), false)]);
    // A new title is no loss: it goes on, under the old name.
    if let Some(SubjectState::Keep(user)) = case.projection.users.get_mut(&SubjectId(1)) {
        user.content = with_title(1, "ann", "Chief").into();
    }
    let doubts: Vec<(String, bool)> =
        case.plan().steps.iter().map(|step| (verb(&step.action), step.doubtful.is_empty())).collect();
    assert_eq!(doubts, [("update".to_owned(), true), ("rename to ann".to_owned(), false)]);
}

#[test]
fn a_disabled_account_is_in_doubt_with_what_says_so() {
    let mut case = Case::new().keep(1, "ann").linked(1, "ann");
    if let Some(SubjectState::Keep(user)) = case.projection.users.get_mut(&SubjectId(1)) {
        user.disabled = true;
    }
    case.projection.doubtful.insert(SubjectId(1), vec!["attributes.status".to_owned()]);
    let plan = case.plan();
    assert_eq!((&plan.steps[0].action, plan.steps[0].doubtful.len()), (&Action::Disable, 1));
}

#[test]
fn only_what_a_complete_list_no_longer_names_ends() {
    let mut case =
        Case::new().keep(GROUPS, "team").linked(GROUPS, "team").members(GROUPS, &[1], &[1, 2, 3, 4]);
    for id in 1..=4 {
        case = case.keep(id, &format!("u{id}")).linked(id, &format!("u{id}"));
    }
    assert_eq!(case.steps(), said(&[(100, "end 2 3 4 follow ")]));
    if let Some(SubjectState::Keep(group)) = case.projection.groups.get_mut(&SubjectId(GROUPS)) {
        group.unproven.insert(2);
        group.weak.insert(3);
    }
    let plan = case.plan();
    let Action::RemoveMembers(removal) = &plan.steps[0].action else { panic!("{plan:?}") };
    assert_eq!(
        (removal.ended.iter().collect::<Vec<_>>(), removal.weak.iter().collect::<Vec<_>>()),
        (vec![3, 4], vec![3])
    );
    assert_eq!(plan.due, None);
    // What the next read will tell makes a run after that one, though it may bring no change.
    if let Some(SubjectState::Keep(group)) = case.projection.groups.get_mut(&SubjectId(GROUPS)) {
        group.awaits = true;
    }
    assert!(case.plan().due.is_some());
    // Of somebody about whom nothing can be said, neither.
    case.projection.users.insert(SubjectId(4), SubjectState::Frozen);
    let plan = case.plan();
    let Action::RemoveMembers(removal) = &plan.steps[0].action else { panic!("{plan:?}") };
    assert!(removal.ended.contains(4), "a list that was read completely says it of the frozen too");
}

#[test]
fn whoever_is_made_again_is_put_back_into_groups() {
    let case =
        Case::new().keep(1, "ann").keep(GROUPS, "team").linked(GROUPS, "team").members(GROUPS, &[1], &[1]);
    assert_eq!(case.steps(), said(&[(1, "create ann"), (100, "add 1")]));
}

#[test]
fn a_replaced_leaver_makes_room_at_once() {
    let mut case = Case::new().gone(1, Grade::Absent).linked(1, "ann").keep(2, "ann");
    case.projection.replaced.insert(SubjectId(1));
    let plan = case.plan();
    let order: Vec<_> =
        plan.steps.iter().map(|step| (step.subject.0, verb(&step.action), step.phase)).collect();
    let expected = [(1, "delete".to_owned(), Phase::Release), (2, "create ann".to_owned(), Phase::Users)];
    assert_eq!(order, expected);
}
