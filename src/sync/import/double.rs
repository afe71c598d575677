//! One id on two entries of one read: it says of neither who it is. Or one entry, that was renamed while the read went on:
//! the directory is asked.

use std::collections::{BTreeMap, HashMap};

use super::deadline::Deadline;
use super::options::Options;
use crate::directory::{Anchor, Dn};
use crate::source::{LookUp, Source};
use crate::store::snapshot::RowId;

/// What one is called that the directory says was deleted.
pub(super) const DELETED: &str = "an entry that was deleted";
/// So many entries are named.
const NAMED: usize = 3;
/// Nobody is renamed so often during one read: an id that came with more DNs is that of several entries.
const RENAMES: usize = 8;

/// An id that came with several DNs.
#[derive(Clone, Debug)]
pub(super) struct Double {
    pub(super) row: RowId,
    pub(super) anchor: Anchor,
    /// As they are compared, each as it is spelled.
    dns: BTreeMap<String, String>,
    /// The one that came last.
    last: String,
}

/// What an id that came twice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    /// The id of one entry, which is called as it came last.
    Renamed,
    /// The id of several entries.
    Several,
    /// Nobody could say.
    Unknown,
    /// The id of an entry that did not come, and of a copy that did.
    Left,
}

/// Whether two DNs are of one entry.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    key(one) == key(other)
}

/// A DN as it is compared.
pub(super) fn key(dn: &str) -> String {
    Dn::parse(dn).map_or_else(|_| dn.to_owned(), |dn| dn.as_str().to_owned())
}

impl Double {
    pub(super) fn new(row: RowId, anchor: &Anchor, first: &str) -> Self {
        let mut double = Self { row, anchor: anchor.clone(), dns: BTreeMap::new(), last: String::new() };
        double.add(first);
        double
    }

    pub(super) fn add(&mut self, dn: &str) {
        self.last = key(dn);
        self.dns.insert(self.last.clone(), dn.to_owned());
    }

    /// The entries, by DN.
    pub(super) fn dns(&self) -> impl Iterator<Item = &String> {
        self.dns.values()
    }

    /// Whether it came with more DNs than one entry has during a read.
    pub(super) fn is_of_many(&self) -> bool {
        self.dns.len() > RENAMES
    }

    fn is(&self, called: Option<&Vec<String>>) -> Is {
        match called.map(Vec::as_slice) {
            _ if self.is_of_many() => Is::Several,
            Some([only]) if key(only) == self.last => Is::Renamed,
            Some([_, _, ..]) => Is::Several,
            Some(_) | None => Is::Unknown,
        }
    }

    /// What is wrong with each of them.
    pub(super) fn why(&self, is: Is, attribute: &str) -> String {
        let mut named: Vec<&str> = self.dns().take(NAMED).map(String::as_str).collect();
        let more = self.dns.len().saturating_sub(NAMED);
        let others = format!("{more} more");
        if more > 0 {
            named.push(&others);
        }
        // Of a deleted one its name is not told.
        named.sort_by_key(|name| *name == DELETED);
        let dns = named.join(" and ");
        let Self { anchor, .. } = self;
        match is {
            Is::Renamed | Is::Several => format!(
                "{dns} have the same {attribute} ({anchor}), so it is not known which of them is the former entry, \
                 and what that has stays as it is; give each of them its own, or set anchorAttribute to an attribute \
                 that is unique"
            ),
            Is::Left => format!(
                "{dns} had the same {attribute} ({anchor}) in a read before this one, as another entry, which is gone: so it is \
                 not known whether it is the same entry now, and what that had stays as it is; give it its own {attribute}, \
                 or, if it is the same, the former login name, address or DN until it has been read once"
            ),
            Is::Unknown => format!(
                "{dns} have the same {attribute} ({anchor}), unless they are one entry that was renamed during the \
                 read, which the directory did not report; what it has stays as it is until the next read; if they \
                 are several entries, give each of them its own"
            ),
        }
    }
}

/// Asks what they are; a source that cannot look up does not rename while it is read.
pub(super) async fn ask<S: Source>(
    source: &S,
    doubles: Vec<Double>,
    look_ups: usize,
    deadline: Deadline,
) -> Vec<(Double, Is)> {
    let mut told = Vec::with_capacity(doubles.len());
    for (at, some) in doubles.chunks(Options::LOOK_UP_BATCH).enumerate() {
        let anchors: Vec<Anchor> = some.iter().map(|double| double.anchor.clone()).collect();
        let answer = if at * Options::LOOK_UP_BATCH < look_ups {
            deadline.answer(source.look_up(&anchors, &HashMap::new())).await
        } else {
            Ok(Some(LookUp::default()))
        };
        for double in some {
            let is = match &answer {
                Ok(Some(answer)) => double.is(answer.called.get(&double.anchor)),
                Ok(None) => Is::Several,
                Err(_) => Is::Unknown,
            };
            told.push((double.clone(), is));
        }
    }
    told
}

/// What people should know about them.
pub(super) fn notice(how_many: usize) -> String {
    let (ids, are) = if how_many == 1 { ("id", "is") } else { ("ids", "are") };
    format!(
        "{how_many} {ids} {are} used by several entries; these are exceptions and stay as they are, and everything is \
         read each time as long as that lasts"
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::one_as_last(Some(vec!["CN=b,dc=d"]), Is::Renamed)]
    #[case::one_as_first(Some(vec!["cn=a,dc=d"]), Is::Unknown)]
    #[case::two(Some(vec!["cn=a,dc=d", "cn=b,dc=d"]), Is::Several)]
    #[case::no_answer(None, Is::Unknown)]
    #[case::gone(Some(vec![]), Is::Unknown)]
    fn the_directory_says_what_it_is(#[case] called: Option<Vec<&str>>, #[case] expected: Is) {
        let mut double = Double::new(RowId(1), &Anchor::new("7"), "cn=a,dc=d");
        double.add("cn=b,dc=d");
        let called = called.map(|dns| dns.into_iter().map(str::to_owned).collect());
        assert_eq!(double.is(called.as_ref()), expected);
    }

    #[test]
    fn each_is_named_and_of_very_many_the_first() {
        let mut double = Double::new(RowId(1), &Anchor::new("7"), "cn=a");
        for dn in ["cn=b", "cn=c", "cn=d", "CN=D", "cn=e"] {
            double.add(dn);
        }
        let why = double.why(Is::Several, "employeeNumber");
        assert!(
            why.starts_with("cn=a and cn=b and cn=c and 2 more have the same employeeNumber (7)"),
            "{why}"
        );
    }
}
