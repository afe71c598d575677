//! Microsoft Entra ID from end to end: the real binary reads a tenant of the stand-in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::process::Command;

use rollcall::directory::{Anchor, Batch, Change, Completion, Entry};
use rollcall::net::oauth::{ClusterToken, Credential};
use rollcall::secret::Secret;
use rollcall::source::graph::{Cloud, EntraConfig, EntraSource};
use rollcall::source::{Source as _, SourceConfig, SourceError};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::source_contract;
use crate::support::cli::{Desk, Ran};
use crate::support::entra::{Entra, Made, Signing, Tenant};
use crate::support::proxy::Proxy;
use crate::support::web;

/// A desk whose connector reads the stand-in with its client secret.
fn desk(entra: &Entra) -> Desk {
    let desk = Desk::new();
    desk.write("manifests.yaml", manifests(entra, ""));
    desk
}

/// The manifests, with more lines for the connector's `entraId`.
pub(crate) fn manifests(entra: &Entra, more: &str) -> String {
    let (tenant, app, secret) = {
        let inner = entra.inner();
        (inner.tenant.id.to_string(), inner.app.id.to_string(), inner.app.secret.clone())
    };
    with(entra, &tenant, &app, &secret, "clientSecretRef: { name: graph, key: client-secret }", more)
}

fn with(entra: &Entra, tenant: &str, app: &str, secret: &str, credential: &str, more: &str) -> String {
    let ca = entra.ca.replace('\n', "\n    ");
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: graph, namespace: test }}\n\
         stringData: {{ client-secret: \"{secret}\" }}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: ca, namespace: test }}\ndata:\n  ca.crt: |\n    {ca}\n---\n\
         apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: entra, namespace: test }}\n\
         spec:\n  entraId:\n    tenantID: {tenant}\n    clientID: {app}\n    credentials: {{ {credential} }}\n    \
         endpoints: {{ authority: \"{url}\", graph: \"{url}\" }}\n    tls: {{ caRef: {{ name: ca }} }}\n{more}\n---\n\
         apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: all, namespace: test }}\nspec:\n  \
         connectors: [{{ name: entra }}]\n  target: {{ registry: {{}} }}\n  limits: {{ userRemovals: {{ count: 100, percent: \
         100 }}, memberRemovals: {{ count: 100, percent: 100 }} }}\n",
        url = entra.url()
    )
}

/// Who is in step: names, with whether they are active, and groups with the names of who is in them.
pub(crate) fn registry(desk: &Desk) -> BTreeMap<String, Value> {
    in_step(&desk.registry())
}

/// The same of these resources.
pub(crate) fn in_step(resources: &[Value]) -> BTreeMap<String, Value> {
    let name = |one: &Value| {
        one.get("userName").or_else(|| one.get("displayName")).and_then(Value::as_str).unwrap().to_owned()
    };
    let names: BTreeMap<&str, String> =
        resources.iter().map(|one| (one["id"].as_str().unwrap(), name(one))).collect();
    let shown = |one: &Value| match one.get("members").and_then(Value::as_array) {
        _ if one.get("userName").is_some() => one["active"].clone(),
        members => {
            let members = members.into_iter().flatten();
            let members: BTreeSet<&String> =
                members.map(|member| &names[member["value"].as_str().unwrap()]).collect();
            json!(members)
        }
    };
    resources.iter().map(|one| (name(one), shown(one))).collect()
}

/// Reads and runs; nothing of what it says is a secret.
fn sync(desk: &Desk, entra: &Entra, environment: &[(&str, &str)]) -> Ran {
    let ran = desk.sync_aloud(environment);
    let inner = entra.inner();
    let said = ran.said();
    // In its full form, and in that in which it stands in a form.
    let escaped = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    for secret in inner.secrets().chain([inner.app.secret.as_str()]) {
        assert!(!said.contains(secret) && !said.contains(&escaped(secret)), "it said a secret:\n{said}");
    }
    drop(inner);
    ran
}

fn synced(desk: &Desk, entra: &Entra) -> BTreeMap<String, Value> {
    sync(desk, entra, &[]).exits(0);
    registry(desk)
}

#[test]
fn a_tenant_is_read_and_then_only_what_changed() {
    let entra = Entra::start();
    let [ann, bob] = {
        let tenant = &mut entra.inner().tenant;
        let ann = tenant.user("ann", &json!({ "department": "Sales" }));
        let bob = tenant.user("bob", &json!({ "accountEnabled": false }));
        let (sales, all) = (tenant.group("Sales", &json!({})), tenant.group("All", &json!({})));
        let (device, service) = (tenant.other("device"), tenant.other("servicePrincipal"));
        for (group, member) in [(sales, ann), (all, sales), (all, bob), (all, device), (all, service)] {
            tenant.put(group, member, true);
        }
        [ann, bob]
    };
    let desk = desk(&entra);
    let read = synced(&desk, &entra);
    assert_eq!(read["ann@corp.example"], true);
    assert!(!read.contains_key("bob@corp.example"), "who is disabled when first seen is not created");
    assert_eq!((&read["Sales"], &read["All"]), (&json!(["ann@corp.example"]), &json!(["ann@corp.example"])));
    entra.asked();

    entra.inner().tenant.set(bob, &json!({ "accountEnabled": true }));
    let read = synced(&desk, &entra);
    let asked = entra.asked();
    assert_eq!(asked.len(), 3, "one for the token, and one for each feed: {asked:?}");
    assert!(asked[1..].iter().all(|it| it.with_token && it.target.contains("$deltatoken")), "{asked:?}");
    assert_eq!(read["All"], json!(["ann@corp.example", "bob@corp.example"]));

    entra.inner().tenant.remove(ann, Some("changed"));
    let read = synced(&desk, &entra);
    assert_eq!((&read["ann@corp.example"], &read["All"]), (&json!(false), &json!(["bob@corp.example"])));
}

