//! What it costs to fill a SCIM service, and what that withstands: `make scim-large` brings 10,000 users and 100,000 memberships to
//! a real one, every test run a small part of that.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use rollcall::clock::SystemClock;
use rollcall::directory::{Anchor, ConnectorName, DirectoryId, Key, Owner};
use rollcall::net::http::{Ask, Http, Method, Url};
use rollcall::source::ldif::LdifSource;
use rollcall::spec::{self, Runnable};
use rollcall::store::Store;
use rollcall::sync::import::import;
use rollcall::sync::run::{Options, RunResult, Work, run};
use rollcall::target::turn::{Executors, May};
use serde_json::{Value, json};

use crate::support::cli::{Desk, command};
use crate::support::faults::{Dice, count, pass, tell};
use crate::support::reading;
use crate::support::scim::{Kind, Server, TOKEN, Truth};
use crate::support::toxiproxy::Toxiproxy;

/// From so many users on the bound of the rate holds; below, what begins and ends a run weighs too much.
const LARGE: u64 = 10_000;
/// Connections, as many as Rollcall has.
const AT_ONCE: usize = 4;
/// Members in one request, as many as Rollcall sends.
const TOGETHER: usize = 100;

/// So many people; for every twenty of them there is a group of up to 200.
#[derive(Clone, Copy)]
struct Company {
    people: u64,
}

impl Company {
    fn groups(self) -> u64 {
        self.people / 20
    }

    /// The numbers of the members of a group.
    fn members(self, group: u64) -> impl Iterator<Item = u64> {
        let most = 200.min(self.people / 2);
        // Seven has no divisor in common with a round number, so nobody comes twice.
        (0..most).map(move |member| (group * 37 + member * 7) % self.people)
    }

    /// As a directory exports it, everybody with this title.
    fn export(self, title: &str) -> String {
        let mut ldif = String::new();
        for number in 0..self.people {
            write!(
                ldif,
                "dn: uid=p{number},ou=people,dc=corp\nobjectClass: inetOrgPerson\nuid: p{number}\ncn: P {number}\nsn: P\n\
                 title: {title}\nmail: p{number}@corp.example\nentryUUID: p{number}\n\n"
            )
            .unwrap();
        }
        for group in 0..self.groups() {
            write!(
                ldif,
                "dn: cn=team{group},ou=groups,dc=corp\nobjectClass: groupOfNames\ncn: team{group}\n"
            )
            .unwrap();
            for member in self.members(group) {
                writeln!(ldif, "member: uid=p{member},ou=people,dc=corp").unwrap();
            }
            write!(ldif, "entryUUID: team{group}\n\n").unwrap();
        }
        format!("{ldif}# numEntries: {}\n", self.people + self.groups())
    }

    /// What a service is to hold of it.
    fn truth(self) -> Truth {
        let key = |of: String| {
            let owner = Owner::new("test", "all");
            Key::new(&owner, &DirectoryId::new("dc=corp"), &Anchor::new(of)).to_string()
        };
        let mut truth = Truth::default();
        for number in 0..self.people {
            let name = format!("p{number}@corp.example");
            truth.users.insert(name.clone(), (key(format!("p{number}")), true, name));
        }
        for group in 0..self.groups() {
            let mut members: Vec<_> =
                self.members(group).map(|member| format!("p{member}@corp.example")).collect();
            members.sort();
            truth.groups.insert(format!("team{group}"), members);
        }
        truth
    }
}

fn manifests(ldif: &str, url: &str) -> String {
    format!(
        "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: corp, namespace: test }}\n\
         spec: {{ ldif: {{ path: {ldif}, directoryID: dc=corp }} }}\n---\n\
         apiVersion: v1\nkind: Secret\nmetadata: {{ name: app, namespace: test }}\nstringData: {{ token: {TOKEN} }}\n---\n\
         apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: all, namespace: test }}\nspec:\n  \
         connectors: [{{ name: corp }}]\n  \
         target: {{ scim: {{ url: \"{url}\", insecure: true, credentials: {{ tokenSecretRef: {{ name: app, key: token }} }} }} }}\n  \
         users: {{ attributes: {{ title: user.title }} }}\n"
    )
}

/// Somebody else at the service, who does one thing after the other on each connection.
struct Plain {
    http: Http,
    base: String,
}

