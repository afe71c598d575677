use rstest::rstest;

use super::*;
use crate::source::KnownBy;
use crate::source::schema::{is_formed, pinned};

fn schema() -> EntrySchema {
    EntrySchema {
        anchor: "entryuuid".to_owned(),
        literal: BTreeSet::from(["employeeStatus".to_owned()]),
        demands_members: false,
    }
}

fn attributes(of: &[(&str, &[&[u8]])]) -> Attributes {
    let mut attributes = Attributes::new();
    for (description, values) in of {
        attributes.add(description, values.iter().map(|value| value.to_vec()));
    }
    attributes
}

fn values(of: &[&str]) -> Stated {
    Stated::Values(of.iter().map(|value| (*value).to_owned()).collect())
}

#[test]
fn makes_a_user() {
    let entry = schema()
        .entry(
            "uid=Ann,ou=People,dc=x",
            &attributes(&[
                ("objectclass", &[b"top", b"inetOrgPerson"]),
                ("entryuuid", &[b"9B1DEB4D-3B7D-4BAD-9BDD-2B0D7B3DCB6D"]),
                ("uid", &[b"Ann"]),
                ("cn", &[b"Ann Smith"]),
                ("mail", &[b"ann@x.example", b"a.smith@x.example"]),
                ("mailalternateaddress", &[b"smith@x.example"]),
                ("ou", &[b"Sales"]),
                ("employeestatus", &[b"active"]),
                ("title", &[b"\xff"]),
            ]),
            None,
        )
        .unwrap()
        .unwrap();
    assert_eq!(entry.anchor.as_str(), "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d");
    assert_eq!(entry.kind, EntryKind::User);
    assert_eq!(entry.fields[fields::MAIL], values(&["a.smith@x.example", "ann@x.example"]));
    assert_eq!(entry.fields[fields::ALIASES], values(&["ann@x.example", "smith@x.example"]));
    assert_eq!(entry.fields[fields::DISPLAY_NAME], values(&["Ann Smith"]));
    assert_eq!(entry.fields[fields::DEPARTMENT], values(&["Sales"]));
    assert_eq!(entry.fields[fields::TITLE], Stated::Undecodable);
    assert!(!entry.fields.contains_key(fields::GIVEN_NAME));
    assert_eq!(entry.attributes["employeeStatus"], values(&["active"]));
    assert_eq!(
        entry.names,
        [Reference::Dn(Dn::parse("uid=ann,ou=people,dc=x").unwrap()), Reference::uid("ann")]
    );
}

/// Of lines such as `cn;lang-ja: x`.
fn of(lines: &[&str]) -> Attributes {
    let mut attributes = Attributes::new();
    attributes.add("entryUUID", [b"1".to_vec()]);
    for (name, value) in lines.iter().map(|line| line.split_once(": ").unwrap()) {
        attributes.add(name, [value.as_bytes().to_vec()]);
    }
    attributes
}

fn entry(dn: &str, lines: &[&str]) -> Entry {
    schema().entry(dn, &of(lines), None).unwrap().unwrap()
}

#[rstest]
#[case::none(&["objectClass: groupOfNames"], false)]
#[case::unique(&["objectClass: groupOfUniqueNames"], false)]
#[case::one(&["objectClass: groupOfNames", "member: uid=ann,dc=x"], true)]
#[case::nobody(&["objectClass: groupOfUniqueNames", "uniqueMember: "], true)]
#[case::posix(&["objectClass: posixGroup"], true)]
fn a_group_that_must_have_a_member_and_shows_none_hides_them(#[case] lines: &[&str], #[case] complete: bool) {
    let (anywhere, openldap) = (schema(), EntrySchema { demands_members: true, ..schema() });
    let members =
        |schema: &EntrySchema| schema.entry("cn=team,dc=x", &of(lines), None).unwrap().unwrap().members;
    assert_eq!(matches!(members(&openldap), Members::Complete(_)), complete);
    assert!(matches!(members(&anywhere), Members::Complete(_)));
}

