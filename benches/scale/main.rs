//! How long everything takes, and how much memory: `make bench`.
//!
//! Every figure is of a whole process, as the operating system accounts for it: `ldapsearch`, the
//! `rollcall` binary, or this program doing one step. Each round does all of them in turn, so that a
//! slow moment of the machine falls on all alike; the ratios are taken within one round. What is made as it
//! is read takes minutes, and is done once.
//!
//! `cargo bench --bench scale -- [--runs N] [small] [large] [huge] [domain] [--page]`

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

#[path = "../../tests/it/support/port.rs"]
#[allow(clippy::unwrap_used, clippy::panic, reason = "written for tests")]
mod port;
#[path = "../../tests/it/support/process.rs"]
#[allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "written for tests")]
mod process;
#[path = "../../tests/it/support/samba.rs"]
#[allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "written for tests")]
mod samba;
#[path = "../../tests/it/support/slapd.rs"]
#[allow(dead_code, clippy::unwrap_used, clippy::expect_used, reason = "written for tests")]
mod slapd;

mod company;
mod domain;
mod fake;
mod measure;
mod news;
mod page;
mod round;
mod step;

/// The one of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How much there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    name: &'static str,
    people: usize,
    groups: usize,
    /// Members of each group but the first …
    members: usize,
    /// … and of the first.
    largest: usize,
    held: Held,
}

/// What holds a company.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Slapd,
    /// A domain controller, which slows down beyond some thousand people.
    Samba,
    /// It is made as it is read.
    Nowhere,
}

const SIZES: [Size; 4] = [
    Size { name: "small", people: 10_000, groups: 500, members: 190, largest: 5_190, held: Held::Slapd },
    Size { name: "large", people: 100_000, groups: 5_000, members: 190, largest: 50_190, held: Held::Slapd },
    Size {
        name: "huge",
        people: 1_000_000,
        groups: 50_000,
        members: 190,
        largest: 500_190,
        held: Held::Nowhere,
    },
    Size { name: "domain", people: 4_000, groups: 200, members: 40, largest: 2_040, held: Held::Samba },
];

impl Size {
    fn named(name: &str) -> Result<Self> {
        SIZES.into_iter().find(|size| size.name == name).with_context(|| format!("there is no size {name:?}"))
    }

    fn memberships(&self) -> usize {
        (self.groups - 1) * self.members + self.largest
    }
}

fn main() -> Result<()> {
    // Cargo says --bench to every benchmark.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let Some(("step", step)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return step::run(step);
    }
    let (mut runs, mut sizes, mut to_page) = (5, Vec::new(), false);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--runs" => runs = rest.next().context("--runs needs a number")?.parse()?,
            "--page" => to_page = true,
            option if option.starts_with('-') => bail!("there is no option {option}"),
            size => sizes.push(Size::named(size)?),
        }
    }
    if sizes.is_empty() {
        sizes.extend(SIZES);
    }
    let mut tables = Vec::with_capacity(sizes.len());
    for size in sizes {
        let rows = match size.held {
            Held::Samba => domain::measure_domain(size, runs)?,
            Held::Slapd | Held::Nowhere => round::measure_size(size, runs)?,
        };
        let table = page::table(size, &rows);
        println!("{table}");
        tables.push(table);
    }
    if to_page {
        let page: PathBuf = [env!("CARGO_MANIFEST_DIR"), "docs", "performance.md"].iter().collect();
        page::write(&page, runs, &tables)?;
    }
    Ok(())
}
