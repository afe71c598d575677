//! Google Workspace from end to end: the real binary reads a customer of the stand-in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rollcall::clock::Clock;
use rollcall::directory::Anchor;
use rollcall::net::oauth::{Account, AccountKey, Keyless, Signing};
use rollcall::secret::Secret;
use rollcall::source::google::{Endpoints, GoogleConfig, GoogleSource, Whose};
use rollcall::source::{Source as _, SourceConfig};
use serde_json::{Value, json};

use crate::entra::{in_step, registry};
use crate::source_contract;
use crate::support::cli::{Desk, Ran};
use crate::support::cloud_lives::{Place, corp};
use crate::support::cluster::{Cluster, PATIENCE};
use crate::support::google::{Customer, Google, Inner, Kind, Made, SCOPES};
use crate::support::office::{Registry, condition, in_step_with, is};
use crate::support::operator::Operator;
use crate::support::process::eventually;
use crate::support::proxy::Proxy;

/// The manifests of a connector that reads the stand-in, with these lines for its `googleWorkspace` and for the
/// policy.
fn manifests(google: &Google, lines: &str, policy: &str) -> String {
    let key = google.inner().account.file("https://elsewhere.test/token").to_string();
    let admin = google.inner().customer.admin.clone();
    let ca = google.ca.replace('\n', "\n    ");
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: google, namespace: test }}\nstringData:\n  key.json: {}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: ca, namespace: test }}\ndata:\n  ca.crt: |\n    {ca}\n---\n\
         apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: google, namespace: test }}\n\
         spec:\n  googleWorkspace:\n    adminEmail: {admin}\n    tls: {{ caRef: {{ name: ca }} }}\n{lines}\n---\n\
         apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: all, namespace: test }}\nspec:\n  \
         connectors: [{{ name: google }}]\n  target: {{ registry: {{}} }}\n  limits: {{ userRemovals: {{ count: 100, percent: \
         100 }}, memberRemovals: {{ count: 100, percent: 100 }}, memberRemovalsPerGroup: {{ percent: 100 }} }}\n{policy}",
        json!(key)
    )
}

/// At the stand-in, by its key.
pub(crate) fn by_key(google: &Google) -> String {
    let url = google.url();
    format!(
        "    credentials: {{ serviceAccountKeyRef: {{ name: google, key: key.json }} }}\n    \
         endpoints: {{ directory: \"{url}\", token: \"{url}\" }}\n    requestsPerMinute: 1000000"
    )
}

pub(crate) fn all(google: &Google) -> String {
    manifests(google, &by_key(google), "")
}

fn desk(google: &Google) -> Desk {
    let desk = Desk::new();
    desk.write("manifests.yaml", all(google));
    desk
}

/// Reads and runs; nothing of what it says is a secret.
fn sync(desk: &Desk, google: &Google, environment: &[(&str, &str)]) -> Ran {
    let ran = desk.sync_aloud(environment);
    let (inner, said) = (google.inner(), ran.said());
    let key = inner.account.key.lines().nth(3).unwrap();
    for secret in inner.secrets().chain([key]) {
        assert!(!said.contains(secret), "it said a secret:\n{said}");
    }
    drop(inner);
    ran
}

fn synced(desk: &Desk, google: &Google) -> BTreeMap<String, Value> {
    sync(desk, google, &[]).exits(0);
    registry(desk)
}

pub(crate) fn config(google: &Google, literal: &[&str]) -> GoogleConfig {
    let inner = google.inner();
    let key = AccountKey::read(&Secret::new(inner.account.file("").to_string())).unwrap();
    GoogleConfig {
        whose: Whose::Customer(Whose::MINE.to_owned()),
        admin: inner.customer.admin.clone(),
        account: inner.account.email.clone(),
        credential: Account { subject: inner.customer.admin.clone(), signing: Signing::Key(key) },
        per_minute: 1_000_000,
        endpoints: Endpoints { directory: Some(google.url()), token: Some(google.url()) },
        ca_pem: Some(google.ca.clone().into_bytes()),
        literal: literal.iter().map(|name| (*name).to_owned()).collect(),
    }
}

pub(crate) fn source(google: &Google, literal: &[&str]) -> GoogleSource {
    GoogleSource::new(config(google, literal))
}

/// Google's own client, which reads all that is there when it is asked.
struct Independent {
    child: Child,
    _folder: tempfile::TempDir,
}

fn facts(google: &Google, more: &Value) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (ca, path) = (folder.path().join("ca.pem"), folder.path().join("facts.json"));
    std::fs::write(&ca, &google.ca).unwrap();
    let inner = google.inner();
    let mut facts = json!({
        "url": google.url(), "key": inner.account.file(&format!("{}/token", google.url())), "ca": ca,
        "admin": inner.customer.admin, "customer": inner.customer.id,
    });
    facts.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    std::fs::write(&path, facts.to_string()).unwrap();
    (folder, path)
}

fn python(folder: &tempfile::TempDir, arguments: &[&std::path::Path], mode: &str) -> Command {
    let root = env!("CARGO_MANIFEST_DIR");
    let client = Command::new(format!("{root}/scripts/cloud-client")).arg("google").output().unwrap();
    let client = Ran::of(&client).exits(0);
    let mut python = Command::new(format!("{}/python", client.out.trim()));
    python.arg(format!("{root}/tests/independent/workspace.py")).arg(mode).args(arguments);
    python.env("REQUESTS_CA_BUNDLE", folder.path().join("ca.pem"));
    python
}

