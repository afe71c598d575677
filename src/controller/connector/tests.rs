//! What is remembered of a connector, and what comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt as _;
use rstest::rstest;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::cancel::cancelled;
use super::job::Begin;
use super::outcome::Failure;
use super::resolved::{Key, Resolved};
use super::state::ConnectorState;
use super::*;
use crate::api::{DirectoryConnector, SYNC_REQUESTED_AT};
use crate::controller::state::give_up;
use crate::directory::{ConnectorName, DirectoryId, Mode};
use crate::source::{Reason, SourceError};
use crate::spec::{self, Objects};
use crate::store::snapshot::SnapshotInfo;
use crate::telemetry::Metrics;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A connector with this uid, of whose directory's attributes policies name this one.
fn corp(uid: &str, literal: &str, status: &Value) -> (DirectoryConnector, Resolved) {
    let object: DirectoryConnector = serde_json::from_value(json!({
        "apiVersion": "rollcall.dev/v1alpha1",
        "kind": "DirectoryConnector",
        "metadata": { "name": "corp", "namespace": "id", "uid": uid, "generation": 1 },
        "spec": { "ldif": { "configMapKeyRef": { "name": "export", "key": "ldif" } } },
        "status": status,
    }))
    .unwrap();
    let name = Name::of(&object);
    let export = BTreeMap::from([("ldif".to_owned(), b"dn: dc=corp\nobjectClass: domain\n\n".to_vec())]);
    let mut objects = Objects::default();
    objects.config_maps.insert(name.beside("export"), export);
    objects.connectors.insert(name.clone(), (object.spec.clone(), None));
    let connector = spec::connector(&name, &objects, BTreeSet::new()).unwrap();
    (object, Resolved::of(Key::of(uid, literal), "one", connector))
}

impl Begin {
    fn came_with(self) -> (Key, spec::Content) {
        (self.key, self.account)
    }
}

impl ConnectorState {
    /// One look, a minute after the last read that there was.
    fn look(
        &mut self,
        (object, resolved): &(DirectoryConnector, Resolved),
    ) -> Reconciled<DirectoryConnector> {
        let looked = self.reconcile(object, resolved, Some(at(0)), at(60), &CancellationToken::new());
        self.update_health(resolved, object.spec.suspend);
        looked
    }
}

#[test]
fn one_made_anew_waits_for_the_read_of_the_one_before() {
    let (one, two) = (corp("one", "title", &Value::Null), corp("two", "title", &Value::Null));
    let mut state = ConnectorState::default();
    let begun = state.look(&one).begin.unwrap();
    let mut state = give_up::<DirectoryConnector>(state).unwrap();
    assert!(begun.job.cancel.is_cancelled());
    assert!(state.look(&two).begin.is_none(), "there must be only one read of a name");
    let failed = SourceError::new(Reason::Unreachable, "nobody answers");
    let metrics = Metrics::new();
    state.ended(&Name::of(&one.0), Err(failed.into()), begun.came_with(), at(61), &metrics);
    assert!(state.outcome.is_none(), "it says nothing of the one that is there now");
    assert!(!metrics.text().unwrap().contains("id/corp"), "what is forgotten must not come back");
    let begun = state.look(&two).begin.unwrap();
    assert!(!begun.job.cancel.is_cancelled());
    assert!(state.look(&two).begin.is_none());
}

#[test]
fn a_read_that_was_given_up_and_is_wanted_after_all_begins_anew() {
    let (one, other) = (corp("one", "title", &Value::Null), corp("one", "city", &Value::Null));
    let mut state = ConnectorState::default();
    let begun = state.look(&one).begin.unwrap();
    state.look(&other);
    assert!(begun.job.cancel.is_cancelled(), "policies name another attribute");
    state.look(&one);
    state.ended(&Name::of(&one.0), Err(cancelled().into()), begun.came_with(), at(61), &Metrics::new());
    assert!(state.look(&one).begin.is_some());
}

