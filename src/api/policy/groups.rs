//! Which groups are synced, and how.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::adoption::Adoption;
use crate::api::{Duration, is_default};

/// Which groups are synced, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Groups {
    /// Names of groups, with the wildcards `*` and `?`. If empty, all groups are included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(min = 1, max = 256)))]
    pub include: Vec<String>,
    /// Names of groups to exclude from those included, with the wildcards `*` and `?`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(min = 1, max = 256)))]
    pub exclude: Vec<String>,
    /// A CEL expression over `group` for the groups in scope, such as `group.mail != ''`. If empty, all groups are.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub r#where: String,
    /// A CEL expression over `group` for a group's name at the target, such as `'corp-' + group.name`. If empty, it is the name that
    /// the directory has. `include` and `exclude` are about the directory's name. Of two groups that get the same name, neither is
    /// made.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub name: String,
    /// What happens with nested groups.
    pub nesting: Nesting,
    /// Whose the members of a group are.
    #[serde(skip_serializing_if = "is_default")]
    pub membership: Membership,
    /// What happens with a group that is gone.
    pub vanished: GroupStep,
    /// Whether a group that exists at the target already and has the same name becomes this policy's own, in place of a new
    /// one. At the registry there are none.
    #[serde(skip_serializing_if = "is_default")]
    pub adopt: Adoption,
}

/// What happens with nested groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Nesting {
    /// All direct and indirect members of a group become its direct members.
    #[default]
    Flatten,
    /// A nested group stays nested, if both groups are in scope.
    Preserve,
}

/// Whose the members of a group are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Membership {
    /// Members whom somebody else put in stay.
    #[default]
    Owned,
    /// Members whom somebody else put in are taken out with each verification (`verify`), if they are no more than
    /// `limits.memberRemovals` allows. At the registry there are none.
    Authoritative,
}

/// What happens with a group that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupStep {
    /// The time since the group was first seen to be gone.
    pub after: Duration,
    /// The action.
    pub r#do: GroupAction,
    /// What becomes of a group that the target refuses to delete because something there uses it. The deletion is tried again
    /// with each run.
    #[serde(skip_serializing_if = "is_default")]
    pub in_use: InUse,
}

/// What becomes of a group that is to be deleted and that something at the target uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum InUse {
    /// It keeps its members. Users who leave are taken out of it.
    #[default]
    Keep,
    /// It has no members any more: each group is emptied first, and deleted once the directory was read again.
    Empty,
}

/// What happens with a group that is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GroupAction {
    /// The group stays as it is, with its members, and is managed no more. At the registry it could never be removed again.
    Unlink,
    /// All members are removed, and the group stays.
    Empty,
    /// The group is deleted.
    #[default]
    Delete,
}

impl Default for GroupStep {
    fn default() -> Self {
        Self { after: "0s".into(), r#do: GroupAction::default(), in_use: InUse::default() }
    }
}
