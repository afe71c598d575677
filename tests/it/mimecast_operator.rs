//! The operator with Mimecast as a target, where it is more than a life (`lives.rs`): when it syncs, and what a missing role is
//! called. A real apiserver, a real directory, and a stand-in that is read without our client.

use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::mimecast::{CLIENT, Habits, StandIn};
use crate::support::namespace::Namespace;
use crate::support::office::{
    PASSWORD, PEOPLE, address, company, condition, connector, in_step_with, is, joins, reader,
};
use crate::support::operator::Operator;
use crate::support::slapd::{Setup, Slapd};

/// A directory, and a policy with more fields that keeps a tenant in step with it.
struct Company {
    service: StandIn,
    namespace: Namespace<'static>,
    slapd: Slapd,
    _operator: Operator,
}

impl Company {
    fn open(more: &Value) -> Self {
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
        let mut policy = json!({
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
        policy["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let connector = connector(&slapd, "");
        for object in [reader(PASSWORD), connector, secret.to_string(), ca.to_string(), policy.to_string()] {
            namespace.apply(&object);
        }
        Self { service, namespace, slapd, _operator: operator }
    }

    /// Asks for a sync of these objects now, and returns what they will have handled then.
    fn ask(&self, kind: &str, which: &str) -> String {
        let asked = uuid::Uuid::new_v4().to_string();
        self.namespace.annotate(kind, which, &format!("rollcall.dev/sync-requested-at={asked}"));
        asked
    }
}

#[test]
fn a_role_that_is_missing_is_named() {
    let company = Company::open(&json!({}));
    company.namespace.until("syncpol", "staff", in_step_with(12));
    let truth = company.service.truth();
    assert_eq!(truth.users.keys().cloned().collect::<Vec<_>>(), PEOPLE.map(address));
    company.service.inner().habits.denied = Some("Directories | Internal | Read");
    company.ask("syncpol", "staff");
    let staff = company.namespace.until("syncpol", "staff", is("TargetReachable", "False", "AccessDenied"));
    assert_eq!(condition(&staff, "Ready").map(|ready| ready.0), Some("False"));
    assert!(staff["status"].to_string().contains("Directories | Internal | Read"), "{}", staff["status"]);
    assert_eq!(company.service.truth(), truth);
}

/// The three syncs a day of Mimecast, and its Sync All.
#[test]
fn three_syncs_a_day_and_one_for_all_who_ask() {
    let schedule = json!({ "cron": ["0 8 * * *", "0 13 * * *", "0 23 * * *"], "timeZone": "Europe/London" });
    let company = Company::open(&json!({ "schedule": schedule }));
    let staff =
        company.namespace.until("syncpol", "staff", |object| object["status"]["nextRunAt"].is_string());
    let next: jiff::Timestamp = staff["status"]["nextRunAt"].as_str().unwrap().parse().unwrap();
    let next = next.in_tz("Europe/London").unwrap();
    // Each policy has a delay of up to a minute of its own.
    assert!([8, 13, 23].contains(&next.hour()) && next.minute() <= 1, "{next}");
    company.ask("syncpol", "--all");
    company.namespace.until("syncpol", "staff", in_step_with(12));
    assert_eq!(company.service.truth().users.len(), 12);

    // The directory is read, and nothing is done before it is time.
    company.slapd.modify(&joins("linus"));
    let asked = company.ask("dirconn", "corp");
    company
        .namespace
        .until("dirconn", "corp", |object| object["status"]["lastHandledSyncRequestedAt"] == *asked);
    assert_eq!(company.service.truth().users.len(), 12);
    company.ask("syncpol", "--all");
    company.namespace.until("syncpol", "staff", in_step_with(13));
    assert!(company.service.truth().users.contains_key(&address("linus")));
}
