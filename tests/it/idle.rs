//! What the operator does by the clock, and what it leaves alone: on a real apiserver, with a clock of the tests' own.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::config::{KubeConfigOptions, Kubeconfig};
use rollcall::clock::Clock as _;
use rollcall::controller::{self, Dependencies, LeaseSettings, Scope, Settings, Times};
use rollcall::serve::{Readiness, Served};
use rollcall::store::Store;
use rollcall::telemetry::Metrics;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::support::cluster::{Cluster, Write};
use crate::support::hand::Hand;
use crate::support::namespace::Namespace;
use crate::support::office::{condition, is};
use crate::support::scim::TOKEN;
use crate::support::scim_stand_in::{Habits, StandIn};

/// The operator within this process.
struct Within {
    namespace: Namespace<'static>,
    clock: Arc<Hand>,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
    _data: tempfile::TempDir,
}

impl Within {
    fn start(now: &str) -> Self {
        let namespace = Cluster::shared().namespace();
        namespace.install_operator(&[&namespace]);
        let (clock, stop) = (Arc::new(Hand::at(now.parse().unwrap())), CancellationToken::new());
        let data = tempfile::tempdir().unwrap();
        let (folder, kubeconfig) = (data.path().to_owned(), namespace.kubeconfig_of("rollcall"));
        let (name, timer, ends) = (namespace.name().to_owned(), clock.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async move {
                let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
                let options = KubeConfigOptions::default();
                let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options);
                let given = Dependencies {
                    client: kube::Client::try_from(config.await.unwrap()).unwrap(),
                    open: move || Store::open(&folder),
                    clock: timer,
                    served: Served::default(),
                    metrics: Metrics::default(),
                    readiness: Readiness::default(),
                    consents: None,
                    gateway: None,
                    stop: ends,
                };
                let settings = Settings {
                    scope: Scope { namespaces: Some([name.clone()].into()), ..Scope::default() },
                    lease: LeaseSettings {
                        namespace: name,
                        name: "rollcall".to_owned(),
                        identity: "within".to_owned(),
                        times: Times::default(),
                    },
                    imports: 2,
                    runs: 2,
                    unguarded: controller::Unguarded::Refuse,
                };
                controller::run(given, settings).await.unwrap();
            });
        });
        Self { namespace, clock, stop, thread: Some(thread), _data: data }
    }

    fn company(&self, people: &[&str]) {
        let person = |name: &&str| {
            format!(
                "\ndn: uid={name},dc=corp\nobjectClass: person\nuid: {name}\nmail: {name}@corp\nentryUUID: {name}\n"
            )
        };
        let people: Vec<String> = people.iter().map(person).collect();
        let ldif = format!("dn: dc=corp\nobjectClass: domain\nentryUUID: 0\n{}", people.concat());
        let indented = ldif.replace('\n', "\n    ");
        self.namespace.apply(&format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: export }}\ndata:\n  ldif: |\n    {indented}\n"
        ));
    }

    fn connector(&self, spec: &str) {
        self.namespace.apply(&format!(
            "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: corp }}\nspec:\n  \
             ldif: {{ configMapKeyRef: {{ name: export, key: ldif }} }}\n{spec}"
        ));
    }

    fn policy(&self, spec: &str) {
        self.namespace.apply(&format!(
            "apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: staff }}\nspec:\n  \
             connectors: [{{ name: corp, maxAge: 2h }}]\n  target: {{ registry: {{}} }}\n{spec}"
        ));
    }

    fn in_step(&self) {
        self.namespace.until("dirconn", "corp", is("Ready", "True", "Read"));
        self.namespace.until("syncpol", "staff", is("Ready", "True", "InStep"));
    }

    /// Something that must be answered shows that time has passed for whoever would have had something to say or to do.
    fn probe(&self) {
        self.namespace.apply(
            "{ apiVersion: rollcall.dev/v1alpha1, kind: SyncPolicy, metadata: { name: probe }, spec: \
             { connectors: [{ name: none }], target: { registry: {} } } }",
        );
        self.namespace.until("syncpol", "probe", is("Ready", "False", "ConnectorNotFound"));
    }

    /// Lets time pass until the directory was read again; returns the connector.
    fn read_again(&self, after: Duration) -> Value {
        self.clock.advance(after);
        let now = self.clock.now();
        self.namespace.until("dirconn", "corp", |object| {
            time(&object["status"]["lastImport"]["finishedAt"]) == Some(now)
        })
    }

    /// What the operator asked the apiserver to change until now, but for its lease.
    fn writes(&self) -> Vec<Write> {
        let account = format!("system:serviceaccount:{}:rollcall", self.namespace.name());
        let writes = self.namespace.cluster().writes_by(&account, self.namespace.name());
        writes.into_iter().filter(|write| write.resource != "leases").collect()
    }

    /// The same, once whatever goes on has come to rest: the policy was looked at after the connector.
    fn settled(&self, what: &str) -> Vec<Write> {
        self.namespace.annotate("syncpol", "staff", &format!("rollcall.dev/sync-requested-at={what}"));
        self.namespace
            .until("syncpol", "staff", |object| object["status"]["lastHandledSyncRequestedAt"] == what);
        self.writes()
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        self.stop.cancel();
        let ended = self.thread.take().unwrap().join();
        assert!(std::thread::panicking() || ended.is_ok(), "the operator died");
    }
}

