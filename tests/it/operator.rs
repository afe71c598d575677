//! The operator, as a process with its service account's own rights, on a real apiserver with real directories.

use std::path::Path;

use serde_json::Value;

use crate::support::cli::{rollcall, with_input};
use crate::support::cluster::{Cluster, PATIENCE, kstatus};
use crate::support::http;
use crate::support::namespace::Namespace;
use crate::support::office::{
    Office, PASSWORD, PEOPLE, address, company, condition, connector, in_step_with, is, joins, leaves,
    policy, reader,
};
use crate::support::operator::Operator;
use crate::support::process::eventually;
use crate::support::slapd::{SUFFIX, Setup, Slapd};
use crate::support::web;

#[test]
fn the_life_of_a_company_arrives_as_the_policy_says() {
    let office = Office::open();
    office.in_step();
    let Office { namespace, slapd, .. } = &office;
    assert_eq!(office.registry().active(), PEOPLE.map(address));
    assert_eq!(office.registry().members("pioneers"), ["ada", "alan", "grace"].map(address));
    let ada = office.registry().id_of(&address("ada"));

    // Somebody joins.
    slapd.modify(&joins("linus"));
    office.after_a_read(in_step_with(13));
    assert!(office.registry().active().contains(&address("linus")));

    // Somebody is renamed, and moves to another part of the tree: the same person, wherever they are named.
    slapd.modify(&format!(
        "dn: uid=ada,ou=people,{SUFFIX}\nchangetype: modrdn\nnewrdn: uid=countess\ndeleteoldrdn: 1\n\
         newsuperior: {SUFFIX}\n\ndn: uid=countess,{SUFFIX}\nchangetype: modify\nreplace: mail\n\
         mail: countess@example.test\n\ndn: cn=pioneers,ou=groups,{SUFFIX}\nchangetype: modify\ndelete: member\n\
         member: uid=ada,ou=people,{SUFFIX}\n-\nadd: member\nmember: uid=countess,{SUFFIX}\n\n"
    ));
    office.after_a_read(|object| object["status"]["lastRun"]["updated"] == 1);
    assert_eq!(office.registry().id_of("countess@example.test"), ada);
    assert_eq!(office.registry().members("pioneers"), ["alan", "countess", "grace"].map(address));

    // Somebody leaves: disabled, and out of every group.
    slapd.modify(&leaves("alan"));
    office.after_a_read(|object| object["status"]["lastRun"]["disabled"] == 1);
    assert!(!office.registry().active().contains(&address("alan")));
    assert_eq!(office.registry().members("pioneers"), ["countess", "grace"].map(address));

    for (kind, name) in [("dirconn", "corp"), ("syncpol", "staff")] {
        assert_eq!(kstatus(&namespace.get(kind, name)), "Current");
    }
}

#[test]
fn an_outage_turns_ready_and_removes_nobody() {
    let mut office = Office::open();
    office.in_step();
    office.slapd.stop();
    office.read_now();
    let namespace = &office.namespace;
    let corp = namespace.until("dirconn", "corp", is("Ready", "False", "Unreachable"));
    assert_eq!(condition(&corp, "Reachable"), Some(("False", "Unreachable")));
    assert_eq!(condition(&corp, "Reconciling"), Some(("True", "ProgressingWithRetry")));
    let staff = namespace.until("syncpol", "staff", is("Ready", "False", "SourceFailed"));
    assert_eq!(condition(&staff, "SourcesHealthy"), Some(("False", "SourceFailed")));
    assert_eq!(staff["status"]["inStep"]["users"], 12);
    assert_eq!(office.registry().active().len(), 12);
    // Whoever waits for it sees that it is not done.
    assert_eq!(kstatus(&staff), "InProgress");
    office.slapd.start_again();
    namespace.until("dirconn", "corp", is("Ready", "True", "Read"));
    namespace.until("syncpol", "staff", in_step_with(12));
    let staff = namespace.get("syncpol", "staff");
    assert!(condition(&staff, "Reconciling").is_none());
}

#[test]
fn what_would_empty_the_company_waits_for_somebody_who_may_approve() {
    let office = Office::open();
    office.in_step();
    let Office { namespace, slapd, .. } = &office;
    slapd.modify(&PEOPLE[1..].iter().map(|name| leaves(name)).collect::<String>());
    let staff = office.after_a_read(is("Ready", "False", "Held"));
    assert_eq!(condition(&staff, "PlanHeld"), Some(("True", "Held")));
    assert_eq!(staff["status"]["held"]["userRemovals"], 11);
    assert_eq!(kstatus(&staff), "Failed");
    assert_eq!(office.registry().active().len(), 12);
    let digest = staff["status"]["held"]["digest"].as_str().unwrap().to_owned();

    namespace.bind("edith", "rollcall-editor");
    namespace.bind("april", "rollcall-approver");
    let approve = |who: &str, by: &str| {
        let (digest, by) =
            (format!("rollcall.dev/approve={digest}"), format!("rollcall.dev/approved-by={by}"));
        namespace.as_user(who).run(&["annotate", "syncpol", "staff", "--overwrite", &digest, &by])
    };
    approve("edith", "edith").exits(1).says("needs the verb approve");
    approve("april", "edith").exits(1);
    assert_eq!(office.registry().active().len(), 12);
    approve("april", "april").exits(0);
    let staff = namespace.until("syncpol", "staff", is("Ready", "True", "InStep"));
    assert!(staff["status"]["held"].is_null() && condition(&staff, "PlanHeld").is_none());
    assert_eq!(office.registry().active(), [address("ada")]);
    assert!(namespace.kubectl(&["events", "--for", "syncpolicy/staff"]).exits(0).out.contains("Approved"));
}

