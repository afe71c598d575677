//! The journal: what was about to be done and what was done, for recovery, budgets and people.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::params;

use super::link::{self, Link, Place};
use super::{Store, StoreError};
use crate::directory::{Content, Evidence, SubjectId};

/// What a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A user removed or disabled because they left.
    UserRemoval,
    /// A group removed or emptied because it is gone.
    GroupRemoval,
    /// A membership ended by a change of a group.
    MemberRemoval,
    /// A unique name changed.
    IdentifierChange,
    /// A user disabled because the directory says that the account is.
    Disable,
}

/// Operations of one class that were executed within the window.
#[derive(Clone, Debug, PartialEq)]
pub struct Spent {
    /// Which budget.
    pub class: Class,
    /// Why.
    pub evidence: Option<Evidence>,
    /// Whose: the user or group (the group, for a membership).
    pub subject: SubjectId,
    /// How many (memberships of one group are counted together).
    pub count: u64,
    /// Whether an approval executed it, outside the budgets.
    pub approved: bool,
}

/// Something that was about to be done when a process died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Its number in the store.
    pub id: i64,
    /// To whose object.
    pub subject: SubjectId,
    /// What.
    pub verb: String,
}

/// What became of an intent.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The intent.
    pub intent: i64,
    /// Whose object.
    pub subject: SubjectId,
    /// What was done.
    pub verb: &'static str,
    /// The subject's link as it is now; `None` if nothing is known to have changed.
    pub link: Option<Option<Link>>,
    /// What it spends.
    pub spends: Vec<(Class, Option<Evidence>, u64)>,
    /// Whether a person approved it.
    pub approved: bool,
}

/// What the target would not have.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    /// Whom.
    pub subject: SubjectId,
    /// As what.
    pub content: Content,
    /// Why not, and what to do.
    pub why: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried again.
    pub next_try: Timestamp,
}

impl Class {
    const ALL: [Self; 5] =
        [Self::UserRemoval, Self::GroupRemoval, Self::MemberRemoval, Self::IdentifierChange, Self::Disable];

    fn number(self) -> u8 {
        match self {
            Self::UserRemoval => 0,
            Self::GroupRemoval => 1,
            Self::MemberRemoval => 2,
            Self::IdentifierChange => 3,
            Self::Disable => 4,
        }
    }

    fn from_number(number: u8) -> Result<Self, StoreError> {
        let class = Self::ALL.into_iter().find(|class| class.number() == number);
        class.ok_or_else(|| StoreError::Corrupt(format!("a journal row of class {number}")))
    }
}