/// What happens to the tenant: its name, what the policy makes of it, and it itself.
type Step = (&'static str, (Option<bool>, bool), Box<dyn Fn(&mut Tenant)>);

// What the registry has of her then: nothing, or whether she is active, and whether she is in the group around her team.
const NOBODY: (Option<bool>, bool) = (None, false);
const THERE: (Option<bool>, bool) = (Some(true), false);
const IN: (Option<bool>, bool) = (Some(true), true);
// Whose account is disabled keeps its memberships.
const OFF: (Option<bool>, bool) = (Some(false), true);
const LEFT: (Option<bool>, bool) = (Some(false), false);

/// One desk reads what changed, another everything each time, from pages as bad as they may be, at the hosts of each cloud.
#[rstest]
#[case(Cloud::Public)]
#[case(Cloud::UsGovGccHigh)]
#[case(Cloud::UsGovDoD)]
#[case(Cloud::China)]
fn each_step_of_a_life_arrives_by_feed_as_by_a_full_read(#[case] cloud: Cloud) {
    let entra = Entra::start();
    {
        let mut inner = entra.inner();
        (inner.graph, inner.authority) = (cloud.graph().to_owned(), cloud.authority().to_owned());
    }
    let proxy = Proxy::to(entra.address);
    let through = [("HTTPS_PROXY", proxy.url.as_str()), ("NO_PROXY", "elsewhere.test")];
    let at = |desk: &Desk| {
        let endpoints =
            format!("    endpoints: {{ authority: \"{url}\", graph: \"{url}\" }}\n", url = entra.url());
        let own = format!("    cloud: {}\n", cloud.name());
        let text = manifests(&entra, "").replace(&endpoints, &own);
        desk.write("manifests.yaml", text + "  users: { recreated: Relink, emailDomains: [corp.example] }\n");
    };
    let (by_feed, by_reads) = (Desk::new(), Desk::new());
    at(&by_feed);
    at(&by_reads);
    let (zoe, team, all) = {
        let tenant = &mut entra.inner().tenant;
        (tenant.page, tenant.slice) = (3, 2);
        let zoe = tenant.user("zoe", &json!({ "mail": null, "proxyAddresses": null }));
        let (team, all) = (tenant.group("Team", &json!({})), tenant.group("All", &json!({})));
        tenant.put(all, team, true);
        for number in 0..7 {
            let one = tenant.user(&format!("user-{number}"), &json!({}));
            tenant.put(team, one, true);
        }
        (zoe, team, all)
    };
    let mailed = json!({ "mail": "zoe@corp.example", "proxyAddresses": ["SMTP:zoe@corp.example"] });
    let renamed = json!({ "userPrincipalName": "zoe.li@corp.example", "displayName": "Zoe Li" });
    let addressed = json!({ "proxyAddresses": ["smtp:zoe@corp.example", "SMTP:zoe.li@corp.example"] });
    let moved = json!({ "department": "Sales", "jobTitle": "Clerk" });
    let again = json!({ "userPrincipalName": "zoe.li@corp.example", "mail": "zoe.li@corp.example", "proxyAddresses": ["SMTP:zoe.li@corp.example"] });
    let steps: Vec<Step> = vec![
        ("created without mail", NOBODY, Box::new(|_| {})),
        ("given mail", THERE, Box::new(move |tenant| tenant.set(zoe, &mailed))),
        ("renamed", THERE, Box::new(move |tenant| tenant.set(zoe, &renamed))),
        ("given another address", THERE, Box::new(move |tenant| tenant.set(zoe, &addressed))),
        ("given a department", THERE, Box::new(move |tenant| tenant.set(zoe, &moved))),
        (
            "not in it any more",
            THERE,
            Box::new(move |tenant| tenant.set(zoe, &json!({ "department": null }))),
        ),
        ("into a nested group", IN, Box::new(move |tenant| tenant.put(team, zoe, true))),
        ("out of it", THERE, Box::new(move |tenant| tenant.put(team, zoe, false))),
        ("in again", IN, Box::new(move |tenant| tenant.put(team, zoe, true))),
        ("disabled", OFF, Box::new(move |tenant| tenant.set(zoe, &json!({ "accountEnabled": false })))),
        ("enabled", IN, Box::new(move |tenant| tenant.set(zoe, &json!({ "accountEnabled": true })))),
        (
            "a guest",
            IN,
            Box::new(|tenant| {
                tenant.user("guest", &json!({ "userType": "Guest" }));
            }),
        ),
        ("deleted", LEFT, Box::new(move |tenant| tenant.remove(zoe, Some("changed")))),
        ("restored", THERE, Box::new(move |tenant| tenant.remove(zoe, None))),
        (
            "the group renamed",
            THERE,
            Box::new(move |tenant| tenant.set(team, &json!({ "displayName": "Crew" }))),
        ),
        ("the group deleted", THERE, Box::new(move |tenant| tenant.remove(team, Some("deleted")))),
        (
            "a group that is new",
            IN,
            Box::new(move |tenant| {
                let club = tenant.group("Club", &json!({}));
                tenant.put(club, zoe, true);
                tenant.put(all, club, true);
            }),
        ),
        ("deleted for good", LEFT, Box::new(move |tenant| tenant.remove(zoe, Some("deleted")))),
        (
            "made anew with the same address",
            THERE,
            Box::new(move |tenant| {
                tenant.user("zoe.li", &again);
            }),
        ),
    ];
    for (number, (what, expected, step)) in steps.into_iter().enumerate() {
        step(&mut entra.inner().tenant);
        (entra.inner().tenant.untidy, entra.inner().tenant.sparse) = (number % 2 == 1, number % 3 > 0);
        entra.inner().tenant.muddled = (number % 4 == 3).then_some(number as u64);
        sync(&by_feed, &entra, &through).exits(0);
        let fed = registry(&by_feed);
        let hers: Vec<&String> = fed.keys().filter(|name| name.starts_with("zoe")).collect();
        let active = hers.first().map(|name| fed[*name] == true);
        let is_in = fed["All"].as_array().unwrap().iter().any(|one| one.as_str().unwrap().starts_with("zoe"));
        assert_eq!((active, is_in), expected, "{what}: {fed:?}");
        assert!(hers.len() < 2, "{what}: {fed:?}");
        entra.asked();
        if number > 0 {
            entra.fail("users/delta?$deltatoken", 410, &[("location", "https://elsewhere.test/")], "{}");
        }
        sync(&by_reads, &entra, &through).exits(0);
        assert!(number == 0 || entra.asked().iter().any(|it| it.target.contains("$select")), "{what}");
        assert_eq!(fed, registry(&by_reads), "{what}");
    }
    let hosts = [cloud.authority(), cloud.graph()].map(|url| format!("{}:443", &url["https://".len()..]));
    assert_eq!(BTreeSet::from_iter(proxy.wanted()), BTreeSet::from(hosts));
}

/// Whoever has the address and the login of somebody who left is nobody of whom a list says anything.
#[test]
fn who_gets_a_leavers_names_inherits_no_membership() {
    let entra = Entra::start();
    let (ann, team) = {
        let tenant = &mut entra.inner().tenant;
        let (ann, bob) = (tenant.user("ann", &json!({})), tenant.user("bob", &json!({})));
        let team = tenant.group("Team", &json!({}));
        tenant.put(team, ann, true);
        tenant.put(team, bob, true);
        (ann, team)
    };
    let (by_feed, by_reads) = (Desk::new(), Desk::new());
    for desk in [&by_feed, &by_reads] {
        let policy = "  users: { recreated: Relink, emailDomains: [corp.example] }\n";
        desk.write("manifests.yaml", manifests(&entra, "") + policy);
        assert_eq!(synced(desk, &entra)["Team"], json!(["ann@corp.example", "bob@corp.example"]));
    }
    // She leaves, or is called otherwise, and somebody gets her names at once.
    let renamed = json!({
        "userPrincipalName": "bob.old@corp.onmicrosoft.test", "mail": "bob.old@corp.example",
        "proxyAddresses": ["SMTP:bob.old@corp.example"],
    });
    let second = {
        let tenant = &mut entra.inner().tenant;
        tenant.remove(ann, Some("deleted"));
        tenant.user("ann", &json!({ "displayName": "Another Ann" }))
    };
    let bob = *entra.inner().tenant.members(team).first().unwrap();
    entra.inner().tenant.set(bob, &renamed);
    entra.inner().tenant.user("bob", &json!({ "displayName": "Another Bob" }));
    let read = synced(&by_feed, &entra);
    assert_eq!(read["Team"], json!(["bob.old@corp.example"]));
    assert_eq!((&read["ann@corp.example"], &read["bob@corp.example"]), (&json!(true), &json!(true)));
    entra.fail("users/delta?$deltatoken", 410, &[], "{}");
    assert_eq!(synced(&by_reads, &entra), read);
    entra.inner().tenant.put(team, second, true);
    assert_eq!(synced(&by_feed, &entra)["Team"], json!(["ann@corp.example", "bob.old@corp.example"]));
}

/// Whether somebody is a guest is a state like any other: a policy leaves guests out, and takes in who became a member.
#[test]
fn a_guest_is_told_by_their_type() {
    let entra = Entra::start();
    let guest = {
        let tenant = &mut entra.inner().tenant;
        tenant.user("ann", &json!({}));
        // Nobody said what they are.
        tenant.user("old", &json!({ "userType": null }));
        tenant.user("gus", &json!({ "userType": "Guest" }))
    };
    let desk = Desk::new();
    let policy = "  users: { where: \"user.userType != 'guest'\" }\n";
    desk.write("manifests.yaml", manifests(&entra, "") + policy);
    let names = |read: BTreeMap<String, Value>| read.into_keys().collect::<Vec<_>>();
    assert_eq!(names(synced(&desk, &entra)), ["ann@corp.example", "old@corp.example"]);
    entra.inner().tenant.set(guest, &json!({ "userType": "Member" }));
    assert_eq!(names(synced(&desk, &entra)), ["ann@corp.example", "gus@corp.example", "old@corp.example"]);
}

/// Who is changed, or put into a group or out of it, is all that is asked for, however large the group is.
#[test]
fn a_change_of_one_in_a_large_group_costs_three_requests() {
    let entra = Entra::start();
    let (ann, team) = {
        let tenant = &mut entra.inner().tenant;
        (tenant.page, tenant.slice) = (1000, 1000);
        tenant.made = Made { users: 3000, groups: 0, members: 0 };
        let (ann, team) =
            (tenant.user("ann", &json!({})), tenant.group("Team", &json!({ "proxyAddresses": [] })));
        for member in tenant.all("user").into_iter().filter(|member| *member != ann) {
            tenant.put(team, member, true);
        }
        (ann, team)
    };
    let desk = desk(&entra);
    assert_eq!(synced(&desk, &entra)["Team"].as_array().unwrap().len(), 3000);
    for (sparse, is_in) in [(false, true), (true, false), (true, true)] {
        {
            let tenant = &mut entra.inner().tenant;
            tenant.sparse = sparse;
            tenant.put(team, ann, is_in);
            tenant.set(ann, &json!({ "jobTitle": is_in.to_string() }));
        }
        entra.asked();
        let read = synced(&desk, &entra);
        assert_eq!(entra.asked().len(), 3, "one for the token, and one for each feed");
        assert_eq!(read["Team"].as_array().unwrap().len(), 3000 + usize::from(is_in));
    }
}

/// What is said, and of what.
type Wrong<'w> = (&'static str, Box<dyn Fn() + 'w>);

/// What is wrong, and what is said of it; what was read before stays as it was.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn whatever_goes_wrong_is_said_and_removes_nobody() {
    let entra = Entra::start();
    let (url, elsewhere) = (entra.url(), Entra::start());
    {
        let tenant = &mut entra.inner().tenant;
        tenant.page = 1;
        let (ann, team) = (tenant.user("ann", &json!({})), tenant.group("Team", &json!({})));
        tenant.user("bob", &json!({}));
        tenant.put(team, ann, true);
    }
    let desk = desk(&entra);
    let before = synced(&desk, &entra);
    let json_type = ("content-type", "application/json");
    let (users, token) = ("users/delta", "oauth2/v2.0/token");
    let wrongs: Vec<Wrong<'_>> = vec![
        ("make a new one and put its value", Box::new(|| entra.inner().app.is_secret_expired = true)),
        (
            "put the secret's value into the Secret, not its ID",
            Box::new(|| {
                let mut inner = entra.inner();
                inner.app.is_secret_expired = false;
                inner.app.secret = "q~8Q~quite.another_secret".to_owned();
            }),
        ),
        (
            "no administrator has consented to the application permissions User.Read.All and GroupMember.Read.All",
            Box::new(|| {
                let mut inner = entra.inner();
                inner.app.secret = "q~8Q~the-value.of_a-client~secret".to_owned();
                inner.app.permissions.clear();
            }),
        ),
        (
            "adminconsent?client_id=",
            Box::new(|| {
                entra.inner().app.permissions.insert("User.Read.All");
            }),
        ),
        ("the application permission GroupMember.Read.All is missing", Box::new(|| {})),
        (
            "the application permission User.Read.All is missing",
            Box::new(|| {
                entra.inner().app.permissions = ["GroupMember.Read.All"].into();
            }),
        ),
        (
            "Graph rejected the token",
            Box::new(|| {
                entra.inner().app.permissions = ["User.Read.All", "GroupMember.Read.All"].into();
                entra.fail(users, 401, &[json_type], "{}");
                entra.fail(users, 401, &[json_type], "{}");
            }),
        ),
        (
            "Check whether a proxy answers in its place",
            Box::new(|| {
                entra.fail(users, 200, &[("content-type", "text/html")], "<html>Log in</html>");
            }),
        ),
        (
            "truncated or has another format",
            Box::new(|| {
                entra.fail(users, 200, &[json_type], "{\"value\":[{\"id\":\"4e12ac45-6e38");
            }),
        ),
        (
            "truncated or has another format",
            Box::new(|| {
                entra.fail(users, 200, &[json_type], "{\"error\":{\"code\":\"x\"}}");
            }),
        ),
        (
            "without a single next or delta link",
            Box::new(|| {
                entra.fail(users, 200, &[json_type], "{\"value\":[]}");
            }),
        ),
        (
            "redirected the request",
            Box::new(|| {
                entra.fail(users, 307, &[("location", &format!("{}/v1.0/users/delta", elsewhere.url()))], "");
            }),
        ),
        (
            "redirected the request",
            Box::new(|| {
                let to = format!("{}/v1.0/users/delta", elsewhere.url());
                entra.fail("$deltatoken", 302, &[("location", &to)], "");
            }),
        ),
        (
            "is of another cloud than Public; set cloud to that one",
            Box::new(|| {
                let refusal = "{\"error\":\"invalid_request\",\"error_codes\":[900432],\"error_description\":\"AADSTS900432: Confidential \
                               Client is not supported in Cross Cloud request.\"}";
                entra.fail(token, 400, &[json_type], refusal);
            }),
        ),
        (
            "is of another cloud than Public; set cloud to that one",
            Box::new(|| {
                let refusal = "{\"error\":\"invalid_tenant\",\"error_codes\":[90038],\"error_description\":\"AADSTS90038: Tenant is in \
                               another national cloud.\"}";
                entra.fail(token, 400, &[json_type], refusal);
            }),
        ),
        (
            "the answer is not JSON. Check whether a proxy answers in its place",
            Box::new(|| entra.fail(token, 200, &[("content-type", "text/html")], "<html>Log in</html>")),
        ),
        (
            "access_token or token_type is missing",
            Box::new(|| entra.fail(token, 200, &[json_type], "{\"token_type\":\"Bear")),
        ),
        (
            "the token endpoint redirected the request",
            Box::new(|| {
                let to = format!("{}/x/oauth2/v2.0/token", elsewhere.url());
                entra.fail(token, 302, &[("location", &to)], "");
            }),
        ),
        (
            "sent a link to another host",
            Box::new(|| {
                let page = "{\"value\":[],\"@odata.nextLink\":\"https://graph.microsoft.com/v1.0/users/delta?$skiptoken=x\"}";
                entra.fail(users, 200, &[json_type], page);
            }),
        ),
        (
            "sent a link to another host",
            Box::new(|| {
                let page =
                    "{\"value\":[],\"@odata.deltaLink\":\"http://127.0.0.1/v1.0/users/delta?$deltatoken=x\"}";
                entra.fail(users, 200, &[json_type], page);
            }),
        ),
        (
            "rejected the request (400, BadRequest)",
            Box::new(|| {
                let page = format!(
                    "{{\"value\":[],\"@odata.nextLink\":\"{url}/v1.0/users/delta?$skiptoken=made-up\"}}"
                );
                entra.fail(users, 200, &[json_type], &page);
            }),
        ),
        (
            "limits our requests for 3,600 seconds",
            Box::new(|| {
                entra.fail(users, 429, &[json_type, ("retry-after", "3600")], "{}");
            }),
        ),
    ];
    for (said, wrong) in wrongs {
        wrong();
        let ran = sync(&desk, &entra, &[]).exits(1).says(said);
        assert_eq!(registry(&desk), before, "{said}: {}", ran.said());
    }
    assert_eq!(elsewhere.asked(), [], "nothing is sent to another host");
    // What passes by itself is waited for.
    entra.fail(users, 503, &[], "");
    entra.fail("groups/delta", 429, &[json_type, ("retry-after", "1")], "{}");
    entra.fail(users, 401, &[json_type], "{}");
    assert_eq!(synced(&desk, &entra), before);
    assert!(entra.inner().talk.faults.is_empty(), "all of it was met");
}

