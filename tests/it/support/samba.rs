//! A real domain controller (Samba AD DC) that serves LDAP and nothing else, on an address of its own.
//!
//! A domain is made once for each version of Samba and kept in `~/.cache/rollcall`; a test begins with a copy.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use std::{env, fs, process};

use tempfile::TempDir;

use super::process::{Process, eventually};
use super::slapd::{Setup, certificates};

pub(crate) const DOMAIN: &str = "DC=ad,DC=example,DC=test";
pub(crate) const ADMIN: &str = "ADTEST\\Administrator";
pub(crate) const PASSWORD: &str = "Passw0rd.Admin!";
/// The name in its certificate, beside its address.
pub(crate) const HOST: &str = "dc1.ad.example.test";
/// The control by which deleted entries are seen.
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";
const MISSING: &str = "samba-tool is missing: run `make test`, which installs it";

/// A domain controller that runs until it is dropped.
pub(crate) struct Samba {
    domain: Domain,
    process: Process,
}

/// The files of a domain that is served at one address.
pub(crate) struct Domain {
    folder: TempDir,
    pub(crate) address: Ipv4Addr,
}

impl Domain {
    /// One in which nobody is yet but those whom every domain has.
    pub(crate) fn new(address: Ipv4Addr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        run(Command::new("tar").arg("-xf").arg(archive()).arg("-C").arg(folder.path()));
        certificates(&folder, &Setup { names: &[&address.to_string(), HOST], ..Setup::default() });
        run(Command::new("chmod").arg("600").arg(folder.path().join("server.key")));
        fs::write(folder.path().join("smb.conf"), config(folder.path(), address)).unwrap();
        Self { folder, address }
    }

    /// What serves it: a program and its arguments.
    pub(crate) fn server(&self) -> (PathBuf, Vec<String>) {
        let settings = self.path("smb.conf");
        let arguments = ["-F", "--no-process-group", "-M", "single", "-s", &settings].map(str::to_owned);
        (program("samba"), arguments.into())
    }

    pub(crate) fn url(&self) -> String {
        format!("ldap://{}", self.address)
    }

    pub(crate) fn secure_url(&self) -> String {
        format!("ldaps://{}", self.address)
    }

    pub(crate) fn ca(&self) -> Vec<u8> {
        fs::read(self.folder.path().join("ca.pem")).unwrap()
    }

    /// `samba-tool` on this domain.
    pub(crate) fn tool(&self, arguments: &[&str]) -> String {
        let at = [
            format!("--configfile={}", self.path("smb.conf")),
            "-H".to_owned(),
            self.path("dc/private/sam.ldb"),
        ];
        let output = run(Command::new("samba-tool").args(arguments).args(at));
        String::from_utf8(output.stdout).unwrap()
    }

    /// An account that reads, with the password [`PASSWORD`].
    pub(crate) fn reader(&self, name: &str) {
        self.tool(&["user", "create", name, PASSWORD]);
    }

    /// Grants a user or a group a right to the entry `dn`, or denies it: an access control entry (MS-DTYP 2.5.1.1) without
    /// whom it is for.
    pub(crate) fn grant(&self, dn: &str, right: &str, [kind, name]: [&str; 2]) {
        let shown = self.tool(&[kind, "show", name]);
        let sid = shown.lines().find_map(|line| line.strip_prefix("objectSid: ")).unwrap();
        self.tool(&["dsacl", "set", &format!("--objectdn={dn}"), &format!("--sddl=({right};{sid})")]);
    }

