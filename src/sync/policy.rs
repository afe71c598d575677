//! A policy that was resolved and validated: the input of a run.
//!
//! `spec/` makes one from a `SyncPolicy`; after that nobody reads the raw spec. Fields that no
//! resource can set yet (adoption, for one) are those that the first remote target brings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::directory::{ConnectorName, Owner};
use crate::sync::expression::Expression;

/// A working policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The owner of the objects that it creates.
    pub owner: Owner,
    /// Where entries come from, in order of precedence.
    pub connectors: Vec<ConnectorBinding>,
    /// Which users, and how.
    pub users: UserRules,
    /// Which groups, and how.
    pub groups: GroupRules,
    /// What may go without asking.
    pub limits: Limits,
    /// A hash over everything above that decides what is removed, the connectors' part included:
    /// an approval holds only while it is the same.
    pub spec_hash: String,
    /// The specs as they were given, as JSON, from which this policy can be made again: kept in the
    /// store as the last applied one, so that what an edit removes can be told from what the
    /// directory removes.
    pub spec_json: Arc<str>,
}

impl Policy {
    /// Every expression that it evaluates, the connectors' rules among them.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let connectors = self.connectors.iter().filter_map(|binding| binding.disabled_when.as_ref());
        let conditions = self.users.r#where.iter().chain(&self.groups.r#where);
        let mapped = self.users.attributes.values().chain(&self.groups.name);
        connectors.chain(conditions).chain(mapped)
    }
}

/// A connector, as one policy uses it.
#[derive(Clone, Debug)]
pub struct ConnectorBinding {
    /// Which one.
    pub connector: ConnectorName,
    /// The maximum age of its last completion for removals that depend on it.
    pub max_age: Duration,
    /// The connector's own rule for what a disabled account is: evaluates to a bool over `user`.
    pub disabled_when: Option<Expression>,
}

/// Which users, and how.
#[derive(Clone, Debug)]
pub struct UserRules {
    /// Domains of the primary address, lower case; empty means any.
    pub email_domains: BTreeSet<String>,
    /// Evaluates to a bool over `user`.
    pub r#where: Option<Expression>,
    /// Whether contacts come too.
    pub contacts: bool,
    /// Kinds of mailbox that stay out.
    pub without_mailboxes: BTreeSet<String>,
    /// What a disabled account means.
    pub disabled: OnDisabled,
    /// The schedule for those who left: at least one step, `after` growing.
    pub leavers: Vec<LeaverStep>,
    /// What to do with a new anchor that has a leaver's name.
    pub recreated: OnRecreated,
    /// Whether existing objects may be adopted, and by what.
    pub adopt: Adopt,
    /// Addresses and user names that are never removed or disabled, lower case.
    pub protected: BTreeSet<String>,
    /// The mapping: attribute of the target → a string over `user`.
    pub attributes: BTreeMap<String, Expression>,
}

/// Which groups, and how.
#[derive(Clone, Debug)]
pub struct GroupRules {
    /// Patterns of names (`*` and `?`), lower case; empty means any.
    pub include: Vec<String>,
    /// Patterns of names that stay out even if included, lower case.
    pub exclude: Vec<String>,
    /// Evaluates to a bool over `group`.
    pub r#where: Option<Expression>,
    /// The name at the target: a string over `group`. Without it the name that the directory has.
    pub name: Option<Expression>,
    /// What becomes of groups in groups.
    pub nesting: Nesting,
    /// Whether members whom somebody else put in are taken out.
    pub authoritative: bool,
    /// The schedule for a group that is gone: one step, or that it is emptied before it is deleted.
    pub vanished: Vec<LeaverStep>,
    /// Whether existing objects may be adopted.
    pub adopt: Adopt,
}

/// What a disabled account means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDisabled {
    /// Disable it at the target too.
    Disable,
    /// Treat the person as a leaver.
    Leave,
    /// Nothing: the account at the target stays as it is, active or not, until the directory's is enabled again.
    Ignore,
}

/// One step of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaverStep {
    /// How long after the person was first seen to have left.
    pub after: Duration,
    /// What to do then.
    pub action: LeaverAction,
}

/// What a step of the schedule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LeaverAction {
    /// Disable the account (users only).
    Disable,
    /// Take all members out, and keep the group (groups only).
    Empty,
    /// Leave the object as it is and forget that it is ours.
    Unlink,
    /// Delete the object.
    Delete,
}

/// What to do with a new anchor that has a leaver's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRecreated {
    /// It is the same person: the object goes on.
    Relink,
    /// It is another person: the old object is deleted, and a new one made.
    Replace,
    /// A person must decide.
    Quarantine,
}

/// Whether and by what an existing object may be adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adopt {
    /// Never.
    Never,
    /// By these, tried in order.
    By(Vec<MatchBy>),
}

/// What an existing object is recognised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchBy {
    /// Our key in its `externalId`.
    ExternalId,
    /// Its e-mail address.
    Email,
    /// Its unique name.
    Name,
}

/// What becomes of groups in groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// Members of inner groups become direct members of the outer group.
    Flatten,
    /// A group in a group stays one, where both are in scope.
    Preserve,
}

/// A budget: the smaller of a number and a share, over the window; the share is never under
/// [`Budget::LEAST`] operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// This many.
    pub count: u64,
    /// This share of what the policy's links were at the window's start, in percent.
    pub percent: u32,
}

impl Budget {
    /// A share of very little is still this many operations.
    pub const LEAST: u64 = 5;

    /// How many operations the budget allows when there are `base` objects.
    pub fn allowance(&self, base: u64) -> u64 {
        let share = base.saturating_mul(u64::from(self.percent)) / 100;
        self.count.min(share.max(Self::LEAST))
    }
}

