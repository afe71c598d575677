//! What Microsoft's token endpoint and Graph say when they refuse, in sentences with the remedy. Pure.

use serde_json::Value;

use super::cloud::Cloud;
use crate::net::oauth::{Refusal, TokenError};
use crate::source::{Reason, SourceError, service};

/// What a refusal is about.
pub(super) struct About<'a> {
    pub(super) tenant: &'a str,
    pub(super) client: &'a str,
    pub(super) cloud: Cloud,
    /// Where an administrator gives the app what it asks for.
    pub(super) consent: String,
}

/// What a tenant says that has no such app: it is another one, or nobody there has consented yet.
const NO_SUCH_APP: u64 = 700_016;

/// Why there is no token.
pub(super) fn token(error: &TokenError, about: &About<'_>) -> SourceError {
    service::token(error, |refusal| {
        let why = remedy(refusal, about)
            .unwrap_or_else(|| "check tenantID, clientID, cloud and credentials".to_owned());
        let message = format!("Microsoft Entra ID refused the app {}: {why} ({refusal})", about.client);
        let is_unknown = refusal.codes.contains(&NO_SUCH_APP);
        let reason = if is_unknown { Reason::AppNotFound } else { Reason::AuthenticationFailed };
        SourceError::new(reason, message)
    })
}

/// What to say of an app that lacks these application permissions; nothing if it lacks none.
pub(super) fn permissions(missing: &[&str], about: &About<'_>) -> Option<SourceError> {
    let About { tenant, client, consent, .. } = about;
    let (reason, what) = match missing {
        [] => return None,
        [one] => (Reason::PermissionMissing, format!("the application permission {one} is missing")),
        all => (
            Reason::ConsentMissing,
            format!("no administrator has consented to the application permissions {}", all.join(" and ")),
        ),
    };
    let message = format!(
        "the app {client} may not read the tenant {tenant}: {what}. Add the missing permissions to the app, and let an administrator \
         open {consent}"
    );
    Some(SourceError::new(reason, message))
}

/// What to do, by the issuer's own numbers (learn.microsoft.com/entra/identity-platform/reference-error-codes). They may
/// change, so nothing but these words depends on them.
fn remedy(refusal: &Refusal, about: &About<'_>) -> Option<String> {
    let About { tenant, client, cloud, consent } = about;
    let known = |code: u64| {
        Some(match code {
            7_000_215 => "the client secret is wrong; put the secret's value into the Secret, not its ID: the portal shows the value \
                          once, when it is made"
                .to_owned(),
            7_000_222 => "the client secret has expired; make a new one and put its value into the Secret".to_owned(),
            NO_SUCH_APP => format!(
                "the tenant {tenant} has no app with this clientID; check both, and if they are right let an administrator of that \
                 tenant open {consent}"
            ),
            7_000_112 => "the app is disabled in this tenant; enable it under Enterprise applications".to_owned(),
            90_002 => format!(
                "there is no tenant {tenant} in the cloud {}; check tenantID, and cloud for a tenant of a national cloud",
                cloud.name()
            ),
            90_038 | 900_382 | 900_432 => {
                format!("the tenant {tenant} is of another cloud than {}; set cloud to that one", cloud.name())
            }
            9_001_023 => "tenantID must be one tenant: its ID, or one of its domains".to_owned(),
            50_012 | 700_027 => format!(
                "the app {client} does not have this certificate; upload tls.crt to the app, or use a certificate that \
                 it has"
            ),
            700_024 | 500_133 => {
                "the signed assertion is not valid at this time; synchronize this machine's clock with a time service".to_owned()
            }
            70_021 | 700_211 | 700_212 | 700_213 => "no federated credential of the app matches the service account's token; add \
                                                    one with the cluster's issuer, the subject system:serviceaccount:NAMESPACE:NAME \
                                                    (of the operator, or of serviceAccountName) and the audience of the token. A new \
                                                    one takes effect after some minutes"
                .to_owned(),
            500_011 => format!("Graph of the cloud {} does not exist in this tenant; check cloud", cloud.name()),
            53_003 | 530_032 => "a Conditional Access policy for workload identities blocks the app; allow it there".to_owned(),
            _ => return None,
        })
    };
    refusal.codes.iter().find_map(|code| known(*code))
}

/// Every code of an error of Graph, the outermost first.
pub(super) fn codes(body: &[u8]) -> Vec<String> {
    let mut codes = Vec::new();
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut at = body.get("error");
    while let Some(error) = at {
        codes.extend(error.get("code").and_then(Value::as_str).map(str::to_owned));
        // Both spellings are in use.
        at = error.get("innerError").or_else(|| error.get("innererror"));
    }
    codes
}

/// Whether an answer says that a feed cannot go on from where it was.
pub(super) fn is_resync(status: u16, body: &[u8]) -> bool {
    let says = |code: &String| {
        let code = code.to_ascii_lowercase();
        ["syncstatenotfound", "resyncrequired", "syncstateinvalid"].iter().any(|it| code.contains(it))
    };
    status == 410 || ((400..500).contains(&status) && codes(body).iter().any(says))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::gone(410, "", true)]
    #[case::not_found(
        400,
        r#"{"error":{"code":"BadRequest","innerError":{"code":"syncStateNotFound"}}}"#,
        true
    )]
    #[case::required(404, r#"{"error":{"code":"Directory_ResyncRequired"}}"#, true)]
    #[case::deeper(
        400,
        r#"{"error":{"code":"x","innererror":{"code":"y","innererror":{"code":"SyncStateInvalid"}}}}"#,
        true
    )]
    #[case::bad(400, r#"{"error":{"code":"BadRequest"}}"#, false)]
    #[case::server(500, r#"{"error":{"code":"syncStateNotFound"}}"#, false)]
    #[case::html(400, "<html>syncStateNotFound</html>", false)]
    fn tells_a_feed_that_cannot_go_on(#[case] status: u16, #[case] body: &str, #[case] resync: bool) {
        assert_eq!(is_resync(status, body.as_bytes()), resync);
    }

    #[test]
    fn every_code_that_is_explained_says_what_to_do() {
        let about = About {
            tenant: "t.example",
            client: "c",
            cloud: Cloud::UsGovGccHigh,
            consent: "https://c".to_owned(),
        };
        let said = |codes: &[u64]| {
            let refusal = Refusal {
                status: 401,
                error: "invalid_client".to_owned(),
                codes: codes.to_vec(),
                description: String::new(),
            };
            token(&TokenError::Refused(refusal), &about).message
        };
        assert!(said(&[7_000_215]).contains("not its ID"));
        assert!(said(&[1, 90_002]).contains("in the cloud UsGovGccHigh"));
        assert!(said(&[1]).contains("check tenantID, clientID, cloud and credentials (invalid_client)"));
    }
}
