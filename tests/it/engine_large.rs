//! What a large directory costs through a Sync Engine, and what becomes of it if something breaks meanwhile: `make engine-large` has
//! 100,000 users and a million memberships, every test run a small part of that.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rollcall::clock::SystemClock;
use rollcall::directory::ConnectorName;
use rollcall::engine::{Line, Settings, run};
use rollcall::source::SourceConfig;
use rollcall::source::ldap::LdapConfig;
use rollcall::store::Store;
use rollcall::sync::import::{ImportError, Imported, Options, import};
use rollcall::wire;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::company::large;
use crate::support::cut::Cuts;
use crate::support::engine::{Gate, corp, directory, key, yaml};
use crate::support::faults::{Dice, count, tell};
use crate::support::large::read;
use crate::support::process::Process;
use crate::support::slapd::{Setup, Slapd};

/// From so many users on the bounds hold; below, what begins and ends a read weighs too much.
const LARGE: u64 = 100_000;
/// An engine may take so much memory, in KiB.
const OF_THE_ENGINE: u64 = 60 << 10;
/// What is read through an engine may take so much longer than what is read directly.
const LONGER: f64 = 1.5;
/// So many idle engines may cost the gateway so much memory, in KiB, and such a part of a core.
const IDLE: usize = 200;
const OF_IDLE: u64 = 40 << 10;
const PART_OF_A_CORE: f64 = 0.01;

/// For each twenty users one group, of two hundred members.
fn served(people: u64) -> Slapd {
    let people = usize::try_from(people).unwrap();
    Slapd::start(&Setup { ldif: &large(people, people / 20, 200, 200), ..Setup::default() })
}

fn direct(slapd: &Slapd) -> SourceConfig {
    SourceConfig::Ldap(crate::ldap::generic(LdapConfig {
        page_size: 1000,
        ..crate::ldap::config(&[&slapd.url()])
    }))
}

fn through(gate: &Gate) -> SourceConfig {
    gate.source(wire::Directory { page_size: 1000, ..directory(&[]) })
}

