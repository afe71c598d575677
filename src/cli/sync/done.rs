//! What came of everything, and what the process exits with.

use std::collections::BTreeMap;

use anyhow::Result;

use super::arguments::Sync;
use crate::cli::exit::Exit;
use crate::directory::ConnectorName;
use crate::spec::{Resolved, Runnable};
use crate::store::StoreError;
use crate::sync::import::{ImportError, Imported};
use crate::sync::run::{Approval, RunReport, RunResult};

/// The results of all imports and runs.
pub(super) struct Done {
    pub(super) resolved: Resolved,
    pub(super) imports: BTreeMap<ConnectorName, Result<Imported, ImportError>>,
    pub(super) runs: Vec<(Runnable, Result<RunReport, NotRun>)>,
}

/// Why a policy was not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotRun {
    /// Its connector cannot be used; the error is shown with the connector.
    #[error("DirectoryConnector {0} is invalid; nothing is done until it is corrected")]
    Connector(ConnectorName),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Done {
    pub(super) fn exit(&self, sync: &Sync) -> Exit {
        let imports = self.imports.values().map(|imported| match imported {
            Ok(_) => Exit::Fine,
            Err(_) => Exit::Failed,
        });
        let runs = self.runs.iter().map(|(_, report)| match report.as_ref().map(RunReport::result) {
            Err(NotRun::Connector(_)) => Exit::Invalid,
            Err(NotRun::Store(_))
            | Ok(RunResult::Failed | RunResult::SourceFailed | RunResult::TooManyQuarantined) => Exit::Failed,
            Ok(RunResult::Held) => Exit::Held,
            Ok(RunResult::InStep | RunResult::InStepWithExceptions | RunResult::Previewed) => Exit::Fine,
        });
        let input = if self.resolved.problems.is_empty() && !self.approval_missed(sync) {
            Exit::Fine
        } else {
            Exit::Invalid
        };
        imports.chain(runs).chain([input]).min().unwrap_or(Exit::Fine)
    }

    /// Whether an approval was given, and names nothing that is held.
    pub(super) fn approval_missed(&self, sync: &Sync) -> bool {
        let accepted =
            |report: &RunReport| matches!(report.approval, Some(Approval::Accepted | Approval::Moves));
        sync.approve.is_some() && !self.reports().any(accepted)
    }

    fn reports(&self) -> impl Iterator<Item = &RunReport> {
        self.runs.iter().filter_map(|(_, report)| report.as_ref().ok())
    }
}
