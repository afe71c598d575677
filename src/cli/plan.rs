//! `rollcall plan`

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::Exit;
use super::exit::Invalid;
use super::out::Out;
use super::output::Output;
use super::table::Table;
use crate::store::Store;
use crate::store::hold::{Hold, Line};
use crate::text::clean;
use crate::words::count;

mod exceptions;

/// Show held operations and exceptions.
#[derive(Debug, Args)]
pub(super) struct Plan {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show every held operation with its evidence.
    ///
    /// To approve them, run the same `rollcall sync` with `--approve DIGEST`. To prevent them, correct the directory or
    /// the policy. If they are held because the policy names another target, set the target back first.
    Show(Show),
    /// Show the entries that the last runs could not process, or that wait for a name, with the reason and what to do.
    ///
    /// What they have at the target stays as it is. Correct them in the directory: the next run processes them.
    Exceptions(exceptions::Show),
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The data folder.
    #[arg(long, env = "ROLLCALL_DATA", value_name = "DIR")]
    data: PathBuf,
    /// Show only the hold with this digest; its beginning is enough.
    digest: Option<String>,
    /// The output format.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

impl Plan {
    pub(super) fn run(self, out: &mut Out<'_>) -> Result<Exit> {
        match self.verb {
            Verb::Show(show) => show.run(out),
            Verb::Exceptions(show) => show.run(out),
        }
    }
}

impl Show {
    /// Everything that is held, as a table.
    pub(super) fn of(data: PathBuf) -> Self {
        Self { data, digest: None, output: Output::Table }
    }

    pub(super) fn run(self, out: &mut Out<'_>) -> Result<Exit> {
        let Self { data, digest, output } = self;
        let mut holds = Store::open_read_only(&data)?.holds()?;
        if let Some(wanted) = &digest {
            let bare = |digest: &str| digest.strip_prefix("sha256:").unwrap_or(digest).to_owned();
            holds.retain(|hold| bare(&hold.digest).starts_with(&bare(wanted)));
            if holds.is_empty() {
                let why = format!("no hold has the digest {wanted}; `rollcall plan show` lists all holds");
                return Err(Invalid(why).into());
            }
        }
        output.print(out, &holds, show, csv)
    }
}

fn show(out: &mut Out<'_>, holds: &[Hold]) -> Result<()> {
    if holds.is_empty() {
        out.line("Nothing is held.")?;
    }
    for hold in holds {
        out.line(format_args!(
            "SyncPolicy {}: {} held",
            hold.owner,
            count(hold.lines.len() as u64, "operation", "operations")
        ))?;
        out.line(format_args!("since    {:.0}", hold.since))?;
        out.line(format_args!("because  {}", hold.reason))?;
        if let Some(who) = &hold.approved_by {
            out.line(format_args!(
                "approved by {}; what is still held waits for its directory, or for the next run",
                clean(who)
            ))?;
        }
        out.paragraph(format_args!("digest   {}", hold.digest))?;
        let mut lines = Table::new(&["name", "member", "action", "evidence", "held because"]);
        let mut sorted: Vec<&Line> = hold.lines.iter().collect();
        sorted.sort_by_key(|line| (&line.class, &line.name, &line.member_name));
        for line in sorted {
            let member = line.member_name.as_deref().unwrap_or_default();
            let none = if line.can_be_approved() { "" } else { "none" };
            let grade = line.grade.as_deref().unwrap_or(none);
            lines.row([&line.name, member, &line.action, grade, &line.why]);
        }
        out.table(&lines)?;
    }
    Ok(())
}

fn csv(out: &mut Out<'_>, holds: &[Hold]) -> Result<()> {
    let headings = [
        "policy",
        "digest",
        "class",
        "name",
        "member",
        "action",
        "evidence",
        "why",
        "subject",
        "memberSubject",
        "doubtful",
        "verb",
    ];
    let lines = holds.iter().flat_map(|hold| hold.lines.iter().map(move |line| (hold, line)));
    let rows = lines.map(|(hold, line)| {
        let Line { class, subject, member, grade, doubtful, verb, action, name, member_name, why } = line;
        [
            hold.owner.as_str(),
            &hold.digest,
            class,
            name,
            member_name.as_deref().unwrap_or_default(),
            action,
            grade.as_deref().unwrap_or_default(),
            why,
            subject,
            member.as_deref().unwrap_or_default(),
            if *doubtful { "true" } else { "false" },
            verb,
        ]
    });
    out.csv(headings, rows)
}
