//! What was found out about a service, beyond what it says of itself: each is a change of its dialect, and is said.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::dialect::{Dialect, Overrides};
use super::patch::Way;
use crate::directory::SubjectKind;

/// A kind of write. The first of each is read back: a yes is no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Act {
    Create(SubjectKind),
    Update(SubjectKind),
    State,
    Members(Way),
    Delete(SubjectKind),
}

/// What is known of a service by now.
#[derive(Debug)]
pub(super) struct Learned {
    overrides: Overrides,
    /// What its profile and the administrator say.
    given: Dialect,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    dialect: Dialect,
    notes: Vec<String>,
    proven: BTreeSet<Act>,
}

/// So many notes are kept.
const NOTES: usize = 20;

impl Learned {
    pub(super) fn new(dialect: Dialect, overrides: Overrides) -> Self {
        let known = Known { dialect, notes: Vec::new(), proven: BTreeSet::new() };
        Self { overrides, given: dialect, known: Mutex::new(known) }
    }

    /// How the service is met now.
    pub(super) fn dialect(&self) -> Dialect {
        self.with(|known| known.dialect)
    }

    /// Whether objects of this kind keep our key, whatever was found out.
    pub(super) fn keeps_keys_as_given(&self, kind: SubjectKind) -> bool {
        self.given.holds_key(kind)
    }

    /// What was found out, for people.
    pub(super) fn notes(&self) -> Vec<String> {
        self.with(|known| known.notes.clone())
    }

    /// Remembers how the service is to be met, and says it. `false` if that is no news, or if the administrator says otherwise.
    pub(super) fn learn(&self, change: impl FnOnce(&mut Dialect), note: &str) -> bool {
        self.with(|known| {
            let mut dialect = known.dialect;
            change(&mut dialect);
            let dialect = self.overrides.over(dialect);
            if dialect == known.dialect {
                return false;
            }
            known.dialect = dialect;
            note_once(&mut known.notes, note);
            true
        })
    }

    /// Says something.
    pub(super) fn note(&self, note: &str) {
        self.with(|known| note_once(&mut known.notes, note));
    }

    /// Whether a write of this kind was read back.
    pub(super) fn is_proven(&self, act: Act) -> bool {
        self.with(|known| known.proven.contains(&act))
    }

    /// One was.
    pub(super) fn prove(&self, act: Act) {
        self.with(|known| known.proven.insert(act));
    }

    fn with<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn note_once(notes: &mut Vec<String>, note: &str) {
    if notes.len() < NOTES && !notes.iter().any(|known| known == note) {
        notes.push(note.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialect::{Removal, Update};
    use super::super::profile;
    use super::*;

    #[test]
    fn what_is_learned_is_said_once_and_never_against_the_administrator() {
        let overrides = Overrides { user_update: Some(Update::Patch), ..Overrides::default() };
        let learned = Learned::new(profile::standard().dialect, overrides);
        assert!(learned.learn(|dialect| dialect.removal = Removal::ByValue, "by value"));
        assert!(!learned.learn(|dialect| dialect.removal = Removal::ByValue, "by value"));
        assert!(!learned.learn(|dialect| dialect.user_update = Update::Put, "by PUT"));
        assert_eq!(learned.notes(), ["by value"]);
        assert_eq!(
            (learned.dialect().removal, learned.dialect().user_update),
            (Removal::ByValue, Update::Patch)
        );
    }

    #[test]
    fn a_kind_of_write_is_proven_by_itself() {
        let learned = Learned::new(profile::standard().dialect, Overrides::default());
        learned.prove(Act::Members(Way::In));
        assert!(learned.is_proven(Act::Members(Way::In)));
        assert!(!learned.is_proven(Act::Members(Way::Out)));
    }
}
