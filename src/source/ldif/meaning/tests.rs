//! What records tell.

use rstest::rstest;

use super::*;
use crate::directory::fields;
use crate::source::ldif::parse::Reader;

fn meaning(domain: bool) -> Meaning {
    let anchor = if domain { "objectGUID" } else { "entryUUID" }.to_owned();
    Meaning {
        schema: EntrySchema { anchor, literal: BTreeSet::new(), demands_members: false },
        states: domain,
        shows_built_in: false,
        base: None,
        formed: false,
        no_id: reason::no_id("entryUUID", false),
        width: None,
        required: Required::default(),
        nowhere: BTreeSet::new(),
        primary_ids: BTreeSet::new(),
        accounts: HashMap::new(),
        primaries: Primaries::default(),
        hides_primary: None,
        users: None,
        groups: None,
        used: Used::new(["mail", "uid", "objectClass"].map(str::to_owned)),
        owners: Owners::default(),
        shared: Shared::default(),
        name: "a.ldif".to_owned(),
    }
}

fn told(meaning: &Meaning, text: &str) -> Vec<Change> {
    let mut meaning = meaning.clone();
    let mut reader = Reader::new(text.as_bytes());
    while let Some(record) = reader.next().unwrap() {
        meaning.used.note(&record.attributes);
    }
    meaning.width = reader.ending().width;
    let mut reader = Reader::new(text.as_bytes());
    let mut changes = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        changes.extend(meaning.changes(&record, &meaning.used.hidden(&record.attributes)));
    }
    changes
}

/// What a change is, in short, and of whom.
fn short(change: &Change) -> String {
    let id = change.anchor().map_or("?", Anchor::as_str);
    match change {
        Change::Replace(_) => format!("is {id}"),
        Change::Unproven { sure, .. } => format!("{} {id}", if *sure { "at least" } else { "perhaps" }),
        Change::Unreadable { what, .. } => format!("unreadable {id} {what}"),
        Change::OfNoKind(_) => format!("no kind {id}"),
        Change::Tombstone(_) => format!("deleted {id}"),
        Change::Outside(_) => format!("outside {id}"),
        Change::Stray { what, .. } => format!("stray {what}"),
        Change::Gap { .. } => ANYBODY.to_owned(),
        other => format!("{other:?}"),
    }
}

/// Whoever is missing may have stood there.
const ANYBODY: &str = "gap";
const ANN: &str = "dn: uid=ann,dc=x\nobjectClass: person\nuid: ann\nentryUUID: a\n";

