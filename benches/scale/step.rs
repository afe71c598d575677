//! One step of a sync, in a process of its own: `step VERB SIZE|MANIFEST DATA`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use rollcall::clock::{Clock as _, SystemClock};
use rollcall::directory::ConnectorName;
use rollcall::source::{Source, SourceConfig};
use rollcall::spec::{self, manifest};
use rollcall::store::Store;
use rollcall::sync::import::{self, Imported, import};
use rollcall::sync::plan::{self, Freshness, plan};
use rollcall::sync::policy::Policy;
use rollcall::sync::project::{View, project};
use rollcall::sync::run::{self, RunResult};
use rollcall::target::Target as _;
use rollcall::target::registry::Registry;

use crate::Size;
use crate::fake::Fake;
use crate::news::News;
use crate::round::CHANGES;

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let [verb, manifest, size, data] = arguments else { bail!("step VERB MANIFEST SIZE DATA") };
    let store = Store::open(Path::new(data))?;
    let resolved = spec::resolve(&manifest::read(&[PathBuf::from(manifest)]).objects);
    let policy = resolved.policies.first().context("there is no policy")?.policy.clone();
    let connector = resolved.connectors.values().next().context("there is no connector")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match (verb.as_str(), &connector.source) {
        ("import", SourceConfig::Ldif(_)) => {
            runtime.block_on(import_from(&Fake(Size::named(size)?), &store, &connector.name))
        }
        ("import", source) => runtime.block_on(import_from(&source.open(None), &store, &connector.name)),
        ("run", ..) => runtime.block_on(apply(&store, policy)),
        ("again", ..) => runtime.block_on(again(&store, &policy, &connector.name)),
        ("plan", ..) => only_plan(&store, &policy),
        _ => bail!("there is no step {verb}"),
    }
}

/// Reads, and prints how many people and groups there are and how many entries changed.
async fn import_from<S: Source>(source: &S, store: &Store, connector: &ConnectorName) -> Result<()> {
    let imported = read(source, store, connector).await?;
    println!("{} {} {}", imported.info.users, imported.info.groups, imported.changed);
    Ok(())
}

async fn read<S: Source>(source: &S, store: &Store, connector: &ConnectorName) -> Result<Imported> {
    let options = import::Options {
        look_ups: 0,
        timeout: std::time::Duration::from_hours(1),
        full_read_every: std::time::Duration::from_hours(24),
    };
    let before = store.sequence()?;
    let imported: Imported = import(source, store, connector, options, &SystemClock, |_| ()).await?;
    // A read without changes writes no entry.
    ensure!(store.sequence()? - before == imported.changed, "it wrote more than what changed");
    Ok(imported)
}

fn work<'a>(store: &'a Store, target: &'a Registry, policy: Arc<Policy>) -> run::Work<'a, Registry> {
    run::Work { store, target, policy, rebuild: spec::rebuild, clock: &SystemClock }
}

async fn apply(store: &Store, policy: Arc<Policy>) -> Result<()> {
    let target = Registry::new(store.clone(), policy.owner.clone());
    let report = run::run(work(store, &target, policy), run::Options::default(), |_, _| ()).await?;
    ensure!(report.result() == RunResult::InStep, "the run ended {:?}: {:?}", report.result(), report.failed);
    println!("{} {} {}", report.in_step.users, report.in_step.groups, report.in_step.memberships);
    Ok(())
}

/// Runs again and again in one process, as the operator does; prints how many seconds each run took, of [`CHANGES`].
async fn again(store: &Store, policy: &Arc<Policy>, connector: &ConnectorName) -> Result<()> {
    let target = Registry::new(store.clone(), policy.owner.clone());
    let mut basis = None;
    for people in [0].into_iter().chain(CHANGES) {
        let snapshot = store.snapshot(connector)?.context("nothing was read")?;
        if people as u64 * 4 > snapshot.info().users {
            break;
        }
        let news = News::of(&snapshot, people)?;
        drop(snapshot);
        read(&news, store, connector).await?;
        let work = work(store, &target, policy.clone());
        let began = Instant::now();
        let report = run::run_on(&mut basis, work, run::Options::default(), |_, _| ()).await?;
        let took = began.elapsed().as_secs_f64();
        ensure!(report.result() == RunResult::InStep, "the run ended {:?}", report.result());
        if people > 0 {
            ensure!(report.looked_at.is_some(), "it looked at everything");
            ensure!(report.applied.users.updated == people as u64, "{:?}", report.applied.users);
            println!("{took}");
        }
    }
    Ok(())
}

/// Projects and plans where nothing has changed; prints how many seconds that took.
fn only_plan(store: &Store, policy: &Policy) -> Result<()> {
    let target = Registry::new(store.clone(), policy.owner.clone());
    let place = store.place(&policy.owner, target.identity())?;
    let subjects = store.subjects(place)?;
    let connector = &policy.connectors.first().context("there is no connector")?.connector;
    let snapshot = store.snapshot(connector)?.context("nothing was read")?;
    let began = Instant::now();
    let views: [&dyn View; 1] = [&snapshot];
    let projection = project(policy, &views, &subjects, SystemClock.now())?;
    let plan = plan(plan::Input {
        policy,
        projection: &projection,
        previous: rollcall::sync::plan::Previous::Same,
        subjects: &subjects,
        freshness: Freshness { completion: snapshot.info().completion, fresh: true },
        first_run: false,
        now: SystemClock.now(),
    });
    println!("{}", began.elapsed().as_secs_f64());
    ensure!(plan.steps.is_empty(), "{} steps are planned where nothing changed", plan.steps.len());
    Ok(())
}
