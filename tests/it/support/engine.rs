//! A gateway in this process, and what an engine needs.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rollcall::clock::SystemClock;
use rollcall::directory::ConnectorName;
use rollcall::engine::{Identity, Line, Settings};
use rollcall::gateway::{self, Gateway, Heard};
use rollcall::serve::Tls;
use rollcall::source::SourceConfig;
use rollcall::source::engine::{EngineConfig, Engines, State};
use rollcall::telemetry::Metrics;
use rollcall::wire::{ChangeFeed, Directory, PublicKey, Server};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::process::Process;
use super::slapd::{ADMIN, PASSWORD, Setup, certificates};

/// A gateway in this process, on a port of its own, until it is dropped.
pub(crate) struct Gate {
    pub(crate) gateway: Gateway,
    /// Nobody joins here; whoever hears of news would be a controller.
    heard: Heard,
    pub(crate) port: u16,
    folder: TempDir,
    keys: Vec<PublicKey>,
    stop: CancellationToken,
}

pub(crate) fn corp() -> ConnectorName {
    ConnectorName::new("id", "corp")
}

impl Gate {
    /// Within a runtime.
    pub(crate) fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificates(&folder, &Setup::default());
        std::fs::write(folder.path().join("password"), PASSWORD).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (gateway, heard, stop) = serve(&folder, listener);
        Self { gateway, heard, port, folder, keys: Vec::new(), stop }
    }

    /// Starts it again, as another process would be: with nothing in memory, and the same engines enrolled.
    pub(crate) async fn again(&mut self) {
        self.stop.cancel();
        let listener = loop {
            match TcpListener::bind(("127.0.0.1", self.port)) {
                Ok(listener) => break listener,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        (self.gateway, self.heard, self.stop) = serve(&self.folder, listener);
        self.gateway.engines.enrol(&corp(), self.keys.clone());
    }

    /// Starts an engine as a process, with a key of its own, that asks the gateway at this port.
    pub(crate) fn start(&mut self, name: &str, ldap: &str, port: u16) -> Process {
        let state = self.path(name);
        if !state.exists() {
            self.keys.push(key(&state));
            self.gateway.engines.enrol(&corp(), self.keys.clone());
            let yaml = yaml(&self.path(""), ldap, port, "").replace("/state\n", &format!("/{name}\n"));
            std::fs::write(self.path(&format!("{name}.yaml")), yaml).unwrap();
        }
        let file = self.path(&format!("{name}.yaml")).display().to_string();
        let arguments = ["engine", "run", "--config", &file].map(str::to_owned);
        let program =
            std::env::var("ROLLCALL_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_rollcall").to_owned());
        Process::start(Path::new(&program), &arguments, &self.path(&format!("{name}.log")), None)
    }

    pub(crate) fn engines(&self) -> Engines {
        self.gateway.engines.clone()
    }

    /// How the first engine is.
    pub(crate) fn state(&self) -> State {
        self.engines().states(&corp()).swap_remove(0)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes an `engine.yaml` for the directory at `ldap`, which asks the gateway at this port.
    pub(crate) fn settings(&self, ldap: &str, port: u16, more: &str) -> PathBuf {
        let file = self.path("engine.yaml");
        std::fs::write(&file, yaml(&self.path(""), ldap, port, more)).unwrap();
        file
    }

    /// Enrols a new key, and returns the way of an engine with it.
    pub(crate) fn line(&self, file: &Path) -> Line {
        let settings = Settings::read(file).unwrap();
        let public = self.key();
        self.gateway.engines.enrol(&corp(), Some(public));
        let identity = Identity::read(&settings.state_dir).unwrap();
        Line::new(settings.http().unwrap(), &settings.gateway.url, identity.key, Arc::new(SystemClock))
            .unwrap()
    }

    /// A new key in the engine's folder.
    pub(crate) fn key(&self) -> PublicKey {
        key(&self.path("state"))
    }

    /// What the connector reads.
    pub(crate) fn source(&self, directory: Directory) -> SourceConfig {
        SourceConfig::Engine(EngineConfig {
            connector: corp(),
            engines: self.engines(),
            directory,
            key: String::new(),
        })
    }
}

fn serve(folder: &TempDir, listener: TcpListener) -> (Gateway, Heard, CancellationToken) {
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let tls = Tls::new(&read("server.pem"), &read("server.key")).unwrap();
    let (gateway, heard) = Gateway::new(&format!("https://{}", listener.local_addr().unwrap()));
    let stop = CancellationToken::new();
    let with = (Arc::new(SystemClock) as Arc<_>, Metrics::new());
    tokio::spawn(gateway::gateway(listener, Some(tls), gateway.clone(), with, stop.clone()));
    (gateway, heard, stop)
}

/// A new key in this folder.
pub(crate) fn key(state: &Path) -> PublicKey {
    let public = Identity::create(state).unwrap().key.public().unwrap();
    Identity::keep(state).unwrap();
    public
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An `engine.yaml`, whose files are in `folder`.
pub(crate) fn yaml(folder: &Path, ldap: &str, port: u16, more: &str) -> String {
    // Without a slash at its end.
    let folder = folder.components().as_path().display();
    format!(
        "gateway:\n  url: https://127.0.0.1:{port}\n  caFile: {folder}/ca.pem\nstateDir: {folder}/state\ndirectory:\n  ldap:\n    \
         urls: [\"{ldap}\"]\n    insecure: true\n    credentials: {{ username: \"{ADMIN}\", passwordFile: {folder}/password }}\n{more}"
    )
}

/// An LDAP server, in small pages.
pub(crate) fn directory(literal: &[&str]) -> Directory {
    Directory {
        server: Server::Ldap,
        base_dns: Vec::new(),
        exclude_dns: Vec::new(),
        user_filter: None,
        group_filter: None,
        change_feed: ChangeFeed::FullRead,
        anchor: None,
        page_size: 7,
        literal: literal.iter().map(|name| (*name).to_owned()).collect(),
    }
}
