//! A registry in words that are the same whichever policy keeps it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::life::{GROUPS, OTHERS};

/// What a policy's registry has shown until now: for each id the first name that it had.
#[derive(Default)]
pub(super) struct Shown {
    first: BTreeMap<String, String>,
}

impl Shown {
    /// Every resource, with first names for ids.
    pub(super) fn resources(&mut self, policy: &str, registry: &[Value]) -> Vec<String> {
        self.see(registry);
        let told = |resource: &Value| {
            let told = resource.to_string().replace(policy, "");
            self.first.iter().fold(told, |told, (id, first)| told.replace(id, first))
        };
        registry.iter().map(told).collect()
    }

    /// The people of the life, as its steps have them.
    pub(super) fn people(&mut self, registry: &[Value]) -> Vec<String> {
        self.see(registry);
        let users = registry.iter().filter(|it| it["userName"].is_string());
        let people = users.filter(|it| !name(it).starts_with(OTHERS));
        people
            .map(|person| {
                let id = text(person, "id");
                let is_in = |group: &&Value| {
                    group["members"].as_array().into_iter().flatten().any(|member| member["value"] == id)
                };
                let groups = registry.iter().filter(is_in).map(name).filter(|name| GROUPS.contains(name));
                let state = if person["active"] == true { "active" } else { "disabled" };
                let told = [&format!("{}: {}, {state}, in", self.first[id], name(person))[..]];
                told.into_iter().chain(groups).collect::<Vec<_>>().join(" ")
            })
            .collect()
    }

    fn see(&mut self, registry: &[Value]) {
        for resource in registry {
            self.first.entry(text(resource, "id").to_owned()).or_insert_with(|| name(resource).to_owned());
        }
    }
}

fn name(resource: &Value) -> &str {
    resource["userName"].as_str().unwrap_or_else(|| text(resource, "displayName"))
}

fn text<'v>(resource: &'v Value, field: &str) -> &'v str {
    resource[field].as_str().unwrap_or_else(|| panic!("no {field} in {resource}"))
}
