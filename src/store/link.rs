//! Subjects and links: which object at the target belongs to which subject.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;
use rusqlite::{OptionalExtension as _, Transaction, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Store, StoreError, bitmap, claim};
use crate::directory::{Anchor, Content, DirectoryId, Evidence, Key, SubjectId, SubjectKind, TargetId};

mod numbered;

pub use super::claim::Ownership;
pub use super::place::Place;
pub use numbered::BySubject;

/// A person or group that a policy knows, and the object at the target that is theirs, if any.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// Its number.
    pub id: SubjectId,
    /// What it is.
    pub kind: SubjectKind,
    /// The key that marks its object.
    pub key: Key,
    /// The anchors that are this subject: several when several directories state it, or when it was
    /// created anew and relinked.
    pub anchors: Vec<(DirectoryId, Anchor)>,
    /// Its object at the target.
    pub link: Option<Link>,
}

/// The record that we own an object at the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// The object.
    pub target: TargetId,
    /// What we last confirmed there.
    #[serde(with = "shared")]
    pub confirmed: Arc<Content>,
    /// Whether we last confirmed it active.
    pub active: bool,
    /// For a group: the members that we put in and last confirmed (by [`SubjectId`]). The store keeps
    /// them apart.
    #[serde(skip)]
    pub members: RoaringBitmap,
    /// Set from the moment it is first seen to have left until it returns.
    pub leaving: Option<Leaving>,
}

/// How far the offboarding of a leaver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// When it was first seen to have left.
    pub since: Timestamp,
    /// Why.
    pub evidence: Evidence,
    /// How many steps were executed.
    #[serde(rename = "rungs")]
    pub steps_done: u32,
    /// When the last of them was.
    pub executed_at: Option<Timestamp>,
    /// The completion that the last of them rested on (0 before the first).
    pub completion: u64,
}

/// The subjects of one policy: all, or those of whom something has to be known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subjects {
    /// By number.
    pub by_id: BySubject<Subject>,
    /// The next free number.
    pub next: u32,
}

impl Subjects {
    /// The subject's object at the target.
    pub fn link(&self, subject: SubjectId) -> Option<&Link> {
        self.by_id.get(&subject)?.link.as_ref()
    }

    /// Those of these who are not among them.
    #[must_use]
    pub fn lacks(&self, wanted: &RoaringBitmap) -> RoaringBitmap {
        wanted.iter().filter(|id| self.by_id.get(&SubjectId(*id)).is_none()).collect()
    }

    /// Adds others.
    pub fn add(&mut self, others: Self) {
        for subject in others.by_id.into_values() {
            self.by_id.insert(subject.id, subject);
        }
    }

    /// Who has which key, as it is written in holds.
    pub fn by_key(&self) -> HashMap<String, SubjectId> {
        self.by_id.values().map(|subject| (subject.key.to_string(), subject.id)).collect()
    }

    /// Who has which anchor.
    pub fn by_anchor(&self) -> HashMap<(&DirectoryId, &Anchor), SubjectId> {
        let mut by_anchor = HashMap::with_capacity(self.by_id.values().count());
        for subject in self.by_id.values() {
            by_anchor
                .extend(subject.anchors.iter().map(|(directory, anchor)| ((directory, anchor), subject.id)));
        }
        by_anchor
    }
}

/// By all of the primary key.
const LEAVE: &str =
    "DELETE FROM anchor WHERE policy = ?1 AND subject = ?2 AND directory = ?3 AND anchor = ?4";

