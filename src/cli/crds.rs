//! `rollcall crds`

use anyhow::Result;
use clap::Args;
use kube::CustomResourceExt as _;

use super::Exit;
use super::out::Out;
use crate::api::{DirectoryConnector, SyncPolicy};

/// Print the definitions of the two kinds, for `kubectl apply --server-side -f -`.
#[derive(Debug, Args)]
pub(super) struct Crds;

impl Crds {
    pub(super) fn run(self, out: &mut Out<'_>) -> Result<Exit> {
        let Self = self;
        for definition in [DirectoryConnector::crd(), SyncPolicy::crd()] {
            writeln!(out.verbatim(), "---\n{}", serde_yaml::to_string(&definition)?.trim_end())?;
        }
        Ok(Exit::Fine)
    }
}
