//! `rollcall validate`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::Exit;
use super::out::{self, Out};
use crate::spec::{self, manifest};
use crate::words::count;

/// Check manifests as the operator would, for continuous integration.
///
/// Reads no directory, contacts no cluster and writes nothing. A Secret or ConfigMap that is referred to but not among
/// the manifests is assumed to be right, and is listed.
///
/// The exit code is 2 if something is invalid, else 0.
#[derive(Debug, Args)]
pub(super) struct Validate {
    /// A manifest, a folder of manifests, or - for standard input.
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true, num_args = 1..)]
    filename: Vec<PathBuf>,
}

impl Validate {
    pub(super) fn run(self, out: &mut Out<'_>) -> Result<Exit> {
        let mut manifests = manifest::read(&self.filename);
        for ignored in &manifests.ignored {
            out::note(format_args!("{ignored} is of another kind and was ignored"));
        }
        for (name, reference) in manifests.objects.stand_in() {
            let namespace = name.namespace;
            out::note(format_args!(
                "{reference} in {namespace} is not among the files of -f, and was not checked"
            ));
        }
        for (name, (connector, _)) in &manifests.objects.connectors {
            if connector.ldif.as_ref().is_some_and(|ldif| ldif.path.is_some()) {
                out::note(format_args!(
                    "DirectoryConnector {name}: spec.ldif.path is for `rollcall sync` only; the operator refuses it"
                ));
            }
        }
        let (connectors, policies) = (manifests.objects.connectors.len(), manifests.objects.policies.len());
        let problems = spec::resolve(&manifests.objects).with(manifests.problems).problems;
        for problem in &problems {
            out::error(problem);
        }
        if !problems.is_empty() {
            return Ok(Exit::Invalid);
        }
        if connectors + policies == 0 {
            out::error("the files of -f contain neither a DirectoryConnector nor a SyncPolicy");
            return Ok(Exit::Invalid);
        }
        out.line(format_args!(
            "valid: {}, {}",
            count(connectors as u64, "DirectoryConnector", "DirectoryConnectors"),
            count(policies as u64, "SyncPolicy", "SyncPolicies")
        ))?;
        Ok(Exit::Fine)
    }
}
