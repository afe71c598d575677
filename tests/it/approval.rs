//! Who may let go what is held: the rights and the rule for admission of `deploy/`, on a real apiserver.

use rstest::rstest;

use crate::support::cluster::{Cluster, PATIENCE};
use crate::support::namespace::Namespace;
use crate::support::process::eventually;

const APPROVE: &str = "rollcall.dev/approve=sha256:1";
const POLICY: &str =
    "{ apiVersion: rollcall.dev/v1alpha1, kind: SyncPolicy, metadata: { name: staff }, spec: {
    connectors: [{ name: corp }], target: { registry: {} }, limits: {
        window: 24h, onExceed: HoldAll,
        userRemovals: { count: 10, percent: 3 }, groupRemovals: { count: 10, percent: 3 },
        memberRemovals: { count: 10, percent: 3 }, memberRemovalsPerGroup: { percent: 3, minimumSize: 5 },
        identifierChanges: { count: 10, percent: 3 }, disables: { count: 10, percent: 3 },
        quarantined: { count: 10, percent: 1 } } } }";
const HELD: &str = r#"{ "status": { "held": { "digest": "sha256:1", "userRemovals": 12, "groupRemovals": 0,
    "memberRemovals": 0, "others": 0, "reason": "too many", "since": "2026-03-02T08:00:00Z" } } }"#;

/// A policy; erin, who may edit it, and ada, who may approve what it holds.
fn company() -> Namespace<'static> {
    let namespace = Cluster::shared().namespace();
    namespace.bind("erin", "rollcall-editor");
    namespace.bind("ada", "rollcall-approver");
    namespace.apply(POLICY);
    namespace
}

fn hold(namespace: &Namespace<'_>) {
    namespace
        .kubectl(&["patch", "syncpol", "staff", "--subresource=status", "--type=merge", "-p", HELD])
        .exits(0);
}

#[rstest]
#[case::an_approver("ada", &[APPROVE, "rollcall.dev/approved-by=ada"], None)]
#[case::who_may_do_everything("admin", &[APPROVE, "rollcall.dev/approved-by=admin"], None)]
#[case::an_editor("erin", &[APPROVE, "rollcall.dev/approved-by=erin"], Some("setting rollcall.dev/approve needs the verb approve on syncpolicies, which erin does not have here: ask somebody who has the ClusterRole rollcall-approver"))]
#[case::an_editor_as_another("erin", &[APPROVE, "rollcall.dev/approved-by=ada"], Some("needs the verb approve on syncpolicies"))]
#[case::an_approver_as_another("ada", &[APPROVE, "rollcall.dev/approved-by=erin"], Some("an approval must contain the name of the user who sets it: set rollcall.dev/approved-by to ada"))]
#[case::nobody("ada", &[APPROVE], Some("set rollcall.dev/approved-by to ada"))]
#[case::a_name_alone("ada", &["rollcall.dev/approved-by=ada"], Some("rollcall.dev/approved-by alone approves nothing: set it together with rollcall.dev/approve, or set neither"))]
#[case::anothers_name_alone("erin", &["rollcall.dev/approved-by=ada"], Some("alone approves nothing"))]
#[case::anything_else("erin", &["rollcall.dev/sync-requested-at=now"], None)]
fn an_approval_is_given(#[case] user: &str, #[case] annotations: &[&str], #[case] refused: Option<&str>) {
    let namespace = company();
    let arguments = [&["annotate", "syncpol", "staff"], annotations].concat();
    let ran =
        if user == "admin" { namespace.kubectl(&arguments) } else { namespace.as_user(user).run(&arguments) };
    match refused {
        None => drop(ran.exits(0)),
        Some(words) => drop(ran.exits(1).says(words)),
    }
}

/// What restores objects need not be who may approve: the operator takes no approval that comes with an object.
#[test]
fn an_object_that_was_approved_once_can_be_made_again() {
    let namespace = company();
    let approved = "name: other, annotations: { rollcall.dev/approve: x, rollcall.dev/approved-by: ada }";
    let other = POLICY.replace("name: staff", approved);
    let create = ["create", "-f", "-"];
    namespace.as_user("erin").with_input(&create, &other).exits(0);
    // It is no way to give one.
    let annotate = ["annotate", "--overwrite", "syncpol", "other"];
    let again = [&annotate[..], &["rollcall.dev/approve=y", "rollcall.dev/approved-by=erin"]].concat();
    namespace.as_user("erin").run(&again).exits(1).says("needs the verb approve");
    namespace.as_user("erin").run(&[&annotate[..], &["rollcall.dev/approve-"]].concat()).exits(0);
}

