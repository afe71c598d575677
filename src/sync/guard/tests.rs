//! Tests of what is executed and what is held, class by class.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use roaring::RoaringBitmap;
use rstest::rstest;

use super::*;
use crate::directory::{
    Content, DirectoryId, Evidence, Grade, GroupContent, Key, Owner, TargetId, UserContent,
};
use crate::store::journal::Spent;
use crate::store::link::{Link, Subject, Subjects};
use crate::store::policy::Baseline;
use crate::sync::plan::{Phase, Plan, Removal};
use crate::sync::policy::{Budget, LeaverAction, Limits, PerGroup};

/// Groups have numbers from here on.
const GROUPS: u32 = 1000;

/// A policy with so many users and groups at the target, and what is planned for them.
struct Case {
    limits: Limits,
    subjects: Subjects,
    plan: Plan,
    spent: Vec<Spent>,
    approved: Vec<Hold>,
    locked: HashSet<(String, Option<String>)>,
    standing: Vec<Line>,
    base: Baseline,
}

impl Case {
    fn new(users: u32, groups: u32) -> Self {
        let few = Budget { count: 1000, percent: 10 };
        let limits = Limits {
            window: Duration::from_hours(24),
            user_removals: few,
            group_removals: few,
            member_removals: few,
            member_removals_per_group: PerGroup { percent: 50, minimum_size: 10 },
            identifier_changes: few,
            disables: few,
            quarantined: few,
            on_exceed: OnExceed::HoldRemovals,
        };
        let mut subjects = Subjects::default();
        for id in (1..=users).chain(GROUPS..GROUPS + groups) {
            subjects.by_id.insert(SubjectId(id), subject(id));
        }
        let base = Baseline::of(&subjects, now());
        let (spent, approved, standing) = (Vec::new(), Vec::new(), Vec::new());
        let locked = HashSet::new();
        Self { limits, subjects, plan: Plan::default(), spent, approved, locked, standing, base }
    }

    /// So many users leave, for this reason.
    fn leave(mut self, users: std::ops::Range<u32>, evidence: Evidence) -> Self {
        for id in users {
            self.plan.steps.push(removal_of(id, evidence));
        }
        self
    }

    fn judge(&self) -> Guarded {
        guard(Input {
            owner: &Owner::new("test", "all"),
            spec_hash: "spec",
            limits: &self.limits,
            plan: &self.plan,
            subjects: &self.subjects,
            spent: &self.spent,
            base: self.base,
            approved: &self.approved,
            locked: &self.locked,
            standing: &self.standing,
            standing_counts: true,
            now: now(),
        })
    }

