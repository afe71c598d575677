//! What a SCIM service does otherwise than its profile says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a SCIM service does otherwise than its profile says. What is absent is as in the profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ScimOverrides {
    /// How users are changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_update: Option<Update>,
    /// How groups are changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_update: Option<Update>,
    /// How the operations of a PATCH are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operators: Option<Operators>,
    /// How `true` and `false` are written in a PATCH.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub booleans: Option<Booleans>,
    /// How members are removed from a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_removal: Option<MemberRemoval>,
    /// The maximum number of members in one request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub members_per_request: Option<u32>,
    /// Whether a group shows its members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<MembersShown>,
    /// How long lists are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paging: Option<Paging>,
    /// The number of resources in a page of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub page_size: Option<u32>,
    /// Whether users keep an `externalId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_external_id: Option<bool>,
    /// Whether groups keep an `externalId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_external_id: Option<bool>,
    /// How many addresses of a user are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Addresses>,
    /// Whether a group can be a member of a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nested_groups: Option<bool>,
    /// The maximum number of reading requests in a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub reads_per_minute: Option<u32>,
    /// The maximum number of changing requests in a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub writes_per_minute: Option<u32>,
    /// The maximum number of requests at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub requests_at_once: Option<u32>,
}

/// How objects are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Update {
    /// By PATCH.
    Patch,
    /// By PUT of the whole object, after it was read.
    Put,
}

/// How the operations of a PATCH are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Operators {
    /// `add`, `replace`, `remove`.
    Lower,
    /// `Add`, `Replace`, `Remove`.
    Capital,
}

/// How `true` and `false` are written in a PATCH.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Booleans {
    /// As JSON booleans.
    Json,
    /// As the texts `"True"` and `"False"`.
    Text,
}

/// How members are removed from a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MemberRemoval {
    /// By a path with a filter for each member, several in a request.
    ByPath,
    /// By the list of the members.
    ByValue,
    /// By a path with a filter, one member in a request.
    OneAtATime,
}

/// Whether a group shows its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MembersShown {
    /// Always.
    Given,
    /// Only if they are asked for by name.
    Asked,
    /// Never.
    Never,
}

/// How long lists are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Paging {
    /// By the number of the first resource.
    Index,
    /// By a cursor (RFC 9865).
    Cursor,
}

/// How many addresses of a user are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Addresses {
    /// All.
    All,
    /// The primary one.
    Primary,
}
