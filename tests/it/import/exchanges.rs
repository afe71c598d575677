//! People who get the DNs of others, on a server that sees to its lists at once: each stays in the groups that state them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rollcall::directory::{Anchor, Change};

use super::support::{Company, Directory, group, person, person_by_anchor};

const PEOPLE: usize = 4;
const GROUPS: usize = 3;

/// How each person is called, one name being free, in which order the entries come, and which people cannot be read.
#[derive(Clone, Debug)]
struct Export {
    names: Vec<usize>,
    order: Vec<usize>,
    unread: BTreeSet<usize>,
}

fn dn(name: usize) -> String {
    format!("uid=n{name},dc=corp")
}

fn export() -> impl Strategy<Value = Export> {
    let names = Just((0..=PEOPLE).collect::<Vec<_>>()).prop_shuffle();
    let order = Just((0..PEOPLE + GROUPS).collect::<Vec<_>>()).prop_shuffle();
    (names, order).prop_map(|(names, order)| Export { names, order, unread: BTreeSet::new() })
}

fn read(Export { names, order, unread }: &Export, members: &[BTreeSet<usize>]) -> Directory {
    let entry = |at: &usize| {
        if unread.contains(at) {
            return damaged(&format!("p{at}"), names[*at]);
        }
        if *at < PEOPLE {
            return person_by_anchor(&format!("p{at}"), &dn(names[*at]));
        }
        let at = at - PEOPLE;
        let listed: Vec<String> = members[at].iter().map(|person| dn(names[*person])).collect();
        let listed: Vec<&str> = listed.iter().map(String::as_str).collect();
        group(&format!("g{at}"), &format!("cn=g{at},dc=corp"), &listed)
    };
    Directory { changes: order.iter().map(entry).collect(), called: None, digest: None }
}

fn lives() -> impl Strategy<Value = (Vec<BTreeSet<usize>>, Vec<Export>)> {
    let members = proptest::collection::btree_set(0..PEOPLE, 1..=PEOPLE);
    (proptest::collection::vec(members, GROUPS), proptest::collection::vec(export(), 2..5))
}

/// Who cannot be read keeps the groups that listed them; who has their name by now gets none of those, and keeps their own.
#[tokio::test]
async fn nobody_inherits_from_somebody_who_cannot_be_read() {
    let company = Company::new();
    let (anna, dora) = (|name| person_by_anchor("p1", &dn(name)), || person_by_anchor("p2", &dn(1)));
    let damaged = || Change::Unreadable {
        anchor: Some(Anchor::new("p1")),
        what: dn(9),
        why: "it is damaged".to_owned(),
    };
    let lists =
        |admin: &[&str]| [group("g1", "cn=plain,dc=corp", &[&dn(1)]), group("g2", "cn=admin,dc=corp", admin)];
    let read = |changes: &[&[Change]]| Directory { changes: changes.concat(), called: None, digest: None };
    company.day(&read(&[&[anna(1)], &lists(&[])])).await;
    let of =
        |people: &[&str]| people.iter().map(|one| format!("{one}@corp.example")).collect::<BTreeSet<_>>();
    let expected = BTreeMap::from([("plain".to_owned(), of(&["p1"])), ("admin".to_owned(), of(&["p2"]))]);
    let first = [dora()];
    let then = lists(&[&dn(1)]);
    for changes in [
        read(&[&first, &[damaged()], &then]),
        read(&[&then, &first, &[damaged()]]),
        read(&[&first, &[anna(9)], &then]),
    ] {
        for _ in 0..2 {
            company.day(&changes).await;
            assert_eq!(company.members(), expected);
        }
    }
}

/// The list comes before somebody whose name of before it seems to state.
#[tokio::test]
async fn a_list_that_comes_first_means_who_is_called_so_by_now() {
    let company = Company::new();
    let team =
        |people: [usize; 2]| group("g1", "cn=team,dc=corp", &people.map(dn).each_ref().map(String::as_str));
    let read = |changes: Vec<Change>| Directory { changes, called: None, digest: None };
    let (carl, dora) = (|name| person_by_anchor("p1", &dn(name)), |name| person_by_anchor("p2", &dn(name)));
    let both = BTreeSet::from(["p1", "p2"].map(|one| format!("{one}@corp.example")));
    company.day(&read(vec![carl(1), dora(2), team([1, 2])])).await;
    // The list is a moment behind.
    company.day(&read(vec![carl(3), dora(1), team([1, 2])])).await;
    for _ in 0..2 {
        company.day(&read(vec![team([4, 1]), carl(4), dora(1)])).await;
        assert_eq!(company.members()["team"], both);
    }
}

fn damaged(anchor: &str, name: usize) -> Change {
    Change::Unreadable { anchor: Some(Anchor::new(anchor)), what: dn(name), why: "it is damaged".to_owned() }
}

