//! The attributes of a SCIM user that a mapping can set, and their place in the resource.

use serde_json::{Map, Value, json};

use super::schema::ENTERPRISE;

/// An attribute of a user that a mapping can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name in a mapping.
    pub name: &'static str,
    /// Its place in the resource (RFC 7643 sections 4.1 and 4.3).
    pub(super) place: Place,
}

/// The place of an attribute in the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At the top.
    Top,
    /// Within `name`.
    Name,
    /// A telephone number of this type.
    Phone(&'static str),
    /// An address of type `work`, as one text.
    Address,
    /// In the enterprise extension.
    Enterprise,
}

/// Every attribute that a mapping can set, sorted by name.
pub const USER_ATTRIBUTES: &[Attribute] = &[
    Attribute { name: "address", place: Place::Address },
    Attribute { name: "costCenter", place: Place::Enterprise },
    Attribute { name: "department", place: Place::Enterprise },
    Attribute { name: "displayName", place: Place::Top },
    Attribute { name: "division", place: Place::Enterprise },
    Attribute { name: "employeeNumber", place: Place::Enterprise },
    Attribute { name: "familyName", place: Place::Name },
    Attribute { name: "formatted", place: Place::Name },
    Attribute { name: "givenName", place: Place::Name },
    Attribute { name: "honorificPrefix", place: Place::Name },
    Attribute { name: "honorificSuffix", place: Place::Name },
    Attribute { name: "locale", place: Place::Top },
    Attribute { name: "middleName", place: Place::Name },
    Attribute { name: "mobile", place: Place::Phone("mobile") },
    Attribute { name: "nickName", place: Place::Top },
    Attribute { name: "organization", place: Place::Enterprise },
    Attribute { name: "preferredLanguage", place: Place::Top },
    Attribute { name: "profileUrl", place: Place::Top },
    Attribute { name: "telephoneNumber", place: Place::Phone("work") },
    Attribute { name: "timezone", place: Place::Top },
    Attribute { name: "title", place: Place::Top },
    Attribute { name: "userType", place: Place::Top },
];

impl Attribute {
    /// Its value in a resource; an empty one is none.
    pub fn get<'v>(&self, resource: &'v Value) -> Option<&'v str> {
        let value = match self.place {
            Place::Top => resource.get(self.name)?,
            Place::Name => resource.get("name")?.get(self.name)?,
            Place::Enterprise => resource.get(ENTERPRISE.id)?.get(self.name)?,
            Place::Phone(r#type) => of_type(resource.get("phoneNumbers")?, r#type)?.get("value")?,
            Place::Address => of_type(resource.get("addresses")?, "work")?.get("formatted")?,
        };
        value.as_str().filter(|value| !value.is_empty())
    }

    /// Sets it in a resource, or takes it out of it. Whatever else the resource has stays.
    pub fn set(&self, resource: &mut Value, value: Option<&str>) {
        match self.place {
            Place::Top => put(resource, self.name, value),
            Place::Name => within(resource, "name", |name| put(name, self.name, value)),
            Place::Enterprise => within(resource, ENTERPRISE.id, |part| put(part, self.name, value)),
            Place::Phone(r#type) => put_of_type(resource, "phoneNumbers", r#type, "value", value),
            Place::Address => put_of_type(resource, "addresses", "work", "formatted", value),
        }
    }
}

/// The value of this type among several.
fn of_type<'v>(values: &'v Value, r#type: &str) -> Option<&'v Value> {
    values.as_array()?.iter().find(|value| is_of_type(value, r#type))
}

fn is_of_type(value: &Value, r#type: &str) -> bool {
    value.get("type").and_then(Value::as_str).is_some_and(|of| of.eq_ignore_ascii_case(r#type))
}

fn put(object: &mut Value, name: &str, value: Option<&str>) {
    let Some(object) = object.as_object_mut() else { return };
    match value {
        Some(value) => drop(object.insert(name.to_owned(), value.into())),
        None => drop(object.remove(name)),
    }
}

/// Changes a part, which is made for that, and goes when nothing is in it.
fn within(resource: &mut Value, name: &str, change: impl FnOnce(&mut Value)) {
    let Some(resource) = resource.as_object_mut() else { return };
    let mut part = resource.remove(name).filter(Value::is_object).unwrap_or_else(|| Map::new().into());
    change(&mut part);
    if part.as_object().is_some_and(|part| !part.is_empty()) {
        resource.insert(name.to_owned(), part);
    }
}

fn put_of_type(resource: &mut Value, name: &str, r#type: &str, part: &str, value: Option<&str>) {
    let Some(resource) = resource.as_object_mut() else { return };
    let values = resource.remove(name).unwrap_or_default();
    let mut values = if let Value::Array(values) = values { values } else { Vec::new() };
    match (values.iter_mut().find(|value| is_of_type(value, r#type)), value) {
        (Some(found), Some(value)) => put(found, part, Some(value)),
        (None, Some(value)) => values.push(json!({ part: value, "type": r#type })),
        (_, None) => values.retain(|value| !is_of_type(value, r#type)),
    }
    if !values.is_empty() {
        resource.insert(name.to_owned(), values.into());
    }
}

/// The attribute of this name.
pub fn user_attribute(name: &str) -> Option<&'static Attribute> {
    let at = USER_ATTRIBUTES.binary_search_by(|attribute| attribute.name.cmp(name)).ok()?;
    USER_ATTRIBUTES.get(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_is_found_by_its_name() {
        for attribute in USER_ATTRIBUTES {
            assert_eq!(user_attribute(attribute.name), Some(attribute));
        }
        assert_eq!(user_attribute("surname"), None);
    }

    #[test]
    fn what_is_set_is_found_and_what_is_taken_out_leaves_nothing() {
        let bare = json!({ "userName": "ada", "phoneNumbers": [{ "value": "1", "type": "home" }] });
        for attribute in USER_ATTRIBUTES {
            let mut resource = bare.clone();
            attribute.set(&mut resource, Some("x"));
            attribute.set(&mut resource, Some("y"));
            assert_eq!(attribute.get(&resource), Some("y"), "{}", attribute.name);
            for other in USER_ATTRIBUTES.iter().filter(|other| *other != attribute) {
                assert_eq!(other.get(&resource), None, "{} is not {}", other.name, attribute.name);
            }
            attribute.set(&mut resource, None);
            assert_eq!(resource, bare, "{}", attribute.name);
        }
    }
}
