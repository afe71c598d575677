//! Writing a status: by server-side apply, under a field manager of its own, whenever the object shows another one than
//! it should, whoever made it so.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Serialize;
use serde_json::{Map, Value};

use super::delay;
use super::error::Error;
use crate::api::reason;
use crate::store::StoreError;
use crate::text::replace_unseen;

/// Progress is written of a new object from then on.
const FIRST_PROGRESS: Duration = Duration::from_secs(10);

/// A status as it was last written.
#[derive(Clone, Debug)]
pub(super) struct Written<S> {
    pub(super) status: S,
    /// What the apiserver made of it, if that is something else.
    pub(super) shown: Option<Value>,
    /// In which version of the object.
    pub(super) version: Option<u64>,
}

impl<S: Serialize> Written<S> {
    /// As it was found in an object of this version, when this process first saw it.
    pub(super) fn found(status: S, version: Option<&String>) -> Self {
        Self { shown: None, status, version: number(version) }
    }

    /// Whether an object of this version, with this status, shows what was written.
    pub(super) fn stands(&self, version: Option<&String>, shown: Option<&S>) -> bool {
        // The cache may not have what was written yet.
        let seen = number(version).zip(self.version).is_none_or(|(now, written)| now > written);
        !seen || self.shown.clone().unwrap_or_else(|| comparable(&self.status)) == comparable(&shown)
    }
}

/// Whether this status need not be written, because the object shows it already.
pub(super) fn stands<S: Serialize>(
    written: Option<&Written<S>>,
    (version, shown): (Option<&String>, Option<&S>),
    status: &S,
) -> bool {
    match written {
        Some(written) => comparable(&written.status) == comparable(status) && written.stands(version, shown),
        None => shown.is_some_and(|shown| comparable(shown) == comparable(status)),
    }
}

/// Until when nothing need be written of an object that shows nothing yet (`shows` is false), if all there is to say is that
/// its first read or run goes on: most have ended by then, and one write is enough. `since` remembers since when.
pub(super) fn can_wait(
    since: &mut Option<Timestamp>,
    shows: bool,
    conditions: &[Condition],
    now: Timestamp,
) -> Option<Timestamp> {
    let progresses =
        |it: &Condition| it.type_ == "Reconciling" && it.reason == reason::connector::PROGRESSING.name;
    if shows || !conditions.iter().any(progresses) {
        return None;
    }
    let until = delay::later(*since.get_or_insert(now), FIRST_PROGRESS);
    (until > now).then_some(until)
}

/// A merge patch that takes away what a status shows in our words beyond what is wanted, if it does.
pub(super) fn without(shown: &Value, wanted: &Value) -> Option<Value> {
    let (shown, wanted) = (shown.as_object()?, wanted.as_object()?);
    let mut patch = Map::new();
    for field in shown.keys().filter(|field| !wanted.contains_key(*field) && *field != "conditions") {
        patch.insert(field.clone(), Value::Null);
    }
    let all = conditions(shown);
    let said = conditions(wanted);
    let is_said = |one: &&Value| !is_our_word(one) || said.iter().any(|it| it["type"] == one["type"]);
    let left: Vec<Value> = all.iter().filter(is_said).cloned().collect();
    if left.len() < all.len() {
        patch.insert("conditions".to_owned(), left.into());
    }
    (!patch.is_empty()).then(|| patch.into())
}

/// A status as two of them are compared: as text, and without what others say in words of their own.
pub(super) fn comparable(status: &impl Serialize) -> Value {
    ours(text(status))
}

/// One character that is no text would cost the whole status.
pub(super) fn text(status: &impl Serialize) -> Value {
    let mut status = serde_json::to_value(status).unwrap_or_default();
    replace_unseen(&mut status);
    status
}

fn ours(mut status: Value) -> Value {
    if let Some(status) = status.as_object_mut() {
        let mut ours: Vec<Value> =
            conditions(status).iter().filter(|one| is_our_word(one)).cloned().collect();
        ours.sort_by(|one, other| one["type"].as_str().cmp(&other["type"].as_str()));
        status.insert("conditions".to_owned(), ours.into());
    }
    status
}

