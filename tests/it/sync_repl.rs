//! Changes by syncrepl (RFC 4533): what happens in a real OpenLDAP server comes to the same by its feed as by
//! reading everything each time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use rollcall::directory::Entry;
use rollcall::source::ldap::LdapConfig;
use rstest::rstest;
use serde_json::Value;

use crate::ldap;
use crate::support::cli::Desk;
use crate::support::faults;
use crate::support::slapd::{ADMIN, PASSWORD, SUFFIX, Setup, Slapd};
use crate::support::toxiproxy::Toxiproxy;

const MODULES: &str = "moduleload syncprov\nmoduleload refint";
/// It keeps what was deleted.
const WITH_LOG: &str = "overlay syncprov\nsyncprov-sessionlog 10000\noverlay refint\nrefint_attributes member\nrefint_nothing cn=nobody";
/// It does not.
const WITHOUT_LOG: &str =
    "overlay syncprov\noverlay refint\nrefint_attributes member\nrefint_nothing cn=nobody";

const PLACES: &[&str] = &["Staff", "Other,ou=Staff", "Out"];

fn at(rdn: &str) -> String {
    format!("{rdn},{SUFFIX}")
}

fn ou(place: &str) -> String {
    let name = place.split(',').next().unwrap();
    format!("dn: {}\nobjectClass: organizationalUnit\nou: {name}\n\n", at(&format!("ou={place}")))
}

fn tree() -> String {
    let base = format!(
        "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n"
    );
    let mut ldif = base + &["Staff", "Other,ou=Staff", "Out", "Groups"].map(ou).concat();
    for group in ["team", "all", "extra"] {
        let dn = at(&format!("cn={group},ou=Groups"));
        write!(ldif, "dn: {dn}\nobjectClass: groupOfNames\ncn: {group}\nmember: cn=nobody\n\n").unwrap();
    }
    for n in 0..8 {
        ldif += &user(&format!("other{n}"), "Staff", &format!("mail: other{n}@example.test\n"))
            .replace("changetype: add\n", "");
    }
    ldif
}

fn user(name: &str, place: &str, more: &str) -> String {
    let dn = at(&format!("uid={name},ou={place}"));
    format!(
        "dn: {dn}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n{more}\n"
    )
}

fn change(rdn: &str, what: &str) -> String {
    format!("dn: {}\nchangetype: modify\n{what}\n\n", at(rdn))
}

fn moved(rdn: &str, new: &str, to: &str) -> String {
    format!("dn: {}\nchangetype: moddn\nnewrdn: {new}\ndeleteoldrdn: 1\nnewsuperior: {}\n\n", at(rdn), at(to))
}

fn member(verb: &str, group: &str, who: &str) -> String {
    change(&format!("cn={group},ou=Groups"), &format!("{verb}: member\nmember: {}", at(who)))
}

/// What happens to people and groups, step by step.
fn life() -> Vec<(&'static str, String)> {
    vec![
        ("nothing", String::new()),
        ("without mail", user("ann", "Staff", "")),
        ("with mail", change("uid=ann,ou=Staff", "add: mail\nmail: ann@example.test")),
        ("into a group", member("add", "team", "uid=ann,ou=Staff")),
        ("renamed", moved("uid=ann,ou=Staff", "uid=ann.lee", "ou=Staff")),
        (
            "married",
            change(
                "uid=ann.lee,ou=Staff",
                "replace: sn\nsn: Smith\n-\nreplace: mail\nmail: smith@example.test",
            ),
        ),
        (
            "nested",
            [member("add", "all", "cn=team,ou=Groups"), member("add", "extra", "cn=all,ou=Groups")].concat(),
        ),
        ("moved", moved("uid=ann.lee,ou=Staff", "uid=ann.lee", "ou=Other,ou=Staff")),
        ("a place renamed", moved("ou=Other,ou=Staff", "ou=Elsewhere", "ou=Staff")),
        ("back", moved("uid=ann.lee,ou=Elsewhere,ou=Staff", "uid=ann.lee", "ou=Staff")),
        ("out of the group", member("delete", "team", "uid=ann.lee,ou=Staff")),
        ("in again", member("add", "team", "uid=ann.lee,ou=Staff")),
        ("no address", change("uid=ann.lee,ou=Staff", "delete: mail")),
        ("an address", change("uid=ann.lee,ou=Staff", "add: mail\nmail: smith@example.test")),
        ("disabled", change("uid=ann.lee,ou=Staff", "add: employeeType\nemployeeType: gone")),
        ("enabled", change("uid=ann.lee,ou=Staff", "delete: employeeType")),
        ("outside", moved("uid=ann.lee,ou=Staff", "uid=ann.lee", "ou=Out")),
        ("inside", moved("uid=ann.lee,ou=Out", "uid=ann.lee", "ou=Staff")),
        ("deleted", format!("dn: {}\nchangetype: delete\n\n", at("uid=ann.lee,ou=Staff"))),
        ("another of that name", user("ann.lee", "Staff", "mail: smith@example.test\n")),
        ("a group deleted", format!("dn: {}\nchangetype: delete\n\n", at("cn=all,ou=Groups"))),
        ("a last one", user("zoe", "Staff", "mail: zoe@example.test\n")),
    ]
}

