//! The addresses on which the operator listens: each listener has its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::net::http;
use crate::serve;
use crate::spec;

/// The addresses on which the operator listens.
#[derive(Clone, Debug, Args)]
pub(super) struct Addresses {
    /// The address of the registry (SCIM 2.0).
    #[arg(long, env = "ROLLCALL_SCIM_ADDRESS", value_name = "ADDRESS", default_value = "[::]:8443")]
    pub(super) scim_address: SocketAddr,
    /// A Secret of type kubernetes.io/tls in the operator's own namespace, with the certificate of the registry.
    /// Without it the registry is served without TLS: use that only behind a proxy that terminates TLS.
    #[arg(long, env = "ROLLCALL_SCIM_TLS_SECRET", value_name = "NAME", value_parser = kubernetes_name)]
    pub(super) scim_tls_secret: Option<String>,
    /// The URL at which readers reach the registry, if it differs from its own address, such as
    /// <https://scim.corp.example>.
    #[arg(long, env = "ROLLCALL_SCIM_EXTERNAL_URL", value_name = "URL")]
    pub(super) scim_external_url: Option<String>,
    /// The URL at which browsers reach the pages by which an administrator of a directory consents, such as
    /// <https://rollcall.corp.example>. Without it these pages are not served. The app in the directory must have the redirect URI
    /// `URL/consent/callback`.
    #[arg(long, env = "ROLLCALL_CONSENT_EXTERNAL_URL", value_name = "URL", value_parser = external)]
    pub(super) consent_external_url: Option<String>,
    /// The address of these pages. They are served with the certificate of the registry, if it has one.
    #[arg(long, env = "ROLLCALL_CONSENT_ADDRESS", value_name = "ADDRESS", default_value = "[::]:8083")]
    pub(super) consent_address: SocketAddr,
    /// The URL at which Sync Engines reach the gateway, such as <https://engines.corp.example>. Without it there is no gateway.
    #[arg(long, env = "ROLLCALL_GATEWAY_EXTERNAL_URL", value_name = "URL", value_parser = gateway)]
    pub(super) gateway_external_url: Option<String>,
    /// The address of the gateway.
    #[arg(long, env = "ROLLCALL_GATEWAY_ADDRESS", value_name = "ADDRESS", default_value = "[::]:8444")]
    pub(super) gateway_address: SocketAddr,
    /// A Secret of type kubernetes.io/tls in the operator's own namespace, with the certificate of the gateway. Without it the gateway
    /// is served without TLS: use that only behind a proxy that terminates TLS.
    #[arg(long, env = "ROLLCALL_GATEWAY_TLS_SECRET", value_name = "NAME", value_parser = kubernetes_name)]
    pub(super) gateway_tls_secret: Option<String>,
    /// The address of /healthz and /readyz.
    #[arg(long, env = "ROLLCALL_HEALTH_ADDRESS", value_name = "ADDRESS", default_value = "[::]:8081")]
    pub(super) health_address: SocketAddr,
    /// The address of /metrics.
    #[arg(long, env = "ROLLCALL_METRICS_ADDRESS", value_name = "ADDRESS", default_value = "[::]:8080")]
    pub(super) metrics_address: SocketAddr,
    /// The address of /log-level. It must be a loopback address, because there is no authentication.
    #[arg(long, env = "ROLLCALL_ADMIN_ADDRESS", value_name = "ADDRESS", default_value = "127.0.0.1:8082")]
    pub(super) admin_address: SocketAddr,
}

/// Binds to an address, or names the one that fails.
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

/// Parses an address to which browsers are led back.
fn external(text: &str) -> Result<String, String> {
    let why = || "write it as https:// and a host, such as https://rollcall.corp.example".to_owned();
    serve::is_external(text).then(|| text.to_owned()).ok_or_else(why)
}

/// Parses an address that Sync Engines ask.
fn gateway(text: &str) -> Result<String, String> {
    let why = || "write it as https:// and a host, such as https://engines.corp.example".to_owned();
    http::is_place(text).then(|| text.to_owned()).ok_or_else(why)
}

/// Parses a Kubernetes name. It becomes part of request paths.
pub(super) fn kubernetes_name(text: &str) -> Result<String, String> {
    let why = || "a name has only lower-case letters, digits, - and .".to_owned();
    spec::is_dns_name(text).then(|| text.to_owned()).ok_or_else(why)
}
