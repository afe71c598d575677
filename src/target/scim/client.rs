//! Asks a SCIM service: with its token, and nobody else.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::answer::{self, Said};
use super::config::{Credential, ScimConfig};
use super::{rate, resource};
use crate::clock::Clock;
use crate::directory::TargetReason;
use crate::net::http::{Answer, Ask, Http, Method, Url};
use crate::net::oauth::Tokens;
use crate::net::retry::Policy;
use crate::secret::Secret;
use crate::target::Lane;
use crate::target::caller::{Caller, TokenSource};
use crate::target::refusal::{No, Refusal};
use crate::target::turn::{self, Call, Turns};

/// What a body is.
const SCIM: &str = "application/scim+json";
/// A read waits out what passes soon; what lasts longer is the caller's to try again.
const PATIENCE: Policy =
    Policy { tries: 3, first: Duration::from_millis(500), longest: Duration::from_secs(20) };

/// A service, as its clients see it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Client {
    caller: Caller,
    place: Arc<Place>,
}

struct Place {
    base: Url,
    headers: Vec<(String, String)>,
}

impl Client {
    pub(super) fn new(config: &ScimConfig, turns: Turns, clock: Arc<dyn Clock>) -> Result<Self, Refusal> {
        let ca_pem = config.ca_pem.as_deref();
        let http = if config.insecure { Http::insecure(ca_pem) } else { Http::new(ca_pem) };
        let http = http.map_err(|error| Refusal::no_answer(&error))?;
        let host = config.url.host_str().unwrap_or_default().to_owned();
        let tokens = match &config.credential {
            Credential::Token(token) => TokenSource::Fixed(Secret::new(token.without_line_end())),
            Credential::OAuth(client) => TokenSource::Issued(
                Box::new(Tokens::new(http.clone(), client.clone(), clock.clone())),
                "tokenURL, scope, and client-id and client-secret in the Secret",
            ),
        };
        let caller = Caller::new(http, tokens, host, rate, PATIENCE, turns, clock);
        let place = Place { base: config.url.clone(), headers: config.headers.clone() };
        Ok(Self { caller, place: Arc::new(place) })
    }

    /// The same, with requests that go in this lane.
    pub(super) fn in_lane(&self, lane: Lane) -> Self {
        Self { caller: self.caller.in_lane(lane), place: self.place.clone() }
    }

    /// Whom it asks.
    pub(super) fn host(&self) -> &str {
        self.caller.host()
    }

    /// What is at `path`, asked patiently.
    pub(super) async fn get(&self, path: &[&str], query: &str) -> Result<Value, Refusal> {
        let said = self.ask(Method::GET, path, query, None, None).await?;
        said.body.ok_or_else(|| Refusal::not_scim(&format!("{} answered with nothing", self.host())))
    }

    /// Asks for a change, once.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
        version: Option<&str>,
    ) -> Result<Said, Refusal> {
        self.ask(method, path, "", body, version).await
    }

    /// The last part of the address at which a resource was made, if it is at this service.
    pub(super) fn id_in(&self, location: &str) -> Option<String> {
        let url =
            self.place.base.join(location).ok().filter(|url| url.origin() == self.place.base.origin())?;
        let last = url.path_segments()?.next_back()?.to_owned();
        resource::is_id(&last).then_some(last)
    }

    async fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &str,
        body: Option<&Value>,
        version: Option<&str>,
    ) -> Result<Said, Refusal> {
        let is_read = method == Method::GET;
        let mut ask =
            Ask::of(method, self.url(path, query)?).with("accept", "application/scim+json, application/json");
        for (name, value) in &self.place.headers {
            ask = ask.with_header(name, value).map_err(|error| Refusal::no_answer(&error))?;
        }
        if let Some(version) = version {
            ask = ask.with_header("if-match", version).map_err(|error| Refusal::no_answer(&error))?;
        }
        if let Some(body) = body {
            ask = ask.carrying(body.to_string().into_bytes(), SCIM);
        }
        let call = if is_read { Call::Read } else { Call::Write };
        let answered = self.caller.call(&ask, call).await?;
        answer::understand(&answered.answer, call, self.host(), answered.token.expose(), answered.at)
    }

    fn url(&self, path: &[&str], query: &str) -> Result<Url, Refusal> {
        let refused =
            || Refusal::new(No::Refused, TargetReason::Refused, "an id of the target cannot be asked for");
        // A part that is a dot would lead to another resource.
        if !path.iter().all(|part| resource::is_id(part)) {
            return Err(refused());
        }
        let mut url = self.place.base.clone();
        url.path_segments_mut().map_err(|()| refused())?.pop_if_empty().extend(path);
        url.set_query((!query.is_empty()).then_some(query));
        Ok(url)
    }
}

/// What an answer says of how often the service may be asked.
fn rate(answer: &Answer, now: Timestamp) -> turn::Said {
    let (retry_after, remaining) = (rate::wait(answer, now), rate::remaining(answer, now));
    turn::Said { status: answer.status, retry_after, remaining }
}
