use rstest::rstest;

use super::*;
use crate::controller::condition::find;
use crate::controller::error::Error;
use crate::controller::policy::decide;
use crate::controller::policy::sources::Sources;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn read() -> Sources {
    let read = decide::Sources { sequence: 7, completed_at: at(40), healthy: true, awaited: false };
    Sources { read: Some(read), ..Sources::default() }
}

fn failing() -> Sources {
    Sources { failing: Some("DirectoryConnector corp: no server answered".to_owned()), ..read() }
}

fn ran(reason: Reason, quarantined: u64) -> SyncPolicyStatus {
    let last = LastRun {
        reason: reason.name.to_owned(),
        message: "as it is".to_owned(),
        result: "Applied".to_owned(),
        quarantined,
        ..could_not(reason, "", at(50))
    };
    SyncPolicyStatus { last_run: Some(last), ..SyncPolicyStatus::default() }
}

fn held() -> SyncPolicyStatus {
    let held = Held {
        digest: "sha256:1".to_owned(),
        user_removals: 9,
        group_removals: 0,
        member_removals: 0,
        others: 0,
        reason: "nine are too many".to_owned(),
        since: Time(at(50)),
    };
    SyncPolicyStatus { held: Some(held), ..ran(policy::HELD, 0) }
}

struct Case {
    before: SyncPolicyStatus,
    sources: Sources,
    problems: Option<Vec<Problem>>,
    suspended: bool,
    reset: bool,
    unguarded: Option<String>,
    unrun: bool,
    progress: Option<(u64, u64)>,
}

impl Case {
    fn new(before: SyncPolicyStatus) -> Self {
        Self {
            before,
            sources: read(),
            problems: None,
            suspended: false,
            reset: false,
            unguarded: None,
            unrun: false,
            progress: None,
        }
    }

    fn status(&self) -> SyncPolicyStatus {
        status(&StatusInput {
            before: &self.before,
            generation: Some(3),
            now: at(100),
            suspended: self.suspended,
            problems: self.problems.as_deref(),
            sources: &self.sources,
            reset: self.reset,
            unguarded: self.unguarded.clone(),
            unrun: self.unrun,
            progress: self.progress,
            handled: None,
            next_at: None,
        })
    }
}

fn invalid() -> Case {
    Case { problems: Some(vec![Problem::new("o", "spec.users", "no")]), ..Case::new(ran(policy::IN_STEP, 0)) }
}

fn missing() -> Case {
    let sources = Sources { missing: vec!["corp".to_owned()], ..Sources::default() };
    let problem = Problem::elsewhere("o", "spec.connectors[0].name", "no");
    Case { sources, problems: Some(vec![problem]), ..Case::new(ran(policy::IN_STEP, 0)) }
}

fn lacking() -> Case {
    let problem = Problem::elsewhere("o", "spec.target.registry.tokenSecretRef", "no");
    Case { problems: Some(vec![problem]), ..Case::new(ran(policy::IN_STEP, 0)) }
}

