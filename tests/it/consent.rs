//! The consent of an administrator, end to end: the operator on a real apiserver and the command, and a real browser that
//! follows the address that they say.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::entra::manifests;
use crate::support::browser::Browser;
use crate::support::cli::{Desk, Ran, command};
use crate::support::cluster::{Cluster, PATIENCE};
use crate::support::entra::Entra;
use crate::support::namespace::Namespace;
use crate::support::office::{condition, in_step_with, is};
use crate::support::operator::Operator;
use crate::support::port::own_port;
use crate::support::process::eventually;
use crate::support::web;

/// A tenant with three people, none of whom anybody may read yet.
fn tenant(back: &str) -> Entra {
    let entra = Entra::start();
    {
        let mut inner = entra.inner();
        inner.app.permissions.clear();
        inner.app.redirects.insert(format!("{back}/consent/callback"));
        for name in ["ann", "bob", "zoe"] {
            inner.tenant.user(name, &json!({}));
        }
    }
    entra
}

fn message(object: &Value, type_: &str) -> String {
    let all = object["status"]["conditions"].as_array().unwrap();
    let one = all.iter().find(|it| it["type"] == type_).unwrap();
    one["message"].as_str().unwrap().to_owned()
}

fn events(namespace: &Namespace<'_>) -> Vec<Value> {
    let events = namespace.all("events.events.k8s.io");
    events.into_values().filter(|event| event["regarding"]["name"] == "entra").collect()
}

fn asked_page(entra: &Entra) -> String {
    let inner = entra.inner();
    format!("{}/{}/adminconsent?client_id={}", inner.authority, inner.tenant.id, inner.app.id)
}

fn read_now(namespace: &Namespace<'_>) {
    let value = format!("rollcall.dev/sync-requested-at={}", uuid::Uuid::new_v4());
    namespace.annotate("dirconn", "entra", &value);
}

#[test]
fn an_administrator_consents_in_a_browser_and_the_connector_reads() {
    let port = own_port();
    let (here, address) = (format!("http://localhost:{port}"), format!("127.0.0.1:{port}"));
    let entra = tenant(&here);
    let namespace = Cluster::shared().namespace();
    let consent = ["--consent-external-url", here.as_str(), "--consent-address", address.as_str()];
    let mut operator = Operator::start_with(&namespace, &[&namespace], &consent);
    operator.secret(&entra.inner().app.secret);
    operator.secret("eyJ0.");
    // Nothing but an answer can be the reason that it is read again.
    let seldom = "  interval: 20m\n  retryInterval: 20m";
    let text =
        manifests(&entra, seldom).replace("namespace: test", &format!("namespace: {}", namespace.name()));
    namespace.apply(&text);

    let connector = namespace.until("dirconn", "entra", is("Consented", "False", "ConsentMissing"));
    assert_eq!(condition(&connector, "Ready"), Some(("False", "ConsentMissing")));
    assert_eq!(condition(&connector, "EndpointsOverridden"), Some(("True", "EndpointsOverridden")));
    let (said, page) = (message(&connector, "Consented"), asked_page(&entra));
    let ours = format!("{here}/consent/{}/entra", namespace.name());
    assert!(
        said.contains(&format!("open {page}. ")) && said.ends_with(&format!("open instead {ours}")),
        "{said}"
    );
    let told = |reason: &str, part: &str| {
        let is = |event: &&Value| event["reason"] == reason && event["note"].as_str().unwrap().contains(part);
        events(&namespace).iter().find(is).is_some_and(|event| event["type"] == "Warning")
    };
    for (reason, part) in [("ConsentMissing", page), ("EndpointsOverridden", entra.url())] {
        eventually(PATIENCE, reason, || told(reason, &part).then_some(()));
    }

    let browser = Browser::start();
    browser.open(&ours);
    assert!(browser.page().contains("Permissions requested"), "{}", browser.page());
    browser.click("decline");
    assert!(browser.page().contains("The consent was declined"), "{}", browser.page());
    let first = browser.url();
    operator.secret(first.split("state=").nth(1).unwrap());
    let declined = namespace.until("dirconn", "entra", is("Consented", "False", "ConsentDeclined"));
    assert_eq!(condition(&declined, "Ready"), Some(("False", "ConsentDeclined")));

    browser.open(&ours);
    browser.click("accept");
    assert!(browser.page().contains("Thank you"), "{}", browser.page());
    operator.secret(browser.url().split("state=").nth(1).unwrap());
    namespace.wait("dirconn", "entra", "condition=Ready");
    namespace.until("dirconn", "entra", is("Consented", "True", "Consented"));
    namespace.until("syncpol", "all", in_step_with(3));
    // What was asked is answered.
    browser.open(&ours);
    assert!(browser.page().contains("No consent is missing here"), "{}", browser.page());
    browser.open(&first);
    assert!(browser.page().contains("This answer came before"), "{}", browser.page());

    // The answers of nobody: pages that run nothing, and show nothing of what came.
    let nobody = "/consent/callback?admin_consent=True&state=%3Cscript%3Ex%3C%2Fscript%3E";
    let answer = web::ask(address.parse::<SocketAddr>().unwrap(), "GET", nobody, &[], "").is(400);
    assert!(!answer.body.contains("script"), "{}", answer.body);
    let policy = answer.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );

    entra.inner().app.permissions.clear();
    read_now(&namespace);
    let gone = namespace.until("dirconn", "entra", is("Consented", "False", "ConsentWithdrawn"));
    assert!(message(&gone, "Consented").starts_with("the consent was withdrawn: "));
    let policy = namespace.until("syncpol", "all", is("Ready", "False", "SourceFailed"));
    assert_eq!(policy["status"]["inStep"]["users"], 3, "nobody is removed");
}

