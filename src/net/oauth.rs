//! OAuth 2.0 access tokens for a client that acts by itself (RFC 6749 section 4.4), which proves who it is by a secret, by an
//! assertion that it signs (RFC 7523), or by a token that somebody else gave it; and for an account that acts in the name of
//! somebody (RFC 7523 section 2.1).
//!
//! # Guarantees
//! - A token is renewed before its end. While that fails, the old one is used until it is over.
//! - A refusal is never remembered: who asks again asks the server again.
//! - Of several who need a token at once, one asks.
//! - No secret, assertion or token is in any error or `Debug`.

use std::fmt;
use std::sync::{Arc, Mutex};

use super::http::{Ask, Http, Url};
use super::retry::Policy;
use crate::clock::Clock;
use crate::secret::Secret;

mod account;
mod cluster_token;
mod error;
mod issued;
mod keyless;
mod signer;

pub use account::{Account, AccountKey, Signing};
pub use cluster_token::{ClusterToken, Issuer, ServiceAccount};
pub use error::{Refusal, TokenError};
use issued::{Held, understand};
pub use keyless::Keyless;
pub use signer::Signer;

/// An answer with a token is no longer.
const LONGEST: usize = 1 << 20;
/// What an assertion is.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How a client proves who it is.
#[derive(Clone, Debug)]
pub enum Credential {
    /// By a secret that both know.
    Secret(Secret),
    /// By an assertion that it signs.
    Certificate(Signer),
    /// By a token that a cluster gives.
    Federated(ClusterToken),
    /// By an assertion of an account that acts in the name of somebody.
    Account(Box<Account>),
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

impl Credential {
    /// What tells it apart from another one: to be compared, and never shown. `None` of what is another one each time.
    pub fn mark(&self) -> Option<&[u8]> {
        match self {
            Self::Secret(secret) => Some(secret.without_line_end()),
            Self::Certificate(signer) => Some(signer.thumbprint.as_bytes()),
            Self::Federated(_) => None,
            Self::Account(account) => account.mark(),
        }
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
            Credential::Federated(token) => token.get().await?,
            Credential::Account(account) => account.assertion(id, scope, &self.http, &*self.clock).await?,
        };
        let text = std::str::from_utf8(proof.without_line_end())
            .map_err(|_| TokenError::Credential("the credential is not UTF-8 text".to_owned()))?
            .trim();
        let client = [("client_id", id.as_str()), ("scope", scope), ("grant_type", "client_credentials")];
        let fields = match credential {
            Credential::Secret(_) => [&client[..], &[("client_secret", text)]].concat(),
            Credential::Certificate(_) | Credential::Federated(_) => {
                let assertion = [("client_assertion_type", JWT_BEARER), ("client_assertion", text)];
                [&client[..], &assertion].concat()
            }
            // It is not a client that asks, but whom the assertion names.
            Credential::Account(_) => vec![("grant_type", account::GRANT), ("assertion", text)],
        };
        let ask = Ask::form(endpoint.clone(), fields);
        let policy = Policy { tries: 4, ..Policy::default() };
        let answer = self.http.ask_again(&ask, LONGEST, policy, &*self.clock).await?;
        understand(&answer, text, asked_at, self.clock.now())
    }
}

#[cfg(test)]
mod tests;
