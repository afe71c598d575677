//! A run that goes on from the one before it looks at what changed, and does what one does that looks at everything.

use std::sync::Arc;

use proptest::prelude::*;
use rollcall::directory::{Change, Mode};
use rollcall::spec;
use rollcall::sync::policy::Policy;
use rollcall::sync::run::{Basis, Options, RunReport, Work, run_on};
use rollcall::target::registry::Registry;

use crate::by_need::{Desk, Read, anchor, entry, first, read, rows};

/// All that runs leave.
const TABLES: [&str; 6] = [
    "subject ORDER BY policy, id",
    "anchor ORDER BY policy, subject",
    "link ORDER BY policy, subject",
    "registry ORDER BY policy, number",
    "rejection ORDER BY policy, subject",
    "hold ORDER BY policy, digest",
];

fn policy(users: &str, groups: &str, limits: &str) -> Arc<Policy> {
    let manifest = format!(
        "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: corp, namespace: test }}\n\
         spec: {{ ldif: {{ path: none }} }}\n---\napiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\n\
         metadata: {{ name: all, namespace: test }}\nspec:\n  connectors: [{{ name: corp, maxAge: 9000h }}]\n  \
         target: {{ registry: {{}} }}\n  users: {{ {users} }}\n  groups: {{ {groups} }}\n  limits: {{ {limits} }}\n"
    );
    let mut manifests = spec::manifest::Manifests::default();
    manifests.text("test", &manifest, None);
    let resolved = spec::resolve(&manifests.objects);
    resolved.policies[0].policy.clone()
}

/// Reads, and runs from `basis` on.
async fn step(desk: &Desk, policy: &Arc<Policy>, basis: &mut Option<Basis>, read: &Read) -> RunReport {
    // One that ends early brings nothing.
    drop(desk.import(read).await);
    let target = Registry::new(desk.store.clone(), policy.owner.clone());
    let work = Work {
        store: &desk.store,
        target: &target,
        policy: policy.clone(),
        rebuild: spec::rebuild,
        clock: read,
    };
    let options = Options { id: Some(format!("run at {}", read.seconds)), ..Options::default() };
    run_on(basis, work, options, |_, _| {}).await.unwrap()
}

fn rules() -> impl Strategy<Value = Arc<Policy>> {
    let users = prop_oneof![
        Just("recreated: Relink"),
        Just("recreated: Replace"),
        Just("recreated: Quarantine, leavers: [{ after: 30h, do: Disable }]"),
        Just("where: 'user.title != \"Title 2\"'"),
    ];
    let groups = prop_oneof![
        Just("nesting: Flatten"),
        Just("nesting: Preserve, vanished: { do: Delete }"),
        Just("exclude: [n3, n4]"),
    ];
    let limits = prop_oneof![
        Just(""),
        Just(
            "userRemovals: { count: 900, percent: 100 }, groupRemovals: { count: 900, percent: 100 }, \
             memberRemovals: { count: 900, percent: 100 }, memberRemovalsPerGroup: { percent: 100 }"
        ),
    ];
    (users, groups, limits).prop_map(|(users, groups, limits)| policy(users, groups, limits))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn what_is_done_is_the_same(policy in rules(), reads in proptest::collection::vec(read(), 1..9)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let [goes_on, looks_at_all] = [Desk::new(), Desk::new()];
        let mut basis = None;
        for (mut read, at) in [first(), first()].into_iter().chain(reads).zip(1..) {
            read.seconds = at * 40_000;
            let one = runtime.block_on(step(&goes_on, &policy, &mut basis, &read));
            let other = runtime.block_on(step(&looks_at_all, &policy, &mut None, &read));
            // What it looked at is all in which the two differ.
            prop_assert_eq!(format!("{:?}", RunReport { looked_at: None, ..one }), format!("{other:?}"));
            let left = TABLES.map(|table| [&goes_on, &looks_at_all].map(|desk| rows(&desk.raw(), &format!("SELECT * FROM {table}"))));
            for (table, [one, other]) in TABLES.iter().zip(left) {
                prop_assert_eq!(one, other, "{}", table);
            }
        }
    }
}

#[tokio::test]
async fn a_run_looks_at_what_changed_and_at_what_hangs_on_it() {
    let (desk, policy, mut basis) = (Desk::new(), policy("", "nesting: Flatten", ""), None);
    let mut at = 0;
    let mut looked_at = async |changes: Vec<Change>| {
        at += 1;
        let mode = if at == 1 { Mode::Full } else { Mode::Delta };
        let changes = if at == 1 { first().changes } else { changes };
        let read = Read { changes, mode, seconds: at, ..first() };
        step(&desk, &policy, &mut basis, &read).await.looked_at
    };
    assert_eq!(looked_at(vec![]).await, None, "the first run looks at everything");
    assert_eq!(looked_at(vec![]).await, None, "that everybody has what they should is not known yet");
    assert_eq!(looked_at(vec![]).await, Some(0));
    let person = |title| entry(15, 15, title, None);
    assert_eq!(looked_at(vec![person(2)]).await, Some(2), "they, and the group that they are in");
    assert_eq!(looked_at(vec![]).await, Some(0));
    let outer = entry(3, 3, 0, Some((vec![5, 13], true)));
    assert_eq!(looked_at(vec![outer]).await, Some(1));
    assert_eq!(looked_at(vec![person(1)]).await, Some(3), "they, their group, and the one around it");
    assert_eq!(looked_at(vec![Change::Tombstone(anchor(15))]).await, Some(3));
    assert_eq!(looked_at(vec![]).await, Some(3), "who leaves is looked at until it is over");
}
