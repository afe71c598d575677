//! The simulator: whole lives of directories, policies and targets, each from one seed, on simulated
//! time. It runs the real import, run and store; `docs/reliability.md` says what goes wrong in the lives
//! and how many were lived.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]
#![allow(clippy::struct_excessive_bools, reason = "a life has many switches")]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::runtime::Runtime;

use dice::Dice;
use event::Step;
use life::Life;
use oracle::Broken;

mod check;
mod clock;
mod dice;
mod disk;
mod event;
mod export;
#[path = "../it/support/fake_target.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod fake_target;
mod life;
mod oracle;
mod place;
mod reader;
mod rules;
mod story;
mod world;

/// As the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The small form: what every test run lives through.
const FEW: u64 = 300;

/// How a life went.
struct Lived {
    broken: Option<Broken>,
    story: Vec<String>,
    counts: BTreeMap<String, u64>,
}

/// Lives a life of these events.
fn live(runtime: &Runtime, seed: u64, events: &[Step]) -> Lived {
    let mut life = Life::new(&mut Dice(seed), events);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            for step in events {
                life.live(*step).await?;
            }
            life.end().await
        })
    }));
    let broken = match ended {
        Ok(ended) => ended.err(),
        // Nobody knows how its store was left.
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let what = format!("panicked: {}", text.unwrap_or_default());
            let broken = Some(Broken { promise: 0, what });
            return Lived { broken, story: life.story, counts: life.counts };
        }
    };
    let (story, counts) = life.over();
    Lived { broken, story, counts }
}

fn runtime() -> Runtime {
    // One thread for what blocks, so that everything has one order.
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .max_blocking_threads(2)
        .build()
        .unwrap()
}

fn events(seed: u64) -> Vec<Step> {
    event::events(&mut Dice(seed ^ 0x5eed))
}

/// The shortest story of a bad end, and how to see it again.
fn tell(runtime: &Runtime, seed: u64, broken: &Broken) -> String {
    let all = events(seed);
    let ends = |events: &[Step]| live(runtime, seed, events).broken;
    if ends(&all).is_none_or(|again| again.promise != broken.promise) {
        return format!("seed {seed} broke promise {} once, and not again: {}", broken.promise, broken.what);
    }
    let events = story::shorten(all, broken.promise, ends);
    let Lived { broken, story, .. } = live(runtime, seed, &events);
    let end = broken.map_or(String::new(), |broken| format!("promise {}: {}", broken.promise, broken.what));
    format!("seed {seed}, in {} events:\n  {}\n  => {end}", events.len(), story.join("\n  "))
}

fn number(variable: &str, otherwise: u64) -> u64 {
    let given = std::env::var(variable).ok().filter(|given| !given.is_empty());
    given.map_or(otherwise, |given| {
        given.parse().unwrap_or_else(|_| panic!("{variable} is {given:?}; give it a number"))
    })
}

/// Lives so many lives from this seed on, on every core; stops at so many bad ends.
fn simulate(first: u64, runs: u64, most: usize) -> Result<BTreeMap<String, u64>, Vec<(u64, Broken)>> {
    let next = AtomicU64::new(first);
    let totals = Mutex::new(BTreeMap::<String, u64>::new());
    let bad = Mutex::new(Vec::<(u64, Broken)>::new());
    let began = Instant::now();
    let said = Mutex::new(began);
    let ours = sched_getaffinity(None).unwrap();
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| ours.is_set(*core)).collect();
    std::thread::scope(|scope| {
        for core in &cores {
            scope.spawn(|| {
                // With the runtime's threads, that wait for each other all the time.
                let mut one = CpuSet::new();
                one.set(*core);
                sched_setaffinity(None, &one).unwrap();
                let runtime = runtime();
                let mut counts = BTreeMap::new();
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= first.saturating_add(runs) || bad.lock().unwrap().len() >= most {
                        break;
                    }
                    let lived = live(&runtime, seed, &events(seed));
                    for (what, count) in lived.counts {
                        *counts.entry(what).or_insert(0) += count;
                    }
                    if let Some(broken) = lived.broken {
                        bad.lock().unwrap().push((seed, broken));
                    }
                    let mut said = said.lock().unwrap();
                    if said.elapsed() > Duration::from_secs(10) {
                        *said = Instant::now();
                        let (count, seconds) = (seed - first, began.elapsed().as_secs_f64());
                        eprintln!("{count} lives in {seconds:.0} s");
                    }
                }
                let mut totals = totals.lock().unwrap();
                for (what, count) in counts {
                    *totals.entry(what).or_insert(0) += count;
                }
            });
        }
    });
    let seconds = began.elapsed().as_secs_f64();
    let mut bad = bad.into_inner().unwrap();
    if !bad.is_empty() {
        bad.sort_by_key(|(seed, _)| *seed);
        return Err(bad);
    }
    #[expect(clippy::cast_precision_loss, reason = "shown to people")]
    let rate = runs as f64 * 60.0 / seconds;
    println!(
        "{runs} lives from seed {first} in {seconds:.1} s on {} cores: {rate:.0} a minute, no promise broken",
        cores.len()
    );
    Ok(totals.into_inner().unwrap())
}

#[test]
fn lives_keep_the_promises() {
    let (runs, seed) = (number("RUNS", FEW), number("SEED", 1));
    // Panics in lives are told with their stories.
    std::panic::set_hook(Box::new(|_| {}));
    let ended = simulate(seed, runs, usize::try_from(number("BAD", 1)).unwrap());
    drop(std::panic::take_hook());
    match ended {
        Ok(counts) => {
            for (what, count) in counts {
                println!("  {count:>9}  {what}");
            }
        }
        Err(bad) => {
            std::panic::set_hook(Box::new(|_| {}));
            let stories: Vec<String> =
                bad.iter().map(|(seed, broken)| tell(&runtime(), *seed, broken)).collect();
            drop(std::panic::take_hook());
            panic!("{}\nSee it again: make simulate RUNS=1 SEED={}", stories.join("\n\n"), bad[0].0);
        }
    }
}
