//! The test ground itself: what other tests stand on must hold.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::support::cluster::{Cluster, Write, kstatus};
use crate::support::operator::Operator;

#[test]
fn an_apiserver_that_was_stopped_comes_back_with_what_it_held() {
    let cluster = Cluster::own();
    let namespace = cluster.namespace();
    namespace.kubectl(&["create", "configmap", "kept", "--from-literal=key=value"]).exits(0);
    cluster.stop_apiserver();
    assert_ne!(namespace.kubectl(&["get", "configmap", "kept"]).code, 0);
    cluster.start_apiserver();
    assert_eq!(namespace.get("configmap", "kept")["data"]["key"], "value");
}

#[test]
fn changes_are_counted_by_who_asked_for_them() {
    let namespace = Cluster::shared().namespace();
    namespace.bind("anna", "rollcall-viewer");
    let configmap = ["create", "configmap", "mine", "--from-literal=key=value"];
    namespace.kubectl(&configmap).exits(0);
    namespace.as_user("anna").run(&configmap).exits(1).says("forbidden");
    let writes = |user| namespace.cluster().writes_by(user, namespace.name());
    let write = |resource: &str, name: &str, code| Write {
        verb: "create".to_owned(),
        resource: resource.to_owned(),
        namespace: namespace.name().to_owned(),
        name: name.to_owned(),
        code,
    };
    let expected = [
        write("rolebindings", "anna-rollcall-viewer", 201),
        write("configmaps", "mine", 201),
        // Who acts as another user is the one who asked; what is refused unread has no name.
        write("configmaps", "", 403),
    ];
    assert_eq!(writes("admin"), expected);
    assert_eq!(writes("anna"), []);
}

#[test]
fn every_version_of_an_object_is_seen() {
    let namespace = Cluster::shared().namespace();
    std::thread::scope(|scope| {
        let seen = scope.spawn(|| {
            namespace.until("configmap", "late", |it| it["metadata"]["annotations"]["step"] == "two")
        });
        namespace.apply(
            "{ apiVersion: v1, kind: ConfigMap, metadata: { name: late, annotations: { step: one } } }",
        );
        namespace.annotate("configmap", "late", "step=two");
        assert_eq!(seen.join().unwrap()["metadata"]["name"], "late");
    });
    namespace.wait("configmap", "late", "jsonpath={.metadata.annotations.step}=two");
    namespace.delete("configmap", "late");
    namespace.wait("configmap", "late", "delete");
}

#[test]
fn an_object_is_judged_as_those_who_wait_for_it_do() {
    let object = |status: &str| {
        json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "SyncPolicy", "metadata": { "name": "a", "generation": 1 },
            "status": { "observedGeneration": 1, "conditions": [{ "type": "Ready", "status": status, "reason": "R" }] }
        })
    };
    assert_eq!(
        (kstatus(&object("True")), kstatus(&object("Unknown"))),
        ("Current".into(), "InProgress".into())
    );
}

/// Stands in for the operator: says that it is ready, says a password, ends when it is asked to.
const STAND_IN: &str = r#"#!/usr/bin/env python3
import http.server, os, signal, sys
flags = dict(zip(sys.argv[2::2], sys.argv[3::2]))
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
    def log_message(self, *_):
        pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
assert os.path.exists(os.environ["KUBECONFIG"])
os.makedirs(flags["--data"], exist_ok=True)
print("began; the password is hunter2", flush=True)
host, port = flags["--health-address"].split(":")
http.server.HTTPServer((host, int(port)), Health).serve_forever()
"#;

#[test]
fn an_operator_is_waited_for_and_started_again_and_may_say_no_secret() {
    let namespace = Cluster::shared().namespace();
    namespace.install_operator(&[&namespace]);
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("stand-in");
    std::fs::write(&program, STAND_IN).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut operator = Operator::run(&program, &namespace, namespace.name(), &[]);
    operator.ready();
    assert_eq!(operator.stop().code(), Some(7));
    operator.restart();
    operator.ready();
    operator.kill();
    operator.restart();
    operator.ready();
    assert_eq!(operator.output().matches("began").count(), 3);
    operator.secret("something else");
    drop(operator);

    let told = std::panic::catch_unwind(|| {
        let mut operator = Operator::run(&program, &namespace, namespace.name(), &[]);
        operator.ready();
        operator.secret("hunter2");
    });
    let told = *told.unwrap_err().downcast::<String>().unwrap();
    assert!(told.contains("a secret is in line") && !told.contains("hunter2"), "{told}");
}
