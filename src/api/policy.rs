//! `SyncPolicy`: what goes to which target, and within which limits.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct into a private scope")]

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reference::KeyRef;
use super::{Duration, bounded};

mod limits;

pub use limits::{
    Disables, GroupRemovals, IdentifierChanges, Limits, MemberRemovals, MemberRemovalsPerGroup, OnExceed,
    Quarantined, UserRemovals,
};

/// Which users and groups of a directory go to which target, and within which limits.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "rollcall.dev",
    version = "v1alpha1",
    kind = "SyncPolicy",
    doc = "Which users and groups of a directory go to which target, within which limits, and what became of it.",
    plural = "syncpolicies",
    namespaced,
    shortname = "syncpol",
    category = "rollcall",
    status = "SyncPolicyStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"}"#,
    printcolumn = r#"{"name": "Reason", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].reason"}"#,
    printcolumn = r#"{"name": "Connector", "type": "string", "jsonPath": ".spec.connectors[0].name", "priority": 1}"#,
    printcolumn = r#"{"name": "Mode", "type": "string", "jsonPath": ".spec.mode", "priority": 1}"#,
    printcolumn = r#"{"name": "Held", "type": "string", "jsonPath": ".status.held.digest", "priority": 1}"#,
    printcolumn = r#"{"name": "Next run", "type": "string", "jsonPath": ".status.nextRunAt", "priority": 1}"#,
    printcolumn = r#"{"name": "Suspended", "type": "boolean", "jsonPath": ".spec.suspend", "priority": 1}"#,
    printcolumn = r#"{"name": "Users", "type": "integer", "jsonPath": ".status.inStep.users"}"#,
    printcolumn = r#"{"name": "Groups", "type": "integer", "jsonPath": ".status.inStep.groups"}"#,
    printcolumn = r#"{"name": "Last run", "type": "date", "jsonPath": ".status.lastRun.finishedAt"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schemars::transform::RecursiveTransform(super::plain_numbers))]
#[schemars(transform = schemars::transform::RecursiveTransform(super::choices))]
pub struct SyncPolicySpec {
    /// The connector that the policy reads from, in the namespace of this object. Exactly one: several
    /// come later.
    #[schemars(length(min = 1, max = 1))]
    pub connectors: Vec<ConnectorRef>,
    /// Where users and groups go.
    pub target: Target,
    /// When; absent means whenever a read of the directory brought something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Which users, and how.
    #[serde(default)]
    pub users: Users,
    /// Which groups, and how.
    #[serde(default)]
    pub groups: Groups,
    /// What may go without asking a person.
    #[serde(default)]
    pub limits: Limits,
    /// Whether changes are made.
    #[serde(default)]
    pub mode: Mode,
    /// What becomes of what was put at the target when this policy is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// How long after a run that failed it is tried again; doubled with each failure, up to `1h`.
    #[serde(default = "retry_interval")]
    #[x_kube(validation = ("duration(self) >= duration('1s')", "is too short: use 1s or more"))]
    pub retry_interval: Duration,
    /// How long one run may take; what is not done then is done by the next.
    #[serde(default = "timeout")]
    #[x_kube(validation = ("duration(self) >= duration('1s')", "is too short for anything: use 1s or more"))]
    pub timeout: Duration,
    /// Whether the policy rests: nothing is done.
    #[serde(default)]
    pub suspend: bool,
}

/// A connector that a policy reads from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorRef {
    /// Name of the DirectoryConnector.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// How old its last completed read may be for anything to be removed on its word; `1m` or more.
    #[serde(default = "max_age")]
    pub max_age: Duration,
}

/// Where users and groups go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.registry)", "name exactly one kind of target: registry"))]
pub struct Target {
    /// The embedded registry, which needs nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<Registry>,
}

/// The embedded registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Registry {
    /// The token that readers must show to read this policy's users and groups over SCIM 2.0; without it
    /// they are not served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret_ref: Option<KeyRef>,
}

/// When a policy runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// Cron expressions of five fields (minute, hour, day of month, month, day of week); the earliest
    /// counts. Each policy begins up to a minute later, always as much, so that not all begin at once.
    #[schemars(length(min = 1, max = 16), inner(length(min = 9, max = 128)), extend("x-kubernetes-validations" = [
        { "rule": r"self.all(cron, cron.matches(r'^\s*\S+(\s+\S+){4}\s*$'))", "message": "five fields are needed: minute, hour, day of month, month, day of week, such as 0 8 * * *" }
    ]))]
    pub cron: Vec<String>,
    /// The time zone that they are in, by its IANA name, such as `Europe/London`.
    #[serde(default = "utc")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: String,
}

