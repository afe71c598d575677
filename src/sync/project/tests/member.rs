//! Tests of members.

use super::*;

#[test]
fn groups_in_groups_are_resolved_through_circles() {
    // 0 and 1 are people; 2 holds 0 and 3; 3 holds 1 and 2; 4 holds itself and nobody.
    let case = Case::new()
        .with(user("ann"))
        .with(user("bob"))
        .group("a", &[0, 3])
        .group("b", &[1, 2])
        .group("self", &[4])
        .group("outer", &[2, 77]);
    assert_eq!((case.members(3), case.members(4), case.members(5)), (vec![1, 2], vec![1, 2], vec![]));
    assert_eq!(case.members(6), [1, 2]);
    assert_eq!(case.project().skipped.dangling_members, 1);
}

#[test]
fn a_group_in_a_group_stays_one_where_nesting_is_kept() {
    let mut case = Case::new().with(user("ann")).group("a", &[0]).group("b", &[1, 2]).group("out", &[]);
    case.policy.groups.nesting = Nesting::Preserve;
    case.policy.groups.exclude = vec!["ou*".to_owned()];
    assert_eq!((case.members(2), case.members(3)), (vec![1], vec![2]));
    assert_eq!(case.project().groups.len(), 2);
}

#[test]
fn who_is_gone_or_out_of_scope_is_no_member() {
    let mut case = Case::new()
        .with(user("ann"))
        .linked("ann@corp.example")
        .presence(gone(Grade::Absent))
        .with(user_with("bob", &[(fields::TITLE, "x")]))
        .with(user("cid"))
        .group("team", &[0, 1, 2]);
    case.policy.users.r#where = Some(wanted("user.title == ''"));
    assert_eq!(case.kept(), ["cid@corp.example"]);
    assert_eq!(case.members(3), [2], "subjects: cid is 2, the team is 3");
}

#[test]
fn a_list_that_was_not_read_completely_ends_no_membership() {
    let mut case = Case::new()
        .with(user("ann"))
        .linked("ann@corp.example")
        .group("team", &[])
        .linked("team")
        .incomplete();
    case.known.by_id.get_mut(&SubjectId(2)).unwrap().link.as_mut().unwrap().members.insert(1);
    let SubjectState::Keep(group) = &case.project().groups[&SubjectId(2)] else { panic!() };
    assert_eq!((group.members.len(), group.unproven.contains(1)), (0, true));
    assert_eq!(case.quarantined(), [QuarantineReason::UnknownField], "it is not in step, and says so");
}

#[test]
fn who_became_a_group_stays_where_they_are_a_member() {
    let mut case =
        Case::new().with(user("ann")).linked("ann@corp.example").group("team", &[0]).linked("team");
    case.known.by_id.get_mut(&SubjectId(2)).unwrap().link.as_mut().unwrap().members.insert(1);
    case.snapshot.entries[0].0.kind = EntryKind::Group;
    let SubjectState::Keep(group) = &case.project().groups[&SubjectId(2)] else { panic!() };
    assert_eq!((group.members.len(), group.unproven.contains(1)), (0, true));
}

#[test]
fn a_name_that_two_bear_neither_begins_nor_ends_a_membership() {
    let mut case = Case::new()
        .with(user("ann"))
        .linked("ann@corp.example")
        .with(user("bob"))
        .linked("bob@corp.example")
        .group("inner", &[0])
        .linked("inner")
        .group("outer", &[2])
        .linked("outer");
    case.snapshot.names.insert(1, 0);
    for group in [3, 4] {
        case.known.by_id.get_mut(&SubjectId(group)).unwrap().link.as_mut().unwrap().members.insert(1);
        let SubjectState::Keep(group) = &case.project().groups[&SubjectId(group)] else { panic!() };
        assert_eq!((group.members.len(), group.unproven.iter().collect::<Vec<_>>()), (0, vec![1]));
    }
}

/// What made them be missing may have taken them out of the list: it states them by what they are themselves (`primaryGroupID`,
/// `gidNumber`), or the server sees to it.
#[rstest]
#[case::missing(Presence::Unsettled { since: Timestamp::UNIX_EPOCH, server: None }, true)]
#[case::there(Presence::Present, false)]
#[case::damaged(Presence::Unreadable("damaged".to_owned()), false)]
fn who_is_missing_and_kept_stays_in_groups_that_list_them_no_more(
    #[case] presence: Presence,
    #[case] stays: bool,
) {
    let mut case = Case::new()
        .with(user("ann"))
        .linked("ann@corp.example")
        .presence(presence)
        .group("inner", &[])
        .group("outer", &[1])
        .linked("outer");
    case.known.by_id.get_mut(&SubjectId(2)).unwrap().link.as_mut().unwrap().members.insert(1);
    let SubjectState::Keep(group) = &case.project().groups[&SubjectId(2)] else { panic!() };
    assert_eq!((group.members.len(), group.unproven.contains(1)), (0, stays));
}

