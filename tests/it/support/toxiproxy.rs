//! A proxy that is slow, cuts or refuses when it is told to: toxiproxy, over its HTTP API.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::assets;
use super::http;
use super::port::own_port;
use super::process::{Process, eventually};

/// One proxy to one server, until it is dropped.
pub(crate) struct Toxiproxy {
    pub(crate) port: u16,
    address: String,
    _process: Process,
    _folder: TempDir,
}

impl Toxiproxy {
    /// To a port of this machine.
    pub(crate) fn start(to: u16) -> Self {
        Self::to(Ipv4Addr::LOCALHOST, to)
    }

    /// To a port of one of its addresses.
    pub(crate) fn to(server: Ipv4Addr, port_there: u16) -> Self {
        Self::at(own_port(), server, port_there)
    }

    /// The same, where another one was until now.
    pub(crate) fn at(port: u16, server: Ipv4Addr, port_there: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", own_port());
        let program = assets::program("toxiproxy");
        let process =
            Process::start(&program, std::slice::from_ref(&address), &folder.path().join("log"), None);
        let proxy = Self { port, address, _process: process, _folder: folder };
        eventually(Duration::from_mins(1), "toxiproxy answers", || {
            http::get(&proxy.address, "/version").ok()
        });
        let (listen, upstream) = (format!("127.0.0.1:{port}"), format!("{server}:{port_there}"));
        let body = json!({ "name": "ldap", "listen": listen, "upstream": upstream });
        proxy.post("/proxies", &body.to_string());
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// Does this to what the server sends, until it is cured.
    pub(crate) fn poison(&self, kind: &str, attributes: &Value) {
        let body = json!({ "type": kind, "name": kind, "attributes": attributes });
        self.post("/proxies/ldap/toxics", &body.to_string());
    }

    /// As if nothing had been.
    pub(crate) fn cure(&self) {
        // A body that nobody reads would be answered by a reset.
        self.post("/reset", "");
    }

    fn post(&self, path: &str, body: &str) {
        let (status, said) = http::post(&self.address, path, body).unwrap();
        assert!((200..300).contains(&status), "{path}: {status} {said}");
    }
}
