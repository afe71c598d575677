//! A run that goes on from the one before it looks at what changed, and does what one does that looks at everything.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use rollcall::directory::{Change, ConnectorName, Mode};
use rollcall::spec;
use rollcall::sync::policy::Policy;
use rollcall::sync::run::{Options, RunReport, RunState, Stop, Work, run_on};
use rollcall::target::Target;
use rollcall::target::registry::Registry;
use rstest::rstest;

use crate::by_need::{Desk, Read, anchor, entry, first, read, rows};
use crate::support::fake_target::{Fake, Trouble};

/// All that runs leave.
const TABLES: [&str; 10] = [
    "subject ORDER BY policy, id",
    "anchor ORDER BY policy, subject",
    "link ORDER BY policy, subject",
    "claim ORDER BY object",
    "registry ORDER BY policy, number",
    "rejection ORDER BY policy, subject",
    "hold ORDER BY policy, digest",
    "census ORDER BY policy, at",
    "intent ORDER BY id",
    "journal ORDER BY id",
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

fn registry(desk: &Desk, policy: &Arc<Policy>) -> Registry {
    Registry::new(desk.store.clone(), policy.owner.clone())
}

/// Reads, and runs from `basis` on.
async fn step(
    desk: &Desk,
    target: &impl Target,
    policy: &Arc<Policy>,
    basis: &mut Option<RunState>,
    read: &Read,
) -> RunReport {
    // One that ends early brings nothing.
    drop(desk.import(read).await);
    let work =
        Work { store: &desk.store, target, policy: policy.clone(), rebuild: spec::rebuild, clock: read };
    let options = Options { id: Some(format!("run at {}", read.seconds)), ..Options::default() };
    run_on(basis, work, options, |_, _| {}).await.unwrap()
}

#[tokio::test]
async fn a_run_that_must_end_while_it_looks_does_nothing() {
    let desk = Desk::new();
    let policy = policy("", "", "");
    let target = registry(&desk, &policy);
    let whole = step(&desk, &target, &policy, &mut None, &first()).await;
    assert!(whole.in_step.users > 2 && whole.failed.is_none());
    let mut later = first();
    later.seconds += 40_000;
    drop(desk.import(&later).await);
    // After the second entry, and only for that moment.
    let asked = std::sync::atomic::AtomicU64::new(0);
    let stop =
        Stop::when(move || (asked.fetch_add(1, Ordering::Relaxed) == 2).then(|| "time is over".to_owned()));
    let work = Work {
        store: &desk.store,
        target: &target,
        policy: policy.clone(),
        rebuild: spec::rebuild,
        clock: &later,
    };
    let options = Options { stop, ..Options::default() };
    let report = run_on(&mut None, work, options, |_, _| {}).await.unwrap();
    assert!(report.failed.as_deref().is_some_and(|why| why.contains("time is over")), "{:?}", report.failed);
    assert_eq!(report.in_step.users, whole.in_step.users);
    assert!(report.held.is_none());
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
            let targets = [&goes_on, &looks_at_all].map(|desk| registry(desk, &policy));
            let one = runtime.block_on(step(&goes_on, &targets[0], &policy, &mut basis, &read));
            let other = runtime.block_on(step(&looks_at_all, &targets[1], &policy, &mut None, &read));
            are_same(&one, &other, &goes_on, &looks_at_all)?;
        }
    }

    #[test]
    fn what_is_done_is_the_same_at_a_target_that_makes_trouble(
        policy in rules(),
        turns in proptest::collection::vec((read(), troubles()), 1..9)
    ) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        let [goes_on, looks_at_all] = [Desk::new(), Desk::new()];
        let targets = [Fake::new(), Fake::new()];
        let mut basis = None;
        let calm = || (first(), (Vec::new(), 0));
        for ((mut read, (troubles, deaf)), at) in [calm(), calm()].into_iter().chain(turns).zip(1..) {
            read.seconds = at * 40_000;
            for target in &targets {
                target.no_trouble();
                target.trouble(troubles.clone());
                target.deaf.store(deaf, Ordering::SeqCst);
            }
            let one = runtime.block_on(step(&goes_on, &targets[0], &policy, &mut basis, &read));
            let other = runtime.block_on(step(&looks_at_all, &targets[1], &policy, &mut None, &read));
            are_same(&one, &other, &goes_on, &looks_at_all)?;
            prop_assert_eq!(&*targets[0].objects(), &*targets[1].objects());
        }
    }
}

fn troubles() -> impl Strategy<Value = (Vec<Trouble>, u64)> {
    let trouble = prop_oneof![
        6 => Just(Trouble::None),
        3 => Just(Trouble::LostBefore),
        3 => Just(Trouble::LostAfter),
        3 => Just(Trouble::Rejects),
        1 => Just(Trouble::Conflict),
        1 => Just(Trouble::Down),
        1 => Just(Trouble::CutShort),
    ];
    (proptest::collection::vec(trouble, 0..8), prop_oneof![3 => Just(0), 1 => 1..3u64])
}

