//! Whole syncs: a directory is read as it is, then damaged, then as it is again, into a registry, by a policy that holds nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::Timestamp;
use rollcall::clock::Clock;
use rollcall::directory::{ConnectorName, Content, Owner, SubjectKind};
use rollcall::source::{Source, SourceError};
use rollcall::spec;
use rollcall::store::{FILE, Store};
use rollcall::sync::import::{ImportError, Options, import};
use rollcall::sync::policy::{Budget, LeaverAction, LeaverStep, PerGroup, Policy};
use rollcall::sync::run::{self, Work, run};
use rollcall::target::registry::Registry;
use rusqlite::Connection;
use tempfile::TempDir;
use uuid::Uuid;

/// What the registry holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Users by their ids: what they are called, and whether they may come in.
    pub(crate) users: BTreeMap<Uuid, (String, bool)>,
    /// Groups by their ids: what they are called, and who is in them.
    pub(crate) groups: BTreeMap<Uuid, (String, BTreeSet<Uuid>)>,
}

impl Held {
    pub(crate) fn user(&self, name: &str) -> Uuid {
        let found = self.users.iter().find(|(_, (called, active))| called == name && *active);
        *found.unwrap_or_else(|| panic!("{name} is not in {self:?}")).0
    }

    pub(crate) fn group(&self, name: &str) -> Uuid {
        let found = self.groups.iter().find(|(_, (called, _))| called == name);
        *found.unwrap_or_else(|| panic!("{name} is not in {self:?}")).0
    }
}

/// A store that has read everything once and is in step, as a file.
pub(crate) struct InStep {
    file: Vec<u8>,
    pub(crate) held: Held,
}

/// One that goes on from there.
pub(crate) struct Running {
    store: Store,
    folder: TempDir,
    hour: i64,
}

struct Hour(i64);

impl Clock for Hour {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + self.0 * 3600).unwrap()
    }
}

impl InStep {
    /// After everything was read from `source`.
    pub(crate) async fn with(source: &impl Source) -> Self {
        let folder = folder();
        let mut running = Running { store: Store::open(folder.path()).unwrap(), folder, hour: 0 };
        running.sync(source).await.unwrap();
        let held = running.held();
        let file = running.folder.path().join(FILE);
        drop(running.store);
        let connection = Connection::open(&file).unwrap();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(connection);
        Self { file: fs::read(file).unwrap(), held }
    }

    /// A copy, which goes on by itself.
    pub(crate) fn again(&self) -> Running {
        let folder = folder();
        fs::write(folder.path().join(FILE), &self.file).unwrap();
        Running { store: Store::open(folder.path()).unwrap(), folder, hour: 0 }
    }
}

impl Running {
    /// Reads, runs, and approves whatever is held; says so if nothing could be read.
    pub(crate) async fn sync(&mut self, source: &impl Source) -> Result<(), SourceError> {
        self.hour += 1;
        let clock = Hour(self.hour);
        let options = Options {
            look_ups: Options::LOOK_UPS,
            timeout: Duration::from_mins(1),
            full_read_every: Duration::from_hours(24),
        };
        let read = match import(source, &self.store, &connector(), options, &clock, |_| {}).await {
            Ok(_) => Ok(()),
            Err(ImportError::Source(error)) => Err(error),
            Err(ImportError::Store(error)) => panic!("{error}"),
        };
        let mut approve = None;
        for _ in 0..2 {
            let mut options = run::Options { approve: approve.take(), ..run::Options::default() };
            if read.is_err() {
                options.failed_connectors.insert(connector());
            }
            let target = Registry::new(self.store.clone(), owner());
            let policy = Arc::new(POLICY.clone());
            let work = Work { store: &self.store, target: &target, policy, rebuild, clock: &clock };
            let report = run(work, options, |_, _| {}).await.unwrap();
            let Some(hold) = report.held else { break };
            approve = Some(hold.digest);
        }
        read
    }

    pub(crate) fn store(&self) -> Store {
        self.store.clone()
    }

    pub(crate) fn held(&self) -> Held {
        let (mut rows, mut held) = (Vec::new(), Held::default());
        let read = self.store.read_registry(&owner(), |part| {
            for kind in [SubjectKind::User, SubjectKind::Group] {
                part.for_each(kind, |row| {
                    rows.push(row);
                    Ok(())
                })?;
            }
            Ok(())
        });
        read.unwrap();
        let ids: BTreeMap<u32, Uuid> = rows.iter().map(|row| (row.number, row.id)).collect();
        for row in rows {
            let name = row.content.name().to_owned();
            match row.content {
                Content::User(_) => drop(held.users.insert(row.id, (name, row.active))),
                Content::Group(_) => {
                    let members = row.members.iter().filter_map(|member| ids.get(&member).copied()).collect();
                    held.groups.insert(row.id, (name, members));
                }
            }
        }
        held
    }
}

pub(crate) fn owner() -> Owner {
    Owner::new("test", "all")
}

fn connector() -> ConnectorName {
    ConnectorName::new("test", "corp")
}

/// In memory where there is such a disk.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap()
}

/// Removes at once whoever is gone, however many, so that nothing hides behind a limit.
static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let manifest = "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: { name: corp, namespace: test }\n\
        spec: { ldif: { path: none.ldif } }\n---\napiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\n\
        metadata: { name: all, namespace: test }\nspec: { connectors: [{ name: corp }], target: { registry: {} } }\n";
    let mut manifests = spec::manifest::Manifests::default();
    manifests.text("test", manifest, Some(Path::new(".")));
    let resolved = spec::resolve(&manifests.objects);
    let problems = (&manifests.problems, &resolved.problems);
    assert!(problems.0.is_empty() && problems.1.is_empty(), "{problems:?}");
    let mut policy = Policy::clone(&resolved.policies[0].policy);
    let now = |step| LeaverStep { after: Duration::ZERO, action: step };
    policy.users.leavers = vec![now(LeaverAction::Disable)];
    policy.groups.vanished = vec![now(LeaverAction::Delete)];
    let any = || Budget { count: 1_000_000, percent: 100 };
    let limits = &mut policy.limits;
    limits.user_removals = any();
    limits.group_removals = any();
    limits.member_removals = any();
    limits.identifier_changes = any();
    limits.disables = any();
    limits.member_removals_per_group = PerGroup { percent: 100, minimum_size: 1_000_000 };
    policy
});

#[expect(clippy::unnecessary_wraps, reason = "what a run asks for")]
fn rebuild(_: &str) -> Option<Policy> {
    Some(POLICY.clone())
}
