//! Health, readiness and metrics.

use std::io;
use std::net::TcpListener;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use super::Readiness;
use super::listen::listen;
use crate::telemetry::Metrics;

/// Serves `/healthz`, which answers 200 for as long as the process lives, and `/readyz`, which answers 200
/// while it serves, else 503, with a line for each thing that is missing. Ends after `stop`.
///
/// # Errors
/// When the listener fails.
pub async fn health(listener: TcpListener, readiness: Readiness, stop: CancellationToken) -> io::Result<()> {
    let ready = move || async move {
        let missing = readiness.missing().into_iter();
        let mut lines: Vec<String> = missing.map(|name| format!("waiting for {name}")).collect();
        let status = if readiness.is_ready() {
            lines.insert(0, "ok".to_owned());
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        (status, format!("{}\n", lines.join("\n")))
    };
    let router = Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready));
    listen(listener, None, router, stop).await
}

/// Serves `/metrics`: as `OpenMetrics` text to clients that accept it, else in the older text format of Prometheus.
/// Ends after `stop`.
///
/// # Errors
/// When the listener fails.
pub async fn metrics(listener: TcpListener, metrics: Metrics, stop: CancellationToken) -> io::Result<()> {
    let answer = move |headers: HeaderMap| async move { exposition(&metrics, &headers) };
    listen(listener, None, Router::new().route("/metrics", get(answer)), stop).await
}

fn exposition(metrics: &Metrics, headers: &HeaderMap) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";
    let (kind, text) =
        if accepts_open_metrics(headers) { (OPEN_METRICS, metrics.text()) } else { (PLAIN, metrics.plain()) };
    match text {
        Ok(text) => ([(header::CONTENT_TYPE, kind), (header::VARY, "accept")], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Whether `OpenMetrics` is named among what is accepted, and not ruled out (`q=0`).
fn accepts_open_metrics(headers: &HeaderMap) -> bool {
    let given = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let named =
            parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/openmetrics-text"));
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        named && weight.is_none_or(|weight| weight.trim().parse::<f32>().is_ok_and(|weight| weight > 0.0))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", false)]
    #[case("*/*", false)]
    #[case("text/plain;version=0.0.4", false)]
    #[case("application/openmetrics-text", true)]
    #[case("text/plain;q=0.4, Application/OpenMetrics-Text; version=1.0.0;q=0.5", true)]
    #[case("application/openmetrics-text;version=1.0.0;q=0, */*", false)]
    #[case("application/vnd.google.protobuf;q=0.7,application/openmetrics-text;version=0.0.1;q=0.6", true)]
    fn who_asks_for_open_metrics_gets_it(#[case] accept: &str, #[case] gets: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        let answer = exposition(&Metrics::new(), &headers);
        let kind = answer.headers()[header::CONTENT_TYPE].to_str().unwrap();
        assert_eq!(kind.starts_with("application/openmetrics-text"), gets, "{kind}");
    }
}