#[test]
fn mail_contacts_come_if_they_are_wanted() {
    let entra = Entra::start();
    let [cyd, dan] = {
        let tenant = &mut entra.inner().tenant;
        let ann = tenant.user("ann", &json!({}));
        let [cyd, dan] = ["cyd", "dan"].map(|name| tenant.contact(name, &json!({})));
        let team = tenant.group("Team", &json!({}));
        for member in [ann, cyd, dan] {
            tenant.put(team, member, true);
        }
        [cyd, dan]
    };
    let desk = Desk::new();
    let wanted = |of: &str| {
        let users = "  users: { contacts: Include }\n";
        desk.write("manifests.yaml", manifests(&entra, &format!("    contacts: {of}")) + users);
    };
    let team = |read: &BTreeMap<String, Value>| read["Team"].as_array().unwrap().len();

    wanted("Exclude");
    let read = synced(&desk, &entra);
    assert_eq!((team(&read), read.len()), (1, 2), "{read:?}");

    wanted("Include");
    sync(&desk, &entra, &[]).exits(1).says("OrgContact.Read.All");
    assert_eq!(registry(&desk), read);
    entra.inner().app.permissions.insert("OrgContact.Read.All");
    let read = synced(&desk, &entra);
    assert_eq!((&read["cyd@partner.example"], &read["dan@partner.example"]), (&json!(true), &json!(true)));
    assert_eq!(team(&read), 3);

    entra.inner().tenant.remove(dan, Some("deleted"));
    entra.inner().tenant.set(cyd, &json!({ "mail": null, "proxyAddresses": ["SMTP:cyd@other.example"] }));
    entra.asked();
    let read = synced(&desk, &entra);
    assert_eq!((&read["cyd@other.example"], &read["dan@partner.example"]), (&json!(true), &json!(false)));
    assert_eq!((team(&read), entra.asked().len()), (2, 4), "a token, and three feeds");

    // Whoever is no longer read is there all the same: out of scope, and not missing.
    wanted("Exclude");
    let read = synced(&desk, &entra);
    assert_eq!((&read["cyd@other.example"], team(&read)), (&json!(false), 1));
}