fn time(value: &Value) -> Option<Timestamp> {
    // A status keeps whole seconds.
    value.as_str()?.parse().ok()
}

#[test]
fn a_read_without_changes_costs_one_write_and_no_time_costs_any() {
    let within = Within::start("2026-03-02T08:00:00Z");
    within.company(&["ada", "grace"]);
    within.connector("  interval: 15m\n");
    within.policy("");
    within.in_step();
    let before = within.settled("first").len();
    // All day long: the connector says each time that it has read, and nobody says anything else.
    for _ in 0..20 {
        within.read_again(Duration::from_mins(17));
    }
    let writes = within.settled("second");
    let statuses: Vec<&str> = writes[before..].iter().map(|write| write.resource.as_str()).collect();
    assert_eq!(statuses.iter().filter(|it| **it == "directoryconnectors/status").count(), 20, "{statuses:?}");
    // The policy's own are of the request that settled it: that it began, and that it ended.
    assert!(statuses.len() <= 22, "{statuses:?}");
    // What rests costs nothing, however long.
    for (kind, name) in [("dirconn", "corp"), ("syncpol", "staff")] {
        within.namespace.suspend(kind, name);
    }
    let before = within.writes();
    for _ in 0..48 {
        within.clock.advance(Duration::from_mins(30));
    }
    within.probe();
    let writes = within.writes();
    let after: Vec<&Write> =
        writes[before.len()..].iter().filter(|write| !write.name.starts_with("probe")).collect();
    assert_eq!(after, [] as [&Write; 0]);
}

