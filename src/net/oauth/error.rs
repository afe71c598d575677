//! Why a token endpoint issued no token.

use std::fmt;
use std::time::Duration;

use crate::net::http::HttpError;

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
