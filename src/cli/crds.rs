//! `rollcall crds`

use std::io::Write;

use anyhow::Result;
use clap::Args;
use kube::CustomResourceExt as _;

use super::Exit;
use crate::api::{DirectoryConnector, SyncPolicy};

/// Print the definitions of the two kinds, for `kubectl apply --server-side -f -`.
#[derive(Debug, Args)]
pub(super) struct Crds;

impl Crds {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<Exit> {
        let Self = self;
        for definition in [DirectoryConnector::crd(), SyncPolicy::crd()] {
            writeln!(out, "---\n{}", serde_yaml::to_string(&definition)?.trim_end())?;
        }
        Ok(Exit::Fine)
    }
}
