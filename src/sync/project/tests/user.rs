//! Tests of users.

use super::*;

#[test]
fn a_user_is_called_by_the_address_else_by_the_login_name() {
    let case = Case::new().with(user("ann")).with(user_with("bob", &[])).with(anybody("cid"));
    assert_eq!(case.kept(), ["ann@corp.example", "bob"]);
    assert_eq!(case.project().skipped.without_address, 1);
}

#[test]
fn what_is_mapped_is_the_default_and_what_the_policy_adds() {
    let stated = [
        (fields::MAIL, "Ann@corp.example"),
        (fields::ALIASES, "a@corp.example"),
        (fields::DISPLAY_NAME, "Ann"),
        (fields::TITLE, "Chief"),
        (fields::FAMILY_NAME, "Lee"),
    ];
    let mut case = Case::new().with(user_with("ann", &stated));
    let mapping = |text| Expression::compile(text, About::User, Returns::Text).unwrap();
    case.policy.users.attributes = BTreeMap::from([
        ("title".to_owned(), mapping("user.title")),
        ("displayName".to_owned(), mapping("user.familyName + ', ' + user.displayName")),
        ("department".to_owned(), mapping("user.department")),
    ]);
    let projection = case.project();
    let Some(SubjectState::Keep(User { content, .. })) = projection.users.values().next() else {
        panic!("{projection:?}")
    };
    let Content::User(user) = &**content else { panic!("{content:?}") };
    assert_eq!(user.emails, ["Ann@corp.example", "a@corp.example"]);
    let expected = [("displayName", "Lee, Ann"), ("familyName", "Lee"), ("title", "Chief")];
    let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(user.attributes, expected.into_iter().collect(), "what is empty is left out");
}

#[rstest]
#[case::a_domain("corp.example", "", false, &["ann@corp.example"])]
#[case::another_domain("other.example", "", false, &[])]
#[case::a_condition("", "user.title == 'Chief'", false, &["bob@corp.example"])]
#[case::contacts_too("", "", true, &["ann@corp.example", "bob@corp.example", "eve@sub.corp.example"])]
fn scope_is_what_the_policy_says(
    #[case] domain: &str,
    #[case] condition: &str,
    #[case] contacts: bool,
    #[case] expected: &[&str],
) {
    let bob = user_with("bob", &[(fields::MAIL, "bob@corp.example"), (fields::TITLE, "Chief")]);
    let eve =
        Entry { kind: EntryKind::Contact, ..user_with("eve", &[(fields::MAIL, "eve@sub.corp.example")]) };
    let mut case = Case::new().with(user("ann")).with(bob).with(eve);
    if !domain.is_empty() {
        case.policy.users.email_domains.insert(domain.to_owned());
        case.snapshot.entries.remove(1);
    }
    if !condition.is_empty() {
        case.policy.users.r#where = Some(wanted(condition));
    }
    case.policy.users.contacts = contacts;
    assert_eq!(case.kept(), expected);
}

/// What is no address says nothing of a domain: whoever is known stays as they are, and nobody is added.
#[rstest]
#[case::cut_before_the_domain("ann", true, true)]
#[case::cut_at_the_sign("ann@", true, true)]
#[case::of_another_domain("ann@other.example", true, false)]
#[case::of_another_alphabet("ann@b\u{fc}cher.example", true, false)]
#[case::with_a_semicolon("ann@corp.example;", true, true)]
#[case::with_a_name("Ann <ann@corp.example>", true, true)]
#[case::two("ann@corp.example, ann@other.example", true, true)]
#[case::with_a_final_dot("ann@corp.example.", true, true)]
#[case::unseen_within("ann@corp\u{200b}.example", true, true)]
#[case::lines_joined("ann@corp.exampletitle: Boss", true, true)]
#[case::quoted("\"ann b\"@other.example", true, false)]
#[case::not_known("ann", false, false)]
fn a_mail_that_is_no_address_leaves_nobody_out(#[case] mail: &str, #[case] known: bool, #[case] doubt: bool) {
    let mut case = Case::new().with(user_with("ann", &[(fields::MAIL, mail)]));
    if known {
        case = case.linked("ann@corp.example");
    }
    case.policy.users.email_domains.insert("corp.example".to_owned());
    assert_eq!(case.quarantined() == [QuarantineReason::UnknownField], doubt);
    assert_eq!(case.kept(), Vec::<String>::new());
}

