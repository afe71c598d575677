//! Changes by syncrepl (RFC 4533): what happens in a real OpenLDAP server comes to the same by its feed as by
//! reading everything each time.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use rollcall::directory::Entry;
use rollcall::source::ldap::GenericConfig;
use rstest::rstest;
use serde_json::Value;

use crate::ldap;
use crate::support::cli::Desk;
use crate::support::faults;
use crate::support::happening::Happening;
use crate::support::lives::{Life, Lived, Reader, Server};
use crate::support::process::eventually;
use crate::support::registry::Synced;
use crate::support::slapd::{ADMIN, PASSWORD, SUFFIX, Setup, Slapd};
use crate::support::toxiproxy::Toxiproxy;
use crate::support::world::{GROUPS, HIDEABLE, Memberships, POLICY, Spelling, UNSIGHTED, policy_over_groups};

const MODULES: &str = "moduleload syncprov\nmoduleload refint\nmoduleload memberof";
const READER: &str = "cn=reader,dc=example,dc=test";
/// It keeps what was deleted.
const WITH_LOG: &str = "overlay syncprov\nsyncprov-sessionlog 10000\noverlay refint\nrefint_attributes member\nrefint_nothing cn=nobody";
/// It does not.
const WITHOUT_LOG: &str =
    "overlay syncprov\noverlay refint\nrefint_attributes member\nrefint_nothing cn=nobody";

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
        ("in a group", member("add", "extra", "uid=ann.lee,ou=Staff")),
        (
            "another at once",
            format!("dn: {}\nchangetype: delete\n\n", at("uid=ann.lee,ou=Staff"))
                + &user("ann.lee", "Staff", "mail: lee@example.test\n"),
        ),
        ("a group deleted", format!("dn: {}\nchangetype: delete\n\n", at("cn=all,ou=Groups"))),
        ("a last one", user("zoe", "Staff", "mail: zoe@example.test\n")),
    ]
}

/// Who reads the directory, with a store of its own.
fn reader(slapd: &Slapd, url: &str, who: &str, feed: &str) -> Desk {
    reader_by(slapd, url, who, (feed, "", POLICY))
}

/// The same, with this filter and policy.
fn reader_by(slapd: &Slapd, url: &str, who: &str, (feed, filter, policy): (&str, &str, &str)) -> Desk {
    let bases = ["Staff", "Groups"].map(|name| format!("'{}'", at(&format!("ou={name}")))).join(", ");
    let ldap = format!(
        "    baseDNs: [{bases}]\n    changeFeed: {feed}\n    disabledWhen: \"user.employeeType == 'gone'\"{filter}"
    );
    let desk = Desk::new();
    let manifests = slapd.manifests(&ldap, policy).replace(&slapd.url(), url).replace(ADMIN, who);
    desk.write("manifests.yaml", manifests);
    desk
}

fn check(step: &str, everything: &Desk, told: &Desk) -> Value {
    let expected = Synced::by(everything).resources;
    let told = Synced::by(told);
    let status = told.connector();
    assert_eq!(told.resources, expected, "{step}: {status:#}");
    assert_eq!(status["changeFeed"]["active"], "SyncRepl", "{step}: {status:#}");
    status.clone()
}

#[rstest]
#[case::with_a_session_log(WITH_LOG, true)]
#[case::without(WITHOUT_LOG, false)]
fn a_life_is_the_same_by_the_feed(#[case] database: &str, #[case] tells: bool) {
    let slapd = Slapd::start(&Setup { ldif: &tree(), global: MODULES, database, ..Setup::default() });
    let everything = reader(&slapd, &slapd.url(), ADMIN, "FullRead");
    let told = reader(&slapd, &slapd.url(), ADMIN, "Auto");
    assert_eq!(check("first", &everything, &told)["lastImport"]["mode"], "Full");
    for (step, changes) in life() {
        if !changes.is_empty() {
            slapd.modify(&changes);
        }
        let status = check(step, &everything, &told);
        // Who is in a place that changed is called otherwise, and nobody tells of that; who is deleted may be hidden.
        let full = matches!(step, "a place renamed" | "deleted" | "another at once" | "a group deleted")
            || !(tells || step == "nothing");
        assert_eq!(status["lastImport"]["mode"], if full { "Full" } else { "Delta" }, "{step}: {status:#}");
        let reason = status["changeFeed"]["reason"].as_str().unwrap_or_default();
        assert_eq!(reason.contains("syncprov-sessionlog"), !tells && step != "nothing", "{step}: {reason}");
    }
}

