//! `rollcall completion`

use anyhow::Result;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::out::Out;
use super::{Cli, Exit};

/// Print completions for a shell, such as `source <(rollcall completion bash)`.
#[derive(Debug, Args)]
pub(super) struct Completion {
    /// The shell.
    shell: Shell,
}

impl Completion {
    pub(super) fn run(self, out: &mut Out<'_>) -> Result<Exit> {
        clap_complete::generate(self.shell, &mut Cli::command(), "rollcall", out.verbatim());
        out.flush()?;
        Ok(Exit::Fine)
    }
}
