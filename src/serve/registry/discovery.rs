//! The discovery endpoints of the service (RFC 7644 section 4).

use serde_json::Value;
use serde_json::value::to_raw_value;

use super::answer::{Answer, internal};
use super::ask::MOST;
use super::route::Discovery;
use crate::scim::schema::{GROUP, SCHEMAS, USER};
use crate::scim::{Failure, Page, service_provider_config};

pub(super) fn discover(what: Discovery, base: &str) -> Result<Answer, Failure> {
    let schemas = || SCHEMAS.iter().map(|schema| (schema.id, schema.published(base)));
    let types = || [&USER, &GROUP].into_iter().map(|kind| (kind.name, kind.published(base)));
    match what {
        Discovery::Config => Answer::of(&service_provider_config(base, MOST)),
        Discovery::Schemas => all(schemas()),
        Discovery::Schema(id) => one(schemas(), &id),
        Discovery::ResourceTypes => all(types()),
        Discovery::ResourceType(id) => one(types(), &id),
    }
}

fn all(them: impl Iterator<Item = (&'static str, Value)>) -> Result<Answer, Failure> {
    let resources =
        them.map(|(_, value)| to_raw_value(&value)).collect::<Result<Vec<_>, _>>().map_err(internal)?;
    Answer::of(&Page::new(resources.len() as u64, 1, resources))
}

fn one(mut them: impl Iterator<Item = (&'static str, Value)>, id: &str) -> Result<Answer, Failure> {
    let found = them.find(|(name, _)| name.eq_ignore_ascii_case(id));
    let (_, value) = found.ok_or_else(|| Failure::new(404, "there is none with this id"))?;
    Answer::of(&value)
}
