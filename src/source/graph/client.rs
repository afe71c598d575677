//! Asks Graph: with a token, patiently, and nobody but Graph.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::config::EntraConfig;
use super::decode::{self, Item};
use super::refusal::{self, About};
use crate::clock::Clock;
use crate::net::http::{Answer, Ask, Http, Url};
use crate::net::oauth::Client;
use crate::net::retry;
use crate::source::service::pages::{Ahead, Onward};
use crate::source::service::trail::Trail;
use crate::source::service::{self, NoAnswer, Service, at};
use crate::source::{Reason, SourceError};
use crate::text;

/// What messages call it.
pub(super) const NAME: &str = "Graph";
/// How many objects a page of members has at most.
const MEMBERS_AT_ONCE: u32 = 999;

/// Graph, as one app of one tenant sees it.
pub(super) struct Graph {
    service: Service,
    config: EntraConfig,
    base: Url,
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

/// A page of a collection, as it came.
#[derive(Deserialize)]
struct Came<'t> {
    #[serde(borrow)]
    value: Vec<Item<'t>>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    delta: Option<String>,
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
        Ok(Self { service: Service::new(NAME, http, client, clock), config, base })
    }

    pub(super) fn config(&self) -> &EntraConfig {
        &self.config
    }

    /// What its clock said last.
    pub(super) fn date(&self) -> Option<Timestamp> {
        self.service.date()
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
        let answer = self.service.ask_openly(&ask).await.map_err(|error| service::http(&error))?;
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
                .after(self.service.wait(&answer))
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

    /// A page of a feed, each object of it as `of` understands it. Where the feed goes on is told `ahead`. An empty page with a link
    /// is no end, and a page without any link is none either.
    pub(super) async fn page<T>(
        &self,
        link: &str,
        of: &impl Fn(&Item<'_>) -> T,
        ahead: Ahead,
    ) -> Result<Vec<T>, Refused> {
        let answer = self.get(self.link(link)?).await?;
        let Came { value, next, delta } = self.service.understand(&answer)?;
        let onward = match (next, delta) {
            (Some(next), None) => Onward::Page(next),
            (None, Some(delta)) => Onward::End(delta),
            (None, None) | (Some(_), Some(_)) => {
                let message =
                    "Graph sent a page without a single next or delta link. Nothing of this read was used";
                return Err(SourceError::new(Reason::Interrupted, message).into());
            }
        };
        let (Onward::Page(link) | Onward::End(link)) = &onward;
        // What leads elsewhere is not kept either.
        self.link(link)?;
        // Nobody listens to a read that was given up.
        ahead.send(onward).ok();
        Ok(value.iter().map(of).collect())
    }

    /// One object, as `of` understands it.
    pub(super) async fn object<T>(&self, url: Url, of: impl Fn(&Item<'_>) -> T) -> Result<T, Refused> {
        let answer = self.get(url).await?;
        Ok(of(&self.service.understand(&answer)?))
    }

    /// The ids of all direct members of a group, where they have one.
    pub(super) async fn members(&self, group: Uuid) -> Result<Vec<Option<Uuid>>, Refused> {
        let query = format!("$select=id&$top={MEMBERS_AT_ONCE}");
        let mut next = Some(self.url(&format!("groups/{group}/members"), &query)?);
        let (mut members, mut trail) = (Vec::new(), Trail::default());
        while let Some(url) = next {
            trail.step(url.as_str(), NAME)?;
            let answer = self.get(url).await?;
            let came: Came<'_> = self.service.understand(&answer)?;
            members.extend(came.value.iter().map(decode::id));
            next = came.next.map(|link| self.link(&link)).transpose()?;
        }
        Ok(members)
    }

    /// What is answered that is no refusal.
    async fn get(&self, url: Url) -> Result<Answer, Refused> {
        self.allowed(self.ask(Ask::get(url)).await?)
    }

    fn allowed(&self, answer: Answer) -> Result<Answer, Refused> {
        if answer.status == 200 { Ok(answer) } else { Err(self.refused(&answer)) }
    }

    /// Several questions at once; the answers are in no order.
    pub(super) async fn batch(&self, requests: &Value) -> Result<Vec<Value>, SourceError> {
        let answer = self.ask(Ask::json(self.url("$batch", "")?, requests)).await?;
        let answer = self.allowed(answer).map_err(Refused::error)?;
        let mut said: Value = self.service.understand(&answer)?;
        match said.get_mut("responses").map(Value::take) {
            Some(Value::Array(responses)) => Ok(responses),
            _ => Err(SourceError::new(Reason::InvalidData, "Graph answered a batch without responses")),
        }
    }

    async fn ask(&self, ask: Ask) -> Result<Answer, SourceError> {
        // People's own work comes first.
        let asked = self.service.ask(ask.with("x-ms-throttle-priority", "low")).await;
        asked.map_err(|none| match none {
            NoAnswer::Token(error) => refusal::token(&error, &self.about()),
            NoAnswer::Http(error) => service::http(&error),
        })
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
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let said = said.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
        let said = text::clean_within(said, 300);
        if let Some(passing) = self.service.passing(answer, &codes) {
            return passing.with_detail(said).into();
        }
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
            _ => (Reason::InvalidData, rejected(&said, &codes)),
        };
        let wait = self.service.wait(answer);
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
        self.service.renew();
        let mut missing = Vec::new();
        for (path, permission) in self.config.reads() {
            match self.get(self.url(path, "$select=id&$top=1")?).await {
                Err(Refused::Error(error)) if error.reason == Reason::AccessDenied => {
                    missing.push(permission);
                }
                Err(refused) => return Err(refused.error()),
                Ok(answer) => _ = self.service.understand::<Came<'_>>(&answer)?,
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
