//! A stand-in for Google Workspace, on https, written from its documentation: the token endpoint, the token exchange, IAM, and the
//! Directory API of the Admin SDK. It refuses what they refuse, and is itself checked with Google's own client and its description of
//! the API (`tests/independent/workspace.py`).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::json;
use uuid::Uuid;

use super::cloud::{Answer, Answering, Asked, Cloud, Talk};

mod api;
mod customer;
mod token;

pub(crate) use customer::{Customer, Kind, Made};
pub(crate) use token::{Account, SCOPES};

/// Hosts by which the stand-in may be called through a proxy.
const HOSTS: &[&str] = &[
    "127.0.0.1",
    "admin.googleapis.com",
    "oauth2.googleapis.com",
    "sts.googleapis.com",
    "iamcredentials.googleapis.com",
];

/// A stand-in that answers until it is dropped.
pub(crate) type Google = Cloud<Inner>;

/// Everything that it knows.
pub(crate) struct Inner {
    pub(crate) account: Account,
    pub(crate) customer: Customer,
    pub(crate) talk: Talk,
    /// So long a token holds, in seconds.
    pub(crate) token_life: i64,
    /// So far its clock is ahead of ours, in seconds.
    pub(crate) clock_ahead: i64,
    /// So many requests a token is good for, if that is less.
    pub(crate) token_uses: u32,
    /// Whether the API is enabled in the account's project.
    pub(crate) is_enabled: bool,
    /// Whether the customer lets APIs be used.
    pub(crate) lets_apis: bool,
    /// What the administrator may read.
    pub(crate) rights: BTreeSet<&'static str>,
    tokens: HashMap<String, token::Issued>,
    /// Assertions and other tokens that were shown to it.
    shown: BTreeSet<String>,
    pages: BTreeMap<String, api::Place>,
}

impl Google {
    pub(crate) fn start() -> Self {
        Self::of(HOSTS, |_| Inner {
            account: Account::new(),
            customer: Customer::default(),
            talk: Talk::default(),
            token_life: 3599,
            clock_ahead: 0,
            token_uses: u32::MAX,
            is_enabled: true,
            lets_apis: true,
            rights: ["users", "groups"].into(),
            tokens: HashMap::new(),
            shown: BTreeSet::new(),
            pages: BTreeMap::new(),
        })
    }
}

/// As Google's APIs refuse.
fn error(status: u16, reason: &str, message: &str) -> Answer {
    let domain = if reason.ends_with("Exceeded") || reason == "accessNotConfigured" {
        "usageLimits"
    } else {
        "global"
    };
    let errors = json!([{ "message": message, "domain": domain, "reason": reason }]);
    Answer::json(status, &json!({ "error": { "code": status, "message": message, "errors": errors } }))
}

impl Answering for Inner {
    fn talk(&mut self) -> &mut Talk {
        &mut self.talk
    }

    fn answer(&mut self, asked: &Asked, token: Option<&str>) -> Answer {
        let Asked { method, target, body, .. } = asked;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let parsed = |text: &str| url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        let segments: Vec<String> =
            path.split('/').filter(|segment| !segment.is_empty()).map(percent_decoded).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (method.as_str(), segments.as_slice()) {
            ("GET", ["admin", "directory", "v1", rest @ ..]) => self.directory(rest, &parsed(query), token),
            ("POST", ["token"]) => self.token(&parsed(body)),
            ("POST", ["v1", "token"]) => self.exchange(&parsed(body)),
            ("POST", ["v1", "projects", "-", "serviceAccounts", what]) => self.sign(what, body, token),
            _ => error(404, "notFound", "Not Found"),
        }
    }
}

impl Inner {
    /// Everything that stands in no output: assertions that were shown, tokens that were issued.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.shown.iter().chain(self.tokens.keys()).map(String::as_str)
    }

    fn issue(&mut self, scopes: BTreeSet<String>) -> Answer {
        let token = format!("ya29.{}", Uuid::new_v4().simple());
        let ends_at = token::now() + self.token_life;
        self.tokens.insert(token.clone(), token::Issued { scopes, ends_at, uses: self.token_uses });
        Answer::json(
            200,
            &json!({ "access_token": token, "expires_in": self.token_life, "token_type": "Bearer" }),
        )
    }
}

fn percent_decoded(segment: &str) -> String {
    let segment = segment.replace('+', "%2B");
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(segment.as_bytes()).into_owned().collect();
    pairs.into_iter().next().map(|(name, _)| name).unwrap_or_default()
}