impl Store {
    /// All subjects that the policy knows, with their objects at the target.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn subjects(&self, place: Place) -> Result<Subjects, StoreError> {
        self.read(|reader| {
            let mut subjects = Subjects { by_id: BySubject::default(), next: next(reader, place)? };
            read(reader, place, 0..=u32::MAX, &mut subjects)?;
            Ok(subjects)
        })
    }

    /// The same, of these only.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn subjects_of(&self, place: Place, wanted: &RoaringBitmap) -> Result<Subjects, StoreError> {
        self.read(|reader| {
            let mut subjects = Subjects { by_id: BySubject::default(), next: next(reader, place)? };
            let mut wanted = wanted.iter();
            while let Some(range) = wanted.next_range() {
                read(reader, place, range, &mut subjects)?;
            }
            Ok(subjects)
        })
    }

    /// Which of these keys a subject of the policy has.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn keys_in_use(&self, place: Place, keys: &BTreeSet<Key>) -> Result<BTreeSet<Key>, StoreError> {
        if keys.is_empty() {
            return Ok(BTreeSet::new());
        }
        self.read(|reader| {
            let mut statement = reader.prepare_cached("SELECT key FROM subject WHERE policy = ?1")?;
            let mut rows = statement.query([place.policy])?;
            let mut found = BTreeSet::new();
            while let Some(row) = rows.next()? {
                let key = Key::from_uuid(Uuid::from_bytes(row.get(0)?));
                if keys.contains(&key) {
                    found.insert(key);
                }
            }
            Ok(found)
        })
    }

    /// Remembers new subjects and anchors that join known ones. Whoever has had one of these anchors is
    /// among the `known`.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn admit(
        &self,
        place: Place,
        new: &[Subject],
        joins: &[(SubjectId, DirectoryId, Anchor)],
        known: &Subjects,
    ) -> Result<(), StoreError> {
        let mut had = HashMap::new();
        if !joins.is_empty() {
            had = known.by_anchor();
            for new in new {
                had.extend(new.anchors.iter().map(|(directory, anchor)| ((directory, anchor), new.id)));
            }
        }
        self.write(|writer| {
            let mut subject = writer.prepare_cached(
                "INSERT INTO subject (policy, id, kind, key)
                 SELECT ?1, ?2, ?3, ?4 WHERE put_subject(?1, ?2, ?3, ?4)",
            )?;
            let mut anchor = writer.prepare_cached(
                "INSERT OR IGNORE INTO anchor (policy, subject, directory, anchor) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for new in new {
                subject.execute(params![
                    place.policy,
                    new.id.0,
                    number(new.kind),
                    new.key.as_uuid().as_bytes()
                ])?;
                for (directory, value) in &new.anchors {
                    anchor.execute(params![place.policy, new.id.0, directory.as_str(), value.as_str()])?;
                }
            }
            let mut leave = writer.prepare_cached(LEAVE)?;
            for (id, directory, value) in joins {
                if let Some(before) = had.insert((directory, value), *id) {
                    leave.execute(params![place.policy, before.0, directory.as_str(), value.as_str()])?;
                }
                anchor.execute(params![place.policy, id.0, directory.as_str(), value.as_str()])?;
            }
            if let Some(last) = new.iter().map(|subject| subject.id.0).max() {
                let next = last.checked_add(1).ok_or_else(|| StoreError::Exhausted("subjects".to_owned()))?;
                writer
                    .prepare_cached("UPDATE policy SET next_subject = max(next_subject, ?2) WHERE id = ?1")?
                    .execute(params![place.policy, next])?;
            }
            Ok(())
        })
    }

    /// Remembers who was seen to leave, and who returned.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn save_leaving(
        &self,
        place: Place,
        leaving: &BTreeMap<SubjectId, Option<Leaving>>,
    ) -> Result<(), StoreError> {
        if leaving.is_empty() {
            return Ok(());
        }
        self.write(|writer| {
            let mut update = writer.prepare_cached(
                "UPDATE link SET leaving = ?4 WHERE policy = ?1 AND target = ?2 AND subject = ?3",
            )?;
            for (subject, leaving) in leaving {
                update.execute(params![place.policy, place.target, subject.0, to_json(leaving.as_ref())?])?;
            }
            Ok(())
        })
    }
}

/// Writes the link of a subject that had none. Returns whether it has one now: an object that is another policy's is not
/// linked.
pub(super) fn make(
    writer: &Transaction<'_>,
    place: Place,
    subject: SubjectId,
    link: &Link,
) -> Result<bool, StoreError> {
    let ours = claim::take(writer, place, link.confirmed.kind(), &link.target)?;
    if ours {
        write(writer, place, subject, link)?;
    }
    Ok(ours)
}