#[rstest]
#[case::the_directory_is_away(Reason::Unreachable, true)]
#[case::given_up(Reason::Cancelled, true)]
#[case::the_service_asks_for_a_pause(Reason::Throttled, true)]
#[case::they_may_be_the_reason(Reason::Interrupted, false)]
fn look_ups_that_a_read_did_not_come_to_are_asked_for_again(#[case] why: Reason, #[case] again: bool) {
    let one = corp("one", "title", &Value::Null);
    let mut state = ConnectorState::default();
    state.ask(Asked::LookedUp);
    let begun = state.look(&one).begin.unwrap();
    assert!(begun.look_up_all);
    let failed = SourceError::new(why, "it ended");
    state.ended(&Name::of(&one.0), Err(failed.into()), begun.came_with(), at(61), &Metrics::new());
    assert_eq!(state.asked == Some(Asked::LookedUp), again);
}

#[rstest]
#[case::not_said(None, 3000)]
#[case::later(Some(3600), 3660)]
#[case::sooner(Some(1), 3000)]
#[case::without_end(Some(u64::MAX), 60 + 86_400)]
fn a_directory_is_left_alone_for_as_long_as_it_asks(#[case] asked: Option<u64>, #[case] until: i64) {
    let one = corp("one", "title", &Value::Null);
    let mut state = ConnectorState::default();
    let begun = state.look(&one).begin.unwrap();
    let failed =
        SourceError::new(Reason::Throttled, "it is asked too much").after(asked.map(Duration::from_secs));
    state.ended(&Name::of(&one.0), Err(failed.into()), begun.came_with(), at(60), &Metrics::new());
    let looked = state.look(&one);
    let wake_at = looked.wake_at.unwrap();
    assert!(
        if asked.is_some_and(|asked| asked > 1000) { wake_at == at(until) } else { wake_at < at(until) },
        "{wake_at}"
    );
    // So it is after a restart.
    let status = looked.write.unwrap().status;
    let recalled = Failure::recall(&status, at(61)).unwrap().not_before.unwrap();
    assert_eq!(recalled, wake_at.min(at(3661)), "a restart is no reason to ask sooner, for an hour");
}

#[test]
fn look_ups_that_are_throttled_again_and_again_keep_nothing_from_being_read() {
    let one = corp("one", "title", &Value::Null);
    let mut state = ConnectorState::default();
    state.ask(Asked::LookedUp);
    let mut asked = Vec::new();
    for _ in 0..5 {
        let begun = state.look(&one).begin.unwrap();
        asked.push(begun.look_up_all);
        let failed = SourceError::new(Reason::Throttled, "too many requests");
        state.ended(&Name::of(&one.0), Err(failed.into()), begun.came_with(), at(61), &Metrics::new());
        // Its time comes.
        state.tried = None;
    }
    assert_eq!(asked, [true, true, true, true, false]);
}

#[test]
fn a_password_that_was_refused_is_tried_again_only_when_its_time_comes() {
    let metrics = Metrics::new();
    let refused = |state: &mut ConnectorState, begun: Begin, at: Timestamp| {
        let wrong = SourceError::new(Reason::AuthenticationFailed, "wrong password");
        state.ended(&Name::new("id", "corp"), Err(wrong.into()), begun.came_with(), at, &metrics);
    };
    let one = corp("one", "title", &Value::Null);
    let mut state = ConnectorState::default();
    let begun = state.look(&one).begin.unwrap();
    refused(&mut state, begun, at(59));
    // The spec is edited, policies name another attribute, a touched Secret is read anew.
    let edited = corp("one", "city", &Value::Null);
    let looked = state.look(&edited);
    assert!(looked.begin.is_none());
    let status = looked.write.unwrap().status;
    assert_eq!(status.conditions[0].reason, "AuthenticationFailed", "what is wrong goes on to be said");
    assert!(status.next_import_at.is_some());
    // It is edited while its time has come: the read is given up, and it is not tried twice.
    let late = |state: &mut ConnectorState, (object, resolved): &(DirectoryConnector, Resolved), second| {
        state.reconcile(object, resolved, Some(at(0)), at(second), &CancellationToken::new())
    };
    let begun = late(&mut state, &edited, 1000).begin.unwrap();
    late(&mut state, &one, 1000);
    assert!(begun.job.cancel.is_cancelled());
    state.ended(&Name::of(&one.0), Err(cancelled().into()), begun.came_with(), at(1001), &metrics);
    assert!(late(&mut state, &one, 1001).begin.is_none());
    // A server that is away says nothing of the password.
    let begun = late(&mut state, &one, 2000).begin.unwrap();
    let away = SourceError::new(Reason::Unreachable, "nobody answers");
    state.ended(&Name::of(&one.0), Err(away.into()), begun.came_with(), at(2000), &metrics);
    assert!(late(&mut state, &edited, 2001).begin.is_none());
    // Another password is tried at once.
    let Resolved { key, connector, .. } = edited.1;
    let connector = Arc::unwrap_or_clone(connector.unwrap());
    let other = (edited.0, Resolved::of(key, "another", connector));
    assert!(late(&mut state, &other, 2001).begin.is_some());
}