/// One reader of the directory, with a store of its own.
struct Reader {
    desk: Desk,
}

impl Reader {
    fn new(slapd: &Slapd, url: &str, feed: &str) -> Self {
        let bases = ["Staff", "Groups"].map(|name| format!("'{}'", at(&format!("ou={name}")))).join(", ");
        let ldap = format!(
            "    baseDNs: [{bases}]\n    changeFeed: {feed}\n    disabledWhen: \"user.employeeType == 'gone'\"\n  fullReadEvery: 1000h"
        );
        let wide = "{ count: 900, percent: 100 }";
        let policy = format!(
            "  users: {{ recreated: Replace, emailDomains: [example.test] }}\n  groups: {{ vanished: {{ do: Delete }} }}\n  \
             limits: {{ userRemovals: {wide}, groupRemovals: {wide}, memberRemovals: {wide}, disables: {wide}, \
             memberRemovalsPerGroup: {{ percent: 100 }}, identifierChanges: {wide} }}"
        );
        let desk = Desk::new();
        desk.write("manifests.yaml", slapd.manifests(&ldap, &policy).replace(&slapd.url(), url));
        Self { desk }
    }

    /// Syncs; what the status says of the connector, and the registry.
    fn sync(&self) -> (Value, Vec<Value>) {
        let ran = self.desk.sync(&["--output", "json"]);
        let status: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}", ran.said()));
        (status[0]["status"].clone(), self.desk.registry())
    }
}

fn check(step: &str, everything: &Reader, told: &Reader) -> Value {
    let (_, expected) = everything.sync();
    let (status, registry) = told.sync();
    assert_eq!(registry, expected, "{step}: {status:#}");
    assert_eq!(status["changeFeed"]["active"], "SyncRepl", "{step}: {status:#}");
    status
}

#[rstest]
#[case::with_a_session_log(WITH_LOG, true)]
#[case::without(WITHOUT_LOG, false)]
fn a_life_is_the_same_by_the_feed(#[case] database: &str, #[case] tells: bool) {
    let slapd = Slapd::start(&Setup { ldif: &tree(), global: MODULES, database, ..Setup::default() });
    let everything = Reader::new(&slapd, &slapd.url(), "FullRead");
    let told = Reader::new(&slapd, &slapd.url(), "Auto");
    assert_eq!(check("first", &everything, &told)["lastImport"]["mode"], "Full");
    for (step, changes) in life() {
        if !changes.is_empty() {
            slapd.modify(&changes);
        }
        let status = check(step, &everything, &told);
        // Who is in a place that changed is called otherwise, and nobody tells of that; who is deleted may be hidden.
        let full = matches!(step, "a place renamed" | "deleted" | "a group deleted")
            || !(tells || step == "nothing");
        assert_eq!(status["lastImport"]["mode"], if full { "Full" } else { "Delta" }, "{step}: {status:#}");
        let reason = status["changeFeed"]["reason"].as_str().unwrap_or_default();
        assert_eq!(reason.contains("syncprov-sessionlog"), !tells && step != "nothing", "{step}: {reason}");
    }
}

