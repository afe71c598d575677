//! What is remembered of a policy, and what comes of it.

use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::job::Begin;
use super::resolved::Resolved;
use super::sources::Sources;
use super::state::PolicyState;
use super::stored::Stored;
use super::*;
use crate::api::policy::{Held, StoreRef};
use crate::api::{DirectoryConnector, SYNC_REQUESTED_AT, SyncPolicy};
use crate::controller::condition::find;
use crate::controller::error::Error;
use crate::controller::state::give_up;
use crate::spec::reference::{self, Reference};
use crate::spec::{self, Objects};
use crate::store::object::Seen;
use crate::store::policy::Baseline;
use crate::sync::run::{RunReport, TargetFound};
use crate::target::{TargetError, TargetReason};
use crate::telemetry::Metrics;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A policy in this mode, with this status.
fn staff(mode: &str, status: SyncPolicyStatus) -> (SyncPolicy, Resolved) {
    let object = |kind: &str, name: &str, spec: serde_json::Value| {
        json!({
            "apiVersion": "rollcall.dev/v1alpha1",
            "kind": kind,
            "metadata": { "name": name, "namespace": "id", "uid": name, "generation": 1 },
            "spec": spec,
        })
    };
    let corp = json!({ "ldif": { "configMapKeyRef": { "name": "export", "key": "ldif" } } });
    let corp: DirectoryConnector =
        serde_json::from_value(object("DirectoryConnector", "corp", corp)).unwrap();
    let staff = json!({ "connectors": [{ "name": "corp" }], "target": { "registry": {} }, "mode": mode });
    let mut staff: SyncPolicy = serde_json::from_value(object("SyncPolicy", "staff", staff)).unwrap();
    staff.status = Some(status);
    let (name, mut objects) = (Name::of(&staff), Objects::default());
    objects.connectors.insert(name.beside("corp"), (corp.spec, None));
    objects.policies.insert(name.clone(), staff.spec.clone());
    let runnable = spec::policy(&name, &objects).unwrap();
    (staff, Resolved::of(runnable))
}

fn store(sequence: u64) -> StoreRef {
    StoreRef { id: "one".to_owned(), sequence }
}

fn stored(sequence: u64, approved: bool) -> Stored {
    Stored { applied_spec: None, approved, withdrawn: false, seen: Seen::default(), store: store(sequence) }
}

/// What a policy says that ran once, and knew changes up to this one.
fn ran(sequence: u64) -> SyncPolicyStatus {
    SyncPolicyStatus {
        store: Some(store(sequence)),
        last_run: Some(status::could_not(reason::policy::FAILED, "as it is", at(50))),
        ..SyncPolicyStatus::default()
    }
}

/// A run that did nothing, and knew changes up to this one.
fn report(sequence: u64, previewed: bool) -> RunReport {
    RunReport {
        sequence,
        previewed,
        ..RunReport::nothing("a".to_owned(), at(100), Baseline::nothing(at(100)))
    }
}

impl PolicyState {
    /// One look at a policy, of whose directory was read so much.
    fn look(&mut self, (object, resolved): &(SyncPolicy, Resolved), sequence: u64) -> Reconciled<SyncPolicy> {
        let read = decide::Sources { sequence, completed_at: at(40), healthy: true, awaited: false };
        let sources = Sources { read: Some(read), ..Sources::default() };
        self.reconcile(object, resolved, &sources, None, at(100), &CancellationToken::new())
    }

    fn begins(&mut self, staff: &(SyncPolicy, Resolved), sequence: u64) -> Begin {
        self.look(staff, sequence).begin.unwrap()
    }
}

