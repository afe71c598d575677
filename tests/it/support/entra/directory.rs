//! What a tenant holds, and what changed in it since when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::support::faults::Dice;

/// A tenant.
pub(crate) struct Tenant {
    pub(crate) id: Uuid,
    pub(crate) domains: Vec<String>,
    objects: BTreeMap<Uuid, Object>,
    /// Who came into a group and went, in order.
    edges: Vec<Edge>,
    sequence: u64,
    /// Of whom nothing shows but the id.
    pub(crate) veiled: BTreeSet<Uuid>,
    /// Users and groups beside these, made as they are asked for.
    pub(crate) made: Made,
    /// How many objects a page has.
    pub(crate) page: usize,
    /// How many members of a group a page has.
    pub(crate) slice: usize,
    /// Whether pages come with empty ones between them, and everything twice.
    pub(crate) untidy: bool,
    /// Whether a feed tells of an object only the properties that changed.
    pub(crate) sparse: bool,
    /// A seed by which a feed tells everything in any order, who changed also as they were before, and each time that somebody came
    /// into a group or went.
    pub(crate) muddled: Option<u64>,
}

/// So many are there that nobody wrote down.
#[derive(Clone, Copy, Default)]
pub(crate) struct Made {
    pub(crate) users: u32,
    pub(crate) groups: u32,
    /// Of each group.
    pub(crate) members: u32,
}

/// An object.
struct Object {
    /// `user`, `group`, `orgContact`, `device` or `servicePrincipal`.
    kind: &'static str,
    properties: Map<String, Value>,
    changed: u64,
    removed: Option<&'static str>,
    /// When it was made, or restored: whom that is new to is told all of it.
    made: u64,
    /// When each property was set last.
    set: BTreeMap<String, u64>,
    /// What it was before it changed last.
    before: Option<(Map<String, Value>, Option<&'static str>)>,
}

struct Edge {
    at: u64,
    group: Uuid,
    member: Uuid,
    is_in: bool,
}

/// What one link stands for.
#[derive(Clone)]
pub(super) struct Round {
    pub(super) of: &'static str,
    pub(super) select: Vec<String>,
    /// What it told already.
    pub(super) since: u64,
    /// Up to where it tells.
    pub(super) until: u64,
    /// Objects, and which part of their members.
    pub(super) items: Arc<Vec<(Uuid, usize)>>,
    /// The next item.
    pub(super) at: usize,
    /// Whether the last page was an empty one.
    pub(super) paused: bool,
}

/// Ids of objects that are made begin so.
const MADE_USER: u128 = 0x0a << 120;
const MADE_GROUP: u128 = 0x0b << 120;

impl Default for Tenant {
    fn default() -> Self {
        Self {
            id: Uuid::new_v4(),
            domains: vec!["corp.onmicrosoft.test".to_owned()],
            objects: BTreeMap::new(),
            edges: Vec::new(),
            sequence: 1,
            veiled: BTreeSet::new(),
            made: Made::default(),
            page: 100,
            slice: 100,
            untidy: false,
            sparse: false,
            muddled: None,
        }
    }
}

impl Tenant {
    /// A user with these properties beside those that everybody has.
    pub(crate) fn user(&mut self, name: &str, more: &Value) -> Uuid {
        let all = json!({
            "userPrincipalName": format!("{name}@{}", self.domains[0]),
            "displayName": name,
            "accountEnabled": true,
            "userType": "Member",
            "mail": format!("{name}@corp.example"),
            "proxyAddresses": [format!("SMTP:{name}@corp.example")],
        });
        self.add("user", &all, more)
    }

    pub(crate) fn group(&mut self, name: &str, more: &Value) -> Uuid {
        let all =
            json!({ "displayName": name, "securityEnabled": true, "mailEnabled": false, "groupTypes": [] });
        self.add("group", &all, more)
    }

