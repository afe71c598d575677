//! Change feeds: the life of a person on a real domain controller, by each feed, comes to the same as by reading
//! everything each time.

use rstest::rstest;

use self::life::life;
use self::shown::Shown;
use crate::support::cli::Desk;
use crate::support::cluster::Cluster;
use crate::support::faults;
use crate::support::happening::Happening;
use crate::support::lives::{self, Life, Lived, Server};
use crate::support::office::Registry;
use crate::support::operator::Operator;
use crate::support::registry::{Synced, differences};
use crate::support::samba::{ADMIN, DOMAIN, PASSWORD, Samba};
use crate::support::toxiproxy::Toxiproxy;
use crate::support::world::{HIDEABLE, Memberships, POLICY, Spelling, policy_over_groups};

mod life;
mod shown;

const READER: &str = "ADTEST\\reader";
const READER_DN: &str = "CN=reader,CN=Users,DC=ad,DC=example,DC=test";

/// A way to read the domain.
#[derive(Clone)]
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

/// Those who may see deleted entries, without which groups are not followed.
const THAT_SEE_DELETED: [Way; 3] = {
    let [everything, by_numbers, as_told, ..] = WAYS;
    [everything, by_numbers, as_told]
};

impl Way {
    /// What a user would write.
    fn manifests(&self, url: &str) -> String {
        self.manifests_by(url, "", POLICY)
    }

    /// The same, with this filter and policy.
    fn manifests_by(&self, url: &str, filter: &str, policy: &str) -> String {
        let Self { name, feed, who, .. } = self;
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{ name: {name} }}\n\
             stringData: {{ username: '{who}', password: {PASSWORD} }}\n---\n\
             apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: {name} }}\nspec:\n  \
             activeDirectory:\n    urls: [\"{url}\"]\n    insecure: true\n    \
             credentialsSecretRef: {{ name: {name} }}\n    excludeDNs: [\"OU=Out,{DOMAIN}\"]\n    \
             changeFeed: {feed}{filter}\n---\n\
             apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: {name} }}\nspec:\n  \
             connectors: [{{ name: {name} }}]\n  target: {{ registry: {{}} }}\n{policy}\n"
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

const IN_TEAM: &str =
    "\n    userFilter: \"(&(objectCategory=person)(memberOf=CN=team,OU=Groups,DC=ad,DC=example,DC=test))\"";

/// Its group is not read.
const NOT_THE_READER: &str =
    "\n    userFilter: \"(&(objectCategory=person)(objectClass=user)(!(sAMAccountName=reader)))\"";

/// The feeds that the ways come to, in their order.
#[rstest]
#[case::by_a_mapping("", policy_over_groups(), ["FullRead", "UsnChanged", "DirSync", "FullRead", "FullRead"])]
#[case::by_a_filter(IN_TEAM, POLICY.to_owned(), ["FullRead", "UsnChanged", "DirSync", "DirSync", "UsnChanged"])]
fn who_enters_or_leaves_a_group_arrives_by_every_feed(
    #[case] filter: &str,
    #[case] policy: String,
    #[case] feeds: [&str; WAYS.len()],
) {
    let samba = domain();
    samba.modify(&life::company());
    let person = |name: &str| {
        format!(
            "dn: CN={name},OU=Staff,{DOMAIN}\nchangetype: add\nobjectClass: user\nsAMAccountName: {name}\n\
             userAccountControl: 544\nmail: {name}@example.test\n\n"
        )
    };
    let group = |name: &str, change: &str| format!("dn: CN={name},OU=Groups,{DOMAIN}\n{change}\n\n");
    let member = |verb: &str, name: &str, who: &str| {
        group(name, &format!("changetype: modify\n{verb}: member\nmember: CN={who},OU=Staff,{DOMAIN}"))
    };
    let renamed =
        |name: &str, to: &str| group(name, &format!("changetype: modrdn\nnewrdn: CN={to}\ndeleteoldrdn: 1"));
    let made =
        |name: &str| group(name, &format!("changetype: add\nobjectClass: group\nsAMAccountName: {name}"));
    samba.modify(&["ann", "bob", "cyd"].map(person).concat());
    samba.modify(&(made("outer") + &member("add", "team", "ann")));
    let readers = WAYS.map(|way| {
        let desk = Desk::new();
        // Ids depend on the policy's name.
        desk.write("manifests.yaml", Way { name: "all", ..way }.manifests_by(&samba.url(), filter, &policy));
        desk
    });
    let steps = [
        String::new(),
        // What happens first after everything was read counts for all who are in a group.
        member("add", "team", "bob"),
        member("delete", "team", "ann") + &member("add", "team", "cyd"),
        group("outer", &format!("changetype: modify\nadd: member\nmember: CN=team,OU=Groups,{DOMAIN}")),
        renamed("team", "crew"),
        renamed("crew", "team"),
        person("dan") + &member("add", "team", "dan") + &member("delete", "team", "bob"),
        group("team", "changetype: delete"),
        made("team") + &member("add", "team", "bob"),
    ];
    for (at, step) in steps.iter().enumerate() {
        if !step.is_empty() {
            samba.modify(step);
        }
        let [everything, told @ ..] = readers.each_ref().map(Synced::by);
        for (told, feed) in told.iter().zip(&feeds[1..]) {
            let differ = differences(&everything.resources, &told.resources);
            let connector = told.connector();
            assert!(differ.is_empty(), "step {at}: {differ:?}: {connector:#}");
            assert_eq!(connector["changeFeed"]["active"], *feed, "step {at}: {connector:#}");
            let full = at == 0 || !filter.is_empty() || *feed == "FullRead";
            assert_eq!(connector["lastImport"]["mode"], if full { "Full" } else { "Delta" }, "{connector:#}");
        }
    }
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

#[rstest]
#[case::of_everybody("", POLICY.to_owned(), &WAYS)]
#[case::with_a_mapping_over_groups(NOT_THE_READER, policy_over_groups(), &THAT_SEE_DELETED)]
fn random_lives_are_the_same_by_every_feed(
    #[case] filter: &str,
    #[case] policy: String,
    #[case] ways: &[Way],
) {
    let mut lived = Lived::default();
    let first = faults::count("SEED", 1);
    for seed in first..first + faults::count("DOMAINS", 2) {
        let samba = domain();
        samba.modify(&ACTIVE_DIRECTORY.founding());
        samba.grant(&format!("{HIDEABLE},{DOMAIN}"), "D;CI;RPLCLORC;;", ["group", "unsighted"]);
        let proxy = Toxiproxy::to(samba.address, 389);
        let reader = |way: &Way| {
            let desk = Desk::new();
            let url = if way.active == "FullRead" { samba.url() } else { proxy.url() };
            // Ids depend on the policy's name.
            desk.write(
                "manifests.yaml",
                Way { name: "all", ..way.clone() }.manifests_by(&url, filter, &policy),
            );
            lives::Reader { name: way.name, feed: way.active, loses_sight: way.who == READER, desk }
        };
        let readers = ways.iter().map(reader).collect();
        let life = Life::new(samba, proxy, readers, (&ACTIVE_DIRECTORY, READER_DN), seed);
        lived += life.live(faults::count("CHANGES", 80));
    }
    lived.tell("Samba");
}
