//! Holds and approvals.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::link::Place;
use super::used::{self, Used};
use super::{Store, StoreError, digest};
use crate::directory::Owner;
use crate::hex;

pub mod line;

pub use line::{Identity, Line};

/// How long an approval holds from when it was first seen.
pub const APPROVAL_HOLDS: Duration = Duration::from_hours(24);

/// So many of a policy's last holds are kept, the current one among them.
const KEPT: u32 = 10;

/// Operations that wait for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// Whose.
    pub owner: Owner,
    /// `sha256:…` over owner, spec hash and the sorted lines.
    pub digest: String,
    /// The policy's spec hash that it was made under.
    pub spec_hash: String,
    /// The policy's specs that the oldest of its lines were held under, as JSON; empty where nobody can tell any more. Holds of
    /// earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<String>,
    /// The limits that it was held by, as JSON: the strictest since something is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<String>,
    /// When it was first seen, in this form.
    pub since: Timestamp,
    /// Why, in one sentence for a person.
    #[serde(default)]
    pub reason: String,
    /// What is held, sorted.
    pub lines: Vec<Line>,
    /// Who approved it, if anybody did and it is held all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
}

impl Hold {
    /// The name of what is held: over owner, spec hash and the sorted lines.
    pub fn digest_of(owner: &Owner, spec_hash: &str, lines: &[Line]) -> String {
        let mut hasher = Sha256::new();
        let mut part = |text: &str| {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text);
        };
        part(owner.as_str());
        part(spec_hash);
        for line in lines {
            part(&line.class);
            part(&line.subject);
            part(line.member.as_deref().unwrap_or_default());
            part(line.grade.as_deref().unwrap_or_default());
            part(if line.doubtful { "doubtful" } else { "" });
            part(&line.verb);
        }
        format!("sha256:{}", hex::encode(&hasher.finalize()))
    }

    /// Whether the digest names all of it. That of an earlier version does not say what would be done, so nobody
    /// can approve that by it.
    pub fn is_named(&self) -> bool {
        self.digest == Self::digest_of(&self.owner, &self.spec_hash, &self.lines)
    }
}

/// Of a stored hold only this: its lines are passed over.
#[derive(Deserialize)]
struct Since {
    since: Timestamp,
}

