//! An approval is used once it was executed: what it executed is held again when it would happen again, until somebody
//! approves it anew.

use std::fmt::Write as _;
use std::ops::Range;

use rollcall::store::FILE;
use rstest::rstest;

use crate::support::cli::Desk;

/// Who is there and in the team, who shows a department, and who is called otherwise.
#[derive(Clone)]
struct Company {
    there: Range<usize>,
    team: Range<usize>,
    departments: Range<usize>,
    renamed: Range<usize>,
}

const ALL: Company = Company { there: 0..12, team: 0..12, departments: 0..12, renamed: 0..0 };

impl Company {
    fn export(&self) -> String {
        let mut ldif = "dn: dc=corp\nobjectClass: domain\ndc: corp\nentryUUID: base\n\n".to_owned();
        let address = |at: usize| if self.renamed.contains(&at) { "new" } else { "old" };
        for at in self.there.clone() {
            write!(
                ldif,
                "dn: uid=u{at},dc=corp\nobjectClass: inetOrgPerson\nuid: u{at}\ncn: u{at}\nsn: u{at}\n\
                 mail: u{at}.{}@corp.example\nentryUUID: id-{at}\n",
                address(at)
            )
            .unwrap();
            ldif += if self.departments.contains(&at) { "departmentNumber: d1\n\n" } else { "\n" };
        }
        ldif += "dn: cn=team,dc=corp\nobjectClass: groupOfNames\ncn: team\nentryUUID: id-team\n";
        for at in self.team.clone() {
            writeln!(ldif, "member: uid=u{at},dc=corp").unwrap();
        }
        format!("{ldif}\n# numEntries: {}\n", self.there.len() + 2)
    }
}

fn desk(rules: &str) -> Desk {
    let desk = Desk::new();
    let manifests = format!(
        "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: corp, namespace: test }}\n\
         spec: {{ ldif: {{ path: corp.ldif, directoryID: corp }} }}\n---\n\
         apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: staff, namespace: test }}\n\
         spec: {{ connectors: [{{ name: corp }}], target: {{ registry: {{}} }}, {rules} }}\n"
    );
    desk.write("manifests.yaml", manifests);
    desk
}

const LEAVES: &str = "limits: { userRemovals: { count: 0 }, memberRemovals: { count: 0 } }";

/// What happens is approved; then it is taken back, and happens again.
#[rstest]
#[case::leaves(LEAVES, Company { there: 0..11, team: 0..11, ..ALL })]
#[case::leaves_later(
    "users: { leavers: [{ after: 0s, do: Disable }, { after: 720h, do: Delete }] }, limits: { userRemovals: { count: 0 } }",
    Company { there: 0..11, team: 0..11, ..ALL }
)]
#[case::has_time_to_leave(
    "users: { leavers: [{ after: 1h, do: Disable }] }, limits: { userRemovals: { count: 0 } }",
    Company { there: 0..11, team: 0..11, ..ALL }
)]
#[case::ends_memberships(LEAVES, Company { team: 0..9, ..ALL })]
#[case::loses_a_field("users: { where: \"user.department == 'd1'\" }", Company { departments: 0..4, ..ALL })]
#[case::loses_what_is_mapped("users: { attributes: { title: user.department } }", Company { departments: 0..4, ..ALL })]
#[case::is_called_otherwise("limits: { identifierChanges: { count: 0 } }", Company { renamed: 0..2, ..ALL })]
fn what_was_approved_once_is_held_when_it_happens_again(#[case] rules: &str, #[case] after: Company) {
    let desk = desk(rules);
    let sync = |company: &Company, more: &[&str]| {
        desk.write("corp.ldif", company.export());
        desk.sync(more)
    };
    sync(&ALL, &[]).exits(0);
    let before = desk.registry();
    let held = sync(&after, &[]).exits(3);
    assert!(!held.out.contains("approve it anew"), "{}", held.out);
    let digest = held.out.split("--approve ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    assert_eq!(desk.registry(), before);
    sync(&after, &["--approve", &digest]).exits(0);
    let approved = desk.registry();
    for round in 0..2 {
        // Names that change back are a change of names.
        let back = sync(&ALL, &[]);
        if back.code == 3 {
            let digest = back.out.split("--approve ").nth(1).unwrap().split_whitespace().next().unwrap();
            sync(&ALL, &["--approve", digest]).exits(0);
        }
        assert_eq!(resources(&desk.registry()), resources(&before), "round {round}");
        sync(&after, &[]).exits(3).says(&digest).says("approve it anew");
        assert_eq!(resources(&desk.registry()), resources(&before), "round {round}");
        sync(&after, &["--approve", &digest]).exits(0);
        assert_eq!(resources(&desk.registry()), resources(&approved), "round {round}");
        sync(&after, &[]).exits(0);
    }
}

/// Without when they were changed.
fn resources(all: &[serde_json::Value]) -> Vec<serde_json::Value> {
    let bare = |one: &serde_json::Value| {
        let mut one = one.clone();
        one.as_object_mut().unwrap().remove("meta");
        one
    };
    all.iter().map(bare).collect()
}

#[test]
fn what_an_earlier_version_executed_by_an_approval_is_used() {
    let desk = desk(LEAVES);
    let sync = |company: &Company, more: &[&str]| {
        desk.write("corp.ldif", company.export());
        desk.sync(more)
    };
    let left = Company { there: 0..11, team: 0..9, ..ALL };
    sync(&ALL, &[]).exits(0);
    let held = sync(&left, &[]).exits(3);
    let digest = held.out.split("--approve ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    sync(&left, &["--approve", &digest]).exits(0);
    // The schema of before, with the sums that it had.
    let store = rusqlite::Connection::open(desk.path("data").join(FILE)).unwrap();
    store
        .execute_batch(
            "DROP TABLE used; DROP TABLE place; DROP TABLE reservation;
             DELETE FROM digest WHERE name IN ('used', 'place', 'reservation'); PRAGMA user_version = 8;",
        )
        .unwrap();
    drop(store);
    sync(&ALL, &[]).exits(0);
    sync(&left, &[]).exits(3).says(&digest);
    sync(&left, &["--approve", &digest]).exits(0);
}

#[test]
fn an_approval_ends_when_the_directory_calls_for_it_no_longer() {
    let desk = desk(LEAVES);
    let sync = |company: &Company, more: &[&str]| {
        desk.write("corp.ldif", company.export());
        desk.sync(more)
    };
    sync(&ALL, &[]).exits(0);
    let held = sync(&Company { there: 0..10, team: 0..10, ..ALL }, &[]).exits(3);
    let digest = held.out.split("--approve ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    // One of the two is back when the other's removal is approved, and leaves later.
    let one = Company { there: 0..11, team: 0..11, ..ALL };
    sync(&one, &["--approve", &digest]).exits(0);
    sync(&Company { there: 0..10, team: 0..10, ..ALL }, &[]).exits(3);
    let active = desk.registry().iter().filter(|resource| resource["active"] == true).count();
    assert_eq!(active, 11);
}
