//! Users and contacts as pages tell of them: one may come several times, and not always in the order in which things happened. Where two pages
//! differ, neither is believed: Graph is asked.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use uuid::Uuid;

use super::decode::{self, Item};
use crate::directory::Mode;

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
    /// Takes in an object of a page. Returns whether what it says is to be taken as it stands.
    pub(super) fn note(&mut self, item: &Item, mode: Mode) -> bool {
        let Some(id) = decode::id(item) else { return true };
        let mut hasher = DefaultHasher::new();
        serde_json::to_vec(item).unwrap_or_default().hash(&mut hasher);
        let now = hasher.finish();
        let differs = self.digests.insert(id, now).is_some_and(|before| before != now);
        let removed = decode::removed(item);
        if differs || (mode == Mode::Delta && removed.is_none() && decode::is_half(item)) {
            self.doubtful.insert(id);
        }
        match removed {
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
        let item = |page: &Value| {
            let mut item = page.as_object().unwrap().clone();
            item.insert("id".to_owned(), json!(id));
            item
        };
        let seen: Vec<bool> = pages.iter().map(|page| told.note(&item(page), mode)).collect();
        assert_eq!(seen, taken);
        assert_eq!(told.doubtful().contains(&id), doubtful);
        assert_eq!(told.gone().any(|one| one == id), gone);
    }
}
