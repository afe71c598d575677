//! The Mimecast target: what it does where the API is odd, at a stand-in that is read without our client.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rollcall::directory::{
    Anchor, Content, DirectoryId, GroupContent, Key, Match, Operation, Outcome, Owner, SubjectKind, TargetId,
    TargetReason, UserContent,
};
use rollcall::secret::Secret;
use rollcall::target::Target as _;
use rollcall::target::mimecast::{Mimecast, MimecastConfig};
use rstest::rstest;

use crate::support::mimecast::{Fault, Habits, Members, StandIn};

fn key(of: &str) -> Key {
    Key::new(&Owner::new("test", "mimecast"), &DirectoryId::new("dc=test"), &Anchor::new(of))
}

/// A person of this name, with more addresses.
fn person(name: &str, address: &str, aliases: &[&str]) -> Arc<Content> {
    let emails = std::iter::once(&address).chain(aliases).map(|email| (*email).to_owned()).collect();
    let attributes = [("displayName".to_owned(), name.to_owned())].into_iter().collect();
    Arc::new(Content::User(UserContent { user_name: address.to_owned(), emails, attributes }))
}

fn group(name: &str) -> Arc<Content> {
    Arc::new(Content::Group(GroupContent { display_name: name.to_owned(), ..GroupContent::default() }))
}

fn id(text: &str) -> TargetId {
    TargetId(text.into())
}

async fn one(target: &Mimecast, operation: Operation) -> Outcome {
    target.apply(&[operation]).await.remove(0)
}

async fn create(target: &Mimecast, content: &Arc<Content>) -> Outcome {
    one(target, Operation::Create { key: key(content.name()), content: content.clone() }).await
}

async fn made(target: &Mimecast, content: &Arc<Content>) -> TargetId {
    match create(target, content).await {
        Outcome::Done(id) => id,
        other => panic!("{other:?}"),
    }
}

async fn update(target: &Mimecast, of: &TargetId, content: &Arc<Content>) -> Outcome {
    let (id, content) = (of.clone(), content.clone());
    one(target, Operation::Update { id, key: key("x"), content, before: None }).await
}

/// The same, of a user who was so before.
async fn change(target: &Mimecast, of: &TargetId, before: &Arc<Content>, content: &Arc<Content>) -> Outcome {
    let (id, content, before) = (of.clone(), content.clone(), Some(before.clone()));
    one(target, Operation::Update { id, key: key("x"), content, before }).await
}

async fn add(target: &Mimecast, group: &TargetId, members: &[&TargetId]) -> Outcome {
    let members = members.iter().map(|member| (*member).clone()).collect();
    one(target, Operation::AddMembers { group: group.clone(), members }).await
}

/// Users by address: what they are called, whether they work, and their other addresses.
fn users(of: &[(&str, &str, bool, &[&str])]) -> BTreeMap<String, (String, bool, BTreeSet<String>)> {
    let user = |(address, name, active, aliases): &(&str, &str, bool, &[&str])| {
        let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        ((*address).to_owned(), ((*name).to_owned(), *active, aliases))
    };
    of.iter().map(user).collect()
}

#[tokio::test]
async fn addresses_elsewhere_are_left_out() {
    let service = StandIn::start(Habits::default());
    let target = service.target(&[]).await;
    let elsewhere = person("Eve", "eve@elsewhere.example", &[]);
    let Outcome::Rejected(why) = create(&target, &elsewhere).await else { panic!("it was made") };
    assert!(why.message.contains("no internal domain") && !why.message.contains("eve"), "{}", why.message);
    let nameless = person("Max", "max", &[]);
    assert!(matches!(create(&target, &nameless).await, Outcome::Rejected(_)));
    let mixed =
        person("Ada", "Ada@Corp.example", &["ada@elsewhere.example", "ADA@corp.test", "ada@corp.example"]);
    let ada = made(&target, &mixed).await;
    assert_eq!(service.truth().users, users(&[("ada@corp.example", "Ada", true, &["ada@corp.test"])]));
    let found = target.find(SubjectKind::User, &[Match::Id(ada)]).await.remove(0).unwrap();
    assert_eq!(found[0].content, target.held(&mixed));
}

