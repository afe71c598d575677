//! What a tenant holds, and what it does with a change.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Said, done, failed};

/// An address that the tenant knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) alias_of: Option<String>,
    pub(crate) disabled: bool,
}

/// A group, or a folder of groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) description: String,
    pub(crate) source: String,
    pub(crate) parent: Option<String>,
    pub(crate) members: BTreeSet<String>,
    /// A policy uses it.
    pub(crate) used: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Tenant {
    pub(crate) domains: Vec<String>,
    /// By the address in lower case.
    pub(crate) addresses: BTreeMap<String, Address>,
    pub(crate) groups: BTreeMap<String, Group>,
    /// What somebody wanted to change of a group of a directory.
    pub(crate) touched: Vec<String>,
    pub(crate) integrations: Vec<Value>,
    pub(crate) connections: Vec<Value>,
    /// By kind and id, as they stand in the address.
    pub(crate) details: BTreeMap<String, Value>,
    next: u64,
}

/// What a tenant holds, whoever reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Truth {
    /// Accounts by their address: the name, whether they work, and the other addresses.
    pub(crate) users: BTreeMap<String, (String, bool, BTreeSet<String>)>,
    /// Groups by their path: the members.
    pub(crate) groups: BTreeMap<String, BTreeSet<String>>,
}

impl Tenant {
    pub(crate) fn new(domains: &[&str]) -> Self {
        Self { domains: domains.iter().map(|domain| (*domain).to_owned()).collect(), ..Self::default() }
    }

    /// An address that somebody else made.
    pub(crate) fn add(&mut self, address: &str, name: &str, kind: &str) -> &mut Address {
        let new = Address { name: name.to_owned(), kind: kind.to_owned(), ..Address::default() };
        self.addresses.entry(address.to_lowercase()).insert_entry(new).into_mut()
    }

    pub(crate) fn add_group(&mut self, name: &str, parent: Option<&str>, source: &str) -> String {
        self.next += 1;
        let id = format!("eNoVzs+{:08x}/{}==", self.next, self.next);
        let group = Group {
            description: name.to_owned(),
            source: source.to_owned(),
            parent: parent.map(str::to_owned),
            ..Group::default()
        };
        self.groups.insert(id.clone(), group);
        id
    }

    pub(crate) fn group(&self, name: &str) -> Option<(&String, &Group)> {
        self.groups.iter().find(|(_, group)| group.description == name)
    }

    pub(crate) fn truth(&self) -> Truth {
        let mut truth = Truth::default();
        for (address, one) in self.addresses.iter().filter(|(_, one)| one.alias_of.is_none()) {
            let aliases = self.aliases_of(address).cloned().collect();
            truth.users.insert(address.clone(), (one.name.clone(), !one.disabled, aliases));
        }
        for group in self.groups.values() {
            let parent = group.parent.as_ref().and_then(|parent| self.groups.get(parent));
            let path = parent.map_or_else(String::new, |parent| format!("{}/", parent.description));
            let before = truth.groups.insert(format!("{path}{}", group.description), group.members.clone());
            assert!(before.is_none(), "two groups are called {}", group.description);
        }
        truth
    }

