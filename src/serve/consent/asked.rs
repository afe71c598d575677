//! The consents that are asked for, and the answers that came.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::error::Unspecified;
use jiff::Timestamp;
use tokio::sync::mpsc;
use url::Url;
use uuid::Uuid;

use super::page::Page;
use super::state::Key;
use crate::directory::ConnectorName;

/// Where answers come to.
pub(super) const CALLBACK: &str = "/consent/callback";
/// So many answers are remembered as used; whoever sends more in an hour is not heard.
const USED: usize = 10_000;
/// What pages say whose question was declined (Microsoft: `permission_denied`, `consent_required`; RFC 6749: `access_denied`).
const DECLINED: [&str; 3] = ["access_denied", "permission_denied", "consent_required"];

/// A consent that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The uid of the connector.
    pub uid: String,
    /// The address of the directory's own page, without where it is to lead back to.
    pub page: String,
    /// The tenant, if its ID is known.
    pub tenant: Option<Uuid>,
}

/// An answer to a question of ours. It proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The connector whose consent was asked for.
    pub connector: ConnectorName,
    /// Its uid.
    pub uid: String,
    /// Whether the administrator declined, as the answer says.
    pub is_declined: bool,
}

/// The consents that are asked for; clones share them.
#[derive(Clone, Debug)]
pub struct Consents {
    key: Arc<Key>,
    /// Where the pages are, as browsers reach them.
    external: Arc<str>,
    known: Arc<Mutex<Known>>,
    answers: mpsc::Sender<Answer>,
}

#[derive(Debug, Default)]
struct Known {
    asked: BTreeMap<ConnectorName, Asked>,
    /// Until when each answer that came must be remembered.
    used: HashMap<Uuid, Timestamp>,
}

impl Consents {
    /// None yet, with a key of its own. The answers come out of the other end; one that nobody has room for is lost, as a browser
    /// that was closed before it came.
    ///
    /// # Errors
    /// No key can be made.
    pub fn new(external: &str) -> Result<(Self, mpsc::Receiver<Answer>), Unspecified> {
        let (answers, heard) = mpsc::channel(64);
        let key = Arc::new(Key::new()?);
        Ok((Self { key, external: external.into(), known: Arc::default(), answers }, heard))
    }

    /// What a connector's consent is asked with, from now on; `None` if none is missing.
    pub fn set(&self, connector: &ConnectorName, asked: Option<Asked>) {
        let mut known = self.known();
        match asked {
            Some(asked) => drop(known.asked.insert(connector.clone(), asked)),
            None => drop(known.asked.remove(connector)),
        }
    }

    /// The page that leads to a connector's question.
    pub fn address(&self, connector: &ConnectorName) -> String {
        format!("{}/consent/{connector}", self.external.trim_end_matches('/'))
    }

    /// The address of the directory's own page, which leads back here; `None` if nothing is asked.
    pub(super) fn question(&self, connector: &ConnectorName, now: Timestamp) -> Option<Url> {
        let asked = self.known().asked.get(connector)?.clone();
        let state = self.key.sign(connector, &asked.uid, now)?;
        let mut page = Url::parse(&asked.page).ok()?;
        let back = format!("{}{CALLBACK}", self.external.trim_end_matches('/'));
        page.query_pairs_mut().append_pair("redirect_uri", &back).append_pair("state", &state);
        Some(page)
    }

    /// Somebody came with an answer: if it is one to a question of ours, it is handed on, once.
    pub(super) fn answered(&self, query: &str, now: Timestamp) -> Page {
        let mut fields = HashMap::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            // Of what comes twice the first counts.
            fields.entry(name).or_insert(value);
        }
        let Some(state) = fields.get("state").and_then(|state| self.key.read(state)) else {
            return Page::Unknown;
        };
        if state.is_over(now) {
            return Page::Late;
        }
        let connector = state.connector.clone();
        let tenant = {
            let mut known = self.known();
            known.used.retain(|_, end| *end > now);
            if known.used.contains_key(&state.jti) {
                return Page::Again;
            }
            if known.used.len() >= USED {
                return Page::TooMany;
            }
            known.used.insert(state.jti, state.ends_at().unwrap_or(now));
            match known.asked.get(&connector).filter(|asked| asked.uid == state.uid) {
                Some(asked) => asked.tenant,
                None => return Page::Settled,
            }
        };
        let error = fields.get("error").map(AsRef::as_ref);
        let is_declined = error.is_some_and(|error| DECLINED.contains(&error));
        // Whoever has no room for it has one that says the same.
        drop(self.answers.try_send(Answer { connector, uid: state.uid, is_declined }));
        let said = fields.get("tenant").and_then(|tenant| Uuid::try_parse(tenant).ok());
        match error {
            _ if is_declined => Page::Declined,
            Some(_) => Page::Failed,
            None if said.is_some() && tenant.is_some() && said != tenant => Page::OtherTenant,
            None => Page::Given,
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether browsers may be led back to this address: `https://` and a host, or `http://` and the machine itself.
pub fn is_external(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let is_bare = url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none();
    let is_secure = match url.scheme() {
        "https" => url.has_host(),
        "http" => matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")),
        _ => false,
    };
    is_bare && is_secure
}

#[cfg(test)]
mod tests;
