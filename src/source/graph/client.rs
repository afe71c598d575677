//! Asks Graph: with a token, patiently, and nobody but Graph.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::config::EntraConfig;
use super::decode::Item;
use super::refusal::{self, About};
use super::trail::Trail;
use crate::clock::Clock;
use crate::net::http::{Answer, Ask, Http, Url};
use crate::net::oauth::{Client, Tokens};
use crate::net::retry::{self, Policy};
use crate::source::{Reason, SourceError};
use crate::text;
use crate::words::count;

/// No answer of Graph is longer.
const LONGEST: usize = 64 << 20;
/// How many objects a page of members has at most.
const MEMBERS_AT_ONCE: u32 = 999;

/// Graph, as one app of one tenant sees it.
pub(super) struct Graph {
    http: Http,
    tokens: Tokens,
    config: EntraConfig,
    base: Url,
    clock: Arc<dyn Clock>,
    /// What its clock said last.
    date: Mutex<Option<Timestamp>>,
}

/// Why Graph did not answer what it was asked.
#[derive(Debug)]
pub(super) enum Refused {
    /// The feed cannot go on from where it was.
    Resync,
    /// There is no such object.
    NotThere,
    /// Anything else.
    Error(SourceError),
}

impl From<SourceError> for Refused {
    fn from(error: SourceError) -> Self {
        Self::Error(error)
    }
}

impl Refused {
    /// As an error, where neither of the others can be.
    pub(super) fn error(self) -> SourceError {
        match self {
            Self::Error(error) => error,
            Self::Resync => SourceError::new(
                Reason::CursorExpired,
                "Graph no longer knows where this read was. Nothing of it was used; everything is read again",
            ),
            Self::NotThere => SourceError::new(
                Reason::Interrupted,
                "Graph no longer knows an object that it named before. Nothing of this read was used",
            ),
        }
    }
}

/// A page of a collection.
#[derive(serde::Deserialize)]
pub(super) struct Page {
    pub(super) value: Vec<Item>,
    #[serde(rename = "@odata.nextLink")]
    pub(super) next: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    pub(super) delta: Option<String>,
}

/// A client that trusts whom the configuration does.
pub(super) fn http(config: &EntraConfig) -> Result<Http, SourceError> {
    Http::new(config.ca_pem.as_deref()).map_err(|error| refusal::http(&error))
}

impl Graph {
    pub(super) fn new(config: EntraConfig, http: Http, clock: Arc<dyn Clock>) -> Result<Self, SourceError> {
        let client = Client {
            endpoint: at(config.authority(), &format!("/{}/oauth2/v2.0/token", config.tenant), "")?,
            id: config.client.clone(),
            scope: format!("{}/.default", config.graph().trim_end_matches('/')),
            credential: config.credential.clone(),
        };
        let base = at(config.graph(), "/", "")?;
        let tokens = Tokens::new(http.clone(), client, clock.clone());
        Ok(Self { http, tokens, config, base, clock, date: Mutex::default() })
    }

    pub(super) fn config(&self) -> &EntraConfig {
        &self.config
    }

    /// What its clock said last.
    pub(super) fn date(&self) -> Option<Timestamp> {
        *self.date.lock().ok()?
    }

    /// The id of the tenant, which it keeps whatever its domains are called.
    pub(super) async fn tenant(&self) -> Result<Uuid, SourceError> {
        let tenant = &self.config.tenant;
        if let Ok(id) = Uuid::try_parse(tenant) {
            return Ok(id);
        }
        // Needs no permission, and is the same in every cloud.
        let path = format!("/{tenant}/v2.0/.well-known/openid-configuration");
        let ask = Ask::get(at(self.config.authority(), &path, "")?);
        let asked = self.http.ask_again(&ask, LONGEST, Policy::default(), &*self.clock).await;
        let answer = asked.map_err(|error| refusal::http(&error))?;
        let said: Option<Value> = serde_json::from_slice(&answer.body).ok().filter(|_| answer.status == 200);
        let issuer = said.as_ref().and_then(|said| said.get("issuer")).and_then(Value::as_str);
        let id = issuer
            .and_then(|issuer| Url::parse(issuer).ok())
            .and_then(|issuer| Uuid::try_parse(issuer.path_segments()?.next()?).ok());
        id.ok_or_else(|| {
            let why = if retry::passes(answer.status) {
                format!("the authority is busy or failing (status {})", answer.status)
            } else {
                format!(
                    "there is no tenant {tenant} in the cloud {}; check tenantID, and cloud for a tenant of a national cloud",
                    self.config.cloud.name()
                )
            };
            let reason =
                if retry::passes(answer.status) { Reason::Unreachable } else { Reason::AuthenticationFailed };
            SourceError::new(reason, format!("the ID of the tenant cannot be determined: {why}"))
                .after(answer.retry_after(self.clock.now()))
        })
    }