/// Nobody can log in with it, and nobody receives what is sent there: whoever is known stays as they are, and nobody is added.
#[rstest]
#[case::plain("ann@corp.example", None)]
#[case::a_name_of_the_directorys_own("ann", None)]
#[case::all_that_needs_no_quotes("o'ann+a=b/c{d}!#$%&*?^_`|~-@corp.example", None)]
#[case::two_dots("ann..lee.@corp.example", None)]
#[case::of_another_alphabet("z\u{fc}e@b\u{fc}cher.example", None)]
#[case::quoted("\"ann: \\\"b\\\"@x\"@corp.example", None)]
#[case::at_a_number("ann@[192.0.2.1]", None)]
#[case::at_a_long_number("ann@[IPv6:2001:db8::1]", None)]
#[case::at_one_host("ann@localhost", None)]
#[case::with_a_protocol("mailto:ann@corp.example", Some("mailto:ann@corp.example"))]
#[case::of_exchange("SMTP:ann@corp.example", Some("SMTP:ann@corp.example"))]
#[case::in_brackets("<ann@corp.example>", Some("<ann@corp.example>"))]
#[case::in_brackets_alone("<ann>", Some("<ann>"))]
#[case::with_a_name("Ann Lee <ann@corp.example>", Some("Ann Lee"))]
#[case::with_a_remark("ann@corp.example (home)", Some("(home)"))]
#[case::two("ann@corp.example;lee@corp.example", Some(";lee"))]
#[case::two_signs("ann@lee@corp.example", Some("ann@lee"))]
#[case::a_whole_domain("@corp.example", Some("@corp.example"))]
#[case::no_host("ann@", Some("ann@"))]
#[case::a_quote_that_does_not_end("\"ann@corp.example", Some("ann"))]
#[case::a_quote_within("\"a\"nn\"@corp.example", Some("nn"))]
#[case::with_a_bell("a\u{7}nn@corp.example", Some("nn"))]
fn a_mail_that_is_no_address_makes_no_login_name(
    #[case] mail: &str,
    #[case] named: Option<&str>,
    #[values(false, true)] known: bool,
) {
    let mut case = Case::new().with(user_with("ann", &[(fields::MAIL, mail)]));
    if known {
        case = case.linked("ann@before.example");
    }
    let projection = case.project();
    let why: Vec<&str> = projection.quarantined.iter().map(|one| one.message.as_str()).collect();
    match named {
        None => assert_eq!((case.kept(), why.len()), (vec![mail.to_owned()], 0)),
        Some(named) => {
            assert_eq!(case.kept(), Vec::<String>::new());
            assert!(matches!(why[..], [one] if one.contains(named)), "{why:?}");
        }
    }
}

/// Letter case and runs of blanks mean nothing in a group's name.
#[rstest]
#[case("ops team", "ops team", true)]
#[case("Ops  Team", "ops team", true)]
#[case("ops team", "ops t*", true)]
#[case("opsteam", "ops team", false)]
fn groups_are_wanted_by_their_names(#[case] name: &str, #[case] pattern: &str, #[case] wanted: bool) {
    let mut case = Case::new().group(name, &[]);
    case.policy.groups.include.push(pattern.to_owned());
    assert_eq!(case.project().newcomers.len(), usize::from(wanted));
    let mut case = Case::new().group(name, &[]);
    case.policy.groups.exclude.push(pattern.to_owned());
    assert_eq!(case.project().newcomers.len(), usize::from(!wanted));
}

#[rstest]
#[case::kept(&[], &["ann@corp.example", "box@corp.example", "hall@corp.example"])]
#[case::no_shared(&["shared"], &["ann@corp.example", "hall@corp.example"])]
#[case::no_rooms(&["room", "equipment"], &["ann@corp.example", "box@corp.example"])]
fn a_kind_of_mailbox_can_stay_out(#[case] without: &[&str], #[case] expected: &[&str]) {
    let of = |name: &str, mailbox: &str| {
        let mail = format!("{name}@corp.example");
        user_with(name, &[(fields::MAIL, mail.as_str()), (fields::MAILBOX, mailbox)])
    };
    let mut case = Case::new().with(user("ann")).with(of("box", "shared")).with(of("hall", "room"));
    case.policy.users.without_mailboxes = without.iter().map(|kind| (*kind).to_owned()).collect();
    assert_eq!(case.kept(), expected);
}

#[test]
fn who_is_out_of_scope_is_gone_if_there_is_an_object_and_nobody_else() {
    let mut case = Case::new().with(user("ann")).linked("ann@corp.example").with(user("bob"));
    case.policy.users.r#where = Some(wanted("user.title != ''"));
    let projection = case.project();
    let evidence = Evidence::data(Grade::OutOfScope);
    assert_eq!(projection.users, BTreeMap::from([(SubjectId(1), SubjectState::Gone(evidence))]));
    assert_eq!(projection.skipped.out_of_scope, 1);
}

