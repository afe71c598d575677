//! The connection to the directory is cut, slow, in slices, refused; the server stops: nobody goes for it,
//! and in the end everything is as if nothing had been.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use serde_json::json;

use crate::support::faults;
use crate::support::registry::resources;
use crate::support::story::{Start, Story};
use crate::support::toxiproxy::Toxiproxy;

/// So many faults must meet a sync at more than one time.
const MANY: u64 = 100;

fn story() -> (Story, Toxiproxy) {
    let proxy = OnceCell::new();
    let story = Story::tell(|port| proxy.get_or_init(|| Toxiproxy::start(port)).url());
    (story, proxy.into_inner().unwrap())
}

#[test]
fn a_connection_that_is_cut_anywhere_removes_nobody() {
    let (story, proxy) = story();
    let whole = bytes_of_a_read(&story, &proxy);
    let (mut dice, cuts) = (faults::Dice::new(), faults::count("CUTS", 12));
    let mut ended: BTreeMap<i32, u64> = BTreeMap::new();
    for cut in 0..cuts {
        // Evenly, from the first bytes to the last, and a little beyond.
        let bytes = (whole * cut / cuts + dice.below(whole / cuts + 1)).min(whole + whole / 50);
        story.begin(Start::Before);
        proxy.poison("limit_data", &json!({ "bytes": bytes }));
        let ran = story.desk.sync(&[]);
        *ended.entry(ran.code).or_default() += 1;
        if ran.code != 0 {
            assert!(resources(&story.desk) == story.before, "after {bytes} bytes something was done");
        }
        story.check(Start::Before, format_args!("after {bytes} bytes"));
        proxy.cure();
        story.desk.sync(&[]).exits(0);
        assert!(resources(&story.desk) == story.after, "after {bytes} bytes something else came of it");
    }
    faults::tell(format_args!("{cuts} cuts within {whole} bytes, by how the sync ended: {ended:?}"));
    assert!(ended.keys().all(|code| [0, 1].contains(code)) && ended[&1] > cuts / 2, "{ended:?}");
}

/// How many bytes the server must be let send for a sync to succeed, to within two per cent.
fn bytes_of_a_read(story: &Story, proxy: &Toxiproxy) -> u64 {
    let (mut too_few, mut enough) = (0, 4_000_000);
    while enough - too_few > enough / 50 {
        let bytes = u64::midpoint(too_few, enough);
        story.begin(Start::Before);
        proxy.poison("limit_data", &json!({ "bytes": bytes }));
        if story.desk.sync(&[]).code == 0 {
            enough = bytes;
        } else {
            too_few = bytes;
        }
        proxy.cure();
    }
    enough
}

#[test]
fn a_connection_that_is_slow_or_in_slices_is_read_whole() {
    let (story, proxy) = story();
    let ways = [
        vec![("latency", json!({ "latency": 20, "jitter": 15 }))],
        vec![("slicer", json!({ "average_size": 60, "size_variation": 40, "delay": 50 }))],
        vec![("bandwidth", json!({ "rate": 400 }))],
        vec![
            ("latency", json!({ "latency": 5, "jitter": 5 })),
            ("slicer", json!({ "average_size": 400, "size_variation": 300, "delay": 100 })),
            ("bandwidth", json!({ "rate": 1000 })),
        ],
    ];
    for way in &ways {
        story.begin(Start::Before);
        for (kind, attributes) in way {
            proxy.poison(kind, attributes);
        }
        story.desk.sync(&[]).exits(0);
        assert!(resources(&story.desk) == story.after, "{way:?}");
        proxy.cure();
    }
    faults::tell(format_args!("{} slow or sliced connections", ways.len()));
}

#[test]
fn a_server_that_stops_at_any_moment_removes_nobody() {
    let (mut story, proxy) = story();
    let (mut dice, stops) = (faults::Dice::new(), faults::count("STOPS", 8));
    let mut ended: BTreeMap<i32, u64> = BTreeMap::new();
    for stop in 0..stops {
        story.begin(Start::Before);
        let after = story.took[&Start::Before].mul_f64(dice.unit() * 1.5);
        let ran = std::thread::scope(|scope| {
            let running = scope.spawn(|| story.desk.sync(&[]));
            faults::pass(after);
            // A half of them by a reset, which the client sees at once, the others by a server that dies.
            if stop % 2 == 0 {
                proxy.poison("reset_peer", &json!({ "timeout": 0 }));
            } else {
                kill(story.slapd.id());
            }
            running.join().unwrap()
        });
        *ended.entry(ran.code).or_default() += 1;
        story.check(Start::Before, format_args!("stop {stop} after {after:?}"));
        proxy.cure();
        if stop % 2 == 1 {
            story.slapd.stop();
            story.slapd.start_again();
        }
        story.desk.sync(&[]).exits(0);
        assert!(resources(&story.desk) == story.after, "stop {stop}: something else came of it");
    }
    faults::tell(format_args!("{stops} stops of the server, by how the sync ended: {ended:?}"));
    // Where only the look-ups were lost, those who are missing wait.
    assert!(ended.keys().all(|code| [0, 1, 3].contains(code)), "{ended:?}");
    // A few on a busy machine may all come at one time.
    assert!(stops < MANY || ended.len() > 1, "all at one time prove little: {ended:?}");
}

fn kill(process: u32) {
    let done = std::process::Command::new("kill").args(["-KILL", &process.to_string()]).status();
    assert!(done.unwrap().success());
}