#[test]
fn the_order_of_values_changes_nothing() {
    let lines = [
        "objectClass: inetOrgPerson",
        "uid: ann",
        "uid: asmith",
        "mail: b@x",
        "mail: a@x",
        "cn: A. Smith",
        "cn: Ann Smith",
        "employeeStatus: y",
        "employeeStatus: x",
        "ou: Sales",
        "ou: Board",
    ];
    let reversed: Vec<&str> = lines.iter().rev().copied().collect();
    let dn = "cn=Ann Smith,dc=x";
    let there = entry(dn, &lines);
    assert_eq!(there, entry(dn, &reversed));
    assert_eq!(there.fields[fields::DISPLAY_NAME], values(&["Ann Smith"]), "the DN says which one counts");
    assert_eq!(there.fields[fields::USER_NAME], values(&["ann", "asmith"]));
    assert_eq!(entry("uid=asmith,dc=x", &lines).fields[fields::USER_NAME], values(&["asmith"]));
    assert_eq!(there.fields[fields::MAIL], values(&["a@x", "b@x"]));
    assert_eq!(there.fields[fields::ALIASES], values(&["b@x"]));
    assert_eq!(there.fields[fields::DEPARTMENT], values(&["Board"]));
    assert_eq!(there.attributes["employeeStatus"], values(&["x", "y"]));
}

#[rstest]
#[case("cn=admins,dc=x", &["cn: Root", "cn: Admins"], "Admins")]
#[case("CN=Admins+ou=it,dc=x", &["cn: root", "cn: admins"], "admins")]
#[case("cn=sales,dc=x", &["cn;lang-de: Vertrieb", "cn: sales "], "sales")]
#[case("cn=sales,dc=x", &["cn;lang-de: Vertrieb"], "Vertrieb")]
#[case("ou=it,dc=x", &["cn: b ", "cn: a"], "a,b")]
#[case("cn=ops team,dc=x", &["cn: ops   team"], "ops team")]
#[case("ou=it,dc=x", &["cn: b  c", "cn: a\u{a0} b"], "a b,b c")]
fn a_group_is_called_what_its_dn_says(#[case] dn: &str, #[case] lines: &[&str], #[case] names: &str) {
    let group = entry(dn, &[&["objectClass: groupOfNames"], lines].concat());
    assert_eq!(group.fields[fields::NAME], values(&names.split(',').collect::<Vec<_>>()));
}

/// What an entry begins with in its DN, it has: if it does not show that, it is hidden.
#[rstest]
#[case::group("cn=sales,dc=x", &["objectClass: groupOfNames"], fields::NAME, true)]
#[case::group_of_two("ou=it+cn=sales,dc=x", &["objectClass: posixGroup"], fields::NAME, true)]
#[case::long_name("commonName=sales,dc=x", &["objectClass: group", "displayName: Sales"], fields::NAME, true)]
#[case::blank("cn=sales,dc=x", &["objectClass: groupOfNames", "cn:  "], fields::NAME, true)]
#[case::person("uid=zoe,dc=x", &["objectClass: person", "cn: Zoe"], fields::USER_NAME, true)]
#[case::of_a_domain("CN=Sales,DC=x", &["objectClass: group", "objectGUID: g"], fields::NAME, true)]
#[case::display_name("CN=Zoe,DC=x", &["objectClass: person", "objectClass: user", "objectGUID: g"], fields::DISPLAY_NAME, false)]
#[case::display_name_elsewhere("cn=Zoe,dc=x", &["objectClass: person", "uid: zoe"], fields::DISPLAY_NAME, false)]
#[case::shown("cn=sales,dc=x", &["objectClass: groupOfNames", "cn: s"], fields::NAME, false)]
#[case::no_such_name("ou=sales,dc=x", &["objectClass: groupOfNames"], fields::NAME, false)]
fn a_name_that_the_dn_shows_is_there(
    #[case] dn: &str,
    #[case] lines: &[&str],
    #[case] field: &str,
    #[case] hidden: bool,
) {
    let is = entry(dn, lines).fields.get(field) == Some(&Stated::Undecodable);
    assert_eq!(is, hidden);
}

#[test]
fn somebody_is_listed_by_the_login_name_in_the_dn_too() {
    assert!(entry("uid=Zoe,dc=x", &["objectClass: person"]).names.contains(&Reference::uid("zoe")));
}

