//! The operator with a Domino Directory: a real apiserver, a real server with Domino's schema and habits, and the registry.

use serde_json::{Value, json};

use crate::support::cluster::{Cluster, kstatus};
use crate::support::domino::{Domino, Habits, PASSWORD, READER, added, group, mail_in, person};
use crate::support::namespace::Namespace;
use crate::support::office::{Registry, condition, in_step_with, is};
use crate::support::operator::Operator;

const NAMES: [&str; 6] = ["Ada Koch", "Ben Wolf", "Cy Noor", "Dag Holm", "Eva Roth", "Finn Aas"];

fn company() -> String {
    let people: String =
        NAMES.iter().zip(1..).map(|(name, number)| person(number, name, "ou=Sales,")).collect();
    let groups = [
        group(
            20,
            "Staff",
            0,
            &["Ada Koch/Sales/Corp", "CN=Ben Wolf,OU=Sales,O=Corp", "CN=Eva Roth/OU=Sales/O=Corp"],
        ),
        group(21, "News", 1, &["Staff", "Finn Aas"]),
        group(22, "Terminations", 3, &["Cy Noor/Sales/Corp"]),
    ];
    [people, mail_in(10, "Support"), groups.concat()].concat()
}

fn at(name: &str) -> String {
    format!("{name}@corp.example")
}

/// The Secret and the connector of this server.
fn connect(namespace: &Namespace<'_>, domino: &Domino) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "reader" }, "type": "kubernetes.io/basic-auth",
        "stringData": { "username": READER, "password": PASSWORD },
    });
    let connector = json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "DirectoryConnector", "metadata": { "name": "corp" },
        "spec": {
            "domino": { "urls": [domino.url()], "insecure": true, "credentialsSecretRef": { "name": "reader" } },
            "interval": "10s", "retryInterval": "1s",
        },
    });
    namespace.apply(&secret.to_string());
    namespace.apply(&connector.to_string());
}

fn policy(target: &Value) -> String {
    json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "SyncPolicy", "metadata": { "name": "staff" },
        "spec": {
            "connectors": [{ "name": "corp" }],
            "target": target,
            "groups": { "nesting": "Flatten" },
        },
    })
    .to_string()
}

fn read_now(namespace: &Namespace<'_>) {
    let value = format!("rollcall.dev/sync-requested-at={}", uuid::Uuid::new_v4());
    namespace.annotate("dirconn", "corp", &value);
}

/// Somebody joins a group's list, somebody leaves, somebody is renamed, moves and has another address.
fn a_day(domino: &Domino) {
    domino.modify(&added(&person(7, "Gro Lie", "ou=North,")));
    domino.modify("dn: cn=Ben Wolf,ou=Sales,o=Corp\nchangetype: delete\n\n");
    domino.modify(
        "dn: cn=Eva Roth,ou=Sales,o=Corp\nchangetype: modrdn\nnewrdn: cn=Eva Blum\ndeleteoldrdn: 1\nnewsuperior: ou=North,o=Corp\n\n\
         dn: cn=Eva Blum,ou=North,o=Corp\nchangetype: modify\nreplace: mail\nmail: eblum@corp.example\n-\nreplace: fullName\n\
         fullName: CN=Eva Blum/OU=North/O=Corp\n\n\
         dn: cn=Staff\nchangetype: modify\nreplace: member\nmember: Ada Koch/Sales/Corp\nmember: CN=Eva Blum,OU=North,O=Corp\nmember: \
         Gro Lie/North/Corp\n\n",
    );
}

/// Nothing that others read names a person.
fn nobody_is_named(namespace: &Namespace<'_>, operator: &Operator) {
    let said = [
        namespace.get("dirconn", "corp")["status"].to_string(),
        namespace.get("syncpol", "staff")["status"].to_string(),
        namespace.kubectl(&["get", "events", "-o", "json"]).out,
        operator.output(),
    ];
    for text in said {
        for name in
            NAMES.iter().flat_map(|name| [(*name).to_owned(), at(&crate::support::domino::short(name))])
        {
            assert!(!text.contains(&name), "{name} is in {text}");
        }
    }
}

#[test]
fn the_life_of_a_company_arrives_in_the_registry() {
    let namespace = Cluster::shared().namespace();
    let domino = Domino::start(&Habits { entries: &company(), ..Habits::default() });
    let mut operator = Operator::start(&namespace);
    operator.secret(PASSWORD);
    connect(&namespace, &domino);
    namespace.apply(&policy(&json!({ "registry": {} })));
    namespace.until("syncpol", "staff", in_step_with(7));
    let corp = namespace.get("dirconn", "corp");
    assert_eq!(corp["status"]["directory"]["id"], "domino");
    assert_eq!(
        (&corp["status"]["directory"]["users"], &corp["status"]["directory"]["groups"]),
        (&json!(7), &json!(2))
    );
    let registry = || Registry::of(&operator, &format!("{}/staff", namespace.name()));
    assert_eq!(registry().members("Staff"), ["akoch", "bwolf", "eroth"].map(at));
    assert_eq!(registry().members("News"), ["akoch", "bwolf", "eroth", "faas"].map(at));
    let eva = registry().id_of(&at("eroth"));

    a_day(&domino);
    read_now(&namespace);
    namespace.until("syncpol", "staff", |object| {
        object["status"]["lastRun"]["disabled"] == 1 && is("Ready", "True", "InStep")(object)
    });
    assert_eq!(registry().id_of(&at("eblum")), eva);
    assert_eq!(registry().members("Staff"), ["akoch", "eblum", "glie"].map(at));
    assert!(!registry().active().contains(&at("bwolf")));
    for (kind, name) in [("dirconn", "corp"), ("syncpol", "staff")] {
        assert_eq!(kstatus(&namespace.get(kind, name)), "Current");
    }

    // The password is not right any more.
    domino.modify(
        "dn: cn=Rollcall Reader,o=Corp\nchangetype: modify\nreplace: userPassword\nuserPassword: another\n\n",
    );
    read_now(&namespace);
    let corp = namespace.until("dirconn", "corp", |object| {
        condition(object, "Authenticated").is_some_and(|condition| condition.0 == "False")
    });
    assert_eq!(condition(&corp, "Ready").map(|ready| ready.0), Some("False"));
    assert!(registry().active().contains(&at("akoch")), "nobody goes");
    nobody_is_named(&namespace, &operator);
}