#[rstest]
#[case(Presence::Unreadable(String::new()))]
#[case(Presence::Unsettled { since: Timestamp::UNIX_EPOCH, server: None })]
fn a_frozen_entry_bears_its_name_before_one_that_is_gone(#[case] frozen: Presence) {
    let mut case = Case::new()
        .with(user("old"))
        .presence(gone(Grade::Absent))
        .with(user("ann"))
        .linked("ann@corp.example")
        .presence(frozen)
        .group("team", &[0])
        .linked("team");
    case.known.by_id.get_mut(&SubjectId(2)).unwrap().link.as_mut().unwrap().members.insert(1);
    case.snapshot.names.insert(1, 0);
    let SubjectState::Keep(group) = &case.project().groups[&SubjectId(2)] else { panic!() };
    assert_eq!(group.members.iter().collect::<Vec<_>>(), [1]);
}

/// A list goes on naming those who left where the server does not see to it.
#[rstest]
#[case::missing(Presence::Unsettled { since: Timestamp::UNIX_EPOCH, server: None }, true, false)]
#[case::damaged(Presence::Unreadable("damaged".to_owned()), true, true)]
#[case::damaged_and_disabled(Presence::Unreadable("damaged".to_owned()), false, false)]
#[case::there(Presence::Present, false, true)]
fn who_is_missing_or_disabled_and_kept_gets_no_new_membership(
    #[case] presence: Presence,
    #[case] active: bool,
    #[case] begins: bool,
    #[values(true, false)] team_is_linked: bool,
) {
    let mut case =
        Case::new().with(user("ann")).linked("ann@corp.example").presence(presence).group("team", &[0]);
    case.known.by_id.get_mut(&SubjectId(1)).unwrap().link.as_mut().unwrap().active = active;
    if team_is_linked {
        case = case.linked("team");
    }
    let SubjectState::Keep(group) = &case.project().groups[&SubjectId(2)] else { panic!() };
    assert_eq!((group.members.contains(1), group.unproven.is_empty()), (begins, true));
}

#[test]
fn a_name_that_nobody_bears_ends_no_membership_of_somebody_who_was_not_read() {
    // Who could not be read may have been moved, and be the one whom the list names by a new name.
    let moved = || Case::new().with(user("ann")).linked("ann");
    let unreadable = Presence::Unreadable("damaged".to_owned());
    let unproven = |case: Case, member: u32, group: u32| {
        let mut case = case;
        let link = case.known.by_id.get_mut(&SubjectId(group)).unwrap().link.as_mut().unwrap();
        link.members.insert(member);
        let SubjectState::Keep(group) = case.project().groups[&SubjectId(group)].clone() else { panic!() };
        assert!(!group.members.contains(member));
        group.unproven.contains(member)
    };
    assert!(unproven(moved().presence(unreadable.clone()).group("team", &[99]).linked("team"), 1, 2));
    assert!(!unproven(moved().presence(unreadable.clone()).group("team", &[]).linked("team"), 1, 2));
    assert!(!unproven(moved().group("team", &[99]).linked("team"), 1, 2), "who was read is not named");
    // An old list names its members as they were called before.
    let inner = moved().group("outer", &[2]).linked("outer").group("inner", &[99]).linked("inner");
    assert!(unproven(inner.presence(unreadable), 1, 2));
}

#[test]
fn who_waits_stays_where_they_are_a_member() {
    // Ann was read, then renamed; then the list was read, which has her new name.
    let people = Case::new().with(user("ann")).linked("ann").with(user("bob")).linked("bob");
    let mut case = people.group("team", &[99]).linked("team").group("new", &[99]);
    case.known.by_id.get_mut(&SubjectId(3)).unwrap().link.as_mut().unwrap().members.insert_range(1..3);
    for waits in [true, false] {
        let waiting: Vec<u32> = waits.then_some(0).into_iter().collect();
        case.snapshot.info.waiting = Some(BTreeMap::from([(2, waiting.clone()), (3, waiting)]));
        let SubjectState::Keep(group) = case.project().groups[&SubjectId(3)].clone() else { panic!() };
        assert_eq!(
            (group.unproven.contains(1), group.unproven.contains(2), group.awaits),
            (waits, false, waits)
        );
        assert_eq!(case.members(4), Vec::<u32>::new(), "where nobody is a member, nobody waits");
    }
    assert_eq!(case.quarantined(), [], "nobody has to do anything");
}

