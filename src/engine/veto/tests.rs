//! What may not leave does not, and is nobody's evidence.

use std::collections::{BTreeMap, HashMap, HashSet};

use rstest::rstest;

use super::*;
use crate::directory::{
    Anchor, Change, Completion, Cursor, DirectoryId, EntryKind, Members, Mode, OfNoKind, Patch, Shown,
};
use crate::wire::ChangeFeed;

fn rules(bases: &[&str], attributes: &[&str], classes: &[&str]) -> VetoSettings {
    let texts = |these: &[&str]| these.iter().map(|it| (*it).to_owned()).collect();
    VetoSettings { bases: texts(bases), attributes: texts(attributes), classes: texts(classes) }
}

fn veto(may: &VetoSettings, not: &VetoSettings) -> Veto {
    Veto::new(may, not).unwrap()
}

fn asked(literal: &[&str]) -> wire::Directory {
    wire::Directory {
        server: Server::Ldap,
        base_dns: Vec::new(),
        exclude_dns: Vec::new(),
        user_filter: None,
        group_filter: None,
        change_feed: ChangeFeed::Auto,
        anchor: None,
        page_size: 100,
        literal: literal.iter().map(|it| (*it).to_owned()).collect(),
    }
}

fn stated(names: &[(&str, &str)]) -> BTreeMap<String, Stated> {
    names
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Stated::Values(vec![(*value).to_owned()])))
        .collect()
}

fn entry(dn: &str) -> Entry {
    Entry {
        anchor: Anchor::new(dn),
        dn: dn.to_owned(),
        names: vec![
            Reference::Anchor(Anchor::new(dn)),
            Reference::Dn(Dn::parse(dn).unwrap()),
            Reference::uid("ann"),
            Reference::address("ann@x.example"),
        ],
        fields: stated(&[("mail", "ann@x.example"), ("mobile", "7"), ("displayName", "Ann")]),
        attributes: stated(&[("audio", "a"), (CLASS, "person")]),
        ..Entry::nobody()
    }
}

fn completion() -> Completion {
    Completion {
        mode: Mode::Full,
        directory: DirectoryId::new("dc=x"),
        id: None,
        server: None,
        cursor: None,
        fields: ["mail", "mobile", "displayName"].map(str::to_owned).into(),
        attributes: ["audio", CLASS].map(str::to_owned).into(),
        scope: String::new(),
        notices: Vec::new(),
        vendor: None,
        feed: None,
        shown: Shown::default(),
    }
}

#[test]
fn what_an_attribute_states_is_unknown_and_named_and_its_names_stay() {
    let veto = veto(&rules(&[], &[], &[]), &rules(&[], &["Mail;lang-de", "commonName", "audio"], &[]));
    let asked = asked(&["audio", "photo"]);
    let mut sieve = Sieve::new(&veto, &asked);
    let Some(Change::Replace(came)) = sieve.change(Change::Replace(Box::new(entry("uid=ann,dc=x")))) else {
        panic!()
    };
    assert_eq!(came.fields, stated(&[("mobile", "7")]), "displayName may be the cn");
    assert!(came.attributes.is_empty(), "{:?}", came.attributes);
    assert!(came.names.iter().all(|name| !matches!(name, Reference::Address(_))) && came.names.len() == 3);
    let end = sieve.completion(completion());
    assert_eq!(end.fields, ["mobile".to_owned()].into());
    assert!(end.attributes.is_empty());
    let [notice] = &end.notices[..] else { panic!("{:?}", end.notices) };
    for name in ["mail", "displayName", "name", "audio"] {
        assert!(notice.contains(name), "{notice}");
    }
    let patch = Patch {
        set: entry("uid=ann,dc=x"),
        cleared: ["mail".to_owned(), "mobile".to_owned()].into(),
        cleared_attributes: ["audio".to_owned(), "photo".to_owned()].into(),
        alone: Ok(()),
    };
    let Some(Change::Patch(patch)) = sieve.change(Change::Patch(Box::new(patch))) else { panic!() };
    assert_eq!(
        (patch.cleared, patch.cleared_attributes),
        (["mobile".to_owned()].into(), ["photo".to_owned()].into())
    );
}