/// Other programs leave characters behind that nobody sees. Control characters show that something was lost.
#[rstest]
#[case::zero_width_space("mail: ann@x\u{200b}", fields::MAIL, Some("ann@x"))]
#[case::byte_order_mark("mail: \u{feff}ann@x", fields::MAIL, Some("ann@x"))]
#[case::direction("mailLocalAddress: \u{200e}a@x\u{200f} ", fields::ALIASES, Some("a@x"))]
#[case::word_joiner("uid: ann\u{2060}", fields::USER_NAME, Some("ann"))]
#[case::one_sign("uid: j\u{f6}rg", fields::USER_NAME, Some("j\u{f6}rg"))]
#[case::two_signs("uid: jo\u{308}rg", fields::USER_NAME, Some("j\u{f6}rg"))]
#[case::two_signs_of_an_address("mail: jo\u{308}rg@x", fields::MAIL, Some("j\u{f6}rg@x"))]
#[case::null_at_the_end("mail: ann@x\0", fields::MAIL, None)]
#[case::null_within("mail: an\0n@x", fields::MAIL, None)]
#[case::vertical_tab("mail: ann\x0b@x", fields::MAIL, None)]
#[case::form_feed("mailAlternateAddress: ann\x0c@x", fields::ALIASES, None)]
#[case::null_in_a_text("title: Cle\0rk", fields::TITLE, None)]
#[case::break_in_a_text("title: Clerk\x0band more", fields::TITLE, Some("Clerk\x0band more"))]
fn what_nobody_sees_is_no_part_of_a_name(
    #[case] line: &str,
    #[case] field: &str,
    #[case] expected: Option<&str>,
) {
    let ann = entry("cn=a,dc=x", &["objectClass: person", line]);
    let expected = expected.map_or(Stated::Undecodable, |one| values(&[one]));
    assert_eq!(ann.fields[field], expected);
}

/// Who is in scope may be decided by it.
#[rstest]
#[case::null("act\0ve", false)]
#[case::vertical_tab("act\x0bve", false)]
#[case::escape("\x1bactive", false)]
#[case::lines("active\r\n\tfully", true)]
fn what_a_policy_names_is_text(#[case] value: &str, #[case] is_known: bool) {
    let line = format!("employeeStatus: {value}");
    let stated = &entry("cn=a,dc=x", &["objectClass: person", line.as_str()]).attributes["employeeStatus"];
    assert_eq!(*stated != Stated::Undecodable, is_known);
}

#[rstest]
#[case::control("uid: ann\x01", "control characters")]
#[case::part("uid;range=0-0: ann", "in part")]
fn who_is_called_so_is_not_known(#[case] line: &str, #[case] why: &str) {
    let lines = of(&["objectClass: person", line]);
    let wrong = schema().entry("cn=a,dc=x", &lines, None).unwrap_err();
    assert!(wrong.why.contains(why), "{wrong}");
}

#[test]
fn blanks_around_addresses_and_login_names_mean_nothing() {
    let lines =
        ["objectClass: person", "mail: Ann@x ", "mail: \tann@x", "uid: ann\n", "mailLocalAddress:  a@x"];
    let ann = entry("cn=a,dc=x", &lines);
    assert_eq!(ann.fields[fields::MAIL], values(&["Ann@x"]));
    assert_eq!(
        (&ann.fields[fields::USER_NAME], &ann.fields[fields::ALIASES]),
        (&values(&["ann"]), &values(&["a@x"]))
    );
    assert!(ann.names.contains(&Reference::uid("ann")));
}

#[test]
fn who_is_listed_by_a_name_that_cannot_be_read_is_not_taken() {
    let mut lines = of(&["objectClass: posixAccount", "uid: bob"]);
    lines.add("uid", [vec![0xff]]);
    let error = schema().entry("cn=b,dc=x", &lines, None).unwrap_err();
    assert!(error.anchor.is_some() && error.why.contains("uid"), "{error}");
}

#[test]
fn what_came_in_part_is_unknown_but_for_what_it_adds() {
    let lines =
        ["objectClass: groupOfNames", "cn: g", "member;range=0-0: cn=a", "employeeStatus;range=0-0: x"];
    let group = entry("cn=g", &lines);
    assert!(
        matches!(&group.members, Members::Partial(known, why) if known.len() == 1 && why.contains("range"))
    );
    assert_eq!(group.attributes["employeeStatus"], Stated::Undecodable);
    let whole = entry("cn=g", &["objectClass: groupOfNames", "member;range=0-*: cn=a"]);
    assert!(matches!(whole.members, Members::Complete(known) if known.len() == 1));
}

