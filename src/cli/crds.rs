//! `rollcall crds`

use anyhow::Result;
use clap::Args;

use super::Exit;
use super::out::Out;
use crate::api::{DirectoryConnector, SyncPolicy, definition};

/// Print the definitions of both custom resources, for `kubectl apply --server-side -f -`.
#[derive(Debug, Args)]
pub(super) struct Crds;

impl Crds {
    pub(super) fn run(self, out: &mut Out<'_>) -> Result<Exit> {
        let Self = self;
        for definition in [definition::<DirectoryConnector>(), definition::<SyncPolicy>()] {
            writeln!(out.verbatim(), "---\n{}", serde_yaml::to_string(&definition)?.trim_end())?;
        }
        Ok(Exit::Fine)
    }
}
