//! What is around a Sync Engine: the way to its gateway (a pin, a proxy that asks for a password), where its passwords are, and the unit
//! that runs it.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use rollcall::clock::{Clock as _, SystemClock};
use rollcall::wire;

use crate::support::cli::{Ran, command, with_input};
use crate::support::company::hurtful;
use crate::support::engine::{Gate, corp, yaml};
use crate::support::https::Https;
use crate::support::proxy::Proxy;
use crate::support::slapd::{PASSWORD, Setup, Slapd};

/// An engine that has joined, and what its file says.
struct Outside {
    slapd: Slapd,
    gate: Gate,
    yaml: String,
}

impl Outside {
    fn open() -> Self {
        let slapd = Slapd::start(&Setup { ldif: &hurtful(), ..Setup::default() });
        let gate = Gate::open();
        let public = gate.key();
        gate.gateway.engines.enrol(&corp(), [public]);
        let file = gate.settings(&slapd.url(), gate.port, "");
        let yaml = fs::read_to_string(file).unwrap();
        Self { slapd, gate, yaml }
    }

    /// What `rollcall engine check` says of a file that says something else in one place.
    fn check(&self, old: &str, new: &str, environment: &[(&str, &str)]) -> Ran {
        assert!(self.yaml.contains(old), "{old}");
        let file = self.gate.path("other.yaml");
        fs::write(&file, self.yaml.replace(old, new)).unwrap();
        let mut command = command(&["engine", "check", "--config", file.to_str().unwrap()]);
        with_input(command.envs(environment.iter().copied()), "")
    }
}

/// The pin of a certificate, by the command of docs/sync-engine.md.
fn pin(certificate: &Path) -> String {
    let docs = include_str!("../../docs/sync-engine.md");
    let shown = docs.lines().map(str::trim).find(|line| line.starts_with("openssl x509")).unwrap();
    let shown = shown.replace("gateway.crt", certificate.to_str().unwrap());
    let output = Command::new("sh").args(["-c", &shown]).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_pin_no_other_certificate_counts() {
    let outside = Outside::open();
    let own = pin(&outside.gate.path("server.pem"));
    let pinned = |pin: &str| outside.check("stateDir", &format!("  pin: sha256/{pin}\nstateDir"), &[]);
    pinned(&own).exits(0).says("ok      gateway").says("the gateway knows this engine's key");
    // Of the same authority, and with another key: as a proxy that opens TLS would have it.
    let other = pinned(&pin(&outside.gate.path("ca.pem")));
    other.exits(1).says("failed  gateway").says("its key is not the one that is pinned");
    pinned("x").exits(1).says("gateway.pin: write sha256/");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_on_the_way_is_shown_the_password_that_it_asks_for() {
    let outside = Outside::open();
    let shown = format!("Basic {}", STANDARD.encode("engine:of the proxy"));
    let proxy = Proxy::asking(([127, 0, 0, 1], outside.gate.port).into(), &shown);
    let secret = outside.gate.path("proxy-password");
    fs::write(&secret, "of the proxy\n").unwrap();
    let credentials = |more: &str| {
        let url = &proxy.url;
        outside.check("stateDir", &format!("  proxy: {{ url: \"{url}\"{more} }}\nstateDir"), &[])
    };
    let with =
        |file: &Path| format!(", credentials: {{ username: engine, passwordFile: {} }}", file.display());
    credentials(&with(&secret)).exits(0).says("ok      gateway");
    let wanted = proxy.wanted();
    assert!(!wanted.is_empty() && wanted.iter().all(|it| *it == format!("127.0.0.1:{}", outside.gate.port)));
    let without = credentials("").exits(1).says("failed  gateway").says("proxy");
    assert!(!without.said().contains("of the proxy"));
    fs::write(&secret, "another").unwrap();
    let wrong = credentials(&with(&secret)).exits(1).says("failed  gateway").says("proxy");
    assert!(!wrong.said().contains("another"), "{}", wrong.said());
    // That of the environment counts where the file names none.
    let by_environment = outside.check("stateDir", "stateDir", &[("HTTPS_PROXY", &proxy.url)]);
    by_environment.exits(1).says("failed  gateway");
    assert!(!proxy.wanted().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_of_the_directory_is_where_systemd_put_it() {
    let outside = Outside::open();
    let given = format!("passwordFile: {}", outside.gate.path("password").display());
    let credential = "passwordCredential: ldap-password";
    // As LoadCredential= does: a folder of this service alone, that the environment names.
    let folder = outside.gate.path("credentials");
    fs::create_dir(&folder).unwrap();
    let there = [("CREDENTIALS_DIRECTORY", folder.to_str().unwrap())];
    outside.check(&given, credential, &[]).exits(1).says("add LoadCredential= to its unit");
    outside.check(&given, credential, &there).exits(1).says("ldap-password cannot be read");
    fs::write(folder.join("ldap-password"), format!("{PASSWORD}\n")).unwrap();
    outside.check(&given, credential, &there).exits(0).says("takes the credentials");
    fs::write(folder.join("ldap-password"), "a wrong one").unwrap();
    let wrong = outside.check(&given, credential, &there).exits(1).says("failed  directory");
    assert!(!wrong.said().contains("a wrong one"), "{}", wrong.said());
    fs::write(folder.join("ldap-password"), "\n").unwrap();
    outside.check(&given, credential, &there).exits(1).says("the password is empty");
    drop(outside.slapd);
}

#[test]
fn an_older_and_a_newer_gateway_are_told_apart_by_what_to_update() {
    for (oldest, newest, remedy) in [(0, 0, "update the operator"), (98, 99, "update the engine")] {
        let greeting = wire::Greeting {
            instance: "0".repeat(32),
            oldest,
            newest,
            software: "9.9".to_owned(),
            now: SystemClock.now(),
        };
        let greeting = serde_json::to_string(&greeting).unwrap();
        let is_json = [("content-type", "application/json")];
        let greets = axum::routing::get(move || std::future::ready((is_json, greeting.clone())));
        let gateway = Https::start(&["127.0.0.1"], |_| axum::Router::new().route(wire::path::HELLO, greets));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), &gateway.ca).unwrap();
        fs::write(folder.path().join("password"), PASSWORD).unwrap();
        let file = folder.path().join("engine.yaml");
        let yaml = yaml(folder.path(), "ldap://127.0.0.1:1", gateway.address.port(), "");
        fs::write(&file, yaml).unwrap();
        let ran = with_input(&mut command(&["engine", "check", "--config", file.to_str().unwrap()]), "");
        ran.exits(1).says(remedy).says("the operator 9.9 speaks the versions");
        let token = with_input(&mut command(&["engine", "join", "--config", file.to_str().unwrap()]), "x");
        token.exits(1).says(remedy);
        assert!(!folder.path().join("state/key").exists(), "nothing was enrolled");
    }
}

#[test]
fn systemd_understands_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let unit = include_str!("../../docs/sync-engine/rollcall-engine.service");
    let unit = unit.replace("/usr/local/bin/rollcall", env!("CARGO_BIN_EXE_rollcall"));
    let path = folder.path().join("rollcall-engine.service");
    fs::write(&path, unit).unwrap();
    let checked = Command::new("systemd-analyze").arg("verify").arg(&path).output();
    let checked = checked.expect("systemd-analyze is missing: run `make test`, which installs it");
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success() && said.is_empty(), "{said}");
}