#[test]
fn a_preview_makes_no_older_store_good() {
    let (metrics, before) = (Metrics::new(), ran(900));
    let staff_in = |mode| staff(mode, before.clone());
    let staff = staff_in("Preview");
    let mut state = PolicyState::default();
    state.recall(&staff.0, &stored(7, false), staff.1.runnable.as_deref().ok(), at(100), &metrics);
    assert!(state.reset);
    let mut begun = state.begins(&staff, 7);
    // It is made again when a read brings something, and not before.
    for read in [7, 8] {
        state.done(Some(Ok((report(read, true), store(read)))), begun, false, at(110), &metrics);
        let looked = state.look(&staff, read);
        assert!(looked.begin.is_none(), "it was looked at already");
        assert!(state.reset, "nothing was rebuilt");
        assert!(find(&state.common.status.conditions, "StoreReset").is_some());
        assert_eq!(state.common.status.store, Some(store(900)), "the next process must see it too");
        begun = state.begins(&staff, read + 1);
    }
    state.done(Some(Ok((report(9, true), store(9)))), begun, false, at(110), &metrics);
    let staff = staff_in("Apply");
    let begun = state.begins(&staff, 9);
    state.done(Some(Ok((report(9, false), store(9)))), begun, false, at(120), &metrics);
    assert!(state.look(&staff, 9).begin.is_none());
    assert!(!state.reset);
    assert!(find(&state.common.status.conditions, "StoreReset").is_none());
    assert_eq!(state.common.status.store, Some(store(9)));
}

#[test]
fn what_is_older_than_it_may_be_is_never_ready() {
    let staff = staff("Apply", SyncPolicyStatus::default());
    let mut state = PolicyState::default();
    let begun = state.begins(&staff, 7);
    state.done(Some(Ok((report(7, false), store(7)))), begun, false, at(100), &Metrics::new());
    let ready =
        |state: &PolicyState| find(&state.common.status.conditions, "Ready").unwrap().status == "True";
    state.look(&staff, 7);
    assert!(ready(&state));
    let read = decide::Sources { sequence: 7, completed_at: at(40), healthy: true, awaited: true };
    let too_old = Some("DirectoryConnector corp: its last read is too old".to_owned());
    let sources = Sources { read: Some(read), stale: too_old, ..Sources::default() };
    let looked = state.reconcile(&staff.0, &staff.1, &sources, None, at(100), &CancellationToken::new());
    assert!(looked.begin.is_none(), "the read that was asked for comes first");
    assert!(!ready(&state));
    let healthy = find(&state.common.status.conditions, "SourcesHealthy").unwrap();
    assert_eq!((healthy.status.as_str(), healthy.reason.as_str()), ("False", "SourceFailed"));
}

#[test]
fn a_run_of_what_is_being_deleted_ends_at_its_next_operation() {
    let mut staff = staff("Apply", SyncPolicyStatus::default());
    let mut state = PolicyState::default();
    let begun = state.begins(&staff, 7);
    staff.0.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(100)));
    assert!(state.look(&staff, 7).begin.is_none());
    assert!(begun.job.cancel.is_cancelled());
    state.done(None, begun, true, at(110), &Metrics::new());
    assert!(state.look(&staff, 8).begin.is_none(), "nothing is begun any more, whatever is read");
}

/// What needs none of the objects that a policy names: their watch may be lost meanwhile.
#[test]
fn a_run_ends_when_the_policy_alone_says_so() {
    let borne = |digest: &str| Some([(crate::api::APPROVE.to_owned(), digest.to_owned())].into());
    let mut approved = staff("Apply", ran(7));
    approved.0.metadata.annotations = borne("sha256:1");
    let changed = |change: fn(&mut SyncPolicy)| {
        let mut object = approved.0.clone();
        change(&mut object);
        object
    };
    let suspended = changed(|object| object.spec.suspend = true);
    let deleted = changed(|object| {
        let at = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(100));
        object.metadata.deletion_timestamp = Some(at);
    });
    let withdrawn = changed(|object| object.metadata.annotations = None);
    let other = SyncPolicy {
        metadata: kube::core::ObjectMeta { annotations: borne("sha256:2"), ..approved.0.metadata.clone() },
        ..approved.0.clone()
    };
    let all = [Some(&suspended), Some(&deleted), Some(&withdrawn), Some(&other), None];
    for ends in all {
        let mut state = PolicyState::default();
        let begun = state.begins(&approved, 8);
        state.common.heed(Some(&approved.0));
        assert!(!begun.job.cancel.is_cancelled());
        state.common.heed(ends);
        assert!(begun.job.cancel.is_cancelled(), "{ends:?}");
    }
    // An approval that comes later is for another run.
    let plain = staff("Apply", ran(7));
    let mut state = PolicyState::default();
    let begun = state.begins(&plain, 8);
    state.common.heed(Some(&approved.0));
    assert!(!begun.job.cancel.is_cancelled());
}