#[test]
fn only_what_may_leave_does() {
    let veto = veto(
        &rules(&["ou=staff,dc=x"], &["mail", "mailAlternateAddress", "mailLocalAddress"], &["person"]),
        &rules(&["ou=board,ou=staff,dc=x"], &[], &["secretPerson"]),
    );
    let asked = asked(&[]);
    let mut sieve = Sieve::new(&veto, &asked);
    let mut leaves = |dn: &str, class: &str| {
        let mut entry = entry(dn);
        entry.attributes.insert(CLASS.to_owned(), Stated::Values(vec!["top".to_owned(), class.to_owned()]));
        sieve.change(Change::Replace(Box::new(entry)))
    };
    for (dn, class, is_let) in [
        ("uid=ann,ou=staff,dc=x", "Person", true),
        ("UID=Ann,OU=Staff,DC=X", "person", true),
        ("uid=ann,ou=board,ou=staff,dc=x", "person", false),
        ("uid=ann,dc=x", "person", false),
        ("uid=ann,ou=staff,dc=x", "device", false),
    ] {
        let left = leaves(dn, class);
        assert_eq!(left.is_some(), is_let, "{dn} {class}");
        if let Some(Change::Replace(entry)) = left {
            assert_eq!(entry.fields, stated(&[("mail", "ann@x.example")]));
            assert!(entry.attributes.is_empty(), "the class was asked for only to decide");
        }
    }
    let mut secret = entry("uid=ann,ou=staff,dc=x");
    secret
        .attributes
        .insert(CLASS.to_owned(), Stated::Values(vec!["person".to_owned(), "secretperson".to_owned()]));
    assert_eq!(sieve.change(Change::Replace(Box::new(secret))), None);
    let mut unclear = entry("uid=ann,ou=staff,dc=x");
    unclear.attributes.insert(CLASS.to_owned(), Stated::Undecodable);
    assert_eq!(sieve.change(Change::Replace(Box::new(unclear))), None);
    let notices = sieve.completion(completion()).notices.join("\n");
    assert!(notices.contains("withholds 5 entries by their bases or classes"), "{notices}");
    assert!(veto.reads_all());
}

