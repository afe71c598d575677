//! The registry over SCIM, on a real listener.

use std::process::Command;
use std::time::Instant;

use rollcall::directory::{Operation, Owner};
use rollcall::secret::Secret;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::cli::Ran;
use crate::support::served::{House, TOKEN, ask, group, key, names, staff, user};
use crate::support::web::quoted;

const USERS: &str = "/policies/identity/staff/scim/v2/Users";

#[tokio::test]
async fn only_who_bears_the_policys_token_is_let_in() {
    let house = House::filled().await;
    house.served.serve(Owner::new("identity", "guests"), Secret::new("the token of guests"));
    let nobodys = "/policies/identity/nobody/scim/v2/Users";
    let guests = "/policies/identity/guests/scim/v2/Users";
    let right = format!("Bearer {TOKEN}");
    for (path, token, status) in [
        (USERS, Some(right.as_str()), 200),
        (USERS, Some("bearer the token of staff"), 200),
        // Readers without a token learn of no policy whether it is there,
        (USERS, None, 401),
        (nobodys, None, 401),
        (USERS, Some("Bearer wrong"), 401),
        (nobodys, Some("Bearer wrong"), 401),
        (USERS, Some("Bearer "), 401),
        (USERS, Some("Basic dGhlIHRva2VuIG9mIHN0YWZm"), 401),
        (USERS, Some("the token of staff"), 401),
        // nor do readers, but of their own.
        (nobodys, Some(right.as_str()), 403),
        (guests, Some(right.as_str()), 403),
        (USERS, Some("Bearer the token of guests"), 403),
    ] {
        let headers: Vec<(&str, &str)> = token.map(|token| ("Authorization", token)).into_iter().collect();
        let answer = ask(house.address, "GET", path, &headers, "").await.is(status);
        assert_eq!(answer.header("content-type"), Some("application/scim+json"));
        if status != 200 {
            let error = answer.json();
            assert_eq!(error["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:Error");
            assert_eq!(error["status"], status.to_string());
        }
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401, "{path} {token:?}");
    }
    let (here, not) = (
        ask(house.address, "GET", USERS, &[], "").await.body,
        ask(house.address, "GET", nobodys, &[], "").await.body,
    );
    assert_eq!(here, not, "not even the words differ");
    house.served.withdraw(&staff());
    house.get("Users").await.is(401);
}

#[tokio::test]
async fn an_incomplete_registry_is_never_an_empty_list() {
    let house = House::new(None, None);
    for path in ["Users", "Groups", ".search", "Users/1", "Users?filter=userName%20pr"] {
        let method = if path == ".search" { "POST" } else { "GET" };
        let answer = house.ask(method, path, &[], if method == "POST" { "{}" } else { "" }).await.is(503);
        assert!(answer.header("retry-after").is_some());
        assert_eq!(answer.json()["status"], "503");
    }
    // What the service can do does not depend on it.
    house.get("ServiceProviderConfig").await.is(200);
    house.fill().await;
    house.get("Users").await.is(503);
    house.complete(&Owner::new("identity", "guests"));
    house.get("Users").await.is(503);
    house.complete(&staff());
    assert_eq!(house.get("Users").await.is(200).json()["totalResults"], 3);
}

/// Its rows at the other target are none of the registry: an empty list would say that everybody has left.
#[tokio::test]
async fn a_policy_whose_data_are_of_another_target_shows_nobody() {
    let house = House::filled().await;
    let (owner, id) = (staff(), key("ada").to_string());
    let place = |identity: &str| house.store.place(&owner, identity).unwrap();
    let all_wait = async || {
        for path in ["Users", "Users?filter=userName%20pr", &format!("Users/{id}")] {
            house.get(path).await.is(503);
        }
    };
    let elsewhere = place("scim:https://app.example");
    house.get(&format!("Users/{id}")).await.is(200);
    house.store.move_to(&owner, elsewhere).unwrap();
    all_wait().await;
    // A run there was complete; then the spec names the registry again, and no run has ended yet.
    let baseline = rollcall::store::policy::Baseline::nothing(jiff::Timestamp::UNIX_EPOCH);
    house.store.complete_run(elsewhere, baseline, None, std::time::Duration::from_hours(24)).unwrap();
    all_wait().await;
    let registry = place(&format!("registry:{owner}"));
    house.store.move_to(&owner, registry).unwrap();
    all_wait().await;
    house.complete(&owner);
    house.get(&format!("Users/{id}")).await.is(200);
}

