//! One connection, made secure and bound.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::time::Duration;

use jiff::Timestamp;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, StdStream};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Bind, LdapConfig, error};
use crate::net::tls;
use crate::source::{Reason, SourceError};

/// For finding the host, connecting and TLS together.
const CONNECT: Duration = Duration::from_secs(10);
/// For one answer: a bind, or the next entry.
pub(super) const ANSWER: Duration = Duration::from_mins(1);

/// A connection that is ready to be read from. Dropping it closes it.
pub(super) struct Connection {
    pub(super) ldap: Ldap,
    /// Which server, for messages.
    pub(super) url: String,
    pub(super) driver: Driver,
    /// When the certificate that the server proved itself with ends.
    pub(super) certificate_ends_at: Option<Timestamp>,
    /// Servers that were tried before, and why they were not read.
    pub(super) skipped: Vec<String>,
}

/// The library's own loop.
type Running = dyn Future<Output = Result<(), LdapError>> + Send;

/// What moves bytes between the socket and the operations.
///
/// It moves only while an operation waits for it. As a task of its own it would read ahead without
/// bound (the library's queues have none) whenever the sink is slower than a server without pages.
pub(super) struct Driver(Option<Pin<Box<Running>>>);

impl Driver {
    /// Awaits `operation`, moving bytes meanwhile.
    pub(super) async fn run<T>(&mut self, operation: impl Future<Output = T>) -> T {
        let mut operation = pin!(operation);
        if let Some(running) = &mut self.0 {
            tokio::select! {
                // What has already arrived comes first: only then is more read.
                biased;
                done = &mut operation => return done,
                _ = running.as_mut() => self.0 = None,
            }
        }
        // What arrived before the end can still be taken; after that the operation fails.
        operation.await
    }
}

/// A server that may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) url: String,
    /// Where it is, if that is not for the system to say.
    pub(super) addresses: Option<Vec<IpAddr>>,
}

impl Server {
    /// Those of the urls.
    pub(super) fn of(urls: &[String]) -> Vec<Self> {
        urls.iter().map(|url| Self { url: url.clone(), addresses: None }).collect()
    }
}

impl Connection {
    /// To the first server that answers. One that refuses the password ends the search for another:
    /// the next would refuse it too, and too many refusals lock an account.
    pub(super) async fn open(config: &LdapConfig, servers: &[Server]) -> Result<Self, SourceError> {
        let mut failures: Vec<SourceError> = Vec::new();
        for server in servers {
            match Self::to(server, config).await {
                Ok(connection) => {
                    let mut skipped: Vec<String> = failures.into_iter().map(|error| error.message).collect();
                    skipped.extend(connection.skipped);
                    return Ok(Self { skipped, ..connection });
                }
                Err(error) if matches!(error.reason, Reason::Unreachable | Reason::TlsFailed) => {
                    failures.push(error);
                }
                Err(error) => return Err(error),
            }
        }
        let reason = failures.first().map_or(Reason::Unreachable, |error| error.reason);
        let messages: Vec<String> = failures.into_iter().map(|error| error.message).collect();
        Err(SourceError::new(reason, messages.join("; ")))
    }