    /// A mail contact.
    pub(crate) fn contact(&mut self, name: &str, more: &Value) -> Uuid {
        let all = json!({
            "displayName": name,
            "mail": format!("{name}@partner.example"),
            "proxyAddresses": [format!("SMTP:{name}@partner.example")],
        });
        self.add("orgContact", &all, more)
    }

    /// A device or a service principal.
    pub(crate) fn other(&mut self, kind: &'static str) -> Uuid {
        self.add(kind, &json!({}), &json!({ "displayName": kind }))
    }

    fn add(&mut self, kind: &'static str, all: &Value, more: &Value) -> Uuid {
        self.sequence += 1;
        let mut properties = all.as_object().unwrap().clone();
        properties.extend(more.as_object().unwrap().clone());
        let id = Uuid::new_v4();
        let (changed, made, set) = (self.sequence, self.sequence, BTreeMap::new());
        let (removed, before) = (None, None);
        self.objects.insert(id, Object { kind, properties, changed, removed, made, set, before });
        id
    }

    /// Sets properties; null clears one.
    pub(crate) fn set(&mut self, id: Uuid, properties: &Value) {
        self.sequence += 1;
        let object = self.objects.get_mut(&id).unwrap();
        object.before = Some((object.properties.clone(), object.removed));
        let properties = properties.as_object().unwrap().clone();
        object.set.extend(properties.keys().map(|name| (name.clone(), self.sequence)));
        object.properties.extend(properties);
        object.changed = self.sequence;
    }

    pub(crate) fn put(&mut self, group: Uuid, member: Uuid, is_in: bool) {
        self.sequence += 1;
        self.edges.push(Edge { at: self.sequence, group, member, is_in });
    }

    /// Deletes an object (`changed` if that can be undone), or restores it. Whoever is deleted goes from their groups.
    pub(crate) fn remove(&mut self, id: Uuid, reason: Option<&'static str>) {
        if reason.is_some() {
            let groups: Vec<Uuid> = self.groups_of(id);
            for group in groups {
                self.put(group, id, false);
            }
        }
        self.sequence += 1;
        let object = self.objects.get_mut(&id).unwrap();
        object.before = Some((object.properties.clone(), object.removed));
        (object.removed, object.changed) = (reason, self.sequence);
        if reason.is_none() {
            object.made = self.sequence;
        }
    }

    fn groups_of(&self, id: Uuid) -> Vec<Uuid> {
        let groups = self.objects.iter().filter(|(_, object)| object.kind == "group").map(|(id, _)| *id);
        groups.filter(|group| self.members(*group).contains(&id)).collect()
    }

    /// Who is in a group.
    pub(crate) fn members(&self, group: Uuid) -> Vec<Uuid> {
        if let Some(number) = made(group, MADE_GROUP, self.made.groups) {
            return self.made_members(number);
        }
        self.told(group, 0, u64::MAX)
            .into_iter()
            .filter(|(_, is_in)| *is_in)
            .map(|(member, _)| member)
            .collect()
    }

    /// Whether a group shows who is in it only to those who have a right of their own to that.
    pub(super) fn hides_members(&self, group: Uuid) -> bool {
        let object = self.objects.get(&group);
        object.is_some_and(|it| it.properties.get("visibility").is_some_and(|it| it == "HiddenMembership"))
    }

    fn made_members(&self, group: u32) -> Vec<Uuid> {
        let (users, members) = (u64::from(self.made.users), u64::from(self.made.members));
        let user = |at: u64| (u64::from(group) * 7919 + at * 31) % users.max(1);
        let users: BTreeSet<u64> = (0..members).map(user).collect();
        users.into_iter().map(|number| Uuid::from_u128(MADE_USER | u128::from(number))).collect()
    }

    /// What became of each member after `since`, up to `until`.
    fn told(&self, group: Uuid, since: u64, until: u64) -> BTreeMap<Uuid, bool> {
        let edges =
            self.edges.iter().filter(|edge| edge.group == group && edge.at > since && edge.at <= until);
        edges.map(|edge| (edge.member, edge.is_in)).collect()
    }