/// A figure of a process, in KiB.
fn memory(process: &str, figure: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap();
    line.trim_matches([':', ' ', '\t', 'k', 'B']).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_directory_takes_an_engine_little_more_than_a_direct_read() {
    let people = count("PEOPLE", 2_000);
    let slapd = served(people);
    let mut gate = Gate::open();
    let engine = gate.start("one", &slapd.url(), gate.port);
    let (mut directly, mut by_engine) = (Duration::MAX, Duration::MAX);
    // In turns, so that neither has the better moment.
    for _ in 0..2 {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (store, beside) = (Store::open(one.path()).unwrap(), Store::open(other.path()).unwrap());
        directly = directly.min(read(&direct(&slapd).open(None), &beside, &corp()).await.0);
        let (took, imported) = read(&through(&gate).open(None), &store, &corp()).await;
        by_engine = by_engine.min(took);
        assert_eq!((imported.info.users, imported.info.groups), (people, people / 20));
        // What came is what is there: a direct read finds nothing else.
        let (_, again) = read(&direct(&slapd).open(None), &store, &corp()).await;
        assert_eq!((again.changed, again.removed, again.unsettled), (0, 0, 0));
    }
    let peak = memory(&engine.id().to_string(), "VmHWM");
    let ratio = by_engine.as_secs_f64() / directly.as_secs_f64();
    tell(format_args!(
        "{people} users, {} memberships: directly in {directly:.1?}, through an engine in {by_engine:.1?} ({ratio:.2} times), engine {} MB \
         at most",
        people * 10,
        peak >> 10,
    ));
    if people >= LARGE {
        assert!(ratio <= LONGER, "{ratio}");
        assert!(peak <= OF_THE_ENGINE, "the engine took {peak} KiB");
    }
}

/// What a read through an engine is meanwhile.
struct Reading {
    came: Arc<AtomicU64>,
    task: JoinHandle<Result<Imported, ImportError>>,
}

impl Reading {
    fn begin(gate: &Gate, store: &Store) -> Self {
        let (source, store, came) = (through(gate).open(None), store.clone(), Arc::<AtomicU64>::default());
        let counted = came.clone();
        let options = Options {
            look_ups: Options::LOOK_UPS,
            timeout: Duration::from_hours(1),
            full_read_every: Duration::from_hours(24),
        };
        let task = tokio::spawn(async move {
            let tell = move |count| counted.store(count, Ordering::Release);
            Box::pin(import(&source, &store, &corp(), options, &SystemClock, tell)).await
        });
        Self { came, task }
    }

    /// Waits until so many entries came, or it has ended.
    async fn until(&self, entries: u64) {
        while self.came.load(Ordering::Acquire) < entries && !self.task.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// How it ends: it may fail, and removes nobody.
    async fn ends(self) -> bool {
        let ended = tokio::time::timeout(Duration::from_mins(5), self.task).await.unwrap().unwrap();
        if let Ok(imported) = &ended {
            let of = (imported.changed, imported.removed, imported.unsettled);
            assert_eq!(of, (0, 0, 0), "what came is not what is there");
        }
        ended.is_ok()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_breaks_during_a_read_it_is_whole_or_not_used() {
    let (people, faults) = (count("PEOPLE", 2_000), count("FAULTS", 1));
    // An engine waits longer after each, up to half a minute.
    let many = count("CUTS", 5);
    let slapd = served(people);
    let mut gate = Gate::open();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let cuts = Cuts::start(gate.port, many, 3000 + people * 5).await;
    let mut engine = gate.start("one", &slapd.url(), cuts.port);
    let mut dice = Dice::new();

    // Cuts after so many bytes: none of them ends a read.
    let mut reads = 0;
    while reads == 0 || !cuts.left.lock().unwrap().is_empty() {
        let (_, imported) = read(&through(&gate).open(None), &store, &corp()).await;
        assert!((imported.info.users, imported.removed, imported.unsettled) == (people, 0, 0));
        assert!(reads == 0 || imported.changed == 0);
        reads += 1;
    }
    let (_, again) = read(&direct(&slapd).open(None), &store, &corp()).await;
    assert_eq!((again.changed, again.removed, again.unsettled), (0, 0, 0));
    tell(format_args!("{people} users: {reads} reads through {many} cuts, each whole"));

    let (mut whole, mut given_up) = (0, 0);
    let mut judge = |is_whole: bool| if is_whole { whole += 1 } else { given_up += 1 };
    for _ in 0..faults {
        // The engine is killed.
        let reading = Reading::begin(&gate, &store);
        reading.until(1 + dice.below(people)).await;
        engine.kill();
        engine = gate.start("one", &slapd.url(), cuts.port);
        judge(reading.ends().await);

        // The operator is: of a read that it had begun nobody hears any more.
        let reading = Reading::begin(&gate, &store);
        reading.until(1 + dice.below(people)).await;
        reading.task.abort();
        drop(reading.task.await);
        gate.again().await;
        judge(Reading::begin(&gate, &store).ends().await);

        // The engine is killed, and another one, that stands by, takes over.
        let standby = gate.start("two", &slapd.url(), gate.port);
        stands_by(&gate.path("two.log"), &standby).await;
        let reading = Reading::begin(&gate, &store);
        reading.until(1 + dice.below(people)).await;
        engine.kill();
        let killed = Instant::now();
        judge(reading.ends().await);
        assert!(Reading::begin(&gate, &store).ends().await, "the other one reads");
        let took = killed.elapsed();
        tell(format_args!("another engine took over and read everything within {took:.1?}"));
        let reads = |state: &&rollcall::source::engine::State| state.is_active && state.is_connected;
        assert_eq!(gate.engines().states(&corp()).iter().filter(reads).count(), 1);
        drop(standby);
        fs::remove_file(gate.path("two.log")).unwrap();
        engine = gate.start("one", &slapd.url(), cuts.port);
        assert!(Reading::begin(&gate, &store).ends().await, "the first one reads again");
    }
    tell(format_args!(
        "{people} users: {} reads in which the engine or the operator was killed, or another engine took over: {whole} whole, {given_up} \
         not used, nobody removed",
        3 * faults
    ));
    let (_, again) = read(&direct(&slapd).open(None), &store, &corp()).await;
    assert_eq!((again.changed, again.removed, again.unsettled), (0, 0, 0));
    let info = store.snapshot_info(&ConnectorName::new("id", "corp")).unwrap().unwrap();
    assert_eq!((info.users, info.groups), (people, people / 20));
}

/// Waits until an engine says that it stands by.
async fn stands_by(log: &Path, _engine: &Process) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !fs::read_to_string(log).unwrap_or_default().contains("this engine stands by") {
        assert!(Instant::now() < deadline, "{}", fs::read_to_string(log).unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Where the engines of another process come to, and where their files are.
const AT: &str = "ROLLCALL_TEST_IDLE_ENGINES";

/// Runs idle engines until its standard input ends, if it is asked to: they must not count as the gateway's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_engines_in_a_process_of_their_own() {
    let Ok(folder) = std::env::var(AT) else { return };
    let stop = CancellationToken::new();
    for number in 0.. {
        let file = Path::new(&folder).join(format!("{number}.yaml"));
        let Ok(settings) = Settings::read(&file) else { break };
        let key = rollcall::engine::Identity::read(&settings.state_dir).unwrap().key;
        let http = settings.http().unwrap();
        let line = Line::new(http, &settings.gateway.url, key, Arc::new(SystemClock)).unwrap();
        let stop = stop.clone();
        tokio::spawn(async move { Box::pin(run(&file, line, "idle", stop)).await });
    }
    tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin())).await.unwrap().unwrap();
    stop.cancel();
}

/// The time that this process worked, in seconds.
fn worked() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u32 = fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap();
    // USER_HZ is 100 everywhere.
    f64::from(ticks) / 100.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_that_have_nothing_to_do_cost_the_gateway_next_to_nothing() {
    let is_large = count("PEOPLE", 0) >= LARGE;
    let (many, watched) = if is_large { (IDLE, 60) } else { (10, 1) };
    let gate = Gate::open();
    let before = memory("self", "VmRSS");
    for number in 0..many {
        let public = key(&gate.path(&number.to_string()));
        gate.gateway.engines.enrol(&ConnectorName::new("id", &number.to_string()), [public]);
        let yaml = yaml(&gate.path(""), "ldap://127.0.0.1:1", gate.port, "")
            .replace("/state\n", &format!("/{number}\n"));
        fs::write(gate.path(&format!("{number}.yaml")), yaml).unwrap();
    }
    let mut engines = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "engine_large::idle_engines_in_a_process_of_their_own"])
        .env(AT, gate.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while gate.engines().count() != (many, many) {
        assert!(Instant::now() < deadline, "{:?}", gate.engines().count());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (began, at) = (worked(), Instant::now());
    tokio::time::sleep(Duration::from_secs(watched)).await;
    let part = (worked() - began) / at.elapsed().as_secs_f64();
    let more = memory("self", "VmRSS").saturating_sub(before);
    assert_eq!(gate.engines().count(), (many, many));
    tell(format_args!(
        "{many} idle engines: the gateway has {} MB more, and works {:.2} % of the time of a core",
        more >> 10,
        part * 100.0
    ));
    drop(engines.stdin.take());
    assert!(engines.wait().unwrap().success());
    if is_large {
        assert!(more <= OF_IDLE, "{more} KiB more");
        assert!(part <= PART_OF_A_CORE, "{part}");
    }
}
