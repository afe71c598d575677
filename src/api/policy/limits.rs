//! Limits on removals and changes. Each limit is a type of its own, so that each of its two numbers has its own
//! default: `{percent: 50}` must not lose the `count`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::Duration;

/// How many removals and changes are made without an approval, counted over a window: those made within it and those
/// planned, together. What exceeds a limit is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// The time over which removals and changes are counted.
    #[schemars(extend("x-kubernetes-validations" = [
        { "rule": "duration(self) > duration('0s')", "message": "limits are counted over the window, so it must be longer than 0s: use 24h" }
    ]))]
    pub window: Duration,
    /// Users disabled or deleted because they left.
    pub user_removals: UserRemovals,
    /// Groups emptied or deleted because they are gone.
    pub group_removals: GroupRemovals,
    /// Memberships removed by a change of a group.
    pub member_removals: MemberRemovals,
    /// Memberships removed within one group.
    pub member_removals_per_group: MemberRemovalsPerGroup,
    /// Changes of unique names.
    pub identifier_changes: IdentifierChanges,
    /// Users disabled because their account is disabled in the directory.
    pub disables: Disables,
    /// Entries that cannot be processed. Above this limit the policy is not Ready.
    pub quarantined: Quarantined,
    /// What is held when a limit is exceeded.
    pub on_exceed: OnExceed,
}

/// What is held when a limit is exceeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnExceed {
    /// The operations that count against that limit, and those that depend on them. All others go on.
    #[default]
    HoldRemovals,
    /// All operations.
    HoldAll,
}

macro_rules! budget {
    ($(#[$doc:meta])* $name:ident, $count:literal, $percent:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name {
            /// The maximum number.
            pub count: u64,
            /// The maximum share of the linked objects, in percent; never fewer than five.
            #[schemars(range(min = 0, max = 100))]
            pub percent: u32,
        }

        impl Default for $name {
            fn default() -> Self {
                Self { count: $count, percent: $percent }
            }
        }
    };
}

budget!(
    /// Users disabled or deleted because they left.
    UserRemovals, 100, 5
);
budget!(
    /// Groups emptied or deleted because they are gone.
    GroupRemovals, 20, 10
);
budget!(
    /// Memberships removed by a change of a group.
    MemberRemovals, 1000, 10
);
budget!(
    /// Changes of unique names.
    IdentifierChanges, 100, 5
);
budget!(
    /// Users disabled because their account is disabled in the directory.
    Disables, 500, 20
);
budget!(
    /// Entries that cannot be processed.
    Quarantined, 100, 1
);

/// Memberships removed within one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MemberRemovalsPerGroup {
    /// The maximum share of the group's members, in percent.
    #[schemars(range(min = 0, max = 100))]
    pub percent: u32,
    /// The limit does not apply to groups with fewer members.
    pub minimum_size: u64,
}

impl Default for MemberRemovalsPerGroup {
    fn default() -> Self {
        Self { percent: 50, minimum_size: 10 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window: "24h".into(),
            user_removals: UserRemovals::default(),
            group_removals: GroupRemovals::default(),
            member_removals: MemberRemovals::default(),
            member_removals_per_group: MemberRemovalsPerGroup::default(),
            identifier_changes: IdentifierChanges::default(),
            disables: Disables::default(),
            quarantined: Quarantined::default(),
            on_exceed: OnExceed::default(),
        }
    }
}
