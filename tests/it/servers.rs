//! LDAP servers as they are: the same life of a person on each of them, compared with what the server's own search says, and what each
//! does in its own way. OpenLDAP is in every test run; the others are in `make servers`. The table of
//! docs/directories/tested.md is what came of the lives: `ROLLCALL_GENERATE=1` writes it, otherwise it must say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use rollcall::secret::Secret;
use rollcall::source::ldap::{Bind, GenericConfig, LdapConfig};
use rollcall::source::{Reason, SourceConfig};
use rstest::rstest;
use serde_json::Value;

use self::row::Row;
use crate::support::cli::Desk;
use crate::support::registry::Synced;
use crate::support::servers::{READER, READERS, Server, Which};
use crate::support::slapd::SUFFIX;
use crate::{ldap, source_contract};

mod row;

const PEOPLE: usize = 24;

/// How a server says that an account is disabled: the attribute, its value, and the rule for it.
fn disabled(which: Which) -> (&'static str, &'static str, &'static str) {
    match which {
        Which::OpenLdap | Which::ApacheDs => (
            "pwdAccountLockedTime",
            "000001010000Z",
            "user.attributes['pwdAccountLockedTime'] == '000001010000Z'",
        ),
        Which::Samba => ("userAccountControl", "546", ""),
        Which::Ds389 => ("nsAccountLock", "true", "user.attributes['nsAccountLock'] == 'true'"),
        Which::OpenDj => {
            ("ds-pwp-account-disabled", "true", "user.attributes['ds-pwp-account-disabled'] == 'true'")
        }
        Which::UnboundId => ("employeeType", "disabled", "user.attributes['employeeType'] == 'disabled'"),
    }
}

fn at(which: Which, rdn: &str) -> String {
    format!("{rdn},{}", which.suffix())
}

/// What somebody is called in their place.
fn called(which: Which, name: &str) -> String {
    let by = if which == Which::Samba { "CN" } else { "uid" };
    at(which, &format!("{by}={name},ou=people"))
}

/// The tree, without what Samba has by itself; people; a group of everybody and two of a third each.
fn company(which: Which, people: usize) -> String {
    let mut ldif = String::new();
    if which != Which::Samba {
        write!(ldif, "dn: {SUFFIX}\nobjectClass: domain\ndc: example\n\n").unwrap();
    }
    for name in ["people", "groups"] {
        let dn = at(which, &format!("ou={name}"));
        write!(ldif, "dn: {dn}\nobjectClass: organizationalUnit\nou: {name}\n\n").unwrap();
    }
    let is_samba = which == Which::Samba;
    for name in (0..people).map(name) {
        let dn = called(which, &name);
        let rest = if is_samba {
            format!("objectClass: user\nsAMAccountName: {name}\nuserAccountControl: 544\n")
        } else {
            format!("objectClass: inetOrgPerson\nuid: {name}\ncn: Person {name}\nsn: Test\n")
        };
        write!(ldif, "dn: {dn}\n{rest}mail: {name}@example.test\n\n").unwrap();
    }
    for (group, every) in [("all", 1), ("some", 3), ("few", 5)] {
        let dn = at(which, &format!("cn={group},ou=groups"));
        let class = if is_samba {
            format!("group\nsAMAccountName: {group}")
        } else {
            format!("groupOfNames\ncn: {group}")
        };
        writeln!(ldif, "dn: {dn}\nobjectClass: {class}").unwrap();
        for name in (0..people).step_by(every).map(name) {
            writeln!(ldif, "member: {}", called(which, &name)).unwrap();
        }
        ldif.push('\n');
    }
    ldif
}

fn name(number: usize) -> String {
    format!("p{number:02}")
}

