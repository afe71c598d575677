//! Between a rename and the moment when lists follow it: who was in a group stays, and who gets the name is not in it.

use std::collections::BTreeSet;

use rstest::rstest;
use serde_json::Value;

use crate::support::cli::Desk;
use crate::support::slapd::{SUFFIX, Setup, Slapd};

const LDIF: &str = "apiVersion: rollcall.dev/v1alpha1
kind: DirectoryConnector
metadata: { name: corp, namespace: test }
spec: { ldif: { path: corp.ldif, directoryID: corp } }
---
apiVersion: rollcall.dev/v1alpha1
kind: SyncPolicy
metadata: { name: all, namespace: test }
spec:
  connectors: [{ name: corp }]
  target: { registry: {} }
";

fn person(id: u32, uid: &str) -> String {
    format!(
        "dn: uid={uid},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\nentryUUID: {id:08}-0000-4000-8000-000000000000\n\
         uid: {uid}\ncn: {uid}\nsn: {uid}\nmail: id{id}@example.test\n\n"
    )
}

fn group(id: u32, name: &str, members: &[&str]) -> String {
    let member = |uid: &&str| format!("member: uid={uid},ou=people,{SUFFIX}\n");
    let members = members.iter().map(member).collect::<Vec<_>>().concat();
    format!(
        "dn: cn={name},ou=groups,{SUFFIX}\nobjectClass: groupOfNames\n\
         entryUUID: {id:08}-0000-4000-8000-000000000000\ncn: {name}\n{members}\n"
    )
}

/// Whose addresses are in the group.
fn members(desk: &Desk, name: &str) -> BTreeSet<String> {
    let all = desk.registry();
    let group = all.iter().find(|one| one["displayName"] == name).unwrap();
    let ids = group["members"].as_array().into_iter().flatten().map(|member| member["value"].clone());
    let mail =
        |id: Value| all.iter().find(|one| one["id"] == id).unwrap()["userName"].as_str().unwrap().to_owned();
    ids.map(mail).collect()
}

fn named(ids: &[u32]) -> BTreeSet<String> {
    ids.iter().map(|id| format!("id{id}@example.test")).collect()
}

/// The people, the list, and who is in the group.
type Export = (&'static [(u32, &'static str)], &'static [&'static str], &'static [u32]);