/// What may go without asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Over how long budgets are counted.
    pub window: Duration,
    /// Users removed or disabled because they left.
    pub user_removals: Budget,
    /// Groups removed or emptied because they are gone.
    pub group_removals: Budget,
    /// Memberships ended by a change of a group.
    pub member_removals: Budget,
    /// The same within one group: share, and from which size on it counts.
    pub member_removals_per_group: PerGroup,
    /// Changes of the unique name.
    pub identifier_changes: Budget,
    /// Users disabled because the directory says that their account is.
    pub disables: Budget,
    /// Quarantined entries up to which the policy still counts as in step.
    pub quarantined: Budget,
    /// What is held on excess.
    pub on_exceed: OnExceed,
}

impl Limits {
    /// Of each limit the stricter one of this and of what another version may have kept as JSON. What that does not say, or says
    /// in a way that is not known, is no limit.
    #[must_use]
    pub fn and_kept(&self, kept: &str) -> Self {
        let (Ok(Value::Object(mine)), Ok(Value::Object(kept))) =
            (serde_json::to_value(self), serde_json::from_str(kept))
        else {
            return self.clone();
        };
        let mut limits = self.clone();
        for (name, value) in kept {
            let Some(value) = mine.get(&name).map(|mine| filled(mine, value)) else { continue };
            let mut with = mine.clone();
            with.insert(name, value);
            if let Ok(with) = serde_json::from_value::<Self>(Value::Object(with)) {
                limits = limits.and(&with);
            }
        }
        limits
    }

    /// Of each limit the stricter one.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let stricter = |one: Budget, other: Budget| Budget {
            count: one.count.min(other.count),
            percent: one.percent.min(other.percent),
        };
        let (one, per_group) = (self.member_removals_per_group, other.member_removals_per_group);
        Self {
            window: self.window.max(other.window),
            user_removals: stricter(self.user_removals, other.user_removals),
            group_removals: stricter(self.group_removals, other.group_removals),
            member_removals: stricter(self.member_removals, other.member_removals),
            member_removals_per_group: PerGroup {
                percent: one.percent.min(per_group.percent),
                minimum_size: one.minimum_size.min(per_group.minimum_size),
            },
            identifier_changes: stricter(self.identifier_changes, other.identifier_changes),
            disables: stricter(self.disables, other.disables),
            quarantined: stricter(self.quarantined, other.quarantined),
            on_exceed: match (self.on_exceed, other.on_exceed) {
                (OnExceed::HoldRemovals, OnExceed::HoldRemovals) => OnExceed::HoldRemovals,
                _ => OnExceed::HoldAll,
            },
        }
    }
}

/// What was kept, and of what is missing in it what there is now.
fn filled(now: &Value, kept: Value) -> Value {
    match (now, kept) {
        (Value::Object(now), Value::Object(kept)) => {
            let mut filled = now.clone();
            filled.extend(kept.into_iter().filter(|(name, _)| now.contains_key(name)));
            Value::Object(filled)
        }
        (_, kept) => kept,
    }
}

/// A share of one group's members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerGroup {
    /// In percent.
    pub percent: u32,
    /// Groups smaller than this are not judged.
    pub minimum_size: u64,
}

/// What is held on excess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnExceed {
    /// The removals of the class that exceeds, and what depends on them.
    HoldRemovals,
    /// Everything.
    HoldAll,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn limits(count: u64, on_exceed: OnExceed) -> Limits {
        let budget = Budget { count, percent: 50 };
        Limits {
            window: Duration::from_hours(24),
            user_removals: budget,
            group_removals: budget,
            member_removals: budget,
            member_removals_per_group: PerGroup { percent: 50, minimum_size: 10 },
            identifier_changes: budget,
            disables: budget,
            quarantined: budget,
            on_exceed,
        }
    }

    /// What other versions may have kept beside a limit of seven users.
    #[rstest]
    #[case::all_of_it(|_: &mut Value| ())]
    #[case::not_every_limit(|kept: &mut Value| drop(kept.as_object_mut().unwrap().remove("window")))]
    #[case::another_one(|kept: &mut Value| kept["deletions"] = json!({ "count": 3 }))]
    #[case::another_mode(|kept: &mut Value| kept["on_exceed"] = json!("HoldSome"))]
    #[case::half_of_a_limit(|kept: &mut Value| kept["user_removals"] = json!({ "count": 7 }))]
    #[case::more_of_a_limit(|kept: &mut Value| kept["user_removals"]["minimum"] = json!(9))]
    #[case::one_in_another_form(|kept: &mut Value| kept["disables"] = json!("7 %"))]
    fn limits_that_another_version_kept_stay_in_force(#[case] change: fn(&mut Value)) {
        let mut kept = serde_json::to_value(limits(7, OnExceed::HoldRemovals)).unwrap();
        change(&mut kept);
        let now = limits(900, OnExceed::HoldRemovals).and_kept(&kept.to_string());
        assert_eq!((now.user_removals.count, now.group_removals.count), (7, 7));
        assert_eq!(now.on_exceed, OnExceed::HoldRemovals);
    }

    #[test]
    fn what_is_no_limit_is_none() {
        let now = limits(900, OnExceed::HoldRemovals);
        for kept in ["", "{}", "[]", "null", "{\"userRemovals\": 1}"] {
            assert_eq!(now.and_kept(kept), now, "{kept}");
        }
        let kept = serde_json::to_string(&limits(7, OnExceed::HoldAll)).unwrap();
        assert_eq!(now.and_kept(&kept), limits(7, OnExceed::HoldAll));
    }
}
