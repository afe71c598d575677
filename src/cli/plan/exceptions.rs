//! `rollcall plan exceptions`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::cli::Exit;
use crate::cli::out::Out;
use crate::cli::output::Output;
use crate::cli::table::Table;
use crate::directory::SubjectKind;
use crate::store::Store;
use crate::store::exception::{Exception, Exceptions};
use crate::words::{count, thousands};

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The data folder.
    #[arg(long, env = "ROLLCALL_DATA", value_name = "DIR")]
    data: PathBuf,
    /// The output format.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

impl Show {
    pub(super) fn run(self, out: &mut Out<'_>) -> Result<Exit> {
        let all = Store::open_read_only(&self.data)?.exceptions()?;
        self.output.print(out, &all, show, csv)
    }
}

fn show(out: &mut Out<'_>, all: &[Exceptions]) -> Result<()> {
    if all.is_empty() {
        out.line("There are no exceptions.")?;
    }
    for Exceptions { owner, since, count: how_many, named } in all {
        out.line(format_args!("SyncPolicy {owner}: {}", count(*how_many, "exception", "exceptions")))?;
        out.paragraph(format_args!("since    {since:.0}"))?;
        let mut lines = Table::new(&["entry", "reason", "message"]);
        for Exception { entry, reason, message, .. } in named {
            lines.row([entry, reason, message]);
        }
        out.table(&lines)?;
        let others = how_many.saturating_sub(named.len() as u64);
        if others > 0 {
            out.paragraph(format_args!("… and {} more", thousands(others)))?;
        }
    }
    Ok(())
}

fn csv(out: &mut Out<'_>, all: &[Exceptions]) -> Result<()> {
    let named = all.iter().flat_map(|of| of.named.iter().map(move |one| (of, one)));
    let rows = named.map(|(of, Exception { kind, entry, reason, message })| {
        let kind = match kind {
            Some(SubjectKind::User) => "user",
            Some(SubjectKind::Group) => "group",
            None => "",
        };
        [of.owner.as_str(), kind, entry, reason, message]
    });
    out.csv(["policy", "kind", "entry", "reason", "message"], rows)
}