/// A directory that changes at random.
#[tokio::test]
async fn a_list_is_read_again_only_for_who_is_called_otherwise() {
    let slapd =
        Slapd::start(&Setup { ldif: &tree(), global: MODULES, database: WITH_LOG, ..Setup::default() });
    let [one, two] = ["uid=other1,ou=Staff", "uid=other2,ou=Staff"];
    slapd.modify(&[member("add", "team", one), member("add", "team", two)].concat());
    let config = LdapConfig { sync_repl: true, ..ldap::config(&[&slapd.url()]) };
    let (all, ended) = ldap::go_on(config.clone(), None, Arc::default()).await;
    let called: ldap::Called =
        ldap::entries(&all).into_iter().map(|entry| (entry.anchor.clone(), entry.dn.clone())).collect();
    let mut cursor = ended.unwrap().cursor;
    let mut came = async |changes: String, called: ldap::Called| {
        slapd.modify(&changes);
        let (came, ended) = ldap::go_on(config.clone(), cursor.clone(), Arc::new(called)).await;
        cursor = ended.unwrap().cursor;
        let rdn = |entry: &Entry| entry.dn.split(',').next().unwrap().to_owned();
        ldap::entries(&came).into_iter().map(rdn).collect::<BTreeSet<_>>()
    };
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let name = |name: &str| change(one, &format!("replace: sn\nsn: {name}"));
    assert_eq!(came(name("Smith"), called.clone()).await, named(&["uid=other1"]));
    assert_eq!(came(name("Jones"), ldap::Called::default()).await, named(&["uid=other1", "cn=team"]));
    let renamed = moved(two, "uid=another2", "ou=Staff");
    assert_eq!(came(renamed, called).await, named(&["uid=another2", "cn=team"]));
}

struct World {
    dice: faults::Dice,
    next: usize,
    /// Where each person is, by name.
    people: BTreeMap<String, &'static str>,
    /// Who is in each group.
    members: BTreeMap<&'static str, BTreeSet<String>>,
}

impl World {
    fn roll(&mut self, sides: usize) -> usize {
        usize::try_from(self.dice.below(sides as u64)).unwrap()
    }

    /// One change, as LDIF.
    fn change(&mut self) -> String {
        let names: Vec<String> = self.people.keys().cloned().collect();
        let what = self.roll(12);
        if names.len() < 4 || what <= 1 {
            // Names come again: somebody else is called so then.
            let name = format!("p{}", self.roll(12 + self.next));
            if self.people.contains_key(&name) {
                return String::new();
            }
            self.next += 1;
            let place = PLACES[self.roll(3)];
            self.people.insert(name.clone(), place);
            return user(&name, place, &format!("mail: {name}@example.test\n"));
        }
        let name = names[self.roll(names.len())].clone();
        let place = self.people[&name];
        let rdn = format!("uid={name},ou={place}");
        match what {
            2 | 3 => {
                self.people.remove(&name);
                // The server takes them out of their groups.
                for members in self.members.values_mut() {
                    members.remove(&name);
                }
                format!("dn: {}\nchangetype: delete\n\n", at(&rdn))
            }
            4 => {
                let to = PLACES[self.roll(3)];
                if to == place {
                    return change(&rdn, "replace: title\ntitle: stays");
                }
                self.people.insert(name.clone(), to);
                moved(&rdn, &format!("uid={name}"), &format!("ou={to}"))
            }
            5 => {
                let new = format!("p{}", self.roll(12 + self.next));
                if self.people.contains_key(&new) {
                    return String::new();
                }
                self.people.remove(&name);
                self.people.insert(new.clone(), place);
                for members in self.members.values_mut() {
                    if members.remove(&name) {
                        members.insert(new.clone());
                    }
                }
                moved(&rdn, &format!("uid={new}"), &format!("ou={place}"))
            }
            6 => change(&rdn, &format!("replace: sn\nsn: Name{}", self.roll(100))),
            7 => change(&rdn, &format!("replace: mail\nmail: {name}.{}@example.test", self.roll(3))),
            8 => change(&rdn, "replace: employeeType\nemployeeType: gone"),
            9 => change(&rdn, "replace: employeeType\nemployeeType: here"),
            _ => {
                let group = ["team", "extra"][self.roll(2)];
                let members = self.members.entry(group).or_default();
                let verb = if members.remove(&name) {
                    "delete"
                } else {
                    members.insert(name.clone());
                    "add"
                };
                member(verb, group, &rdn)
            }
        }
    }
}

