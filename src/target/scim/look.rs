//! Finds objects: by id, by filter, or in the whole list where no filter is to be trusted.

use serde_json::Value;

use super::client::Client;
use super::dialect::{By, Dialect, LookUp, Members};
use super::learned::Learned;
use super::walk::{self, Broken, Step, Walk};
use super::{filter, resource};
use crate::directory::{SubjectKind, TargetId, TargetReason};
use crate::target::Names;
use crate::target::refusal::{No, Refusal};

/// So often a list is begun anew that changes while it is read.
const WALKS: usize = 3;

/// Who looks where.
pub(super) struct Looker<'a> {
    pub(super) client: &'a Client,
    pub(super) learned: &'a Learned,
    /// Where users are.
    pub(super) users: &'a str,
    /// Where groups are.
    pub(super) groups: &'a str,
}

/// What was found by a look-up.
pub(super) enum Found {
    /// These, and no others.
    These(Vec<Value>),
    /// That only the list tells.
    OnlyInList,
}

impl Looker<'_> {
    pub(super) fn place(&self, kind: SubjectKind) -> &str {
        match kind {
            SubjectKind::User => self.users,
            SubjectKind::Group => self.groups,
        }
    }

    /// The object of this id, with its members where the service shows them. `None` if it is not there.
    pub(super) async fn by_id(&self, kind: SubjectKind, id: &TargetId) -> Result<Option<Value>, Refusal> {
        if !resource::is_id(&id.0) {
            return Ok(None);
        }
        let path = [self.place(kind), &*id.0];
        let mut object = match self.client.get(&path, "").await {
            Ok(object) => object,
            Err(refusal) if refusal.no == No::NotThere => return Ok(None),
            Err(refusal) => return Err(refusal),
        };
        if resource::id(&object).as_ref() != Some(id) {
            let message = format!("{} answered with another object than was asked for", self.client.host());
            return Err(Refusal::new(No::Refused, TargetReason::InvalidAnswer, message));
        }
        self.complete(kind, &mut object).await?;
        Ok(Some(object))
    }

    /// Adds the members to a group, where they come only when they are asked for.
    pub(super) async fn complete(&self, kind: SubjectKind, object: &mut Value) -> Result<(), Refusal> {
        if kind == SubjectKind::User || self.learned.dialect().members != Members::Asked {
            return Ok(());
        }
        let Some(id) = resource::id(object) else { return Ok(()) };
        let shown = self.client.get(&[self.groups, &*id.0], "attributes=members").await?;
        object["members"] = shown.get("members").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
        Ok(())
    }

    /// The objects that have this value.
    pub(super) async fn by(&self, kind: SubjectKind, by: By, value: &str) -> Result<Vec<Value>, Refusal> {
        let mut objects = match self.by_filter(kind, by, value).await? {
            Found::These(these) => these,
            Found::OnlyInList => {
                let mut objects = Vec::new();
                let dialect = self.learned.dialect();
                let keep = |object: Value| {
                    if has(kind, &object, by, value, &dialect) && !is_among(&objects, &object) {
                        objects.push(object);
                    }
                };
                self.each(kind, keep).await?;
                objects
            }
        };
        for object in &mut objects {
            self.complete(kind, object).await?;
        }
        Ok(objects)
    }

    /// The same by a filter, as far as it can be trusted.
    pub(super) async fn by_filter(&self, kind: SubjectKind, by: By, value: &str) -> Result<Found, Refusal> {
        let mut dialect = self.learned.dialect();
        let way = *dialect.look_up(kind, by);
        match way {
            LookUp::None => return Ok(Found::These(Vec::new())),
            LookUp::List => return Ok(Found::OnlyInList),
            LookUp::Filter | LookUp::Unproven => {}
        }
        let Some(found) = self.ask_filter(kind, by, value).await? else {
            return Ok(Found::OnlyInList);
        };
        let these: Vec<_> =
            found.into_iter().filter(|object| has(kind, object, by, value, &dialect)).collect();
        if !these.is_empty() {
            self.learned.learn(|dialect| *dialect.look_up(kind, by) = LookUp::Filter, &proven(kind, by));
            return Ok(Found::These(these));
        }
        let by_case = dialect.names_by_case && by == By::Name && kind == SubjectKind::User;
        if by_case || filter::is_risky(value) {
            return Ok(Found::OnlyInList);
        }
        if way == LookUp::Filter || self.is_trusted(kind, by).await? {
            return Ok(Found::These(Vec::new()));
        }
        Ok(Found::OnlyInList)
    }

    /// What a filter gives; `None` if the service does not filter so. What it gives has the value but for its letter case.
    async fn ask_filter(
        &self,
        kind: SubjectKind,
        by: By,
        value: &str,
    ) -> Result<Option<Vec<Value>>, Refusal> {
        let attribute = filter::attribute(kind, by);
        let query = format!("filter={}", filter::escaped(&filter::equals(attribute, value)));
        let page = match self.client.get(&[self.place(kind)], &query).await {
            Ok(page) => page,
            // It does not like the value, or the filter; neither says that nobody has it.
            Err(refusal) if matches!(refusal.no, No::Refused | No::Unsupported | No::TooLarge) => {
                return Ok(None);
            }
            Err(refusal) => return Err(refusal),
        };
        let found = walk::of_page(&page).map_err(|broken| self.broken(&broken))?;
        let fits = found.iter().all(|object| says(object, kind, by, value));
        let is_whole = walk::is_whole(&page, found.len());
        if fits && is_whole {
            return Ok(Some(found));
        }
        let what = if fits { "does not give all that it finds" } else { "is ignored" };
        let note = format!("a filter by {attribute} {what}, so the whole list is read instead");
        self.learned.learn(|dialect| *dialect.look_up(kind, by) = LookUp::List, &note);
        Ok(None)
    }

    /// Whether a filter finds what is there: asked once, for some object that has such a value.
    async fn is_trusted(&self, kind: SubjectKind, by: By) -> Result<bool, Refusal> {
        let dialect = self.learned.dialect();
        let mut walk = Walk::new(dialect.paging, dialect.page);
        let page = self.client.get(&[self.place(kind)], &walk.query()).await?;
        let (objects, step) = walk.take(&page).map_err(|broken| self.broken(&broken))?;
        let value = objects
            .iter()
            .find_map(|object| value_of(object, kind, by).filter(|value| !filter::is_risky(value)));
        let Some(value) = value else {
            // Nobody has one, if that was everybody.
            return Ok(step == Step::Done);
        };
        let finds = self.ask_filter(kind, by, value).await?.is_some_and(|found| !found.is_empty());
        let attribute = filter::attribute(kind, by);
        if finds {
            self.learned.learn(|dialect| *dialect.look_up(kind, by) = LookUp::Filter, &proven(kind, by));
        } else {
            let note = format!("a filter by {attribute} finds nothing, so the whole list is read instead");
            self.learned.learn(|dialect| *dialect.look_up(kind, by) = LookUp::List, &note);
        }
        Ok(finds)
    }

    /// Tells of every object of a kind. If the list changes meanwhile, it is read again, and some come twice.
    pub(super) async fn each(&self, kind: SubjectKind, mut tell: impl FnMut(Value)) -> Result<(), Refusal> {
        let mut walks = 1;
        'anew: loop {
            let dialect = self.learned.dialect();
            let mut walk = Walk::new(dialect.paging, dialect.page);
            loop {
                let page = self.client.get(&[self.place(kind)], &walk.query()).await?;
                match walk.take(&page) {
                    Ok((objects, step)) => {
                        objects.into_iter().for_each(&mut tell);
                        if step == Step::Done {
                            return Ok(());
                        }
                    }
                    Err(Broken::Changed(_)) if walks < WALKS => {
                        walks += 1;
                        continue 'anew;
                    }
                    Err(broken) => return Err(self.broken(&broken)),
                }
            }
        }
    }

    fn broken(&self, broken: &Broken) -> Refusal {
        let host = self.client.host();
        match broken {
            Broken::Changed(how) => Refusal::new(
                No::Busy,
                TargetReason::InvalidAnswer,
                format!(
                    "the list of {host} changed each time while it was read: {how}. Nothing follows from it"
                ),
            ),
            Broken::NoList(why) => Refusal::not_scim(&format!("{host} did not answer with a list: {why}")),
        }
    }
}

