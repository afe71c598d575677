//! What an answer of Mimecast says, in either of its two styles. Pure.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::directory::TargetReason;
use crate::net::http::Answer;
use crate::target::refusal::{No, Refusal};
use crate::target::turn;
use crate::text;
use crate::words::count;

/// What an administrator's role must allow for a call, as the console names it.
pub(super) type Role = &'static str;

/// What an answer says. `secret` is never repeated. Status 200 with `fail` is a failure.
pub(super) fn understand(
    answer: &Answer,
    host: &str,
    secret: &[u8],
    now: Timestamp,
    role: Role,
) -> Result<Value, Refusal> {
    let json: Option<Value> = serde_json::from_slice(&answer.body).ok().filter(Value::is_object);
    let is_empty = answer.body.iter().all(u8::is_ascii_whitespace);
    let says = Words::of(json.as_ref(), secret);
    let wait = wait(answer, now);
    let mut refusal = match (answer.status, json) {
        (200..=299, Some(json)) => {
            let within = json.pointer("/meta/status").and_then(Value::as_u64).unwrap_or(200);
            let failed = json.get("fail").and_then(Value::as_array).is_some_and(|fail| !fail.is_empty());
            if !failed && (200..300).contains(&within) {
                return Ok(json);
            }
            // What the envelope says counts for more than that it came.
            let status = if (400..600).contains(&within) { within } else { u64::from(answer.status) };
            said_no(u16::try_from(status).unwrap_or(200), &says, true, host, wait, role)
        }
        (200..=299, None) if is_empty => return Ok(Value::Null),
        (200..=299, None) => not_mimecast(&format!("{host} answered with something that is no JSON")),
        (300..=399, _) => not_mimecast(&format!(
            "{host} redirects (status {}). Redirects are not followed, so that the token goes nowhere else",
            answer.status
        )),
        (status, json) => said_no(status, &says, json.is_some() || is_empty, host, wait, role),
    };
    refusal.error.detail = refusal.error.detail.or(says.message);
    Err(refusal)
}

/// What an answer says of how often Mimecast may be called. Its times are in milliseconds, but for the header of HTTP itself.
pub(super) fn rate(answer: &Answer, now: Timestamp) -> turn::Said {
    let left = number(answer, &["x-ratelimit-remaining"]);
    turn::Said { status: answer.status, retry_after: wait(answer, now), remaining: left.zip(reset(answer)) }
}

/// How long it asks to wait, if it refuses because of that.
fn wait(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let of_429 = || if answer.status == 429 { reset(answer) } else { None };
    answer.retry_after(now).or_else(of_429)
}

fn reset(answer: &Answer) -> Option<Duration> {
    number(answer, &["x-ratelimit-reset", "x-mimecast-ratelimit-reset"]).map(Duration::from_millis)
}

fn number(answer: &Answer, names: &[&str]) -> Option<u64> {
    names.iter().find_map(|name| answer.header(name))?.trim().parse().ok()
}

/// What is not Mimecast.
pub(super) fn not_mimecast(what: &str) -> Refusal {
    let message =
        format!("{what}. Check url, and whether a sign-in page or a proxy answers in place of Mimecast");
    Refusal::new(No::Everything, TargetReason::InvalidAnswer, message)
}

/// What a failure says in Mimecast's own words.
#[derive(Debug, Default, PartialEq, Eq)]
struct Words {
    code: Option<String>,
    message: Option<String>,
    retryable: bool,
}

impl Words {
    fn of(body: Option<&Value>, secret: &[u8]) -> Self {
        let Some(body) = body else { return Self::default() };
        let errors = [
            body.pointer("/fail/0/errors/0"),
            body.pointer("/errors/0"),
            body.pointer("/fail/0"),
            Some(body),
        ];
        let first = |names: [&str; 2]| {
            let of =
                |error: &Value| names.iter().find_map(|name| error.get(*name)?.as_str()).map(str::to_owned);
            errors.into_iter().flatten().find_map(of)
        };
        let secret = std::str::from_utf8(secret).unwrap_or_default();
        let repeats = |text: &str| !secret.is_empty() && text.contains(secret);
        // A word, not a sentence: it stands in what everybody reads.
        let is_word = |code: &String| {
            (1..=60).contains(&code.len())
                && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
                && !repeats(code)
        };
        let message =
            first(["message", "error_description"]).filter(|text| !text.is_empty() && !repeats(text));
        Self {
            code: first(["code", "error"]).filter(is_word),
            message: message.map(|text| text::clean_within(text.trim(), 500).into_owned()),
            retryable: body
                .pointer("/fail/0/errors/0/retryable")
                .and_then(Value::as_bool)
                .unwrap_or_default(),
        }
    }

