//! What the registry holds, and whether somebody went who stays.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::cli::Desk;

/// What a sync came to.
pub(crate) struct Synced {
    pub(crate) code: i32,
    /// The connector, then the policy.
    pub(crate) status: Value,
    pub(crate) resources: Resources,
}

impl Synced {
    /// The digest of what is held because a whole place is empty, which a person approves where it is so.
    pub(crate) fn held_with_a_place(&self) -> Option<&str> {
        let held = &self.status[1]["status"]["held"];
        let is_place =
            held["reason"].as_str()?.contains("in one subtree of the directory is missing at once");
        is_place.then(|| held["digest"].as_str()).flatten()
    }

    pub(crate) fn by(desk: &Desk) -> Self {
        let ran = desk.sync(&["--output", "json"]);
        let status = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}", ran.said()));
        Self { code: ran.code, status, resources: resources(desk) }
    }

    /// What the status says of the connector.
    pub(crate) fn connector(&self) -> &Value {
        &self.status[0]["status"]
    }
}

/// Users and groups, by their ids.
pub(crate) type Resources = BTreeMap<String, Value>;

/// As it is now.
pub(crate) fn resources(desk: &Desk) -> Resources {
    let by_id = |resource: Value| (resource["id"].as_str().unwrap().to_owned(), resource);
    desk.registry().into_iter().map(by_id).collect()
}

/// Who was there before, and should be, and is not now: gone, disabled, or out of a group.
pub(crate) fn wrongly_gone(before: &Resources, wanted: &Resources, now: &Resources) -> Vec<String> {
    let is_there = |resource: &Value| resource["active"] != false;
    let stays = wanted.iter().filter_map(|(id, wanted)| Some((before.get(id)?, wanted, now.get(id))));
    let mut gone = Vec::new();
    for (was, wanted, found) in stays.filter(|(was, wanted, _)| is_there(was) && is_there(wanted)) {
        let Some(found) = found.filter(|found| is_there(found)) else {
            gone.push(format!("gone: {was}"));
            continue;
        };
        let members = &(&members(was) & &members(wanted)) - &members(found);
        if !members.is_empty() {
            gone.push(format!("{members:?} are out of {}", found["displayName"]));
        }
    }
    gone
}

/// What is not the same, for people.
pub(crate) fn differences(wanted: &Resources, found: &Resources) -> Vec<String> {
    let ids: BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
    let differ =
        ids.into_iter().map(|id| (wanted.get(id), found.get(id))).filter(|(wanted, found)| wanted != found);
    let said = |one: Option<&Value>| one.map_or_else(|| "nothing".to_owned(), Value::to_string);
    differ.map(|(wanted, found)| format!("wanted {}\n found {}", said(wanted), said(found))).collect()
}

/// Who is no more, by the id.
pub(crate) fn inactive(resources: &Resources) -> BTreeSet<String> {
    resources.iter().filter(|(_, one)| one["active"] == false).map(|(id, _)| id.clone()).collect()
}

/// As if these were neither there nor in any group.
pub(crate) fn leave_out(resources: &mut Resources, these: &BTreeSet<String>) {
    resources.retain(|id, _| !these.contains(id));
    for resource in resources.values_mut().filter_map(Value::as_object_mut) {
        let Some(Value::Array(members)) = resource.get_mut("members") else { continue };
        members.retain(|member| !these.contains(member["value"].as_str().unwrap()));
        if members.is_empty() {
            resource.remove("members");
        }
    }
}

fn members(resource: &Value) -> BTreeSet<String> {
    let members = resource["members"].as_array().into_iter().flatten();
    members.map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}
