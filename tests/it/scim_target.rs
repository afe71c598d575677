//! The SCIM target: what it does where a service is odd, and whole lives on real servers, compared with their own stores.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rollcall::clock::SystemClock;
use rollcall::directory::{
    Anchor, Content, DirectoryId, GroupContent, Key, Match, Operation, Outcome, Owner, SubjectKind,
    TargetError, TargetId, TargetReason, UserContent,
};
use rollcall::net::oauth;
use rollcall::secret::Secret;
use rollcall::target::Target as _;
use rollcall::target::scim::dialect::{Deletion, Overrides, Removal, Update};
use rollcall::target::scim::{Credential, Scim, ScimConfig};
use rollcall::target::trial;
use rollcall::target::turn::Turns;
use serde_json::json;

use crate::support::scim::{Kind, Server, TOKEN, Truth, config};
use crate::support::scim_stand_in::{Fault, Habits, StandIn};

fn key(of: &str) -> Key {
    Key::new(&Owner::new("test", "scim"), &DirectoryId::new("dc=test"), &Anchor::new(of))
}

fn user_with(name: &str, attributes: &[(&str, &str)]) -> Arc<Content> {
    Arc::new(Content::User(UserContent {
        user_name: name.to_owned(),
        emails: vec![format!("{name}@corp.example")],
        attributes: attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }))
}

fn user(name: &str) -> Arc<Content> {
    user_with(name, &[("givenName", "Given"), ("familyName", "Family")])
}

fn group(name: &str) -> Arc<Content> {
    Arc::new(Content::Group(GroupContent { display_name: name.to_owned(), ..GroupContent::default() }))
}

async fn open(config: ScimConfig) -> Result<Scim, TargetError> {
    Scim::open(config, Turns::free(), Arc::new(SystemClock)).await
}

async fn one(target: &Scim, operation: Operation) -> Outcome {
    target.apply(&[operation]).await.remove(0)
}

async fn create(target: &Scim, name: &str, content: &Arc<Content>) -> TargetId {
    match one(target, Operation::Create { key: key(name), content: content.clone() }).await {
        Outcome::Done(id) => id,
        other => panic!("{name}: {other:?}"),
    }
}

async fn update(target: &Scim, id: &TargetId, name: &str, content: &Arc<Content>) -> Outcome {
    let (id, content) = (id.clone(), content.clone());
    one(target, Operation::Update { id, key: key(name), content, before: None }).await
}

async fn add(target: &Scim, group: &TargetId, members: &[TargetId]) -> Outcome {
    one(target, Operation::AddMembers { group: group.clone(), members: members.to_vec() }).await
}

async fn remove(target: &Scim, group: &TargetId, members: &[TargetId]) -> Outcome {
    one(target, Operation::RemoveMembers { group: group.clone(), members: members.to_vec() }).await
}

async fn active(target: &Scim, id: &TargetId, active: bool) -> Outcome {
    one(target, Operation::SetActive { id: id.clone(), active }).await
}

/// A stand-in with these habits, and a target at it.
async fn at(habits: Habits) -> (StandIn, Scim) {
    let service = StandIn::start(habits);
    let target = open(config(&service.url())).await.unwrap();
    (service, target)
}

#[track_caller]
fn says(target: &Scim, what: &str) {
    let about = target.about();
    assert!(about.iter().any(|line| line.contains(what)), "{about:?}");
}

// Lives, on real servers.