impl Plain {
    fn new(server: &Server) -> Self {
        Self { http: Http::insecure(None).unwrap(), base: server.url() }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let url = Url::parse(&format!("{}/{path}", self.base)).unwrap();
        let mut ask = Ask::of(method, url).bearer(TOKEN.as_bytes()).unwrap();
        if let Some(body) = body {
            ask = ask.carrying(body.to_string().into_bytes(), "application/scim+json");
        }
        let answer = self.http.ask(ask, 64 << 20).await.unwrap();
        assert!((200..300).contains(&answer.status), "{path}: {}", answer.status);
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    /// Makes an object, after it was asked so often whether it is there; returns its id.
    async fn make(&self, kind: &str, key: &str, looks: u64, object: Value) -> String {
        for _ in 0..looks {
            self.ask(Method::GET, &format!("{kind}?filter=externalId%20eq%20%22{key}%22"), None).await;
        }
        self.ask(Method::POST, kind, Some(object)).await["id"].as_str().unwrap().to_owned()
    }

    async fn user(&self, name: &str, looks: u64) -> String {
        let object = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name, "externalId": name, "active": true,
            "displayName": name, "name": { "familyName": "P" }, "title": "Clerk",
            "emails": [{ "value": name, "type": "work", "primary": true }],
        });
        self.make("Users", name, looks, object).await
    }

    async fn group(&self, name: &str, looks: u64) -> String {
        let schemas = ["urn:ietf:params:scim:schemas:core:2.0:Group"];
        let object = json!({ "schemas": schemas, "displayName": name, "externalId": name });
        self.make("Groups", name, looks, object).await
    }

    async fn put_in(&self, group: &str, members: &[&String]) {
        let value: Vec<_> = members.iter().map(|member| json!({ "value": member })).collect();
        let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
        let operations = [json!({ "op": "add", "path": "members", "value": value })];
        let body = json!({ "schemas": schemas, "Operations": operations });
        self.ask(Method::PATCH, &format!("Groups/{group}"), Some(body)).await;
    }

    /// Does the same as a first run of Rollcall.
    async fn fill(&self, company: Company, looks: [u64; 2]) {
        let users: Vec<String> = futures::stream::iter(0..company.people)
            .map(|number| async move { self.user(&format!("p{number}@corp.example"), looks[0]).await })
            .buffered(AT_ONCE)
            .collect()
            .await;
        let groups: Vec<String> = futures::stream::iter(0..company.groups())
            .map(|group| async move { self.group(&format!("team{group}"), looks[1]).await })
            .buffered(AT_ONCE)
            .collect()
            .await;
        let users = &users;
        let fill = |(group, id): (u64, String)| async move {
            let members: Vec<_> =
                company.members(group).map(|member| &users[usize::try_from(member).unwrap()]).collect();
            for some in members.chunks(TOGETHER) {
                self.put_in(&id, some).await;
            }
        };
        futures::stream::iter((0..).zip(groups)).for_each_concurrent(AT_ONCE, fill).await;
    }
}

/// A first run in this process, without the read of the directory; returns how long it took.
async fn first_run(company: Company, server: &Server) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let source = LdifSource::new(reading::export(&company.export("Clerk")));
    let connector = ConnectorName::new("test", "corp");
    import(&source, &store, &connector, reading::options(), &SystemClock, |_| {}).await.unwrap();
    let Runnable { policy, target, .. } = runnable(&server.url());
    let began = Instant::now();
    let (turns, clock) = (Executors::default(), Arc::new(SystemClock));
    let target = target.open_service(None, &turns, || May::Yes, clock).await.unwrap().unwrap();
    let work = Work { store: &store, target: &target, policy, rebuild: spec::rebuild, clock: &SystemClock };
    let report = run(work, Options::default(), |_, _| {}).await.unwrap();
    let took = began.elapsed();
    assert_eq!(report.result(), RunResult::InStep, "{:?}", report.failed);
    assert_eq!((report.in_step.users, report.in_step.groups), (company.people, company.groups()));
    took
}

