//! SCIM services as targets, end to end: the operator on a real apiserver, the command line, and a real server.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::support::cli::{Desk, rollcall};
use crate::support::cluster::{Cluster, kstatus};
use crate::support::http;
use crate::support::office::{condition, is};
use crate::support::operator::Operator;
use crate::support::port::own_port;
use crate::support::scim::{Kind, Server, TOKEN, Truth};
use crate::support::scim_stand_in::{Habits, StandIn};

const WRONG: &str = "another-token-to-be-seen-nowhere";

/// These people, and a team of them all.
pub(crate) fn export(people: &[&str]) -> String {
    let mut ldif = "dn: dc=corp\nobjectClass: domain\ndc: corp\nentryUUID: base\n\n".to_owned();
    let mut team = "dn: cn=team,dc=corp\nobjectClass: groupOfNames\ncn: team\nentryUUID: team\n".to_owned();
    for name in people {
        write!(
            ldif,
            "dn: uid={name},dc=corp\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n\
             mail: {name}@corp.example\nentryUUID: {name}\n\n"
        )
        .unwrap();
        writeln!(team, "member: uid={name},dc=corp").unwrap();
    }
    format!("{ldif}{team}\n# numEntries: {}\n", people.len() + 2)
}

fn policy(url: &str, more: &str) -> String {
    format!(
        "apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: staff }}\nspec:\n  \
         connectors: [{{ name: corp }}]\n  retryInterval: 1s\n  target:\n    \
         scim: {{ url: \"{url}\", insecure: {}, credentials: {{ tokenSecretRef: {{ name: app, key: token }} }} }}\n{more}",
        url.starts_with("http:")
    )
}

fn token(token: &str) -> String {
    format!(
        "{{ apiVersion: v1, kind: Secret, metadata: {{ name: app }}, stringData: {{ token: {token} }} }}\n"
    )
}

#[test]
fn a_service_is_kept_in_step_by_the_operator_and_says_how_it_is_reached() {
    let server = Server::start(Kind::Scim2Server);
    let namespace = Cluster::shared().namespace();
    let mut operator = Operator::start(&namespace);
    operator.secret(TOKEN);
    operator.secret(WRONG);
    let company = |people: &[&str]| {
        let ldif = export(people).replace('\n', "\n    ");
        namespace.apply(&format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: export }}\ndata:\n  ldif: |\n    {ldif}\n"
        ));
    };
    company(&["ada", "grace", "linus"]);
    namespace.apply(
        "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: { name: corp }\nspec:\n  \
         interval: 10s\n  ldif: { configMapKeyRef: { name: export, key: ldif } }\n",
    );
    namespace.apply(&token(WRONG));
    namespace.apply(&policy(&server.url(), ""));
    // A wrong token is seen as what it is.
    let refused = is("TargetReachable", "False", "AuthenticationFailed");
    let staff = namespace.until("syncpol", "staff", refused);
    assert_eq!(condition(&staff, "Ready"), Some(("False", "Failed")));
    assert_eq!(server.users(), BTreeMap::new());
    // The right one is used without anybody doing anything else.
    namespace.apply(&token(TOKEN));
    let staff = namespace.until("syncpol", "staff", is("Ready", "True", "InStep"));
    assert_eq!(condition(&staff, "TargetReachable"), Some(("True", "Reachable")));
    let about = staff["status"]["target"]["about"][0].as_str().unwrap();
    assert!(about.contains("profile scim2-server"), "{about}");
    assert_eq!(kstatus(&staff), "Current");
    let users = |linus: bool| {
        [("ada", true), ("grace", true), ("linus", linus)]
            .map(|(name, active)| (format!("{name}@corp.example"), active))
            .into()
    };
    assert_eq!(server.users(), users(true));
    // Somebody leaves.
    company(&["ada", "grace"]);
    namespace.annotate("dirconn", "corp", "rollcall.dev/sync-requested-at=now");
    namespace.until("syncpol", "staff", |object| object["status"]["lastRun"]["disabled"] == 1);
    assert_eq!(server.users(), users(false));
    // Whoever reads the metrics is told too.
    let metrics = http::get(&operator.metrics, "/metrics").unwrap().1;
    let reachable = metrics.lines().find(|line| {
        line.contains("rollcall_condition{") && line.contains("TargetReachable") && line.contains("\"True\"")
    });
    assert!(reachable.is_some_and(|line| line.ends_with(" 1")), "{reachable:?}");
    drop(operator);
    let truth = server.truth();
    assert_eq!(truth.groups["team"], ["ada@corp.example", "grace@corp.example"]);
}

/// A desk with these people, a Secret with this token, and a policy for this service.
fn desk(url: &str, secret: &str) -> Desk {
    let desk = Desk::new();
    let corp = "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: { name: corp }\n\
                spec: { ldif: { path: corp.ldif } }\n";
    desk.write("corp.ldif", export(&["ada", "grace"]));
    desk.write("manifests.yaml", format!("{corp}---\n{}---\n{}", token(secret), policy(url, "")));
    desk
}

fn test(desk: &Desk, more: &[&str]) -> crate::support::cli::Ran {
    let manifests = desk.path("manifests.yaml");
    rollcall(&[&["target", "test", "-f", manifests.to_str().unwrap()], more].concat())
}

/// The steps and what came of each.
fn steps(tested: &Value) -> Vec<(String, String)> {
    let text = |step: &Value, name: &str| step[name].as_str().unwrap().to_owned();
    let steps = tested[0]["steps"].as_array().unwrap();
    steps.iter().map(|step| (text(step, "step"), text(step, "result"))).collect()
}