    /// A question to Graph.
    pub(super) fn url(&self, path: &str, query: &str) -> Result<Url, SourceError> {
        at(self.config.graph(), &format!("/v1.0/{path}"), query)
    }

    /// A link that Graph gave, if it leads to Graph: the token goes nowhere else.
    pub(super) fn link(&self, link: &str) -> Result<Url, SourceError> {
        let url = Url::parse(link).ok().filter(|url| url.origin() == self.base.origin());
        url.filter(|url| url.username().is_empty() && url.password().is_none()).ok_or_else(|| {
            let message =
                "Graph sent a link to another host. It was not followed, and nothing of this read was used";
            SourceError::new(Reason::InvalidData, message)
        })
    }

    /// A page of a collection.
    pub(super) async fn page(&self, url: Url) -> Result<Page, Refused> {
        self.get(url).await
    }

    /// One object.
    pub(super) async fn object(&self, url: Url) -> Result<Item, Refused> {
        self.get(url).await
    }

    /// All direct members of a group.
    pub(super) async fn members(&self, group: Uuid) -> Result<Vec<Item>, Refused> {
        let query = format!("$select=id&$top={MEMBERS_AT_ONCE}");
        let mut next = Some(self.url(&format!("groups/{group}/members"), &query)?);
        let (mut members, mut trail) = (Vec::new(), Trail::default());
        while let Some(url) = next {
            trail.step(&url)?;
            let page = self.page(url).await?;
            members.extend(page.value);
            next = page.next.map(|link| self.link(&link)).transpose()?;
        }
        Ok(members)
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, Refused> {
        let answer = self.ask(Ask::get(url)).await?;
        self.understand(&answer)
    }

    /// What an answer says that is to be of this form.
    fn understand<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Refused> {
        if answer.status != 200 {
            return Err(self.refused(answer));
        }
        if !answer.is_json() {
            let message =
                "the answer is not JSON, so it is not from Graph. Check whether a proxy answers in its place";
            return Err(SourceError::new(Reason::InvalidData, message).into());
        }
        serde_json::from_slice(&answer.body).map_err(|error| {
            let message = format!(
                "the answer of Graph is truncated or has another format (line {}, column {}). Nothing of this read was used",
                error.line(),
                error.column()
            );
            SourceError::new(Reason::Interrupted, message).into()
        })
    }

    /// Several questions at once; the answers are in no order.
    pub(super) async fn batch(&self, requests: &Value) -> Result<Vec<Value>, SourceError> {
        let answer = self.ask(Ask::json(self.url("$batch", "")?, requests)).await?;
        let mut said: Value = self.understand(&answer).map_err(Refused::error)?;
        match said.get_mut("responses").map(Value::take) {
            Some(Value::Array(responses)) => Ok(responses),
            _ => Err(SourceError::new(Reason::InvalidData, "Graph answered a batch without responses")),
        }
    }

    /// Asks with a token; with a new one if the one that it has is not taken.
    async fn ask(&self, ask: Ask) -> Result<Answer, SourceError> {
        let mut is_new = false;
        loop {
            let token = self.tokens.token().await.map_err(|error| refusal::token(&error, &self.about()))?;
            let ask = ask.clone().bearer(token.expose()).map_err(|error| refusal::http(&error))?;
            // People's own work comes first.
            let ask = ask.with("x-ms-throttle-priority", "low");
            let asked = self.http.ask_again(&ask, LONGEST, Policy::default(), &*self.clock).await;
            let answer = asked.map_err(|error| refusal::http(&error))?;
            if let (Some(date), Ok(mut last)) = (answer.date(), self.date.lock()) {
                *last = Some(date);
            }
            if answer.status != 401 || is_new {
                return Ok(answer);
            }
            self.tokens.forget(&token);
            is_new = true;
        }
    }

    fn about(&self) -> About<'_> {
        let EntraConfig { tenant, client, cloud, .. } = &self.config;
        About { tenant, client, cloud: *cloud, consent: self.config.consent() }
    }

