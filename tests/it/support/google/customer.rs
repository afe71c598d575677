//! What a customer holds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// A customer.
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) domain: String,
    /// The administrator in whose name is asked.
    pub(crate) admin: String,
    users: BTreeMap<String, User>,
    groups: BTreeMap<String, Group>,
    next: u64,
    /// Users and groups beside these, made as they are asked for.
    pub(crate) made: Made,
    /// A page has at most so many, whatever is asked for.
    pub(crate) page: usize,
    /// Groups whose members nobody is shown.
    pub(crate) hidden: BTreeSet<String>,
}

/// So many are there that nobody wrote down.
#[derive(Clone, Copy, Default)]
pub(crate) struct Made {
    pub(crate) users: u32,
    pub(crate) groups: u32,
    /// Of each group.
    pub(crate) members: u32,
}

struct User {
    properties: Map<String, Value>,
    is_deleted: bool,
}

struct Group {
    properties: Map<String, Value>,
    members: BTreeMap<String, Kind>,
}

/// What a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    User,
    Group,
    /// Somebody of another organization, by their address.
    External(String),
    /// Everybody of a customer.
    Customer,
}

/// Ids of those who are made begin so.
const MADE_USER: &str = "20000000000000";
const MADE_GROUP: &str = "02made";

impl Default for Customer {
    fn default() -> Self {
        let mut customer = Self {
            id: "C01abc234".to_owned(),
            domain: "corp.example".to_owned(),
            admin: "directory-reader@corp.example".to_owned(),
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            next: 0,
            made: Made::default(),
            page: 500,
            hidden: BTreeSet::new(),
        };
        customer.user("directory-reader", &json!({ "isDelegatedAdmin": true }));
        customer
    }
}

impl Customer {
    /// A user with these properties beside those that everybody has.
    pub(crate) fn user(&mut self, name: &str, more: &Value) -> String {
        self.next += 1;
        let id = format!("1{:020}", self.next * 7_919);
        let address = format!("{name}@{}", self.domain);
        let mut properties = json!({
            "primaryEmail": address,
            "name": { "givenName": name, "familyName": "Example", "fullName": format!("{name} Example") },
            "emails": [{ "address": address, "primary": true }],
            "suspended": false, "archived": false, "isAdmin": false, "isDelegatedAdmin": false,
            "orgUnitPath": "/", "customerId": self.id, "isMailboxSetup": true, "isGuestUser": false,
            "creationTime": "2026-01-01T00:00:00.000Z", "lastLoginTime": "1970-01-01T00:00:00.000Z",
        });
        merge(properties.as_object_mut().unwrap(), more);
        let properties = properties.as_object().unwrap().clone();
        self.users.insert(id.clone(), User { properties, is_deleted: false });
        id
    }

    pub(crate) fn group(&mut self, name: &str, more: &Value) -> String {
        self.next += 1;
        let id = format!("01{:013x}", self.next * 104_729);
        let mut properties = json!({
            "email": format!("{}@{}", name.to_lowercase(), self.domain),
            "name": name, "description": "", "adminCreated": true,
        });
        merge(properties.as_object_mut().unwrap(), more);
        let properties = properties.as_object().unwrap().clone();
        self.groups.insert(id.clone(), Group { properties, members: BTreeMap::new() });
        id
    }

    /// Sets properties; null clears one.
    pub(crate) fn set(&mut self, id: &str, properties: &Value) {
        let of = match self.users.get_mut(id) {
            Some(user) => &mut user.properties,
            None => &mut self.groups.get_mut(id).unwrap().properties,
        };
        merge(of, properties);
    }

    pub(crate) fn put(&mut self, group: &str, member: &str, is_in: bool) {
        let kind = if self.groups.contains_key(member) { Kind::Group } else { Kind::User };
        self.put_as(group, member, kind, is_in);
    }

    pub(crate) fn put_as(&mut self, group: &str, member: &str, kind: Kind, is_in: bool) {
        let members = &mut self.groups.get_mut(group).unwrap().members;
        if is_in {
            members.insert(member.to_owned(), kind);
        } else {
            members.remove(member);
        }
    }