/// The table of DESIGN section 4, a row each: the state, `Ready`, its reason, and what stands beside it.
#[rstest]
#[case::new_generation(Case { unrun: true, ..Case::new(ran(policy::IN_STEP, 0)) }, "Unknown", "Progressing", &["Reconciling", "SourcesHealthy"])]
#[case::never_read(Case { unrun: true, sources: Sources::default(), ..Case::new(SyncPolicyStatus::default()) }, "Unknown", "Progressing", &["Reconciling"])]
#[case::in_step(Case::new(ran(policy::IN_STEP, 0)), "True", "InStep", &["SourcesHealthy"])]
#[case::a_scheduled_run(Case { progress: Some((3, 9)), ..Case::new(ran(policy::IN_STEP, 0)) }, "True", "InStep", &["SourcesHealthy"])]
#[case::quarantined(Case::new(ran(policy::IN_STEP_WITH_EXCEPTIONS, 2)), "True", "InStepWithExceptions", &["SourcesHealthy", "EntriesQuarantined"])]
#[case::too_many(Case::new(ran(policy::TOO_MANY_QUARANTINED, 200)), "False", "TooManyQuarantined", &["Stalled", "SourcesHealthy", "EntriesQuarantined"])]
#[case::source_failing(Case { sources: failing(), ..Case::new(ran(policy::IN_STEP, 0)) }, "False", "SourceFailed", &["Reconciling", "SourcesHealthy"])]
#[case::source_failing_before_the_first_run(Case { sources: failing(), unrun: true, ..Case::new(SyncPolicyStatus::default()) }, "False", "SourceFailed", &["Reconciling", "SourcesHealthy"])]
#[case::target_failing(Case::new(ran(policy::FAILED, 0)), "False", "Failed", &["Reconciling", "SourcesHealthy"])]
#[case::damaged(Case::new(ran(policy::STORE_DAMAGED, 0)), "False", "StoreDamaged", &["Reconciling", "SourcesHealthy"])]
#[case::held(Case::new(held()), "False", "Held", &["Stalled", "SourcesHealthy", "PlanHeld"])]
#[case::held_while_the_source_fails(Case { sources: failing(), ..Case::new(held()) }, "False", "SourceFailed", &["Reconciling", "SourcesHealthy", "PlanHeld"])]
#[case::invalid(invalid(), "False", "InvalidSpec", &["Stalled", "SourcesHealthy"])]
#[case::missing_connector(missing(), "False", "ConnectorNotFound", &["Reconciling"])]
#[case::missing_token(lacking(), "False", "DependencyNotReady", &["Reconciling", "SourcesHealthy"])]
#[case::missing_connector_of_a_wrong_spec(
    Case { sources: missing().sources, ..invalid() }, "False", "InvalidSpec", &["Stalled"]
)]
#[case::previewed(Case::new(ran(policy::PREVIEWED, 0)), "True", "Previewed", &["SourcesHealthy"])]
#[case::suspended_at_once(Case { suspended: true, ..Case::new(SyncPolicyStatus::default()) }, "Unknown", "Suspended", &[])]
#[case::store_reset(Case { reset: true, ..Case::new(ran(policy::IN_STEP, 0)) }, "False", "StoreReset", &["Reconciling", "SourcesHealthy", "StoreReset"])]
fn says_what_the_table_says(
    #[case] case: Case,
    #[case] ready: &str,
    #[case] reason: &str,
    #[case] beside: &[&str],
) {
    let status = case.status();
    let found = find(&status.conditions, "Ready").unwrap();
    assert_eq!((found.status.as_str(), found.reason.as_str()), (ready, reason));
    let types: Vec<&str> =
        status.conditions.iter().skip(1).map(|condition| condition.type_.as_str()).collect();
    assert_eq!(types, beside);
    assert_eq!(status.observed_generation, Some(3));
    assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(3)));
    assert!(status.conditions.iter().all(|condition| !condition.message.is_empty()));
}

#[test]
fn a_suspended_policy_keeps_what_it_said() {
    let mut case = Case::new(ran(policy::IN_STEP, 0));
    case.before = case.status();
    case.suspended = true;
    case.sources = failing();
    assert_eq!(case.status().conditions, case.before.conditions);
}

#[test]
fn saying_it_twice_is_the_same() {
    let mut case = Case::new(held());
    let first = case.status();
    case.before = first.clone();
    assert_eq!(case.status(), first);
}

/// Every condition and reason that the documents have is seen here; the e2e tests see most of them again.
#[test]
fn every_reason_is_said_where_the_documents_say() {
    let verdicts = [
        RunResult::Failed,
        RunResult::SourceFailed,
        RunResult::TooManyQuarantined,
        RunResult::Held,
        RunResult::InStepWithExceptions,
        RunResult::InStep,
        RunResult::Previewed,
    ];
    let mut cases: Vec<Case> = verdicts.map(|verdict| Case::new(ran(reason(verdict), 0))).into();
    cases.extend([
        Case { unrun: true, ..Case::new(SyncPolicyStatus::default()) },
        Case { suspended: true, ..Case::new(SyncPolicyStatus::default()) },
        Case { reset: true, ..Case::new(ran(policy::IN_STEP, 0)) },
        Case { unguarded: Some("no".to_owned()), ..Case::new(held()) },
        Case { sources: failing(), ..Case::new(held()) },
        Case::new(ran(policy::IN_STEP, 1)),
        Case::new(ran(failure(&StoreError::Damaged(String::new())), 0)),
        Case::new(held()),
        invalid(),
        missing(),
        lacking(),
    ]);
    cases.extend(target::samples().into_iter().map(|seen| {
        let SyncPolicyStatus { target, verification, .. } = seen;
        Case::new(SyncPolicyStatus { target, verification, ..ran(policy::IN_STEP, 0) })
    }));
    let mut conditions: Vec<_> = cases.iter().flat_map(|case| case.status().conditions).collect();
    for error in [Error::Slow, Error::Store(crate::store::StoreError::Full)] {
        conditions.extend(crate::controller::status::blind(&[], None, at(1), &error));
    }
    let mut events = crate::controller::policy::run::approvals();
    events.push(policy::DRIFT_REPAIRED.name);
    for Reason { name, of, .. } in policy::ALL {
        for place in of.split(", ") {
            let said = match place {
                "Event" => events.contains(name),
                _ => conditions.iter().any(|one| one.type_ == place && one.reason == *name),
            };
            assert!(said, "{name} of {place} was never said");
        }
    }
    for one in &conditions {
        let known = policy::ALL.iter().find(|reason| reason.name == one.reason);
        let known = known.unwrap_or_else(|| panic!("{} is not in the documents", one.reason));
        assert!(known.of.split(", ").any(|place| place == one.type_), "{} of {}", one.reason, one.type_);
    }
}
