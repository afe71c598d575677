//! `rollcall sync` is killed at any moment, and comes to what it would have come to.
//!
//! `make faults` does it often; `make test` a few times.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use crate::support::cli::command;
use crate::support::faults;
use crate::support::registry::resources;
use crate::support::story::{Start, Story};

/// When a process was killed, as far as its log tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum When {
    BeforeTheSeal,
    AfterTheSeal,
    NotAtAll,
}

#[test]
fn killed_at_any_moment_it_comes_to_the_same_and_removes_nobody_on_the_way() {
    let story = Story::tell(|port| format!("ldap://127.0.0.1:{port}"));
    let mut dice = faults::Dice::new();
    let mut counts: BTreeMap<(Start, When), u64> = BTreeMap::new();
    let mut runs = 0;
    for round in 0_usize.. {
        let start = [Start::Before, Start::Nothing, Start::Before, Start::BeforeByOlder][round % 4];
        story.begin(start);
        // Sometimes again, and again, before it ever comes to its end.
        for _ in 0..=dice.below(3) {
            // Half of the migrations are met where they are: at the beginning.
            let within = if round % 8 == 3 { story.took[&start] / 5 } else { story.took[&start] };
            let when = kill(&story, within.mul_f64(dice.unit()));
            story.check(start, round);
            *counts.entry((start, when)).or_default() += 1;
            runs += 1;
        }
        story.desk.sync(&[]).exits(0);
        story.check(start, round);
        assert!(resources(&story.desk) == story.after, "round {round}: something else came of it");
        if runs >= faults::count("KILLS", 24) {
            break;
        }
    }
    faults::tell(format_args!("{runs} kills of `rollcall sync`: {counts:?}"));
    let met = |when| counts.iter().any(|((_, met), _)| *met == when);
    // A few on a busy machine may all come at one time.
    assert!(runs < 100 || met(When::BeforeTheSeal) && met(When::AfterTheSeal), "{counts:?}");
}

/// A run that is killed after so long.
fn kill(story: &Story, after: Duration) -> When {
    let (manifests, data) = (story.desk.path("manifests.yaml"), story.desk.path("data"));
    let log = story.desk.path("log");
    let mut child = command(&["sync", "-f", manifests.to_str().unwrap(), "--data", data.to_str().unwrap()])
        .env("ROLLCALL_LOG", "info")
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    faults::pass(after);
    let ended = child.try_wait().unwrap().is_some();
    child.kill().unwrap();
    child.wait().unwrap();
    if ended {
        When::NotAtAll
    } else if fs::read_to_string(log).unwrap().contains("sync::import: read") {
        When::AfterTheSeal
    } else {
        When::BeforeTheSeal
    }
}
