//! Places from which everybody is missing at once.

use std::collections::HashMap;

use rollcall::directory::Change;
use rollcall::sync::run::RunResult;
use rstest::rstest;

use super::support::{Company, Directory, group, person};

/// A group outside has somebody of the place and, by a group in the place, somebody outside.
fn home() -> Vec<Change> {
    let mut home: Vec<Change> = (0..30)
        .map(|number| person(&format!("h{number}"), &format!("uid=h{number},ou=home,dc=corp")))
        .collect();
    home.push(group(
        "all",
        "cn=all,ou=home,dc=corp",
        &["uid=x0,ou=ext,dc=corp", "cn=externals,ou=ext,dc=corp"],
    ));
    home
}

fn external(number: u32) -> Change {
    person(&format!("x{number}"), &format!("uid=x{number},ou=ext,dc=corp"))
}

fn externals() -> Vec<Change> {
    let list = ["uid=x0,ou=ext,dc=corp", "uid=x1,ou=ext,dc=corp", "uid=h0,ou=home,dc=corp"];
    vec![external(0), external(1), group("xg", "cn=externals,ou=ext,dc=corp", &list)]
}

fn directory(changes: Vec<Change>, looks_up: bool) -> Directory {
    Directory { changes, called: looks_up.then(HashMap::new), digest: None }
}

#[rstest]
#[tokio::test]
async fn a_place_that_vanishes_is_held_until_it_is_back_or_approved(#[values(true, false)] looks_up: bool) {
    let company = Company::new();
    let whole = directory([home(), externals()].concat(), looks_up);
    company.day(&whole).await;
    let in_step = company.registry();
    let part = directory(home(), looks_up);
    for _ in 0..2 {
        let report = company.day(&part).await;
        assert_eq!(report.result(), RunResult::Held);
        let hold = report.held.unwrap();
        assert_eq!(hold.lines.len(), 3, "{hold:?}");
        assert!(
            hold.lines.iter().all(|line| line.why == "everybody in ou=ext,dc=corp is missing at once"),
            "{hold:?}"
        );
        assert!(!hold.reason.contains("ou=ext"), "a status names no place: {}", hold.reason);
        assert_eq!(company.registry(), in_step);
    }
    // It comes back by itself …
    assert_eq!(company.day(&whole).await.result(), RunResult::InStep);
    assert_eq!(company.registry(), in_step);
    // … and of those who go then, one who stays away is held no less.
    company.day(&part).await;
    let all_but_one = directory([home(), externals().split_off(1)].concat(), looks_up);
    let hold = company.day(&all_but_one).await.held.unwrap();
    assert_eq!(hold.lines.len(), 1, "{hold:?}");
    // One approval lets all of it go.
    let hold = company.day(&part).await.held.unwrap();
    company.run(Some(hold.digest)).await;
    assert_eq!(company.day(&part).await.result(), RunResult::InStep);
    let gone = company.registry();
    assert_eq!(
        (gone["x0@corp.example"], gone["x1@corp.example"], gone.contains_key("externals")),
        (0, 0, false)
    );
    assert_eq!(gone["all"], 0);
}

#[tokio::test]
async fn who_leaves_a_place_in_which_others_stay_goes() {
    let company = Company::new();
    company.day(&directory([home(), externals()].concat(), true)).await;
    let report = company.day(&directory([home(), vec![external(0)]].concat(), true)).await;
    assert_eq!(report.held, None);
    assert_eq!(company.registry()["x1@corp.example"], 0);
}

#[tokio::test]
async fn a_leaver_elsewhere_goes_while_a_place_is_held() {
    let company = Company::new();
    company.day(&directory([home(), externals()].concat(), true)).await;
    let report = company.day(&directory(home().split_off(1), true)).await;
    assert_eq!(report.held.unwrap().lines.len(), 3);
    let registry = company.registry();
    assert_eq!((registry["h0@corp.example"], registry["x0@corp.example"]), (0, 1));
}
