//! `rollcall registry`

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::Exit;
use super::exit::Invalid;
use super::out::Out;
use crate::directory::Owner;
use crate::serve;
use crate::store::{Store, StoreError};

/// Read the embedded registry.
#[derive(Debug, Args)]
pub(super) struct Registry {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print users and groups as SCIM resources, one JSON object on each line, sorted by policy, kind and name.
    Export(Export),
}

#[derive(Debug, Args)]
struct Export {
    /// The data folder.
    #[arg(long, env = "ROLLCALL_DATA", value_name = "DIR")]
    data: PathBuf,
    /// Print only the registry of this policy.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    policy: Option<String>,
}

impl Registry {
    pub(super) fn run(self, out: &mut Out<'_>) -> Result<Exit> {
        let Verb::Export(Export { data, policy }) = self.verb;
        let store = Store::open_read_only(&data)?;
        let owners = store.owners()?;
        let wanted: Vec<&Owner> = match &policy {
            Some(name) => owners.iter().filter(|owner| owner.as_str() == name).collect(),
            None => owners.iter().collect(),
        };
        if let (Some(name), true) = (&policy, wanted.is_empty()) {
            let there: Vec<&str> = owners.iter().map(Owner::as_str).collect();
            let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
            return Err(Invalid(format!("no policy {name} has ever run here (known: {there})")).into());
        }
        for owner in wanted {
            let mut written = Ok(());
            serve::export(&store, owner, |resource| {
                if written.is_ok() {
                    written = out.json_line(&resource);
                }
                Ok::<_, StoreError>(())
            })?;
            written?;
        }
        Ok(Exit::Fine)
    }
}