#[tokio::test]
async fn shows_people_and_groups_as_scim_has_them() {
    let house = House::filled().await;
    let id = key("ada").to_string();
    let answer = house.get(&format!("Users/{id}")).await.is(200);
    let version = answer.header("etag").unwrap().to_owned();
    assert!(version.starts_with("W/\"") && version.ends_with('"'));
    let base = "http://registry.test:8443/policies/identity/staff/scim/v2";
    let expected = json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        ],
        "id": id,
        "externalId": id,
        "userName": "ada@corp.example",
        "name": { "givenName": "Ada" },
        "title": "Countess",
        "active": true,
        "emails": [
            { "value": "ada@corp.example", "type": "work", "primary": true },
            { "value": "also-ada@corp.example", "type": "work" },
        ],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "Verse" },
        "meta": { "resourceType": "User", "location": format!("{base}/Users/{id}"), "version": version },
    });
    assert_eq!(answer.json(), expected);
    let all = house.get(&format!("Groups/{}", key("all"))).await.is(200).json();
    assert_eq!(
        all["members"],
        json!([
            { "display": "Bob@corp.example", "type": "User", "value": key("bob").to_string() },
            { "display": "Poets", "type": "Group", "value": key("poets").to_string() },
        ])
    );
    for gone in [format!("Groups/{id}"), format!("Users/{}", id.to_uppercase()), "Users/x".to_owned()] {
        house.get(&gone).await.is(404);
    }
    let head = house.ask("HEAD", &format!("Users/{id}"), &[], "").await.is(200);
    assert_eq!((head.header("etag"), head.body.as_str()), (Some(version.as_str()), ""));
}

#[tokio::test]
async fn locations_are_where_the_reader_came_from_or_where_we_are_told() {
    let house = House::filled().await;
    let location = async |house: &House, host: &str| {
        let answer = house.ask("GET", "Users?count=1", &[("Host", host)], "").await;
        answer.json()["Resources"][0]["meta"]["location"].as_str().map(str::to_owned)
    };
    assert!(
        location(&house, "[::1]:80").await.unwrap().starts_with("http://[::1]:80/policies/identity/staff/")
    );
    assert_eq!(location(&house, "evil/\"").await, None);
    house.ask("GET", "Users", &[("Host", "evil/\"")], "").await.is(400);
    let told = House::new(None, Some("https://scim.corp.example/"));
    told.fill().await;
    told.complete(&staff());
    let told = location(&told, "ignored").await.unwrap();
    assert!(told.starts_with("https://scim.corp.example/policies/identity/staff/scim/v2/Users/"), "{told}");
}

#[tokio::test]
async fn versions_change_with_what_is_shown() {
    let house = House::filled().await;
    let version = async |path: &str| house.get(path).await.is(200).header("etag").unwrap().to_owned();
    let (person, poets) = (format!("Users/{}", key("ada")), format!("Groups/{}", key("poets")));
    let (of_person, of_group) = (version(&person).await, version(&poets).await);
    for known in [of_person.as_str(), "*", &format!("\"x\", {}", of_person.trim_start_matches("W/"))] {
        let same = house.ask("GET", &person, &[("If-None-Match", known)], "").await.is(304);
        assert_eq!((same.body.as_str(), same.header("etag")), ("", Some(of_person.as_str())));
    }
    house.ask("GET", &person, &[("If-None-Match", &of_group)], "").await.is(200);
    let other_host = house.ask("GET", &person, &[("Host", "other.test")], "").await;
    assert_eq!(other_host.header("etag"), Some(of_person.as_str()));
    // A list says the same versions, whatever of the resources it shows.
    let listed = house.get("Users?attributes=meta&filter=userName%20sw%20%22ada%22").await.json();
    assert_eq!(listed["Resources"][0]["meta"]["version"], of_person);
    let id = rollcall::directory::TargetId(key("ada").to_string().into());
    house.apply(Operation::SetActive { id: id.clone(), active: false }).await;
    let disabled = version(&person).await;
    assert_ne!(disabled, of_person);
    house.ask("GET", &person, &[("If-None-Match", &of_person)], "").await.is(200);
    // A group changes with its members' names, too: it shows them.
    assert_eq!(version(&poets).await, of_group);
    let content = user("countess@corp.example", &[]).into();
    house.apply(Operation::Update { id, key: key("ada"), content, before: None }).await;
    assert_ne!(version(&poets).await, of_group);
}

