//! People who get the DNs of others, on a server that sees to its lists at once: each stays in the groups that state them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

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