/// What becomes of somebody: taken, deleted, outside, or nothing.
#[rstest]
#[case::person(&["objectClass: person"], "taken")]
#[case::tombstone(&["objectClass: person", "objectClass: nsTombstone"], "deleted")]
#[case::deleted(&["objectClass: person", "isDeleted: TRUE"], "deleted")]
#[case::deleted_group(&["objectClass: groupOfNames", "objectClass: NSTOMBSTONE"], "deleted")]
#[case::machine(&["objectClass: posixAccount", "uid: pc1$"], "outside")]
#[case::machine_among_people(&["objectClass: account", "uid: pc1$ ", "uid: pc2$"], "outside")]
#[case::somebody(&["objectClass: posixAccount", "uid: cash$", "uid: ann"], "taken")]
#[case::group(&["objectClass: posixGroup", "cn: cash$"], "taken")]
#[case::alias(&["objectClass: alias", "objectClass: person"], "nothing")]
#[case::computer(&["objectClass: person", "objectClass: computer", "objectGUID: g", "userAccountControl: 512"], "outside")]
#[case::trust(&["objectClass: person", "objectGUID: g", "userAccountControl: 2080"], "outside")]
#[case::built_in(&["objectClass: person", "objectGUID: g", "userAccountControl: 512", "isCriticalSystemObject: TRUE"], "outside")]
#[case::place(&["objectClass: organizationalUnit"], "nothing")]
fn knows_who_is_nobody(#[case] lines: &[&str], #[case] expected: &str) {
    let became = match schema().told("cn=a,dc=x", &of(lines), None) {
        Some(Change::Replace(_)) => "taken",
        Some(Change::Tombstone(_)) => "deleted",
        Some(Change::Outside(_)) => "outside",
        None => "nothing",
        Some(other) => panic!("{other:?}"),
    };
    assert_eq!(became, expected);
}

#[test]
fn an_id_that_people_give_is_not_deleted_with_who_bore_it() {
    let schema = EntrySchema { anchor: "employeenumber".to_owned(), ..schema() };
    let deleted = of(&["objectClass: person", "objectClass: nsTombstone", "employeeNumber: 7"]);
    assert_eq!(schema.told("cn=a,dc=x", &deleted, None), None);
}

#[rstest]
#[case(&["userAccountControl: 514", "accountExpires: 0"], Some(true))]
#[case(&["msDS-UserAccountDisabled: TRUE"], Some(true))]
#[case(&["userAccountControl: 512", "accountExpires: 0"], Some(false))]
#[case(&[], None)]
fn an_account_of_active_directory_has_its_state_wherever_it_is_read(
    #[case] lines: &[&str],
    #[case] disabled: Option<bool>,
) {
    let common = [
        "objectClass: person",
        "objectClass: user",
        "objectGUID: g",
        "userPrincipalName: ann@corp",
        "proxyAddresses: smtp:a@x",
    ];
    let ann = entry("cn=Ann,dc=x", &[&common, lines].concat());
    assert_eq!(ann.disabled, disabled);
    assert_eq!(
        (&ann.fields[fields::USER_NAME], &ann.fields[fields::MAIL]),
        (&values(&["ann@corp"]), &values(&["a@x"]))
    );
    let unclear = of(&[
        &common[..],
        &["userAccountControl: 512", "accountExpires: 0", "msExchRecipientTypeDetails: x"],
    ]
    .concat());
    assert!(
        schema().entry("cn=Ann,dc=x", &unclear, None).unwrap_err().why.contains("msExchRecipientTypeDetails")
    );
    let unclear = of(&[&common[..], &["userAccountControl: 512"]].concat());
    assert!(schema().entry("cn=Ann,dc=x", &unclear, None).unwrap_err().why.contains("accountExpires"));
    let unclear = of(&[&common[..], &["userAccountControl: ?", "accountExpires: 0"]].concat());
    assert!(schema().entry("cn=Ann,dc=x", &unclear, None).unwrap_err().why.contains("userAccountControl"));
}

