use rstest::rstest;

use super::*;
use crate::directory::{Anchor, Reference};

fn of(lines: &[(&str, &str)]) -> Attributes {
    let mut attributes = Attributes::new();
    for (name, value) in lines {
        attributes.add(name, [value.as_bytes().to_vec()]);
    }
    attributes
}

fn schema() -> DominoSchema {
    DominoSchema {
        anchor: ANCHOR.to_owned(),
        literal: BTreeSet::from(["mailServer".to_owned()]),
        purposes: BTreeSet::from([Purpose::MultiPurpose, Purpose::MailOnly]),
    }
}

const UNID: (&str, &str) = ("dominoUNID", "0F3A7DC2B94E5D11C1257A0B0042D5E7");

fn entry(dn: &str, lines: &[(&str, &str)], wanted: EntryKind) -> Entry {
    match schema().told(dn, &of(&[lines, &[UNID]].concat()), wanted) {
        Some(Change::Replace(entry)) => *entry,
        other => panic!("{other:?}"),
    }
}

fn field<'e>(entry: &'e Entry, name: &str) -> &'e [String] {
    match entry.fields.get(name) {
        Some(Stated::Values(values)) => values,
        _ => &[],
    }
}

#[test]
fn a_person_is_known_by_the_universal_id_whatever_they_are_called() {
    let lines = [
        ("objectClass", "dominoPerson"),
        ("objectClass", "inetOrgPerson"),
        ("cn", "Hal Test"),
        ("cn", "Henry Test"),
        ("fullName", "CN=Hal Test/O=Corp"),
        ("uid", "htest"),
        ("mail", "hal@corp.example"),
        ("displayName", "Hal Test/Corp"),
        ("department", "Sales"),
        ("companyName", "Corp Ltd"),
        ("mailServer", "CN=Mail1,O=Corp"),
    ];
    let hal = entry("CN=Hal Test,O=Corp", &lines, EntryKind::User);
    assert_eq!((hal.anchor.clone(), hal.kind), (Anchor::new(UNID.1.to_lowercase()), EntryKind::User));
    for (name, value) in [
        (fields::DISPLAY_NAME, "Hal Test"),
        (fields::USER_NAME, "htest"),
        (fields::DEPARTMENT, "Sales"),
        (fields::ORGANIZATION, "Corp Ltd"),
        (fields::MAIL, "hal@corp.example"),
    ] {
        assert_eq!(field(&hal, name), [value], "{name}");
    }
    assert_eq!(hal.attributes["mailServer"], Stated::Values(vec!["CN=Mail1,O=Corp".to_owned()]));
    assert!(field(&hal, fields::MAILBOX).is_empty());
}

#[test]
fn a_name_to_show_that_somebody_wrote_is_kept() {
    let lines = [("objectClass", "dominoPerson"), ("cn", "Hal Test"), ("displayName", "Hal (Sales)")];
    let hal = entry("CN=Hal Test,O=Corp", &lines, EntryKind::User);
    assert_eq!(field(&hal, fields::DISPLAY_NAME), ["Hal (Sales)"]);
}

#[test]
fn a_mail_in_database_is_a_mailbox_that_is_nobodys_own() {
    let lines =
        [("objectClass", "dominoServerMailInDatabase"), ("cn", "Support"), ("mail", "support@corp.example")];
    let support = entry("CN=Support", &lines, EntryKind::User);
    assert_eq!(
        (support.kind, field(&support, fields::MAILBOX)),
        (EntryKind::User, &["shared".to_owned()][..])
    );
}

#[rstest]
#[case::multi_purpose("0", true)]
#[case::mail("1", true)]
#[case::access("2", false)]
#[case::deny("3", false)]
#[case::servers("4", false)]
fn groups_come_by_what_they_are_for(#[case] number: &str, #[case] comes: bool) {
    let group = of(&[("objectClass", "dominoGroup"), ("cn", "Terminations"), ("groupType", number), UNID]);
    let told = schema().told("CN=Terminations", &group, EntryKind::Group);
    match told {
        Some(Change::Replace(_)) => assert!(comes),
        Some(Change::Outside(_)) => assert!(!comes),
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::wanted(&[Purpose::MultiPurpose], true)]
#[case::not_wanted(&[Purpose::MailOnly], false)]
fn a_group_that_does_not_show_what_it_is_for_is_never_left_out(
    #[case] wanted: &[Purpose],
    #[case] is_read: bool,
) {
    let schema = DominoSchema { purposes: wanted.iter().copied().collect(), ..schema() };
    let group = of(&[("objectClass", "dominoGroup"), ("cn", "Staff"), UNID]);
    match schema.told("CN=Staff", &group, EntryKind::Group) {
        Some(Change::Replace(_)) => assert!(is_read),
        Some(Change::Unreadable { why, .. }) => assert!(!is_read && why.contains("groupType"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn members_are_listed_by_any_of_their_names() {
    let lines = [
        ("objectClass", "dominoGroup"),
        ("cn", "Sales"),
        ("member", "CN=Hal Test,O=Corp"),
        ("member", "Eva Roth/North/Corp"),
        ("member", "eve@elsewhere.example"),
        ("member", ""),
    ];
    let sales = entry("CN=Sales", &lines, EntryKind::Group);
    let by = |dn: &str| Reference::Dn(Dn::parse(dn).unwrap());
    let expected = vec![
        by("cn=hal test,o=corp"),
        by("cn=eva roth,ou=north,o=corp"),
        Reference::address("eve@elsewhere.example"),
    ];
    assert_eq!(sales.members, Members::Complete(expected));
    let wild = entry("CN=Sales", &[&lines[..], &[("member", "*/North/Corp")]].concat(), EntryKind::Group);
    assert!(
        matches!(&wild.members, Members::Partial(some, why) if some.len() == 3 && why.contains("everybody"))
    );
}

#[test]
fn what_cannot_be_understood_is_an_exception() {
    let unreadable = |dn: &str, lines: &[(&str, &str)], wanted| match schema().told(dn, &of(lines), wanted) {
        Some(Change::Unreadable { anchor, why, .. }) => (anchor.is_some(), why),
        other => panic!("{other:?}"),
    };
    let person = ("objectClass", "dominoPerson");
    let (known, why) = unreadable("CN=Hal Test,O=Corp", &[person], EntryKind::User);
    assert!(!known && why.contains("dominoUNID"), "{why}");
    let group = [("objectClass", "dominoGroup"), ("groupType", "9"), UNID];
    let (known, why) = unreadable("CN=Sales", &group, EntryKind::Group);
    assert!(known && why.contains("groupType"), "{why}");
    assert!(schema().told("CN=Sales", &of(&group), EntryKind::User).is_none());
}

#[rstest]
#[case(&[("mailFile", "mail/htest")], true)]
#[case(&[("mailFile", "mail/htest"), ("mail", "hal@corp.example")], false)]
#[case(&[("mailFile", " ")], false)]
#[case(&[], false)]
fn who_has_a_mail_file_should_have_an_address(#[case] lines: &[(&str, &str)], #[case] lacks: bool) {
    assert_eq!(lacks_address(&of(lines)), lacks);
}