/// Everything that `rollcall sync` needs, with a rule for who is disabled.
fn manifests(server: &Server, rule: &str) -> String {
    let (which, (who, password)) = (server.which, server.which.administrator());
    let kind = if which == Which::Samba { "activeDirectory" } else { "ldap" };
    // A domain controller is read in pages of its own size.
    let page = if which == Which::Samba { "" } else { ", pageSize: 7" };
    let rule = if rule.is_empty() { String::new() } else { format!(", disabledWhen: \"{rule}\"") };
    let bases =
        ["people", "groups"].map(|name| format!("\"{}\"", at(which, &format!("ou={name}")))).join(", ");
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: reader, namespace: test }}\nstringData: {{ username: '{who}', \
         password: {password} }}\n---\napiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: it, \
         namespace: test }}\nspec:\n  {kind}: {{ urls: [\"{}\"], insecure: true, credentialsSecretRef: {{ name: reader }}, \
         baseDNs: [{bases}]{page}{rule} }}\n---\napiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\n\
         metadata: {{ name: all, namespace: test }}\nspec:\n  connectors: [{{ name: it }}]\n  target: {{ registry: {{}} }}\n",
        server.url()
    )
}

fn values<'e>(entry: &'e [String], attribute: &str) -> Vec<&'e str> {
    let named = |line: &'e String| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case(attribute).then_some(value)
    };
    entry.iter().filter_map(named).collect()
}

/// Whom each group has, by address, and who is there: as the server's own search says it.
fn by_search(server: &Server) -> (BTreeSet<String>, BTreeMap<String, BTreeSet<String>>) {
    let (attribute, value, _) = disabled(server.which);
    let entries = server.search(&["(|(mail=*)(member=*))", "mail", "cn", "member", attribute]);
    let mut people = BTreeMap::new();
    for entry in entries.iter().filter(|entry| !values(entry, "mail").is_empty()) {
        if values(entry, attribute) != [value] {
            people.insert(values(entry, "dn")[0].to_lowercase(), values(entry, "mail")[0].to_owned());
        }
    }
    let ours = |entry: &&Vec<String>| values(entry, "dn")[0].to_lowercase().contains(",ou=groups,");
    let group = |entry: &Vec<String>| {
        let members =
            values(entry, "member").into_iter().filter_map(|dn| people.get(&dn.to_lowercase()).cloned());
        (values(entry, "cn")[0].to_owned(), members.collect())
    };
    let groups = entries.iter().filter(ours).map(group).collect();
    (people.into_values().collect(), groups)
}

/// The same in the registry.
fn in_registry(desk: &Desk) -> (BTreeSet<String>, BTreeMap<String, BTreeSet<String>>) {
    let registry = desk.registry();
    let is_active = |one: &&Value| one["active"] == true;
    let users = registry.iter().filter(is_active).map(|one| (text(one, "id"), text(one, "userName")));
    let users: BTreeMap<String, String> = users.collect();
    let group = |one: &Value| {
        let members = one["members"].as_array().into_iter().flatten();
        let members = members.filter_map(|member| users.get(&text(member, "value")).cloned());
        (text(one, "displayName"), members.collect())
    };
    let groups = registry.iter().filter(|one| one["userName"].is_null()).map(group).collect();
    (users.values().cloned().collect(), groups)
}

fn text(of: &Value, field: &str) -> String {
    of[field].as_str().unwrap_or_else(|| panic!("no {field} in {of}")).to_owned()
}

/// Syncs until the registry is so; how many reads that took.
#[track_caller]
fn within(desk: &Desk, what: &str, is_so: impl Fn(&[Value]) -> bool) -> usize {
    let mut said = String::new();
    for reads in 1..=3 {
        said = desk.sync(&[]).said();
        if is_so(&desk.registry()) {
            return reads;
        }
    }
    panic!("after three reads it is not so: {what}\n{said}\n{:#?}", desk.registry());
}

fn of<'r>(registry: &'r [Value], user: &str) -> Option<&'r Value> {
    registry.iter().find(|one| one["userName"] == format!("{user}@example.test"))
}

fn is_in(registry: &[Value], group: &str, user: &str) -> bool {
    let id = &of(registry, user).expect("they are there")["id"];
    let group = registry.iter().find(|one| one["displayName"] == group).expect("it is there");
    group["members"].as_array().into_iter().flatten().any(|member| member["value"] == *id)
}

