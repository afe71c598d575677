//! The registry: the embedded target, which always works. Its objects are in the store, apart for each
//! policy; nobody but Rollcall writes them. An object's id is its key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use roaring::RoaringBitmap;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{Capabilities, NameLimits, Names, OfKind, Rates, Target, TargetError, TargetReason};
use crate::directory::{
    Content, Key, Match, Operation, Outcome, Owner, SubjectKind, TargetId, TargetObject, UserContent,
};
use crate::store::registry::{self, ChangeResult, Object, PolicyRegistry};
use crate::store::{Store, StoreError};

/// From so many members in a batch on, all numbers are read at once.
const FEW: usize = 100;

/// The number of each object, and the count of changes as of which that is so.
type Known = (u64, Arc<HashMap<Uuid, u32>>);

/// One policy's part of the registry.
#[derive(Clone, Debug)]
pub struct Registry {
    store: Store,
    owner: Owner,
    identity: String,
    /// The number of each object as of so many changes ([`PolicyRegistry::changes`]), once a batch had many
    /// members: a million memberships are twenty batches.
    numbers: Arc<Mutex<Option<Known>>>,
}

impl Registry {
    /// What the part of `owner` is called.
    pub(super) fn identity_of(owner: &Owner) -> String {
        registry::identity_of(owner)
    }

    /// The part of `owner`.
    pub fn new(store: Store, owner: Owner) -> Self {
        let identity = Self::identity_of(&owner);
        Self { store, owner, identity, numbers: Arc::default() }
    }

    /// Whether any policy has this user of the target of this identity, or is about to: only the store knows.
    pub(super) fn claims(&self, identity: String) -> impl Fn(&TargetId) -> bool + Send + Sync + 'static {
        let (store, owner) = (self.store.clone(), self.owner.clone());
        move |user| {
            let named = UserContent { user_name: user.to_string(), ..UserContent::default() };
            let place = store.place(&owner, &identity);
            let whose = place.and_then(|place| store.owner_of(place, user, &Content::User(named)));
            // What cannot be told is taken for somebody's.
            whose.map_or(true, |whose| whose.is_some())
        }
    }
}

impl Target for Registry {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn capabilities(&self) -> Capabilities {
        let all = OfKind {
            rename: true,
            delete: true,
            holds_key: true,
            names: Names::UniqueIgnoringCase,
            limits: NameLimits::UNKNOWN,
        };
        Capabilities {
            users: Some(all),
            groups: Some(all),
            disable: true,
            nested_groups: true,
            addresses_are_accounts: false,
            members_readable: true,
            members_per_operation: 50_000,
            batch: 4000,
            at_once: 1,
            rates: Rates::default(),
            shared: false,
        }
    }

    async fn apply(&self, batch: &[Operation]) -> Vec<Outcome> {
        let (registry, operations) = (self.clone(), batch.to_vec());
        let all = move || {
            registry.store.change_registry(&registry.owner, |part| {
                let numbers = registry.numbers(part, &operations)?;
                operations.iter().map(|operation| numbers.apply(operation)).collect()
            })
        };
        let failed = |why: String| batch.iter().map(|_| Outcome::Failed(store_failed(&why))).collect();
        match spawn_blocking(all).await {
            Ok(Ok(outcomes)) => outcomes,
            // The transaction was rolled back: nothing of the batch was done.
            Ok(Err(error)) => failed(error.to_string()),
            Err(error) => failed(format!("the registry operation was interrupted: {error}")),
        }
    }

    async fn find(&self, kind: SubjectKind, by: &[Match]) -> Vec<Result<Vec<TargetObject>, TargetError>> {
        let (registry, questions) = (self.clone(), by.to_vec());
        let look = move || {
            registry.store.read_registry(&registry.owner, |part| {
                questions.iter().map(|by| find(part, kind, by)).collect::<Result<Vec<_>, _>>()
            })
        };
        let found = spawn_blocking(look).await.map_err(|error| error.to_string());
        match found.and_then(|found| found.map_err(|error| error.to_string())) {
            Ok(found) => found.unwrap_or_else(|| vec![Vec::new(); by.len()]).into_iter().map(Ok).collect(),
            Err(why) => by.iter().map(|_| Err(store_failed(&why))).collect(),
        }
    }

    async fn list(
        &self,
        kind: SubjectKind,
        each: impl FnMut(TargetObject) + Send,
    ) -> Result<(), TargetError> {
        let registry = self.clone();
        let look = move || registry.store.read_registry(&registry.owner, |part| list(part, kind));
        let listed = spawn_blocking(look).await.map_err(|error| error.to_string());
        let listed = listed.and_then(|listed| listed.map_err(|error| error.to_string()));
        listed.map_err(|why| store_failed(&why))?.unwrap_or_default().into_iter().for_each(each);
        Ok(())
    }
}

fn store_failed(why: &str) -> TargetError {
    TargetError::new(TargetReason::StoreFailed, why)
}

impl Registry {
    fn numbers<'p, 't>(
        &self,
        part: &'p PolicyRegistry<'t>,
        batch: &[Operation],
    ) -> Result<Numbers<'p, 't>, StoreError> {
        let members = |operation: &Operation| match operation {
            Operation::AddMembers { members, .. } | Operation::RemoveMembers { members, .. } => members.len(),
            _ => 0,
        };
        if batch.iter().map(members).sum::<usize>() <= FEW {
            return Ok(Numbers { part, all: None });
        }
        let mut known = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let all = match known.take() {
            Some((as_of, all)) if as_of == part.changes() => all,
            _ => Arc::new(part.numbers()?),
        };
        *known = Some((part.changes(), all.clone()));
        Ok(Numbers { part, all: Some(all) })
    }
}

