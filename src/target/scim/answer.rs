//! What an answer of a service says. Pure.

use jiff::Timestamp;
use serde_json::Value;

use super::rate;
use crate::directory::TargetReason;
use crate::net::http::Answer;
use crate::target::refusal::{No, Refusal};
use crate::target::turn::Call;
use crate::text;
use crate::words::count;

/// An answer that says yes.
#[derive(Debug)]
pub(super) struct Said {
    /// The status.
    pub(super) status: u16,
    /// The body, if there is one.
    pub(super) body: Option<Value>,
    /// Where the resource is.
    pub(super) location: Option<String>,
    /// Whether it says that all is done: it is not if it was only accepted, or if the answer is no SCIM.
    pub(super) is_done: bool,
}

impl Refusal {
    /// What is not SCIM.
    pub(super) fn not_scim(what: &str) -> Self {
        let message = format!(
            "{what}. Check url, and whether a sign-in page or a proxy answers in place of the service"
        );
        Self::new(No::Everything, TargetReason::InvalidAnswer, message)
    }
}

/// What an answer says. `secret` is never repeated. A yes to a write that is no SCIM may be one all the same; to a read it is none.
pub(super) fn understand(
    answer: &Answer,
    call: Call,
    host: &str,
    secret: &[u8],
    now: Timestamp,
) -> Result<Said, Refusal> {
    let json: Option<Value> = serde_json::from_slice(&answer.body).ok().filter(Value::is_object);
    let is_empty = answer.body.iter().all(u8::is_ascii_whitespace);
    match answer.status {
        200..=299 if json.is_some() || is_empty || call == Call::Write => {
            let location = answer.header("location").map(str::to_owned);
            let is_done = answer.status != 202 && (json.is_some() || is_empty);
            Ok(Said { status: answer.status, body: json, location, is_done })
        }
        200..=299 => Err(Refusal::not_scim(&format!("{host} answered with something that is no SCIM"))),
        300..=399 => Err(redirected(answer, host)),
        status => {
            let says = Words::of(json.as_ref(), secret);
            let mut refusal =
                refused(status, &says, json.is_some() || is_empty, host, rate::wait(answer, now));
            refusal.error.detail = says.detail;
            Err(refusal)
        }
    }
}

/// What an error of a service says in its own words.
#[derive(Debug, Default, PartialEq, Eq)]
struct Words {
    kind: Option<String>,
    detail: Option<String>,
}

impl Words {
    fn of(body: Option<&Value>, secret: &[u8]) -> Self {
        let Some(body) = body else { return Self::default() };
        let texts = ["detail", "error_description", "message", "error"];
        let detail = texts.iter().find_map(|name| body.get(*name)?.as_str()).map(str::trim);
        let secret = std::str::from_utf8(secret).unwrap_or_default();
        let repeats = |text: &str| !secret.is_empty() && text.contains(secret);
        let detail = detail.filter(|text| !text.is_empty() && !repeats(text));
        // A word, not a sentence: it stands in what everybody reads.
        let is_word = |kind: &&str| {
            (1..=40).contains(&kind.len())
                && kind.bytes().all(|byte| byte.is_ascii_alphanumeric())
                && !repeats(kind)
        };
        let kind = body.get("scimType").and_then(Value::as_str).filter(is_word).map(str::to_owned);
        Self { kind, detail: detail.map(|text| text::clean_within(text, 500).into_owned()) }
    }
}

