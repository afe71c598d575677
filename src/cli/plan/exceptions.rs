//! `rollcall plan exceptions`

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::Output;
use crate::cli::Exit;
use crate::cli::table::{table, text};
use crate::controller::words::{count, thousands};
use crate::directory::SubjectKind;
use crate::store::Store;
use crate::store::exception::{Exception, Exceptions};

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The data folder.
    #[arg(long, env = "ROLLCALL_DATA", value_name = "DIR")]
    data: PathBuf,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

impl Show {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<Exit> {
        let all = Store::open_read_only(&self.data)?.exceptions()?;
        self.output.print(out, &all, show, csv)
    }
}

fn show(out: &mut dyn Write, all: &[Exceptions]) -> Result<()> {
    if all.is_empty() {
        writeln!(out, "There are no exceptions.")?;
    }
    for Exceptions { owner, since, count: how_many, named } in all {
        writeln!(out, "SyncPolicy {owner}: {}", count(*how_many, "exception", "exceptions"))?;
        writeln!(out, "since    {since:.0}\n")?;
        let mut lines = table(&["entry", "reason", "message"]);
        for Exception { entry, reason, message, .. } in named {
            lines.add_row([entry, reason, message]);
        }
        writeln!(out, "{}", text(&lines))?;
        let others = how_many.saturating_sub(named.len() as u64);
        if others > 0 {
            writeln!(out, "… and {} more\n", thousands(others))?;
        }
    }
    Ok(())
}

fn csv(out: &mut dyn Write, all: &[Exceptions]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(["policy", "kind", "entry", "reason", "message"])?;
    for Exceptions { owner, named, .. } in all {
        for Exception { kind, entry, reason, message } in named {
            let kind = match kind {
                Some(SubjectKind::User) => "user",
                Some(SubjectKind::Group) => "group",
                None => "",
            };
            writer.write_record([owner.as_str(), kind, entry, reason, message])?;
        }
    }
    writer.flush()?;
    Ok(())
}
