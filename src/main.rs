//! Parses the command line, runs the command, and exits.

use std::process::ExitCode;

use clap::Parser as _;
use rollcall::cli::Cli;

/// Directories are made of small strings: measured in docs/performance.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
