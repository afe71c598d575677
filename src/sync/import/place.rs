//! Places from which everybody is missing at once. A server that a proxy does not reach, or a right that was lost, looks
//! so even to who looks each of them up; the place itself is missing too, or is empty all of a sudden. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use roaring::RoaringBitmap;

use crate::directory::{Dn, EntryKind};
use crate::store::snapshot::RowId;

/// So many people …
const PEOPLE: u64 = 2;
/// … or entries of any kind that leave one place, and nobody in it, are no ordinary day's.
const ENTRIES: u64 = 3;

/// The entries of no kind that a read brought, among them the places that have an entry of their own, by the hash of their DN.
#[derive(Debug, Default)]
pub(super) struct Holders(HashSet<u64>);

impl Holders {
    pub(super) fn note(&mut self, dn: &str) {
        if let Ok(dn) = Dn::parse(dn) {
            self.0.insert(hash(dn.as_str()));
        }
    }

    /// Whether the place right above has no entry of its own, where a place above that has one: a read that brings places
    /// brings this one no more.
    pub(super) fn lack_place_of(&self, dn: &str) -> bool {
        let Ok(dn) = Dn::parse(dn) else { return false };
        let mut places = dn.ancestors().map(|place| self.0.contains(&hash(place)));
        places.next() == Some(false) && places.any(|is_there| is_there)
    }
}

fn hash(dn: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    dn.hash(&mut hasher);
    hasher.finish()
}

/// The places of those who are missing, by the hash of their DN: most are of no account, and a DN may have many and long ones.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<u64, Lost>);

/// What a place lost.
#[derive(Debug, Default)]
struct Lost {
    /// Its DN, once it is of account.
    dn: String,
    rows: RoaringBitmap,
    people: u64,
    /// Those who were in it and are elsewhere now.
    moved: u64,
    /// Whether its own entry is missing too.
    is_missing: bool,
}

