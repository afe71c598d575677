//! `rollcall sync`

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::Exit;
use super::out::{self, Out};
use super::progress::Progress;
use crate::clock::SystemClock;
use crate::directory::ConnectorName;
use crate::spec::{self, Connector, Resolved, Runnable, manifest};
use crate::store::{Store, StoreError};
use crate::sync::import::{self, ImportError, Imported, import};
use crate::sync::run::{self, RunReport, Stop, run};
use crate::target::registry::Registry;
use crate::target::turn::{Executors, May};

mod arguments;
mod done;
mod print;
mod status;

pub(super) use arguments::{Output, Sync};
use done::{Done, NotRun};

impl Sync {
    pub(super) fn run(self, out: &mut Out<'_>) -> Result<Exit> {
        let manifests = manifest::read(&self.filename);
        for ignored in &manifests.ignored {
            out::note(format_args!("{ignored} is of another kind and was ignored"));
        }
        let resolved = spec::resolve(&manifests.objects).with(manifests.problems);
        for problem in &resolved.problems {
            out::error(problem);
        }
        if resolved.connectors.is_empty() && resolved.policies.is_empty() {
            if resolved.problems.is_empty() {
                out::error("the files of -f contain neither a DirectoryConnector nor a SyncPolicy");
            }
            let done = Done { resolved, imports: BTreeMap::new(), runs: Vec::new() };
            if self.output == Output::Json {
                print::json(out, &done)?;
            }
            return Ok(Exit::Invalid);
        }
        let store = Store::open(&self.data)?;
        // Beside what is read, so that no run has to wait for it.
        let looked_at = store.clone();
        let looking = thread::spawn(move || looked_at.examine());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let done = runtime.block_on(self.everything(resolved, &store));
        // A read that was given up may hang in the system; nobody waits for it.
        runtime.shutdown_background();
        match self.output {
            Output::Table => print::table(out, &done, &self)?,
            Output::Json => print::json(out, &done)?,
        }
        let damage = looking
            .join()
            .unwrap_or_else(|_| Err(StoreError::Ended("the check of the store panicked".to_owned())))?;
        if let Some(damage) = damage.into_iter().next() {
            out::error(StoreError::Damaged(damage));
            return Ok(Exit::Failed);
        }
        Ok(done.exit(&self))
    }

    async fn everything(&self, resolved: Resolved, store: &Store) -> Done {
        let mut done = Done { resolved, imports: BTreeMap::new(), runs: Vec::new() };
        for connector in done.resolved.connectors.values().filter(|connector| !connector.suspend) {
            let imported = self.import(connector, store).await;
            done.imports.insert(connector.name.clone(), imported);
        }
        let failed: BTreeSet<ConnectorName> = done
            .imports
            .iter()
            .filter(|(_, imported)| imported.is_err())
            .map(|(connector, _)| connector.clone())
            .collect();
        let executors = Executors::default();
        for runnable in done.resolved.policies.iter().filter(|runnable| !runnable.suspend) {
            let report = self.run_policy(runnable, &failed, &done.resolved, store, &executors).await;
            done.runs.push((runnable.clone(), report));
        }
        done
    }

    async fn import(&self, connector: &Connector, store: &Store) -> Result<Imported, ImportError> {
        let progress = Progress::open(&format!("reading {}", connector.name));
        let heard = progress.clone();
        // What is about to be approved is looked up whatever its number.
        let look_ups = if self.approve.is_some() { usize::MAX } else { import::Options::LOOK_UPS };
        let options = import::Options {
            look_ups,
            timeout: connector.timeout,
            full_read_every: connector.full_read_every,
        };
        let (name, hear) = (&connector.name, move |came| heard.at(came));
        let source = connector.source.open(None);
        let imported = import(&source, store, name, options, &SystemClock, hear).await;
        progress.end();
        if let Err(ImportError::Source(error)) = &imported {
            error.log();
        }
        imported
    }

    async fn run_policy(
        &self,
        runnable: &Runnable,
        failed: &BTreeSet<ConnectorName>,
        resolved: &Resolved,
        store: &Store,
        executors: &Executors,
    ) -> Result<RunReport, NotRun> {
        let policy = &runnable.policy;
        if let Some(missing) =
            policy.connectors.iter().find(|binding| !resolved.connectors.contains_key(&binding.connector))
        {
            return Err(NotRun::Connector(missing.connector.clone()));
        }
        let mine = policy.connectors.iter().map(|binding| binding.connector.clone());
        let (timeout, until) = (runnable.timeout, Instant::now() + runnable.timeout);
        let stop = Stop::when(move || (Instant::now() >= until).then(|| late(timeout)));
        let options = run::Options {
            stop,
            replan: run::Replan::default(),
            verify: runnable.verify.map(|(_, on_drift)| on_drift).filter(|_| self.verify),
            id: None,
            preview: self.preview || runnable.preview,
            approve: self.approve.clone(),
            approved_by: None,
            failed_connectors: mine.filter(|connector| failed.contains(connector)).collect(),
        };
        if let Some(digest) = self.approve.as_ref().filter(|_| !options.preview) {
            // Whoever gives it again approves again what was executed meanwhile.
            store.forget_approval(&policy.owner, digest)?;
        }
        let registry = Registry::new(store.clone(), policy.owner.clone());
        let may = move || if Instant::now() < until { May::Yes } else { May::Never(late(timeout)) };
        let target = runnable.target.open(registry, executors, may, Arc::new(SystemClock));
        let target = match target.await {
            Ok(target) => target,
            Err(error) => {
                let identity = runnable.target.identity(&policy.owner);
                return Ok(run::unreached(store, policy, &identity, options, &SystemClock, error).await?);
            }
        };
        let progress = Progress::counted(&format!("applying {}", policy.owner));
        let work = run::Work {
            store,
            target: &target,
            policy: policy.clone(),
            rebuild: spec::rebuild,
            clock: &SystemClock,
        };
        let report = run(work, options, |done, all| progress.of(done, all)).await;
        progress.end();
        Ok(report?)
    }
}

fn late(timeout: Duration) -> String {
    format!("the run took longer than {} s (spec.timeout)", timeout.as_secs())
}
