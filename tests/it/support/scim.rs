//! Real SCIM servers, none of them ours, and what each holds by its own store.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rollcall::clock::SystemClock;
use rollcall::secret::Secret;
use rollcall::target::scim::dialect::Overrides;
use rollcall::target::scim::{Credential, Scim, ScimConfig};
use rollcall::target::turn::Turns;
use serde_json::Value;
use tempfile::TempDir;

use super::cli::Ran;
use super::http;
use super::port::own_port;
use super::process::{Process, eventually};

pub(crate) const TOKEN: &str = "the-token-of-the-test";

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// scim2-server: does what the RFC says, in memory.
    Scim2Server,
    /// django-scim2: knows few paths and filters, and takes members out by value; SQLite.
    Django,
    /// scimmy on Express: in memory, a member that is added again is there twice.
    Scimmy,
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) port: u16,
    process: Process,
    folder: TempDir,
}

/// What a server holds, whoever reads it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Truth {
    /// By `userName`: the key, whether it is active, and the first address.
    pub(crate) users: BTreeMap<String, (String, bool, String)>,
    /// By `displayName`: the `userName`s of the members. A member that is there twice is named twice.
    pub(crate) groups: BTreeMap<String, Vec<String>>,
    /// Objects whose name another one has.
    pub(crate) doubled: BTreeSet<String>,
}

impl Server {
    pub(crate) fn start(kind: Kind) -> Self {
        let (root, name) = (env!("CARGO_MANIFEST_DIR"), kind.name());
        let installed = Command::new(format!("{root}/scripts/scim-server")).arg(name).output().unwrap();
        let installed = Ran::of(&installed).exits(0).out.trim().to_owned();
        let (folder, port) = (tempfile::tempdir().unwrap(), own_port());
        let python = format!("{installed}/bin/python");
        let (program, arguments) = match kind {
            Kind::Scim2Server => {
                let port = port.to_string();
                let dump = folder.path().join("dump.json").display().to_string();
                let server = format!("{installed}/bin/scim2-server");
                let options = [&server, "--port", &port, "--bearer-token", TOKEN, "--dump-resources", &dump];
                (python, options.map(str::to_owned).to_vec())
            }
            Kind::Django => {
                let app = format!("{root}/tests/scim/django_app.py");
                let folder = folder.path().display().to_string();
                (python, vec![app, port.to_string(), TOKEN.to_owned(), folder])
            }
            Kind::Scimmy => {
                let app = format!("{root}/tests/scim/scimmy_app.cjs");
                ("node".to_owned(), vec![app, installed, port.to_string(), TOKEN.to_owned()])
            }
        };
        let log = folder.path().join("log");
        // What runs in the background of a shell ignores interrupts, and what it starts does too.
        let arguments: Vec<String> =
            ["--default-signal=INT".to_owned(), program].into_iter().chain(arguments).collect();
        let process = Process::start(Path::new("env"), &arguments, &log, None);
        let server = Self { kind, port, process, folder };
        eventually(Duration::from_mins(2), "the SCIM server answers", || {
            http::get(&server.address().to_string(), "/").ok()
        });
        server
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}{}", self.port, self.kind.base())
    }

    /// What is told of it.
    pub(crate) fn config(&self) -> ScimConfig {
        config(&self.url())
    }

    /// As a target.
    pub(crate) async fn target(&self) -> Scim {
        Scim::open(self.config(), Turns::free(), Arc::new(SystemClock)).await.unwrap()
    }

    /// The names of its users and whether they are active, as it shows them.
    pub(crate) fn users(&self) -> BTreeMap<String, bool> {
        self.shown().users.into_iter().map(|(name, (_, active, _))| (name, active)).collect()
    }

    /// What it holds, as it shows it to whoever asks; not by our client.
    pub(crate) fn shown(&self) -> Truth {
        let list = |kind: &str| {
            let path = format!("{}/{kind}?count=1000", self.kind.base());
            let (status, body) = http::get_with_token(&self.address().to_string(), &path, TOKEN).unwrap();
            assert_eq!(status, 200, "{body}");
            serde_json::from_str::<Value>(&body).unwrap()["Resources"].take()
        };
        of_resources(&Value::Array(vec![list("Users"), list("Groups")]))
    }

    /// What it was asked, by its own log: each method and path.
    pub(crate) fn asked(&self) -> Vec<(String, String)> {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        let asked = log.lines().filter_map(|line| {
            let (_, request) = line.split_once("] \"")?;
            let mut words = request.split(' ');
            Some((words.next()?.to_owned(), words.next()?.to_owned()))
        });
        asked.collect()
    }

    /// The titles of its users, as it shows them to whoever asks; not by our client.
    pub(crate) fn titles(&self) -> Vec<String> {
        let mut titles = Vec::new();
        loop {
            let path = format!("{}/Users?count=1000&startIndex={}", self.kind.base(), titles.len() + 1);
            let (status, body) = http::get_with_token(&self.address().to_string(), &path, TOKEN).unwrap();
            assert_eq!(status, 200, "{body}");
            let list: Value = serde_json::from_str(&body).unwrap();
            let some = list["Resources"].as_array().into_iter().flatten();
            titles.extend(some.map(|user| user["title"].as_str().unwrap_or_default().to_owned()));
            if titles.len() as u64 >= list["totalResults"].as_u64().unwrap() {
                return titles;
            }
        }
    }

    /// What it holds, by its own store.
    pub(crate) fn truth(mut self) -> Truth {
        match self.kind {
            Kind::Scim2Server => {
                self.process.interrupt(Duration::from_mins(1));
                let dump = std::fs::read_to_string(self.folder.path().join("dump.json")).unwrap();
                of_resources(&serde_json::from_str(&dump).unwrap())
            }
            Kind::Scimmy => {
                let (status, dump) = http::get(&self.address().to_string(), "/dump").unwrap();
                assert_eq!(status, 200);
                of_resources(&serde_json::from_str(&dump).unwrap())
            }
            Kind::Django => of_sqlite(&self.folder.path().join("db.sqlite3")),
        }
    }
}