/// An export of a domain may leave the ids away and be known by others.
#[rstest]
#[case::by_its_state(&["objectClass: person", "userAccountControl: 514"], true)]
#[case::by_its_name(&["objectClass: person", "objectClass: user", "sAMAccountName: ann"], true)]
#[case::group(&["objectClass: group", "objectSid: s"], true)]
#[case::contact(&["objectClass: contact", "instanceType: 4"], true)]
#[case::group_elsewhere(&["objectClass: group"], false)]
#[case::user_elsewhere(&["objectClass: person", "objectClass: user"], false)]
#[case::samba(&["objectClass: posixAccount", "sAMAccountName: ann"], false)]
fn a_domain_is_known_without_its_ids(#[case] lines: &[&str], #[case] is: bool) {
    assert_eq!(active_directory::is_of(&of(lines)), is);
}

#[test]
fn a_group_of_a_domain_is_called_by_its_account_name() {
    let lines = ["objectClass: group", "objectGUID: g", "cn: Admins", "sAMAccountName: it-admins"];
    assert_eq!(entry("CN=Admins,OU=it,DC=x", &lines).fields[fields::NAME], values(&["it-admins"]));
}

#[test]
fn what_older_versions_sealed_says_by_what_entries_are_known() {
    let known_by = |id: Option<&str>, scope: &str| {
        let directory = crate::directory::DirectoryId::new("dc=x");
        let (id, scope) = (id.map(str::to_owned), scope.to_owned());
        pinned(Some(&KnownBy { directory, id, scope, progress: None }))
    };
    assert_eq!(known_by(None, "ldif anchor=nsuniqueid").as_deref(), Some("nsUniqueId"));
    assert_eq!(known_by(None, "dc=x\n\n(a=b)\n\n(c=d)\n\ncn=r\n\nentryuuid").as_deref(), Some("entryUUID"));
    assert_eq!(known_by(None, "dc=x\n\n\n\n(a=b)\n\n(c=d)\n\nreader@corp"), None);
    assert_eq!(known_by(Some("objectguid"), "ldif anchor=dn").as_deref(), Some("objectGUID"));
    assert_eq!(known_by(Some("roomNumber"), "ldif anchor=dn").as_deref(), Some("roomNumber"));
    assert_eq!(pinned(None), None);
}

#[test]
fn makes_a_group_of_every_kind_of_member() {
    let entry = schema()
        .entry(
            "cn=g,dc=x",
            &attributes(&[
                ("objectclass", &[b"groupOfNames"]),
                ("entryuuid", &[b"1"]),
                ("cn", &[b"g"]),
                ("member", &[b"UID=Ann, DC=x", b""]),
                ("uniquemember", &[b"uid=bob,dc=x#'0101'B"]),
                ("memberuid", &[b"Carl"]),
            ]),
            None,
        )
        .unwrap()
        .unwrap();
    let dn = |text| Reference::Dn(Dn::parse(text).unwrap());
    let expected = vec![dn("uid=ann,dc=x"), dn("uid=bob,dc=x"), Reference::uid("carl")];
    assert_eq!(entry.members, Members::Complete(expected));
}

#[rstest]
#[case::no_dn("member", "ann", "ann")]
#[case::form_feed_for_a_comma("member", "cn=ann,dc=x\x0cdc=y", "control characters")]
#[case::line_break("uniqueMember", "cn=ann\ncnf:1,dc=x", "control characters")]
#[case::of_another_language("member", "cn=ann\u{85},dc=x", "control characters")]
fn a_member_that_is_no_dn_makes_the_list_partial(#[case] name: &str, #[case] bad: &str, #[case] why: &str) {
    let bad = format!("{name}: {bad}");
    let of = of(&["objectClass: group", &bad, "member: cn=b"]);
    let entry = schema().entry("cn=g", &of, None).unwrap().unwrap();
    assert!(matches!(entry.members, Members::Partial(known, said) if known.len() == 1 && said.contains(why)));
}

#[test]
fn a_line_break_that_is_escaped_belongs_to_the_name() {
    let lines = of(&["objectClass: group", r"member: CN=Ann\0ACNF:7c1d,DC=x"]);
    let entry = schema().entry("cn=g", &lines, None).unwrap().unwrap();
    assert!(matches!(entry.members, Members::Complete(known) if known.len() == 1));
}

