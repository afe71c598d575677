//! Asks for work, again and again, until it is stopped.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::line::{Line, LineError};
use super::settings::Settings;
use super::task::Desk;
use crate::net::http::chance;
use crate::wire::{self, Hello, Work, path};

/// So many tasks are done at once.
const TASKS: usize = 8;
/// How long after a failure work is asked for again; doubled with each, up to the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);

/// Asks for work and does it, until `stop`. `file` is read again for each task: what whoever runs the engine changes counts at once.
pub async fn run(file: &Path, line: Line, host: &str, stop: CancellationToken) {
    let desk = Arc::new(Desk::new(Arc::new(line)));
    let mut tasks = JoinSet::new();
    let mut has: BTreeMap<String, AbortHandle> = BTreeMap::new();
    let (mut wait, mut trouble, mut is_there, mut stands_by) = (FIRST, None, false, None);
    loop {
        has.retain(|_, task| !task.is_finished());
        while tasks.try_join_next().is_some() {}
        let settings = Settings::read(file);
        let stopped = match &settings {
            Ok(settings) if settings.stop => Some("stop is true in the engine's engine.yaml".to_owned()),
            Ok(_) => None,
            Err(error) => {
                tracing::error!(%error, "nothing is read until this is corrected");
                Some("the engine's engine.yaml cannot be used: `rollcall engine check` says why".to_owned())
            }
        };
        if stopped.is_some() {
            has.values().for_each(AbortHandle::abort);
        }
        let hello = Hello {
            oldest: wire::OLDEST,
            newest: wire::PROTOCOL,
            software: env!("CARGO_PKG_VERSION").to_owned(),
            host: host.to_owned(),
            has: has.keys().cloned().collect(),
            stopped,
        };
        let Some(asked) = stop.run_until_cancelled(ask(&desk.line, &hello)).await else { break };
        match asked {
            Ok(Work { task, dropped, standby }) => {
                if !std::mem::replace(&mut is_there, true) || trouble.take().is_some() {
                    tracing::info!("connected to the gateway");
                }
                if standby != stands_by {
                    if let Some(why) = &standby {
                        tracing::info!(why, "this engine stands by");
                    } else {
                        tracing::info!("this engine is the active one");
                    }
                    stands_by = standby;
                }
                wait = FIRST;
                for id in dropped {
                    if let Some(task) = has.remove(&id) {
                        task.abort();
                    }
                }
                let (Some(task), Ok(settings)) = (task, settings) else { continue };
                if has.contains_key(&task.id) || has.len() >= TASKS {
                    continue;
                }
                tracing::info!(task = task.id, reads = task.read.is_some(), "a task came");
                let (desk, id) = (desk.clone(), task.id.clone());
                has.insert(id, tasks.spawn(async move { Box::pin(desk.work(&settings, task)).await }));
            }
            Err(error) => {
                let said = error.to_string();
                if trouble.as_ref() != Some(&said) {
                    tracing::warn!(error = said, "the gateway gives no work; it is asked again");
                    trouble = Some(said);
                }
                let pause = tokio::time::sleep(wait.mul_f64(0.5 + chance() / 2.0));
                if stop.run_until_cancelled(pause).await.is_none() {
                    break;
                }
                wait = LONGEST.min(wait * 2);
            }
        }
    }
    tasks.shutdown().await;
}

async fn ask(line: &Line, hello: &Hello) -> Result<Work, LineError> {
    let body = wire::pack(hello).map_err(|why| LineError::Odd(why.to_string()))?;
    line.say(path::WORK, body, wire::LETTER).await
}