#[test]
fn no_wrong_password_is_tried_again_at_once_whoever_takes_turns_and_whatever_is_made_anew() {
    let metrics = Metrics::new();
    let one = corp("one", "title", &Value::Null);
    let with = |account: &str, key: &str| {
        let (object, resolved) = corp("one", key, &Value::Null);
        let Resolved { key, connector, .. } = resolved;
        (object, Resolved::of(key, account, Arc::unwrap_or_clone(connector.unwrap())))
    };
    // Two tools that write the Secret of the other one back: both are wrong.
    let mut state = ConnectorState::default();
    let mut tries = 0;
    for second in 60..70 {
        let (account, key) = if second % 2 == 0 { ("a", "title") } else { ("b", "city") };
        let (object, resolved) = with(account, key);
        let looked = state.reconcile(&object, &resolved, None, at(second), &CancellationToken::new());
        let Some(begun) = looked.begin else { continue };
        tries += 1;
        let wrong = SourceError::new(Reason::AuthenticationFailed, "wrong password");
        state.ended(&Name::of(&one.0), Err(wrong.into()), begun.came_with(), at(second), &metrics);
    }
    assert_eq!(tries, 2, "each password is tried once");
    // Somebody deletes the object and creates it again.
    let mut state = give_up::<DirectoryConnector>(state).unwrap();
    let (object, resolved) = with("a", "title");
    assert!(!state.is_over(at(70)) && state.is_over(at(70 + 3600)));
    let looked = state.reconcile(&object, &resolved, None, at(70), &CancellationToken::new());
    assert!(looked.begin.is_none());
    assert_eq!(looked.conditions[0].reason, "AuthenticationFailed");
    // A third one waits for that time too, and is tried then.
    let (object, resolved) = with("c", "title");
    let looked = state.reconcile(&object, &resolved, None, at(71), &CancellationToken::new());
    assert!(looked.begin.is_none());
    let due = looked.wake_at.unwrap();
    let begun = state.reconcile(&object, &resolved, None, due, &CancellationToken::new()).begin.unwrap();
    // Once it is right, nothing is left to remember.
    let away = SourceError::new(Reason::NotFound, "no such base");
    state.ended(&Name::of(&one.0), Err(away.into()), begun.came_with(), due, &metrics);
    assert!(give_up::<DirectoryConnector>(state).is_none());
}

/// A tool may write another wrong password each time.
#[test]
fn new_passwords_are_tried_as_seldom_as_one_password_after_two_were_refused() {
    let (metrics, never) = (Metrics::new(), CancellationToken::new());
    let mut state = ConnectorState::default();
    let (mut tries, mut due) = (Vec::new(), at(0));
    for second in 0..1000 {
        let (object, resolved) = corp("one", if second % 2 == 0 { "title" } else { "city" }, &Value::Null);
        let Resolved { key, connector, .. } = resolved;
        let connector = Arc::unwrap_or_clone(connector.unwrap());
        let resolved = Resolved::of(key, &format!("wrong {second}"), connector);
        let looked = state.reconcile(&object, &resolved, None, at(second), &never);
        if let Some(begun) = looked.begin {
            assert!(tries.len() < 2 || due <= at(second), "{tries:?}");
            tries.push(second);
            let wrong = SourceError::new(Reason::AuthenticationFailed, "wrong password");
            state.ended(&Name::of(&object), Err(wrong.into()), begun.came_with(), at(second), &metrics);
            let looked = state.reconcile(&object, &resolved, None, at(second), &never);
            due = looked.wake_at.unwrap();
        }
    }
    assert_eq!(tries[..2], [0, 1], "one that corrects another is tried at once");
    assert!(tries.len() < 8, "{tries:?}");
    // A person who asks for it does not wait.
    let (mut object, resolved) = corp("one", "title", &Value::Null);
    assert!(state.reconcile(&object, &resolved, None, at(1000), &never).begin.is_none());
    object.annotations_mut().insert(SYNC_REQUESTED_AT.to_owned(), "now".to_owned());
    assert!(state.reconcile(&object, &resolved, None, at(1000), &never).begin.is_some());
}

