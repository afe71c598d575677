//! Domain controllers that are found by DNS: a real one (Samba), and a name server that says what it is told.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::cli::{Desk, Ran, command};
use crate::support::dns::{Dns, Known, host, service};
use crate::support::look::{Look, Seen, seen};
use crate::support::samba::{ADMIN, HOST, PASSWORD, Samba};

const ALL: &str = "_ldap._tcp.dc._msdcs.ad.example.test";
const LONDON: &str = "_ldap._tcp.London._sites.dc._msdcs.ad.example.test";
/// Where nobody listens.
const NOBODY: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 254);

/// A connector that is told where to ask.
fn look(samba: &Samba, at: SocketAddr, site: &str) -> Look {
    let discovery = json!({ "domain": "ad.example.test", "site": site, "nameservers": [at.to_string()] });
    let look = Look::at("activeDirectory", "", ADMIN, PASSWORD, samba.ca());
    look.with("urls", json!([])).with("dnsDiscovery", discovery)
}

fn notices(look: &Look) -> String {
    look.status()["lastImport"]["notices"].to_string()
}

#[test]
fn the_best_that_answers_is_read() {
    let samba = Samba::start();
    let gone = "gone.ad.example.test";
    let known = || -> Vec<Known> {
        vec![
            host(HOST, samba.address),
            host(gone, NOBODY),
            host("far.ad.example.test", samba.address),
            service(ALL, 1, 100, 389, HOST),
            service(ALL, 0, 100, 389, gone),
            service(ALL, 9, 900, 389, "far.ad.example.test"),
            service(LONDON, 5, 0, 389, HOST),
        ]
    };
    let dns = Dns::start(known());
    let passed = seen("Reachable", "Read", &[]);
    let by_priority = look(&samba, dns.address, "");
    by_priority.passes("by priority", &passed);
    let told = notices(&by_priority);
    assert!(
        told.contains("ldaps://gone.ad.example.test cannot be reached: the connection was refused"),
        "{told}"
    );
    assert!(!told.contains("far.ad"), "{told}");
    let by_site = look(&samba, dns.address, "London");
    by_site.passes("by site", &passed);
    assert_eq!(notices(&by_site), "null");
    let nowhere = look(&samba, dns.address, "Paris");
    nowhere.passes("another site", &passed);
    assert!(notices(&nowhere).contains("no domain controllers of the site Paris"));
    by_site.with("startTLS", json!(true)).passes("StartTLS on the record's port", &passed);
}

#[test]
fn what_dns_says_is_not_believed_further_than_certificates_go() {
    let samba = Samba::start();
    let ends = |what: &str, known: Vec<Known>, expected: &Seen<'_>| {
        let dns = Dns::start(known);
        look(&samba, dns.address, "").ends(what, expected);
    };
    let other = "other.ad.example.test";
    let parts = ["ldaps://other.ad.example.test", "not for other.ad.example.test but for", HOST];
    ends(
        "a controller under the name of another",
        vec![service(ALL, 0, 0, 389, other), host(other, samba.address)],
        &seen("Reachable", "TlsFailed", &parts),
    );
    let evil = "dc1.evil.example";
    let parts =
        ["DNS names dc1.evil.example, which is not a host name of ad.example.test", "in urls instead"];
    ends(
        "a server of somebody else",
        vec![service(ALL, 0, 0, 389, evil), host(evil, samba.address)],
        &seen("Reachable", "Unreachable", &parts),
    );
    let parts = ["DNS has no domain controllers of ad.example.test", ALL, "dnsDiscovery.domain"];
    ends("no such domain", Vec::new(), &seen("Reachable", "Unreachable", &parts));
    let parts = ["ldaps://lost.ad.example.test cannot be reached", "do not say where it is"];
    ends(
        "a name without an address",
        vec![service(ALL, 0, 0, 389, "lost.ad.example.test")],
        &seen("Reachable", "Unreachable", &parts),
    );
    let closed = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let parts = ["the name servers did not return the domain controllers", "dnsDiscovery.nameservers"];
    look(&samba, closed, "").ends("no name server", &seen("Reachable", "Unreachable", &parts));
}

#[test]
fn unless_others_are_named_the_pods_own_name_servers_are_asked() {
    let samba = Samba::start();
    let known = vec![service(ALL, 0, 100, 389, HOST), host(HOST, samba.address)];
    let _dns = Dns::at((samba.address, 53).into(), known);
    let look = Look::at("activeDirectory", "", ADMIN, PASSWORD, samba.ca()).with("urls", json!([]));
    let look = look.with("dnsDiscovery", json!({ "domain": "ad.example.test" }));
    let desk = Desk::new();
    desk.write("manifests.yaml", look.manifests());
    // As Kubernetes writes it, in place of this machine's, for this one process.
    let search = "search test.svc.cluster.local svc.cluster.local cluster.local";
    let file = format!("nameserver {}\n{search}\noptions ndots:5\n", samba.address);
    let file = desk.write("resolv.conf", file);
    let placed = "mount --bind \"$1\" /etc/resolv.conf && shift && exec \"$@\"";
    let rollcall = command(&[]);
    let ran = Command::new("unshare")
        .args(["--mount", "sh", "-c", placed, "sh"])
        .arg(file)
        .arg(rollcall.get_program())
        .args(["sync", "-o", "json", "-f"])
        .arg(desk.path("manifests.yaml"))
        .arg("--data")
        .arg(desk.path("data"))
        .output();
    let ran = Ran::of(&ran.expect("unshare is missing: it comes with util-linux")).exits(0);
    let objects: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(objects[0]["status"]["conditions"][0]["status"], "True", "{objects:#}");
    assert!(objects[0]["status"]["directory"]["groups"].as_u64().unwrap() > 10, "{objects:#}");
}