#[tokio::test]
async fn whoever_gets_another_address_moves_there_and_leaves_no_account_that_works() {
    let service = StandIn::start(Habits::default());
    let target = service.target(&["ada@corp.example"]).await;
    let ada = made(&target, &person("Ada Byron", "ada@corp.example", &["a.byron@corp.example"])).await;
    let bob = made(&target, &person("Bob", "bob@corp.example", &[])).await;
    let team = made(&target, &group("Team")).await;
    assert_eq!(add(&target, &team, &[&ada, &bob]).await, Outcome::Done(team.clone()));

    // The directory keeps the old address.
    let married = person("Ada Lovelace", "lovelace@corp.test", &["ada@corp.example", "a.byron@corp.example"]);
    let Outcome::Done(lovelace) = update(&target, &ada, &married).await else { panic!("she did not move") };
    assert_eq!(&*lovelace.0, "lovelace@corp.test");
    let truth = service.truth();
    let all: &[_] = &["ada@corp.example", "a.byron@corp.example"];
    assert_eq!(
        truth.users,
        users(&[("lovelace@corp.test", "Ada Lovelace", true, all), ("bob@corp.example", "Bob", true, &[])])
    );
    let members = ["lovelace@corp.test", "bob@corp.example"].map(str::to_owned).into();
    assert_eq!(truth.groups["Rollcall/Team"], members);
    assert_eq!(update(&target, &ada, &married).await, Outcome::Gone, "that is one of her addresses now");
    let state = Operation::SetActive { id: ada.clone(), active: false };
    assert_eq!(one(&target, state).await, Outcome::Gone);
    assert_eq!(target.find(SubjectKind::User, &[Match::Id(ada)]).await.remove(0).unwrap(), []);

    // Back to the first one, and the directory drops the others.
    let back = person("Ada Byron", "ada@corp.example", &[]);
    assert_eq!(update(&target, &lovelace, &back).await, Outcome::Done(id("ada@corp.example")));
    let expected = users(&[
        ("ada@corp.example", "Ada Byron", true, &[]),
        ("bob@corp.example", "Bob", true, &[]),
        ("a.byron@corp.example", "", false, &[]),
        ("lovelace@corp.test", "Ada Lovelace", false, &[]),
    ]);
    assert_eq!(service.truth().users, expected);
    let members = ["ada@corp.example", "bob@corp.example"].map(str::to_owned).into();
    assert_eq!(service.truth().groups["Rollcall/Team"], members);
}

/// The old address is linked last, so a try that ended before can be repeated, and nothing is adopted.
#[rstest]
#[case::at_the_first(0)]
#[case::at_the_second(1)]
#[case::at_the_old_address(2)]
#[tokio::test]
async fn a_move_that_ended_midway_is_repeated_without_adopting(#[case] linked: usize) {
    let service = StandIn::start(Habits::default());
    let config = MimecastConfig { adopts: false, ..service.config() };
    let target = service.opened(config, &["ada@corp.example"]).await.unwrap();
    let before = person("Ada", "ada@corp.example", &["b@corp.example", "zed@corp.example"]);
    let ada = made(&target, &before).await;
    let all: &[_] = &["ada@corp.example", "b@corp.example", "zed@corp.example"];
    let moved = person("Ada", "lovelace@corp.test", all);
    for _ in 0..linked {
        let done = r#"{"fail":[],"meta":{"status":200},"data":[{}]}"#;
        service.fault(Fault { happens: true, ..Fault::new("update-alias", 200, done) });
    }
    service.fault(Fault::new("update-alias", 429, ""));
    let outcome = change(&target, &ada, &before, &moved).await;
    assert!(matches!(outcome, Outcome::Ambiguous(_)), "{outcome:?}");
    let truth = service.truth();
    assert_eq!(truth.users["lovelace@corp.test"].2.len(), linked);
    assert!(truth.users.contains_key("ada@corp.example"), "it is an account until the end");

    assert_eq!(change(&target, &ada, &before, &moved).await, Outcome::Done(id("lovelace@corp.test")));
    assert_eq!(service.truth().users, users(&[("lovelace@corp.test", "Ada", true, all)]));
    assert!(service.inner().faults.is_empty());
}