#[tokio::test]
async fn a_list_is_read_again_only_for_who_is_called_otherwise() {
    let slapd =
        Slapd::start(&Setup { ldif: &tree(), global: MODULES, database: WITH_LOG, ..Setup::default() });
    let [one, two] = ["uid=other1,ou=Staff", "uid=other2,ou=Staff"];
    slapd.modify(&[member("add", "team", one), member("add", "team", two)].concat());
    let config = GenericConfig { sync_repl: true, ..ldap::generic(ldap::config(&[&slapd.url()])) };
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

const OPENLDAP: Spelling = Spelling {
    suffix: SUFFIX,
    naming: "uid",
    person: |name| format!("objectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n"),
    group: |name| format!("objectClass: groupOfNames\ncn: {name}\nmember: cn=nobody\n"),
    renamed: |_| String::new(),
    states: &["replace: employeeType\nemployeeType: gone", "replace: employeeType\nemployeeType: here"],
    restores: false,
};

impl Server for Slapd {
    fn befall(&self, happening: &Happening, memberships: &Memberships) {
        let Happening::Changes(changes) = happening else { panic!("{happening} never happens here") };
        self.modify(changes);
        // The overlay that sees to the lists does so a little later.
        let there = |group: &str| {
            let members = self.values(&at(&format!("cn={group},ou=Groups")), "member");
            members.into_iter().filter(|member| member != "cn=nobody").collect::<BTreeSet<_>>()
        };
        let wanted = |group: &str| {
            let of = memberships.iter().filter(|(of, _)| *of == group);
            of.map(|(_, member)| member.clone()).collect::<BTreeSet<_>>()
        };
        eventually(Duration::from_secs(10), "the lists name their members", || {
            GROUPS.iter().all(|group| there(group) == wanted(group)).then_some(())
        });
    }

    fn restart(&mut self) {
        self.stop();
        self.start_again();
    }
}

/// A directory with these entries, in which [`READER`] sees [`HIDEABLE`] unless it is in [`UNSIGHTED`], and which says of
/// everybody in which groups they are.
fn with_rights(ldif: &str) -> Slapd {
    let reader =
        format!("dn: {READER}\nobjectClass: person\ncn: reader\nsn: reader\nuserPassword: {PASSWORD}\n\n");
    let database = format!(
        "overlay memberof\n{WITH_LOG}\naccess to attrs=userPassword by * auth\n\
         access to dn.subtree=\"{HIDEABLE},{SUFFIX}\" by group.exact=\"{UNSIGHTED},{SUFFIX}\" none by * read\n\
         access to * by * read"
    );
    let ldif = &format!("{ldif}{reader}");
    Slapd::start(&Setup { ldif, global: MODULES, database: &database, ..Setup::default() })
}

#[rstest]
#[case::and_the_server_goes_on(15, false)]
#[case::and_the_server_is_started_again(15, true)]
#[case::in_which_only_a_few_are(3, false)]
fn an_account_that_loses_sight_of_a_place_for_a_while_removes_nobody(
    #[case] people: usize,
    #[case] restarts: bool,
) {
    let hidden: String = (0..people)
        .map(|n| user(&format!("hidden{n}"), "Other,ou=Staff", &format!("mail: hidden{n}@example.test\n")))
        .collect();
    let unsighted = format!("dn: {}\n{}\n", at(UNSIGHTED), (OPENLDAP.group)("unsighted"));
    let mut slapd = with_rights(&(tree() + &hidden.replace("changetype: add\n", "") + &unsighted));
    let readers = ["FullRead", "Auto"].map(|feed| {
        let desk = Desk::new();
        let manifests =
            slapd.manifests(&format!("    changeFeed: {feed}"), "  users: { emailDomains: [example.test] }");
        desk.write("manifests.yaml", manifests.replace(ADMIN, READER));
        desk
    });
    let mut expected = Synced::by(&readers[0]).resources;
    assert_eq!(Synced::by(&readers[1]).resources, expected);
    for place in ["hidden", "all", "hidden", "all"] {
        slapd.modify(&OPENLDAP.sight(READER, place == "all"));
        if restarts {
            slapd.stop();
            slapd.start_again();
        }
        // What happens there meanwhile is seen when the place is.
        slapd.modify(&change("uid=hidden1,ou=Other,ou=Staff", &format!("replace: sn\nsn: {place}")));
        slapd.modify(&change("uid=other3,ou=Staff", &format!("replace: sn\nsn: {place}")));
        for reader in &readers {
            let registry = Synced::by(reader).resources;
            assert_eq!(registry.len(), expected.len(), "{place}");
            assert!(registry.values().all(|one| one["active"] != false), "{place}");
        }
        if place == "all" {
            expected = Synced::by(&readers[0]).resources;
            assert_eq!(Synced::by(&readers[1]).resources, expected);
        }
    }
}

const IN_A_GROUP: &str = "\n    userFilter: \"(&(objectClass=inetOrgPerson)(memberOf=*))\"";

#[rstest]
#[case::of_everybody("", POLICY.to_owned())]
#[case::with_a_mapping_over_groups("", policy_over_groups())]
#[case::of_who_is_in_a_group(IN_A_GROUP, POLICY.to_owned())]
fn random_lives_are_the_same_by_the_feed(#[case] filter: &str, #[case] policy: String) {
    let base = format!(
        "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n"
    );
    let company = base + &OPENLDAP.founding().replace("changetype: add\n", "");
    let mut lived = Lived::default();
    let first = faults::count("SEED", 1);
    for seed in first..first + faults::count("LIVES", 2) {
        let slapd = with_rights(&company);
        let proxy = Toxiproxy::start(slapd.port());
        let reader = |name, url: &str, who: &str, feed| {
            let wanted = if feed == "FullRead" { feed } else { "Auto" };
            let desk = reader_by(&slapd, url, who, (wanted, filter, &policy));
            Reader { name, feed, loses_sight: who == READER, desk }
        };
        let readers = vec![
            reader("everything", &slapd.url(), ADMIN, "FullRead"),
            reader("told", &proxy.url(), ADMIN, "SyncRepl"),
            reader("blind at times", &proxy.url(), READER, "SyncRepl"),
        ];
        let life = Life::new(slapd, proxy, readers, (&OPENLDAP, READER), seed);
        lived += life.live(faults::count("CHANGES", 80));
    }
    lived.tell("OpenLDAP");
}
