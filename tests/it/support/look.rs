//! A connector that is looked at once, through the real binary, and what its conditions are to say.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cli::Desk;

const STAGES: [&str; 3] = ["Reachable", "Authenticated", "Readable"];

/// A connector that is looked at once, as its account finds things.
pub(crate) struct Look {
    pub(crate) spec: Value,
    pub(crate) policy: Option<Value>,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) ca: Vec<u8>,
}

/// What is to be seen: which condition ends the way, its reason, and what its message says.
pub(crate) struct Seen<'a> {
    condition: &'a str,
    reason: &'a str,
    parts: &'a [&'a str],
}

pub(crate) fn seen<'a>(condition: &'a str, reason: &'a str, parts: &'a [&'a str]) -> Seen<'a> {
    Seen { condition, reason, parts }
}

impl Look {
    pub(crate) fn at(kind: &str, url: &str, username: &str, password: &str, ca: Vec<u8>) -> Self {
        let spec = json!({ kind: {
            "urls": [url], "credentialsSecretRef": { "name": "reader" },
            "tls": { "caRef": { "kind": "ConfigMap", "name": "ca", "key": "ca.crt" } },
        }});
        Self { spec, policy: None, username: username.to_owned(), password: password.to_owned(), ca }
    }

    /// With another value in the spec of the kind.
    pub(crate) fn with(mut self, field: &str, value: Value) -> Self {
        let kind = self.spec.as_object_mut().unwrap().values_mut().next().unwrap();
        kind[field] = value;
        self
    }

    /// Used by a policy with such users.
    pub(crate) fn used_for(mut self, users: &Value) -> Self {
        self.policy =
            Some(json!({ "connectors": [{ "name": "corp" }], "target": { "registry": {} }, "users": users }));
        self
    }

    /// What it is read by.
    pub(crate) fn manifests(&self) -> String {
        let object = |kind: &str, name: &str, rest: Value| {
            let ours = ["DirectoryConnector", "SyncPolicy"].contains(&kind);
            let version = if ours { "rollcall.dev/v1alpha1" } else { "v1" };
            let metadata = json!({ "name": name, "namespace": "test" });
            let mut object = json!({ "apiVersion": version, "kind": kind, "metadata": metadata });
            object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            object.to_string()
        };
        let (user, password) = (&self.username, &self.password);
        let mut objects = vec![
            object("Secret", "reader", json!({ "stringData": { "username": user, "password": password } })),
            object("ConfigMap", "ca", json!({ "data": { "ca.crt": String::from_utf8_lossy(&self.ca) } })),
            object("DirectoryConnector", "corp", json!({ "spec": self.spec })),
        ];
        objects.extend(self.policy.iter().map(|spec| object("SyncPolicy", "all", json!({ "spec": spec }))));
        objects.join("\n---\n")
    }

    /// The status.
    pub(crate) fn status(&self) -> Value {
        let desk = Desk::new();
        desk.write("manifests.yaml", self.manifests());
        let ran = desk.sync(&["-o", "json"]);
        assert!(!ran.said().contains(&self.password), "{}", ran.said());
        let objects: Value = serde_json::from_str(&ran.out).unwrap();
        objects[0]["status"].clone()
    }

    /// The conditions, with status, reason and message.
    pub(crate) fn conditions(&self) -> BTreeMap<String, [String; 3]> {
        let status = self.status();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let one =
            |it: &Value| (text(&it["type"]), ["status", "reason", "message"].map(|field| text(&it[field])));
        status["conditions"].as_array().unwrap().iter().map(one).collect()
    }

    /// The way ends there, and that is said with the remedy; before it all is well, after it nothing is known.
    #[track_caller]
    pub(crate) fn ends(&self, what: &str, expected: &Seen<'_>) {
        let conditions = self.conditions();
        let at = STAGES.iter().position(|stage| *stage == expected.condition).unwrap();
        for (number, stage) in STAGES.iter().enumerate() {
            let status = match number.cmp(&at) {
                Ordering::Less => "True",
                Ordering::Equal => "False",
                Ordering::Greater => "Unknown",
            };
            assert_eq!(conditions[*stage][0], status, "{what}: {stage} of {conditions:#?}");
        }
        for condition in ["Ready", expected.condition] {
            let [status, reason, message] = &conditions[condition];
            assert_eq!((status.as_str(), reason.as_str()), ("False", expected.reason), "{what}: {message}");
            for part in expected.parts {
                assert!(message.contains(part), "{what}: {part:?} is not in {message:?}");
            }
        }
    }

    /// The way is passed to its end, and this is said of it.
    #[track_caller]
    pub(crate) fn passes(&self, what: &str, expected: &Seen<'_>) {
        let conditions = self.conditions();
        assert!(conditions.values().all(|[status, ..]| status == "True"), "{what}: {conditions:#?}");
        let [_, reason, message] = &conditions[expected.condition];
        assert_eq!(reason, expected.reason, "{what}: {message}");
        for part in expected.parts {
            assert!(message.contains(part), "{what}: {part:?} is not in {message:?}");
        }
    }
}