/// The command with what it says, until it has said where to go: the page, and what reads the rest of it.
fn asking(desk: &Desk, port: u16) -> (String, impl FnOnce() -> Ran + use<>) {
    let (manifests, address) = (desk.path("manifests.yaml"), format!("127.0.0.1:{port}"));
    let mut command =
        command(&["consent", "-f", manifests.to_str().unwrap(), "--address", &address, "--timeout", "60s"]);
    let log = desk.path("said.log");
    command.env("ROLLCALL_LOG", "trace").stderr(File::create(&log).unwrap());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut out = String::new();
    let page = lines.find_map(|line| {
        let line = line.unwrap();
        out.push_str(&line);
        out.push('\n');
        line.split_once("administrator of the tenant: ").map(|(_, page)| page.to_owned())
    });
    let rest = move || {
        out.extend(lines.map(|line| line.unwrap() + "\n"));
        let mut ran = Ran::of(&child.wait_with_output().unwrap());
        ran.out = out;
        ran.err = std::fs::read_to_string(log).unwrap();
        ran
    };
    (page.expect("it says where to go"), rest)
}

/// Follows the page to the question, and answers it; what our own page says then, and the state that it was asked with.
fn answer(entra: &Entra, page: &str, what: &str) -> (String, String) {
    let url = url::Url::parse(page).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], url.port().unwrap()));
    let led = web::ask(address, "GET", url.path(), &[], "").is(303);
    let question = led.header("location").unwrap().strip_prefix(&entra.url()).unwrap().to_owned();
    let back = web::page_of(entra.address, &entra.ca, &format!("{question}&answer={what}")).is(302);
    let back = url::Url::parse(back.header("location").unwrap()).unwrap();
    let state = back.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let target = format!("{}?{}", back.path(), back.query().unwrap());
    (web::ask(address, "GET", &target, &[], "").is(200).body, state)
}

#[test]
fn the_command_asks_on_loopback_and_says_what_is_missing() {
    let port = own_port();
    let entra = tenant(&format!("http://localhost:{port}"));
    let desk = Desk::new();
    desk.write("manifests.yaml", manifests(&entra, ""));
    let secret = entra.inner().app.secret.clone();
    let keeps = |ran: &Ran, state: &str| {
        for secret in [secret.as_str(), "eyJ0.", state] {
            assert!(!ran.said().contains(secret), "it said a secret:\n{}", ran.said());
        }
    };

    let (page, rest) = asking(&desk, port);
    let (said, state) = answer(&entra, &page, "decline");
    assert!(said.contains("The consent was declined"), "{said}");
    let ran = rest().exits(1).says("an administrator declined to consent").says(&asked_page(&entra));
    keeps(&ran, &state);

    // What an answer says is not believed.
    let (page, rest) = asking(&desk, port);
    entra.inner().app.permissions.insert("GroupMember.Read.All");
    answer(&entra, &page, "decline");
    rest().exits(1).says("the application permission User.Read.All is missing");

    let (page, rest) = asking(&desk, port);
    let (said, state) = answer(&entra, &page, "accept");
    assert!(said.contains("Thank you"), "{said}");
    let ran = rest().exits(0).says("has the permissions that it needs");
    keeps(&ran, &state);

    // Nothing is asked of whoever has it.
    let manifests = desk.path("manifests.yaml");
    let again = command(&["consent", "-f", manifests.to_str().unwrap()]).output().unwrap();
    Ran::of(&again).exits(0).says("has the permissions that it needs");
    let elsewhere = ["consent", "-f", manifests.to_str().unwrap(), "--address", "0.0.0.0:8484"];
    Ran::of(&command(&elsewhere).output().unwrap()).exits(2).says("can be reached from other machines");
    let other = ["consent", "-f", manifests.to_str().unwrap(), "--connector", "test/other"];
    Ran::of(&command(&other).output().unwrap()).exits(2).says("no such DirectoryConnector");
}
