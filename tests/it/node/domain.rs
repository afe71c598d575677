//! A domain controller on the node, which the pod reads as the example for Active Directory says.

use std::fmt::Write as _;
use std::fs;

use super::release::Release;
use crate::support::cluster::{PATIENCE, repository};
use crate::support::node::ADDRESS;
use crate::support::process::{Process, eventually};
use crate::support::samba::{ADMIN, DOMAIN, Domain, PASSWORD};

const EXAMPLE: &str = "examples/active-directory.yaml";

/// Starts one with two people and a group, and takes the example away again when they are in step.
pub(super) fn is_in_step(release: &Release) {
    let (domain, _process) = serve(release);
    let example = example(&domain);
    release.apply(&example);
    release.is_ready("dirconn/domain");
    release.is_ready("syncpol/domain-staff");
    let in_step = release.get("syncpol/domain-staff", "{.status.inStep.users} {.status.inStep.groups}");
    assert_eq!(in_step, "2 1");
    release.with_input(&["delete", "-f", "-"], &example);
}

fn serve(release: &Release) -> (Domain, Process) {
    let node = &release.node;
    let domain = Domain::new(ADDRESS.parse().unwrap());
    domain.reader("rollcall");
    let (program, arguments) = domain.server();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let process = node.serve("samba", &[&[program.to_str().unwrap()], &*arguments].concat());

    let url = domain.url();
    let admin = ["-x", "-H", &url, "-D", ADMIN, "-w", PASSWORD];
    eventually(PATIENCE, "Samba answers", || {
        let search = [&["ldapsearch"], &admin[..], &["-b", DOMAIN, "-s", "base"]].concat();
        (node.run(&search).code == 0).then_some(())
    });
    let mut people = String::new();
    for name in ["ann", "ben"] {
        write!(
            people,
            "dn: CN={name},CN=Users,{DOMAIN}\nobjectClass: user\nsAMAccountName: {name}\nuserAccountControl: 544\n\
             sn: {name}\nmail: {name}@corp.example\n\n"
        )
        .unwrap();
    }
    write!(
        people,
        "dn: CN=Wiki,CN=Users,{DOMAIN}\nobjectClass: group\nsAMAccountName: app-wiki\n\
         member: CN=ann,CN=Users,{DOMAIN}\nmember: CN=ben,CN=Users,{DOMAIN}\n"
    )
    .unwrap();
    node.with_input(&[&["ldapadd"], &admin[..]].concat(), &people).exits(0);
    (domain, process)
}

/// The example, with this domain for what one is told to replace.
fn example(domain: &Domain) -> String {
    let ca = String::from_utf8(domain.ca()).unwrap();
    let ca = ca.trim().replace('\n', "\n    ");
    let mut example = fs::read_to_string(repository(EXAMPLE)).unwrap();
    for (theirs, ours) in [
        ("namespace: identity", "namespace: rollcall"),
        ("rollcall@corp.example", "rollcall@ad.example.test"),
        ("change-me", PASSWORD),
        ("-----BEGIN CERTIFICATE-----\n    replace with yours\n    -----END CERTIFICATE-----", &ca),
        ("\"ldaps://dc1.corp.example\", \"ldaps://dc2.corp.example\"", &format!("{:?}", domain.secure_url())),
    ] {
        assert!(example.contains(theirs), "{EXAMPLE}: {theirs:?}");
        example = example.replace(theirs, ours);
    }
    example
}