/// What was unlinked is an account that works until it is disabled.
#[rstest]
#[case::at_the_next_try(false)]
#[case::in_the_next_run(true)]
#[tokio::test]
async fn an_alias_that_was_dropped_is_disabled_though_that_failed_once(
    #[case] anew: bool,
    #[values(false, true)] moves: bool,
    #[values(429, 503, 504)] status: u16,
) {
    let service = StandIn::start(Habits::default());
    let target = service.target(&["ada@corp.example"]).await;
    let before = person("Ada", "ada@corp.example", &["a.byron@corp.example"]);
    let ada = made(&target, &before).await;
    let address = if moves { "lovelace@corp.test" } else { "ada@corp.example" };
    let content = person("Ada", address, &[]);
    service.fault(Fault::new("update-user", status, ""));
    let outcome = change(&target, &ada, &before, &content).await;
    assert!(matches!(outcome, Outcome::Ambiguous(_)), "{outcome:?}");
    assert!(service.truth().users["a.byron@corp.example"].1, "it works by itself now");

    let next = service.target(&["ada@corp.example"]).await;
    let again = if anew { &next } else { &target };
    assert_eq!(change(again, &ada, &before, &content).await, Outcome::Done(id(address)));
    let mut expected = users(&[(address, "Ada", true, &[]), ("a.byron@corp.example", "", false, &[])]);
    if moves {
        expected.extend(users(&[("ada@corp.example", "Ada", false, &[])]));
    }
    assert_eq!(service.truth().users, expected);
}

/// An address that was the user's may be somebody else's account since.
#[tokio::test]
async fn an_address_that_became_somebodys_account_is_not_disabled() {
    let service = StandIn::start(Habits::default());
    let target = service.target(&["ada@corp.example", "bob@corp.example"]).await;
    let before = person("Ada", "ada@corp.example", &["bob@corp.example", "gone@corp.example"]);
    let ada = made(&target, &person("Ada", "ada@corp.example", &[])).await;
    made(&target, &person("Bob", "bob@corp.example", &[])).await;
    let content = person("Ada", "ada@corp.example", &[]);
    assert_eq!(change(&target, &ada, &before, &content).await, Outcome::Done(ada.clone()));
    let expected = users(&[("ada@corp.example", "Ada", true, &[]), ("bob@corp.example", "Bob", true, &[])]);
    assert_eq!(service.truth().users, expected);
    assert_eq!(service.count("update-user"), 0);
}

/// What cannot be disabled is an exception, and stays to be done.
#[tokio::test]
async fn an_alias_that_cannot_be_disabled_counts_as_the_users() {
    let service = StandIn::start(Habits::default());
    let target = service.target(&["ada@corp.example"]).await;
    let before = person("Ada", "ada@corp.example", &["a.byron@corp.example"]);
    let ada = made(&target, &before).await;
    let content = person("Ada", "ada@corp.example", &["new@corp.test"]);
    service.fault(Fault::older("update-user", "err_policy"));
    let outcome = change(&target, &ada, &before, &content).await;
    let Outcome::Short(of, has, why) = outcome else { panic!("{outcome:?}") };
    assert_eq!(of, ada);
    assert!(why.in_full().contains("a.byron@corp.example"), "{}", why.in_full());
    assert_eq!(*has, *person("Ada", "ada@corp.example", &["new@corp.test", "a.byron@corp.example"]));
    assert_eq!(change(&target, &ada, &has, &content).await, Outcome::Done(ada.clone()));
    assert!(!service.truth().users["a.byron@corp.example"].1);
}

#[tokio::test]
async fn a_disabled_user_who_moves_stays_disabled() {
    let service = StandIn::start(Habits::default());
    let target = service.target(&[]).await;
    let ada = made(&target, &person("Ada", "ada@corp.example", &[])).await;
    one(&target, Operation::SetActive { id: ada.clone(), active: false }).await;
    let moved = person("Ada", "new@corp.example", &["ada@corp.example"]);
    assert!(matches!(update(&target, &ada, &moved).await, Outcome::Done(_)));
    assert!(!service.truth().users["new@corp.example"].1);
}

