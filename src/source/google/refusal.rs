//! What Google's token endpoint and the Directory API say when they refuse, in sentences with the remedy. Pure.

use serde_json::Value;

use super::config::SCOPES;
use crate::net::http::Answer;
use crate::net::oauth::{Refusal, TokenError};
use crate::source::{Reason, SourceError, service};
use crate::text;

/// Where an administrator of the customer delegates scopes.
const DELEGATION: &str = "https://admin.google.com/ac/owl/domainwidedelegation";
/// Where the rights of administrators are.
const ROLES: &str = "https://admin.google.com/ac/roles";
/// What says that it is the quota, and no right that is missing.
const QUOTA: [&str; 5] = [
    "rateLimitExceeded",
    "userRateLimitExceeded",
    "quotaExceeded",
    "dailyLimitExceeded",
    "RESOURCE_EXHAUSTED",
];

/// What a refusal is about.
pub(super) struct About<'a> {
    pub(super) account: &'a str,
    /// The number by which an administrator names the account.
    pub(super) client_id: Option<&'a str>,
    pub(super) project: &'a str,
}

/// What the body of an answer says.
#[derive(Default)]
pub(super) struct Said {
    /// Every reason and status in it.
    reasons: Vec<String>,
    pub(super) message: String,
}

impl Said {
    pub(super) fn of(body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(error) = body.get("error") else { return Self::default() };
        let each = |name: &str| error.get(name).and_then(Value::as_array).into_iter().flatten();
        let reasons = each("errors").chain(each("details")).filter_map(|it| it.get("reason"));
        let reasons = reasons.chain(error.get("status")).filter_map(Value::as_str);
        let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
        Self { reasons: reasons.map(str::to_owned).collect(), message: message.to_owned() }
    }

    fn has(&self, any: &[&str]) -> bool {
        self.reasons.iter().any(|reason| any.contains(&reason.as_str()))
    }

    /// What to call it.
    pub(super) fn codes(&self, status: u16) -> String {
        if self.reasons.is_empty() {
            return format!("status {status}");
        }
        let mut reasons = self.reasons.clone();
        reasons.dedup();
        text::clean_within(&format!("{status}, {}", reasons.join(", ")), 200).into_owned()
    }

    /// Whether it is the API that says that there is no such object, and not something between.
    pub(super) fn is_not_found(&self) -> bool {
        self.has(&["notFound", "domainNotFound", "NOT_FOUND"])
    }

    /// Whether it says that somebody was deleted, who can be restored for 20 days.
    pub(super) fn is_deleted(&self) -> bool {
        self.has(&["conditionNotMet"]) && self.message.to_lowercase().contains("deleted")
    }

    /// Whether it may be about the object that was asked for, and not about whoever asks.
    pub(super) fn is_about_object(&self) -> bool {
        self.has(&["forbidden", "domainCannotUseApis"])
    }
}

/// The status that an answer has in effect: a quota that is used up is told as 403 too.
pub(super) fn counts_as(answer: &Answer) -> u16 {
    if answer.status == 403 && Said::of(&answer.body).has(&QUOTA) { 429 } else { answer.status }
}

/// Whether it is the scopes that were refused, or some of them.
pub(super) fn is_of_scopes(refusal: &Refusal) -> bool {
    ["unauthorized_client", "access_denied", "invalid_scope"].contains(&refusal.error.as_str())
}

/// Why there is no token; `missing` are the scopes for which there is none alone either.
pub(super) fn token(error: &TokenError, missing: &[&str], about: &About<'_>) -> SourceError {
    service::token(error, |refusal| {
        let (reason, why) = remedy(refusal, missing, about);
        let message = format!("Google refused the service account {}: {why} ({refusal})", about.account);
        SourceError::new(reason, message)
    })
}

