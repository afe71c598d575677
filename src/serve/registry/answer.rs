//! Builds HTTP responses.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use crate::scim::Failure;

/// After so many seconds, whoever was told 503 may ask again.
const RETRY_AFTER: &str = "10";

/// What a request is answered with.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    version: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    /// 200, with this.
    pub(super) fn of(body: &impl Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_vec(body).map_err(internal)?;
        Ok(Self { status: StatusCode::OK, version: None, body })
    }

    /// The version of what is answered.
    pub(super) fn with_version(self, version: String) -> Self {
        Self { version: Some(version), ..self }
    }

    pub(super) fn failure(failure: &Failure) -> Self {
        let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, version: None, body: failure.message().to_string().into_bytes() }
    }

    /// 304 if the reader has this version already.
    pub(super) fn unless_unchanged(self, known: Option<&HeaderValue>) -> Self {
        let opaque = |version: &str| version.trim().trim_start_matches("W/").to_owned();
        let known = known.and_then(|known| known.to_str().ok()).unwrap_or_default();
        match &self.version {
            Some(version)
                if known.split(',').any(|one| one.trim() == "*" || opaque(one) == opaque(version)) =>
            {
                Self { status: StatusCode::NOT_MODIFIED, body: Vec::new(), ..self }
            }
            _ => self,
        }
    }

    /// How many bytes it takes.
    pub(super) fn size(&self) -> usize {
        self.body.len()
    }

    /// As a response; `allowed` are the methods that there are where it was asked.
    pub(super) fn response(self, allowed: &'static str) -> Response {
        let mut response =
            (self.status, Body::from(Bytes::from(self.body.into_boxed_slice()))).into_response();
        let headers = response.headers_mut();
        let scim = HeaderValue::from_static("application/scim+json");
        headers.insert(header::CONTENT_TYPE, scim);
        // What is about people is not for caches that others share.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        if let Some(version) = self.version.and_then(|version| HeaderValue::from_str(&version).ok()) {
            headers.insert(header::ETAG, version);
        }
        let extra = match self.status {
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer realm=\"rollcall\"")),
            StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, RETRY_AFTER)),
            StatusCode::METHOD_NOT_ALLOWED => Some((header::ALLOW, allowed)),
            _ => None,
        };
        if let Some((name, value)) = extra {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// Something that cannot be written as JSON.
#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
pub(super) fn internal(error: serde_json::Error) -> Failure {
    tracing::error!(%error, "a resource could not be written");
    Failure::new(500, "a resource could not be written")
}
