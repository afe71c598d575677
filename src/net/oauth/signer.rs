//! A certificate and its key, by which a client says who it is (RFC 7523 section 3).

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::net::tls;
use crate::secret::Secret;

/// So long an assertion holds.
const ASSERTION: SignedDuration = SignedDuration::from_mins(10);

/// A certificate and its key.
#[derive(Clone)]
pub struct Signer {
    key: EncodingKey,
    pub(super) thumbprint: String,
    ends_at: Option<Timestamp>,
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

    /// One that nobody looked at: it signs nothing.
    pub fn assumed() -> Self {
        Self { key: EncodingKey::from_rsa_der(&[]), thumbprint: String::new(), ends_at: None }
    }

    /// Says who `client` is to whom `audience` names.
    pub(super) fn assertion(&self, client: &str, audience: &str, now: Timestamp) -> Result<String, String> {
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