#[test]
fn a_wrong_spec_is_refused_before_anything_is_asked() {
    let entra = Entra::start();
    let (tenant, app, secret_id) = {
        let inner = entra.inner();
        (inner.tenant.id.to_string(), inner.app.id.to_string(), inner.app.secret_id.to_string())
    };
    let by_secret = "clientSecretRef: { name: graph, key: client-secret }";
    for (said, secret, credential) in [
        ("holds the secret's ID; put its value there", secret_id.as_str(), by_secret),
        ("has no key tls.crt", "x", "certificateSecretRef: { name: graph }"),
        ("a service account's token goes to the cloud's own authority alone", "x", "workloadIdentity: {}"),
    ] {
        let desk = Desk::new();
        desk.write("manifests.yaml", with(&entra, &tenant, &app, secret, credential, ""));
        sync(&desk, &entra, &[]).exits(2).says(said);
    }
    assert_eq!(entra.asked(), []);
}

#[test]
fn a_tenant_is_one_by_its_domain_as_by_its_id_and_another_one_is_refused() {
    let entra = Entra::start();
    entra.inner().tenant.user("ann", &json!({}));
    let desk = desk(&entra);
    let before = synced(&desk, &entra);
    let by_domain = |domain: &str| {
        let id = entra.inner().tenant.id.to_string();
        let text = manifests(&entra, "").replace(&id, domain);
        desk.write("manifests.yaml", text);
        sync(&desk, &entra, &[])
    };
    by_domain("corp.onmicrosoft.test").exits(0);
    by_domain("other.example").exits(1).says("there is no tenant other.example in the cloud Public");
    entra.inner().tenant.id = Uuid::new_v4();
    by_domain("corp.onmicrosoft.test").exits(1).says("nothing was used");
    assert_eq!(registry(&desk), before);
}

