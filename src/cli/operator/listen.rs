//! What the operator listens on: each door has an address of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context as _, Result};
use clap::Args;

/// Where the operator listens.
#[derive(Clone, Debug, Args)]
pub(super) struct Addresses {
    /// Where the registry is served over SCIM 2.0.
    #[arg(long, env = "ROLLCALL_SCIM_ADDRESS", value_name = "ADDRESS", default_value = "[::]:8443")]
    pub(super) scim_address: SocketAddr,
    /// A Secret of type kubernetes.io/tls in the operator's own namespace, with the certificate that readers
    /// of the registry see. Without it they are served without TLS: only where something else sees to that.
    #[arg(long, env = "ROLLCALL_SCIM_TLS_SECRET", value_name = "NAME", value_parser = super::name)]
    pub(super) scim_tls_secret: Option<String>,
    /// How readers reach the registry, if that is not how it sees itself, such as
    /// <https://scim.corp.example>.
    #[arg(long, env = "ROLLCALL_SCIM_EXTERNAL_URL", value_name = "URL")]
    pub(super) scim_external_url: Option<String>,
    /// Where /healthz and /readyz are answered.
    #[arg(long, env = "ROLLCALL_HEALTH_ADDRESS", value_name = "ADDRESS", default_value = "[::]:8081")]
    pub(super) health_address: SocketAddr,
    /// Where /metrics is answered.
    #[arg(long, env = "ROLLCALL_METRICS_ADDRESS", value_name = "ADDRESS", default_value = "[::]:8080")]
    pub(super) metrics_address: SocketAddr,
    /// Where /log-level is answered: a loopback address only, as nobody is asked who they are.
    #[arg(long, env = "ROLLCALL_ADMIN_ADDRESS", value_name = "ADDRESS", default_value = "127.0.0.1:8082")]
    pub(super) admin_address: SocketAddr,
}

/// Takes an address, or says which one cannot be had.
pub(super) fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).or_else(|error| match address {
        // Where there is no IPv6 at all, every address is one of IPv4.
        SocketAddr::V6(of) if of.ip().is_unspecified() && !ends_it(&error) => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, of.port()))
        }
        _ => Err(error),
    });
    listener.with_context(|| {
        format!("cannot listen on {address}; name a free address of this machine with {flag}")
    })
}

/// Whether the port is the reason, which another address does not change.
fn ends_it(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}