/// An account that is there already becomes a user's own only if it is nobody's, and the policy adopts.
#[rstest]
#[case::of_nobody(&[], true, true)]
#[case::somebodys(&["new@corp.example"], true, false)]
#[case::not_adopted(&[], false, false)]
#[tokio::test]
async fn nobody_moves_into_anothers_account(
    #[case] claimed: &[&str],
    #[case] adopts: bool,
    #[case] moves: bool,
) {
    let service = StandIn::start(Habits::default());
    service.inner().tenant.add("new@corp.example", "Old name", "created_by_email").disabled = true;
    let config = MimecastConfig { adopts, ..service.config() };
    let target = service.opened(config, claimed).await.unwrap();
    let ada = made(&target, &person("Ada", "ada@corp.example", &[])).await;
    let outcome = update(&target, &ada, &person("Ada", "new@corp.example", &["ada@corp.example"])).await;
    let expected = if moves {
        assert_eq!(outcome, Outcome::Done(id("new@corp.example")));
        users(&[("new@corp.example", "Ada", true, &["ada@corp.example"])])
    } else {
        assert_eq!(outcome, Outcome::NameTaken("new@corp.example".to_owned()));
        users(&[("new@corp.example", "Old name", false, &[]), ("ada@corp.example", "Ada", true, &[])])
    };
    assert_eq!(service.truth().users, expected);
}

#[tokio::test]
async fn an_alias_is_never_taken_from_a_working_account_that_is_somebodys() {
    let service = StandIn::start(Habits::default());
    for (address, kind) in [
        ("bob@corp.example", "created_manually"),
        ("mail@corp.example", "created_by_email"),
        ("list@corp.example", "dl_from_ldap"),
    ] {
        service.inner().tenant.add(address, "", kind);
    }
    let target = service.target(&["bob@corp.example"]).await;
    let wanted = person(
        "Ada",
        "ada@corp.example",
        &["bob@corp.example", "mail@corp.example", "list@corp.example", "new@corp.test"],
    );
    let Outcome::Short(ada, has, why) = create(&target, &wanted).await else { panic!("all of it was done") };
    assert!(!why.message.contains('@') && why.in_full().contains("bob@corp.example"), "{}", why.in_full());
    assert_eq!(*has, *person("Ada", "ada@corp.example", &["mail@corp.example", "new@corp.test"]));
    assert_eq!(
        service.truth().users["ada@corp.example"].2,
        ["mail@corp.example", "new@corp.test"].map(str::to_owned).into()
    );
    assert!(service.truth().users.contains_key("bob@corp.example"));
    // Once that account does not work any more, it may be.
    service.inner().tenant.addresses.get_mut("bob@corp.example").unwrap().disabled = true;
    let target = service.target(&["bob@corp.example"]).await;
    assert!(matches!(update(&target, &ada, &wanted).await, Outcome::Short(..)), "the list is still there");
    assert!(service.truth().users["ada@corp.example"].2.contains("bob@corp.example"));
    // What is no alias any more does not work by itself.
    assert_eq!(
        update(&target, &ada, &person("Ada", "ada@corp.example", &[])).await,
        Outcome::Done(ada.clone())
    );
    let truth = service.truth();
    assert_eq!(truth.users["ada@corp.example"].2, BTreeSet::new());
    assert!(
        ["bob@corp.example", "mail@corp.example", "new@corp.test"].iter().all(|left| !truth.users[*left].1)
    );
}

#[tokio::test]
async fn groups_of_a_directory_and_groups_elsewhere_are_never_touched() {
    let service = StandIn::start(Habits::default());
    let (synced, by_hand, fake) = {
        let tenant = &mut service.inner().tenant;
        let folder = tenant.add_group("Rollcall", None, "cloud");
        let synced = tenant.add_group("Synced", None, "ldap");
        // One that only looks like ours.
        let fake = tenant.add_group("Team", Some(&folder), "ldap");
        (synced, tenant.add_group("Sales", None, "cloud"), fake)
    };
    let target = service.target(&[]).await;
    let ada = made(&target, &person("Ada", "ada@corp.example", &[])).await;
    for of in [&synced, &fake] {
        let operations = [
            Operation::Update { id: id(of), key: key("x"), content: group("Mine"), before: None },
            Operation::AddMembers { group: id(of), members: vec![ada.clone()] },
            Operation::RemoveMembers { group: id(of), members: vec![ada.clone()] },
            Operation::Delete { kind: SubjectKind::Group, id: id(of) },
        ];
        for operation in operations {
            let Outcome::Rejected(why) = one(&target, operation).await else { panic!("it was changed") };
            assert_eq!(why.reason, TargetReason::Unsupported);
        }
    }
    // A group elsewhere bears the name, and is no obstacle.
    let sales = made(&target, &group("Sales")).await;
    assert_ne!(&*sales.0, by_hand);
    let found = target.find(SubjectKind::Group, &[Match::Name("sales".to_owned())]).await.remove(0).unwrap();
    assert_eq!(found.iter().map(|found| &found.id).collect::<Vec<_>>(), [&sales]);
    let mut ours = Vec::new();
    target.list(SubjectKind::Group, |object| ours.push(object.id)).await.unwrap();
    assert_eq!(ours, [sales]);
    assert!(service.inner().tenant.touched.is_empty());
    assert_eq!(service.count("create-group") + service.count("update-group"), 0);
}