    /// Makes an account's password one of the year 2020, which no server lets anybody do over LDAP.
    pub(crate) fn age_password(&self, name: &str) {
        let file = self.path("aged.ldif");
        let set = "changetype: modify\nreplace: pwdLastSet\npwdLastSet: 132223104000000000\n";
        fs::write(&file, format!("dn: CN={name},CN=Users,{DOMAIN}\n{set}")).unwrap();
        // Past the module that would refuse it.
        let bypass = "--controls=local_oid:1.3.6.1.4.1.7165.4.3.12:0";
        let (configuration, database) = (self.path("smb.conf"), self.path("dc/private/sam.ldb"));
        let configuration = format!("--configfile={configuration}");
        run(Command::new("ldbmodify").args([&configuration, "-H", &database, bypass]).arg(file));
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl Deref for Samba {
    type Target = Domain;

    fn deref(&self) -> &Domain {
        &self.domain
    }
}

impl Samba {
    pub(crate) fn start() -> Self {
        let domain = Domain::new(own_address());
        let process = begin(&domain);
        let mut samba = Self { domain, process };
        samba.wait();
        samba
    }

    fn wait(&mut self) {
        let log = self.path("log");
        eventually(Duration::from_mins(1), "Samba answers", || {
            let ended = self.process.ended();
            assert!(ended.is_none(), "Samba ended: {ended:?} {}", fs::read_to_string(&log).unwrap());
            TcpStream::connect((self.address, 636)).ok()
        });
    }

    /// Stops it, and starts it again with what it held.
    pub(crate) fn restart(&mut self) {
        self.process.stop(Duration::from_mins(1));
        self.process = begin(&self.domain);
        self.wait();
    }

    /// Gives its schema what Exchange says of mailboxes.
    pub(crate) fn know_exchange(&self) {
        let schema = format!("CN=Schema,CN=Configuration,{DOMAIN}");
        let attribute = |at: u8, name: &str, syntax: &str| {
            format!(
                "dn: CN={name},{schema}\nchangetype: add\nobjectClass: attributeSchema\nlDAPDisplayName: {name}\n\
                 attributeID: 1.3.6.1.4.1.4203.666.99.{at}\n{syntax}\nisSingleValued: TRUE\n\n"
            )
        };
        let [details, display] = ["msExchRecipientTypeDetails", "msExchRecipientDisplayType"];
        let now = "dn:\nchangetype: modify\nreplace: schemaUpdateNow\nschemaUpdateNow: 1\n\n";
        self.modify(
            &[
                &attribute(1, details, "attributeSyntax: 2.5.5.16\noMSyntax: 65"),
                &attribute(2, display, "attributeSyntax: 2.5.5.9\noMSyntax: 2"),
                now,
                &format!("dn: CN=User,{schema}\nchangetype: modify\nadd: mayContain\nmayContain: {details}\nmayContain: {display}\n\n"),
                now,
            ]
            .concat(),
        );
    }

    /// Changes what it holds (RFC 2849 change records).
    pub(crate) fn modify(&self, changes: &str) {
        let file = self.path("changes.ldif");
        fs::write(&file, changes).unwrap();
        run(self.as_admin("ldapmodify").arg("-f").arg(file));
    }

    /// Takes a deleted account back (MS-ADTS 3.1.1.5.3.7), to be at `dn` and to have this address.
    pub(crate) fn restore(&self, account: &str, dn: &str, mail: &str) {
        let filter = format!("(&(sAMAccountName={account})(isDeleted=TRUE))");
        let show_deleted = format!("!{SHOW_DELETED}");
        let search = ["-LLL", "-o", "ldif-wrap=no", "-b", DOMAIN, "-E", &show_deleted, &filter, "1.1"];
        let found = String::from_utf8(run(self.as_admin("ldapsearch").args(search)).stdout).unwrap();
        let deleted = found.lines().find(|line| line.starts_with("dn: ")).expect("it was deleted");
        self.modify(&format!(
            "{deleted}\ncontrol: {SHOW_DELETED} true\nchangetype: modify\ndelete: isDeleted\n-\n\
             replace: distinguishedName\ndistinguishedName: {dn}\n-\nreplace: mail\nmail: {mail}\n\n"
        ));
    }

    /// A program of OpenLDAP's, as who may do everything.
    fn as_admin(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(["-x", "-H", &self.url(), "-D", ADMIN, "-w", PASSWORD]);
        command
    }
}

fn begin(domain: &Domain) -> Process {
    let (program, arguments) = domain.server();
    Process::start(&program, &arguments, Path::new(&domain.path("log")), None)
}

/// An archive of a fresh domain, made if there is none yet.
fn archive() -> &'static Path {
    static ARCHIVE: OnceLock<PathBuf> = OnceLock::new();
    ARCHIVE.get_or_init(|| {
        let version = run(Command::new(program("samba")).arg("--version"));
        let version = String::from_utf8(version.stdout).unwrap();
        let version = version.trim().rsplit(' ').next().unwrap().to_owned();
        let home = || PathBuf::from(env::var_os("HOME").unwrap()).join(".cache");
        let cache = env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("rollcall");
        let archive = cache.join(format!("samba-domain-{version}.tar"));
        if !archive.exists() {
            fs::create_dir_all(&cache).unwrap();
            let folder = tempfile::tempdir_in(&cache).unwrap();
            provision(folder.path());
            let whole = folder.path().join("domain.tar");
            run(Command::new("tar").arg("-cf").arg(&whole).arg("-C").arg(folder.path()).arg("dc"));
            fs::rename(whole, &archive).unwrap();
        }
        archive
    })
}

fn provision(folder: &Path) {
    let target = folder.join("dc");
    let password = format!("--adminpass={PASSWORD}");
    run(Command::new("samba-tool")
        .args(["domain", "provision", "--server-role=dc", "--use-rfc2307", "--realm=AD.EXAMPLE.TEST"])
        .args(["--domain=ADTEST", "--host-name=dc1", "--host-ip=127.0.0.10", "--dns-backend=NONE", &password])
        .args([
            "--option=interfaces=127.0.0.10/8",
            "--option=bind interfaces only=yes",
            "--option=vfs objects=",
        ])
        .arg(format!("--targetdir={}", target.display())));
    for name in ["run", "lock", "ncalrpc", "ntp", "winbindd", "cache", "bind-dns"] {
        fs::create_dir_all(target.join(name)).unwrap();
    }
}

fn config(folder: &Path, address: Ipv4Addr) -> String {
    let folder = folder.display();
    format!(
        "[global]\nworkgroup = ADTEST\nrealm = AD.EXAMPLE.TEST\nnetbios name = DC1\n\
         server role = active directory domain controller\nserver services = ldap\n\
         dcerpc endpoint servers = -winreg -srvsvc\ninterfaces = {address}/8\nbind interfaces only = yes\n\
         private dir = {folder}/dc/private\nstate directory = {folder}/dc/state\ncache directory = {folder}/dc/cache\n\
         lock directory = {folder}/dc/lock\npid directory = {folder}/dc/run\nncalrpc dir = {folder}/dc/ncalrpc\n\
         binddns dir = {folder}/dc/bind-dns\nntp signd socket directory = {folder}/dc/ntp\n\
         winbindd socket directory = {folder}/dc/winbindd\nlog file = {folder}/samba.log\nlog level = 1\n\
         max log size = 0\ntls enabled = yes\ntls keyfile = {folder}/server.key\ntls certfile = {folder}/server.pem\n\
         tls cafile = {folder}/ca.pem\nldap server require strong auth = no\ndsdb:schema update allowed = yes\n\
         load printers = no\nprintcap name = /dev/null\ndisable spoolss = yes\n"
    )
}

/// A domain controller has its ports for itself, so it needs an address of its own.
fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = process::id().to_be_bytes();
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let address = Ipv4Addr::new(127, high | 1, low, next);
        match TcpListener::bind((address, 389)) {
            Ok(_) => return address,
            Err(error) => {
                let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
                assert!(!denied, "a domain controller needs port 389: run these tests as root");
                assert!(next < u8::MAX, "no address is free for a domain controller: {error}");
            }
        }
    }
}

#[track_caller]
fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{MISSING} ({command:?}: {error})"));
    let (said, out) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{command:?}: {out} {said}");
    output
}

/// Debian keeps servers out of an ordinary user's path.
fn program(name: &str) -> PathBuf {
    let beside: PathBuf = ["/usr/sbin", name].iter().collect();
    if beside.exists() { beside } else { name.into() }
}