#[test]
fn what_rests_does_not_say_for_ever_that_nobody_could_look() {
    let before = ran(7);
    let shown = crate::controller::status::blind(&before.conditions, Some(1), at(60), &Error::Slow);
    let status = SyncPolicyStatus { conditions: shown, observed_generation: Some(1), ..before };
    let (mut object, resolved) = staff("Apply", status);
    object.spec.suspend = true;
    let mut state = PolicyState::default();
    state.recall(&object, &stored(7, false), resolved.runnable.as_deref().ok(), at(100), &Metrics::new());
    let status = state.look(&(object, resolved), 7).write.unwrap().status;
    let [ready] = &status.conditions[..] else { panic!("{:?}", status.conditions) };
    assert_eq!((&*ready.status, &*ready.reason), ("Unknown", "Suspended"));
}

#[test]
fn whoever_tells_of_no_store_cannot_say_that_it_is_no_older_one() {
    let (metrics, nothing) = (Metrics::new(), SyncPolicyStatus::default());
    let used = || Stored { applied_spec: Some("{}".to_owned()), ..stored(7, false) };
    let recalled = |object: &SyncPolicy, stored: Stored| {
        let mut state = PolicyState::default();
        state.recall(object, &stored, None, at(100), &metrics);
        state
    };
    let mut apply = staff("Apply", nothing.clone());
    assert!(recalled(&apply.0, used()).reset, "a look that failed has said something");
    apply.0.status = None;
    assert!(!recalled(&apply.0, stored(7, false)).reset, "nothing was ever done");
    let mut state = recalled(&apply.0, used());
    assert!(state.reset);
    // Nor does a preview, or a run that failed, which the next process has to know as well.
    let mut preview = staff("Preview", nothing);
    preview.0.status = None;
    let begun = state.begins(&preview, 7);
    state.done(Some(Ok((report(7, true), store(7)))), begun, false, at(110), &metrics);
    assert!(state.reset);
    assert_eq!(state.common.status.store, None);
    let begun = state.begins(&apply, 7);
    state.done(Some(Ok((report(7, false), store(7)))), begun, false, at(120), &metrics);
    assert!(!state.reset);
    assert_eq!(state.common.status.store, Some(store(7)));
}

#[test]
fn a_preview_is_not_made_again_for_what_it_knew() {
    let staff = staff("Preview", ran(7));
    let (metrics, mut state) = (Metrics::new(), PolicyState::default());
    state.recall(&staff.0, &stored(8, false), staff.1.runnable.as_deref().ok(), at(100), &metrics);
    let begun = state.begins(&staff, 8);
    state.done(Some(Ok((report(8, true), store(8)))), begun, false, at(110), &metrics);
    assert!(state.look(&staff, 8).begin.is_none());
    assert!(state.look(&staff, 9).begin.is_some());
}

#[test]
fn what_waits_is_measured_from_the_status_on() {
    let mut before = ran(7);
    before.held = Some(Held {
        digest: "sha256:1".to_owned(),
        user_removals: 1,
        group_removals: 2,
        member_removals: 3,
        others: 4,
        reason: "too many".to_owned(),
        since: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(50)),
    });
    before.last_run.as_mut().unwrap().quarantined = 5;
    let (staff, metrics) = (staff("Apply", before), Metrics::new());
    PolicyState::default().recall(&staff.0, &stored(7, false), None, at(100), &metrics);
    let text = metrics.text().unwrap();
    for line in [
        r#"rollcall_policy_held_operations{policy="id/staff"} 10"#,
        r#"rollcall_policy_quarantined{policy="id/staff"} 5"#,
    ] {
        assert!(text.lines().any(|one| one == line), "no {line} in\n{text}");
    }
}

