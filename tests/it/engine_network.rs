//! A domain controller and its Sync Engine in a network of their own, whose firewall drops everything that comes in, and the operator
//! outside on a real apiserver. It needs root, `ip` and `iptables`; elsewhere it reports that it is left out.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::engine_operator::{listening, outside, token};
use crate::support::cli::{Ran, with_input};
use crate::support::cluster::{Cluster, PATIENCE};
use crate::support::office::{in_step_with, is, policy};
use crate::support::process::{Process, eventually};
use crate::support::samba::{ADMIN, DOMAIN, Domain, PASSWORD};
use crate::support::slapd::{Setup, certificates};

/// A network of its own, behind a firewall, until it is dropped.
struct Inside {
    name: String,
    /// The addresses of the line to it: outside, and inside.
    far: Ipv4Addr,
    near: Ipv4Addr,
}

fn ran(command: &str) -> Result<(), String> {
    let output = Command::new("sh").args(["-c", command]).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    output.status.success().then_some(()).ok_or_else(|| format!("{command}: {said}"))
}

impl Inside {
    fn new() -> Result<Self, String> {
        let number = std::process::id() % 4096;
        let (name, line) = (format!("rollcall-{number}"), format!("rce{number}"));
        let net = |host: u8| {
            let [high, low] = u16::try_from(number * 4).unwrap().to_be_bytes();
            Ipv4Addr::new(10, 200 + high / 64, high, low + host)
        };
        let (far, near) = (net(1), net(2));
        ran(&format!("ip netns add {name}"))?;
        let made = Self { name: name.clone(), far, near };
        ran(&format!(
            "ip link add {line}o type veth peer name {line}i netns {name} && ip addr add {far}/30 dev {line}o && \
             ip link set {line}o up && ip netns exec {name} sh -ec 'ip addr add {near}/30 dev {line}i; ip link set lo up; \
             ip link set {line}i up; iptables -P INPUT DROP; iptables -A INPUT -i lo -j ACCEPT; \
             iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT'"
        ))?;
        Ok(made)
    }

    /// Starts a program in it.
    fn start(&self, program: &Path, arguments: &[String], log: &Path) -> Process {
        let within = ["netns", "exec", &self.name, program.to_str().unwrap()].map(str::to_owned);
        Process::start(Path::new("ip"), &[&within[..], arguments].concat(), log, None)
    }

    /// Runs a program in it, which is given `input`.
    fn run(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = Command::new("ip");
        with_input(command.args(["netns", "exec", &self.name]).args(arguments), input)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // Its line goes with it.
        drop(ran(&format!("ip netns del {}", self.name)));
    }
}

fn person(name: &str) -> String {
    format!(
        "dn: CN={name},CN=Users,{DOMAIN}\nchangetype: add\nobjectClass: user\nsAMAccountName: {name}\nuserAccountControl: 544\n\
         mail: {name}@example.test\n\n"
    )
}

#[test]
fn a_domain_behind_a_firewall_that_lets_nothing_in_is_read_from_inside() {
    let inside = match Inside::new() {
        Ok(inside) => inside,
        Err(why) => return eprintln!("left out, because this machine makes no network of its own: {why}"),
    };
    let folder = tempfile::tempdir().unwrap();
    certificates(&folder, &Setup { names: &[&inside.far.to_string()], ..Setup::default() });
    let path = |name: &str| folder.path().join(name).display().to_string();

    let domain = Domain::new(Ipv4Addr::new(127, 9, 9, 9));
    let (program, arguments) = domain.server();
    let _samba = inside.start(&program, &arguments, Path::new(&path("samba.log")));
    let modify = ["ldapmodify", "-x", "-H", &domain.url(), "-D", ADMIN, "-w", PASSWORD];
    let modify = |changes: &str| inside.run(&modify, changes);
    eventually(Duration::from_mins(1), "Samba answers", || (modify(&person("ann")).code == 0).then_some(()));
    modify(&person("bob")).exits(0);

    let namespace = Cluster::shared().namespace();
    let (mut operator, url) = outside(&namespace, folder.path(), inside.far);
    operator.secret(PASSWORD);
    namespace.apply(
        "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: { name: corp }\nspec:\n  activeDirectory:\n    \
         syncEngine: {}\n  interval: 10s\n  retryInterval: 1s\n",
    );
    namespace.apply(&policy("  users: { emailDomains: [example.test] }\n"));
    let yaml = format!(
        "gateway: {{ url: \"{url}\", caFile: {} }}\nstateDir: {}\ndirectory:\n  activeDirectory:\n    urls: [\"{}\"]\n    insecure: true\n    \
         credentials: {{ username: '{ADMIN}', passwordFile: {} }}\n",
        path("ca.pem"),
        path("state"),
        domain.url(),
        path("password"),
    );
    fs::write(path("engine.yaml"), yaml).unwrap();
    fs::write(path("password"), PASSWORD).unwrap();
    namespace.until("dirconn", "corp", is("EngineConnected", "False", "WaitingToJoin"));
    let rollcall =
        std::env::var("ROLLCALL_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_rollcall").to_owned());
    inside.run(&[&rollcall, "engine", "join", "--config", &path("engine.yaml")], &token(&namespace)).exits(0);
    let arguments = ["engine", "run", "--config", &path("engine.yaml")].map(str::to_owned);
    let engine = inside.start(Path::new(&rollcall), &arguments, Path::new(&path("engine.log")));

    namespace.wait("dirconn", "corp", "condition=Ready");
    namespace.until("syncpol", "staff", in_step_with(2));
    modify(&person("cyd")).exits(0);
    namespace.until("syncpol", "staff", in_step_with(3));
    assert_eq!(listening(engine.id()), [""; 0], "the engine listens");
    // Nobody comes in, whoever they ask for.
    for port in [389, 636, 8444] {
        let there = SocketAddr::from((inside.near, port));
        assert!(TcpStream::connect_timeout(&there, Duration::from_secs(1)).is_err(), "port {port} is open");
    }
    modify(&format!("dn: CN=bob,CN=Users,{DOMAIN}\nchangetype: delete\n\n")).exits(0);
    namespace.until("syncpol", "staff", |object| object["status"]["lastRun"]["disabled"] == 1);
    drop(engine);
    eventually(PATIENCE, "its log is there", || {
        fs::read_to_string(path("engine.log")).ok().filter(|said| said.contains("connected"))
    });
}
