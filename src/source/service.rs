//! A service of a cloud as a source asks it: with a token, patiently, and nobody else. What each service says when it refuses is
//! its own; what any of them may say is here.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::{Reason, SourceError};
use crate::clock::Clock;
use crate::net::http::{Answer, Ask, Http, HttpError, Stage, Url};
use crate::net::oauth::{Client, Refusal, TokenError, Tokens};
use crate::net::pace::Pace;
use crate::net::retry::{self, Policy};
use crate::words::count;

pub(super) mod open;
pub(super) mod pages;
pub(super) mod places;
pub(super) mod trail;

/// No answer of a service is longer.
const LONGEST: usize = 64 << 20;

/// A service.
pub(super) struct Service {
    /// What messages call it.
    name: &'static str,
    http: Http,
    tokens: Tokens,
    clock: Arc<dyn Clock>,
    /// How many requests it is sent in a minute, where that has a limit.
    pace: Option<Pace>,
    /// The status that an answer has in effect.
    counts_as: fn(&Answer) -> u16,
    /// What its clock said last.
    date: Mutex<Option<Timestamp>>,
}

/// Why there is no answer.
pub(super) enum NoAnswer {
    /// There is no token.
    Token(TokenError),
    /// There is no whole answer.
    Http(HttpError),
}

impl Service {
    pub(super) fn new(name: &'static str, http: Http, client: Client, clock: Arc<dyn Clock>) -> Self {
        let tokens = Tokens::new(http.clone(), client, clock.clone());
        Self {
            name,
            http,
            tokens,
            clock,
            pace: None,
            counts_as: |answer| answer.status,
            date: Mutex::default(),
        }
    }

    /// The same, which is asked no more often than `pace` says, and which says in its own way that it is busy.
    pub(super) fn paced(self, pace: Pace, counts_as: fn(&Answer) -> u16) -> Self {
        Self { pace: Some(pace), counts_as, ..self }
    }

    /// What its clock said last.
    pub(super) fn date(&self) -> Option<Timestamp> {
        *self.date.lock().ok()?
    }

    /// The next question comes with a new token.
    pub(super) fn renew(&self) {
        self.tokens.renew();
    }

    /// Asks without a token.
    pub(super) async fn ask_openly(&self, ask: &Ask) -> Result<Answer, HttpError> {
        self.http.ask_again(ask, LONGEST, Policy::default(), &*self.clock).await
    }