#[rstest]
#[case::whole(&format!("{ANN}\n"), &["is a"])]
#[case::unended(ANN, &["at least a"])]
#[case::cut_in_the_name(&format!("{ANN}cn: An"), &["perhaps a"])]
#[case::cut_in_a_further_value(&format!("{ANN}cn: Ann\ncn: An"), &["perhaps a"])]
#[case::cut_in_what_nobody_uses(&format!("{ANN}photo: x"), &["at least a"])]
#[case::before_others(&format!("{ANN}\nmail: ann@x\n\n"), &["at least a", "stray the record at line 6 of a.ldif"])]
#[case::nothing_but_a_dn("dn: uid=ann,dc=x\n\n", &["unreadable ? uid=ann,dc=x"])]
#[case::before_its_class("dn: uid=ann,dc=x\nentryUUID: a\nuid: ann\n", &["no kind a"])]
#[case::before_its_id("dn: uid=ann,dc=x\nuid: ann\n", &["unreadable ? uid=ann,dc=x"])]
#[case::in_its_id("dn: uid=ann,dc=x\nobjectClass: person\nentryUUID: a", &["unreadable ? uid=ann,dc=x"])]
#[case::in_its_dn("dn: uid=an", &["unreadable ? the record at line 1 of a.ldif"])]
#[case::another_dn_within(&format!("{ANN}dn: uid=bob,dc=x\nentryUUID: b\n\n"), &["unreadable a uid=ann,dc=x", "unreadable b uid=bob,dc=x", ANYBODY])]
#[case::another_id_within(&format!("{ANN}uid: bob\nentryUUID: b\n\n"), &["unreadable a uid=ann,dc=x", "unreadable b uid=ann,dc=x", ANYBODY])]
#[case::another_entry_within("dn: uid=ann,dc=x\nobjectClass: person\nuid: bob\nentryUUID: b\n\n", &["unreadable b uid=ann,dc=x", ANYBODY])]
#[case::another_name_within(&format!("{ANN}entryDN: uid=bob,dc=x\n\n"), &["unreadable a uid=ann,dc=x", ANYBODY])]
#[case::another_name_beside(&format!("{ANN}distinguishedName: uid=ann,dc=x\nentryDN: uid=ann,dc=x\nentryDN: uid=bob,dc=x\n\n"), &["unreadable a uid=ann,dc=x", ANYBODY])]
#[case::another_time_within(&format!("{ANN}createTimestamp: 1\ncreateTimestamp: 2\n\n"), &["unreadable a uid=ann,dc=x", ANYBODY])]
#[case::another_number_within(&format!("{ANN}uidNumber: 7\nmail: a@x\nuidNumber: 8\n\n"), &["unreadable a uid=ann,dc=x", ANYBODY])]
#[case::lines_of_two("dn: uid=ann,dc=x\nobjectClass: person\nuid: ann\nobjectClass: person\nuid: bob\nentryUUID: b\n\n", &["unreadable b uid=ann,dc=x", ANYBODY])]
#[case::a_value_twice(&format!("{ANN}l: Rome\nl: Rome\n\n"), &["unreadable a uid=ann,dc=x", ANYBODY])]
#[case::a_value_elsewhere_twice(&format!("{ANN}photo:< file:///a\nphoto:< file:///b\n\n"), &["is a"])]
#[case::control(&format!("{ANN}l: \0\0\n\n"), &["unreadable a uid=ann,dc=x", ANYBODY])]
#[case::control_over_the_dn("\0\0\0: x\nobjectClass: person\nentryUUID: a\n\n", &["unreadable a the record at line 1 of a.ldif", ANYBODY])]
#[case::without_a_dn("uid: ann\nentryUUID: a\n\n", &["unreadable a the record at line 1 of a.ldif", ANYBODY])]
#[case::blank_id("dn: uid=ann,dc=x\nobjectClass: person\nuid: ann\nentryUUID: \n\n", &["unreadable ? uid=ann,dc=x"])]
#[case::odd_dn("dn: ann\nobjectClass: person\nentryUUID: a\n\n", &["unreadable a ann"])]
#[case::a_line_behind_a_blank(&format!("{ANN}cn: Ann\n mail: a@x\nmail: b@x\n\n"), &["unreadable a uid=ann,dc=x"])]
#[case::a_class_behind_a_blank("dn: uid=ann,dc=x\nobjectClass: top\n objectClass: person\nobjectClass: person\nentryUUID: a\n\n", &["unreadable a uid=ann,dc=x"])]
#[case::an_id_behind_a_blank(&format!("{ANN}\n").replace("\nentryUUID", "\n entryUUID").repeat(2).replacen("\n entryUUID", "\nentryUUID", 1), &["is a", "unreadable ? uid=ann,dc=x", ANYBODY])]
#[case::a_folded_text(&format!("{ANN}cn: Ann\n Lee: boss\nmail: b@x\n\n"), &["is a"])]
#[case::folded_where_all_lines_are(&format!("{ANN}l: Rome 12\n34567890\nl: see 123\n mail: x\nmail: b@x\n\n").replace("\n345", "\n 345"), &["is a"])]
#[case::lines_joined(&format!("{ANN}cn: Ann\u{b}mail: a@x\nmail: b@x\n\n"), &["unreadable a uid=ann,dc=x"])]
#[case::class_joined(&format!("{ANN}cn: Ann\u{c}objectClass: top\n\n"), &["unreadable a uid=ann,dc=x"])]
#[case::text_with_breaks(&format!("{ANN}cn: Ann\u{b}Room: 7\u{b}\u{c}\n\n"), &["is a"])]
#[case::odd_line(&format!("{ANN}what\n\n"), &["unreadable a uid=ann,dc=x"])]
#[case::unknown_class("dn: uid=ann,dc=x\nobjectClass: persn\nentryUUID: a\n\n", &["no kind a"])]
#[case::class_with_blanks("dn: uid=ann,dc=x\nobjectClass: person \nentryUUID: a\n\n", &["is a"])]
#[case::tombstone("dn: nsuniqueid=a,uid=ann,dc=x\nobjectClass: nsTombstone\nentryUUID: a\n\n", &["deleted a"])]
#[case::deleted_by_its_name("dn: CN=a\\0ADEL:7b1e0c01,CN=Deleted Objects,dc=x\nobjectClass: person\nentryUUID: a\n\n", &["deleted a"])]
#[case::deleted_by_its_name_and_there("dn: CN=a\\0ADEL:7b1e0c01,CN=Deleted Objects,dc=x\nobjectClass: person\nisDeleted: FALSE\nentryUUID: a\n\n", &["is a"])]
#[case::name_that_is_no_text(&format!("{ANN}\n").replace("uid: ann", "uid:: /w=="), &["unreadable a uid=ann,dc=x"])]
#[case::id_elsewhere("dn: uid=ann,dc=x\nobjectClass: person\nentryUUID:< file:///a\n\n", &["unreadable ? uid=ann,dc=x"])]
#[case::name_in_another_spelling("dn: UID=Ann\\20B,dc=x\nobjectClass: person\nuid: ann  b\nentryUUID: a\n\n", &["is a"])]
fn a_record_tells_no_more_than_it_proves(#[case] text: &str, #[case] expected: &[&str]) {
    let told: Vec<String> = told(&meaning(false), text).iter().map(short).collect();
    assert_eq!(told, expected);
}

