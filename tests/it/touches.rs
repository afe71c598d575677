//! Secrets are compared by what is used of them: whoever touches one changes nothing, keeps no read from its end, and locks no
//! account. On a real apiserver, with a real directory.

use serde_json::json;

use crate::support::cluster::PATIENCE;
use crate::support::http;
use crate::support::namespace::Namespace;
use crate::support::office::{Office, PASSWORD, connector, in_step_with, is, joins, reader};
use crate::support::process::eventually;
use crate::support::toxiproxy::Toxiproxy;

/// Changes the Secret, but for what is used of it.
fn touch(namespace: &Namespace<'_>, what: &str) {
    namespace.annotate("secret", "reader", &format!("example.test/touched={what}"));
    let key = json!({ "stringData": { "another-key": what } }).to_string();
    namespace.kubectl(&["patch", "secret", "reader", "--type=merge", "-p", &key]).exits(0);
}

#[test]
fn a_password_that_was_refused_is_tried_again_by_no_touch() {
    const WRONG: &str = "wrong-and-to-be-seen-nowhere-else";
    let mut office = Office::open();
    office.operator.secret(WRONG);
    office.in_step();
    let namespace = &office.namespace;
    let patient = connector(&office.slapd, "").replace("retryInterval: 1s", "retryInterval: 1h");
    namespace.apply(&patient);
    namespace.until_seen("dirconn", "corp");
    namespace.apply(&reader(WRONG));
    let refused = namespace.until("dirconn", "corp", is("Ready", "False", "AuthenticationFailed"));
    for number in 0..5 {
        touch(namespace, &number.to_string());
        namespace.annotate("dirconn", "corp", &format!("example.test/touched={number}"));
        namespace.annotate("syncpol", "staff", &format!("example.test/touched={number}"));
    }
    namespace.apply(&reader(WRONG));
    namespace.apply(&patient.replace("interval: 10s", "interval: 20s"));
    let seen = namespace.until_seen("dirconn", "corp");
    assert_eq!(seen["status"]["nextImportAt"], refused["status"]["nextImportAt"]);
    // Another password is tried at once. What was told before it was looked at before it.
    namespace.apply(&reader(PASSWORD));
    namespace.until("dirconn", "corp", is("Ready", "True", "Read"));
    let numbers = http::get(&office.operator.metrics, "/metrics").unwrap().1;
    let refusals = numbers.lines().filter(|line| line.contains(r#"reason="AuthenticationFailed"} "#));
    let refusals: Vec<&str> =
        refusals.filter(|line| line.starts_with("rollcall_connector_imports_total{")).collect();
    assert!(matches!(refusals[..], [one] if one.ends_with(" 1")), "{refusals:?}");
}

#[test]
fn whoever_touches_a_secret_lets_a_long_read_come_to_its_end() {
    let office = Office::open();
    office.in_step();
    let namespace = &office.namespace;
    let proxy = Toxiproxy::start(office.slapd.port());
    proxy.poison("latency", &json!({ "latency": 1500 }));
    office.slapd.modify(&joins("linus"));
    namespace.apply(&connector(&office.slapd, "").replace(&office.slapd.url(), &proxy.url()));
    namespace.until("dirconn", "corp", is("Reconciling", "True", "Progressing"));
    // More often than a read takes.
    let mut touches = 0;
    eventually(PATIENCE, "a read comes to its end", || {
        touch(namespace, &touches.to_string());
        touches += 1;
        in_step_with(13)(&namespace.get("syncpol", "staff")).then_some(())
    });
    assert!(touches > 2, "the read was not long");
}