#[tokio::test]
async fn a_group_in_use_is_kept_and_said_to_be() {
    let service = StandIn::start(Habits::default());
    let target = service.target(&[]).await;
    let team = made(&target, &group("Team")).await;
    service.inner().tenant.groups.get_mut(&*team.0).unwrap().used = true;
    let delete = || Operation::Delete { kind: SubjectKind::Group, id: team.clone() };
    let Outcome::Rejected(why) = one(&target, delete()).await else { panic!("it was deleted") };
    assert!(why.message.contains("a policy or a definition uses"), "{}", why.message);
    service.inner().tenant.groups.get_mut(&*team.0).unwrap().used = false;
    assert_eq!(one(&target, delete()).await, Outcome::Done(team.clone()));
}

#[tokio::test]
async fn groups_exchange_their_names() {
    let service = StandIn::start(Habits::default());
    let target = service.target(&[]).await;
    let (one, other) = (made(&target, &group("One")).await, made(&target, &group("Other")).await);
    assert_eq!(update(&target, &one, &group("OTHER")).await, Outcome::NameTaken("OTHER".to_owned()));
    for (of, name) in [(&one, "for a moment"), (&other, "One"), (&one, "Other")] {
        assert_eq!(update(&target, of, &group(name)).await, Outcome::Done(of.clone()));
    }
    assert_eq!(service.inner().tenant.groups[&*one.0].description, "Other");
    assert_eq!(service.inner().tenant.groups[&*other.0].description, "One");
}

#[tokio::test]
async fn two_parent_folders_are_a_question_for_people() {
    let service = StandIn::start(Habits::default());
    for _ in 0..2 {
        service.inner().tenant.add_group("ROLLCALL", None, "cloud");
    }
    let target = service.target(&[]).await;
    let Outcome::Rejected(why) = create(&target, &group("Team")).await else { panic!("it was made") };
    assert!(why.message.contains("2 groups that are called like parentFolder"), "{}", why.message);
    // A group of ours may be called like the folder.
    service.inner().tenant.groups.pop_first();
    let target = service.target(&[]).await;
    let within = made(&target, &group("Rollcall")).await;
    let target = service.target(&[]).await;
    assert_eq!(create(&target, &group("rollcall")).await, Outcome::NameTaken("rollcall".to_owned()));
    assert!(service.inner().tenant.groups[&*within.0].parent.is_some());
}

#[rstest]
#[case::by_name(Habits { most_members: Some(30), ..Habits::default() })]
#[case::by_data(Habits { members: Members::ByData, ..Habits::default() })]
#[case::older(Habits { members: Members::OlderOnly, known_member_fails: true, ..Habits::default() })]
#[tokio::test]
async fn members_go_in_whatever_form_is_taken(#[case] habits: Habits) {
    let service = StandIn::start(habits);
    let target = service.target(&[]).await;
    let team = made(&target, &group("Team")).await;
    let all: Vec<TargetId> = (0..130).map(|at| id(&format!("p{at:03}@corp.example"))).collect();
    for _ in 0..2 {
        let come = Operation::AddMembers { group: team.clone(), members: all.clone() };
        assert_eq!(one(&target, come).await, Outcome::Done(team.clone()));
    }
    for _ in 0..2 {
        let go = Operation::RemoveMembers { group: team.clone(), members: all[..100].to_vec() };
        assert_eq!(one(&target, go).await, Outcome::Done(team.clone()));
    }
    let expected: BTreeSet<String> = all[100..].iter().map(ToString::to_string).collect();
    assert_eq!(service.truth().groups["Rollcall/Team"], expected);
}

