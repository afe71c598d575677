//! The gateway: where Sync Engines come to, from inside networks that nobody may reach. They ask for work here, and bring what they read.
//!
//! # Guarantees
//! - Nothing of a request is unpacked before its signature proves whose it is: by a key that is enrolled now, for this method, path, body
//!   and process, at this moment, and for the first time. Only a greeting is open to all, and a join to whoever has a token.
//! - A request that is refused changes nothing. Its answer says what to do, and names nothing of anybody else.
//! - What one engine may send is bounded, in bytes, requests and time; what waits of it, too.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use axum::Router;
use tokio_util::sync::CancellationToken;

use self::desk::Desk;
use crate::clock::Clock;
use crate::serve::{Connections, Tls, listen_with};
use crate::telemetry::Metrics;

mod admit;
mod desk;
mod expected;
mod handle;
mod recent;
mod refused;
#[cfg(test)]
mod tests;

pub use expected::{Expected, Gateway, Heard, Joined, Joining};

/// Connections at once, and of one peer: all engines may come through one proxy.
const CONNECTIONS: Connections = Connections { all: 2048, of_peer: 2048 };

/// Serves the gateway. Ends after `stop`; whoever waits for work is told that there is none.
///
/// # Errors
/// When the listener fails, or there are no random numbers.
pub async fn gateway(
    listener: TcpListener,
    tls: Option<Tls>,
    gateway: Gateway,
    (clock, metrics): (Arc<dyn Clock>, Metrics),
    stop: CancellationToken,
) -> io::Result<()> {
    let desk = Desk::new(gateway, clock, metrics, stop.clone()).map_err(io::Error::other)?;
    let router = Router::new().fallback(handle::handle).with_state(Arc::new(desk));
    listen_with(listener, tls, router, CONNECTIONS, stop).await
}
