//! What of approvals is used: an operation that was executed, or that the directory called for no longer, is approved no
//! more, until a person approves it anew.

use std::collections::{BTreeSet, HashSet};

use roaring::RoaringBitmap;
use rusqlite::{OptionalExtension as _, Transaction, params};
use uuid::Uuid;

use super::hold::line::Line;
use super::link::{self, Place};
use super::{Store, StoreError};
use crate::directory::SubjectId;

/// What a policy's approvals approve no more: what is done, whose object it is done to, and whose membership of it.
#[derive(Debug, Default)]
pub(super) struct Used(HashSet<(String, Uuid, Option<Uuid>)>);

impl Used {
    pub(super) fn read(reader: &Transaction<'_>, policy: i64) -> Result<Self, StoreError> {
        let mut statement =
            reader.prepare_cached("SELECT verb, subject, member FROM used WHERE policy = ?1")?;
        let rows = statement.query_map([policy], |row| {
            let member: Vec<u8> = row.get(2)?;
            Ok((row.get(0)?, Uuid::from_bytes(row.get(1)?), Uuid::from_slice(&member).ok()))
        })?;
        Ok(Self(rows.collect::<Result<_, _>>()?))
    }

    pub(super) fn has(&self, line: &Line) -> bool {
        let Some((subject, member)) = keys(line) else { return false };
        !self.0.is_empty()
            && verbs(line).iter().any(|verb| {
                let is = |member| self.0.contains(&((*verb).to_owned(), subject, member));
                is(member) || is(None)
            })
    }
}

/// By which verbs of the journal an operation may be noted that is as this line says.
fn verbs(line: &Line) -> &'static [&'static str] {
    match line.verb.as_str() {
        "create" => &["create", "adopt", LOST],
        "update" | "rename" | "clear" => &["update", LOST],
        "release" => &["release", LOST],
        "disable" => &["disable", LOST],
        "enable" => &["enable", LOST],
        "empty" => &["empty", LOST],
        "delete" => &["delete", LOST],
        "unlink" => &["unlink", LOST],
        "addMembers" => &["add-members", LOST],
        "takeOut" => &["remove-members", LOST],
        _ => &[LOST],
    }
}

/// The object was not there any more: whatever was approved for it is over.
const LOST: &str = "lost";

/// Whom a line is about. Newcomers without a key are approved once, whatever becomes of them.
fn keys(line: &Line) -> Option<(Uuid, Option<Uuid>)> {
    let member = line.member.as_ref().map(|member| Uuid::parse_str(member)).transpose().ok()?;
    Some((Uuid::parse_str(&line.subject).ok()?, member))
}

impl Store {
    /// What the directory calls for no longer is approved no more.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn end_approvals(&self, place: Place, over: &BTreeSet<&Line>) -> Result<(), StoreError> {
        if over.is_empty() {
            return Ok(());
        }
        self.write(|writer| {
            for line in over {
                if let (Some((subject, member)), Some(verb)) = (keys(line), verbs(line).first()) {
                    note(writer, place, verb, subject, member)?;
                }
            }
            Ok(())
        })
    }
}

/// An approved operation of this verb was executed. If it took members out of a group, `after` are those that are left; the
/// link here is still that of before.
pub(super) fn execute(
    writer: &Transaction<'_>,
    place: Place,
    (subject, verb): (SubjectId, &str),
    after: Option<&RoaringBitmap>,
) -> Result<(), StoreError> {
    let Some(key) = key_of(writer, place, subject)? else { return Ok(()) };
    let Some(after) = after else { return note(writer, place, verb, key, None) };
    for member in link::members(writer, place, subject)? - after {
        if let Some(member) = key_of(writer, place, SubjectId(member))? {
            note(writer, place, verb, key, Some(member))?;
        }
    }
    Ok(())
}

/// These operations are approved anew.
pub(super) fn renew(writer: &Transaction<'_>, place: Place, lines: &[Line]) -> Result<(), StoreError> {
    let mut delete = writer.prepare_cached(
        "DELETE FROM used WHERE policy = ?1 AND verb = ?2 AND subject = ?3 AND (member = ?4 OR member = x'')",
    )?;
    for line in lines {
        let Some((subject, member)) = keys(line) else { continue };
        for verb in verbs(line) {
            delete.execute(params![place.policy, verb, subject.as_bytes(), bytes(member.as_ref())])?;
        }
    }
    Ok(())
}

fn note(
    writer: &Transaction<'_>,
    place: Place,
    verb: &str,
    subject: Uuid,
    member: Option<Uuid>,
) -> Result<(), StoreError> {
    writer
        .prepare_cached("INSERT OR IGNORE INTO used (policy, verb, subject, member) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![place.policy, verb, subject.as_bytes(), bytes(member.as_ref())])?;
    Ok(())
}

fn bytes(member: Option<&Uuid>) -> &[u8] {
    member.map_or(&[], |member| member.as_bytes())
}

fn key_of(writer: &Transaction<'_>, place: Place, subject: SubjectId) -> Result<Option<Uuid>, StoreError> {
    let found = writer
        .prepare_cached("SELECT key FROM subject WHERE policy = ?1 AND id = ?2")?
        .query_row(params![place.policy, subject.0], |row| Ok(Uuid::from_bytes(row.get(0)?)));
    Ok(found.optional()?)
}
