//! Tests of entries that lost something together with many others.

use super::*;

#[test]
fn doubt_is_about_fields_that_the_policy_uses() {
    let mut case = Case::new().with(user("ann")).linked("ann@corp.example");
    let trip = || Trip { carried: 10, lost: RoaringBitmap::from_iter([0]) };
    case.snapshot.info.tripped.insert(fields::OFFICE.to_owned(), trip());
    assert_eq!(case.project().doubtful, BTreeMap::new());
    case.policy.users.r#where = Some(wanted("user.office == ''"));
    assert_eq!(case.project().doubtful, BTreeMap::from([(SubjectId(1), vec!["office".to_owned()])]));
}

#[test]
fn who_lost_what_said_that_their_account_says_nothing_is_in_doubt() {
    // A shared mailbox that is no longer known for one is a disabled account.
    let mut case = Case::new().with(Entry { disabled: Some(true), ..user("box") }).linked("box@corp.example");
    let trip = Trip { carried: 10, lost: RoaringBitmap::from_iter([0]) };
    case.snapshot.info.tripped.insert(fields::MAILBOX.to_owned(), trip);
    assert_eq!(case.project().doubtful, BTreeMap::from([(SubjectId(1), vec!["mailbox".to_owned()])]));
}

#[test]
fn a_member_list_that_many_lost_is_in_doubt_in_the_groups_around_it_too() {
    let mut case = Case::new()
        .group("inner", &[])
        .linked("inner")
        .group("outer", &[0])
        .linked("outer")
        .group("other", &[]);
    let trip = Trip { carried: 10, lost: RoaringBitmap::from_iter([0]) };
    case.snapshot.info.tripped.insert(fields::MEMBERS.to_owned(), trip);
    let members = vec![fields::MEMBERS.to_owned()];
    let expected = BTreeMap::from([(SubjectId(1), members.clone()), (SubjectId(2), members)]);
    assert_eq!(case.project().doubtful, expected);
}

#[rstest]
#[case::missing(gone(Grade::Absent), true)]
#[case::said_to_be_deleted(gone(Grade::Tombstone), false)]
#[case::back(Presence::Present, false)]
fn who_went_with_a_whole_place_is_in_doubt(#[case] presence: Presence, #[case] expected: bool) {
    let mut case = Case::new().with(user("ann")).linked("ann@corp.example").presence(presence);
    let place = Place::field(&Dn::parse("ou=ext").unwrap());
    let trip = Trip { carried: 1, lost: RoaringBitmap::from_iter([0]) };
    case.snapshot.info.tripped.insert(place.clone(), trip);
    let doubtful = if expected { BTreeMap::from([(SubjectId(1), vec![place])]) } else { BTreeMap::new() };
    assert_eq!(case.project().doubtful, doubtful);
}
