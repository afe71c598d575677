//! The replication progress of a server. OpenLDAP shows it for each server on which changes are made (`contextCSN`): a
//! server with a lower value than was seen before is behind. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::time::time;

/// When a server's latest change is so much later than the changes that it lacks, it will never get them: it was restored, or the
/// other server was removed.
const NO_MORE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The last known change, by naming context and by the server on which it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress(BTreeMap<String, BTreeMap<String, String>>);

impl Progress {
    /// As it is kept.
    pub(super) fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// To be kept; `None` if there is none.
    pub(super) fn text(&self) -> Option<String> {
        if self.0.is_empty() { None } else { serde_json::to_string(self).ok() }
    }

    /// Notes one number: time, count, server and modification, with `#` between them.
    pub(super) fn note(&mut self, context: &str, number: &str) {
        let Some(server) = number.split('#').nth(2) else { return };
        let heard = self.0.entry(context.to_owned()).or_default().entry(server.to_owned()).or_default();
        if number > heard.as_str() {
            number.clone_into(heard);
        }
    }

    /// What either of them knows.
    pub(super) fn and(mut self, other: &Self) -> Self {
        for (context, heard) in &other.0 {
            for number in heard.values() {
                self.note(context, number);
            }
        }
        self
    }

    /// Whether it knows less than was `heard` before.
    pub(super) fn is_behind(&self, heard: &Self) -> bool {
        heard.0.iter().any(|(context, before)| {
            let now = self.0.get(context);
            let last = now.into_iter().flat_map(BTreeMap::values).filter_map(|number| at(number)).max();
            before.iter().any(|(server, before)| {
                let has_it = now.and_then(|now| now.get(server)).is_some_and(|now| now >= before);
                let is_no_more =
                    last.zip(at(before)).is_some_and(|(last, it)| last.duration_since(it) > NO_MORE);
                !has_it && !is_no_more
            })
        })
    }
}

/// When a change was made.
fn at(number: &str) -> Option<Timestamp> {
    time(number.split('#').next()?)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ONE: &str = "20261103101500.000001Z#000000#001#000000";
    const ONE_LATER: &str = "20261103101500.000002Z#000000#001#000000";
    const TWO: &str = "20261103090000.000000Z#000000#002#000000";
    const TWO_NEXT_DAY: &str = "20261104090000.000000Z#000000#002#000000";
    const TWO_MUCH_LATER: &str = "20261117090000.000000Z#000000#002#000000";

    fn heard(numbers: &[&str]) -> Progress {
        let mut progress = Progress::default();
        for number in numbers {
            progress.note("dc=corp,dc=example", number);
        }
        progress
    }

    #[rstest]
    #[case::nothing_was_heard_before(&[], &[], false)]
    #[case::the_same(&[ONE, TWO], &[TWO, ONE], false)]
    #[case::more(&[ONE], &[ONE_LATER, TWO], false)]
    #[case::less(&[ONE_LATER], &[ONE], true)]
    #[case::less_of_one_and_more_of_another(&[ONE_LATER, TWO], &[ONE, TWO_NEXT_DAY], true)]
    #[case::nothing_of_one(&[ONE, TWO], &[ONE], true)]
    #[case::nothing_at_all(&[ONE], &[], true)]
    #[case::of_one_that_is_no_more(&[ONE, TWO], &[TWO_MUCH_LATER], false)]
    fn a_server_that_has_heard_less_is_behind(
        #[case] before: &[&str],
        #[case] now: &[&str],
        #[case] behind: bool,
    ) {
        assert_eq!(heard(now).is_behind(&heard(before)), behind);
    }

    #[test]
    fn it_is_kept_as_it_is() {
        let progress = heard(&[ONE, TWO, "no number"]);
        assert_eq!(Progress::parse(&progress.text().unwrap()), progress);
        assert_eq!(heard(&[ONE]).and(&heard(&[ONE_LATER, TWO])), heard(&[ONE_LATER, TWO]));
        assert_eq!((heard(&[]).text(), Progress::parse("?")), (None, Progress::default()));
    }
}
