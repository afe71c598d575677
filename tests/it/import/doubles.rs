//! One id on several entries of one read.

use std::collections::HashMap;

use rollcall::directory::{Anchor, Change, EntryKind, Members, OfNoKind, fields};
use rollcall::sync::run::RunResult;
use rstest::rstest;

use super::support::{Company, Directory, exceptions, group, person, person_by_anchor};
use crate::support::memory::entry_at;

const BOB: &str = "uid=bob,ou=people,dc=corp";
const NEW: &str = "uid=new,ou=people,dc=corp";

fn called(anchor: &str, dns: &[&str]) -> HashMap<Anchor, Vec<String>> {
    HashMap::from([(Anchor::new(anchor), dns.iter().map(|dn| (*dn).to_owned()).collect())])
}

fn directory(changes: &[Change]) -> Directory {
    Directory { changes: changes.to_vec(), called: None, digest: None }
}

fn ann() -> [Change; 2] {
    [person("1", "uid=ann,ou=people,dc=corp"), group("9", "cn=team,ou=groups,dc=corp", &[BOB])]
}

#[rstest]
#[case::the_linked_one_first(&[BOB, NEW], None)]
#[case::the_linked_one_last(&[NEW, BOB], None)]
#[case::looked_up(&[BOB, NEW], Some(called("2", &[BOB, NEW])))]
#[case::nobody_can_say(&[BOB, NEW], Some(HashMap::new()))]
#[case::the_linked_one_has_another_name(&["uid=robert,ou=people,dc=corp", NEW], None)]
#[tokio::test]
async fn no_account_is_handed_on(
    #[case] dns: &[&str],
    #[case] called: Option<HashMap<Anchor, Vec<String>>>,
    #[values(false, true)] groups_come_last: bool,
) {
    let company = Company::new();
    let before = directory(&[&ann()[..], &[person("2", BOB)]].concat());
    company.day(&before).await;
    let in_step = company.registry();
    let twice: Vec<Change> = dns.iter().map(|dn| person("2", dn)).collect();
    let changes =
        if groups_come_last { [&twice, &ann()[..]].concat() } else { [&ann()[..], &twice].concat() };
    let double = Directory { changes, called, digest: None };
    for _ in 0..2 {
        let report = company.day(&double).await;
        assert_eq!((report.result(), report.held.is_some()), (RunResult::InStepWithExceptions, false));
        assert_eq!(company.registry(), in_step);
        let exceptions = exceptions(&report);
        for dn in dns {
            let others = exceptions.iter().filter(|(entry, why)| entry != dn && why.contains(dn));
            assert!(others.count() > 0, "{dn}: {exceptions:?}");
        }
    }
    assert_eq!(company.import(&double).await.changed, 0, "it is as it was");
    // Each has its own again.
    let after = directory(&[&ann()[..], &[person("2", BOB), person("3", NEW)]].concat());
    let report = company.day(&after).await;
    assert_eq!((report.result(), exceptions(&report).len()), (RunResult::InStep, 0));
    assert_eq!(company.registry().len(), in_step.len() + 1);
}

