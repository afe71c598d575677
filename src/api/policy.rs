//! `SyncPolicy`: what is synced to which target, and within which limits.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct into a private scope")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, NEVER_SEEN, bounded, is_default};

mod adoption;
mod groups;
mod limits;
pub mod overrides;
mod target;
mod users;
mod verify;

pub use adoption::Adoption;
pub use groups::{GroupAction, GroupStep, Groups, InUse, Membership, Nesting};
pub use limits::{
    Disables, GroupRemovals, IdentifierChanges, Limits, MemberRemovals, MemberRemovalsPerGroup, OnExceed,
    Quarantined, UserRemovals,
};
pub use target::{Mimecast, Registry, Scim, ScimCredentials, ScimOAuth, Target};
pub use users::{Disabled, Mailbox, Mailboxes, MatchBy, Recreated, UserAction, UserStep, Users};
pub use verify::{OnDrift, TargetSeen, Verification, Verify};

/// Which users and groups of a directory are synced to which target, and within which limits.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "rollcall.dev",
    version = "v1alpha1",
    kind = "SyncPolicy",
    doc = "Which users and groups of a directory are synced to which target, within which limits, and the result.",
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
#[schemars(transform = schemars::transform::RecursiveTransform(super::schema::plain_numbers))]
#[schemars(transform = schemars::transform::RecursiveTransform(super::schema::choices))]
#[schemars(transform = schemars::transform::RecursiveTransform(super::schema::no_defaults_in_lists))]
#[x_kube(
    validation = ("!has(self.target.mimecast) || !has(self.users) || !has(self.users.leavers) || self.users.leavers.all(step, step.do != 'Delete')", "the API of Mimecast deletes no users: end users.leavers with a step that disables, and delete addresses in the console"),
    validation = ("!has(self.target.mimecast) || !has(self.users) || !has(self.users.recreated) || self.users.recreated != 'Replace'", "the API of Mimecast deletes no users, so none can be replaced: use Quarantine or Relink in users.recreated"),
    validation = ("!has(self.target.mimecast) || !has(self.groups) || !has(self.groups.nesting) || self.groups.nesting != 'Preserve'", "a group of Mimecast cannot be a member of a group: use Flatten in groups.nesting"),
    validation = ("!has(self.target.registry) || !has(self.groups) || !has(self.groups.vanished) || !has(self.groups.vanished.do) || self.groups.vanished.do != 'Unlink'", "nobody but Rollcall can remove a group from the registry: use Empty or Delete in groups.vanished")
)]
pub struct SyncPolicySpec {
    /// The connector that the policy reads from, in the namespace of this object. Exactly one.
    #[schemars(length(min = 1, max = 1))]
    pub connectors: Vec<ConnectorRef>,
    /// The target of users and groups.
    pub target: Target,
    /// When the policy runs. If absent, it runs whenever a read of the directory brought changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Which users are synced, and how.
    #[serde(default)]
    pub users: Users,
    /// Which groups are synced, and how.
    #[serde(default)]
    pub groups: Groups,
    /// How many removals and changes are made without an approval.
    #[serde(default)]
    pub limits: Limits,
    /// How often a target that others can change is read, and what happens when it differs from what this policy left there.
    /// The registry has no use for it.
    #[serde(default, skip_serializing_if = "is_default")]
    #[x_kube(validation = ("duration(self.every) >= duration('1m')", "every is too short: use 1m or more"))]
    pub verify: Verify,
    /// Whether changes are made or only shown.
    #[serde(default)]
    pub mode: Mode,
    /// What happens at the target when this policy is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// The delay before a failed run is retried; doubled with each failure, up to `1h`.
    #[serde(default = "retry_interval")]
    #[x_kube(validation = ("duration(self) >= duration('1s')", "is too short: use 1s or more"))]
    pub retry_interval: Duration,
    /// The maximum time for one run. The next run continues with what is not done by then. More than 24h counts as 24h.
    #[serde(default = "timeout")]
    #[x_kube(validation = ("duration(self) >= duration('1s')", "is too short: use 1s or more"))]
    pub timeout: Duration,
    /// Pauses the policy: no runs.
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
    /// The maximum age of its last complete read for removals that depend on it; `1m` or more. If absent, `24h`.
    #[serde(default = "max_age")]
    pub max_age: Duration,
}