impl Independent {
    fn of(google: &Google) -> Self {
        let (folder, facts) = facts(google, &json!({}));
        let mut python = python(&folder, &[&facts], "read");
        let child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        Self { child, _folder: folder }
    }

    /// All that is there: who is active, and who is in each group by any path.
    fn read(&mut self, customer: &str) -> BTreeMap<String, Value> {
        writeln!(self.child.stdin.as_mut().unwrap()).unwrap();
        let mut line = String::new();
        BufReader::new(self.child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let all: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let users = all["users"].as_object().unwrap();
        let groups = all["groups"].as_object().unwrap();
        let in_it = |group: &str| {
            let (mut open, mut seen, mut members) =
                (vec![group.to_owned()], BTreeSet::new(), BTreeSet::new());
            while let Some(group) = open.pop() {
                for member in groups.get(&group).into_iter().flat_map(|it| it[1].as_array().unwrap()) {
                    let (kind, id) = (member[0].as_str().unwrap(), member[1].as_str().unwrap());
                    match kind {
                        "CUSTOMER" if id == customer => {
                            members.extend(users.values().filter_map(|user| user[0].as_str()));
                        }
                        "GROUP" if seen.insert(id.to_owned()) => open.push(id.to_owned()),
                        _ => members.extend(users.get(id).and_then(|user| user[0].as_str())),
                    }
                }
            }
            let members: BTreeSet<&str> = members;
            json!(members)
        };
        let users = users.values().map(|user| (user[0].as_str().unwrap().to_owned(), user[1].clone()));
        users
            .chain(groups.iter().map(|(id, group)| (group[0].as_str().unwrap().to_owned(), in_it(id))))
            .collect()
    }
}

impl Drop for Independent {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().ok();
    }
}

#[test]
fn a_customer_is_read() {
    let google = Google::start();
    let ann = {
        let customer = &mut google.inner().customer;
        let ann =
            customer.user("ann", &json!({ "organizations": [{ "department": "Sales", "title": "Clerk" }] }));
        let bob = customer.user("bob", &json!({ "suspended": true, "suspensionReason": "ADMIN" }));
        let old = customer.user("old", &json!({ "archived": true }));
        let (sales, all) = (customer.group("Sales", &json!({})), customer.group("All", &json!({})));
        for (group, member) in [(&sales, &ann), (&sales, &old), (&all, &sales), (&all, &bob)] {
            customer.put(group, member, true);
        }
        customer.put_as(&all, "900000000000000000001", Kind::External("eve@other.example".to_owned()), true);
        ann
    };
    let desk = desk(&google);
    let read = synced(&desk, &google);
    assert_eq!(read["ann@corp.example"], true);
    assert!(!read.contains_key("bob@corp.example"), "who is suspended when first seen is not created");
    assert!(!read.contains_key("old@corp.example"), "who is archived neither");
    assert_eq!((&read["Sales"], &read["All"]), (&json!(["ann@corp.example"]), &json!(["ann@corp.example"])));
    google.inner().customer.set(&ann, &json!({ "suspended": true }));
    assert_eq!(synced(&desk, &google)["ann@corp.example"], false);
    google.inner().customer.set(&ann, &json!({ "suspended": false }));
    assert_eq!(synced(&desk, &google)["ann@corp.example"], true);
    google.inner().customer.forget_user(&ann);
    let read = synced(&desk, &google);
    assert_eq!((&read["ann@corp.example"], &read["All"]), (&json!(false), &json!([])));
}

/// Whoever has the address of somebody who left, or is called otherwise, is nobody of whom a list says anything.
#[test]
fn who_gets_a_leavers_address_inherits_no_membership() {
    let google = Google::start();
    let [ann, bob, team] = {
        let customer = &mut google.inner().customer;
        let [ann, bob] = ["ann", "bob"].map(|name| customer.user(name, &json!({})));
        let team = customer.group("Team", &json!({}));
        customer.put(&team, &ann, true);
        customer.put(&team, &bob, true);
        [ann, bob, team]
    };
    let desk = Desk::new();
    desk.write("manifests.yaml", manifests(&google, &by_key(&google), POLICY));
    assert_eq!(synced(&desk, &google)["Team"], json!(["ann@corp.example", "bob@corp.example"]));
    let second = {
        let customer = &mut google.inner().customer;
        customer.forget_user(&ann);
        customer.set(&bob, &json!({ "primaryEmail": "bob.old@corp.example", "aliases": [] }));
        customer.user("bob", &json!({}));
        customer.user("ann", &json!({}))
    };
    let read = synced(&desk, &google);
    assert_eq!(read["Team"], json!(["bob.old@corp.example"]));
    assert_eq!((&read["ann@corp.example"], &read["bob@corp.example"]), (&json!(true), &json!(true)));
    google.inner().customer.put(&team, &second, true);
    assert_eq!(synced(&desk, &google)["Team"], json!(["ann@corp.example", "bob.old@corp.example"]));
}