    /// How many steps go, and how many lines are held.
    fn goes_and_held(&self) -> (usize, usize) {
        let guarded = self.judge();
        (guarded.execute.len(), guarded.hold.map_or(0, |hold| hold.lines.len()))
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

fn content(id: u32) -> Content {
    if id < GROUPS {
        Content::User(UserContent { user_name: format!("u{id}"), ..UserContent::default() })
    } else {
        Content::Group(GroupContent { display_name: format!("g{id}"), ..GroupContent::default() })
    }
}

fn kind(id: u32) -> SubjectKind {
    if id < GROUPS { SubjectKind::User } else { SubjectKind::Group }
}

fn subject(id: u32) -> Subject {
    let link = Link {
        target: TargetId(format!("t{id}").into()),
        confirmed: content(id).into(),
        active: true,
        members: RoaringBitmap::new(),
        leaving: None,
    };
    let anchor = crate::directory::Anchor::new(format!("a{id}"));
    let key = Key::new(&Owner::new("test", "all"), &DirectoryId::new("d"), &anchor);
    Subject { id: SubjectId(id), kind: kind(id), key, anchors: Vec::new(), link: Some(link) }
}

fn data(grade: Grade) -> Evidence {
    Evidence::data(grade)
}

fn removal_of(id: u32, evidence: Evidence) -> Planned {
    let (phase, action) =
        if id < GROUPS { (Phase::Disable, Action::Disable) } else { (Phase::Delete, Action::Delete) };
    Planned {
        evidence: Some(evidence),
        step_number: Some(1),
        ..Planned::new(SubjectId(id), kind(id), phase, action)
    }
}

fn rename_of(id: u32, after: Option<u32>) -> Planned {
    let action =
        Action::Update { content: content(id).with_name("new").into(), renames: true, clears: Vec::new() };
    Planned { after: after.map(SubjectId), ..Planned::new(SubjectId(id), kind(id), Phase::Users, action) }
}

fn members_end(group: u32, ended: std::ops::Range<u32>) -> Planned {
    let removal = Removal { ended: ended.collect(), ..Removal::default() };
    Planned::new(SubjectId(group), SubjectKind::Group, Phase::Revoke, Action::RemoveMembers(removal.into()))
}

fn spent(subject: u32, evidence: Evidence, approved: bool) -> Spent {
    let evidence = Some(evidence);
    Spent { class: Class::UserRemoval, evidence, subject: SubjectId(subject), count: 1, approved }
}

#[rstest]
#[case::within_the_share(100, 10, (10, 0))]
#[case::above_the_share(100, 11, (0, 11))]
#[case::five_whatever_the_share(20, 5, (5, 0))]
#[case::six_of_few(20, 6, (0, 6))]
fn all_of_a_class_is_held_when_its_budget_is_exceeded(
    #[case] users: u32,
    #[case] leave: u32,
    #[case] expected: (usize, usize),
) {
    let case = Case::new(users, 0).leave(1..leave + 1, data(Grade::Absent));
    assert_eq!(case.goes_and_held(), expected);
}

#[test]
fn the_smaller_of_number_and_share_counts() {
    let mut case = Case::new(500, 0).leave(1..8, data(Grade::Absent));
    case.limits.user_removals.count = 6;
    assert_eq!(case.goes_and_held(), (0, 7));
}

#[test]
fn what_went_within_the_window_counts_and_nobody_counts_twice() {
    let mut case = Case::new(100, 0).leave(1..6, data(Grade::Absent));
    case.spent = (20..25).map(|id| spent(id, data(Grade::Absent), false)).collect();
    assert_eq!(case.goes_and_held(), (5, 0));
    case.spent.push(spent(30, data(Grade::Absent), false));
    assert_eq!(case.goes_and_held(), (0, 5));
    // The second step of somebody who was counted spends nothing more.
    case.spent.iter_mut().for_each(|spent| spent.subject.0 -= 19);
    assert_eq!(case.goes_and_held(), (5, 0));
    // What a person approved is outside the budgets.
    let mut case = Case::new(100, 0).leave(1..11, data(Grade::Absent));
    case.spent = (20..90).map(|id| spent(id, data(Grade::Absent), true)).collect();
    assert_eq!(case.goes_and_held(), (10, 0));
}

#[test]
fn what_cannot_be_confirmed_has_a_stricter_limit_that_holds_every_class() {
    let weak = data(Grade::AbsentUnconfirmed);
    assert_eq!(Case::new(100, 0).leave(1..6, weak).goes_and_held(), (5, 0));
    assert_eq!(Case::new(100, 0).leave(1..7, weak).goes_and_held(), (0, 6));
    // One group alone would be within its limit.
    let mut case = Case::new(100, 10).leave(1..7, weak);
    case.plan.steps.push(removal_of(GROUPS, weak));
    assert_eq!(case.goes_and_held(), (0, 7));
    // What is confirmed goes on.
    case.plan.steps.push(removal_of(GROUPS + 1, data(Grade::Absent)));
    assert_eq!(case.goes_and_held(), (1, 7));
}

#[test]
fn an_edit_of_a_spec_has_a_budget_of_its_own() {
    let by_edit = Evidence::configuration(Grade::OutOfScope);
    let case = Case::new(100, 0).leave(1..11, data(Grade::Absent)).leave(11..21, by_edit);
    assert_eq!(case.goes_and_held(), (20, 0));
    let case = Case::new(100, 0).leave(1..11, data(Grade::Absent)).leave(11..22, by_edit);
    let guarded = case.judge();
    assert_eq!(guarded.execute.len(), 10);
    let hold = guarded.hold.unwrap();
    assert!(hold.lines.iter().all(Line::is_configuration));
    assert!(hold.reason.contains("an edit of the spec is the cause"), "{}", hold.reason);
}

#[test]
fn disabled_accounts_and_renames_have_budgets_of_their_own() {
    let mut case = Case::new(100, 0).leave(1..11, data(Grade::Absent)).leave(11..21, data(Grade::Disabled));
    case.plan.steps.extend((21..31).map(|id| rename_of(id, None)));
    assert_eq!(case.goes_and_held(), (30, 0));
    case.plan.steps.push(rename_of(31, None));
    assert_eq!(case.goes_and_held(), (20, 11));
}

#[rstest]
#[case::half_of_a_group(20, 10, (1, 0))]
#[case::more_than_half(20, 11, (0, 11))]
#[case::a_group_too_small_to_judge(9, 9, (1, 0))]
fn a_group_is_not_emptied_by_a_change_of_its_list(
    #[case] size: u32,
    #[case] end: u32,
    #[case] expected: (usize, usize),
) {
    let mut case = Case::new(100, 1);
    case.base.memberships = 1000;
    let link = case.subjects.by_id.get_mut(&SubjectId(GROUPS)).unwrap().link.as_mut().unwrap();
    link.members = (1..=size).collect();
    case.plan.steps.push(members_end(GROUPS, 1..end + 1));
    assert_eq!(case.goes_and_held(), expected);
}

#[test]
fn what_went_of_a_group_within_the_window_counts_for_that_group_only() {
    let mut case = Case::new(100, 2);
    case.base.memberships = 1000;
    for group in [GROUPS, GROUPS + 1] {
        let link = case.subjects.by_id.get_mut(&SubjectId(group)).unwrap().link.as_mut().unwrap();
        link.members = (1..=20).collect();
        case.plan.steps.push(members_end(group, 1..10));
    }
    let went = |group: u32, count: u64, approved: bool| {
        let class = Class::MemberRemoval;
        Spent { class, count, ..spent(group, data(Grade::EdgeRemoved), approved) }
    };
    // Nine of twenty go. With two and two that went it is more than half of one group, whose people
    // were 24; what a person approved, and what are the people themselves, does not count.
    case.spent = vec![went(GROUPS, 2, false), went(GROUPS + 1, 20, true), went(GROUPS, 2, false)];
    case.spent.push(Spent { count: 20, ..spent(GROUPS + 1, data(Grade::Absent), false) });
    case.base.users = 1000;
    let guarded = case.judge();
    let goes: Vec<u32> = guarded.execute.iter().map(|step| step.subject.0).collect();
    assert_eq!((goes, guarded.hold.unwrap().lines.len()), (vec![GROUPS + 1], 9));
}

#[test]
fn memberships_follow_their_people_in_going_and_in_staying() {
    let following = |case: &mut Case| {
        let removal = Removal { following: (1..50).collect(), ..Removal::default() };
        let action = Action::RemoveMembers(removal.into());
        case.plan.steps.push(Planned::new(SubjectId(GROUPS), SubjectKind::Group, Phase::Revoke, action));
    };
    let mut case = Case::new(100, 1).leave(1..11, data(Grade::Absent));
    following(&mut case);
    assert_eq!(case.goes_and_held(), (11, 0), "they count in no limit");
    let mut case = Case::new(100, 1).leave(1..50, data(Grade::Absent));
    following(&mut case);
    assert_eq!(case.goes_and_held(), (0, 49), "and stay with those who are held");
}

#[test]
fn hold_all_holds_what_has_nothing_to_do_with_it() {
    let mut case = Case::new(100, 0).leave(1..12, data(Grade::Absent));
    case.plan.steps.push(Planned::new(SubjectId(50), SubjectKind::User, Phase::Users, Action::Enable));
    assert_eq!(case.goes_and_held(), (1, 11));
    case.limits.on_exceed = OnExceed::HoldAll;
    assert_eq!(case.goes_and_held(), (0, 12));
}

#[test]
fn what_was_not_looked_up_or_is_in_doubt_is_held_whatever_the_budget() {
    let mut case = Case::new(100, 0).leave(1..4, data(Grade::Absent));
    case.plan.steps[0].needs_look_up = true;
    case.plan.steps[1].doubtful = vec!["mail".to_owned()];
    let guarded = case.judge();
    assert_eq!(guarded.execute.len(), 1);
    let why: Vec<String> = guarded.hold.unwrap().lines.into_iter().map(|line| line.why).collect();
    assert!(why.contains(&NOT_LOOKED_UP.to_owned()), "{why:?}");
    assert!(why.contains(&"many entries lost mail at once".to_owned()), "{why:?}");
}

#[test]
fn a_leaver_who_is_in_doubt_is_held_when_first_seen() {
    let mut case = Case::new(100, 0);
    let evidence = data(Grade::OutOfScope);
    let leaving = Leaving { since: now(), evidence, steps_done: 0, executed_at: None, completion: 0 };
    case.plan.leaving = [1, 2].map(|id| (SubjectId(id), Some(leaving))).into();
    case.plan.doubtful.insert(SubjectId(1), vec!["mail".to_owned()]);
    let guarded = case.judge();
    assert_eq!(guarded.leaving.keys().collect::<Vec<_>>(), [&SubjectId(2)], "the other's clock stands still");
    let hold = guarded.hold.unwrap();
    assert_eq!((hold.lines.len(), hold.lines[0].why.as_str()), (1, "many entries lost mail at once"));
    case.approved = vec![hold];
    assert_eq!(case.judge().leaving.len(), 2);
}

#[test]
fn an_approval_is_for_what_it_names_and_is_still_planned() {
    let mut case = Case::new(100, 0).leave(1..21, data(Grade::Absent));
    let hold = case.judge().hold.unwrap();
    case.approved = vec![hold];
    let guarded = case.judge();
    assert_eq!((guarded.execute.len(), guarded.hold), (20, None));
    assert!(guarded.execute.iter().all(|step| step.approved));
    // Ten more came after it: they are within the budget by themselves. Eleven are not.
    let more = case.leave(21..31, data(Grade::Absent));
    assert_eq!(more.goes_and_held(), (30, 0));
    let more = more.leave(31..32, data(Grade::Absent));
    assert_eq!(more.goes_and_held(), (20, 11));
    // For another reason it is another thing.
    let mut other = Case::new(100, 0).leave(1..21, data(Grade::OutOfScope));
    other.approved = more.approved;
    assert_eq!(other.goes_and_held(), (0, 20));
    // So it is when it has become doubtful, though what was doubtful when it was approved need not stay so.
    let mut doubtful = Case::new(100, 0).leave(1..21, data(Grade::Absent));
    doubtful.approved = other.approved.clone();
    doubtful.plan.steps.iter_mut().for_each(|step| step.doubtful = vec!["mail".to_owned()]);
    let guarded = doubtful.judge();
    assert_eq!(guarded.execute, []);
    doubtful.approved = vec![guarded.hold.unwrap()];
    assert_eq!(doubtful.goes_and_held(), (20, 0));
    doubtful.plan.steps.iter_mut().for_each(|step| step.doubtful.clear());
    assert_eq!(doubtful.goes_and_held(), (20, 0));
    // What was not looked up is looked up first, approved or not.
    other.plan.steps = (1..21).map(|id| removal_of(id, data(Grade::Absent))).collect();
    other.plan.steps.iter_mut().for_each(|step| step.needs_look_up = true);
    assert_eq!(other.goes_and_held(), (0, 20));
}

#[test]
fn from_whom_something_stands_held_nothing_is_taken() {
    let mut case = Case::new(100, 1).leave(1..4, data(Grade::Absent));
    let key = |id: u32| subject(id).key.to_string();
    case.plan.steps.push(members_end(GROUPS, 5..8));
    assert_eq!(case.goes_and_held(), (4, 0));
    case.locked = HashSet::from([(key(2), None), (key(GROUPS), Some(key(6)))]);
    let guarded = case.judge();
    let hold = guarded.hold.unwrap();
    let named: Vec<_> = hold.lines.iter().map(|line| (&line.subject, line.member.as_ref())).collect();
    let (user, group, member) = (key(2), key(GROUPS), key(6));
    assert_eq!(named, [(&group, Some(&member)), (&user, None)]);
    // What is not planned stands beside it, in the same digest, until all of it is approved.
    let lost = Line { subject: key(50), ..hold.lines[1].clone() };
    case.standing = vec![lost.clone(), hold.lines[1].clone()];
    let hold = case.judge().hold.unwrap();
    assert!(hold.lines.len() == 3 && hold.lines.contains(&lost), "{:?}", hold.lines);
    assert!(hold.is_named());
    case.approved = vec![hold];
    case.standing.clear();
    assert_eq!(case.goes_and_held(), (5, 0), "what was approved of the group goes apart");
}

#[rstest]
#[case::the_membership((GROUPS, Some(6)), 1)]
#[case::the_member((6, None), 1)]
#[case::another_membership((GROUPS, Some(9)), 0)]
#[case::the_group_itself((GROUPS, None), 0)]
fn no_membership_of_somebody_who_is_held_ends(
    #[case] (subject_id, member): (u32, Option<u32>),
    #[case] held: usize,
) {
    let mut case = Case::new(100, 1);
    let key = |id: u32| subject(id).key.to_string();
    case.plan.steps.push(members_end(GROUPS, 5..8));
    case.locked = HashSet::from([(key(subject_id), member.map(key))]);
    let guarded = case.judge();
    let lines = guarded.hold.map_or_else(Vec::new, |hold| hold.lines);
    assert_eq!(lines.len(), held);
    assert!(lines.iter().all(|line| line.member == Some(key(6))));
    let Action::RemoveMembers(removal) = &guarded.execute[0].action else { panic!() };
    assert_eq!(removal.ended.len(), 3 - held as u64);
}

#[test]
fn a_membership_that_is_held_does_not_end_by_the_way() {
    let mut case = Case::new(100, 1);
    let key = |id: u32| subject(id).key.to_string();
    let removal = Removal { following: (5..8).collect(), ..Removal::default() };
    case.plan
        .steps
        .push(Planned { action: Action::RemoveMembers(removal.into()), ..members_end(GROUPS, 5..8) });
    case.locked = HashSet::from([(key(GROUPS), Some(key(6)))]);
    let guarded = case.judge();
    let Action::RemoveMembers(removal) = &guarded.execute[0].action else { panic!() };
    assert_eq!(removal.following, [5, 7].into_iter().collect());
}

#[test]
fn the_memberships_of_who_was_approved_to_go_end_with_them() {
    let mut case = Case::new(100, 1).leave(5..7, data(Grade::Absent));
    let key = |id: u32| subject(id).key.to_string();
    let removal = Removal { following: (5..7).collect(), ..Removal::default() };
    case.plan
        .steps
        .push(Planned { action: Action::RemoveMembers(removal.into()), ..members_end(GROUPS, 5..7) });
    case.locked = HashSet::from([(key(5), None), (key(6), None)]);
    let mut hold = case.judge().hold.unwrap();
    hold.lines.retain(|line| line.subject == key(6));
    case.approved = vec![hold];
    let guarded = case.judge();
    let ended = guarded.execute.iter().find_map(|step| match &step.action {
        Action::RemoveMembers(removal) => Some(&removal.following),
        _ => None,
    });
    assert_eq!(ended, Some(&[6].into_iter().collect()));
}

/// Ten of a hundred may go.
#[rstest]
#[case::within_the_limit(5, 5, 0)]
#[case::above_it_with_what_is_planned(5, 6, 5)]
fn what_cannot_be_judged_counts_and_locks_nobody_else(
    #[case] planned: u32,
    #[case] standing: u32,
    #[case] held: usize,
) {
    let all = Case::new(100, 0).leave(1..1 + planned + standing, data(Grade::Absent));
    let lines = Case {
        limits: Limits {
            on_exceed: OnExceed::HoldAll,
            user_removals: Budget { count: 0, percent: 0 },
            ..all.limits.clone()
        },
        ..all
    };
    let lines = lines.judge().hold.unwrap().lines;
    let mut case = Case::new(100, 0).leave(1..planned + 1, data(Grade::Absent));
    let is_planned = |line: &Line| (1..=planned).any(|id| line.subject == subject(id).key.to_string());
    case.standing = lines.into_iter().filter(|line| !is_planned(line)).collect();
    assert_eq!(case.standing.len(), standing as usize);
    assert_eq!(case.goes_and_held(), (planned as usize - held, standing as usize + held));
}

#[test]
fn two_hundred_thousand_lines_stand_beside_what_is_planned() {
    let mut case = Case::new(900, 900);
    let key = |id: u32| subject(id).key.to_string();
    let deletion = |id| Planned { action: Action::Delete, ..removal_of(id, data(Grade::Absent)) };
    case.plan.steps = (GROUPS..GROUPS + 900).map(deletion).collect();
    let line = case.judge().hold.unwrap().lines.swap_remove(0);
    let of = |number: u32| Line { subject: key(number), member: Some(key(1)), ..line.clone() };
    case.standing = (10_000..210_000).map(of).collect();
    case.locked = case.standing.iter().map(|line| (line.subject.clone(), line.member.clone())).collect();
    let began = std::time::Instant::now();
    assert_eq!(case.goes_and_held(), (0, 200_900));
    // A square of it takes many minutes.
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
}

/// What a person approves covers one thing that is done, and nothing graver.
#[rstest]
#[case::the_same(Action::Disable, Action::Disable, true)]
#[case::graver(Action::Disable, Action::Delete, false)]
#[case::another(Action::Delete, Action::Disable, false)]
#[case::unlinked(Action::Delete, Action::Unlink, false)]
fn an_approval_covers_one_step(#[case] approved: Action, #[case] planned: Action, #[case] covers: bool) {
    let mut case = Case::new(100, 0).leave(1..13, data(Grade::Absent));
    let plan_all = |case: &mut Case, action: &Action| {
        case.plan.steps.iter_mut().for_each(|step| step.action = action.clone());
    };
    plan_all(&mut case, &approved);
    let hold = case.judge().hold.unwrap();
    case.approved = vec![hold.clone()];
    plan_all(&mut case, &planned);
    let guarded = case.judge();
    assert_eq!(guarded.execute.len(), if covers { 12 } else { 0 });
    assert_ne!(guarded.hold.map(|hold| hold.digest), Some(hold.digest));
}

#[test]
fn a_group_may_be_emptied_and_not_deleted() {
    let mut case = Case::new(10, 20);
    let plan = |action: Action| -> Vec<Planned> {
        let removal = |id| Planned { action: action.clone(), ..removal_of(id, data(Grade::Absent)) };
        (GROUPS..GROUPS + 8).map(removal).collect()
    };
    case.plan.steps = plan(Action::Empty);
    case.approved = vec![case.judge().hold.unwrap()];
    assert_eq!(case.goes_and_held(), (8, 0));
    case.plan.steps = plan(Action::Delete);
    assert_eq!(case.goes_and_held(), (0, 8));
}

/// Whoever has time before the first step is approved for that one.
#[rstest]
#[case::disable(LeaverAction::Disable, Action::Disable, (12, 0))]
#[case::delete(LeaverAction::Delete, Action::Delete, (12, 0))]
#[case::another(LeaverAction::Disable, Action::Delete, (0, 12))]
fn who_may_leave_later_may_do_the_first_step(
    #[case] first: LeaverAction,
    #[case] then: Action,
    #[case] expected: (usize, usize),
) {
    let mut case = Case::new(100, 0);
    let evidence = data(Grade::Absent);
    let leaving = Leaving { since: now(), evidence, steps_done: 0, executed_at: None, completion: 0 };
    case.plan.leaving = (1..13).map(|id| (SubjectId(id), Some(leaving))).collect();
    case.plan.later = (1..13).map(|id| (SubjectId(id), first)).collect();
    let guarded = case.judge();
    let hold = guarded.hold.unwrap();
    assert!(hold.is_named() && hold.lines.iter().all(|line| line.action.ends_with("when it is due")));
    case.approved = vec![hold];
    assert_eq!(case.judge().leaving.len(), 12);
    case.plan = Plan::default();
    case = case.leave(1..13, evidence);
    case.plan.steps.iter_mut().for_each(|step| step.action = then.clone());
    assert_eq!(case.goes_and_held(), expected);
}

#[test]
fn of_one_group_what_is_approved_spends_nothing_and_the_rest_does() {
    let mut case = Case::new(100, 1);
    case.base.memberships = 100;
    let link = case.subjects.by_id.get_mut(&SubjectId(GROUPS)).unwrap().link.as_mut().unwrap();
    link.members = (1..100).collect();
    case.plan.steps = vec![members_end(GROUPS, 1..21)];
    let hold = case.judge().hold.unwrap();
    assert_eq!(hold.lines.len(), 20);
    case.approved = vec![hold];
    case.plan.steps = vec![members_end(GROUPS, 1..26)];
    let guarded = case.judge();
    let parts = guarded.execute.iter().map(|step| match &step.action {
        Action::RemoveMembers(removal) => (removal.ended.len(), step.approved),
        other => panic!("{other:?}"),
    });
    assert_eq!(parts.collect::<Vec<_>>(), [(5, false), (20, true)]);
    assert_eq!(guarded.hold, None);
}

#[test]
fn a_digest_is_of_what_is_held_and_of_nothing_else() {
    let case = Case::new(100, 0).leave(1..21, data(Grade::Absent));
    let digest = case.judge().hold.unwrap().digest;
    let mut other = Case::new(90, 0).leave(1..21, data(Grade::Absent));
    other.plan.steps.reverse();
    let link = other.subjects.by_id.get_mut(&SubjectId(1)).unwrap().link.as_mut().unwrap();
    link.confirmed = content(1).with_name("renamed").into();
    assert_eq!(other.judge().hold.unwrap().digest, digest);
    for (one_more, grade) in [(22, Grade::Absent), (21, Grade::OutOfScope)] {
        let other = Case::new(100, 0).leave(1..one_more, data(grade));
        assert_ne!(other.judge().hold.unwrap().digest, digest);
    }
}

#[test]
fn a_leaver_is_judged_when_first_seen_and_spends_nothing() {
    let mut case = Case::new(100, 0);
    let leaving = |id: u32| {
        let evidence = data(Grade::Absent);
        let leaving = Leaving { since: now(), evidence, steps_done: 0, executed_at: None, completion: 0 };
        (SubjectId(id), Some(leaving))
    };
    case.plan.leaving = (1..11).map(leaving).collect();
    let guarded = case.judge();
    assert_eq!((guarded.leaving.len(), guarded.hold), (10, None));
    case.plan.leaving.extend([leaving(11)]);
    let guarded = case.judge();
    assert_eq!((guarded.leaving.len(), guarded.hold.unwrap().lines.len()), (0, 11));
}

#[test]
fn whoever_waits_for_a_name_that_is_held_waits_too() {
    let mut case = Case::new(100, 0);
    case.plan.steps = (1..13).map(|id| rename_of(id, None)).collect();
    let create = Action::Create(content(50).into());
    case.plan.steps.push(Planned {
        after: Some(SubjectId(1)),
        ..Planned::new(SubjectId(200), SubjectKind::User, Phase::Users, create)
    });
    let guarded = case.judge();
    assert_eq!(guarded.execute, []);
    assert_eq!(guarded.blocked.len(), 1);
    assert_eq!((guarded.blocked[0].subject, guarded.blocked[0].holder), (SubjectId(200), SubjectId(1)));
}

proptest! {
    /// Every step goes or is held, and no class exceeds its budget.
    #[test]
    fn nothing_is_lost_and_nothing_exceeds(
        users in 1..200u32,
        leavers in prop::collection::btree_set(1..200u32, 0..60),
        disabled in prop::collection::btree_set(1..200u32, 0..40),
        before in prop::collection::btree_set(1..200u32, 0..20),
        weak: bool,
        hold_all: bool,
    ) {
        let mut case = Case::new(users, 0);
        let leave = data(if weak { Grade::AbsentUnconfirmed } else { Grade::Absent });
        for id in leavers.iter().filter(|id| **id <= users) {
            case.plan.steps.push(removal_of(*id, leave));
        }
        for id in disabled.difference(&leavers).filter(|id| **id <= users) {
            case.plan.steps.push(Planned { step_number: None, ..removal_of(*id, data(Grade::Disabled)) });
        }
        case.spent = before.iter().map(|id| spent(*id, data(Grade::Absent), false)).collect();
        if hold_all {
            case.limits.on_exceed = OnExceed::HoldAll;
        }
        let guarded = case.judge();
        let held = guarded.hold.as_ref().map_or(0, |hold| hold.lines.len());
        prop_assert_eq!(guarded.execute.len() + held, case.plan.steps.len());
        let goes = |grade: Grade| {
            let steps = guarded.execute.iter().filter(|step| step.evidence.unwrap().grade == grade);
            steps.map(|step| step.subject.0).collect::<BTreeSet<u32>>()
        };
        let removed = goes(leave.grade);
        let allowance = case.limits.user_removals.allowance(u64::from(users));
        // What went before may be more than may go now. The next step of somebody who counts in it is
        // no more.
        if !removed.is_subset(&before) {
            prop_assert!(removed.union(&before).count() as u64 <= allowance);
        }
        prop_assert!(!weak || removed.len() <= 5.max(users as usize / 100));
        prop_assert!(goes(Grade::Disabled).len() as u64 <= case.limits.disables.allowance(u64::from(users)));
    }
}

#[test]
fn half_of_a_swap_waits_for_the_other_half() {
    let mut case = Case::new(10, 0);
    let release = Action::Release(content(1).with_name("for a moment").into());
    case.plan.steps = vec![
        Planned::new(SubjectId(1), SubjectKind::User, Phase::Release, release),
        rename_of(1, Some(2)),
        rename_of(2, Some(1)),
    ];
    let after = |guarded: &Guarded| -> Vec<_> {
        guarded.execute.iter().map(|step| (step.subject.0, step.after.map(|holder| holder.0))).collect()
    };
    assert_eq!(
        after(&case.judge()),
        [(1, None), (1, Some(2)), (2, None)],
        "who was released is waited for by nobody"
    );
    case.limits.identifier_changes = Budget { count: 0, percent: 0 };
    let mut hold = case.judge().hold.unwrap();
    let second = case.subjects.by_id.get(&SubjectId(2)).unwrap().key.to_string();
    hold.lines.retain(|line| line.subject == second);
    assert_eq!(hold.lines.len(), 1);
    case.approved = vec![hold];
    let guarded = case.judge();
    assert_eq!(guarded.execute, []);
    assert_eq!(guarded.hold.unwrap().lines.len(), 1);
    let blocked = guarded.blocked.iter().map(|blocked| (blocked.subject.0, blocked.holder.0));
    assert_eq!(blocked.collect::<Vec<_>>(), [(2, 1)]);
}
