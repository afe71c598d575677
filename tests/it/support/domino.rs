//! A server that looks like Domino's: a real OpenLDAP with Domino's schema and habits, as far as its documentation tells them. People
//! are below their organization, groups are flat, members are listed by whatever name, there are no pages, and an account may have a
//! limit.

use std::fmt::Write as _;
use std::fs;
use std::ops::Deref;

use tempfile::TempDir;

use super::slapd::{Setup, Slapd};

/// Who reads, with [`PASSWORD`].
pub(crate) const READER: &str = "cn=Rollcall Reader,o=Corp";
/// Nothing else is like it, so that it would be found in a log.
pub(crate) const PASSWORD: &str = "of-nobody-else-but-the-domino-reader";

/// What a name is that is text.
const TEXT: &str = "EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15";

/// How it is to be.
#[derive(Default)]
pub(crate) struct Habits<'a> {
    /// Beside the organization, its units and the reader.
    pub(crate) entries: &'a str,
    /// Entries that a search of the reader gives at most.
    pub(crate) limit: Option<u32>,
    /// Access rules (slapd.access(5)) that stand before the one that lets everybody read.
    pub(crate) access: &'a str,
    /// Whether it does not say that it can show universal ids.
    pub(crate) knows_no_unid: bool,
}

/// A server that runs until it is dropped.
pub(crate) struct Domino {
    slapd: Slapd,
    _schema: TempDir,
}

impl Deref for Domino {
    type Target = Slapd;

    fn deref(&self) -> &Slapd {
        &self.slapd
    }
}

impl Domino {
    pub(crate) fn start(habits: &Habits<'_>) -> Self {
        let schema = tempfile::tempdir().unwrap();
        let path = |name: &str| schema.path().join(name).display().to_string();
        // Names of members are text in a group document.
        let core = fs::read_to_string("/etc/ldap/schema/core.schema").unwrap();
        let (before, member) = core.split_at(core.find("NAME 'member'").unwrap());
        let member = member.replacen("SUP distinguishedName", TEXT, 1);
        fs::write(path("core.schema"), [before, &member].concat()).unwrap();
        let can = if habits.knows_no_unid { "1355" } else { "1354" };
        let root = format!("dn:\nibm-enabledCapabilities: 2.16.840.1.113678.2.2.2.2.{can}\n");
        fs::write(path("root.ldif"), root).unwrap();
        let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/domino.schema");
        let limit = habits.limit.map_or("unlimited".to_owned(), |limit| limit.to_string());
        let slapd = Slapd::start(&Setup {
            suffix: Some(""),
            core: Some(&path("core.schema")),
            ldif: &(organization() + habits.entries),
            global: &format!("include {own}\nrootDSE {}", path("root.ldif")),
            database: &format!(
                "index cn eq,sub\nindex dominoUNID eq\nlimits users size.soft={limit} size.hard={limit} size.prtotal=disabled\n\
                 {}\naccess to attrs=userPassword by anonymous auth by * none\naccess to * by * read",
                habits.access
            ),
            ..Setup::default()
        });
        Self { slapd, _schema: schema }
    }

    /// A connector of this server, with more fields, in one line.
    pub(crate) fn connector(&self, more: &str) -> String {
        format!(
            "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: corp, namespace: test }}\nspec:\n  \
             domino: {{ urls: [\"{}\"], insecure: true, credentialsSecretRef: {{ name: reader }}, {more} }}\n  interval: 10s\n",
            self.url()
        )
    }

    /// The Secret of the reader.
    pub(crate) fn secret() -> String {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{ name: reader, namespace: test }}\ntype: kubernetes.io/basic-auth\n\
             stringData: {{ username: \"{READER}\", password: {PASSWORD} }}\n"
        )
    }

    /// All that `rollcall sync` needs, with more fields of the connector and of the policy.
    pub(crate) fn manifests(&self, more: &str, policy: &str) -> String {
        let policy = format!(
            "apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: all, namespace: test }}\nspec:\n  connectors: \
             [{{ name: corp }}]\n  target: {{ registry: {{}} }}\n{policy}"
        );
        [Self::secret(), self.connector(more), policy].join("---\n")
    }
}

/// The organization with its units, and the reader.
fn organization() -> String {
    let unit = |name: &str| format!("dn: ou={name},o=Corp\nobjectClass: organizationalUnit\nou: {name}\n\n");
    format!(
        "dn: o=Corp\nobjectClass: organization\no: Corp\n\n{}{}dn: {READER}\nobjectClass: organizationalRole\nobjectClass: \
         simpleSecurityObject\ncn: Rollcall Reader\nuserPassword: {PASSWORD}\n\n",
        unit("Sales"),
        unit("North")
    )
}

/// The universal id of the document with this number.
pub(crate) fn unid(number: usize) -> String {
    format!("{:08X}B94E5D11C1257A0B{number:08X}", number.wrapping_mul(0x9E37_79B1) & 0xffff_ffff)
}

/// A person with a mail file and this short name; `unit` is empty or such as `ou=Sales,`.
pub(crate) fn person(number: usize, name: &str, unit: &str) -> String {
    let (short, family) = (short(name), name.rsplit(' ').next().unwrap());
    let canonical = format!("CN={name},{unit}o=Corp").replace(',', "/");
    let abbreviated = format!("{name}/{unit}Corp").replace("ou=", "").replace(',', "/");
    format!(
        "dn: cn={name},{unit}o=Corp\nobjectClass: dominoPerson\ncn: {name}\nsn: {family}\nuid: {short}\nfullName: {canonical}\n\
         fullName: {name}\ndisplayName: {abbreviated}\nmail: {short}@corp.example\nmailFile: mail/{short}\nmailServer: \
         CN=Mail1/O=Corp\nmailDomain: CorpNet\ndominoUNID: {}\n\n",
        unid(number)
    )
}

/// The short name of whom this is the name: `Hal Test` is `htest`.
pub(crate) fn short(name: &str) -> String {
    let (given, family) = name.rsplit_once(' ').unwrap_or(("", name));
    let first = given.chars().find(char::is_ascii_alphanumeric);
    format!("{}{family}", first.map(String::from).unwrap_or_default()).to_lowercase()
}

/// A flat group for this purpose.
pub(crate) fn group(number: usize, name: &str, purpose: u8, members: &[&str]) -> String {
    let mut group = format!(
        "dn: cn={name}\nobjectClass: dominoGroup\ncn: {name}\ngroupType: {purpose}\ndominoUNID: {}\n",
        unid(number)
    );
    for member in members {
        writeln!(group, "member: {member}").unwrap();
    }
    group + "\n"
}

/// A mail-in database.
pub(crate) fn mail_in(number: usize, name: &str) -> String {
    format!(
        "dn: cn={name}\nobjectClass: dominoServerMailInDatabase\ncn: {name}\nmail: {}@corp.example\nmailFile: mail/{number}\n\
         dominoUNID: {}\n\n",
        name.to_lowercase(),
        unid(number)
    )
}

/// The same as a change that adds it.
pub(crate) fn added(entry: &str) -> String {
    entry.replacen("\nobjectClass", "\nchangetype: add\nobjectClass", 1)
}
