//! `rollcall target`

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Exit;
use super::chosen::Chosen;
use super::out::{self, Out};
use super::output::Output;
use super::table::Table;
use crate::clock::SystemClock;
use crate::net::http::Url;
use crate::spec::Runnable;
use crate::target::trial::{self, Step};
use crate::target::turn::{Executors, May};
use crate::target::{Target as _, TargetError, TargetReason};

/// Test the services that policies write to.
#[derive(Debug, Args)]
pub(super) struct Target {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Test(Test),
}

/// Test the way to the targets of policies: name, connection, TLS, token, what the service can, and the right to read.
///
/// Nothing is changed, unless --write is given: then a user and a group of its own are created, changed, read back and
/// removed again. Their names begin with rollcall-trial-. The registry is a part of Rollcall, and needs no test.
///
/// The exit code is 1 if a step failed, 2 if the input is invalid, else 0.
#[derive(Debug, Args)]
struct Test {
    /// A manifest, a folder of manifests, or - for standard input.
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true, num_args = 1..)]
    filename: Vec<PathBuf>,
    /// Test the target of this policy only.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    policy: Option<String>,
    /// Create, change and remove a user and a group.
    #[arg(long)]
    write: bool,
    /// The output format.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// What came of the test of one target.
struct Tested {
    policy: String,
    target: String,
    /// What the service was found to be.
    about: Vec<String>,
    steps: Vec<Step>,
}

impl Target {
    pub(super) fn run(self, out: &mut Out<'_>) -> Result<Exit> {
        match self.verb {
            Verb::Test(test) => test.run(out),
        }
    }
}

impl Test {
    fn run(self, out: &mut Out<'_>) -> Result<Exit> {
        let chosen = Chosen::read(&self.filename, self.policy.as_deref(), "that could be tested")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let tested = runtime.block_on(self.test_all(&chosen.policies));
        self.output.print(out, &tested, show, csv)?;
        let failed = tested.iter().flat_map(|one| &one.steps).any(|step| step.failed.is_some());
        Ok(chosen.exit(failed))
    }

    /// Tests each service once, whichever of its policies comes first.
    async fn test_all(&self, policies: &[Runnable]) -> Vec<Tested> {
        let (executors, mut tested) = (Executors::default(), Vec::<Tested>::new());
        for runnable in policies {
            let (policy, target) =
                (runnable.policy.owner.to_string(), runnable.target.identity(&runnable.policy.owner));
            let Some(address) = runnable.target.address() else {
                out::note(format_args!(
                    "SyncPolicy {policy}: the registry is a part of Rollcall; it needs no test"
                ));
                continue;
            };
            let (about, steps) = self.test(runnable, address, &executors).await;
            tested.push(Tested { policy, target, about, steps });
        }
        tested
    }

    async fn test(
        &self,
        runnable: &Runnable,
        address: &Url,
        executors: &Executors,
    ) -> (Vec<String>, Vec<Step>) {
        let is_secure = address.scheme() == "https";
        let target =
            match runnable.target.open_service(None, executors, || May::Yes, Arc::new(SystemClock)).await {
                Ok(Some(target)) => target,
                Ok(None) => return (Vec::new(), Vec::new()),
                Err(error) => {
                    let (error, is_named) = named(error, address).await;
                    return (Vec::new(), trial::way(error, is_named, is_secure));
                }
            };
        let mut steps = trial::whole_way(is_secure);
        steps.extend(trial::reading(&target).await);
        if self.write && steps.iter().all(|step| step.failed.is_none()) {
            steps.extend(trial::writing(&target).await);
        }
        (target.about(), steps)
    }
}

/// Whether it is known where a service is that could not be reached. If not, the error says that it is the name.
async fn named(error: TargetError, address: &Url) -> (TargetError, bool) {
    let (Some(host), Some(port)) = (address.host_str(), address.port_or_known_default()) else {
        return (error, true);
    };
    if error.reason != TargetReason::Unreachable {
        return (error, true);
    }
    let host = host.trim_matches(['[', ']']);
    match tokio::net::lookup_host((host, port)).await {
        Ok(_) => (error, true),
        Err(why) => {
            let message =
                format!("the name {host} was not found ({why}): check url, and the DNS of this machine");
            (TargetError::new(TargetReason::Unreachable, message), false)
        }
    }
}

fn show(out: &mut Out<'_>, tested: &[Tested]) -> Result<()> {
    for one in tested {
        out.line(format_args!("SyncPolicy {}: {}", one.policy, one.target))?;
        for line in &one.about {
            out.line(format_args!("  {line}"))?;
        }
        out.line("")?;
        let mut steps = Table::new(&["step", "result", "what to do"]);
        for step in &one.steps {
            let (result, why) = said(step);
            steps.row([step.what, result, &why]);
        }
        out.table(&steps)?;
    }
    Ok(())
}

/// The result of a step, and the whole of why it failed: whoever tests a service reads its own words.
fn said(step: &Step) -> (&'static str, String) {
    match &step.failed {
        None => ("ok", String::new()),
        Some(why) => ("failed", why.in_full()),
    }
}

fn csv(out: &mut Out<'_>, tested: &[Tested]) -> Result<()> {
    let rows: Vec<_> = tested
        .iter()
        .flat_map(|one| one.steps.iter().map(move |step| (one, step.what, said(step))))
        .collect();
    let rows = rows.iter().map(|(one, what, (result, why))| {
        [one.policy.as_str(), one.target.as_str(), what, result, why.as_str()]
    });
    out.csv(["policy", "target", "step", "result", "why"], rows)
}

impl serde::Serialize for Tested {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let step = |step: &Step| {
            let reason = step.failed.as_ref().map(|why| format!("{:?}", why.reason));
            let (result, why) = said(step);
            json!({ "step": step.what, "result": result, "reason": reason, "why": why })
        };
        let steps: Vec<Value> = self.steps.iter().map(step).collect();
        json!({ "policy": self.policy, "target": self.target, "about": self.about, "steps": steps })
            .serialize(serializer)
    }
}
