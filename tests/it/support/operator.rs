//! The operator: the real binary, with the rights of its own service account.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use super::cluster::{PATIENCE, tail};
use super::http;
use super::namespace::Namespace;
use super::port::own_port;
use super::process::{Process, eventually};
use super::secrets;

/// How long it may take to end what it is doing.
const GRACE: Duration = Duration::from_mins(1);

/// An operator that runs until it is dropped; then nothing secret may be in what it said.
pub(crate) struct Operator {
    program: PathBuf,
    arguments: Vec<String>,
    kubeconfig: PathBuf,
    /// Variables beside the usual ones.
    environment: Vec<(String, String)>,
    folder: tempfile::TempDir,
    secrets: Vec<String>,
    process: Option<Process>,
    pub(crate) scim: String,
    pub(crate) health: String,
    pub(crate) metrics: String,
    pub(crate) admin: String,
}

impl Operator {
    /// Starts the operator in `home`, to watch that namespace alone.
    pub(crate) fn start(home: &Namespace<'_>) -> Self {
        Self::start_with(home, &[home], &[])
    }

    /// Starts the operator in `home`, to watch these namespaces, with further arguments.
    pub(crate) fn start_with(home: &Namespace<'_>, watched: &[&Namespace<'_>], more: &[&str]) -> Self {
        home.install_operator(watched);
        let names: Vec<&str> = watched.iter().map(|namespace| namespace.name()).collect();
        let binary =
            std::env::var("ROLLCALL_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_rollcall").to_owned());
        Self::run(Path::new(&binary), home, &names.join(","), more)
    }

    /// Starts another operator in `home`, with a data folder and a service account of its own.
    pub(crate) fn beside(home: &Namespace<'_>, account: &str) -> Self {
        let binary =
            std::env::var("ROLLCALL_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_rollcall").to_owned());
        Self::run_as(account, Path::new(&binary), home, home.name(), &[])
    }

    #[allow(dead_code, reason = "of those who share this, one lets labels choose")]
    /// Starts the operator in `home`, which has rights in these namespaces, with arguments that say which it is to watch.
    pub(crate) fn choosing(home: &Namespace<'_>, rights: &[&Namespace<'_>], more: &[&str]) -> Self {
        home.install_operator(rights);
        let binary =
            std::env::var("ROLLCALL_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_rollcall").to_owned());
        Self::run(Path::new(&binary), home, "", more)
    }

    /// The same with another program, which is called with the same arguments.
    pub(crate) fn run(program: &Path, home: &Namespace<'_>, watched: &str, more: &[&str]) -> Self {
        Self::run_as("rollcall", program, home, watched, more)
    }

    fn run_as(account: &str, program: &Path, home: &Namespace<'_>, watched: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = || format!("127.0.0.1:{}", own_port());
        let (scim, health, metrics, admin) = (address(), address(), address(), address());
        let data = folder.path().join("data").display().to_string();
        let named = Some(("--watch-namespaces", watched)).filter(|_| !watched.is_empty());
        let flags = [
            ("--data", data.as_str()),
            ("--scim-address", &scim),
            ("--health-address", &health),
            ("--metrics-address", &metrics),
            ("--admin-address", &admin),
            ("--namespace", home.name()),
            ("--lease-name", "rollcall"),
        ];
        let flags = flags.into_iter().chain(named).flat_map(|(flag, value)| [flag, value]);
        let arguments = ["operator"].into_iter().chain(flags).chain(more.iter().copied());
        let arguments = arguments.map(str::to_owned).collect();
        let (program, kubeconfig) = (program.to_owned(), home.kubeconfig_of(account));
        let mut operator = Self {
            program,
            arguments,
            kubeconfig,
            environment: Vec::new(),
            folder,
            secrets: Vec::new(),
            process: None,
            scim,
            health,
            metrics,
            admin,
        };
        operator.restart();
        operator
    }

    /// Starts it again with this variable.
    pub(crate) fn restart_with(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
        self.restart();
    }

    /// Nothing that it says may contain this.
    pub(crate) fn secret(&mut self, secret: &str) {
        self.secrets.push(secret.to_owned());
    }

    /// Waits until it says that it is ready.
    #[track_caller]
    pub(crate) fn ready(&mut self) {
        let (health, log) = (self.health.clone(), self.log());
        let process = self.process.as_mut().expect("the operator runs");
        eventually(PATIENCE, "the operator is ready", || {
            if let Some(ended) = process.ended() {
                panic!("the operator ended: {ended}\n{}", tail(&log));
            }
            matches!(http::get(&health, "/readyz"), Ok((200, _))).then_some(())
        });
    }

    /// Asks it to end, and waits until it has.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.process.take().expect("the operator runs").stop(GRACE)
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> ExitStatus {
        self.process.take().expect("the operator runs").wait(PATIENCE)
    }

    /// Ends it at once, whatever it is doing.
    pub(crate) fn kill(&mut self) {
        self.process.take().expect("the operator runs").kill();
    }

    /// Starts it, after it was ended if it runs, with the same data and addresses.
    pub(crate) fn restart(&mut self) {
        if self.process.is_some() {
            self.stop();
        }
        let kubeconfig = self.kubeconfig.to_str().unwrap();
        // The last one as the chart sets it.
        let usual = [("KUBECONFIG", kubeconfig), ("ROLLCALL_LOG", "info"), ("MIMALLOC_PURGE_DELAY", "10")];
        let more = self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let environment: Vec<(&str, &str)> = usual.into_iter().chain(more).collect();
        let log = self.log();
        self.process = Some(Process::start_with(&self.program, &self.arguments, &environment, &log, None));
    }

    /// Starts it to watch these namespaces, after it was ended.
    pub(crate) fn watch(&mut self, namespaces: &str) {
        let flag = self.arguments.iter().position(|argument| argument == "--watch-namespaces").unwrap();
        namespaces.clone_into(&mut self.arguments[flag + 1]);
        self.restart();
    }

    /// Everything that it said until now.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(self.log()).unwrap()
    }

    #[allow(dead_code, reason = "of those who share this, one measures")]
    /// The time that it has computed until now, on all cores together.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        // After the name, which stands in brackets: user and system time are the 12th and 13th field (proc(5)).
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        // A tick is a hundredth of a second on every Linux that we know of.
        Duration::from_millis(ticks * 10)
    }

    #[allow(dead_code, reason = "of those who share this, one measures")]
    /// The memory that it occupies, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        self.bytes("VmRSS:")
    }

    #[allow(dead_code, reason = "of those who share this, one measures")]
    /// The most memory that it ever occupied, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.bytes("VmHWM:")
    }

    #[allow(dead_code, reason = "of those who share this, one measures")]
    fn bytes(&self, field: &str) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    #[allow(dead_code, reason = "of those who share this, one measures")]
    fn proc(&self, file: &str) -> String {
        let process = self.process.as_ref().expect("the operator runs");
        fs::read_to_string(format!("/proc/{}/{file}", process.id())).unwrap()
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("operator.log")
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let failing = std::thread::panicking();
        if let Some(mut process) = self.process.take() {
            if failing {
                process.kill();
                eprintln!("the operator said last:\n{}", tail(&self.log()));
            } else {
                process.stop(GRACE);
            }
        }
        let said = self.output();
        if !failing {
            secrets::none_in(&said);
            secrets::nobody_in(&said);
        }
        for secret in &self.secrets {
            // The secret itself is not shown here either.
            let line = said.lines().position(|line| line.contains(secret.as_str()));
            assert!(failing || line.is_none(), "a secret is in line {line:?} of what the operator said");
        }
    }
}
