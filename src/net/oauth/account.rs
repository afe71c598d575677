//! A service account of Google that acts in the name of somebody: a signed assertion that is exchanged for a token (RFC 7523
//! section 2.1; developers.google.com/identity/protocols/oauth2/service-account).

use std::fmt;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};

use super::error::TokenError;
use super::keyless::Keyless;
use crate::clock::Clock;
use crate::net::http::Http;
use crate::secret::Secret;

/// What is granted for an assertion.
pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// For whom assertions are, whatever the address of the token endpoint.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
/// So many seconds an assertion holds: as long as it may.
const LIFE: i64 = 3600;
/// No key file is longer.
const LONGEST: usize = 64 << 10;

/// An account, and in whose name it acts.
#[derive(Clone, Debug)]
pub struct Account {
    /// In whose name.
    pub subject: String,
    /// Who signs what it says.
    pub signing: Signing,
}

/// Who signs for an account.
#[derive(Clone, Debug)]
pub enum Signing {
    /// We do, with its key.
    Key(AccountKey),
    /// Google does, for who proves to be a workload that may have that done.
    Keyless(Keyless),
}

/// A key of an account, as Google writes it into a file.
#[derive(Clone)]
pub struct AccountKey {
    /// What the account is called.
    pub email: String,
    /// Its number, by which an administrator names it.
    pub client_id: String,
    key_id: String,
    key: EncodingKey,
}

/// What such a file has.
#[derive(Deserialize)]
struct File {
    r#type: String,
    #[serde(default)]
    private_key_id: String,
    #[serde(default)]
    private_key: String,
    #[serde(default)]
    client_email: String,
    #[serde(default)]
    client_id: String,
}

/// What an account says of itself.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    scope: &'a str,
    aud: &'static str,
    iat: i64,
    exp: i64,
}

impl Account {
    /// What tells it apart from another one: see [`super::Credential::mark`].
    pub fn mark(&self) -> Option<&[u8]> {
        match &self.signing {
            Signing::Key(key) => Some(key.key_id.as_bytes()),
            Signing::Keyless(_) => None,
        }
    }

    /// That `email` acts in the name of the subject, for these scopes, signed.
    pub(super) async fn assertion(
        &self,
        email: &str,
        scope: &str,
        http: &Http,
        clock: &dyn Clock,
    ) -> Result<Secret, TokenError> {
        let issued: Timestamp = clock.now();
        let iat = issued.as_second();
        let claims = Claims { iss: email, sub: &self.subject, scope, aud: AUDIENCE, iat, exp: iat + LIFE };
        let signed = match &self.signing {
            Signing::Key(key) => key.sign(&claims).map_err(TokenError::Credential)?,
            Signing::Keyless(keyless) => {
                let payload = serde_json::to_string(&claims)
                    .map_err(|_| TokenError::Credential("the assertion cannot be written".to_owned()))?;
                keyless.sign(email, &payload, http, clock).await?
            }
        };
        Ok(Secret::new(signed))
    }
}

impl AccountKey {
    /// What a key file holds.
    ///
    /// # Errors
    /// It is no such file. The message holds nothing of it.
    pub fn read(file: &Secret) -> Result<Self, String> {
        let text = file.expose();
        if text.len() > LONGEST {
            return Err(format!("has more than {LONGEST} bytes, and so is no key of a service account"));
        }
        let file: File = serde_json::from_slice(text).map_err(|error| {
            // What the library says of it may quote it.
            format!(
                "is not the JSON file of a service account's key (line {}, column {}); put the whole file there that Google made \
                 with the key",
                error.line(),
                error.column()
            )
        })?;
        if file.r#type != "service_account" {
            return Err(
                "is not of a service account: its JSON must say \"type\": \"service_account\"".to_owned()
            );
        }
        for (name, value) in [("client_email", &file.client_email), ("private_key", &file.private_key)] {
            if value.trim().is_empty() {
                return Err(format!("has no {name}; put the whole file there that Google made with the key"));
            }
        }
        let key = EncodingKey::from_rsa_pem(file.private_key.as_bytes()).map_err(|_| {
            "has no RSA key in PEM form in private_key; put the whole file there that Google made with the key"
                .to_owned()
        })?;
        Ok(Self { email: file.client_email, client_id: file.client_id, key_id: file.private_key_id, key })
    }

    /// One that nobody looked at: it signs nothing.
    pub fn assumed() -> Self {
        Self {
            email: String::new(),
            client_id: String::new(),
            key_id: String::new(),
            key: EncodingKey::from_rsa_der(&[]),
        }
    }

    fn sign(&self, claims: &Claims<'_>) -> Result<String, String> {
        let kid = Some(self.key_id.clone()).filter(|id| !id.is_empty());
        let header = Header { kid, ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, claims, &self.key).map_err(|_| {
            "the key of the service account cannot sign; it must be an RSA key of 2048 bits or more"
                .to_owned()
        })
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKey({})", self.email)
    }
}
