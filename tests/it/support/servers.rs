//! LDAP servers as they are: each in a folder of its own and on a port of its own, with the same company in it. Those that are neither
//! OpenLDAP nor Samba come from `scripts/directory-server`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use tempfile::TempDir;

use super::port::own_port;
use super::process::{Process, eventually};
use super::samba::{self, Samba};
use super::slapd::{self, SUFFIX, Setup, Slapd};

/// An account that may read and no more, with this password.
pub(crate) const READER: &str = "cn=reader,dc=example,dc=test";
pub(crate) const READERS: &str = "of-nobody-else-but-the-reader";
const MANAGER: (&str, &str) = ("cn=Directory Manager", "secretsecret");

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    OpenLdap,
    Samba,
    Ds389,
    OpenDj,
    ApacheDs,
    UnboundId,
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) which: Which,
    pub(crate) version: String,
    url: String,
    folder: TempDir,
    running: Running,
}

enum Running {
    Slapd(#[expect(dead_code, reason = "it runs until it is dropped")] Box<Slapd>),
    Samba(#[expect(dead_code, reason = "it runs until it is dropped")] Box<Samba>),
    Process { process: Process, program: PathBuf, arguments: Vec<String> },
}

impl Which {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OpenLdap => "OpenLDAP",
            Self::Samba => "Samba, a domain controller",
            Self::Ds389 => "389 Directory Server",
            Self::OpenDj => "OpenDJ",
            Self::ApacheDs => "ApacheDS",
            Self::UnboundId => "UnboundID in-memory server",
        }
    }

    /// Who may do everything, and their password.
    pub(crate) fn administrator(self) -> (&'static str, &'static str) {
        match self {
            Self::OpenLdap => (slapd::ADMIN, slapd::PASSWORD),
            Self::Samba => (samba::ADMIN, samba::PASSWORD),
            Self::Ds389 | Self::OpenDj | Self::UnboundId => MANAGER,
            Self::ApacheDs => ("uid=admin,ou=system", "secret"),
        }
    }

    /// What everything is below of.
    pub(crate) fn suffix(self) -> &'static str {
        if self == Self::Samba { samba::DOMAIN } else { SUFFIX }
    }

    /// What [`scripts/directory-server`] calls it.
    fn script_name(self) -> &'static str {
        match self {
            Self::Ds389 => "389",
            Self::OpenDj => "opendj",
            Self::ApacheDs => "apacheds",
            Self::UnboundId => "unboundid",
            Self::OpenLdap | Self::Samba => panic!("Debian's package is run as it is"),
        }
    }
}

impl Server {
    /// One with these entries (LDIF), in which nothing has a limit.
    pub(crate) fn start(which: Which, ldif: &str) -> Self {
        Self::with_limit(which, ldif, 0)
    }

    /// The same, where [`READER`] is given so many entries by a search at most, unless it is 0.
    pub(crate) fn with_limit(which: Which, ldif: &str, limit: u32) -> Self {
        let server = match which {
            Which::OpenLdap => Self::open_ldap(),
            Which::Samba => Self::samba(),
            _ => Self::of_script(which, limit),
        };
        server.load(ldif);
        if limit > 0 {
            server.limit(limit);
        }
        server
    }

    fn open_ldap() -> Self {
        let slapd = Slapd::start(&Setup {
            global: "moduleload syncprov\nmoduleload ppolicy",
            database: "overlay syncprov\nsyncprov-sessionlog 1000\noverlay ppolicy\naccess to attrs=userPassword by anonymous \
                       auth by * none\naccess to * by * read",
            ..Setup::default()
        });
        let version = said(Command::new("dpkg-query").args(["-W", "-f", "${Version}", "slapd"]));
        let url = slapd.url();
        let running = Running::Slapd(Box::new(slapd));
        Self {
            which: Which::OpenLdap,
            version: upstream(&version),
            url,
            folder: tempfile::tempdir().unwrap(),
            running,
        }
    }