impl Places {
    /// Of those who are missing, as far as they are many, or the place itself is missing: `orphans` are those of whom the entry
    /// right above them is.
    pub(super) fn of<'m>(
        missing: impl Iterator<Item = (RowId, EntryKind, &'m str)> + Clone,
        orphans: &RoaringBitmap,
    ) -> Self {
        let mut places: HashMap<u64, Lost> = HashMap::new();
        for (row, kind, dn) in missing.clone() {
            let Ok(dn) = Dn::parse(dn) else { continue };
            for (above, place) in dn.ancestors().enumerate() {
                let lost = places.entry(hash(place)).or_default();
                lost.rows.insert(row.0);
                lost.people += u64::from(kind != EntryKind::Group);
                lost.is_missing |= above == 0 && orphans.contains(row.0);
            }
        }
        places.retain(|_, lost| lost.is_missing || lost.people >= PEOPLE || lost.rows.len() >= ENTRIES);
        for dn in missing.filter_map(|(_, _, dn)| Dn::parse(dn).ok()) {
            for place in dn.ancestors() {
                if let Some(lost) = places.get_mut(&hash(place)).filter(|lost| lost.dn.is_empty()) {
                    place.clone_into(&mut lost.dn);
                }
            }
        }
        Self(places)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Somebody is there.
    pub(super) fn there(&mut self, dn: &str) {
        let Ok(dn) = Dn::parse(dn) else { return };
        for place in std::iter::once(dn.as_str()).chain(dn.ancestors()) {
            self.0.remove(&hash(place));
        }
    }

    /// Somebody who was there is elsewhere.
    pub(super) fn moved(&mut self, from: &str) {
        let Ok(from) = Dn::parse(from) else { return };
        for place in from.ancestors() {
            if let Some(lost) = self.0.get_mut(&hash(place)) {
                lost.moved += 1;
            }
        }
    }

    /// Those that vanished, each with whom it lost; of places within each other the outermost. A place from which most
    /// have moved was given up.
    pub(super) fn vanished(mut self) -> BTreeMap<Dn, RoaringBitmap> {
        self.0.retain(|_, lost| lost.moved < lost.rows.len());
        let outermost = self.0.values().filter_map(|lost| {
            let place = Dn::parse(&lost.dn).ok()?;
            let is_within_another = place.ancestors().any(|outer| self.0.contains_key(&hash(outer)));
            (!is_within_another).then(|| (place, lost.rows.clone()))
        });
        outermost.collect()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The places that vanish when these are missing (groups begin with `cn`), those are there and those moved.
    fn vanished(missing: &[&str], there: &[&str], moved: &[&str]) -> Vec<(String, u64)> {
        vanished_with(missing, there, moved, &RoaringBitmap::new())
    }

    /// The same, where the entry right above these is missing.
    fn vanished_with(
        missing: &[&str],
        there: &[&str],
        moved: &[&str],
        orphans: &RoaringBitmap,
    ) -> Vec<(String, u64)> {
        let kind = |dn: &str| if dn.starts_with("cn") { EntryKind::Group } else { EntryKind::User };
        let rows = (0..).map(RowId).zip(missing).map(|(row, dn)| (row, kind(dn), *dn));
        let mut places = Places::of(rows, orphans);
        for dn in there {
            places.there(dn);
        }
        for dn in moved {
            places.moved(dn);
        }
        places.vanished().into_iter().map(|(dn, rows)| (dn.to_string(), rows.len())).collect()
    }

    #[rstest]
    #[case::two_people(&["uid=a,ou=x,dc=d", "uid=b,OU=X,dc=d"], &["uid=c,dc=d"], &[("ou=x,dc=d", 2)])]
    #[case::one_leaves(&["uid=a,ou=x,dc=d"], &["uid=c,dc=d"], &[])]
    #[case::one_and_their_group(&["uid=a,ou=x,dc=d", "cn=a,ou=x,dc=d"], &["uid=c,dc=d"], &[])]
    #[case::three_groups(&["cn=a,ou=x,dc=d", "cn=b,ou=x,dc=d", "cn=c,ou=x,dc=d"], &["uid=c,dc=d"], &[("ou=x,dc=d", 3)])]
    #[case::somebody_stays(&["uid=a,ou=x,dc=d", "uid=b,ou=x,dc=d"], &["uid=c,ou=X,dc=d"], &[])]
    #[case::the_place_is_an_entry(&["uid=a,cn=x,dc=d", "uid=b,cn=x,dc=d"], &["cn=x,dc=d"], &[])]
    #[case::outermost(&["uid=a,ou=x,ou=y,dc=d", "uid=b,ou=z,ou=y,dc=d"], &["uid=c,dc=d"], &[("ou=y,dc=d", 2)])]
    #[case::innermost_that_is_empty(&["uid=a,ou=x,ou=y,dc=d", "uid=b,ou=x,ou=y,dc=d"], &["uid=c,ou=y,dc=d"], &[("ou=x,ou=y,dc=d", 2)])]
    #[case::beside_a_leaver(&["uid=a,ou=x,dc=d", "uid=b,ou=x,dc=d", "uid=c,ou=y,dc=d"], &["uid=d,ou=y,dc=d"], &[("ou=x,dc=d", 2)])]
    #[case::two_places(&["uid=a,ou=x,dc=d", "uid=b,ou=x,dc=d", "uid=a,ou=y,dc=d", "uid=b,ou=y,dc=d"], &["uid=d,dc=d"], &[("ou=x,dc=d", 2), ("ou=y,dc=d", 2)])]
    fn a_place_vanishes_when_nobody_of_several_is_left(
        #[case] missing: &[&str],
        #[case] there: &[&str],
        #[case] expected: &[(&str, u64)],
    ) {
        let expected: Vec<(String, u64)> =
            expected.iter().map(|(dn, lost)| ((*dn).to_owned(), *lost)).collect();
        assert_eq!(vanished(missing, there, &[]), expected);
    }

    #[rstest]
    #[case::one_person(&["uid=a,ou=x,dc=d"], &["uid=c,dc=d"], &[], &[("ou=x,dc=d", 1)])]
    #[case::one_and_their_group(&["uid=a,ou=x,dc=d", "cn=a,ou=x,dc=d"], &["uid=c,dc=d"], &[], &[("ou=x,dc=d", 2)])]
    #[case::two_groups(&["cn=a,ou=x,dc=d", "cn=b,ou=x,dc=d"], &["uid=c,dc=d"], &[], &[("ou=x,dc=d", 2)])]
    #[case::within_another(&["uid=a,ou=x,ou=y,dc=d"], &["uid=c,ou=y,dc=d"], &[], &[("ou=x,ou=y,dc=d", 1)])]
    #[case::with_what_is_below(&["uid=a,ou=x,dc=d", "cn=b,ou=y,ou=x,dc=d"], &["uid=c,dc=d"], &[], &[("ou=x,dc=d", 2)])]
    #[case::the_other_stays(&["uid=a,ou=x,dc=d"], &["uid=c,ou=x,dc=d"], &[], &[])]
    #[case::moved(&["uid=a,ou=x,dc=d"], &["uid=c,ou=y,dc=d"], &["uid=c,ou=x,dc=d"], &[])]
    fn a_place_of_which_the_entry_is_missing_vanishes_with_one(
        #[case] missing: &[&str],
        #[case] there: &[&str],
        #[case] moved: &[&str],
        #[case] expected: &[(&str, u64)],
    ) {
        let orphans = (0..u32::try_from(missing.len()).unwrap()).collect();
        let expected: Vec<(String, u64)> =
            expected.iter().map(|(dn, lost)| ((*dn).to_owned(), *lost)).collect();
        assert_eq!(vanished_with(missing, there, moved, &orphans), expected);
    }

    #[rstest]
    #[case::its_place_is_there(&["dc=d", "OU=X, dc=d"], false)]
    #[case::its_place_is_not(&["dc=d", "ou=y,dc=d"], true)]
    #[case::neither_is_the_one_above(&["dc=d"], true)]
    #[case::no_place_is_ever(&["cn=printer,ou=z,dc=d"], false)]
    #[case::nothing(&[], false)]
    fn a_place_is_missing_where_others_come(#[case] came: &[&str], #[case] is_missing: bool) {
        let mut holders = Holders::default();
        for dn in came {
            holders.note(dn);
        }
        assert_eq!(holders.lack_place_of("uid=a,ou=x,dc=d"), is_missing);
    }

    #[test]
    fn a_place_from_which_most_have_moved_was_given_up() {
        let (missing, there) = (["uid=a,ou=x,dc=d", "uid=b,ou=x,dc=d"], ["uid=c,ou=y,dc=d"]);
        assert_eq!(vanished(&missing, &there, &["uid=c,ou=x,dc=d"]).len(), 1);
        assert_eq!(vanished(&missing, &there, &["uid=c,ou=x,dc=d", "uid=d,ou=x,dc=d"]), []);
    }
}
