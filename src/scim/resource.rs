//! User and Group resources (RFC 7643 sections 4.1 to 4.3), as plain types.

use std::collections::BTreeMap;

use litemap::LiteMap;
use serde::Serialize;

use super::attribute::{Place, user_attribute};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// Ours: RFC 7643 gives a group neither an address nor a description.
const GROUP_EXTENSION: &str = "urn:ietf:params:scim:schemas:extension:rollcall:2.0:Group";

/// A user.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    schemas: Vec<&'static str>,
    /// Its id.
    pub id: String,
    /// What the client calls it.
    pub external_id: String,
    /// Unique, whatever the letter case.
    pub user_name: String,
    #[serde(flatten)]
    top: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    name: BTreeMap<String, String>,
    /// E-mail addresses, the primary one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<Email>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    phone_numbers: Vec<Phone>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<Address>,
    /// Whether the account may be used.
    pub active: bool,
    #[serde(rename = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    enterprise: BTreeMap<String, String>,
    /// About the resource.
    pub meta: Meta,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    schemas: Vec<&'static str>,
    /// Its id.
    pub id: String,
    /// What the client calls it.
    pub external_id: String,
    /// Its name.
    pub display_name: String,
    /// Who is in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
    #[serde(rename = "urn:ietf:params:scim:schemas:extension:rollcall:2.0:Group")]
    #[serde(skip_serializing_if = "LiteMap::is_empty")]
    extension: LiteMap<String, String>,
    /// About the resource.
    pub meta: Meta,
}

/// An e-mail address.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Email {
    /// The address.
    pub value: String,
    r#type: &'static str,
    /// Whether it is the main one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub primary: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Phone {
    value: String,
    r#type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Address {
    formatted: String,
    r#type: &'static str,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Member {
    /// Its name, for people.
    pub display: String,
    /// Its id.
    pub value: String,
    /// What it is.
    pub r#type: MemberType,
}

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum MemberType {
    /// A user.
    User,
    /// A group.
    Group,
}

/// About a resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// `User` or `Group`.
    pub resource_type: &'static str,
    /// Where it is served.
    pub location: String,
}

impl User {
    /// A user with these attributes (see [`super::USER_ATTRIBUTES`]); an unknown one is left out.
    pub fn new(
        id: String,
        user_name: String,
        emails: &[String],
        attributes: &LiteMap<String, String>,
        active: bool,
        location: String,
    ) -> Self {
        let mut user = Self {
            schemas: vec![USER],
            external_id: id.clone(),
            id,
            user_name,
            top: BTreeMap::new(),
            name: BTreeMap::new(),
            emails: emails.iter().enumerate().map(|(at, value)| Email::new(value, at == 0)).collect(),
            phone_numbers: Vec::new(),
            addresses: Vec::new(),
            active,
            enterprise: BTreeMap::new(),
            meta: Meta { resource_type: "User", location },
        };
        for (name, value) in attributes {
            user.set(name, value.clone());
        }
        if !user.enterprise.is_empty() {
            user.schemas.push(ENTERPRISE);
        }
        user
    }

    fn set(&mut self, name: &str, value: String) {
        let Some(attribute) = user_attribute(name) else { return };
        match attribute.place {
            Place::Top => drop(self.top.insert(name.to_owned(), value)),
            Place::Name => drop(self.name.insert(name.to_owned(), value)),
            Place::Enterprise => drop(self.enterprise.insert(name.to_owned(), value)),
            Place::Phone(r#type) => self.phone_numbers.push(Phone { value, r#type }),
            Place::Address => self.addresses.push(Address { formatted: value, r#type: "work" }),
        }
    }
}

impl Group {
    /// A group; `attributes` (`mail`, `description`) are in our own extension.
    pub fn new(
        id: String,
        display_name: String,
        members: Vec<Member>,
        attributes: &LiteMap<String, String>,
        location: String,
    ) -> Self {
        let mut schemas = vec![GROUP];
        if !attributes.is_empty() {
            schemas.push(GROUP_EXTENSION);
        }
        Self {
            schemas,
            external_id: id.clone(),
            id,
            display_name,
            members,
            extension: attributes.clone(),
            meta: Meta { resource_type: "Group", location },
        }
    }
}

impl Email {
    fn new(value: &str, primary: bool) -> Self {
        Self { value: value.to_owned(), r#type: "work", primary }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn attributes(pairs: &[(&str, &str)]) -> LiteMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn puts_each_attribute_where_the_rfc_has_it() {
        let attributes = attributes(&[
            ("department", "Sales"),
            ("displayName", "Ada Lovelace"),
            ("givenName", "Ada"),
            ("mobile", "+44 1"),
            ("title", "Countess"),
        ]);
        let emails = ["ada@corp.example".to_owned(), "al@corp.example".to_owned()];
        let user = User::new("1".into(), "ada".into(), &emails, &attributes, true, "/Users/1".into());
        let expected = json!({
            "schemas": [USER, ENTERPRISE],
            "id": "1",
            "externalId": "1",
            "userName": "ada",
            "displayName": "Ada Lovelace",
            "title": "Countess",
            "name": { "givenName": "Ada" },
            "emails": [
                { "value": "ada@corp.example", "type": "work", "primary": true },
                { "value": "al@corp.example", "type": "work" },
            ],
            "phoneNumbers": [{ "value": "+44 1", "type": "mobile" }],
            "active": true,
            ENTERPRISE: { "department": "Sales" },
            "meta": { "resourceType": "User", "location": "/Users/1" },
        });
        assert_eq!(serde_json::to_value(user).unwrap(), expected);
    }

    #[test]
    fn a_group_says_who_is_in_it() {
        let member = Member { display: "ada".into(), value: "1".into(), r#type: MemberType::User };
        let extension = attributes(&[("description", "verse")]);
        let group = Group::new("2".into(), "Poets".into(), vec![member], &extension, "/Groups/2".into());
        let expected = json!({
            "schemas": [GROUP, GROUP_EXTENSION],
            "id": "2",
            "externalId": "2",
            "displayName": "Poets",
            "members": [{ "display": "ada", "value": "1", "type": "User" }],
            GROUP_EXTENSION: { "description": "verse" },
            "meta": { "resourceType": "Group", "location": "/Groups/2" },
        });
        assert_eq!(serde_json::to_value(group).unwrap(), expected);
    }
}
