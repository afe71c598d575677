//! The chart: what helm makes of each example of values, and what an apiserver and Prometheus say of that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use rstest::rstest;
use serde::Deserialize as _;
use serde_json::Value;

use crate::support::chart::{chart, examples, helm, render};
use crate::support::cli::Ran;
use crate::support::cluster::{Cluster, repository};

/// The objects in this text.
fn objects(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text).map(|one| Value::deserialize(one).unwrap()).collect()
}

fn with(values: &std::path::Path) -> [&str; 2] {
    ["--values", values.to_str().unwrap()]
}

#[test]
fn the_version_is_that_of_the_program() {
    let text = fs::read_to_string(chart().join("Chart.yaml")).unwrap();
    let chart: Value = serde_yaml::from_str(&text).unwrap();
    for field in ["version", "appVersion"] {
        assert_eq!(
            chart[field],
            env!("CARGO_PKG_VERSION"),
            "{field} of Chart.yaml is not that of Cargo.toml"
        );
    }
}

#[test]
fn helm_finds_nothing_wrong() {
    for values in examples() {
        let chart = chart();
        let [flag, values] = with(&values);
        helm(&["lint", "--strict", chart.to_str().unwrap(), flag, values]).exits(0);
    }
}

#[test]
fn each_value_that_the_schema_has_stands_with_its_default() {
    fn compare(path: &str, schema: &Value, values: &Value) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            // Helm itself gives it to charts that are parts of others.
            if path != ".global" {
                assert!(!values[name].is_null(), "values.yaml has no {path}");
                compare(&path, field, &values[name]);
            }
        }
    }
    let read = |name: &str| fs::read_to_string(chart().join(name)).unwrap();
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    let values: Value = serde_yaml::from_str(&read("values.yaml")).unwrap();
    compare("", &schema, &values);
}

#[test]
fn the_apiserver_takes_all_of_it() {
    let cluster = Cluster::shared();
    for namespace in ["identity", "partners", "rollcall"] {
        cluster.kubectl(&["create", "namespace", namespace]).exits(0);
    }
    for values in examples() {
        let rendered = render(&with(&values));
        // These kinds are the Prometheus operator's and the Gateway API's, which are not there.
        let theirs =
            ["servicemonitor.yaml", "rules.yaml", "httproute.yaml", "consentroute.yaml", "enginesroute.yaml"];
        let ours = rendered.into_iter().filter(|(file, _)| !theirs.contains(&&**file));
        // One `kubectl apply` takes objects of one namespace only.
        let mut by_namespace: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for object in ours.flat_map(|(_, text)| objects(&text)) {
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default").to_owned();
            by_namespace.entry(namespace).or_default().push(object.to_string());
        }
        for (namespace, objects) in by_namespace {
            let arguments = ["apply", "--dry-run=server", "--validate=strict", "-f", "-"];
            let ran = cluster.admin(&namespace).with_input(&arguments, &objects.join("\n---\n"));
            assert_eq!(ran.code, 0, "{}: {}", values.display(), ran.said());
        }
    }
}

#[test]
fn everything_says_where_it_is() {
    const EVERYWHERE: [&str; 5] = [
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ];
    for values in examples() {
        for object in render(&with(&values)).values().flat_map(|text| objects(text)) {
            let kind = object["kind"].as_str().unwrap();
            let told = object["metadata"]["namespace"].is_string();
            assert_ne!(told, EVERYWHERE.contains(&kind), "{}: {}", values.display(), object["metadata"]);
            for subject in object["subjects"].as_array().into_iter().flatten() {
                // A group is everywhere.
                let expected = if subject["kind"] == "Group" { Value::Null } else { "rollcall".into() };
                assert_eq!(subject["namespace"], expected, "{object}");
            }
        }
    }
}

