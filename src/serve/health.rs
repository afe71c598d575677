//! What the cluster asks: is it alive, is it ready, what does it do.

use std::io;
use std::net::TcpListener;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use super::Readiness;
use super::listen::listen;
use crate::telemetry::Metrics;

/// Serves `/healthz`, which answers 200 for as long as the process lives, and `/readyz`, which answers 200
/// while it serves, else 503, with a line for each thing that is missing. Ends after `stop`.
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

/// Serves `/metrics` as `OpenMetrics` text. Ends after `stop`.
pub async fn metrics(listener: TcpListener, metrics: Metrics, stop: CancellationToken) -> io::Result<()> {
    let router = Router::new().route("/metrics", get(move || async move { exposition(&metrics) }));
    listen(listener, None, router, stop).await
}

fn exposition(metrics: &Metrics) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
