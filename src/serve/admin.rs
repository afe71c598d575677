//! The admin listener, for users of the same machine.

use std::io;
use std::net::TcpListener;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use super::listen::listen;
use crate::telemetry::LogLevel;

/// Serves `/log-level`: GET shows the filter of the logs, PUT sets it (`rollcall=debug`). From debug on logs name
/// people, and there is no authentication, so only a loopback address is accepted. Ends after `stop`.
///
/// # Errors
/// When the listener fails.
pub async fn admin(listener: TcpListener, level: LogLevel, stop: CancellationToken) -> io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        let why = format!(
            "the admin address {address} can be reached from other machines; use one of 127.0.0.0/8 or ::1"
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let shown = level.clone();
    let set = move |filter: String| async move {
        match level.set(&filter) {
            Ok(()) => {
                tracing::info!(filter = level.get(), "the log filter was changed");
                (StatusCode::OK, format!("{}\n", level.get()))
            }
            Err(bad) => (StatusCode::BAD_REQUEST, format!("{bad}\n")),
        }
    };
    let show = move || async move { format!("{}\n", shown.get()) };
    listen(listener, None, Router::new().route("/log-level", get(show).put(set)), stop).await
}