#[test]
fn a_run_of_a_policy_that_is_gone_is_not_measured() {
    let (staff, metrics) = (staff("Apply", ran(7)), Metrics::new());
    let measured = || metrics.text().unwrap().contains("id/staff");
    let mut state = PolicyState::default();
    let begun = state.begins(&staff, 7);
    let mut left = give_up::<SyncPolicy>(state).unwrap();
    left.done(Some(Ok((report(7, false), store(7)))), begun, true, at(110), &metrics);
    assert!(!measured());
    let begun = left.begins(&staff, 7);
    left.done(Some(Ok((report(7, false), store(7)))), begun, false, at(110), &metrics);
    assert!(measured());
}

#[test]
fn look_ups_for_an_approval_outlive_a_run_that_could_not_have_them() {
    let digest = "sha256:1".to_owned();
    let (given, seen) = (stored(7, false), stored(7, true));
    let mut state = PolicyState::default();
    assert_eq!(state.unseen(Some(&digest), &given, false).as_ref(), Some(&digest));
    assert_eq!(state.to_look_up(Some(&digest), &given).as_ref(), Some(&digest));
    // Its directory is away, so a run sees it, and nothing was looked up.
    state.approval = Some((digest.clone(), false));
    assert_eq!(state.unseen(Some(&digest), &seen, false), None);
    assert_eq!(state.to_look_up(Some(&digest), &seen).as_ref(), Some(&digest));
    // The directory is back, and was asked.
    state.looked_up_for = Some(digest.clone());
    assert_eq!(state.to_look_up(Some(&digest), &seen), None);
    assert_eq!(state.to_look_up(None, &given), None);
    // One that was seen before this process began had its look-ups then.
    assert_eq!(PolicyState::default().to_look_up(Some(&digest), &seen), None);
}

#[test]
fn an_approval_that_only_a_preview_saw_counts_once_runs_do_something() {
    let (digest, given) = ("sha256:1".to_owned(), stored(7, false));
    let (preview, apply) = (staff("Preview", ran(7)), staff("Apply", ran(7)));
    let mut state = PolicyState::default();
    let approval = state.unseen(Some(&digest), &given, true);
    let read = decide::Sources { sequence: 8, completed_at: at(40), healthy: true, awaited: false };
    let sources = Sources { read: Some(read), ..Sources::default() };
    let stopping = CancellationToken::new();
    let begun =
        state.reconcile(&preview.0, &preview.1, &sources, approval, at(100), &stopping).begin.unwrap();
    assert_eq!(begun.approve.as_ref(), Some(&digest));
    assert_eq!(state.unseen(Some(&digest), &given, true), None, "it is not told of twice");
    state.done(Some(Ok((report(8, true), store(8)))), begun, false, at(110), &Metrics::new());
    let approval = state.unseen(Some(&digest), &given, false);
    let begun = state.reconcile(&apply.0, &apply.1, &sources, approval, at(120), &stopping).begin.unwrap();
    assert_eq!(begun.approve, Some(digest));
}