fn team(name: &str, people: &[usize]) -> Change {
    let people: Vec<String> = people.iter().copied().map(dn).collect();
    group(name, &format!("cn={name},dc=corp"), &people.iter().map(String::as_str).collect::<Vec<_>>())
}

fn lists(of: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
    let named = |people: &[&str]| people.iter().map(|one| format!("{one}@corp.example")).collect();
    of.iter().map(|(group, people)| ((*group).to_owned(), named(people))).collect()
}

/// Whoever cannot be read is not who a list means that states their name for the first time.
#[tokio::test]
async fn two_who_cannot_be_read_take_nothing_from_each_other() {
    let person = |id: &str, name| person_by_anchor(id, &dn(name));
    let deleted = |id: &str| Change::Tombstone(Anchor::new(id));
    let expected = lists(&[("of1", &["p1"]), ("of2", &["p2"])]);
    let teams = [team("of1", &[2]), team("of2", &[3])];
    let unread = vec![damaged("p1", 2), damaged("p2", 3)];
    let doubles = vec![person("p1", 2), deleted("p1"), person("p2", 3), deleted("p2")];
    for unread in [unread.clone(), unread.into_iter().rev().collect(), doubles] {
        for first in [true, false] {
            let company = Company::new();
            let read = |changes: Vec<Change>| Directory { changes, called: None, digest: None };
            let before = vec![person("p1", 1), person("p2", 2), team("of1", &[1]), team("of2", &[2])];
            company.day(&read(before)).await;
            let some = |people: &[Change]| {
                let (one, other) = if first { (people, &teams[..]) } else { (&teams[..], people) };
                read([one, other].concat())
            };
            for _ in 0..2 {
                company.day(&some(&unread)).await;
                assert_eq!(company.members(), expected, "{unread:?}");
            }
            for _ in 0..2 {
                company.day(&some(&[person("p1", 2), person("p2", 3)])).await;
                assert_eq!(company.members(), expected, "{unread:?}");
            }
        }
    }
}

/// One was read before a rename, and the other one after it.
#[tokio::test]
async fn who_gets_a_name_while_it_is_read_stays_who_they_are() {
    let person = |id: &str, name| person_by_anchor(id, &dn(name));
    let read = |changes: Vec<Change>| Directory { changes, called: None, digest: None };
    for first in [true, false] {
        let company = Company::new();
        let before = vec![person("p1", 1), person("p2", 2), team("plain", &[1]), team("admin", &[2])];
        company.day(&read(before)).await;
        let [people, teams] =
            [vec![person("p1", 1), person("p2", 1)], vec![team("plain", &[3]), team("admin", &[1])]];
        let both = if first { [people, teams] } else { [teams, people] };
        company.day(&read(both.concat())).await;
        let expected = lists(&[("admin", &["p2"]), ("plain", &["p1"])]);
        assert_eq!(company.members(), expected);
        let after = vec![team("plain", &[3]), person("p1", 3), person("p2", 1), team("admin", &[1])];
        for _ in 0..2 {
            company.day(&read(after.clone())).await;
            assert_eq!(company.members(), expected);
        }
    }
}

/// Two are called alike for some reads, as an export may have it, and then are not.
#[tokio::test]
async fn whose_name_another_one_had_for_some_time_keeps_their_groups() {
    let person = |id: &str, name| person_by_anchor(id, &dn(name));
    let read = |changes: Vec<Change>| Directory { changes, called: None, digest: None };
    let teams = [team("plain", &[1]), team("admin", &[2])];
    let expected = lists(&[("admin", &["p2"]), ("plain", &["p1"])]);
    for times in 1..4 {
        for first in [true, false] {
            let company = Company::new();
            let whole = |first: bool| {
                let mut people = [person("p1", 1), person("p2", 2)];
                if !first {
                    people.reverse();
                }
                read([&teams[..], &people].concat())
            };
            company.day(&whole(first)).await;
            for _ in 0..times {
                company.day(&read([&[person("p1", 1), person("p2", 1)], &teams[..]].concat())).await;
                assert_eq!(company.members(), expected);
            }
            for _ in 0..2 {
                company.day(&whole(first)).await;
                assert_eq!(company.members(), expected, "after {times}");
            }
        }
    }
}