    fn samba() -> Self {
        let samba = Samba::start();
        let version = said(Command::new("dpkg-query").args(["-W", "-f", "${Version}", "samba"]));
        let url = samba.url();
        let running = Running::Samba(Box::new(samba));
        Self {
            which: Which::Samba,
            version: upstream(&version),
            url,
            folder: tempfile::tempdir().unwrap(),
            running,
        }
    }

    fn of_script(which: Which, limit: u32) -> Self {
        let made = made(which.script_name());
        let version = fs::read_to_string(made.join("version")).unwrap();
        let (folder, port) = (tempfile::tempdir().unwrap(), own_port());
        let place = folder.path().display().to_string();
        let java = |program: &str| {
            let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/").to_owned() + program;
            let working = [format!("-DworkingDirectory={place}/data"), format!("-Djava.io.tmpdir={place}")];
            let jars = ["-cp".to_owned(), format!("{}/*", made.display()), program];
            let arguments = [port.to_string(), limit.to_string()];
            (PathBuf::from("java"), [&working[..], &jars, &arguments].concat())
        };
        let (program, arguments) = match which {
            Which::Ds389 => {
                copy(&made, folder.path());
                replace(
                    &folder.path().join("etc/dse.ldif"),
                    &[("PLACE", &place), ("PORT", &port.to_string())],
                );
                let arguments = ["-D", &format!("{place}/etc"), "-i", &format!("{place}/run/pid"), "-d", "0"];
                (PathBuf::from("/usr/sbin/ns-slapd"), arguments.map(str::to_owned).to_vec())
            }
            Which::OpenDj => {
                copy(&made.join("opendj"), folder.path());
                let (own, for_administrators) = (port.to_string(), own_port().to_string());
                let ports = [("38901", own.as_str()), ("38902", &for_administrators)];
                replace(&folder.path().join("config/config.ldif"), &ports);
                (folder.path().join("bin/start-ds"), vec!["--nodetach".to_owned()])
            }
            Which::ApacheDs => java("ApacheDs.java"),
            _ => java("UnboundId.java"),
        };
        let mut process = begin(&program, &arguments, folder.path());
        let url = format!("ldap://127.0.0.1:{port}");
        answers(which, &mut process, &url, folder.path());
        let version = upstream(version.trim());
        Self { which, version, url, folder, running: Running::Process { process, program, arguments } }
    }

    /// Adds what it is to hold, and lets [`READER`] read it.
    fn load(&self, ldif: &str) {
        if self.which == Which::Ds389 {
            self.modify(&format!(
                "dn: cn=userRoot,cn=ldbm database,cn=plugins,cn=config\nchangetype: add\nobjectClass: extensibleObject\n\
                 objectClass: nsBackendInstance\ncn: userRoot\nnsslapd-suffix: {SUFFIX}\n\n\
                 dn: cn=\"{SUFFIX}\",cn=mapping tree,cn=config\nchangetype: add\nobjectClass: extensibleObject\n\
                 objectClass: nsMappingTree\ncn: {SUFFIX}\nnsslapd-state: backend\nnsslapd-backend: userRoot\n\n"
            ));
        }
        self.add(ldif);
        if self.which == Which::Samba {
            return;
        }
        self.add(&format!(
            "dn: {READER}\nobjectClass: person\ncn: reader\nsn: reader\nuserPassword: {READERS}\n\n"
        ));
        let change = format!("dn: {SUFFIX}\nchangetype: modify\nadd: aci\naci: ");
        let who = format!("userdn=\"ldap:///{READER}\";)\n\n");
        match self.which {
            Which::Ds389 => self.modify(&format!(
                "{change}(targetattr=\"*\")(version 3.0; acl \"reader\"; allow (read, search, compare) {who}"
            )),
            Which::OpenDj => self.modify(&format!(
                "{change}(targetattr=\"*||+\")(version 3.0; acl \"reader\"; allow (read, search, compare) {who}"
            )),
            _ => {}
        }
    }

