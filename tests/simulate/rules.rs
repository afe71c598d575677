//! The policy under test, in the oracle's own words, and the working policy that says the same.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

use rollcall::directory::Content;
use rollcall::spec;
use rollcall::sync::policy::{
    Adopt, LeaverAction, LeaverStep, MatchBy, Nesting, OnDisabled, OnExceed, OnRecreated, PerGroup, Policy,
};
use serde::{Deserialize, Serialize};

use crate::dice::Dice;
use crate::world::Person;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum OfDisabled {
    Disable,
    Leave,
    Ignore,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum OfRecreated {
    Relink,
    Replace,
    Quarantine,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum OfLeavers {
    Disable,
    Delete,
    DisableAndDeleteLater,
    DisableLater,
}

/// The rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::unsafe_derive_deserialize, reason = "what is unsafe is in the macro of the thread's own map")]
pub(crate) struct Rules {
    /// Only people of these departments, if any is named.
    pub(crate) departments: Option<BTreeSet<String>>,
    /// Only people whose number is one: the expression fails for those with a text.
    pub(crate) numbered: bool,
    /// Whether groups in groups are resolved to people.
    pub(crate) flatten: bool,
    pub(crate) disabled: OfDisabled,
    pub(crate) recreated: OfRecreated,
    pub(crate) leavers: OfLeavers,
    /// Whether vanished groups are deleted; else they are emptied.
    pub(crate) deletes_groups: bool,
    pub(crate) protected: BTreeSet<String>,
    pub(crate) limits: Limits,
    /// Whether what is there before us is adopted by its address.
    pub(crate) adopts: bool,
    /// Whether the target deletes no users and nests no groups, so that the rules ask for neither.
    pub(crate) modest: bool,
}

/// The limits that the oracle watches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Limits {
    pub(crate) users: u64,
    pub(crate) groups: u64,
    pub(crate) members: u64,
    pub(crate) disables: u64,
    pub(crate) names: u64,
    pub(crate) hold_all: bool,
}

/// How much of one group may go; groups are small here.
pub(crate) const PER_GROUP: PerGroup = PerGroup { percent: 50, minimum_size: 4 };

impl Limits {
    /// The share of a small company is never under five, so the count decides.
    pub(crate) fn of(count: u64, percent: u64, of: u64) -> u64 {
        count.min((of * percent / 100).max(5))
    }
}

impl Rules {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let counts = [1, 2, 3, 100, 100];
        Self {
            departments: None,
            numbered: dice.one_in(4),
            flatten: dice.one_in(2),
            disabled: dice.one_of(&[OfDisabled::Disable, OfDisabled::Leave, OfDisabled::Ignore]),
            recreated: dice.one_of(&[OfRecreated::Relink, OfRecreated::Replace, OfRecreated::Quarantine]),
            leavers: dice.one_of(&[
                OfLeavers::Disable,
                OfLeavers::Delete,
                OfLeavers::DisableAndDeleteLater,
                OfLeavers::DisableLater,
            ]),
            deletes_groups: dice.one_in(2),
            protected: if dice.one_in(4) {
                BTreeSet::from(["p1@corp.example".to_owned(), "p3@corp.example".to_owned()])
            } else {
                BTreeSet::new()
            },
            limits: Limits {
                users: dice.one_of(&counts),
                groups: dice.one_of(&counts),
                members: dice.one_of(&[3, 10, 1000, 1000]),
                disables: dice.one_of(&counts),
                names: dice.one_of(&counts),
                hold_all: dice.one_in(6),
            },
            adopts: dice.one_in(2),
            modest: false,
        }
    }

    /// From here on nobody is to be deleted, and no group is to be in a group.
    pub(crate) fn be_modest(&mut self) {
        (self.modest, self.flatten) = (true, true);
        self.leavers = match self.leavers {
            OfLeavers::Delete => OfLeavers::Disable,
            OfLeavers::DisableAndDeleteLater => OfLeavers::DisableLater,
            others => others,
        };
        if self.recreated == OfRecreated::Replace {
            self.recreated = OfRecreated::Quarantine;
        }
    }

    /// Whether the rules want this person; `None` where the expression fails.
    pub(crate) fn wants(&self, person: &Person) -> Option<bool> {
        let department = self.departments.as_ref().is_none_or(|wanted| {
            person.department.as_ref().is_some_and(|department| wanted.contains(department))
        });
        if !department || !self.numbered {
            return Some(department);
        }
        person.number.parse::<i64>().ok().map(|_| true)
    }

    /// Whether the rules want this person to have an account that works.
    pub(crate) fn wants_active(&self, person: &Person, now: i64) -> bool {
        self.wants(person) == Some(true) && !person.is_disabled(now)
    }

    /// Whether the rules want this person to go on having an account, be it a disabled one.
    pub(crate) fn keeps(&self, person: &Person, now: i64) -> bool {
        self.wants(person) == Some(true) && !(person.is_disabled(now) && self.disabled == OfDisabled::Leave)
    }

    /// Whether nothing may take this object away.
    pub(crate) fn protects(&self, content: &Content) -> bool {
        let Content::User(user) = content else { return false };
        let mut names = user.emails.iter().chain([&user.user_name]);
        names.any(|name| self.protected.contains(&name.to_lowercase()))
    }

    /// Whether leavers are deleted in the end.
    pub(crate) fn deletes(&self) -> bool {
        self.hours_to_delete().is_some()
    }

    /// How long leavers have their accounts.
    pub(crate) fn hours_to_disable(&self) -> u64 {
        if self.leavers == OfLeavers::DisableLater { 5 } else { 0 }
    }

    /// How long they are still there; for ever, if there is nothing.
    pub(crate) fn hours_to_delete(&self) -> Option<u64> {
        match self.leavers {
            OfLeavers::Delete => Some(0),
            OfLeavers::DisableAndDeleteLater => Some(30),
            OfLeavers::Disable | OfLeavers::DisableLater => None,
        }
    }

    /// The working policy of this name. Only its expressions, and what the rules say nothing about, come
    /// from a manifest: to resolve one takes longer than a whole day of a life.
    pub(crate) fn policy(&self, name: &str) -> Policy {
        thread_local! {
            static BASES: RefCell<HashMap<(String, String), Policy>> = RefCell::default();
        }
        let mut policy = BASES.with_borrow_mut(|bases| {
            let base = (name.to_owned(), self.condition());
            bases.entry(base).or_insert_with_key(|(name, condition)| resolve(name, condition)).clone()
        });
        policy.spec_json = serde_json::to_string(&(name, self)).unwrap().into();
        policy.spec_hash = policy.spec_json.to_string();
        let step = |action, hours| LeaverStep { after: Duration::from_hours(hours), action };
        let disable = Some(step(LeaverAction::Disable, self.hours_to_disable()));
        let disable = disable.filter(|_| self.leavers != OfLeavers::Delete);
        let delete = self.hours_to_delete().map(|hours| step(LeaverAction::Delete, hours));
        policy.users.leavers = disable.into_iter().chain(delete).collect();
        policy.users.recreated = match self.recreated {
            OfRecreated::Relink => OnRecreated::Relink,
            OfRecreated::Replace => OnRecreated::Replace,
            OfRecreated::Quarantine => OnRecreated::Quarantine,
        };
        policy.users.disabled = match self.disabled {
            OfDisabled::Disable => OnDisabled::Disable,
            OfDisabled::Leave => OnDisabled::Leave,
            OfDisabled::Ignore => OnDisabled::Ignore,
        };
        policy.users.protected.clone_from(&self.protected);
        policy.users.adopt =
            if self.adopts { Adopt::By(vec![MatchBy::ExternalId, MatchBy::Email]) } else { Adopt::Never };
        policy.groups.nesting = if self.flatten { Nesting::Flatten } else { Nesting::Preserve };
        policy.groups.vanished =
            vec![step(if self.deletes_groups { LeaverAction::Delete } else { LeaverAction::Empty }, 0)];
        let limits = &mut policy.limits;
        limits.user_removals.count = self.limits.users;
        limits.group_removals.count = self.limits.groups;
        limits.member_removals.count = self.limits.members;
        limits.member_removals_per_group = PER_GROUP;
        limits.disables.count = self.limits.disables;
        limits.identifier_changes.count = self.limits.names;
        limits.on_exceed = if self.limits.hold_all { OnExceed::HoldAll } else { OnExceed::HoldRemovals };
        policy
    }

    fn condition(&self) -> String {
        let mut conditions = Vec::new();
        if let Some(departments) = &self.departments {
            let any: Vec<String> =
                departments.iter().map(|department| format!("user.department == '{department}'")).collect();
            conditions.push(format!("({})", any.join(" || ")));
        }
        if self.numbered {
            conditions.push("int(user.employeeNumber) > 0".to_owned());
        }
        conditions.join(" && ")
    }
}

/// What the last applied specs come to.
pub(crate) fn rebuild(json: &str) -> Option<Policy> {
    let (name, rules): (String, Rules) = serde_json::from_str(json).ok()?;
    Some(rules.policy(&name))
}

fn resolve(name: &str, condition: &str) -> Policy {
    let manifest = format!(
        "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: corp, namespace: test }}\n\
         spec: {{ ldif: {{ path: none.ldif }} }}\n---\n\
         apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: {name}, namespace: test }}\n\
         spec: {{ connectors: [{{ name: corp }}], target: {{ registry: {{}} }}, users: {{ where: \"{condition}\" }} }}\n"
    );
    let mut manifests = spec::manifest::Manifests::default();
    manifests.text("test", &manifest, Some(Path::new(".")));
    let resolved = spec::resolve(&manifests.objects);
    let problems = (&manifests.problems, &resolved.problems);
    assert!(problems.0.is_empty() && problems.1.is_empty(), "{problems:?}\n{manifest}");
    Policy::clone(&resolved.policies[0].policy)
}
