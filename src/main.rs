//! Parses, dispatches, exits.

use std::process::ExitCode;

use clap::Parser as _;
use rollcall::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
