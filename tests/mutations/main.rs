//! Damages what comes from outside, at random from a seed, and judges by a reader that shares no code with what it judges.
//!
//! `make test` damages a few of each; `make fuzz` many: see docs/reliability.md.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

mod conversation;
mod damage;
mod export;
mod judge;
mod text;

use std::time::{Duration, Instant};

use damage::Dice;

/// How long one of them may take.
const LONGEST: Duration = Duration::from_secs(5);
/// How much memory the process may take in all, in kB.
const MOST: u64 = 300_000;

/// Runs as many as the environment says, else `few`, each from a seed of its own.
fn each(name: &str, few: u64, mut run: impl FnMut(&mut Dice)) {
    let given = |name: &str| std::env::var(name).ok().map(|count| count.parse::<u64>().expect("a number"));
    let count = given(name);
    let seed = given("SEED").unwrap_or(1);
    let mut longest = Duration::ZERO;
    for seed in seed..seed + count.unwrap_or(few) {
        let began = Instant::now();
        let story = Story { name, seed };
        run(&mut Dice::of(seed));
        drop(story);
        longest = longest.max(began.elapsed());
        assert!(longest < LONGEST, "{name} from SEED={seed} took {longest:?}");
    }
    if let Some(count) = count {
        let most = memory();
        println!("{name}: {count} from {seed} on, the longest took {longest:?}, {most} kB at most");
        assert!(most < MOST, "{name} took {most} kB");
    }
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