#[test]
fn an_account_that_loses_sight_of_a_place_for_a_while_removes_nobody() {
    const READER: &str = "cn=reader,dc=example,dc=test";
    let hidden: String = (0..15)
        .map(|n| user(&format!("hidden{n}"), "Other,ou=Staff", &format!("mail: hidden{n}@example.test\n")))
        .collect();
    let ldif = tree()
        + &hidden.replace("changetype: add\n", "")
        + &format!("dn: {READER}\nobjectClass: person\ncn: reader\nsn: reader\nuserPassword: {PASSWORD}\n\n");
    let rights = tempfile::NamedTempFile::new().unwrap();
    let grant = |place: &str| {
        let all = "access to attrs=userPassword by * auth\naccess to * by * read\n";
        let none = format!("access to dn.subtree=\"ou=Other,ou=Staff,{SUFFIX}\" by * none\n");
        std::fs::write(rights.path(), if place == "hidden" { none + all } else { all.to_owned() }).unwrap();
    };
    grant("all");
    let database = format!("{WITH_LOG}\ninclude {}", rights.path().display());
    let mut slapd =
        Slapd::start(&Setup { ldif: &ldif, global: MODULES, database: &database, ..Setup::default() });
    let readers = ["FullRead", "Auto"].map(|feed| {
        let desk = Desk::new();
        let manifests =
            slapd.manifests(&format!("    changeFeed: {feed}"), "  users: { emailDomains: [example.test] }");
        desk.write("manifests.yaml", manifests.replace(ADMIN, READER));
        Reader { desk }
    });
    let mut expected = readers[0].sync().1;
    assert_eq!(readers[1].sync().1, expected);
    for place in ["hidden", "all", "hidden", "all"] {
        grant(place);
        slapd.stop();
        slapd.start_again();
        // What happens there meanwhile is seen when the place is.
        slapd.modify(&change("uid=hidden3,ou=Other,ou=Staff", &format!("replace: sn\nsn: {place}")));
        slapd.modify(&change("uid=other3,ou=Staff", &format!("replace: sn\nsn: {place}")));
        for reader in &readers {
            let registry = reader.sync().1;
            assert_eq!(registry.len(), expected.len(), "{place}");
            assert!(registry.iter().all(|one| one["active"] != false), "{place}");
        }
        if place == "all" {
            expected = readers[0].sync().1;
            assert_eq!(readers[1].sync().1, expected);
        }
    }
}

#[test]
fn random_lives_are_the_same_by_the_feed() {
    let (lives, changes) = (faults::count("LIVES", 2), faults::count("CHANGES", 80));
    let mut count = 0;
    for life in 0..lives {
        let dice = faults::Dice::of(life + faults::count("SEED", 1));
        let mut slapd =
            Slapd::start(&Setup { ldif: &tree(), global: MODULES, database: WITH_LOG, ..Setup::default() });
        let proxy = Toxiproxy::start(slapd.port());
        let everything = Reader::new(&slapd, &slapd.url(), "FullRead");
        let told = Reader::new(&slapd, &proxy.url(), "Auto");
        let mut world = World { dice, next: 0, people: BTreeMap::new(), members: BTreeMap::new() };
        let mut story = String::new();
        let mut done = 0;
        while done < changes {
            let burst: String = (0..=world.roll(12)).map(|_| world.change()).collect();
            done += burst.matches("changetype").count() as u64;
            story += &burst;
            if !burst.is_empty() {
                slapd.modify(&burst);
            }
            match world.roll(8) {
                0 => {
                    slapd.stop();
                    slapd.start_again();
                    story += "# the server was stopped, and started again\n";
                }
                1 => {
                    let bytes = world.roll(20_000);
                    proxy.poison("limit_data", &serde_json::json!({ "bytes": bytes }));
                    told.sync();
                    proxy.cure();
                    writeln!(story, "# the connection was cut after {bytes} bytes").unwrap();
                }
                _ => {}
            }
            check(&format!("life {life}, after\n{story}"), &everything, &told);
        }
        count += done;
    }
    faults::tell(format_args!(
        "{lives} lives of {count} changes in OpenLDAP, by the feed as by reading everything"
    ));
}