#[tokio::test]
async fn a_group_that_is_gone_is_gone() {
    let service = StandIn::start(Habits::default());
    let target = service.target(&[]).await;
    let team = made(&target, &group("Team")).await;
    service.inner().tenant.groups.remove(&*team.0);
    assert_eq!(add(&target, &team, &[&id("ada@corp.example")]).await, Outcome::Gone);
    assert_eq!(update(&target, &team, &group("Other")).await, Outcome::Gone);
}

/// A failure that comes with 200 is one, and a write is sent once.
#[rstest]
#[case::create_user("create-user", "err_policy", false)]
#[case::state("update-user", "err_policy", true)]
#[case::alias("update-alias", "err_policy", false)]
#[tokio::test]
async fn a_failure_within_a_yes_is_a_no(
    #[case] to: &'static str,
    #[case] code: &str,
    #[case] of_state: bool,
) {
    let service = StandIn::start(Habits::default());
    service.inner().tenant.add("bob@corp.example", "Bob", "created_manually");
    let target = service.target(&[]).await;
    service.fault(Fault::older(to, code));
    let outcome = if of_state {
        one(&target, Operation::SetActive { id: id("bob@corp.example"), active: false }).await
    } else {
        create(&target, &person("Ada", "ada@corp.example", &["a@corp.example"])).await
    };
    let (Outcome::Rejected(why) | Outcome::Short(_, _, why)) = outcome else { panic!("{outcome:?}") };
    assert!(why.message.contains(code) && !why.message.contains("ada@"), "{}", why.message);
    assert!(why.detail.is_some());
    assert_eq!(service.count(to), 1);
}

#[rstest]
#[case::user("create-user")]
#[case::state("update-user")]
#[case::alias("update-alias")]
#[case::group("v1/groups")]
#[case::name("update-group")]
#[case::members("/members")]
#[tokio::test]
async fn a_yes_that_does_nothing_is_noticed(#[case] idle: &'static str) {
    let service = StandIn::start(Habits::default());
    let target = service.target(&[]).await;
    let bob = made(&target, &person("Bob", "bob@corp.example", &[])).await;
    let team = made(&target, &group("Team")).await;
    drop(target);
    service.inner().habits.idle = Some(idle);
    let target = service.target(&[]).await;
    let outcome = match idle {
        "create-user" => create(&target, &person("Ada", "ada@corp.example", &[])).await,
        "update-user" => one(&target, Operation::SetActive { id: bob, active: false }).await,
        "update-alias" => {
            update(&target, &bob, &person("Bob", "bob@corp.example", &["b@corp.example"])).await
        }
        "v1/groups" => create(&target, &group("Other")).await,
        "update-group" => update(&target, &team, &group("Other")).await,
        _ => add(&target, &team, &[&bob]).await,
    };
    assert!(!matches!(outcome, Outcome::Done(_)), "{outcome:?}");
}

/// What was asked without an answer may have happened: a create is found, and nothing is there twice.
#[rstest]
#[case::happened(true)]
#[case::did_not(false)]
#[tokio::test]
async fn a_create_without_an_answer_is_looked_for(#[case] happens: bool) {
    let service = StandIn::start(Habits::default());
    let target = service.target(&[]).await;
    made(&target, &person("Bob", "bob@corp.example", &[])).await;
    service.fault(Fault { happens, ..Fault::new("create-user", 504, "<html>") });
    let ada = person("Ada", "ada@corp.example", &[]);
    assert!(matches!(create(&target, &ada).await, Outcome::Ambiguous(_)));
    let found = target
        .find(SubjectKind::User, &[Match::Name("ada@corp.example".to_owned())])
        .await
        .remove(0)
        .unwrap();
    assert_eq!(found.len(), usize::from(happens));
}

#[tokio::test]
async fn a_token_that_is_over_is_replaced() {
    let service = StandIn::start(Habits::default());
    let target = service.target(&[]).await;
    service.inner().tokens.clear();
    made(&target, &person("Ada", "ada@corp.example", &[])).await;
    assert_eq!(service.inner().tokens_issued, 2);
    assert_eq!(service.count("/oauth/token"), 2, "one token serves many calls, and both styles");
}

