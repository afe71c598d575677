//! What the measurements of large directories share: what is measured of an import and how; of those in the cloud, how large they are,
//! and the bounds.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rollcall::clock::SystemClock;
use rollcall::directory::ConnectorName;
use rollcall::source::Source;
use rollcall::store::Store;
use rollcall::sync::import::{Imported, Options, import};

use super::cli::{Desk, Ran};
use super::faults::{count, tell};

/// From so many users on the bounds hold; below, what begins and ends a read weighs too much.
const LARGE: u64 = 100_000;
/// The import may take so much memory, in KiB.
const PEAK: u64 = 100 << 10;
/// It must have so much of the rate at which the directory serves whoever throws everything away.
const RATE: f64 = 0.9;

/// How large a directory is: for each twenty users one group, of two hundred members.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) users: u32,
    pub(crate) groups: u32,
    pub(crate) members: u32,
}

/// What was measured of it.
pub(crate) struct Measured {
    /// How long it took to have everything served, and thrown away.
    pub(crate) served: Duration,
    /// How many bytes that was.
    pub(crate) bytes: usize,
    /// How long the binary took to read everything.
    pub(crate) took: Duration,
    /// The most memory that it took, in KiB.
    pub(crate) peak: u64,
}

impl Size {
    /// As `PEOPLE` says.
    pub(crate) fn asked() -> Self {
        let users = u32::try_from(count("PEOPLE", 2_000)).unwrap();
        Self { users, groups: users / 20, members: 200 }
    }

    pub(crate) fn is_large(self) -> bool {
        u64::from(self.users) >= LARGE
    }

    /// Has the real binary read this connector of the manifests, into the data of the desk. How long it took, with its start; the
    /// most memory that it took, in KiB; and what it stored.
    pub(crate) async fn read_by_binary(
        self,
        desk: &Desk,
        manifests: String,
        connector: &ConnectorName,
    ) -> (Duration, u64, Store) {
        // A policy that rests: what is measured is the import.
        let (manifests, data) =
            (desk.write("manifests.yaml", manifests + "  suspend: true\n"), desk.path("data"));
        let reading = data.clone();
        let timed = tokio::task::spawn_blocking(move || timed_sync(&manifests, &reading)).await.unwrap();
        let store = Store::open(&data).unwrap();
        let info = store.snapshot_info(connector).unwrap().unwrap();
        // One more is there: who reads, or who is changed.
        assert_eq!((info.users, info.groups), (u64::from(self.users) + 1, u64::from(self.groups)));
        (timed.took, timed.peak, store)
    }

    /// Tells what was measured, and `more`, and holds it to the bounds.
    pub(crate) fn judge(self, measured: &Measured, more: &str) {
        let Measured { served, bytes, took, peak } = measured;
        let rate = served.as_secs_f64() / took.as_secs_f64();
        tell(format_args!(
            "{} users, {} memberships, {} MB: served in {served:.1?}, read in {took:.1?} ({:.0} %), peak {} MB; {more}",
            self.users,
            u64::from(self.groups) * u64::from(self.members),
            bytes >> 20,
            rate * 100.0,
            peak >> 10,
        ));
        if self.is_large() {
            assert!(*peak <= PEAK, "the import took {peak} KiB");
            assert!(rate >= RATE, "{rate}");
        }
    }
}

/// What a run of the real binary took.
pub(crate) struct Timed {
    /// How long, from its start to its end.
    pub(crate) took: Duration,
    /// The most memory, in KiB.
    pub(crate) peak: u64,
    /// What it said.
    pub(crate) ran: Ran,
}

/// Has the real binary sync once what the manifests say, into this data folder.
pub(crate) fn timed_sync(manifests: &Path, data: &Path) -> Timed {
    let binary =
        std::env::var("ROLLCALL_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_rollcall").to_owned());
    let mut command = Command::new("/usr/bin/time");
    command.args(["-f", "peak %M", &binary, "sync", "-o", "json"]);
    command.arg("-f").arg(manifests).arg("--data").arg(data);
    // As the chart sets it for the operator.
    command.env("MIMALLOC_PURGE_DELAY", "10");
    let begun = Instant::now();
    let ran = Ran::of(&command.output().unwrap());
    let (took, ran) = (begun.elapsed(), ran.exits(0));
    let peak = ran.err.lines().rev().find_map(|line| line.strip_prefix("peak ")).unwrap().parse().unwrap();
    Timed { took, peak, ran }
}

/// Reads, beside nothing else; how long that takes, and what came of it.
pub(crate) async fn read(
    source: &impl Source,
    store: &Store,
    connector: &ConnectorName,
) -> (Duration, Imported) {
    let options = Options {
        look_ups: Options::LOOK_UPS,
        timeout: Duration::from_hours(1),
        full_read_every: Duration::from_hours(24),
    };
    let begun = Instant::now();
    let imported = import(source, store, connector, options, &SystemClock, |_| {}).await.unwrap();
    (begun.elapsed(), imported)
}
