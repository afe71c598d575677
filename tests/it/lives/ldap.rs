//! Directories that speak LDAP: real servers, one of them read through a Sync Engine.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::directory::Directory;
use super::step::Happening::{Disabled, Dissolved, Founded, In, Joins, Leaves, Moves, Named, Out};
use super::step::{Company, Group, Happening, Person, address};
use crate::engine_operator::{Inside, token};
use crate::support::company::tree;
use crate::support::domino::{self, Domino};
use crate::support::namespace::Namespace;
use crate::support::office;
use crate::support::samba::{self, DOMAIN, Samba};
use crate::support::slapd::{SUFFIX, Setup, Slapd};

/// How a server spells what happens.
trait Spelling {
    fn dn_of_person(&self, name: &str) -> String;
    fn dn_of_group(&self, name: &str) -> String;
    /// What stands in a list of members.
    fn as_member(&self, name: &str, company: &Company) -> String;
    /// Members of every group, who are no users.
    fn no_users(&self) -> Vec<String>;
    fn person(&self, name: &str, person: &Person) -> String;
    fn group(&self, group: &Group) -> String;
    fn disabled(&self, is_disabled: bool) -> String;
    /// What changes with a group's name beside its DN.
    fn renamed(&self, _name: &str) -> String {
        String::new()
    }

    /// Change records (RFC 2849).
    fn spell(&self, happening: Happening, company: &Company) -> String {
        let lists = || company.groups.values().map(|group| self.list(group, company)).collect::<String>();
        let change = |dn: String, what: &str| format!("dn: {dn}\nchangetype: modify\n{what}\n");
        match happening {
            Joins(who) => {
                let entry = self.person(who, &company.people[who]);
                format!("dn: {}\nchangetype: add\n{entry}\n", self.dn_of_person(who))
            }
            Leaves(who) => format!("dn: {}\nchangetype: delete\n\n{}", self.dn_of_person(who), lists()),
            Moves(who, local) => {
                change(self.dn_of_person(who), &format!("replace: mail\nmail: {}\n", address(local)))
            }
            Disabled(who, is_disabled) => change(self.dn_of_person(who), &self.disabled(is_disabled)),
            Founded(group) => {
                let group = &company.groups[group];
                let members: Vec<String> =
                    self.no_users().iter().map(|member| format!("member: {member}\n")).collect();
                format!(
                    "dn: {}\nchangetype: add\n{}{members}\n",
                    self.dn_of_group(group.name),
                    self.group(group),
                    members = members.concat()
                )
            }
            Named(group, name) => {
                format!(
                    "dn: {}\nchangetype: modrdn\nnewrdn: cn={name}\ndeleteoldrdn: 1\n\n{}{}",
                    self.dn_of_group(group),
                    self.renamed(name),
                    lists()
                )
            }
            Dissolved(group) => {
                format!("dn: {}\nchangetype: delete\n\n{}", self.dn_of_group(company.name_of(group)), lists())
            }
            In(group, _) | Out(group, _) => self.list(&company.groups[group], company),
        }
    }

    fn list(&self, group: &Group, company: &Company) -> String {
        let mut list = format!("dn: {}\nchangetype: modify\nreplace: member\n", self.dn_of_group(group.name));
        let members = group.members.iter().map(|name| self.as_member(name, company));
        for member in members.chain(self.no_users()) {
            writeln!(list, "member: {member}").unwrap();
        }
        list + "\n"
    }
}

/// OpenLDAP's.
struct Generic;

impl Spelling for Generic {
    fn dn_of_person(&self, name: &str) -> String {
        format!("cn={name},ou=people,{SUFFIX}")
    }

    fn dn_of_group(&self, name: &str) -> String {
        format!("cn={name},ou=groups,{SUFFIX}")
    }

    fn as_member(&self, name: &str, company: &Company) -> String {
        company.groups.get(name).map_or_else(|| self.dn_of_person(name), |group| self.dn_of_group(group.name))
    }