fn refused(
    status: u16,
    says: &Words,
    is_scim: bool,
    host: &str,
    wait: Option<std::time::Duration>,
) -> Refusal {
    let said = says
        .kind
        .as_ref()
        .map_or_else(|| format!("status {status}"), |kind| format!("status {status}, {kind}"));
    let kind = says.kind.as_deref().unwrap_or_default();
    let new = |no, reason, message: String| Refusal::new(no, reason, message);
    let throttled = |wait: Option<std::time::Duration>| {
        let asks = wait
            .map(|wait| format!(" for {}", count(wait.as_secs(), "second", "seconds")))
            .unwrap_or_default();
        let mut refusal =
            new(No::Busy, TargetReason::Throttled, format!("{host} limits our requests{asks} ({said})"));
        refusal.error.retry_after = wait;
        refusal
    };
    match status {
        401 => new(
            No::Token,
            TargetReason::AuthenticationFailed,
            format!("{host} refused the token ({said}). Put a valid token into the Secret"),
        ),
        // So some say that they are asked too often.
        403 if wait.is_some() => throttled(wait),
        403 if matches!(kind, "mutability" | "sensitive" | "uniqueness") => {
            new(No::Refused, TargetReason::Refused, format!("{host} refused this change ({said})"))
        }
        403 => new(
            No::Everything,
            TargetReason::AccessDenied,
            format!(
                "{host} does not allow this to the token ({said}). Give it the right to manage users and groups"
            ),
        ),
        404 | 410 if is_scim => {
            new(No::NotThere, TargetReason::Refused, format!("{host} does not have this object ({said})"))
        }
        404 | 410 => Refusal::not_scim(&format!("{host} has no SCIM at this address ({said})")),
        409 => new(
            No::Taken,
            TargetReason::Refused,
            format!("{host} says that something is in use already ({said})"),
        ),
        400 if kind == "uniqueness" => new(
            No::Taken,
            TargetReason::Refused,
            format!("{host} says that something is in use already ({said})"),
        ),
        412 | 428 => new(
            No::Changed,
            TargetReason::Refused,
            format!("somebody else changed the object at {host} meanwhile ({said})"),
        ),
        413 => {
            new(No::TooLarge, TargetReason::Refused, format!("the request is too long for {host} ({said})"))
        }
        400 if kind == "tooMany" => new(
            No::TooLarge,
            TargetReason::Refused,
            format!("the request has too many values for {host} ({said})"),
        ),
        405 | 501 => {
            new(No::Unsupported, TargetReason::Unsupported, format!("{host} cannot do this ({said})"))
        }
        429 => throttled(wait),
        503 => {
            let mut refusal =
                new(No::Busy, TargetReason::Unavailable, format!("{host} is not available now ({said})"));
            refusal.error.retry_after = wait;
            refusal
        }
        408 | 500..=599 => {
            new(No::Unknown, TargetReason::NoAnswer, format!("{host} failed while it answered ({said})"))
        }
        _ => new(No::Refused, TargetReason::Refused, format!("{host} refused the request ({said})")),
    }
}

