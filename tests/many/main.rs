//! Many objects: 100 connectors and 300 policies cost little while nothing happens, and little when something does.
//! A program of its own, so that no other test computes while this one measures.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// The other tests need more of it.
#![allow(dead_code)]

#[path = "../it/support"]
mod support {
    pub(crate) mod assets;
    pub(crate) mod cli;
    pub(crate) mod cluster;
    pub(crate) mod http;
    pub(crate) mod kubectl;
    pub(crate) mod namespace;
    pub(crate) mod operator;
    pub(crate) mod port;
    pub(crate) mod process;
}

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::support::cluster::Cluster;
use crate::support::http;
use crate::support::operator::Operator;
use crate::support::process::eventually;

const CONNECTORS: usize = 100;
const POLICIES: usize = 300;
const PATIENCE: Duration = Duration::from_mins(5);

#[test]
fn a_hundred_connectors_and_three_hundred_policies_rest_at_no_cost() {
    let namespace = Cluster::shared().namespace();
    let mut operator = Operator::start(&namespace);
    operator.ready();
    let mut objects = String::new();
    for at in 0..CONNECTORS {
        let mut ldif = format!("    dn: dc=c{at}\n    objectClass: domain\n    entryUUID: {at}\n");
        for person in 0..20 {
            write!(
                ldif,
                "\n    dn: uid=p{person},dc=c{at}\n    objectClass: person\n    uid: p{person}\n    mail: p{person}@c{at}.test\n    \
                 entryUUID: {at}-{person}\n"
            )
            .unwrap();
        }
        write!(
            objects,
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: export-{at} }}\ndata:\n  ldif: |\n{ldif}---\n\
             apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: c{at} }}\nspec:\n  \
             ldif: {{ configMapKeyRef: {{ name: export-{at}, key: ldif }} }}\n---\n"
        )
        .unwrap();
    }
    for at in 0..POLICIES {
        write!(
            objects,
            "apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: p{at} }}\nspec:\n  \
             connectors: [{{ name: c{} }}]\n  target: {{ registry: {{}} }}\n---\n",
            at % CONNECTORS
        )
        .unwrap();
    }
    let began = Instant::now();
    namespace.cluster().admin(namespace.name()).with_input(&["create", "-f", "-"], &objects).exits(0);
    let created = began.elapsed();
    let ready = |kind: &str| {
        let format = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}";
        namespace.kubectl(&["get", kind, "-o", format]).exits(0).out.matches("True").count()
    };
    eventually(PATIENCE, "all are in step", || {
        (ready("dirconn") == CONNECTORS && ready("syncpol") == POLICIES).then_some(())
    });
    println!(
        "{CONNECTORS} connectors, {POLICIES} policies: created in {created:.1?}, in step after {:.1?}",
        began.elapsed()
    );

    // While nothing happens: no write but the lease's, and next to no time.
    let account = format!("system:serviceaccount:{}:rollcall", namespace.name());
    let writes = || {
        let all = namespace.cluster().writes_by(&account, namespace.name());
        all.iter().filter(|write| write.resource != "leases").count()
    };
    // The last Events may still be on their way.
    let mut before = writes();
    eventually(PATIENCE, "nothing is on its way", || {
        let began = Instant::now();
        eventually(PATIENCE, "a moment has passed", || {
            (began.elapsed() > Duration::from_secs(2)).then_some(())
        });
        let now = writes();
        (std::mem::replace(&mut before, now) == now).then_some(())
    });
    let (cpu, began) = (operator.cpu(), Instant::now());
    eventually(PATIENCE, "ten seconds have passed", || {
        (began.elapsed() > Duration::from_secs(10)).then_some(())
    });
    let spent = operator.cpu().saturating_sub(cpu).as_secs_f64() / began.elapsed().as_secs_f64();
    println!("idle: {:.2} % of a core, {} MB of memory", spent * 100.0, operator.memory() / 1_000_000);
    assert_eq!(writes(), before);
    assert!(spent <= 0.01, "{:.2} % of a core", spent * 100.0);

    // Each look at an object is short.
    let (_, text) = http::get(&operator.metrics, "/metrics").unwrap();
    for kind in ["connector", "policy"] {
        let of = |name: &str, label: &str| {
            let line = format!("rollcall_reconcile_duration_seconds_{name}{{");
            text.lines()
                .filter(|it| {
                    it.starts_with(&line) && it.contains(&format!("kind=\"{kind}\"")) && it.contains(label)
                })
                .filter_map(|it| it.rsplit_once(' ')?.1.parse::<f64>().ok())
                .next_back()
                .unwrap_or_else(|| panic!("no {name} of {kind} {label} in\n{text}"))
        };
        let (within, all) = (of("bucket", "le=\"0.05\""), of("count", ""));
        println!("{kind}: {all} looks, {within} of them within 50 ms");
        assert!(within * 2.0 > all, "half of the looks at a {kind} take longer than 50 ms");
    }
}