/// Whether two runs said and left the same.
fn are_same(
    one: &RunReport,
    other: &RunReport,
    goes_on: &Desk,
    looks_at_all: &Desk,
) -> Result<(), TestCaseError> {
    // What it looked at is all in which the two differ.
    prop_assert_eq!(format!("{:?}", RunReport { looked_at: None, ..one.clone() }), format!("{other:?}"));
    for table in TABLES {
        let all = format!("SELECT * FROM {table}");
        let [one, other] = [goes_on, looks_at_all].map(|desk| rows(&desk.raw(), &all));
        prop_assert_eq!(one, other, "{}", table);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn members_of_a_group_that_is_looked_up_are_counted_once() {
    let (desk, target, mut basis) = (Desk::new(), Fake::new(), None);
    let policy = policy("", "", "");
    for seconds in [1, 2] {
        step(&desk, &target, &policy, &mut basis, &Read { seconds, ..first() }).await;
    }
    // Nobody knows what became of the group's new name, so it is looked up.
    target.trouble([Trouble::LostBefore, Trouble::Rejects]);
    let renamed = vec![entry(3, 99, 0, Some((vec![13, 23], true)))];
    let read = Read { changes: renamed, mode: Mode::Delta, seconds: 3, ..first() };
    let report = step(&desk, &target, &policy, &mut basis, &read).await;
    assert_eq!((report.looked_at, report.quarantined_count), (Some(1), 1));
    assert_eq!((report.in_step.users, report.in_step.groups, report.in_step.memberships), (50, 10, 20));
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
        step(&desk, &registry(&desk, &policy), &policy, &mut basis, &read).await.looked_at
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

#[rstest]
#[case::another_field("where: 'user.mail != \"x\"'", Some(0))]
#[case::a_field_that_it_reads("where: 'user.title != \"x\"'", None)]
#[tokio::test]
async fn a_loss_by_many_has_everybody_looked_at_if_the_policy_reads_it(
    #[case] users: &str,
    #[case] expected: Option<u64>,
) {
    let (desk, policy, mut basis) = (Desk::new(), policy(users, "", ""), None);
    let untitled: Vec<Change> = (10..20).map(|number| entry(number, number, 0, None)).collect();
    let changes = [first().changes, vec![], vec![], untitled, vec![], vec![]];
    let mut looked_at = None;
    for (at, changes) in changes.into_iter().enumerate() {
        let mode = if at == 0 { Mode::Full } else { Mode::Delta };
        let read = Read { changes, mode, seconds: i64::try_from(at).unwrap(), ..first() };
        looked_at = step(&desk, &registry(&desk, &policy), &policy, &mut basis, &read).await.looked_at;
    }
    let tripped =
        desk.store.snapshot(&ConnectorName::new("test", "corp")).unwrap().unwrap().info().tripped.len();
    assert_eq!((tripped, looked_at), (1, expected));
}

/// Twelve are gone, which is held; after that a line of the store is as another version wrote it.
#[rstest]
#[case::without_a_spec("json_remove(body, '$.spec', '$.limits')")]
#[case::without_one_of_the_limits(
    "json_set(body, '$.limits', json_remove(json_extract(body, '$.limits'), '$.window') || '')"
)]
#[case::without_words(
    "json_remove(body, '$.reason', '$.lines[0].why', '$.lines[0].action', '$.lines[0].name')"
)]
#[tokio::test]
async fn what_another_version_held_is_let_go_by_no_edit(#[case] body: &str) {
    let (desk, mut basis) = (Desk::new(), None);
    let raised = policy("", "", "userRemovals: { count: 900, percent: 100 }");
    let strict = policy("", "", "");
    let gone =
        |numbers: std::ops::Range<u8>| numbers.map(|number| Change::Tombstone(anchor(number))).collect();
    let delta = |seconds, changes| Read { changes, mode: Mode::Delta, seconds, ..first() };
    for seconds in [1, 2] {
        step(&desk, &registry(&desk, &strict), &strict, &mut basis, &Read { seconds, ..first() }).await;
    }
    let held = step(&desk, &registry(&desk, &strict), &strict, &mut basis, &delta(3, gone(10..22))).await;
    assert_eq!(held.held.map(|hold| hold.lines.len()), Some(12));
    desk.raw().execute(&format!("UPDATE hold SET body = {body}"), []).unwrap();
    desk.store.take_for_written().unwrap();
    for seconds in 4..8 {
        let read = delta(seconds, Vec::new());
        let report = step(&desk, &registry(&desk, &raised), &raised, &mut basis, &read).await;
        assert_eq!(report.held.map(|hold| hold.lines.len()), Some(12), "in run {seconds}");
        assert_eq!(report.in_step.users, 50);
    }
    if body.contains("window") {
        // Nor do the others go who leave meanwhile.
        let read = delta(8, gone(22..32));
        let report = step(&desk, &registry(&desk, &raised), &raised, &mut basis, &read).await;
        assert_eq!(report.held.map(|hold| hold.lines.len()), Some(22));
    }
}

#[tokio::test]
async fn what_is_held_of_a_group_stands_while_it_cannot_be_read() {
    let (desk, policy, mut basis) = (Desk::new(), policy("", "", ""), None);
    let alone = (0..6).map(|number| entry(number, number, 0, Some((vec![], true)))).collect();
    let unreadable = Change::Unreadable {
        anchor: Some(anchor(0)),
        what: "cn=n0,dc=x".to_owned(),
        why: "it is damaged".to_owned(),
    };
    for (at, changes) in [vec![], vec![], vec![], alone, vec![unreadable], vec![]].into_iter().enumerate() {
        let (mode, changes) = if at == 0 { (Mode::Full, first().changes) } else { (Mode::Delta, changes) };
        let read = Read { changes, mode, seconds: i64::try_from(at).unwrap(), ..first() };
        let report = step(&desk, &registry(&desk, &policy), &policy, &mut basis, &read).await;
        let held = report.held.map_or(0, |hold| hold.lines.len());
        assert_eq!(held, if at < 3 { 0 } else { 12 }, "in run {at}");
    }
}
