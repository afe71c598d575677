//! `rollcall import-settings`

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};

use super::Exit;
use super::exit::Invalid;
use super::out::{self, Out};
use crate::clock::SystemClock;
use crate::net::http::Url;
use crate::spec::manifest;
use crate::target::mimecast::{MimecastConfig, integrations};

mod mimecast;

/// Write manifests that do what another product is set to do.
///
/// Nothing is changed there, and nothing is synced. Secrets are left as names: their values are not told.
#[derive(Debug, Args)]
pub(super) struct ImportSettings {
    #[command(subcommand)]
    of: Of,
}

#[derive(Debug, Subcommand)]
enum Of {
    Mimecast(Mimecast),
}

/// Read the directory integrations of a tenant of Mimecast.
///
/// The API application needs the permission Services | Directory Sync | Read. A DirectoryConnector and a SyncPolicy are printed
/// for each integration, with what is done otherwise as comments. Policies are in Preview, so that they can be compared first.
///
/// The exit code is 2 if the input is invalid, 1 if the integrations cannot be read, else 0.
#[derive(Debug, Args)]
struct Mimecast {
    /// A manifest, a folder of manifests, or - for standard input, with a Secret that has client-id and client-secret.
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true, num_args = 1..)]
    filename: Vec<PathBuf>,
    /// The Secret, if the manifests have several with client-id and client-secret.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    secret: Option<String>,
    /// The base address of API 2.0.
    #[arg(long, value_name = "URL", default_value = "https://api.services.mimecast.com")]
    url: Url,
    /// A file with the certificate authorities to trust in place of the system's, in PEM format.
    #[arg(long, value_name = "PATH")]
    ca_file: Option<PathBuf>,
}

impl ImportSettings {
    pub(super) fn run(self, out: &mut Out<'_>) -> Result<Exit> {
        match self.of {
            Of::Mimecast(mimecast) => mimecast.run(out),
        }
    }
}

impl Mimecast {
    fn run(self, out: &mut Out<'_>) -> Result<Exit> {
        let manifests = manifest::read(&self.filename);
        for problem in &manifests.problems {
            out::error(problem);
        }
        let has_client = |keys: &&std::collections::BTreeMap<String, crate::secret::Secret>| {
            ["client-id", "client-secret"].iter().all(|key| keys.contains_key(*key))
        };
        let is_wanted = |name: &str| self.secret.as_ref().is_none_or(|wanted| wanted == name);
        let secrets = manifests.objects.secrets.iter();
        let secrets: Vec<_> =
            secrets.filter(|(name, keys)| has_client(keys) && is_wanted(&name.to_string())).collect();
        let [(name, keys)] = secrets.as_slice() else {
            let why = match secrets.as_slice() {
                [] => "the files of -f contain no such Secret with client-id and client-secret",
                _ => {
                    "the files of -f contain several Secrets with client-id and client-secret; name one with --secret"
                }
            };
            return Err(Invalid(why.to_owned()).into());
        };
        let value =
            |key: &str| keys.get(key).map(|secret| secret.without_line_end().to_vec()).unwrap_or_default();
        let client_id = String::from_utf8(value("client-id"))
            .map_err(|_| Invalid("client-id is not UTF-8 text".to_owned()))?;
        let ca_pem = self
            .ca_file
            .as_ref()
            .map(|path| std::fs::read(path).with_context(|| format!("{} cannot be read", path.display())));
        let config = MimecastConfig {
            url: self.url.clone(),
            client_id,
            client_secret: crate::secret::Secret::new(value("client-secret")),
            ca_pem: ca_pem.transpose()?,
            insecure: false,
            parent_folder: String::new(),
            adopts: false,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let read = runtime.block_on(integrations(&config, Arc::new(SystemClock)));
        runtime.shutdown_background();
        let all =
            read.map_err(|error| anyhow::anyhow!("the integrations cannot be read: {}", error.in_full()))?;
        let url = self.url.as_str().trim_end_matches('/');
        let place = mimecast::Place { namespace: &name.namespace, secret: &name.name, url };
        for line in mimecast::manifests(&all, &place)?.lines() {
            out.line(line)?;
        }
        Ok(Exit::Fine)
    }
}
