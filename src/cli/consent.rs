//! `rollcall consent`

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::Exit;
use super::argument::duration;
use super::exit::Invalid;
use super::out::{self, Out};
use crate::clock::SystemClock;
use crate::directory::ConnectorName;
use crate::serve::{self, Answer, Asked, Consents};
use crate::source::graph::{EntraConfig, EntraSource};
use crate::source::{Reason, SourceError};
use crate::spec::{self, manifest};

/// After an answer it is checked so often whether the permissions are there: what was given takes a moment to count.
const TRIES: u32 = 12;
const BETWEEN: Duration = Duration::from_secs(5);

/// Let an administrator of a tenant consent to the app of a DirectoryConnector, and check the result.
///
/// Prints an address to open in a browser on this machine, and waits for the answer on a loopback address. Then it asks
/// Microsoft Graph which permissions the app has, and says what is missing. Changes nothing but what the administrator
/// agrees to. With an Ingress, the operator does the same by itself (--consent-external-url).
///
/// The exit code is 0 if the app has the permissions that it needs, 2 if the input is invalid, else 1.
#[derive(Debug, Args)]
pub(super) struct Consent {
    /// A manifest, a folder of manifests, or - for standard input.
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true, num_args = 1..)]
    filename: Vec<PathBuf>,
    /// The connector, if the manifests have several that need consent.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    connector: Option<String>,
    /// The loopback address on which the answer is awaited. The app needs the redirect URI
    /// `http://localhost:PORT/consent/callback`.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8484")]
    address: SocketAddr,
    /// How long to wait for the answer.
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = duration)]
    timeout: Duration,
}

impl Consent {
    pub(super) fn run(self, out: &mut Out<'_>) -> Result<Exit> {
        let manifests = manifest::read(&self.filename);
        let resolved = spec::resolve(&manifests.objects).with(manifests.problems);
        for problem in &resolved.problems {
            out::error(problem);
        }
        let asking = resolved.connectors.values();
        let asking = asking.filter_map(|connector| Some((&connector.name, connector.source.consenting()?)));
        let wanted = |name: &ConnectorName| self.connector.as_ref().is_none_or(|it| it == name.as_str());
        let asking: Vec<_> = asking.filter(|(name, _)| wanted(name)).collect();
        let [(name, config)] = asking.as_slice() else {
            let why = match asking.as_slice() {
                [] => "the files of -f contain no such DirectoryConnector with entraId that can be used",
                _ => {
                    "the files of -f contain several DirectoryConnectors with entraId; name one with --connector"
                }
            };
            return Err(Invalid(why.to_owned()).into());
        };
        if !self.address.ip().is_loopback() {
            let why = "--address can be reached from other machines; use one of 127.0.0.0/8 or ::1";
            return Err(Invalid(why.to_owned()).into());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let ended = runtime.block_on(self.ask(name, config, out));
        runtime.shutdown_background();
        ended
    }

    async fn ask(&self, name: &ConnectorName, config: &EntraConfig, out: &mut Out<'_>) -> Result<Exit> {
        let source = EntraSource::new(config.clone());
        let Err(missing) = Box::pin(source.may_read()).await else { return there(config, out) };
        if !is_missing(&missing) {
            return Err(missing.into());
        }
        let listener = TcpListener::bind(self.address).with_context(|| {
            format!("cannot listen on {}; name a free address of this machine with --address", self.address)
        })?;
        let here = format!("http://localhost:{}", listener.local_addr()?.port());
        let (consents, mut answers) = Consents::new(&here)?;
        let asked = Asked {
            uid: String::new(),
            page: config.consent(),
            tenant: uuid::Uuid::try_parse(&config.tenant).ok(),
        };
        consents.set(name, Some(asked));
        out.line(&missing)?;
        out.line(format_args!("open as an administrator of the tenant: {}", consents.address(name)))?;
        out.line(format_args!(
            "it leads there, and back to this redirect URI of the app: {here}/consent/callback"
        ))?;
        out.flush()?;
        let stop = CancellationToken::new();
        let serving =
            tokio::spawn(serve::consent(listener, None, consents, Arc::new(SystemClock), stop.clone()));
        let answered = tokio::time::timeout(self.timeout, answers.recv()).await;
        let ended = if let Ok(Some(answer)) = answered {
            Box::pin(check(&source, config, &answer, out)).await
        } else {
            out::error(format_args!("no answer came within {} s; run this again", self.timeout.as_secs()));
            Ok(Exit::Failed)
        };
        stop.cancel();
        serving.await??;
        drop(answers);
        ended
    }
}

/// Asks Graph, whatever the answer said.
async fn check(
    source: &EntraSource,
    config: &EntraConfig,
    answer: &Answer,
    out: &mut Out<'_>,
) -> Result<Exit> {
    let tries = if answer.is_declined { 1 } else { TRIES };
    for tried in 1.. {
        match Box::pin(source.may_read()).await {
            Ok(()) => return there(config, out),
            Err(missing) if is_missing(&missing) && tried < tries => tokio::time::sleep(BETWEEN).await,
            Err(missing) if answer.is_declined && is_missing(&missing) => {
                out::error(format_args!("an administrator declined to consent: {missing}"));
                break;
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(Exit::Failed)
}

fn there(config: &EntraConfig, out: &mut Out<'_>) -> Result<Exit> {
    let EntraConfig { client, tenant, .. } = config;
    out.line(format_args!("the app {client} has the permissions that it needs in the tenant {tenant}"))?;
    Ok(Exit::Fine)
}

fn is_missing(error: &SourceError) -> bool {
    matches!(error.reason, Reason::ConsentMissing | Reason::PermissionMissing | Reason::AppNotFound)
}
