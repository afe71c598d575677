//! Change feeds: the life of a person on a real domain controller, by each feed, comes to the same as by reading
//! everything each time.

use self::life::life;
use self::shown::Shown;
use crate::support::cli::Desk;
use crate::support::cluster::Cluster;
use crate::support::faults;
use crate::support::happening::Happening;
use crate::support::lives::{self, Life, Lived, Server};
use crate::support::office::Registry;
use crate::support::operator::Operator;
use crate::support::registry::Synced;
use crate::support::samba::{ADMIN, DOMAIN, PASSWORD, Samba};
use crate::support::toxiproxy::Toxiproxy;
use crate::support::world::{HIDEABLE, Memberships, POLICY, Spelling};

mod life;
mod shown;

const READER: &str = "ADTEST\\reader";
const READER_DN: &str = "CN=reader,CN=Users,DC=ad,DC=example,DC=test";

/// A way to read the domain.
struct Way {
    /// Of its Secret, connector and policy.
    name: &'static str,
    feed: &'static str,
    who: &'static str,
    /// The feed that comes of it.
    active: &'static str,
}

const WAYS: [Way; 5] = [
    Way { name: "everything", feed: "FullRead", who: ADMIN, active: "FullRead" },
    Way { name: "by-numbers", feed: "UsnChanged", who: ADMIN, active: "UsnChanged" },
    Way { name: "as-told", feed: "DirSync", who: ADMIN, active: "DirSync" },
    Way { name: "as-seen", feed: "DirSync", who: READER, active: "DirSync" },
    Way { name: "without-rights", feed: "Auto", who: READER, active: "UsnChanged" },
];

impl Way {
    /// What a user would write.
    fn manifests(&self, url: &str) -> String {
        let Self { name, feed, who, .. } = self;
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{ name: {name} }}\n\
             stringData: {{ username: '{who}', password: {PASSWORD} }}\n---\n\
             apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: {name} }}\nspec:\n  \
             activeDirectory:\n    urls: [\"{url}\"]\n    insecure: true\n    \
             credentialsSecretRef: {{ name: {name} }}\n    excludeDNs: [\"OU=Out,{DOMAIN}\"]\n    \
             changeFeed: {feed}\n---\n\
             apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: {name} }}\nspec:\n  \
             connectors: [{{ name: {name} }}]\n  target: {{ registry: {{}} }}\n{POLICY}\n"
        )
    }

    /// Whether the feed tells of deletions, so that not all ids must be listed.
    fn tells(&self) -> bool {
        self.active != "FullRead" && self.who == ADMIN
    }
}

/// A domain with an account that may read and no more.
fn domain() -> Samba {
    let samba = Samba::start();
    samba.reader("reader");
    // Who sees no deleted entry cannot be told from who may not see them.
    samba.modify(&format!(
        "dn: CN=gone,{DOMAIN}\nchangetype: add\nobjectClass: contact\n\ndn: CN=gone,{DOMAIN}\nchangetype: delete\n\n"
    ));
    samba
}

/// One reader of the domain, with a store of its own.
struct Reader {
    way: Way,
    desk: Desk,
    shown: Shown,
}

impl Reader {
    fn new(samba: &Samba, way: Way) -> Self {
        let desk = Desk::new();
        desk.write("manifests.yaml", way.manifests(&samba.url()));
        Self { way, desk, shown: Shown::default() }
    }
}

#[test]
fn a_life_arrives_as_the_policy_says_by_every_feed() {
    let samba = domain();
    samba.modify(&life::company());
    let namespace = Cluster::shared().namespace();
    let mut operator = Operator::start(&namespace);
    operator.secret(PASSWORD);
    for way in &WAYS {
        namespace.apply(&way.manifests(&samba.url()));
    }
    namespace.wait("dirconn", "--all", "condition=Ready");
    let mut shown: [Shown; WAYS.len()] = Default::default();
    let life = life();
    let middle = life.len() / 2;
    for (at, step) in life.into_iter().enumerate() {
        step.happens.befall(&samba);
        if at == middle {
            // A feed goes on where another process left it.
            operator.restart();
        }
        let now = uuid::Uuid::new_v4();
        for kind in ["dirconn", "syncpol"] {
            namespace.annotate(kind, "--all", &format!("rollcall.dev/sync-requested-at={now}"));
            namespace.wait(kind, "--all", &format!("jsonpath={{.status.lastHandledSyncRequestedAt}}={now}"));
        }
        namespace.wait("syncpol", "--all", "condition=Ready");
        let (connectors, mut expected) = (namespace.all("dirconn"), None);
        for (way, shown) in WAYS.iter().zip(&mut shown) {
            let connector = &connectors[way.name]["status"];
            let at = format!("{}, {}: {connector:#}", step.name, way.name);
            let policy = format!("{}/{}", namespace.name(), way.name);
            let registry = Registry::of(&operator, &policy).resources();
            let resources = shown.resources(&policy, &registry);
            assert_eq!(shown.people(&registry), step.arrives, "{at}");
            assert_eq!(&resources, expected.get_or_insert_with(|| resources.clone()), "{at}");
            assert_eq!(connector["changeFeed"]["active"], way.active, "{at}");
            let full = !way.tells() || step.untold.contains(&way.active);
            assert_eq!(connector["lastImport"]["mode"], if full { "Full" } else { "Delta" }, "{at}");
        }
    }
}