#[test]
fn a_target_is_tested_without_a_trace() {
    let server = Server::start(Kind::Scim2Server);
    let desk = desk(&server.url(), TOKEN);
    test(&desk, &[]).exits(0).says("profile scim2-server").says("look for a group");
    let ran = test(&desk, &["--write", "-o", "json"]).exits(0);
    let tested: Value = serde_json::from_str(&ran.out).unwrap();
    let steps = steps(&tested);
    assert!(steps.iter().all(|(_, result)| result == "ok"), "{steps:?}");
    assert!(steps.iter().any(|(step, _)| step == "remove the user"), "{steps:?}");
    test(&desk, &["--policy", "default/staff", "-o", "csv"]).exits(0).says("default/staff");
    test(&desk, &["--policy", "default/nobody"]).exits(2).says("no SyncPolicy default/nobody");
    assert_eq!(server.truth(), Truth::default());
}

#[test]
fn a_test_says_how_far_the_way_goes() {
    let service = StandIn::start(Habits::default());
    let closed = own_port();
    let (url, address) = (service.url(), service.address);
    for (url, secret, failed, says) in [
        ("https://no-such-host.invalid/scim", TOKEN, "find the host by its name", "no-such-host.invalid"),
        (&*format!("http://127.0.0.1:{closed}/scim"), TOKEN, "connect", ""),
        (&*url, WRONG, "sign in", "Put a valid token into the Secret"),
        (&*format!("http://{address}/elsewhere"), TOKEN, "understand the answers", "Check url"),
    ] {
        let ran = test(&desk(url, secret), &["--write", "-o", "json"]).exits(1);
        assert!(!ran.said().contains(WRONG), "{}", ran.said());
        let tested: Value = serde_json::from_str(&ran.out).unwrap();
        let (last, before) = {
            let mut steps = steps(&tested);
            (steps.pop().unwrap(), steps)
        };
        assert_eq!(last, (failed.to_owned(), "failed".to_owned()), "{url}");
        assert!(before.iter().all(|(_, result)| result == "ok"), "{before:?}");
        assert!(ran.out.contains(says), "{}", ran.out);
    }
    assert!(service.inner().objects.is_empty());
}

#[test]
fn the_registry_needs_no_test() {
    let desk = Desk::new();
    let manifests = "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: { name: corp }\n\
                     spec: { ldif: { path: corp.ldif } }\n---\napiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\n\
                     metadata: { name: staff }\nspec: { connectors: [{ name: corp }], target: { registry: {} } }\n";
    desk.write("manifests.yaml", manifests);
    test(&desk, &["--write"]).exits(0).says("a part of Rollcall");
}

#[test]
fn what_somebody_else_changed_is_compared_on_request() {
    let service = StandIn::start(Habits::default());
    let desk = desk(&service.url(), TOKEN);
    desk.sync(&[]).exits(0);
    let (manifests, data) = (desk.path("manifests.yaml"), desk.path("data"));
    let verify = || {
        let arguments = ["verify", "-f", manifests.to_str().unwrap(), "--data", data.to_str().unwrap()];
        rollcall(&arguments)
    };
    verify().exits(0).says("3 objects compared, 0 objects differ");
    for object in service.inner().objects.values_mut() {
        object["displayName"] = "Somebody".into();
    }
    // It was written a moment ago: the service may not have caught up.
    verify().exits(0).says("3 objects differ and were written within the last 5 minutes");
    service.inner().token = WRONG.to_owned();
    verify().exits(1).says("not compared").says("refused the token");
    assert!(!verify().said().contains(WRONG));
    let before = service.count("PATCH", "");
    service.inner().token = TOKEN.to_owned();
    desk.sync(&["--verify"]).exits(0);
    assert_eq!(service.count("PATCH", ""), before, "lag is not set right");
}

/// A person and a group in each of these units.
fn units(units: &[&str]) -> String {
    let mut ldif = String::new();
    for (number, unit) in (1..).zip(units) {
        let uuid = |kind| format!("00000000-0000-4000-8000-{kind}0000000000{number}");
        write!(
            ldif,
            "dn: uid=p{number},ou={unit},dc=corp,dc=example\nobjectClass: inetOrgPerson\nuid: p{number}\ncn: P\nsn: P\n\
             mail: p{number}@corp.example\nentryUUID: {}\n\n\
             dn: cn=team{number},ou={unit},dc=corp,dc=example\nobjectClass: groupOfNames\ncn: team{number}\n\
             member: uid=p{number},ou={unit},dc=corp,dc=example\nentryUUID: {}\n\n",
            uuid('a'),
            uuid('b')
        )
        .unwrap();
    }
    format!("{ldif}# numEntries: {}\n", 2 * units.len())
}

#[test]
fn after_a_lost_store_everybody_is_found_again_whatever_part_of_the_directory_is_read() {
    // What an export has in common is what its directory is called.
    let (part, all) = (units(&["people"]), units(&["people", "partners"]));
    for (before, after) in [(&part, &all), (&all, &part)] {
        let server = Server::start(Kind::Scim2Server);
        let desk = desk(&server.url(), TOKEN);
        desk.write("corp.ldif", before);
        desk.sync(&[]).exits(0);
        std::fs::remove_dir_all(desk.path("data")).unwrap();
        desk.write("corp.ldif", after);
        desk.sync(&[]).exits(0);
        let truth = server.truth();
        assert_eq!((truth.users.len(), truth.groups.len(), &truth.doubled), (2, 2, &[].into()));
        assert_eq!(truth.groups["team1"], ["p1@corp.example"]);
    }
}