#[rstest]
#[case::open_ldap(Which::OpenLdap)]
#[ignore = "make servers"]
#[case::samba(Which::Samba)]
#[ignore = "make servers"]
#[case::ds389(Which::Ds389)]
#[ignore = "make servers"]
#[case::open_dj(Which::OpenDj)]
#[ignore = "make servers"]
#[case::apache_ds(Which::ApacheDs)]
#[ignore = "make servers"]
#[case::unbound_id(Which::UnboundId)]
fn a_person_lives_and_the_servers_own_search_says_the_same(#[case] which: Which) {
    let server = Server::start(which, &company(which, PEOPLE));
    let change = |dn: &str, what: &str| server.modify(&format!("dn: {dn}\nchangetype: modify\n{what}\n\n"));
    let group = |name: &str| at(which, &format!("cn={name},ou=groups"));
    let desk = Desk::new();
    let (attribute, value, rule) = disabled(which);
    desk.write("manifests.yaml", manifests(&server, rule));
    desk.sync(&[]).exits(0);
    let (people, groups) = by_search(&server);
    assert_eq!((people.len(), groups.len()), (PEOPLE, 3));
    assert_eq!(in_registry(&desk), (people, groups));

    let before = desk.registry();
    let id = &of(&before, "p01").unwrap()["id"];
    let (old, new) = (called(which, "p01"), called(which, "wed"));
    let rdn = new.split(',').next().unwrap();
    server.modify(&format!("dn: {old}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\n\n"));
    change(&new, "replace: mail\nmail: wed@example.test");
    let renamed = within(&desk, "renamed", |registry| {
        of(registry, "wed").is_some_and(|wed| wed["id"] == *id) && is_in(registry, "all", "wed")
    });
    // A server that does not see to its lists is helped.
    let all = server.search(&["(cn=all)", "member"]);
    let follows = !values(&all[0], "member").iter().any(|dn| dn.eq_ignore_ascii_case(&old));
    if !follows {
        change(&group("all"), &format!("delete: member\nmember: {old}\n-\nadd: member\nmember: {new}"));
    }

    change(&called(which, "p02"), &format!("replace: {attribute}\n{attribute}: {value}"));
    let inactive =
        |registry: &[Value], name: &str| of(registry, name).is_some_and(|one| one["active"] == false);
    let disabled = within(&desk, "disabled", |registry| inactive(registry, "p02"));

    server.modify(&format!("dn: {}\nchangetype: delete\n\n", called(which, "p03")));
    let deleted = within(&desk, "deleted", |registry| inactive(registry, "p03"));

    change(&group("some"), &format!("add: member\nmember: {}", called(which, "p04")));
    let entered = within(&desk, "in the group", |registry| is_in(registry, "some", "p04"));
    change(&group("some"), &format!("delete: member\nmember: {}", called(which, "p06")));
    let left = within(&desk, "out of the group", |registry| !is_in(registry, "some", "p06"));

    assert_eq!(in_registry(&desk), by_search(&server));
    // Most states of accounts are of no change feed.
    desk.write("manifests.yaml", manifests(&server, ""));
    let last = Synced::by(&desk);
    Row {
        which,
        version: server.version.clone(),
        read: format!("{PEOPLE} people, 3 groups"),
        renamed: (renamed, follows),
        disabled: (disabled, attribute),
        deleted,
        moved: [entered, left],
        feed: last.connector()["changeFeed"].clone(),
    }
    .is_in_the_page();
}

/// What reads as [`READER`], in large pages.
fn config(server: &Server) -> GenericConfig {
    let ldap = LdapConfig {
        bind: Some(Bind { dn: READER.to_owned(), password: Secret::new(READERS) }),
        base_dns: ["people", "groups"].map(|name| format!("ou={name},{SUFFIX}")).to_vec(),
        literal: BTreeSet::from(["audio".to_owned()]),
        ..ldap::config(&[server.url()])
    };
    ldap::generic(ldap)
}

