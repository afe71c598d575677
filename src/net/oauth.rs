//! OAuth 2.0 access tokens for a client that acts by itself (RFC 6749 section 4.4), which proves who it is by a secret, by an
//! assertion that it signs (RFC 7523), or by a token that somebody else gave it.
//!
//! # Guarantees
//! - A token is renewed before its end. While that fails, the old one is used until it is over.
//! - A refusal is never remembered: who asks again asks the server again.
//! - Of several who need a token at once, one asks.
//! - No secret, assertion or token is in any error or `Debug`.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::http::{Answer, Ask, Http, HttpError, Url};
use super::retry::Policy;
use super::tls;
use crate::clock::Clock;
use crate::secret::Secret;

/// An answer with a token is no longer.
const LONGEST: usize = 1 << 20;
/// So long before its end a token is renewed, unless its issuer says when.
const EARLY: Duration = Duration::from_mins(5);
/// So long a token is taken to hold of which nobody says how long.
const UNSAID: Duration = Duration::from_mins(10);
/// So long an assertion holds.
const ASSERTION: SignedDuration = SignedDuration::from_mins(10);
/// What an assertion is.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How a client proves who it is.
#[derive(Clone, Debug)]
pub enum Credential {
    /// By a secret that both know.
    Secret(Secret),
    /// By an assertion that it signs.
    Certificate(Signer),
    /// By a token that is in this file, which is read anew each time: who writes it replaces it.
    Federated(PathBuf),
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Signer {
    key: EncodingKey,
    thumbprint: String,
    ends_at: Option<Timestamp>,
}

/// Who asks whom for what.
#[derive(Clone, Debug)]
pub struct Client {
    /// The token endpoint.
    pub endpoint: Url,
    /// Who asks.
    pub id: String,
    /// What the token is to be good for.
    pub scope: String,
    /// How it proves that.
    pub credential: Credential,
}

/// The token of a client, renewed when that is due.
pub struct Tokens {
    http: Http,
    client: Client,
    clock: Arc<dyn Clock>,
    held: Mutex<Option<Held>>,
    /// Who holds this asks.
    asking: tokio::sync::Mutex<()>,
}

/// A token that was issued.
#[derive(Clone)]
struct Held {
    token: Secret,
    renew_at: Timestamp,
    ends_at: Timestamp,
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is no whole answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The server says no.
    #[error("the token endpoint refused ({0})")]
    Refused(Refusal),
    /// The server is not able to answer.
    #[error("the token endpoint answered with status {0}")]
    Failed(u16, Option<Duration>),
    /// The answer is none of a token endpoint.
    #[error("the answer of the token endpoint does not conform to RFC 6749: {0}")]
    NoToken(&'static str),
    /// The credential cannot be used.
    #[error("{0}")]
    Credential(String),
}

/// What a token endpoint says that refuses (RFC 6749 section 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// The kind of error.
    pub error: String,
    /// What kind it is in the issuer's own numbers, if it has some.
    pub codes: Vec<u64>,
    /// What it says about it, without what was sent.
    pub description: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { error, description, .. } = self;
        if description.is_empty() { f.write_str(error) } else { write!(f, "{error}: {description}") }
    }
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

/// What a client says of itself (RFC 7523 section 3).
#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: i64,
    iat: i64,
    exp: i64,
}

impl Credential {
    /// What tells it apart from another one: to be compared, and never shown. `None` of what is another one each time.
    pub fn mark(&self) -> Option<&[u8]> {
        match self {
            Self::Secret(secret) => Some(secret.without_line_end()),
            Self::Certificate(signer) => Some(signer.thumbprint.as_bytes()),
            Self::Federated(_) => None,
        }
    }
}

