//! Two Sync Engines of one connector, as processes, and the operator on a real apiserver: one reads, the other takes over.

use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::engine_operator::{CONNECTOR, Inside, message, outside, token_of};
use crate::support::cluster::{Cluster, PATIENCE};
use crate::support::faults::tell;
use crate::support::office::{PASSWORD, company, in_step_with, is, joins, policy};
use crate::support::process::eventually;
use crate::support::slapd::{Setup, Slapd, certificates};

/// Nothing was heard of the active one for so long, and what is written after that.
const WITHIN: Duration = Duration::from_secs(25);

/// Whether the engine with this Secret reads.
fn reads(secret: &'static str) -> impl Fn(&Value) -> bool {
    move |object| {
        is("EngineConnected", "True", "Connected")(object) && object["status"]["engine"]["secret"] == secret
    }
}

#[test]
fn another_engine_takes_over_within_seconds_and_each_has_a_key_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    certificates(&folder, &Setup::default());
    let beside = tempfile::tempdir().unwrap();
    fs::copy(folder.path().join("ca.pem"), beside.path().join("ca.pem")).unwrap();
    let slapd = Slapd::start(&Setup { ldif: &company(), ..Setup::default() });
    let namespace = Cluster::shared().namespace();
    let (mut operator, url) = outside(&namespace, folder.path(), Ipv4Addr::LOCALHOST);
    operator.secret(PASSWORD);
    namespace.apply(&CONNECTOR.replace("syncEngine: {}", "syncEngine: { engines: 2 }"));
    namespace.apply(&policy(""));
    let port = url.rsplit(':').next().unwrap().parse().unwrap();
    let (mut one, mut two) = (Inside::new(folder, &slapd, port), Inside::new(beside, &slapd, port));

    let waiting = namespace.until("dirconn", "corp", is("EngineConnected", "False", "WaitingToJoin"));
    let engine = &waiting["status"]["engine"];
    assert_eq!(engine["secret"], "corp-engine");
    let shown = engine["standbys"][0]["joinCommand"].as_str().unwrap();
    assert!(shown.contains("get secret corp-engine-2 -o"), "{shown}");

    // The second one may join before the first, and each token counts once.
    let token = token_of(&namespace, "corp-engine-2");
    two.join(&token).exits(0);
    two.run();
    namespace.until("dirconn", "corp", reads("corp-engine-2"));
    one.join(&token).exits(1).says("this token is unknown, was used, or has expired");
    one.join(&token_of(&namespace, "corp-engine")).exits(0);
    one.run();
    eventually(PATIENCE, "it stands by", || one.said().contains("this engine stands by").then_some(()));
    let both = namespace.until("dirconn", "corp", |object| {
        reads("corp-engine-2")(object) && message(object).contains("; standby corp-engine: version ")
    });
    let keys = [&both["status"]["engine"], &both["status"]["engine"]["standbys"][0]].map(|it| &it["key"]);
    assert!(keys[0].is_string() && keys[1].is_string() && keys[0] != keys[1]);
    namespace.until("syncpol", "staff", in_step_with(12));

    // The machine of the one that reads fails.
    two.process.as_mut().unwrap().kill();
    let killed = Instant::now();
    slapd.modify(&joins("linus"));
    namespace.until("dirconn", "corp", reads("corp-engine"));
    let took = killed.elapsed();
    tell(format_args!("another engine took over within {took:.1?}"));
    assert!(took < WITHIN, "{took:?}");
    namespace.until("syncpol", "staff", in_step_with(13));
    eventually(PATIENCE, "it is told", || one.said().contains("this engine is the active one").then_some(()));
    // Back again, it stands by; and a start of the operator changes nothing.
    two.run();
    eventually(PATIENCE, "it stands by", || two.said().contains("this engine stands by").then_some(()));
    operator.restart();
    slapd.modify(&joins("dennis"));
    namespace.until("syncpol", "staff", in_step_with(14));
    namespace.until("dirconn", "corp", |object| {
        reads("corp-engine")(object) && message(object).contains("; standby corp-engine-2: version ")
    });

    // The key of the one that reads is revoked: the other one reads at once, and somebody may join in its place.
    namespace.delete("secret", "corp-engine");
    let left = namespace.until("dirconn", "corp", reads("corp-engine-2"));
    assert!(!left["status"]["engine"]["key"].is_null());
    slapd.modify(&joins("ken"));
    namespace.until("syncpol", "staff", in_step_with(15));
    eventually(PATIENCE, "the revoked one is told", || {
        one.said().contains("is not enrolled, or not any more").then_some(())
    });
    namespace.until("dirconn", "corp", |object| {
        object["status"]["engine"]["standbys"][0]["joinCommand"].is_string()
    });
}
