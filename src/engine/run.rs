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

/// A task that is being done, and the settings under which it is.
struct UnderWay {
    task: AbortHandle,
    settings: Arc<Settings>,
}

/// Asks for work and does it, until `stop`. `file` is read again each time that work is asked for, and for each task
/// that came. What whoever runs the engine changes counts from then on, and ends what is done under other settings.
pub async fn run(file: &Path, line: Line, host: &str, stop: CancellationToken) {
    let desk = Arc::new(Desk::new(Arc::new(line)));
    let mut tasks = JoinSet::new();
    let mut has: BTreeMap<String, UnderWay> = BTreeMap::new();
    let (mut wait, mut trouble, mut is_there, mut stands_by) = (FIRST, None, false, None);
    loop {
        has.retain(|_, under_way| !under_way.task.is_finished());
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
            for under_way in has.values() {
                under_way.task.abort();
            }
        } else if let Ok(settings) = &settings {
            end_outdated(&mut has, settings);
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
                    if let Some(under_way) = has.remove(&id) {
                        under_way.task.abort();
                    }
                }
                let Some(task) = task else { continue };
                if has.contains_key(&task.id) || has.len() >= TASKS {
                    continue;
                }
                // The file may say something else by now. If nothing is read, the next turn says so.
                let now = Settings::read(file).ok().filter(|settings| !settings.stop);
                let Some(settings) = now.map(Arc::new) else { continue };
                tracing::info!(task = task.id, reads = task.read.is_some(), "a task came");
                let (desk, id, under) = (desk.clone(), task.id.clone(), settings.clone());
                let task = tasks.spawn(async move { Box::pin(desk.work(&under, task)).await });
                has.insert(id, UnderWay { task, settings });
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

/// Ends what is done under settings by which something else is read, or may leave. The gateway gives it out again.
fn end_outdated(has: &mut BTreeMap<String, UnderWay>, settings: &Settings) {
    has.retain(|id, under_way| {
        let is_same = under_way.settings.read_the_same(settings);
        if !is_same {
            tracing::info!(task = id, "engine.yaml changed; what is being read starts again");
            under_way.task.abort();
        }
        is_same
    });
}

async fn ask(line: &Line, hello: &Hello) -> Result<Work, LineError> {
    let body = wire::pack(hello).map_err(|why| LineError::Odd(why.to_string()))?;
    line.say(path::WORK, body, wire::LETTER).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a file says of a server on this host.
    fn settings(withheld: &str, host: &str, more: &str) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("engine.yaml");
        let yaml = format!(
            "gateway: {{ url: \"https://gate.x\" }}\ndirectory: {{ ldap: {{ urls: [\"ldaps://{host}\"] }} }}\n\
             withhold: {{ attributes: [{withheld}] }}\n{more}"
        );
        std::fs::write(&file, yaml).unwrap();
        Settings::read(&file).unwrap()
    }

    #[tokio::test]
    async fn what_is_done_under_other_settings_ends() {
        let now = || settings("mail", "ldap.x", "");
        let mut tasks = JoinSet::new();
        let mut has = BTreeMap::new();
        for (id, under) in [
            ("same", now()),
            ("not so often", settings("mail", "ldap.x", "notMoreOftenThan: 1h\n")),
            ("of less", settings("", "ldap.x", "")),
            ("of another server", settings("mail", "old.x", "")),
            ("of some bases", settings("mail", "ldap.x", "mayLeave: { bases: [\"dc=x\"] }\n")),
        ] {
            let task = tasks.spawn(std::future::pending::<()>());
            has.insert(id.to_owned(), UnderWay { task, settings: Arc::new(under) });
        }
        end_outdated(&mut has, &now());
        let left: Vec<&str> = has.keys().map(String::as_str).collect();
        assert_eq!(left, ["not so often", "same"]);
        for _ in 0..3 {
            assert!(tasks.join_next().await.unwrap().unwrap_err().is_cancelled());
        }
        assert!(has.values().all(|under_way| !under_way.task.is_finished()));
    }
}