#[tokio::test]
async fn a_number_that_is_given_again_is_another_version() {
    let house = House::filled().await;
    let poets = rollcall::directory::TargetId(key("poets").to_string().into());
    let path = format!("Groups/{}", key("poets"));
    let add = async |name: &str| {
        let id = house.create(name, user("twin@corp.example", &[])).await;
        house.apply(Operation::AddMembers { group: poets.clone(), members: vec![id.clone()] }).await;
        (id, house.get(&path).await.header("etag").unwrap().to_owned())
    };
    let (first, before) = add("first").await;
    house.apply(Operation::Delete { kind: rollcall::directory::SubjectKind::User, id: first }).await;
    let (_, after) = add("second").await;
    assert_ne!(before, after);
}

#[rstest]
#[case("userName eq \"ADA@corp.example\"", &["ada@corp.example"])]
#[case("userName eq \"nobody\"", &[])]
#[case("userName eq \"ada@corp.example\" and active eq false", &[])]
#[case("active eq false", &["Bob@corp.example"])]
#[case("userName gt \"b\"", &["Bob@corp.example", "zoe@corp.example"])]
#[case("displayName eq \"bob\"", &["Bob@corp.example"])]
#[case("emails[type eq \"work\"].value sw \"also-z\"", &["zoe@corp.example"])]
#[case("phoneNumbers[type eq \"mobile\" and value sw \"+44\"]", &["Bob@corp.example"])]
#[case("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq \"verse\"", &["ada@corp.example"])]
#[case("not (title pr or phoneNumbers pr)", &["zoe@corp.example"])]
#[case("meta.version sw \"W/\" and title pr", &["ada@corp.example"])]
#[tokio::test]
async fn finds_people(#[case] filter: &str, #[case] found: &[&str]) {
    assert_eq!(House::filled().await.found("Users", filter).await, found, "{filter}");
}

#[tokio::test]
async fn finds_by_what_only_this_registry_knows() {
    let house = House::filled().await;
    let (ada, poets) = (key("ada").to_string(), key("poets").to_string());
    for (endpoint, filter, found) in [
        ("Users", format!("id eq \"{ada}\""), &["ada@corp.example"][..]),
        ("Users", format!("externalId eq \"{ada}\""), &["ada@corp.example"]),
        ("Users", format!("id eq \"{}\"", ada.to_uppercase()), &[]),
        ("Users", format!("id eq \"{ada}\" and title pr"), &["ada@corp.example"]),
        ("Users", format!("id eq \"{ada}\" and nickName pr"), &[]),
        ("Users", format!("id eq \"{poets}\""), &[]),
        ("Groups", format!("members eq \"{ada}\""), &["Poets"]),
        ("Groups", format!("members[value eq \"{poets}\" and type eq \"group\"]"), &["All"]),
        ("Groups", "members.display eq \"POETS\"".to_owned(), &["All"]),
        ("Groups", "displayName eq \"poets\"".to_owned(), &["Poets"]),
        (
            "Groups",
            "urn:ietf:params:scim:schemas:extension:rollcall:2.0:Group:mail pr".to_owned(),
            &["Poets"],
        ),
    ] {
        assert_eq!(house.found(endpoint, &filter).await, found, "{filter}");
        // No index answers this one.
        let scanned = house.found(endpoint, &format!("not (not ({filter}))")).await;
        assert_eq!(scanned, found, "{filter}");
    }
}

