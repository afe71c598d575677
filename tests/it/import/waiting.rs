//! Whom a list has no more, while it names somebody anew, waits for one other read: they may have been renamed during this one.

use std::collections::BTreeSet;

use rollcall::directory::Change;
use rstest::rstest;

use super::support::{Company, Directory, group, person_by_anchor};

fn people() -> Vec<Change> {
    (0..4).map(|number| person_by_anchor(&format!("p{number}"), &dn(number))).collect()
}

fn dn(number: usize) -> String {
    format!("uid=n{number},dc=corp")
}

/// An export with a team of these people, and of whoever is called so.
fn export(digest: &'static str, members: &[usize], strangers: &[&str]) -> Directory {
    let members: Vec<String> = members.iter().copied().map(dn).collect();
    let listed: Vec<&str> = members.iter().map(String::as_str).chain(strangers.iter().copied()).collect();
    let team = group("g0", "cn=team,dc=corp", &listed);
    Directory { changes: people().into_iter().chain([team]).collect(), called: None, digest: Some(digest) }
}

/// Who is in the team after this export, and whether it is said that a membership waits.
async fn after(company: &Company, export: &Directory) -> (Vec<String>, bool) {
    let imported = company.import(export).await;
    company.run(None).await;
    let team: &BTreeSet<String> = &company.members()["team"];
    let names = team.iter().map(|name| name.replace("@corp.example", "")).collect();
    (names, imported.info.notices.iter().any(|notice| notice.starts_with("1 membership waits in 1 group")))
}

fn of(names: &[&str], waits: bool) -> (Vec<String>, bool) {
    (names.iter().map(|name| (*name).to_owned()).collect(), waits)
}

/// Each export has one member less, and one more whom nobody knows.
#[tokio::test]
async fn nobody_waits_twice_whatever_strangers_come() {
    let company = Company::new();
    let strangers = ["uid=x1,dc=corp", "uid=x2,ou=far,dc=corp", "uid=x3,dc=corp"];
    assert_eq!(after(&company, &export("a", &[0, 1, 2, 3], &[])).await, of(&["p0", "p1", "p2", "p3"], false));
    let next = export("b", &[1, 2, 3], &strangers[..1]);
    for _ in 0..2 {
        // The same export says no more than it did.
        assert_eq!(after(&company, &next).await, of(&["p0", "p1", "p2", "p3"], true));
    }
    let next = export("c", &[2, 3], &strangers[..2]);
    assert_eq!(after(&company, &next).await, of(&["p1", "p2", "p3"], true));
    let next = export("d", &[3], &strangers);
    assert_eq!(after(&company, &next).await, of(&["p2", "p3"], true));
    assert_eq!(after(&company, &export("e", &[3], &strangers)).await, of(&["p3"], false));
}

/// Who is somebody else for certain is nobody who was renamed; where the list named nobody before, a DN may be damaged.
#[rstest]
#[case::within("uid=x,dc=corp", true)]
#[case::deeper("uid=x,ou=far,dc=corp", true)]
#[case::of_a_directory_that_it_named("uid=x,dc=partner", false)]
#[case::of_one_that_it_did_not_name("uid=x,dc=mycorp", true)]
#[case::below_a_place_that_it_named("uid=x,ou=far,dc=partner", true)]
#[case::where_a_comma_is_lost("uid=n0,ou=fardc=corp", true)]
#[case::where_two_became_one("cn=mple", true)]
#[case::nobody_new("uid=n3,dc=corp", false)]
#[tokio::test]
async fn who_is_renamed_stays_in_the_directory(#[case] stranger: &str, #[case] waits: bool) {
    let company = Company::new();
    let partner = "uid=y,dc=partner";
    company.day(&export("a", &[0, 1], &[partner])).await;
    let (members, said) = after(&company, &export("b", &[1], &[partner, stranger])).await;
    assert_eq!((members.contains(&"p0".to_owned()), said), (waits, waits), "{members:?}");
}

/// Read by the name of before, and listed by that of now.
#[tokio::test]
async fn who_was_renamed_during_the_read_stays() {
    let company = Company::new();
    company.day(&export("a", &[0, 1], &[])).await;
    assert_eq!(after(&company, &export("b", &[1], &["uid=new,dc=corp"])).await, of(&["p0", "p1"], true));
    let mut then = export("c", &[1], &["uid=new,dc=corp"]);
    then.changes[0] = person_by_anchor("p0", "uid=new,dc=corp");
    assert_eq!(after(&company, &then).await, of(&["p0", "p1"], false));
    assert_eq!(after(&company, &Directory { digest: Some("d"), ..then }).await, of(&["p0", "p1"], false));
}

/// A group in a group waits as a person does, and those of a group in it wait with it.
#[tokio::test]
async fn members_of_a_group_that_waits_wait() {
    let company = Company::new();
    let (outer, inner) = (
        |members: &[&str]| group("g1", "cn=team,dc=corp", members),
        |members: &[&str]| group("g2", "cn=inner,dc=corp", members),
    );
    let (zero, one) = (dn(0), dn(1));
    let of_two = [zero.as_str(), one.as_str()];
    let read = |digest, lists: [Change; 2]| Directory {
        changes: people().into_iter().chain(lists).collect(),
        called: None,
        digest: Some(digest),
    };
    company.day(&read("a", [inner(&of_two), outer(&["cn=inner,dc=corp"])])).await;
    let moved = || outer(&["cn=other,dc=corp"]);
    assert_eq!(after(&company, &read("b", [inner(&of_two), moved()])).await, of(&["p0", "p1"], true));
    assert_eq!(after(&company, &read("c", [inner(&of_two), moved()])).await, of(&[], false));
    let lists = |of| [inner(of), outer(&["cn=inner,dc=corp"])];
    company.day(&read("d", lists(&of_two))).await;
    let renamed = ["uid=new,dc=corp", of_two[1]];
    assert_eq!(after(&company, &read("e", lists(&renamed))).await, of(&["p0", "p1"], true));
    assert_eq!(after(&company, &read("f", lists(&renamed))).await, of(&["p1"], false));
}