/// Writes a subject's link as it is now; removes it if there is none any more. Returns whether it is so now: an object that is
/// another policy's is not linked.
pub(super) fn save(
    writer: &Transaction<'_>,
    place: Place,
    subject: SubjectId,
    link: Option<&Link>,
) -> Result<bool, StoreError> {
    let before: Option<String> = writer
        .prepare_cached("SELECT object FROM link WHERE policy = ?1 AND target = ?2 AND subject = ?3")?
        .query_row(params![place.policy, place.target, subject.0], |row| row.get(0))
        .optional()?;
    let kept = before.as_deref() == link.map(|link| &*link.target.0);
    if let (Some(link), false) = (link, kept)
        && !claim::take(writer, place, link.confirmed.kind(), &link.target)?
    {
        return Ok(false);
    }
    if let (Some(object), false) = (before, kept) {
        let kind = writer
            .prepare_cached("SELECT kind FROM subject WHERE policy = ?1 AND id = ?2")?
            .query_row(params![place.policy, subject.0], |row| row.get(0))
            .optional()?
            .map_or(SubjectKind::User, kind);
        claim::give_back(writer, place, kind, &TargetId(object.into()))?;
    }
    match link {
        Some(link) => write(writer, place, subject, link)?,
        None => {
            writer
                .prepare_cached("DELETE FROM link WHERE policy = ?1 AND target = ?2 AND subject = ?3")?
                .execute(params![place.policy, place.target, subject.0])?;
        }
    }
    Ok(true)
}

/// The members of ours that the subject has, as far as is known.
pub(super) fn members(
    reader: &Transaction<'_>,
    place: Place,
    subject: SubjectId,
) -> Result<RoaringBitmap, StoreError> {
    let found: Option<Vec<u8>> = reader
        .prepare_cached("SELECT members FROM link WHERE policy = ?1 AND target = ?2 AND subject = ?3")?
        .query_row(params![place.policy, place.target, subject.0], |row| row.get(0))
        .optional()?;
    found.map_or_else(|| Ok(RoaringBitmap::new()), |found| bitmap::read(&found))
}

fn write(writer: &Transaction<'_>, place: Place, subject: SubjectId, link: &Link) -> Result<(), StoreError> {
    writer
        .prepare_cached(
            "INSERT OR REPLACE INTO link (policy, target, subject, object, confirmed, active, leaving, members)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE put_link(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            place.policy,
            place.target,
            subject.0,
            link.target.0,
            serde_json::to_string(&*link.confirmed)?,
            link.active,
            to_json(link.leaving.as_ref())?,
            bitmap::write(&link.members)?
        ])?;
    Ok(())
}

fn next(reader: &Transaction<'_>, place: Place) -> Result<u32, StoreError> {
    Ok(reader
        .prepare_cached("SELECT next_subject FROM policy WHERE id = ?1")?
        .query_row([place.policy], |row| row.get(0))?)
}

/// Reads those whose numbers are in this range.
fn read(
    reader: &Transaction<'_>,
    place: Place,
    range: RangeInclusive<u32>,
    subjects: &mut Subjects,
) -> Result<(), StoreError> {
    let Subjects { by_id, next } = subjects;
    let mut statement = reader.prepare_cached(
        "SELECT id, kind, key FROM subject WHERE policy = ?1 AND id BETWEEN ?2 AND ?3 ORDER BY id",
    )?;
    let mut rows = statement.query(params![place.policy, range.start(), range.end()])?;
    while let Some(row) = rows.next()? {
        let id = SubjectId(row.get(0)?);
        if id.0 >= *next {
            return Err(StoreError::Damaged(format!("subject {} where the next is {next}", id.0)));
        }
        let kind = kind(row.get(1)?);
        let key = Key::from_uuid(Uuid::from_bytes(row.get(2)?));
        by_id.insert(id, Subject { id, kind, key, anchors: Vec::with_capacity(1), link: None });
    }
    read_anchors(reader, place, &range, by_id)?;
    read_links(reader, place, &range, by_id)
}

fn read_anchors(
    reader: &Transaction<'_>,
    place: Place,
    range: &RangeInclusive<u32>,
    by_id: &mut BySubject<Subject>,
) -> Result<(), StoreError> {
    let mut statement = reader.prepare_cached(
        "SELECT subject, directory, anchor FROM anchor WHERE policy = ?1 AND subject BETWEEN ?2 AND ?3
         ORDER BY subject",
    )?;
    let mut rows = statement.query(params![place.policy, range.start(), range.end()])?;
    // There are few directories, and all who are of one share its name.
    let mut last: Option<DirectoryId> = None;
    while let Some(row) = rows.next()? {
        if let Some(subject) = by_id.get_mut(&SubjectId(row.get(0)?)) {
            let text = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            let directory =
                last.take().filter(|last| last.as_str() == text).unwrap_or_else(|| DirectoryId::new(text));
            last = Some(directory.clone());
            subject.anchors.push((directory, Anchor::new(row.get::<_, String>(2)?)));
        }
    }
    Ok(())
}

