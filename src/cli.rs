//! The command line: one file for each command.

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::clock::{self, Clock as _, SystemClock};
use crate::telemetry;

mod argument;
mod backup;
mod chosen;
mod completion;
mod consent;
mod crds;
mod demo;
mod engine;
mod exit;
mod import_settings;
mod operator;
mod out;
mod output;
mod plan;
mod progress;
mod registry;
mod sync;
mod table;
mod target;
mod validate;
mod verify;

pub use exit::Exit;
use out::Out;

/// Keeps users and groups in step with the company directory.
///
/// Start with `rollcall demo`, a tour with a made-up company. Then write a DirectoryConnector (where the directory is)
/// and a SyncPolicy (what is synced where, within which limits), and run `rollcall sync`.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
    /// The log level for standard error (error, warn, info, debug, trace), or a filter such as rollcall=debug [default:
    /// warn; info for the operator].
    #[arg(long, global = true, env = "ROLLCALL_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// The format of log lines: text or json.
    #[arg(long, global = true, env = "ROLLCALL_LOG_FORMAT", default_value_t, value_name = "FORMAT")]
    log_format: telemetry::Format,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Sync(sync::Sync),
    Validate(validate::Validate),
    Operator(Box<operator::Operator>),
    Plan(plan::Plan),
    Registry(registry::Registry),
    Target(target::Target),
    Verify(verify::Verify),
    Demo(demo::Demo),
    Consent(consent::Consent),
    Engine(engine::Engine),
    ImportSettings(import_settings::ImportSettings),
    Crds(crds::Crds),
    Backup(backup::Backup),
    Completion(completion::Completion),
}

impl Cli {
    /// Runs the command.
    pub fn run(self) -> ExitCode {
        let ended = match &self.verb {
            Verb::Operator(_) => Some("the operator ended"),
            Verb::Engine(verb) if verb.serves() => Some("the engine ended"),
            _ => None,
        };
        let usual = if ended.is_some() { "info" } else { "warn" };
        let level = telemetry::init(self.log.as_deref().unwrap_or(usual), self.log_format);
        let stdout = io::stdout().lock();
        let mut buffer = io::BufWriter::new(stdout);
        let mut out = Out::new(&mut buffer);
        // What a server says is read by machines, to its last line.
        let tell = |error: &anyhow::Error| {
            let why = telemetry::chain(error.as_ref());
            match ended {
                Some(ended) => tracing::error!(why, "{ended}"),
                None => out::error(why),
            }
        };
        let needs_time = !matches!(self.verb, Verb::Crds(_) | Verb::Completion(_) | Verb::Validate(_));
        if needs_time && let Err(why) = clock::check(SystemClock.now()) {
            tell(&anyhow::Error::msg(why));
            return Exit::Failed.into();
        }
        let done = match self.verb {
            Verb::Sync(verb) => verb.run(&mut out),
            Verb::Validate(verb) => verb.run(&mut out),
            Verb::Operator(verb) => verb.run(level),
            Verb::Plan(verb) => verb.run(&mut out),
            Verb::Registry(verb) => verb.run(&mut out),
            Verb::Target(verb) => verb.run(&mut out),
            Verb::Verify(verb) => verb.run(&mut out),
            Verb::Demo(verb) => verb.run(&mut out),
            Verb::Consent(verb) => verb.run(&mut out),
            Verb::Engine(verb) => verb.run(&mut out),
            Verb::ImportSettings(verb) => verb.run(&mut out),
            Verb::Crds(verb) => verb.run(&mut out),
            Verb::Backup(verb) => verb.run(&mut out),
            Verb::Completion(verb) => verb.run(&mut Self::command(), &mut out),
        };
        let done = done.and_then(|exit| Ok(out.flush().map(|()| exit)?));
        match done {
            Ok(exit) => exit.into(),
            // Whoever read the output has had enough of it, as `head` has.
            Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
            Err(error) => {
                tell(&error);
                let exit = error.downcast_ref::<exit::Invalid>().map_or(Exit::Failed, |_| Exit::Invalid);
                exit.into()
            }
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::BrokenPipe)
}