#[test]
fn a_directory_that_shows_nothing_is_not_believed() {
    let office = Office::open();
    office.in_step();
    let everything = PEOPLE.iter().map(|name| leaves(name)).collect::<String>();
    let group = format!("dn: cn=pioneers,ou=groups,{SUFFIX}\nchangetype: delete\n\n");
    office.slapd.modify(&(group + &everything));
    office.read_now();
    office.namespace.until("dirconn", "corp", is("Ready", "False", "InvalidData"));
    office.namespace.until("syncpol", "staff", is("Ready", "False", "SourceFailed"));
    assert_eq!(office.registry().active().len(), 12);
}

#[test]
fn a_secret_is_used_as_soon_as_it_is_right() {
    let mut office = Office::open();
    office.operator.secret("wrong-and-to-be-seen-nowhere");
    office.in_step();
    let namespace = &office.namespace;
    namespace.apply(&reader("wrong-and-to-be-seen-nowhere"));
    let corp = namespace.until("dirconn", "corp", is("Ready", "False", "AuthenticationFailed"));
    assert_eq!(condition(&corp, "Reachable"), Some(("True", "Read")));
    assert_eq!(condition(&corp, "Readable").map(|it| it.0), Some("Unknown"));
    namespace.apply(&reader(PASSWORD));
    namespace.until("dirconn", "corp", is("Ready", "True", "Read"));
    namespace.delete("secret", "reader");
    let corp = namespace.until("dirconn", "corp", is("Ready", "False", "DependencyNotReady"));
    assert_eq!(kstatus(&corp), "InProgress");
    namespace.apply(&reader(PASSWORD));
    namespace.until("dirconn", "corp", is("Ready", "True", "Read"));
    namespace.until("syncpol", "staff", in_step_with(12));
}

/// `helm install --wait`, Flux and Argo CD give up on what has failed.
#[test]
fn objects_may_arrive_in_any_order() {
    let namespace = Cluster::shared().namespace();
    let slapd = Slapd::start(&Setup { ldif: &company(), ..Setup::default() });
    let mut operator = Operator::start(&namespace);
    operator.secret(PASSWORD);
    let never_failed = |kind: &str, name: &str, reason: &str| {
        namespace.until(kind, name, |object| {
            assert_ne!(kstatus(object), "Failed", "{object}");
            condition(object, "Ready").is_some_and(|(_, now)| now == reason)
        })
    };
    namespace.apply(&served(""));
    never_failed("syncpol", "staff", "ConnectorNotFound");
    let insecure = "    insecure: true\n";
    let trusting = format!("{insecure}    tls: {{ caRef: {{ name: corp-ca }} }}\n");
    namespace.apply(&connector(&slapd, "").replace(insecure, &trusting));
    never_failed("syncpol", "staff", "DependencyNotReady");
    namespace.apply(&readers("a-token-that-is-long-enough"));
    never_failed("syncpol", "staff", "SourceFailed");
    never_failed("dirconn", "corp", "DependencyNotReady");
    // One that is there, and is filled in later.
    namespace.apply("{ apiVersion: v1, kind: ConfigMap, metadata: { name: corp-ca } }");
    namespace.apply(&reader(PASSWORD));
    let corp = namespace.until("dirconn", "corp", |object| {
        let message = object["status"]["conditions"][0]["message"].as_str().unwrap_or_default();
        assert_ne!(kstatus(object), "Failed", "{object}");
        message.contains("ConfigMap") && message.contains("has no key ca.crt")
    });
    assert_eq!(kstatus(&corp), "InProgress");
    namespace.apply(&connector(&slapd, ""));
    never_failed("dirconn", "corp", "Read");
    never_failed("syncpol", "staff", "InStep");
}

