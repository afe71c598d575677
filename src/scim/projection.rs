//! Projections: which attributes of a resource a reader requests, by `attributes` and `excludedAttributes` (RFC 7644
//! section 3.9).

use serde_json::{Map, Value};

use super::path::{Named, Path, Scope, named};
use super::schema::{COMMON, Definition, ResourceType, find};

/// What is shown of a resource.
#[derive(Clone, Debug, Default)]
pub enum Projection {
    /// Everything.
    #[default]
    All,
    /// These, and what is always shown.
    Only(Vec<Chosen>),
    /// Everything but these, and what is always shown.
    Without(Vec<Chosen>),
}

/// Something that a reader named.
#[derive(Clone, Copy, Debug)]
pub enum Chosen {
    /// An attribute, or a part of it.
    Attribute(Path),
    /// All of an extension.
    Extension(&'static str),
}

impl Projection {
    /// By the names that a reader gave. One that no schema has chooses nothing; `None` if both lists are
    /// given, which exclude each other.
    pub fn parse(only: &[&str], without: &[&str], over: &[&'static ResourceType]) -> Option<Self> {
        let choose =
            |names: &[&str]| names.iter().filter_map(|name| Chosen::parse(name.trim(), over)).collect();
        match (only.is_empty(), without.is_empty()) {
            (true, true) => Some(Self::All),
            (false, true) => Some(Self::Only(choose(only))),
            (true, false) => Some(Self::Without(choose(without))),
            (false, false) => None,
        }
    }

    /// Whether anything of the attribute `name` is shown.
    pub fn shows(&self, name: &str) -> bool {
        let whole = |chosen: &Chosen| matches!(chosen, Chosen::Attribute(path) if path.attribute.name == name && path.part.is_none());
        let some = |chosen: &Chosen| matches!(chosen, Chosen::Attribute(path) if path.attribute.name == name);
        match self {
            Self::All => true,
            Self::Only(chosen) => chosen.iter().any(some),
            Self::Without(chosen) => !chosen.iter().any(whole),
        }
    }

    /// Removes from `resource` what is not shown.
    pub fn apply(&self, resource: &mut Map<String, Value>) {
        match self {
            Self::All => {}
            Self::Only(chosen) => resource.retain(|name, value| is_always(name) || keep(chosen, name, value)),
            Self::Without(chosen) => {
                resource.retain(|name, value| is_always(name) || !drop_from(chosen, name, value));
            }
        }
    }
}

impl Chosen {
    fn parse(name: &str, over: &[&'static ResourceType]) -> Option<Self> {
        match named(name, over) {
            Some(Named { schema, extension: true }) => Some(Self::Extension(schema.id)),
            _ => Path::resolve(name, Scope::Resources(over)).map(Self::Attribute),
        }
    }

    /// If it is of what stands at the top of a resource under `name`: the names that lead from there to it.
    fn steps_from(&self, name: &str) -> Option<[Option<&'static str>; 2]> {
        let (top, steps) = match self {
            Self::Extension(urn) => (*urn, [None, None]),
            Self::Attribute(path) => {
                let (attribute, part) = (path.attribute.name, path.part.map(|part| part.name));
                match path.schema {
                    Some(Named { schema, extension: true }) => (schema.id, [Some(attribute), part]),
                    _ => (attribute, [part, None]),
                }
            }
        };
        (top == name).then_some(steps)
    }
}

fn is_always(name: &str) -> bool {
    find(COMMON, name).is_some_and(Definition::is_always)
}

/// Keeps of `value` what is chosen; whether that is anything.
fn keep(chosen: &[Chosen], name: &str, value: &mut Value) -> bool {
    let mut inner = Vec::new();
    for steps in chosen.iter().filter_map(|chosen| chosen.steps_from(name)) {
        match steps {
            [None, _] => return true,
            steps => inner.push(steps),
        }
    }
    for_each_object(value, |fields| {
        fields.retain(|field, value| {
            inner.iter().any(|steps| match steps {
                [Some(first), None] => first == field,
                [Some(first), Some(second)] if first == field => {
                    for_each_object(value, |fields| fields.retain(|field, _| second == field));
                    true
                }
                _ => false,
            })
        });
    });
    !inner.is_empty()
}

/// Takes from `value` what is chosen; whether that is all of it.
fn drop_from(chosen: &[Chosen], name: &str, value: &mut Value) -> bool {
    for steps in chosen.iter().filter_map(|chosen| chosen.steps_from(name)) {
        match steps {
            [None, _] => return true,
            [Some(first), None] => for_each_object(value, |fields| drop(fields.remove(first))),
            [Some(first), Some(second)] => for_each_object(value, |fields| {
                if let Some(value) = fields.get_mut(first) {
                    for_each_object(value, |fields| drop(fields.remove(second)));
                }
            }),
        }
    }
    false
}

fn for_each_object(value: &mut Value, mut each: impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(fields) => each(fields),
        Value::Array(values) => values.iter_mut().filter_map(Value::as_object_mut).for_each(each),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::scim::schema::{ENTERPRISE, USER};

    #[rstest]
    #[case(&[], &[], &["active", "emails", "enterprise", "id", "meta", "name", "schemas", "userName"])]
    #[case(&["USERNAME"], &[], &["id", "schemas", "userName"])]
    #[case(&["name.givenName", "name.familyName"], &[], &["id", "name{familyName,givenName}", "schemas"])]
    #[case(&["emails.value"], &[], &["emails{value}", "id", "schemas"])]
    #[case(&["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"], &[], &["enterprise{department}", "id", "schemas"])]
    #[case(&["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"], &[], &["enterprise", "id", "schemas"])]
    #[case(&["urn:ietf:params:scim:schemas:core:2.0:User:active"], &[], &["active", "id", "schemas"])]
    #[case(&["shoeSize"], &[], &["id", "schemas"])]
    #[case(&[], &["id", "meta", "emails", "name.givenName"], &["active", "enterprise", "id", "name{familyName,middleName}", "schemas", "userName"])]
    #[case(&[], &["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division", "emails", "meta", "name"], &["active", "enterprise{department}", "id", "schemas", "userName"])]
    fn shows_what_was_asked_for(#[case] only: &[&str], #[case] without: &[&str], #[case] expected: &[&str]) {
        let full = json!({
            "schemas": [], "id": "1", "userName": "ada", "active": true, "meta": { "resourceType": "User" },
            "name": { "givenName": "Ada", "familyName": "Lovelace", "middleName": "King" },
            "emails": [{ "value": "ada@corp.example", "type": "work" }],
            ENTERPRISE.id: { "department": "Verse", "division": "Numbers" },
        });
        let mut resource = full.as_object().unwrap().clone();
        Projection::parse(only, without, &[&USER]).unwrap().apply(&mut resource);
        let mut shown: Vec<String> = resource
            .iter()
            .map(|(name, value)| {
                let short = if name == ENTERPRISE.id { "enterprise" } else { name };
                let first = value.as_array().and_then(|values| values.first()).unwrap_or(value);
                match first.as_object().filter(|_| value != &full[name]) {
                    Some(fields) => {
                        format!("{short}{{{}}}", fields.keys().cloned().collect::<Vec<_>>().join(","))
                    }
                    None => short.to_owned(),
                }
            })
            .collect();
        shown.sort();
        assert_eq!(shown, expected);
    }

    #[test]
    fn one_list_excludes_the_other() {
        assert!(Projection::parse(&["id"], &["id"], &[&USER]).is_none());
    }
}