/// The same policy at a service, with this token.
fn at_a_service(token: &str) -> (SyncPolicy, Resolved) {
    let (mut object, _) = staff("Apply", SyncPolicyStatus::default());
    let scim = json!({ "url": "https://app.example", "credentials": { "tokenSecretRef": { "name": "app", "key": "token" } } });
    object.spec =
        serde_json::from_value(json!({ "connectors": [{ "name": "corp" }], "target": { "scim": scim } }))
            .unwrap();
    let (name, mut objects) = (Name::of(&object), Objects::default());
    let corp = json!({ "ldif": { "configMapKeyRef": { "name": "export", "key": "ldif" } } });
    objects.connectors.insert(name.beside("corp"), (serde_json::from_value(corp).unwrap(), None));
    objects.policies.insert(name.clone(), object.spec.clone());
    let values = [("token".to_owned(), Secret::new(token))].into();
    objects.secrets.insert(name.beside("app"), values);
    let mut resolved = Resolved::of(spec::policy(&name, &objects).unwrap());
    resolved.key.content = objects.content(&name, &reference::keys_of_policy(&object.spec));
    (object, resolved)
}

#[test]
fn a_run_under_way_at_a_service_plans_anew_when_something_newer_was_read() {
    let service = at_a_service("a-token");
    let mut state = PolicyState::default();
    let begun = state.begins(&service, 7);
    for (sequence, asked) in [(7, false), (8, true)] {
        assert!(state.look(&service, sequence).begin.is_none(), "one is under way");
        assert_eq!(begun.replan.is_asked(), asked, "{sequence}");
    }
    // The registry takes its whole plan in the time of another one.
    let registry = staff("Apply", SyncPolicyStatus::default());
    let mut state = PolicyState::default();
    let begun = state.begins(&registry, 7);
    state.look(&registry, 8);
    assert!(!begun.replan.is_asked());
}

#[test]
fn what_was_corrected_is_tried_at_once() {
    let wrong = at_a_service("wrong");
    let mut state = PolicyState::default();
    let begun = state.begins(&wrong, 7);
    let failed = RunReport { failed: Some("refused".to_owned()), ..report(7, false) };
    state.done(Some(Ok((failed, store(7)))), begun, false, at(100), &Metrics::new());
    assert!(state.look(&wrong, 7).begin.is_none(), "it waits for its time");
    let mut touched = at_a_service("wrong");
    touched.1.versions = vec![(Reference::Secret("app".to_owned()), Some("2".to_owned()))];
    touched.1.generations = vec![(Name::new("id", "corp"), None, Some(2))];
    assert!(state.look(&touched, 7).begin.is_none(), "nothing is used of what was changed");
    let begun = state.begins(&at_a_service("right one"), 7);
    assert!(begun.verify.is_none(), "nothing was left there yet");
}

/// A tool may write another wrong token each time.
#[test]
fn after_two_refusals_a_new_token_waits_like_any_other() {
    let refused = || {
        let why = TargetError::new(TargetReason::AuthenticationFailed, "the token is wrong");
        let target = TargetFound { identity: "app".to_owned(), about: Vec::new(), failed: Some(why) };
        RunReport { failed: Some("refused".to_owned()), target: Some(target), ..report(7, false) }
    };
    let mut state = PolicyState::default();
    let begun = state.begins(&at_a_service("wrong"), 7);
    state.done(Some(Ok((refused(), store(7)))), begun, false, at(100), &Metrics::new());
    let begun = state.begins(&at_a_service("wrong too"), 7);
    state.done(Some(Ok((refused(), store(7)))), begun, false, at(100), &Metrics::new());
    for token in ["wrong again", "wrong", "and again"] {
        let looked = state.look(&at_a_service(token), 7);
        assert!(looked.begin.is_none() && looked.wake_at.is_some(), "{token}");
    }
    // A run that went well begins anew.
    let mut service = at_a_service("right one");
    service.0.annotations_mut().insert(SYNC_REQUESTED_AT.to_owned(), "now".to_owned());
    let begun = state.begins(&service, 7);
    state.done(Some(Ok((report(7, false), store(7)))), begun, false, at(100), &Metrics::new());
    let failed = RunReport { failed: Some("it was away".to_owned()), ..report(8, false) };
    let begun = state.begins(&service, 8);
    state.done(Some(Ok((failed, store(8)))), begun, false, at(100), &Metrics::new());
    state.begins(&at_a_service("a new one"), 8);
}