/// When a policy runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// Cron expressions of five fields (minute, hour, day of month, month, day of week); the earliest next time counts.
    /// Each policy adds its own fixed delay of up to a minute, so that not all of them start at once.
    #[schemars(length(min = 1, max = 16), inner(length(min = 9, max = 128)), extend("x-kubernetes-validations" = [
        { "rule": r"self.all(cron, cron.matches(r'^\s*\S+(\s+\S+){4}\s*$'))", "message": "five fields are needed: minute, hour, day of month, month, day of week, such as 0 8 * * *" }
    ]))]
    pub cron: Vec<String>,
    /// The time zone of the cron expressions: an IANA name, such as `Europe/London`.
    #[serde(default = "utc")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: String,
}

/// What happens at the target when a policy is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// The target stays as it is. The policy's data are kept for 30 days, and a policy with the same namespace and name
    /// uses them again.
    #[default]
    Retain,
}

/// Whether changes are made or only shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Changes are made.
    #[default]
    Apply,
    /// Changes are only planned; the status shows how many there are and what would be held.
    Preview,
}

/// The observed state of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schemars::transform::RecursiveTransform(super::schema::plain_numbers))]
#[schemars(extend("default" = { "observedGeneration": NEVER_SEEN }))]
pub struct SyncPolicyStatus {
    /// The generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: the target is in step. `SourcesHealthy`: all connectors of the policy are healthy. `TargetReachable`: the
    /// last run could work with the target, if that is a service. `Reconciling`, `Stalled`, `PlanHeld` (operations wait for
    /// an approval), `EntriesQuarantined` (entries cannot be processed), `DriftDetected` (the target differs from what this
    /// policy left there) and `StoreReset` (the stored state was lost or replaced) exist only while they are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The number of linked objects at the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_step: Option<InStep>,
    /// The operations that wait for an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// The last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<LastRun>,
    /// The next time at which something is due without a read of the directory, such as a step of `leavers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Time>,
    /// The runs before the last one, newest first; at most four.
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "bounded::list::<4, _, _>")]
    #[schemars(length(max = 4))]
    pub history: Vec<LastRun>,
    /// The target, as the last run found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetSeen>,
    /// The last verification of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// The time of the next scheduled run or retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run_at: Option<Time>,
    /// The store with the policy's data. A different store than before means that the data were lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreRef>,
    /// The last value of the annotation `rollcall.dev/sync-requested-at` that was handled.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "bounded::optional::<262_144, _>"
    )]
    #[schemars(length(max = 262_144))]
    pub last_handled_sync_requested_at: Option<String>,
}

/// A store and its progress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreRef {
    /// Its id, which never changes.
    #[schemars(length(max = 64))]
    pub id: String,
    /// The number of the last change that the last run used.
    pub sequence: u64,
}

/// The number of linked objects at the target.
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

/// The operations that wait for an approval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The digest, which an approval names.
    #[schemars(length(max = 128))]
    pub digest: String,
    /// Users to be removed.
    pub user_removals: u64,
    /// Groups to be removed.
    pub group_removals: u64,
    /// Memberships to be removed.
    pub member_removals: u64,
    /// All other operations.
    pub others: u64,
    /// Why they are held.
    #[serde(serialize_with = "bounded::text::<4096, _>")]
    #[schemars(length(max = 4096))]
    pub reason: String,
    /// Since when they are held.
    pub since: Time,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    /// Its id.
    #[schemars(length(max = 64))]
    pub id: String,
    /// When it started.
    pub started_at: Time,
    /// When it ended.
    pub finished_at: Time,
    /// `Applied`, `Previewed` or `Failed`.
    #[schemars(length(max = 32))]
    pub result: String,
    /// The reason of `Ready` after it.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub reason: String,
    /// The message of `Ready` after it.
    #[serde(default, serialize_with = "bounded::text::<4096, _>")]
    #[schemars(length(max = 4096))]
    pub message: String,
    /// The accounts that approved what it let go, separated by commas.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "bounded::optional::<1024, _>"
    )]
    #[schemars(length(max = 1024))]
    pub approved_by: Option<String>,
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
    /// Memberships added.
    pub members_added: u64,
    /// Memberships removed.
    pub members_removed: u64,
    /// Entries that cannot be processed.
    pub quarantined: u64,
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