#[rstest]
#[case::as_it_was_said("1970-01-01T00:05:00Z", 300)]
#[case::but_not_for_ever("2070-01-01T00:00:00Z", 3660)]
fn a_restart_is_no_reason_to_try_a_password_again(#[case] next: &str, #[case] expected: i64) {
    let ready = json!({
        "type": "Ready", "status": "False", "reason": "AuthenticationFailed", "message": "wrong",
        "lastTransitionTime": "1969-12-31T00:00:00Z"
    });
    // Also if somebody edited the spec while nobody looked.
    let status = json!({ "observedGeneration": 0, "conditions": [ready], "nextImportAt": next });
    let (object, resolved) = corp("one", "title", &status);
    let mut state = ConnectorState::default();
    state.recall(&object, &resolved, None, at(60), &Metrics::new());
    let looked = state.look(&(object, resolved));
    assert!(looked.begin.is_none());
    assert_eq!(looked.wake_at, Some(at(expected)));
}

/// What a process says while it cannot look, beside this condition.
fn blind(beside: Option<(&str, &str)>) -> Value {
    let condition = |(type_, status, reason): (&str, &str, &str)| {
        json!({
            "type": type_, "status": status, "reason": reason, "message": "as it was",
            "lastTransitionTime": "1969-12-31T00:00:00Z"
        })
    };
    let stage = beside.map(|(type_, reason)| (type_, "False", reason));
    let ours = [("Ready", "False", "ApiServerFailed"), ("Reconciling", "True", "ProgressingWithRetry")];
    let conditions: Vec<Value> = ours.into_iter().chain(stage).map(condition).collect();
    json!({ "observedGeneration": 1, "conditions": conditions, "nextImportAt": "1970-01-01T00:05:00Z" })
}

#[rstest]
#[case::nothing_is_known_of_its_reads(None, "Progressing", true)]
#[case::its_account_was_refused(Some(("Authenticated", "AuthenticationFailed")), "AuthenticationFailed", false)]
#[case::it_could_not_be_reached(Some(("Reachable", "Unreachable")), "Unreachable", true)]
fn whoever_sees_again_says_what_was_known_of_the_directory(
    #[case] beside: Option<(&str, &str)>,
    #[case] reason: &str,
    #[case] reads: bool,
) {
    let (object, resolved) = corp("one", "title", &blind(beside));
    let mut state = ConnectorState::default();
    state.recall(&object, &resolved, None, at(60), &Metrics::new());
    let looked = state.look(&(object, resolved));
    assert_eq!(looked.begin.is_some(), reads);
    let status = looked.write.unwrap().status;
    assert_eq!(status.conditions[0].reason, if reads { "Progressing" } else { reason });
}

#[test]
fn what_rests_does_not_say_for_ever_that_nobody_could_look() {
    let (mut object, resolved) = corp("one", "title", &blind(None));
    object.spec.suspend = true;
    let suspended = Arc::unwrap_or_clone(resolved.connector.unwrap());
    let connector = spec::Connector { suspend: true, ..suspended };
    let resolved = Resolved::of(resolved.key, "one", connector);
    let mut state = ConnectorState::default();
    state.recall(&object, &resolved, None, at(60), &Metrics::new());
    let status = state.look(&(object, resolved)).write.unwrap().status;
    let [ready] = &status.conditions[..] else { panic!("{:?}", status.conditions) };
    assert_eq!((&*ready.status, &*ready.reason), ("Unknown", "Suspended"));
}

#[test]
fn nobody_waits_for_a_read_of_what_rests() {
    let (mut object, resolved) = corp("one", "title", &Value::Null);
    let mut state = ConnectorState::default();
    state.look(&(object.clone(), resolved.clone()));
    assert!(!state.health().settled, "its first read is under way");
    object.spec.suspend = true;
    state.look(&(object, resolved));
    assert!(state.health().settled);
}

