//! `rollcall verify`

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::Exit;
use super::chosen::Chosen;
use super::out::Out;
use super::output::Output;
use super::table::Table;
use crate::clock::{Clock as _, SystemClock};
use crate::directory::SubjectKind;
use crate::spec::Runnable;
use crate::store::{Store, StoreError};
use crate::sync::verify::{self, Drift, LAG, Verified};
use crate::target::registry::Registry;
use crate::target::turn::{Executors, May};
use crate::target::{Target as _, TargetError};
use crate::words::count;

/// Compare what policies left at their targets with what is there, and list what somebody else changed.
///
/// Changes nothing. To set right what is listed, run `rollcall sync --verify`; the operator does so by itself as often as
/// spec.verify says.
///
/// The exit code is 1 if something failed or differs, 2 if the input is invalid, else 0.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A manifest, a folder of manifests, or - for standard input.
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true, num_args = 1..)]
    filename: Vec<PathBuf>,
    /// The data folder of the runs that left it there.
    #[arg(long, env = "ROLLCALL_DATA", value_name = "DIR")]
    data: PathBuf,
    /// Verify the target of this policy only.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    policy: Option<String>,
    /// The output format.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// What came of the verification of one policy's target.
struct Compared {
    policy: String,
    target: String,
    result: Result<Verified, TargetError>,
}

impl Verify {
    pub(super) fn run(self, out: &mut Out<'_>) -> Result<Exit> {
        let chosen = Chosen::read(&self.filename, self.policy.as_deref(), "that could be verified")?;
        let store = Store::open(&self.data)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let compared = runtime.block_on(async {
            let (executors, mut all) = (Executors::default(), Vec::new());
            for runnable in &chosen.policies {
                all.push(compare(runnable, &store, &executors).await?);
            }
            Ok::<_, StoreError>(all)
        })?;
        self.output.print(out, &compared, show, csv)?;
        let is_wrong = |one: &Compared| one.result.as_ref().map_or(true, |found| !found.drifts.is_empty());
        Ok(chosen.exit(compared.iter().any(is_wrong)))
    }
}

async fn compare(runnable: &Runnable, store: &Store, executors: &Executors) -> Result<Compared, StoreError> {
    let (policy, clock) = (&runnable.policy, Arc::new(SystemClock));
    let registry = Registry::new(store.clone(), policy.owner.clone());
    let target = runnable.target.open(registry, executors, || May::Yes, clock.clone()).await;
    let result = match target {
        Ok(target) => {
            let place = store.place(&policy.owner, target.identity())?;
            let open = store.open_intents(place)?;
            let in_doubt = open.into_iter().map(|intent| intent.effect.subject).collect();
            let context =
                verify::Context { target: &target, store, place, policy, in_doubt, now: clock.now() };
            verify::verify(&context).await?.map(|(found, _)| found)
        }
        Err(error) => Err(error),
    };
    let target = runnable.target.identity(&policy.owner);
    Ok(Compared { policy: policy.owner.to_string(), target, result })
}

fn kind(drift: &Drift) -> &'static str {
    match drift.kind {
        SubjectKind::User => "user",
        SubjectKind::Group => "group",
    }
}

fn differs(drift: &Drift) -> String {
    let all: Vec<String> = drift.differs.iter().map(ToString::to_string).collect();
    all.join("; ")
}

fn show(out: &mut Out<'_>, compared: &[Compared]) -> Result<()> {
    for Compared { policy, target, result } in compared {
        out.line(format_args!("SyncPolicy {policy}: {target}"))?;
        let found = match result {
            Ok(found) => found,
            Err(error) => {
                out.paragraph(format_args!("  not compared: {}", error.in_full()))?;
                continue;
            }
        };
        let drifts = count(found.drifts.len() as u64, "object differs", "objects differ");
        out.line(format_args!("  {} compared, {drifts}", count(found.checked, "object", "objects")))?;
        if found.lagging > 0 {
            let lagging = count(found.lagging, "object differs and was", "objects differ and were");
            let minutes = LAG.as_secs() / 60;
            out.line(format_args!(
                "  {lagging} written within the last {minutes} minutes, so the target may not have caught up"
            ))?;
        }
        if found.unknown > 0 {
            let unknown = count(found.unknown, "object", "objects");
            out.line(format_args!("  of {unknown} the target gave no answer"))?;
        }
        out.line("")?;
        if found.drifts.is_empty() {
            continue;
        }
        let mut table = Table::new(&["kind", "name", "at the target"]);
        for drift in &found.drifts {
            table.row([kind(drift), &drift.name, &differs(drift)]);
        }
        out.table(&table)?;
    }
    Ok(())
}

fn csv(out: &mut Out<'_>, compared: &[Compared]) -> Result<()> {
    let drifts = compared.iter().flat_map(|one| {
        one.result.iter().flat_map(move |found| found.drifts.iter().map(move |drift| (one, drift)))
    });
    let rows: Vec<_> = drifts.map(|(one, drift)| (one, drift, differs(drift))).collect();
    let rows = rows.iter().map(|(one, drift, differs)| {
        [one.policy.as_str(), one.target.as_str(), kind(drift), drift.name.as_str(), differs.as_str()]
    });
    out.csv(["policy", "target", "kind", "name", "differs"], rows)
}

impl serde::Serialize for Compared {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let drift = |drift: &Drift| {
            let differs: Vec<String> = drift.differs.iter().map(ToString::to_string).collect();
            json!({ "kind": kind(drift), "name": drift.name, "differs": differs })
        };
        let found = match &self.result {
            Err(error) => json!({ "error": error.in_full() }),
            Ok(found) => {
                let drifts: Vec<Value> = found.drifts.iter().map(drift).collect();
                json!({
                    "checked": found.checked, "drifts": drifts, "lagging": found.lagging, "unknown": found.unknown,
                })
            }
        };
        let mut all = json!({ "policy": self.policy, "target": self.target });
        if let (Some(all), Value::Object(found)) = (all.as_object_mut(), found) {
            all.extend(found);
        }
        all.serialize(serializer)
    }
}