/// A right that shows no more of somebody than that there is such an object: they are an exception, and stay as they were.
#[test]
fn of_whom_nothing_shows_stays_as_they_were() {
    let entra = Entra::start();
    let (ann, bob, team) = {
        let tenant = &mut entra.inner().tenant;
        let (ann, bob) = (tenant.user("ann", &json!({})), tenant.user("bob", &json!({})));
        let team = tenant.group("Team", &json!({}));
        tenant.put(team, ann, true);
        tenant.put(team, bob, true);
        (ann, bob, team)
    };
    let desk = desk(&entra);
    let before = synced(&desk, &entra);
    for veiled in [vec![ann], vec![team], vec![ann, bob, team]] {
        entra.inner().tenant.veiled = BTreeSet::from_iter(veiled);
        for full in [false, true] {
            if full {
                entra.fail("users/delta?$deltatoken", 410, &[], "{}");
            }
            entra.inner().tenant.set(ann, &json!({ "jobTitle": format!("Clerk {full}") }));
            entra.inner().tenant.set(team, &json!({ "description": format!("of {full}") }));
            sync(&desk, &entra, &[]).says("shows nothing of it but its id");
            assert_eq!(registry(&desk), before);
        }
    }
    entra.inner().tenant.veiled.clear();
    entra.inner().tenant.set(ann, &json!({ "jobTitle": "Clerk" }));
    assert_eq!(synced(&desk, &entra), before);
}

