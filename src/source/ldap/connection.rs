//! One connection, secured and bound.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::config::{Bind, LdapConfig};
use super::error;
use super::wire::{Control, Failed, LdapResult, Request, Response, Talk};
use crate::net::tls;
use crate::source::{Reason, SourceError};

/// For finding the host, connecting and TLS together.
const CONNECT: Duration = Duration::from_secs(10);
/// For the whole of a login.
const LOGIN: Duration = Duration::from_mins(1);

/// A connection that is ready to be read from. Dropping it closes it.
pub(super) struct Connection {
    talk: Talk,
    /// Which server, for messages.
    pub(super) url: String,
    /// When the certificate that the server proved itself with ends.
    pub(super) certificate_ends_at: Option<Timestamp>,
    /// Servers that were tried before, and why they were not read.
    pub(super) skipped: Vec<String>,
    /// The largest page that the server was seen to bring to its end, if it ended a larger one at a limit.
    pub(super) largest_page: u32,
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
                Err(error)
                    if matches!(
                        error.reason,
                        Reason::Unreachable | Reason::TlsFailed | Reason::InvalidData
                    ) =>
                {
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
        let stream = stream.map_err(|error| error::connecting_io(url, &host, &error))?;
        let name = config.server_name.clone().unwrap_or(host);
        let mut talk = Talk::over(stream, url);
        let mut certificate_ends_at = None;
        if secure || config.start_tls {
            let tls = tls::client_config(config.ca_pem.as_deref());
            let tls = tls.map_err(|error| error::tls_failed(url, &error.to_string()))?;
            let subject = ServerName::try_from(name.clone()).map_err(|_| {
                error::tls_failed(
                    url,
                    &format!("{name} is not a name that a certificate can have; set tls.serverName"),
                )
            })?;
            let securing = async {
                if !secure && let Some(refused) = start_tls(&mut talk).await? {
                    return Ok(Err(refused));
                }
                talk.secure(tls, subject).await.map(Ok)
            };
            let secured = timeout(CONNECT, securing).await.map_err(slow)?;
            let secured = secured.map_err(|failed| error::connecting(url, &name, &failed))?;
            let (secured, certificate) = secured.map_err(|refused| error::no_start_tls(url, &refused))?;
            talk = secured;
            certificate_ends_at = certificate.as_deref().and_then(tls::ends_at);
        }
        let mut connection = Self {
            talk,
            url: url.to_owned(),
            certificate_ends_at,
            skipped: Vec::new(),
            largest_page: u32::MAX,
        };
        connection.bind(config.bind.as_ref()).await?;
        tracing::debug!(url, secure = secure || config.start_tls, "connected");
        Ok(connection)
    }

    async fn bind(&mut self, bind: Option<&Bind>) -> Result<(), SourceError> {
        if let Some(bind) = bind {
            self.log_in(bind).await?;
        }
        self.talk.bound();
        Ok(())
    }

    async fn log_in(&mut self, Bind { dn, password }: &Bind) -> Result<(), SourceError> {
        let text = password.without_line_end();
        let has_line_end = text.len() < password.expose().len();
        let password = std::str::from_utf8(text).map_err(|_| {
            let why = "the password in the Secret that credentialsSecretRef names is not UTF-8 text";
            SourceError::new(Reason::AuthenticationFailed, why)
        })?;
        if dn.trim().is_empty() {
            let why = "the username in the Secret that credentialsSecretRef names is empty; some servers treat that \
                       as an anonymous login";
            return Err(SourceError::new(Reason::AuthenticationFailed, why));
        }
        if password.is_empty() {
            // RFC 4513 section 5.1.2: servers take it for an anonymous login, and some say yes.
            let why = "the password in the Secret that credentialsSecretRef names is empty";
            return Err(SourceError::new(Reason::AuthenticationFailed, why));
        }
        let login = async {
            self.talk.ask(Request::Bind { dn, password }, &[]).await?;
            match self.talk.hear().await? {
                (Response::Bound(result), _) => Ok(result),
                _ => Err(unexpected()),
            }
        };
        let result = timeout(LOGIN, login).await.unwrap_or(Err(Failed::Silent));
        let unrepeated =
            |result: LdapResult| LdapResult { text: error::without(password, result.text), ..result };
        let result = result.map_err(|failed| match failed {
            Failed::Ended(notice) => Failed::Ended(notice.map(unrepeated)),
            other => other,
        });
        let result = result.map_err(|failed| match error::lost(&self.url, &failed, 0) {
            // Nothing was read yet: another server may do better.
            error if error.reason == Reason::Interrupted => {
                SourceError { reason: Reason::Unreachable, ..error }
            }
            error => error,
        })?;
        if result.code == 0 {
            self.skipped.extend(has_line_end.then(|| error::LINE_END.to_owned()));
            return Ok(());
        }
        let result = unrepeated(result);
        let mut refused = error::binding(&self.url, Some(dn), &result);
        if has_line_end && refused.reason == Reason::AuthenticationFailed {
            refused.message = format!("{}; {}", refused.message, error::LINE_END);
        }
        Err(refused)
    }

    /// Sends a search, which [`Self::hear`] hears the answers to. `came` is how many entries the whole read has brought
    /// so far, for messages.
    pub(super) async fn ask(
        &mut self,
        search: Request<'_>,
        controls: &[Control],
        came: u64,
    ) -> Result<(), SourceError> {
        let asked = self.talk.ask(search, controls).await;
        asked.map_err(|failed| error::lost(&self.url, &failed, came))
    }

    /// The next answer, and the controls that came with it.
    pub(super) async fn hear(&mut self, came: u64) -> Result<(Response, Vec<Control>), SourceError> {
        let heard = self.talk.hear().await.and_then(|heard| match heard.0 {
            Response::Bound(_) | Response::Extended(_) => Err(unexpected()),
            _ => Ok(heard),
        });
        heard.map_err(|failed| error::lost(&self.url, &failed, came))
    }
}

/// Asks for TLS; gives the server's answer if it does none.
async fn start_tls(talk: &mut Talk) -> Result<Option<LdapResult>, Failed> {
    talk.ask(Request::StartTls, &[]).await?;
    match talk.hear().await? {
        (Response::Extended(result), _) => Ok((result.code != 0).then_some(result)),
        _ => Err(unexpected()),
    }
}

fn unexpected() -> Failed {
    Failed::Refused("an answer to a different question".to_owned())
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
