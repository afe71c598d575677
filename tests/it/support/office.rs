//! A directory, an operator that keeps a policy in step with it, and their namespace.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::cli::{Ran, rollcall};
use super::cluster::Cluster;
use super::namespace::Namespace;
use super::operator::Operator;
use super::slapd::{SUFFIX, Setup, Slapd};

/// What the directory's reader shows; nothing else is like it, so that it would be found in a log.
pub(crate) const PASSWORD: &str = "of-nobody-else-but-the-reader";

/// Who is in the company at first.
pub(crate) const PEOPLE: [&str; 12] = [
    "ada",
    "alan",
    "barbara",
    "donald",
    "edsger",
    "frances",
    "grace",
    "john",
    "katherine",
    "margaret",
    "radia",
    "tim",
];

pub(crate) fn company() -> String {
    let reader = format!(
        "dn: cn=reader,{SUFFIX}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n\
         userPassword: {PASSWORD}\n\n"
    );
    let group = format!(
        "dn: cn=pioneers,ou=groups,{SUFFIX}\nobjectClass: groupOfNames\ncn: pioneers\nmember: uid=ada,ou=people,{SUFFIX}\n\
         member: uid=alan,ou=people,{SUFFIX}\nmember: uid=grace,ou=people,{SUFFIX}\n\n"
    );
    [super::company::tree(), reader, PEOPLE.map(person).concat(), group].concat()
}

pub(crate) fn person(name: &str) -> String {
    format!(
        "dn: uid={name},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n\
         mail: {name}@example.test\ntitle: Engineer\n\n"
    )
}

/// A change record that adds a person.
pub(crate) fn joins(name: &str) -> String {
    person(name).replacen("\nobjectClass", "\nchangetype: add\nobjectClass", 1)
}

pub(crate) fn leaves(name: &str) -> String {
    format!("dn: uid={name},ou=people,{SUFFIX}\nchangetype: delete\n\n")
}

/// The Secret of whoever reads the directory.
pub(crate) fn reader(password: &str) -> String {
    format!(
        "{{ apiVersion: v1, kind: Secret, metadata: {{ name: reader }}, type: kubernetes.io/basic-auth, \
         stringData: {{ username: \"cn=reader,{SUFFIX}\", password: \"{password}\" }} }}"
    )
}

pub(crate) fn connector(slapd: &Slapd, spec: &str) -> String {
    format!(
        "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: corp }}\nspec:\n  ldap:\n    \
         urls: [\"{}\"]\n    insecure: true\n    credentialsSecretRef: {{ name: reader }}\n  interval: 10s\n  \
         retryInterval: 1s\n{spec}",
        slapd.url()
    )
}

pub(crate) fn policy(spec: &str) -> String {
    format!(
        "apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: staff }}\nspec:\n  \
         connectors: [{{ name: corp }}]\n  target: {{ registry: {{}} }}\n{spec}"
    )
}

/// A directory, an operator that keeps a policy in step with it, and their namespace.
pub(crate) struct Office {
    pub(crate) namespace: Namespace<'static>,
    pub(crate) slapd: Slapd,
    pub(crate) operator: Operator,
}

impl Office {
    pub(crate) fn open() -> Self {
        Self::open_with("", "")
    }

    pub(crate) fn open_with(connector_spec: &str, policy_spec: &str) -> Self {
        Self::open_at(Cluster::shared(), connector_spec, policy_spec)
    }

    pub(crate) fn open_in(cluster: &'static Cluster) -> Self {
        Self::open_at(cluster, "", "")
    }

    fn open_at(cluster: &'static Cluster, connector_spec: &str, policy_spec: &str) -> Self {
        let namespace = cluster.namespace();
        let slapd = Slapd::start(&Setup { ldif: &company(), ..Setup::default() });
        let mut operator = Operator::start(&namespace);
        operator.secret(PASSWORD);
        namespace.apply(&reader(PASSWORD));
        namespace.apply(&connector(&slapd, connector_spec));
        namespace.apply(&policy(policy_spec));
        Self { namespace, slapd, operator }
    }