/// The one that had the id first leaves, and a copy is left with it.
#[rstest]
#[case::a_file([None, None])]
#[case::looked_up([Some(called("2", &[BOB, NEW])), Some(called("2", &[NEW]))])]
#[tokio::test]
async fn a_copy_that_outlives_the_original_is_not_handed_its_account(
    #[case] reads: [Option<HashMap<Anchor, Vec<String>>>; 2],
    #[values(false, true)] is_group: bool,
    #[values(false, true)] both_come: bool,
) {
    let ([both, left], company) = (reads, Company::new());
    let of = |id: &str, dn: &str| if is_group { group(id, dn, &[ANN]) } else { person(id, dn) };
    let directory = |entries: &[Change], called: &Option<HashMap<Anchor, Vec<String>>>| Directory {
        changes: [&ann()[..], entries].concat(),
        called: called.clone(),
        digest: None,
    };
    company.day(&directory(&[of("2", BOB)], &both)).await;
    let in_step = company.registry();
    let double = [of("2", BOB), of("2", NEW)];
    company.day(&directory(&double, &both)).await;
    // It may leave while it is read.
    if both_come {
        company.day(&directory(&double, &left)).await;
        assert_eq!(company.registry(), in_step);
    }
    for _ in 0..2 {
        let report = company.day(&directory(&[of("2", NEW)], &left)).await;
        assert_eq!((report.result(), report.held.is_some()), (RunResult::InStepWithExceptions, false));
        assert_eq!(company.registry(), in_step);
        let exceptions = exceptions(&report);
        let said = |(entry, why): (&String, &String)| entry == BOB && why.contains(NEW);
        assert!(exceptions.len() == 1 && exceptions.iter().all(said), "{exceptions:?}");
    }
    // One that cannot be read is the same copy, and the next read still knows it.
    let damaged = Change::Unreadable {
        anchor: Some(Anchor::new("2")),
        what: NEW.to_owned(),
        why: "a value of it cannot be read".to_owned(),
    };
    for last in [damaged, of("2", NEW)] {
        company.day(&directory(&[last], &left)).await;
        assert_eq!(company.registry(), in_step);
    }
    // It has its own: who had the other one is gone.
    let gone = Some(called("3", &[NEW])).filter(|_| left.is_some());
    let report = company.day(&directory(&[of("3", NEW)], &gone)).await;
    assert_eq!(exceptions(&report).len(), 0, "{:?}", exceptions(&report));
    assert!(company.registry().contains_key(if is_group { "new" } else { "new@corp.example" }));
}

/// An entry may be copied to where it is to be, and then be deleted where it was.
#[rstest]
#[case::a_file([None, None])]
#[case::looked_up([Some(called("2", &[BOB, NEW])), Some(called("2", &[NEW]))])]
#[tokio::test]
async fn a_copy_with_the_name_of_the_original_is_the_same_entry(
    #[case] reads: [Option<HashMap<Anchor, Vec<String>>>; 2],
) {
    let ([both, left], company) = (reads, Company::new());
    let of = |dn: &str| person_by_anchor("2", dn);
    let on = |entries: &[Change], called: &Option<HashMap<Anchor, Vec<String>>>| Directory {
        changes: [&ann()[..], entries].concat(),
        called: called.clone(),
        digest: None,
    };
    company.day(&on(&[of(BOB)], &both)).await;
    let in_step = company.registry();
    assert_eq!(exceptions(&company.day(&on(&[of(BOB), of(NEW)], &both)).await).len(), 2);
    let report = company.day(&on(&[of(NEW)], &left)).await;
    assert_eq!((report.result(), exceptions(&report).len()), (RunResult::InStep, 0));
    assert_eq!(company.registry().keys().collect::<Vec<_>>(), in_step.keys().collect::<Vec<_>>());
    // It may be called otherwise from now on.
    company.day(&on(&[person("2", NEW)], &left)).await;
    assert!(company.registry().contains_key("new@corp.example"));
}

#[tokio::test]
async fn nobody_of_three_comes_first_where_nobody_is_known() {
    let company = Company::new();
    let three = [person("2", BOB), person("2", NEW), group("2", "cn=team,ou=groups,dc=corp", &[])];
    let report =
        company.day(&directory(&[&[person("1", "uid=ann,ou=people,dc=corp")], &three[..]].concat())).await;
    assert_eq!(exceptions(&report).len(), 3);
    assert_eq!(company.registry().into_keys().collect::<Vec<_>>(), ["ann@corp.example"]);
}

#[tokio::test]
async fn an_entry_that_comes_twice_or_is_renamed_meanwhile_is_one() {
    let company = Company::new();
    company.day(&directory(&[&ann()[..], &[person("2", BOB)]].concat())).await;
    let twice = [&ann()[..], &[person("2", BOB), person("2", "UID=bob,OU=people, DC=corp")]].concat();
    assert_eq!(exceptions(&company.day(&directory(&twice)).await).len(), 0);
    let changes = [&ann()[..], &[person("2", BOB), person("2", NEW)]].concat();
    let report = company.day(&Directory { changes, called: Some(called("2", &[NEW])), digest: None }).await;
    assert_eq!(exceptions(&report).len(), 0);
    assert!(company.registry().contains_key("new@corp.example"));
}