#[rstest]
#[case::flatten(Nesting::Flatten, 1)]
#[case::preserve(Nesting::Preserve, 2)]
fn a_group_that_waits_leads_where_it_did(#[case] nesting: Nesting, #[case] member: u32) {
    let mut case = Case::new().with(user("ann")).linked("ann").group("inner", &[0]).linked("inner");
    case = case.group("team", &[99]).linked("team");
    case.policy.groups.nesting = nesting;
    case.known.by_id.get_mut(&SubjectId(3)).unwrap().link.as_mut().unwrap().members.insert(member);
    for waits in [true, false] {
        let waiting = if waits { vec![1] } else { Vec::new() };
        case.snapshot.info.waiting = Some(BTreeMap::from([(2, waiting)]));
        let SubjectState::Keep(group) = case.project().groups[&SubjectId(3)].clone() else { panic!() };
        assert_eq!((group.members.len(), group.unproven.contains(member), group.awaits), (0, waits, waits));
    }
}

/// It noted the first name that was new, and nobody by name.
#[rstest]
#[case::new(99, true)]
#[case::not_new(100, false)]
fn what_an_older_version_read_ends_no_membership_by_a_new_name(#[case] new_names: u32, #[case] stays: bool) {
    let mut case = Case::new().with(user("ann")).linked("ann").group("team", &[99]).linked("team");
    case.known.by_id.get_mut(&SubjectId(2)).unwrap().link.as_mut().unwrap().members.insert(1);
    (case.snapshot.info.waiting, case.snapshot.info.new_names) = (None, new_names);
    let SubjectState::Keep(group) = case.project().groups[&SubjectId(2)].clone() else { panic!() };
    assert_eq!(group.unproven.contains(1), stays);
}

#[test]
fn a_path_that_is_gone_on_weak_evidence_ends_weakly() {
    let mut case = Case::new()
        .with(user("ann"))
        .linked("ann@corp.example")
        .group("inner", &[0])
        .linked("inner")
        .presence(gone(Grade::AbsentUnconfirmed))
        .group("outer", &[1])
        .linked("outer");
    let weak = |case: &Case| match &case.project().groups[&SubjectId(3)] {
        SubjectState::Keep(group) => (group.members.len(), group.weak.contains(1)),
        other => panic!("{other:?}"),
    };
    assert_eq!(weak(&case), (0, true));
    case.snapshot.entries[1].1 = gone(Grade::Absent);
    assert_eq!(weak(&case), (0, false));
}

#[rstest]
#[case::flatten(Nesting::Flatten, &["inner", "middle", "outer"])]
#[case::preserve(Nesting::Preserve, &["inner"])]
fn a_partial_list_is_named_where_it_counts(#[case] nesting: Nesting, #[case] expected: &[&str]) {
    let mut case = Case::new().group("inner", &[]).incomplete().group("middle", &[0]).group("outer", &[1]);
    case.snapshot.entries[0].0.members =
        Members::Partial(Vec::new(), "a member: \"R&D\" is no DN".to_owned());
    case.policy.groups.nesting = nesting;
    let quarantined = case.project().quarantined;
    assert_eq!(quarantined.iter().map(|one| one.entry.as_str()).collect::<Vec<_>>(), expected);
    for one in quarantined {
        assert!(one.message.ends_with("of cn=inner: a member: \"R&D\" is no DN"), "{}", one.message);
    }
}

#[test]
fn a_group_that_went_with_its_place_leads_where_it_did() {
    let mut case = Case::new().with(user("ann")).linked("ann@corp.example").group("inner", &[0]);
    case = case.presence(gone(Grade::Absent)).group("outer", &[1]).linked("outer");
    assert_eq!(case.members(2), Vec::<u32>::new());
    let place = Place::field(&Dn::parse("ou=ext").unwrap());
    case.snapshot.info.tripped.insert(place, Trip { carried: 1, lost: RoaringBitmap::from_iter([1]) });
    assert_eq!(case.members(2), [1]);
}

#[test]
fn of_two_who_share_the_name_in_a_list_neither_comes_and_the_list_is_named() {
    let mut case = Case::new().with(user("ann")).with(user("ANN2")).with(user("bob")).group("team", &[0, 2]);
    assert_eq!((case.members(4), case.quarantined()), (vec![1, 3], vec![]));
    // Both are called as the list says.
    case.snapshot.names.insert(1, 0);
    assert_eq!((case.members(4), case.quarantined()), (vec![3], vec![QuarantineReason::UnknownField]));
    let named = &case.project().quarantined[0];
    assert!(
        named.message.contains("several entries have a name") && named.entry == "team",
        "{}",
        named.message
    );
}