#[rstest]
#[case::disable(OnDisabled::Disable, Some(true))]
#[case::ignore(OnDisabled::Ignore, Some(false))]
#[case::leave(OnDisabled::Leave, None)]
fn a_disabled_account_means_what_the_policy_says(#[case] rule: OnDisabled, #[case] kept: Option<bool>) {
    let disabled = || Entry { disabled: Some(true), ..user("ann") };
    let mut case = Case::new().with(disabled()).linked("ann@corp.example");
    case.policy.users.disabled = rule;
    let verdict = case.project().users.remove(&SubjectId(1)).unwrap();
    match kept {
        Some(disabled) => assert!(matches!(verdict, SubjectState::Keep(user) if user.disabled == disabled)),
        None => assert_eq!(verdict, SubjectState::Gone(Evidence::data(Grade::Disabled))),
    }
    // Nobody is created who is disabled when first seen.
    let mut case = Case::new().with(disabled());
    case.policy.users.disabled = rule;
    let projection = case.project();
    assert_eq!(projection.users.len(), 0);
    assert_eq!(projection.skipped.disabled_at_first_sight, 1);
}

/// Whether the account of somebody is to be disabled who has one at the target.
#[rstest]
#[case::stays_active(true, true, false)]
#[case::stays_disabled(true, false, true)]
#[case::is_enabled_again(false, false, false)]
#[case::goes_on(false, true, false)]
fn what_is_ignored_changes_no_account(#[case] disabled: bool, #[case] active: bool, #[case] expected: bool) {
    for by_rule in [false, true] {
        let entry = Entry { disabled: Some(disabled && !by_rule), ..user("ann") };
        let mut case = Case::new().with(entry).linked("ann@corp.example");
        case.policy.users.disabled = OnDisabled::Ignore;
        if by_rule && disabled {
            case.policy.connectors[0].disabled_when = Some(wanted("user.mail != ''"));
        }
        case.known.by_id.get_mut(&SubjectId(1)).unwrap().link.as_mut().unwrap().active = active;
        let verdict = case.project().users.remove(&SubjectId(1)).unwrap();
        assert!(matches!(verdict, SubjectState::Keep(user) if user.disabled == expected), "{by_rule}");
    }
}

#[test]
fn whoever_expires_under_a_policy_that_ignores_it_needs_no_look_unless_they_are_new() {
    let expires = now().checked_add(jiff::SignedDuration::from_secs(9)).ok();
    let ann = || Entry { expires, ..user("ann") };
    let ignoring = |mut case: Case| {
        case.policy.users.disabled = OnDisabled::Ignore;
        case.project().due
    };
    assert_eq!(ignoring(Case::new().with(ann())), expires);
    assert_eq!(ignoring(Case::new().with(ann()).linked("ann@corp.example")), None);
}

#[test]
fn an_account_expires_without_anybody_saying_so() {
    let ending = |name: &str, seconds: i64| {
        let expires = Some(now().checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap());
        Entry { disabled: Some(false), expires, ..user(name) }
    };
    let case = Case::new().with(ending("ann", 7)).linked("ann@corp.example").with(ending("bob", 0));
    let case = case.linked("bob@corp.example").with(ending("cid", 5));
    let projection = case.project();
    let disabled: Vec<bool> = projection
        .users
        .values()
        .map(|verdict| matches!(verdict, SubjectState::Keep(user) if user.disabled))
        .collect();
    assert_eq!(disabled, [false, true, false]);
    assert_eq!(projection.due, Some(now().checked_add(jiff::SignedDuration::from_secs(5)).unwrap()));
}

#[test]
fn the_connectors_own_rule_says_who_is_disabled() {
    let mut off = user("ann");
    off.attributes.insert("status".to_owned(), value("off"));
    let mut case =
        Case::new().with(off).linked("ann@corp.example").with(user("bob")).linked("bob@corp.example");
    case.policy.connectors[0].disabled_when = Some(wanted("user.attributes['status'] == 'off'"));
    let disabled = |id: u32| match &case.project().users[&SubjectId(id)] {
        SubjectState::Keep(user) => user.disabled,
        other => panic!("{other:?}"),
    };
    assert_eq!((disabled(1), disabled(2)), (true, false));
}