#[test]
fn a_service_is_verified_when_its_time_comes() {
    let within = Within::start("2026-03-02T08:00:00Z");
    let service = StandIn::start(Habits::default());
    within.company(&["ada", "grace"]);
    within.connector("  interval: 240h\n");
    within.namespace.apply(&format!(
        "{{ apiVersion: v1, kind: Secret, metadata: {{ name: app }}, stringData: {{ token: {TOKEN} }} }}"
    ));
    let policy = |on_drift: &str| {
        within.namespace.apply(&format!(
            "apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: staff }}\nspec:\n  \
             connectors: [{{ name: corp, maxAge: 480h }}]\n  verify: {{ every: 3h, onDrift: {on_drift} }}\n  target:\n    \
             scim: {{ url: \"{}\", insecure: true, credentials: {{ tokenSecretRef: {{ name: app, key: token }} }} }}\n",
            service.url()
        ));
    };
    policy("Report");
    within.in_step();
    let rename = |name: &str| {
        for object in service.inner().objects.values_mut() {
            if object["emails"][0]["value"] == "ada@corp" {
                object["userName"] = name.into();
            }
        }
    };
    rename("somebody");
    within.clock.advance(Duration::from_hours(4));
    let staff = within.namespace.until("syncpol", "staff", is("DriftDetected", "True", "Drifted"));
    assert_eq!(condition(&staff, "Ready"), Some(("True", "InStepWithExceptions")));
    let verification = &staff["status"]["verification"];
    assert_eq!(
        (&verification["usersChanged"], &verification["left"]),
        (&1.into(), &1.into()),
        "{verification}"
    );
    assert_eq!(service.count("PATCH", ""), 0);
    // Whoever lets it be set right is in step after the next one.
    policy("Repair");
    within.clock.advance(Duration::from_hours(4));
    let repaired = |object: &Value| {
        object["status"]["verification"]["usersChanged"] == 1 && object["status"]["verification"]["left"] == 0
    };
    let staff = within.namespace.until("syncpol", "staff", repaired);
    assert!(condition(&staff, "DriftDetected").is_none(), "{staff}");
    assert_eq!(condition(&staff, "Ready"), Some(("True", "InStep")));
    assert!(service.inner().objects.values().any(|object| object["userName"] == "ada@corp"));
    let events = within.namespace.kubectl(&["events", "--for", "syncpolicy/staff"]).exits(0).out;
    assert!(events.contains("DriftRepaired"), "{events}");
}

#[test]
fn a_schedule_runs_when_its_time_comes_in_its_own_zone() {
    // A Monday in summer: London is an hour ahead of UTC.
    let within = Within::start("2026-07-06T03:00:00Z");
    within.company(&["ada"]);
    within.connector("  interval: 30m\n");
    within.policy("  schedule: { cron: [\"0 8 * * 1-5\"], timeZone: Europe/London }\n");
    // The first run waits for nobody.
    within.in_step();
    let staff = within.namespace.get("syncpol", "staff");
    let next = time(&staff["status"]["nextRunAt"]).unwrap();
    let eight: Timestamp = "2026-07-06T07:00:00Z".parse().unwrap();
    assert!((0..=60).contains(&(next.as_second() - eight.as_second())), "{next}");
    within.company(&["ada", "grace"]);
    within.namespace.until("dirconn", "corp", |object| object["status"]["directory"]["users"] == 2);
    // Its time has not come: what was read waits.
    assert_eq!(within.namespace.get("syncpol", "staff")["status"]["inStep"]["users"], 1);
    within.clock.set(eight.checked_add(Duration::from_mins(1)).unwrap());
    let staff = within.namespace.until("syncpol", "staff", |object| object["status"]["inStep"]["users"] == 2);
    let next = time(&staff["status"]["nextRunAt"]).unwrap();
    assert_eq!(next.strftime("%F").to_string(), "2026-07-07");
}

#[test]
fn a_policy_asks_for_what_is_too_old_and_does_not_trust_what_it_cannot_get() {
    let within = Within::start("2026-03-02T08:00:00Z");
    within.company(&["ada"]);
    within.connector("  interval: 24h\n");
    within.policy("");
    within.in_step();
    // Two hours are too old for the policy, and nothing for the connector: it is asked.
    within.read_again(Duration::from_hours(2) + Duration::from_mins(1));
    within.namespace.until("syncpol", "staff", is("Ready", "True", "InStep"));
    within.namespace.suspend("dirconn", "corp");
    within.clock.advance(Duration::from_hours(2) + Duration::from_mins(1));
    let staff = within.namespace.until("syncpol", "staff", is("Ready", "False", "SourceFailed"));
    let message = staff["status"]["conditions"][0]["message"].as_str().unwrap();
    assert!(message.contains("suspended") && message.contains("too old"), "{message}");
    assert_eq!(condition(&staff, "SourcesHealthy"), Some(("False", "SourceFailed")));
}

