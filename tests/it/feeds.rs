//! Change feeds: the life of a person on a real domain controller, by each feed, comes to the same as by reading
//! everything each time.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::cli::Desk;
use crate::support::faults;
use crate::support::samba::{ADMIN, DOMAIN, PASSWORD, Samba};

const READER: &str = "ADTEST\\reader";

/// What happens to people and groups, step by step.
fn life() -> Vec<(&'static str, String)> {
    let at = |rdn: &str| format!("{rdn},{DOMAIN}");
    let change = |rdn: &str, what: &str| format!("dn: {}\nchangetype: modify\n{what}\n\n", at(rdn));
    let add = |rdn: &str, class: &str, what: &str| {
        format!("dn: {}\nchangetype: add\nobjectClass: {class}\n{what}\n\n", at(rdn))
    };
    let moved = |rdn: &str, new: &str, to: &str| {
        format!(
            "dn: {}\nchangetype: moddn\nnewrdn: {new}\ndeleteoldrdn: 1\nnewsuperior: {}\n\n",
            at(rdn),
            at(to)
        )
    };
    let user = |name: &str, ou: &str, more: &str| {
        add(
            &format!("CN={name},OU={ou}"),
            "user",
            &format!("sAMAccountName: {name}\nuserAccountControl: 544\n{more}"),
        )
    };
    let ou = |name: &str| add(&format!("OU={name}"), "organizationalUnit", "description: a place");
    let group = |name: &str| {
        add(
            &format!("CN={name},OU=Groups"),
            "group",
            &format!("sAMAccountName: {name}\nmail: {name}@example.test"),
        )
    };
    let member = |verb: &str, group: &str, who: &str| {
        change(&format!("CN={group},OU=Groups"), &format!("{verb}: member\nmember: {}", at(who)))
    };
    vec![
        (
            "a company",
            [ou("Staff"), ou("Other"), ou("Out"), ou("Groups"), group("team"), group("all"), group("extra")]
                .concat(),
        ),
        (
            "others",
            (0..8)
                .map(|n| user(&format!("other{n}"), "Staff", &format!("mail: other{n}@example.test")))
                .collect(),
        ),
        ("without mail", user("ann", "Staff", "sn: Lee")),
        ("with mail", change("CN=ann,OU=Staff", "add: mail\nmail: ann@example.test")),
        ("into a group", member("add", "team", "CN=ann,OU=Staff")),
        ("renamed", moved("CN=ann,OU=Staff", "CN=Ann Smith", "OU=Staff")),
        (
            "married",
            change(
                "CN=Ann Smith,OU=Staff",
                "replace: sn\nsn: Smith\n-\nreplace: mail\nmail: smith@example.test",
            ),
        ),
        (
            "nested",
            [member("add", "all", "CN=team,OU=Groups"), member("add", "extra", "CN=all,OU=Groups")].concat(),
        ),
        ("moved", moved("CN=Ann Smith,OU=Staff", "CN=Ann Smith", "OU=Other")),
        ("a place renamed", moved("OU=Other", "OU=Elsewhere", "OU=Staff")),
        ("back", moved("CN=Ann Smith,OU=Elsewhere,OU=Staff", "CN=Ann Smith", "OU=Staff")),
        ("out of the group", member("delete", "team", "CN=Ann Smith,OU=Staff")),
        ("in again", member("add", "team", "CN=Ann Smith,OU=Staff")),
        ("disabled", change("CN=Ann Smith,OU=Staff", "replace: userAccountControl\nuserAccountControl: 546")),
        ("enabled", change("CN=Ann Smith,OU=Staff", "replace: userAccountControl\nuserAccountControl: 544")),
        (
            "expired",
            change("CN=Ann Smith,OU=Staff", "replace: accountExpires\naccountExpires: 133801632000000000"),
        ),
        ("not expired", change("CN=Ann Smith,OU=Staff", "replace: accountExpires\naccountExpires: 0")),
        ("no address", change("CN=Ann Smith,OU=Staff", "delete: mail")),
        ("an address", change("CN=Ann Smith,OU=Staff", "add: mail\nmail: smith@example.test")),
        ("outside", moved("CN=Ann Smith,OU=Staff", "CN=Ann Smith", "OU=Out")),
        ("inside", moved("CN=Ann Smith,OU=Out", "CN=Ann Smith", "OU=Staff")),
        ("deleted", format!("dn: {}\nchangetype: delete\n\n", at("CN=Ann Smith,OU=Staff"))),
        ("another of that name", user("ann", "Staff", "mail: smith@example.test")),
        ("a group deleted", format!("dn: {}\nchangetype: delete\n\n", at("CN=all,OU=Groups"))),
        ("a place", change("OU=Groups", "replace: description\ndescription: groups")),
        ("a last one", user("zoe", "Staff", "mail: zoe@example.test")),
    ]
}

