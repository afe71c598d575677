//! The coverage rule: when many entries lose a field in one read, an access right was lost or a
//! filter changed, and what would follow from it is no fact about people. Pure.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use crate::directory::{Entry, Members, Place, fields};
use crate::store::snapshot::{Coverage, RowId, Trip};

/// More than this share of the entries that carried a field trips the rule …
const SHARE_PERCENT: u64 = 10;
/// … and at least so many.
const LEAST: u64 = 5;

/// Whether so many lost are no ordinary day's.
pub(super) fn is_much(lost: u64, of: u64) -> bool {
    lost >= LEAST && lost * 100 > of * SHARE_PERCENT
}

/// What still counts as lost by many, for a policy for which some losses were approved. Of a place nobody may be
/// left out: it is missing or it is not.
pub(crate) fn without(
    tripped: &BTreeMap<String, Trip>,
    accepted: &BTreeMap<String, RoaringBitmap>,
) -> BTreeMap<String, Trip> {
    let left = tripped.iter().filter_map(|(field, trip)| {
        let Some(accepted) = accepted.get(field) else { return Some((field.clone(), trip.clone())) };
        let lost = &trip.lost - accepted;
        let carried = trip.carried - (trip.lost.len() - lost.len());
        let counts = if Place::of(field).is_some() { !lost.is_empty() } else { is_much(lost.len(), carried) };
        counts.then(|| (field.clone(), Trip { carried, lost }))
    });
    left.collect()
}

/// Which rows carry which field, as a read goes on.
#[derive(Debug, Default)]
pub(super) struct Carried {
    by: BTreeMap<String, RoaringBitmap>,
    /// Groups that did not come, and of whose members it was told whether there are any.
    listed: RoaringBitmap,
}

impl Carried {
    /// Notes what the entry carries now.
    pub(super) fn note(&mut self, row: RowId, entry: &Entry) {
        for field in entry.fields.keys() {
            self.set(field, row);
        }
        for name in entry.attributes.keys() {
            self.set(&format!("attributes.{name}"), row);
        }
        if matches!(&entry.members, Members::Complete(members) | Members::Partial(members, _) if !members.is_empty())
        {
            self.set(fields::MEMBERS, row);
        }
    }

    /// Notes whether the group has members now, after something was told of them.
    pub(super) fn list(&mut self, row: RowId, has_members: bool) {
        self.listed.insert(row.0);
        if has_members {
            self.set(fields::MEMBERS, row);
        } else if let Some(rows) = self.by.get_mut(fields::MEMBERS) {
            rows.remove(row.0);
        }
    }

    fn set(&mut self, field: &str, row: RowId) {
        match self.by.get_mut(field) {
            Some(rows) => {
                rows.insert(row.0);
            }
            None => {
                self.by.insert(field.to_owned(), RoaringBitmap::from_iter([row.0]));
            }
        }
    }

    /// Judges a read. `read` are the rows whose entries came and were understood; all others carry
    /// what they carried before. `there` are all rows that count as present.
    pub(super) fn judge(
        mut self,
        before: &BTreeMap<String, Coverage>,
        read: &RoaringBitmap,
        there: &RoaringBitmap,
    ) -> BTreeMap<String, Coverage> {
        let mut after = BTreeMap::new();
        for (field, coverage) in before.iter().filter(|(field, _)| Place::of(field).is_none()) {
            let mut rest = &coverage.current - read;
            if field == fields::MEMBERS {
                rest -= &self.listed;
            }
            let now = self.by.remove(field).unwrap_or_default() | rest;
            let baseline = watched(coverage, &now, there);
            let carried = &baseline & there;
            let lost = &carried - &now;
            // An export without that attribute, or an account that may not see it: nobody's account is known to be disabled by design.
            let is_hidden = field == fields::MAILBOX && !lost.is_empty() && now.is_disjoint(there);
            let tripped = is_hidden || is_much(lost.len(), carried.len());
            let judged = if tripped {
                Coverage { baseline, current: now, tripped: carried.len(), lost }
            } else {
                Coverage { baseline: now.clone(), current: now, ..Coverage::default() }
            };
            after.insert(field.clone(), judged);
        }
        for (field, now) in self.by {
            after.insert(field, Coverage { baseline: now.clone(), current: now, ..Coverage::default() });
        }
        after
    }
}