/// Whether an object has this value, as names and addresses are compared.
pub(super) fn has(kind: SubjectKind, object: &Value, by: By, value: &str, dialect: &Dialect) -> bool {
    let by_case = by == By::Key
        || (by == By::Name && kind == SubjectKind::Group && dialect.group_names != Names::UniqueIgnoringCase);
    match (by_case, value_of(object, kind, by)) {
        (true, Some(has)) => has == value,
        _ => says(object, kind, by, value),
    }
}

/// Whether an object has this value, whatever its letter case.
fn says(object: &Value, kind: SubjectKind, by: By, value: &str) -> bool {
    match by {
        By::Address => resource::addresses(object).iter().any(|address| resource::same(address, value)),
        By::Key | By::Name => value_of(object, kind, by).is_some_and(|has| resource::same(has, value)),
    }
}

fn value_of(object: &Value, kind: SubjectKind, by: By) -> Option<&str> {
    match by {
        By::Address => resource::addresses(object).first().copied(),
        By::Key | By::Name => resource::text(object, filter::attribute(kind, by)),
    }
}

fn is_among(objects: &[Value], object: &Value) -> bool {
    objects.iter().any(|other| resource::id(other) == resource::id(object))
}

fn proven(kind: SubjectKind, by: By) -> String {
    let objects = match kind {
        SubjectKind::User => "users",
        SubjectKind::Group => "groups",
    };
    format!("{objects} are found by {}", filter::attribute(kind, by))
}