/// In whatever order they come: who left, who has their name since, and the list that is told of it.
#[tokio::test]
async fn who_gets_the_name_of_somebody_who_left_stays_in_a_list_that_came_first() {
    let person = |id: &str, name| person_by_anchor(id, &dn(name));
    let read = |changes: Vec<Change>| Directory { changes, called: None, digest: None };
    let (gone, has) = (Change::Tombstone(Anchor::new("p1")), person("p2", 1));
    let list = || team("all", &[1, 3]);
    for changes in [
        [list(), has.clone(), gone.clone()],
        [list(), gone.clone(), has.clone()],
        [has.clone(), list(), gone.clone()],
        [has.clone(), gone.clone(), list()],
        [gone.clone(), has.clone(), list()],
    ] {
        let company = Company::new();
        let third = person("p3", 3);
        let before = vec![person("p1", 1), person("p2", 2), third.clone(), team("all", &[1, 2, 3])];
        company.day(&read(before)).await;
        for _ in 0..2 {
            company.day(&read([&changes[..], std::slice::from_ref(&third)].concat())).await;
            assert_eq!(company.members(), lists(&[("all", &["p2", "p3"])]), "{changes:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 25, ..ProptestConfig::default() })]
    #[test]
    fn who_gets_whose_name_stays_who_they_are((members, exports) in lives()) {
        live(&members, &exports)?;
    }
}

fn live(members: &[BTreeSet<usize>], exports: &[Export]) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let company = Company::new();
    let named = |at: &usize| format!("p{at}@corp.example");
    let expected: BTreeMap<String, BTreeSet<String>> = members
        .iter()
        .enumerate()
        .map(|(at, of)| (format!("g{at}"), of.iter().map(named).collect()))
        .collect();
    for export in exports {
        // The second read brings nothing new.
        for _ in 0..2 {
            runtime.block_on(company.day(&read(export, members)));
            prop_assert_eq!(&company.members(), &expected);
        }
    }
    Ok(())
}

/// Lists of before have them by one number of that name, and lists that were new while they were not understood by another.
#[tokio::test]
async fn who_was_missing_is_back_in_lists_that_name_them_all_along() {
    let company = Company::new();
    let (dn, old) = ("uid=bob,ou=people,dc=corp", "cn=old,ou=groups,dc=corp");
    let ann = || person("1", "uid=ann,ou=people,dc=corp");
    let bob = || person("2", dn);
    let old = || group("8", old, &[dn]);
    let new = || group("9", "cn=new,ou=groups,dc=corp", &[dn]);
    let unread = |anchor: &str, what: &str| Change::Unreadable {
        anchor: Some(Anchor::new(anchor)),
        what: what.to_owned(),
        why: "two records may have been merged".to_owned(),
    };
    let read = |changes: &[Change]| Directory { changes: changes.to_vec(), called: None, digest: None };
    company.import(&read(&[ann(), old(), bob()])).await;
    // Of two records that were merged, both ids are seen.
    let merged = [unread("2", dn), unread("77", dn), unread("8", "cn=old,ou=groups,dc=corp")];
    company.import(&read(&[&[new(), ann()], &merged[..]].concat())).await;
    company.import(&read(&[new(), old(), ann()])).await;
    company.day(&read(&[bob(), new(), old(), ann()])).await;
    let members = company.members();
    let in_both = members.values().filter(|members| members.contains("bob@corp.example"));
    assert_eq!(in_both.count(), 2, "{members:?}");
}

/// Somebody leaves, another one gets their name, and the server has put that name into the lists, also where both were members.
#[tokio::test]
async fn who_is_not_believed_under_a_name_stays_in_lists_that_state_it() {
    let person = |id: &str, name| person_by_anchor(id, &dn(name));
    let both = [person("p1", 1), person("p2", 2), person("p3", 3)];
    let lists_of = [team("both", &[1, 2, 3]), team("one", &[2]), team("other", &[1])];
    let then = [team("both", &[1, 3]), team("one", &[1]), team("other", &[1])];
    let in_step = lists(&[("both", &["p1", "p2", "p3"]), ("one", &["p2"]), ("other", &["p1"])]);
    for came in [person("p2", 1), damaged("p2", 1)] {
        for lists_first in [true, false] {
            let company = Company::new();
            let read = |changes: &[&[Change]], digest| {
                let mut changes = changes.to_vec();
                if lists_first {
                    changes.reverse();
                }
                Directory { changes: changes.concat(), called: None, digest: Some(digest) }
            };
            company.day(&read(&[&both, &lists_of], "zero")).await;
            let people = [came.clone(), person("p3", 3)];
            for _ in 0..3 {
                company.day(&read(&[&people, &then], "one")).await;
                assert_eq!(company.members(), in_step, "{came:?}, lists first: {lists_first}");
            }
            // Another export says the same, and one after it has changed the lists otherwise.
            let people = [person("p2", 1), person("p3", 3)];
            company.day(&read(&[&people, &then], "two")).await;
            let is_in = |company: &Company, group: &str| company.members()[group].contains("p2@corp.example");
            if matches!(came, Change::Replace(_)) {
                assert!(
                    is_in(&company, "both") && is_in(&company, "one"),
                    "{:?}, lists first: {lists_first}",
                    company.members()
                );
                company.day(&read(&[&people, &[team("both", &[1]), team("one", &[1, 3])]], "three")).await;
                assert!(is_in(&company, "both") && is_in(&company, "one"), "{:?}", company.members());
                company.day(&read(&[&people, &[team("both", &[3]), team("one", &[1])]], "four")).await;
                assert!(!is_in(&company, "both"), "{:?}", company.members());
            }
        }
    }
}
