//! `rollcall engine`

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Exit;
use super::out::Out;
use crate::clock::SystemClock;
use crate::engine::{self, Identity, Line, Settings};
use crate::secret::Secret;

/// A token is no longer.
const TOKEN: u64 = 4096;

/// Run a Sync Engine: an agent inside a network that nobody may reach.
///
/// It makes outbound connections only: to the operator's gateway, and to the directory. Where the directory is, who reads it and what may
/// leave the network, its own file says (docs/sync-engine.md).
#[derive(Debug, Args)]
pub(super) struct Engine {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Join a connector with a token, which is read from standard input.
    ///
    /// Makes a key that never leaves this machine, and enrols its public half. The connector's status shows how to get the token
    /// (status.engine.joinCommand). A token counts once, for an hour.
    Join(Join),
    /// Ask the gateway for work, and do it, until SIGTERM.
    Run(File),
    /// Look step by step at what keeps the engine from working, and say what to do.
    ///
    /// The exit code is 0 if everything is fine, else 1.
    Check(File),
}

#[derive(Debug, Args)]
struct File {
    /// The engine's file.
    #[arg(
        long,
        env = "ROLLCALL_ENGINE_CONFIG",
        value_name = "FILE",
        default_value = "/etc/rollcall/engine.yaml"
    )]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct Join {
    #[command(flatten)]
    file: File,
    /// A file with the token [default: standard input].
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Engine {
    /// Whether it serves, so that what it says is read by machines.
    pub(super) fn serves(&self) -> bool {
        matches!(self.verb, Verb::Run(_))
    }

    pub(super) fn run(self, out: &mut Out<'_>) -> Result<Exit> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        match self.verb {
            Verb::Join(verb) => runtime.block_on(join(verb, out)),
            Verb::Run(file) => runtime.block_on(run(file)),
            Verb::Check(file) => runtime.block_on(check(file, out)),
        }
    }
}

/// The name of this machine.
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

async fn join(verb: Join, out: &mut Out<'_>) -> Result<Exit> {
    let settings = Settings::read(&verb.file.config)?;
    let mut token = Vec::new();
    match &verb.token_file {
        Some(path) => {
            let file =
                std::fs::File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
            file.take(TOKEN).read_to_end(&mut token)?;
        }
        None => _ = std::io::stdin().lock().take(TOKEN).read_to_end(&mut token)?,
    }
    let token = Secret::new(token.trim_ascii());
    anyhow::ensure!(
        !token.expose().is_empty(),
        "no token came: give it on standard input, or name its file with --token-file"
    );
    let key = Box::pin(engine::join(&settings, &token, &host(), Arc::new(SystemClock))).await?;
    out.line(format_args!(
        "joined: the key {key} is enrolled; its private half is in {}",
        settings.state_dir.display()
    ))?;
    out.line(
        "start the engine with `systemctl enable --now rollcall-engine`, or with `rollcall engine run`",
    )?;
    Ok(Exit::Fine)
}

async fn run(file: File) -> Result<Exit> {
    let settings = Settings::read(&file.config)?;
    let identity = Identity::read(&settings.state_dir)?;
    let line = Line::new(settings.http()?, &settings.gateway.url, identity.key, Arc::new(SystemClock))?;
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stopping = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stopping.cancel();
    });
    tracing::info!(gateway = settings.gateway.url, "the Sync Engine starts");
    Box::pin(engine::run(&file.config, line, &host(), stop)).await;
    Ok(Exit::Fine)
}

async fn check(file: File, out: &mut Out<'_>) -> Result<Exit> {
    let settings = Settings::read(&file.config)?;
    let findings = Box::pin(engine::check(&settings, Arc::new(SystemClock))).await;
    let mut exit = Exit::Fine;
    for finding in findings {
        match finding.result {
            Ok(said) => out.line(format_args!("ok      {}: {said}", finding.what))?,
            Err(why) => {
                exit = Exit::Failed;
                out.line(format_args!("failed  {}: {why}", finding.what))?;
            }
        }
    }
    Ok(exit)
}
