//! How the target is compared with what it should hold.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{Duration, bounded, is_default};

/// How often a target that others can change is read, and what happens when it differs from what this policy left there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Verify {
    /// The time between two verifications; `1m` or more. With a `schedule`, the first run after that time verifies.
    pub every: Duration,
    /// What happens with a difference.
    pub on_drift: OnDrift,
}

/// What happens with objects that somebody else changed at the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnDrift {
    /// They are set right by a run, within the limits.
    #[default]
    Repair,
    /// They are counted, and left as they are.
    Report,
}

impl Default for Verify {
    fn default() -> Self {
        Self { every: "24h".into(), on_drift: OnDrift::default() }
    }
}

/// What came of the last verification of the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// When the target was last verified. Before the first time: when the first run ended.
    pub at: Time,
    /// The number of objects that were compared.
    pub checked: u64,
    /// Users whose attributes, name or state differed.
    pub users_changed: u64,
    /// Users who were not there any more.
    pub users_gone: u64,
    /// Groups whose name differed.
    pub groups_changed: u64,
    /// Groups that were not there any more.
    pub groups_gone: u64,
    /// Memberships that were not there any more.
    pub members_gone: u64,
    /// Memberships that somebody else added, with `membership: Authoritative`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub members_added: u64,
    /// Objects that differ and were written so recently that the target may not have caught up. They do not count as drift.
    pub lagging: u64,
    /// Objects of which it could not be found out.
    pub unknown: u64,
    /// How many of the objects that differed were left as they were.
    pub left: u64,
    /// Why they were left, or why the target could not be verified.
    #[serde(default, skip_serializing_if = "String::is_empty", serialize_with = "bounded::text::<4096, _>")]
    #[schemars(length(max = 4096))]
    pub message: String,
}

/// The target, as the last run found it. The registry is always there, and has none of this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TargetSeen {
    /// Which target it is: its kind and its address.
    #[serde(serialize_with = "bounded::text::<2560, _>")]
    #[schemars(length(max = 2560))]
    pub identity: String,
    /// The reason of `TargetReachable`.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Why it is not reachable.
    #[serde(skip_serializing_if = "String::is_empty", serialize_with = "bounded::text::<4096, _>")]
    #[schemars(length(max = 4096))]
    pub message: String,
    /// What it was found to be, and what it does otherwise than its protocol says.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "bounded::texts::<32, 512, _>")]
    #[schemars(length(max = 32), inner(length(max = 512)))]
    pub about: Vec<String>,
}
