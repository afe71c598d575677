//! `rollcall completion`

use std::io::Write;

use anyhow::Result;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Exit};

/// Print completions for a shell, such as `source <(rollcall completion bash)`.
#[derive(Debug, Args)]
pub(super) struct Completion {
    /// For which shell.
    shell: Shell,
}

impl Completion {
    pub(super) fn run(self, mut out: &mut dyn Write) -> Result<Exit> {
        clap_complete::generate(self.shell, &mut Cli::command(), "rollcall", &mut out);
        out.flush()?;
        Ok(Exit::Fine)
    }
}