/// As Flux and Argo CD do it: by server-side apply, under the name of their own account.
#[test]
fn an_approval_may_come_from_git_by_an_account_that_may_approve() {
    let namespace = company();
    let account = "system:serviceaccount:flux-system:approvals";
    for (of, role) in [("edits", "rollcall-editor"), ("approves", "rollcall-approver")] {
        let (role, who) = (format!("--clusterrole={role}"), format!("--user={account}"));
        namespace.kubectl(&["create", "rolebinding", of, &role, &who]).exits(0);
    }
    let flux = namespace.as_user(account);
    eventually(PATIENCE, "the rights count", || {
        (flux.run(&["auth", "can-i", "approve", "syncpolicies.rollcall.dev"]).code == 0).then_some(())
    });
    let approved = |by: &str| {
        let annotations = format!(
            "name: staff, annotations: {{ rollcall.dev/approve: x, rollcall.dev/approved-by: {by} }}"
        );
        POLICY.replace("name: staff", &annotations)
    };
    let apply = ["apply", "--server-side", "--field-manager=flux", "--force-conflicts", "-f", "-"];
    flux.with_input(&apply, &approved("ada")).exits(1).says(&format!("approved-by to {account}"));
    flux.with_input(&apply, &approved(&format!("\"{account}\""))).exits(0);
    // To apply the same again asks nobody.
    flux.with_input(&apply, &approved(&format!("\"{account}\""))).exits(0);
}

