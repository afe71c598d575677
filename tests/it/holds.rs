//! What is held stays held: until a run could judge it, whatever is edited meanwhile, and until somebody approves it who has
//! not taken that back. On a real apiserver, with a real directory.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::cluster::PATIENCE;
use crate::support::http;
use crate::support::office::{Office, PEOPLE, address, condition, in_step_with, is, leaves, policy};
use crate::support::process::eventually;

/// Everybody but one has left, which is held.
fn held() -> Office {
    let office = Office::open();
    office.in_step();
    office.slapd.modify(&PEOPLE[1..].iter().map(|name| leaves(name)).collect::<String>());
    office.after_a_read(is("PlanHeld", "True", "Held"));
    office
}

impl Office {
    /// Changes one of the two objects, and asks for a run; the policy once that is done.
    fn edit(&self, kind: &str, name: &str, spec: &Value) -> Value {
        let patch = json!({ "spec": spec }).to_string();
        self.namespace.kubectl(&["patch", kind, name, "--type=merge", "-p", &patch]).exits(0);
        let asked = uuid::Uuid::new_v4().to_string();
        self.namespace.annotate("syncpol", "staff", &format!("rollcall.dev/sync-requested-at={asked}"));
        self.namespace.until("syncpol", "staff", |object| {
            let rests = object["spec"]["suspend"] == true;
            let generation = &object["metadata"]["generation"];
            let seen = object["status"]["observedGeneration"] == *generation;
            seen && (rests || object["status"]["lastHandledSyncRequestedAt"] == *asked)
        })
    }

    #[track_caller]
    fn still_held(&self, policy: &Value, when: &str) {
        assert_eq!(condition(policy, "PlanHeld"), Some(("True", "Held")), "{when}: {}", policy["status"]);
        assert!(
            policy["status"]["held"]["userRemovals"].as_u64() >= Some(11),
            "{when}: {}",
            policy["status"]
        );
        assert_eq!(self.registry().active(), PEOPLE.map(address), "{when}");
        let shown = self.plan_show();
        assert!(shown.contains(policy["status"]["held"]["digest"].as_str().unwrap()), "{when}: {shown}");
        let metric = http::get(&self.operator.metrics, "/metrics").unwrap().1;
        let line = metric.lines().find(|line| line.starts_with("rollcall_policy_held_operations"));
        assert!(line.is_some_and(|line| !line.ends_with(" 0")), "{when}: {line:?}");
    }

    fn plan_show(&self) -> String {
        let data = self.operator.data().display().to_string();
        crate::support::cli::rollcall(&["plan", "show", "--data", &data]).out
    }
}

/// What somebody edits first, and how they take it back, before and after which they raise every limit.
#[rstest]
#[case::nothing(json!({}), json!({}))]
#[case::protected(json!({ "users": { "protected": PEOPLE.map(address) } }), json!({ "users": { "protected": null } }))]
#[case::deferred(json!({ "users": { "leavers": [{ "after": "720h", "do": "Disable" }] } }), json!({ "users": { "leavers": null } }))]
#[case::graver(json!({ "users": { "leavers": [{ "after": "0s", "do": "Delete" }] } }), json!({ "users": { "leavers": null } }))]
#[case::failing(json!({ "users": { "where": "int(user.title) > 0" } }), json!({ "users": { "where": null } }))]
#[case::out_of_scope(json!({ "users": { "where": "user.userName == 'ada'" } }), json!({ "users": { "where": null } }))]
#[case::a_domain(json!({ "users": { "emailDomains": ["example.test"] } }), json!({ "users": { "emailDomains": null } }))]
#[case::preview(json!({ "mode": "Preview" }), json!({ "mode": "Apply" }))]
#[case::suspended(json!({ "suspend": true }), json!({ "suspend": false }))]
#[case::recreated(json!({ "users": { "recreated": "Replace", "disabled": "Leave" } }), json!({ "users": { "recreated": null, "disabled": null } }))]
#[case::window(json!({ "limits": { "window": "1s" } }), json!({ "limits": { "window": null } }))]
#[case::timeout(json!({ "timeout": "1s", "schedule": { "cron": ["0 0 1 1 *"] } }), json!({ "timeout": null, "schedule": null }))]
fn no_edit_lets_go_what_is_held(#[case] first: Value, #[case] back: Value) {
    let all = json!({ "count": 1_000_000, "percent": 100 });
    let raised = json!({ "limits": { "userRemovals": all, "disables": all, "groupRemovals": all, "memberRemovals": all,
        "identifierChanges": all, "memberRemovalsPerGroup": { "percent": 100 } } });
    let office = held();
    for (edit, when) in [(&first, "edited"), (&raised, "raised"), (&back, "taken back")] {
        let staff = office.edit("syncpol", "staff", edit);
        office.still_held(&staff, when);
    }
    // Whoever may approve ends it.
    let staff = office.namespace.get("syncpol", "staff");
    office.approve(staff["status"]["held"]["digest"].as_str().unwrap());
    office.namespace.until("syncpol", "staff", is("Ready", "True", "InStep"));
    assert_eq!(office.registry().active(), [address("ada")]);
}

