//! `rollcall backup`

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use uuid::Uuid;

use super::Exit;
use super::out::Out;
use crate::store::Store;

/// Write a consistent copy of the database, also while another rollcall uses it.
///
/// To restore it, put the copy into an empty data folder under the name rollcall.db.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The data folder.
    #[arg(long, env = "ROLLCALL_DATA", value_name = "DIR")]
    data: PathBuf,
    /// The file to write, which must not exist yet; `-` is standard output, for `kubectl exec`.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

impl Backup {
    pub(super) fn run(self, out: &mut Out<'_>) -> Result<Exit> {
        let store = Store::open_read_only(&self.data)?;
        if self.to == Path::new("-") {
            // A copy is made in pieces, not from its beginning to its end.
            let made =
                Temporary(std::env::temp_dir().join(format!("rollcall-{}.db", Uuid::new_v4().simple())));
            store.backup(&made.0)?;
            io::copy(&mut File::open(&made.0)?, out.verbatim())?;
            return Ok(Exit::Fine);
        }
        store.backup(&self.to)?;
        out.line(format_args!("{} is a copy of {}", self.to.display(), self.data.display()))?;
        Ok(Exit::Fine)
    }
}

/// A temporary file that is deleted when this is dropped.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // It may never have come to be.
        drop(fs::remove_file(&self.0));
    }
}