/// What happens to the customer.
type Step = (&'static str, Box<dyn Fn(&mut Customer)>);

const POLICY: &str = "  users: { recreated: Relink, emailDomains: [corp.example] }\n";

/// The life of a person and of her groups.
fn life(google: &Google) -> Vec<Step> {
    let customer_id = google.inner().customer.id.clone();
    let (zoe, team, all) = {
        let customer = &mut google.inner().customer;
        customer.page = 3;
        let zoe = customer.user("zoe", &json!({}));
        let (team, all) = (customer.group("Team", &json!({})), customer.group("All", &json!({})));
        customer.put(&all, &team, true);
        for number in 0..7 {
            let one = customer.user(&format!("user-{number}"), &json!({}));
            customer.put(&team, &one, true);
        }
        (zoe, team, all)
    };
    let on = |id: &String, more: Value| {
        let id = id.clone();
        Box::new(move |customer: &mut Customer| customer.set(&id, &more)) as Box<dyn Fn(&mut Customer)>
    };
    let put = |group: &String, member: &String, is_in: bool| {
        let (group, member) = (group.clone(), member.clone());
        Box::new(move |customer: &mut Customer| customer.put(&group, &member, is_in))
            as Box<dyn Fn(&mut Customer)>
    };
    let delete = |is_deleted: bool| {
        let zoe = zoe.clone();
        Box::new(move |customer: &mut Customer| customer.delete_user(&zoe, is_deleted))
            as Box<dyn Fn(&mut Customer)>
    };
    let everybody = |is_in: bool| {
        let (all, id) = (all.clone(), customer_id.clone());
        Box::new(move |customer: &mut Customer| customer.put_as(&all, &id, Kind::Customer, is_in))
            as Box<dyn Fn(&mut Customer)>
    };
    let gone = team.clone();
    let (club_in, club_of) = (all.clone(), zoe.clone());
    let forgotten = zoe.clone();
    vec![
        ("created", Box::new(|_| {})),
        (
            "renamed",
            on(&zoe, json!({ "primaryEmail": "zoe.li@corp.example", "aliases": ["zoe@corp.example"] })),
        ),
        ("given a department", on(&zoe, json!({ "organizations": [{ "department": "Sales" }] }))),
        ("into a nested group", put(&team, &zoe, true)),
        ("out of it", put(&team, &zoe, false)),
        ("in again", put(&team, &zoe, true)),
        ("suspended", on(&zoe, json!({ "suspended": true }))),
        ("back", on(&zoe, json!({ "suspended": false }))),
        ("archived", on(&zoe, json!({ "archived": true }))),
        ("back again", on(&zoe, json!({ "archived": false }))),
        ("everybody in a group", everybody(true)),
        (
            "one more is there, and so in it",
            Box::new(|customer| drop(customer.user("new", &json!({ "isGuestUser": true })))),
        ),
        ("not everybody in it", everybody(false)),
        ("deleted", delete(true)),
        ("restored", delete(false)),
        ("the group renamed", on(&team, json!({ "name": "Crew", "email": "crew@corp.example" }))),
        ("the group deleted", Box::new(move |customer| customer.delete_group(&gone))),
        (
            "a group that is new",
            Box::new(move |customer| {
                let club = customer.group("Club", &json!({}));
                customer.put(&club, &club_of, true);
                customer.put(&club_in, &club, true);
            }),
        ),
        ("deleted for good", Box::new(move |customer| customer.forget_user(&forgotten))),
        ("made anew with the same address", Box::new(|customer| drop(customer.user("zoe.li", &json!({}))))),
    ]
}

/// Fails with what differs between what is in step and what Google's own client reads, of whom the names in `known` were there
/// before.
fn compare(
    read: &BTreeMap<String, Value>,
    there: &BTreeMap<String, Value>,
    known: &BTreeSet<String>,
) -> Result<(), String> {
    // Whoever is gone for the directory stays in the registry, and may do nothing.
    if let Some(left) = read.keys().find(|name| !there.contains_key(*name) && read[*name] != false) {
        return Err(format!("{left} is in step, and not there"));
    }
    for (name, value) in there {
        match read.get(name) {
            // Who is suspended stays in the groups in which Google has them, and who is so when first seen is not created.
            Some(found) if found == value => {}
            None if *value == false && !known.contains(name) => {}
            found => return Err(format!("{name}: {found:?} and not {value}")),
        }
    }
    Ok(())
}

/// One desk reads again and again, another everything each time; Google's own client says what is there.
#[test]
fn each_step_of_a_life_is_as_googles_own_client_reads_it() {
    let google = Google::start();
    let (again, fresh) = (Desk::new(), Desk::new());
    for desk in [&again, &fresh] {
        desk.write("manifests.yaml", manifests(&google, &by_key(&google), POLICY));
    }
    let customer_id = google.inner().customer.id.clone();
    let steps = life(&google);
    let mut google_reads = Independent::of(&google);
    let mut known: BTreeSet<String> = BTreeSet::new();
    for (what, step) in steps {
        step(&mut google.inner().customer);
        let read = synced(&again, &google);
        let there = google_reads.read(&customer_id);
        compare(&read, &there, &known).unwrap_or_else(|why| panic!("{what}: {why}: {read:?}"));
        known.extend(there.into_keys());
        std::fs::remove_dir_all(fresh.path("data")).ok();
        let fresh = synced(&fresh, &google);
        // Who is suspended when first seen is not created.
        let active = |value: &Value| match value.as_array() {
            Some(members) => {
                members.iter().filter(|who| read[who.as_str().unwrap()] == true).cloned().collect()
            }
            None => value.clone(),
        };
        for (name, value) in &fresh {
            assert_eq!(read.get(name).map(&active).as_ref(), Some(value), "{what}: {name}");
        }
    }
}

/// The same, by the operator on a real apiserver.
#[test]
fn each_step_of_a_life_arrives_through_the_operator_as_googles_own_client_reads_it() {
    let google = Google::start();
    let customer_id = google.inner().customer.id.clone();
    let steps = life(&google);
    let namespace = Cluster::shared().namespace();
    let mut operator = Operator::start(&namespace);
    operator.secret(google.inner().account.key.lines().nth(3).unwrap());
    let text = manifests(&google, &format!("{}\n  interval: 20m", by_key(&google)), POLICY);
    namespace.apply(&text.replace("namespace: test", &format!("namespace: {}", namespace.name())));
    let mut google_reads = Independent::of(&google);
    let mut known: BTreeSet<String> = BTreeSet::new();
    for (what, step) in steps {
        step(&mut google.inner().customer);
        let asked = uuid::Uuid::new_v4().to_string();
        namespace.annotate("dirconn", "google", &format!("rollcall.dev/sync-requested-at={asked}"));
        namespace.until("dirconn", "google", |it| {
            it["status"]["lastHandledSyncRequestedAt"] == *asked && is("Ready", "True", "Read")(it)
        });
        let there = google_reads.read(&customer_id);
        let policy = format!("{}/all", namespace.name());
        eventually(PATIENCE, what, || {
            let read = in_step(&Registry::of(&operator, &policy).resources());
            compare(&read, &there, &known).ok()
        });
        known.extend(there.into_keys());
    }
    namespace.wait("syncpol", "all", "condition=Ready");
}

/// Google's own client takes the stand-in for it, and its description of the API holds for what we ask and what is answered.
#[tokio::test(flavor = "multi_thread")]
async fn googles_own_client_and_description_agree() {
    let google = Google::start();
    let (facts_more, [ann, team]) = {
        let mut inner = google.inner();
        inner.talk.keeps = true;
        let customer = &mut inner.customer;
        let job = json!({ "customSchemas": { "Job": { "grade": "7" }, "Other": { "x": "y" } } });
        let ann = customer.user("ann", &job);
        let (team, other, empty) = (
            customer.group("Team", &json!({ "aliases": ["crew@corp.example"] })),
            customer.group("Other", &json!({})),
            customer.group("Empty", &json!({})),
        );
        for number in 0..6 {
            let one = customer.user(&format!("user-{number}"), &json!({}));
            customer.put(&team, &one, true);
        }
        customer.user("far", &json!({ "primaryEmail": "far@branch.example" }));
        customer.put(&team, &other, true);
        let id = customer.id.clone();
        customer.put_as(&team, &id, Kind::Customer, true);
        customer.put_as(&team, "900000000000000000001", Kind::External("eve@other.example".to_owned()), true);
        let left = customer.user("left", &json!({}));
        customer.delete_user(&left, true);
        let more = json!({
            "users": customer.users().len(), "deleted": left, "team": team, "empty": empty,
            "methods": ["users.list", "users.get", "groups.list", "groups.get", "members.list"],
        });
        (more, [ann, team])
    };
    let (folder, path) = facts(&google, &facts_more);
    let mut ask = python(&folder, &[&path], "check");
    let ran = tokio::task::spawn_blocking(move || Ran::of(&ask.output().unwrap())).await.unwrap();
    ran.exits(0);

    // Only what we ask ourselves, and what is answered to it: all kinds of lists, pages and look-ups.
    google.inner().talk.answered.clear();
    for literal in [&[][..], &["orgUnitPath", "customSchemas.Job.grade", "adminCreated", "isGuestUser"]] {
        google.inner().customer.page = 2;
        let source = source(&google, literal);
        let place = Place::of(source);
        place.read().await;
        place.read().await;
        let nobody = Anchor::new("404");
        let asked = [Anchor::new(ann.clone()), Anchor::new(team.clone()), nobody];
        let settled = place.source.look_up(&asked, &HashMap::new()).await;
        assert_eq!(settled.unwrap().unwrap().missing.len(), 1);
    }
    let exchanges: Vec<Value> = google
        .inner()
        .talk
        .answered
        .iter()
        .map(|(asked, status, body)| json!([asked.method, asked.target, status, body]))
        .collect();
    let file = folder.path().join("exchanges.json");
    std::fs::write(&file, json!(exchanges).to_string()).unwrap();
    let mut ask = python(&folder, &[&path, &file], "hold");
    let ran = tokio::task::spawn_blocking(move || Ran::of(&ask.output().unwrap())).await.unwrap().exits(0);
    let held: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(held["held"]["directory.members.list"].as_u64().unwrap() > 6, "{held}");
}

#[tokio::test]
async fn a_second_read_asks_less_and_writes_nothing() {
    let google = Google::start();
    let (teams, users) = {
        let customer = &mut google.inner().customer;
        let users: Vec<String> =
            (0..50).map(|number| customer.user(&format!("u{number}"), &json!({}))).collect();
        let teams: Vec<String> =
            (0..80).map(|number| customer.group(&format!("g{number}"), &json!({}))).collect();
        for (number, team) in teams.iter().enumerate() {
            for user in users.iter().skip(number % 30).take(20) {
                customer.put(team, user, true);
            }
        }
        (teams, users)
    };
    let place = Place::of(source(&google, &[]));
    place.read().await;
    let first = google.asked().len();
    let sequence = place.store.snapshot_info(&corp()).unwrap().unwrap().sequence;
    let mut asked_for: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..4 {
        let again = place.read().await;
        let asked = google.asked();
        assert_eq!((again.changed, again.removed, again.unsettled), (0, 0, 0));
        assert!(asked.len() * 10 <= first * 6, "{} of {first}", asked.len());
        for one in asked.iter().filter(|one| one.target.contains("/members")) {
            *asked_for.entry(one.target.split('?').next().unwrap().to_owned()).or_default() += 1;
        }
    }
    assert_eq!(
        place.store.snapshot_info(&corp()).unwrap().unwrap().sequence,
        sequence,
        "nothing was written"
    );
    assert_eq!(asked_for.len(), 80, "after some reads each list was asked for again");
    assert!(asked_for.values().all(|times| *times == 1));

    // What shows is seen at once.
    google.inner().customer.put(&teams[0], &users[0], false);
    assert_eq!(place.read().await.changed, 1);
    assert_eq!(place.members(&teams[0]), Some(19));
    // One in place of another does not show: it is seen after some reads, or when everything is read.
    {
        let customer = &mut google.inner().customer;
        customer.put(&teams[1], &users[1], false);
        customer.put(&teams[1], &users[45], true);
    }
    let mut seen = 0;
    for _ in 0..4 {
        seen += place.read().await.changed;
    }
    assert_eq!(seen, 1);
    {
        let customer = &mut google.inner().customer;
        customer.put(&teams[2], &users[2], false);
        customer.put(&teams[2], &users[45], true);
    }
    place.clock.advance(Duration::from_hours(1));
    let whole = place.read().await;
    assert!(whole.changed == 1 && whole.missed <= 1, "{whole:?}");
    assert_eq!(place.read().await.changed, 0);
}

#[tokio::test]
async fn a_customer_holds_to_the_contract_of_sources() {
    let google = Google::start();
    {
        let customer = &mut google.inner().customer;
        customer.page = 7;
        let team = customer.group("Team", &json!({}));
        for number in 0..30 {
            let one = customer.user(&format!("user-{number}"), &json!({ "orgUnitPath": "/Staff" }));
            customer.put(&team, &one, true);
        }
    }
    let config = config(&google, &["orgUnitPath"]);
    source_contract::holds(&SourceConfig::GoogleWorkspace(config), "orgUnitPath").await;
}

#[tokio::test]
async fn many_are_read_as_they_are_made() {
    let google = Google::start();
    google.inner().customer.made = Made { users: 2000, groups: 20, members: 300 };
    let place = Place::of(source(&google, &[]));
    let read = place.read().await.info;
    assert_eq!((read.users, read.groups), (2001, 20));
    assert_eq!(place.members("02made0000003"), Some(300));
}

#[tokio::test]
async fn who_is_in_a_group_by_being_a_customer_is_in_it() {
    let google = Google::start();
    let (all, strange) = {
        let customer = &mut google.inner().customer;
        for number in 0..5 {
            customer.user(&format!("u{number}"), &json!({}));
        }
        let (all, strange) = (customer.group("All", &json!({})), customer.group("Strange", &json!({})));
        let id = customer.id.clone();
        customer.put_as(&all, &id, Kind::Customer, true);
        customer.put_as(&strange, "C0another", Kind::Customer, true);
        (all, strange)
    };
    let place = Place::of(source(&google, &[]));
    place.read().await;
    assert_eq!(place.members(&all), Some(6));
    assert_eq!(place.members(&strange), None, "who is everybody elsewhere is not known");
    google.inner().customer.user("one-more", &json!({}));
    place.read().await;
    assert_eq!(place.members(&all), Some(7));
}

#[tokio::test]
async fn who_is_deleted_is_told_and_others_are_looked_up() {
    let google = Google::start();
    let [ann, bob, cid, team] = {
        let customer = &mut google.inner().customer;
        let users = ["ann", "bob", "cid"].map(|name| customer.user(name, &json!({})));
        let team = customer.group("Team", &json!({}));
        let [ann, bob, cid] = users;
        [ann, bob, cid, team]
    };
    let place = Place::of(source(&google, &[]));
    place.read().await;
    google.asked();
    {
        let customer = &mut google.inner().customer;
        customer.delete_user(&ann, true);
        customer.forget_user(&bob);
        customer.delete_group(&team);
    }
    let read = place.read().await;
    assert_eq!((read.removed, read.unsettled), (3, 0));
    let looked_up: BTreeSet<String> = google
        .asked()
        .into_iter()
        .map(|asked| asked.target)
        .filter(|target| target.contains("fields=id%2C") && !target.contains("directory-reader"))
        .filter_map(|target| target.split('?').next()?.rsplit('/').next().map(str::to_owned))
        .collect();
    assert_eq!(looked_up, BTreeSet::from([bob, team]), "of whom nobody said that they were deleted");
    // Deleted users answer so for 20 days.
    let settled = place.source.look_up(&[Anchor::new(ann)], &HashMap::new()).await.unwrap().unwrap();
    assert_eq!(settled.missing.len(), 1);
    let hers = "{\"error\":{\"code\":404}}";
    google.fail("/users/1", 404, &[("content-type", "application/json")], hers);
    let settled = place.source.look_up(&[Anchor::new(cid)], &HashMap::new()).await.unwrap().unwrap();
    assert_eq!(settled.missing, [], "somebody else's 404 says nothing");
}

#[test]
fn one_domain_is_a_part_and_who_leaves_it_is_outside() {
    let google = Google::start();
    let far = {
        let customer = &mut google.inner().customer;
        customer.user("ann", &json!({}));
        customer.user("far", &json!({ "primaryEmail": "far@branch.example" }))
    };
    let desk = Desk::new();
    let lines = format!("{}\n    domain: branch.example", by_key(&google));
    desk.write("manifests.yaml", manifests(&google, &lines, ""));
    let read = synced(&desk, &google);
    assert_eq!(read.keys().collect::<Vec<_>>(), ["far@branch.example"]);
    {
        let customer = &mut google.inner().customer;
        customer.user("near", &json!({ "primaryEmail": "near@branch.example" }));
        customer.set(&far, &json!({ "primaryEmail": "far@corp.example" }));
    }
    assert_eq!(synced(&desk, &google)["far@branch.example"], false);
    desk.write(
        "manifests.yaml",
        manifests(&google, &format!("{}\n    domain: nowhere.example", by_key(&google)), ""),
    );
    sync(&desk, &google, &[]).exits(1).says("does not know the customer or domain");
}

/// What is said, and of what.
type Wrong<'w> = (&'static str, Box<dyn Fn() + 'w>);

const JSON: (&str, &str) = ("content-type", "application/json");

/// What is wrong, and what is said of it; what was read before stays as it was.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn whatever_goes_wrong_is_said_and_removes_nobody() {
    let google = Google::start();
    {
        let customer = &mut google.inner().customer;
        customer.page = 1;
        let (ann, team) = (customer.user("ann", &json!({})), customer.group("Team", &json!({})));
        customer.user("bob", &json!({}));
        customer.put(&team, &ann, true);
    }
    let desk = desk(&google);
    let before = synced(&desk, &google);
    let users = "/users?";
    let right = || {
        let mut inner = google.inner();
        inner.rights = ["users", "groups"].into();
        inner.account.delegated = SCOPES.into();
        (inner.account.is_key_deleted, inner.account.is_disabled, inner.account.refused) =
            (false, false, None);
        (inner.is_enabled, inner.lets_apis, inner.clock_ahead) = (true, true, 0);
        inner.customer.admin = "directory-reader@corp.example".to_owned();
        inner.customer.hidden.clear();
    };
    let wrongs: Vec<Wrong<'_>> = vec![
        ("nothing is delegated to it", Box::new(|| google.inner().account.delegated.clear())),
        (
            "https://admin.google.com/ac/owl/domainwidedelegation",
            Box::new(|| google.inner().account.delegated.clear()),
        ),
        (
            "add to the scopes of the client ID 104857600000000000001: https://www.googleapis.com/auth/admin.directory.group.readonly",
            Box::new(|| _ = google.inner().account.delegated.remove(SCOPES[1])),
        ),
        ("the key does not exist any more", Box::new(|| google.inner().account.is_key_deleted = true)),
        (
            "Synchronize this machine's clock with a time service",
            Box::new(|| google.inner().clock_ahead = 2 * 3600),
        ),
        (
            "Synchronize this machine's clock with a time service",
            Box::new(|| google.inner().clock_ahead = -2 * 3600),
        ),
        ("Enable it in the Google Cloud console", Box::new(|| google.inner().account.is_disabled = true)),
        ("App access control", Box::new(|| google.inner().account.refused = Some("admin_policy_enforced"))),
        ("for its own organization only", Box::new(|| google.inner().account.refused = Some("org_internal"))),
        (
            "there is no user adminEmail",
            Box::new(|| google.inner().customer.admin = "gone@corp.example".to_owned()),
        ),
        (
            "console.cloud.google.com/apis/library/admin.googleapis.com",
            Box::new(|| google.inner().is_enabled = false),
        ),
        ("does not let APIs be used", Box::new(|| google.inner().lets_apis = false)),
        ("https://admin.google.com/ac/roles", Box::new(|| _ = google.inner().rights.remove("users"))),
        ("Groups: Read", Box::new(|| _ = google.inner().rights.remove("groups"))),
        (
            "not JSON",
            Box::new(|| google.fail(users, 200, &[("content-type", "text/html")], "<html>Log in</html>")),
        ),
        (
            "truncated",
            Box::new(|| {
                google.fail(
                    users,
                    200,
                    &[JSON],
                    "{\"kind\":\"admin#directory#users\",\"users\":[{\"id\":\"1",
                );
            }),
        ),
        ("truncated", Box::new(|| google.fail(users, 200, &[JSON], ""))),
        (
            "something else than a list of users",
            Box::new(|| google.fail(users, 200, &[JSON], "{\"kind\":\"admin#directory#groups\"}")),
        ),
        ("truncated", Box::new(|| google.fail(users, 200, &[JSON], "{\"error\":{\"code\":403}}"))),
        (
            "redirected the request",
            Box::new(|| google.fail(users, 302, &[("location", "https://127.0.0.1:1/")], "")),
        ),
        (
            "no longer knows where this read was",
            Box::new(|| {
                let body = "{\"error\":{\"code\":400,\"errors\":[{\"reason\":\"invalid\"}],\"message\":\"Invalid Input: pageToken\"}}";
                google.fail("pageToken=", 400, &[JSON], body);
            }),
        ),
        (
            "leads to a page that was read before",
            Box::new(|| {
                for _ in 0..2 {
                    let page = "{\"kind\":\"admin#directory#users\",\"nextPageToken\":\"again\"}";
                    google.fail(users, 200, &[JSON], page);
                }
            }),
        ),
        (
            "limits our requests for 3,600 seconds (403, quotaExceeded)",
            Box::new(|| {
                let body = "{\"error\":{\"code\":403,\"errors\":[{\"reason\":\"quotaExceeded\"}]}}";
                google.fail(users, 403, &[JSON, ("retry-after", "3600")], body);
            }),
        ),
        (
            "is busy or failing",
            Box::new(|| google.fail("/groups?", 503, &[("retry-after", "900")], "<html>")),
        ),
        (
            "rejected the token",
            Box::new(|| {
                for _ in 0..2 {
                    google.fail(users, 401, &[JSON], "{}");
                }
            }),
        ),
    ];
    for (said, wrong) in wrongs {
        wrong();
        let ran = sync(&desk, &google, &[]).exits(1).says(said);
        assert_eq!(registry(&desk), before, "{said}: {}", ran.said());
        right();
        google.inner().talk.faults.clear();
    }
    // What passes by itself is waited for.
    let soon = ("retry-after", "0");
    let quota =
        |reason: &str| format!("{{\"error\":{{\"code\":403,\"errors\":[{{\"reason\":\"{reason}\"}}]}}}}");
    let team = google.inner().customer.groups()[0].clone();
    google.inner().customer.set(&team, &json!({ "description": "changed, so that its list is asked for" }));
    google.fail(users, 403, &[JSON, soon], &quota("userRateLimitExceeded"));
    google.fail("/members", 403, &[JSON, soon], &quota("quotaExceeded"));
    google.fail("/groups?", 429, &[JSON, soon], &quota("rateLimitExceeded"));
    google.fail("/users?", 503, &[soon], "");
    google.fail(users, 401, &[JSON], "{}");
    google.fail("/token", 503, &[soon], "");
    assert_eq!(synced(&desk, &google), before);
    assert!(google.inner().talk.faults.is_empty(), "all of it was met");
    // A list that nobody is shown is known in part.
    {
        let customer = &mut google.inner().customer;
        let other = customer.group("Other", &json!({}));
        customer.set(&team, &json!({ "description": "changed again" }));
        customer.hidden.insert(team);
        let users = customer.users();
        let ann =
            users.iter().find(|id| customer.property(id, "primaryEmail") == Some(json!("ann@corp.example")));
        customer.put(&other, ann.unwrap(), true);
    }
    // Also where no other list is asked for, as nothing changed: lists take turns.
    for _ in 0..5 {
        sync(&desk, &google, &[]).says("who is in it is not shown");
    }
    let read = registry(&desk);
    assert_eq!((&read["Team"], &read["Other"]), (&json!(["ann@corp.example"]), &json!(["ann@corp.example"])));
}