#[test]
fn a_policy_that_rests_asks_for_nothing() {
    let within = Within::start("2026-03-02T08:00:00Z");
    within.company(&["ada"]);
    within.connector("  interval: 24h\n");
    within.policy("");
    within.in_step();
    let before = within.namespace.get("dirconn", "corp")["status"]["lastImport"].clone();
    // Another read is asked for when nine tenths of these two hours have passed.
    within.clock.advance(Duration::from_mins(107));
    within.policy("  suspend: true\n");
    within.namespace.until_seen("syncpol", "staff");
    within.clock.advance(Duration::from_mins(14));
    // It is looked at now that what was read is too old.
    within.policy("  suspend: true\n  timeout: 30m\n");
    within.namespace.until_seen("syncpol", "staff");
    within.probe();
    assert_eq!(within.namespace.get("dirconn", "corp")["status"]["lastImport"], before);
    within.policy("");
    let now = within.clock.now();
    within
        .namespace
        .until("dirconn", "corp", |object| time(&object["status"]["lastImport"]["finishedAt"]) == Some(now));
}

#[test]
fn what_fails_is_tried_again_later_and_later() {
    let within = Within::start("2026-03-02T08:00:00Z");
    within.company(&["ada"]);
    within.connector("  interval: 24h\n  retryInterval: 1m\n");
    within.policy("");
    within.in_step();
    // An export that was cut: each try fails, and the next one is further off.
    within.namespace.apply(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: export }\ndata:\n  ldif: \"# LDAPv3\\n\\ndn: dc=corp\\nobjectClass: dom\"\n",
    );
    let failed = |object: &Value| is("Ready", "False", "Interrupted")(object);
    let mut last = within.namespace.until("dirconn", "corp", failed);
    let mut waits = Vec::new();
    for _ in 0..4 {
        let next = time(&last["status"]["nextImportAt"]).unwrap();
        waits.push(next.as_second() - within.clock.now().as_second());
        within.clock.set(next);
        last = within.namespace.until("dirconn", "corp", |object| {
            failed(object) && time(&object["status"]["nextImportAt"]).is_some_and(|at| at > next)
        });
    }
    assert!(waits.windows(2).all(|pair| pair[1] > pair[0] + pair[0] / 2), "{waits:?}");
    assert!((60..=66).contains(&waits[0]), "{waits:?}");
    // Mended, it is read at once, whatever the pause.
    within.company(&["ada"]);
    within.in_step();
}

#[test]
fn whoever_touches_what_is_referred_to_has_changed_nothing() {
    let within = Within::start("2026-03-02T08:00:00Z");
    within.company(&["ada"]);
    within.connector("  interval: 24h\n  retryInterval: 1h\n");
    within.policy("");
    within.in_step();
    let import = |object: &Value| object["status"]["lastImport"].clone();
    let read = import(&within.namespace.get("dirconn", "corp"));
    let before = within.settled("first").len();
    within.clock.advance(Duration::from_mins(5));
    let touch = |what: &str| {
        within.namespace.annotate("configmap", "export", &format!("example.test/touched={what}"));
        let data = format!(r#"{{"data":{{"another-key":"{what}"}}}}"#);
        within.namespace.kubectl(&["patch", "configmap", "export", "--type=merge", "-p", &data]).exits(0);
    };
    touch("once");
    within.probe();
    assert_eq!(import(&within.namespace.get("dirconn", "corp")), read);
    let writes = within.writes();
    let of_ours = writes[before..].iter().filter(|write| ["corp", "staff"].contains(&write.name.as_str()));
    assert_eq!(of_ours.collect::<Vec<_>>(), [] as [&Write; 0]);
    // What fails is not tried sooner either.
    let cut = r##"{"data":{"ldif":"# LDAPv3\n\ndn: dc=corp\nobjectClass: dom"}}"##;
    within.namespace.kubectl(&["patch", "configmap", "export", "--type=merge", "-p", cut]).exits(0);
    let failed = within.namespace.until("dirconn", "corp", is("Ready", "False", "Interrupted"));
    within.clock.advance(Duration::from_mins(5));
    touch("again");
    within.namespace.delete("syncpol", "probe");
    within.probe();
    assert_eq!(within.namespace.get("dirconn", "corp")["status"], failed["status"]);
    // What is used of it is another: it is read at once.
    within.company(&["ada", "grace"]);
    within.in_step();
    assert_ne!(import(&within.namespace.get("dirconn", "corp")), read);
}
