//! A stand-in for Microsoft Entra ID and Microsoft Graph, on https, written from their documentation. It refuses what they
//! refuse, and is itself checked with Microsoft's own clients (`tests/independent/entra.py`).
//!
//! One listener is the authority and Graph of one cloud; which host it is called by makes no difference to it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use uuid::Uuid;

use super::slapd::{Setup, certificates};

mod directory;
mod graph;
mod token;

pub(crate) use directory::{Made, Tenant};
pub(crate) use token::{App, Signing};

/// Hosts of all clouds, by which the stand-in may be called through a proxy.
const HOSTS: &[&str] = &[
    "127.0.0.1",
    "login.microsoftonline.com",
    "graph.microsoft.com",
    "login.microsoftonline.us",
    "graph.microsoft.us",
    "dod-graph.microsoft.us",
    "login.chinacloudapi.cn",
    "microsoftgraph.chinacloudapi.cn",
];

/// A stand-in that answers until it is dropped.
pub(crate) struct Entra {
    /// Its certificate authority, in PEM form.
    pub(crate) ca: String,
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<Inner>>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Whether a token came with it.
    pub(crate) with_token: bool,
    pub(crate) body: String,
}

/// What is answered in place of the truth.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// To whom: a part of the target.
    pub(crate) to: &'static str,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// Everything that it knows.
pub(crate) struct Inner {
    /// What tokens for it must be for; its own address unless a test says otherwise.
    pub(crate) graph: String,
    pub(crate) authority: String,
    pub(crate) app: App,
    pub(crate) tenant: Tenant,
    pub(crate) faults: VecDeque<Fault>,
    pub(crate) asked: Vec<Asked>,
    /// So long a token holds, in seconds.
    pub(crate) token_life: i64,
    tokens: HashMap<String, token::Issued>,
    /// Secrets and assertions that were shown to it.
    shown: BTreeSet<String>,
    rounds: BTreeMap<String, directory::Round>,
}

impl Entra {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificates(&folder, &Setup { names: HOSTS, ..Setup::default() });
        let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let here = format!("https://{address}");
        let state = Arc::new(Mutex::new(Inner {
            graph: here.clone(),
            authority: here,
            app: App::default(),
            tenant: Tenant::default(),
            faults: VecDeque::new(),
            asked: Vec::new(),
            token_life: 3599,
            tokens: HashMap::new(),
            shown: BTreeSet::new(),
            rounds: BTreeMap::new(),
        }));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let config =
            rustls::ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(
                    vec![CertificateDer::from_pem_slice(&read("server.pem")).unwrap()],
                    PrivateKeyDer::from_pem_slice(&read("server.key")).unwrap(),
                )
                .unwrap();
        let tls = axum_server::tls_rustls::RustlsConfig::from_config(Arc::new(config));
        let router = Router::new().fallback(answer).with_state(state.clone());
        listener.set_nonblocking(true).unwrap();
        runtime.spawn(async move {
            axum_server::from_tcp_rustls(listener, tls).unwrap().serve(router.into_make_service()).await
        });
        Self { ca: String::from_utf8(read("ca.pem")).unwrap(), address, state, runtime: Some(runtime) }
    }

    /// Everything that it knows, while nothing is asked.
    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// What was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.inner().asked)
    }

    /// Answers the next question to `to` so.
    pub(crate) fn fail(&self, to: &'static str, status: u16, headers: &[(&'static str, &str)], body: &str) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.inner().faults.push_back(Fault { to, status, headers, body: body.to_owned() });
    }
}

impl Drop for Entra {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        let kind = ("content-type", "application/json; charset=utf-8".to_owned());
        Self { status, headers: vec![kind], body: body.to_string() }
    }

    /// As Graph refuses.
    pub(super) fn error(status: u16, code: &str, message: &str) -> Self {
        let inner = json!({ "date": "2026-11-30T00:00:00", "request-id": Uuid::new_v4() });
        Self::json(status, &json!({ "error": { "code": code, "message": message, "innerError": inner } }))
    }
}

async fn answer(State(state): State<Arc<Mutex<Inner>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
    let body = String::from_utf8_lossy(&body).into_owned();
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let token = header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned));
    let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let answer = {
        let mut inner = state.lock().unwrap();
        inner.asked.push(Asked {
            method: parts.method.to_string(),
            target: target.clone(),
            with_token: token.is_some(),
            body: body.clone(),
        });
        let fault = inner.faults.iter().position(|fault| target.contains(fault.to));
        if let Some(at) = fault {
            let Fault { status, headers, body, .. } = inner.faults.remove(at).unwrap();
            Answer { status, headers, body }
        } else {
            inner.answer(parts.method.as_str(), &target, token.as_deref(), &body)
        }
    };
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap()
}

impl Inner {
    /// Everything that stands in no output: secrets and assertions that were shown, tokens that were issued.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.shown.iter().chain(self.tokens.keys()).map(String::as_str)
    }

    fn answer(&mut self, method: &str, target: &str, token: Option<&str>, body: &str) -> Answer {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query: BTreeMap<String, String> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        // One client begins with two slashes, and calls functions with parentheses.
        let segments: Vec<String> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| segment.strip_suffix("()").unwrap_or(segment).to_owned())
            .collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (method, segments.as_slice()) {
            (_, ["v1.0", rest @ ..]) => self.graph(method, rest, &query, token, body),
            ("GET", ["common", "discovery", "instance"]) => self.instance(),
            ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => self.configuration(tenant),
            ("POST", [tenant, "oauth2", "v2.0", "token"]) => self.token(tenant, body),
            ("GET", [tenant, "adminconsent"]) => self.consent_page(tenant, &query),
            _ => Answer { status: 404, headers: Vec::new(), body: "not found".to_owned() },
        }
    }
}