    fn limit(&self, limit: u32) {
        match self.which {
            Which::Ds389 => self.modify(&format!(
                "dn: cn=config\nchangetype: modify\nreplace: nsslapd-sizelimit\nnsslapd-sizelimit: {limit}\n\n"
            )),
            Which::OpenDj => self.modify(&format!(
                "dn: {READER}\nchangetype: modify\nadd: ds-rlim-size-limit\nds-rlim-size-limit: {limit}\n\n"
            )),
            Which::ApacheDs | Which::UnboundId => {}
            Which::OpenLdap | Which::Samba => panic!("their limits have tests of their own"),
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Adds entries (LDIF without change types).
    pub(crate) fn add(&self, ldif: &str) {
        self.apply("ldapadd", ldif);
    }

    /// Changes what it holds (RFC 2849 change records).
    pub(crate) fn modify(&self, changes: &str) {
        self.apply("ldapmodify", changes);
    }

    fn apply(&self, program: &str, ldif: &str) {
        let file = self.folder.path().join("changes.ldif");
        fs::write(&file, ldif).unwrap();
        said(client(program, self.which, &self.url).arg("-f").arg(file));
    }

    /// What its own search says, as who may do everything: entries, each a list of lines.
    pub(crate) fn search(&self, arguments: &[&str]) -> Vec<Vec<String>> {
        let mut command = client("ldapsearch", self.which, &self.url);
        command.args(["-LLL", "-o", "ldif-wrap=no", "-b", self.which.suffix()]).args(arguments);
        // A remark may stand right before an entry: where a page ended, and its cookie.
        let said = said(&mut command);
        let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with('#')).collect();
        let entries = lines
            .split(|line| line.is_empty())
            .filter(|entry| entry.iter().any(|line| line.starts_with("dn:")));
        entries.map(|entry| entry.iter().map(|line| (*line).to_owned()).collect()).collect()
    }

    /// The values of an attribute of its root entry.
    pub(crate) fn root(&self, attribute: &str) -> Vec<String> {
        let mut command = client("ldapsearch", self.which, &self.url);
        let said = said(command.args(["-LLL", "-o", "ldif-wrap=no", "-s", "base", "-b", "", attribute]));
        let value = format!("{attribute}: ");
        said.lines().filter_map(|line| line.strip_prefix(&value)).map(str::to_owned).collect()
    }

    /// Stops it, asked politely, and starts it again with what it held.
    pub(crate) fn start_again(&mut self) {
        let Running::Process { process, program, arguments } = &mut self.running else {
            panic!("it is started again elsewhere")
        };
        process.stop(Duration::from_mins(1));
        *process = begin(program, arguments, self.folder.path());
        answers(self.which, process, &self.url, self.folder.path());
    }
}

fn begin(program: &Path, arguments: &[String], folder: &Path) -> Process {
    Process::start(program, arguments, &folder.join("said.log"), None)
}

/// Waits until it answers.
fn answers(which: Which, process: &mut Process, url: &str, folder: &Path) {
    eventually(Duration::from_mins(3), &format!("{} answers", which.name()), || {
        let ended = process.ended();
        let log = folder.join("said.log");
        assert!(ended.is_none(), "it ended: {ended:?} {}", fs::read_to_string(log).unwrap());
        let asked = client("ldapsearch", which, url).args(["-s", "base", "-b", ""]).output().unwrap();
        asked.status.success().then_some(())
    });
}

/// A program of OpenLDAP's, as who may do everything.
fn client(program: &str, which: Which, url: &str) -> Command {
    let ((who, password), mut command) = (which.administrator(), Command::new(program));
    command.args(["-x", "-H", url, "-D", who, "-w", password]);
    command
}

/// The folder that the script makes.
fn made(name: &str) -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/directory-server");
    PathBuf::from(said(Command::new(script).arg(name)).trim())
}

fn copy(from: &Path, to: &Path) {
    said(Command::new("cp").arg("-R").arg(from.join(".")).arg(to));
}

fn replace(file: &Path, these: &[(&str, &str)]) {
    let text = fs::read_to_string(file).unwrap();
    let text = these.iter().fold(text, |text, (from, to)| text.replace(from, to));
    fs::write(file, text).unwrap();
}

/// A version without what Debian adds to it.
fn upstream(version: &str) -> String {
    let version = version.rsplit(':').next().unwrap();
    version.split(['+', '-']).next().unwrap().to_owned()
}

#[track_caller]
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {out} {said}");
    out.into_owned()
}