    /// Deletes a user (who goes from their groups, and can be restored) or restores one.
    pub(crate) fn delete_user(&mut self, id: &str, is_deleted: bool) {
        if is_deleted {
            for group in self.groups.values_mut() {
                group.members.remove(id);
            }
        }
        self.users.get_mut(id).unwrap().is_deleted = is_deleted;
    }

    /// Forgets a user for ever, as happens 20 days after they were deleted.
    pub(crate) fn forget_user(&mut self, id: &str) {
        self.delete_user(id, true);
        self.users.remove(id);
    }

    pub(crate) fn delete_group(&mut self, id: &str) {
        self.groups.remove(id);
        for group in self.groups.values_mut() {
            group.members.remove(id);
        }
    }

    /// Those who are there.
    pub(crate) fn users(&self) -> Vec<String> {
        let made = (0..self.made.users).map(|number| format!("{MADE_USER}{number:07}"));
        let there = self.users.iter().filter(|(_, user)| !user.is_deleted).map(|(id, _)| id.clone());
        there.chain(made).collect()
    }

    pub(super) fn deleted(&self) -> Vec<String> {
        self.users.iter().filter(|(_, user)| user.is_deleted).map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn groups(&self) -> Vec<String> {
        let made = (0..self.made.groups).map(|number| format!("{MADE_GROUP}{number:07}"));
        self.groups.keys().cloned().chain(made).collect()
    }

    pub(crate) fn is_deleted(&self, id: &str) -> bool {
        self.users.get(id).is_some_and(|user| user.is_deleted)
    }

    /// The ids of a group's direct members.
    pub(crate) fn members(&self, group: &str) -> Vec<(String, Kind)> {
        if let Some(number) = self.made_group(group) {
            let (users, members) = (u64::from(self.made.users), u64::from(self.made.members));
            let user = |at: u64| (u64::from(number) * 7919 + at * 31) % users.max(1);
            let users: BTreeSet<u64> = (0..members).map(user).collect();
            return users.into_iter().map(|number| (format!("{MADE_USER}{number:07}"), Kind::User)).collect();
        }
        let group = self.groups.get(group);
        let members = group.into_iter().flat_map(|group| &group.members);
        members.map(|(id, kind)| (id.clone(), kind.clone())).collect()
    }

    fn made_user(&self, id: &str) -> Option<u32> {
        let number = id.strip_prefix(MADE_USER)?.parse().ok()?;
        (number < self.made.users).then_some(number)
    }

    fn made_group(&self, id: &str) -> Option<u32> {
        let number = id.strip_prefix(MADE_GROUP)?.parse().ok()?;
        (number < self.made.groups).then_some(number)
    }

    /// The id of whom a key names: an id, an address or another address.
    pub(super) fn find(&self, of: &str, key: &str) -> Option<String> {
        let is = |properties: &Map<String, Value>, names: [&str; 2]| {
            let is_key = |value: &Value| value.as_str().is_some_and(|it| it.eq_ignore_ascii_case(key));
            properties.get(names[0]).is_some_and(is_key)
                || properties
                    .get(names[1])
                    .and_then(Value::as_array)
                    .is_some_and(|all| all.iter().any(is_key))
        };
        let user = |(id, user): (&String, &User)| {
            (id == key || is(&user.properties, ["primaryEmail", "aliases"])).then(|| id.clone())
        };
        let group = |(id, group): (&String, &Group)| {
            (id == key || is(&group.properties, ["email", "aliases"])).then(|| id.clone())
        };
        match of {
            "users" if self.made_user(key).is_some() => Some(key.to_owned()),
            "users" => self.users.iter().find_map(user),
            _ if self.made_group(key).is_some() => Some(key.to_owned()),
            _ => self.groups.iter().find_map(group),
        }
    }

    /// A property of a user or group.
    pub(crate) fn property(&self, id: &str, name: &str) -> Option<Value> {
        let user = self.users.get(id).map(|user| &user.properties);
        user.or_else(|| self.groups.get(id).map(|group| &group.properties))?.get(name).cloned()
    }

    /// A user as the API shows one.
    pub(super) fn shown_user(&self, id: &str) -> Map<String, Value> {
        let mut shown = match self.made_user(id) {
            Some(number) => json!({
                "primaryEmail": format!("person-{number}@{}", self.domain),
                "name": { "givenName": "Person", "familyName": number.to_string(), "fullName": format!("Person {number}") },
                "organizations": [{ "department": format!("Department {}", number % 100), "primary": true }],
                "suspended": false, "archived": false, "customerId": self.id, "orgUnitPath": "/",
            })
            .as_object()
            .unwrap()
            .clone(),
            None => self.users[id].properties.clone(),
        };
        shown.retain(|_, value| !value.is_null());
        if self.is_deleted(id) {
            shown.insert("deletionTime".to_owned(), json!("2026-11-29T00:00:00.000Z"));
        }
        finish(shown, id, "user")
    }

    /// A group as the API shows one. Its etag is that of what it shows, so that one member in place of another does not show.
    pub(super) fn shown_group(&self, id: &str) -> Map<String, Value> {
        let (mut shown, count) = match self.made_group(id) {
            Some(number) => {
                let name = format!("Team {number}");
                let shown = json!({ "email": format!("team-{number}@{}", self.domain), "name": name });
                (shown.as_object().unwrap().clone(), self.made.members.min(self.made.users) as usize)
            }
            None => (self.groups[id].properties.clone(), self.groups[id].members.len()),
        };
        shown.retain(|_, value| !value.is_null());
        shown.insert("directMembersCount".to_owned(), json!(count.to_string()));
        finish(shown, id, "group")
    }

    pub(super) fn shown_member(&self, id: &str, kind: &Kind) -> Map<String, Value> {
        let mut shown = Map::from_iter([("role".to_owned(), json!("MEMBER"))]);
        let mut set = |name: &str, value: Value| drop(shown.insert(name.to_owned(), value));
        match kind {
            Kind::User => {
                set("type", json!("USER"));
                let suspended = self.property(id, "suspended") == Some(json!(true));
                set("status", json!(if suspended { "SUSPENDED" } else { "ACTIVE" }));
                set(
                    "email",
                    self.property(id, "primaryEmail").unwrap_or_else(|| json!("person@corp.example")),
                );
            }
            Kind::Group => {
                set("type", json!("GROUP"));
                set("status", json!("ACTIVE"));
                set("email", self.property(id, "email").unwrap_or_else(|| json!("group@other.example")));
            }
            // Whoever has an account with Google is a user, of whatever organization.
            Kind::External(address) => {
                set("type", json!("USER"));
                set("email", json!(address));
            }
            Kind::Customer => set("type", json!("CUSTOMER")),
        }
        finish(shown, id, "member")
    }
}

/// Sets properties; null clears one, and what is in a structure counts by itself.
fn merge(properties: &mut Map<String, Value>, more: &Value) {
    for (name, value) in more.as_object().unwrap() {
        match (properties.get_mut(name), value) {
            (_, Value::Null) => drop(properties.remove(name)),
            (Some(Value::Object(there)), Value::Object(_)) => merge(there, value),
            (_, value) => drop(properties.insert(name.clone(), value.clone())),
        }
    }
}

/// With its id, its kind and the etag of all of that.
fn finish(mut shown: Map<String, Value>, id: &str, kind: &str) -> Map<String, Value> {
    shown.insert("kind".to_owned(), json!(format!("admin#directory#{kind}")));
    shown.insert("id".to_owned(), json!(id));
    let digest = Sha256::digest(serde_json::to_vec(&shown).unwrap());
    shown.insert("etag".to_owned(), json!(format!("\"{}\"", rollcall::hex::encode(&digest[..12]))));
    shown
}
