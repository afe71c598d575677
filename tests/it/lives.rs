//! The same life of people and groups, from every kind of directory to every kind of target, by one operator on a real apiserver.

use std::net::Ipv4Addr;

use serde_json::json;

use crate::engine_operator::outside;
use crate::support::cluster::{Cluster, PATIENCE};
use crate::support::namespace::Namespace;
use crate::support::office::is;
use crate::support::operator::Operator;
use crate::support::process::eventually;
use crate::support::slapd::{Setup, certificates};

mod directory;
mod ldap;
mod step;
mod target;

use directory::{Directory, Export, Microsoft, Workspace};
use ldap::{ActiveDirectory, Engine, Notes, OpenLdap};
use step::{Company, LIFE, Step, address};
use target::Target;

/// A directory, and one target of each kind that is kept in step with it.
struct Row {
    directory: Box<dyn Directory + Send>,
    targets: [Target; 3],
}

impl Row {
    fn policy(&self, target: &Target) -> String {
        format!("{}-{}", self.directory.name(), target.name())
    }

    fn befalls(&mut self, step: &Step, mut company: Company, namespace: &Namespace<'_>) {
        for happening in step.happens {
            company.befalls(*happening);
            self.directory.befalls(*happening, &company);
        }
        self.directory.settles(&company, namespace);
    }

    /// The connector and the policies.
    fn apply(&mut self, namespace: &Namespace<'_>) {
        let name = self.directory.name();
        let mut spec = self.directory.spec(namespace);
        // Nothing is read but what is asked for.
        spec["interval"] = json!("1h");
        spec["retryInterval"] = json!("1s");
        let kind = "rollcall.dev/v1alpha1";
        let connector = json!({ "apiVersion": kind, "kind": "DirectoryConnector", "metadata": { "name": name }, "spec": spec });
        namespace.apply(&connector.to_string());
        let all = json!({ "count": 100, "percent": 100 });
        for target in &self.targets {
            let policy = self.policy(target);
            let spec = json!({
                "connectors": [{ "name": name }],
                "target": target.spec(namespace, &policy),
                "retryInterval": "1s",
                "users": { "recreated": "Relink", "where": "!user.mail.startsWith('directory-reader@')" },
                "groups": { "nesting": "Flatten", "vanished": { "do": "Delete" } },
                "limits": {
                    "userRemovals": all, "groupRemovals": all, "memberRemovals": all, "disables": all, "identifierChanges": all,
                    "memberRemovalsPerGroup": { "percent": 100 },
                },
            });
            let policy = json!({ "apiVersion": kind, "kind": "SyncPolicy", "metadata": { "name": policy }, "spec": spec });
            namespace.apply(&policy.to_string());
        }
        self.directory.is_connected(namespace);
    }

    /// All three targets hold what they should, in the end.
    fn arrives(&self, step: &Step, namespace: &Namespace<'_>, operator: &Operator) {
        for target in &self.targets {
            let (policy, expected) = (self.policy(target), target.expected(step));
            let what = format!("{policy}: {}", step.name);
            let mut held = None;
            let arrived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                eventually(PATIENCE, &what, || {
                    held = Some(target.held(operator, &format!("{}/{policy}", namespace.name())));
                    (held.as_ref() == Some(&expected)).then_some(())
                });
            }));
            assert!(
                arrived.is_ok(),
                "{what}: {held:#?} and not {expected:#?}\n{:#}",
                namespace.get("syncpol", &policy)["status"]
            );
        }
    }
}

#[test]
fn the_same_life_from_every_directory_to_every_target() {
    let folder = tempfile::tempdir().unwrap();
    certificates(&folder, &Setup::default());
    let namespace = Cluster::shared().namespace();
    let (mut operator, url) = outside(&namespace, folder.path(), Ipv4Addr::LOCALHOST);
    let gateway = url.rsplit(':').next().unwrap().parse().unwrap();
    let directories: Vec<Box<dyn Directory + Send>> = vec![
        Box::new(ActiveDirectory::start()),
        Box::new(OpenLdap::start()),
        Box::new(Engine::start(folder, gateway)),
        Box::new(Export),
        Box::new(Microsoft::start()),
        Box::new(Workspace::start()),
        Box::new(Notes::start()),
    ];
    let mut rows: Vec<Row> = std::thread::scope(|scope| {
        let row = |directory| scope.spawn(move || Row { directory, targets: Target::each() });
        let starting: Vec<_> = directories.into_iter().map(row).collect();
        starting.into_iter().map(|row| row.join().unwrap()).collect()
    });
    Target::secrets(&namespace, &mut operator);
    rows.iter().flat_map(|row| row.directory.secrets()).for_each(|secret| operator.secret(&secret));
    let mut company = Company::default();
    for (at, step) in LIFE.iter().enumerate() {
        let (namespace, operator, company_before) = (&namespace, &operator, &company);
        std::thread::scope(|scope| {
            for row in &mut rows {
                scope.spawn(move || {
                    row.befalls(step, company_before.clone(), namespace);
                    if at == 0 {
                        row.apply(namespace);
                    }
                    let asked = format!("rollcall.dev/sync-requested-at={}", uuid::Uuid::new_v4());
                    namespace.annotate("dirconn", row.directory.name(), &asked);
                    row.arrives(step, namespace, operator);
                });
            }
        });
        step.happens.iter().for_each(|happening| company.befalls(*happening));
    }
    for row in &rows {
        for target in &row.targets {
            namespace.until("syncpol", &row.policy(target), is("Ready", "True", "InStep"));
        }
    }
    nobody_is_named(&namespace, &operator);
}

/// Nothing that others read names a person.
fn nobody_is_named(namespace: &Namespace<'_>, operator: &Operator) {
    let mut said = vec![operator.output(), namespace.kubectl(&["get", "events", "-o", "json"]).out];
    for kind in ["dirconn", "syncpol"] {
        said.extend(namespace.all(kind).values().map(|object| object["status"].to_string()));
    }
    let accounts = LIFE.iter().flat_map(|step| [step.works, step.off, step.former]);
    let addresses = accounts.flat_map(|some| some.split_whitespace().map(address));
    let mut people: Vec<String> = addresses.collect();
    people.extend(LIFE.iter().flat_map(|step| step.happens).filter_map(|happening| match happening {
        step::Happening::Joins(who) => Some((*who).to_owned()),
        _ => None,
    }));
    people.sort();
    people.dedup();
    for text in said {
        for person in &people {
            assert!(!text.contains(person.as_str()), "{person} is in {text}");
        }
    }
}
