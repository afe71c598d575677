//! `rollcall plan`

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::Exit;
use super::exit::Invalid;
use super::table::{table, text};
use crate::controller::words::count;
use crate::store::Store;
use crate::store::hold::{Hold, Line};

mod exceptions;

/// Look at what waits for a person.
#[derive(Debug, Args)]
pub(super) struct Plan {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show every held operation with the evidence for it.
    ///
    /// To let it happen, run the same `rollcall sync` with `--approve DIGEST`; to prevent it, correct
    /// the directory or the policy.
    Show(Show),
    /// Show the entries that the last runs could not take as they are, or that wait for a name, with the reason
    /// and what to do.
    ///
    /// What they have at the target stays as it is. Correct them in the directory: the next run takes them.
    Exceptions(exceptions::Show),
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The data folder.
    #[arg(long, env = "ROLLCALL_DATA", value_name = "DIR")]
    data: PathBuf,
    /// Only the hold of this digest; its beginning is enough.
    digest: Option<String>,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Json,
    Csv,
}

impl Plan {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<Exit> {
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

    pub(super) fn run(self, out: &mut dyn Write) -> Result<Exit> {
        let Self { data, digest, output } = self;
        let mut holds = Store::open_read_only(&data)?.holds()?;
        if let Some(wanted) = &digest {
            let bare = |digest: &str| digest.strip_prefix("sha256:").unwrap_or(digest).to_owned();
            holds.retain(|hold| bare(&hold.digest).starts_with(&bare(wanted)));
            if holds.is_empty() {
                let why = format!(
                    "nothing that is held has the digest {wanted}; `rollcall plan show` lists what is"
                );
                return Err(Invalid(why).into());
            }
        }
        output.print(out, &holds, show, csv)
    }
}

/// Prints all of these, as people or programs want them.
type Print<T> = fn(&mut dyn Write, &[T]) -> Result<()>;

impl Output {
    fn print<T: Serialize>(
        self,
        out: &mut dyn Write,
        all: &[T],
        table: Print<T>,
        csv: Print<T>,
    ) -> Result<Exit> {
        match self {
            Self::Table => table(out, all)?,
            Self::Json => writeln!(out, "{}", serde_json::to_string_pretty(all)?)?,
            Self::Csv => csv(out, all)?,
        }
        Ok(Exit::Fine)
    }
}

fn show(out: &mut dyn Write, holds: &[Hold]) -> Result<()> {
    if holds.is_empty() {
        writeln!(out, "Nothing is held.")?;
    }
    for hold in holds {
        writeln!(
            out,
            "SyncPolicy {}: {} held",
            hold.owner,
            count(hold.lines.len() as u64, "operation", "operations")
        )?;
        writeln!(out, "since    {:.0}", hold.since)?;
        writeln!(out, "because  {}", hold.reason)?;
        writeln!(out, "digest   {}\n", hold.digest)?;
        let mut lines = table(&["name", "member", "action", "evidence", "held because"]);
        let mut sorted: Vec<&Line> = hold.lines.iter().collect();
        sorted.sort_by_key(|line| (&line.class, &line.name, &line.member_name));
        for line in sorted {
            let grade = line.grade.clone().unwrap_or_default();
            let member = line.member_name.clone().unwrap_or_default();
            lines.add_row([&line.name, &member, &line.action, &grade, &line.why]);
        }
        writeln!(out, "{}", text(&lines))?;
    }
    Ok(())
}

fn csv(out: &mut dyn Write, holds: &[Hold]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(out);
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
    ];
    writer.write_record(headings)?;
    for hold in holds {
        for Line { class, subject, member, grade, doubtful, action, name, member_name, why } in &hold.lines {
            let or_nothing = |text: &Option<String>| text.clone().unwrap_or_default();
            let (grade, member_name, member) =
                (or_nothing(grade), or_nothing(member_name), or_nothing(member));
            writer.write_record([
                hold.owner.as_str(),
                &hold.digest,
                class,
                name,
                &member_name,
                action,
                &grade,
                why,
                subject,
                &member,
                if *doubtful { "true" } else { "false" },
            ])?;
        }
    }
    writer.flush()?;
    Ok(())
}