    pub(super) fn now(&self) -> u64 {
        self.sequence
    }

    /// What kind an object is, if it is there.
    pub(super) fn kind(&self, id: Uuid) -> Option<&'static str> {
        if made(id, MADE_USER, self.made.users).is_some() {
            return Some("user");
        }
        if made(id, MADE_GROUP, self.made.groups).is_some() {
            return Some("group");
        }
        self.objects.get(&id).filter(|object| object.removed.is_none()).map(|object| object.kind)
    }

    /// Everybody of a kind who is there.
    pub(crate) fn all(&self, kind: &str) -> Vec<Uuid> {
        let there = self.objects.iter().filter(|(_, object)| object.kind == kind && object.removed.is_none());
        let (prefix, number) = match kind {
            "user" => (MADE_USER, self.made.users),
            "group" => (MADE_GROUP, self.made.groups),
            _ => (0, 0),
        };
        let made = (0..number).map(|number| Uuid::from_u128(prefix | u128::from(number)));
        there.map(|(id, _)| *id).chain(made).collect()
    }

    /// The chosen properties of an object that have values, as everything but a feed shows them: null where there is none.
    pub(super) fn shown(&self, id: Uuid, select: &[String]) -> Map<String, Value> {
        let properties = if self.veiled.contains(&id) { Map::new() } else { self.properties(id) };
        let mut shown = Map::from_iter([("id".to_owned(), json!(id))]);
        for name in select.iter().filter(|name| !["id", "members"].contains(&name.as_str())) {
            let value = properties.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            shown.insert(name.clone(), value.map_or(Value::Null, |(_, value)| value.clone()));
        }
        shown
    }

    /// A property of an object.
    pub(crate) fn property(&self, id: Uuid, name: &str) -> Option<Value> {
        self.properties(id).get(name).cloned()
    }

    fn properties(&self, id: Uuid) -> Map<String, Value> {
        let properties = if let Some(number) = made(id, MADE_USER, self.made.users) {
            json!({
                "userPrincipalName": format!("person-{number}@{}", self.domains[0]),
                "displayName": format!("Person {number}"),
                "givenName": "Person",
                "surname": number.to_string(),
                "department": format!("Department {}", number % 100),
                "accountEnabled": true,
                "userType": "Member",
                "mail": format!("person-{number}@corp.example"),
                "proxyAddresses": [format!("SMTP:person-{number}@corp.example")],
            })
        } else if let Some(number) = made(id, MADE_GROUP, self.made.groups) {
            json!({ "displayName": format!("Team {number}"), "securityEnabled": true, "mailEnabled": false })
        } else {
            return self.objects.get(&id).map(|object| object.properties.clone()).unwrap_or_default();
        };
        properties.as_object().unwrap().clone()
    }

    /// What a feed tells after `since`: each object, as often as its members need.
    pub(super) fn items(&self, of: &str, since: u64) -> Vec<(Uuid, usize)> {
        let kind = super::graph::kind(of);
        let mut ids: BTreeSet<Uuid> =
            if since == 0 { self.all(kind).into_iter().collect() } else { BTreeSet::new() };
        if since > 0 {
            let changed = self.objects.iter().filter(|(_, it)| it.kind == kind && it.changed > since);
            ids.extend(changed.map(|(id, _)| *id));
            if kind == "group" {
                ids.extend(self.edges.iter().filter(|edge| edge.at > since).map(|edge| edge.group));
            }
        }
        let mut items: Vec<(Uuid, usize)> = Vec::new();
        for id in ids {
            let members = if kind == "group" { self.told_members(id, since, self.sequence).len() } else { 0 };
            items.extend((0..members.div_ceil(self.slice).max(1)).map(|slice| (id, slice)));
            let changed = self.objects.get(&id).filter(|it| it.changed > since && it.before.is_some());
            items.extend(changed.filter(|_| self.muddled.is_some()).map(|_| (id, AS_BEFORE)));
        }
        if let Some(seed) = self.muddled {
            shuffle(&mut items, seed);
        }
        if self.untidy {
            // Parts of one group are then far from each other, in another order, and all of it comes again.
            items.sort_by_key(|(id, slice)| (usize::MAX - slice, *id));
            items.extend(items.clone());
        }
        items
    }