#[test]
fn hidden_members_stay_until_they_are_shown() {
    let entra = Entra::start();
    let (ann, bob, board) = {
        let mut inner = entra.inner();
        inner.app.permissions.insert("Member.Read.Hidden");
        let tenant = &mut inner.tenant;
        let (ann, bob) = (tenant.user("ann", &json!({})), tenant.user("bob", &json!({})));
        let board = tenant.group("Board", &json!({ "visibility": "HiddenMembership" }));
        tenant.put(board, ann, true);
        (ann, bob, board)
    };
    let desk = desk(&entra);
    assert_eq!(synced(&desk, &entra)["Board"], json!(["ann@corp.example"]));
    {
        let mut inner = entra.inner();
        inner.app.permissions.remove("Member.Read.Hidden");
        inner.tenant.put(board, bob, true);
        inner.tenant.put(board, ann, false);
    }
    entra.fail("users/delta", 410, &[], "{}");
    sync(&desk, &entra, &[]);
    assert_eq!(registry(&desk)["Board"], json!(["ann@corp.example"]), "who is hidden is not gone");
    // A feed tells no more than the name, and a list that is asked for is empty.
    {
        let tenant = &mut entra.inner().tenant;
        tenant.sparse = true;
        tenant.set(board, &json!({ "displayName": "The board" }));
    }
    sync(&desk, &entra, &[]);
    assert_eq!(registry(&desk)["The board"], json!(["ann@corp.example"]), "an empty list says nothing");
    entra.inner().tenant.set(board, &json!({ "displayName": "Board" }));
    entra.inner().app.permissions.insert("Member.Read.Hidden");
    entra.fail("users/delta", 410, &[], "{}");
    assert_eq!(synced(&desk, &entra)["Board"], json!(["bob@corp.example"]));
}

#[test]
fn who_needs_no_proxy_goes_by_none() {
    let entra = Entra::start();
    entra.inner().tenant.user("ann", &json!({}));
    let desk = desk(&entra);
    let nowhere = ("HTTPS_PROXY", "http://127.0.0.1:1");
    sync(&desk, &entra, &[nowhere]).exits(1).says("cannot be reached");
    let ran = sync(&desk, &entra, &[nowhere, ("NO_PROXY", "127.0.0.1")]).exits(0);
    ran.says("other hosts than the cloud's own are used");
}

#[test]
fn a_certificate_proves_the_app_too() {
    let entra = Entra::start();
    let (known, strange) = (Signing::new(), Signing::new());
    let (tenant, app) = {
        let mut inner = entra.inner();
        inner.app.trust(&known);
        inner.tenant.user("ann", &json!({}));
        (inner.tenant.id.to_string(), inner.app.id.to_string())
    };
    let desk = Desk::new();
    let write = |signing: &Signing| {
        let indented = |pem: &str| pem.trim_end().replace('\n', "\n    ");
        let secret = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{ name: cert, namespace: test }}\ntype: kubernetes.io/tls\nstringData:\n  \
             tls.crt: |\n    {}\n  tls.key: |\n    {}\n---\n",
            indented(&signing.certificate),
            indented(&signing.key)
        );
        let rest = with(&entra, &tenant, &app, "x", "certificateSecretRef: { name: cert }", "");
        desk.write("manifests.yaml", secret + &rest);
    };
    write(&known);
    assert_eq!(synced(&desk, &entra)["ann@corp.example"], true);
    write(&strange);
    sync(&desk, &entra, &[]).exits(1).says("does not have this certificate");
    let expired = Signing::until(2026, 1, 31);
    entra.inner().app.trust(&expired);
    write(&expired);
    entra.asked();
    sync(&desk, &entra, &[]).exits(1).says("expired on 2026-01-31; create a new one and add it to the app");
    assert_eq!(entra.asked(), [], "it was not even shown");
    // A clock that is off by less than is forgiven, and by more.
    write(&known);
    for (ahead, code) in [(200, 0), (-200, 0), (7200, 1), (-7200, 1)] {
        entra.inner().clock_ahead = ahead;
        let ran = sync(&desk, &entra, &[]).exits(code);
        assert!(code == 0 || ran.said().contains("synchronize this machine's clock"), "{}", ran.said());
        assert_eq!(registry(&desk)["ann@corp.example"], true);
    }
}

