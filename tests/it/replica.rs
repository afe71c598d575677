//! One active replica, whatever happens to it: killed, cut off, replaced, doubled.

use std::env;
use std::time::Duration;

use crate::support::cluster::Cluster;
use crate::support::http;
use crate::support::office::{
    Office, PASSWORD, PEOPLE, Registry, address, company, connector, in_step_with, joins, leaves, policy,
    reader,
};
use crate::support::operator::Operator;
use crate::support::process::eventually;
use crate::support::slapd::{Setup, Slapd};
use crate::support::web;

const PATIENCE: Duration = Duration::from_mins(2);

#[test]
fn killed_in_the_middle_again_and_again_it_ends_where_it_should() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    let slapd = Slapd::start(&Setup {
        ldif: &(crate::support::company::large(3000, 60, 100, 2000) + &reader_entry()),
        database: "sizelimit unlimited",
        ..Setup::default()
    });
    let mut operator = Operator::start(&namespace);
    namespace.apply(&reader(PASSWORD));
    namespace.apply(&connector(&slapd, ""));
    namespace.apply(&policy(""));
    for round in 0..12_u64 {
        // Each time a little later: in the first read, in the seal, in the first run.
        let log = operator.output().len();
        let wanted = Duration::from_millis(80 * round);
        let began = std::time::Instant::now();
        eventually(PATIENCE, "it has begun", || (operator.output().len() > log || round == 0).then_some(()));
        eventually(PATIENCE, "its time has come", || (began.elapsed() >= wanted).then_some(()));
        operator.kill();
        operator.restart();
    }
    namespace.until("syncpol", "staff", in_step_with(3000));
    let registry = Registry::of(&operator, &format!("{}/staff", namespace.name()));
    assert_eq!(registry.active().len(), 3000);
    assert_eq!(registry.members("g00000").len(), 2000);
    let staff = namespace.get("syncpol", "staff");
    assert_eq!(staff["status"]["inStep"]["memberships"], 59 * 100 + 2000);
    for run in
        staff["status"]["history"].as_array().into_iter().flatten().chain([&staff["status"]["lastRun"]])
    {
        assert_eq!(
            (&run["removed"], &run["disabled"], &run["membersRemoved"]),
            (&0.into(), &0.into(), &0.into())
        );
    }
}

fn reader_entry() -> String {
    let company = company();
    let entry = company.split("\n\n").find(|entry| entry.contains("cn=reader")).unwrap();
    format!("{}\n\n", entry.trim())
}

#[test]
fn of_two_at_once_one_acts_and_the_other_takes_over() {
    let mut office = Office::open();
    office.in_step();
    let namespace = &office.namespace;
    let cluster = namespace.cluster();
    // The other one has a service account of its own, so that it can be told who wrote what.
    let account = |name: &str| format!("system:serviceaccount:{}:{name}", namespace.name());
    namespace.kubectl(&["create", "serviceaccount", "other"]).exits(0);
    for role in ["rollcall", "rollcall-lease"] {
        let (role_flag, who) =
            (format!("--role={role}"), format!("--serviceaccount={}:other", namespace.name()));
        namespace.kubectl(&["create", "rolebinding", &format!("other-{role}"), &role_flag, &who]).exits(0);
    }
    let mut other = Operator::beside(namespace, "other");
    eventually(PATIENCE, "the other one waits", || {
        other.output().contains("another replica is active").then_some(())
    });
    let acted = |who: &str| {
        let writes = cluster.writes_by(&account(who), namespace.name());
        writes.iter().filter(|write| write.resource != "leases" && write.code < 300).count()
    };
    office.slapd.modify(&joins("linus"));
    office.after_a_read(in_step_with(13));
    assert_eq!(acted("other"), 0);
    // The first one dies without a word: the other waits until its lease has run out.
    office.operator.kill();
    let first = acted("rollcall");
    office.slapd.modify(&joins("dennis"));
    eventually(PATIENCE, "the other one is the active one", || {
        other.output().contains("this replica is active").then_some(())
    });
    office.after_a_read(in_step_with(14));
    assert!(acted("other") > 0);
    // The first one comes back, and waits in turn.
    office.operator.restart();
    eventually(PATIENCE, "the first one waits", || {
        (office.operator.output().matches("another replica is active").count() > 0).then_some(())
    });
    assert_eq!(acted("rollcall"), first);
    // Asked to end, the other one lets go at once.
    assert_eq!(other.stop().code(), Some(0));
    office.after_a_read(in_step_with(14));
    eventually(PATIENCE, "the first one acts", || (acted("rollcall") > first).then_some(()));
}

#[test]
fn whoever_loses_the_lease_ends_before_it_writes() {
    let mut office = Office::open();
    office.in_step();
    let namespace = &office.namespace;
    let taken = r#"{"spec":{"holderIdentity":"intruder"}}"#;
    namespace.kubectl(&["patch", "lease", "rollcall", "--type=merge", "-p", taken]).exits(0);
    assert_eq!(office.operator.ends().code(), Some(1));
    assert!(
        office.operator.output().contains("the lease was taken over by intruder"),
        "{}",
        office.operator.output()
    );
    let account = format!("system:serviceaccount:{}:rollcall", namespace.name());
    let before = namespace.cluster().writes_by(&account, namespace.name()).len();
    office.slapd.modify(&joins("linus"));
    office.operator.restart();
    // The intruder never renews; only when that was seen for as long as a lease lasts is it ours again.
    office.after_a_read(in_step_with(13));
    assert!(namespace.cluster().writes_by(&account, namespace.name()).len() > before);
}