#[rstest]
#[case(&[], "no entryuuid")]
#[case(&["1", "2"], "2 values of entryuuid")]
fn an_entry_without_one_anchor_is_unreadable(#[case] anchors: &[&str], #[case] why: &str) {
    let anchors: Vec<&[u8]> = anchors.iter().map(|anchor| anchor.as_bytes()).collect();
    let mut of = attributes(&[("objectclass", &[b"inetOrgPerson"])]);
    of.add("entryUUID", anchors.iter().map(|anchor| anchor.to_vec()));
    let error = schema().entry("cn=a", &of, None).unwrap_err();
    assert!(error.why.contains(why), "{error}");
    assert_eq!(error.anchor, None);
}

#[rstest]
#[case(&["organizationalUnit"], None)]
#[case(&["posixGroup"], Some(EntryKind::Group))]
#[case(&["person", "organizationalPerson", "contact"], Some(EntryKind::Contact))]
#[case(&["posixAccount", "groupOfNames"], Some(EntryKind::User))]
fn classes_make_the_kind(#[case] classes: &[&str], #[case] expected: Option<EntryKind>) {
    let classes: Vec<&[u8]> = classes.iter().map(|class| class.as_bytes()).collect();
    assert_eq!(kind(&attributes(&[("objectclass", &classes)])), expected);
}

#[test]
fn binary_anchors_are_written_in_hexadecimal() {
    let spelt = |name: &str, value: &[u8]| anchor(name, value).unwrap().as_str().to_owned();
    assert_eq!(spelt("objectguid", b"0123456789abcdef"), "30313233343536373839616263646566");
    assert_eq!(spelt("objectsid", &[0, 255]), "00ff");
    assert_eq!(spelt("entryuuid", b"66446001-22A8-11ED"), "66446001-22a8-11ed");
}

#[rstest]
#[case::empty("employeenumber", b"")]
#[case::blank("employeenumber", b" \t ")]
#[case::blank_of_16("entryuuid", b"                ")]
#[case::not_text("entryuuid", b"\xff1234567")]
#[case::control("nsuniqueid", b"66446001-\x01")]
fn what_says_nothing_is_no_anchor(#[case] name: &str, #[case] value: &[u8]) {
    assert_eq!(anchor(name, value), None);
    let mut of = of(&["objectClass: person"]);
    of.remove("entryuuid");
    of.add(name, [value.to_vec()]);
    let schema = EntrySchema { anchor: name.to_owned(), literal: BTreeSet::new(), demands_members: false };
    let error = schema.entry("cn=a", &of, None).unwrap_err();
    assert!(error.anchor.is_none() && error.why.contains("does not identify it"), "{error}");
}

#[rstest]
#[case("entryuuid", b"9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", true)]
#[case("objectguid", b"{9B1DEB4D-3B7D-4BAD-9BDD-2B0D7B3DCB6D}", true)]
#[case("objectguid", b"0123456789abcdef", true)]
#[case("entryuuid", b"\x9b\x1d\xeb\x4d\x3b\x7d\x4b\xad\x9b\xdd\x2b\x0d\x7b\x3d\xcb\x6d", true)]
#[case("entryuuid", b"9b1deb4d-3b7d-4b", false)]
#[case("entryuuid", b"9b1deb4d3b7d4bad", false)]
#[case("objectguid", b"{9b1deb4d-3b7d-4", false)]
#[case("nsuniqueid", b"66446001-22a811ed-8cd8b3c1-7b5e0f1a", true)]
#[case::without_hyphens("entryuuid", b"9B1deb4d3b7d4bad9bdd2b0d7b3dcb6d", true)]
#[case("entryuuid", b"9b1deb4d3b7d4bad9bdd2b0d7b3dcb6", false)]
#[case("entryuuid", b"9b1deb4d-3b7d-4bad%9bdd-2b0d7b3dcb6d", false)]
#[case("entryuuid", b"9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6dcn: a", false)]
#[case("ipauniqueid", b"9b1deb4d-3b7d-4bad-9bdd", false)]
#[case::as_a_uuid("nsuniqueid", b"66446001-22a8-11ed-8cd8-b3c17b5e0f1a", true)]
#[case("nsuniqueid", b"66446001-22a8-11ed-8cd8-b3c17b5e0f1", false)]
fn an_id_of_a_server_has_a_form(#[case] name: &str, #[case] value: &[u8], #[case] formed: bool) {
    assert_eq!(is_formed(name, value), formed);
}
