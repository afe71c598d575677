//! A proxy (slapd-meta) over two servers, of which one goes down: it leaves that one's people out, and nobody goes because of it.

use rstest::rstest;
use serde_json::Value;

use crate::support::cli::Desk;
use crate::support::slapd::{ADMIN, SUFFIX, Setup, Slapd};

const ABROAD: &str = "ou=abroad,dc=example,dc=test";

fn person(uid: &str, below: &str) -> String {
    format!(
        "dn: uid={uid},{below}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\nmail: {uid}@example.test\n\n"
    )
}

fn people(uids: &[&str], below: &str) -> String {
    uids.iter().map(|uid| person(uid, below)).collect()
}

/// The proxy, over two servers.
fn proxy(here: &Slapd, abroad: &Slapd, more: &str) -> Slapd {
    // What it holds itself is nothing but the account that reads.
    let database = format!(
        "database meta\nsuffix \"{SUFFIX}\"\nnetwork-timeout 2\n{more}\nuri \"{}/{SUFFIX}\"\nuri \"{}/{ABROAD}\"",
        here.url(),
        abroad.url()
    );
    let global = "moduleload back_ldap\nmoduleload back_meta";
    Slapd::start(&Setup { suffix: Some(ADMIN), global, database: &database, ..Setup::default() })
}

fn active(desk: &Desk) -> Vec<String> {
    let is_active = |user: &Value| user["active"] == true;
    let mut names: Vec<String> = desk
        .registry()
        .iter()
        .filter(|object| is_active(object))
        .filter_map(|user| user["userName"].as_str()?.split('@').next().map(str::to_owned))
        .collect();
    names.sort();
    names
}

#[rstest]
#[case::left_out_with_success("", 3, "everybody in one subtree of the directory is missing at once")]
#[case::an_error_if_it_is_told_so("onerr stop", 1, "nothing of this read was used")]
fn nobody_goes_because_a_server_behind_a_proxy_is_down(
    #[case] more: &str,
    #[case] exit: i32,
    #[case] says: &str,
) {
    let top =
        format!("dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: E\ndc: example\n\n");
    let there = format!("dn: {ABROAD}\nobjectClass: organizationalUnit\nou: abroad\n\n");
    let of = |ldif: String| Slapd::start(&Setup { ldif: &ldif, ..Setup::default() });
    let here = of(top.clone() + &people(&["ada", "bob", "cyd"], SUFFIX));
    let mut abroad = of(top + &there + &people(&["eve", "fay"], ABROAD));
    let (proxy, desk) = (proxy(&here, &abroad, more), Desk::new());
    let everything = format!("    baseDNs: [\"{SUFFIX}\"]");
    desk.write("manifests.yaml", proxy.manifests(&everything, "  groups: { exclude: [\"*\"] }"));
    desk.sync(&[]).exits(0).says("InStep");
    let all = ["ada", "bob", "cyd", "eve", "fay"];
    assert_eq!(active(&desk), all);
    abroad.stop();
    for _ in 0..2 {
        desk.sync(&[]).exits(exit).says(says);
        assert_eq!(active(&desk), all);
    }
    // One who left elsewhere meanwhile goes with the next read that is whole.
    here.modify(&format!("dn: uid=cyd,{SUFFIX}\nchangetype: delete\n"));
    abroad.start_again();
    desk.sync(&[]).exits(0).says("InStep");
    assert_eq!(active(&desk), ["ada", "bob", "eve", "fay"]);
}