/// What becomes of what was put at the target when a policy is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// It stays as it is. What is known of it is kept for 30 days: a policy of the same namespace and
    /// name takes it up again.
    #[default]
    Retain,
}

/// Which users, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Users {
    /// Domains of the primary address; none means any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 253)), extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = [
        { "rule": "self.all(domain, !domain.matches('[@* ]'))", "message": "write a domain like corp.example, without @, * and spaces" }
    ]))]
    pub email_domains: Vec<String>,
    /// Who is in scope, in CEL over `user`, such as `user.department != 'Contractors'`; empty means
    /// everybody.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub r#where: String,
    /// Whether contacts come too: people who are listed in the directory and have no account in it.
    pub contacts: Contacts,
    /// Mailboxes that are not simply a user's own (Exchange). Their accounts are disabled by design, which disables nobody.
    #[serde(skip_serializing_if = "Mailboxes::are_kept")]
    pub mailboxes: Mailboxes,
    /// What a disabled account means. Nobody is created who is disabled when first seen.
    pub disabled: Disabled,
    /// What is done with users who left, step by step; `after` counts from when they were first seen to
    /// have left. Memberships end with the first step.
    #[schemars(length(min = 1, max = 8), extend("x-kubernetes-validations" = [
        { "rule": "[0, 1, 2, 3, 4, 5, 6].all(at, at + 1 >= self.size() || self[at].do != 'Delete')", "message": "a step that deletes the user must be the last: nothing is left to do then" },
        { "rule": "[0, 1, 2, 3, 4, 5, 6].all(at, at + 1 >= self.size() || duration(self[at].after) < duration(self[at + 1].after))", "message": "each step must come later than the step before it: raise its after" },
        { "rule": "[0, 1, 2, 3, 4, 5, 6].all(at, at + 1 >= self.size() || self[at].do != self[at + 1].do)", "message": "a step does what the step before it does: remove one of them" }
    ]))]
    pub leavers: Vec<UserStep>,
    /// What to do with a new entry that has the name of somebody who left.
    pub recreated: Recreated,
    /// Addresses and user names that are never removed or disabled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 320)), extend("x-kubernetes-list-type" = "set"))]
    pub protected: Vec<String>,
    /// What a user's attributes at the target are, in CEL over `user`, such as `title: user.title`.
    /// `displayName`, `givenName` and `familyName` are mapped without being named here.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = { "type": "string", "maxLength": 4096 }))]
    pub attributes: BTreeMap<String, String>,
}

/// Whether contacts come too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Contacts {
    /// They come.
    Include,
    /// They do not come.
    #[default]
    Exclude,
}

/// Which kinds of mailbox come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Mailboxes {
    /// Mailboxes that several people share. An account that is disabled when its mailbox is made a shared one stays, unless
    /// these are excluded.
    pub shared: Mailbox,
    /// Rooms and equipment.
    pub resource: Mailbox,
    /// Mailboxes of people whose accounts are in another forest.
    pub linked: Mailbox,
}

/// Whether a kind of mailbox comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mailbox {
    /// As any other user, whatever the state of its account.
    #[default]
    Keep,
    /// It stays out of scope.
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
    /// The user is disabled at the target too, and enabled again with the account.
    #[default]
    Disable,
    /// The person counts as having left.
    Leave,
    /// It is not acted on. While the account is disabled in the directory, the user at the target stays active or
    /// disabled as they are, and nobody is created. Whoever is enabled in the directory is a user like any other.
    Ignore,
}

/// A step for users who left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserStep {
    /// How long after the user was first seen to have left.
    #[serde(default = "at_once")]
    pub after: Duration,
    /// What is done then.
    pub r#do: UserAction,
}

/// What is done with a user who left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UserAction {
    /// The account is disabled.
    Disable,
    /// The user is deleted.
    Delete,
}

/// What to do with a new entry that has the name of somebody who left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Recreated {
    /// It is the same person: the user goes on.
    Relink,
    /// It is another person: the old user is deleted, and a new one made.
    Replace,
    /// A person must decide.
    #[default]
    Quarantine,
}

/// Which groups, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Groups {
    /// Names of groups, with `*` and `?` as wildcards; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(min = 1, max = 256)))]
    pub include: Vec<String>,
    /// Names of groups that stay out although they are included, with `*` and `?` as wildcards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(min = 1, max = 256)))]
    pub exclude: Vec<String>,
    /// Which groups are in scope, in CEL over `group`, such as `group.mail != ''`; empty means all.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub r#where: String,
    /// What becomes of groups in groups.
    pub nesting: Nesting,
    /// What is done with a group that is gone.
    pub vanished: GroupStep,
}