/// What to do (developers.google.com/identity/protocols/oauth2/service-account, error codes).
fn remedy(refusal: &Refusal, missing: &[&str], about: &About<'_>) -> (Reason, String) {
    let described = |text: &str| refusal.description.to_lowercase().contains(text);
    let client = match about.client_id {
        Some(id) => format!("the client ID {id}"),
        None => "the account's numeric client ID (its Unique ID in the Google Cloud console)".to_owned(),
    };
    match refusal.error.as_str() {
        _ if is_of_scopes(refusal) && !missing.is_empty() => {
            let scopes = missing.join(",");
            let (reason, what) = if missing.len() == SCOPES.len() {
                (Reason::ConsentMissing, "nothing is delegated to it")
            } else {
                (Reason::PermissionMissing, "not all that it needs is delegated to it")
            };
            let add = if reason == Reason::ConsentMissing { "add" } else { "add to the scopes of" };
            let what = format!(
                "{what}. Let a super administrator open {DELEGATION} and {add} {client}{} {scopes}. It takes effect after some minutes, \
                 at most after 24 hours",
                if reason == Reason::ConsentMissing { " with the scopes" } else { ":" },
            );
            (reason, what)
        }
        _ if is_of_scopes(refusal) => (
            Reason::ConsentMissing,
            format!(
                "it has no domain-wide delegation for these scopes together. Let a super administrator open {DELEGATION} and compare \
                 the scopes of {client}. It takes effect after some minutes"
            ),
        ),
        "admin_policy_enforced" => (
            Reason::ConsentMissing,
            "a policy of the customer blocks it. Let an administrator trust it under Security, Access and data control, API controls, App \
             access control (https://admin.google.com/ac/owl)"
                .to_owned(),
        ),
        "org_internal" => (
            Reason::ConsentMissing,
            "its project is for its own organization only. Use a service account of a project of this organization".to_owned(),
        ),
        "deleted_client" | "disabled_client" | "invalid_client" => (
            Reason::AuthenticationFailed,
            "the account or its key is disabled or deleted. Enable it in the Google Cloud console under IAM and admin, Service accounts, \
             or create a new key and put that into the Secret"
                .to_owned(),
        ),
        "invalid_grant" if described("email") || described("user") => (
            Reason::AuthenticationFailed,
            "there is no user adminEmail. Name an administrator of the customer there, by the primary address".to_owned(),
        ),
        "invalid_grant" if described("signature") => (
            Reason::AuthenticationFailed,
            "the key does not exist any more. Create a new one and put the whole file into the Secret".to_owned(),
        ),
        "invalid_grant" if described("reasonable timeframe") || described("short-lived") => (
            Reason::AuthenticationFailed,
            "the signed assertion is not valid at this time. Synchronize this machine's clock with a time service".to_owned(),
        ),
        "invalid_grant" if described("account not found") => (
            Reason::AuthenticationFailed,
            "there is no such service account any more. Create one, and delegate the scopes to it".to_owned(),
        ),
        _ => (Reason::AuthenticationFailed, "check adminEmail and credentials".to_owned()),
    }
}

/// What to say of an access that was denied.
pub(super) fn denied(said: &Said, codes: &str, about: &About<'_>) -> SourceError {
    let About { account, project, .. } = about;
    let why = if said.has(&["accessNotConfigured", "SERVICE_DISABLED"]) {
        format!(
            "the Admin SDK API is not enabled in the project {project} of the service account. Enable it at \
             https://console.cloud.google.com/apis/library/admin.googleapis.com?project={project}. It takes effect after some minutes"
        )
    } else if said.has(&["insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"]) {
        format!(
            "the token of {account} lacks a scope. Let a super administrator open {DELEGATION} and compare its scopes with {}",
            SCOPES.join(",")
        )
    } else if said.has(&["domainCannotUseApis"]) {
        "the customer does not let APIs be used. Let an administrator allow that under Security, Access and data control, API controls \
         (https://admin.google.com/ac/owl)"
            .to_owned()
    } else {
        format!(
            "adminEmail is no administrator who may read this. Let a super administrator open {ROLES} and give them a role with the \
             rights of the Admin API \"Users: Read\" and \"Groups: Read\""
        )
    };
    SourceError::new(Reason::AccessDenied, format!("the Directory API denied access ({codes}): {why}"))
}