impl Store {
    /// Makes this the policy's current hold, or says that it has none. The time of an equal one that
    /// was current is kept. Returns the hold as it is now. There is one run of a policy at a time, so
    /// nobody else says something of it meanwhile.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn save_hold(
        &self,
        place: Place,
        hold: Option<Hold>,
        now: Timestamp,
    ) -> Result<Option<Hold>, StoreError> {
        let Some(mut hold) = hold else {
            self.write(|writer| let_go(writer, place, None))?;
            return Ok(None);
        };
        let before: Option<String> = self.read(|reader| {
            Ok::<_, StoreError>(
                reader
                    .prepare_cached(
                        "SELECT body FROM hold WHERE policy = ?1 AND digest = ?2 AND current = 1",
                    )?
                    .query_row(params![place.policy, hold.digest], |row| row.get(0))
                    .optional()?,
            )
        })?;
        if let Some(before) = &before {
            hold.since = serde_json::from_str::<Since>(before)?.since;
        }
        let body = serde_json::to_string(&hold)?;
        self.write(|writer| {
            // It may be large, and what is held mostly stays the same from run to run.
            if before.as_ref() != Some(&body) {
                let_go(writer, place, Some(&hold.digest))?;
                writer
                    .prepare_cached(
                        "INSERT OR REPLACE INTO hold (policy, digest, current, seen, body)
                         VALUES (?1, ?2, 1, ?3, ?4)",
                    )?
                    .execute(params![place.policy, hold.digest, now.as_second(), body])?;
            }
            // A person may approve what they looked at although another read has come in between.
            writer
                .prepare_cached(
                    "DELETE FROM hold WHERE policy = ?1
                     AND digest NOT IN (SELECT digest FROM approval WHERE policy = ?1)
                     AND digest NOT IN
                         (SELECT digest FROM hold WHERE policy = ?1 ORDER BY seen DESC, current DESC LIMIT ?2)",
                )?
                .execute(params![place.policy, KEPT])?;
            Ok::<_, StoreError>(())
        })?;
        Ok(Some(hold))
    }

    /// The current holds of all policies.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        self.read(|reader| {
            // An older store, which is only read, does not know who approved.
            let by = if digest::has_table(reader, "approver")? {
                "(SELECT name FROM approval JOIN approver USING (policy, digest)
                  WHERE policy = hold.policy AND digest = hold.digest)"
            } else {
                "NULL"
            };
            // What is being forgotten has no name any more.
            let sql = format!(
                "SELECT hold.body, {by}, hold.policy FROM hold JOIN policy ON policy.id = hold.policy
                 WHERE hold.current = 1 AND instr(policy.owner, '/') ORDER BY policy.owner"
            );
            let mut statement = reader.prepare_cached(&sql)?;
            let mut holds = Vec::new();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let mut hold = approved(row)?;
                if hold.approved_by.is_some() && digest::has_table(reader, "used")? {
                    let used = Used::read(reader, row.get(2)?)?;
                    hold.approved_by =
                        hold.approved_by.filter(|_| !hold.lines.iter().all(|line| used.has(line)));
                }
                holds.push(hold);
            }
            Ok(holds)
        })
    }

    /// The policy's current hold.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn current_hold(&self, place: Place) -> Result<Option<Hold>, StoreError> {
        self.read(|reader| {
            let body: Option<String> = reader
                .prepare_cached("SELECT body FROM hold WHERE policy = ?1 AND current = 1")?
                .query_row([place.policy], |row| row.get(0))
                .optional()?;
            Ok(body.as_deref().map(serde_json::from_str).transpose()?)
        })
    }

    /// The policy's hold of this digest, current or approved before.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn hold(&self, place: Place, digest: &str) -> Result<Option<Hold>, StoreError> {
        self.read(|reader| {
            let body: Option<String> = reader
                .prepare_cached("SELECT body FROM hold WHERE policy = ?1 AND digest = ?2")?
                .query_row(params![place.policy, digest], |row| row.get(0))
                .optional()?;
            Ok(body.as_deref().map(serde_json::from_str).transpose()?)
        })
    }

    /// Notes that this person approved this hold; only the first sighting counts. What was approved before and is used is
    /// approved anew.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn approve(
        &self,
        place: Place,
        hold: &Hold,
        by: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(|writer| {
            let sql = "INSERT OR IGNORE INTO approval (policy, digest, first_seen) VALUES (?1, ?2, ?3)";
            let new =
                writer.prepare_cached(sql)?.execute(params![place.policy, hold.digest, now.as_second()])?;
            if new == 0 {
                return Ok(());
            }
            if let Some(name) = by {
                let sql = "INSERT OR REPLACE INTO approver (policy, digest, name) VALUES (?1, ?2, ?3)";
                writer.prepare_cached(sql)?.execute(params![place.policy, hold.digest, name])?;
            }
            used::renew(writer, place, &hold.lines)
        })
    }

    /// Forgets the policy's approval of this digest: the next one is given anew.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn forget_approval(&self, owner: &Owner, digest: &str) -> Result<(), StoreError> {
        self.write(|writer| {
            for table in ["approval", "approver"] {
                let sql = format!(
                    "DELETE FROM {table} WHERE digest = ?2 AND policy IN (SELECT id FROM policy WHERE owner = ?1)"
                );
                writer.prepare_cached(&sql)?.execute(params![owner.as_str(), digest])?;
            }
            Ok(())
        })
    }

    /// Forgets the policy's approvals of other digests than this: what nobody approves any more is not let happen.
    /// Returns whether there were any.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn withdraw_approvals(&self, owner: &Owner, digest: Option<&str>) -> Result<bool, StoreError> {
        let policy: Option<i64> = self.read(|reader| {
            let sql = "SELECT approval.policy FROM approval JOIN policy ON policy.id = approval.policy
                       WHERE policy.owner = ?1 AND approval.digest IS NOT ?2 LIMIT 1";
            let found =
                reader.prepare_cached(sql)?.query_row(params![owner.as_str(), digest], |row| row.get(0));
            Ok::<_, StoreError>(found.optional()?)
        })?;
        let Some(policy) = policy else { return Ok(false) };
        self.write(|writer| {
            writer
                .prepare_cached("DELETE FROM approval WHERE policy = ?1 AND digest IS NOT ?2")?
                .execute(params![policy, digest])?;
            forget_approvers(writer, policy)?;
            Ok(true)
        })
    }

    /// Forgets the policy's approvals that are over, or dated in the future by a clock that was wrong, but for the one of `digest`:
    /// given anew, they count anew.
    ///
    /// # Errors
    /// When the store cannot be written (for example, the disk is full) or is damaged.
    pub fn forget_approvals(
        &self,
        owner: &Owner,
        digest: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let before = now.checked_sub(APPROVAL_HOLDS).unwrap_or(Timestamp::MIN).as_second();
        let after = now.checked_add(APPROVAL_HOLDS).unwrap_or(Timestamp::MAX).as_second();
        let over = self.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT approval.policy, approval.digest FROM approval JOIN policy ON policy.id = approval.policy
                 WHERE policy.owner = ?1 AND approval.first_seen NOT BETWEEN ?2 + 1 AND ?4
                   AND approval.digest IS NOT ?3",
            )?;
            let over = statement.query_map(params![owner.as_str(), before, digest, after], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            })?;
            Ok::<_, StoreError>(over.collect::<Result<Vec<_>, _>>()?)
        })?;
        if over.is_empty() {
            return Ok(());
        }
        self.write(|writer| {
            for one in &over {
                writer
                    .prepare_cached("DELETE FROM approval WHERE policy = ?1 AND digest = ?2")?
                    .execute(params![one.0, one.1])?;
                forget_approvers(writer, one.0)?;
            }
            Ok(())
        })
    }

    /// Whether an approval of this digest was seen for the policy.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn was_approved(&self, owner: &Owner, digest: &str) -> Result<bool, StoreError> {
        self.read(|reader| {
            Ok(reader
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM approval JOIN policy ON policy.id = approval.policy
                                WHERE policy.owner = ?1 AND approval.digest = ?2)",
                )?
                .query_row(params![owner.as_str(), digest], |row| row.get(0))?)
        })
    }

    /// The approved holds that are still valid: made under this spec, approved within 24 h of now. Of each what is not used.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn approved(&self, place: Place, spec_hash: &str, now: Timestamp) -> Result<Vec<Hold>, StoreError> {
        let since = now.checked_sub(APPROVAL_HOLDS).unwrap_or(Timestamp::MIN).as_second();
        let until = now.checked_add(APPROVAL_HOLDS).unwrap_or(Timestamp::MAX).as_second();
        self.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT hold.body, approver.name FROM approval JOIN hold USING (policy, digest)
                 LEFT JOIN approver USING (policy, digest)
                 WHERE approval.policy = ?1 AND approval.first_seen > ?2 AND approval.first_seen <= ?3",
            )?;
            let mut rows = statement.query(params![place.policy, since, until])?;
            let mut holds = Vec::new();
            while let Some(row) = rows.next()? {
                holds.push(approved(row)?);
            }
            holds.retain(|hold| hold.spec_hash == spec_hash && hold.is_named());
            if holds.is_empty() {
                return Ok(holds);
            }
            let used = Used::read(reader, place.policy)?;
            for hold in &mut holds {
                hold.lines.retain(|line| !used.has(line));
            }
            holds.retain(|hold| !hold.lines.is_empty());
            Ok(holds)
        })
    }
}