    /// Asks with a token; with a new one if the one that it has is not taken.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Answer, NoAnswer> {
        let mut is_new = false;
        loop {
            let token = self.tokens.token().await.map_err(NoAnswer::Token)?;
            let ask = ask.clone().bearer(token.expose()).map_err(NoAnswer::Http)?;
            let (pace, counts_as) = (self.pace.as_ref(), self.counts_as);
            let asked = self.http.ask_in_turn(&ask, LONGEST, self.patience(), &*self.clock, pace, counts_as);
            let answer = asked.await.map_err(NoAnswer::Http)?;
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

    /// A budget of a minute is there again after a minute.
    fn patience(&self) -> Policy {
        let policy = Policy::default();
        if self.pace.is_some() { Policy { tries: 8, ..policy } } else { policy }
    }

    /// What an answer says, which is no refusal and is to be of this form.
    pub(super) fn understand<'a, T: Deserialize<'a>>(&self, answer: &'a Answer) -> Result<T, SourceError> {
        let name = self.name;
        if !answer.is_json() {
            let message = format!(
                "the answer is not JSON, so it is not from {name}. Check whether a proxy answers in its place"
            );
            return Err(SourceError::new(Reason::InvalidData, message));
        }
        let wrong = |place: String| {
            let message = format!(
                "the answer of {name} is truncated or has another format{place}. Nothing of this read was used"
            );
            SourceError::new(Reason::Interrupted, message)
        };
        // Once for all that is in it.
        let body = std::str::from_utf8(&answer.body).map_err(|_| wrong(" (it is not UTF-8)".to_owned()))?;
        serde_json::from_str(body)
            .map_err(|error| wrong(format!(" (line {}, column {})", error.line(), error.column())))
    }

    /// How long an answer asks to wait.
    pub(super) fn wait(&self, answer: &Answer) -> Option<Duration> {
        answer.retry_after(self.clock.now())
    }

    /// What to say of an answer that any service may give: that it is busy, or that something else answers in its place. `codes` is
    /// what it says of itself.
    pub(super) fn passing(&self, answer: &Answer, codes: &str) -> Option<SourceError> {
        let (name, wait) = (self.name, self.wait(answer));
        let (reason, message) = match (self.counts_as)(answer) {
            429 => {
                let wait = wait.map(|wait| format!(" for {}", count(wait.as_secs(), "second", "seconds")));
                let wait = wait.unwrap_or_default();
                (
                    Reason::Throttled,
                    format!("{name} limits our requests{wait} ({codes}). Nothing of this read was used"),
                )
            }
            300..=399 => (
                Reason::InvalidData,
                format!(
                    "{name} redirected the request ({codes}). Redirects are not followed. Check whether a proxy answers in its place"
                ),
            ),
            status if retry::passes(status) => (
                Reason::Unreachable,
                format!("{name} is busy or failing ({codes}). Nothing of this read was used"),
            ),
            _ => return None,
        };
        Some(SourceError::new(reason, message).after(wait))
    }
}

/// Why there is no whole answer.
pub(super) fn http(error: &HttpError) -> SourceError {
    let reason = match error.stage {
        Stage::Connecting => Reason::Unreachable,
        Stage::Secure => Reason::TlsFailed,
        Stage::Answering => Reason::Interrupted,
        Stage::Unsent | Stage::TooLong => Reason::InvalidData,
    };
    SourceError::new(reason, error.message.clone())
}

/// Why there is no token; `refused` is what a refusal means.
pub(super) fn token(error: &TokenError, refused: impl FnOnce(&Refusal) -> SourceError) -> SourceError {
    match error {
        TokenError::Http(error) => http(error),
        TokenError::Refused(refusal) => refused(refusal),
        TokenError::Failed(status, wait) => {
            let (reason, what) = match status {
                429 => (Reason::Throttled, "is busy or failing"),
                300..=399 => (
                    Reason::InvalidData,
                    "redirected the request. Redirects are not followed. Check whether a proxy answers in its place",
                ),
                status if retry::passes(*status) => (Reason::Unreachable, "is busy or failing"),
                500.. => (Reason::Unreachable, "is busy or failing"),
                _ => (
                    Reason::InvalidData,
                    "gave an answer that no token endpoint gives. Check whether a proxy answers in its place",
                ),
            };
            SourceError::new(reason, format!("the token endpoint {what} (status {status})")).after(*wait)
        }
        TokenError::NoToken(_) => SourceError::new(Reason::InvalidData, error.to_string()),
        TokenError::Credential(why) => SourceError::new(Reason::AuthenticationFailed, why.clone()),
    }
}

/// A client that trusts the certificate authorities in `ca_pem`, or those of the system.
pub(super) fn client(ca_pem: Option<&[u8]>) -> Result<Http, SourceError> {
    Http::new(ca_pem).map_err(|error| http(&error))
}

/// A place at a host.
pub(super) fn at(host: &str, path: &str, query: &str) -> Result<Url, SourceError> {
    let url = Url::parse(host).and_then(|host| host.join(path));
    let mut url = url.map_err(|_| SourceError::new(Reason::InvalidData, format!("{host} is no url")))?;
    if !query.is_empty() {
        url.set_query(Some(query));
    }
    Ok(url)
}

/// What is to be said of these places, which are used in place of the usual ones; nothing if none is.
pub(super) fn elsewhere(whose: &str, places: &[(&str, Option<&str>)]) -> Option<String> {
    let said = places.iter().filter_map(|(what, place)| Some(format!("{what} {}", (*place)?)));
    let said: Vec<String> = said.collect();
    let (last, rest) = said.split_last()?;
    let said = if rest.is_empty() { last.clone() } else { format!("{} and {last}", rest.join(", ")) };
    Some(format!("other hosts than {whose} own are used: {said} (endpoints)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_token_endpoint_says_how_long() {
        let wait = Some(Duration::from_secs(7));
        let cases = [
            (429, Reason::Throttled),
            (503, Reason::Unreachable),
            (520, Reason::Unreachable),
            (302, Reason::InvalidData),
            (403, Reason::InvalidData),
        ];
        for (status, reason) in cases {
            let error = token(&TokenError::Failed(status, wait), |_| unreachable!());
            assert_eq!((error.reason, error.retry_after), (reason, wait));
        }
    }

    #[test]
    fn other_hosts_are_named() {
        let places = |named: &[Option<&'static str>]| {
            let what = ["a at", "b at", "c at"];
            elsewhere("their", &what.into_iter().zip(named.iter().copied()).collect::<Vec<_>>())
        };
        assert_eq!(places(&[None, None]), None);
        let all = places(&[Some("x"), Some("y"), Some("z")]).unwrap();
        assert_eq!(all, "other hosts than their own are used: a at x, b at y and c at z (endpoints)");
    }
}
