//! A token by which the cluster says who somebody is. It is got anew each time: it is short-lived, and whoever issues it replaces it.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::BoxFuture;

use super::error::TokenError;
use crate::secret::Secret;

/// Where such a token comes from.
#[derive(Clone, Debug)]
pub enum ClusterToken {
    /// The pod's own, in a file that the kubelet replaces.
    File(PathBuf),
    /// One of a service account, which the apiserver issues.
    Account(Box<ServiceAccount>),
}

/// A service account of Kubernetes that a token is issued for.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// For whom the token is.
    pub audience: String,
    /// Who issues it; nobody outside of a cluster.
    pub issuer: Option<Arc<dyn Issuer>>,
}

/// Issues tokens of service accounts.
pub trait Issuer: Debug + Send + Sync {
    /// A token of this account, good for some minutes.
    fn issue<'a>(&'a self, account: &'a ServiceAccount) -> BoxFuture<'a, Result<Secret, TokenError>>;
}

impl ClusterToken {
    pub(super) async fn get(&self) -> Result<Secret, TokenError> {
        match self {
            Self::File(file) => read(file).await,
            Self::Account(account) => match &account.issuer {
                Some(issuer) => issuer.issue(account).await,
                None => Err(TokenError::Credential(format!(
                    "a token of the service account {}/{} is issued only to the operator in a cluster; use another credential here",
                    account.namespace, account.name
                ))),
            },
        }
    }
}

pub(super) async fn read(file: &Path) -> Result<Secret, TokenError> {
    let read = tokio::fs::read(file).await.map_err(|error| {
        let file = file.display();
        TokenError::Credential(format!("the token that proves who we are cannot be read ({file}): {error}"))
    });
    read.map(Secret::new)
}