#[test]
fn what_is_given_for_the_pod_arrives_there() {
    let rendered = render(&with(&chart().join("ci/production.yaml")));
    let set = &objects(&rendered["statefulset.yaml"])[0];
    let pod = &set["spec"]["template"]["spec"];
    assert_eq!(
        (&pod["dnsPolicy"], &pod["dnsConfig"]["searches"][0]),
        (&"None".into(), &"corp.example".into())
    );
    assert_eq!(pod["hostAliases"][0]["ip"], "10.0.0.7");
    let named = |list: &Value| {
        list.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(named(&pod["volumes"]), ["data", "tmp", "ca", "more"]);
    assert_eq!(named(&pod["containers"][0]["volumeMounts"]), ["data", "tmp", "ca", "more"]);
    let labels = |object: &Value| object["metadata"]["labels"]["corp.example/cost-centre"].clone();
    assert_eq!(labels(&set["spec"]["template"]), "4711");
    for (file, text) in rendered.iter().filter(|(file, _)| !file.starts_with("crd-")) {
        for object in objects(text) {
            let once = object["metadata"]["name"].as_str().unwrap().starts_with("rollcall-")
                && object["metadata"]["namespace"].is_null();
            assert!(once || labels(&object) == "4711", "{file}: {}", object["metadata"]);
        }
    }
    let monitor = &objects(&rendered["servicemonitor.yaml"])[0]["spec"]["endpoints"][0];
    assert_eq!(monitor["metricRelabelings"][0]["action"], "drop");
    assert_eq!(monitor["relabelings"][0]["targetLabel"], "cluster");
}

#[test]
fn a_gateway_leads_to_the_registry() {
    let rendered = render(&with(&chart().join("ci/gateway.yaml")));
    let route = &objects(&rendered["httproute.yaml"])[0]["spec"];
    assert_eq!(route["parentRefs"][0]["name"], "public");
    assert_eq!(route["rules"][0]["filters"][0]["type"], "ResponseHeaderModifier");
    let to = &route["rules"][0]["backendRefs"][0];
    let service = &objects(&rendered["service.yaml"])[0];
    assert_eq!(to["name"], service["metadata"]["name"]);
    assert_eq!(to["port"], service["spec"]["ports"][0]["port"]);
    assert!(rendered["statefulset.yaml"].contains("https://scim.corp.example"));
}

#[test]
fn browsers_reach_the_pages_of_consent_only_where_that_is_said() {
    let rendered = render(&[]);
    for file in ["statefulset.yaml", "service.yaml", "networkpolicy.yaml"] {
        assert!(!rendered[file].contains("consent"), "{file}");
    }
    for (values, file) in [("ci/gateway.yaml", "consentroute.yaml"), ("ci/production.yaml", "consent.yaml")] {
        let rendered = render(&with(&chart().join(values)));
        let services = objects(&rendered["service.yaml"]);
        let service = services.iter().find(|it| it["metadata"]["name"] == "rollcall-consent").unwrap();
        assert!(rendered[file].contains("rollcall-consent") && rendered[file].contains("/consent/"));
        assert_eq!(service["spec"]["ports"][0]["targetPort"], "consent");
        let pod = &objects(&rendered["statefulset.yaml"])[0]["spec"]["template"]["spec"]["containers"][0];
        let port = pod["ports"].as_array().unwrap().iter().find(|it| it["name"] == "consent").unwrap();
        assert_eq!(port["containerPort"], 8083);
        assert!(rendered["statefulset.yaml"].contains("https://rollcall.corp.example"));
        assert!(rendered["networkpolicy.yaml"].contains("port: consent"));
    }
}

#[test]
fn engines_reach_the_gateway_only_where_that_is_said_and_the_operator_writes_secrets_only_then() {
    let rendered = render(&[]);
    for file in ["statefulset.yaml", "service.yaml", "networkpolicy.yaml"] {
        assert!(!rendered[file].to_lowercase().contains("engine"), "{file}");
    }
    let writes = |rendered: &str| rendered.contains("verbs: [create, update]");
    assert!(!writes(&rendered["watched.yaml"]));
    for (values, file) in [("ci/gateway.yaml", "enginesroute.yaml"), ("ci/production.yaml", "engines.yaml")] {
        let rendered = render(&with(&chart().join(values)));
        assert!(writes(&rendered["watched.yaml"]), "{values}");
        let services = objects(&rendered["service.yaml"]);
        let service = services.iter().find(|it| it["metadata"]["name"] == "rollcall-engines").unwrap();
        assert!(rendered[file].contains("rollcall-engines") && rendered[file].contains("/v1/"));
        assert_eq!(service["spec"]["ports"][0]["targetPort"], "engines");
        let pod = &objects(&rendered["statefulset.yaml"])[0]["spec"]["template"]["spec"]["containers"][0];
        let port = pod["ports"].as_array().unwrap().iter().find(|it| it["name"] == "engines").unwrap();
        assert_eq!(port["containerPort"], 8444);
        assert!(rendered["statefulset.yaml"].contains("https://engines.corp.example"));
        assert!(rendered["networkpolicy.yaml"].contains("port: engines"));
    }
    let rendered = render(&with(&chart().join("ci/production.yaml")));
    assert!(
        rendered["rbac.yaml"].contains("engines-tls")
            && rendered["statefulset.yaml"].contains("ROLLCALL_GATEWAY_TLS_SECRET")
    );
}

#[rstest]
#[case::microsoft("workloadIdentity", "azure")]
#[case::google("googleWorkloadIdentity", "google")]
fn a_pods_token_is_mounted_where_connectors_expect_it(#[case] value: &str, #[case] of: &str) {
    let [enabled, audience] = ["enabled=true", "audience=api://x"].map(|set| format!("{value}.{set}"));
    let rendered = render(&["--set", &enabled, "--set", &audience]);
    let pod = &objects(&rendered["statefulset.yaml"])[0]["spec"]["template"]["spec"];
    let file = format!("{of}-identity-token");
    let named = |list: &Value| {
        let mut all = list.as_array().unwrap().iter();
        all.find(|it| it["name"] == *file).unwrap().clone()
    };
    let token = named(&pod["volumes"])["projected"]["sources"][0]["serviceAccountToken"].clone();
    assert_eq!((&token["audience"], &token["path"]), (&"api://x".into(), &file.as_str().into()));
    let mount = named(&pod["containers"][0]["volumeMounts"]);
    assert_eq!(mount["mountPath"], format!("/var/run/secrets/{of}/tokens"));
}

#[rstest]
#[case::nothing_said(&[], &["rollcall"])]
#[case::named(&["--set", "watchNamespaces={identity,rollcall}"], &["identity", "rollcall"])]
fn the_operator_has_rights_where_it_watches_and_nowhere_else(
    #[case] arguments: &[&str],
    #[case] expected: &[&str],
) {
    let rendered = render(arguments);
    let watched = objects(&rendered["watched.yaml"]);
    for kind in ["Role", "RoleBinding"] {
        let of_kind = watched.iter().filter(|object| object["kind"] == kind);
        let namespaces: BTreeSet<&str> =
            of_kind.map(|object| object["metadata"]["namespace"].as_str().unwrap_or("rollcall")).collect();
        assert_eq!(namespaces, expected.iter().copied().collect());
    }
    let cluster_wide =
        objects(&rendered["watched.yaml"]).iter().any(|object| object["kind"] == "ClusterRole");
    assert!(!cluster_wide);
}

#[test]
fn all_namespaces_are_watched_only_when_that_is_said() {
    let rendered = render(&["--set", "watchAllNamespaces=true"]);
    let kinds: Vec<String> =
        objects(&rendered["watched.yaml"]).iter().map(|object| object["kind"].to_string()).collect();
    assert_eq!(kinds, ["\"ClusterRole\"", "\"ClusterRoleBinding\""]);
    assert!(rendered["statefulset.yaml"].contains("ROLLCALL_ALL_NAMESPACES"));
}

/// Releases of one name in two namespaces may watch the same one.
#[test]
fn what_stands_in_a_foreign_namespace_has_a_name_of_its_own() {
    let rendered = render(&["--set", "watchNamespaces={rollcall,tenant}"]);
    let watched = objects(&rendered["watched.yaml"]);
    let named = |object: &Value| {
        let of = |field: &str| object["metadata"][field].as_str().unwrap().to_owned();
        format!("{} {}/{}", object["kind"].as_str().unwrap(), of("namespace"), of("name"))
    };
    let expected = [
        "Role rollcall/rollcall",
        "Role tenant/rollcall:rollcall",
        "RoleBinding rollcall/rollcall",
        "RoleBinding tenant/rollcall:rollcall",
    ];
    assert_eq!(watched.iter().map(named).collect::<Vec<_>>(), expected);
    assert_eq!(watched[3]["roleRef"]["name"], "rollcall:rollcall");
}

#[test]
fn what_is_chosen_by_label_is_bound_by_whoever_labels_it() {
    let rendered = render(&with(&chart().join("ci/tenants.yaml")));
    let watched = objects(&rendered["watched.yaml"]);
    let named = |object: &Value| {
        format!("{} {}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
    };
    let role = "ClusterRole rollcall:rollcall";
    let expected = [role, &format!("{role}:watched"), "ClusterRoleBinding rollcall:rollcall"];
    assert_eq!(watched.iter().map(named).collect::<Vec<_>>(), expected);
    assert_eq!(watched[0]["rules"].as_array().unwrap().len(), 1);
    assert_eq!(watched[0]["rules"][0]["resources"], serde_json::json!(["namespaces"]));
    assert!(rendered["statefulset.yaml"].contains("ROLLCALL_WATCH_NAMESPACE_SELECTOR"));
    assert!(!rendered["statefulset.yaml"].contains("ROLLCALL_WATCH_NAMESPACES"));
}

#[rstest]
#[case::all_and_chosen(&["watchAllNamespaces=true", "watchNamespaceSelector=a"], "watchNamespaceSelector excludes")]
#[case::both(&["watchAllNamespaces=true", "watchNamespaces={a}"], "exclude each other")]
#[case::no_host(&["ingress.enabled=true"], "ingress.host: name the host")]
#[case::no_certificate(&["ingress.enabled=true", "ingress.host=a"], "ingress.tlsSecret: name the Secret")]
#[case::no_gateway(&["httpRoute.enabled=true", "httpRoute.host=a"], "httpRoute.parentRefs: name the Gateway")]
#[case::no_name(&["httpRoute.enabled=true", "httpRoute.parentRefs[0].name=a"], "httpRoute.host: name the host")]
#[case::no_consent_host(&["consent.ingress.enabled=true"], "consent.ingress.host: name the host")]
#[case::no_consent_certificate(
    &["consent.ingress.enabled=true", "consent.ingress.host=a"],
    "consent.ingress.tlsSecret: name the Secret"
)]
#[case::no_consent_gateway(&["consent.httpRoute.enabled=true"], "consent.httpRoute.parentRefs: name the Gateway")]
#[case::no_engines_host(&["engineGateway.ingress.enabled=true"], "engineGateway.ingress.host: name the host")]
#[case::no_engines_certificate(
    &["engineGateway.ingress.enabled=true", "engineGateway.ingress.host=a"],
    "engineGateway.ingress.tlsSecret: name the Secret"
)]
#[case::no_engines_gateway(&["engineGateway.httpRoute.enabled=true"], "engineGateway.httpRoute.parentRefs: name the Gateway")]
#[case::insecure_engines(&["engineGateway.externalUrl=http://a"], "externalUrl")]
#[case::insecure_consent(&["consent.externalUrl=http://a"], "externalUrl")]
#[case::unknown(&["watchNamespace={a}"], "watchNamespace")]
#[case::no_digest(&["image.digest=latest"], "digest")]
fn helm_refuses_what_cannot_work(#[case] values: &[&str], #[case] says: &str) {
    let chart = chart();
    let mut arguments = vec!["template", "rollcall", chart.to_str().unwrap()];
    for value in values {
        arguments.extend(["--set", value]);
    }
    let ran = helm(&arguments);
    assert_ne!(ran.code, 0);
    ran.says(says);
}

