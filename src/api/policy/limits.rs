//! What may go without asking. Each limit is a type of its own, so that each of its two numbers has its
//! own default: `{percent: 50}` must not lose the `count`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::Duration;

/// What may go without asking a person, counted over a window: what was done within it and what is
/// planned, together. What exceeds is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Over how long it is counted.
    #[schemars(extend("x-kubernetes-validations" = [
        { "rule": "duration(self) > duration('0s')", "message": "limits are counted over it, so it cannot be nothing: use 24h" }
    ]))]
    pub window: Duration,
    /// Users disabled or deleted because they left.
    pub user_removals: UserRemovals,
    /// Groups emptied or deleted because they are gone.
    pub group_removals: GroupRemovals,
    /// Memberships ended by a change of a group.
    pub member_removals: MemberRemovals,
    /// Memberships ended within one group.
    pub member_removals_per_group: MemberRemovalsPerGroup,
    /// Unique names changed.
    pub identifier_changes: IdentifierChanges,
    /// Users disabled because the directory says that their account is.
    pub disables: Disables,
    /// Entries that cannot be taken as they are: above it, the policy is not Ready.
    pub quarantined: Quarantined,
    /// What is held when a limit is exceeded.
    pub on_exceed: OnExceed,
}

/// What is held when a limit is exceeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnExceed {
    /// What counts against that limit, and what depends on it; everything else goes on.
    #[default]
    HoldRemovals,
    /// Everything.
    HoldAll,
}

macro_rules! budget {
    ($(#[$doc:meta])* $name:ident, $count:literal, $percent:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name {
            /// At most so many.
            pub count: u64,
            /// At most this share of what is linked, in percent; five are allowed whatever the share.
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
    /// Memberships ended by a change of a group.
    MemberRemovals, 1000, 10
);
budget!(
    /// Unique names changed.
    IdentifierChanges, 100, 5
);
budget!(
    /// Users disabled because the directory says that their account is.
    Disables, 500, 20
);
budget!(
    /// Entries that cannot be taken as they are.
    Quarantined, 100, 1
);

/// Memberships ended within one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MemberRemovalsPerGroup {
    /// At most this share of the group's members, in percent.
    #[schemars(range(min = 0, max = 100))]
    pub percent: u32,
    /// Smaller groups are not judged.
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