fn manifests(samba: &Samba, feed: &str, who: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: reader, namespace: test }}\n\
         stringData: {{ username: '{who}', password: {PASSWORD} }}\n---\n\
         apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\n\
         metadata: {{ name: corp, namespace: test }}\nspec:\n  activeDirectory:\n    urls: [\"{url}\"]\n    \
         insecure: true\n    credentialsSecretRef: {{ name: reader }}\n    excludeDNs: [\"OU=Out,{DOMAIN}\"]\n    \
         changeFeed: {feed}\n---\n\
         apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: all, namespace: test }}\nspec:\n  \
         connectors: [{{ name: corp }}]\n  target: {{ registry: {{}} }}\n  \
         users: {{ recreated: Replace, emailDomains: [example.test] }}\n  \
         groups: {{ vanished: {{ do: Delete }} }}\n  limits: {{ {limits} }}\n",
        url = samba.url(),
        limits = "userRemovals: { count: 900, percent: 100 }, groupRemovals: { count: 900, percent: 100 }, \
                  memberRemovals: { count: 900, percent: 100 }, disables: { count: 900, percent: 100 }, \
                  memberRemovalsPerGroup: { percent: 100 }, identifierChanges: { count: 900, percent: 100 }"
    )
}

/// One reader of the domain, with a store of its own.
struct Reader {
    name: &'static str,
    /// The feed that is to be used.
    active: &'static str,
    /// Whether it tells of deletions, so that not all ids must be listed.
    tells: bool,
    desk: Desk,
}

impl Reader {
    fn new(samba: &Samba, name: &'static str, feed: &str, who: &str, active: &'static str) -> Self {
        let desk = Desk::new();
        desk.write("manifests.yaml", manifests(samba, feed, who));
        Self { name, active, tells: active != "FullRead" && who == ADMIN, desk }
    }

    /// Syncs; what the status says of the connector, and the registry.
    fn sync(&self) -> (Value, Vec<Value>) {
        let ran = self.desk.sync(&["--output", "json"]);
        let status: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}", ran.said()));
        (status, self.desk.registry())
    }
}

#[test]
fn a_life_is_the_same_by_every_feed() {
    let samba = Samba::start();
    samba.reader("reader");
    let readers = [
        Reader::new(&samba, "everything", "FullRead", ADMIN, "FullRead"),
        Reader::new(&samba, "by numbers", "UsnChanged", ADMIN, "UsnChanged"),
        Reader::new(&samba, "as told", "DirSync", ADMIN, "DirSync"),
        Reader::new(&samba, "without rights", "Auto", READER, "UsnChanged"),
    ];
    // Who sees no deleted entry cannot be told from who may not see them.
    samba.modify(&format!(
        "dn: CN=gone,{DOMAIN}\nchangetype: add\nobjectClass: contact\n\ndn: CN=gone,{DOMAIN}\nchangetype: delete\n\n"
    ));
    for (at, (step, changes)) in life().into_iter().enumerate() {
        samba.modify(&changes);
        let mut expected = None;
        for reader in &readers {
            let (status, registry) = reader.sync();
            let expected = expected.get_or_insert_with(|| registry.clone());
            assert_eq!(&registry, expected, "{step}, {}: {status:#}", reader.name);
            let connector = &status[0]["status"];
            let (mode, active) = (&connector["lastImport"]["mode"], &connector["changeFeed"]["active"]);
            assert_eq!(active, reader.active, "{step}: {connector:#}");
            // Who is in a place that changed may be called otherwise, and nobody tells of that.
            let full =
                at == 0 || step == "a place renamed" || reader.active == "UsnChanged" && step == "a place";
            let expected = if full || !reader.tells { "Full" } else { "Delta" };
            assert_eq!(mode, expected, "{step}, {}: {connector:#}", reader.name);
        }
    }
}

#[test]
fn a_right_that_is_granted_is_used_without_more_ado() {
    let samba = Samba::start();
    samba.reader("reader");
    let reader = Reader::new(&samba, "reader", "Auto", READER, "UsnChanged");
    let feed = |active: &str| {
        let feed = reader.sync().0[0]["status"]["changeFeed"].clone();
        assert_eq!(feed["active"], active, "{feed:#}");
        feed["reason"].as_str().unwrap_or_default().to_owned()
    };
    let reason = feed("UsnChanged");
    for part in ["Replicating Directory Changes", "dsacls", "ADTEST\\reader:CA", "CN=Deleted Objects,DC=ad"] {
        assert!(reason.contains(part), "{part:?} is not in {reason}");
    }
    let shown = samba.tool(&["user", "show", "reader"]);
    let sid = shown.lines().find_map(|line| line.strip_prefix("objectSid: ")).unwrap();
    let right = format!("--sddl=(OA;;CR;1131f6aa-9c07-11d1-f79f-00c04fc2dcd2;;{sid})");
    samba.tool(&["dsacl", "set", &format!("--objectdn={DOMAIN}"), &right]);
    let reason = feed("DirSync");
    assert!(!reason.contains("Replicating"), "{reason}");
    feed("DirSync");
}