#[test]
fn what_cannot_be_told_freezes_and_is_named() {
    let mut unclear = user("ann");
    unclear.fields.insert(fields::MAIL.to_owned(), Stated::Undecodable);
    let case = Case::new()
        .with(unclear)
        .linked("ann@corp.example")
        .with(user("bob"))
        .linked("bob@corp.example")
        .presence(Presence::Unreadable("it is damaged".to_owned()))
        .with(user("cid"))
        .linked("cid@corp.example")
        .presence(Presence::Unsettled { since: Timestamp::UNIX_EPOCH, server: None });
    let projection = case.project();
    assert!(
        projection.users.values().all(|verdict| *verdict == SubjectState::Frozen),
        "{:?}",
        projection.users
    );
    assert_eq!(case.quarantined(), [QuarantineReason::UnknownField, QuarantineReason::Unreadable]);
    assert_eq!(projection.unsettled, BTreeSet::from([SubjectId(3)]));
}

#[test]
fn an_expression_that_fails_quarantines_its_entry_only() {
    let mut case = Case::new().with(user("ann")).with(user_with("bob", &[(fields::TITLE, "7")]));
    case.policy.users.r#where = Some(wanted("int(user.title) == 7"));
    assert_eq!(case.kept(), ["bob"]);
    assert_eq!(case.quarantined(), [QuarantineReason::ExpressionFailed]);
}

#[test]
fn a_subject_of_which_nothing_was_read_is_frozen() {
    let mut case = Case::new().with(user("ann")).linked("ann@corp.example");
    case.snapshot.entries.clear();
    assert_eq!(case.project().users, BTreeMap::from([(SubjectId(1), SubjectState::Frozen)]));
    assert_eq!(case.quarantined(), [QuarantineReason::NeverRead], "whoever left meanwhile is never seen to");
    case.known.by_id.get_mut(&SubjectId(1)).unwrap().link.as_mut().unwrap().active = false;
    assert_eq!(case.quarantined(), [], "they have nothing to lose");
}

#[rstest]
#[case::addresses(&["ann@corp.example", "ANN.lee@corp.example"], "ann.lee@corp.example", "ANN.lee@corp.example")]
#[case::the_linked_one_is_gone(&["ann@corp.example", "lee@corp.example"], "old@corp.example", "ann@corp.example")]
#[case::login_names(&["ann", "alee"], "alee", "alee")]
fn of_several_names_the_linked_one_stays(
    #[case] names: &[&str],
    #[case] linked: &str,
    #[case] expected: &str,
) {
    let field = if names[0].contains('@') { fields::MAIL } else { fields::USER_NAME };
    for reversed in [false, true] {
        let mut values: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        if reversed {
            values.reverse();
        }
        let first = values[0].clone();
        let mut entry = anybody("ann");
        entry.fields.insert(field.to_owned(), Stated::Values(values));
        assert_eq!(
            Case::new().with(entry.clone()).kept(),
            std::slice::from_ref(&first),
            "nobody was there before"
        );
        let expected =
            if names.contains(&expected) && linked == "old@corp.example" { &first } else { expected };
        assert_eq!(Case::new().with(entry).linked(linked).kept(), [expected]);
    }
}

#[test]
fn a_group_keeps_the_one_of_its_names_that_is_linked() {
    let names = |names: &[&str]| Stated::Values(names.iter().map(|name| (*name).to_owned()).collect());
    let mut case = Case::new().group("sales", &[]).linked("sales");
    case.snapshot.entries[0].0.fields.insert(fields::NAME.to_owned(), names(&["marketing", "sales"]));
    let projection = case.project();
    assert!(
        matches!(&projection.groups[&SubjectId(1)], SubjectState::Keep(group) if group.content.name() == "sales")
    );
}

#[test]
fn another_order_of_addresses_changes_nothing() {
    let with = |mail: &[&str], aliases: &[&str]| {
        let values = |of: &[&str]| Stated::Values(of.iter().map(|value| (*value).to_owned()).collect());
        let mut entry = anybody("ann");
        entry.fields.insert(fields::MAIL.to_owned(), values(mail));
        entry.fields.insert(fields::ALIASES.to_owned(), values(aliases));
        entry
    };
    let content = |case: &Case| match case.project().users.values().next() {
        Some(SubjectState::Keep(user)) => user.content.clone(),
        other => panic!("{other:?}"),
    };
    let before = content(&Case::new().with(with(&["a@x", "b@x"], &["c@x", "d@x"])));
    let mut case = Case::new().with(with(&["b@x", "a@x"], &["d@x", "c@x"])).linked("a@x");
    case.known.by_id.get_mut(&SubjectId(1)).unwrap().link.as_mut().unwrap().confirmed = before.clone();
    assert_eq!(content(&case), before);
}
