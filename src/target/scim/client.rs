//! Asks a SCIM service: with its token, and nobody else.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::answer::{self, No, Refusal, Said};
use super::config::{Credential, ScimConfig};
use super::resource;
use crate::clock::Clock;
use crate::directory::TargetReason;
use crate::net::http::{Answer, Ask, Http, HttpError, Method, Stage, Url};
use crate::net::oauth::{TokenError, Tokens};
use crate::net::retry::Policy;
use crate::secret::Secret;
use crate::target::Lane;
use crate::target::turn::{self, Call, LONGEST_WRITE, Turns};

/// No answer is longer.
const LONGEST: usize = 64 << 20;
/// What a body is.
const SCIM: &str = "application/scim+json";
/// A read waits out what passes soon; what lasts longer is the caller's to try again.
const PATIENCE: Policy =
    Policy { tries: 3, first: Duration::from_millis(500), longest: Duration::from_secs(20) };

/// A service, as its clients see it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Client {
    service: Arc<Service>,
    turns: Turns,
}

struct Service {
    http: Http,
    tokens: Source,
    base: Url,
    host: String,
    headers: Vec<(String, String)>,
    clock: Arc<dyn Clock>,
}

/// Where tokens come from.
enum Source {
    Fixed(Secret),
    Issued(Box<Tokens>),
}

impl Client {
    pub(super) fn new(config: &ScimConfig, turns: Turns, clock: Arc<dyn Clock>) -> Result<Self, Refusal> {
        let ca_pem = config.ca_pem.as_deref();
        let http = if config.insecure { Http::insecure(ca_pem) } else { Http::new(ca_pem) };
        let http = http.map_err(|error| answer::no_answer(&error))?;
        let host = config.url.host_str().unwrap_or_default().to_owned();
        let tokens = match &config.credential {
            Credential::Token(token) => Source::Fixed(Secret::new(token.without_line_end())),
            Credential::OAuth(client) => {
                Source::Issued(Box::new(Tokens::new(http.clone(), client.clone(), clock.clone())))
            }
        };
        let service =
            Service { http, tokens, base: config.url.clone(), host, headers: config.headers.clone(), clock };
        Ok(Self { service: Arc::new(service), turns })
    }

    /// The same, with requests that go in this lane.
    pub(super) fn in_lane(&self, lane: Lane) -> Self {
        Self { service: self.service.clone(), turns: self.turns.in_lane(lane) }
    }

    /// Whom it asks.
    pub(super) fn host(&self) -> &str {
        &self.service.host
    }

    /// What is at `path`, asked patiently.
    pub(super) async fn get(&self, path: &[&str], query: &str) -> Result<Value, Refusal> {
        let said = self.ask(Method::GET, path, query, None, None).await?;
        said.body.ok_or_else(|| Refusal::not_scim(&format!("{} answered with nothing", self.service.host)))
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
            self.service.base.join(location).ok().filter(|url| url.origin() == self.service.base.origin())?;
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
        for (name, value) in &self.service.headers {
            ask = ask.with_header(name, value).map_err(|error| answer::no_answer(&error))?;
        }
        if let Some(version) = version {
            ask = ask.with_header("if-match", version).map_err(|error| answer::no_answer(&error))?;
        }
        if let Some(body) = body {
            ask = ask.carrying(body.to_string().into_bytes(), SCIM);
        }
        let mut is_new = false;
        loop {
            let token = self.token().await?;
            let with_token = ask.clone().bearer(token.expose()).map_err(|error| answer::no_answer(&error))?;
            let call = if is_read { Call::Read } else { Call::Write };
            let turn = self.turns.take(call).await;
            let turn = turn.map_err(|error| Refusal { no: No::Everything, error })?;
            let answered: Result<Answer, HttpError> = if is_read {
                self.service.http.ask_again(&with_token, LONGEST, PATIENCE, &*self.service.clock).await
            } else {
                let asked = timeout(LONGEST_WRITE, self.service.http.ask(with_token, LONGEST)).await;
                asked.unwrap_or_else(|_| Err(self.silence()))
            };
            turn.said(answered.as_ref().map(|answer| self.rate(answer)).unwrap_or_default());
            let answered = answered.map_err(|error| answer::no_answer(&error))?;
            match (&self.service.tokens, answered.status) {
                // One that was withdrawn before its end; another is issued. Nothing was done.
                (Source::Issued(tokens), 401) if !is_new => {
                    tokens.forget(&token);
                    is_new = true;
                }
                _ => {
                    return answer::understand(
                        &answered,
                        &self.service.host,
                        token.expose(),
                        self.service.clock.now(),
                    );
                }
            }
        }
    }

    fn silence(&self) -> HttpError {
        let message = format!("{} did not answer within {} s", self.host(), LONGEST_WRITE.as_secs());
        HttpError { stage: Stage::Answering, message }
    }

    /// What an answer says of how often the service may be asked.
    fn rate(&self, answer: &Answer) -> turn::Said {
        let number = |names: [&str; 2]| {
            let text = names.into_iter().find_map(|name| answer.header(name))?;
            text.trim().parse::<u64>().ok()
        };
        let left = number(["ratelimit-remaining", "x-ratelimit-remaining"]);
        // Some say at what time, others in how many seconds: only the latter is a small number.
        let reset = number(["ratelimit-reset", "x-ratelimit-reset"]).filter(|seconds| *seconds <= 3600);
        turn::Said {
            status: answer.status,
            retry_after: answer.retry_after(self.service.clock.now()),
            remaining: left.zip(reset.map(Duration::from_secs)),
        }
    }

    async fn token(&self) -> Result<Secret, Refusal> {
        let tokens = match &self.service.tokens {
            Source::Fixed(token) => return Ok(token.clone()),
            Source::Issued(tokens) => tokens,
        };
        let everything = |reason, message: String| Refusal::new(No::Everything, reason, message);
        tokens.token().await.map_err(|error| match &error {
            TokenError::Http(error) => {
                let mut refusal = answer::no_answer(error);
                refusal.no = No::Everything;
                refusal
            }
            TokenError::Refused(refusal) => {
                let message = format!(
                    "the token endpoint refused the client (status {}). Check tokenURL, scope, and client-id and client-secret in the \
                     Secret",
                    refusal.status
                );
                let mut refused = everything(TargetReason::AuthenticationFailed, message);
                refused.error.detail = Some(refusal.to_string());
                refused
            }
            TokenError::Failed(status, wait) => {
                let message = format!("the token endpoint is busy or failing (status {status})");
                let mut refused = everything(TargetReason::Unavailable, message);
                refused.error.retry_after = *wait;
                refused
            }
            TokenError::NoToken(_) => everything(TargetReason::InvalidAnswer, error.to_string()),
            TokenError::Credential(_) => everything(TargetReason::AuthenticationFailed, error.to_string()),
        })
    }

    fn url(&self, path: &[&str], query: &str) -> Result<Url, Refusal> {
        let refused =
            || Refusal::new(No::Refused, TargetReason::Refused, "an id of the target cannot be asked for");
        // A part that is a dot would lead to another resource.
        if !path.iter().all(|part| resource::is_id(part)) {
            return Err(refused());
        }
        let mut url = self.service.base.clone();
        url.path_segments_mut().map_err(|()| refused())?.pop_if_empty().extend(path);
        url.set_query((!query.is_empty()).then_some(query));
        Ok(url)
    }
}