    fn refused(&self, answer: &Answer) -> Refused {
        let status = answer.status;
        if refusal::is_resync(status, &answer.body) {
            return Refused::Resync;
        }
        let codes = refusal::codes(&answer.body).join(", ");
        let codes = if codes.is_empty() { format!("status {status}") } else { format!("{status}, {codes}") };
        let codes = text::clean_within(&codes, 200);
        let wait = answer.retry_after(self.clock.now());
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let said = said.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
        let said = text::clean_within(said, 300);
        let (reason, message) = match status {
            404 => return Refused::NotThere,
            401 => (
                Reason::AuthenticationFailed,
                format!("Graph rejected the token that Microsoft Entra ID issued ({codes}). Check cloud"),
            ),
            403 => (
                Reason::AccessDenied,
                format!("Graph denied access to the app {} ({codes})", self.config.client),
            ),
            429 => {
                let wait = wait.map(|wait| format!(" for {}", count(wait.as_secs(), "second", "seconds")));
                let wait = wait.unwrap_or_default();
                (
                    Reason::Throttled,
                    format!("Graph limits our requests{wait} ({codes}). Nothing of this read was used"),
                )
            }
            300..=399 => (
                Reason::InvalidData,
                format!(
                    "Graph redirected the request ({codes}). Redirects are not followed. Check whether a proxy answers in its place"
                ),
            ),
            _ if retry::passes(status) => (
                Reason::Unreachable,
                format!("Graph is busy or failing ({codes}). Nothing of this read was used"),
            ),
            _ => (Reason::InvalidData, rejected(&said, &codes)),
        };
        SourceError::new(reason, message).after(wait).with_detail(said).into()
    }

    /// Which permissions are missing, after one was: an error that names them.
    pub(super) async fn missing_permissions(&self, denied: SourceError) -> SourceError {
        match self.missing().await {
            Ok(missing) => self.lacks(&missing).unwrap_or(denied),
            Err(_) => denied,
        }
    }

    /// What to say of these permissions that the app lacks; nothing if it lacks none.
    pub(super) fn lacks(&self, missing: &[&str]) -> Option<SourceError> {
        refusal::permissions(missing, &self.about())
    }

    /// Which permissions the app does not have. Graph is asked, with a new token: what a token says of itself is for Graph, and
    /// one of before a consent does not have what was given since.
    pub(super) async fn missing(&self) -> Result<Vec<&'static str>, SourceError> {
        self.tokens.renew();
        let mut missing = Vec::new();
        for (path, permission) in self.config.reads() {
            match self.page(self.url(path, "$select=id&$top=1")?).await {
                Err(Refused::Error(error)) if error.reason == Reason::AccessDenied => {
                    missing.push(permission);
                }
                Err(refused) => return Err(refused.error()),
                Ok(_) => {}
            }
        }
        Ok(missing)
    }
}

/// What to say of a request that was rejected. What Graph says of it may quote what people are called, unless it is of an attribute
/// that somebody named.
fn rejected(said: &str, codes: &str) -> String {
    let why = if said.starts_with("Could not find a property named") {
        said
    } else {
        "the debug log has what it said"
    };
    format!("Graph rejected the request ({codes}): {why}")
}

/// A place at a host.
fn at(host: &str, path: &str, query: &str) -> Result<Url, SourceError> {
    let url = Url::parse(host).and_then(|host| host.join(path));
    let mut url = url.map_err(|_| SourceError::new(Reason::InvalidData, format!("{host} is no url")))?;
    if !query.is_empty() {
        url.set_query(Some(query));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_attribute_is_named_and_nobody_else() {
        let wrong = "Could not find a property named 'costCentre' on type 'microsoft.graph.user'.";
        assert!(rejected(wrong, "400, BadRequest").ends_with(wrong));
        let other = rejected("Invalid object identifier 'ann@corp.example'.", "400, BadRequest");
        assert!(other.contains("BadRequest") && !other.contains("ann"), "{other}");
    }
}