#[test]
fn a_value_that_stands_elsewhere_is_not_known() {
    let told = told(&meaning(false), &format!("{ANN}title:< file:///t\njpegPhoto:< file:///p\n\n"));
    let [Change::Replace(entry)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(entry.fields[fields::TITLE], Stated::Undecodable);
    assert!(!entry.fields.contains_key(fields::MAIL));
}

#[test]
fn a_list_beside_which_a_damaged_name_stands_is_not_the_whole() {
    let text =
        "dn: cn=g,dc=x\nobjectClass: posixGroup\ncn: g\nentryUUID: g\nmemberUid: ada\nmemberUud: bob\n\n";
    let told = told(&meaning(false), text);
    let [Change::Replace(entry)] = told.as_slice() else { panic!("{told:?}") };
    let Members::Partial(some, why) = &entry.members else { panic!("{entry:?}") };
    assert!(*some == [Reference::uid("ada")] && why.contains("memberuud"), "{why}");
}

#[test]
fn a_member_whose_name_may_go_on_is_not_taken() {
    let text = "dn: cn=g,dc=x\nobjectClass: posixGroup\ncn: g\nentryUUID: g\nmemberUid: bob\nmemberUid: ada";
    let told = told(&meaning(false), text);
    let [Change::Unproven { entry, sure: true, .. }] = told.as_slice() else { panic!("{told:?}") };
    assert!(
        matches!(&entry.members, Members::Partial(some, _) if *some == [crate::directory::Reference::uid("bob")])
    );
}

#[rstest]
#[case::person("user", "userAccountControl: 512\naccountExpires: 0", "is")]
#[case::hides_its_expiry("user", "userAccountControl: 512", "unreadable")]
#[case::room_shows_no_state("user", "msExchRecipientTypeDetails: 16", "is")]
#[case::lightweight("user", "msDS-UserAccountDisabled: FALSE", "is")]
#[case::computer("computer", "userAccountControl: 4096", "outside")]
#[case::trust("user", "userAccountControl: 2080", "outside")]
#[case::of_every_domain("user", "userAccountControl: 512\nisCriticalSystemObject: TRUE", "outside")]
#[case::every_domain_has_its_number(
    "user",
    "userAccountControl: 512\naccountExpires: 0\nobjectSid:: AQUAAAAAAAUVAAAAAQAAAAEAAAABAAAA9AEAAA==",
    "outside"
)]
#[case::its_number_in_words(
    "user",
    "userAccountControl: 512\naccountExpires: 0\nobjectSid: S-1-5-21-1-2-3-503",
    "outside"
)]
#[case::next_number(
    "user",
    "userAccountControl: 512\naccountExpires: 0\nobjectSid: S-1-5-21-1-2-3-504",
    "is"
)]
#[case::called_so("user", "userAccountControl: 512\naccountExpires: 0\nsAMAccountName: GUEST", "unreadable")]
#[case::called_so_by_chance(
    "user",
    "userAccountControl: 512\naccountExpires: 0\nsAMAccountName: guest\nobjectSid: S-1-5-21-1-2-3-1105",
    "is"
)]
#[case::hidden("user", "sn: a", "unreadable")]
#[case::contact("contact", "sn: a", "is")]
#[case::deleted("user", "isDeleted: TRUE", "deleted")]
#[case::builtin_group("group", "isCriticalSystemObject: TRUE", "is")]
fn accounts_of_active_directory_are_those_of_people(
    #[case] class: &str,
    #[case] line: &str,
    #[case] is: &str,
) {
    let text = format!(
        "dn: CN=Ann,DC=x\nobjectClass: top\nobjectClass: {}\nobjectClass: {class}\ncn: Ann\n\
         objectGUID: 0b31ee10-94ad-44e9-a3a2-1a3f1b8d0d11\n{line}\n\n",
        if class == "group" { "extensibleObject" } else { "person" },
    );
    let told = told(&meaning(true), &text);
    assert_eq!(short(&told[0]).split(' ').next(), Some(is), "{told:?}");
}

