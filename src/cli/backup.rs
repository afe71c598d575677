//! `rollcall backup`

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::Exit;
use crate::store::Store;

/// Write one consistent copy of everything that is remembered, also while another rollcall is at work.
///
/// To restore it, put it into an empty data folder under the name rollcall.db.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The data folder.
    #[arg(long, env = "ROLLCALL_DATA", value_name = "DIR")]
    data: PathBuf,
    /// The file to write; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

impl Backup {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<Exit> {
        Store::open_read_only(&self.data)?.backup(&self.to)?;
        writeln!(out, "{} holds a copy of {}", self.to.display(), self.data.display())?;
        Ok(Exit::Fine)
    }
}
