//! The certificate of a listener, reloaded when its Secret changes.

use std::pin::pin;

use anyhow::{Context as _, Result, anyhow};
use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};

use crate::serve::Tls;
use crate::telemetry::chain;

/// A Secret of type `kubernetes.io/tls`.
pub(super) struct Certificate {
    secrets: Api<Secret>,
    name: String,
    /// The flag that names it.
    flag: &'static str,
}

impl Certificate {
    pub(super) fn new(client: Client, namespace: &str, name: &str, flag: &'static str) -> Self {
        Self { secrets: Api::namespaced(client, namespace), name: name.to_owned(), flag }
    }

    /// The certificate as it is.
    pub(super) async fn read(&self) -> Result<Tls> {
        let (name, flag) = (&self.name, self.flag);
        let found = self.secrets.get(name).await.with_context(|| {
            format!("the Secret {name} of {flag} cannot be read; it must be in the operator's own namespace")
        })?;
        let (certificate, key) = self.pair(&found)?;
        Tls::new(certificate, key).with_context(|| format!("the Secret {name} of {flag}"))
    }

    /// Uses each new certificate as soon as the Secret has it; an invalid one is logged and changes nothing.
    pub(super) async fn follow(self, tls: Tls) {
        let only = watcher::Config::default().fields(&format!("metadata.name={}", self.name));
        let mut changes = pin!(watcher(self.secrets.clone(), only).default_backoff().applied_objects());
        loop {
            match changes.try_next().await {
                Ok(Some(secret)) => {
                    let reloaded =
                        self.pair(&secret).and_then(|(certificate, key)| Ok(tls.reload(certificate, key)?));
                    match reloaded {
                        Ok(()) => tracing::info!(secret = self.name, "the certificate was read"),
                        Err(error) => tracing::error!(
                            secret = self.name,
                            error = chain(error.as_ref()),
                            "the certificate stays as it was"
                        ),
                    }
                }
                Ok(None) => return,
                Err(error) => tracing::warn!(
                    secret = self.name,
                    error = chain(&error),
                    "the watch of the certificate failed"
                ),
            }
        }
    }

    fn pair<'s>(&self, secret: &'s Secret) -> Result<(&'s [u8], &'s [u8])> {
        let data = secret.data.as_ref();
        let part = |key: &str| {
            let found = data.and_then(|data| data.get(key)).map(|value| value.0.as_slice());
            found.ok_or_else(|| {
                anyhow!("the Secret {} has no key {key}; make it of type kubernetes.io/tls", self.name)
            })
        };
        Ok((part("tls.crt")?, part("tls.key")?))
    }
}
