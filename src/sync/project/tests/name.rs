//! Tests of names that two entries want.

use super::*;

#[test]
fn of_two_that_want_a_name_the_linked_one_goes_on() {
    let twins = || {
        let mail = [(fields::MAIL, "ann@corp.example")];
        (user_with("ann1", &mail), user_with("ann2", &[(fields::MAIL, "ANN@corp.example")]))
    };
    let (one, two) = twins();
    let case = Case::new().with(one).with(two);
    assert_eq!((case.kept(), case.quarantined().len()), (Vec::<String>::new(), 2));
    let (one, two) = twins();
    let case = Case::new().with(one).with(two).linked("ann@corp.example");
    assert_eq!(
        (case.kept(), case.quarantined()),
        (vec!["ANN@corp.example".to_owned()], vec![QuarantineReason::NameConflict])
    );
}

#[rstest]
#[case::relink(OnRecreated::Relink)]
#[case::replace(OnRecreated::Replace)]
#[case::quarantine(OnRecreated::Quarantine)]
fn a_new_entry_with_a_leavers_name_follows_the_rule(#[case] rule: OnRecreated) {
    let again = user_with("ann2", &[(fields::MAIL, "ann@corp.example")]);
    let mut case =
        Case::new().with(user("ann")).linked("ann@corp.example").presence(gone(Grade::Absent)).with(again);
    case.policy.users.recreated = rule;
    let projection = case.project();
    let first_is_kept = matches!(projection.users[&SubjectId(1)], SubjectState::Keep(_));
    match rule {
        OnRecreated::Relink => {
            assert!(first_is_kept && projection.newcomers.is_empty());
            assert_eq!(projection.joins[0].0, SubjectId(1));
        }
        OnRecreated::Replace => {
            assert!(!first_is_kept && projection.newcomers.len() == 1);
            assert_eq!(projection.replaced, BTreeSet::from([SubjectId(1)]));
        }
        OnRecreated::Quarantine => {
            assert!(!first_is_kept && projection.newcomers.is_empty());
            assert_eq!(case.quarantined(), [QuarantineReason::Recreated]);
        }
    }
}

#[test]
fn of_two_entries_that_were_taken_for_one_the_second_waits() {
    let mut case = Case::new().with(user("ann")).linked("ann@corp.example").with(user("bob"));
    let bob = (DirectoryId::new("d"), Anchor::new("bob"));
    case.known.by_id.get_mut(&SubjectId(1)).unwrap().anchors.push(bob);
    assert_eq!(case.kept(), ["ann@corp.example"]);
    assert_eq!(case.quarantined(), [QuarantineReason::Recreated]);
}
