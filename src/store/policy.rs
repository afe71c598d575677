//! The data of a policy as a whole.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};

use super::link::{Place, Subjects};
use super::{Store, StoreError, place};
use crate::directory::{Owner, SubjectKind};

/// How many objects were linked at one moment: what budgets take their percentages of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// When.
    pub at: Timestamp,
    /// Linked users.
    pub users: u64,
    /// Linked groups.
    pub groups: u64,
    /// Memberships that we put.
    pub memberships: u64,
}

/// A policy's state between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyState {
    /// When its first complete run ended; until then nothing is removed.
    pub first_complete_at: Option<Timestamp>,
    /// The specs that the last complete run applied, as `Policy::spec_json`.
    pub applied_spec: Option<String>,
    /// Oldest first.
    pub baselines: Vec<Baseline>,
}

impl Baseline {
    /// Nothing.
    pub fn nothing(at: Timestamp) -> Self {
        Self { at, users: 0, groups: 0, memberships: 0 }
    }

    /// Both together, as of the time of `other`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            at: other.at,
            users: self.users + other.users,
            groups: self.groups + other.groups,
            memberships: self.memberships + other.memberships,
        }
    }

    /// What is left without a part of it.
    #[must_use]
    pub fn without(self, part: Self) -> Self {
        Self {
            at: self.at,
            users: self.users.saturating_sub(part.users),
            groups: self.groups.saturating_sub(part.groups),
            memberships: self.memberships.saturating_sub(part.memberships),
        }
    }

    /// Counts what is linked.
    pub fn of(subjects: &Subjects, at: Timestamp) -> Self {
        let mut baseline = Self::nothing(at);
        for subject in subjects.by_id.values() {
            if let Some(link) = &subject.link {
                match subject.kind {
                    SubjectKind::User => baseline.users += 1,
                    SubjectKind::Group => baseline.groups += 1,
                }
                baseline.memberships += link.members.len();
            }
        }
        baseline
    }
}

impl PolicyState {
    /// How much there was when the window began; if that was before the first complete run ended, what
    /// there was then.
    pub fn base(&self, now: Timestamp, window: Duration) -> Option<Baseline> {
        let start = now.checked_sub(window).unwrap_or(Timestamp::MIN);
        let before = self.baselines.iter().rfind(|baseline| baseline.at <= start);
        before.or(self.baselines.first()).copied()
    }
}

impl Store {
    /// The policies that have ever run, in order of their names.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn owners(&self) -> Result<Vec<Owner>, StoreError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached("SELECT owner FROM policy ORDER BY owner")?;
            let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok(names
                .iter()
                .filter(|name| place::is_current(name))
                .filter_map(|name| place::owner(name))
                .collect())
        })
    }

    /// The specs that the last complete run of a policy applied; `None` if it had none.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn applied_spec(&self, owner: &Owner) -> Result<Option<String>, StoreError> {
        self.read(|reader| {
            let spec = reader
                .prepare_cached("SELECT applied_spec FROM policy WHERE owner = ?1")?
                .query_row([owner.as_str()], |row| row.get(0))
                .optional()?;
            Ok(spec.flatten())
        })
    }

    /// What is remembered about the policy.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn policy_state(&self, place: Place) -> Result<PolicyState, StoreError> {
        self.read(|reader| {
            let (first, applied_spec): (Option<String>, Option<String>) = reader
                .prepare_cached("SELECT first_complete_at, applied_spec FROM policy WHERE id = ?1")?
                .query_row([place.policy], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let first_complete_at = first
                .map(|text| text.parse().map_err(|error| StoreError::Damaged(format!("a time: {error}"))))
                .transpose()?;
            let mut statement = reader.prepare_cached(
                "SELECT at, users, groups, memberships FROM census WHERE policy = ?1 ORDER BY at",
            )?;
            let rows = statement.query_map([place.policy], |row| {
                Ok(Baseline {
                    at: Timestamp::from_second(row.get(0)?).unwrap_or(Timestamp::MIN),
                    users: row.get::<_, i64>(1)?.cast_unsigned(),
                    groups: row.get::<_, i64>(2)?.cast_unsigned(),
                    memberships: row.get::<_, i64>(3)?.cast_unsigned(),
                })
            })?;
            Ok(PolicyState { first_complete_at, applied_spec, baselines: rows.collect::<Result<_, _>>()? })
        })
    }

    /// Remembers that a run was complete. `applied_spec` is given when nothing of it is held.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn complete_run(
        &self,
        place: Place,
        baseline: Baseline,
        applied_spec: Option<&str>,
        window: Duration,
    ) -> Result<(), StoreError> {
        self.write(|writer| {
            writer
                .prepare_cached(
                    "UPDATE policy SET first_complete_at = coalesce(first_complete_at, ?2),
                                       applied_spec = coalesce(?3, applied_spec) WHERE id = ?1",
                )?
                .execute(params![place.policy, baseline.at.to_string(), applied_spec])?;
            writer
                .prepare_cached(
                    "INSERT OR REPLACE INTO census (policy, at, users, groups, memberships)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    place.policy,
                    baseline.at.as_second(),
                    baseline.users.cast_signed(),
                    baseline.groups.cast_signed(),
                    baseline.memberships.cast_signed()
                ])?;
            // One from before the window's start is needed, older ones are not.
            let start = baseline.at.checked_sub(window).unwrap_or(Timestamp::MIN);
            writer
                .prepare_cached(
                    "DELETE FROM census WHERE policy = ?1 AND at < (
                         SELECT max(at) FROM census WHERE policy = ?1 AND at <= ?2)",
                )?
                .execute(params![place.policy, start.as_second()])?;
            Ok(())
        })
    }
}
