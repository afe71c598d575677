//! An app that proves who it is by a token of a service account, which a real apiserver issues to the operator.

use rollcall::source::graph::Cloud;
use serde_json::{Value, json};

use crate::entra::manifests;
use crate::support::chart::render;
use crate::support::cluster::{Cluster, PATIENCE};
use crate::support::entra::Entra;
use crate::support::namespace::Namespace;
use crate::support::office::{in_step_with, is};
use crate::support::operator::Operator;
use crate::support::process::eventually;
use crate::support::proxy::Proxy;

/// The rights that the chart gives for this service account.
fn rights(namespace: &Namespace<'_>, account: &str) -> String {
    let of = json!([{ "namespace": namespace.name(), "names": [account] }]);
    let rendered = render(&["--set-json", &format!("workloadIdentity.serviceAccounts={of}")]);
    rendered["tokens.yaml"].replace("namespace: rollcall\n", &format!("namespace: {}\n", namespace.name()))
}

/// Reads now, and waits until it is said why that failed.
#[track_caller]
fn refused(namespace: &Namespace<'_>, why: &str) {
    let value = format!("rollcall.dev/sync-requested-at={}", uuid::Uuid::new_v4());
    namespace.annotate("dirconn", "entra", &value);
    namespace.until("dirconn", "entra", |it| {
        let all = it["status"]["conditions"].as_array();
        let is = |one: &&Value| one["type"] == "Authenticated" && one["status"] == "False";
        all.into_iter().flatten().find(is).is_some_and(|one| one["message"].as_str().unwrap().contains(why))
    });
}

/// The operator may have a token issued for that account and no other, and shows it to the cloud's own authority and nobody else.
#[test]
fn a_service_account_of_the_connectors_namespace_proves_the_app() {
    let cloud = Cloud::UsGovGccHigh;
    let entra = Entra::start();
    let namespace = Cluster::shared().namespace();
    {
        let mut inner = entra.inner();
        (inner.graph, inner.authority) = (cloud.graph().to_owned(), cloud.authority().to_owned());
        inner.tenant.user("ann", &json!({}));
    }
    let proxy = Proxy::to(entra.address);
    let mut operator = Operator::start(&namespace);
    // Not for the apiserver, which is where the kubeconfig says.
    operator.restart_with("ALL_PROXY", &proxy.url);
    let endpoints =
        format!("    endpoints: {{ authority: \"{url}\", graph: \"{url}\" }}\n", url = entra.url());
    let text = manifests(&entra, "  interval: 20m\n  retryInterval: 20m")
        .replace(&endpoints, &format!("    cloud: {}\n", cloud.name()))
        .replace(
            "clientSecretRef: { name: graph, key: client-secret }",
            "workloadIdentity: { serviceAccountName: graph }",
        );
    namespace.apply(&text.replace("namespace: test", &format!("namespace: {}", namespace.name())));

    refused(&namespace, "add it to workloadIdentity.serviceAccounts of the chart");
    namespace.apply(&rights(&namespace, "graph"));
    let operator_account = namespace.as_user(&format!("system:serviceaccount:{}:rollcall", namespace.name()));
    let may = |what: &str| {
        operator_account.run(&["auth", "can-i", "create", what, "--subresource=token"]).code == 0
    };
    eventually(PATIENCE, "the rights count", || may("serviceaccounts/graph").then_some(()));
    assert!(!may("serviceaccounts/rollcall") && !may("serviceaccounts"), "no other");

    refused(&namespace, "there is no service account");
    namespace.kubectl(&["create", "serviceaccount", "graph"]).exits(0);
    refused(&namespace, "no federated credential of the app matches");
    assert!(entra.inner().secrets().any(|shown| shown.split('.').count() == 3), "a token was shown");

    let subject = format!("system:serviceaccount:{}:graph", namespace.name());
    entra.inner().app.subjects.insert((subject.clone(), Cloud::Public.token_exchange()));
    refused(&namespace, "no federated credential of the app matches");
    entra.inner().app.subjects.insert((subject, cloud.token_exchange()));
    let value = format!("rollcall.dev/sync-requested-at={}", uuid::Uuid::new_v4());
    namespace.annotate("dirconn", "entra", &value);
    namespace.until("dirconn", "entra", is("Ready", "True", "Read"));
    namespace.until("syncpol", "all", in_step_with(1));

    let hosts = [cloud.authority(), cloud.graph()].map(|url| format!("{}:443", &url["https://".len()..]));
    assert!(proxy.wanted().iter().all(|host| hosts.contains(host)));
    for secret in entra.inner().secrets() {
        operator.secret(secret);
    }
}