/// A source that reads the stand-in.
fn source(entra: &Entra, credential: Credential, literal: &[&str]) -> EntraSource {
    EntraSource::new(config(entra, credential, literal))
}

/// The same, with the client secret.
pub(crate) fn by_secret(entra: &Entra, literal: &[&str]) -> EntraSource {
    let secret = entra.inner().app.secret.clone();
    source(entra, Credential::Secret(Secret::new(secret)), literal)
}

fn config(entra: &Entra, credential: Credential, literal: &[&str]) -> EntraConfig {
    let inner = entra.inner();
    EntraConfig {
        tenant: inner.tenant.id.to_string(),
        client: inner.app.id.to_string(),
        cloud: Cloud::Public,
        credential,
        authority: Some(entra.url()),
        graph: Some(entra.url()),
        ca_pem: Some(entra.ca.clone().into_bytes()),
        contacts: false,
        literal: literal.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// A whole read: what came, and how it ended.
async fn read(source: &EntraSource) -> (Vec<Change>, Result<Completion, SourceError>) {
    let (sink, mut batches) = mpsc::channel::<Batch>(1);
    let taking = async {
        let mut changes = Vec::new();
        while let Some(batch) = batches.recv().await {
            changes.extend(batch.0);
        }
        changes
    };
    let (end, changes) = tokio::join!(source.read(None, sink.into()), taking);
    (changes, end)
}

#[tokio::test]
async fn the_pods_token_is_read_anew_each_time() {
    let entra = Entra::start();
    entra.inner().app.federated.insert("the-second-token".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let source = source(&entra, Credential::Federated(ClusterToken::File(file.clone())), &[]);
    let why = read(&source).await.1.unwrap_err();
    assert!(why.message.contains("cannot be read"), "{}", why.message);
    std::fs::write(&file, "the-first-token").unwrap();
    let why = read(&source).await.1.unwrap_err();
    assert!(why.message.contains("no federated credential of the app matches"), "{}", why.message);
    std::fs::write(&file, "the-second-token\n").unwrap();
    read(&source).await.1.unwrap();
}

#[tokio::test]
async fn a_tenant_holds_to_the_contract_of_sources() {
    let entra = Entra::start();
    let secret = {
        let mut inner = entra.inner();
        let tenant = &mut inner.tenant;
        (tenant.page, tenant.slice) = (7, 3);
        let team = tenant.group("Team", &json!({}));
        for number in 0..30 {
            let one = tenant.user(&format!("user-{number}"), &json!({ "employeeType": "contractor" }));
            tenant.put(team, one, true);
        }
        inner.app.secret.clone()
    };
    let config = config(&entra, Credential::Secret(Secret::new(secret)), &["employeeType"]);
    source_contract::holds(&SourceConfig::EntraId(config), "employeeType").await;
}

#[tokio::test]
async fn look_ups_come_by_twenties_and_those_that_had_to_wait_again() {
    let entra = Entra::start();
    let secret = entra.inner().app.secret.clone();
    let there: Vec<Uuid> = {
        let tenant = &mut entra.inner().tenant;
        (0..30).map(|number| tenant.user(&format!("user-{number}"), &json!({}))).collect()
    };
    let gone: Vec<Uuid> = (0..30).map(|_| Uuid::new_v4()).collect();
    let anchors: Vec<Anchor> = there.iter().chain(&gone).map(|id| Anchor::new(id.to_string())).collect();
    let called: HashMap<Anchor, String> =
        anchors.iter().map(|anchor| (anchor.clone(), format!("users/{anchor}"))).collect();
    let path: &'static str = Box::leak(format!("/users/{}?$select=id", gone[0]).into_boxed_str());
    entra.fail(path, 429, &[("Retry-After", "1")], "{}");
    let denied: &'static str = Box::leak(format!("/users/{}?$select=id", gone[1]).into_boxed_str());
    entra.fail(denied, 403, &[], "{}");
    let proxied: &'static str = Box::leak(format!("/users/{}?$select=id", gone[2]).into_boxed_str());
    entra.fail(proxied, 404, &[], "{}");
    let source = source(&entra, Credential::Secret(Secret::new(secret)), &[]);
    let settled = source.look_up(&anchors, &called).await.unwrap().unwrap();
    assert_eq!(settled.found, [], "who is there was not left out by anybody");
    assert_eq!(settled.called.len(), there.len());
    let missing: BTreeSet<&str> = settled.missing.iter().map(Anchor::as_str).collect();
    assert_eq!(
        missing.len(),
        gone.len() - 2,
        "who may not be looked at, or is not there by another's word, is not gone"
    );
    assert!(missing.contains(gone[0].to_string().as_str()));
    let batches = entra.asked().iter().filter(|it| it.target.ends_with("/$batch")).count();
    assert_eq!(batches, 4, "three, and one again");
}

#[tokio::test]
async fn many_are_read_as_they_are_made() {
    let entra = Entra::start();
    let secret = {
        let mut inner = entra.inner();
        inner.tenant.made = Made { users: 2000, groups: 20, members: 300 };
        inner.app.secret.clone()
    };
    let source = source(&entra, Credential::Secret(Secret::new(secret)), &[]);
    let (changes, end) = read(&source).await;
    end.unwrap();
    let entries: Vec<&Entry> = changes
        .iter()
        .map(|change| match change {
            Change::Replace(one) => &**one,
            other => panic!("{other:?}"),
        })
        .collect();
    let members: usize = entries.iter().map(|entry| entry.members.references().len()).sum();
    assert_eq!((entries.len(), members), (2020, 20 * 300));
}

/// They come from whom the service is: what they cannot do with the stand-in, they could not do with it.
#[test]
fn microsofts_own_clients_take_the_stand_in_for_it() {
    let entra = Entra::start();
    let signing = Signing::new();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let facts = {
        let mut inner = entra.inner();
        inner.app.trust(&signing);
        inner.app.federated.insert("the-pods-token".to_owned());
        let tenant = &mut inner.tenant;
        (tenant.page, tenant.slice, tenant.untidy) = (3, 2, true);
        let team = tenant.group("Team", &json!({}));
        for number in 0..5 {
            let one = tenant.user(&format!("user-{number}"), &json!({ "department": "Sales" }));
            tenant.put(team, one, true);
        }
        let left = tenant.user("left", &json!({}));
        json!({
            "url": entra.url(), "tenant": tenant.id, "left": left, "team": team,
            "client": inner.app.id, "secret": inner.app.secret, "secret_id": inner.app.secret_id,
            "certificate": file("cert.pem", &format!("{}{}", signing.key, signing.certificate)),
            "key": signing.key, "public": signing.certificate,
            "pod": file("pod", "the-pods-token"),
        })
    };
    let (ca, facts) = (file("ca.pem", &entra.ca), file("facts.json", &facts.to_string()));
    let root = env!("CARGO_MANIFEST_DIR");
    let client = Command::new(format!("{root}/scripts/cloud-client")).arg("entra").output().unwrap();
    let client = Ran::of(&client).exits(0);
    let mut python = Command::new(format!("{}/python", client.out.trim()));
    python.arg(format!("{root}/tests/independent/entra.py")).arg(facts);
    python.env("REQUESTS_CA_BUNDLE", &ca).env("SSL_CERT_FILE", &ca);
    Ran::of(&python.output().unwrap()).exits(0);
}

/// The one for Python cannot read what is answered to a batch.
#[test]
fn microsofts_client_for_javascript_reads_what_is_answered_to_a_batch() {
    let entra = Entra::start();
    let folder = tempfile::tempdir().unwrap();
    let busy = "/users/who-has-to-wait";
    let facts = {
        let mut inner = entra.inner();
        let tenant = &mut inner.tenant;
        let team = tenant.group("Team", &json!({}));
        let there: Vec<Uuid> =
            (0..5).map(|number| tenant.user(&format!("user-{number}"), &json!({}))).collect();
        for one in &there {
            tenant.put(team, *one, true);
        }
        json!({
            "url": entra.url(), "tenant": tenant.id, "client": inner.app.id, "secret": inner.app.secret,
            "there": there[0], "gone": Uuid::new_v4(), "team": team, "busy": busy,
        })
    };
    entra.fail(
        busy,
        429,
        &[("Retry-After", "7"), ("content-type", "application/json")],
        "{\"error\":{\"code\":\"TooManyRequests\"}}",
    );
    let (ca, path) = (folder.path().join("ca.pem"), folder.path().join("facts.json"));
    std::fs::write(&ca, &entra.ca).unwrap();
    std::fs::write(&path, facts.to_string()).unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    let client = Command::new(format!("{root}/scripts/cloud-client")).arg("graph-js").output().unwrap();
    let modules = Ran::of(&client).exits(0).out;
    let mut node = Command::new("node");
    node.arg(format!("{root}/tests/independent/batch.cjs")).arg(path);
    node.env("NODE_PATH", modules.trim()).env("NODE_EXTRA_CA_CERTS", &ca);
    Ran::of(&node.output().unwrap()).exits(0);
}

#[test]
fn whoever_opens_the_address_of_a_missing_consent_can_give_it() {
    let entra = Entra::start();
    entra.inner().app.permissions.clear();
    entra.inner().tenant.user("ann", &json!({}));
    let desk = desk(&entra);
    let said = sync(&desk, &entra, &[]).exits(1).said();
    let at = said.find("/adminconsent?client_id=").expect("the address is said");
    let begin = said[..at].rfind("https://").unwrap();
    let end = said[at..]
        .find(|sign: char| sign.is_whitespace() || "\"\\".contains(sign))
        .map_or(said.len(), |end| at + end);
    let address = &said[begin..end];
    let path = address.strip_prefix(&entra.url()).unwrap();
    let page = |path: &str| web::page_of(entra.address, &entra.ca, path).is(200).body;
    assert!(page(path).contains("Permissions requested"));
    assert!(page(&format!("{path}&answer=decline")).contains("declined"));
    sync(&desk, &entra, &[]).exits(1).says("no administrator has consented");
    assert!(page(&format!("{path}&answer=accept")).contains("granted"));
    assert_eq!(synced(&desk, &entra)["ann@corp.example"], true);
}
