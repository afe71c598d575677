//! The ways in which it is installed and taken away: what holds data stays.

use std::fs;

use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::support::chart::{chart, helm};
use crate::support::cluster::{Cluster, PATIENCE, repository};
use crate::support::process::eventually;

const POLICY: &str = "apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: { name: staff }\nspec:\n  \
    connectors: [{ name: corp }]\n  target: { registry: {} }\n";

#[test]
fn whoever_deletes_the_workload_deletes_no_data() {
    let cluster = Cluster::own();
    let rollcall = cluster.admin("rollcall");
    let folder = |name: &str| repository(name).display().to_string();
    for layer in ["deploy/data", "deploy"] {
        rollcall.run(&["apply", "-k", &folder(layer)]).exits(0);
    }
    let operator = rollcall.as_user("system:serviceaccount:rollcall:rollcall");
    eventually(PATIENCE, "the operator's rights count", || {
        let may = |verb, what| operator.run(&["auth", "can-i", verb, what]).code == 0;
        (may("list", "secrets") && may("update", "leases.coordination.k8s.io/rollcall")).then_some(())
    });
    rollcall.apply(POLICY).exits(0);
    rollcall.run(&["delete", "-k", &folder("deploy")]).exits(0).says("statefulset.apps \"rollcall\" deleted");
    for what in ["namespace/rollcall", "pvc/rollcall", "crd/syncpolicies.rollcall.dev", "syncpolicy/staff"] {
        let ran = rollcall.run(&["get", what, "-o", "jsonpath={.metadata.deletionTimestamp}"]).exits(0);
        assert_eq!(ran.out, "", "{what} is being deleted");
    }
    // Nothing of it is left that could act.
    assert_eq!(rollcall.run(&["get", "statefulset,role,rolebinding,lease", "-o", "name"]).exits(0).out, "");
    for layer in ["deploy/data", "deploy"] {
        rollcall.run(&["apply", "-k", &folder(layer)]).exits(0);
    }
}

/// The kinds and the roles are there already, from `kubectl`.
#[test]
fn a_release_takes_over_what_another_installer_made() {
    let cluster = Cluster::own();
    cluster.kubectl(&["create", "namespace", "rollcall"]).exits(0);
    cluster.admin("rollcall").apply(POLICY).exits(0);
    let (chart, kubeconfig) = (chart().display().to_string(), cluster.kubeconfig().display().to_string());
    let install = |more: &[&str]| {
        let mut arguments =
            vec!["install", "rollcall", &chart, "--namespace", "rollcall", "--kubeconfig", &kubeconfig];
        arguments.extend(more);
        helm(&arguments)
    };
    let refused = install(&[]);
    assert_ne!(refused.code, 0);
    refused.says("cannot be imported into the current release");
    // Fields that another manager has applied are not overwritten either, unless that is said (Helm 4).
    install(&["--take-ownership", "--force-conflicts"]).exits(0);
    let owner = "jsonpath={.metadata.annotations.meta\\.helm\\.sh/release-name}";
    let ran = cluster.kubectl(&["get", "crd", "syncpolicies.rollcall.dev", "-o", owner]).exits(0);
    assert_eq!(ran.out, "rollcall");
    // From now on it is as if the release had made them.
    helm(&["uninstall", "rollcall", "--namespace", "rollcall", "--kubeconfig", &kubeconfig]).exits(0);
    for what in ["pvc/rollcall", "crd/syncpolicies.rollcall.dev", "syncpolicy/staff"] {
        cluster.admin("rollcall").run(&["get", what]).exits(0);
    }
}

/// As whoever has a Kustomization of their own does it.
#[test]
fn all_of_it_goes_to_the_namespace_that_a_kustomization_names() {
    let namespace = Cluster::shared().namespace();
    let folder = tempfile::tempdir().unwrap();
    let up = "../".repeat(folder.path().canonicalize().unwrap().components().count() - 1);
    let layers = ["deploy/data", "deploy"].map(|layer| format!("{up}.{}", repository(layer).display()));
    let kustomization = json!({ "namespace": namespace.name(), "resources": layers }).to_string();
    fs::write(folder.path().join("kustomization.yaml"), kustomization).unwrap();
    let rendered = namespace.kubectl(&["kustomize", &folder.path().display().to_string()]).exits(0).out;
    let mut here = 0;
    for document in serde_yaml::Deserializer::from_str(&rendered) {
        let object = Value::deserialize(document).unwrap();
        let metadata = &object["metadata"];
        if object["kind"] == "Namespace" {
            assert_eq!(metadata["name"], namespace.name());
            continue;
        }
        for told in [&metadata["namespace"]]
            .into_iter()
            .chain(object["subjects"].as_array().into_iter().flatten().map(|subject| &subject["namespace"]))
        {
            assert!(told.is_null() || *told == namespace.name(), "{object}");
            here += usize::from(!told.is_null());
        }
    }
    assert!(here > 10, "{rendered}");
    namespace
        .cluster()
        .admin(namespace.name())
        .with_input(&["apply", "--dry-run=server", "-f", "-"], &rendered)
        .exits(0);
}