#[tokio::test]
async fn lists_page_by_page() {
    let house = House::filled().await;
    for (query, total, start, shown) in [
        ("", 3, 1, &["ada@corp.example", "Bob@corp.example", "zoe@corp.example"][..]),
        ("?count=2", 3, 1, &["ada@corp.example", "Bob@corp.example"]),
        ("?startIndex=3&count=2", 3, 3, &["zoe@corp.example"]),
        ("?startIndex=4", 3, 4, &[]),
        ("?startIndex=-5&count=1", 3, 1, &["ada@corp.example"]),
        ("?count=0", 3, 1, &[]),
        ("?count=-1", 3, 1, &[]),
        ("?count=1&startIndex=2&filter=userName%20pr", 3, 2, &["Bob@corp.example"]),
        ("?startIndex=9223372036854775807", 3, i64::MAX, &[]),
    ] {
        let list = house.get(&format!("Users{query}")).await.is(200).json();
        assert_eq!(list["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:ListResponse");
        assert_eq!(list["totalResults"], total, "{query}");
        assert_eq!(list["startIndex"], start, "{query}");
        assert_eq!(list["itemsPerPage"], shown.len(), "{query}");
        assert_eq!(names(&list), shown, "{query}");
    }
}

#[tokio::test]
async fn searches_by_post() {
    let house = House::filled().await;
    let search = async |path: &str, body: Value| house.ask("POST", path, &[], &body.to_string()).await;
    // Over both kinds a page goes on from the last user to the first group.
    let both =
        search(".search", json!({ "startIndex": 3, "count": 2, "attributes": ["userName", "displayName"] }))
            .await;
    let both = both.is(200).json();
    assert_eq!(both["totalResults"], 5);
    assert_eq!(names(&both), ["zoe@corp.example", "All"]);
    let fields: Vec<&String> = both["Resources"][1].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["displayName", "id", "schemas"]);
    let named = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "displayName pr" });
    assert_eq!(
        names(&search(".search", named.clone()).await.is(200).json()),
        ["Bob@corp.example", "All", "Poets"]
    );
    assert_eq!(names(&search("Users/.search", named.clone()).await.is(200).json()), ["Bob@corp.example"]);
    assert_eq!(names(&search("Groups/.search", named).await.is(200).json()), ["All", "Poets"]);
    assert_eq!(
        search(".search", json!({ "count": "many" })).await.is(400).json()["scimType"],
        "invalidSyntax"
    );
    search(".search", json!({ "filter": "x".repeat(70_000) })).await.is(413);
}

#[tokio::test]
async fn shows_only_what_was_asked_for() {
    let house = House::filled().await;
    let fields = async |path: String| -> Vec<String> {
        let one = house.get(&path).await.is(200).json();
        one.as_object().unwrap().keys().cloned().collect()
    };
    let id = key("ada");
    assert_eq!(
        fields(format!("Users/{id}?attributes=userName,name.givenName")).await,
        ["id", "name", "schemas", "userName"]
    );
    assert_eq!(
        fields(format!("Groups/{}?excludedAttributes=members,meta", key("poets"))).await,
        [
            "displayName",
            "externalId",
            "id",
            "schemas",
            "urn:ietf:params:scim:schemas:extension:rollcall:2.0:Group"
        ]
    );
    let both = house.get(&format!("Users/{id}?attributes=id&excludedAttributes=name")).await.is(400);
    assert_eq!(both.json()["scimType"], "invalidValue");
}

#[rstest]
#[case("POST", "Users", 405)]
#[case("PUT", "Users/1", 405)]
#[case("PATCH", "Users/1", 405)]
#[case("DELETE", "Groups/1", 405)]
#[case("POST", "ServiceProviderConfig", 405)]
#[case("POST", "Bulk", 501)]
#[case("GET", "Me", 501)]
#[case("GET", ".search", 405)]
#[case("GET", "Printers", 404)]
#[case("GET", "users/1", 400)]
#[case("GET", "v2/Users/1", 400)]
#[case("GET", "Users/1/2", 400)]
#[case("GET", "Users/%FF", 400)]
#[case("DELETE", ".search", 405)]
#[case("GET", "Users?filter=x", 400)]
#[case("GET", "Users?count=many", 400)]
#[case("GET", "Schemas/nothing", 404)]
#[case("GET", "Schemas?filter=x", 403)]
#[tokio::test]
async fn what_cannot_be_done_is_a_scim_error(#[case] method: &str, #[case] path: &str, #[case] status: u16) {
    let house = House::filled().await;
    let answer = house.ask(method, path, &[], "").await.is(status);
    let error = answer.json();
    assert_eq!(error["status"], status.to_string());
    if status == 405 {
        let allowed = if path == ".search" { "POST" } else { "GET, HEAD" };
        assert_eq!(answer.header("allow"), Some(allowed));
        assert!(error["detail"].as_str().unwrap().contains(if method == "GET" {
            "by POST"
        } else {
            "read-only"
        }));
    }
    if path.starts_with("Users?filter") {
        assert_eq!(error["scimType"], "invalidFilter");
        assert!(error["detail"].as_str().unwrap().contains("no attribute x"));
    }
}