#[test]
fn a_directory_that_is_not_found_any_more_lets_nothing_go() {
    let office = held();
    let url = office.slapd.url();
    for (url, limit, when) in
        [("ldap://127.0.0.1:9", 5, "away"), ("ldap://127.0.0.1:9", 100, "raised"), (&url, 100, "back")]
    {
        office.edit("dirconn", "corp", &json!({ "ldap": { "urls": [url] } }));
        let staff =
            office.edit("syncpol", "staff", &json!({ "limits": { "userRemovals": { "percent": limit } } }));
        office.still_held(&staff, when);
    }
    office.namespace.until("dirconn", "corp", is("Ready", "True", "Read"));
    let staff = office.edit("syncpol", "staff", &json!({ "retryInterval": "2m" }));
    office.still_held(&staff, "read again");
}

#[test]
fn another_target_lets_nothing_go() {
    let office = held();
    office.namespace.apply(
        "{ apiVersion: v1, kind: Secret, metadata: { name: app }, stringData: { token: the-token-of-the-app } }",
    );
    let credentials = json!({ "tokenSecretRef": { "name": "app", "key": "token" } });
    let away = json!({ "url": "http://127.0.0.1:9", "insecure": true, "credentials": credentials });
    let away = json!({ "target": { "registry": null, "scim": away } });
    let raised = json!({ "limits": { "userRemovals": { "count": 1_000_000, "percent": 100 } } });
    let back = json!({ "target": { "registry": {}, "scim": null } });
    for (edit, when) in [(&away, "away"), (&raised, "raised")] {
        office.still_held(&office.edit("syncpol", "staff", edit), when);
    }
    // Who may delete it creates it again, with whatever limits.
    let manifest = |target: &str| {
        policy("  limits: { userRemovals: { count: 1000000, percent: 100 } }\n")
            .replace("registry: {}", target)
    };
    office.namespace.kubectl(&["delete", "syncpol", "staff"]).exits(0);
    let target = "scim: { url: \"http://127.0.0.1:9\", insecure: true, credentials: { tokenSecretRef: { name: app, key: token } } }";
    office.namespace.apply(&manifest(target));
    let staff = office.namespace.until("syncpol", "staff", is("PlanHeld", "True", "Held"));
    office.still_held(&staff, "created again");
    let staff = office.edit("syncpol", "staff", &back);
    office.still_held(&staff, "back");
}

impl Office {
    fn approve(&self, digest: &str) {
        let (digest, by) = (format!("rollcall.dev/approve={digest}"), "rollcall.dev/approved-by=admin");
        self.namespace.kubectl(&["annotate", "syncpol", "staff", "--overwrite", &digest, by]).exits(0);
    }
}

#[test]
fn an_approval_that_could_not_be_executed_yet_can_be_taken_back() {
    let mut office = held();
    let digest =
        office.namespace.get("syncpol", "staff")["status"]["held"]["digest"].as_str().unwrap().to_owned();
    office.slapd.stop();
    office.read_now();
    office.namespace.until("syncpol", "staff", is("Ready", "False", "SourceFailed"));
    office.approve(&digest);
    eventually(PATIENCE, "the approval is seen", || {
        let events = office.namespace.kubectl(&["events", "--for", "syncpolicy/staff"]).exits(0).out;
        events.contains("was accepted").then_some(())
    });
    office
        .namespace
        .kubectl(&["annotate", "syncpol", "staff", "rollcall.dev/approve-", "rollcall.dev/approved-by-"])
        .exits(0);
    office.slapd.start_again();
    office.namespace.until("dirconn", "corp", is("Ready", "True", "Read"));
    let staff = office.edit("syncpol", "staff", &json!({ "retryInterval": "2m" }));
    office.still_held(&staff, "taken back");
    office.approve(&digest);
    office.namespace.until("syncpol", "staff", is("Ready", "True", "InStep"));
    assert_eq!(office.registry().active(), [address("ada")]);
}

#[test]
fn what_is_being_deleted_does_nothing_at_its_target() {
    let office = Office::open();
    office.namespace.apply(&policy("").replace("name: staff", "name: other"));
    office.in_step();
    office.namespace.until("syncpol", "other", in_step_with(12));
    let kept = json!({ "metadata": { "finalizers": ["example.test/kept"] } }).to_string();
    office.namespace.kubectl(&["patch", "syncpol", "staff", "--type=merge", "-p", &kept]).exits(0);
    office.namespace.kubectl(&["delete", "syncpol", "staff", "--wait=false"]).exits(0);
    office.slapd.modify(&leaves("alan"));
    office.namespace.annotate("syncpol", "staff", "rollcall.dev/sync-requested-at=now");
    office.read_now();
    office.namespace.until("syncpol", "other", |object| object["status"]["lastRun"]["disabled"] == 1);
    // The other one goes on, so this one had its chance.
    office.namespace.annotate("syncpol", "other", "rollcall.dev/sync-requested-at=again");
    office
        .namespace
        .until("syncpol", "other", |object| object["status"]["lastHandledSyncRequestedAt"] == "again");
    assert_eq!(office.registry().active(), PEOPLE.map(address));
    let free = json!({ "metadata": { "finalizers": null } }).to_string();
    office.namespace.kubectl(&["patch", "syncpol", "staff", "--type=merge", "-p", &free]).exits(0);
}
