//! A directory's export, and a tenant that `rollcall sync` keeps in step with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{CLIENT, Habits, StandIn, Truth};
use crate::support::cli::{Desk, Ran};

/// Somebody in the directory.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) gone: bool,
}

/// A directory, as its export shows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    pub(crate) people: BTreeMap<String, Person>,
    pub(crate) groups: BTreeMap<String, (String, BTreeSet<String>)>,
}

impl Directory {
    pub(crate) fn person(&mut self, uid: &str, address: &str) -> &mut Person {
        let person = Person {
            name: format!("Name of {uid}"),
            address: address.to_owned(),
            aliases: Vec::new(),
            gone: false,
        };
        self.people.entry(uid.to_owned()).insert_entry(person).into_mut()
    }

    pub(crate) fn group(&mut self, id: &str, name: &str, members: &[&str]) {
        let members = members.iter().map(|member| (*member).to_owned()).collect();
        self.groups.insert(id.to_owned(), (name.to_owned(), members));
    }

    pub(crate) fn of(&mut self, uid: &str) -> &mut Person {
        self.people.get_mut(uid).unwrap()
    }

    pub(crate) fn export(&self) -> String {
        let mut ldif = "dn: dc=corp\nobjectClass: domain\ndc: corp\nentryUUID: base\n\n".to_owned();
        for (uid, Person { name, address, aliases, gone }) in &self.people {
            let state = if *gone { "gone" } else { "there" };
            write!(
                ldif,
                "dn: uid={uid},dc=corp\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {name}\nsn: {name}\ndisplayName: {name}\n\
                 mail: {address}\nemployeeType: {state}\nentryUUID: id-{uid}\n"
            )
            .unwrap();
            for alias in aliases {
                writeln!(ldif, "mailAlternateAddress: {alias}").unwrap();
            }
            ldif.push('\n');
        }
        for (id, (name, members)) in &self.groups {
            write!(
                ldif,
                "dn: cn={name},ou=groups,dc=corp\nobjectClass: groupOfNames\ncn: {name}\nentryUUID: id-{id}\n"
            )
            .unwrap();
            for member in members {
                writeln!(ldif, "member: uid={member},dc=corp").unwrap();
            }
            ldif.push('\n');
        }
        let entries = 1 + self.people.len() + self.groups.len();
        format!("{ldif}# numEntries: {entries}\n")
    }
}

/// The export, as a connector names it.
pub(crate) const EXPORT: &str =
    "{ ldif: { path: corp.ldif, directoryID: dc=corp, disabledWhen: \"user.employeeType == 'gone'\" } }";

/// A connector.
pub(crate) fn connector(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: {name}, namespace: test }}\nspec: {spec}\n"
    )
}

/// A directory, and a tenant that is kept in step with it.
pub(crate) struct Office {
    pub(crate) desk: Desk,
    pub(crate) service: StandIn,
}

/// No limit stands in the way.
pub(crate) const WIDE: &str = "limits: { userRemovals: { count: 900, percent: 100 }, groupRemovals: { count: 900, percent: 100 }, \
                    memberRemovals: { count: 900, percent: 100 }, disables: { count: 900, percent: 100 }, \
                    memberRemovalsPerGroup: { percent: 100 }, identifierChanges: { count: 900, percent: 100 } }";

impl Office {
    pub(crate) fn new(habits: Habits, more: &str) -> Self {
        let office = Self { desk: Desk::new(), service: StandIn::start(habits) };
        office.policy(more);
        office
    }

    /// The one policy of an export, with more lines.
    pub(crate) fn policy(&self, more: &str) {
        let objects = [self.secrets(), connector("corp", EXPORT), self.policy_of("corp", more)];
        self.desk.write("manifests.yaml", objects.join("---\n"));
    }

    /// The Secret of the API application, and the authority of the service.
    pub(crate) fn secrets(&self) -> String {
        let ca: String =
            self.service.https.ca.lines().fold(String::new(), |text, line| text + "    " + line + "\n");
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{ name: mimecast, namespace: test }}\n\
             stringData: {{ client-id: {}, client-secret: {} }}\n---\n\
             apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: mimecast, namespace: test }}\ndata:\n  ca.crt: |\n{ca}",
            CLIENT.0, CLIENT.1
        )
    }

    /// The service, as a policy names it.
    pub(crate) fn target(&self) -> String {
        format!(
            "{{ mimecast: {{ url: \"{}\", credentialsSecretRef: {{ name: mimecast }}, \
             tls: {{ caRef: {{ kind: ConfigMap, name: mimecast }} }} }} }}",
            self.service.https.url()
        )
    }

    /// A policy of this connector, called like it, with more lines.
    pub(crate) fn policy_of(&self, connector: &str, more: &str) -> String {
        format!(
            "apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: {connector}, namespace: test }}\n\
             spec:\n  connectors: [{{ name: {connector} }}]\n  target: {}\n{more}",
            self.target()
        )
    }

    pub(crate) fn sync(&self, directory: &Directory) -> Ran {
        self.desk.write("corp.ldif", directory.export());
        self.desk.sync_aloud(&[])
    }

    pub(crate) fn truth(&self) -> Truth {
        self.service.truth()
    }
}

/// Accounts by address: whether they work, and their other addresses.
pub(crate) fn accounts(truth: &Truth) -> BTreeMap<&str, (bool, Vec<&str>)> {
    let all = truth.users.iter();
    all.map(|(address, user)| (address.as_str(), (user.1, user.2.iter().map(String::as_str).collect())))
        .collect()
}

pub(crate) fn members<'t>(truth: &'t Truth, group: &str) -> Vec<&'t str> {
    truth.groups[&format!("Rollcall/{group}")].iter().map(String::as_str).collect()
}

pub(crate) fn company() -> Directory {
    let mut company = Directory::default();
    for uid in ["ada", "bob", "cho", "dan", "eve"] {
        company.person(uid, &format!("{uid}@corp.example"));
    }
    company.of("ada").aliases.push("a.byron@corp.test".to_owned());
    company.group("team", "Team", &["ada", "bob", "cho"]);
    company.group("staff", "All staff", &["ada", "bob", "cho", "dan", "eve"]);
    // While one is there, it is believed that others are gone.
    company.group("rest", "Rest", &["ada"]);
    company
}