impl Store {
    /// Commits what is about to be done; returns the intents' numbers, in order.
    pub fn intend(
        &self,
        place: Place,
        run: &str,
        about: &[(SubjectId, &'static str)],
    ) -> Result<Vec<i64>, StoreError> {
        self.write(|writer| {
            let mut insert = writer.prepare_cached(
                "INSERT INTO intent (policy, target, subject, run, verb) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            about
                .iter()
                .map(|(subject, verb)| {
                    Ok(insert.insert(params![place.policy, place.target, subject.0, run, verb])?)
                })
                .collect()
        })
    }

    /// What was about to be done when an earlier process died.
    pub fn open_intents(&self, place: Place) -> Result<Vec<Intent>, StoreError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT id, subject, verb FROM intent WHERE policy = ?1 AND target = ?2 ORDER BY id",
            )?;
            let rows = statement.query_map(params![place.policy, place.target], |row| {
                Ok(Intent { id: row.get(0)?, subject: SubjectId(row.get(1)?), verb: row.get(2)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Commits what became of intents: links, claims and journal, in one transaction.
    pub fn settle(
        &self,
        place: Place,
        run: &str,
        now: Timestamp,
        settled: &[Settled],
    ) -> Result<(), StoreError> {
        self.write(|writer| {
            let mut done = writer.prepare_cached("DELETE FROM intent WHERE id = ?1")?;
            let mut journal = writer.prepare_cached(
                "INSERT INTO journal (policy, run, at, verb, subject, class, evidence, count, approved)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?;
            for one in settled {
                done.execute([one.intent])?;
                let Some(after) = &one.link else { continue };
                link::save(writer, place, one.subject, after.as_ref())?;
                let nothing = [(None, None, 1)];
                let spends: Vec<_> =
                    one.spends.iter().map(|(class, why, count)| (Some(*class), *why, *count)).collect();
                for (class, evidence, count) in if spends.is_empty() { &nothing[..] } else { &spends } {
                    journal.execute(params![
                        place.policy,
                        run,
                        now.as_second(),
                        one.verb,
                        one.subject.0,
                        class.map(Class::number),
                        evidence.as_ref().map(serde_json::to_string).transpose()?,
                        count.cast_signed(),
                        one.approved
                    ])?;
                }
            }
            Ok(())
        })
    }

    /// What was spent since `since`.
    pub fn spent(&self, place: Place, since: Timestamp) -> Result<Vec<Spent>, StoreError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT class, evidence, subject, count, approved FROM journal
                 WHERE policy = ?1 AND at > ?2 AND class IS NOT NULL",
            )?;
            let mut rows = statement.query(params![place.policy, since.as_second()])?;
            let mut spent = Vec::new();
            while let Some(row) = rows.next()? {
                let evidence = row.get::<_, Option<String>>(1)?;
                spent.push(Spent {
                    class: Class::from_number(row.get(0)?)?,
                    evidence: evidence.as_deref().map(serde_json::from_str).transpose()?,
                    subject: SubjectId(row.get(2)?),
                    count: row.get::<_, i64>(3)?.cast_unsigned(),
                    approved: row.get(4)?,
                });
            }
            Ok(spent)
        })
    }

    /// Forgets journal rows that are older than `retention`.
    pub fn purge_journal(&self, now: Timestamp, retention: Duration) -> Result<(), StoreError> {
        let before = now.checked_sub(retention).unwrap_or(Timestamp::MIN);
        self.write(|writer| {
            writer.execute("DELETE FROM journal WHERE at < ?1", [before.as_second()])?;
            Ok(())
        })
    }

    /// What the target would not have, and when it is tried again.
    pub fn rejections(&self, place: Place) -> Result<Vec<Rejection>, StoreError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT subject, content, why, attempts, next_try FROM rejection WHERE policy = ?1 AND target = ?2",
            )?;
            let mut rows = statement.query(params![place.policy, place.target])?;
            let mut rejections = Vec::new();
            while let Some(row) = rows.next()? {
                rejections.push(Rejection {
                    subject: SubjectId(row.get(0)?),
                    content: serde_json::from_str(&row.get::<_, String>(1)?)?,
                    why: row.get(2)?,
                    attempts: row.get(3)?,
                    next_try: Timestamp::from_second(row.get(4)?).unwrap_or(Timestamp::MAX),
                });
            }
            Ok(rejections)
        })
    }

    /// Remembers what the target would not have; `gone` are those that it took after all.
    pub fn save_rejections(
        &self,
        place: Place,
        rejections: &[Rejection],
        gone: &[SubjectId],
    ) -> Result<(), StoreError> {
        if rejections.is_empty() && gone.is_empty() {
            return Ok(());
        }
        self.write(|writer| {
            for subject in gone {
                writer.execute(
                    "DELETE FROM rejection WHERE policy = ?1 AND target = ?2 AND subject = ?3",
                    params![place.policy, place.target, subject.0],
                )?;
            }
            for rejection in rejections {
                writer.execute(
                    "INSERT OR REPLACE INTO rejection (policy, target, subject, content, why, attempts, next_try)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![
                        place.policy,
                        place.target,
                        rejection.subject.0,
                        serde_json::to_string(&rejection.content)?,
                        rejection.why,
                        rejection.attempts,
                        rejection.next_try.as_second()
                    ],
                )?;
            }
            Ok(())
        })
    }
}