#[test]
fn a_wrong_spec_is_refused_before_anything_is_asked() {
    let google = Google::start();
    let url = google.url();
    let file = google.inner().account.file("").to_string();
    let by_key = "serviceAccountKeyRef: { name: google, key: key.json }";
    let keyless = "workloadIdentity: { serviceAccountEmail: a@b.iam.gserviceaccount.com, provider: projects/1/locations/global/workloadIdentityPools/p/providers/q }";
    for (said, key, lines) in [
        (
            "must say \"type\": \"service_account\"",
            file.replace("service_account\"", "authorized_user\""),
            format!("    credentials: {{ {by_key} }}"),
        ),
        (
            "is not the JSON file of a service account's key",
            "AIzaSy".to_owned(),
            format!("    credentials: {{ {by_key} }}"),
        ),
        (
            "has no client_email",
            file.replace("client_email", "e"),
            format!("    credentials: {{ {by_key} }}"),
        ),
        (
            "name a customer or a domain, and not both",
            file.clone(),
            format!("    credentials: {{ {by_key} }}\n    customer: C1\n    domain: a.example"),
        ),
        ("name exactly one credential", file.clone(), format!("    credentials: {{ {by_key}, {keyless} }}")),
        (
            "leave out endpoints",
            file.clone(),
            format!("    credentials: {{ {keyless} }}\n    endpoints: {{ token: \"{url}\" }}"),
        ),
        (
            "no provider of a workload identity pool",
            file.clone(),
            format!("    credentials: {{ {} }}", keyless.replace("/locations", "/x")),
        ),
        (
            "must be https:// and a host",
            file.clone(),
            format!("    credentials: {{ {by_key} }}\n    endpoints: {{ token: \"http://a\" }}"),
        ),
    ] {
        let desk = Desk::new();
        let text = manifests(&google, &lines, "").replace(&json!(file).to_string(), &json!(key).to_string());
        let text = text.replace(
            &json!(google.inner().account.file("https://elsewhere.test/token").to_string()).to_string(),
            &json!(key).to_string(),
        );
        desk.write("manifests.yaml", text);
        sync(&desk, &google, &[]).exits(2).says(said);
    }
    assert_eq!(google.asked(), []);
}