/// A domain whose people and groups change at random.
struct World {
    dice: u64,
    next: usize,
    /// Where each person is, by name.
    people: BTreeMap<String, &'static str>,
    /// Who is in each group.
    members: BTreeMap<&'static str, Vec<String>>,
}

const PLACES: &[&str] = &["Staff", "Other", "Out"];

impl World {
    fn roll(&mut self, sides: usize) -> usize {
        // Knuth's numbers for a linear congruential generator; its high bits are the random ones.
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.dice >> 33).unwrap() % sides
    }

    /// One change, as LDIF.
    fn change(&mut self) -> String {
        let at = |name: &str, place: &str| format!("CN={name},OU={place},{DOMAIN}");
        let names: Vec<String> = self.people.keys().cloned().collect();
        let what = self.roll(10);
        if names.len() < 4 || what == 0 {
            let (name, place) = (format!("p{}", self.next), PLACES[self.roll(3)]);
            self.next += 1;
            self.people.insert(name.clone(), place);
            return format!(
                "dn: {}\nchangetype: add\nobjectClass: user\nsAMAccountName: {name}\nuserAccountControl: 544\n\
                 mail: {name}@example.test\n\n",
                at(&name, place)
            );
        }
        let name = names[self.roll(names.len())].clone();
        let place = self.people[&name];
        let dn = at(&name, place);
        let modify = |what: &str| format!("dn: {dn}\nchangetype: modify\n{what}\n\n");
        let modified_group = |group: &str, verb: &str| {
            format!("dn: CN={group},OU=Groups,{DOMAIN}\nchangetype: modify\n{verb}: member\nmember: {dn}\n\n")
        };
        let group = ["team", "extra"][self.roll(2)];
        match what {
            1 => {
                self.people.remove(&name);
                self.members.values_mut().for_each(|members| members.retain(|member| *member != name));
                format!("dn: {dn}\nchangetype: delete\n\n")
            }
            2 => {
                let to = PLACES[self.roll(3)];
                if to == place {
                    return modify("replace: title\ntitle: stays");
                }
                self.people.insert(name.clone(), to);
                format!(
                    "dn: {dn}\nchangetype: moddn\nnewrdn: CN={name}\ndeleteoldrdn: 1\nnewsuperior: OU={to},{DOMAIN}\n\n"
                )
            }
            3 => modify(&format!("replace: sn\nsn: Name{}", self.roll(100))),
            4 => modify(&format!(
                "replace: userAccountControl\nuserAccountControl: {}",
                544 + 2 * self.roll(2)
            )),
            5 => modify(&format!("replace: mail\nmail: {name}.{}@example.test", self.roll(3))),
            6 => modify("replace: accountExpires\naccountExpires: 133801632000000000"),
            7 => modify("replace: accountExpires\naccountExpires: 0"),
            _ => {
                let members = self.members.entry(group).or_default();
                if let Some(there) = members.iter().position(|member| *member == name) {
                    members.remove(there);
                    return modified_group(group, "delete");
                }
                members.push(name.clone());
                modified_group(group, "add")
            }
        }
    }
}

#[test]
fn random_lives_are_the_same_by_every_feed() {
    let (lives, changes, first) =
        (faults::count("DOMAINS", 2), faults::count("CHANGES", 80), faults::count("SEED", 1));
    let mut done = 0;
    for seed in first..first + lives {
        let mut samba = Samba::start();
        samba.reader("reader");
        samba.modify(&life()[0].1);
        let readers = [
            Reader::new(&samba, "everything", "FullRead", ADMIN, "FullRead"),
            Reader::new(&samba, "by numbers", "UsnChanged", ADMIN, "UsnChanged"),
            Reader::new(&samba, "as told", "DirSync", ADMIN, "DirSync"),
            Reader::new(&samba, "without rights", "Auto", READER, "UsnChanged"),
        ];
        let mut world = World { dice: seed, next: 0, people: BTreeMap::new(), members: BTreeMap::new() };
        let mut story = String::new();
        let (mut burst, mut left) = (0, changes);
        while left > 0 {
            burst += 1;
            let count = (1 + world.roll(12) as u64).min(left);
            left -= count;
            let changes: String = (0..count).map(|_| world.change()).collect();
            story.push_str(&changes);
            samba.modify(&changes);
            if burst % 12 == 6 {
                samba.restart();
            }
            let mut expected = None;
            for reader in &readers {
                let (status, registry) = reader.sync();
                let expected = expected.get_or_insert_with(|| registry.clone());
                assert_eq!(&registry, expected, "seed {seed}, {}, after\n{story}\n{status:#}", reader.name);
            }
        }
        done += changes;
    }
    faults::tell(format_args!(
        "{lives} lives of {done} changes in Samba, by each feed as by reading everything"
    ));
}
