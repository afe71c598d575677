//! The table, and the page that it stands in.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::measure::Taken;
use crate::round::{Row, What};
use crate::{Held, Size};

/// Between these two lines of the page stands what this program writes.
const BEGIN: &str = "<!-- Written by `make bench`. -->";
const END: &str = "<!-- The end of what `make bench` writes. -->";

pub(crate) fn table(size: Size, rows: &[Row]) -> String {
    let from = match size.held {
        Held::Slapd => "from slapd",
        Held::Samba => "from a domain controller (Samba)",
        Held::Nowhere => "generated while they are read",
    };
    let mut table = format!(
        "### {} users, {} groups, {} memberships {from}\n\n",
        thousands(size.people),
        thousands(size.groups),
        thousands(size.memberships())
    );
    table.push_str("| | wall, minimum | wall, median | × ldapsearch | CPU | peak memory | goal |\n|---|---|---|---|---|---|---|\n");
    let floor = rows.iter().find(|(what, _)| *what == What::LdapSearch).map(|(_, all)| all.as_slice());
    for (what, all) in rows {
        let ratio = floor.map_or_else(String::new, |floor| {
            // Within each round, so that both had the same machine.
            let mut ratios: Vec<f64> =
                all.iter().zip(floor).map(|(one, floor)| one.wall / floor.wall).collect();
            format!("{:.2}", median(&mut ratios))
        });
        // The time of this one is taken within the process, which does more.
        let inner = matches!(what, What::ProjectAndPlan | What::RunAgain(_));
        let cpu = if inner { String::new() } else { seconds(middle(all, |one| one.cpu)) };
        writeln!(
            table,
            "| {} | {} | {} | {ratio} | {cpu} | {:.0} MB | {} |",
            what.title(),
            seconds(least(all, |one| one.wall)),
            seconds(middle(all, |one| one.wall)),
            all.iter().map(|one| one.memory).fold(0.0, f64::max),
            what.goal(size)
        )
        .unwrap_or_default();
    }
    table
}

/// Puts the tables into the page, with the machine that they are of.
pub(crate) fn write(page: &Path, runs: usize, tables: &[String]) -> Result<()> {
    let text = fs::read_to_string(page)?;
    let (before, rest) = text.split_once(BEGIN).context("the page has no place for the tables")?;
    let (_, after) = rest.split_once(END).context("the page's place for the tables does not end")?;
    let written = format!("{before}{BEGIN}\n{}\n\n{}\n{END}{after}", machine(runs), tables.join("\n"));
    fs::write(page, written)?;
    Ok(())
}

fn machine(runs: usize) -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = memory.split_whitespace().nth(1).and_then(|number| number.parse::<f64>().ok());
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().ok()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        said.lines().find(|line| !line.trim().is_empty()).map(|line| line.trim().to_owned())
    };
    // Versions alone: what a distribution adds to them says nothing here.
    let version = |program: &str, argument: &str| {
        let said = said(program, argument)?;
        let number =
            said.split([' ', '-', '+']).find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
        Some(number.to_owned())
    };
    format!(
        "{} ({cores} cores), {:.0} GB of memory, Linux {}; OpenLDAP {}; Rust {}; {runs} rounds, \
         and one with generated entries.",
        model.unwrap_or("a processor of unknown model"),
        kilobytes.unwrap_or_default() / 1e6,
        version("uname", "-r").unwrap_or_default(),
        version("ldapsearch", "-VV").unwrap_or_default(),
        version("rustc", "--version").unwrap_or_default()
    )
}

impl What {
    fn title(self) -> String {
        let title = match self {
            Self::LdapSearch => "`ldapsearch`: users, then groups",
            Self::ColdImport => "cold import",
            Self::FirstRun => "first run to the registry",
            Self::ColdSync => "complete cold `rollcall sync`",
            Self::SecondRead => "second full read, nothing changed",
            Self::SyncOfNothing => "`rollcall sync` by syncrepl, nothing changed",
            Self::SyncOfOne => "from one changed person to the registry: `rollcall sync` by syncrepl",
            Self::ProjectAndPlan => "project and plan only, nothing changed",
            Self::Feed(feed, 0) => return format!("import by {feed}, nothing changed"),
            Self::Feed(feed, 1) => return format!("import by {feed}, one person changed"),
            Self::Feed(feed, people) => {
                return format!("import by {feed}, {} people changed", thousands(people));
            }
            Self::RunOfMany => "the run after that",
            Self::RunAgain(1) => "incremental run, one person changed",
            Self::RunAgain(people) => {
                return format!("incremental run, {} people changed", thousands(people));
            }
        };
        title.to_owned()
    }

    fn goal(self, size: Size) -> &'static str {
        match (self, size.name) {
            (Self::ColdImport, "large") => "≤ 1.5 ×, at most 3 ×; ≤ 100 MB",
            (Self::ColdSync, "large") => "≤ 3 s; ≤ 100 MB",
            (Self::SecondRead, "large") => "≤ 1.2 ×",
            (Self::ProjectAndPlan, "large") => "≤ 0.3 s",
            (Self::Feed(_, 0), _) => "≤ 50 ms",
            (Self::FirstRun | Self::SyncOfNothing | Self::SyncOfOne, "large") => "≤ 100 MB",
            (_, "huge") => "≤ 400 MB",
            _ => "",
        }
    }
}

fn least(all: &[Taken], of: impl Fn(&Taken) -> f64) -> f64 {
    all.iter().map(of).fold(f64::INFINITY, f64::min)
}

fn middle(all: &[Taken], of: impl Fn(&Taken) -> f64) -> f64 {
    median(&mut all.iter().map(of).collect::<Vec<f64>>())
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.get(middle) {
        Some(upper) if figures.len().is_multiple_of(2) => f64::midpoint(figures[middle - 1], *upper),
        Some(middle) => *middle,
        None => f64::NAN,
    }
}

fn seconds(seconds: f64) -> String {
    if seconds < 0.1 { format!("{:.0} ms", seconds * 1000.0) } else { format!("{seconds:.2} s") }
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|part| std::str::from_utf8(part).ok()).collect();
    groups.join(",")
}
