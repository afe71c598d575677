//! Every kind of target, told of in a policy, and read without our client.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::step::{Step, address};
use crate::support::mimecast::{CLIENT, Habits, StandIn};
use crate::support::namespace::Namespace;
use crate::support::office::Registry;
use crate::support::operator::Operator;
use crate::support::scim::{Kind, Server, TOKEN};

/// What a target holds: each account by its address, with whether it works, and each group with its members.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    users: BTreeMap<String, bool>,
    groups: BTreeMap<String, BTreeSet<String>>,
}

/// Somewhere people and groups are kept in step.
pub(super) enum Target {
    Registry,
    Scim(Server),
    Mimecast(StandIn),
}

impl Target {
    /// One of each kind.
    pub(super) fn each() -> [Self; 3] {
        [
            Self::Registry,
            Self::Scim(Server::start(Kind::Scim2Server)),
            Self::Mimecast(StandIn::start(Habits::default())),
        ]
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Scim(_) => "scim",
            Self::Mimecast(_) => "mimecast",
        }
    }

    /// What a policy says of it; what that refers to is made, under a name of its own.
    pub(super) fn spec(&self, namespace: &Namespace<'_>, policy: &str) -> Value {
        match self {
            Self::Registry => json!({ "registry": {} }),
            Self::Scim(server) => json!({ "scim": {
                "url": server.url(), "insecure": true,
                "credentials": { "tokenSecretRef": { "name": "scim", "key": "token" } },
            } }),
            Self::Mimecast(service) => {
                let ca = json!({
                    "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": policy },
                    "data": { "ca.crt": service.https.ca },
                });
                namespace.apply(&ca.to_string());
                json!({ "mimecast": {
                    "url": service.https.url(),
                    "credentialsSecretRef": { "name": "mimecast" },
                    "tls": { "caRef": { "kind": "ConfigMap", "name": policy } },
                } })
            }
        }
    }

    /// The Secrets by which all of them are asked.
    pub(super) fn secrets(namespace: &Namespace<'_>, operator: &mut Operator) {
        for (name, data) in [
            ("scim", json!({ "token": TOKEN })),
            ("mimecast", json!({ "client-id": CLIENT.0, "client-secret": CLIENT.1 })),
        ] {
            let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": data });
            namespace.apply(&secret.to_string());
        }
        operator.secret(TOKEN);
        operator.secret(CLIENT.1);
    }

    /// What it holds now.
    pub(super) fn held(&self, operator: &Operator, policy: &str) -> Held {
        match self {
            Self::Registry => {
                let known = Registry::if_known(operator, policy);
                known.map_or_else(Held::default, |it| Held { users: it.users(), groups: it.groups() })
            }
            Self::Scim(server) => {
                let truth = server.shown();
                let users = truth.users.into_iter().map(|(name, (_, active, _))| (name, active)).collect();
                let groups = truth.groups.into_iter();
                Held { users, groups: groups.map(|(name, all)| (name, all.into_iter().collect())).collect() }
            }
            Self::Mimecast(service) => {
                let truth = service.truth();
                let users =
                    truth.users.into_iter().map(|(address, (_, active, _))| (address, active)).collect();
                let groups = truth.groups.into_iter();
                let ours = groups
                    .filter_map(|(path, all)| Some((path.strip_prefix("Rollcall/")?.to_owned(), all)))
                    .collect();
                Held { users, groups: ours }
            }
        }
    }

    /// What it is to hold after this step.
    pub(super) fn expected(&self, step: &Step) -> Held {
        // Another address is another account there.
        let former = if matches!(self, Self::Mimecast(_)) { step.former } else { "" };
        let all = [(step.works, true), (step.off, false), (former, false)];
        let users = all
            .into_iter()
            .flat_map(|(some, works)| some.split_whitespace().map(move |local| (address(local), works)));
        let groups = step
            .groups
            .iter()
            .map(|(name, members)| ((*name).to_owned(), members.split_whitespace().map(address).collect()));
        Held { users: users.collect(), groups: groups.collect() }
    }
}
