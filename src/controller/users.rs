//! Who uses what: which policies a connector has, and which of both refer to a Secret or ConfigMap.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::watched::WatchedKind;
use crate::spec::Name;
use crate::spec::reference::Reference;

/// An object of some kind.
pub(super) type One = (WatchedKind, Name);

/// Who uses what, as the watches told last.
#[derive(Default)]
pub(super) struct Users(Mutex<Both>);

#[derive(Default)]
struct Both {
    used: HashMap<One, Box<[One]>>,
    /// In order. There are few of most, and thousands of these.
    users: HashMap<One, Vec<One>>,
}

impl Users {
    /// From now on `who` uses what `look` finds, and nothing else. Nobody else says so meanwhile: of two who do, the later one
    /// has looked later.
    pub(super) fn set(&self, who: &One, look: impl FnOnce() -> BTreeSet<One>) {
        let both = &mut *self.both();
        for one in both.used.remove(who).into_iter().flatten() {
            if let Some(users) = both.users.get_mut(&one) {
                users.retain(|user| user != who);
                if users.is_empty() {
                    both.users.remove(&one);
                }
            }
        }
        let used = look();
        if used.is_empty() {
            return;
        }
        for one in &used {
            let users = both.users.entry(one.clone()).or_default();
            if let Err(at) = users.binary_search(who) {
                users.reserve_exact(1);
                users.insert(at, who.clone());
            }
        }
        both.used.insert(who.clone(), used.into_iter().collect());
    }

    /// Who uses this one.
    pub(super) fn of(&self, used: &One) -> Vec<One> {
        self.both().users.get(used).into_iter().flatten().cloned().collect()
    }

    fn both(&self) -> MutexGuard<'_, Both> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The kind of what a reference names.
pub(super) fn watched(reference: &Reference) -> WatchedKind {
    match reference {
        Reference::Secret(_) => WatchedKind::Secret,
        Reference::ConfigMap(_) => WatchedKind::ConfigMap,
    }
}

/// What an object uses, by what it refers to.
pub(super) fn referred(by: &Name, references: BTreeSet<Reference>) -> impl Iterator<Item = One> {
    references.into_iter().map(|reference| (watched(&reference), by.beside(reference.name())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_uses_another_one_does_not_use_the_one_before() {
        let one = |kind, name| (kind, Name::new("ns", name));
        let (staff, guests) = (one(WatchedKind::Policy, "staff"), one(WatchedKind::Policy, "guests"));
        let (corp, token) = (one(WatchedKind::Connector, "corp"), one(WatchedKind::Secret, "corp"));
        let users = Users::default();
        users.set(&staff, || [corp.clone(), token.clone()].into());
        users.set(&guests, || [corp.clone()].into());
        let of = |one| users.of(one).into_iter().map(|(_, name)| name.name).collect::<Vec<_>>().join(" ");
        assert_eq!((of(&corp), of(&token)), ("guests staff".to_owned(), "staff".to_owned()));
        users.set(&staff, || [token.clone()].into());
        assert_eq!((of(&corp), of(&token)), ("guests".to_owned(), "staff".to_owned()));
        users.set(&staff, BTreeSet::new);
        users.set(&guests, BTreeSet::new);
        assert_eq!((of(&corp), of(&token)), (String::new(), String::new()));
        let both = users.both();
        assert!(both.used.is_empty() && both.users.is_empty(), "nothing is left of whoever is gone");
    }
}