    fn aliases_of<'a>(&'a self, address: &'a str) -> impl Iterator<Item = &'a String> + 'a {
        let of = move |(_, one): &(&String, &Address)| one.alias_of.as_deref() == Some(address);
        self.addresses.iter().filter(of).map(|(alias, _)| alias)
    }

    fn is_internal(&self, address: &str) -> bool {
        address.split_once('@').is_some_and(|(_, domain)| self.domains.iter().any(|own| own == domain))
    }

    pub(super) fn shown_domains(&self) -> Vec<Value> {
        let shown = |domain: &String| json!({ "id": format!("d-{domain}"), "domain": domain, "local": false, "sendOnly": false, "inboundType": "known" });
        self.domains.iter().map(shown).collect()
    }

    pub(super) fn shown_users(&self, bare: bool) -> Vec<Value> {
        let shown = |(address, one): (&String, &Address)| {
            let mut shown = json!({
                "id": format!("u-{address}"), "emailAddress": address, "addressType": one.kind, "isAlias": one.alias_of.is_some(),
            });
            if !bare {
                shown["name"] = one.name.clone().into();
                shown["disabled"] = one.disabled.into();
            }
            shown
        };
        self.addresses.iter().map(shown).collect()
    }

    pub(super) fn shown_users_of(&self, domain: &str) -> Vec<Value> {
        let shown = |(address, one): (&String, &Address)| json!({ "emailAddress": address, "addressType": one.kind, "alias": one.alias_of.is_some() });
        let of = |(address, _): &(&String, &Address)| address.ends_with(&format!("@{domain}"));
        self.addresses.iter().filter(of).map(shown).collect()
    }

    pub(super) fn shown_group(&self, id: &str, group: &Group, newer: bool) -> Value {
        let within = self.groups.values().filter(|other| other.parent.as_deref() == Some(id)).count();
        let mut shown = json!({
            "id": id, "description": group.description, "source": group.source, "userCount": group.members.len(),
        });
        shown[if newer { "groupCount" } else { "folderCount" }] = within.into();
        if let Some(parent) = &group.parent {
            shown["parentId"] = parent.as_str().into();
        }
        shown
    }

    pub(super) fn shown_groups(&self, newer: bool) -> Vec<Value> {
        self.groups.iter().map(|(id, group)| self.shown_group(id, group, newer)).collect()
    }

    pub(super) fn shown_members(&self, group: &Group) -> Vec<Value> {
        let shown = |member: &String| match member.split_once('@') {
            Some((_, domain)) => json!({
                "emailAddress": member, "domain": domain, "internal": self.is_internal(member), "type": "created_manually",
            }),
            None => json!({ "domain": member, "type": "domain" }),
        };
        group.members.iter().map(shown).collect()
    }

    pub(super) fn make_group(&mut self, body: &Value, allowed: &[&str]) -> Said {
        let fields = body.as_object().cloned().unwrap_or_default();
        let name = body["description"].as_str().unwrap_or_default().to_owned();
        if name.is_empty() || !fields.keys().all(|field| allowed.contains(&field.as_str())) {
            return (400, failed("err_validation"));
        }
        let parent = body["parentId"].as_str().map(str::to_owned);
        match parent.as_ref().map(|parent| self.groups.get(parent)) {
            Some(None) => return (404, failed("err_folder_not_found")),
            Some(Some(parent)) if parent.source == "ldap" => return (400, failed("err_folder_read_only")),
            _ => {}
        }
        let id = self.add_group(&name, parent.as_deref(), "cloud");
        // In the newer style it is the whole answer, in the older one it is within `data`.
        (
            200,
            json!({ "id": id.clone(), "fail": [], "data": [{ "id": id, "description": name, "source": "cloud" }] }),
        )
    }

    /// The group, if it may be changed.
    fn own(&mut self, body: &Value) -> Result<&mut Group, &'static str> {
        let id = body["id"].as_str().unwrap_or_default();
        match self.groups.get_mut(id) {
            None => Err("err_folder_not_found"),
            Some(group) if group.source == "ldap" => {
                self.touched.push(group.description.clone());
                Err("err_folder_read_only")
            }
            Some(group) => Ok(group),
        }
    }

    pub(super) fn update_group(&mut self, body: &Value) -> Said {
        let changed = self.own(body).map(|group| {
            if let Some(name) = body["description"].as_str() {
                name.clone_into(&mut group.description);
            }
            if let Some(parent) = body["parentId"].as_str() {
                group.parent = Some(parent.to_owned());
            }
        });
        changed.map_or_else(|code| (200, failed(code)), |()| done(&json!({ "id": body["id"] })))
    }

    pub(super) fn delete_group(&mut self, body: &Value) -> Said {
        let id = body["id"].as_str().unwrap_or_default().to_owned();
        let has_others = self.groups.values().any(|other| other.parent.as_ref() == Some(&id));
        match self.own(body) {
            Err(code) => (200, failed(code)),
            Ok(group) if group.used || has_others => (200, failed("err_folder_in_use")),
            Ok(_) => {
                self.groups.remove(&id);
                done(&json!({}))
            }
        }
    }

    pub(super) fn change_member(
        &mut self,
        id: &str,
        come: bool,
        member: &Value,
        strict: bool,
    ) -> Result<(), &'static str> {
        let group = self.own(&json!({ "id": id }))?;
        let address = member["emailAddress"].as_str().or_else(|| member["domain"].as_str());
        let Some(address) = address.map(str::to_lowercase) else { return Err("err_validation") };
        let changed = if come { group.members.insert(address) } else { group.members.remove(&address) };
        if changed || !strict { Ok(()) } else { Err("err_member_unchanged") }
    }

    pub(super) fn create_user(&mut self, body: &Value) -> Said {
        let fields = ["emailAddress", "name", "password", "accountCode", "forcePasswordChange"];
        let is_known =
            body.as_object().is_some_and(|body| body.keys().all(|field| fields.contains(&field.as_str())));
        let Some(address) = body["emailAddress"].as_str().map(str::to_lowercase).filter(|_| is_known) else {
            return (200, failed("err_validation"));
        };
        if !self.is_internal(&address) {
            return (200, failed("err_domain_not_internal"));
        }
        if self.addresses.contains_key(&address) {
            return (200, failed("err_address_already_exists"));
        }
        self.add(&address, body["name"].as_str().unwrap_or_default(), "created_manually");
        done(&json!({ "id": format!("u-{address}"), "emailAddress": address }))
    }

    pub(super) fn update_user(&mut self, body: &Value) -> Said {
        let fields = [
            "emailAddress",
            "name",
            "password",
            "passwordNeverExpires",
            "forcePasswordChange",
            "accountDisabled",
            "accountLocked",
            "allowSmtp",
            "allowPop",
            "archiveStartDate",
        ];
        if !body.as_object().is_some_and(|body| body.keys().all(|field| fields.contains(&field.as_str()))) {
            return (200, failed("err_validation"));
        }
        let address = body["emailAddress"].as_str().unwrap_or_default().to_lowercase();
        match self.addresses.get_mut(&address) {
            None => (200, failed("err_user_not_found")),
            Some(one) if one.alias_of.is_some() => (200, failed("err_user_is_alias")),
            Some(one) => {
                if let Some(name) = body.get("name") {
                    let Some(name) = name.as_str() else { return (200, failed("err_validation")) };
                    name.clone_into(&mut one.name);
                }
                if let Some(disabled) = body.get("accountDisabled") {
                    let Some(disabled) = disabled.as_bool() else { return (200, failed("err_validation")) };
                    one.disabled = disabled;
                }
                done(&json!({ "emailAddress": address }))
            }
        }
    }

    pub(super) fn aliases(&self, body: &Value) -> Said {
        let address = body["emailAddress"].as_str().unwrap_or_default().to_lowercase();
        let aliases: Vec<Value> =
            self.aliases_of(&address).map(|alias| json!({ "alias": alias, "aliasFor": address })).collect();
        done(&json!({ "aliases": aliases }))
    }

    pub(super) fn link(&mut self, body: &Value) -> Said {
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_lowercase();
        let (address, alias) = (text("aliasFor"), text("alias"));
        let is_account = self.addresses.get(&address).is_some_and(|one| one.alias_of.is_none());
        if !is_account || alias.is_empty() || alias == address {
            return (200, failed("err_user_not_found"));
        }
        // Nobody's aliases follow them.
        if self.aliases_of(&alias).next().is_some() {
            return (200, failed("err_alias_has_aliases"));
        }
        let one = self
            .addresses
            .entry(alias.clone())
            .or_insert_with(|| Address { kind: "created_manually".to_owned(), ..Address::default() });
        one.alias_of = Some(address.clone());
        done(&json!({ "alias": alias, "aliasFor": address, "isInternal": true, "type": "created_manually" }))
    }

    pub(super) fn unlink(&mut self, body: &Value) -> Said {
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_lowercase();
        match self.addresses.get_mut(&text("alias")) {
            Some(one) if one.alias_of.as_ref() == Some(&text("aliasFor")) => {
                one.alias_of = None;
                one.disabled = false;
                done(&json!({}))
            }
            _ => (200, failed("err_alias_not_found")),
        }
    }
}
