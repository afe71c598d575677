//! From content to resources, and back. Pure.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::dialect::{Addresses, Dialect, Members};
use crate::directory::{Content, GroupContent, Key, SubjectKind, TargetId, TargetObject, UserContent};
use crate::scim::schema::{ENTERPRISE, GROUP_CORE, USER_CORE};
use crate::scim::{USER_ATTRIBUTES, user_attribute};

/// What a create sends: an active user, or a group without members.
pub(super) fn new(content: &Content, key: Key, dialect: &Dialect) -> Value {
    let (schema, kind) = match content {
        Content::User(_) => (USER_CORE.id, SubjectKind::User),
        Content::Group(_) => (GROUP_CORE.id, SubjectKind::Group),
    };
    let mut resource = json!({ "schemas": [schema] });
    if kind == SubjectKind::User {
        resource["active"] = true.into();
    }
    with(&mut resource, content, Some(key), &BTreeSet::new(), dialect);
    resource
}

/// Makes a resource what `content` says. What of it is neither in the content nor among the `owned` attributes stays.
pub(super) fn with(
    resource: &mut Value,
    content: &Content,
    key: Option<Key>,
    owned: &BTreeSet<String>,
    dialect: &Dialect,
) {
    let kind = kind_of(content);
    if let Some(key) = key.filter(|_| dialect.holds_key(kind)) {
        resource["externalId"] = key.to_string().into();
    }
    let user = match content {
        Content::Group(group) => {
            resource["displayName"] = group.display_name.as_str().into();
            return;
        }
        Content::User(user) => user,
    };
    resource["userName"] = user.user_name.as_str().into();
    let wanted = kept(&user.emails, dialect);
    if addresses(resource) != wanted && (!wanted.is_empty() || owned.contains("emails")) {
        set_addresses(resource, wanted);
    }
    for attribute in USER_ATTRIBUTES.iter().filter(|attribute| dialect.keeps(attribute.name)) {
        match user.attributes.get(attribute.name) {
            Some(value) if attribute.get(resource) != Some(value) => attribute.set(resource, Some(value)),
            None if owned.contains(attribute.name) && attribute.get(resource).is_some() => {
                attribute.set(resource, None);
            }
            _ => {}
        }
    }
    name_extension(resource);
}

/// What of `content` a service of this dialect gives back.
pub(super) fn held(content: &Content, dialect: &Dialect) -> Content {
    match content {
        Content::User(user) => Content::User(UserContent {
            user_name: user.user_name.clone(),
            emails: kept(&user.emails, dialect).to_vec(),
            attributes: user
                .attributes
                .iter()
                .filter(|(name, value)| {
                    !value.is_empty() && user_attribute(name).is_some() && dialect.keeps(name)
                })
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        }),
        // RFC 7643 gives a group no other attribute.
        Content::Group(group) => Content::Group(GroupContent {
            display_name: group.display_name.clone(),
            ..GroupContent::default()
        }),
    }
}

/// What of `wanted` a resource does not show, by name; only of what is `held`.
pub(super) fn missing(
    resource: &Value,
    wanted: &Content,
    key: Option<Key>,
    dialect: &Dialect,
) -> Vec<&'static str> {
    let mut missing = Vec::new();
    let kind = kind_of(wanted);
    if let Some(key) = key.filter(|_| dialect.holds_key(kind))
        && key_of(resource) != Some(key)
    {
        missing.push("externalId");
    }
    match wanted {
        Content::Group(group) if text(resource, "displayName") != Some(&group.display_name) => {
            missing.push("displayName");
        }
        Content::Group(_) => {}
        Content::User(user) => {
            // Some services write it in lower case.
            if !text(resource, "userName").is_some_and(|name| same(name, &user.user_name)) {
                missing.push("userName");
            }
            if addresses(resource) != kept(&user.emails, dialect) && !user.emails.is_empty() {
                missing.push("emails");
            }
            let kept = USER_ATTRIBUTES.iter().filter(|attribute| dialect.keeps(attribute.name));
            missing.extend(
                kept.filter(|attribute| {
                    let wanted = user.attributes.get(attribute.name);
                    wanted.is_some_and(|wanted| !wanted.is_empty() && attribute.get(resource) != Some(wanted))
                })
                .map(|attribute| attribute.name),
            );
        }
    }
    missing
}

/// What `wanted` clears of the `owned` attributes and a resource still shows, by name.
pub(super) fn left(
    resource: &Value,
    wanted: &Content,
    owned: &BTreeSet<String>,
    dialect: &Dialect,
) -> Vec<&'static str> {
    let Content::User(user) = wanted else { return Vec::new() };
    let has_emails = user.emails.is_empty() && owned.contains("emails") && !addresses(resource).is_empty();
    let is_cleared = |name: &str| match user.attributes.get(name) {
        Some(value) => value.is_empty(),
        None => owned.contains(name),
    };
    let left = USER_ATTRIBUTES
        .iter()
        .filter(|attribute| dialect.keeps(attribute.name) && is_cleared(attribute.name))
        .filter(|attribute| attribute.get(resource).is_some());
    has_emails.then_some("emails").into_iter().chain(left.map(|attribute| attribute.name)).collect()
}

