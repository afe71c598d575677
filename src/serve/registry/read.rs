//! Reads the store for one request.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::answer::{Answer, internal};
use super::ask::List;
use super::failure::{busy, unreadable};
use crate::directory::SubjectKind;
use crate::scim::schema::ResourceType;
use crate::scim::{Failure, Filter, Page, Projection};
use crate::serve::resource::{Names, resource};
use crate::store::StoreError;
use crate::store::registry::{Object, PolicyRegistry};

/// A page that shows more memberships than this is refused, unless it is of one group: what it takes to build
/// is bounded, and nothing is ever left out in silence.
const MEMBERSHIPS: u64 = 200_000;

/// Reads a policy's part, as of one moment.
pub(super) struct Reader<'p, 't> {
    part: &'p PolicyRegistry<'t>,
    base: &'p str,
    unwanted: &'p CancellationToken,
}

/// A page in the making.
struct Building<'r, 'p, 't> {
    reader: &'r Reader<'p, 't>,
    list: &'r List,
    names: Names<'p, 't>,
    total: u64,
    memberships: u64,
    resources: Vec<Box<RawValue>>,
}

impl<'p, 't> Reader<'p, 't> {
    /// Ends as soon as it is `unwanted`.
    pub(super) fn new(part: &'p PolicyRegistry<'t>, base: &'p str, unwanted: &'p CancellationToken) -> Self {
        Self { part, base, unwanted }
    }

    /// The resource of this kind and id.
    pub(super) fn one(
        &self,
        kind: &ResourceType,
        id: &str,
        projection: &Projection,
    ) -> Result<Answer, Failure> {
        let object = self.by_id(subject_kind(kind), id)?;
        let object =
            object.ok_or_else(|| Failure::new(404, format!("there is no {} with this id", kind.name)))?;
        let (version, mut shown) = self.versioned(object, &mut Names::new(self.part))?;
        show(&mut shown, projection);
        Ok(Answer::of(&shown)?.with_version(version))
    }

