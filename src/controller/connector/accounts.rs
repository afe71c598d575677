//! Tokens of service accounts, which the apiserver issues to the operator.

use std::fmt;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount as KubeServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};

use crate::controller::error::Error;
use crate::controller::read::read;
use crate::net::http::{HttpError, Stage};
use crate::net::oauth::{Issuer, ServiceAccount, TokenError};
use crate::secret::Secret;

/// So many seconds a token is good: the apiserver allows no fewer.
const SECONDS: i64 = 600;

/// The apiserver, as the issuer of tokens.
pub(super) struct Accounts(pub(super) Client);

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

impl Issuer for Accounts {
    fn issue<'a>(&'a self, account: &'a ServiceAccount) -> BoxFuture<'a, Result<Secret, TokenError>> {
        async move {
            let spec = TokenRequestSpec {
                audiences: Some(vec![account.audience.clone()]),
                expiration_seconds: Some(SECONDS),
                ..TokenRequestSpec::default()
            };
            let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
            let api = Api::<KubeServiceAccount>::namespaced(self.0.clone(), &account.namespace);
            let issued =
                read(api.create_token_request(&account.name, &PostParams::default(), &request)).await;
            let issued = issued.map_err(|error| explain(account, &error))?;
            let token = issued.status.and_then(|status| status.token).filter(|token| !token.is_empty());
            token.map(Secret::new).ok_or(TokenError::NoToken("the apiserver answered without a token"))
        }
        .boxed()
    }
}

/// Why there is no token, and what to do.
fn explain(account: &ServiceAccount, error: &Error) -> TokenError {
    let name = format!("{}/{}", account.namespace, account.name);
    match error {
        Error::Kube(kube::Error::Api(answer)) if answer.code == 404 => TokenError::Credential(format!(
            "there is no service account {name} (workloadIdentity.serviceAccountName); create it, or correct the name"
        )),
        Error::Kube(kube::Error::Api(answer)) if answer.code == 403 => TokenError::Credential(format!(
            "the operator may not have tokens issued for the service account {name}: add it to workloadIdentity.serviceAccounts of \
             the chart, or let a Role allow the verb create on serviceaccounts/token with this name"
        )),
        Error::Kube(kube::Error::Api(answer)) if (400..500).contains(&answer.code) && answer.code != 429 => {
            TokenError::Credential(format!(
                "the apiserver does not issue a token for the service account {name}: {}",
                crate::text::clean_within(&answer.message, 300)
            ))
        }
        error => TokenError::Http(HttpError {
            stage: Stage::Connecting,
            message: format!("no token for the service account {name} was issued: {error}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::missing(404, "create it, or correct the name", false)]
    #[case::forbidden(403, "workloadIdentity.serviceAccounts of the chart", false)]
    #[case::refused(422, "what it said", false)]
    #[case::throttled(429, "was issued", true)]
    #[case::failing(500, "was issued", true)]
    fn why_there_is_no_token_says_what_to_do(#[case] code: u16, #[case] said: &str, #[case] passes: bool) {
        let account = ServiceAccount {
            namespace: "identity".to_owned(),
            name: "graph".to_owned(),
            audience: "api://x".to_owned(),
            issuer: None,
        };
        let answer = Status { code, message: "what it said".to_owned(), ..Status::default() };
        let why = explain(&account, &Error::Kube(kube::Error::Api(Box::new(answer))));
        assert!(why.to_string().contains(said) && why.to_string().contains("identity/graph"), "{why}");
        assert_eq!(matches!(why, TokenError::Http(_)), passes);
    }
}
