//! A service account of Google without a key: the pod's own token is exchanged for one of Google (workload identity federation),
//! with which Google's IAM is asked to sign.
//!
//! The pod's token goes to Google's token exchange alone.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::cluster_token;
use super::error::TokenError;
use super::issued::understand;
use crate::clock::Clock;
use crate::net::http::{Answer, Ask, Http, Url};
use crate::net::retry::{self, Policy};

/// No answer is longer.
const LONGEST: usize = 1 << 20;
/// What a token must be good for that may have something signed.
const SCOPE: &str = "https://www.googleapis.com/auth/iam";

/// How Google is asked to sign.
#[derive(Clone, Debug)]
pub struct Keyless {
    /// The provider of the workload identity pool, as `projects/…/providers/…`.
    pub provider: String,
    /// The file with the pod's token.
    pub pod_token: PathBuf,
    /// The token exchange.
    pub sts: Url,
    /// Where IAM is.
    pub iam: Url,
}

impl Keyless {
    /// Signs `payload` as this account.
    pub(super) async fn sign(
        &self,
        email: &str,
        payload: &str,
        http: &Http,
        clock: &dyn Clock,
    ) -> Result<String, TokenError> {
        let (asked_at, policy) = (clock.now(), Policy { tries: 4, ..Policy::default() });
        let proof = cluster_token::read(&self.pod_token).await?;
        let proof = std::str::from_utf8(proof.without_line_end())
            .map_err(|_| TokenError::Credential("the pod's token is not UTF-8 text".to_owned()))?
            .trim();
        let audience = format!("//iam.googleapis.com/{}", self.provider);
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("audience", &audience),
            ("scope", SCOPE),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("subject_token", proof),
        ];
        let ask = Ask::form(self.sts.clone(), fields);
        let answer = http.ask_again(&ask, LONGEST, policy, clock).await?;
        let token = understand(&answer, proof, asked_at, clock.now()).map_err(|error| match error {
            TokenError::Refused(refusal) => TokenError::Credential(format!(
                "Google does not accept the pod's token ({refusal}): compare workloadIdentity.provider, the issuer and the \
                 audience of the provider, and its condition, with the operator's service account"
            )),
            error => error,
        })?;
        let path = format!("/v1/projects/-/serviceAccounts/{email}:signJwt");
        let url = self.iam.join(&path).map_err(|_| unusable())?;
        let ask = Ask::json(url, &json!({ "payload": payload })).bearer(token.token.expose())?;
        let answer = http.ask_again(&ask, LONGEST, policy, clock).await?;
        signed(&answer, email, clock)
    }
}

/// What IAM answered.
fn signed(answer: &Answer, email: &str, clock: &dyn Clock) -> Result<String, TokenError> {
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status == 200 {
        let signed = said.get("signedJwt").and_then(Value::as_str).filter(|it| !it.is_empty());
        return signed.map(str::to_owned).ok_or(TokenError::NoToken(
            "IAM answered without a signature. Check whether a proxy answers in its place",
        ));
    }
    if retry::passes(answer.status) {
        return Err(TokenError::Failed(answer.status, answer.retry_after(clock.now())));
    }
    let code = said.pointer("/error/status").and_then(Value::as_str).unwrap_or_default();
    let code = crate::text::clean_within(code, 100);
    let status = answer.status;
    Err(TokenError::Credential(format!(
        "IAM does not sign for {email} ({status} {code}): enable the API iamcredentials.googleapis.com in its project, and give \
         the operator's principal of the workload identity pool the role Service Account Token Creator \
         (roles/iam.serviceAccountTokenCreator) on it"
    )))
}

fn unusable() -> TokenError {
    TokenError::Credential("the name of the service account cannot stand in an address".to_owned())
}