#[test]
fn nothing_is_green_while_the_operator_cannot_look() {
    let mut office = Office::open();
    office.operator.secret("seen-by-nobody-meanwhile");
    office.in_step();
    let namespace = &office.namespace;
    let account = format!("system:serviceaccount:{}:rollcall", namespace.name());
    let rights_to = |what: &str, path: &str, value: &[&str], verbs: &[&str]| {
        let value = serde_json::to_string(value).unwrap();
        let patch = format!(r#"[{{"op":"replace","path":"{path}","value":{value}}}]"#);
        namespace.kubectl(&["patch", "role", "rollcall", "--type=json", "-p", &patch]).exits(0);
        let user = namespace.as_user(&account);
        for verb in ["get", "list"] {
            eventually(PATIENCE, "the rights count", || {
                let may = user.run(&["auth", "can-i", verb, what]).code == 0;
                (may == verbs.contains(&verb)).then_some(())
            });
        }
    };
    let rights = |verbs: &[&str]| rights_to("secrets", "/rules/2/verbs", verbs, verbs);
    let says = |object: &Value, part: &str| {
        let message = object["status"]["conditions"][0]["message"].as_str().unwrap_or_default();
        is("Ready", "False", "ApiServerFailed")(object) && message.contains(part)
    };
    // It hears of another version, and may not read it.
    rights(&["list", "watch"]);
    namespace.apply(&reader("seen-by-nobody-meanwhile"));
    let corp = namespace.until("dirconn", "corp", |object| says(object, "could not be read"));
    assert_eq!(kstatus(&corp), "InProgress");
    assert_eq!(condition(&corp, "Reachable").map(|it| it.0), Some("True"), "what was known is kept");
    namespace.until("syncpol", "staff", is("Ready", "False", "SourceFailed"));
    namespace.apply(&reader(PASSWORD));
    rights(&["get", "list", "watch"]);
    namespace.until("dirconn", "corp", is("Ready", "True", "Read"));
    namespace.until("syncpol", "staff", in_step_with(12));
    // It does not even hear of them: also one that is started then says so.
    rights(&["get"]);
    office.operator.restart();
    namespace.until("dirconn", "corp", |object| says(object, "Secrets in"));
    rights(&["get", "list", "watch"]);
    namespace.until("dirconn", "corp", is("Ready", "True", "Read"));
    namespace.until("syncpol", "staff", in_step_with(12));
    // Nor of policies: whose connector this is, nobody knows.
    let kinds = ["directoryconnectors", "syncpolicies"];
    rights_to("syncpolicies.rollcall.dev", "/rules/0/resources", &kinds[..1], &[]);
    office.operator.restart();
    namespace.until("dirconn", "corp", |object| says(object, "SyncPolicies in"));
    rights_to("syncpolicies.rollcall.dev", "/rules/0/resources", &kinds, &["get", "list"]);
    namespace.until("dirconn", "corp", is("Ready", "True", "Read"));
    namespace.until("syncpol", "staff", in_step_with(12));
}

/// Held, with all but one person gone; the digest.
fn held(office: &Office) -> String {
    office.slapd.modify(&PEOPLE[1..].iter().map(|name| leaves(name)).collect::<String>());
    let staff = office.after_a_read(is("Ready", "False", "Held"));
    staff["status"]["held"]["digest"].as_str().unwrap().to_owned()
}

fn approve(office: &Office, who: &str, digest: &str) {
    let (digest, by) = (format!("rollcall.dev/approve={digest}"), format!("rollcall.dev/approved-by={who}"));
    let arguments = ["annotate", "syncpol", "staff", "--overwrite", &digest, &by];
    office.namespace.as_user(who).run(&arguments).exits(0);
}

fn is_told(office: &Office, reason: &str, part: &str) {
    eventually(PATIENCE, "it is told", || {
        told(&office.namespace, "staff", reason).iter().any(|note| note.contains(part)).then_some(())
    });
}

#[test]
fn an_approval_that_nobody_checks_approves_nothing() {
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::own()));
    let office = Office::open_in(cluster);
    office.in_step();
    let namespace = &office.namespace;
    let digest = held(&office);
    let unguarded = |staff: &Value| condition(staff, "ApprovalsUnguarded").map(|it| it.0) == Some("True");
    assert!(!unguarded(&namespace.get("syncpol", "staff")));
    let binding = "validatingadmissionpolicybinding/rollcall-approval";
    namespace.kubectl(&["delete", binding]).exits(0);
    namespace.until("syncpol", "staff", unguarded);
    // The rule goes on for a moment after its binding is gone.
    namespace.bind("april", "rollcall-approver");
    approve(&office, "april", &digest);
    is_told(&office, "ApprovalRefused", "nothing checks who sets it");
    let file = crate::support::cluster::repository("deploy/approval.yaml");
    namespace.kubectl(&["apply", "-f", file.to_str().unwrap()]).exits(0);
    namespace.until("syncpol", "staff", |staff| !unguarded(staff));
    // Also now it is one that nobody checked.
    office.after_a_read(is("Ready", "False", "Held"));
    assert_eq!(office.registry().active().len(), 12);
    namespace.annotate("syncpol", "staff", "rollcall.dev/approve-");
    namespace.until("syncpol", "staff", is("Ready", "False", "Held"));
    office.after_a_read(is("Ready", "False", "Held"));
    approve(&office, "april", &digest);
    let staff = namespace.until("syncpol", "staff", is("Ready", "True", "InStep"));
    assert_eq!(staff["status"]["lastRun"]["approvedBy"], "april");
    is_told(&office, "Approved", "the approval by april was accepted");
    assert_eq!(office.registry().active(), [address("ada")]);
}

#[test]
fn an_approval_that_came_with_its_object_approves_nothing() {
    let office = Office::open();
    office.in_step();
    let namespace = &office.namespace;
    let digest = held(&office);
    namespace.delete("syncpol", "staff");
    let annotations = format!(
        "name: staff, annotations: {{ rollcall.dev/approve: \"{digest}\", rollcall.dev/approved-by: admin }}"
    );
    namespace.apply(&policy("").replace("name: staff", &annotations));
    is_told(&office, "ApprovalRefused", "was already on the object");
    namespace.until("syncpol", "staff", is("Ready", "False", "Held"));
    assert_eq!(office.registry().active().len(), 12);
    namespace.bind("april", "rollcall-approver");
    namespace.annotate("syncpol", "staff", "rollcall.dev/approve-");
    office.after_a_read(is("Ready", "False", "Held"));
    let staff = namespace.get("syncpol", "staff");
    approve(&office, "april", staff["status"]["held"]["digest"].as_str().unwrap());
    namespace.until("syncpol", "staff", is("Ready", "True", "InStep"));
    assert_eq!(office.registry().active(), [address("ada")]);
}