    fn no_users(&self) -> Vec<String> {
        vec![format!("cn=reader,{SUFFIX}")]
    }

    fn person(&self, name: &str, person: &Person) -> String {
        format!("objectClass: inetOrgPerson\ncn: {name}\nsn: {name}\nmail: {}\n", address(&person.local))
    }

    fn group(&self, group: &Group) -> String {
        format!("objectClass: groupOfNames\ncn: {}\n", group.name)
    }

    fn disabled(&self, is_disabled: bool) -> String {
        if is_disabled {
            "replace: employeeType\nemployeeType: gone\n".to_owned()
        } else {
            "delete: employeeType\n".to_owned()
        }
    }
}

fn slapd() -> Slapd {
    let reader = format!(
        "dn: cn=reader,{SUFFIX}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n\
         userPassword: {}\n\n",
        office::PASSWORD
    );
    Slapd::start(&Setup { ldif: &(tree() + &reader), ..Setup::default() })
}

/// OpenLDAP, which the operator dials.
pub(super) struct OpenLdap(Slapd);

impl OpenLdap {
    pub(super) fn start() -> Self {
        Self(slapd())
    }
}

impl Directory for OpenLdap {
    fn name(&self) -> &'static str {
        "openldap"
    }

    fn spec(&mut self, namespace: &Namespace<'_>) -> Value {
        basic(namespace, "openldap", &format!("cn=reader,{SUFFIX}"), office::PASSWORD);
        json!({ "ldap": {
            "urls": [self.0.url()], "insecure": true, "credentialsSecretRef": { "name": "openldap" },
            "disabledWhen": "user.employeeType == 'gone'",
        } })
    }

    fn befalls(&mut self, happening: Happening, company: &Company) {
        self.0.modify(&Generic.spell(happening, company));
    }

    fn secrets(&self) -> Vec<String> {
        vec![office::PASSWORD.to_owned()]
    }
}

/// OpenLDAP that only an engine beside it dials.
pub(super) struct Engine {
    slapd: Slapd,
    inside: Inside,
}

impl Engine {
    /// `inside` asks the gateway.
    pub(super) fn start(folder: tempfile::TempDir, gateway: u16) -> Self {
        let slapd = slapd();
        let inside = Inside::new(folder, &slapd, gateway);
        Self { slapd, inside }
    }
}

impl Directory for Engine {
    // The Secret of its engine is called after it.
    fn name(&self) -> &'static str {
        "corp"
    }

    fn spec(&mut self, _namespace: &Namespace<'_>) -> Value {
        json!({ "ldap": { "syncEngine": {}, "disabledWhen": "user.employeeType == 'gone'" } })
    }

    fn befalls(&mut self, happening: Happening, company: &Company) {
        self.slapd.modify(&Generic.spell(happening, company));
    }

    fn is_connected(&mut self, namespace: &Namespace<'_>) {
        namespace.until("dirconn", "corp", office::is("EngineConnected", "False", "WaitingToJoin"));
        self.inside.join(&token(namespace)).exits(0);
        self.inside.run();
    }
}

/// A domain controller.
pub(super) struct ActiveDirectory(Samba);

impl ActiveDirectory {
    pub(super) fn start() -> Self {
        let samba = Samba::start();
        samba.modify(&format!("dn: OU=Lives,{DOMAIN}\nchangetype: add\nobjectClass: organizationalUnit\n\n"));
        Self(samba)
    }
}

impl Spelling for ActiveDirectory {
    fn dn_of_person(&self, name: &str) -> String {
        format!("CN={name},OU=Lives,{DOMAIN}")
    }

    fn dn_of_group(&self, name: &str) -> String {
        format!("CN={name},OU=Lives,{DOMAIN}")
    }

    fn as_member(&self, name: &str, company: &Company) -> String {
        company.groups.get(name).map_or_else(|| self.dn_of_person(name), |group| self.dn_of_group(group.name))
    }