/// Who is expected to carry a field. While the rule is tripped the baseline stands; who carries the field since, and loses it as
/// one of many in this read, is expected to carry it too.
fn watched(coverage: &Coverage, now: &RoaringBitmap, there: &RoaringBitmap) -> RoaringBitmap {
    let since = &coverage.current & there;
    let lost = &since - now;
    if coverage.tripped > 0 && is_much(lost.len(), since.len()) {
        &coverage.baseline | &coverage.current
    } else {
        coverage.baseline.clone()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn rows(range: std::ops::Range<u32>) -> RoaringBitmap {
        range.collect()
    }

    fn before(carried: u32) -> BTreeMap<String, Coverage> {
        let carried = rows(0..carried);
        let coverage = Coverage { baseline: carried.clone(), current: carried, ..Coverage::default() };
        BTreeMap::from([("mail".to_owned(), coverage)])
    }

    fn of(by: BTreeMap<String, RoaringBitmap>) -> Carried {
        Carried { by, ..Carried::default() }
    }

    fn now(carried: u32) -> Carried {
        of(BTreeMap::from([("mail".to_owned(), rows(0..carried))]))
    }

    #[rstest]
    #[case(100, 90, 0)]
    #[case(100, 89, 11)]
    #[case(20, 16, 0)]
    #[case(20, 15, 5)]
    #[case(100, 0, 100)]
    fn trips_above_ten_percent_and_from_five_on(#[case] carried: u32, #[case] left: u32, #[case] lost: u64) {
        let all = rows(0..carried);
        let judged = now(left).judge(&before(carried), &all, &all);
        assert_eq!(judged["mail"].lost.len(), lost);
        assert_eq!(judged["mail"].tripped > 0, lost > 0);
        let expected = if lost > 0 { carried } else { left };
        assert_eq!(
            judged["mail"].baseline,
            rows(0..expected),
            "the baseline moves only with a read that did not trip"
        );
    }

    /// What kind of mailbox somebody has says whether their disabled account means anything.
    #[rstest]
    #[case::all(fields::MAILBOX, 3, 0, 3)]
    #[case::the_only_one(fields::MAILBOX, 1, 0, 1)]
    #[case::not_all(fields::MAILBOX, 3, 1, 0)]
    #[case::of_another_field(fields::TITLE, 3, 0, 0)]
    fn kinds_of_mailboxes_that_vanish_together_are_hidden(
        #[case] field: &str,
        #[case] carried: u32,
        #[case] left: u32,
        #[case] lost: u64,
    ) {
        let by = |rows: RoaringBitmap| BTreeMap::from([(field.to_owned(), rows)]);
        let coverage = before(carried).remove("mail").unwrap();
        let judged = of(by(rows(0..left))).judge(
            &BTreeMap::from([(field.to_owned(), coverage)]),
            &rows(0..carried),
            &rows(0..carried),
        );
        assert_eq!((judged[field].lost.len(), judged[field].tripped > 0), (lost, lost > 0));
    }

    #[test]
    fn entries_that_went_or_were_not_read_lost_nothing() {
        let judged = now(0).judge(&before(100), &rows(0..4), &rows(0..4));
        assert_eq!(judged["mail"].tripped, 0);
        let judged = now(0).judge(&before(100), &rows(0..4), &rows(0..100));
        assert_eq!((judged["mail"].tripped, judged["mail"].current.len()), (0, 96));
    }

    /// Of a hundred who carried it fifty lost it, and so many of those losses were approved.
    #[rstest]
    #[case::none(0, Some((100, 50)))]
    #[case::all(50, None)]
    #[case::what_is_left_is_little(46, None)]
    #[case::what_is_left_is_much(40, Some((60, 10)))]
    fn what_was_approved_is_no_loss(#[case] approved: u32, #[case] left: Option<(u64, u64)>) {
        let trip = Trip { carried: 100, lost: rows(0..50) };
        let tripped = BTreeMap::from([("mail".to_owned(), trip)]);
        let accepted = BTreeMap::from([("mail".to_owned(), rows(0..approved))]);
        let left_over = without(&tripped, &accepted);
        assert_eq!(left_over.get("mail").map(|trip| (trip.carried, trip.lost.len())), left);
        let another = BTreeMap::from([("title".to_owned(), rows(0..approved))]);
        assert_eq!(without(&tripped, &another), tripped);
    }

    #[test]
    fn what_a_place_lost_is_no_matter_of_how_many() {
        let field = Place::field(&crate::directory::Dn::parse("ou=ext").unwrap());
        let tripped = BTreeMap::from([(field.clone(), Trip { carried: 3, lost: rows(0..3) })]);
        let left = |accepted: std::ops::Range<u32>| {
            let accepted = BTreeMap::from([(field.clone(), rows(accepted))]);
            without(&tripped, &accepted).get(&field).map_or(0, |trip| trip.lost.len())
        };
        assert_eq!((left(9..10), left(0..2), left(0..3)), (3, 1, 0));
        assert_eq!(without(&tripped, &BTreeMap::new()), tripped);
    }

    /// Fifty of a hundred lost it; a hundred others came after that, and so many of them are left that carry it.
    #[rstest]
    #[case::all(200, 50, 100)]
    #[case::an_ordinary_day(190, 50, 100)]
    #[case::many_lose_it(160, 90, 200)]
    #[case::all_lose_it(100, 150, 200)]
    fn who_carries_it_since_a_loss_is_watched_too(
        #[case] until: u32,
        #[case] lost: u64,
        #[case] carried: u64,
    ) {
        let carrying = |until: u32| of(BTreeMap::from([("mail".to_owned(), rows(0..50) | rows(100..until))]));
        let (few, all) = (rows(0..100), rows(0..200));
        let tripped = now(50).judge(&before(100), &few, &few);
        let grown = carrying(200).judge(&tripped, &all, &all);
        assert_eq!(
            (grown["mail"].lost.len(), grown["mail"].tripped),
            (50, 100),
            "that more have it brings nothing back"
        );
        let judged = carrying(until).judge(&grown, &all, &all);
        assert_eq!((judged["mail"].lost.len(), judged["mail"].tripped), (lost, carried));
        assert!(judged["mail"].lost.is_superset(&rows(50..100)));
    }

    /// What a feed tells of members alone, of groups that did not come.
    #[test]
    fn groups_that_lose_all_members_by_a_feed_lose_them() {
        let all = rows(0..100);
        let carried = || rows(0..50);
        let coverage = Coverage { baseline: carried(), current: carried(), ..Coverage::default() };
        let before = BTreeMap::from([(fields::MEMBERS.to_owned(), coverage)]);
        for (emptied, tripped) in [(5, false), (6, true)] {
            let mut told = Carried::default();
            (0..60).for_each(|row| told.list(RowId(row), row >= emptied));
            let judged = told.judge(&before, &RoaringBitmap::new(), &all);
            assert_eq!(judged[fields::MEMBERS].current, rows(emptied..60));
            assert_eq!(judged[fields::MEMBERS].tripped > 0, tripped);
        }
    }

    #[test]
    fn a_lasting_loss_stays_tripped() {
        let all = rows(0..100);
        let once = now(50).judge(&before(100), &all, &all);
        let twice = now(50).judge(&once, &all, &all);
        assert_eq!(twice["mail"].lost.len(), 50);
        let back = now(100).judge(&twice, &all, &all);
        assert_eq!(back["mail"].tripped, 0);
    }
}
