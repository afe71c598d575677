//! The target of a life: one that others write too, or the registry.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use rollcall::directory::{Key, Match, Operation, Outcome, Owner, SubjectKind, TargetId, TargetObject};
use rollcall::store::Store;
use rollcall::store::registry::Object as Row;
use rollcall::target::registry::Registry;
use rollcall::target::{Capabilities, Target, TargetError};
use tokio::sync::Notify;

use crate::fake_target::{Fake, Object};

pub(crate) type Objects = BTreeMap<TargetId, Object>;

pub(crate) enum Place {
    Shared(Box<Fake>),
    Registry,
}

impl Place {
    /// What is there.
    pub(crate) fn objects(&self, store: &Store, owner: &Owner) -> Objects {
        match self {
            Self::Shared(fake) => fake.objects().clone(),
            Self::Registry => rows(store, owner),
        }
    }

    pub(crate) fn identity(&self, owner: &Owner) -> String {
        match self {
            Self::Shared(fake) => fake.identity().to_owned(),
            Self::Registry => format!("registry:{owner}"),
        }
    }
}

fn rows(store: &Store, owner: &Owner) -> Objects {
    let mut all: Vec<Row> = Vec::new();
    let read = store.read_registry(owner, |part| {
        for kind in [SubjectKind::User, SubjectKind::Group] {
            part.for_each(kind, |row| {
                all.push(row);
                Ok(())
            })?;
        }
        Ok(())
    });
    read.unwrap();
    let ids: BTreeMap<u32, TargetId> =
        all.iter().map(|row| (row.number, TargetId(row.id.to_string().into()))).collect();
    let object = |row: &Row| Object {
        key: Some(Key::from_uuid(row.id)),
        content: row.content.clone(),
        active: row.active,
        members: row.members.iter().filter_map(|member| ids.get(&member).cloned()).collect(),
    };
    all.iter().map(|row| (ids[&row.number].clone(), object(row))).collect()
}

/// The registry, used by a process that dies before or after some piece of its work.
pub(crate) struct Mortal {
    registry: Registry,
    /// Half-steps to live, as with the fake; none for ever.
    left: Option<AtomicU64>,
    died: Notify,
}

impl Mortal {
    pub(crate) fn new(store: &Store, owner: &Owner, left: Option<u64>) -> Self {
        let registry = Registry::new(store.clone(), owner.clone());
        Self { registry, left: left.map(AtomicU64::new), died: Notify::new() }
    }

    pub(crate) async fn died(&self) {
        self.died.notified().await;
    }

    async fn live(&self) {
        let Some(left) = &self.left else { return };
        if left.load(Ordering::SeqCst) == 0 {
            self.die().await;
        }
        left.fetch_sub(1, Ordering::SeqCst);
    }

    async fn die(&self) {
        self.died.notify_one();
        std::future::pending::<()>().await;
    }
}

impl Target for Mortal {
    fn identity(&self) -> &str {
        self.registry.identity()
    }

    fn capabilities(&self) -> Capabilities {
        // Small batches, so that a life has many places to end at.
        Capabilities { batch: 3, members_per_operation: 4, ..self.registry.capabilities() }
    }

    async fn apply(&self, batch: &[Operation]) -> Vec<Outcome> {
        self.live().await;
        let outcomes = self.registry.apply(batch).await;
        if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(_))) {
            // The registry is in the store: when that fails, so does the process.
            self.die().await;
        }
        self.live().await;
        outcomes
    }

    async fn find(&self, kind: SubjectKind, by: &[Match]) -> Vec<Result<Vec<TargetObject>, TargetError>> {
        self.registry.find(kind, by).await
    }

    async fn list(
        &self,
        kind: SubjectKind,
        each: impl FnMut(TargetObject) + Send,
    ) -> Result<(), TargetError> {
        self.registry.list(kind, each).await
    }
}
