//! A stand-in for Microsoft Entra ID and Microsoft Graph, on https, written from their documentation. It refuses what they
//! refuse, and is itself checked with Microsoft's own clients (`tests/independent/entra.py`).
//!
//! One listener is the authority and Graph of one cloud; which host it is called by makes no difference to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::json;
use uuid::Uuid;

use super::cloud::{Answer, Answering, Asked, Cloud, Talk};

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
pub(crate) type Entra = Cloud<Inner>;

/// Everything that it knows.
pub(crate) struct Inner {
    /// What tokens for it must be for; its own address unless a test says otherwise.
    pub(crate) graph: String,
    pub(crate) authority: String,
    pub(crate) app: App,
    pub(crate) tenant: Tenant,
    pub(crate) talk: Talk,
    /// So long a token holds, in seconds.
    pub(crate) token_life: i64,
    /// So far its clock is ahead of ours, in seconds.
    pub(crate) clock_ahead: i64,
    tokens: HashMap<String, token::Issued>,
    /// Secrets and assertions that were shown to it.
    shown: BTreeSet<String>,
    rounds: BTreeMap<String, directory::Round>,
}

impl Entra {
    pub(crate) fn start() -> Self {
        Self::of(HOSTS, |here| Inner {
            graph: here.clone(),
            authority: here,
            app: App::default(),
            tenant: Tenant::default(),
            talk: Talk::default(),
            token_life: 3599,
            clock_ahead: 0,
            tokens: HashMap::new(),
            shown: BTreeSet::new(),
            rounds: BTreeMap::new(),
        })
    }
}

/// As Graph refuses.
pub(super) fn error(status: u16, code: &str, message: &str) -> Answer {
    let inner = json!({ "date": "2026-11-30T00:00:00", "request-id": Uuid::new_v4() });
    Answer::json(status, &json!({ "error": { "code": code, "message": message, "innerError": inner } }))
}

impl Answering for Inner {
    fn talk(&mut self) -> &mut Talk {
        &mut self.talk
    }

    fn answer(&mut self, asked: &Asked, token: Option<&str>) -> Answer {
        self.tell(&asked.method, &asked.target, token, &asked.body)
    }
}

impl Inner {
    /// Everything that stands in no output: secrets and assertions that were shown, tokens that were issued.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.shown.iter().chain(self.tokens.keys()).map(String::as_str)
    }

    fn tell(&mut self, method: &str, target: &str, token: Option<&str>, body: &str) -> Answer {
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
