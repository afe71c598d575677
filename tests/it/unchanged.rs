//! What is applied again as it is changes nothing, and nothing says that it did: GitOps tools would see a difference for ever.

use std::fs;

use serde_json::Value;

use crate::support::cluster::{Cluster, repository};
use crate::support::kubectl::Kubectl;
use crate::support::namespace::Namespace;

/// Every file of examples that is for a cluster.
const EXAMPLES: [&str; 4] =
    ["active-directory.yaml", "ldap.yaml", "cluster/connector.yaml", "cluster/policy.yaml"];

/// What has a default within the items of a list, or comes near one; and what is said in other words than it is kept.
const MORE: &str = "
apiVersion: rollcall.dev/v1alpha1
kind: SyncPolicy
metadata: { name: little }
spec:
  connectors: [{ name: corp }]
  target: { registry: {} }
  users: { leavers: [{ do: Disable }, { after: 1h, do: Delete }] }
---
apiVersion: rollcall.dev/v1alpha1
kind: SyncPolicy
metadata: { name: much }
spec:
  connectors: [{ name: corp, maxAge: 1440m }]
  target: { registry: { tokenSecretRef: { name: staff, key: token } } }
  schedule: { cron: [\"0 8 * * *\", \"0 20 * * *\"] }
  users:
    emailDomains: [corp.example, corp.test]
    mailboxes: { shared: Exclude }
    leavers: [{ after: 0s, do: Disable }, { after: 720h, do: Delete }]
    protected: [helpdesk@corp.example]
    attributes: { title: user.title }
  groups: { include: [\"app-*\"], exclude: [\"app-x\"], vanished: { do: Empty } }
  limits: { userRemovals: { count: 50 } }
  suspend: true
---
apiVersion: rollcall.dev/v1alpha1
kind: DirectoryConnector
metadata: { name: little }
spec: { ldif: { configMapKeyRef: { name: people, key: people.ldif } } }
---
apiVersion: rollcall.dev/v1alpha1
kind: DirectoryConnector
metadata: { name: much }
spec:
  activeDirectory:
    urls: [\"ldaps://a.corp.example\", \"ldaps://b.corp.example\"]
    tls: { caRef: { name: ca } }
    credentialsSecretRef: { name: reader }
    baseDNs: [\"dc=corp,dc=example\"]
    excludeDNs: [\"ou=old,dc=corp,dc=example\"]
  interval: 1h
";

/// Everything that is applied, in this namespace.
fn all(namespace: &Namespace<'_>) -> Vec<String> {
    let file = |name: &str| fs::read_to_string(repository(&format!("examples/{name}"))).unwrap();
    let all = EXAMPLES.iter().map(|name| file(name)).chain([MORE.to_owned()]);
    let here = format!("namespace: {} }}", namespace.name());
    all.map(|text| text.replace("namespace: identity }", &here).replace("namespace: rollcall }", &here))
        .collect()
}

/// Of a whole cluster, or of what is said.
fn kubectl<'n>(namespace: &'n Namespace<'_>) -> impl Fn(&[&str], &str) -> String + 'n {
    |arguments, input| namespace.cluster().admin(namespace.name()).with_input(arguments, input).exits(0).out
}

/// The version of each of our objects.
fn versions(namespace: &Namespace<'_>) -> Vec<(String, Value)> {
    let all =
        ["dirconn", "syncpol", "secret", "configmap"].map(|kind| namespace.all(kind)).into_iter().flatten();
    all.map(|(name, object)| (name, object["metadata"]["resourceVersion"].clone())).collect()
}

#[test]
fn what_is_applied_again_is_unchanged() {
    let namespace = Cluster::shared().namespace();
    let apply = kubectl(&namespace);
    for text in all(&namespace) {
        apply(&["apply", "-f", "-"], &text);
        let before = versions(&namespace);
        for _ in 0..2 {
            let said = apply(&["apply", "-f", "-"], &text);
            // What is in `stringData` cannot be read back, and so is always written: also as it is.
            let written = |line: &str| line.starts_with("secret/") && text.contains("stringData:");
            let changed = said.lines().filter(|line| !line.ends_with(" unchanged") && !written(line));
            assert_eq!(changed.collect::<Vec<_>>(), [""; 0], "{text}");
        }
        // Flux does so, and Argo CD if it is told to.
        apply(&["diff", "-f", "-"], &text);
        assert_eq!(versions(&namespace), before);
    }
}

#[test]
fn what_is_applied_again_by_the_server_is_unchanged() {
    let namespace = Cluster::shared().namespace();
    let apply = kubectl(&namespace);
    let by_server = ["apply", "--server-side", "--field-manager=gitops", "-f", "-"];
    for text in all(&namespace) {
        apply(&by_server, &text);
        // Nobody has looked at it yet: only now does the apiserver store the default of its status.
        apply(&by_server, &text);
        let before = versions(&namespace);
        apply(&by_server, &text);
        apply(&["diff", "--server-side", "--field-manager=gitops", "-f", "-"], &text);
        assert_eq!(versions(&namespace), before, "{text}");
    }
}

/// What fills something in does so in maps alone: a list is compared as a whole.
#[test]
fn no_item_of_a_list_has_a_default() {
    fn defaults(schema: &Value, within: bool, path: &str, found: &mut Vec<String>) {
        if within && !schema["default"].is_null() {
            found.push(path.to_owned());
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            defaults(field, within, &format!("{path}.{name}"), found);
        }
        for (inner, within) in [("items", true), ("additionalProperties", within)] {
            if schema[inner].is_object() {
                defaults(&schema[inner], within, &format!("{path}[]"), found);
            }
        }
    }
    for kind in ["directoryconnectors", "syncpolicies"] {
        let text = fs::read_to_string(repository(&format!("crds/{kind}.yaml"))).unwrap();
        let definition: Value = serde_yaml::from_str(&text).unwrap();
        let mut found = Vec::new();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        defaults(&schema["properties"]["spec"], false, kind, &mut found);
        assert_eq!(found, [""; 0]);
    }
}

#[test]
fn deploy_applied_twice_changes_nothing() {
    let cluster = Cluster::own();
    let folder = |name: &str| repository(name).display().to_string();
    let kubectl: Kubectl = cluster.admin("rollcall");
    kubectl.run(&["apply", "-k", &folder("deploy/data")]).exits(0);
    let layers = ["deploy/data", "deploy"];
    for layer in layers {
        kubectl.run(&["apply", "-k", &folder(layer)]).exits(0);
    }
    for layer in layers {
        let said = kubectl.run(&["apply", "-k", &folder(layer)]).exits(0).out;
        let changed: Vec<&str> = said.lines().filter(|line| !line.ends_with(" unchanged")).collect();
        assert_eq!(changed, [""; 0]);
        kubectl.run(&["diff", "-k", &folder(layer)]).exits(0);
    }
    let by_server = ["apply", "--server-side", "--force-conflicts", "--field-manager=gitops", "-k"];
    let versions = || {
        let kinds = "statefulset,service,role,rolebinding,networkpolicy,serviceaccount,pvc,namespace,\
                     validatingadmissionpolicy,validatingadmissionpolicybinding,clusterrole,clusterrolebinding";
        let path =
            "jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.resourceVersion}{\"\\n\"}{end}";
        kubectl.run(&["get", kinds, "-o", path]).exits(0).out
    };
    for layer in layers {
        kubectl.run(&[&by_server[..], &[&folder(layer)]].concat()).exits(0);
    }
    let before = versions();
    for layer in layers {
        kubectl.run(&[&by_server[..], &[&folder(layer)]].concat()).exits(0);
    }
    assert_eq!(versions(), before);
}