#[rstest]
#[case::open_ldap(Which::OpenLdap)]
#[ignore = "make servers"]
#[case::ds389(Which::Ds389)]
#[ignore = "make servers"]
#[case::open_dj(Which::OpenDj)]
#[ignore = "make servers"]
#[case::apache_ds(Which::ApacheDs)]
#[ignore = "make servers"]
#[case::unbound_id(Which::UnboundId)]
#[tokio::test]
async fn each_server_holds_to_the_contract_of_sources(#[case] which: Which) {
    let server = Server::start(which, &company(which, PEOPLE));
    let mut config = config(&server);
    config.ldap.page_size = 7;
    source_contract::holds(&SourceConfig::Ldap(config), "audio").await;
}

/// What they do at their limits: how a read of 24 people in pages of 500 ends that may have 10 at once.
#[rstest]
#[ignore = "make servers"]
#[case::ds389(Which::Ds389, true)]
#[ignore = "make servers"]
#[case::open_dj(Which::OpenDj, true)]
#[ignore = "make servers"]
#[case::unbound_id(Which::UnboundId, true)]
// It counts over all pages.
#[ignore = "make servers"]
#[case::apache_ds(Which::ApacheDs, false)]
#[tokio::test]
async fn pages_become_smaller_than_the_servers_limit(#[case] which: Which, #[case] whole: bool) {
    let server = Server::with_limit(which, &company(which, PEOPLE), 10);
    let (changes, ended) = ldap::go_on(config(&server), None, std::sync::Arc::default()).await;
    if whole {
        ended.unwrap();
        let came: Vec<_> = ldap::entries(&changes).iter().map(|entry| entry.dn.to_lowercase()).collect();
        let different: BTreeSet<_> = came.iter().collect();
        assert_eq!((came.len(), different.len()), (PEOPLE + 3, PEOPLE + 3));
    } else {
        let error = ended.unwrap_err();
        assert_eq!(error.reason, Reason::LimitExceeded);
        assert!(error.message.contains("pageSize"), "{error}");
    }
}

/// The access rules of 389's sample entries (`dscreate`, version 001004002), as far as they let somebody read.
const SAMPLE_RULES: &[(&str, &str)] = &[
    (
        "ou=people",
        "(targetattr=\"objectClass || description || nsUniqueId || uid || displayName || loginShell || uidNumber || gidNumber || gecos || \
         homeDirectory || cn || memberOf || mail || nsSshPublicKey || nsAccountLock || userCertificate\")(targetfilter=\"\
         (objectClass=posixaccount)\")(version 3.0; acl \"Enable anyone user read\"; allow (read, search, compare)\
         (userdn=\"ldap:///anyone\");)",
    ),
    (
        "ou=groups",
        "(targetattr=\"cn || member || gidNumber || nsUniqueId || description || objectClass\")(targetfilter=\"\
         (objectClass=groupOfNames)\")(version 3.0; acl \"Enable anyone group read\"; allow (read, search, compare)\
         (userdn=\"ldap:///anyone\");)",
    ),
];

#[tokio::test]
#[ignore = "make servers"]
async fn people_whom_the_sample_rules_of_389_hide_are_told_of() {
    let which = Which::Ds389;
    let server = Server::start(which, &company(which, PEOPLE));
    for (place, rule) in SAMPLE_RULES {
        server.modify(&format!("dn: {place},{SUFFIX}\nchangetype: modify\nadd: aci\naci: {rule}\n\n"));
    }
    for name in (0..4).map(name) {
        server.modify(&format!(
            "dn: {}\nchangetype: modify\nadd: objectClass\nobjectClass: posixAccount\n-\nadd: uidNumber\nuidNumber: 1\n-\n\
             add: gidNumber\ngidNumber: 1\n-\nadd: homeDirectory\nhomeDirectory: /\n\n",
            called(which, &name)
        ));
    }
    let anonymous =
        GenericConfig { ldap: LdapConfig { bind: None, ..config(&server).ldap }, ..config(&server) };
    let (changes, ended) = ldap::go_on(anonymous, None, std::sync::Arc::default()).await;
    let notices = ended.unwrap().notices;
    assert_eq!(ldap::entries(&changes).len(), 4 + 3);
    let told = notices.iter().find(|notice| notice.contains("posixAccount")).expect("it is told of");
    assert!(told.contains("may be hidden from anonymous readers") && told.contains("ou=people,"), "{told}");
    // Who may read all is not told so.
    let (changes, ended) = ldap::go_on(config(&server), None, std::sync::Arc::default()).await;
    assert_eq!(ldap::entries(&changes).len(), PEOPLE + 3);
    assert!(ended.unwrap().notices.iter().all(|notice| !notice.contains("posixAccount")));
}

