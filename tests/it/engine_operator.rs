//! A Sync Engine as a process inside, and the operator outside on a real apiserver: from `kubectl apply` to in step.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::cli::{Ran, command, with_input};
use crate::support::cluster::{Cluster, PATIENCE};
use crate::support::engine::yaml;
use crate::support::namespace::Namespace;
use crate::support::office::{
    PASSWORD, PEOPLE, Registry, address, company, condition, in_step_with, is, joins, policy,
};
use crate::support::operator::Operator;
use crate::support::port::own_port;
use crate::support::process::{Process, eventually};
use crate::support::slapd::{ADMIN, SUFFIX, Setup, Slapd, certificates};

/// What the chart adds to the operator's rights where there is a gateway.
const RIGHTS: &str = "{ apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: { name: engines }, rules: [{ apiGroups: [''], \
                      resources: [secrets], verbs: [create, update] }] }";

fn rights(namespace: &Namespace<'_>) {
    namespace.apply(RIGHTS);
    namespace.apply(&format!(
        "{{ apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {{ name: engines }}, roleRef: {{ apiGroup: \
         rbac.authorization.k8s.io, kind: Role, name: engines }}, subjects: [{{ kind: ServiceAccount, name: rollcall, namespace: {} }}] }}",
        namespace.name()
    ));
}

pub(crate) const CONNECTOR: &str = "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: { name: corp }\nspec:\n  ldap:\n    syncEngine: {}\n  \
                         interval: 10s\n  retryInterval: 1s\n";

/// An operator with a gateway at this address, with the certificate in `folder`; and the gateway's URL.
pub(crate) fn outside(namespace: &Namespace<'_>, folder: &Path, address: Ipv4Addr) -> (Operator, String) {
    let pair = |name: &str| folder.join(name).display().to_string();
    let (certificate, key) =
        (format!("--cert={}", pair("server.pem")), format!("--key={}", pair("server.key")));
    namespace.kubectl(&["create", "secret", "tls", "gateway", &certificate, &key]).exits(0);
    let at = format!("{address}:{}", own_port());
    let url = format!("https://{at}");
    let flags = ["--gateway-external-url", &url, "--gateway-address", &at, "--gateway-tls-secret", "gateway"];
    rights(namespace);
    let mut operator = Operator::start_with(namespace, &[namespace], &flags);
    operator.secret("rollcall-join-");
    (operator, url)
}

/// The engine's side.
pub(crate) struct Inside {
    folder: TempDir,
    pub(crate) process: Option<Process>,
}

impl Inside {
    pub(crate) fn new(folder: TempDir, slapd: &Slapd, port: u16) -> Self {
        fs::write(
            folder.path().join("engine.yaml"),
            yaml(folder.path(), &slapd.url(), port, "").replace(ADMIN, &format!("cn=reader,{SUFFIX}")),
        )
        .unwrap();
        fs::write(folder.path().join("password"), PASSWORD).unwrap();
        Self { folder, process: None }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub(crate) fn join(&self, token: &str) -> Ran {
        with_input(&mut command(&["engine", "join", "--config", &self.path("engine.yaml")]), token)
    }

    fn check(&self) -> Ran {
        with_input(&mut command(&["engine", "check", "--config", &self.path("engine.yaml")]), "")
    }

    pub(crate) fn run(&mut self) {
        let arguments = ["engine", "run", "--config", &self.path("engine.yaml")].map(str::to_owned);
        let program =
            std::env::var("ROLLCALL_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_rollcall").to_owned());
        let log = self.folder.path().join("log");
        self.process = Some(Process::start(Path::new(&program), &arguments, &log, None));
    }

    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

pub(crate) fn token(namespace: &Namespace<'_>) -> String {
    token_of(namespace, "corp-engine")
}

pub(crate) fn token_of(namespace: &Namespace<'_>, secret: &str) -> String {
    let template = "go-template={{.data.token | base64decode}}";
    namespace.kubectl(&["get", "secret", secret, "-o", template]).exits(0).out
}

/// The sockets of a process that listen.
pub(crate) fn listening(process: u32) -> Vec<String> {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .filter_map(|fd| fs::read_link(fd.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned()))
        .collect();
    assert!(!sockets.is_empty(), "it has a connection to the gateway");
    let mut found = Vec::new();
    for (table, state) in [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")] {
        let text = fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields[3] == state && sockets.iter().any(|inode| inode == fields[9]) {
                found.push(line.to_owned());
            }
        }
    }
    let unix = fs::read_to_string(format!("/proc/{process}/net/unix")).unwrap();
    // A listening one accepts connections: the flag __SO_ACCEPTCON.
    found.extend(unix.lines().skip(1).map(str::to_owned).filter(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields[3] == "00010000" && sockets.iter().any(|inode| inode == fields[6])
    }));
    found
}