    fn no_users(&self) -> Vec<String> {
        vec![format!("CN=Domain Computers,CN=Users,{DOMAIN}")]
    }

    fn person(&self, name: &str, person: &Person) -> String {
        let account = name.replace(' ', ".");
        format!(
            "objectClass: user\nsAMAccountName: {account}\nuserAccountControl: 544\nmail: {}\n",
            address(&person.local)
        )
    }

    fn group(&self, group: &Group) -> String {
        format!("objectClass: group\nsAMAccountName: {}\n", group.name)
    }

    fn disabled(&self, is_disabled: bool) -> String {
        let control = if is_disabled { 546 } else { 544 };
        format!("replace: userAccountControl\nuserAccountControl: {control}\n")
    }

    fn renamed(&self, name: &str) -> String {
        format!(
            "dn: {}\nchangetype: modify\nreplace: sAMAccountName\nsAMAccountName: {name}\n\n",
            self.dn_of_group(name)
        )
    }
}

impl Directory for ActiveDirectory {
    fn name(&self) -> &'static str {
        "samba"
    }

    fn spec(&mut self, namespace: &Namespace<'_>) -> Value {
        basic(namespace, "samba", samba::ADMIN, samba::PASSWORD);
        json!({ "activeDirectory": {
            "urls": [self.0.url()], "insecure": true, "credentialsSecretRef": { "name": "samba" },
            "baseDNs": [format!("OU=Lives,{DOMAIN}")],
        } })
    }

    fn befalls(&mut self, happening: Happening, company: &Company) {
        self.0.modify(&self.spell(happening, company));
    }

    fn secrets(&self) -> Vec<String> {
        vec![samba::PASSWORD.to_owned()]
    }
}

/// What looks like a Domino Directory.
pub(super) struct Notes(Domino);

impl Notes {
    pub(super) fn start() -> Self {
        Self(Domino::start(&domino::Habits::default()))
    }
}

impl Spelling for Notes {
    fn dn_of_person(&self, name: &str) -> String {
        format!("cn={name},ou=Sales,o=Corp")
    }

    fn dn_of_group(&self, name: &str) -> String {
        format!("cn={name}")
    }

    fn as_member(&self, name: &str, company: &Company) -> String {
        company
            .groups
            .get(name)
            .map_or_else(|| format!("CN={name}/OU=Sales/O=Corp"), |group| group.name.to_owned())
    }

    fn no_users(&self) -> Vec<String> {
        vec![domino::READER.replace(',', "/")]
    }

    fn person(&self, name: &str, person: &Person) -> String {
        let entry = domino::person(person.number, name, "ou=Sales,");
        entry.split_once('\n').unwrap().1.trim_end().to_owned() + "\n"
    }

    fn group(&self, group: &Group) -> String {
        let entry = domino::group(group.number, group.name, 0, &[]);
        entry.split_once('\n').unwrap().1.trim_end().to_owned() + "\n"
    }

    fn disabled(&self, is_disabled: bool) -> String {
        Generic.disabled(is_disabled)
    }
}

impl Directory for Notes {
    fn name(&self) -> &'static str {
        "domino"
    }

    fn spec(&mut self, namespace: &Namespace<'_>) -> Value {
        basic(namespace, "domino", domino::READER, domino::PASSWORD);
        json!({ "domino": {
            "urls": [self.0.url()], "insecure": true, "credentialsSecretRef": { "name": "domino" },
            "disabledWhen": "user.employeeType == 'gone'",
        } })
    }

    fn befalls(&mut self, happening: Happening, company: &Company) {
        self.0.modify(&self.spell(happening, company));
    }

    fn secrets(&self) -> Vec<String> {
        vec![domino::PASSWORD.to_owned()]
    }
}

/// The Secret of whoever reads.
fn basic(namespace: &Namespace<'_>, name: &str, user: &str, password: &str) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "type": "kubernetes.io/basic-auth",
        "stringData": { "username": user, "password": password },
    });
    namespace.apply(&secret.to_string());
}