fn redirected(answer: &Answer, host: &str) -> Refusal {
    let to = answer.header("location").and_then(|to| url::Url::parse(to).ok());
    let to = to.and_then(|to| to.host_str().map(str::to_owned)).filter(|to| to != host);
    let to = to.map_or_else(String::new, |to| format!(" to {}", text::clean_within(&to, 100)));
    Refusal::not_scim(&format!(
        "{host} redirects{to} (status {}). Redirects are not followed, so that the token goes nowhere else",
        answer.status
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;

    const JSON: (&str, &str) = ("content-type", "application/scim+json");

    fn no(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Refusal {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let answer = Answer::of(status, headers, body);
        understand(&answer, Call::Read, "app.example", b"the-token", now).unwrap_err()
    }

    #[rstest]
    #[case::login_page(200, "<html>Sign in</html>", No::Everything, TargetReason::InvalidAnswer)]
    #[case::a_list_is_no_message(200, "[]", No::Everything, TargetReason::InvalidAnswer)]
    #[case::token(401, "", No::Token, TargetReason::AuthenticationFailed)]
    #[case::rights(403, "{}", No::Everything, TargetReason::AccessDenied)]
    #[case::one_attribute(403, r#"{"scimType":"mutability"}"#, No::Refused, TargetReason::Refused)]
    #[case::gone(404, r#"{"status":404}"#, No::NotThere, TargetReason::Refused)]
    #[case::gone_in_silence(404, "", No::NotThere, TargetReason::Refused)]
    #[case::no_proof_of_absence(404, "<html>nginx</html>", No::Everything, TargetReason::InvalidAnswer)]
    #[case::taken(409, "{}", No::Taken, TargetReason::Refused)]
    #[case::taken_in_other_words(400, r#"{"scimType":"uniqueness"}"#, No::Taken, TargetReason::Refused)]
    #[case::changed(412, "", No::Changed, TargetReason::Refused)]
    #[case::too_long(413, "<html>", No::TooLarge, TargetReason::Refused)]
    #[case::too_many(400, r#"{"scimType":"tooMany"}"#, No::TooLarge, TargetReason::Refused)]
    #[case::cannot(501, "", No::Unsupported, TargetReason::Unsupported)]
    #[case::may_not(405, "", No::Unsupported, TargetReason::Unsupported)]
    #[case::bad(400, "no", No::Refused, TargetReason::Refused)]
    #[case::throttled(429, "", No::Busy, TargetReason::Throttled)]
    #[case::away(503, "", No::Busy, TargetReason::Unavailable)]
    #[case::may_have_happened(500, "", No::Unknown, TargetReason::NoAnswer)]
    #[case::gateway(504, "<html>", No::Unknown, TargetReason::NoAnswer)]
    fn says_what_a_no_means(
        #[case] status: u16,
        #[case] body: &str,
        #[case] means: No,
        #[case] reason: TargetReason,
    ) {
        let refusal = no(status, &[JSON], body);
        assert_eq!((refusal.no, refusal.error.reason), (means, reason));
        assert!(refusal.error.message.contains("app.example"), "{}", refusal.error.message);
    }

    #[test]
    fn a_wait_is_passed_on() {
        let refusal = no(429, &[("retry-after", "7")], "");
        assert_eq!(refusal.error.retry_after, Some(Duration::from_secs(7)));
        let used_up = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1767225720")];
        for headers in [&[("retry-after", "60")][..], &used_up] {
            assert_eq!(no(403, headers, "{}").error.reason, TargetReason::Throttled);
        }
        assert_eq!(no(429, &[], "").error.retry_after, None);
        assert_eq!(no(503, &[("retry-after", "1")], "").error.retry_after, Some(Duration::from_secs(1)));
    }

    #[test]
    fn its_own_words_stay_apart_and_never_repeat_the_token() {
        let refusal = no(400, &[JSON], r#"{"scimType":"invalidValue","detail":"ann@corp.example is bad"}"#);
        assert!(refusal.error.message.contains("400, invalidValue"));
        assert!(!refusal.error.message.contains("ann"));
        assert_eq!(refusal.error.detail.as_deref(), Some("ann@corp.example is bad"));
        let refusal = no(400, &[JSON], r#"{"scimType":"ann corp","detail":"the-token is no token"}"#);
        assert!(!refusal.error.message.contains("ann"));
        assert_eq!(refusal.error.detail, None);
        let long = format!(r#"{{"detail":"{}"}}"#, "x".repeat(100_000));
        assert!(no(400, &[JSON], &long).error.detail.unwrap().len() <= 500);
    }

    #[test]
    fn a_redirect_says_where_to() {
        let refusal = no(302, &[("location", "https://login.other.example/x?user=ann")], "");
        assert!(
            refusal.error.message.contains("to login.other.example (status 302)"),
            "{}",
            refusal.error.message
        );
        assert!(!refusal.error.message.contains("ann"));
    }

    #[test]
    fn an_empty_answer_is_a_yes() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let answer = Answer::of(204, &[("location", "Users/1")], "");
        let said = understand(&answer, Call::Read, "app.example", b"", now).unwrap();
        assert_eq!((said.status, said.location.as_deref()), (204, Some("Users/1")));
        assert!(said.body.is_none() && said.is_done);
    }

    #[rstest]
    #[case::all(200, "{}", true)]
    #[case::nothing_to_say(204, "", true)]
    #[case::accepted(202, "{}", false)]
    #[case::in_other_words(200, "OK", false)]
    #[case::a_page(200, "<html>Sign in</html>", false)]
    fn a_yes_to_a_write_may_be_no_proof(#[case] status: u16, #[case] body: &str, #[case] is_done: bool) {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let said = understand(&Answer::of(status, &[], body), Call::Write, "app.example", b"", now).unwrap();
        assert_eq!(said.is_done, is_done);
    }
}
