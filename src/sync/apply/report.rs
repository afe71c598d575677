//! The counts of what was applied, or would be.

use std::collections::{BTreeMap, BTreeSet};

use crate::directory::{Owner, SubjectId, SubjectKind, TargetError};
use crate::store::journal::{Effect, Verb};
use crate::store::link::Link;
use crate::sync::plan::{Action, Planned};

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// To users.
    pub users: Counts,
    /// To groups.
    pub groups: Counts,
    /// Memberships that began.
    pub members_added: u64,
    /// Memberships that ended.
    pub members_removed: u64,
    /// What the target will not have, and why; tried again with decay.
    pub rejected: Vec<(SubjectId, String)>,
    /// What those are called of whom nobody knows whether they have an object.
    pub names: BTreeMap<SubjectId, String>,
    /// Changes that wait for an object which is not there yet, or for the next plan.
    pub waiting: u64,
    /// Other policies that have objects which this one wants.
    pub rivals: BTreeSet<Owner>,
    /// Why it could not do everything.
    pub failed: Option<TargetError>,
}

/// What was done to objects of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Created.
    pub created: u64,
    /// Existing ones that became ours.
    pub adopted: u64,
    /// Changed.
    pub updated: u64,
    /// Disabled.
    pub disabled: u64,
    /// Enabled.
    pub enabled: u64,
    /// Groups whose members were all removed.
    pub emptied: u64,
    /// Deleted.
    pub deleted: u64,
    /// Left as they are, and no longer ours.
    pub unlinked: u64,
    /// Found to be gone, by nothing that we did.
    pub lost: u64,
}

impl Counts {
    /// How many were emptied, deleted or unlinked.
    pub fn removed(&self) -> u64 {
        self.emptied + self.deleted + self.unlinked
    }

    /// Whether nothing was done.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    fn and(self, other: Self) -> Self {
        Self {
            created: self.created + other.created,
            adopted: self.adopted + other.adopted,
            updated: self.updated + other.updated,
            disabled: self.disabled + other.disabled,
            enabled: self.enabled + other.enabled,
            emptied: self.emptied + other.emptied,
            deleted: self.deleted + other.deleted,
            unlinked: self.unlinked + other.unlinked,
            lost: self.lost + other.lost,
        }
    }

    fn count(&mut self, verb: Verb) {
        match verb {
            Verb::Create => self.created += 1,
            Verb::Adopt => self.adopted += 1,
            Verb::Update => self.updated += 1,
            Verb::Disable => self.disabled += 1,
            Verb::Enable => self.enabled += 1,
            Verb::Empty => self.emptied += 1,
            Verb::Delete => self.deleted += 1,
            Verb::Unlink => self.unlinked += 1,
            Verb::Lost => self.lost += 1,
            Verb::Release | Verb::AddMembers | Verb::RemoveMembers => {}
        }
    }
}

impl Report {
    /// The same, after what was done before by an older plan of the same run. What that left undone is in this one.
    pub(in crate::sync) fn after(mut self, before: Self) -> Self {
        self.rivals.extend(before.rivals);
        Self {
            users: before.users.and(self.users),
            groups: before.groups.and(self.groups),
            members_added: before.members_added + self.members_added,
            members_removed: before.members_removed + self.members_removed,
            ..self
        }
    }

    /// What these steps would do.
    pub fn of_steps(steps: &[Planned]) -> Self {
        let mut report = Self::default();
        for step in steps {
            let verb = match &step.action {
                Action::Create(_) => Verb::Create,
                Action::Update { .. } => Verb::Update,
                Action::Release(_) => Verb::Release,
                Action::Disable => Verb::Disable,
                Action::Enable => Verb::Enable,
                Action::Empty => Verb::Empty,
                Action::Delete => Verb::Delete,
                Action::Unlink => Verb::Unlink,
                Action::AddMembers(members) => {
                    report.members_added += members.len();
                    Verb::AddMembers
                }
                Action::RemoveMembers(removal) => {
                    report.members_removed += removal.ended.union_len(&removal.following);
                    Verb::RemoveMembers
                }
            };
            report.of_kind(step.kind).count(verb);
        }
        report
    }

    pub(super) fn count(&mut self, kind: SubjectKind, effect: &Effect, before: Option<&Link>) {
        self.of_kind(kind).count(effect.verb);
        let members = |link: Option<&Link>| link.map_or(0, |link| link.members.len());
        let (before, after) = (members(before), members(effect.link.as_ref()));
        self.members_added += after.saturating_sub(before);
        self.members_removed += before.saturating_sub(after);
    }

    fn of_kind(&mut self, kind: SubjectKind) -> &mut Counts {
        match kind {
            SubjectKind::User => &mut self.users,
            SubjectKind::Group => &mut self.groups,
        }
    }
}
