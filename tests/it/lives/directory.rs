//! Every kind of directory, each with the same people and groups in it, to whom the same happens.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use uuid::Uuid;

use super::step::Happening::{Disabled, Dissolved, Founded, In, Joins, Leaves, Moves, Named, Out};
use super::step::{Company, Happening, address, short};
use crate::support::entra::Entra;
use crate::support::google::Google;
use crate::support::namespace::Namespace;

/// A directory.
pub(super) trait Directory {
    /// How connectors and policies of it are called.
    fn name(&self) -> &'static str;
    /// What a connector says of it; what that refers to is made.
    fn spec(&mut self, namespace: &Namespace<'_>) -> Value;
    /// Something happens in it; `company` is what it is to hold then.
    fn befalls(&mut self, happening: Happening, company: &Company);
    /// All of a step has happened.
    fn settles(&mut self, _company: &Company, _namespace: &Namespace<'_>) {}
    /// The connector is there.
    fn is_connected(&mut self, _namespace: &Namespace<'_>) {}
    /// What stands in its Secret.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }
}

/// An export, in a `ConfigMap`.
pub(super) struct Export;

impl Export {
    fn export(company: &Company) -> String {
        let mut ldif = "dn: dc=corp\nobjectClass: domain\ndc: corp\nentryUUID: base\n\n".to_owned();
        for (name, person) in &company.people {
            write!(
                ldif,
                "dn: cn={name},dc=corp\nobjectClass: inetOrgPerson\ncn: {name}\nsn: {name}\nmail: {}\nemployeeType: {}\n\
                 entryUUID: p{}\n\n",
                address(&person.local),
                if person.is_disabled { "gone" } else { "here" },
                person.number
            )
            .unwrap();
        }
        for group in company.groups.values() {
            write!(
                ldif,
                "dn: cn={0},ou=groups,dc=corp\nobjectClass: groupOfNames\ncn: {0}\nentryUUID: g{1}\n",
                group.name, group.number
            )
            .unwrap();
            for member in &group.members {
                match company.groups.get(member) {
                    Some(inner) => writeln!(ldif, "member: cn={},ou=groups,dc=corp", inner.name).unwrap(),
                    None => writeln!(ldif, "member: cn={member},dc=corp").unwrap(),
                }
            }
            ldif.push('\n');
        }
        format!("{ldif}# numEntries: {}\n", 1 + company.people.len() + company.groups.len())
    }
}

impl Directory for Export {
    fn name(&self) -> &'static str {
        "export"
    }

    fn spec(&mut self, _namespace: &Namespace<'_>) -> Value {
        json!({ "ldif": {
            "configMapKeyRef": { "name": "export", "key": "ldif" }, "directoryID": "dc=corp",
            "disabledWhen": "user.employeeType == 'gone'",
        } })
    }

    fn befalls(&mut self, _happening: Happening, _company: &Company) {}

    fn settles(&mut self, company: &Company, namespace: &Namespace<'_>) {
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "export" },
            "data": { "ldif": Self::export(company) },
        });
        namespace.apply(&map.to_string());
    }
}

/// Microsoft Entra ID.
pub(super) struct Microsoft {
    entra: Entra,
    ids: HashMap<&'static str, Uuid>,
}

impl Microsoft {
    pub(super) fn start() -> Self {
        Self { entra: Entra::start(), ids: HashMap::new() }
    }
}

impl Directory for Microsoft {
    fn name(&self) -> &'static str {
        "entra"
    }

    fn spec(&mut self, namespace: &Namespace<'_>) -> Value {
        let inner = self.entra.inner();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "entra" },
            "stringData": { "client-secret": inner.app.secret },
        });
        let ca = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "entra" }, "data": { "ca.crt": self.entra.ca },
        });
        namespace.apply(&secret.to_string());
        namespace.apply(&ca.to_string());
        json!({ "entraId": {
            "tenantID": inner.tenant.id, "clientID": inner.app.id,
            "credentials": { "clientSecretRef": { "name": "entra", "key": "client-secret" } },
            "endpoints": { "authority": self.entra.url(), "graph": self.entra.url() },
            "tls": { "caRef": { "name": "entra" } },
        } })
    }

    fn befalls(&mut self, happening: Happening, _company: &Company) {
        let Self { entra, ids } = self;
        let tenant = &mut entra.inner().tenant;
        match happening {
            Joins(who) => {
                let user = tenant.user(&short(who), &json!({ "displayName": who }));
                ids.insert(who, user);
            }
            Leaves(who) => tenant.remove(ids[who], Some("deleted")),
            Moves(who, local) => {
                let mail = address(local);
                let both = json!({ "mail": mail, "proxyAddresses": [format!("SMTP:{mail}")] });
                tenant.set(ids[who], &both);
            }
            Disabled(who, is_disabled) => tenant.set(ids[who], &json!({ "accountEnabled": !is_disabled })),
            Founded(group) => drop(ids.insert(group, tenant.group(group, &json!({})))),
            Named(group, name) => tenant.set(ids[group], &json!({ "displayName": name })),
            Dissolved(group) => tenant.remove(ids[group], Some("deleted")),
            In(group, member) => tenant.put(ids[group], ids[member], true),
            Out(group, member) => tenant.put(ids[group], ids[member], false),
        }
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.entra.inner().app.secret.clone()]
    }
}

/// Google Workspace.
pub(super) struct Workspace {
    google: Google,
    ids: HashMap<&'static str, String>,
}

impl Workspace {
    pub(super) fn start() -> Self {
        Self { google: Google::start(), ids: HashMap::new() }
    }
}

impl Directory for Workspace {
    fn name(&self) -> &'static str {
        "google"
    }

    fn spec(&mut self, namespace: &Namespace<'_>) -> Value {
        let (inner, url) = (self.google.inner(), self.google.url());
        let key = inner.account.file("https://elsewhere.test/token").to_string();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "google" }, "stringData": { "key.json": key },
        });
        let ca = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "google" }, "data": { "ca.crt": self.google.ca },
        });
        namespace.apply(&secret.to_string());
        namespace.apply(&ca.to_string());
        json!({ "googleWorkspace": {
            "adminEmail": inner.customer.admin,
            "credentials": { "serviceAccountKeyRef": { "name": "google", "key": "key.json" } },
            "endpoints": { "directory": url, "token": url }, "requestsPerMinute": 1_000_000,
            "tls": { "caRef": { "name": "google" } },
        } })
    }

    fn befalls(&mut self, happening: Happening, _company: &Company) {
        let Self { google, ids } = self;
        let customer = &mut google.inner().customer;
        match happening {
            Joins(who) => {
                let user = customer.user(&short(who), &json!({ "name": { "fullName": who } }));
                ids.insert(who, user);
            }
            Leaves(who) => customer.forget_user(&ids[who]),
            Moves(who, local) => {
                let mail = address(local);
                let both = json!({ "primaryEmail": mail, "emails": [{ "address": mail, "primary": true }] });
                customer.set(&ids[who], &both);
            }
            Disabled(who, is_disabled) => customer.set(&ids[who], &json!({ "suspended": is_disabled })),
            Founded(group) => drop(ids.insert(group, customer.group(group, &json!({})))),
            Named(group, name) => customer.set(&ids[group], &json!({ "name": name })),
            Dissolved(group) => customer.delete_group(&ids[group]),
            In(group, member) => customer.put(&ids[group], &ids[member], true),
            Out(group, member) => customer.put(&ids[group], &ids[member], false),
        }
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.google.inner().account.key.lines().nth(3).unwrap().to_owned()]
    }
}