#[tokio::test]
async fn an_entry_of_no_kind_keeps_what_it_had() {
    let company = Company::new();
    company.day(&directory(&[&ann()[..], &[person("2", BOB)]].concat())).await;
    let in_step = company.registry();
    let of_no_kind = |anchor: &str, dn: &str| {
        let (what, why) = (dn.to_owned(), "its classes are not known".to_owned());
        Change::OfNoKind(OfNoKind { anchor: Anchor::new(anchor), what, why, kinds: &[EntryKind::User] })
    };
    let changes = [&ann()[..], &[of_no_kind("2", BOB), of_no_kind("7", "ou=people,dc=corp")]].concat();
    let report = company.day(&directory(&changes)).await;
    assert_eq!(exceptions(&report).into_keys().collect::<Vec<_>>(), [BOB]);
    assert_eq!(company.registry(), in_step);
}

/// One's id was changed to another one's: theirs is missing, and their entry stands there.
#[rstest]
#[case::a_file(None)]
#[case::looked_up(Some(called("2", &[BOB, NEW])))]
#[tokio::test]
async fn whose_entry_shows_the_id_of_another_one_keeps_the_account(
    #[case] called: Option<HashMap<Anchor, Vec<String>>>,
    #[values(false, true)] is_first: bool,
    #[values(false, true)] is_group: bool,
) {
    let company = Company::new();
    let new = |id: &str| if is_group { group(id, NEW, &[BOB]) } else { person(id, NEW) };
    company.day(&directory(&[&ann()[..], &[person("2", BOB), new("3")]].concat())).await;
    let in_step = company.registry();
    let twice = if is_first { [new("2"), person("2", BOB)] } else { [person("2", BOB), new("2")] };
    let double = Directory { changes: [&ann()[..], &twice].concat(), called, digest: None };
    for _ in 0..3 {
        let report = company.day(&double).await;
        assert_eq!(report.result(), RunResult::InStepWithExceptions);
        assert_eq!(company.registry(), in_step);
    }
    // Who left is gone when it is known whose the id is.
    let company_without = directory(&[&ann()[..], &[person("2", BOB)]].concat());
    company.day(&company_without).await;
    assert_ne!(company.registry(), in_step);
}

const OLD: &str = "cn=old,ou=groups,dc=corp";
const ALL: &str = "cn=all,ou=groups,dc=corp";
const ANN: &str = "uid=ann,ou=people,dc=corp";

/// Lines that are lost from a file may make one record of two: the id of one and the DN of another.
#[rstest]
#[case::people([person("2", BOB), person("3", NEW)], person("3", BOB))]
#[case::groups([group("2", OLD, &[BOB]), group("3", ALL, &[ANN, NEW])], group("3", OLD, &[BOB]))]
#[case::lists_that_run_together([group("2", OLD, &[ANN, NEW]), group("3", ALL, &[ANN, BOB, NEW])], group("3", OLD, &[NEW]))]
#[case::a_person_and_a_group([person("2", BOB), group("3", ALL, &[ANN])], person("3", BOB))]
#[case::a_group_and_a_person([group("2", OLD, &[ANN]), person("3", NEW)], group("3", OLD, &[]))]
#[tokio::test]
async fn an_entry_with_the_name_of_one_that_is_missing_changes_nothing_for_one_export(
    #[case] two: [Change; 2],
    #[case] mixed: Change,
    #[values(false, true)] another_left: bool,
) {
    let company = Company::new();
    let eve = person("5", "uid=eve,ou=people,dc=corp");
    company.day(&directory(&[&ann()[..], &two, std::slice::from_ref(&eve)].concat())).await;
    let in_step = company.registry();
    let rest = if another_left { [mixed].to_vec() } else { [mixed, eve].to_vec() };
    let mut changed = directory(&[&ann()[..], &rest].concat());
    // The same text says no more than it did, however often it is read.
    changed.digest = Some("one");
    for _ in 0..3 {
        let report = company.day(&changed).await;
        assert_eq!(company.registry(), in_step, "whoever was between the two is not known to be gone either");
        let merged = |why: &&String| why.contains("two records may have been merged");
        assert_eq!(exceptions(&report).values().filter(merged).count(), 1, "{:?}", exceptions(&report));
    }
    // It is so: another export that says it again was not cut there.
    changed.digest = Some("other");
    let report = company.day(&changed).await;
    assert!(!exceptions(&report).values().any(|why| why.contains("merged")), "{:?}", exceptions(&report));
    assert_ne!(company.registry(), in_step);
}

