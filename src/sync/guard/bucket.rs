//! What counts in which limit.

use std::fmt;

use crate::directory::{Evidence, Grade, SubjectKind};
use crate::store::journal::Class;
use crate::sync::plan::{Planned, Removal};
use crate::sync::policy::{Budget, Limits};

/// A class, and why it counts: each has a budget of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bucket {
    pub(super) class: Class,
    cause: Cause,
}

/// What is behind a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// A change in the directory.
    Data,
    /// An edit of a spec.
    Configuration,
    /// A change in the directory, on weak evidence: counted here and as data.
    Weak,
}

/// A limit that a plan exceeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// What is counted.
    pub class: Class,
    /// Whether an edit of a spec is the cause.
    pub configuration: bool,
    /// Whether the evidence is weak, and so the stricter limit applies.
    pub weak: bool,
    /// How many the plan wants.
    pub planned: u64,
    /// How many went within the window.
    pub spent: u64,
    /// How many may go.
    pub allowance: u64,
    /// Of how many.
    pub base: u64,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { planned, spent, allowance, base, .. } = self;
        let bucket = Bucket {
            class: self.class,
            cause: if self.weak {
                Cause::Weak
            } else if self.configuration {
                Cause::Configuration
            } else {
                Cause::Data
            },
        };
        let what = match (self.class, *planned) {
            (Class::UserRemoval, 1) => "user would be removed",
            (Class::UserRemoval, _) => "users would be removed",
            (Class::GroupRemoval, 1) => "group would be removed",
            (Class::GroupRemoval, _) => "groups would be removed",
            (Class::MemberRemoval, 1) => "membership would be removed",
            (Class::MemberRemoval, _) => "memberships would be removed",
            (Class::IdentifierChange, 1) => "name would change",
            (Class::IdentifierChange, _) => "names would change",
            (Class::Disable, 1) => "user would be disabled",
            (Class::Disable, _) => "users would be disabled",
        };
        write!(f, "{planned} {what} (of {base}")?;
        if *spent > 0 {
            write!(f, ", after {spent} within the window")?;
        }
        write!(f, "), and {} allows {allowance}", bucket.field())?;
        match bucket.cause {
            Cause::Data => Ok(()),
            Cause::Configuration => write!(f, "; an edit of the spec is the cause, not the directory"),
            Cause::Weak => write!(f, " when the source cannot confirm an absence (5, or 1 %)"),
        }
    }
}

impl Bucket {
    /// The buckets that a step counts in.
    pub(super) fn of_step(step: &Planned) -> Vec<Self> {
        match (Class::of(step), step.evidence) {
            (Some(class @ Class::IdentifierChange), _) => vec![Self { class, cause: Cause::Data }],
            (Some(class), Some(evidence)) => {
                Self::of(class, evidence.configuration, evidence.grade.is_weak())
            }
            _ => Vec::new(),
        }
    }

    /// The buckets that a leaver counts in.
    pub(super) fn of_evidence(kind: SubjectKind, evidence: Evidence) -> Vec<Self> {
        let class = match (kind, evidence.grade) {
            (SubjectKind::User, Grade::Disabled) => Class::Disable,
            (SubjectKind::User, _) => Class::UserRemoval,
            (SubjectKind::Group, _) => Class::GroupRemoval,
        };
        Self::of(class, evidence.configuration, evidence.grade.is_weak())
    }

    /// The buckets that the end of one membership counts in.
    pub(super) fn of_membership(removal: &Removal, member: u32) -> Vec<Self> {
        Self::of(Class::MemberRemoval, removal.configuration.contains(member), removal.weak.contains(member))
    }

    pub(super) fn of(class: Class, configuration: bool, weak: bool) -> Vec<Self> {
        let cause = if configuration { Cause::Configuration } else { Cause::Data };
        let mut buckets = vec![Self { class, cause }];
        if weak {
            buckets.push(Self { class, cause: Cause::Weak });
        }
        buckets
    }

    /// The field that sets the limit.
    pub(super) fn field(self) -> &'static str {
        match self.class {
            Class::UserRemoval => "limits.userRemovals",
            Class::GroupRemoval => "limits.groupRemovals",
            Class::MemberRemoval => "limits.memberRemovals",
            Class::IdentifierChange => "limits.identifierChanges",
            Class::Disable => "limits.disables",
        }
    }

    pub(super) fn is_configuration(self) -> bool {
        self.cause == Cause::Configuration
    }

    pub(super) fn is_weak(self) -> bool {
        self.cause == Cause::Weak
    }

    pub(super) fn budget(self, limits: &Limits) -> Budget {
        if self.cause == Cause::Weak {
            return Budget { count: u64::MAX, percent: 1 };
        }
        match self.class {
            Class::UserRemoval => limits.user_removals,
            Class::GroupRemoval => limits.group_removals,
            Class::MemberRemoval => limits.member_removals,
            Class::IdentifierChange => limits.identifier_changes,
            Class::Disable => limits.disables,
        }
    }
}

impl Exceeded {
    pub(super) fn is_exceeded(&self) -> bool {
        self.planned > 0 && self.spent + self.planned > self.allowance
    }
}