#[test]
fn members_in_active_directory_are_found_by_their_names() {
    let group = |lines: &str| {
        let text = format!("dn: CN=G,DC=x\nobjectClass: group\ncn: G\nobjectGUID: g\n{lines}\n\n");
        match told(&meaning(true), &text).pop() {
            Some(Change::Replace(entry)) => entry.members,
            other => panic!("{other:?}"),
        }
    };
    assert!(
        matches!(group("member: CN=Ann,DC=x\nmember: CN=Bob,DC=x"), Members::Complete(all) if all.len() == 2)
    );
    let part = group("member;range=0-1: CN=Ann,DC=x\nmember;range=0-1: CN=Bob,DC=x");
    assert!(matches!(part, Members::Partial(some, why) if some.len() == 2 && why.contains("export all")));
    assert!(
        matches!(group("member: CN=Ann,DC=x\nmember: what"), Members::Partial(some, _) if some.len() == 1)
    );
}

#[rstest]
#[case("(title=*)", "(cn=none)", &["outside a", "no kind g"])]
#[case("(uid=*)", "(objectClass=groupOfURLs)", &["is a", "is g"])]
fn filters_say_who_is_read(#[case] users: &str, #[case] groups: &str, #[case] expected: &[&str]) {
    let filter = |text| Some(Filter::parse(text).unwrap());
    let meaning = Meaning { users: filter(users), groups: filter(groups), ..meaning(false) };
    let text = format!("{ANN}\ndn: cn=g,dc=x\nobjectClass: groupOfURLs\ncn: g\nentryUUID: g\n\n");
    assert_eq!(told(&meaning, &text).iter().map(short).collect::<Vec<_>>(), expected);
}