    fn told_members(&self, group: Uuid, since: u64, until: u64) -> Vec<(Uuid, bool)> {
        if let Some(number) = made(group, MADE_GROUP, self.made.groups) {
            return self.made_members(number).into_iter().map(|member| (member, true)).collect();
        }
        if let Some(seed) = self.muddled {
            let edges = self.edges.iter();
            let edges = edges.filter(|edge| edge.group == group && edge.at > since && edge.at <= until);
            let mut told: Vec<(Uuid, bool)> = edges.map(|edge| (edge.member, edge.is_in)).collect();
            shuffle(&mut told, seed);
            return told;
        }
        let told = self.told(group, since, until).into_iter();
        // In the first round nobody is told who is not in it.
        told.filter(|(_, is_in)| since > 0 || *is_in).collect()
    }

    /// One item of a feed.
    pub(super) fn item(&self, round: &Round, (id, slice): (Uuid, usize), hidden_too: bool) -> Value {
        let object = self.objects.get(&id);
        let before = object.filter(|_| slice == AS_BEFORE).and_then(|object| object.before.as_ref());
        let removed = match before {
            Some((_, removed)) => *removed,
            None => object.and_then(|object| object.removed),
        };
        if let Some(reason) = removed {
            return json!({ "id": id, "@removed": { "reason": reason } });
        }
        if let Some((properties, _)) = before {
            let chosen = |name: &str| round.select.iter().any(|it| it.eq_ignore_ascii_case(name));
            let mut item: Map<String, Value> = properties
                .iter()
                .filter(|(name, _)| chosen(name))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect();
            item.insert("id".to_owned(), json!(id));
            return Value::Object(item);
        }
        let mut item = self.shown(id, &round.select);
        // What never had a value is left out.
        item.retain(|name, value| {
            !value.is_null() || object.is_some_and(|object| object.properties.contains_key(name))
        });
        let is_hidden = item.get("visibility").is_some_and(|it| it == "HiddenMembership") && !hidden_too;
        if let Some(object) = object.filter(|object| self.sparse && object.made <= round.since) {
            let is_new = |name: &str| object.set.get(name).is_some_and(|at| *at > round.since);
            item.retain(|name, _| name == "id" || is_new(name));
        }
        if round.of == "groups" && round.select.iter().any(|name| name == "members") && !is_hidden {
            let members = self.told_members(id, round.since, round.until);
            let member = |(member, is_in): &(Uuid, bool)| {
                let kind = self.objects.get(member).map_or("user", |object| object.kind);
                let mut item = json!({ "@odata.type": format!("#microsoft.graph.{kind}"), "id": member });
                if !is_in {
                    item["@removed"] = json!({ "reason": "deleted" });
                }
                item
            };
            let members: Vec<Value> =
                members.chunks(self.slice).nth(slice).unwrap_or_default().iter().map(member).collect();
            if !members.is_empty() {
                item.insert("members@delta".to_owned(), Value::Array(members));
            }
        }
        Value::Object(item)
    }
}

/// In place of a part of the members: the object as it was before it changed last.
const AS_BEFORE: usize = usize::MAX;

fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut dice = Dice::of(seed);
    for at in (1..items.len()).rev() {
        items.swap(at, usize::try_from(dice.below(at as u64 + 1)).unwrap());
    }
}

/// The number of an object that is made.
fn made(id: Uuid, prefix: u128, count: u32) -> Option<u32> {
    let number = id.as_u128().checked_sub(prefix)?;
    u32::try_from(number).ok().filter(|number| *number < count)
}
