//! Why a request is refused, as an answer.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::source::engine;
use crate::wire::{self, code};

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refused {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        let status = match code {
            code::UNSIGNED
            | code::INSTANCE
            | code::KEY
            | code::SIGNATURE
            | code::REPLAYED
            | code::CLOCK
            | code::TOKEN => StatusCode::UNAUTHORIZED,
            code::VERSION => StatusCode::UPGRADE_REQUIRED,
            code::SUPERSEDED | code::CHAIN => StatusCode::CONFLICT,
            code::BUSY => StatusCode::TOO_MANY_REQUESTS,
            code::TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
            code::GONE => StatusCode::GONE,
            code::UNAVAILABLE => StatusCode::SERVICE_UNAVAILABLE,
            code::NOT_FOUND => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        };
        Self { status, code, message: message.into() }
    }

    pub(super) fn response(self) -> Response {
        let refusal = wire::Refusal { code: self.code.to_owned(), message: self.message };
        let body = serde_json::to_vec(&refusal).unwrap_or_default();
        let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
        (self.status, headers, body).into_response()
    }
}

impl From<engine::Refused> for Refused {
    fn from(refused: engine::Refused) -> Self {
        let code = match refused {
            engine::Refused::Gone => code::GONE,
            engine::Refused::Chain(_) => code::CHAIN,
            engine::Refused::Invalid(_) => code::INVALID,
            engine::Refused::Superseded => code::SUPERSEDED,
        };
        Self::new(code, refused.to_string())
    }
}

impl From<wire::Unpackable> for Refused {
    fn from(unpackable: wire::Unpackable) -> Self {
        Self::new(code::INVALID, format!("the request cannot be read: {unpackable}"))
    }
}