#[test]
fn another_customer_is_refused_and_its_id_asks_for_less() {
    let google = Google::start();
    google.inner().customer.user("ann", &json!({}));
    let desk = desk(&google);
    let before = synced(&desk, &google);
    let admin = |asked: &[crate::support::cloud::Asked]| {
        asked.iter().any(|it| it.target.contains("users/directory-reader"))
    };
    assert!(admin(&google.asked()));
    let id = google.inner().customer.id.clone();
    desk.write("manifests.yaml", manifests(&google, &format!("{}\n    customer: {id}", by_key(&google)), ""));
    assert_eq!(synced(&desk, &google), before);
    assert!(!admin(&google.asked()));
    desk.write("manifests.yaml", all(&google));
    {
        let customer = &mut google.inner().customer;
        customer.id = "C0another".to_owned();
        for user in customer.users() {
            customer.set(&user, &json!({ "customerId": "C0another" }));
        }
    }
    sync(&desk, &google, &[]).exits(1).says("nothing was used");
    assert_eq!(registry(&desk), before);
}

/// Without a key: the pod's token, Google's token exchange, and IAM that signs, at Google's own hosts.
#[tokio::test]
async fn a_pod_proves_the_account_without_a_key() {
    let google = Google::start();
    let folder = tempfile::tempdir().unwrap();
    let pod = folder.path().join("token");
    google.inner().account.pods.insert("the-pods-token".to_owned());
    let (provider, email) = {
        let inner = google.inner();
        (inner.account.provider.to_owned(), inner.account.email.clone())
    };
    let (sts, iam) = (format!("{}/v1/token", google.url()).parse().unwrap(), google.url().parse().unwrap());
    let keyless = Keyless { provider, pod_token: pod.clone(), sts, iam };
    let mut config = config(&google, &[]);
    config.credential.signing = Signing::Keyless(keyless);
    let place = Place::of(GoogleSource::new(config));
    let why = async || place.try_read().await.unwrap_err().to_string();
    assert!(why().await.contains("cannot be read"));
    std::fs::write(&pod, "another-token").unwrap();
    assert!(why().await.contains("Google does not accept the pod's token"));
    std::fs::write(&pod, "the-pods-token\n").unwrap();
    google.inner().account.may_sign = false;
    let said = why().await;
    assert!(said.contains("roles/iam.serviceAccountTokenCreator") && said.contains(&email), "{said}");
    google.inner().account.may_sign = true;
    assert_eq!(place.read().await.info.users, 1);
}

