//! Namespaces that are watched because of their labels, as they come and go.

use std::io::{ErrorKind, Read as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::cluster::{Cluster, PATIENCE};
use crate::support::http;
use crate::support::namespace::Namespace;
use crate::support::office::{in_step_with, policy};
use crate::support::operator::Operator;
use crate::support::process::eventually;
use crate::support::web;

const TOKEN: &str = "of-whoever-reads-the-tenants";

/// A company of one, whose registry is read.
fn settle(tenant: &Namespace<'_>, person: &str) {
    let ldif = format!(
        "dn: dc=corp\nobjectClass: domain\nentryUUID: 0\n\ndn: uid={person},dc=corp\nobjectClass: person\nuid: {person}\n\
         mail: {person}@corp.example\nentryUUID: {person}\n"
    );
    let indented = ldif.replace('\n', "\n    ");
    tenant.apply(&format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: export }}\ndata:\n  ldif: |\n    {indented}\n"
    ));
    tenant.apply(
        "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: { name: corp }\nspec:\n  \
         ldif: { configMapKeyRef: { name: export, key: ldif } }\n",
    );
    tenant.apply(&format!(
        "{{ apiVersion: v1, kind: Secret, metadata: {{ name: readers }}, stringData: {{ token: {TOKEN} }} }}"
    ));
    let target = "registry: { tokenSecretRef: { name: readers, key: token } }";
    tenant.apply(&policy("").replace("registry: {}", target));
}

fn status(scim: &str, tenant: &str) -> u16 {
    let path = format!("/policies/{tenant}/staff/scim/v2/Users");
    let bearer = format!("Bearer {TOKEN}");
    web::ask(scim.parse().unwrap(), "GET", &path, &[("Authorization", &bearer)], "").status
}

/// An operator that looks after whoever bears its label, and what labels a tenant so.
fn choosing(home: &Namespace<'_>, tenants: &[&Namespace<'_>]) -> (Operator, String) {
    let cluster = home.cluster();
    let chosen = format!("rollcall.dev/watched-by={}", home.name());
    let (role, account) = (format!("{}-chooses", home.name()), format!("{}:rollcall", home.name()));
    cluster
        .kubectl(&["create", "clusterrole", &role, "--verb=get,list,watch", "--resource=namespaces"])
        .exits(0);
    let (of, to) = (format!("--clusterrole={role}"), format!("--serviceaccount={account}"));
    cluster.kubectl(&["create", "clusterrolebinding", &role, &of, &to]).exits(0);
    let operator = Operator::choosing(home, tenants, &["--watch-namespace-selector", &chosen]);
    (operator, chosen)
}

fn label(tenant: &Namespace<'_>, value: &str) {
    tenant.cluster().kubectl(&["label", "namespace", tenant.name(), value]).exits(0);
}

/// A directory that takes connections and says nothing.
fn silent(tenant: &Namespace<'_>) -> TcpListener {
    let directory = TcpListener::bind("127.0.0.1:0").unwrap();
    directory.set_nonblocking(true).unwrap();
    let url = format!("ldap://{}", directory.local_addr().unwrap());
    tenant.apply(
        "{ apiVersion: v1, kind: Secret, metadata: { name: nobody }, type: kubernetes.io/basic-auth, \
         stringData: { username: cn=nobody, password: none-that-counts } }",
    );
    tenant.apply(&format!(
        "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: silent }}\nspec:\n  \
         ldap: {{ urls: [\"{url}\"], insecure: true, baseDNs: [\"dc=corp\"], credentialsSecretRef: {{ name: nobody }} }}\n"
    ));
    directory
}

/// Who comes next, if anybody has.
fn next(directory: &TcpListener) -> Option<TcpStream> {
    match directory.accept() {
        Ok((stream, _)) => {
            stream.set_nonblocking(true).unwrap();
            Some(stream)
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

/// Whether the other end is still there; what it says does not matter.
fn is_open(mut stream: &TcpStream) -> bool {
    loop {
        match stream.read(&mut [0; 1024]) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
}

#[test]
fn a_namespace_that_comes_or_goes_ends_no_read_of_another() {
    let cluster = Cluster::shared();
    let (home, one, other) = (cluster.namespace(), cluster.namespace(), cluster.namespace());
    let (operator, chosen) = choosing(&home, &[&one, &other]);
    let directory = silent(&one);
    settle(&other, "grace");
    label(&one, &chosen);
    let reading = eventually(PATIENCE, "the directory is read", || next(&directory));
    label(&other, &chosen);
    other.until("syncpol", "staff", in_step_with(1));
    assert!(is_open(&reading) && next(&directory).is_none(), "the read goes on");
    label(&other, "rollcall.dev/watched-by-");
    eventually(PATIENCE, "the other one is not watched", || {
        let (_, numbers) = http::get(&operator.metrics, "/metrics").unwrap();
        (!numbers.contains(other.name())).then_some(())
    });
    assert!(is_open(&reading) && next(&directory).is_none(), "the read goes on");
    // It ends with its own namespace, and begins anew with it.
    label(&one, "rollcall.dev/watched-by-");
    eventually(PATIENCE, "the read ends", || (!is_open(&reading)).then_some(()));
    assert!(next(&directory).is_none());
    label(&one, &chosen);
    eventually(PATIENCE, "the directory is read again", || next(&directory));
}

#[test]
fn namespaces_come_and_go_by_their_labels_without_a_restart() {
    let cluster = Cluster::shared();
    let (home, one, other) = (cluster.namespace(), cluster.namespace(), cluster.namespace());
    settle(&one, "ada");
    settle(&other, "grace");
    let (mut operator, chosen) = choosing(&home, &[&one, &other]);
    label(&one, &chosen);
    operator.secret(TOKEN);
    operator.ready();
    one.until("syncpol", "staff", in_step_with(1));
    let scim = operator.scim.clone();
    let becomes = |tenant: &Namespace<'_>, wanted: u16| {
        eventually(PATIENCE, "what a reader is told", || {
            (status(&scim, tenant.name()) == wanted).then_some(())
        });
    };
    becomes(&one, 200);
    assert!(other.get("syncpol", "staff")["status"]["conditions"].is_null(), "nobody looks after it");

    // Another one comes: nobody who reads the first one is sent away.
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert_eq!(status(&scim, one.name()), 200);
                assert_eq!(http::get(&operator.health, "/readyz").unwrap().0, 200);
            }
        });
        label(&other, &chosen);
        other.until("syncpol", "staff", in_step_with(1));
        becomes(&other, 200);
        done.store(true, Ordering::Relaxed);
        reading.join().unwrap();
    });

    // One goes: its readers learn nothing of anybody, and nothing is done there.
    cluster.kubectl(&["label", "namespace", one.name(), "rollcall.dev/watched-by-"]).exits(0);
    becomes(&one, 503);
    assert_eq!(status(&scim, other.name()), 200);
    let (_, numbers) = http::get(&operator.metrics, "/metrics").unwrap();
    assert!(!numbers.contains(one.name()) && numbers.contains(other.name()), "{numbers}");
    label(&one, &chosen);
    becomes(&one, 200);
    assert_eq!(operator.output().matches("this replica is active").count(), 1);
}