fn runnable(url: &str) -> Runnable {
    let mut known = spec::manifest::Manifests::default();
    known.text("test", &manifests("none", url), None);
    spec::resolve(&known.objects).policies[0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_is_filled_at_the_rate_at_which_it_takes_it() {
    let company = Company { people: count("PEOPLE", 60) };
    let server = Server::start(Kind::Scim2Server);
    let took = first_run(company, &server).await;
    let asked = server.asked();
    let looks = |of: &str, each: u64| {
        let looks = asked.iter().filter(|(method, to)| method == "GET" && to.contains(of)).count() as u64;
        (looks + each / 2) / each
    };
    let looks = [looks("/Users?filter=", company.people), looks("/Groups?filter=", company.groups())];
    let ours = asked.len();
    assert_eq!(server.truth(), company.truth());

    let server = Server::start(Kind::Scim2Server);
    let before = server.asked().len();
    let plain = Plain::new(&server);
    let began = Instant::now();
    plain.fill(company, looks).await;
    let plainly = began.elapsed();
    let theirs = server.asked().len() - before;
    #[expect(clippy::cast_precision_loss, reason = "shown to people")]
    let rates = [ours as f64 / took.as_secs_f64(), theirs as f64 / plainly.as_secs_f64()];
    let ratio = rates[0] / rates[1];
    tell(format_args!(
        "{} users, {} groups, {} memberships: {ours} requests in {took:.1?} ({:.0} a second); a plain loop of {AT_ONCE} \
         connections: {theirs} requests in {plainly:.1?} ({:.0} a second); {:.0} % of its rate",
        company.people,
        company.groups(),
        (0..company.groups()).map(|group| company.members(group).count()).sum::<usize>(),
        rates[0],
        rates[1],
        ratio * 100.0,
    ));
    if company.people >= LARGE {
        assert!(ours.abs_diff(theirs) * 50 <= ours, "the plain loop does something else");
        assert!(ratio >= 0.9, "{ratio}");
    }
}

/// What may go wrong between Rollcall and the service: what toxiproxy does, and how.
fn toxic(dice: &mut Dice) -> Option<(&'static str, Value)> {
    Some(match dice.below(8) {
        0 => ("latency", json!({ "latency": dice.below(40), "jitter": 20 })),
        1 => ("bandwidth", json!({ "rate": 20 + dice.below(200) })),
        2 => ("reset_peer", json!({ "timeout": dice.below(2000) })),
        3 => ("timeout", json!({ "timeout": 1 + dice.below(2000) })),
        4 => ("limit_data", json!({ "bytes": 1000 + dice.below(200_000) })),
        5 => ("slicer", json!({ "average_size": 100, "size_variation": 50, "delay": 200 })),
        _ => return None,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_behind_a_bad_line_it_fills_the_service_with_nobody_twice() {
    let company = Company { people: count("PEOPLE", 60) };
    let (kills, mut dice) = (count("KILLS", 6), Dice::new());
    let server = Server::start(Kind::Scim2Server);
    let plain = Plain::new(&server);
    let mut expected = company.truth();
    for number in 0..20 {
        let (user, group) = (format!("foreign{number}@corp.example"), format!("Foreign {number}"));
        let id = plain.user(&user, 0).await;
        let team = plain.group(&group, 0).await;
        plain.put_in(&team, &[&id]).await;
        expected.users.insert(user.clone(), (user.clone(), true, user.clone()));
        expected.groups.insert(group, vec![user]);
    }
    let mut proxy = Toxiproxy::start(server.port);
    let desk = Desk::new();
    let url = format!("http://127.0.0.1:{}/v2", proxy.port);
    desk.write("manifests.yaml", manifests("export.ldif", &url));
    // Whatever it takes: about as much as all of the kills leave.
    let longest = Duration::from_millis(1500 + company.people * 80 / kills.max(1));
    let (mut title, mut killed, mut ended) = (0, 0, 0);
    while killed < kills {
        desk.write("export.ldif", company.export(&format!("Clerk {title}")));
        if let Some((kind, how)) = toxic(&mut dice) {
            proxy.poison(kind, &how);
        }
        let (manifests, data) = (desk.path("manifests.yaml"), desk.path("data"));
        let arguments = ["sync", "-f", manifests.to_str().unwrap(), "--data", data.to_str().unwrap()];
        let log = std::fs::File::create(desk.path("log")).unwrap();
        let mut child = command(&arguments).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        pass(longest.mul_f64(dice.unit()));
        let by_itself = child.try_wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        match by_itself {
            None => killed += 1,
            Some(status) => {
                ended += 1;
                // There is something to be done again.
                title += u64::from(status.success());
            }
        }
        // What hangs in it goes with it.
        let port = proxy.port;
        drop(proxy);
        proxy = Toxiproxy::at(port, Ipv4Addr::LOCALHOST, server.port);
    }
    let began = Instant::now();
    desk.sync(&[]).exits(0);
    tell(format_args!(
        "{killed} kills of `rollcall sync`, {ended} ends by itself behind a bad line, everybody changed {title} times; then \
         in step in {:.1?}",
        began.elapsed()
    ));
    assert_eq!(server.titles().len() as u64, company.people + 20);
    let titled = server.titles().into_iter().filter(|one| *one == format!("Clerk {title}"));
    assert_eq!(titled.count() as u64, company.people);
    assert!(server.truth() == expected, "something else came of it");
}