/// The plugins by which 389 offers content synchronization.
fn offer_sync(server: &Server) {
    for plugin in ["Content Synchronization", "Retro Changelog Plugin"] {
        server.modify(&format!(
            "dn: cn={plugin},cn=plugins,cn=config\nchangetype: modify\nreplace: nsslapd-pluginEnabled\n\
             nsslapd-pluginEnabled: on\n\n"
        ));
    }
}

#[rstest]
#[ignore = "make servers"]
#[case::ds389(Which::Ds389, "nsuniqueid:targetUniqueId")]
#[ignore = "make servers"]
#[case::apache_ds(Which::ApacheDs, "contextCSN of ApacheDS goes back")]
fn a_content_synchronization_that_says_nothing_is_not_used(#[case] which: Which, #[case] why: &str) {
    let mut server = Server::start(which, &company(which, PEOPLE));
    if which == Which::Ds389 {
        offer_sync(&server);
        server.start_again();
    }
    let offered = server.root("supportedControl");
    assert!(offered.contains(&"1.3.6.1.4.1.4203.1.9.1.1".to_owned()), "{offered:?}");
    let desk = Desk::new();
    desk.write("manifests.yaml", manifests(&server, ""));
    desk.sync(&[]).exits(0);
    // One change of each kind, which the synchronization would not tell of.
    server.modify(&format!(
        "dn: {}\nchangetype: delete\n\ndn: {}\nchangetype: modify\nreplace: mail\nmail: new@example.test\n\n",
        called(which, "p01"),
        called(which, "p02")
    ));
    let synced = Synced::by(&desk);
    assert_eq!(in_registry(&desk), by_search(&server));
    let feed = &synced.connector()["changeFeed"];
    assert_eq!(feed["active"], "FullRead", "{feed}");
    assert!(text(feed, "reason").contains(why), "{feed}");
}

#[test]
#[ignore = "make servers"]
fn the_own_people_of_apacheds_stay_out() {
    let which = Which::ApacheDs;
    let server = Server::start(which, &company(which, PEOPLE));
    let desk = Desk::new();
    let manifests = manifests(&server, "");
    let (before, rest) = manifests.split_once("baseDNs: [").unwrap();
    let (_, rest) = rest.split_once("], ").unwrap();
    desk.write("manifests.yaml", format!("{before}{rest}"));
    desk.sync(&[]).exits(0);
    let (people, groups) = in_registry(&desk);
    assert_eq!((people.len(), groups.len()), (PEOPLE, 3));
    assert!(!desk.registry().iter().any(|one| one.to_string().contains("admin")));
}

/// What a page that asks for no attribute is worth at `ApacheDS`: findings/pages-that-end-where-no-attribute-is-asked-for.sh.
#[test]
#[ignore = "make servers"]
fn apacheds_ends_a_full_page_without_a_word_only_where_no_attribute_is_asked_for() {
    let server = Server::start(Which::ApacheDs, &company(Which::ApacheDs, PEOPLE));
    let pages = |attribute: &str| server.search(&["-E", "pr=7/noprompt", "(uid=p*)", attribute]).len();
    assert_eq!((pages("1.1"), pages("uid")), (7, PEOPLE));
}