/// What becomes of groups in groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Nesting {
    /// Everybody who is in a group by any path is its direct member.
    #[default]
    Flatten,
    /// A group in a group stays one, where both are in scope.
    Preserve,
}

/// What is done with a group that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupStep {
    /// How long after the group was first seen to be gone.
    pub after: Duration,
    /// What is done then.
    pub r#do: GroupAction,
}

/// What is done with a group that is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GroupAction {
    /// All members are taken out, and the group stays.
    Empty,
    /// The group is deleted.
    #[default]
    Delete,
}

/// Whether changes are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// They are made.
    #[default]
    Apply,
    /// They are worked out, and it is shown how many they are and what would be held.
    Preview,
}

/// What is known of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schemars::transform::RecursiveTransform(super::plain_numbers))]
pub struct SyncPolicyStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: whether the target is in step. `SourcesHealthy`: whether all of its connectors are.
    /// `Reconciling`, `Stalled`, `PlanHeld` (something waits for a person), `EntriesQuarantined` (entries
    /// cannot be taken as they are) and `StoreReset` (what was remembered is gone) stand only while they
    /// are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// How much is linked at the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_step: Option<InStep>,
    /// What waits for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// The last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<LastRun>,
    /// When something falls due that no read of the directory will announce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Time>,
    /// The runs before the last one, newest first; at most four.
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "bounded::list::<4, _, _>")]
    #[schemars(length(max = 4))]
    pub history: Vec<LastRun>,
    /// When the policy runs next by its schedule, or tries again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run_at: Option<Time>,
    /// The store that remembers what is at the target: another one here than before is a loss that shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreRef>,
    /// The last value of the annotation `rollcall.dev/sync-requested-at` that was acted on.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "bounded::optional::<262_144, _>"
    )]
    #[schemars(length(max = 262_144))]
    pub last_handled_sync_requested_at: Option<String>,
}

/// A store, and how far it had come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreRef {
    /// Its id, made with it.
    #[schemars(length(max = 64))]
    pub id: String,
    /// The number of the last change that the last run knew.
    pub sequence: u64,
}

/// How much is linked at the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InStep {
    /// Users.
    pub users: u64,
    /// Groups.
    pub groups: u64,
    /// Memberships.
    pub memberships: u64,
}

/// What waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// Its name: what an approval names.
    #[schemars(length(max = 128))]
    pub digest: String,
    /// Users to be removed.
    pub user_removals: u64,
    /// Groups to be removed.
    pub group_removals: u64,
    /// Memberships to be ended.
    pub member_removals: u64,
    /// Everything else.
    pub others: u64,
    /// Why it is held.
    #[serde(serialize_with = "bounded::text::<4096, _>")]
    #[schemars(length(max = 4096))]
    pub reason: String,
    /// Since when.
    pub since: Time,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    /// Its id.
    #[schemars(length(max = 64))]
    pub id: String,
    /// When it began.
    pub started_at: Time,
    /// When it ended.
    pub finished_at: Time,
    /// `Applied`, `Previewed` or `Failed`.
    #[schemars(length(max = 32))]
    pub result: String,
    /// What it comes to: the reason of `Ready` after it.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub reason: String,
    /// The same for people.
    #[serde(default, serialize_with = "bounded::text::<4096, _>")]
    #[schemars(length(max = 4096))]
    pub message: String,
    /// Users and groups created.
    pub created: u64,
    /// Users and groups changed.
    pub updated: u64,
    /// Users disabled.
    pub disabled: u64,
    /// Users enabled.
    pub enabled: u64,
    /// Users and groups deleted, and groups emptied.
    pub removed: u64,
    /// Memberships begun.
    pub members_added: u64,
    /// Memberships ended.
    pub members_removed: u64,
    /// Entries that cannot be taken as they are.
    pub quarantined: u64,
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
            protected: Vec::new(),
            attributes: BTreeMap::new(),
        }
    }
}

impl Default for GroupStep {
    fn default() -> Self {
        Self { after: at_once(), r#do: GroupAction::default() }
    }
}

fn at_once() -> Duration {
    "0s".into()
}

fn utc() -> String {
    "UTC".to_owned()
}

fn retry_interval() -> Duration {
    "1m".into()
}

fn timeout() -> Duration {
    "1h".into()
}

fn max_age() -> Duration {
    "24h".into()
}