#[test]
fn every_alert_fires_when_it_should_and_has_a_section_that_says_what_to_do() {
    let rendered = render(&["--set", "metrics.rules.enabled=true"]);
    let rules = &objects(&rendered["rules.yaml"])[0]["spec"];
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yaml"), serde_yaml::to_string(rules).unwrap()).unwrap();
    let tests = fs::read_to_string(repository("tests/alerts.yaml")).unwrap();
    let file = folder.path().join("alerts.yaml");
    fs::write(&file, &tests).unwrap();
    let output = Command::new("promtool").args(["test", "rules"]).arg(&file).output();
    let output = output.expect("promtool is missing: `make test` installs Debian's package prometheus");
    Ran::of(&output).exits(0);

    let page = fs::read_to_string(repository("docs/alerts.md")).unwrap();
    for alert in rules["groups"][0]["rules"].as_array().unwrap() {
        let name = alert["alert"].as_str().unwrap();
        assert!(tests.contains(&format!("alertname: {name}\n")), "tests/alerts.yaml does not test {name}");
        let link = alert["annotations"]["runbook_url"].as_str().unwrap();
        assert_eq!(link, format!("docs/alerts.md#{}", name.to_lowercase()));
        assert!(page.contains(&format!("\n## {name}\n")), "docs/alerts.md has no section {name}");
    }
}

#[test]
fn the_dashboard_shows_metrics_that_there_are() {
    let text = fs::read_to_string(chart().join("files/dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let known = fs::read_to_string(repository("docs/reference/metrics.md")).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        let shown = panel["targets"][0]["expr"].as_str().unwrap();
        let names = shown.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let names: Vec<&str> = names
            .filter(|name| name.starts_with("rollcall_") || name.starts_with("process_"))
            .map(|name| name.trim_end_matches("_bucket"))
            .collect();
        assert!(!names.is_empty(), "{shown}");
        for name in names {
            assert!(known.contains(&format!("`{name}`")), "there is no metric {name}");
        }
    }
}
