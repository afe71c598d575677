//! Which users are synced, and how.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::adoption::Adoption;
use crate::api::contacts::Contacts;
use crate::api::{Duration, is_default};

/// Which users are synced, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Users {
    /// Domains of the primary address. If empty, any domain is in scope.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 253)), extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = [
        { "rule": "self.all(domain, !domain.matches('[@* ]'))", "message": "write a domain like corp.example, without @, * and spaces" }
    ]))]
    pub email_domains: Vec<String>,
    /// A CEL expression over `user` for the users in scope, such as `user.department != 'Contractors'`. If empty, all
    /// users are.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub r#where: String,
    /// Whether contacts are synced too: people who are listed in the directory without an account.
    pub contacts: Contacts,
    /// Exchange mailboxes other than ordinary user mailboxes. Their accounts are disabled by design, which disables
    /// nobody.
    #[serde(skip_serializing_if = "Mailboxes::are_kept")]
    pub mailboxes: Mailboxes,
    /// What a disabled account in the directory means. A user who is disabled when first seen is not created.
    pub disabled: Disabled,
    /// The steps for users who left. `after` counts from when a user was first seen to have left. Memberships end with
    /// the first step.
    #[schemars(length(min = 1, max = 8), extend("x-kubernetes-validations" = [
        { "rule": "[0, 1, 2, 3, 4, 5, 6].all(at, at + 1 >= self.size() || self[at].do != 'Delete')", "message": "a step that deletes the user must be the last: nothing is left to do then" },
        { "rule": "[0, 1, 2, 3, 4, 5, 6].all(at, at + 1 >= self.size() || duration(self[at].?after.orValue('0s')) < duration(self[at + 1].?after.orValue('0s')))", "message": "each step must come later than the step before it: raise its after" },
        { "rule": "[0, 1, 2, 3, 4, 5, 6].all(at, at + 1 >= self.size() || self[at].do != self[at + 1].do)", "message": "a step does what the step before it does: remove one of them" }
    ]))]
    pub leavers: Vec<UserStep>,
    /// What to do with a new entry that has the name of a user who left.
    pub recreated: Recreated,
    /// Whether a user who exists at the target already becomes this policy's own, in place of a new one. At the registry there
    /// are none.
    #[serde(skip_serializing_if = "is_default")]
    pub adopt: Adoption,
    /// What such a user is recognized by, tried in this order. One that bears Rollcall's key is always recognized.
    #[serde(skip_serializing_if = "is_usual_match")]
    #[schemars(length(min = 1, max = 3), extend("x-kubernetes-list-type" = "set"))]
    pub match_by: Vec<MatchBy>,
    /// Addresses and user names of users who are never removed or disabled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 320)), extend("x-kubernetes-list-type" = "set"))]
    pub protected: Vec<String>,
    /// A user's attributes at the target, as CEL expressions over `user`, such as `title: user.title`. `displayName`,
    /// `givenName` and `familyName` are mapped by default.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = { "type": "string", "maxLength": 4096 }))]
    pub attributes: BTreeMap<String, String>,
}

/// Which kinds of mailbox are synced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Mailboxes {
    /// Shared mailboxes. If a mailbox is converted to a shared one and its account is disabled, the user stays, unless
    /// these are excluded.
    pub shared: Mailbox,
    /// Rooms and equipment.
    pub resource: Mailbox,
    /// Mailboxes of people whose accounts are in another forest.
    pub linked: Mailbox,
}

/// Whether a kind of mailbox is synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mailbox {
    /// It is synced like any other user, whatever the state of its account.
    #[default]
    Keep,
    /// It is out of scope.
    Exclude,
}

impl Mailboxes {
    fn are_kept(&self) -> bool {
        *self == Self::default()
    }
}

/// What a disabled account means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Disabled {
    /// The user is disabled at the target too, and enabled again when the account is.
    #[default]
    Disable,
    /// The user counts as a leaver.
    Leave,
    /// It has no effect. While the account is disabled in the directory, the user at the target stays as it is, active
    /// or disabled, and no user is created. An account that is enabled in the directory is a user like any other.
    Ignore,
}

/// A step for users who left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserStep {
    /// The time since the user was first seen to have left. If absent, `0s`.
    #[serde(default = "at_once")]
    pub after: Duration,
    /// The action.
    pub r#do: UserAction,
}

/// The action for a user who left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UserAction {
    /// The account is disabled.
    Disable,
    /// The user is deleted.
    Delete,
}

/// What to do with a new entry that has the name of a user who left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Recreated {
    /// It is the same person: the user stays.
    Relink,
    /// It is a different person: the old user is deleted, and a new one is created.
    Replace,
    /// The entry is quarantined until an administrator decides.
    #[default]
    Quarantine,
}

/// What a user at the target is recognized by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MatchBy {
    /// Rollcall's key in its `externalId`.
    ExternalId,
    /// Its primary address.
    Email,
    /// Its unique name.
    Name,
}

fn usual_match() -> Vec<MatchBy> {
    vec![MatchBy::ExternalId, MatchBy::Email]
}

fn is_usual_match(by: &[MatchBy]) -> bool {
    by == usual_match()
}

impl Default for Users {
    fn default() -> Self {
        Self {
            email_domains: Vec::new(),
            r#where: String::new(),
            contacts: Contacts::default(),
            mailboxes: Mailboxes::default(),
            disabled: Disabled::default(),
            leavers: vec![UserStep { after: at_once(), r#do: UserAction::Disable }],
            recreated: Recreated::default(),
            adopt: Adoption::default(),
            match_by: usual_match(),
            protected: Vec::new(),
            attributes: BTreeMap::new(),
        }
    }
}

fn at_once() -> Duration {
    "0s".into()
}
