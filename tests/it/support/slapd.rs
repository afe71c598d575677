//! A real OpenLDAP server, in a folder of its own, on ports of its own.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;

use super::port::own_port;

pub(crate) const SUFFIX: &str = "dc=example,dc=test";
pub(crate) const ADMIN: &str = "cn=admin,dc=example,dc=test";
pub(crate) const PASSWORD: &str = "secret";
/// The end of a certificate that has expired: 1 January 2020.
pub(crate) const LONG_AGO: Timestamp = Timestamp::constant(1_577_836_800, 0);

/// How the server is to be.
#[derive(Default)]
pub(crate) struct Setup<'a> {
    /// What it holds.
    pub(crate) ldif: &'a str,
    /// What everything is below of, if not [`SUFFIX`].
    pub(crate) suffix: Option<&'a str>,
    /// A file in place of OpenLDAP's own core schema.
    pub(crate) core: Option<&'a str>,
    /// Lines for slapd.conf that stand before the database.
    pub(crate) global: &'a str,
    /// Lines for the database.
    pub(crate) database: &'a str,
    /// Names in its certificate, if not 127.0.0.1.
    pub(crate) names: &'a [&'a str],
    /// When its certificate ends, to the second, if not in a far future.
    pub(crate) certificate_ends: Option<Timestamp>,
    /// Whether it shows the authority's own certificate.
    pub(crate) self_signed: bool,
}

/// A server that runs until it is dropped.
pub(crate) struct Slapd {
    folder: TempDir,
    child: Child,
    plain: u16,
    secure: u16,
}

impl Slapd {
    pub(crate) fn start(setup: &Setup<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::create_dir(path("db")).unwrap();
        certificates(&folder, setup);
        let mut config = String::new();
        let core = setup.core.unwrap_or("/etc/ldap/schema/core.schema");
        writeln!(config, "include {core}").unwrap();
        for schema in ["cosine", "inetorgperson", "nis", "dyngroup"] {
            writeln!(config, "include /etc/ldap/schema/{schema}.schema").unwrap();
        }
        write!(
            config,
            "modulepath /usr/lib/ldap\nmoduleload back_mdb\nallow bind_v2\nloglevel 0\nthreads 4\n\
             TLSCACertificateFile {ca}\nTLSCertificateFile {cert}\nTLSCertificateKeyFile {key}\n{global}\n\
             database mdb\nmaxsize 4294967296\nsuffix \"{suffix}\"\nrootdn {ADMIN}\nrootpw {PASSWORD}\ndirectory {db}\n\
             index objectClass,uid,entryUUID eq\n{database}\n",
            ca = path("ca.pem"),
            cert = path("server.pem"),
            key = path("server.key"),
            global = setup.global,
            db = path("db"),
            suffix = setup.suffix.unwrap_or(SUFFIX),
            database = setup.database,
        )
        .unwrap();
        fs::write(path("slapd.conf"), config).unwrap();
        fs::write(path("data.ldif"), setup.ldif).unwrap();
        let load =
            program("slapadd").args(["-q", "-f", &path("slapd.conf"), "-l", &path("data.ldif")]).output();
        let load = load.expect("slapadd is missing: run `make test`, which installs it");
        assert!(load.status.success(), "slapadd: {}", String::from_utf8_lossy(&load.stderr));
        let (plain, secure) = (own_port(), own_port());
        let child = run(folder.path(), plain, secure);
        let mut slapd = Self { folder, child, plain, secure };
        slapd.wait();
        slapd
    }