/// Exports one after another.
#[rstest]
#[case::and_lists_follow(&[
    (&[(1, "bob"), (2, "cyd")][..], &["bob", "cyd"][..], &[1, 2][..]),
    (&[(1, "rob"), (2, "cyd")], &["bob", "cyd"], &[1, 2]),
    (&[(1, "rob"), (2, "cyd")], &["rob", "cyd"], &[1, 2]),
    (&[(1, "rob"), (2, "cyd")], &["cyd"], &[2]),
])]
#[case::and_lists_never_follow(&[
    (&[(1, "bob"), (2, "cyd")][..], &["bob", "cyd"][..], &[1, 2][..]),
    (&[(1, "rob"), (2, "cyd")], &["bob", "cyd"], &[1, 2]),
    (&[(1, "rob"), (2, "cyd")], &["bob", "cyd"], &[1, 2]),
    (&[(1, "rob"), (2, "sid")], &["bob", "cyd"], &[1, 2]),
    (&[(1, "robby"), (2, "sid"), (3, "dot")], &["bob", "cyd", "dot"], &[1, 2, 3]),
    (&[(1, "robby"), (2, "sid"), (3, "dot")], &["dot"], &[3]),
])]
#[case::and_another_gets_the_name(&[
    (&[(1, "bob"), (2, "cyd")][..], &["bob", "cyd"][..], &[1, 2][..]),
    (&[(1, "rob"), (2, "cyd"), (9, "bob")], &["bob", "cyd"], &[1, 2]),
    (&[(1, "rob"), (2, "cyd"), (9, "bob")], &["bob", "cyd"], &[1, 2]),
    (&[(1, "rob"), (2, "cyd"), (9, "bob")], &["rob", "cyd"], &[1, 2]),
    (&[(1, "rob"), (2, "cyd"), (9, "bob")], &["rob", "cyd", "bob"], &[1, 2, 9]),
    (&[(1, "rob"), (2, "cyd"), (9, "bob")], &["bob", "cyd"], &[2, 9]),
])]
#[case::and_both_are_listed_at_once(&[
    (&[(1, "bob"), (2, "cyd")][..], &["bob", "cyd"][..], &[1, 2][..]),
    (&[(1, "rob"), (2, "cyd"), (9, "bob")], &["rob", "cyd", "bob"], &[1, 2, 9]),
])]
#[case::and_the_name_goes_on_later(&[
    (&[(1, "bob"), (2, "cyd")][..], &["bob", "cyd"][..], &[1, 2][..]),
    (&[(1, "rob"), (2, "cyd")], &["bob", "cyd"], &[1, 2]),
    (&[(1, "rob"), (2, "cyd"), (9, "bob")], &["bob", "cyd"], &[1, 2]),
])]
#[case::and_back_again(&[
    (&[(1, "bob"), (2, "cyd")][..], &["bob", "cyd"][..], &[1, 2][..]),
    (&[(1, "rob"), (2, "cyd")], &["bob", "cyd"], &[1, 2]),
    (&[(1, "bob"), (2, "cyd")], &["bob", "cyd"], &[1, 2]),
    (&[(1, "bob"), (2, "cyd")], &["cyd"], &[2]),
])]
fn a_list_means_who_it_meant(#[case] exports: &[Export], #[values(false, true)] groups_first: bool) {
    let desk = Desk::new();
    desk.write("manifests.yaml", LDIF);
    for (at, (people, list, expected)) in exports.iter().enumerate() {
        let people: String = people.iter().map(|(id, uid)| person(*id, uid)).collect();
        let group = group(100, "team", list);
        let export = if groups_first { group + &people } else { people + &group };
        desk.write("corp.ldif", export);
        desk.sync(&[]).exits(0);
        assert_eq!(members(&desk, "team"), named(expected), "export {at}");
    }
}

/// On a server that does not see to its lists, by full reads and by the feed.
#[rstest]
#[case::full_reads("FullRead")]
#[case::syncrepl("Auto")]
#[test]
fn a_rename_ends_no_membership(#[case] feed: &str) {
    let base =
        format!("dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: E\ndc: example\n\n");
    let ou = |name: &str| format!("dn: ou={name},{SUFFIX}\nobjectClass: organizationalUnit\nou: {name}\n\n");
    let people = [person(1, "bob"), person(2, "cyd")].concat();
    let ldif = [base, ou("people"), ou("groups"), people, group(100, "team", &["bob", "cyd"])].concat();
    let ldif: String = ldif.split_inclusive('\n').filter(|line| !line.starts_with("entryUUID")).collect();
    let database = "overlay syncprov\nsyncprov-sessionlog 1000";
    let slapd =
        Slapd::start(&Setup { ldif: &ldif, global: "moduleload syncprov", database, ..Setup::default() });
    let desk = Desk::new();
    desk.write("manifests.yaml", slapd.manifests(&format!("    changeFeed: {feed}"), ""));
    desk.sync(&[]).exits(0);
    let people = format!("ou=people,{SUFFIX}");
    slapd.modify(&format!("dn: uid=bob,{people}\nchangetype: modrdn\nnewrdn: uid=rob\ndeleteoldrdn: 1\n"));
    for _ in 0..3 {
        desk.sync(&[]).exits(0);
        assert_eq!(members(&desk, "team"), named(&[1, 2]));
    }
    let list = format!("dn: cn=team,ou=groups,{SUFFIX}\nchangetype: modify\ndelete: member\n");
    slapd.modify(&format!("{list}member: uid=bob,{people}\n"));
    desk.sync(&[]).exits(0);
    assert_eq!(members(&desk, "team"), named(&[2]));
}
