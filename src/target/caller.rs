//! Calls a service over HTTP: with its token and nobody else's, one turn for each call, reads patiently, writes once.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::{sleep, timeout};

use super::lane::Lane;
use super::refusal::{No, Refusal};
use super::turn::{Call, LONGEST_WRITE, Said, Turns};
use crate::clock::Clock;
use crate::directory::TargetReason;
use crate::net::http::{Answer, Ask, Http, HttpError, Stage, chance};
use crate::net::oauth::{TokenError, Tokens};
use crate::net::retry::{Came, Next, Policy};
use crate::secret::Secret;

/// No answer is longer.
const LONGEST: usize = 64 << 20;

/// Where tokens come from.
pub(super) enum TokenSource {
    /// This one.
    Fixed(Secret),
    /// A token endpoint; where its answer is a refusal, this is to be checked.
    Issued(Box<Tokens>, &'static str),
}

/// A service, as its clients see it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Caller {
    service: Arc<Service>,
    turns: Turns,
}

struct Service {
    http: Http,
    tokens: TokenSource,
    host: String,
    /// What an answer says of how often the service may be called.
    rate: fn(&Answer, Timestamp) -> Said,
    patience: Policy,
    clock: Arc<dyn Clock>,
}

/// An answer, and the token that it was given for, which nothing repeats.
pub(super) struct Answered {
    pub(super) answer: Answer,
    pub(super) token: Secret,
    pub(super) at: Timestamp,
}

impl Caller {
    pub(super) fn new(
        http: Http,
        tokens: TokenSource,
        host: String,
        rate: fn(&Answer, Timestamp) -> Said,
        patience: Policy,
        turns: Turns,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let service = Service { http, tokens, host, rate, patience, clock };
        Self { service: Arc::new(service), turns }
    }

    /// The same, with calls that go in this lane.
    pub(super) fn in_lane(&self, lane: Lane) -> Self {
        Self { service: self.service.clone(), turns: self.turns.in_lane(lane) }
    }

    /// Whom it calls.
    pub(super) fn host(&self) -> &str {
        &self.service.host
    }

    /// The answer to a read, asked again while what stands in the way may pass; to a write, asked once.
    pub(super) async fn call(&self, ask: &Ask, call: Call) -> Result<Answered, Refusal> {
        let service = &*self.service;
        let (mut tried, mut is_new) = (0, false);
        loop {
            let token = self.token().await?;
            let with_token =
                ask.clone().bearer(token.expose()).map_err(|error| Refusal::no_answer(&error))?;
            let turn = self.turns.take(call).await;
            let turn = turn.map_err(|error| Refusal { no: No::Everything, error })?;
            let answered: Result<Answer, HttpError> = match call {
                Call::Read => service.http.ask(with_token, LONGEST).await,
                Call::Write => {
                    let asked = timeout(LONGEST_WRITE, service.http.ask(with_token, LONGEST)).await;
                    asked.unwrap_or_else(|_| Err(self.silence()))
                }
            };
            tried += 1;
            let at = service.clock.now();
            let said = answered.as_ref().map(|answer| (service.rate)(answer, at)).unwrap_or_default();
            turn.said(said);
            let came = match &answered {
                Ok(answer) => Came::Status(answer.status, said.retry_after),
                Err(error) if error.passes() => Came::Nothing,
                Err(error) => return Err(Refusal::no_answer(error)),
            };
            if let (Call::Read, Next::Again(wait)) = (call, service.patience.next(came, tried, chance())) {
                sleep(wait).await;
                continue;
            }
            let answer = answered.map_err(|error| Refusal::no_answer(&error))?;
            match (&service.tokens, answer.status) {
                // One that was withdrawn before its end; another is issued. Nothing was done.
                (TokenSource::Issued(tokens, _), 401) if !is_new => {
                    tokens.forget(&token);
                    is_new = true;
                }
                _ => return Ok(Answered { answer, token, at }),
            }
        }
    }

    fn silence(&self) -> HttpError {
        let message = format!("{} did not answer within {} s", self.host(), LONGEST_WRITE.as_secs());
        HttpError { stage: Stage::Answering, message }
    }

    async fn token(&self) -> Result<Secret, Refusal> {
        let (tokens, check) = match &self.service.tokens {
            TokenSource::Fixed(token) => return Ok(token.clone()),
            TokenSource::Issued(tokens, check) => (tokens, check),
        };
        let everything = |reason, message: String| Refusal::new(No::Everything, reason, message);
        tokens.token().await.map_err(|error| match &error {
            TokenError::Http(error) => {
                let mut refusal = Refusal::no_answer(error);
                refusal.no = No::Everything;
                refusal
            }
            TokenError::Refused(refusal) => {
                let message = format!(
                    "the token endpoint refused the client (status {}). Check {check}",
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
}