/// What a service shows as an object of this kind; `None` if it has no id or no name.
pub(super) fn read(kind: SubjectKind, resource: &Value, dialect: &Dialect) -> Option<TargetObject> {
    let id = id(resource)?;
    let content = match kind {
        SubjectKind::User => Content::User(UserContent {
            user_name: text(resource, "userName")?.to_owned(),
            emails: addresses(resource).into_iter().map(str::to_owned).collect(),
            attributes: USER_ATTRIBUTES
                .iter()
                .filter(|attribute| dialect.keeps(attribute.name))
                .filter_map(|attribute| {
                    Some((attribute.name.to_owned(), attribute.get(resource)?.to_owned()))
                })
                .collect(),
        }),
        SubjectKind::Group => Content::Group(GroupContent {
            display_name: text(resource, "displayName")?.to_owned(),
            ..GroupContent::default()
        }),
    };
    let members =
        (kind == SubjectKind::Group && dialect.members != Members::Never).then(|| members(resource));
    Some(TargetObject {
        id,
        key: key_of(resource),
        content,
        active: Some(kind == SubjectKind::Group || is_active(resource)),
        members,
    })
}

/// Its id.
pub(super) fn id(resource: &Value) -> Option<TargetId> {
    let id = match resource.get("id")? {
        Value::String(id) => id.clone(),
        // Some write numbers.
        Value::Number(id) => id.to_string(),
        _ => return None,
    };
    is_id(&id).then(|| TargetId(id.into()))
}

/// Whether a text can stand in an address as one part of its path: anything else would name another resource.
pub(super) fn is_id(id: &str) -> bool {
    !id.is_empty() && id != "." && id != ".." && id.len() <= 1024 && !id.chars().any(char::is_control)
}

/// Who is in it, each once.
pub(super) fn members(resource: &Value) -> Vec<TargetId> {
    let all = resource.get("members").and_then(Value::as_array);
    let mut seen = BTreeSet::new();
    let ids = all.into_iter().flatten().filter_map(|member| match member.get("value")? {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    });
    ids.map(|id| TargetId(id.into())).filter(|id| seen.insert(id.clone())).collect()
}

/// Whether a user may sign in: a service that does not say it means yes.
pub(super) fn is_active(resource: &Value) -> bool {
    match resource.get("active") {
        Some(Value::Bool(active)) => *active,
        Some(Value::String(text)) => !text.eq_ignore_ascii_case("false"),
        _ => true,
    }
}

/// The version that a service gives a resource.
pub(super) fn version(resource: &Value) -> Option<&str> {
    resource
        .get("meta")?
        .get("version")?
        .as_str()
        .filter(|version| !version.is_empty() && version.len() <= 1024)
}

/// Whether two names are one, whatever the letter case.
pub(super) fn same(name: &str, other: &str) -> bool {
    name == other || name.to_lowercase() == other.to_lowercase()
}

/// Its e-mail addresses, the primary one first.
pub(super) fn addresses(resource: &Value) -> Vec<&str> {
    let all = resource.get("emails").and_then(Value::as_array);
    let all: Vec<_> = all.into_iter().flatten().collect();
    let is_primary = |email: &&&Value| email.get("primary").and_then(Value::as_bool) == Some(true);
    let first = all.iter().filter(is_primary);
    let rest = all.iter().filter(|email| !is_primary(email));
    first
        .chain(rest)
        .filter_map(|email| email.get("value")?.as_str())
        .filter(|value| !value.is_empty())
        .collect()
}

pub(super) fn text<'v>(resource: &'v Value, name: &str) -> Option<&'v str> {
    resource.get(name)?.as_str().filter(|text| !text.is_empty())
}

pub(super) fn key_of(resource: &Value) -> Option<Key> {
    Uuid::try_parse(text(resource, "externalId")?).ok().map(Key::from_uuid)
}

fn kind_of(content: &Content) -> SubjectKind {
    match content {
        Content::User(_) => SubjectKind::User,
        Content::Group(_) => SubjectKind::Group,
    }
}

fn kept<'a>(emails: &'a [String], dialect: &Dialect) -> &'a [String] {
    match dialect.addresses {
        Addresses::All => emails,
        Addresses::Primary => emails.get(..1).unwrap_or(emails),
    }
}

fn set_addresses(resource: &mut Value, emails: &[String]) {
    let email = |(at, value): (usize, &String)| {
        if at == 0 {
            json!({ "value": value, "type": "work", "primary": true })
        } else {
            json!({ "value": value, "type": "work" })
        }
    };
    let Some(resource) = resource.as_object_mut() else { return };
    if emails.is_empty() {
        resource.remove("emails");
    } else {
        resource.insert("emails".to_owned(), emails.iter().enumerate().map(email).collect());
    }
}

