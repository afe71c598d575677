//! What `rollcall sync` is given.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Read the directories and run every policy once.
///
/// Manifests contain DirectoryConnectors and SyncPolicies, and the Secrets and ConfigMaps that they refer to.
/// Operations that exceed a policy's limits are held; all others are executed.
///
/// The exit code is the first that applies: 1 if something failed or more entries are quarantined than
/// limits.quarantined allows, 2 if a part of the input is invalid (the valid parts were synced), 3 if something is
/// held, else 0.
#[derive(Debug, Args)]
pub(in crate::cli) struct Sync {
    /// A manifest, a folder of manifests, or - for standard input.
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true, num_args = 1..)]
    pub(in crate::cli) filename: Vec<PathBuf>,
    /// The data folder: what was read, held and done. It is created if it does not exist.
    #[arg(long, env = "ROLLCALL_DATA", value_name = "DIR")]
    pub(in crate::cli) data: PathBuf,
    /// Show what would be done, and change nothing at the target.
    #[arg(long)]
    pub(in crate::cli) preview: bool,
    /// Approve the held operations with this digest, for 24 hours and as long as the specs do not change.
    #[arg(long, value_name = "DIGEST")]
    pub(in crate::cli) approve: Option<String>,
    /// First compare targets that others can change with what was left there, and do with drift what spec.verify says.
    #[arg(long)]
    pub(in crate::cli) verify: bool,
    /// The output format.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(in crate::cli) output: Output,
}

/// An output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Output {
    /// For people.
    Table,
    /// The two kinds of objects with their status.
    Json,
}
