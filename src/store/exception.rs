//! Exceptions: entries that runs could not process, for administrators to correct.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::json::bodies;
use super::link::Place;
use super::{Store, StoreError};
use crate::directory::{Owner, SubjectKind};

/// The exceptions of a policy's last run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exceptions {
    /// Whose.
    pub owner: Owner,
    /// When they were first seen to be these.
    pub since: Timestamp,
    /// How many there are; not all are named where there are very many.
    pub count: u64,
    /// Those that are named, in order.
    pub named: Vec<Exception>,
}

/// One entry that a run could not take as it is, or that waits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exception {
    /// What it would be; `None` if that cannot be told.
    pub kind: Option<SubjectKind>,
    /// Which entry: its DN, or its name at the target.
    pub entry: String,
    /// A bounded kind.
    pub reason: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Store {
    /// Makes these the policy's exceptions. Nothing is written if they are what they were.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn save_exceptions(&self, place: Place, exceptions: &Exceptions) -> Result<(), StoreError> {
        let before: Option<String> = self.read(|reader| {
            Ok::<_, StoreError>(
                reader
                    .prepare_cached("SELECT body FROM exception WHERE policy = ?1")?
                    .query_row([place.policy], |row| row.get(0))
                    .optional()?,
            )
        })?;
        let before = before.as_deref().map(serde_json::from_str::<Exceptions>).transpose()?;
        let is_same = before.as_ref().map_or(exceptions.count == 0, |before| {
            (before.count, &before.named) == (exceptions.count, &exceptions.named)
        });
        if is_same {
            return Ok(());
        }
        self.write(|writer| {
            if exceptions.count == 0 {
                writer.prepare_cached("DELETE FROM exception WHERE policy = ?1")?.execute([place.policy])?;
            } else {
                writer
                    .prepare_cached("INSERT OR REPLACE INTO exception (policy, body) VALUES (?1, ?2)")?
                    .execute(params![place.policy, serde_json::to_string(exceptions)?])?;
            }
            Ok(())
        })
    }

    /// The exceptions of all policies that have any.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn exceptions(&self) -> Result<Vec<Exceptions>, StoreError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached(
                // What is being forgotten has no name any more.
                "SELECT exception.body FROM exception JOIN policy ON policy.id = exception.policy
                 WHERE instr(policy.owner, '/') ORDER BY policy.owner",
            )?;
            bodies(statement.query([])?)
        })
    }
}