    /// Starts it again, with what it held and on the same ports.
    pub(crate) fn start_again(&mut self) {
        self.child = run(self.folder.path(), self.plain, self.secure);
        self.wait();
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", self.plain)).is_err() {
            let ended = self.child.try_wait().unwrap();
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "slapd does not answer: {ended:?} {log}");
            std::thread::yield_now();
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.plain)
    }

    pub(crate) fn port(&self) -> u16 {
        self.plain
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn secure_url(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.secure)
    }

    pub(crate) fn ca(&self) -> Vec<u8> {
        fs::read(self.folder.path().join("ca.pem")).unwrap()
    }

    /// Stops it at once, connections and all.
    pub(crate) fn stop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Changes what it holds (RFC 2849 change records).
    pub(crate) fn modify(&self, changes: &str) {
        let file = self.folder.path().join("changes.ldif");
        fs::write(&file, changes).unwrap();
        let url = self.url();
        let arguments = ["-x", "-H", &url, "-D", ADMIN, "-w", PASSWORD, "-f"];
        let done = program("ldapmodify").args(arguments).arg(file).output().unwrap();
        assert!(done.status.success(), "ldapmodify: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Everything that it holds, operational attributes too, as `ldapsearch` writes it.
    pub(crate) fn export(&self) -> Vec<u8> {
        let url = self.url();
        let who = ["-x", "-LLL", "-H", &url, "-D", ADMIN, "-w", PASSWORD, "-b", SUFFIX];
        let done = program("ldapsearch").args(who).args(["(objectClass=*)", "*", "+"]).output().unwrap();
        assert!(done.status.success(), "ldapsearch: {}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }

    /// What `ldapsearch` writes with these options.
    pub(crate) fn report(&self, options: &[&str]) -> Vec<u8> {
        let url = self.url();
        let who = ["-x", "-H", &url, "-D", ADMIN, "-w", PASSWORD, "-b", SUFFIX];
        let asked = ["(objectClass=*)", "*", "+"];
        program("ldapsearch").args(options).args(who).args(asked).output().unwrap().stdout
    }

    /// The values of one attribute of one entry.
    pub(crate) fn values(&self, dn: &str, attribute: &str) -> Vec<String> {
        let url = self.url();
        let who = ["-x", "-LLL", "-o", "ldif-wrap=no", "-H", &url, "-D", ADMIN, "-w", PASSWORD];
        let done =
            program("ldapsearch").args(who).args(["-s", "base", "-b", dn, attribute]).output().unwrap();
        assert!(done.status.success(), "ldapsearch: {}", String::from_utf8_lossy(&done.stderr));
        let (said, value) = (String::from_utf8(done.stdout).unwrap(), format!("{attribute}: "));
        said.lines().filter_map(|line| line.strip_prefix(&value)).map(str::to_owned).collect()
    }

    /// What `ldapsearch` is to be told.
    pub(crate) fn ldapsearch(&self) -> String {
        format!("-x -H {} -D {ADMIN} -w {PASSWORD}", self.url())
    }

    /// A Secret, a connector and a policy without scope or mapping, for this server.
    pub(crate) fn manifests(&self, ldap: &str, policy: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{ name: reader, namespace: test }}\n\
             stringData: {{ username: \"{ADMIN}\", password: {PASSWORD} }}\n---\n\
             apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\n\
             metadata: {{ name: slapd, namespace: test }}\nspec:\n  ldap:\n    urls: [\"{url}\"]\n    insecure: true\n    \
             credentialsSecretRef: {{ name: reader }}\n{ldap}\n---\n\
             apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: all, namespace: test }}\nspec:\n  \
             connectors: [{{ name: slapd }}]\n  target: {{ registry: {{}} }}\n{policy}\n",
            url = self.url()
        )
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(folder: &Path, plain: u16, secure: u16) -> Child {
    let urls = format!("ldap://127.0.0.1:{plain} ldaps://127.0.0.1:{secure}");
    program("slapd")
        .args(["-d", "0", "-h", &urls, "-f"])
        .arg(folder.join("slapd.conf"))
        .stdout(Stdio::null())
        .stderr(fs::File::create(folder.join("log")).unwrap())
        .spawn()
        .expect("slapd is missing: run `make test`, which installs it")
}

/// Debian keeps servers out of an ordinary user's path.
fn program(name: &str) -> Command {
    let beside: PathBuf = ["/usr/sbin", name].iter().collect();
    Command::new(if beside.exists() { beside } else { name.into() })
}

/// An authority, and a certificate by it.
pub(crate) fn certificates(folder: &TempDir, setup: &Setup<'_>) {
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    let mut authority = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "Test authority");
    let authority_key = KeyPair::generate().unwrap();
    let own = authority.self_signed(&authority_key).unwrap().pem();
    write("ca.pem", own.clone());
    if setup.self_signed {
        write("server.pem", own);
        write("server.key", authority_key.serialize_pem());
        return;
    }
    let issuer = Issuer::new(authority, authority_key);
    let names = if setup.names.is_empty() { &["127.0.0.1"] } else { setup.names };
    let mut server =
        CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    if let Some(end) = setup.certificate_ends {
        server.not_before = date_time_ymd(2019, 1, 1);
        server.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(end.as_second().unsigned_abs());
    }
    let server_key = KeyPair::generate().unwrap();
    write("server.pem", server.signed_by(&server_key, &issuer).unwrap().pem());
    write("server.key", server_key.serialize_pem());
}