/// A snapshot that has come so far.
fn snapshot(sequence: u64) -> SnapshotInfo {
    SnapshotInfo {
        connector: ConnectorName::new("id", "corp"),
        directory: DirectoryId::new("dc=corp"),
        id: None,
        server: None,
        progress: None,
        sequence,
        completion: 1,
        completed_at: at(0),
        mode: Mode::Full,
        fields: BTreeSet::new(),
        attributes: BTreeSet::from(["title".to_owned()]),
        scope: String::new(),
        notices: Vec::new(),
        vendor: None,
        feed: None,
        full_at: None,
        shrunk: None,
        held: false,
        unprovable: false,
        tripped: BTreeMap::new(),
        unreadable: Vec::new(),
        unreadable_count: 0,
        remembered: crate::store::snapshot::Remembered::default(),
        copies: crate::store::snapshot::Remembered::default(),
        shared_names: Vec::new(),
        waiting: None,
        new_names: 100,
        next_row: 0,
        next_name: 100,
        users: 0,
        contacts: 0,
        groups: 0,
    }
}

#[rstest]
#[case::read("True", "Read", 7, false)]
#[case::failed_long_ago("False", "Unreachable", 7, true)]
#[case::cut_off("Unknown", "Progressing", 7, true)]
#[case::could_not_work("False", "InvalidSpec", 7, true)]
#[case::read_into_a_store_that_was_lost("True", "Read", 6, true)]
fn after_a_restart_only_a_read_that_ended_has_been(
    #[case] ready: &str,
    #[case] reason: &str,
    #[case] sequence: u64,
    #[case] reads: bool,
) {
    let since = "1969-12-31T00:00:00Z";
    let ready = json!({
        "type": "Ready", "status": ready, "reason": reason, "message": "", "lastTransitionTime": since
    });
    let import = json!({
        "mode": "Full", "startedAt": since, "finishedAt": since, "changed": 0, "removed": 0, "sequence": 7
    });
    let status = json!({ "observedGeneration": 1, "conditions": [ready], "lastImport": import });
    let (object, resolved) = corp("one", "title", &status);
    let mut state = ConnectorState::default();
    state.recall(&object, &resolved, Some(&snapshot(sequence)), at(60), &Metrics::new());
    assert_eq!(state.look(&(object, resolved)).begin.is_some(), reads);
}

#[rstest]
#[case::as_the_status_says("1970-01-01T00:05:00Z", Some(snapshot(7)), "300")]
#[case::in_a_store_that_was_lost("1970-01-01T00:05:00Z", None, "300")]
#[case::as_the_store_says("1969-12-31T23:00:00Z", Some(snapshot(8)), "0")]
fn when_it_was_last_read_is_measured_from_the_status_on(
    #[case] finished_at: &str,
    #[case] info: Option<SnapshotInfo>,
    #[case] expected: &str,
) {
    let import = json!({
        "mode": "Full", "startedAt": finished_at, "finishedAt": finished_at, "changed": 0, "removed": 0, "sequence": 7
    });
    let (object, resolved) = corp("one", "title", &json!({ "lastImport": import }));
    let metrics = Metrics::new();
    ConnectorState::default().recall(&object, &resolved, info.as_ref(), at(60), &metrics);
    let line =
        format!("rollcall_connector_last_completion_timestamp_seconds{{connector=\"id/corp\"}} {expected}");
    let text = metrics.text().unwrap();
    assert!(text.lines().any(|one| one == line), "no {line} in\n{text}");
}

#[test]
fn a_request_is_answered_when_its_read_has_ended() {
    let (mut object, resolved) = corp("one", "title", &json!({ "observedGeneration": 1 }));
    object.annotations_mut().insert(SYNC_REQUESTED_AT.to_owned(), "now".to_owned());
    let asked = (object, resolved);
    let handled =
        |looked: Reconciled<DirectoryConnector>| looked.write.unwrap().status.last_handled_sync_requested_at;
    let mut state = ConnectorState::default();
    let mut looked = state.look(&asked);
    let begun = looked.begin.take().unwrap();
    // A process that is started now begins again.
    assert_eq!(handled(looked), None);
    let failed = SourceError::new(Reason::Unreachable, "nobody answers");
    let metrics = Metrics::new();
    state.ended(&Name::of(&asked.0), Err(failed.into()), begun.came_with(), at(60), &metrics);
    assert!(metrics.text().unwrap().contains("id/corp"), "it is measured");
    let looked = state.look(&asked);
    assert!(looked.begin.is_none());
    assert_eq!(handled(looked).as_deref(), Some("now"));
}
