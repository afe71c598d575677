//! Paths of attributes, as filters and `attributes=` write them: `userName`, `name.givenName`,
//! `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department`.

use std::fmt;

use serde_json::Value;

use super::schema::{self, COMMON, Definition, ResourceType, Schema};

/// Among which attributes a name is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scope<'a> {
    /// Those of resources of these kinds.
    Resources(&'a [&'static ResourceType]),
    /// Those of one value of a complex attribute.
    Parts(&'static [Definition]),
}

/// An attribute that exists.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Path {
    /// The schema that was named, if one was.
    pub(super) schema: Option<Named>,
    /// The attribute.
    pub(super) attribute: &'static Definition,
    /// What of its values.
    pub(super) part: Option<&'static Definition>,
}

/// A schema by name, and whether it is an extension, whose attributes are under its URN in the resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    pub(super) schema: &'static Schema,
    pub(super) extension: bool,
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.schema.id == other.schema.id
    }
}

impl Path {
    /// The attribute that `text` names; `None` if there is no such.
    pub(super) fn resolve(text: &str, scope: Scope<'_>) -> Option<Self> {
        let (urn, name) = text.rsplit_once(':').map_or((None, text), |(urn, name)| (Some(urn), name));
        let (name, part) = name.split_once('.').map_or((name, None), |(name, part)| (name, Some(part)));
        let (schema, attribute) = match (scope, urn) {
            (Scope::Parts(parts), None) => (None, schema::find(parts, name)?),
            (Scope::Parts(_), Some(_)) => return None,
            (Scope::Resources(types), None) => {
                let core = types.iter().find_map(|of| schema::find(of.core.attributes, name));
                (None, schema::find(COMMON, name).or(core)?)
            }
            (Scope::Resources(types), Some(urn)) => {
                let named = named(urn, types)?;
                let common = if named.extension { None } else { schema::find(COMMON, name) };
                (Some(named), common.or_else(|| schema::find(named.schema.attributes, name))?)
            }
        };
        let part = match part {
            Some(part) => Some(attribute.part(part)?),
            None => None,
        };
        Some(Self { schema, attribute, part })
    }

    /// What the path ends at.
    pub(super) fn last(&self) -> &'static Definition {
        self.part.unwrap_or(self.attribute)
    }

    /// Its values in `resource`.
    pub(super) fn values<'v>(&self, resource: &'v Value) -> Vec<&'v Value> {
        let within = match self.schema {
            Some(Named { schema, extension: true }) => resource.get(schema.id),
            Some(Named { schema, extension: false }) => {
                let has =
                    resource["schemas"].as_array().is_some_and(|ids| ids.iter().any(|id| id == schema.id));
                has.then_some(resource)
            }
            None => Some(resource),
        };
        let values = each(within.and_then(|within| within.get(self.attribute.name)));
        match self.part {
            Some(part) => values.flat_map(|value| each(value.get(part.name))).collect(),
            None => values.collect(),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(named) = &self.schema {
            write!(f, "{}:", named.schema.id)?;
        }
        f.write_str(self.attribute.name)?;
        self.part.map_or(Ok(()), |part| write!(f, ".{}", part.name))
    }
}

/// The schema of this URN.
pub(super) fn named(urn: &str, types: &[&'static ResourceType]) -> Option<Named> {
    let all = types.iter().flat_map(|of| [(of.core, false), (of.extension, true)]);
    all.map(|(schema, extension)| Named { schema, extension })
        .find(|named| named.schema.id.eq_ignore_ascii_case(urn))
}

/// A value, or each of several.
fn each(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let (many, one) = match value {
        Some(Value::Array(many)) => (many.as_slice(), None),
        one => (&[][..], one),
    };
    many.iter().chain(one).filter(|value| !value.is_null())
}