impl Signer {
    /// Of a certificate and its RSA key in PEM form.
    ///
    /// # Errors
    /// One of them is not in that form. The message holds nothing of them.
    pub fn new(certificate: &[u8], key: &Secret) -> Result<Self, String> {
        let certificate = CertificateDer::from_pem_slice(certificate).map_err(|_| {
            "tls.crt holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)".to_owned()
        })?;
        let key = EncodingKey::from_rsa_pem(key.expose()).map_err(|_| {
            "tls.key holds no RSA key in PEM form that is not encrypted (-----BEGIN PRIVATE KEY-----)"
                .to_owned()
        })?;
        let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate));
        Ok(Self { key, thumbprint, ends_at: tls::ends_at(&certificate) })
    }

    /// Says who `client` is to whom `audience` names.
    fn assertion(&self, client: &str, audience: &str, now: Timestamp) -> Result<String, String> {
        if let Some(ended) = self.ends_at.filter(|end| *end <= now) {
            let day = ended.strftime("%F");
            return Err(format!(
                "the certificate of the client expired on {day}; create a new one and add it to the app"
            ));
        }
        let header = Header { x5t_s256: Some(self.thumbprint.clone()), ..Header::new(Algorithm::PS256) };
        let issued = now.as_second();
        let claims = Claims {
            aud: audience,
            iss: client,
            sub: client,
            jti: Uuid::new_v4().to_string(),
            nbf: issued,
            iat: issued,
            exp: issued + ASSERTION.as_secs(),
        };
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(|_| {
            "the key of the client's certificate cannot sign; it must be an RSA key of 2048 bits or more"
                .to_owned()
        })
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(…)")
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Of a client, which asked nothing yet.
    pub fn new(http: Http, client: Client, clock: Arc<dyn Clock>) -> Self {
        Self { http, client, clock, held: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    /// A token that is good now.
    ///
    /// # Errors
    /// There is none, and the server issues none: see [`TokenError`].
    pub async fn token(&self) -> Result<Secret, TokenError> {
        let good = match self.held() {
            Some(held) if held.renew_at > self.clock.now() => return Ok(held.token),
            Some(held) if held.ends_at > self.clock.now() => Some(held),
            Some(_) | None => None,
        };
        let asking = match &good {
            // Whoever has a good one need not wait for another's.
            Some(held) => match self.asking.try_lock() {
                Ok(asking) => asking,
                Err(_) => return Ok(held.token.clone()),
            },
            None => self.asking.lock().await,
        };
        if let Some(held) = self.held().filter(|held| held.renew_at > self.clock.now()) {
            return Ok(held.token);
        }
        let issued = self.ask().await;
        let token = match (issued, good) {
            (Ok(held), _) => {
                let token = held.token.clone();
                self.hold(Some(held));
                Ok(token)
            }
            (Err(_), Some(held)) if held.ends_at > self.clock.now() => Ok(held.token),
            (Err(error), _) => Err(error),
        };
        drop(asking);
        token
    }

    /// The server did not take this token: it is used no more.
    pub fn forget(&self, token: &Secret) {
        if self.held().is_some_and(|held| held.token.expose() == token.expose()) {
            self.hold(None);
        }
    }

    /// The next token is a new one.
    pub fn renew(&self) {
        self.hold(None);
    }

    fn held(&self) -> Option<Held> {
        self.held.lock().ok()?.clone()
    }

    fn hold(&self, held: Option<Held>) {
        if let Ok(mut place) = self.held.lock() {
            *place = held;
        }
    }

    async fn ask(&self) -> Result<Held, TokenError> {
        let Client { endpoint, id, scope, credential } = &self.client;
        let asked_at = self.clock.now();
        let proof = match credential {
            Credential::Secret(secret) => secret.clone(),
            Credential::Certificate(signer) => {
                let assertion = signer.assertion(id, endpoint.as_str(), asked_at);
                Secret::new(assertion.map_err(TokenError::Credential)?)
            }
            Credential::Federated(file) => Secret::new(tokio::fs::read(file).await.map_err(|error| {
                TokenError::Credential(format!(
                    "the token that proves who we are cannot be read ({}): {error}",
                    file.display()
                ))
            })?),
        };
        let text = std::str::from_utf8(proof.without_line_end())
            .map_err(|_| TokenError::Credential("the credential is not UTF-8 text".to_owned()))?
            .trim();
        let mut fields =
            vec![("client_id", id.as_str()), ("scope", scope), ("grant_type", "client_credentials")];
        match credential {
            Credential::Secret(_) => fields.push(("client_secret", text)),
            Credential::Certificate(_) | Credential::Federated(_) => {
                fields.extend([("client_assertion_type", JWT_BEARER), ("client_assertion", text)]);
            }
        }
        let ask = Ask::form(endpoint.clone(), fields);
        let policy = Policy { tries: 4, ..Policy::default() };
        let answer = self.http.ask_again(&ask, LONGEST, policy, &*self.clock).await?;
        understand(&answer, text, asked_at, self.clock.now())
    }
}

/// What a token endpoint answered that was shown `proof`.
fn understand(answer: &Answer, proof: &str, asked_at: Timestamp, now: Timestamp) -> Result<Held, TokenError> {
    if answer.status != 200 {
        let Ok(denied) = serde_json::from_slice::<Denied>(&answer.body) else {
            return Err(TokenError::Failed(answer.status, answer.retry_after(now)));
        };
        if super::retry::passes(answer.status) {
            return Err(TokenError::Failed(answer.status, answer.retry_after(now)));
        }
        let first = denied.error_description.lines().next().unwrap_or_default().trim();
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

#[cfg(test)]
mod tests;
