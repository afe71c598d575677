//! What a server works out from other entries arrives by every feed as by reading everything (OpenLDAP).

use std::fmt::Write as _;

use rstest::rstest;
use serde_json::Value;

use crate::support::cli::Desk;
use crate::support::registry::{Synced, differences};
use crate::support::slapd::{SUFFIX, Setup, Slapd};

const MODULES: &str = "moduleload memberof\nmoduleload dynlist\nmoduleload syncprov\nmoduleload refint";
const DATABASE: &str = "overlay memberof\noverlay dynlist\ndynlist-attrset groupOfURLs memberURL member\n\
                        overlay refint\nrefint_attributes manager\noverlay syncprov\nsyncprov-sessionlog 1000";

fn at(uid: &str) -> String {
    format!("uid={uid},ou=people,{SUFFIX}")
}

fn person(uid: &str, works: &str, change: &str) -> String {
    format!(
        "dn: {}\n{change}objectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\nmail: {uid}@example.test\n\
         employeeType: {works}\nmanager: {}\nlabeledURI: https://{uid}.example/\n\n",
        at(uid),
        at("ada")
    )
}

fn group(name: &str, of: &str) -> String {
    let member = at(of);
    format!(
        "dn: cn={name},{SUFFIX}\nchangetype: add\nobjectClass: groupOfNames\ncn: {name}\nmember: {member}\n\n"
    )
}

fn company() -> Slapd {
    let mut ldif = format!(
        "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: E\ndc: example\n\n\
         dn: ou=people,{SUFFIX}\nobjectClass: organizationalUnit\nou: people\n\n"
    );
    for (uid, works) in [("ada", "staff"), ("bob", "staff"), ("cyd", "temp"), ("dan", "temp")] {
        ldif += &person(uid, works, "");
    }
    write!(
        ldif,
        "dn: cn=dynamic,{SUFFIX}\nobjectClass: groupOfURLs\ncn: dynamic\n\
         memberURL: ldap:///ou=people,{SUFFIX}??sub?(employeeType=staff)\n\n"
    )
    .unwrap();
    let slapd = Slapd::start(&Setup { ldif: &ldif, global: MODULES, database: DATABASE, ..Setup::default() });
    // The overlay sees only what is added while it watches.
    slapd.modify(&format!(
        "dn: cn=app,{SUFFIX}\nchangetype: add\nobjectClass: groupOfNames\ncn: app\nmember: {}\nmember: {}\n",
        at("ada"),
        at("bob")
    ));
    slapd
}

fn member(verb: &str, uid: &str) -> String {
    format!("dn: cn=app,{SUFFIX}\nchangetype: modify\n{verb}: member\nmember: {}\n\n", at(uid))
}

fn works(uid: &str, as_what: &str) -> String {
    format!("dn: {}\nchangetype: modify\nreplace: employeeType\nemployeeType: {as_what}\n\n", at(uid))
}

const BY_FILTER: &str =
    "    userFilter: \"(&(objectClass=inetOrgPerson)(memberOf=cn=app,dc=example,dc=test))\"";
const ALL_GROUPS: &str = "    groupFilter: \"(|(objectClass=groupOfURLs)(objectClass=groupOfNames))\"";

#[rstest]
#[case::filter(BY_FILTER, "", Some("memberof"))]
#[case::not_in_the_filter(
    "    userFilter: \"(&(objectClass=inetOrgPerson)(!(memberOf=*)))\"",
    "",
    Some("memberof")
)]
#[case::scope(
    "",
    "  users: { where: \"user.values['memberOf'].exists(g, g.startsWith('cn=app,'))\" }",
    Some("memberof")
)]
#[case::disabled("    disabledWhen: \"user.attributes['memberOf'] == ''\"", "", Some("memberof"))]
#[case::mapping("", "  users: { attributes: { title: \"user.attributes['memberOf']\" } }", Some("memberof"))]
#[case::dynamic_groups(ALL_GROUPS, "", Some("1 group is dynamic"))]
#[case::references("", "  users: { attributes: { title: \"user.attributes['manager']\" } }", Some("manager"))]
#[case::nothing_of_it("", "", None)]
#[test]
fn what_is_worked_out_arrives(#[case] ldap: &str, #[case] policy: &str, #[case] named: Option<&str>) {
    let slapd = company();
    let readers = ["FullRead", "Auto"].map(|feed| {
        let desk = Desk::new();
        let ldap = format!("    changeFeed: {feed}\n{ldap}");
        desk.write("manifests.yaml", slapd.manifests(&ldap, policy));
        desk
    });
    let steps = [
        String::new(),
        member("add", "cyd"),
        member("delete", "bob"),
        works("cyd", "staff") + &works("bob", "temp"),
        format!("dn: {}\nchangetype: modrdn\nnewrdn: uid=eva\ndeleteoldrdn: 1\n", at("ada")),
        format!("dn: {}\nchangetype: delete\n", at("eva")),
        member("add", "bob"),
        member("add", "fay"),
        person("fay", "staff", "changetype: add\n"),
        member("delete", "fay") + &member("add", "fay"),
        format!("dn: cn=app,{SUFFIX}\nchangetype: modrdn\nnewrdn: cn=app2\ndeleteoldrdn: 1\n"),
        format!("dn: cn=app2,{SUFFIX}\nchangetype: modrdn\nnewrdn: cn=app\ndeleteoldrdn: 1\n"),
        group("app3", "bob"),
        format!("dn: cn=app,{SUFFIX}\nchangetype: delete\n"),
        group("app", "fay"),
    ];
    for (at, step) in steps.iter().enumerate() {
        if !step.is_empty() {
            slapd.modify(step);
        }
        // What refint does is done a moment after.
        if at == 4 {
            let manager = || slapd.values(&self::at("dan"), "manager");
            crate::support::process::eventually(std::time::Duration::from_secs(10), "refint", || {
                (manager() == [self::at("eva")]).then_some(())
            });
        }
        let [everything, told] = readers.each_ref().map(Synced::by);
        let differ = differences(&everything.resources, &told.resources);
        assert!(differ.is_empty(), "step {at}: {differ:?}");
        let feed = &told.connector()["changeFeed"];
        let reason = feed["reason"].as_str().unwrap_or_default();
        assert_eq!(named.is_some_and(|named| reason.contains(named)), named.is_some(), "{feed:#}");
        let active = if named == Some("1 group is dynamic") { "FullRead" } else { "SyncRepl" };
        assert_eq!(feed["active"], Value::from(active), "{feed:#}");
    }
}