#[test]
fn who_gets_out_of_sight_goes_by_every_feed() {
    let samba = domain();
    samba.modify(&life::company());
    let at = |place: &str| format!("CN=ann,OU={place},{DOMAIN}");
    samba.modify(&format!(
        "dn: {staff}\nchangetype: add\nobjectClass: user\nsAMAccountName: ann\nuserAccountControl: 544\n\
         mail: ann@example.test\n\ndn: CN=team,OU=Groups,{DOMAIN}\nchangetype: modify\nadd: member\nmember: {staff}\n",
        staff = at("Staff")
    ));
    samba.grant(&format!("OU=Other,{DOMAIN}"), "D;CI;RPLCLORC;;", ["user", "reader"]);
    let moved = |from: &str, to: &str| {
        samba.modify(&format!(
            "dn: {}\nchangetype: moddn\nnewrdn: CN=ann\ndeleteoldrdn: 1\nnewsuperior: OU={to},{DOMAIN}\n",
            at(from)
        ));
    };
    let [everything, .., as_seen, without_rights] = WAYS;
    let mut readers =
        [Way { who: READER, ..everything }, as_seen, without_rights].map(|way| Reader::new(&samba, way));
    let mut arrives = |what: &str| {
        for reader in &mut readers {
            let synced = Synced::by(&reader.desk);
            let status = synced.connector().clone();
            let people = reader.shown.people(&synced.resources.into_values().collect::<Vec<_>>());
            assert_eq!(people, [what], "{}: {status:#}", reader.way.name);
        }
    };
    arrives("ann@example.test: ann@example.test, active, in team");
    moved("Staff", "Other");
    arrives("ann@example.test: ann@example.test, disabled, in");
    moved("Other", "Staff");
    arrives("ann@example.test: ann@example.test, active, in team");
}

#[test]
fn a_right_that_is_granted_is_used_without_more_ado() {
    let samba = domain();
    let reader = Reader::new(&samba, Way { name: "reader", feed: "Auto", who: READER, active: "UsnChanged" });
    let feed = |active: &str| {
        let feed = Synced::by(&reader.desk).connector()["changeFeed"].clone();
        assert_eq!(feed["active"], active, "{feed:#}");
        feed["reason"].as_str().unwrap_or_default().to_owned()
    };
    let reason = feed("UsnChanged");
    for part in ["Replicating Directory Changes", "dsacls", "ADTEST\\reader:CA", "CN=Deleted Objects,DC=ad"] {
        assert!(reason.contains(part), "{part:?} is not in {reason}");
    }
    samba.grant(DOMAIN, "OA;;CR;1131f6aa-9c07-11d1-f79f-00c04fc2dcd2;", ["user", "reader"]);
    let reason = feed("DirSync");
    assert!(!reason.contains("Replicating"), "{reason}");
    feed("DirSync");
}

const ACTIVE_DIRECTORY: Spelling = Spelling {
    suffix: DOMAIN,
    naming: "cn",
    person: |name| format!("objectClass: user\nsAMAccountName: {name}\nuserAccountControl: 544\n"),
    group: |name| format!("objectClass: group\nsAMAccountName: {name}\n"),
    renamed: |name| format!("replace: sAMAccountName\nsAMAccountName: {name}\n-\n"),
    states: &[
        "replace: userAccountControl\nuserAccountControl: 546",
        "replace: userAccountControl\nuserAccountControl: 544",
        "replace: accountExpires\naccountExpires: 133801632000000000",
        "replace: accountExpires\naccountExpires: 0",
    ],
    restores: true,
};

impl Server for Samba {
    fn befall(&self, happening: &Happening, _: &Memberships) {
        happening.befall(self);
    }

    fn restart(&mut self) {
        self.restart();
    }
}

#[test]
fn random_lives_are_the_same_by_every_feed() {
    let mut lived = Lived::default();
    let first = faults::count("SEED", 1);
    for seed in first..first + faults::count("DOMAINS", 2) {
        let samba = domain();
        samba.modify(&ACTIVE_DIRECTORY.founding());
        samba.grant(&format!("{HIDEABLE},{DOMAIN}"), "D;CI;RPLCLORC;;", ["group", "unsighted"]);
        let proxy = Toxiproxy::to(samba.address, 389);
        let readers = WAYS.map(|way| {
            let desk = Desk::new();
            let url = if way.active == "FullRead" { samba.url() } else { proxy.url() };
            // Ids depend on the policy's name.
            desk.write("manifests.yaml", Way { name: "all", ..way }.manifests(&url));
            lives::Reader { name: way.name, feed: way.active, loses_sight: way.who == READER, desk }
        });
        let life = Life::new(samba, proxy, readers.into(), (&ACTIVE_DIRECTORY, READER_DN), seed);
        lived += life.live(faults::count("CHANGES", 80));
    }
    lived.tell("Samba");
}