#[test]
fn an_approval_that_stands_hinders_nobody_and_can_be_taken_away_by_any_editor() {
    let namespace = company();
    let (ada, erin) = (namespace.as_user("ada"), namespace.as_user("erin"));
    let annotate = ["annotate", "--overwrite", "syncpol", "staff"];
    ada.run(&[&annotate[..], &[APPROVE, "rollcall.dev/approved-by=ada"]].concat()).exits(0);
    erin.run(&["label", "syncpol", "staff", "team=identity"]).exits(0);
    erin.run(&["patch", "syncpol", "staff", "--type=merge", "-p", r#"{ "spec": { "suspend": true } }"#])
        .exits(0);
    erin.apply(&POLICY.replace("24h", "48h")).exits(0);
    let erins = |annotation: &str| erin.run(&[&annotate[..], &[annotation]].concat());
    erins("rollcall.dev/approve=sha256:2").exits(1).says("needs the verb approve");
    erins("rollcall.dev/approved-by=erin").exits(1).says("needs the verb approve");
    // An approval by nobody is one by whoever takes the name away.
    erins("rollcall.dev/approved-by-").exits(1).says("needs the verb approve");
    erins("rollcall.dev/approve-").exits(0);
    // The name that is left is no start for the next one.
    ada.run(&[&annotate[..], &["rollcall.dev/approve=sha256:2", "rollcall.dev/approved-by=erin"]].concat())
        .exits(1);
    erins("rollcall.dev/approved-by-").exits(0);
}

#[test]
fn what_is_held_is_not_let_go_by_a_policy_made_anew() {
    let namespace = company();
    namespace.bind("ada", "rollcall-editor");
    let erin = namespace.as_user("erin");
    hold(&namespace);
    let delete = ["delete", "syncpol", "staff"];
    let held = |words: &'static str| {
        eventually(PATIENCE, "deletions are guarded", || {
            let ran = erin.run(&["delete", "--dry-run=server", "syncpol", "staff"]);
            (ran.code != 0).then(|| ran.says(words))
        });
    };
    held("deleting the policy needs the verb approve on syncpolicies, which erin does not have here");
    erin.run(&["delete", "syncpol", "--all"]).exits(1).says("set spec.suspend instead");
    // What Kubernetes itself does when a whole namespace goes.
    let namespaces = "system:serviceaccount:kube-system:namespace-controller";
    namespace.bind(namespaces, "rollcall-editor");
    namespace.as_user(namespaces).run(&["delete", "--dry-run=server", "syncpol", "staff"]).exits(0);
    namespace.as_user("ada").run(&delete).exits(0);
    // Where nothing is held, to edit is enough.
    namespace.apply(POLICY);
    erin.run(&delete).exits(0);
}

/// Each lets more go than before.
const RAISED: &[&str] = &[
    r#"{ "userRemovals": { "count": 11 } }"#,
    r#"{ "userRemovals": { "percent": 4 } }"#,
    r#"{ "groupRemovals": { "count": 11 } }"#,
    r#"{ "groupRemovals": { "percent": 4 } }"#,
    r#"{ "memberRemovals": { "count": 11 } }"#,
    r#"{ "memberRemovals": { "percent": 4 } }"#,
    r#"{ "memberRemovalsPerGroup": { "percent": 4 } }"#,
    r#"{ "memberRemovalsPerGroup": { "minimumSize": 6 } }"#,
    r#"{ "identifierChanges": { "count": 11 } }"#,
    r#"{ "identifierChanges": { "percent": 4 } }"#,
    r#"{ "disables": { "count": 11 } }"#,
    r#"{ "disables": { "percent": 4 } }"#,
    r#"{ "quarantined": { "count": 11 } }"#,
    r#"{ "quarantined": { "percent": 2 } }"#,
    r#"{ "window": "23h59m" }"#,
    r#"{ "onExceed": "HoldRemovals" }"#,
    // The defaults are higher.
    r#"{ "userRemovals": null }"#,
    // One down, one up.
    r#"{ "userRemovals": { "count": 9 }, "disables": { "count": 11 } }"#,
];

/// Each lets as much go as before, or less.
const LOWERED: &[&str] = &[
    r#"{ "userRemovals": { "count": 9, "percent": 2 } }"#,
    r#"{ "memberRemovalsPerGroup": { "percent": 2, "minimumSize": 4 } }"#,
    r#"{ "quarantined": { "count": 0, "percent": 0 } }"#,
    r#"{ "window": "1440m" }"#,
    r#"{ "window": "25h" }"#,
];

#[test]
fn limits_are_raised_only_by_who_may_approve() {
    let namespace = company();
    let patch = |user: &str, limits: &str| {
        let limits = format!(r#"{{ "spec": {{ "limits": {limits} }} }}"#);
        namespace.as_user(user).run(&[
            "patch",
            "syncpol",
            "staff",
            "--dry-run=server",
            "--type=merge",
            "-p",
            &limits,
        ])
    };
    // To raise them before anything is held is an approval in advance.
    for limits in RAISED {
        patch("erin", limits).exits(1);
    }
    for limits in LOWERED {
        patch("erin", limits).exits(0);
    }
    hold(&namespace);
    for limits in RAISED {
        patch("erin", limits).exits(1).says(
            "raising limits needs the verb approve on syncpolicies, which erin does \
             not have here: leave spec.limits unchanged, or ask somebody who has the ClusterRole rollcall-approver",
        );
        patch("ada", limits).exits(0);
    }
    for limits in LOWERED {
        patch("erin", limits).exits(0);
    }
}

#[test]
fn the_operator_cannot_approve() {
    let namespace = company();
    namespace.install_operator(&[&namespace]);
    let name = format!("system:serviceaccount:{}:rollcall", namespace.name());
    let operator = namespace.as_user(&name);
    let approved_by = format!("rollcall.dev/approved-by={name}");
    operator.run(&["annotate", "syncpol", "staff", APPROVE, &approved_by]).exits(1).says("cannot patch");
    // By way of the status nothing but the status changes.
    let both = "{ apiVersion: rollcall.dev/v1alpha1, kind: SyncPolicy, metadata: { name: staff, annotations: { \
        rollcall.dev/approve: x } }, status: { observedGeneration: 1 } }";
    operator.with_input(&["apply", "--server-side", "--subresource=status", "-f", "-"], both).exits(0);
    let policy = namespace.get("syncpol", "staff");
    assert_eq!(policy["status"]["observedGeneration"], 1);
    assert_eq!(policy["metadata"]["annotations"]["rollcall.dev/approve"], serde_json::Value::Null);
    // Nor if somebody lets it edit.
    namespace.bind(&name, "rollcall-editor");
    eventually(PATIENCE, "the rights count", || {
        let ran = operator.run(&["annotate", "syncpol", "staff", APPROVE, &approved_by]);
        ran.exits(1).err.contains("needs the verb approve").then_some(())
    });
}

#[rstest]
#[case::viewer("rollcall-viewer", &["get", "list", "watch"])]
#[case::editor("rollcall-editor", &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"])]
#[case::approver("rollcall-approver", &["get", "list", "watch", "patch", "approve"])]
fn a_role_allows_what_it_is_for(#[case] role: &str, #[case] expected: &[&str]) {
    let namespace = Cluster::shared().namespace();
    namespace.bind("vera", role);
    let verbs =
        ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "approve"];
    let may = |what: &str| -> Vec<&str> {
        verbs.into_iter().filter(|verb| can("vera", &namespace, verb, what)).collect()
    };
    assert_eq!(may("syncpolicies.rollcall.dev"), expected);
    // There is nothing to approve of a connector.
    let of_connectors: Vec<&str> = match role {
        "rollcall-approver" => vec!["get", "list", "watch"],
        _ => expected.to_vec(),
    };
    assert_eq!(may("directoryconnectors.rollcall.dev"), of_connectors);
    assert_eq!(may("syncpolicies.rollcall.dev/status"), [""; 0]);
    assert_eq!(may("secrets"), [""; 0]);
}

/// A control plane's controller unites the roles of a label; here somebody is given each of them.
#[rstest]
#[case::view("view", true, false, false)]
#[case::edit("edit", true, true, false)]
#[case::admin("admin", true, true, true)]
fn the_standard_roles_bring_ours(
    #[case] role: &str,
    #[case] see: bool,
    #[case] edit: bool,
    #[case] approve: bool,
) {
    let namespace = Cluster::shared().namespace();
    // edit has view, and admin has edit, by these labels.
    let labels = ["view", "edit", "admin"];
    let upto = labels.iter().position(|label| *label == role).unwrap();
    for label in &labels[..=upto] {
        let label = format!("rbac.authorization.k8s.io/aggregate-to-{label}=true");
        let of_label = namespace.kubectl(&["get", "clusterroles", "-l", &label, "-o", "name"]).exits(0);
        let ours = of_label
            .out
            .lines()
            .filter_map(|name| name.split('/').nth(1))
            .filter(|name| !["view", "edit"].contains(name));
        for ours in ours {
            let (name, given) = (format!("vera-{role}-{ours}"), format!("--clusterrole={ours}"));
            namespace.kubectl(&["create", "rolebinding", &name, &given, "--user=vera"]).exits(0);
        }
    }
    let what = "syncpolicies.rollcall.dev";
    eventually(PATIENCE, "the rights count", || {
        let may = |verb| can("vera", &namespace, verb, what);
        ((may("get"), may("update"), may("approve")) == (see, edit, approve)).then_some(())
    });
}

#[rstest]
#[case("get", "syncpolicies.rollcall.dev", true)]
#[case("watch", "directoryconnectors.rollcall.dev", true)]
#[case("patch", "syncpolicies.rollcall.dev/status", true)]
#[case("patch", "directoryconnectors.rollcall.dev/status", true)]
#[case("update", "syncpolicies.rollcall.dev/status", false)]
#[case("patch", "syncpolicies.rollcall.dev", false)]
#[case("create", "syncpolicies.rollcall.dev", false)]
#[case("approve", "syncpolicies.rollcall.dev", false)]
#[case("list", "secrets", true)]
#[case("watch", "configmaps", true)]
#[case("create", "secrets", false)]
#[case("patch", "configmaps", false)]
#[case("create", "events.events.k8s.io", true)]
#[case("patch", "events.events.k8s.io", true)]
#[case("delete", "events.events.k8s.io", false)]
#[case("create", "leases.coordination.k8s.io", true)]
#[case("update", "leases.coordination.k8s.io/rollcall", true)]
#[case("update", "leases.coordination.k8s.io/other", false)]
#[case("delete", "leases.coordination.k8s.io/rollcall", false)]
#[case("get", "pods", false)]
#[case("impersonate", "serviceaccounts", false)]
fn the_operator_may_do_what_it_must(#[case] verb: &str, #[case] what: &str, #[case] may: bool) {
    static HOMES: std::sync::LazyLock<[Namespace<'static>; 2]> = std::sync::LazyLock::new(|| {
        let [home, elsewhere] = [Cluster::shared().namespace(), Cluster::shared().namespace()];
        home.install_operator(&[&home]);
        [home, elsewhere]
    });
    let [home, elsewhere] = &*HOMES;
    let operator = format!("system:serviceaccount:{}:rollcall", home.name());
    assert_eq!(can(&operator, home, verb, what), may);
    assert!(!can(&operator, elsewhere, verb, what), "in a namespace that it does not watch");
}

/// Whether `user` may; `what` is a resource, with a subresource (`/status`) or a name behind it.
fn can(user: &str, namespace: &Namespace<'_>, verb: &str, what: &str) -> bool {
    let (what, part) = what.strip_suffix("/status").map_or((what, ""), |what| (what, "--subresource=status"));
    let mut arguments = vec!["auth", "can-i", verb, what];
    arguments.extend(Some(part).filter(|part| !part.is_empty()));
    let ran = namespace.as_user(user).run(&arguments);
    assert!(["yes", "no"].contains(&ran.out.trim()), "{}", ran.said());
    ran.code == 0
}