pub(crate) fn message(object: &Value) -> String {
    let all = object["status"]["conditions"].as_array().unwrap();
    let one = all.iter().find(|it| it["type"] == "EngineConnected").unwrap();
    one["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_directory_that_nobody_may_reach_is_read_by_an_agent_that_only_dials_out() {
    let folder = tempfile::tempdir().unwrap();
    certificates(&folder, &Setup::default());
    let slapd = Slapd::start(&Setup { ldif: &company(), ..Setup::default() });
    let namespace = Cluster::shared().namespace();
    let (mut operator, url) = outside(&namespace, folder.path(), Ipv4Addr::LOCALHOST);
    operator.secret(PASSWORD);
    namespace.apply(CONNECTOR);
    namespace.apply(&policy(""));

    let waiting = namespace.until("dirconn", "corp", is("EngineConnected", "False", "WaitingToJoin"));
    let engine = &waiting["status"]["engine"];
    assert_eq!(
        (engine["gateway"].as_str(), engine["secret"].as_str()),
        (Some(url.as_str()), Some("corp-engine"))
    );
    let shown = engine["joinCommand"].as_str().unwrap();
    assert!(shown.contains("get secret corp-engine") && shown.ends_with("| rollcall engine join"), "{shown}");

    let mut inside = Inside::new(folder, &slapd, url.rsplit(':').next().unwrap().parse().unwrap());
    inside.check().exits(1).says("this engine has not joined");
    inside.join("rollcall-join-0000").exits(1).says("this token is unknown, was used, or has expired");
    let first = token(&namespace);
    inside.join(&first).exits(0).says("joined: the key");
    inside.join(&first).exits(1).says("this token is unknown, was used, or has expired");
    let secret = namespace.get("secret", "corp-engine");
    assert!(secret["data"].get("token").is_none() && secret["data"]["publicKey"].is_string());
    inside.check().exits(0).says("the gateway knows this engine's key").says("takes the credentials");

    inside.run();
    let there = namespace.until("dirconn", "corp", is("EngineConnected", "True", "Connected"));
    assert!(message(&there).contains("version "), "{}", message(&there));
    namespace.wait("dirconn", "corp", "condition=Ready");
    namespace.until("syncpol", "staff", in_step_with(12));
    let policy_name = format!("{}/staff", namespace.name());
    assert_eq!(Registry::of(&operator, &policy_name).active(), PEOPLE.map(address));
    slapd.modify(&joins("linus"));
    namespace.until("syncpol", "staff", in_step_with(13));
    let process = inside.process.as_ref().unwrap().id();
    assert_eq!(listening(process), [""; 0], "it listens");

    // Started again, the operator greets the engine anew.
    operator.restart();
    slapd.modify(&joins("dennis"));
    namespace.until("syncpol", "staff", in_step_with(14));

    // Whoever deletes the Secret revokes the key: at once, and nobody is removed.
    namespace.delete("secret", "corp-engine");
    namespace.until("dirconn", "corp", is("EngineConnected", "False", "WaitingToJoin"));
    eventually(PATIENCE, "the engine is told", || {
        inside.said().contains("is not enrolled, or not any more").then_some(())
    });
    let blind = namespace.until("dirconn", "corp", is("Ready", "False", "EngineNotConnected"));
    assert_eq!(condition(&blind, "Reachable"), Some(("False", "EngineNotConnected")));
    assert_eq!(Registry::of(&operator, &policy_name).active().len(), 14);
    inside.join(&first).exits(1).says("this token is unknown");
    inside.process.as_mut().unwrap().stop(PATIENCE);
    inside.join(&token(&namespace)).exits(0);
    inside.run();
    namespace.until("dirconn", "corp", is("EngineConnected", "True", "Connected"));
    slapd.modify(&joins("ken"));
    namespace.until("syncpol", "staff", in_step_with(15));

    // Whoever runs the engine stops it.
    let file = fs::read_to_string(inside.path("engine.yaml")).unwrap();
    fs::write(inside.path("engine.yaml"), format!("{file}stop: true\n")).unwrap();
    let stopped = namespace.until("dirconn", "corp", is("EngineConnected", "False", "StoppedByEngine"));
    assert!(message(&stopped).contains("stop is true"), "{}", message(&stopped));
    let said = inside.said();
    assert!(!said.contains(PASSWORD) && !said.contains("rollcall-join-"), "{said}");
}
