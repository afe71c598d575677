//! A real control plane: etcd and kube-apiserver, with the kinds and the manifests of `deploy/` in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::cli::Ran;
use super::port::own_port;
use super::process::{Process, eventually};
use super::{assets, kubectl::Kubectl, namespace::Namespace};

/// How long anything of it may take, on a machine with other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
/// Who may do everything, by this token.
const ADMIN: &str = "admin";
const TOKEN: &str = "of-the-tests-admin";

/// A control plane that runs until it is dropped, or until the test process ends.
pub(crate) struct Cluster {
    folder: PathBuf,
    port: u16,
    apiserver: Mutex<Option<Process>>,
    // Dropped last: the folder goes with it.
    _etcd: Process,
}

/// A change that the apiserver was asked for, and how it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) verb: String,
    /// With the subresource: `syncpolicies/status`.
    pub(crate) resource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) code: u64,
}

impl Cluster {
    /// The one of this test process; each test has a namespace of its own in it.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: LazyLock<Cluster> = LazyLock::new(Cluster::own);
        &SHARED
    }

    /// One for a test that stops it.
    pub(crate) fn own() -> Self {
        let folder = tempfile::Builder::new().prefix("rollcall-cluster-").tempdir().unwrap().keep();
        let path = |name: &str| folder.join(name);
        let key = rcgen::KeyPair::generate().unwrap();
        fs::write(path("service-accounts.key"), key.serialize_pem()).unwrap();
        fs::write(path("service-accounts.pub"), key.public_key_pem()).unwrap();
        fs::write(path("tokens.csv"), format!("{TOKEN},{ADMIN},{ADMIN},system:masters\n")).unwrap();
        fs::write(path("audit.yaml"), AUDIT).unwrap();
        let socket = format!("unix://{}", path("etcd.sock").display());
        let etcd = Process::start(
            &assets::program("etcd"),
            &[
                format!("--data-dir={}", path("etcd").display()),
                format!("--listen-client-urls={socket}"),
                format!("--advertise-client-urls={socket}"),
                "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
                "--unsafe-no-fsync".to_owned(),
            ],
            &path("etcd.log"),
            Some(&folder),
        );
        let cluster = Self { folder, port: own_port(), apiserver: Mutex::default(), _etcd: etcd };
        cluster.write_kubeconfig(&cluster.kubeconfig(), TOKEN);
        cluster.start_apiserver();
        cluster.install();
        cluster
    }

    /// Starts the apiserver, on the same port and data as before.
    pub(crate) fn start_apiserver(&self) {
        let path = |name: &str| self.folder.join(name).display().to_string();
        let arguments = [
            format!("--etcd-servers=unix://{}", path("etcd.sock")),
            format!("--cert-dir={}", path("certificates")),
            format!("--secure-port={}", self.port),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--service-account-key-file={}", path("service-accounts.pub")),
            format!("--service-account-signing-key-file={}", path("service-accounts.key")),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            format!("--token-auth-file={}", path("tokens.csv")),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            // There is no controller that makes each namespace's service account.
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            format!("--audit-policy-file={}", path("audit.yaml")),
            format!("--audit-log-path={}", path("audit.log")),
            "--audit-log-mode=blocking".to_owned(),
        ];
        let log = self.folder.join("apiserver.log");
        let mut process = Process::start(&assets::program("kube-apiserver"), &arguments, &log, None);
        eventually(PATIENCE, "the apiserver is ready", || {
            if let Some(ended) = process.ended() {
                panic!("the apiserver ended: {ended}\n{}", tail(&log));
            }
            (self.kubectl(&["get", "--raw", "/readyz"]).code == 0).then_some(())
        });
        *self.apiserver.lock().unwrap() = Some(process);
    }

    /// Stops the apiserver at once; what it holds stays.
    pub(crate) fn stop_apiserver(&self) {
        let process = self.apiserver.lock().unwrap().take();
        process.expect("the apiserver runs").kill();
    }

    /// The kinds, the rights and the rule for approvals, as a release installs them.
    fn install(&self) {
        self.kubectl(&["apply", "--server-side", "-f", repository("crds").to_str().unwrap()]).exits(0);
        self.kubectl(&["wait", "--for=condition=Established", "customresourcedefinitions", "--all"]).exits(0);
        for file in ["deploy/roles.yaml", "deploy/approval.yaml"] {
            self.kubectl(&["apply", "-f", repository(file).to_str().unwrap()]).exits(0);
        }
        // A policy for admission counts only once the apiserver has noticed it.
        let probe = "apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: { name: probe }\nspec:\n  connectors: \
            [{ name: probe }]\n  target: { registry: {} }\n";
        let admin = self.admin("default");
        admin.apply(probe).exits(0);
        let forged = ["rollcall.dev/approve=probe", "rollcall.dev/approved-by=nobody"];
        let forge = [&["annotate", "--dry-run=server", "syncpol", "probe"][..], &forged].concat();
        eventually(PATIENCE, "approvals are guarded", || {
            admin.run(&forge).err.contains("rollcall.dev/approved-by").then_some(())
        });
        admin.run(&["delete", "syncpol", "probe"]).exits(0);
    }

    /// A new namespace.
    pub(crate) fn namespace(&self) -> Namespace<'_> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.kubectl(&["create", "namespace", &name]).exits(0);
        Namespace::new(self, name)
    }

    /// The kubeconfig of somebody who may do everything.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// `kubectl` as somebody who may do everything.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Ran {
        self.admin("default").run(arguments)
    }

    /// The same, for another namespace or with an input.
    pub(crate) fn admin(&self, namespace: &str) -> Kubectl {
        Kubectl::new(&self.kubeconfig(), namespace)
    }

    /// Every change that `user` asked for in `namespace` until now, in order, refused ones too.
    pub(crate) fn writes_by(&self, user: &str, namespace: &str) -> Vec<Write> {
        let log = fs::read_to_string(self.folder.join("audit.log")).unwrap();
        // The last line may be half written.
        let events = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let events = events.map(|line| serde_json::from_str::<Value>(line).unwrap());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        events
            .filter(|event| event["user"]["username"] == user && event["objectRef"]["namespace"] == namespace)
            .map(|event| {
                let object = &event["objectRef"];
                let (resource, part) = (text(&object["resource"]), text(&object["subresource"]));
                Write {
                    verb: text(&event["verb"]),
                    resource: if part.is_empty() { resource } else { format!("{resource}/{part}") },
                    namespace: text(&object["namespace"]),
                    name: text(&object["name"]),
                    code: event["responseStatus"]["code"].as_u64().unwrap_or_default(),
                }
            })
            .collect()
    }

    /// What `user` called itself (`User-Agent`) in every change that it asked for.
    pub(crate) fn agents_of(&self, user: &str) -> BTreeSet<String> {
        let log = fs::read_to_string(self.folder.join("audit.log")).unwrap();
        let events = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let events = events.map(|line| serde_json::from_str::<Value>(line).unwrap());
        let events = events.filter(|event| event["user"]["username"] == user);
        events.map(|event| event["userAgent"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// A kubeconfig for the service account `name` of `namespace`, with a token from the apiserver.
    pub(super) fn kubeconfig_of(&self, namespace: &str, name: &str) -> PathBuf {
        let token = self.admin(namespace).run(&["create", "token", name, "--duration=2h"]).exits(0).out;
        let path = self.folder.join(format!("kubeconfig-{namespace}-{name}"));
        self.write_kubeconfig(&path, token.trim());
        path
    }

    fn write_kubeconfig(&self, path: &Path, token: &str) {
        let authority = self.folder.join("certificates/apiserver.crt");
        let text = format!(
            "apiVersion: v1\nkind: Config\n\
             clusters: [{{ name: test, cluster: {{ server: \"https://127.0.0.1:{}\", certificate-authority: {} }} }}]\n\
             users: [{{ name: test, user: {{ token: {token} }} }}]\n\
             contexts: [{{ name: test, context: {{ cluster: test, user: test }} }}]\ncurrent-context: test\n",
            self.port,
            authority.display()
        );
        fs::write(path, text).unwrap();
    }
}

/// What the library that Flux, Argo CD and kpt wait with makes of an object: `Current`, `InProgress`, `Failed` …
pub(crate) fn kstatus(object: &Value) -> String {
    let mut command = Command::new(assets::program("kstatus"));
    let ran = super::cli::with_input(&mut command, &object.to_string()).exits(0);
    ran.out.trim().to_owned()
}

/// A place in the repository.
pub(crate) fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The end of a log.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// Who changed what; reads are left out.
const AUDIT: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- { level: Metadata, verbs: [create, update, patch, delete, deletecollection] }
- { level: None }
";