pub(crate) fn config(url: &str) -> ScimConfig {
    ScimConfig {
        url: url.parse().unwrap(),
        credential: Credential::Token(Secret::new(TOKEN)),
        ca_pem: None,
        insecure: true,
        headers: Vec::new(),
        profile: None,
        overrides: Overrides::default(),
        owned: ["emails", "title", "givenName", "familyName", "department"].map(str::to_owned).into(),
    }
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Scim2Server => "scim2-server",
            Self::Django => "django-scim2",
            Self::Scimmy => "scimmy",
        }
    }

    fn base(self) -> &'static str {
        match self {
            Self::Scim2Server => "/v2",
            Self::Django => "/scim/v2",
            Self::Scimmy => "/scim",
        }
    }
}

/// Every resource within a dump, however it is arranged.
fn of_resources(dump: &Value) -> Truth {
    let mut all = Vec::new();
    collect(dump, &mut all);
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let users: Vec<_> = all.iter().filter(|one| one["userName"].is_string()).collect();
    let names: BTreeMap<_, _> = users.iter().map(|user| (text(user, "id"), text(user, "userName"))).collect();
    let mut truth = Truth::default();
    for user in users {
        let email = text(&user["emails"][0], "value");
        let is = (text(user, "externalId"), user["active"].as_bool().unwrap(), email);
        if truth.users.insert(text(user, "userName"), is).is_some() {
            truth.doubled.insert(text(user, "userName"));
        }
    }
    for group in all.iter().filter(|one| !one["userName"].is_string() && one["displayName"].is_string()) {
        let members = group["members"].as_array().into_iter().flatten();
        let name = |member: &Value| names.get(member["value"].as_str().unwrap()).cloned();
        let mut members: Vec<_> =
            members.map(|member| name(member).unwrap_or_else(|| member["value"].to_string())).collect();
        members.sort();
        if truth.groups.insert(text(group, "displayName"), members).is_some() {
            truth.doubled.insert(text(group, "displayName"));
        }
    }
    truth
}

fn collect<'v>(value: &'v Value, all: &mut Vec<&'v Value>) {
    let is_resource = value["schemas"].is_array() && value["id"].is_string();
    match value {
        _ if is_resource => all.push(value),
        Value::Array(many) => many.iter().for_each(|one| collect(one, all)),
        Value::Object(many) => many.values().for_each(|one| collect(one, all)),
        _ => {}
    }
}

fn of_sqlite(file: &Path) -> Truth {
    let store = rusqlite::Connection::open(file).unwrap();
    let mut truth = Truth::default();
    let mut users =
        store.prepare("SELECT username, scim_external_id, is_active, email FROM people_user").unwrap();
    let rows = users.query_map([], |row| {
        let key: Option<String> = row.get(1)?;
        Ok((row.get(0)?, (key.unwrap_or_default(), row.get(2)?, row.get(3)?)))
    });
    truth.users.extend(rows.unwrap().map(Result::unwrap));
    let mut groups = store.prepare("SELECT id, name FROM people_group").unwrap();
    let groups = groups.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))).unwrap();
    for (id, name) in groups.map(Result::unwrap) {
        let of = "SELECT username FROM people_user_scim_groups m JOIN people_user u ON u.id = m.user_id \
                  WHERE m.group_id = ? ORDER BY username";
        let mut members = store.prepare(of).unwrap();
        let members = members.query_map([id], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        truth.groups.insert(name, members);
    }
    truth
}