fn conditions(status: &Map<String, Value>) -> &[Value] {
    status.get("conditions").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Whether a condition has a type that the documents have.
fn is_our_word(condition: &Value) -> bool {
    let all = reason::connector::ALL.iter().chain(reason::policy::ALL);
    all.flat_map(|reason| reason.of.split(", ")).any(|type_| condition["type"] == type_)
}

/// Versions count up, although nobody said so for long (Kubernetes 1.35 does).
pub(super) fn number(version: Option<&String>) -> Option<u64> {
    version?.parse().ok()
}

/// What is to be seen of a look that failed: nothing is green while nobody can look.
pub(super) fn blind(
    before: &[Condition],
    generation: Option<i64>,
    now: Timestamp,
    error: &Error,
) -> Vec<Condition> {
    use super::condition::{Conditions, Status};
    let reason = match error {
        Error::Store(StoreError::Damaged(_)) => reason::connector::STORE_DAMAGED,
        Error::Store(_) => reason::connector::STORE_FAILED,
        _ => reason::connector::API_SERVER_FAILED,
    };
    let mut conditions = Conditions::new(before, generation, now);
    conditions.set("Ready", Status::False, reason.name, error.to_string());
    let retry = reason::connector::PROGRESSING_WITH_RETRY.name;
    conditions.set("Reconciling", Status::True, retry, error.to_string());
    for other in before.iter().filter(|one| !["Ready", "Reconciling", "Stalled"].contains(&&*one.type_)) {
        conditions.keep(&other.type_);
    }
    conditions.finish()
}

/// Whether a status says of `Ready` that nobody can look.
fn is_blind(conditions: &[Condition]) -> bool {
    let reasons = [
        reason::connector::API_SERVER_FAILED,
        reason::connector::STORE_FAILED,
        reason::connector::STORE_DAMAGED,
    ];
    super::condition::find(conditions, "Ready")
        .is_some_and(|ready| ready.status == "False" && reasons.iter().any(|it| it.name == ready.reason))
}

/// At the first look that succeeds: of what an earlier process said while it could not look, what holds still. Returns
/// what was shown, if that was something else.
pub(super) fn seen_again(conditions: &mut Vec<Condition>) -> Option<Vec<Condition>> {
    is_blind(conditions).then(|| {
        let shown = conditions.clone();
        conditions.retain(|one| !["Ready", "Reconciling"].contains(&&*one.type_));
        shown
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use serde_json::json;

    use super::*;

    fn status(conditions: &[(&str, &str)]) -> Value {
        let conditions: Vec<Value> =
            conditions.iter().map(|(type_, status)| json!({ "type": type_, "status": status })).collect();
        json!({ "observedGeneration": 3, "conditions": conditions })
    }

    fn written(shown: Value) -> Written<Value> {
        let status = status(&[("Ready", "False")]);
        Written { status, shown: Some(ours(shown)), version: Some(7) }
    }

    #[rstest]
    #[case::as_it_was_written("7", status(&[("Ready", "False")]), true)]
    #[case::somebody_labelled_it("8", status(&[("Ready", "False")]), true)]
    #[case::others_say_something("8", status(&[("Ready", "False"), ("Audited", "True")]), true)]
    #[case::the_cache_is_behind("6", status(&[("Ready", "Unknown")]), true)]
    #[case::forged("8", status(&[("Ready", "True")]), false)]
    #[case::forged_beside_it("8", status(&[("Ready", "False"), ("Stalled", "True")]), false)]
    #[case::wiped("8", Value::Null, false)]
    fn what_others_made_of_a_status_does_not_stand(
        #[case] version: &str,
        #[case] shown: Value,
        #[case] expected: bool,
    ) {
        let before = written(status(&[("Ready", "False")]));
        let version = version.to_owned();
        let object = (Some(&version), Some(&shown).filter(|shown| !shown.is_null()));
        assert_eq!(stands(Some(&before), object, &status(&[("Ready", "False")])), expected);
        assert!(
            !stands(Some(&before), object, &status(&[("Ready", "Unknown")])),
            "it is to say something else"
        );
    }

    #[test]
    fn what_an_apiserver_makes_of_a_status_stands() {
        let mut made = status(&[("Ready", "False")]);
        made["observedGeneration"] = json!(4);
        let before = written(made.clone());
        let version = "8".to_owned();
        assert!(stands(Some(&before), (Some(&version), Some(&made)), &before.status));
    }

    #[test]
    fn only_the_progress_of_what_shows_nothing_can_wait() {
        use crate::controller::condition::{Conditions, Status};
        let at = |second| Timestamp::from_second(second).unwrap();
        let says = |type_, reason| {
            let mut conditions = Conditions::new(&[], Some(1), at(0));
            conditions.set("Ready", Status::Unknown, reason, "");
            conditions.set(type_, Status::True, reason, "");
            conditions.finish()
        };
        let progress = says("Reconciling", "Progressing");
        let mut since = None;
        assert_eq!(can_wait(&mut since, false, &progress, at(100)), Some(at(110)));
        assert_eq!(can_wait(&mut since, false, &progress, at(109)), Some(at(110)), "it does not begin anew");
        assert_eq!(can_wait(&mut since, false, &progress, at(110)), None, "somebody waits");
        for (shows, conditions) in [
            (true, progress),
            (false, says("Reconciling", "DependencyNotReady")),
            (false, says("Reconciling", "ProgressingWithRetry")),
            (false, says("Stalled", "Held")),
            (false, Vec::new()),
        ] {
            assert_eq!(can_wait(&mut None, shows, &conditions, at(100)), None, "{conditions:?}");
        }
    }

    #[test]
    fn only_our_own_words_are_taken_away() {
        let wanted = status(&[("Ready", "False")]);
        assert_eq!(without(&wanted, &wanted), None);
        let mut shown = status(&[("Ready", "False"), ("Audited", "True"), ("Stalled", "True")]);
        let left = status(&[("Ready", "False"), ("Audited", "True")])["conditions"].clone();
        assert_eq!(without(&shown, &wanted), Some(json!({ "conditions": left })));
        shown["held"] = json!({ "digest": "sha256:0" });
        assert_eq!(without(&shown, &wanted), Some(json!({ "conditions": left, "held": null })));
        assert_eq!(without(&status(&[("Ready", "False"), ("Audited", "True")]), &wanted), None);
    }
}