/// One's id was changed to another one's when they were renamed: theirs is missing, and an entry stands there that nobody knows.
#[rstest]
#[case::a_file(None)]
#[case::looked_up(Some(called("2", &[BOB, NEW])))]
#[tokio::test]
async fn who_is_missing_since_two_share_an_id_stays(
    #[case] called: Option<HashMap<Anchor, Vec<String>>>,
    #[values(false, true)] is_first: bool,
    #[values(false, true)] is_group: bool,
) {
    let company = Company::new();
    let new = |id: &str, dn: &str| if is_group { group(id, dn, &[BOB]) } else { person(id, dn) };
    let eve = person("5", "uid=eve,ou=people,dc=corp");
    let before = [person("2", BOB), new("3", OLD), eve.clone()];
    company.day(&directory(&[&ann()[..], &before].concat())).await;
    let in_step = company.registry();
    let twice = if is_first { [new("2", NEW), person("2", BOB)] } else { [person("2", BOB), new("2", NEW)] };
    let double = |rest: &[Change]| Directory {
        changes: [&ann()[..], &twice, rest].concat(),
        called: called.clone(),
        digest: None,
    };
    for _ in 0..3 {
        let report = company.day(&double(std::slice::from_ref(&eve))).await;
        assert_eq!(company.registry(), in_step, "{:?}", exceptions(&report));
    }
    // Who goes later is not one of those two.
    company.day(&double(&[])).await;
    let mut without = in_step.clone();
    without.insert("eve@corp.example".to_owned(), 0);
    assert_eq!(company.registry(), without);
    // Who left is gone when it is known whose the id is.
    company.day(&directory(&[&ann()[..], &[person("2", BOB)]].concat())).await;
    assert_ne!(company.registry(), without);
}

/// Its lists are read again when all has come, and say nothing then either.
#[tokio::test]
async fn a_new_group_that_lists_itself_and_whose_id_comes_twice_is_not_there() {
    let company = Company::new();
    company.day(&directory(&[person("1", "uid=ann,ou=people,dc=corp")])).await;
    let (dn, other) = ("cn=self,ou=groups,dc=corp", "cn=other,ou=copies,dc=corp");
    let members = &[dn, "uid=ann,ou=people,dc=corp"][..];
    for twice in [
        [group("9", other, members), group("9", dn, members)],
        [group("9", dn, members), group("9", other, members)],
    ] {
        company.day(&directory(&[&[person("1", "uid=ann,ou=people,dc=corp")], &twice[..]].concat())).await;
        assert_eq!(company.registry().into_keys().collect::<Vec<_>>(), ["ann@corp.example"]);
    }
}

/// Lines that are lost from a record can take its id and its class.
#[rstest]
#[case::theirs(BOB, true)]
#[case::another(NEW, false)]
#[tokio::test]
async fn who_is_missing_and_called_as_an_entry_without_id_and_kind_stays(
    #[case] dn: &str,
    #[case] stays: bool,
) {
    let company = Company::new();
    company.day(&directory(&[&ann()[..], &[person("2", BOB)]].concat())).await;
    let in_step = company.registry();
    let anonymous = [Change::Anonymous { dn: dn.to_owned() }];
    for _ in 0..2 {
        company.day(&directory(&[&ann()[..], &anonymous].concat())).await;
        assert_eq!(company.registry() == in_step, stays, "{:?}", company.registry());
    }
}