    /// Some of the resources of these kinds.
    pub(super) fn list(&self, kinds: &[&'static ResourceType], list: &List) -> Result<Answer, Failure> {
        let mut building = Building {
            reader: self,
            list,
            names: Names::new(self.part),
            total: 0,
            memberships: 0,
            resources: Vec::new(),
        };
        for kind in kinds {
            match &list.filter {
                None => building.page(subject_kind(kind))?,
                Some(filter) => building.search(subject_kind(kind), filter)?,
            }
        }
        Answer::of(&Page::new(building.total, list.skip + 1, building.resources))
    }

    fn by_id(&self, kind: SubjectKind, id: &str) -> Result<Option<Object>, Failure> {
        // Ids are compared to the letter: another spelling of the same number is another id.
        let Some(uuid) = Uuid::parse_str(id).ok().filter(|uuid| uuid.to_string() == id) else {
            return Ok(None);
        };
        let found = self.part.by_id(uuid).map_err(failed)?;
        Ok(found.filter(|object| object.kind == kind))
    }

    /// The resource with its version: a digest of all that is shown of it, so that two that differ never
    /// bear the same one, whatever becomes of the store.
    fn versioned(&self, object: Object, names: &mut Names<'p, 't>) -> Result<(String, Value), Failure> {
        let mut resource = resource(object, names, self.base).map_err(failed)?;
        let location = resource["meta"]["location"].take();
        let digest = Sha256::digest(resource.to_string());
        let version = format!("W/\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&digest[..16]));
        resource["meta"]["location"] = location;
        resource["meta"]["version"] = version.clone().into();
        Ok((version, resource))
    }
}

impl Building<'_, '_, '_> {
    /// Resources of one kind, counted but not read where they are not of the page.
    fn page(&mut self, kind: SubjectKind) -> Result<(), Failure> {
        let part = self.reader.part;
        let skip = self.list.skip.saturating_sub(self.total);
        self.total += part.count(kind).map_err(failed)?;
        let room = self.room();
        if room == 0 {
            return Ok(());
        }
        for object in part.page(kind, skip, room).map_err(failed)? {
            self.push(object)?;
        }
        Ok(())
    }

    /// Resources of one kind that fulfil a filter: found by an index if the filter names an id or a name,
    /// else looked for among all.
    fn search(&mut self, kind: SubjectKind, filter: &Filter) -> Result<(), Failure> {
        let part = self.reader.part;
        let name = match kind {
            SubjectKind::User => "userName",
            SubjectKind::Group => "displayName",
        };
        let by_id = filter.demands("id").or_else(|| filter.demands("externalId"));
        if let Some(id) = by_id {
            return self.reader.by_id(kind, id)?.map_or(Ok(()), |object| self.take(object, filter));
        }
        if let Some(name) = filter.demands(name) {
            let found = part.by_name(kind, name).map_err(failed)?;
            return found.map_or(Ok(()), |object| self.take(object, filter));
        }
        let mut ended = Ok(());
        let all = part.for_each(kind, |object| {
            if ended.is_ok() {
                ended = self.take(object, filter);
            }
            // Nothing more is read then.
            if ended.is_ok() { Ok(()) } else { Err(StoreError::Ended("nobody wants the rest".to_owned())) }
        });
        ended?;
        all.map_err(failed)
    }

    fn take(&mut self, object: Object, filter: &Filter) -> Result<(), Failure> {
        self.wanted()?;
        let mut seen = object.clone();
        if !filter.looks_at("members") {
            seen.members.clear();
        }
        // `meta.version` is of the whole resource.
        let matches = if filter.looks_at("meta") {
            filter.matches(&self.reader.versioned(object.clone(), &mut self.names)?.1)
        } else {
            filter.matches(&resource(seen, &mut self.names, self.reader.base).map_err(failed)?)
        };
        if matches {
            self.total += 1;
            if self.total > self.list.skip && self.room() > 0 {
                self.push(object)?;
            }
        }
        Ok(())
    }

    fn room(&self) -> u64 {
        self.list.count - self.resources.len() as u64
    }

    /// An error once nobody waits for the answer any more.
    fn wanted(&self) -> Result<(), Failure> {
        if self.reader.unwanted.is_cancelled() { Err(busy("nobody waits for this")) } else { Ok(()) }
    }

    fn push(&mut self, object: Object) -> Result<(), Failure> {
        self.wanted()?;
        if self.list.projection.shows("members") {
            self.memberships += object.members.len();
        }
        if self.memberships > MEMBERSHIPS && !self.resources.is_empty() {
            let why = format!(
                "this page would show more than {MEMBERSHIPS} memberships; request fewer groups with count, \
                 or leave them out with excludedAttributes=members"
            );
            return Err(Failure::bad("tooMany", why));
        }
        let (_, mut shown) = self.reader.versioned(object, &mut self.names)?;
        show(&mut shown, &self.list.projection);
        self.resources.push(to_raw_value(&shown).map_err(internal)?);
        Ok(())
    }
}

fn show(resource: &mut Value, projection: &Projection) {
    if let Some(fields) = resource.as_object_mut() {
        projection.apply(fields);
    }
}

fn subject_kind(kind: &ResourceType) -> SubjectKind {
    if kind.name == "User" { SubjectKind::User } else { SubjectKind::Group }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn failed(error: StoreError) -> Failure {
    unreadable(&error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{Content, Owner, UserContent};
    use crate::scim::schema::USER;
    use crate::store::Store;

    #[test]
    fn nothing_more_is_read_once_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let owner = Owner::new("identity", "staff");
        let user = |name: u8| UserContent { user_name: format!("user{name}"), ..UserContent::default() };
        let filled = store.change_registry(&owner, |part| {
            for name in 1..=9 {
                part.create(Uuid::from_bytes([name; 16]), &Content::User(user(name)))?;
            }
            Ok(())
        });
        filled.unwrap();
        let kinds = [&USER];
        let list = |filter: Option<&str>| List {
            filter: filter.map(|filter| Filter::parse(filter, &kinds).unwrap()),
            skip: 0,
            count: 500,
            projection: Projection::parse(&[], &[], &kinds).unwrap(),
        };
        for (list, unwanted) in [None, Some("userName pr")]
            .into_iter()
            .flat_map(|filter| [(list(filter), false), (list(filter), true)])
        {
            let token = CancellationToken::new();
            if unwanted {
                token.cancel();
            }
            let read = |part: &PolicyRegistry<'_>| Ok(Reader::new(part, "", &token).list(&kinds, &list));
            let answer = store.read_registry(&owner, read).unwrap().unwrap();
            assert_eq!(answer.map_err(|failure| failure.status).err(), unwanted.then_some(503));
        }
    }
}
