//! The journal: intended and executed operations, for recovery, limits and administrators.

use std::time::Duration;

use jiff::Timestamp;
use roaring::RoaringBitmap;
use rusqlite::{Transaction, params};
use serde::{Deserialize, Serialize};

use super::claim::{self, Wanted};
use super::link::{self, Link, Place};
use super::{Store, StoreError, bitmap, used};
use crate::directory::{Content, Evidence, Owner, SubjectId};

/// How long journal rows are kept.
pub const RETENTION: Duration = Duration::from_hours(90 * 24);

/// What a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Create it.
    Create,
    /// Make an existing one ours.
    Adopt,
    /// Change its content.
    Update,
    /// Give it a temporary name.
    Release,
    /// Disable it.
    Disable,
    /// Enable it.
    Enable,
    /// Take all members out.
    Empty,
    /// Delete it.
    Delete,
    /// Forget that it is ours.
    Unlink,
    /// Put members in.
    AddMembers,
    /// Take members out.
    RemoveMembers,
    /// It was found to be gone, by nothing that we did.
    Lost,
}

/// What an operation does to what we know: written down before it is done, and made true after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// To whose object.
    pub subject: SubjectId,
    /// What.
    pub verb: Verb,
    /// The subject's link afterwards (for a create, its object's id is not known before).
    pub link: Option<Link>,
    /// What it spends.
    pub spends: Vec<(Class, Option<Evidence>, u64)>,
    /// Whether a person approved it.
    pub approved: bool,
}

/// Something that was about to be done when a process died.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// Its number in the store.
    pub id: i64,
    /// What it would have done.
    pub effect: Effect,
}

/// What became of an intent.
#[derive(Clone, Debug)]
pub struct IntentOutcome {
    /// The intent; none for what happens here only.
    pub intent: Option<i64>,
    /// What it did, if it did.
    pub effect: Option<Effect>,
}

/// What was done at one moment.
#[derive(Clone, Debug)]
pub struct Done {
    /// When.
    pub at: Timestamp,
    /// What became of intents.
    pub settled: Vec<IntentOutcome>,
    /// Links that changed with them.
    pub along: Vec<(SubjectId, Link)>,
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
        class.ok_or_else(|| StoreError::Damaged(format!("a journal row of class {number}")))
    }
}

impl Verb {
    /// As it is written down.
    fn word(self) -> Result<String, StoreError> {
        Ok(serde_json::to_string(&self)?.trim_matches('"').to_owned())
    }
}

/// Of each policy those rows are found by the index: also of one that does not run any more.
const PURGE: &str = "DELETE FROM journal WHERE policy IN (SELECT id FROM policy) AND at < ?1";

impl Store {
    /// Commits what was done and what comes next, in one transaction: never more is open than what comes next. Returns the
    /// numbers of the intents that come next, in order. At a target that is `shared` with other policies each takes what it
    /// makes the policy's own; where another policy has that, it is no intent, and the other one is named.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn advance<'e>(
        &self,
        place: Place,
        run: &str,
        shared: bool,
        done: &[Done],
        next: impl IntoIterator<Item = &'e Effect>,
    ) -> Result<Vec<Result<i64, Owner>>, StoreError> {
        let work = |writer: &Transaction<'_>| {
            done.iter().try_for_each(|done| settle(writer, place, run, done))?;
            intend(writer, place, run, shared, next)
        };
        // The registry is in the same file: it never knows of more than the intents do.
        if shared { self.write_to_disk(work) } else { self.write(work) }
    }

    /// What was about to be done when an earlier process died.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn open_intents(&self, place: Place) -> Result<Vec<Intent>, StoreError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT id, effect, members FROM intent WHERE policy = ?1 AND target = ?2 ORDER BY id",
            )?;
            let mut rows = statement.query(params![place.policy, place.target])?;
            let mut intents = Vec::new();
            while let Some(row) = rows.next()? {
                let mut effect: Effect =
                    serde_json::from_str(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
                let members = row.get_ref(2)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
                if let (Some(link), Some(members)) = (&mut effect.link, members) {
                    link.members = bitmap::read(members)?;
                }
                intents.push(Intent { id: row.get(0)?, effect });
            }
            Ok(intents)
        })
    }

    /// Commits what became of intents: links, claims and journal, in one transaction.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn settle(&self, place: Place, run: &str, done: &Done) -> Result<(), StoreError> {
        self.write(|writer| settle(writer, place, run, done))
    }

    /// What was spent since `since`.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
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

    /// Whose objects were written since `since`.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn written_since(&self, place: Place, since: Timestamp) -> Result<RoaringBitmap, StoreError> {
        self.read(|reader| {
            let mut statement = reader
                .prepare_cached("SELECT DISTINCT subject FROM journal WHERE policy = ?1 AND at > ?2")?;
            let subjects =
                statement.query_map(params![place.policy, since.as_second()], |row| row.get::<_, u32>(0))?;
            Ok(subjects.collect::<Result<RoaringBitmap, _>>()?)
        })
    }

    /// Forgets journal rows that are older than `retention`.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn purge_journal(&self, now: Timestamp, retention: Duration) -> Result<(), StoreError> {
        let before = now.checked_sub(retention).unwrap_or(Timestamp::MIN);
        self.write(|writer| {
            writer.prepare_cached(PURGE)?.execute([before.as_second()])?;
            Ok(())
        })
    }

    /// What the target would not have, and when it is tried again.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
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
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
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
                writer
                    .prepare_cached(
                        "DELETE FROM rejection WHERE policy = ?1 AND target = ?2 AND subject = ?3",
                    )?
                    .execute(params![place.policy, place.target, subject.0])?;
            }
            for rejection in rejections {
                writer
                    .prepare_cached(
                        "INSERT OR REPLACE INTO rejection
                         (policy, target, subject, content, why, attempts, next_try)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    )?
                    .execute(params![
                        place.policy,
                        place.target,
                        rejection.subject.0,
                        serde_json::to_string(&rejection.content)?,
                        rejection.why,
                        rejection.attempts,
                        rejection.next_try.as_second()
                    ])?;
            }
            Ok(())
        })
    }
}

