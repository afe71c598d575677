//! A release of the chart on a node, with an OpenLDAP that it keeps in step with the registry.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use rusqlite::OpenFlags;
use serde_json::Value;

use crate::support::cli::Ran;
use crate::support::cluster::{PATIENCE, repository};
use crate::support::node::{ADDRESS, Node};
use crate::support::process::{Process, eventually};

const TOKEN: &str = "a-token-for-this-machine-only";
const ADMIN: &str = "cn=admin,dc=corp,dc=example";
const PORT: u16 = 3890;
/// A choice that connectors have (`ldap.changeFeed`).
const NEWER_CHOICE: &str = "SyncRepl";
/// The most of a page of the registry.
const PAGE: &str = "count=500";

/// The release `rollcall` in the namespace `rollcall`.
pub(super) struct Release {
    pub(super) node: Node,
    /// How large its image is.
    pub(super) image: String,
    _slapd: Process,
}

/// What the registry says of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    id: String,
    pub(super) active: bool,
}

/// People by their user names.
pub(super) type People = BTreeMap<String, Person>;

/// A process that was.
pub(super) struct Killed(u32);

impl Release {
    /// A node with the image of the program under test, a volume and a directory; nothing is installed yet.
    pub(super) fn new() -> Self {
        let binary =
            std::env::var("ROLLCALL_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_rollcall").to_owned());
        let images = tempfile::tempdir().unwrap();
        let archive = images.path().join("rollcall.tar");
        let written = Command::new(repository("scripts/image")).arg(binary).arg(&archive).output().unwrap();
        let image =
            Ran::of(&written).exits(0).out.trim().replace(&archive.display().to_string(), "an archive");
        let node = Node::start(&[&archive]);

        let folder = |name: &str| {
            fs::create_dir_all(node.path(name)).unwrap();
            node.path(name).display().to_string()
        };
        let mut config = String::new();
        for schema in ["core", "cosine", "inetorgperson"] {
            writeln!(config, "include /etc/ldap/schema/{schema}.schema").unwrap();
        }
        write!(
            config,
            "modulepath /usr/lib/ldap\nmoduleload back_mdb\nloglevel 0\ndatabase mdb\nsuffix dc=corp,dc=example\n\
             rootdn {ADMIN}\nrootpw {TOKEN}\ndirectory {}\n\
             access to attrs=userPassword by anonymous auth by * none\naccess to * by * read\n",
            folder("ldap")
        )
        .unwrap();
        let file = node.path("slapd.conf").display().to_string();
        fs::write(&file, config).unwrap();
        node.run(&["slapadd", "-q", "-f", &file, "-l", "examples/cluster/company.ldif"]).exits(0);
        let slapd = node.serve("slapd", &["slapd", "-d", "0", "-f", &file, "-h", &url()]);