#[tokio::test]
async fn what_stands_in_the_way_is_said_before_anything_is_done() {
    let service =
        StandIn::start(Habits { denied: Some("Directories | Internal | Read"), ..Habits::default() });
    let error = service.opened(service.config(), &[]).await.err().unwrap();
    assert_eq!(error.reason, TargetReason::AccessDenied);
    assert!(error.message.contains("Directories | Internal | Read"), "{}", error.message);
    let wrong = MimecastConfig { client_secret: Secret::new("another"), ..service.config() };
    let error = service.opened(wrong, &[]).await.err().unwrap();
    assert_eq!(error.reason, TargetReason::AuthenticationFailed);
    assert!(!error.in_full().contains("another"));
    service.inner().habits.denied = Some("Directories | Groups | Edit");
    let target = service.target(&[]).await;
    let Outcome::Failed(why) = create(&target, &group("Team")).await else { panic!("it was made") };
    assert!(why.message.contains("Directories | Groups | Edit"), "{}", why.message);
    let plain = MimecastConfig { url: "http://127.0.0.1:1".parse().unwrap(), ..service.config() };
    let error = service.opened(plain, &[]).await.err().unwrap();
    assert!(error.message.contains("https://"), "{}", error.message);
    service.inner().tenant.domains.clear();
    service.inner().habits.denied = None;
    let error = service.opened(service.config(), &[]).await.err().unwrap();
    assert!(error.message.contains("no internal domain"), "{}", error.message);
}

#[tokio::test]
async fn a_tenant_that_shows_less_is_met_all_the_same() {
    let service = StandIn::start(Habits { bare_users: true, older_only: true, ..Habits::default() });
    service.inner().tenant.add("bob@corp.test", "Bob", "created_manually");
    let target = service.target(&[]).await;
    let ada = made(&target, &person("Ada", "ada@corp.example", &[])).await;
    assert_eq!(
        one(&target, Operation::SetActive { id: ada.clone(), active: false }).await,
        Outcome::Done(ada)
    );
    assert_eq!(
        update(&target, &id("bob@corp.test"), &person("Robert", "bob@corp.test", &[])).await,
        Outcome::Done(id("bob@corp.test"))
    );
    let about = target.about().join("\n");
    for says in ["2 internal domains", "get-internal-users", "what users are called", "who is disabled"] {
        assert!(about.contains(says), "{about}");
    }
    let expected = users(&[("ada@corp.example", "Ada", false, &[]), ("bob@corp.test", "Robert", true, &[])]);
    assert_eq!(service.truth().users, expected);
}

/// The limit is nearly used up in each window, and never exceeded; who leaves goes first.
#[tokio::test]
async fn the_limit_of_calls_is_used_and_never_exceeded() {
    let (most, span) = (12, Duration::from_millis(600));
    let service = StandIn::start(Habits::default());
    for at in 0..40 {
        service.inner().tenant.add(&format!("p{at:03}@corp.example"), "", "created_manually");
    }
    service.inner().habits.rate = Some((most, span));
    let target = Arc::new(service.target(&[]).await);
    // Read, and each kind of write proven.
    one(&target, Operation::SetActive { id: id("p000@corp.example"), active: false }).await;
    let renames = (10..40).map(|at| {
        let address = format!("p{at:03}@corp.example");
        let content = person("New name", &address, &[]);
        Operation::Update { id: id(&address), key: key("x"), content, before: None }
    });
    let leavers =
        (1..10).map(|at| Operation::SetActive { id: id(&format!("p{at:03}@corp.example")), active: false });
    let work: Vec<Operation> = renames.chain(leavers).collect();
    let before = service.inner().asked.len();
    let all = work.into_iter().map(|operation| {
        let target = target.clone();
        tokio::spawn(async move { one(&target, operation).await })
    });
    for done in all.collect::<Vec<_>>() {
        let outcome = done.await.unwrap();
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }
    let inner = service.inner();
    assert_eq!(inner.exceeded, 0);
    let full = &inner.windows[1..];
    let used: u64 = full.iter().sum();
    assert!(full.len() >= 4 && used * 10 >= most * full.len() as u64 * 9, "{:?}", inner.windows);
    let asked: Vec<bool> = inner.asked[before..]
        .iter()
        .filter(|asked| asked.target.contains("update-user"))
        .map(|asked| asked.body.contains("accountDisabled"))
        .collect();
    let last_leaver = asked.iter().rposition(|leaves| *leaves).unwrap();
    // They were asked for after all others.
    assert!(last_leaver < 20, "{asked:?}");
}