fn intend<'e>(
    writer: &Transaction<'_>,
    place: Place,
    run: &str,
    shared: bool,
    effects: impl IntoIterator<Item = &'e Effect>,
) -> Result<Vec<Result<i64, Owner>>, StoreError> {
    let mut insert = writer.prepare_cached(
        "INSERT INTO intent (policy, target, subject, run, effect, members)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE put_intent(?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let intend = |effect: &Effect| {
        let wanted = if shared { wanted(effect) } else { None };
        if let Some(wanted) = wanted
            && let Some(rival) = claim::rival(writer, place, wanted)?
        {
            return Ok(Err(rival));
        }
        let members = effect.link.as_ref().map(|link| bitmap::write(&link.members)).transpose()?;
        let body = serde_json::to_string(effect)?;
        let intent =
            insert.insert(params![place.policy, place.target, effect.subject.0, run, body, members])?;
        if let Some(wanted) = wanted {
            claim::reserve(writer, place, wanted, intent)?;
        }
        Ok(Ok(intent))
    };
    effects.into_iter().map(intend).collect()
}

/// What an effect makes the policy's own, if it is something new.
fn wanted(effect: &Effect) -> Option<Wanted<'_>> {
    let link = effect.link.as_ref()?;
    match effect.verb {
        Verb::Create => Some(Wanted::New(&link.confirmed)),
        Verb::Adopt => Some(Wanted::Object(link.confirmed.kind(), &link.target)),
        _ => None,
    }
}

fn settle(writer: &Transaction<'_>, place: Place, run: &str, done: &Done) -> Result<(), StoreError> {
    let mut closed = writer.prepare_cached("DELETE FROM intent WHERE id = ?1")?;
    let reserved = claim::is_any_reserved(writer, place)?;
    for one in &done.settled {
        if let Some(intent) = one.intent {
            closed.execute([intent])?;
            if reserved {
                claim::release(writer, place, intent)?;
            }
        }
        if let Some(effect) = &one.effect {
            if effect.approved {
                let left = effect.link.as_ref().filter(|_| effect.verb == Verb::RemoveMembers);
                let left = left.map(|link| &link.members);
                used::execute(writer, place, (effect.subject, &effect.verb.word()?), left)?;
            }
            let is_so = match (effect.verb, &effect.link) {
                (Verb::Create, Some(link)) => link::make(writer, place, effect.subject, link)?,
                (_, link) => link::save(writer, place, effect.subject, link.as_ref())?,
            };
            if is_so {
                write_journal(writer, place, run, done.at, effect)?;
            }
        }
    }
    for (subject, after) in &done.along {
        link::save(writer, place, *subject, Some(after))?;
    }
    Ok(())
}

fn write_journal(
    writer: &Transaction<'_>,
    place: Place,
    run: &str,
    now: Timestamp,
    effect: &Effect,
) -> Result<(), StoreError> {
    let mut insert = writer.prepare_cached(
        "INSERT INTO journal (policy, run, at, verb, subject, class, evidence, count, approved)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE put_journal(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let mut row = |class: Option<Class>, evidence: Option<Evidence>, count: u64| {
        insert.execute(params![
            place.policy,
            run,
            now.as_second(),
            effect.verb.word()?,
            effect.subject.0,
            class.map(Class::number),
            evidence.as_ref().map(serde_json::to_string).transpose()?,
            count.cast_signed(),
            effect.approved
        ])?;
        Ok::<_, StoreError>(())
    };
    if effect.spends.is_empty() {
        return row(None, None, 1);
    }
    effect.spends.iter().try_for_each(|(class, evidence, count)| row(Some(*class), *evidence, *count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Owner;
    use crate::store::tests::plan_of;

    #[test]
    fn what_is_old_is_forgotten_of_every_policy() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let at = |hours: i64| Timestamp::from_second(hours * 3600).unwrap();
        let places =
            ["staff", "guests"].map(|name| store.place(&Owner::new("test", name), "registry").unwrap());
        for place in places {
            for hours in 0..4 {
                let effect = Effect {
                    subject: SubjectId(1),
                    verb: Verb::Lost,
                    link: None,
                    spends: vec![(Class::UserRemoval, None, 1)],
                    approved: false,
                };
                let settled = vec![IntentOutcome { intent: None, effect: Some(effect) }];
                store.settle(place, "run", &Done { at: at(hours), settled, along: Vec::new() }).unwrap();
            }
        }
        store.purge_journal(at(5), Duration::from_hours(3)).unwrap();
        for place in places {
            assert_eq!(store.spent(place, Timestamp::MIN).unwrap().len(), 2, "of the hours 2 and 3");
        }
    }

    #[test]
    fn what_is_old_is_found_without_going_through_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let plan = plan_of(&store, PURGE).join("; ");
        assert!(
            plan.contains("INDEX journal_of_policy (policy=? AND at<?)") && !plan.contains("SCAN journal"),
            "{plan}"
        );
    }
}