fn read_links(
    reader: &Transaction<'_>,
    place: Place,
    range: &RangeInclusive<u32>,
    by_id: &mut BySubject<Subject>,
) -> Result<(), StoreError> {
    let mut statement = reader.prepare_cached(
        "SELECT subject, object, confirmed, active, leaving, members FROM link
         WHERE policy = ?1 AND target = ?2 AND subject BETWEEN ?3 AND ?4 ORDER BY subject",
    )?;
    let mut rows = statement.query(params![place.policy, place.target, range.start(), range.end()])?;
    while let Some(row) = rows.next()? {
        let Some(subject) = by_id.get_mut(&SubjectId(row.get(0)?)) else { continue };
        let leaving = row.get_ref(4)?.as_str_or_null().map_err(rusqlite::Error::from)?;
        subject.link = Some(Link {
            target: TargetId(row.get(1)?),
            confirmed: Arc::new(serde_json::from_str(
                row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?,
            )?),
            active: row.get(3)?,
            leaving: leaving.map(serde_json::from_str).transpose()?,
            members: bitmap::read(row.get_ref(5)?.as_blob().map_err(rusqlite::Error::from)?)?,
        });
    }
    Ok(())
}

/// A content that others have too is stored like one's own.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::Content;

    pub(super) fn serialize<S: Serializer>(content: &Arc<Content>, to: S) -> Result<S::Ok, S::Error> {
        Content::serialize(content, to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Content>, D::Error> {
        Content::deserialize(from).map(Arc::new)
    }
}

fn to_json<T: Serialize>(value: Option<&T>) -> Result<Option<String>, StoreError> {
    Ok(value.map(serde_json::to_string).transpose()?)
}

pub(super) fn number(kind: SubjectKind) -> u8 {
    match kind {
        SubjectKind::User => 0,
        SubjectKind::Group => 1,
    }
}

pub(super) fn kind(number: u8) -> SubjectKind {
    if number == 0 { SubjectKind::User } else { SubjectKind::Group }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Owner;
    use crate::store::tests::plan_of;

    fn anchor(of: &str) -> (DirectoryId, Anchor) {
        (DirectoryId::new("dc=test"), Anchor::new(of))
    }

    fn subject(id: u32, anchors: &[&str]) -> Subject {
        let anchors: Vec<_> = anchors.iter().copied().map(anchor).collect();
        let (directory, first) = &anchors[0];
        let key = Key::new(&Owner::new("test", "staff"), directory, first);
        Subject { id: SubjectId(id), kind: SubjectKind::User, key, anchors, link: None }
    }

    #[test]
    fn an_anchor_that_joins_a_subject_leaves_the_one_who_had_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let place = store.place(&Owner::new("test", "staff"), "registry").unwrap();
        let known = || store.subjects(place).unwrap();
        let anchors = |id: u32| -> Vec<String> {
            let anchors = known().by_id.get(&SubjectId(id)).unwrap().anchors.clone();
            anchors.into_iter().map(|(_, anchor)| anchor.as_str().to_owned()).collect()
        };
        let all = [subject(1, &["ann"]), subject(2, &["ann2", "bob"]), subject(3, &["cid"])];
        store.admit(place, &all, &[], &known()).unwrap();
        let join = |id: u32, of: &str| (SubjectId(id), anchor(of).0, anchor(of).1);
        // Of somebody else, of nobody yet, and of somebody who comes at the same time.
        let joins = [join(1, "ann2"), join(1, "ann3"), join(1, "dee")];
        store.admit(place, &[subject(4, &["dee", "eve"])], &joins, &known()).unwrap();
        assert_eq!(anchors(1), ["ann", "ann2", "ann3", "dee"]);
        assert_eq!(
            (anchors(2), anchors(3), anchors(4)),
            (vec!["bob".to_owned()], vec!["cid".to_owned()], vec!["eve".to_owned()])
        );
        // Of two that want it the second has it.
        store.admit(place, &[], &[join(2, "cid"), join(3, "cid"), join(2, "cid")], &known()).unwrap();
        assert_eq!((anchors(2), anchors(3)), (vec!["bob".to_owned(), "cid".to_owned()], Vec::new()));
    }

    #[test]
    fn an_anchor_is_found_without_going_through_all() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let by = "SEARCH anchor USING PRIMARY KEY (policy=? AND subject=? AND directory=? AND anchor=?)";
        assert_eq!(plan_of(&store, LEAVE), [by]);
    }
}
