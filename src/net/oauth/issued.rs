//! What a token endpoint answers. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::error::{Refusal, TokenError};
use crate::net::http::Answer;
use crate::net::retry;
use crate::secret::Secret;

/// So long before its end a token is renewed, unless its issuer says when.
const EARLY: Duration = Duration::from_mins(5);
/// So long a token is taken to hold of which nobody says how long.
const UNSAID: Duration = Duration::from_mins(10);
/// A token that was issued.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) token: Secret,
    pub(super) renew_at: Timestamp,
    pub(super) ends_at: Timestamp,
}

/// What comes with a token.
#[derive(Deserialize)]
struct Issued {
    access_token: String,
    token_type: String,
    expires_in: Option<Seconds>,
    refresh_in: Option<Seconds>,
}

#[derive(Deserialize)]
struct Denied {
    error: String,
    #[serde(default)]
    error_description: String,
    #[serde(default)]
    error_codes: Vec<u64>,
}

/// Some issuers write numbers as texts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

impl Seconds {
    fn get(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Number(seconds) => *seconds,
            Self::Text(text) => text.trim().parse().ok()?,
        };
        Duration::try_from_secs_f64(seconds).ok()
    }
}

/// What a token endpoint answered that was shown `proof`.
pub(super) fn understand(
    answer: &Answer,
    proof: &str,
    asked_at: Timestamp,
    now: Timestamp,
) -> Result<Held, TokenError> {
    if answer.status != 200 {
        let Ok(denied) = serde_json::from_slice::<Denied>(&answer.body) else {
            return Err(TokenError::Failed(answer.status, answer.retry_after(now)));
        };
        if retry::passes(answer.status) {
            return Err(TokenError::Failed(answer.status, answer.retry_after(now)));
        }
        let first = denied.error_description.lines().next().unwrap_or_default();
        // What follows is another one each time.
        let first = first.split(" Trace ID:").next().unwrap_or_default().trim();
        let repeats = !proof.is_empty() && first.to_lowercase().contains(&proof.to_lowercase());
        return Err(TokenError::Refused(Refusal {
            status: answer.status,
            error: crate::text::clean_within(&denied.error, 100).into_owned(),
            codes: denied.error_codes,
            description: if repeats {
                String::new()
            } else {
                crate::text::clean_within(first, 300).into_owned()
            },
        }));
    }
    if !answer.is_json() {
        return Err(TokenError::NoToken(
            "the answer is not JSON. Check whether a proxy answers in its place",
        ));
    }
    let issued: Issued = serde_json::from_slice(&answer.body)
        .map_err(|_| TokenError::NoToken("access_token or token_type is missing"))?;
    if !issued.token_type.eq_ignore_ascii_case("bearer") || issued.access_token.is_empty() {
        return Err(TokenError::NoToken("the token is not of type Bearer"));
    }
    let life = issued.expires_in.as_ref().and_then(Seconds::get).unwrap_or(UNSAID);
    let refresh = issued.refresh_in.as_ref().and_then(Seconds::get).filter(|refresh| *refresh < life);
    let refresh = refresh.unwrap_or_else(|| life.saturating_sub(EARLY).max(life / 2));
    let after = |life: Duration| {
        SignedDuration::try_from(life)
            .ok()
            .and_then(|life| asked_at.checked_add(life).ok())
            .unwrap_or(Timestamp::MAX)
    };
    Ok(Held { token: Secret::new(issued.access_token), renew_at: after(refresh), ends_at: after(life) })
}