#[tokio::test]
async fn says_what_it_can_do() {
    let house = House::filled().await;
    let config = house.get("ServiceProviderConfig").await.is(200).json();
    assert_eq!(config["filter"], json!({ "supported": true, "maxResults": 500 }));
    assert_eq!(config["etag"]["supported"], true);
    for no in ["patch", "bulk", "sort", "changePassword"] {
        assert_eq!(config[no]["supported"], false, "{no}");
    }
    for list in ["Schemas", "ResourceTypes"] {
        for one in house.get(list).await.is(200).json()["Resources"].as_array().unwrap() {
            let id = one["id"].as_str().unwrap();
            assert_eq!(&house.get(&format!("{list}/{id}")).await.is(200).json(), one);
            assert!(one["meta"]["location"].as_str().unwrap().ends_with(&format!("{list}/{id}")));
        }
    }
}

#[tokio::test]
async fn a_client_that_is_not_ours_reads_it() {
    let house = House::filled().await;
    let base = format!("http://{}/policies/identity/staff/scim/v2", house.address);
    let reading = move || {
        let root = env!("CARGO_MANIFEST_DIR");
        let client = Command::new(format!("{root}/scripts/scim-client")).output().unwrap();
        let client = Ran::of(&client).exits(0);
        let mut python = Command::new(format!("{}/python", client.out.trim()));
        python.arg(format!("{root}/tests/independent/scim.py")).arg(base).env("SCIM_TOKEN", TOKEN);
        Ran::of(&python.output().unwrap())
    };
    let read = tokio::task::spawn_blocking(reading).await.unwrap();
    println!("{}", read.said());
    read.exits(0);
}

#[tokio::test]
async fn requests_are_counted_by_their_answers() {
    let house = House::filled().await;
    house.get("Users").await.is(200);
    house.get("Users").await.is(200);
    house.get("Nothing/1").await.is(400);
    ask(house.address, "GET", "/", &[], "").await.is(400);
    let text = house.metrics.text().unwrap();
    assert!(text.contains("rollcall_scim_requests_total{code=\"200\"} 2\n"), "{text}");
    assert!(text.contains("rollcall_scim_requests_total{code=\"400\"} 2\n"), "{text}");
}

#[tokio::test]
async fn a_page_of_too_many_memberships_is_refused_and_never_cut() {
    let house = House::new(None, None);
    house.complete(&staff());
    let mut members = Vec::new();
    for start in (0..70_000).step_by(10_000) {
        let create = |at: i32| Operation::Create {
            key: key(&format!("u{at}")),
            content: user(&format!("u{at:05}@corp.example"), &[]).into(),
        };
        let operations: Vec<Operation> = (start..start + 10_000).map(create).collect();
        house.apply_all(&operations).await;
        members.extend(
            (start..start + 10_000)
                .map(|at| rollcall::directory::TargetId(key(&format!("u{at}")).to_string().into())),
        );
    }
    for name in ["one", "two", "three"] {
        let group = house.create(name, group(name, &[])).await;
        house.apply(Operation::AddMembers { group, members: members.clone() }).await;
    }
    let refused = house.get("Groups").await.is(400).json();
    assert_eq!(refused["scimType"], "tooMany");
    assert_eq!(house.get("Groups?excludedAttributes=members").await.is(200).json()["itemsPerPage"], 3);
    let two = house.get("Groups?count=2").await.is(200).json();
    assert_eq!(two["Resources"][1]["members"].as_array().unwrap().len(), 70_000);

    // How long it takes; another 60,000 people than those that are asked for cost a page nothing.
    for (what, path) in [
        ("first page of 500", "Users?count=500".to_owned()),
        ("last page of 500", "Users?startIndex=69501&count=500".to_owned()),
        ("userName eq", format!("Users?filter={}", quoted("userName eq \"U69999@corp.example\""))),
        ("a filter without an index", format!("Users?filter={}", quoted("emails co \"u69999\""))),
    ] {
        let began = Instant::now();
        let answer = house.get(&path).await.is(200);
        println!("70,000 users, {what}: {:?}, {} bytes", began.elapsed(), answer.body.len());
    }
}
