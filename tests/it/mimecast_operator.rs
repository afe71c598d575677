//! The operator with Mimecast as a target: a real apiserver, a real directory, and a stand-in that is read without our client.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::cluster::Cluster;
use crate::support::mimecast::{CLIENT, Habits, StandIn};
use crate::support::office::{
    PASSWORD, PEOPLE, address, company, condition, connector, in_step_with, is, joins, leaves, reader,
};
use crate::support::operator::Operator;
use crate::support::slapd::{SUFFIX, Setup, Slapd};

#[test]
fn the_life_of_a_company_arrives_at_mimecast() {
    let service = StandIn::start(Habits::default());
    service.inner().tenant.domains.push("example.test".to_owned());
    let namespace = Cluster::shared().namespace();
    let slapd = Slapd::start(&Setup { ldif: &company(), ..Setup::default() });
    let mut operator = Operator::start(&namespace);
    operator.secret(PASSWORD);
    operator.secret(CLIENT.1);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "mimecast" },
        "stringData": { "client-id": CLIENT.0, "client-secret": CLIENT.1 },
    });
    let ca = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "ca" }, "data": { "ca.crt": service.https.ca } });
    let policy = json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "SyncPolicy", "metadata": { "name": "staff" },
        "spec": {
            "connectors": [{ "name": "corp" }],
            "target": { "mimecast": {
                "url": service.https.url(),
                "credentialsSecretRef": { "name": "mimecast" },
                "tls": { "caRef": { "kind": "ConfigMap", "name": "ca", "key": "ca.crt" } },
            } },
        },
    });
    for object in
        [reader(PASSWORD), connector(&slapd, ""), secret.to_string(), ca.to_string(), policy.to_string()]
    {
        namespace.apply(&object);
    }
    namespace.until("syncpol", "staff", in_step_with(12));
    let truth = service.truth();
    assert_eq!(truth.users.keys().cloned().collect::<Vec<_>>(), PEOPLE.map(address));
    assert_eq!(truth.groups["Rollcall/pioneers"], ["ada", "alan", "grace"].map(address).into());

    // Somebody joins, somebody leaves, somebody gets another address.
    slapd.modify(&joins("linus"));
    slapd.modify(&leaves("alan"));
    slapd.modify(&format!(
        "dn: uid=ada,ou=people,{SUFFIX}\nchangetype: modify\nreplace: mail\nmail: countess@example.test\n\n"
    ));
    let value = format!("rollcall.dev/sync-requested-at={}", uuid::Uuid::new_v4());
    namespace.annotate("dirconn", "corp", &value);
    // The status is that of the run before until this one has ended.
    let is_so = || {
        let truth = service.truth();
        let works = |name: &str| truth.users.get(&address(name)).is_some_and(|user| user.1);
        let pioneers = ["countess", "grace"].map(address).into();
        ["linus", "countess"].into_iter().all(works)
            && !["alan", "ada"].into_iter().any(works)
            && truth.groups.get("Rollcall/pioneers") == Some(&pioneers)
    };
    namespace.until("syncpol", "staff", |object| is("Ready", "True", "InStep")(object) && is_so());
    let truth = service.truth();
    assert!(truth.users.contains_key(&address("ada")), "the former address is there, and works no more");

    // A role that is missing is named.
    service.inner().habits.denied = Some("Directories | Internal | Read");
    let value = format!("rollcall.dev/sync-requested-at={}", uuid::Uuid::new_v4());
    namespace.annotate("syncpol", "staff", &value);
    let staff = namespace.until("syncpol", "staff", |object| {
        condition(object, "Ready").is_some_and(|ready| ready.0 == "False")
    });
    assert!(staff["status"].to_string().contains("Directories | Internal | Read"), "{}", staff["status"]);

    // Nothing that others read names a person.
    let events = namespace.kubectl(&["get", "events", "-o", "json"]).out;
    let said = [
        staff["status"].to_string(),
        namespace.get("dirconn", "corp")["status"].to_string(),
        events,
        operator.output(),
    ];
    let people: BTreeSet<String> = truth.users.keys().cloned().collect();
    for text in said {
        for person in &people {
            assert!(!text.contains(person), "{person} is in {text}");
        }
    }
}