/// A filter leaves nobody out by what did not come.
#[rstest]
#[case::out("(title=boss)", "title: clerk\n\n", "outside a")]
#[case::in_scope("(title=boss)", "title: boss\n\n", "is a")]
#[case::unended("(title=boss)", "l: Rome\n", "unreadable a uid=ann,dc=x")]
#[case::unended_in("(title=boss)", "title: boss\n", "at least a")]
#[case::cut_within("(title=boss)", "title: bo", "unreadable a uid=ann,dc=x")]
#[case::a_further_value_may_follow("(title=boss)", "title: clerk\n", "unreadable a uid=ann,dc=x")]
#[case::torn("(title=boss)", "l: Rome\n\ntitle: boss\n\n", "unreadable a uid=ann,dc=x")]
#[case::elsewhere("(title=boss)", "title:< file:///t\n\n", "unreadable a uid=ann,dc=x")]
#[case::not_elsewhere("(!(title=boss))", "title:< file:///t\n\n", "unreadable a uid=ann,dc=x")]
#[case::not_text("(title=boss)", "title:: 6Q==\n\n", "no kind a")]
#[case::in_part("(title=boss)", "title;range=0-0: clerk\n\n", "no kind a")]
#[case::not_exported("(roomNumber=7)", "title: boss\n\n", "no kind a")]
#[case::not_exported_among_others("(&(title=boss)(roomNumber=7))", "title: clerk\n\n", "outside a")]
#[case::nobody_has_what_leaves_out("(!(roomNumber=7))", "title: boss\n\n", "is a")]
fn a_filter_leaves_nobody_out_by_what_did_not_come(
    #[case] filter: &str,
    #[case] lines: &str,
    #[case] expected: &str,
) {
    let users = Some(Filter::parse(filter).unwrap());
    let nowhere = BTreeSet::from(["roomnumber".to_owned()]);
    let meaning = Meaning { nowhere, users, ..meaning(false) };
    assert_eq!(short(&told(&meaning, &format!("{ANN}{lines}"))[0]), expected);
}

#[rstest]
#[case("9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", "is 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d")]
#[case("9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6", "unreadable ? uid=ann,dc=x")]
#[case("9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6dl: Rome", "unreadable ? uid=ann,dc=x")]
#[case("9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcbZZ", "unreadable ? uid=ann,dc=x")]
fn an_id_that_is_none_in_form_is_of_nobody_else(#[case] id: &str, #[case] expected: &str) {
    let meaning = Meaning { formed: true, ..meaning(false) };
    let text = ANN.replace("entryUUID: a", &format!("entryUUID: {id}"));
    let told = told(&meaning, &format!("{text}\n"));
    assert_eq!(told.iter().map(short).collect::<Vec<_>>(), [expected]);
}

/// Where servers give ids and DNs, a record without one lost lines, and others may have been lost with them.
#[rstest]
#[case::lost("uid=ann,dc=x", "objectClass: person\nuid: ann\n\n", true)]
#[case::of_another_server("uid=ann,dc=x", "objectClass: person\nuid: ann\nnsUniqueId: 7\n\n", false)]
#[case::of_no_kind("uid=ann,dc=x", "objectClass: device\n\n", false)]
#[case::dn_cut_short(
    "uid=ann,d",
    "objectClass: person\nuid: ann\nentryUUID: 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d\n\n",
    true
)]
#[case::dn_of_two(
    "uid=ann,ddc=x,,dc=x",
    "objectClass: person\nuid: ann\nentryUUID: 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d\n\n",
    true
)]
#[case::whole(
    "uid=ann,dc=x",
    "objectClass: person\nuid: ann\nentryUUID: 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d\n\n",
    false
)]
fn a_record_that_lost_its_id_or_dn_may_have_been_followed_by_others(
    #[case] dn: &str,
    #[case] lines: &str,
    #[case] anybody: bool,
) {
    let meaning = Meaning { formed: true, ..meaning(false) };
    let told = told(&meaning, &format!("dn: {dn}\n{lines}"));
    assert_eq!(told.iter().any(|change| short(change) == ANYBODY), anybody, "{told:?}");
}

