//! What was observed of a directory.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{NEVER_SEEN, bounded};

/// The observed state of a directory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schemars::transform::RecursiveTransform(crate::api::schema::plain_numbers))]
#[schemars(extend("default" = { "observedGeneration": NEVER_SEEN }))]
pub struct DirectoryConnectorStatus {
    /// The generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: the last read reached its end. `Reachable`, `Authenticated`, `Readable`: how far it got. `Consented`, of
    /// kinds that need it: an administrator of the directory has consented to the app that reads. `EngineConnected`, with
    /// `syncEngine`: the Sync Engine that reads is connected. `Reconciling`, `Stalled` and `EndpointsOverridden` exist only while they are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// What was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<Directory>,
    /// When the server's TLS certificate expires, according to the last complete read. `Reachable` warns from 30 days
    /// before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_expires_at: Option<Time>,
    /// The last complete read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_import: Option<LastImport>,
    /// How changes are found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_feed: Option<ActiveFeed>,
    /// The Sync Engines, with `syncEngine`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineStatus>,
    /// The time of the next read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_import_at: Option<Time>,
    /// The last value of the annotation `rollcall.dev/sync-requested-at` that was handled.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "bounded::optional::<262_144, _>"
    )]
    #[schemars(length(max = 262_144))]
    pub last_handled_sync_requested_at: Option<String>,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Directory {
    /// The identity of the directory, fixed by the first read.
    #[serde(serialize_with = "bounded::text::<1024, _>")]
    #[schemars(length(max = 1024))]
    pub id: String,
    /// The directory product, as the server reports it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "bounded::optional::<256, _>"
    )]
    #[schemars(length(max = 256))]
    pub vendor: Option<String>,
    /// Users in the directory.
    pub users: u64,
    /// Groups in the directory.
    pub groups: u64,
    /// Contacts in the directory.
    pub contacts: u64,
}

/// How changes are found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActiveFeed {
    /// `DeltaQuery`, `DirSync`, `UsnChanged`, `SyncRepl`, `Listing` or `FullRead`.
    #[schemars(length(max = 32))]
    pub active: String,
    /// Why no better feed is used: the missing permission, and the command that grants it.
    #[serde(default, skip_serializing_if = "String::is_empty", serialize_with = "bounded::text::<2048, _>")]
    #[schemars(length(max = 2048))]
    pub reason: String,
}

/// The Sync Engines: the one that reads, and those who stand by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EngineStatus {
    /// The address of the gateway, for the engine's `gateway.url`.
    #[serde(serialize_with = "bounded::text::<512, _>")]
    #[schemars(length(max = 512))]
    pub gateway: String,
    /// The one that reads, or would.
    #[serde(flatten)]
    pub reader: OneEngine,
    /// The others, of which one takes over when that one is gone: as many as `syncEngine.engines` allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub standbys: Vec<OneEngine>,
}

/// One Sync Engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OneEngine {
    /// The Secret with the token by which it joins, once, within an hour; then with the public half of its key. Whoever deletes it revokes
    /// the key, and another engine can join in its place.
    #[serde(serialize_with = "bounded::text::<253, _>")]
    #[schemars(length(max = 253))]
    pub secret: String,
    /// The command by which it joins; there is none while it has joined.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "bounded::optional::<1024, _>"
    )]
    #[schemars(length(max = 1024))]
    pub join_command: Option<String>,
    /// When the token for that expires. It is renewed then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_at: Option<Time>,
    /// The id of its key, as `rollcall engine join` shows it.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "bounded::optional::<64, _>")]
    #[schemars(length(max = 64))]
    pub key: Option<String>,
    /// The name of its machine, as it says.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "bounded::optional::<253, _>"
    )]
    #[schemars(length(max = 253))]
    pub host: Option<String>,
    /// Its version.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "bounded::optional::<253, _>"
    )]
    #[schemars(length(max = 253))]
    pub version: Option<String>,
    /// When it was last heard, as of the last change of this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Time>,
    /// The number of seconds by which its clock is ahead of the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_skew_seconds: Option<i64>,
    /// How it is.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "bounded::optional::<1024, _>"
    )]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}

/// A complete read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastImport {
    /// `Full` or `Delta`.
    #[schemars(length(max = 32))]
    pub mode: String,
    /// When it started.
    pub started_at: Time,
    /// When it ended and became visible.
    pub finished_at: Time,
    /// New or changed entries.
    pub changed: u64,
    /// Entries that were removed.
    pub removed: u64,
    /// Entries that are missing and were not looked up. They stay until they are looked up.
    #[serde(default)]
    pub unsettled: u64,
    /// Changed entries that a full read found and the change feed had not reported; should always be 0.
    #[serde(default)]
    pub missed: u64,
    /// The number of the last change.
    pub sequence: u64,
    /// Remarks on that read, such as referrals that were not followed and attributes that were refused.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        serialize_with = "bounded::texts::<16, 1024, _>"
    )]
    #[schemars(length(max = 16), inner(length(max = 1024)))]
    pub notices: Vec<String>,
}
