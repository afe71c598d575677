//! Damages what comes from outside, at random from a seed, and judges by a reader that shares no code with what it judges.
//!
//! `make test` damages a few of each; `make fuzz` many: see docs/reliability.md.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

mod company;
mod conversation;
mod damage;
mod export;
mod judge;
mod letter;
mod request;
mod strict;
mod sync;
mod text;

use std::time::{Duration, Instant};

use damage::Dice;

/// How long one of them may take.
const LONGEST: Duration = Duration::from_secs(5);
/// How much memory the process may take in all, in kB.
const MOST: u64 = 300_000;

/// Runs as many as the environment says, else `few`, each from a seed of its own.
fn each(name: &str, few: u64, run: impl FnMut(&mut Dice)) {
    match given(name) {
        Some(count) => go_on(name, Until::Count(count), true, run),
        None => go_on(name, Until::Count(few), false, run),
    }
}

/// The same for what is parsed in no time: as many as the environment says, else for as many `MINUTES` as it says.
fn each_text(name: &str, few: u64, run: impl FnMut(&mut Dice)) {
    match given("MINUTES").filter(|_| given(name).is_none()) {
        Some(minutes) => go_on(name, Until::Over(Duration::from_mins(minutes)), true, run),
        None => each(name, few, run),
    }
}

/// What the environment says of it.
fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|count| count.parse().expect("a number"))
}

/// When there were enough.
#[derive(Clone, Copy)]
enum Until {
    Count(u64),
    Over(Duration),
}

fn go_on(name: &str, until: Until, tell: bool, mut run: impl FnMut(&mut Dice)) {
    let first = given("SEED").unwrap_or(1);
    let (mut count, mut longest, began) = (0, Duration::ZERO, Instant::now());
    while match until {
        Until::Count(enough) => count < enough,
        Until::Over(time) => began.elapsed() < time,
    } {
        let seed = first + count;
        let story = Story { name, seed };
        let mut took = time(|| run(&mut Dice::of(seed)));
        if took > LONGEST {
            // Where much else runs it may only have waited; what is slow is slow again.
            took = time(|| run(&mut Dice::of(seed)));
        }
        assert!(took < LONGEST, "it took {took:?}");
        longest = longest.max(took);
        drop(story);
        count += 1;
    }
    let most = memory();
    if tell {
        println!(
            "{name}: {count} from {first} on in {:.0?}, the longest took {longest:?}, {most} kB at most",
            began.elapsed()
        );
        assert!(most < MOST, "{name} took {most} kB");
    }
}

fn time(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

/// Says which seed it was, if it ends badly.
struct Story<'n> {
    name: &'n str,
    seed: u64,
}

impl Drop for Story<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was SEED={} {}=1", self.seed, self.name);
        }
    }
}

/// The most memory that this process ever took, in kB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
