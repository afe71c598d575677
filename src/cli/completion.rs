//! `rollcall completion`

use anyhow::Result;
use clap::{Args, Command};
use clap_complete::Shell;

use super::Exit;
use super::out::Out;

/// Print completions for a shell, such as `source <(rollcall completion bash)`.
#[derive(Debug, Args)]
pub(super) struct Completion {
    /// The shell.
    shell: Shell,
}

impl Completion {
    pub(super) fn run(self, cli: &mut Command, out: &mut Out<'_>) -> Result<Exit> {
        clap_complete::generate(self.shell, cli, "rollcall", out.verbatim());
        out.flush()?;
        Ok(Exit::Fine)
    }
}
