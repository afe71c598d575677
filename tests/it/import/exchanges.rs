//! People who get the DNs of others, on a server that sees to its lists at once: each stays in the groups that state them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rollcall::directory::{Anchor, Change};

use super::support::{Company, Directory, group, person_by_anchor};

const PEOPLE: usize = 4;
const GROUPS: usize = 3;

/// How each person is called, one name being free, and in which order the entries come.
type Export = (Vec<usize>, Vec<usize>);

fn dn(name: usize) -> String {
    format!("uid=n{name},dc=corp")
}

fn export() -> impl Strategy<Value = Export> {
    let names = Just((0..=PEOPLE).collect::<Vec<_>>()).prop_shuffle();
    let order = Just((0..PEOPLE + GROUPS).collect::<Vec<_>>()).prop_shuffle();
    (names, order)
}

fn read(names: &[usize], order: &[usize], members: &[BTreeSet<usize>]) -> Directory {
    let entry = |at: &usize| {
        if *at < PEOPLE {
            return person_by_anchor(&format!("p{at}"), &dn(names[*at]));
        }
        let at = at - PEOPLE;
        let listed: Vec<String> = members[at].iter().map(|person| dn(names[*person])).collect();
        let listed: Vec<&str> = listed.iter().map(String::as_str).collect();
        group(&format!("g{at}"), &format!("cn=g{at},dc=corp"), &listed)
    };
    Directory { changes: order.iter().map(entry).collect(), called: None }
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
    let read = |changes: &[&[Change]]| Directory { changes: changes.concat(), called: None };
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
    let read = |changes: Vec<Change>| Directory { changes, called: None };
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 25, ..ProptestConfig::default() })]
    #[test]
    fn who_gets_whose_name_stays_who_they_are((members, exports) in lives()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let company = Company::new();
        let named = |at: &usize| format!("p{at}@corp.example");
        let expected: BTreeMap<String, BTreeSet<String>> =
            members.iter().enumerate().map(|(at, of)| (format!("g{at}"), of.iter().map(named).collect())).collect();
        for (names, order) in &exports {
            // The second read brings nothing new.
            for _ in 0..2 {
                runtime.block_on(company.day(&read(names, order, &members)));
                prop_assert_eq!(&company.members(), &expected);
            }
        }
    }
}