/// Merged records show the ids of all: they are one entry that cannot be understood, and whoever is known is named as that.
#[rstest]
#[case::of_nobody(&["7", "8", "9"], 1)]
#[case::of_somebody_first(&["2", "8", "9"], 1)]
#[case::of_somebody_last(&["8", "9", "2"], 1)]
#[case::of_two(&["8", "2", "3", "9"], 2)]
#[tokio::test]
async fn a_record_with_several_ids_is_one_exception(#[case] ids: &[&str], #[case] expected: usize) {
    let company = Company::new();
    let known = [person("1", ANN), person("2", BOB), person("3", NEW)];
    company.day(&directory(&known)).await;
    let unreadable = |id: &&str| Change::Unreadable {
        anchor: Some(Anchor::new(*id)),
        what: "uid=zoe,ou=people,dc=corp".to_owned(),
        why: "it has several ids (line 7)".to_owned(),
    };
    let others = known.iter().filter(|entry| entry.anchor().is_some_and(|id| !ids.contains(&id.as_str())));
    let day: Vec<Change> = others.cloned().chain(ids.iter().map(unreadable)).collect();
    let imported = company.import(&directory(&day)).await;
    assert_eq!(imported.unreadable, 1);
    let report = company.run(None).await;
    let named = (report.quarantined.len(), report.unreadable.len());
    assert_eq!(named.0 + named.1, expected, "{:?} {:?}", report.quarantined, report.unreadable);
    assert_eq!(imported.info.unreadable_count, named.1 as u64);
}

/// A server or an exporter may tell DNs apart by letter case alone: who leaves is told by the id, and not by the DN.
#[rstest]
#[case::a_file(None)]
#[case::looked_up(Some(HashMap::new()))]
#[tokio::test]
async fn of_two_dns_that_differ_in_letter_case_the_one_whose_id_is_gone_leaves(
    #[case] called: Option<HashMap<Anchor, Vec<String>>>,
    #[values("2", "3")] leaves: &str,
    #[values(false, true)] is_group: bool,
) {
    const BIG: &str = "uid=BOB,ou=people,dc=corp";
    let company = Company::new();
    let on = |changes: Vec<Change>| Directory { changes, called: called.clone(), digest: None };
    let of = |id: &str, dn: &str| {
        if is_group {
            let name = format!("{id}@corp.example");
            entry_at(dn, id, EntryKind::Group, &[(fields::NAME, &name)], Members::Complete(Vec::new()))
        } else {
            person_by_anchor(id, dn)
        }
    };
    let ann = person_by_anchor("1", ANN);
    let both = [("2", BOB), ("3", BIG)];
    let mut day = vec![ann.clone()];
    day.extend(both.map(|(id, dn)| of(id, dn)));
    let report = company.day(&on(day)).await;
    assert_eq!(exceptions(&report).len(), 0, "{:?}", exceptions(&report));
    let (stays, dn) = both.into_iter().find(|(id, _)| *id != leaves).unwrap();
    for _ in 0..2 {
        let report = company.day(&on(vec![ann.clone(), of(stays, dn)])).await;
        assert_eq!((report.result(), exceptions(&report).len()), (RunResult::InStep, 0));
        let mut all: Vec<_> = company.registry().into_iter().collect();
        all.retain(|(_, active)| is_group || *active == 1);
        let names: Vec<_> = all.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["1@corp.example".to_owned(), format!("{stays}@corp.example")]);
    }
}

/// A list may mean either of them, until one is gone.
#[tokio::test]
async fn a_list_that_may_mean_two_dns_that_differ_in_letter_case_ends_no_membership() {
    const BIG: &str = "uid=BOB,ou=people,dc=corp";
    let company = Company::new();
    let team = || group("9", "cn=team,ou=groups,dc=corp", &[BOB]);
    let on = |changes: &[Change]| directory(changes);
    company.day(&on(&[person_by_anchor("2", BOB), team()])).await;
    let members = company.members();
    assert_eq!(members["team"].len(), 1);
    for both in [true, false] {
        let other = both.then(|| person_by_anchor("3", BIG));
        company
            .day(&on(&other.into_iter().chain([person_by_anchor("2", BOB), team()]).collect::<Vec<_>>()))
            .await;
        assert_eq!(company.members(), members);
    }
}