/// First run, renames, a swap of names, leavers, large groups, members that come and go, adoption, deletion.
async fn a_whole_life(kind: Kind) {
    let server = Server::start(kind);
    let target = server.target().await;
    says(&target, "profile ");
    let mut people = BTreeMap::new();
    for number in 0..230 {
        let name = format!("p{number:03}");
        people.insert(name.clone(), create(&target, &name, &user(&name)).await);
    }
    let all: Vec<_> = people.values().cloned().collect();
    let (large, small) = (
        create(&target, "large", &group("Large team")).await,
        create(&target, "small", &group("Small")).await,
    );
    assert_eq!(add(&target, &large, &all).await, Outcome::Done(large.clone()));
    assert_eq!(add(&target, &large, &all[..10]).await, Outcome::Done(large.clone()), "again");
    assert_eq!(add(&target, &small, &all[..3]).await, Outcome::Done(small.clone()));
    assert_eq!(remove(&target, &large, &all[100..230]).await, Outcome::Done(large.clone()));
    assert_eq!(
        remove(&target, &large, &all[90..110]).await,
        Outcome::Done(large.clone()),
        "some are out already"
    );
    // A rename, with an attribute that is gone, and a swap of names through a third one.
    assert_eq!(
        update(&target, &people["p000"], "p000", &user_with("renamed", &[("givenName", "New")])).await,
        Outcome::Done(people["p000"].clone())
    );
    for (who, name) in [("p001", "for-a-moment"), ("p002", "p001"), ("p001", "p002")] {
        assert_eq!(update(&target, &people[who], who, &user(name)).await, Outcome::Done(people[who].clone()));
    }
    assert_eq!(
        update(&target, &people["p003"], "p003", &user("p004")).await,
        Outcome::NameTaken("p004".to_owned())
    );
    assert_eq!(
        update(&target, &small, "small", &group("Small, renamed")).await,
        Outcome::Done(small.clone())
    );
    for _ in 0..2 {
        assert_eq!(active(&target, &people["p005"], false).await, Outcome::Done(people["p005"].clone()));
    }
    // An object of others is not taken, and can be adopted.
    let by_hand = create(&target, "somebody else", &user("by-hand")).await;
    let mine = one(&target, Operation::Create { key: key("mine"), content: user("by-hand") }).await;
    assert_eq!(mine, Outcome::NameTaken("by-hand".to_owned()));
    assert_eq!(update(&target, &by_hand, "mine", &user("by-hand")).await, Outcome::Done(by_hand.clone()));
    let found =
        target.find(SubjectKind::User, &[Match::Key(key("mine")), Match::Key(key("somebody else"))]).await;
    assert_eq!(found.into_iter().map(|found| found.unwrap().len()).collect::<Vec<_>>(), [1, 0]);
    for (who, id) in people.iter().skip(220) {
        let gone = Operation::Delete { kind: SubjectKind::User, id: id.clone() };
        assert_eq!(one(&target, gone).await, Outcome::Done(id.clone()), "{who}");
    }
    let mut listed = 0;
    target.list(SubjectKind::User, |_| listed += 1).await.unwrap();
    assert_eq!(listed, 221);

    let mut expected = Truth::default();
    let mut expect = |founding: &str, name: &str, active: bool| {
        expected
            .users
            .insert(name.to_owned(), (key(founding).to_string(), active, format!("{name}@corp.example")));
    };
    for number in 0..220 {
        let founding = format!("p{number:03}");
        let name = match number {
            0 => "renamed",
            1 => "p002",
            2 => "p001",
            _ => &founding,
        };
        expect(&founding, name, number != 5);
    }
    expect("mine", "by-hand", true);
    let mut large: Vec<_> = (3..90).map(|number| format!("p{number:03}")).collect();
    large.extend(["p001", "p002", "renamed"].map(str::to_owned));
    large.sort();
    expected.groups.insert("Large team".to_owned(), large);
    expected
        .groups
        .insert("Small, renamed".to_owned(), ["p001", "p002", "renamed"].map(str::to_owned).to_vec());
    assert_eq!(server.truth(), expected);
}

#[tokio::test]
async fn a_whole_life_on_scim2_server() {
    a_whole_life(Kind::Scim2Server).await;
}

#[tokio::test]
async fn a_whole_life_on_django() {
    a_whole_life(Kind::Django).await;
}

#[tokio::test]
async fn a_whole_life_on_scimmy() {
    a_whole_life(Kind::Scimmy).await;
}

#[tokio::test]
async fn each_real_server_refuses_a_wrong_token_and_is_said_to() {
    for kind in [Kind::Scim2Server, Kind::Django, Kind::Scimmy] {
        let server = Server::start(kind);
        let config =
            ScimConfig { credential: Credential::Token(Secret::new("another-token")), ..server.config() };
        let error = open(config).await.err().unwrap();
        assert_eq!(error.reason, TargetReason::AuthenticationFailed, "{kind:?}");
        assert!(!format!("{error:?}").contains("another-token"));
    }
}