/// What to say of a request that was rejected. What the API says of it may quote what people are called, unless it is of an attribute
/// that somebody named.
pub(super) fn rejected(said: &Said, status: u16, codes: &str) -> SourceError {
    if status == 401 {
        let message =
            format!("the Directory API rejected the token that Google issued ({codes}). Check endpoints");
        return SourceError::new(Reason::AuthenticationFailed, message);
    }
    let named = ["Invalid field selection", "Invalid custom schema"];
    let why = if named.iter().any(|begin| said.message.starts_with(begin)) {
        format!("{}. Correct the attribute that a policy names", text::clean_within(&said.message, 200))
    } else {
        "check customer and domain; the debug log has what it said".to_owned()
    };
    SourceError::new(Reason::InvalidData, format!("the Directory API rejected the request ({codes}): {why}"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ABOUT: About<'_> =
        About { account: "reader@corp.iam.gserviceaccount.com", client_id: Some("1234"), project: "corp" };

    #[rstest]
    #[case::rate(403, r#"{"error":{"errors":[{"reason":"userRateLimitExceeded"}]}}"#, 429)]
    #[case::quota(403, r#"{"error":{"errors":[{"reason":"other"},{"reason":"quotaExceeded"}]}}"#, 429)]
    #[case::exhausted(403, r#"{"error":{"status":"RESOURCE_EXHAUSTED"}}"#, 429)]
    #[case::detail(403, r#"{"error":{"details":[{"reason":"rateLimitExceeded"}]}}"#, 429)]
    #[case::denied(403, r#"{"error":{"errors":[{"reason":"forbidden"}]}}"#, 403)]
    #[case::html(403, "<html>rateLimitExceeded</html>", 403)]
    #[case::not_there(404, r#"{"error":{"errors":[{"reason":"quotaExceeded"}]}}"#, 404)]
    fn a_quota_is_told_from_a_refusal(#[case] status: u16, #[case] body: &'static str, #[case] counts: u16) {
        assert_eq!(counts_as(&Answer::of(status, &[("content-type", "application/json")], body)), counts);
    }

    #[rstest]
    #[case::nothing("unauthorized_client", "", &SCOPES, Reason::ConsentMissing, "add the client ID 1234 with the scopes")]
    #[case::one("access_denied", "", &SCOPES[1..], Reason::PermissionMissing, "group.readonly")]
    #[case::no_user("invalid_grant", "Invalid email or User ID", &[], Reason::AuthenticationFailed, "no user adminEmail")]
    #[case::no_key("invalid_grant", "Invalid JWT Signature.", &[], Reason::AuthenticationFailed, "does not exist any more")]
    #[case::clock("invalid_grant", "Invalid JWT: Token must be a short-lived token", &[], Reason::AuthenticationFailed, "clock")]
    #[case::policy("admin_policy_enforced", "", &[], Reason::ConsentMissing, "App access control")]
    #[case::off("disabled_client", "", &[], Reason::AuthenticationFailed, "Enable it")]
    #[case::other("server_error", "", &[], Reason::AuthenticationFailed, "check adminEmail and credentials")]
    fn a_refused_account_says_what_to_do(
        #[case] error: &str,
        #[case] description: &str,
        #[case] missing: &[&str],
        #[case] reason: Reason,
        #[case] said: &str,
    ) {
        let refusal = Refusal {
            status: 401,
            error: error.to_owned(),
            codes: Vec::new(),
            description: description.to_owned(),
        };
        let why = token(&TokenError::Refused(refusal), missing, &ABOUT);
        assert_eq!(why.reason, reason);
        assert!(why.message.contains(said), "{}", why.message);
    }

    #[test]
    fn what_is_denied_is_told_apart() {
        let said = |reason: &str| {
            let body = format!(r#"{{"error":{{"code":403,"errors":[{{"reason":"{reason}"}}]}}}}"#);
            let said = Said::of(body.as_bytes());
            denied(&said, &said.codes(403), &ABOUT).message
        };
        assert!(said("accessNotConfigured").contains("admin.googleapis.com?project=corp"));
        assert!(said("insufficientPermissions").contains("user.readonly"));
        assert!(said("domainCannotUseApis").contains("does not let APIs be used"));
        assert!(said("forbidden").contains("(403, forbidden)") && said("forbidden").contains("Groups: Read"));
    }

    #[test]
    fn a_wrong_attribute_is_named_and_nobody_else() {
        let said = |message: &str| {
            let said = Said { reasons: vec!["invalidParameter".to_owned()], message: message.to_owned() };
            rejected(&said, 400, "400").message
        };
        assert!(said("Invalid field selection shoeSize").contains("shoeSize"));
        assert!(!said("Invalid Input: ann@corp.example").contains("ann"));
    }
}