    pub(crate) fn in_step(&self) {
        self.namespace.wait("dirconn", "corp", "condition=Ready");
        self.namespace.wait("syncpol", "staff", "condition=Ready");
    }

    /// Asks for a read now.
    pub(crate) fn read_now(&self) {
        let value = format!("rollcall.dev/sync-requested-at={}", uuid::Uuid::new_v4());
        self.namespace.annotate("dirconn", "corp", &value);
    }

    /// Once the directory was read, the policy as it is when it has run on that.
    pub(crate) fn after_a_read(&self, is: impl Fn(&Value) -> bool) -> Value {
        self.read_now();
        self.namespace.until("syncpol", "staff", is)
    }

    pub(crate) fn registry(&self) -> Registry {
        Registry::of(&self.operator, &format!("{}/staff", self.namespace.name()))
    }
}

/// What the registry holds.
pub(crate) struct Registry(Vec<Value>);

impl Registry {
    pub(crate) fn of(operator: &Operator, policy: &str) -> Self {
        Self::told(&Self::export(operator, policy).exits(0))
    }

    /// The same, if anything is known of the policy yet.
    pub(crate) fn if_known(operator: &Operator, policy: &str) -> Option<Self> {
        Some(Self::export(operator, policy)).filter(|ran| ran.code == 0).map(|ran| Self::told(&ran))
    }

    fn export(operator: &Operator, policy: &str) -> Ran {
        let data = operator.data().display().to_string();
        rollcall(&["registry", "export", "--data", &data, "--policy", policy])
    }

    fn told(ran: &Ran) -> Self {
        Self(ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// Every user and group, as SCIM resources.
    pub(crate) fn resources(self) -> Vec<Value> {
        self.0
    }

    /// Each user's name, and whether they are active.
    pub(crate) fn users(&self) -> BTreeMap<String, bool> {
        let users = self.0.iter().filter(|it| it["meta"]["resourceType"] == "User");
        users.map(|it| (it["userName"].as_str().unwrap().to_owned(), it["active"] == true)).collect()
    }

    pub(crate) fn active(&self) -> Vec<String> {
        self.users().into_iter().filter(|(_, active)| *active).map(|(name, _)| name).collect()
    }

    pub(crate) fn id_of(&self, name: &str) -> String {
        let user = self.0.iter().find(|it| it["userName"] == name).unwrap_or_else(|| panic!("no {name}"));
        user["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn members(&self, name: &str) -> Vec<String> {
        let group = self.0.iter().find(|it| it["displayName"] == name);
        members(group.unwrap_or_else(|| panic!("no {name}"))).collect()
    }

    /// Each group's name, and who is in it.
    pub(crate) fn groups(&self) -> BTreeMap<String, BTreeSet<String>> {
        let groups = self.0.iter().filter(|it| it["meta"]["resourceType"] == "Group");
        groups.map(|it| (it["displayName"].as_str().unwrap().to_owned(), members(it).collect())).collect()
    }
}

fn members(group: &Value) -> impl Iterator<Item = String> + '_ {
    let members = group["members"].as_array().into_iter().flatten();
    members.map(|member| member["display"].as_str().unwrap().to_owned())
}

pub(crate) fn address(name: &str) -> String {
    format!("{name}@example.test")
}

/// The condition of this type: its status and reason.
pub(crate) fn condition<'v>(object: &'v Value, type_: &str) -> Option<(&'v str, &'v str)> {
    let all = object["status"]["conditions"].as_array()?;
    let one = all.iter().find(|it| it["type"] == type_)?;
    Some((one["status"].as_str()?, one["reason"].as_str()?))
}

pub(crate) fn is(type_: &'static str, status: &'static str, reason: &'static str) -> impl Fn(&Value) -> bool {
    move |object| condition(object, type_) == Some((status, reason))
}

pub(crate) fn in_step_with(users: u64) -> impl Fn(&Value) -> bool {
    move |object| is("Ready", "True", "InStep")(object) && object["status"]["inStep"]["users"] == users
}
