//! Users and contacts as pages tell of them: one may come several times, and not always in the order in which things happened. Where two pages
//! differ, neither is believed: Graph is asked.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::decode::{self, Item};
use crate::directory::{Change, Mode};

/// What a page tells of somebody.
pub(super) struct Person {
    id: Option<Uuid>,
    /// What is told, in short.
    digest: u64,
    removed: Option<Result<(), String>>,
    is_half: bool,
    /// What becomes of them by that.
    pub(super) change: Change,
}

impl Person {
    pub(super) fn of(item: &Item<'_>, change: Change) -> Self {
        Self {
            id: decode::id(item),
            digest: item.digest(),
            removed: decode::removed(item),
            is_half: decode::is_half(item),
            change,
        }
    }
}

/// What pages told of people, as far as that is not taken at once.
#[derive(Default)]
pub(super) struct Told {
    /// What was told of each, in short.
    digests: HashMap<Uuid, u64>,
    /// Who was told to be removed.
    removed: BTreeSet<Uuid>,
    /// Of whom was told too little, or what cannot all be true.
    doubtful: BTreeSet<Uuid>,
}

impl Told {
    /// Takes in what a page tells of somebody. Returns whether that is to be taken as it stands.
    pub(super) fn note(&mut self, person: &Person, mode: Mode) -> bool {
        let Some(id) = person.id else { return true };
        let before = self.digests.insert(id, person.digest);
        let differs = before.is_some_and(|before| before != person.digest);
        if differs || (mode == Mode::Delta && person.removed.is_none() && person.is_half) {
            self.doubtful.insert(id);
        }
        match person.removed {
            // Nobody goes before the last page has come.
            Some(Ok(())) => {
                self.removed.insert(id);
                false
            }
            Some(Err(_)) => true,
            None => !self.doubtful.contains(&id),
        }
    }

    /// Who is to be asked for.
    pub(super) fn doubtful(&self) -> &BTreeSet<Uuid> {
        &self.doubtful
    }

    /// Whether somebody who is not there was told to be removed.
    pub(super) fn is_removed(&self, id: Uuid) -> bool {
        self.removed.contains(&id)
    }

    /// Who was told to be removed, and nothing else.
    pub(super) fn gone(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.removed.difference(&self.doubtful).copied()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::source::json::object;

    #[rstest]
    #[case::twice(Mode::Delta, &[json!({ "jobTitle": "a" }), json!({ "jobTitle": "a" })], &[true, true], false, false)]
    #[case::differently(Mode::Delta, &[json!({ "jobTitle": "a" }), json!({ "jobTitle": "b" })], &[true, false], true, false)]
    #[case::and_so_in_all(Mode::Full, &[json!({ "jobTitle": "a" }), json!({ "jobTitle": "b" })], &[true, false], true, false)]
    #[case::half(Mode::Delta, &[json!({ "mail": "a@x.example" })], &[false], true, false)]
    #[case::half_is_all(Mode::Full, &[json!({ "mail": "a@x.example" })], &[true], false, false)]
    #[case::removed(Mode::Delta, &[json!({ "@removed": { "reason": "deleted" } })], &[false], false, true)]
    #[case::removed_and_there(
        Mode::Delta,
        &[json!({ "@removed": { "reason": "changed" } }), json!({ "jobTitle": "a" })],
        &[false, false],
        true,
        false
    )]
    #[case::there_and_removed(
        Mode::Full,
        &[json!({ "jobTitle": "a" }), json!({ "@removed": { "reason": "deleted" } })],
        &[true, false],
        true,
        false
    )]
    fn what_contradicts_itself_is_asked(
        #[case] mode: Mode,
        #[case] pages: &[Value],
        #[case] taken: &[bool],
        #[case] doubtful: bool,
        #[case] gone: bool,
    ) {
        let id = Uuid::from_u128(7);
        let mut told = Told::default();
        let person = |page: &Value| {
            let mut page = page.clone();
            page["id"] = json!(id);
            Person::of(&object(&page), Change::Unchanged(decode::anchor(id)))
        };
        let seen: Vec<bool> = pages.iter().map(|page| told.note(&person(page), mode)).collect();
        assert_eq!(seen, taken);
        assert_eq!(told.doubtful().contains(&id), doubtful);
        assert_eq!(told.gone().any(|one| one == id), gone);
    }
}