const TOKEN: &str = "of-whoever-reads-during-an-outage";

/// How many users a reader of `staff` is shown.
fn shown(office: &Office) -> Option<u64> {
    let path = format!("/policies/{}/staff/scim/v2/Users?filter=active%20eq%20true", office.namespace.name());
    let (scim, bearer) = (office.operator.scim.clone(), format!("Bearer {TOKEN}"));
    let answer = web::ask(scim.parse().unwrap(), "GET", &path, &[("Authorization", &bearer)], "");
    (answer.status == 200).then(|| answer.json()["totalResults"].as_u64().unwrap())
}

#[test]
fn while_the_apiserver_is_away_readers_are_served_and_nothing_is_done() {
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::own()));
    let mut office = Office::open_in(cluster);
    office.operator.secret(TOKEN);
    office.namespace.apply(&format!(
        "{{ apiVersion: v1, kind: Secret, metadata: {{ name: readers }}, stringData: {{ token: {TOKEN} }} }}"
    ));
    let target = "registry: { tokenSecretRef: { name: readers, key: token } }";
    office.namespace.apply(&policy("").replace("registry: {}", target));
    office.in_step();
    eventually(PATIENCE, "readers are let in", || shown(&office).filter(|users| *users == 12));

    cluster.stop_apiserver();
    let number = |name: &str| {
        let (_, numbers) = http::get(&office.operator.metrics, "/metrics").unwrap();
        numbers.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect::<Vec<_>>()
    };
    eventually(PATIENCE, "the lease has run out", || {
        (number("rollcall_lease_held") == ["rollcall_lease_held 0"]).then_some(())
    });
    let reads = number("rollcall_connector_imports_total");
    office.slapd.modify(&(joins("linus") + &leaves("tim")));
    // Longer than from one read to the next.
    let outage = Duration::from_secs(env::var("OUTAGE").map_or(13, |seconds| seconds.parse().unwrap()));
    let began = std::time::Instant::now();
    eventually(PATIENCE + outage, "a read would be due", || (began.elapsed() > outage).then_some(()));
    assert_eq!(number("rollcall_connector_imports_total"), reads);
    assert_eq!(office.registry().active(), PEOPLE.map(address));
    assert_eq!(shown(&office), Some(12));
    let (status, said) = http::get(&office.operator.health, "/readyz").unwrap();
    assert_eq!(status, 200, "readers are not sent away: {said}");
    assert!(said.contains("waiting for lease"), "{said}");

    cluster.start_apiserver();
    let staff = office.namespace.until("syncpol", "staff", in_step_with(13));
    assert_eq!(staff["status"]["lastRun"]["disabled"], 1);
    eventually(PATIENCE, "readers see it", || {
        shown(&office).filter(|users| *users == 12 && !office.registry().active().contains(&address("tim")))
    });
    let said = office.operator.output();
    assert_eq!(said.matches("this replica is active").count(), 1, "it never ended: {said}");
    assert!(said.contains("the lease is renewed"), "{said}");

    // Killed while the apiserver is away, it waits.
    cluster.stop_apiserver();
    office.operator.kill();
    office.operator.restart();
    office.slapd.modify(&joins("dennis"));
    eventually(PATIENCE, "it waits for the apiserver", || {
        office.operator.output().contains("the lease cannot be acquired; retrying").then_some(())
    });
    assert!(!office.registry().active().contains(&address("dennis")));
    cluster.start_apiserver();
    office.after_a_read(in_step_with(14));
}

#[test]
fn whoever_was_cut_off_and_finds_another_active_ends() {
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::own()));
    let mut office = Office::open_in(cluster);
    office.in_step();
    let account = format!("system:serviceaccount:{}:rollcall", office.namespace.name());
    // For this one alone the apiserver is away: it may not see the Lease.
    let rights = office.namespace.get("role", "rollcall-lease");
    office.namespace.delete("role", "rollcall-lease");
    eventually(PATIENCE, "the lease has run out", || {
        let (_, numbers) = http::get(&office.operator.metrics, "/metrics").unwrap();
        numbers.lines().any(|line| line == "rollcall_lease_held 0").then_some(())
    });
    let writes = |what: &str| {
        let writes = cluster.writes_by(&account, office.namespace.name());
        writes.iter().filter(|write| write.resource != what && write.code < 300).count()
    };
    let before = writes("leases");
    office.slapd.modify(&(joins("linus") + &leaves("tim")));
    office.read_now();
    let taken = r#"{"spec":{"holderIdentity":"another"}}"#;
    office.namespace.kubectl(&["patch", "lease", "rollcall", "--type=merge", "-p", taken]).exits(0);
    let mut role = rights;
    role["metadata"].as_object_mut().unwrap().retain(|key, _| ["name", "namespace"].contains(&key.as_str()));
    office.namespace.apply(&role.to_string());
    assert_eq!(office.operator.ends().code(), Some(1));
    let said = office.operator.output();
    assert!(said.contains("the lease was taken over by another"), "{said}");
    assert_eq!(writes("leases"), before, "nothing was written without the lease");
    assert_eq!(office.registry().active(), PEOPLE.map(address));
}
