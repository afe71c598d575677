//! A namespace that one test has for itself.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Instant;

use serde_json::Value;

use super::cli::Ran;
use super::cluster::{Cluster, PATIENCE, repository};
use super::kubectl::Kubectl;
use super::process::eventually;

/// A namespace of a cluster.
pub(crate) struct Namespace<'c> {
    cluster: &'c Cluster,
    name: String,
}

impl<'c> Namespace<'c> {
    pub(super) fn new(cluster: &'c Cluster, name: String) -> Self {
        Self { cluster, name }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn cluster(&self) -> &'c Cluster {
        self.cluster
    }

    /// `kubectl` as somebody who may do everything.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Ran {
        self.admin().run(arguments)
    }

    /// `kubectl apply` of these objects.
    #[track_caller]
    pub(crate) fn apply(&self, yaml: &str) {
        self.admin().apply(yaml).exits(0);
    }

    /// `kubectl` as this user, who may do what was given to them.
    pub(crate) fn as_user(&self, name: &str) -> Kubectl {
        self.admin().as_user(name)
    }

    fn admin(&self) -> Kubectl {
        self.cluster.admin(&self.name)
    }

    /// The object as it is.
    #[track_caller]
    pub(crate) fn get(&self, kind: &str, name: &str) -> Value {
        let ran = self.kubectl(&["get", kind, name, "-o", "json"]).exits(0);
        serde_json::from_str(&ran.out).unwrap()
    }

    /// All of this kind, by their names.
    #[track_caller]
    pub(crate) fn all(&self, kind: &str) -> BTreeMap<String, Value> {
        let ran = self.kubectl(&["get", kind, "-o", "json"]).exits(0);
        let list: Value = serde_json::from_str(&ran.out).unwrap();
        let named = |it: &Value| (it["metadata"]["name"].as_str().unwrap().to_owned(), it.clone());
        list["items"].as_array().unwrap().iter().map(named).collect()
    }

    #[track_caller]
    pub(crate) fn delete(&self, kind: &str, name: &str) {
        self.kubectl(&["delete", kind, name]).exits(0);
    }

    /// Sets an annotation (`key=value`), or takes it away (`key-`).
    #[track_caller]
    pub(crate) fn annotate(&self, kind: &str, name: &str, annotation: &str) {
        self.kubectl(&["annotate", "--overwrite", kind, name, annotation]).exits(0);
    }

    /// `kubectl wait --for=what` for one, or `--all`: `condition=Ready`, `condition=Ready=false`,
    /// `jsonpath={.status…}=…`, `delete`.
    #[track_caller]
    pub(crate) fn wait(&self, kind: &str, name: &str, what: &str) {
        let (what, patience) = (format!("--for={what}"), format!("--timeout={}s", PATIENCE.as_secs()));
        let ran = self.kubectl(&["wait", kind, name, &what, &patience]);
        assert_eq!(ran.code, 0, "{}\n{}", ran.said(), self.story(kind, name));
    }

    /// The object, once it is as `is` says. Every version of it is looked at, also those that do not last, but for
    /// what happens while the apiserver is away.
    #[track_caller]
    pub(crate) fn until(&self, kind: &str, name: &str, is: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let field = format!("--field-selector=metadata.name={name}");
        while Instant::now() < deadline {
            let mut watching = self.admin().start(&["get", kind, &field, "--watch", "-o", "json"]);
            let output = BufReader::new(watching.stdout.take().unwrap());
            let (versions, seen) = mpsc::channel();
            let reader = std::thread::spawn(move || {
                let all = serde_json::Deserializer::from_reader(output).into_iter::<Value>();
                // It ends with the stream, or once nobody listens any more.
                all.map_while(Result::ok).try_for_each(|version| versions.send(version)).ok();
            });
            let mut found = None;
            while let Ok(version) = seen.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                if is(&version) {
                    found = Some(version);
                    break;
                }
            }
            drop(watching.kill());
            drop(watching.wait());
            drop(seen);
            drop(reader.join());
            if let Some(found) = found {
                return found;
            }
        }
        panic!("{kind} {name} did not come to be as it should\n{}", self.story(kind, name));
    }

    /// Waits until the operator has seen the spec as it is now.
    #[track_caller]
    pub(crate) fn until_seen(&self, kind: &str, name: &str) -> Value {
        let generation = self.get(kind, name)["metadata"]["generation"].clone();
        self.until(kind, name, |object| object["status"]["observedGeneration"] == generation)
    }

    /// Lets an object rest, and waits until the operator has seen that.
    #[track_caller]
    pub(crate) fn suspend(&self, kind: &str, name: &str) -> Value {
        self.kubectl(&["patch", kind, name, "--type=merge", "-p", r#"{"spec":{"suspend":true}}"#]).exits(0);
        self.until_seen(kind, name)
    }

    /// What there is to know of an object that is not as it should be.
    fn story(&self, kind: &str, name: &str) -> String {
        let name = if name == "--all" { "" } else { name };
        let which = format!("{kind}/{name}");
        let which = which.trim_end_matches('/');
        let object = self.kubectl(&["get", which, "-o", "yaml", "--show-managed-fields=false"]).said();
        let events = self.kubectl(&["events", "--no-headers"]).said();
        let events: Vec<&str> = events.lines().filter(|line| line.contains(&format!("/{name}"))).collect();
        format!("{object}\nevents:\n{}", events.join("\n"))
    }

    /// Gives `user` the rights of the cluster role `role` here.
    pub(crate) fn bind(&self, user: &str, role: &str) {
        let (cluster_role, who) = (format!("--clusterrole={role}"), format!("--user={user}"));
        self.kubectl(&["create", "rolebinding", &format!("{user}-{role}"), &cluster_role, &who]).exits(0);
        let user = self.as_user(user);
        eventually(PATIENCE, "the rights count", || {
            (user.run(&["auth", "can-i", "get", "syncpolicies.rollcall.dev"]).code == 0).then_some(())
        });
    }

    /// A kubeconfig for a service account of this namespace.
    pub(crate) fn kubeconfig_of(&self, service_account: &str) -> PathBuf {
        self.cluster.kubeconfig_of(&self.name, service_account)
    }

    /// Makes this the operator's own namespace: its service account, and its rights here and in those that it is
    /// to watch.
    pub(crate) fn install_operator(&self, watched: &[&Namespace<'_>]) {
        for file in ["deploy/lease.yaml", "deploy/rbac.yaml"] {
            self.admin().apply(&self.deployed(file)).exits(0);
        }
        for namespace in watched {
            namespace.admin().apply(&self.deployed("deploy/watched.yaml")).exits(0);
        }
        let account = format!("system:serviceaccount:{}:rollcall", self.name);
        for namespace in watched {
            let operator = namespace.as_user(&account);
            eventually(PATIENCE, "the operator's rights count", || {
                (operator.run(&["auth", "can-i", "list", "secrets"]).code == 0).then_some(())
            });
        }
    }

    /// A manifest of `deploy/`, with the operator in this namespace.
    fn deployed(&self, file: &str) -> String {
        let text = std::fs::read_to_string(repository(file)).unwrap();
        text.replace("namespace: rollcall\n", &format!("namespace: {}\n", self.name))
    }
}