    async fn to(Server { url, addresses }: &Server, config: &LdapConfig) -> Result<Self, SourceError> {
        let Address { secure, host, port } = Address::parse(url);
        if !secure && !config.start_tls && !config.insecure {
            let why = "it would be read unprotected; use ldaps://, or startTLS: true, or accept it with insecure: true";
            return Err(error::tls_failed(url, why));
        }
        let slow =
            |_| error::unreachable(url, "it did not answer within 10 s; check the network and the firewall");
        let connecting = async {
            match addresses {
                None => TcpStream::connect((host.as_str(), port)).await,
                Some(none) if none.is_empty() => {
                    Err(io::Error::other("the name servers do not say where it is"))
                }
                Some(addresses) => {
                    let addresses: Vec<_> = addresses.iter().map(|address| (*address, port).into()).collect();
                    TcpStream::connect(addresses.as_slice() as &[SocketAddr]).await
                }
            }
        };
        let stream = timeout(CONNECT, connecting).await.map_err(slow)?;
        let stream = stream.and_then(TcpStream::into_std);
        let stream = stream.map_err(|error| error::connecting_io(url, &host, &error))?;
        let name = config.server_name.clone().unwrap_or(host);
        let mut settings =
            LdapConnSettings::new().set_conn_timeout(CONNECT).set_std_stream(StdStream::Tcp(stream));
        if secure || config.start_tls {
            let tls = tls::client_config(config.ca_pem.as_deref());
            let tls = tls.map_err(|error| error::tls_failed(url, &error.to_string()))?;
            settings = settings.set_config(tls).set_starttls(!secure);
        }
        // The stream is there already: what the url names here is whose certificate is expected.
        let scheme = if secure { "ldaps" } else { "ldap" };
        let bracketed = if name.contains(':') { format!("[{name}]") } else { name.clone() };
        let connected =
            LdapConnAsync::with_settings(settings, &format!("{scheme}://{bracketed}:{port}")).await;
        let (connection, mut ldap) = connected.map_err(|error| error::connecting(url, &name, &error))?;
        let mut driver = Driver(Some(Box::pin(connection.drive())));
        let certificate = driver.run(ldap.get_peer_certificate()).await.ok().flatten();
        let certificate_ends_at = certificate.as_deref().and_then(tls::ends_at);
        let mut connection =
            Self { ldap, url: url.to_owned(), driver, certificate_ends_at, skipped: Vec::new() };
        connection.bind(config.bind.as_ref()).await?;
        tracing::debug!(url, secure = secure || config.start_tls, "connected");
        Ok(connection)
    }

    async fn bind(&mut self, bind: Option<&Bind>) -> Result<(), SourceError> {
        let Some(Bind { dn, password }) = bind else { return Ok(()) };
        let text = password.without_line_end();
        let has_line_end = text.len() < password.expose().len();
        let password = std::str::from_utf8(text).map_err(|_| {
            let why = "the password in the Secret that credentialsSecretRef names is not UTF-8 text";
            SourceError::new(Reason::AuthenticationFailed, why)
        })?;
        if password.is_empty() {
            // RFC 4513 section 5.1.2: servers take it for an anonymous login, and some say yes.
            let why = "the password in the Secret that credentialsSecretRef names is empty";
            return Err(SourceError::new(Reason::AuthenticationFailed, why));
        }
        let result = self.driver.run(self.ldap.with_timeout(ANSWER).simple_bind(dn, password)).await;
        // Nothing was read yet: another server may do better.
        let result = result.map_err(|error| SourceError {
            reason: Reason::Unreachable,
            ..error::lost(&self.url, &error, 0)
        })?;
        if result.rc == 0 {
            self.skipped.extend(has_line_end.then(|| error::LINE_END.to_owned()));
            return Ok(());
        }
        let result = LdapResult { text: error::without(password, result.text), ..result };
        let mut refused = error::binding(&self.url, Some(dn), &result);
        if has_line_end && refused.reason == Reason::AuthenticationFailed {
            refused.message = format!("{}; {}", refused.message, error::LINE_END);
        }
        Err(refused)
    }
}

/// Where a url leads.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    secure: bool,
    host: String,
    port: u16,
}

impl Address {
    /// Of a url that was validated.
    fn parse(url: &str) -> Self {
        let (secure, rest) = match url.strip_prefix("ldaps://") {
            Some(rest) => (true, rest),
            None => (false, url.strip_prefix("ldap://").unwrap_or(url)),
        };
        let rest = rest.trim_end_matches('/');
        let port = rest.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = port.unwrap_or((rest, if secure { 636 } else { 389 }));
        Self { secure, host: host.trim_start_matches('[').trim_end_matches(']').to_owned(), port }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("ldaps://dc1.corp.example", true, "dc1.corp.example", 636)]
    #[case("ldap://dc1.corp.example/", false, "dc1.corp.example", 389)]
    #[case("ldap://127.0.0.1:3890", false, "127.0.0.1", 3890)]
    #[case("ldaps://[::1]:6360", true, "::1", 6360)]
    #[case("ldaps://[::1]", true, "::1", 636)]
    fn knows_where_a_url_leads(
        #[case] url: &str,
        #[case] secure: bool,
        #[case] host: &str,
        #[case] port: u16,
    ) {
        assert_eq!(Address::parse(url), Address { secure, host: host.to_owned(), port });
    }
}