/// The numbers of members, read at once where a batch has many.
struct Numbers<'p, 't> {
    part: &'p PolicyRegistry<'t>,
    all: Option<Arc<HashMap<Uuid, u32>>>,
}

impl Numbers<'_, '_> {
    fn number(&self, id: &TargetId) -> Result<Option<u32>, StoreError> {
        let Some(id) = uuid(id) else { return Ok(None) };
        match &self.all {
            Some(all) => Ok(all.get(&id).copied()),
            None => Ok(self.part.by_id(id)?.map(|object| object.number)),
        }
    }

    fn apply(&self, operation: &Operation) -> Result<Outcome, StoreError> {
        let part = self.part;
        match operation {
            Operation::Create { key, content } => create(part, *key, content),
            Operation::Update { id, content, .. } => {
                let changed =
                    uuid(id).map_or(Ok(ChangeResult::Missing), |uuid| part.update(uuid, content))?;
                Ok(outcome(changed, id, content.name()))
            }
            Operation::SetActive { id, active } => {
                let changed =
                    uuid(id).map_or(Ok(ChangeResult::Missing), |uuid| part.set_active(uuid, *active))?;
                Ok(outcome(changed, id, ""))
            }
            Operation::AddMembers { group, members } => {
                self.members(group, members, |now, these| now | these)
            }
            Operation::RemoveMembers { group, members } => {
                self.members(group, members, |now, these| now - these)
            }
            Operation::Delete { id, .. } => {
                uuid(id).map_or(Ok(ChangeResult::Missing), |uuid| part.delete(uuid))?;
                Ok(Outcome::Done(id.clone()))
            }
        }
    }

    fn members(
        &self,
        id: &TargetId,
        members: &[TargetId],
        change: impl Fn(&RoaringBitmap, &RoaringBitmap) -> RoaringBitmap,
    ) -> Result<Outcome, StoreError> {
        let group = uuid(id).map_or(Ok(None), |uuid| self.part.by_id(uuid))?;
        let Some(group) = group.filter(|group| group.kind == SubjectKind::Group) else {
            return Ok(Outcome::Gone);
        };
        let mut these = RoaringBitmap::new();
        for member in members {
            these.extend(self.number(member)?);
        }
        let changed = self.part.set_members(group.id, &change(&group.members, &these))?;
        Ok(outcome(changed, id, ""))
    }
}

fn create(part: &PolicyRegistry<'_>, key: Key, content: &Content) -> Result<Outcome, StoreError> {
    let uuid = key.as_uuid();
    let id = TargetId(key.to_string().into());
    // Nearly always it is not there yet; the table itself says if it is.
    let created = part.create(uuid, content)?;
    if created == ChangeResult::Made || part.by_id(uuid)?.is_none() {
        return Ok(outcome(created, &id, content.name()));
    }
    match part.update(uuid, content)? {
        ChangeResult::Made => Ok(outcome(part.set_active(uuid, true)?, &id, "")),
        other => Ok(outcome(other, &id, content.name())),
    }
}

fn outcome(change: ChangeResult, id: &TargetId, name: &str) -> Outcome {
    match change {
        ChangeResult::Made => Outcome::Done(id.clone()),
        ChangeResult::Missing => Outcome::Gone,
        ChangeResult::NameTaken => Outcome::NameTaken(name.to_owned()),
    }
}

fn find(part: &PolicyRegistry<'_>, kind: SubjectKind, by: &Match) -> Result<Vec<TargetObject>, StoreError> {
    let mut objects = Vec::new();
    match by {
        Match::Id(id) => objects.extend(uuid(id).map_or(Ok(None), |uuid| part.by_id(uuid))?),
        Match::Key(key) => objects.extend(part.by_id(key.as_uuid())?),
        Match::Name(name) => objects.extend(part.by_name(kind, name)?),
        Match::Email(address) => part.for_each(kind, |object| {
            if has_address(&object.content, address) {
                objects.push(object);
            }
            Ok(())
        })?,
    }
    objects.retain(|object| object.kind == kind);
    with_members(part, objects)
}

fn with_members(part: &PolicyRegistry<'_>, objects: Vec<Object>) -> Result<Vec<TargetObject>, StoreError> {
    let ids: HashMap<u32, Uuid> = if objects.iter().any(|object| !object.members.is_empty()) {
        part.numbers()?.into_iter().map(|(id, number)| (number, id)).collect()
    } else {
        HashMap::new()
    };
    Ok(objects.into_iter().map(|object| found(object, &ids)).collect())
}

fn list(part: &PolicyRegistry<'_>, kind: SubjectKind) -> Result<Vec<TargetObject>, StoreError> {
    let mut objects = Vec::new();
    part.for_each(kind, |object| {
        objects.push(object);
        Ok(())
    })?;
    with_members(part, objects)
}

fn found(object: Object, ids: &HashMap<u32, Uuid>) -> TargetObject {
    let members = object.members.iter().filter_map(|number| ids.get(&number));
    let members = members.map(|id| TargetId(id.to_string().into())).collect();
    TargetObject {
        id: TargetId(object.id.to_string().into()),
        key: Some(Key::from_uuid(object.id)),
        content: object.content,
        active: Some(object.active),
        members: (object.kind == SubjectKind::Group).then_some(members),
    }
}

fn has_address(content: &Content, address: &str) -> bool {
    match content {
        Content::User(user) => user.emails.iter().any(|email| email.eq_ignore_ascii_case(address)),
        Content::Group(group) => {
            group.attributes.get("mail").is_some_and(|mail| mail.eq_ignore_ascii_case(address))
        }
    }
}

fn uuid(id: &TargetId) -> Option<Uuid> {
    Uuid::parse_str(&id.0).ok()
}