/// Forgets who gave approvals of this policy that are forgotten.
fn forget_approvers(writer: &Transaction<'_>, policy: i64) -> Result<(), StoreError> {
    let sql = "DELETE FROM approver WHERE policy = ?1
               AND digest NOT IN (SELECT digest FROM approval WHERE policy = ?1)";
    writer.prepare_cached(sql)?.execute([policy])?;
    Ok(())
}

/// A hold, with who approved it.
fn approved(row: &Row<'_>) -> Result<Hold, StoreError> {
    let hold: Hold = serde_json::from_str(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
    Ok(Hold { approved_by: row.get(1)?, ..hold })
}

/// Says that the policy's current hold is so no more, unless it is the one of `digest`.
fn let_go(writer: &Transaction<'_>, place: Place, digest: Option<&str>) -> Result<(), StoreError> {
    writer
        .prepare_cached("UPDATE hold SET current = 0 WHERE policy = ?1 AND current = 1 AND digest IS NOT ?2")?
        .execute(params![place.policy, digest])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(digest: &str, reason: &str, since: Timestamp) -> Hold {
        let line = Line {
            class: "userRemoval".to_owned(),
            subject: "key".to_owned(),
            member: None,
            grade: None,
            doubtful: false,
            verb: "delete".to_owned(),
            action: "delete".to_owned(),
            name: "ann".to_owned(),
            member_name: None,
            why: "above limits.userRemovals".to_owned(),
        };
        Hold {
            owner: Owner::new("test", "staff"),
            digest: digest.to_owned(),
            spec_hash: "spec".to_owned(),
            spec: None,
            limits: None,
            since,
            reason: reason.to_owned(),
            lines: vec![line],
            approved_by: None,
        }
    }

    #[test]
    fn a_hold_is_written_when_something_of_it_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let place = store.place(&Owner::new("test", "staff"), "registry").unwrap();
        let at = |hours: i64| Timestamp::from_second(hours * 3600).unwrap();
        let written = || store.write(|writer| Ok::<_, StoreError>(writer.total_changes())).unwrap();
        let save = |found: Option<(&str, &str)>, hours: i64| {
            let before = written();
            let found = found.map(|(digest, reason)| hold(digest, reason, at(hours)));
            let saved = store.save_hold(place, found, at(hours)).unwrap();
            assert_eq!(store.holds().unwrap(), saved.iter().cloned().collect::<Vec<_>>());
            (saved.map(|hold| (hold.since, hold.reason)), written() - before)
        };
        let first = |reason: &str| Some((at(1), reason.to_owned()));
        // Whatever is written, the sum of the table is as well.
        assert_eq!(save(None, 0), (None, 0), "nothing is held");
        assert_eq!(save(Some(("sha256:1", "many")), 1), (first("many"), 2));
        assert_eq!(save(Some(("sha256:1", "many")), 2), (first("many"), 0), "the same once more");
        assert_eq!(save(Some(("sha256:1", "more")), 3), (first("more"), 2), "in other words");
        assert_eq!(save(Some(("sha256:2", "less")), 4), (Some((at(4), "less".to_owned())), 3), "another");
        assert_eq!(save(Some(("sha256:1", "more")), 5).0, Some((at(5), "more".to_owned())), "as if new");
        assert_eq!(save(None, 6), (None, 2));
        assert_eq!(save(None, 7), (None, 0));
    }

    #[test]
    fn the_last_holds_are_kept_however_long_one_was_current() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let place = store.place(&Owner::new("test", "staff"), "registry").unwrap();
        let at = |hours: i64| Timestamp::from_second(hours * 3600).unwrap();
        let kept = |of: i64| store.hold(place, &of.to_string()).unwrap().is_some();
        for hours in 0..15 {
            // Each for two reads, and the first ones again at the end.
            for read in [2 * hours, 2 * hours + 1] {
                let digest = (hours % 12).to_string();
                store.save_hold(place, Some(hold(&digest, "many", at(read))), at(read)).unwrap();
            }
        }
        let all: Vec<i64> = (0..12).filter(|of| kept(*of)).collect();
        assert_eq!(all, [0, 1, 2, 5, 6, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn an_approval_that_is_taken_away_lets_nothing_happen() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let owner = Owner::new("test", "staff");
        let place = store.place(&owner, "registry").unwrap();
        let other = store.place(&Owner::new("test", "other"), "registry").unwrap();
        let now = Timestamp::from_second(1000).unwrap();
        for (place, digest) in [(place, "sha256:1"), (place, "sha256:2"), (other, "sha256:1")] {
            store.approve(place, &hold(digest, "many", now), None, now).unwrap();
        }
        store.save_hold(other, Some(hold("sha256:1", "many", now)), now).unwrap();
        assert_eq!(store.holds().unwrap()[0].approved_by, None);
        let seen = |digest: &str| store.was_approved(&owner, digest).unwrap();
        assert!(store.withdraw_approvals(&owner, Some("sha256:2")).unwrap());
        assert_eq!((seen("sha256:1"), seen("sha256:2")), (false, true));
        assert!(!store.withdraw_approvals(&owner, Some("sha256:2")).unwrap());
        assert!(store.withdraw_approvals(&owner, None).unwrap());
        assert!(!seen("sha256:2"));
        assert!(store.was_approved(&Owner::new("test", "other"), "sha256:1").unwrap());
    }

    #[test]
    fn who_approved_a_digest_that_names_no_steps_approved_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let place = store.place(&Owner::new("test", "staff"), "registry").unwrap();
        let now = Timestamp::from_second(1000).unwrap();
        // As the version before this one wrote it: no step is named, neither in the body nor by the digest.
        let mut old = hold("sha256:1", "many", now);
        old.lines[0].verb.clear();
        let mut named = hold("", "many", now);
        named.digest = Hold::digest_of(&named.owner, &named.spec_hash, &named.lines);
        assert!(named.is_named() && !old.is_named());
        for hold in [old, named.clone()] {
            store.approve(place, &hold, None, now).unwrap();
            store.save_hold(place, Some(hold), now).unwrap();
        }
        assert_eq!(store.approved(place, "spec", now).unwrap(), [named]);
    }

    #[test]
    fn an_approval_that_is_over_counts_anew_only_when_given_anew() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let owner = Owner::new("test", "staff");
        let place = store.place(&owner, "registry").unwrap();
        let at = |hours: i64| Timestamp::from_second(hours * 3600).unwrap();
        store.approve(place, &hold("sha256:1", "many", at(0)), Some("april"), at(0)).unwrap();
        store.save_hold(place, Some(hold("sha256:1", "many", at(0))), at(0)).unwrap();
        assert_eq!(store.holds().unwrap()[0].approved_by.as_deref(), Some("april"));
        for (hours, given, seen) in [(23, None, true), (25, Some("sha256:1"), true), (26, None, false)] {
            store.forget_approvals(&owner, given, at(hours)).unwrap();
            assert_eq!(store.was_approved(&owner, "sha256:1").unwrap(), seen, "{hours} h");
        }
        // By a clock that was ahead.
        store.approve(place, &hold("sha256:1", "many", at(25)), Some("april"), at(25)).unwrap();
        assert!(store.approved(place, "spec", at(0)).unwrap().is_empty());
        store.forget_approvals(&owner, None, at(0)).unwrap();
        assert!(!store.was_approved(&owner, "sha256:1").unwrap());
    }
}