/// An extension that has attributes is named in `schemas`.
fn name_extension(resource: &mut Value) {
    if resource.get(ENTERPRISE.id).and_then(Value::as_object).is_none_or(Map::is_empty) {
        return;
    }
    if let Some(schemas) = resource.get_mut("schemas").and_then(Value::as_array_mut)
        && !schemas.iter().any(|schema| schema == ENTERPRISE.id)
    {
        schemas.push(ENTERPRISE.id.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::scim::profile;

    fn key() -> Key {
        Key::from_uuid(Uuid::from_u128(7))
    }

    fn user(emails: &[&str], attributes: &[(&str, &str)]) -> Content {
        Content::User(UserContent {
            user_name: "Ada".to_owned(),
            emails: emails.iter().map(|email| (*email).to_owned()).collect(),
            attributes: attributes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        })
    }

    fn standard() -> Dialect {
        profile::standard().dialect
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let all: Vec<_> = USER_ATTRIBUTES.iter().map(|attribute| (attribute.name, "x")).collect();
        for content in [user(&["a@corp.example", "b@corp.example"], &all), user(&[], &[])] {
            for profile in profile::PROFILES {
                let mut resource = new(&content, key(), &profile.dialect);
                resource["id"] = "1".into();
                let object = read(SubjectKind::User, &resource, &profile.dialect).unwrap();
                assert_eq!(object.content, held(&content, &profile.dialect), "{}", profile.name);
                assert_eq!(object.key.is_some(), profile.dialect.keys.users);
                assert_eq!(object.active, Some(true));
                assert_eq!(missing(&resource, &content, Some(key()), &profile.dialect), [""; 0]);
            }
        }
    }

    #[test]
    fn a_change_leaves_what_others_wrote() {
        let mut resource = json!({
            "id": "1", "userName": "ada", "nickName": "Countess", "title": "Dr", "department": "x", "active": false,
            "emails": [{ "value": "old@corp.example", "type": "home" }],
            "phoneNumbers": [{ "value": "1", "type": "home" }, { "value": "2", "type": "work" }],
        });
        let owned = ["title", "telephoneNumber", "emails"].map(str::to_owned).into();
        let content = user(&[], &[("telephoneNumber", "3"), ("costCenter", "9")]);
        with(&mut resource, &content, None, &owned, &standard());
        let after = json!({
            "id": "1", "userName": "Ada", "nickName": "Countess", "department": "x", "active": false,
            "phoneNumbers": [{ "value": "1", "type": "home" }, { "value": "3", "type": "work" }],
            ENTERPRISE.id: { "costCenter": "9" },
        });
        assert_eq!(resource, after);
        let before = resource.clone();
        with(&mut resource, &content, None, &BTreeSet::new(), &standard());
        assert_eq!(resource, before, "what is so already stays to the letter");
    }

    #[test]
    fn what_is_not_there_is_named() {
        let content = user(&["a@corp.example"], &[("title", "Dr"), ("nickName", "")]);
        let resource = json!({ "id": "1", "userName": "ada", "emails": [] });
        assert_eq!(missing(&resource, &content, Some(key()), &standard()), ["externalId", "emails", "title"]);
    }

    #[test]
    fn what_is_to_be_cleared_and_is_there_is_named() {
        let owned = ["emails", "title", "costCenter", "locale"].map(str::to_owned).into();
        let content = user(&[], &[("nickName", ""), ("locale", "de")]);
        let resource = json!({
            "id": "1", "emails": [{ "value": "a@corp.example" }], "title": "Dr", "nickName": "A", "locale": "en",
            "userType": "x", ENTERPRISE.id: { "costCenter": "1" },
        });
        let all = ["emails", "costCenter", "nickName", "title"];
        assert_eq!(left(&resource, &content, &owned, &standard()), all);
        assert_eq!(left(&json!({ "id": "1" }), &content, &owned, &standard()), [""; 0]);
        assert_eq!(left(&resource, &user(&["b@corp.example"], &[]), &BTreeSet::new(), &standard()), [""; 0]);
    }

    #[test]
    fn no_id_leads_elsewhere() {
        for id in ["", ".", "..", "a\nb"] {
            assert_eq!(super::id(&json!({ "id": id })), None, "{id:?}");
        }
        assert_eq!(super::id(&json!({ "id": 7 })), Some(TargetId("7".into())));
        assert_eq!(super::id(&json!({ "id": "a/b" })), Some(TargetId("a/b".into())));
        assert_eq!(super::id(&json!({ "id": ["7"] })), None);
    }

    #[test]
    fn states_and_members_are_read_in_each_form() {
        for (active, is) in
            [(json!(false), false), (json!("False"), false), (json!("true"), true), (json!(null), true)]
        {
            assert_eq!(is_active(&json!({ "active": active })), is);
        }
        let group =
            json!({ "members": [{ "value": "1" }, { "value": 2 }, { "value": "1", "display": "x" }, {}] });
        assert_eq!(members(&group), [TargetId("1".into()), TargetId("2".into())]);
        assert_eq!(members(&json!({ "members": null })), []);
    }

    #[test]
    fn the_primary_address_is_the_first() {
        let resource =
            json!({ "emails": [{ "value": "a" }, { "value": "" }, { "value": "b", "primary": true }, {}] });
        assert_eq!(addresses(&resource), ["b", "a"]);
    }
}