/// Of a group of a domain whose number is 1105, and somebody's primary group.
#[rstest]
#[case("AQUAAAAAAAUVAAAAAQAAAAEAAAABAAAAUQQAAA==", false)]
#[case("AQUAAAAAAAUVAAAAAQAAAAEAAAABAAAAUgQAAA==", true)]
fn a_primary_group_of_a_domain_lists_some_only(#[case] sid: &str, #[case] complete: bool) {
    let meaning = Meaning { primary_ids: BTreeSet::from([1105]), ..meaning(true) };
    let text = format!(
        "dn: CN=G,DC=x\nobjectClass: group\ncn: G\nsAMAccountName: G\nobjectGUID: g\nobjectSid:: {sid}\nmember: CN=Ann,DC=x\n\n"
    );
    let told = told(&meaning, &text);
    let [Change::Replace(entry)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(matches!(entry.members, Members::Complete(_)), complete, "{entry:?}");
}

#[test]
fn whose_primary_group_it_is_is_told_by_their_ids() {
    let mut meaning = meaning(false);
    let account = "objectClass: posixAccount\nuid: zoe\ngidNumber: 7\nentryUUID: z\n\n";
    let mut of = Attributes::new();
    of.add("objectClass", [b"posixAccount".to_vec()]);
    of.add("gidNumber", [b"7".to_vec()]);
    meaning.primaries.note("uid=zoe,dc=x", &of);
    meaning.accounts.insert(Dn::parse("uid=zoe,dc=x").unwrap(), Anchor::new("z"));
    let group = "objectClass: posixGroup\ncn: g\ngidNumber: 7\nmemberUid: abe\nentryUUID: g\n\n";
    let told = told(&meaning, &format!("dn: cn=g,dc=x\n{group}dn: uid=zoe,dc=x\n{account}"));
    let [Change::Replace(group), Change::Replace(zoe)] = told.as_slice() else { panic!("{told:?}") };
    let id = Reference::Anchor(Anchor::new("z"));
    assert_eq!(group.members, Members::Complete(vec![Reference::uid("abe"), id.clone()]));
    assert!(zoe.names.contains(&id));
    // Of a group that does not show its number, it may be anybody's.
    for line in ["", "gidNumber: 7x\n", "gidNumber:< file:///tmp/g\n"] {
        let group = format!("dn: cn=g,dc=x\nobjectClass: posixGroup\ncn: g\n{line}entryUUID: g\n\n");
        let told = self::told(&meaning, &group);
        let [Change::Replace(group)] = told.as_slice() else { panic!("{told:?}") };
        assert!(matches!(&group.members, Members::Partial(_, why) if why.contains("gidNumber")));
    }
}

#[test]
fn many_ids_in_one_record_take_no_time() {
    let ids = (0..50_000).map(|at| format!("entryUUID: {at}\n")).collect::<Vec<_>>().concat();
    let began = std::time::Instant::now();
    assert_eq!(told(&meaning(false), &format!("dn: cn=a\nobjectClass: person\n{ids}\n")).len(), 50_001);
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

#[rstest]
#[case::uid(&ANN.replace("uid: ann", "uid:< file:///tmp/uid\nphoto:< file:///tmp/photo"), "its uid is in another file")]
#[case::id(&ANN.replace("entryUUID: a", "entryUUID:< file:///tmp/id"), "its entryUUID is in another file")]
#[case::uid_of_another_charset(&ANN.replace("uid: ann", "uid:: /w==\nphoto:< file:///tmp/photo"), "not valid UTF-8")]
fn says_that_a_value_stands_in_another_file(#[case] text: &str, #[case] said: &str) {
    let told = told(&meaning(false), &format!("{}\n", text.replace("dn: uid=ann", "dn: cn=ann")));
    let [Change::Unreadable { why, .. }] = told.as_slice() else { panic!("{told:?}") };
    assert!(why.contains(said), "{why}");
}

#[test]
fn says_that_a_member_stands_in_another_file() {
    let text = "dn: cn=t,dc=x\nobjectClass: groupOfNames\nentryUUID: t\nmember:< file:///tmp/m\nmember: uid=b,dc=x\n\n";
    let told = told(&meaning(false), text);
    let [Change::Replace(entry)] = told.as_slice() else { panic!("{told:?}") };
    let Members::Partial(members, why) = &entry.members else { panic!("{entry:?}") };
    assert!(members.len() == 1 && why.contains("its member is in another file"), "{why}");
    assert_eq!(entry.place.as_deref(), Some("line 1 of a.ldif"));
}