        folder("volume");
        let release = Self { node, image, _slapd: slapd };
        release.kubectl(&["create", "namespace", "rollcall"]).exits(0);
        release.offer_volume();
        release
    }

    /// Makes the volume that the release may claim.
    fn offer_volume(&self) {
        self.apply(&format!(
            "{{ apiVersion: v1, kind: PersistentVolume, metadata: {{ name: data }}, spec: {{ capacity: {{ storage: 2Gi }},\n\
             accessModes: [ReadWriteOnce], local: {{ path: {} }}, nodeAffinity: {{ required: {{ nodeSelectorTerms: [{{\n\
             matchExpressions: [{{ key: kubernetes.io/hostname, operator: In, values: [here] }}] }}] }} }} }} }}",
            self.node.path("volume").display()
        ));
    }

    /// All of it goes, with the data: the release, the kinds and their objects, the Secrets, the volume.
    pub(super) fn is_lost(&self) {
        self.helm_of(&["uninstall"], &["--wait"]).exits(0);
        self.pod_is_gone();
        self.kubectl(&["delete", "crd", "directoryconnectors.rollcall.dev", "syncpolicies.rollcall.dev"])
            .exits(0);
        self.kubectl(&["delete", "secret", "corp-reader", "staff-scim"]).exits(0);
        self.kubectl(&["delete", "pvc", "rollcall"]).exits(0);
        self.kubectl(&["delete", "pv", "data"]).exits(0);
        fs::remove_dir_all(self.data()).unwrap();
        self.offer_volume();
    }

    pub(super) fn kubectl(&self, arguments: &[&str]) -> Ran {
        self.node.run(&[&["kubectl", "--namespace=rollcall"], arguments].concat())
    }

    pub(super) fn with_input(&self, arguments: &[&str], yaml: &str) {
        self.node.with_input(&[&["kubectl", "--namespace=rollcall"], arguments].concat(), yaml).exits(0);
    }

    pub(super) fn apply(&self, yaml: &str) {
        self.with_input(&["apply", "-f", "-"], yaml);
    }

    /// `helm VERB rollcall charts/rollcall …`
    pub(super) fn helm(&self, arguments: &[&str]) -> Ran {
        let (verb, more) = arguments.split_at(1);
        self.helm_of(verb, &[&["charts/rollcall"], more].concat())
    }

    /// `helm VERB rollcall …`
    pub(super) fn helm_of(&self, verb: &[&str], more: &[&str]) -> Ran {
        self.node
            .run(&[&["helm"], verb, &["rollcall", "--namespace=rollcall", "--timeout=120s"], more].concat())
    }

    /// The chart as it was before connectors had one of their choices.
    pub(super) fn older_chart(&self) -> String {
        let folder = self.node.path("older-chart");
        let chart = folder.display().to_string();
        self.node.run(&["cp", "-r", "charts/rollcall", &chart]).exits(0);
        let kind = folder.join("templates/crd-directoryconnectors.yaml");
        let text = fs::read_to_string(&kind).unwrap();
        fs::write(kind, text.replace(&format!("- {NEWER_CHOICE}\n"), "\n")).unwrap();
        chart
    }

    /// Whether connectors have it.
    pub(super) fn has_newest_kinds(&self) -> bool {
        let choices = "{.spec.versions[0].schema..ldap.properties.changeFeed.enum}";
        self.get("crd/directoryconnectors.rollcall.dev", choices).contains(NEWER_CHOICE)
    }

    pub(super) fn get(&self, what: &str, path: &str) -> String {
        self.kubectl(&["get", what, &format!("-o=jsonpath={path}")]).out
    }

    /// Applies the examples.
    pub(super) fn apply_objects(&self, policy_spec: &str) {
        let read = |name: &str| fs::read_to_string(repository(name)).unwrap();
        self.apply(&read("examples/cluster/connector.yaml").replace("ldap://127.0.0.1:389", &url()));
        self.apply(&(read("examples/cluster/policy.yaml") + policy_spec));
    }

    /// Applies the examples, and waits until they are in step.
    pub(super) fn policy_is_ready(&self) {
        self.apply_objects("");
        self.is_ready("dirconn/corp");
        self.is_ready("syncpol/staff");
    }

    pub(super) fn is_ready(&self, object: &str) {
        let ran = self.kubectl(&["wait", object, "--for=condition=Ready", "--timeout=120s"]);
        let story = self.kubectl(&["logs", "rollcall-0"]).said();
        assert_eq!(ran.code, 0, "{}\n{story}", self.kubectl(&["describe", object]).said());
    }

    /// What the registry says of its users through its Service to who bears this token, if anything.
    pub(super) fn ask(&self, token: &str, query: &[&str]) -> Option<Value> {
        let service = self.get("service/rollcall-scim", "{.spec.clusterIP}:{.spec.ports[0].port}");
        self.ask_at(&service, token, query)
    }

    /// With which status the pod answers whoever reads the registry.
    pub(super) fn answer(&self) -> String {
        let address = self.get("pod/rollcall-0", "{.status.podIP}");
        let url = format!("http://{address}:8443/policies/rollcall/staff/scim/v2/Users");
        let bearer = format!("Authorization: Bearer {TOKEN}");
        let arguments = ["curl", "-s", "-m5", "-o", "/dev/null", "-w", "%{http_code}", "-H", &bearer, &url];
        self.node.run(&arguments).out
    }

    fn ask_at(&self, address: &str, token: &str, query: &[&str]) -> Option<Value> {
        let url = format!("http://{address}/policies/rollcall/staff/scim/v2/Users");
        let bearer = format!("Authorization: Bearer {token}");
        let mut arguments = vec!["curl", "-sfG", "-m5", "-H", &bearer, &url];
        for part in query {
            arguments.extend(["--data-urlencode", part]);
        }
        let ran = self.node.run(&arguments);
        (ran.code == 0).then(|| serde_json::from_str(&ran.out).unwrap())
    }

    /// Everybody whom the registry has.
    pub(super) fn people(&self) -> People {
        let answer = eventually(PATIENCE, "the registry answers", || self.ask(TOKEN, &[PAGE]));
        let people = answer["Resources"].as_array().unwrap();
        assert_eq!(answer["totalResults"], people.len(), "they are on one page");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let person = |user: &Value| Person { id: text(&user["id"]), active: user["active"] == true };
        people.iter().map(|user| (text(&user["userName"]), person(user))).collect()
    }

    /// How many of them are active, as the pod itself says: its Service leads to it only a moment after it is ready.
    pub(super) fn active(&self) -> usize {
        eventually(PATIENCE, "the registry answers", || self.active_now())
    }

    fn active_now(&self) -> Option<usize> {
        let pod = format!("{}:8443", self.get("pod/rollcall-0", "{.status.podIP}"));
        let answer = self.ask_at(&pod, TOKEN, &["count=0", "filter=active eq true"])?;
        Some(usize::try_from(answer["totalResults"].as_u64()?).unwrap())
    }

    pub(super) fn comes_to_have(&self, active: usize) {
        eventually(PATIENCE, &format!("{active} people are active in the registry"), || {
            (self.active_now() == Some(active)).then_some(())
        });
    }

    /// They are all there, as they were.
    pub(super) fn kept(&self, before: &People) {
        let now = self.people();
        for (name, person) in before {
            assert_eq!(now.get(name), Some(person), "{name}");
        }
    }

    pub(super) fn hire(&self, names: &[String]) {
        let mut entries = String::new();
        for name in names {
            write!(
                entries,
                "dn: uid={name},ou=people,dc=corp,dc=example\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\n\
                 sn: {name}\nmail: {name}@corp.example\n\n"
            )
            .unwrap();
        }
        self.node.with_input(&["ldapadd", "-x", "-H", &url(), "-D", ADMIN, "-w", TOKEN], &entries).exits(0);
    }

    pub(super) fn dismiss(&self, name: &str) {
        let entry = format!("uid={name},ou=people,dc=corp,dc=example");
        self.node.run(&["ldapdelete", "-x", "-H", &url(), "-D", ADMIN, "-w", TOKEN, &entry]).exits(0);
    }

    /// Asks for a read of the directory.
    pub(super) fn request(&self) {
        let now = format!("rollcall.dev/sync-requested-at={:?}", Instant::now());
        self.kubectl(&["annotate", "dirconn", "corp", "--overwrite", &now]).exits(0);
    }

    /// Waits until the data were written to so many times, as seen from here.
    pub(super) fn writes(&self, times: usize) {
        let journal = self.data().join("rollcall.db-wal");
        let state = || fs::metadata(&journal).map(|it| (it.len(), it.modified().unwrap())).ok();
        for _ in 0..times {
            let before = state();
            let deadline = Instant::now() + PATIENCE;
            while state() == before {
                assert!(Instant::now() < deadline, "nothing was written to {}", journal.display());
                std::thread::yield_now();
            }
        }
    }

    /// How many users the policy last said to have in step.
    pub(super) fn in_step(&self) -> usize {
        self.get("syncpol/staff", "{.status.inStep.users}").parse().unwrap()
    }

    /// Kills the program as if it had crashed.
    pub(super) fn kill(&self) -> Killed {
        let pid = self.node.pod_process("rollcall").expect("it runs");
        let killed = Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
        assert!(killed.success());
        Killed(pid)
    }

    /// Waits until the kubelet has started it again and it says that it is ready, and tells how long after its start that
    /// was, in seconds.
    pub(super) fn comes_back(&self, killed: &Killed) -> f32 {
        let address = self.get("pod/rollcall-0", "{.status.podIP}");
        let pid = eventually(PATIENCE, "it is started again", || {
            self.node.pod_process("rollcall").filter(|pid| *pid != killed.0)
        });
        let url = format!("http://{address}:8081/readyz");
        eventually(PATIENCE, "it is ready", || {
            (self.node.run(&["curl", "-sf", "-m5", &url]).code == 0).then_some(())
        });
        let up = fs::read_to_string("/proc/uptime").unwrap();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // The 22nd field, the 20th after the name, which stands in brackets (proc(5)): when it started, in hundredths.
        let started = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap();
        up.split(' ').next().unwrap().parse::<f32>().unwrap() - started.parse::<f32>().unwrap() / 100.0
    }

    /// Which container of which pod it is.
    pub(super) fn container(&self) -> String {
        self.get("pod/rollcall-0", "{.status.containerStatuses[0].containerID}")
    }

    pub(super) fn scale(&self, replicas: u8) {
        self.kubectl(&["scale", "statefulset/rollcall", &format!("--replicas={replicas}")]).exits(0);
        if replicas == 0 {
            self.pod_is_gone();
        }
    }

    /// Makes a backup as the docs say.
    pub(super) fn backup(&self) -> Vec<u8> {
        let copy = self.node.path("backup.db").display().to_string();
        let backup = "kubectl --namespace=rollcall exec rollcall-0 -- rollcall backup --to - >\"$0\"";
        self.node.run(&["sh", "-c", backup, &copy]).exits(0);
        fs::read(copy).unwrap()
    }

    pub(super) fn data(&self) -> PathBuf {
        self.node.path("volume/data")
    }

    /// The stores in the volume, with the schema of each.
    pub(super) fn stores(&self) -> BTreeMap<String, u32> {
        let files = fs::read_dir(self.data()).unwrap().map(|file| file.unwrap().path());
        let stores = files.filter(|path| path.extension() == Some("db".as_ref()));
        stores
            .map(|path| {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                let store =
                    rusqlite::Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
                (name, store.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap())
            })
            .collect()
    }

    /// Leaves nothing of the data but this copy, if one is given.
    pub(super) fn replace_data(&self, copy: Option<&[u8]>) {
        let data = self.data();
        fs::remove_dir_all(&data).unwrap();
        if let Some(copy) = copy {
            self.put_data(copy);
        }
    }

    /// Puts a copy into a volume without data, as the docs say.
    pub(super) fn put_data(&self, copy: &[u8]) {
        let data = self.data();
        fs::create_dir(&data).unwrap();
        fs::set_permissions(&data, Permissions::from_mode(0o700)).unwrap();
        let file = data.join("rollcall.db");
        fs::write(&file, copy).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let owned = Command::new("chown").args(["-R", "65532:65532"]).arg(&data).status().unwrap();
        assert!(owned.success());
    }

    fn pod_is_gone(&self) {
        self.kubectl(&["wait", "pod/rollcall-0", "--for=delete", "--timeout=60s"]).exits(0);
    }

    /// After an uninstall: the claim, the kinds and their objects, and nothing else of the release.
    pub(super) fn only_the_data_are_left(&self) {
        // Helm waits for the StatefulSet only.
        self.pod_is_gone();
        let kinds = self.kubectl(&["api-resources", "--verbs=list", "--namespaced", "-o=name"]).exits(0).out;
        // What tells of the past goes by itself.
        let kinds: Vec<&str> = kinds.lines().filter(|kind| !kind.starts_with("events")).collect();
        let all = self.kubectl(&["get", &kinds.join(","), "-o=name", "--ignore-not-found"]).exits(0).out;
        let left: Vec<&str> = all.lines().filter(|name| !OURS_OR_KUBERNETES.contains(name)).collect();
        assert_eq!(left, ["persistentvolumeclaim/rollcall"]);
        let cluster_wide =
            "clusterrole,clusterrolebinding,validatingadmissionpolicy,validatingadmissionpolicybinding";
        assert!(!self.kubectl(&["get", cluster_wide, "-o=name"]).exits(0).out.contains("rollcall"));
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for arguments in
                [&["get", "pods,dirconn,syncpol", "-o=wide"][..], &["logs", "rollcall-0", "--tail=50"]]
            {
                eprintln!("{}", self.kubectl(arguments).said());
            }
        }
    }
}

/// What is in the namespace beside the release: the examples, and what every namespace has.
const OURS_OR_KUBERNETES: [&str; 6] = [
    "configmap/kube-root-ca.crt",
    "serviceaccount/default",
    "secret/corp-reader",
    "secret/staff-scim",
    "directoryconnector.rollcall.dev/corp",
    "syncpolicy.rollcall.dev/staff",
];

fn url() -> String {
    format!("ldap://{ADDRESS}:{PORT}")
}