#[test]
fn a_list_without_some_of_its_members_is_not_whole() {
    let veto = veto(&rules(&[], &[], &[]), &rules(&["ou=board,dc=x"], &[], &[]));
    let asked = asked(&[]);
    let mut sieve = Sieve::new(&veto, &asked);
    let dn = |text: &str| Reference::Dn(Dn::parse(text).unwrap());
    let (seen, hidden) = (dn("cn=a,ou=staff,dc=x"), dn("cn=b,ou=board,dc=x"));
    let mut members = |members: Members| {
        let group = Entry { kind: EntryKind::Group, members, ..entry("cn=g,dc=x") };
        match sieve.change(Change::Replace(Box::new(group))) {
            Some(Change::Replace(entry)) => entry.members,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(members(Members::Complete(vec![seen.clone()])), Members::Complete(vec![seen.clone()]));
    let Members::Partial(left, why) = members(Members::Complete(vec![seen.clone(), hidden.clone()])) else {
        panic!()
    };
    assert_eq!(left, std::slice::from_ref(&seen));
    assert!(why.contains("withholds"), "{why}");
    let Members::Partial(left, _) = members(Members::Partial(vec![hidden.clone()], "cut".to_owned())) else {
        panic!()
    };
    assert!(left.is_empty());
    assert_eq!(members(Members::NotStated), Members::NotStated);
    let delta = Change::MembersDelta {
        group: Anchor::new("g"),
        added: vec![seen.clone(), hidden.clone()],
        removed: vec![hidden],
    };
    let kept = Change::MembersDelta { group: Anchor::new("g"), added: vec![seen], removed: Vec::new() };
    assert_eq!(sieve.change(delta), Some(kept));
    assert!(sieve.completion(completion()).notices.join("").contains("members of 2 groups"));
    let of_board = "cn=b,ou=board,dc=x".to_owned();
    let unreadable = |what: String| Change::Unreadable { anchor: None, what, why: String::new() };
    assert_eq!(
        sieve.change(unreadable(of_board.clone())),
        Some(unreadable("an entry that the engine withholds".to_owned()))
    );
    let no_kind = OfNoKind { anchor: Anchor::new("b"), what: of_board, why: String::new(), kinds: &[] };
    assert_eq!(sieve.change(Change::OfNoKind(no_kind)), None);
}

#[test]
fn login_names_leave_where_each_attribute_may_that_states_them_there() {
    let leave = |server: Server, may: &[&str], not: &[&str]| {
        let veto = veto(&rules(&[], may, &[]), &rules(&[], not, &[]));
        let asked = wire::Directory { server, ..asked(&[]) };
        let members = Members::Complete(vec![Reference::uid("ann"), Reference::uid("bob")]);
        let group = Entry { kind: EntryKind::Group, members: members.clone(), ..entry("cn=g,dc=x") };
        let mut sieve = Sieve::new(&veto, &asked);
        let Some(Change::Replace(came)) = sieve.change(Change::Replace(Box::new(group))) else { panic!() };
        let are_all = came.members == members;
        assert_eq!(came.names.contains(&Reference::uid("ann")), are_all);
        are_all
    };
    // There is no sAMAccountName.
    assert!(leave(Server::Ldap, &["uid", "cn"], &[]) && leave(Server::Ldap, &[], &["sAMAccountName"]));
    assert!(!leave(Server::Ldap, &["cn"], &[]) && !leave(Server::Ldap, &[], &["userid"]));
    assert!(leave(Server::ActiveDirectory, &["uid", "sAMAccountName"], &[]));
    assert!(!leave(Server::ActiveDirectory, &["uid", "cn"], &[]));
    assert!(!leave(Server::ActiveDirectory, &[], &["sAMAccountName"]));
}

#[test]
fn who_may_not_leave_is_not_settled() {
    let veto = |not| veto(&rules(&[], &[], &[]), &not);
    let anchor = |id: &str| Anchor::new(id);
    let found = || LookUp {
        server: None,
        found: vec![anchor("a"), anchor("b"), anchor("c")],
        of_no_kind: Vec::new(),
        missing: vec![anchor("d")],
        orphans: vec![anchor("d")],
        called: HashMap::from([
            (anchor("a"), vec!["cn=a,dc=x".to_owned()]),
            (anchor("b"), vec!["cn=b,ou=board,dc=x".to_owned()]),
        ]),
    };
    let none = HashSet::new();
    let by_base = veto(rules(&["ou=board,dc=x"], &[], &[])).looked_up(found(), &none);
    assert_eq!(
        (by_base.found, by_base.called.len(), by_base.missing),
        (vec![anchor("a")], 1, vec![anchor("d")])
    );
    let by_class = veto(rules(&[], &[], &["person"])).looked_up(found(), &none);
    assert_eq!((by_class.found.len(), by_class.called.len(), by_class.missing), (0, 0, vec![anchor("d")]));
    assert_eq!(veto(rules(&[], &["mail"], &[])).looked_up(found(), &none), found());
    let of_board = veto(rules(&["ou=board,dc=x"], &[], &[]));
    let seen = HashMap::from([(anchor("a"), "cn=a,dc=x".to_owned())]);
    let mut called = seen.clone();
    called.insert(anchor("d"), "cn=d,ou=board,dc=x".to_owned());
    let (known, withheld) = of_board.called(called);
    assert_eq!(known, seen);
    let answer = of_board.looked_up(found(), &withheld);
    assert_eq!((answer.missing, answer.orphans), (Vec::new(), Vec::new()), "it was where nothing may leave");
}

#[rstest]
#[case("(mail=*)", false)]
#[case("(&(objectClass=person)(MAIL;lang-en=a*))", false)]
#[case("(rfc822Mailbox=a*)", false)]
#[case("(emailAddress~=a)", false)]
#[case("(userPassword=a*)", false)]
#[case("(ms-Mcs-AdmPwd=a*)", false)]
#[case("(msLAPS-Password=a*)", false)]
#[case("(2.5.4.35=a*)", false)]
#[case("(OID.2.5.4.35=a*)", false)]
#[case("(:caseIgnoreMatch:=a)", false)]
#[case("(mail:caseIgnoreMatch:=a)", false)]
#[case("(uid=a*)", true)]
#[case("(&(objectClass=person)(!(employeeType=x)))", true)]
fn a_filter_asks_for_nothing_that_may_not_leave(#[case] filter: &str, #[case] is_let: bool) {
    let veto = veto(&rules(&[], &[], &[]), &rules(&[], &["mail"], &[]));
    for group in [false, true] {
        let mut asked = asked(&[]);
        if group {
            asked.group_filter = Some(filter.to_owned());
        } else {
            asked.user_filter = Some(filter.to_owned());
        }
        assert_eq!(veto.check(&asked).is_ok(), is_let, "{filter}");
    }
}

#[test]
fn passwords_never_leave_and_names_of_several_attributes_count_for_each() {
    let all = veto(&rules(&[], &[], &[]), &rules(&[], &[], &[]));
    let secrets = [
        "userPassword",
        "unicodePwd",
        "userPassword;x",
        "1.2.840.113556.1.4.90",
        "msLAPS-EncryptedPassword",
        "krbPrincipalKey",
    ];
    assert!(all.literal(&secrets.map(str::to_owned).into()).is_empty());
    assert!(all.leaves("name") && all.withheld_fields(Server::Ldap).is_empty() && !all.reads_all());
    let not = veto(&rules(&[], &[], &[]), &rules(&[], &["sn"], &[]));
    assert!(!not.leaves("name") && !not.leaves("surname") && not.leaves("cn"));
    let may = veto(&rules(&[], &["cn", "userPassword"], &[]), &rules(&[], &[], &[]));
    assert!(
        !may.leaves("userPassword")
            && !may.leaves("name")
            && may.leaves("objectClass")
            && may.leaves("commonName")
    );
    assert!(may.check(&wire::Directory { anchor: Some("unicodePwd".to_owned()), ..asked(&[]) }).is_err());
    for anchor in ["&(userPassword=a*)(cn", "", "cn=*)(x", "cn\0"] {
        assert!(
            all.check(&wire::Directory { anchor: Some(anchor.to_owned()), ..asked(&[]) }).is_err(),
            "{anchor}"
        );
        assert!(all.literal(&asked(&[anchor]).literal).is_empty(), "{anchor}");
    }
    assert!(
        all.check(&wire::Directory { anchor: Some("dominoUNID".to_owned()), ..asked(&["cn;lang-de"]) })
            .is_ok()
    );
    assert!(Veto::new(&rules(&[], &[], &[]), &rules(&[], &["objectGUID"], &[])).is_err());
    assert!(Veto::new(&rules(&["no dn"], &[], &[]), &rules(&[], &[], &[])).is_err());
}

#[test]
fn a_read_resumes_only_at_the_engine_and_under_the_rules_of_the_one_before() {
    let none = || rules(&[], &[], &[]);
    let cursor = Cursor(vec![1, 2]);
    let all = veto(&none(), &none());
    let key = || wire::SigningKey::generate().unwrap().0.public().unwrap().id();
    let (engine, another) = (key(), key());
    let of_mail = veto(&none(), &rules(&[], &["mail"], &[]));
    let bound = of_mail.bound(&engine, &cursor);
    assert_eq!(of_mail.resumes(&engine, &bound), Some(cursor.clone()));
    assert_eq!(
        veto(&none(), &rules(&[], &["rfc822Mailbox"], &[])).resumes(&engine, &bound),
        Some(cursor.clone())
    );
    assert_eq!(all.resumes(&engine, &all.bound(&engine, &cursor)), Some(cursor.clone()));
    for other in [
        none(),
        rules(&[], &["sn"], &[]),
        rules(&[], &["mail", "sn"], &[]),
        rules(&["dc=x"], &["mail"], &[]),
        rules(&[], &["mail"], &["person"]),
    ] {
        assert_eq!(veto(&none(), &other).resumes(&engine, &bound), None, "{other:?}");
    }
    assert_eq!(of_mail.resumes(&another, &bound), None);
    assert_eq!(veto(&rules(&[], &["mail"], &[]), &none()).resumes(&engine, &bound), None);
    assert_eq!(
        (all.resumes(&engine, &bound), of_mail.resumes(&engine, &cursor)),
        (None, None),
        "or one of an engine before"
    );
    let of_base = veto(&none(), &rules(&["dc=x"], &[], &[]));
    assert_eq!(of_base.resumes(&engine, &of_base.bound(&engine, &cursor)), None);
}

#[test]
fn what_names_others_does_not_leave_as_it_is_where_some_are_withheld() {
    let literal = ["memberOf", "member;lang-ja", "uniqueMember", "memberUid", "manager", "audio"];
    let asked = asked(&literal);
    let none = || rules(&[], &[], &[]);
    for not in [rules(&["ou=board,dc=x"], &[], &[]), rules(&[], &[], &["person"])] {
        let veto = veto(&none(), &not);
        let mut literal = veto.literal(&asked.literal);
        literal.remove(CLASS);
        assert_eq!(literal, ["audio".to_owned()].into(), "{not:?}");
        let mut sieve = Sieve::new(&veto, &asked);
        let mut came = entry("cn=g,dc=x");
        came.attributes = stated(&[("memberOf", "cn=b,ou=board,dc=x"), ("audio", "a"), (CLASS, "group")]);
        let Some(Change::Replace(came)) = sieve.change(Change::Replace(Box::new(came))) else { panic!() };
        assert_eq!(came.attributes, stated(&[("audio", "a")]));
        let mut end = completion();
        end.attributes.insert("memberOf".to_owned());
        let end = sieve.completion(end);
        assert!(!end.attributes.contains("memberOf"));
        assert!(end.notices[0].contains("memberOf") && end.notices[0].contains("uniqueMember"), "{end:?}");
    }
    let of_mail = veto(&none(), &rules(&[], &["mail"], &[]));
    assert_eq!(of_mail.literal(&asked.literal), asked.literal);
}

#[rstest]
#[case("krb5Key", true)]
#[case("oathSecret", true)]
#[case("sambaClearTextPassword", true)]
#[case("sambaPreviousClearTextPassword", true)]
#[case("msPKIAccountCredentials", true)]
#[case("msPKIDPAPIMasterKeys", true)]
#[case("msTPM-OwnerInformation", true)]
#[case("nspmPassword", true)]
#[case("radiusPassword", true)]
#[case("acmeAppPwd;x", true)]
#[case("acmeClientSecret", true)]
#[case("pwdLastSet", false)]
#[case("badPwdCount", false)]
#[case("krbPasswordExpiration", false)]
#[case("secretary", false)]
fn what_is_called_as_a_secret_does_not_leave(#[case] name: &str, #[case] is_secret: bool) {
    let all = veto(&rules(&[], &[], &[]), &rules(&[], &[], &[]));
    assert_eq!(all.leaves(name), !is_secret);
    let named = wire::Directory { user_filter: Some(format!("({name}=a)")), ..asked(&[]) };
    assert_eq!(all.check(&named).is_ok(), !is_secret);
}

#[test]
fn no_filter_stands_for_several_attributes_where_some_are_withheld() {
    let none = || rules(&[], &[], &[]);
    let asked = wire::Directory { user_filter: Some("(ANR=a)".to_owned()), ..asked(&[]) };
    assert!(veto(&none(), &none()).check(&asked).is_ok());
    for rule in [rules(&[], &["mail"], &[]), rules(&["dc=x"], &[], &[]), rules(&[], &[], &["person"])] {
        assert!(veto(&none(), &rule).check(&asked).is_err(), "{rule:?}");
        assert!(veto(&rule, &none()).check(&asked).is_err(), "{rule:?}");
    }
}