#[test]
fn googles_own_hosts_are_asked_and_no_others() {
    let google = Google::start();
    google.inner().customer.user("ann", &json!({}));
    let proxy = Proxy::to(google.address);
    let through = [("HTTPS_PROXY", proxy.url.as_str()), ("NO_PROXY", "elsewhere.test")];
    let desk = Desk::new();
    let lines = "    credentials: { serviceAccountKeyRef: { name: google, key: key.json } }";
    desk.write("manifests.yaml", manifests(&google, lines, ""));
    sync(&desk, &google, &through).exits(0);
    assert_eq!(registry(&desk)["ann@corp.example"], true);
    let hosts = ["admin.googleapis.com:443", "oauth2.googleapis.com:443"].map(str::to_owned);
    assert_eq!(BTreeSet::from_iter(proxy.wanted()), BTreeSet::from(hosts));
    desk.write("manifests.yaml", all(&google));
    sync(&desk, &google, &[]).exits(0).says("other hosts than Google's own are used");
}

#[tokio::test]
async fn a_token_that_ends_while_a_read_goes_on_is_replaced() {
    let google = Google::start();
    {
        let mut inner = google.inner();
        (inner.token_uses, inner.customer.page) = (3, 2);
        for number in 0..9 {
            inner.customer.user(&format!("u{number}"), &json!({}));
        }
    }
    let place = Place::of(source(&google, &[]));
    assert_eq!(place.read().await.info.users, 10);
    assert!(google.asked().iter().filter(|it| it.target == "/token").count() > 2);
    assert!(place.clock.now().as_second() > 0);
}