#[tokio::test]
async fn a_member_whom_django_does_not_know_costs_the_others_nothing() {
    let server = Server::start(Kind::Django);
    let target = server.target().await;
    let team = create(&target, "team", &group("team")).await;
    let mut members = Vec::new();
    for number in 0..9 {
        let name = format!("m{number}");
        members.push(create(&target, &name, &user(&name)).await);
    }
    members.insert(4, TargetId("4711".into()));
    match add(&target, &team, &members).await {
        Outcome::Partly(id, refused) => {
            assert_eq!((id, refused.len()), (team.clone(), 1));
            assert_eq!(refused[0].member, members[4]);
            assert_eq!(refused[0].why.reason, TargetReason::Refused);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server.truth().groups["team"].len(), 9);
}

// What no real server of these does, at the stand-in.

#[tokio::test]
async fn a_page_to_sign_in_is_no_service() {
    let service = StandIn::start(Habits::default());
    let page = |to| Fault { body: "<html>Sign in</html>".to_owned(), ..Fault::new("GET", to, 200) };
    service.inner().faults.extend([
        page("ServiceProviderConfig"),
        page("ResourceTypes"),
        page("Schemas"),
        page("Users"),
    ]);
    let error = open(config(&service.url())).await.err().unwrap();
    assert_eq!(error.reason, TargetReason::InvalidAnswer);
    assert!(error.message.contains("sign-in page"), "{}", error.message);
    let other = json!({ "login": "please" }).to_string();
    service.inner().faults.push_back(Fault { body: other, ..Fault::new("GET", "Users", 200) });
    assert_eq!(open(config(&service.url())).await.err().unwrap().reason, TargetReason::InvalidAnswer);
    // In the middle of the work too: nothing follows from it.
    let target = open(config(&service.url())).await.unwrap();
    let ada = create(&target, "ada", &user("ada")).await;
    service.inner().faults.push_back(page("Users/"));
    let found = target.find(SubjectKind::User, &[Match::Id(ada.clone())]).await.remove(0);
    assert_eq!(found.unwrap_err().reason, TargetReason::InvalidAnswer);
    service
        .inner()
        .faults
        .push_back(Fault { body: "<html>".to_owned(), ..Fault::new("PATCH", "Users", 404) });
    assert!(
        matches!(active(&target, &ada, false).await, Outcome::Failed(_)),
        "a page that says 404 proves nothing"
    );
}

#[tokio::test]
async fn the_token_goes_to_no_other_host() {
    let (service, other) = (StandIn::start(Habits::default()), StandIn::start(Habits::default()));
    let away = |method, to, status| Fault {
        headers: vec![("location", format!("{}/Users", other.url()))],
        ..Fault::new(method, to, status)
    };
    service.inner().faults.push_back(away("GET", "Users", 307));
    let error = open(config(&service.url())).await.err().unwrap();
    assert!(error.message.contains("redirects"), "{}", error.message);
    let target = open(config(&service.url())).await.unwrap();
    let ada = create(&target, "ada", &user("ada")).await;
    for (method, operation) in [
        ("POST", Operation::Create { key: key("x"), content: user("x") }),
        ("PATCH", Operation::SetActive { id: ada.clone(), active: false }),
        ("DELETE", Operation::Delete { kind: SubjectKind::User, id: ada.clone() }),
    ] {
        service.inner().faults.push_back(away(method, "Users", 308));
        assert!(matches!(one(&target, operation).await, Outcome::Failed(_)), "{method}");
    }
    assert!(other.inner().asked.is_empty());
}

#[tokio::test]
async fn a_list_that_changes_is_read_again_and_one_that_lies_proves_nothing() {
    let (service, target) = at(Habits { ignores_filters: true, ..Habits::default() }).await;
    for name in ["ada", "eve", "ann"] {
        create(&target, name, &user(name)).await;
    }
    let absent =
        || async { target.find(SubjectKind::User, &[Match::Name("nobody".to_owned())]).await.remove(0) };
    assert_eq!(absent().await, Ok(vec![]));
    says(&target, "a filter by userName is ignored");
    service.inner().habits.repeats = 2;
    assert_eq!(absent().await, Ok(vec![]), "the third walk is whole");
    service.inner().habits.repeats = 100;
    assert_eq!(absent().await.unwrap_err().reason, TargetReason::InvalidAnswer);
    service.inner().habits.repeats = 0;
    service.inner().habits.lies_by = 1;
    assert_eq!(absent().await.unwrap_err().reason, TargetReason::InvalidAnswer);
    assert!(target.list(SubjectKind::User, |_| ()).await.is_err(), "it is not whole");
}

#[tokio::test]
async fn many_questions_that_only_the_list_answers_cost_one_walk() {
    let (service, target) = at(Habits { ignores_filters: true, ..Habits::default() }).await;
    let mut ids = Vec::new();
    for name in ["ada", "eve", "ann"] {
        ids.push(create(&target, name, &user(name)).await);
    }
    target.find(SubjectKind::User, &[Match::Name("ada".to_owned())]).await;
    service.inner().asked.clear();
    let by: Vec<_> = ["ann", "nobody", "EVE"].map(|name| Match::Name(name.to_owned())).to_vec();
    let found = target.find(SubjectKind::User, &by).await.into_iter().map(|found| found.unwrap());
    let found: Vec<Vec<_>> = found.map(|found| found.into_iter().map(|object| object.id).collect()).collect();
    assert_eq!(found, [vec![ids[2].clone()], vec![], vec![ids[1].clone()]]);
    assert_eq!(service.count("GET", "startIndex"), 1);
}

#[tokio::test]
async fn a_yes_that_changes_nothing_is_found_out() {
    let (service, target) = at(Habits { idle_patch: true, ..Habits::default() }).await;
    let ada = create(&target, "ada", &user("ada")).await;
    assert_eq!(update(&target, &ada, "ada", &user("eve")).await, Outcome::Done(ada.clone()));
    assert_eq!(service.inner().objects[&format!("Users/{ada}")]["userName"], "eve");
    says(&target, "PATCH does nothing");
    assert_eq!(target.dialect().user_update, Update::Put);
    // Where the other way does nothing either, it is an error.
    let (_service, target) = at(Habits { idle_patch: true, idle_put: true, ..Habits::default() }).await;
    let ada = create(&target, "ada", &user("ada")).await;
    for outcome in [update(&target, &ada, "ada", &user("eve")).await, active(&target, &ada, false).await] {
        match outcome {
            Outcome::Rejected(error) => assert_eq!(error.reason, TargetReason::NotDone),
            other => panic!("{other:?}"),
        }
    }
    // And what the administrator says is not given up.
    let service = StandIn::start(Habits { idle_patch: true, ..Habits::default() });
    let overrides = Overrides { user_update: Some(Update::Patch), ..Overrides::default() };
    let target = open(ScimConfig { overrides, ..config(&service.url()) }).await.unwrap();
    let ada = create(&target, "ada", &user("ada")).await;
    assert!(matches!(active(&target, &ada, false).await, Outcome::Rejected(_)));
    assert_eq!(service.count("PUT", ""), 0);
}

#[tokio::test]
async fn a_service_without_patch_is_changed_by_put_and_keeps_what_others_wrote() {
    let about = json!({ "patch": { "supported": true } });
    let (service, target) = at(Habits { about, ..Habits::default() }).await;
    let ada = create(&target, "ada", &user("ada")).await;
    let path = format!("Users/{ada}");
    service.inner().objects.get_mut(&path).unwrap()["nickName"] = "Countess".into();
    service.inner().faults.push_back(Fault::new("PATCH", "Users", 501));
    assert_eq!(
        update(&target, &ada, "ada", &user_with("eve", &[("title", "Dr")])).await,
        Outcome::Done(ada.clone())
    );
    says(&target, "PATCH is refused");
    let object = service.inner().objects[&path].clone();
    assert_eq!(
        (&object["userName"], &object["title"], &object["nickName"]),
        (&json!("eve"), &json!("Dr"), &json!("Countess"))
    );
    assert_eq!(object["name"], json!(null), "the names that are mapped are cleared");
    assert_eq!(active(&target, &ada, false).await, Outcome::Done(ada.clone()));
    assert_eq!(service.inner().objects[&path]["active"], false);
}

#[tokio::test]
async fn members_are_taken_out_in_the_form_that_works() {
    for by_path in [400, 501, 500, 200] {
        let (service, target) = at(Habits { by_path: Some(by_path), ..Habits::default() }).await;
        let team = create(&target, "team", &group("team")).await;
        let (ada, eve) =
            (create(&target, "ada", &user("ada")).await, create(&target, "eve", &user("eve")).await);
        add(&target, &team, &[ada.clone(), eve.clone()]).await;
        assert_eq!(
            remove(&target, &team, std::slice::from_ref(&ada)).await,
            Outcome::Done(team.clone()),
            "{by_path}"
        );
        assert_eq!(
            service.inner().objects[&format!("Groups/{team}")]["members"],
            json!([{ "value": &*eve.0 }])
        );
        assert_eq!(target.dialect().removal, Removal::ByValue);
    }
}

#[tokio::test]
async fn a_request_that_is_too_long_is_split_and_that_is_remembered() {
    let (service, target) = at(Habits { most_members: Some(30), ..Habits::default() }).await;
    let team = create(&target, "team", &group("team")).await;
    let members: Vec<_> = (0..250).map(|number| TargetId(format!("m{number}").into())).collect();
    assert_eq!(add(&target, &team, &members).await, Outcome::Done(team.clone()));
    assert_eq!(service.inner().objects[&format!("Groups/{team}")]["members"].as_array().unwrap().len(), 250);
    says(&target, "at most 25 members are sent in one request");
    assert_eq!(service.count("PATCH", "Groups"), 2 + 10);
}

#[tokio::test]
async fn members_who_are_refused_are_named_and_their_words_stay_private() {
    let (service, target) = at(Habits { knows_members: true, ..Habits::default() }).await;
    let team = create(&target, "team", &group("team")).await;
    let mut members = Vec::new();
    for number in 0..5 {
        members.push(create(&target, &format!("m{number}"), &user(&format!("m{number}"))).await);
    }
    members.extend(["nobody", "no one"].map(|id| TargetId(id.into())));
    let Outcome::Partly(_, refused) = add(&target, &team, &members).await else { panic!() };
    let mut named: Vec<_> = refused.iter().map(|refused| refused.member.0.to_string()).collect();
    named.sort();
    assert_eq!(named, ["no one", "nobody"]);
    assert!(!refused[0].why.message.contains("secret.person"));
    assert!(refused[0].why.detail.as_ref().unwrap().contains("secret.person"));
    assert_eq!(service.inner().objects[&format!("Groups/{team}")]["members"].as_array().unwrap().len(), 5);
    // Where everybody is refused, not everybody is tried.
    let many: Vec<_> = (0..100).map(|number| TargetId(format!("x{number}").into())).collect();
    service.inner().asked.clear();
    let Outcome::Partly(_, refused) = add(&target, &team, &many).await else { panic!() };
    assert_eq!(refused.len(), 100);
    assert!(service.count("PATCH", "") < 30);
}

#[tokio::test]
async fn a_service_that_is_busy_is_left_alone() {
    let (service, target) = at(Habits::default()).await;
    let busy = |method, after: Option<&str>, status| Fault {
        headers: after.map(|after| ("retry-after", after.to_owned())).into_iter().collect(),
        ..Fault::new(method, "Users", status)
    };
    for (after, status) in [(Some("7"), 429), (None, 429), (Some("7"), 503)] {
        service.inner().faults.push_back(busy("POST", after, status));
        match one(&target, Operation::Create { key: key("ada"), content: user("ada") }).await {
            Outcome::Retry(error) => assert_eq!(error.retry_after, after.map(|_| Duration::from_secs(7))),
            other => panic!("{other:?}"),
        }
    }
    // In the middle of members: what was done is known, and the rest is named.
    let team = create(&target, "team", &group("team")).await;
    let members: Vec<_> = (0..150).map(|number| TargetId(format!("m{number:03}").into())).collect();
    add(&target, &team, &members[..1]).await;
    service.inner().asked.clear();
    let fault = Fault { happens: true, ..Fault::new("PATCH", "Groups", 200) };
    service.inner().faults.extend([fault, Fault::new("PATCH", "Groups", 429)]);
    let Outcome::Partly(_, rest) = add(&target, &team, &members).await else { panic!() };
    assert_eq!(
        rest.iter().map(|one| &one.member).collect::<Vec<_>>(),
        members[101..].iter().collect::<Vec<_>>()
    );
    assert!(rest.iter().all(|one| one.why.reason == TargetReason::Throttled));
}

#[tokio::test]
async fn what_others_changed_meanwhile_is_read_again() {
    let about = json!({ "patch": { "supported": true }, "etag": { "supported": true } });
    let (service, target) = at(Habits { about, meddles: 2, ..Habits::default() }).await;
    let ada = create(&target, "ada", &user("ada")).await;
    assert_eq!(update(&target, &ada, "ada", &user("eve")).await, Outcome::Done(ada.clone()));
    let object = service.inner().objects[&format!("Users/{ada}")].clone();
    assert_eq!((&object["userName"], &object["nickName"]), (&json!("eve"), &json!("changed 0")));
    service.inner().habits.meddles = 100;
    assert!(matches!(update(&target, &ada, "ada", &user("ann")).await, Outcome::Retry(_)));
}

#[tokio::test]
async fn what_is_only_accepted_is_followed() {
    let (service, target) = at(Habits { accepts: true, ..Habits::default() }).await;
    let ada = create(&target, "ada", &user("ada")).await;
    assert!(service.inner().objects.contains_key(&format!("Users/{ada}")));
}

#[tokio::test]
async fn what_is_not_said_to_be_done_is_looked_for() {
    for says in [(202, ""), (202, "{}"), (200, "OK"), (200, "<html>Done</html>")] {
        let (service, target) = at(Habits::default()).await;
        let (ada, eve) =
            (create(&target, "ada", &user("ada")).await, create(&target, "eve", &user("eve")).await);
        let team = create(&target, "team", &group("team")).await;
        // Whether the first ones of each kind were read back, or it is known that they work.
        for habits in [Some(says), None, Some(says)] {
            service.inner().habits.does_later = habits;
            let name = format!("ada{}", service.inner().asked.len());
            let path = format!("Users/{ada}");
            assert_eq!(
                update(&target, &ada, "ada", &user(&name)).await,
                Outcome::Done(ada.clone()),
                "{says:?}"
            );
            assert_eq!(service.inner().objects[&path]["userName"], *name);
            for state in [false, true] {
                assert_eq!(active(&target, &ada, state).await, Outcome::Done(ada.clone()));
                assert_eq!(service.inner().objects[&path]["active"], state);
            }
            let members = [ada.clone(), eve.clone()];
            for (change, left) in
                [(add(&target, &team, &members).await, 2), (remove(&target, &team, &members[..1]).await, 1)]
            {
                assert_eq!(change, Outcome::Done(team.clone()), "{says:?}, {left} left");
            }
            let inside = service.inner().objects[&format!("Groups/{team}")]["members"].clone();
            assert_eq!(inside, json!([{ "value": &*eve.0 }]));
            assert_eq!(remove(&target, &team, &members).await, Outcome::Done(team.clone()));
        }
        for id in [ada, eve] {
            let gone = Operation::Delete { kind: SubjectKind::User, id: id.clone() };
            assert_eq!(one(&target, gone).await, Outcome::Done(id.clone()));
            assert!(!service.inner().objects.contains_key(&format!("Users/{id}")));
        }
    }
}

#[tokio::test]
async fn what_is_never_done_though_it_was_accepted_stays_in_doubt() {
    let (service, target) = at(Habits::default()).await;
    let ada = create(&target, "ada", &user("ada")).await;
    let team = create(&target, "team", &group("team")).await;
    let accepted = |method, to| Fault::new(method, to, 202);
    service.inner().faults.extend([
        accepted("PATCH", "Users"),
        accepted("PATCH", "Groups"),
        accepted("DELETE", "Users"),
    ]);
    let gone = Operation::Delete { kind: SubjectKind::User, id: ada.clone() };
    for outcome in [
        active(&target, &ada, false).await,
        add(&target, &team, std::slice::from_ref(&ada)).await,
        one(&target, gone).await,
    ] {
        assert!(matches!(outcome, Outcome::Ambiguous(_)), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_part_of_what_was_accepted_is_not_all_of_it() {
    let (service, target) = at(Habits { does_the_first: true, ..Habits::default() }).await;
    let ada = create(&target, "ada", &user("ada")).await;
    let other = user_with("eve", &[("givenName", "New"), ("familyName", "Other"), ("title", "Dr")]);
    assert!(matches!(update(&target, &ada, "ada", &other).await, Outcome::Ambiguous(_)));
    // With each try one more is done, until nothing is left.
    let mut tries = 1;
    while update(&target, &ada, "ada", &other).await != Outcome::Done(ada.clone()) {
        tries += 1;
        assert!(tries < 6);
    }
    let object = service.inner().objects[&format!("Users/{ada}")].clone();
    assert_eq!((&object["userName"], &object["title"]), (&json!("eve"), &json!("Dr")));
}

#[tokio::test]
async fn what_is_cleared_or_enabled_is_looked_at_too_where_it_was_only_accepted() {
    let (service, target) = at(Habits::default()).await;
    let ada = create(&target, "ada", &user("ada")).await;
    let accepted = || Fault::new("PATCH", "Users", 202);
    let without = |attributes: &[(&str, &str)], emails: bool| {
        let Content::User(user) = (*user_with("ada", attributes)).clone() else { panic!() };
        let emails = if emails { user.emails.clone() } else { Vec::new() };
        Arc::new(Content::User(UserContent { emails, ..user }))
    };
    for less in [
        without(&[("givenName", "Given")], true),
        without(&[("givenName", "Given"), ("familyName", "Family")], false),
    ] {
        service.inner().faults.push_back(accepted());
        assert!(matches!(update(&target, &ada, "ada", &less).await, Outcome::Ambiguous(_)), "{less:?}");
    }
    // A repeated create enables, and what else is wanted is so already.
    assert_eq!(active(&target, &ada, false).await, Outcome::Done(ada.clone()));
    service.inner().faults.push_back(accepted());
    let again = one(&target, Operation::Create { key: key("ada"), content: user("ada") }).await;
    assert!(matches!(again, Outcome::Ambiguous(_)), "{again:?}");
}

#[tokio::test]
async fn members_who_were_only_accepted_are_in_doubt_where_it_goes_no_further_or_they_are_not_shown() {
    let (service, target) = at(Habits::default()).await;
    let team = create(&target, "team", &group("team")).await;
    let members: Vec<_> = (0..150).map(|number| TargetId(format!("m{number:03}").into())).collect();
    assert_eq!(add(&target, &team, &members[..1]).await, Outcome::Done(team.clone()));
    let accepted = |happens| Fault { happens, ..Fault::new("PATCH", "Groups", 202) };
    service.inner().faults.extend([accepted(false), Fault::new("PATCH", "Groups", 429)]);
    assert!(matches!(add(&target, &team, &members).await, Outcome::Ambiguous(_)));
    service.inner().habits.hides_members = true;
    service.inner().faults.push_back(accepted(true));
    assert!(matches!(add(&target, &team, &members[1..3]).await, Outcome::Ambiguous(_)));
}

#[tokio::test]
async fn who_was_disabled_before_shows_nothing_of_what_a_deletion_does() {
    for (status, body, is_sure) in [(202, "", false), (200, "OK", false), (204, "", true)] {
        let (service, target) = at(Habits::default()).await;
        let ada = create(&target, "ada", &user("ada")).await;
        assert_eq!(active(&target, &ada, false).await, Outcome::Done(ada.clone()));
        let fault = Fault { body: body.to_owned(), ..Fault::new("DELETE", "Users", status) };
        service.inner().faults.push_back(fault);
        let gone = Operation::Delete { kind: SubjectKind::User, id: ada };
        match one(&target, gone).await {
            Outcome::Rejected(error) if is_sure => assert_eq!(error.reason, TargetReason::NotDone),
            Outcome::Ambiguous(_) if !is_sure => {}
            other => panic!("{status}: {other:?}"),
        }
        assert_eq!(target.dialect().deletion, Deletion::Deletes);
    }
}

#[tokio::test]
async fn a_filter_that_does_not_give_all_that_it_finds_is_not_believed() {
    let (service, target) = at(Habits { pages_filters: true, ..Habits::default() }).await;
    let same = Content::User(UserContent {
        emails: vec!["shared@corp.example".to_owned()],
        ..UserContent { user_name: "ada".to_owned(), ..UserContent::default() }
    });
    create(&target, "ada", &Arc::new(same.clone())).await;
    create(&target, "eve", &Arc::new(same.with_name("eve"))).await;
    let both =
        target.find(SubjectKind::User, &[Match::Email("shared@corp.example".to_owned())]).await.remove(0);
    assert_eq!(both.unwrap().len(), 2, "an address of two is nobody's");
    says(&target, "does not give all that it finds");
    // What it finds, and does not give at all, is no proof that nothing is there.
    service.inner().habits = Habits { lies_by: 1, ..Habits::default() };
    let found = target.find(SubjectKind::User, &[Match::Name("nobody".to_owned())]).await.remove(0);
    assert_eq!(found.unwrap_err().reason, TargetReason::InvalidAnswer);
}

#[tokio::test]
async fn an_object_of_others_that_is_given_in_place_of_a_new_one_is_not_ours() {
    let (service, target) = at(Habits { gives_what_is_there: true, ..Habits::default() }).await;
    create(&target, "ada", &user("ada")).await;
    create(&target, "somebody else", &user("eve")).await;
    // Whatever mark of its own it has, or none.
    let eve = service.inner().objects.iter().find(|(_, it)| it["userName"] == "eve").unwrap().0.clone();
    for mark in [Some(key("somebody else").to_string()), Some("E-17".to_owned()), None] {
        service.inner().objects.get_mut(&eve).unwrap()["externalId"] = json!(mark);
        let mine = one(&target, Operation::Create { key: key("eve"), content: user("eve") }).await;
        assert_eq!(mine, Outcome::NameTaken("eve".to_owned()), "{mark:?}");
    }
    assert_eq!(service.inner().objects.len(), 2);
}

#[tokio::test]
async fn the_first_object_that_is_given_in_place_of_a_new_one_teaches_nothing() {
    for drops_keys in [false, true] {
        let habits = Habits { gives_what_is_there: true, drops_keys, ..Habits::default() };
        let (service, target) = at(habits).await;
        let theirs = json!({ "id": "7", "userName": "eve", "active": true });
        service.inner().objects.insert("Users/7".to_owned(), theirs.clone());
        let given = || one(&target, Operation::Create { key: key("eve"), content: user("eve") });
        assert_eq!(given().await, Outcome::NameTaken("eve".to_owned()));
        assert!(target.dialect().keys.users);
        says(&target, "not with 201");
        // Nor where it was found out that none is kept.
        create(&target, "ada", &user("ada")).await;
        assert_eq!(target.dialect().keys.users, !drops_keys);
        assert_eq!(given().await, Outcome::NameTaken("eve".to_owned()));
        assert_eq!(service.inner().objects["Users/7"], theirs);
    }
}

#[tokio::test]
async fn a_service_that_creates_with_200_is_believed_if_the_key_is_there_or_none_is_kept() {
    let service = StandIn::start(Habits { creates_with_200: true, ..Habits::default() });
    let target = open(config(&service.url())).await.unwrap();
    create(&target, "ada", &user("ada")).await;
    service.inner().habits.drops_keys = true;
    let overrides = Overrides { keys_of_users: Some(false), ..Overrides::default() };
    let target = open(ScimConfig { overrides, ..config(&service.url()) }).await.unwrap();
    create(&target, "eve", &user("eve")).await;
}

#[tokio::test]
async fn one_object_that_is_answered_with_another_stops_no_other() {
    let (service, target) = at(Habits::default()).await;
    let (ada, eve) = (create(&target, "ada", &user("ada")).await, create(&target, "eve", &user("eve")).await);
    let other = service.inner().objects[&format!("Users/{eve}")].to_string();
    service.inner().faults.push_back(Fault { body: other, ..Fault::new("GET", "Users/", 200) });
    let changes = [(&ada, "ada", "ada2"), (&eve, "eve", "eve2")].map(|(id, who, name)| Operation::Update {
        id: id.clone(),
        key: key(who),
        content: user(name),
        before: None,
    });
    let outcomes = target.apply(&changes).await;
    assert!(matches!(outcomes[0], Outcome::Rejected(_)), "{outcomes:?}");
    assert_eq!(outcomes[1], Outcome::Done(eve));
}

#[tokio::test]
async fn a_create_that_may_have_happened_is_doubt_and_a_repeated_one_leaves_one_object() {
    let (service, target) = at(Habits::default()).await;
    let lost = |happens| Fault { happens, ..Fault::new("POST", "Users", 504) };
    service.inner().faults.push_back(lost(false));
    let ada = || Operation::Create { key: key("ada"), content: user("ada") };
    assert!(matches!(one(&target, ada()).await, Outcome::Ambiguous(_)));
    service.inner().faults.push_back(lost(true));
    // It is found by its key.
    let Outcome::Done(id) = one(&target, ada()).await else { panic!() };
    assert_eq!(one(&target, ada()).await, Outcome::Done(id));
    assert_eq!(service.inner().objects.len(), 1);
}

#[tokio::test]
async fn where_no_key_is_kept_that_is_said() {
    let (_service, target) = at(Habits { drops_keys: true, ..Habits::default() }).await;
    let ada = create(&target, "ada", &user("ada")).await;
    says(&target, "externalId is not kept");
    let found =
        target.find(SubjectKind::User, &[Match::Name("ada".to_owned()), Match::Key(key("ada"))]).await;
    assert_eq!(found[0].as_ref().unwrap()[0].id, ada);
    assert_eq!(found[1], Ok(vec![]));
}

#[tokio::test]
async fn a_list_by_cursor_is_walked_to_its_end() {
    let about = json!({ "pagination": { "cursor": true, "index": false, "maxPageSize": 10 } });
    let (_service, target) = at(Habits { about, cursors: true, ..Habits::default() }).await;
    for number in 0..35 {
        create(&target, &format!("m{number}"), &user(&format!("m{number}"))).await;
    }
    let mut names = std::collections::BTreeSet::new();
    target
        .list(SubjectKind::User, |object| {
            names.insert(object.content.name().to_owned());
        })
        .await
        .unwrap();
    assert_eq!(names.len(), 35);
}

#[tokio::test]
async fn members_that_are_never_shown_are_sent_and_not_looked_for() {
    let service = StandIn::start(Habits { hides_members: true, ..Habits::default() });
    let profile = rollcall::target::scim::profile::named("aws-iam-identity-center");
    let overrides =
        Overrides { paging: Some(rollcall::target::scim::dialect::Paging::Index), ..Overrides::default() };
    let target = open(ScimConfig { profile, overrides, ..config(&service.url()) }).await.unwrap();
    assert!(!target.capabilities().members_readable);
    let team = create(&target, "team", &group("team")).await;
    let ada = create(&target, "ada", &user("ada")).await;
    assert_eq!(add(&target, &team, std::slice::from_ref(&ada)).await, Outcome::Done(team.clone()));
    let found = target.find(SubjectKind::Group, &[Match::Id(team.clone())]).await.remove(0).unwrap();
    assert_eq!(found[0].members, None);
    assert_eq!(remove(&target, &team, std::slice::from_ref(&ada)).await, Outcome::Done(team.clone()));
    assert_eq!(service.inner().objects[&format!("Groups/{team}")]["members"], json!([]));
}

#[tokio::test]
async fn a_token_that_was_withdrawn_is_replaced_by_a_new_one() {
    let service = StandIn::start(Habits::default());
    let endpoint = format!("http://{}/token", service.address).parse().unwrap();
    let client = oauth::Client {
        endpoint,
        id: "rollcall".to_owned(),
        scope: "scim".to_owned(),
        credential: oauth::Credential::Secret(Secret::new("the-client-secret")),
    };
    let config = ScimConfig { credential: Credential::OAuth(client), ..config(&service.url()) };
    assert!(!format!("{config:?}").contains("the-client-secret"));
    let target = open(config).await.unwrap();
    "another".clone_into(&mut service.inner().token);
    create(&target, "ada", &user("ada")).await;
    assert_eq!(service.inner().tokens_issued, 2);
}

#[tokio::test]
async fn no_error_repeats_the_token() {
    let (service, target) = at(Habits::default()).await;
    let body = json!({ "detail": format!("Bearer {TOKEN} is not welcome"), "scimType": TOKEN }).to_string();
    service.inner().faults.push_back(Fault { body, ..Fault::new("POST", "Users", 400) });
    let outcome = one(&target, Operation::Create { key: key("ada"), content: user("ada") }).await;
    assert!(matches!(outcome, Outcome::Rejected(_)));
    assert!(!format!("{outcome:?}").contains(TOKEN));
    assert!(!format!("{:?}", config(&service.url())).contains(TOKEN));
}

#[tokio::test]
async fn an_address_without_tls_is_refused_unless_it_is_allowed() {
    let service = StandIn::start(Habits::default());
    let error = open(ScimConfig { insecure: false, ..config(&service.url()) }).await.err().unwrap();
    assert!(error.message.contains("https://"), "{}", error.message);
    assert!(service.inner().asked.is_empty());
}

#[tokio::test]
async fn an_id_that_leads_elsewhere_is_never_asked_for() {
    let (service, target) = at(Habits::default()).await;
    service.inner().asked.clear();
    for id in ["..", ".", ""] {
        let id = TargetId(id.into());
        one(&target, Operation::Delete { kind: SubjectKind::User, id: id.clone() }).await;
        active(&target, &id, false).await;
        add(&target, &id, std::slice::from_ref(&id)).await;
        assert_eq!(target.find(SubjectKind::User, &[Match::Id(id)]).await.remove(0), Ok(vec![]));
    }
    assert!(service.inner().asked.is_empty(), "{:?}", service.inner().asked);
}

#[tokio::test]
async fn a_trial_makes_what_it_needs_and_leaves_nothing() {
    for kind in [Kind::Scim2Server, Kind::Django, Kind::Scimmy] {
        let server = Server::start(kind);
        let steps = trial::writing(&server.target().await).await;
        assert_eq!(steps.iter().find(|step| step.failed.is_some()), None, "{kind:?}");
        assert_eq!(steps.len(), 9);
        assert_eq!(server.truth(), Truth::default());
    }
}

#[tokio::test]
async fn a_trial_that_fails_says_where_and_leaves_nothing() {
    let (service, target) = at(Habits { idle_patch: true, idle_put: true, ..Habits::default() }).await;
    let steps = trial::writing(&target).await;
    let failed: Vec<_> = steps.iter().filter(|step| step.failed.is_some()).map(|step| step.what).collect();
    assert_eq!(failed, ["rename the user"]);
    assert_eq!(steps.last().unwrap().what, "remove the user");
    assert!(service.inner().objects.is_empty());
}

#[tokio::test]
async fn a_service_that_keeps_whom_it_deletes_is_not_asked_to() {
    let service = StandIn::start(Habits::default());
    let profile = rollcall::target::scim::profile::named("slack");
    let target = open(ScimConfig { profile, ..config(&service.url()) }).await.unwrap();
    assert!(!target.capabilities().users.unwrap().delete);
    let ada = create(&target, "ada", &user("ada")).await;
    match one(&target, Operation::Delete { kind: SubjectKind::User, id: ada }).await {
        Outcome::Rejected(error) => assert_eq!(error.reason, TargetReason::Unsupported),
        other => panic!("{other:?}"),
    }
    assert_eq!(service.count("DELETE", ""), 0);
}
