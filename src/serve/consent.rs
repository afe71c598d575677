//! The pages by which an administrator of a directory consents: one leads to the directory's own page, one takes the answer.
//!
//! # Guarantees
//! - What an answer says is never believed. It is a reason to look again, and whoever looks asks the directory.
//! - An answer counts once, within an hour, for the connector whose question it answers, by a state that this process signed.
//! - A page shows nothing of what was sent to it. States stand in no log, status or Event.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State as Shared};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use self::asked::CALLBACK;
use self::page::Page;
use super::Tls;
use super::listen::listen;
use crate::clock::Clock;
use crate::directory::ConnectorName;

mod asked;
mod page;
mod state;

pub use asked::{Answer, Asked, Consents, is_external};

/// Serves `/consent/NAMESPACE/NAME`, which leads to the page of the directory where an administrator consents, and
/// `/consent/callback`, to which that page leads back. Ends after `stop`.
///
/// # Errors
/// When the listener fails.
pub async fn consent(
    listener: TcpListener,
    tls: Option<Tls>,
    consents: Consents,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = Router::new()
        .route(CALLBACK, get(callback))
        .route("/consent/{namespace}/{name}", get(begin))
        .fallback(|| async { page(StatusCode::NOT_FOUND, Page::Nothing) })
        .with_state((consents, clock));
    listen(listener, tls, router, stop).await
}

type Given = (Consents, Arc<dyn Clock>);

async fn begin(
    Shared((consents, clock)): Shared<Given>,
    Path((namespace, name)): Path<(String, String)>,
) -> Response {
    let question = consents.question(&ConnectorName::new(&namespace, &name), clock.now());
    let Some(address) = question.and_then(|address| HeaderValue::try_from(String::from(address)).ok()) else {
        return page(StatusCode::NOT_FOUND, Page::NotAsked);
    };
    let headers =
        [(header::LOCATION, address), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::SEE_OTHER, headers).into_response()
}

async fn callback(Shared((consents, clock)): Shared<Given>, RawQuery(query): RawQuery) -> Response {
    let told = consents.answered(query.as_deref().unwrap_or_default(), clock.now());
    let status = if told.is_answer() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    page(status, told)
}

/// A page that loads nothing, runs nothing, stands in no frame and is not kept.
fn page(status: StatusCode, page: Page) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, page.html()).into_response()
}