/// The stage at which it shows, its reason, what is said to do, and what is wrong.
type Refusal = (&'static str, &'static str, &'static str, fn(&mut Inner));

/// On a real apiserver each refusal is a condition with its remedy, and what was read stays.
#[test]
fn each_refusal_is_a_condition_of_the_connector() {
    let google = Google::start();
    google.inner().customer.user("ann", &json!({}));
    let namespace = Cluster::shared().namespace();
    let mut operator = Operator::start_with(&namespace, &[&namespace], &[]);
    for secret in [google.inner().account.key.lines().nth(3).unwrap(), "PRIVATE KEY", "ya29."] {
        operator.secret(secret);
    }
    let lines = format!("{}\n  interval: 20m\n  retryInterval: 20m", by_key(&google));
    let text = manifests(&google, &lines, "");
    namespace.apply(&text.replace("namespace: test", &format!("namespace: {}", namespace.name())));
    namespace.wait("dirconn", "google", "condition=Ready");
    namespace.until("syncpol", "all", in_step_with(2));
    let read_now = || {
        let value = format!("rollcall.dev/sync-requested-at={}", uuid::Uuid::new_v4());
        namespace.annotate("dirconn", "google", &value);
    };
    let refusals: [Refusal; 6] = [
        ("Readable", "ConsentMissing", "admin.google.com/ac/owl/domainwidedelegation", |it| {
            it.account.delegated.clear();
        }),
        ("Readable", "PermissionMissing", "admin.directory.group.readonly", |it| {
            it.account.delegated.remove(SCOPES[1]);
        }),
        ("Readable", "AccessDenied", "admin.google.com/ac/roles", |it| it.rights.clear()),
        ("Readable", "AccessDenied", "console.cloud.google.com/apis/library/admin.googleapis.com", |it| {
            it.is_enabled = false;
        }),
        ("Authenticated", "AuthenticationFailed", "no user adminEmail", |it| {
            it.customer.admin = "other@corp.example".to_owned();
        }),
        ("Authenticated", "AuthenticationFailed", "does not exist any more", |it| {
            it.account.is_key_deleted = true;
        }),
    ];
    for (stage, reason, remedy, wrong) in refusals {
        wrong(&mut google.inner());
        read_now();
        let connector = namespace.until("dirconn", "google", |it| {
            let all = it["status"]["conditions"].as_array().unwrap();
            let is =
                |one: &&Value| one["type"] == stage && one["status"] == "False" && one["reason"] == reason;
            all.iter().find(is).is_some_and(|one| one["message"].as_str().unwrap().contains(remedy))
        });
        assert_eq!(condition(&connector, "Ready"), Some(("False", reason)));
        assert_eq!(connector["status"]["directory"]["users"], 2);
        let mut inner = google.inner();
        inner.account.delegated = SCOPES.into();
        (inner.rights, inner.is_enabled) = (["users", "groups"].into(), true);
        inner.customer.admin = "directory-reader@corp.example".to_owned();
        inner.account.is_key_deleted = false;
        drop(inner);
        read_now();
        namespace.until("dirconn", "google", is("Ready", "True", "Read"));
    }
    namespace.until("syncpol", "all", in_step_with(2));
}