/// What was told of this object, for this reason.
fn told(namespace: &Namespace<'_>, name: &str, reason: &str) -> Vec<String> {
    let ran = namespace.kubectl(&["get", "events.events.k8s.io", "-o", "json"]).exits(0);
    let all: Value = serde_json::from_str(&ran.out).unwrap();
    let items = all["items"].as_array().unwrap().iter();
    let of = items.filter(|it| it["regarding"]["name"] == name && it["reason"] == reason);
    of.map(|it| it["note"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn events_say_what_happened_now() {
    let office = Office::open();
    office.in_step();
    let Office { namespace, slapd, .. } = &office;
    let is_told = |name: &str, reason: &'static str, part: &str| {
        eventually(PATIENCE, "it is told", || {
            told(namespace, name, reason).iter().any(|note| note.contains(part)).then_some(())
        });
    };
    // Another digest.
    slapd.modify(&PEOPLE[1..].iter().map(|name| leaves(name)).collect::<String>());
    let digest = |staff: &Value| staff["status"]["held"]["digest"].as_str().map(str::to_owned);
    let first = digest(&office.after_a_read(is("Ready", "False", "Held"))).unwrap();
    is_told("staff", "Held", &first);
    slapd.modify(&(joins("alan") + &leaves("ada")));
    let staff = office.after_a_read(|staff| digest(staff).is_some_and(|digest| digest != first));
    is_told("staff", "Held", &digest(&staff).unwrap());
    // Another address.
    for port in ["1", "2"] {
        let url = format!("ldap://127.0.0.1:{port}");
        namespace.apply(&connector(slapd, "").replace(&slapd.url(), &url));
        is_told("corp", "Unreachable", &format!("127.0.0.1:{port}"));
    }
    // A name as long as there may be.
    let long = ["a".repeat(120), "b".repeat(132)].join(".");
    namespace.apply(&policy("").replace("name: staff", &format!("name: {long}")).replace("corp", "none"));
    is_told(&long, "ConnectorNotFound", "none");
}

#[test]
fn a_status_that_somebody_changes_is_written_back() {
    let office = Office::open_with("", "");
    office.in_step();
    let namespace = &office.namespace;
    for (kind, name) in [("dirconn", "corp"), ("syncpol", "staff")] {
        namespace.suspend(kind, name);
        let before = namespace.get(kind, name);
        let change = |patch: &str| {
            let patched = ["patch", kind, name, "--subresource=status", "--type=merge", "-p", patch];
            namespace.kubectl(&patched).exits(0);
        };
        let forged = r#"{"type":"Stalled","status":"True","reason":"Forged","message":"no",
            "lastTransitionTime":"2026-01-01T00:00:00Z"}"#;
        let ready = forged.replace("Stalled", "Ready").replace("True", "False");
        for patch in [
            r#"{"status":null}"#,
            r#"{"status":{"observedGeneration":1,"conditions":[]}}"#,
            &format!(r#"{{"status":{{"conditions":[{forged}]}}}}"#),
            &format!(r#"{{"status":{{"conditions":[{ready},{forged}]}}}}"#),
        ] {
            change(patch);
            namespace.until(kind, name, |object| object["status"] == before["status"]);
        }
        // What others say in words of their own is none of our business.
        let foreign = forged.replace("Stalled", "Audited");
        let mut all = before["status"]["conditions"].as_array().unwrap().clone();
        all.push(serde_json::from_str(&foreign).unwrap());
        change(&serde_json::json!({ "status": { "conditions": all } }).to_string());
        change(r#"{"status":{"observedGeneration":1}}"#);
        let after = namespace.until(kind, name, |object| {
            object["status"]["observedGeneration"] == before["status"]["observedGeneration"]
        });
        assert_eq!(condition(&after, "Audited"), Some(("True", "Forged")));
    }
}

#[test]
fn a_lost_store_shows_and_comes_back_without_a_removal() {
    let mut office = Office::open();
    office.in_step();
    let before = office.registry().users();
    let ids = PEOPLE.map(|name| office.registry().id_of(&address(name)));
    std::fs::remove_file(office.operator.data().join("rollcall.db")).unwrap();
    // It does not go on writing into nothing; whoever runs it starts it again.
    assert_eq!(office.operator.ends().code(), Some(1));
    assert!(office.operator.output().contains("the database was removed or replaced"));
    office.slapd.stop();
    office.operator.restart();
    let staff = office.namespace.until("syncpol", "staff", is("Ready", "False", "StoreReset"));
    assert_eq!(condition(&staff, "StoreReset"), Some(("True", "StoreReset")));
    office.slapd.start_again();
    let staff = office.namespace.until("syncpol", "staff", in_step_with(12));
    assert!(condition(&staff, "StoreReset").is_none());
    assert_eq!(office.registry().users(), before);
    assert_eq!(PEOPLE.map(|name| office.registry().id_of(&address(name))), ids);
}

#[test]
fn what_is_suspended_rests_and_says_so() {
    let office = Office::open();
    office.in_step();
    let namespace = &office.namespace;
    for (kind, name) in [("dirconn", "corp"), ("syncpol", "staff")] {
        let object = namespace.suspend(kind, name);
        assert_eq!(condition(&object, "Ready").map(|it| it.0), Some("True"));
    }
    office.slapd.modify(&joins("linus"));
    office.read_now();
    // A new one that rests from the beginning has never been anything else.
    namespace.apply(&policy("  suspend: true\n").replace("name: staff", "name: idle"));
    namespace.until("syncpol", "idle", is("Ready", "Unknown", "Suspended"));
    assert_eq!(office.registry().active().len(), 12);
    for (kind, name) in [("dirconn", "corp"), ("syncpol", "staff")] {
        namespace
            .kubectl(&["patch", kind, name, "--type=merge", "-p", r#"{"spec":{"suspend":false}}"#])
            .exits(0);
    }
    namespace.until("syncpol", "staff", in_step_with(13));
}

#[test]
fn what_is_being_deleted_does_nothing_any_more() {
    let office = Office::open();
    office.in_step();
    let Office { namespace, slapd, .. } = &office;
    namespace.apply(&policy("").replace("name: staff", "name: other"));
    namespace.until("syncpol", "other", in_step_with(12));
    let (last_run, users) =
        (namespace.get("syncpol", "staff")["status"]["lastRun"].clone(), office.registry().users());
    let keep = |finalizers: &str| {
        let patch = format!(r#"{{"metadata":{{"finalizers":{finalizers}}}}}"#);
        namespace.kubectl(&["patch", "syncpol", "staff", "--type=merge", "-p", &patch]).exits(0);
    };
    keep(r#"["example.test/somebody-elses"]"#);
    namespace.kubectl(&["delete", "syncpol", "staff", "--wait=false"]).exits(0);

    // Whatever would make a policy run: what is read, somebody who asks, an edit.
    slapd.modify(&[joins("linus"), joins("niklaus"), leaves("alan")].concat());
    office.read_now();
    namespace.until("syncpol", "other", in_step_with(14));
    namespace.annotate("syncpol", "staff", "rollcall.dev/sync-requested-at=now");
    namespace.apply(&policy("  users: { attributes: { title: user.title } }\n"));
    namespace.until_seen("syncpol", "staff");
    slapd.modify(&joins("ken"));
    office.read_now();
    namespace.until("syncpol", "other", in_step_with(15));
    let staff = namespace.get("syncpol", "staff");
    assert!(!staff["metadata"]["deletionTimestamp"].is_null());
    assert_eq!(staff["status"]["lastRun"], last_run);
    assert_eq!(office.registry().users(), users);

    // Gone and made anew, it goes on from where it was.
    let ada = office.registry().id_of(&address("ada"));
    keep("[]");
    namespace.wait("syncpol", "staff", "delete");
    namespace.apply(&policy(""));
    office.in_step();
    assert!(!office.registry().active().contains(&address("alan")));
    assert_eq!(office.registry().id_of(&address("ada")), ada);
}

#[test]
fn a_spec_that_cannot_work_says_what_to_change_and_stops_nobody_else() {
    let office = Office::open();
    office.in_step();
    let namespace = &office.namespace;
    namespace.apply(
        &policy("  users: { where: \"user.nickname == 'x'\" }\n").replace("name: staff", "name: broken"),
    );
    let broken = namespace.until("syncpol", "broken", is("Ready", "False", "InvalidSpec"));
    assert!(broken["status"]["conditions"][0]["message"].as_str().unwrap().contains("spec.users.where"));
    assert_eq!(kstatus(&broken), "Failed");
    // What would take a second for each entry is not begun.
    let costly = "  users: { where: \"user.title.matches('[a-z]{60000}')\" }\n";
    namespace.apply(&policy(costly).replace("name: staff", "name: broken"));
    namespace.until("syncpol", "broken", |object| {
        let message = object["status"]["conditions"][0]["message"].as_str().unwrap_or_default();
        is("Ready", "False", "InvalidSpec")(object) && message.contains("this pattern is too large")
    });
    namespace.apply(&policy("").replace("name: corp", "name: nowhere").replace("name: staff", "name: lost"));
    namespace.until("syncpol", "lost", is("Ready", "False", "ConnectorNotFound"));
    office.slapd.modify(&joins("linus"));
    office.after_a_read(in_step_with(13));
    // What is mended works at once.
    namespace.apply(
        &policy("  users: { where: \"user.title == 'Engineer'\" }\n").replace("name: staff", "name: broken"),
    );
    namespace.until("syncpol", "broken", in_step_with(13));
}

#[test]
fn a_connector_that_goes_is_no_evidence() {
    let office = Office::open();
    office.in_step();
    let namespace = &office.namespace;
    namespace.delete("dirconn", "corp");
    let staff = namespace.until("syncpol", "staff", is("Ready", "False", "ConnectorNotFound"));
    assert_eq!(staff["status"]["inStep"]["users"], 12);
    assert_eq!(office.registry().active().len(), 12);
    // It comes back under another name: the same directory, and so the same people.
    let ids = PEOPLE.map(|name| office.registry().id_of(&address(name)));
    namespace.apply(&connector(&office.slapd, "").replace("name: corp", "name: renamed"));
    namespace.apply(&policy("").replace("name: corp", "name: renamed"));
    namespace.until("syncpol", "staff", in_step_with(12));
    assert_eq!(PEOPLE.map(|name| office.registry().id_of(&address(name))), ids);
}

#[test]
fn whoever_left_while_a_connector_was_renamed_is_named() {
    let office = Office::open();
    office.in_step();
    let namespace = &office.namespace;
    namespace.delete("dirconn", "corp");
    namespace.until("syncpol", "staff", is("Ready", "False", "ConnectorNotFound"));
    office.slapd.modify(&format!("dn: uid=tim,ou=people,{SUFFIX}\nchangetype: delete\n\n"));
    namespace.apply(&connector(&office.slapd, "").replace("name: corp", "name: renamed"));
    namespace.apply(&policy("").replace("name: corp", "name: renamed"));
    namespace.until("syncpol", "staff", is("Ready", "True", "InStepWithExceptions"));
    let data = office.operator.data();
    rollcall(&["plan", "exceptions", "--data", data.to_str().unwrap()])
        .exits(0)
        .says(&address("tim"))
        .says("NeverRead");
    assert_eq!(office.registry().active().len(), 12);
    // What is asked for: under its former name the connector remembers tim, and sees that he is gone.
    namespace.apply(&connector(&office.slapd, ""));
    namespace.apply(&policy(""));
    namespace.until("syncpol", "staff", is("Ready", "True", "InStep"));
    assert_eq!(office.registry().active().len(), 11);
}

#[test]
fn a_preview_does_nothing_and_is_ready() {
    let office = Office::open_with("", "  mode: Preview\n");
    office.namespace.until("syncpol", "staff", is("Ready", "True", "Previewed"));
    assert!(office.registry().users().is_empty());
    office.namespace.apply(&policy("  mode: Apply\n"));
    office.namespace.until("syncpol", "staff", in_step_with(12));
}

#[test]
fn quarantined_entries_show_beside_ready() {
    let office = Office::open_with("", "  users: { attributes: { title: \"user.values['title'][0]\" } }\n");
    office.in_step();
    office.slapd.modify(&format!("dn: uid=tim,ou=people,{SUFFIX}\nchangetype: modify\ndelete: title\n\n"));
    let staff = office.after_a_read(is("Ready", "True", "InStepWithExceptions"));
    let data = office.operator.data();
    rollcall(&["plan", "exceptions", "--data", data.to_str().unwrap()])
        .exits(0)
        .says("/staff: 1 exception")
        .says("uid=tim,ou=people")
        .says("ExpressionFailed");
    assert_eq!(condition(&staff, "EntriesQuarantined"), Some(("True", "Quarantined")));
    office.namespace.apply(&policy(
        "  users: { attributes: { title: \"user.values['title'][0]\" } }\n  limits: { quarantined: { count: 0 } }\n",
    ));
    let staff = office.namespace.until("syncpol", "staff", is("Ready", "False", "TooManyQuarantined"));
    assert_eq!(condition(&staff, "Stalled"), Some(("True", "TooManyQuarantined")));
    assert_eq!(office.registry().active().len(), 12);
}

#[test]
fn a_namespace_that_may_not_be_watched_hinders_no_other() {
    let mut office = Office::open();
    office.in_step();
    let both = format!("{},kube-system", office.namespace.name());
    office.operator.watch(&both);
    office.slapd.modify(&joins("linus"));
    office.after_a_read(in_step_with(13));
    // What is missing is said, and the registry is served.
    office.operator.ready();
    let (_, body) = http::get(&office.operator.health, "/readyz").unwrap();
    assert!(body.contains("waiting for Secrets in kube-system"), "{body}");
    assert!(!body.contains(office.namespace.name()), "{body}");
    // Each of the four kinds is asked for less and less often, whatever is asked of the apiserver otherwise.
    let asked = || {
        let numbers = http::get(&office.operator.metrics, "/metrics").unwrap().1;
        let line =
            numbers.lines().find_map(|it| it.strip_prefix(r#"rollcall_api_errors_total{what="watch"} "#));
        line.map_or(0, |count| count.parse::<u64>().unwrap())
    };
    let (before, began) = (asked(), std::time::Instant::now());
    eventually(PATIENCE, "time passes", || (began.elapsed().as_secs() >= 20).then_some(()));
    let more = asked() - before;
    assert!((1..=4 * 5).contains(&more), "{more} times in 20 s");
}

#[test]
fn a_request_is_answered_also_in_back_off() {
    let mut office = Office::open();
    office.in_step();
    office.slapd.stop();
    // So long that nothing would happen by itself.
    office.namespace.apply(
        &connector(&office.slapd, "")
            .replace("10s", "24h")
            .replace("retryInterval: 1s", "retryInterval: 12h"),
    );
    office.namespace.until("dirconn", "corp", is("Ready", "False", "Unreachable"));
    office.slapd.start_again();
    office.namespace.annotate("dirconn", "corp", "rollcall.dev/sync-requested-at=now-please");
    let corp = office.namespace.until("dirconn", "corp", is("Ready", "True", "Read"));
    assert_eq!(corp["status"]["lastHandledSyncRequestedAt"], "now-please");
    office.namespace.annotate("syncpol", "staff", "rollcall.dev/sync-requested-at=you-too");
    office
        .namespace
        .until("syncpol", "staff", |object| object["status"]["lastHandledSyncRequestedAt"] == "you-too");
}

const TOKEN: &str = "of-whoever-reads-the-registry";

fn served(spec: &str) -> String {
    let target = "registry: { tokenSecretRef: { name: readers, key: token } }";
    policy(spec).replace("registry: {}", target)
}

fn readers(token: &str) -> String {
    format!(
        "{{ apiVersion: v1, kind: Secret, metadata: {{ name: readers }}, stringData: {{ token: {token} }} }}"
    )
}

#[test]
fn the_registry_is_read_over_scim_from_the_first_run_to_the_deletion() {
    let mut office = Office::open();
    office.operator.secret(TOKEN);
    office.operator.secret("a-token-that-came-after-it");
    let namespace = &office.namespace;
    let ask = |token: &str, path: &str| {
        let path = format!("/policies/{}/staff/scim/v2/{path}", namespace.name());
        let bearer = format!("Bearer {token}");
        web::ask(office.operator.scim.parse().unwrap(), "GET", &path, &[("Authorization", &bearer)], "")
    };
    let until = |what: &str, token: &str, status: u16| {
        eventually(PATIENCE, what, || (ask(token, "Users").status == status).then_some(()));
    };
    office.in_step();
    until("nobody may read", TOKEN, 401);
    namespace.apply(&readers(TOKEN));
    namespace.apply(&served(""));
    until("readers are let in", TOKEN, 200);
    let users = ask(TOKEN, "Users?count=5&sortBy=userName").is(200).json();
    assert_eq!((users["totalResults"].as_u64(), users["itemsPerPage"].as_u64()), (Some(12), Some(5)));
    let ada = ask(TOKEN, "Users?filter=userName%20eq%20%22ADA@example.test%22").is(200).json();
    assert_eq!(ada["Resources"][0]["id"], office.registry().id_of(&address("ada")));
    ask("of-somebody-else-altogether", "Users").is(401);
    // Another token counts at once, and the old one no longer.
    namespace.apply(&readers("a-token-that-came-after-it"));
    until("the new token counts", "a-token-that-came-after-it", 200);
    ask(TOKEN, "Users").is(401);
    namespace.delete("syncpol", "staff");
    until("nobody reads what was deleted", "a-token-that-came-after-it", 410);
    // A policy that never ran is no empty company.
    namespace.apply(&served("  suspend: true\n").replace("name: staff", "name: later"));
    namespace.until("syncpol", "later", is("Ready", "Unknown", "Suspended"));
    let later = format!("/policies/{}/later/scim/v2/Users", namespace.name());
    let bearer = [("Authorization", "Bearer a-token-that-came-after-it")];
    web::ask(office.operator.scim.parse().unwrap(), "GET", &later, &bearer, "").is(503);
}

/// What a reader of `staff` is told of ada, if anything is there to tell it.
fn told_of_ada(office: &Office, ada: &str) -> Option<u16> {
    let path = format!("/policies/{}/staff/scim/v2/Users/{ada}", office.namespace.name());
    let (scim, bearer) = (office.operator.scim.clone(), format!("Bearer {TOKEN}"));
    let ask = || web::ask(scim.parse().unwrap(), "GET", &path, &[("Authorization", &bearer)], "").status;
    std::panic::catch_unwind(ask).ok()
}

/// An office whose registry is read, and ada's id in it.
fn read_office(mut office: Office) -> (Office, String) {
    office.operator.secret(TOKEN);
    office.namespace.apply(&readers(TOKEN));
    office.namespace.apply(&served(""));
    office.in_step();
    let ada = office.registry().id_of(&address("ada"));
    eventually(PATIENCE, "readers are let in", || (told_of_ada(&office, &ada) == Some(200)).then_some(()));
    (office, ada)
}

#[test]
fn a_registry_that_is_withdrawn_says_of_nobody_that_they_were_removed() {
    let (mut office, ada) = read_office(Office::open());
    let until = |office: &Office, what: &str, status: u16| {
        eventually(PATIENCE, what, || {
            let told = told_of_ada(office, &ada)?;
            assert!([status, 503].contains(&told), "{told} before {status}: {what}");
            (told == status).then_some(())
        });
    };
    let becomes = |office: &Office, what: &str, status: u16| {
        eventually(PATIENCE, what, || (told_of_ada(office, &ada) == Some(status)).then_some(()));
    };
    office.operator.stop();
    office.operator.restart();
    until(&office, "after a restart", 200);
    office.namespace.delete("syncpol", "staff");
    becomes(&office, "the policy is gone", 410);
    office.operator.stop();
    office.operator.restart();
    until(&office, "deleted before a restart", 410);
    office.namespace.apply(&served(""));
    becomes(&office, "it is there again", 200);
    office.operator.stop();
    office.namespace.delete("syncpol", "staff");
    office.operator.restart();
    until(&office, "deleted while nobody watched", 410);
}

#[test]
fn a_registry_whose_kind_is_gone_says_of_nobody_that_they_were_removed() {
    let (mut office, ada) = read_office(Office::open_in(Box::leak(Box::new(Cluster::own()))));
    office.namespace.delete("crd", "syncpolicies.rollcall.dev");
    eventually(PATIENCE, "the policy is gone", || {
        let told = told_of_ada(&office, &ada)?;
        assert!([200, 410, 503].contains(&told), "{told}");
        (told != 200).then_some(())
    });
    office.operator.stop();
    office.operator.restart();
    eventually(PATIENCE, "nobody knows which policies there are", || {
        let told = told_of_ada(&office, &ada)?;
        assert!([410, 503].contains(&told), "{told}");
        (told == 503).then_some(())
    });
}

#[test]
fn an_older_store_is_not_shown_until_a_run_has_rebuilt_it() {
    from_backup(|_| {});
}

#[test]
fn nor_is_one_whose_objects_come_from_git() {
    from_backup(|office| {
        for (kind, name) in [("syncpol", "staff"), ("dirconn", "corp")] {
            office.namespace.delete(kind, name);
        }
        office.namespace.apply(&connector(&office.slapd, ""));
        office.namespace.apply(&served(""));
    });
}

/// The registry has readers, and they are let in. Gives how one of them asks for all users.
fn let_readers_in(office: &mut Office) -> impl Fn(&Office) -> web::Answer + use<> {
    office.operator.secret(TOKEN);
    office.namespace.apply(&readers(TOKEN));
    office.namespace.apply(&served(""));
    let path = format!("/policies/{}/staff/scim/v2/Users", office.namespace.name());
    let bearer = format!("Bearer {TOKEN}");
    let ask = move |office: &Office| {
        web::ask(office.operator.scim.parse().unwrap(), "GET", &path, &[("Authorization", &bearer)], "")
    };
    office.in_step();
    eventually(PATIENCE, "readers are let in", || (ask(office).status == 200).then_some(()));
    ask
}

/// The volume comes from a backup; `meanwhile` is done before the operator is started on it.
fn from_backup(meanwhile: impl Fn(&Office)) {
    let mut office = Office::open();
    let ask = let_readers_in(&mut office);
    office.operator.stop();
    let (data, backup) = (office.operator.data(), tempfile::tempdir().unwrap());
    let copy = |from: &Path, to: &Path| {
        for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    };
    copy(&data, backup.path());
    office.operator.restart();
    office.slapd.modify(&leaves("alan"));
    office.after_a_read(|object| object["status"]["lastRun"]["disabled"] == 1);
    office.operator.stop();
    for file in std::fs::read_dir(&data).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    copy(backup.path(), &data);
    office.slapd.stop();
    meanwhile(&office);
    office.operator.restart();
    office.namespace.until("syncpol", "staff", is("Ready", "False", "StoreReset"));
    eventually(PATIENCE, "the token is known", || (ask(&office).status != 401).then_some(()));
    // In it alan is still there.
    ask(&office).is(503);
    office.slapd.start_again();
    office.namespace.until("syncpol", "staff", is("Ready", "True", "InStep"));
    eventually(PATIENCE, "it is shown again", || (ask(&office).status == 200).then_some(()));
    assert!(!office.registry().active().contains(&address("alan")));
}

#[test]
fn a_damaged_store_shows_and_nothing_of_it_is_served_or_taken() {
    let mut office = Office::open();
    let ask = let_readers_in(&mut office);
    office.operator.stop();
    // One flag in one row.
    let database = rusqlite::Connection::open(office.operator.data().join("rollcall.db")).unwrap();
    assert_eq!(database.execute("UPDATE registry SET active = 0 WHERE number = 3", []).unwrap(), 1);
    drop(database);
    office.operator.restart();
    office.slapd.modify(&leaves("alan"));
    office.read_now();
    let staff = office.namespace.until("syncpol", "staff", is("Ready", "False", "StoreDamaged"));
    assert!(staff["status"]["conditions"].to_string().contains("restore a backup"), "{staff}");
    eventually(PATIENCE, "the token is known", || (ask(&office).status != 401).then_some(()));
    ask(&office).is(503);
    eventually(PATIENCE, "the metric says it", || {
        let (_, numbers) = http::get(&office.operator.metrics, "/metrics").unwrap();
        numbers.lines().any(|line| line == "rollcall_store_damaged 1").then_some(())
    });
    // Of the connector nothing is damaged.
    office.namespace.until("dirconn", "corp", is("Ready", "True", "Read"));
    let data = office.operator.data();
    office.operator.stop();
    let data = data.to_str().unwrap();
    for verb in [&["registry", "export"][..], &["backup", "--to", "-"]] {
        rollcall(&[verb, &["--data", data]].concat())
            .exits(1)
            .says("the store is damaged")
            .says("restore a backup");
    }
}

#[test]
fn it_says_what_it_does_in_numbers_and_in_lines() {
    let office = Office::open();
    office.in_step();
    let (_, numbers) = http::get(&office.operator.metrics, "/metrics").unwrap();
    let of = |object: &str| format!("\"{}/{object}\"", office.namespace.name());
    for (name, label) in [
        ("rollcall_connector_last_completion_timestamp_seconds", of("corp")),
        ("rollcall_connector_imports_total", "reason=\"Read\"".to_owned()),
        ("rollcall_policy_runs_total", "reason=\"InStep\"".to_owned()),
        ("rollcall_policy_in_step", of("staff")),
        ("rollcall_api_writes_total", "what=\"lease\"".to_owned()),
        ("rollcall_condition", "type=\"Ready\"".to_owned()),
        ("rollcall_condition", "type=\"Reachable\"".to_owned()),
        ("rollcall_suspended", of("staff")),
        ("process_start_time_seconds", String::new()),
        ("rollcall_build_info", env!("CARGO_PKG_VERSION").to_owned()),
    ] {
        let found = numbers.lines().any(|line| line.starts_with(name) && line.contains(&label));
        assert!(found, "no {name} with {label} in\n{numbers}");
    }
    // Whoever does not ask for OpenMetrics gets what `promtool` takes.
    let mut promtool = std::process::Command::new("promtool");
    let ran = with_input(promtool.args(["check", "metrics"]), &numbers);
    assert_eq!((ran.code, ran.said().trim()), (0, ""), "{numbers}");
    let accept = [("Accept", "application/openmetrics-text;version=1.0.0")];
    let open =
        web::ask(office.operator.metrics.parse().unwrap(), "GET", "/metrics", &accept, "").is(200).body;
    assert!(open.ends_with("# EOF\n") && !numbers.contains("# EOF"), "{open}");
    let account = format!("system:serviceaccount:{}:rollcall", office.namespace.name());
    let agent = concat!("rollcall/", env!("CARGO_PKG_VERSION")).to_owned();
    assert_eq!(office.namespace.cluster().agents_of(&account), [agent].into());
    // From debug on, and no sooner, lines may name people.
    let level = |method: &str, body: &str| {
        web::ask(office.operator.admin.parse().unwrap(), method, "/log-level", &[], body).is(200).body
    };
    assert_eq!(level("GET", "").trim(), "info");
    assert_eq!(level("PUT", "rollcall=debug").trim(), "rollcall=debug");
    let said = office.operator.output();
    assert!(said.contains("run{") && said.contains("import{"), "{said}");
    for name in PEOPLE {
        assert!(!said.contains(&address(name)), "{name} is named in\n{said}");
    }
}

#[test]
fn the_registry_shows_the_certificate_of_its_secret_and_the_next_one_too() {
    let namespace = Cluster::shared().namespace();
    let pair = |name: &str| {
        let own = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        (own.cert.pem(), own.signing_key.serialize_pem())
    };
    let secret = |(certificate, key): &(String, String)| {
        let folder = tempfile::tempdir().unwrap();
        let path = |file: &str| folder.path().join(file).display().to_string();
        std::fs::write(path("crt"), certificate).unwrap();
        std::fs::write(path("key"), key).unwrap();
        let (certificate, key) = (format!("--cert={}", path("crt")), format!("--key={}", path("key")));
        let flags = ["create", "secret", "tls", "scim", &certificate, &key, "--dry-run=client", "-o", "yaml"];
        namespace.apply(&namespace.kubectl(&flags).exits(0).out);
    };
    let (first, second) = (pair("localhost"), pair("localhost"));
    secret(&first);
    let mut operator = Operator::start_with(&namespace, &[&namespace], &["--scim-tls-secret", "scim"]);
    operator.ready();
    let shown = |authority: &str| {
        web::ask_tls(operator.scim.parse().unwrap(), authority, "/", &[])
            .is_ok_and(|answer| answer.status == 400)
    };
    eventually(PATIENCE, "the first certificate is shown", || shown(&first.0).then_some(()));
    secret(&second);
    eventually(PATIENCE, "the second certificate is shown", || shown(&second.0).then_some(()));
    assert!(!shown(&first.0));
}
