//! Entries that want the same name, or the same object: of two that want a name, the linked one continues and the
//! newcomer is quarantined; if neither is linked, both are.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::hash::Hash;

use super::candidate::{Candidate, CandidateState, Named};
use super::projection::QuarantineReason;
use crate::directory::Content;
use crate::store::link::Subjects;

pub(super) fn resolve<T: Named>(candidates: &mut [Candidate<T>], known: &Subjects) {
    let wanting = candidates.iter().enumerate().filter_map(|(at, candidate)| match &candidate.finding {
        CandidateState::Keep(kept) => Some((kept.content().name_key(), at)),
        _ => None,
    });
    for (name, all) in several(wanting) {
        let continues = continues(&name, &all, candidates, known);
        let first = continues.and_then(|at| candidates.get(at)).map(Candidate::called);
        let all_of_them = some(&all, |at| candidates.get(at).map(Candidate::called));
        for at in all.into_iter().filter(|at| Some(*at) != continues) {
            let Some(candidate) = candidates.get_mut(at) else { continue };
            let CandidateState::Keep(kept) = &candidate.finding else { continue };
            let name = kept.content().name();
            let how = match &**kept.content() {
                Content::User(_) => "in the directory",
                Content::Group(_) => "in the directory, or with groups.name",
            };
            let message = match &first {
                Some(first) => candidate.at(&format!(
                    "its name {name:?} belongs to {first}, which was there first; give one of them a different name \
                     {how}"
                )),
                None => format!(
                    "{all_of_them} have the same name, {name:?}; give them different names {how}"
                ),
            };
            candidate.finding = CandidateState::Quarantine(QuarantineReason::NameConflict, message);
        }
    }
}

/// Some of these, and how many more there are.
fn some(all: &[usize], called: impl Fn(usize) -> Option<String>) -> String {
    const NAMED: usize = 5;
    let named = all.iter().take(NAMED).filter_map(|at| called(*at)).collect::<Vec<_>>().join(" and ");
    match all.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Two entries that are there and were taken for one person: somebody was relinked to a new entry, and
/// the old one is back. The one that bears the object's name continues.
pub(super) fn part_twins<T: Named>(candidates: &mut [Candidate<T>], known: &Subjects) {
    let kept = candidates.iter().enumerate().filter_map(|(at, candidate)| match &candidate.finding {
        CandidateState::Keep(_) => Some((candidate.subject?, at)),
        _ => None,
    });
    for (subject, all) in several(kept) {
        let name = known.link(subject).map(|link| link.confirmed.name_key());
        let bears = |at: &&usize| match candidates.get(**at).map(|candidate| &candidate.finding) {
            Some(CandidateState::Keep(kept)) => Some(kept.content().name_key()) == name,
            _ => false,
        };
        let Some(continues) = all.iter().find(bears).or(all.first()).copied() else { continue };
        let one = candidates.get(continues).map(|one| one.dn.clone()).unwrap_or_default();
        for at in all.into_iter().filter(|at| *at != continues) {
            if let Some(candidate) = candidates.get_mut(at) {
                let message = format!(
                    "it was linked as the same person as {one}, which appeared with its name when it was gone; remove \
                     one of the two entries from the directory"
                );
                candidate.finding = CandidateState::Quarantine(QuarantineReason::Recreated, message);
                // The object is the other's now.
                candidate.subject = None;
                candidate.linked = false;
            }
        }
    }
}

/// What is there more than once, with all its places: nearly everything is there once, and costs no
/// list.
fn several<K: Clone + Eq + Hash>(all: impl Iterator<Item = (K, usize)>) -> HashMap<K, Vec<usize>> {
    let mut first = HashMap::with_capacity(all.size_hint().1.unwrap_or_default());
    let mut several: HashMap<K, Vec<usize>> = HashMap::new();
    for (key, at) in all {
        match first.entry(key) {
            Slot::Vacant(slot) => drop(slot.insert(at)),
            Slot::Occupied(slot) => {
                several.entry(slot.key().clone()).or_insert_with(|| vec![*slot.get()]).push(at);
            }
        }
    }
    several
}

/// The only linked one; of several linked ones the one that bears the name at the target already.
fn continues<T>(name: &str, all: &[usize], candidates: &[Candidate<T>], known: &Subjects) -> Option<usize> {
    let linked: Vec<usize> = all
        .iter()
        .copied()
        .filter(|at| candidates.get(*at).is_some_and(|candidate| candidate.linked))
        .collect();
    if let [only] = linked.as_slice() {
        return Some(*only);
    }
    let bears = |at: &usize| {
        let link = candidates.get(*at).and_then(|candidate| known.link(candidate.subject?));
        link.is_some_and(|link| link.confirmed.name_key() == name)
    };
    linked.into_iter().find(bears)
}