    /// Whether the code has this word, however it is written.
    fn has(&self, word: &str) -> bool {
        let code = self.code.as_deref().unwrap_or_default().to_lowercase();
        code.replace(['-', '.'], "_").contains(word)
    }
}

fn said_no(
    status: u16,
    says: &Words,
    is_ours: bool,
    host: &str,
    wait: Option<Duration>,
    role: Role,
) -> Refusal {
    let said = says
        .code
        .as_ref()
        .map_or_else(|| format!("status {status}"), |code| format!("status {status}, {code}"));
    let refused = |no, what: &str| Refusal::new(no, TargetReason::Refused, format!("{host} {what} ({said})"));
    match status {
        401 | 418 => Refusal::new(
            No::Token,
            TargetReason::AuthenticationFailed,
            format!(
                "{host} refused the token ({said}). Check client-id and client-secret in the Secret, and whether the API application is enabled"
            ),
        ),
        403 => Refusal::new(
            No::Everything,
            TargetReason::AccessDenied,
            format!(
                "{host} does not allow this ({said}). Give the role of the API application the permission {role}, and its product to the application"
            ),
        ),
        404 | 410 if is_ours => refused(No::NotThere, "does not have this object, or not this call"),
        404 | 405 | 410 | 501 => Refusal::new(
            No::Unsupported,
            TargetReason::Unsupported,
            format!("{host} does not have this call ({said})"),
        ),
        409 => refused(No::Taken, "says that something is in use already"),
        413 => refused(No::TooLarge, "finds the request too long"),
        429 => {
            let asks = wait
                .map(|wait| format!(" for {}", count(wait.as_secs().max(1), "second", "seconds")))
                .unwrap_or_default();
            let mut refusal = Refusal::new(
                No::Busy,
                TargetReason::Throttled,
                format!("{host} limits our requests{asks} ({said})"),
            );
            refusal.error.retry_after = wait;
            refusal
        }
        503 => {
            let mut refusal = Refusal::new(
                No::Busy,
                TargetReason::Unavailable,
                format!("{host} is not available now ({said})"),
            );
            refusal.error.retry_after = wait;
            refusal
        }
        408 | 500..=599 => Refusal::new(
            No::Unknown,
            TargetReason::NoAnswer,
            format!("{host} failed while it answered ({said})"),
        ),
        // In the older style the status is that of the call, and the code says what became of it.
        _ if says.has("not_found") || says.has("notfound") || says.has("does_not_exist") => {
            refused(No::NotThere, "does not have this object")
        }
        _ if says.has("exist") || says.has("duplicate") => {
            refused(No::Taken, "says that something is in use already")
        }
        _ if says.retryable => Refusal::new(
            No::Unknown,
            TargetReason::NoAnswer,
            format!("{host} failed, and says that it may go later ({said})"),
        ),
        _ => refused(No::Refused, "refused the request"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const JSON: (&str, &str) = ("content-type", "application/json");

    fn said(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Result<Value, Refusal> {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        understand(&Answer::of(status, headers, body), "api.example", b"the-token", now, "Groups | Edit")
    }

    #[rstest]
    #[case::login_page(200, "<html>Sign in</html>", No::Everything, TargetReason::InvalidAnswer)]
    #[case::fails_with_200(200, r#"{"fail":[{"errors":[{"code":"err_folder_in_use","message":"no"}]}],"data":[],"meta":{"status":200}}"#, No::Refused, TargetReason::Refused)]
    #[case::fails_within(
        200,
        r#"{"fail":[],"data":[],"meta":{"status":403}}"#,
        No::Everything,
        TargetReason::AccessDenied
    )]
    #[case::fails_without_words(200, r#"{"fail":[{}],"data":[]}"#, No::Refused, TargetReason::Refused)]
    #[case::is_not_there(
        200,
        r#"{"fail":[{"errors":[{"code":"err_folder_not_found"}]}]}"#,
        No::NotThere,
        TargetReason::Refused
    )]
    #[case::is_there(
        200,
        r#"{"fail":[{"errors":[{"code":"err_address_already_exists"}]}]}"#,
        No::Taken,
        TargetReason::Refused
    )]
    #[case::may_go_later(
        200,
        r#"{"fail":[{"errors":[{"code":"err_busy","retryable":true}]}]}"#,
        No::Unknown,
        TargetReason::NoAnswer
    )]
    #[case::token(401, r#"{"error":"invalid_token"}"#, No::Token, TargetReason::AuthenticationFailed)]
    #[case::key_is_over(418, "{}", No::Token, TargetReason::AuthenticationFailed)]
    #[case::gone(404, r#"{"errors":[{"code":"not_found"}]}"#, No::NotThere, TargetReason::Refused)]
    #[case::no_such_call(404, "<html>", No::Unsupported, TargetReason::Unsupported)]
    #[case::wrong_verb(405, "", No::Unsupported, TargetReason::Unsupported)]
    #[case::bad(
        400,
        r#"{"errors":[{"code":"err_validation","field":"description"}]}"#,
        No::Refused,
        TargetReason::Refused
    )]
    #[case::throttled(429, "", No::Busy, TargetReason::Throttled)]
    #[case::away(503, "", No::Busy, TargetReason::Unavailable)]
    #[case::may_have_happened(502, "<html>", No::Unknown, TargetReason::NoAnswer)]
    #[case::redirect(302, "", No::Everything, TargetReason::InvalidAnswer)]
    fn says_what_a_no_means(
        #[case] status: u16,
        #[case] body: &str,
        #[case] means: No,
        #[case] reason: TargetReason,
    ) {
        let refusal = said(status, &[JSON], body).unwrap_err();
        assert_eq!((refusal.no, refusal.error.reason), (means, reason), "{}", refusal.error.message);
        assert!(refusal.error.message.contains("api.example"), "{}", refusal.error.message);
    }

    #[test]
    fn a_missing_role_is_named() {
        let refusal = said(403, &[], "{}").unwrap_err();
        assert!(refusal.error.message.contains("Groups | Edit"), "{}", refusal.error.message);
    }

    #[test]
    fn a_yes_is_a_yes() {
        assert!(said(200, &[], r#"{"fail":[],"meta":{"status":200},"data":[{"id":"1"}]}"#).is_ok());
        assert!(said(200, &[], r#"{"groups":[],"meta":{}}"#).is_ok());
        assert_eq!(said(204, &[], "").unwrap(), Value::Null);
    }

    #[test]
    fn its_own_words_stay_apart_and_never_repeat_the_token() {
        let body = r#"{"fail":[{"errors":[{"code":"err_x","message":"ann@corp.example is bad"}]}]}"#;
        let refusal = said(200, &[], body).unwrap_err();
        assert!(refusal.error.message.contains("err_x") && !refusal.error.message.contains("ann"));
        assert_eq!(refusal.error.detail.as_deref(), Some("ann@corp.example is bad"));
        let body = r#"{"errors":[{"code":"ann corp","message":"the-token is no token"}]}"#;
        let refusal = said(400, &[], body).unwrap_err();
        assert!(!refusal.error.message.contains("ann"));
        assert_eq!(refusal.error.detail, None);
    }

    #[test]
    fn times_are_in_milliseconds() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let headers = [("x-ratelimit-remaining", "7"), ("x-ratelimit-reset", "1500")];
        let told = rate(&Answer::of(200, &headers, "{}"), now);
        assert_eq!(told.remaining, Some((7, Duration::from_millis(1500))));
        assert_eq!(told.retry_after, None, "it refuses nothing");
        let told = rate(&Answer::of(429, &headers, ""), now);
        assert_eq!(told.retry_after, Some(Duration::from_millis(1500)));
        let told =
            rate(&Answer::of(429, &[("retry-after", "3"), ("x-mimecast-ratelimit-reset", "10")], ""), now);
        assert_eq!(told.retry_after, Some(Duration::from_secs(3)));
    }
}
