//! Whether many were missing at once. A directory says nothing of whom it hides, so they may only be out of sight; and
//! nothing of whom it shows again, so for a day everything is read each time. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::coverage;
use crate::store::snapshot::Shrunk;

/// So long a loss is looked at anew with each read.
const FOR: Duration = Duration::from_hours(24);

/// Judges a read of everything that brought `now` entries, where there were `last` before it.
pub(super) fn judge(before: Option<Shrunk>, last: u64, now: u64, at: Timestamp) -> Option<Shrunk> {
    let is_over = |shrunk: &Shrunk| at.duration_since(shrunk.since).unsigned_abs() >= FOR;
    let (since, from) = match before {
        Some(shrunk) if is_over(&shrunk) => return None,
        Some(shrunk) => (shrunk.since, shrunk.from),
        None => (at, last),
    };
    coverage::is_much(from.saturating_sub(now), from).then_some(Shrunk { since, from })
}

/// Whether a file that shows no end may have been cut: far fewer came than the `before` who were there.
pub(super) fn is_cut(before: u64, came: u64) -> bool {
    coverage::is_much(before.saturating_sub(came), before)
}

/// Whether another directory is read, where its identity does not say so: of the `before` who were there none came, or under half;
/// and those who were looked up do not show that it is the same, of whom so many were found `elsewhere` and so many are `gone`.
pub(super) fn is_another(before: u64, came: u64, elsewhere: u64, gone: u64) -> bool {
    let there = came + elsewhere;
    let are_few = came * 2 < before && is_cut(before, came);
    before > 0 && (there == 0 || (are_few && (elsewhere == 0 || there < gone)))
}

/// What is wrong with such a file.
pub(super) const CUT: &str = "far fewer entries came than before, and the file does not prove its end (`# \
                              numEntries`), so it may have been cut: missing entries stay as they are until a file \
                              has them or proves its end; export it again without -L, -LL or -LLL, or write the count \
                              of its entries at its end";

/// What to say of it.
pub(super) fn notice(Shrunk { since, from }: &Shrunk) -> String {
    format!(
        "far fewer entries came than before ({from} until {since:.0}); if they exist, let the account that reads or exports \
         see them. For a day everything is read each time, so that they are noticed as soon as they are back"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(hours: u64) -> Timestamp {
        "2026-11-26T00:00:00Z".parse::<Timestamp>().unwrap() + Duration::from_hours(hours)
    }

    #[test]
    fn a_loss_lasts_until_they_are_back_or_for_a_day() {
        let lost = judge(None, 100, 50, hours(0));
        assert_eq!(lost, Some(Shrunk { since: hours(0), from: 100 }));
        assert_eq!(judge(lost, 50, 50, hours(23)), lost);
        assert_eq!(judge(lost, 50, 60, hours(23)), lost, "a few came back");
        assert_eq!(judge(lost, 50, 95, hours(1)), None);
        assert_eq!(judge(lost, 50, 50, hours(24)), None);
    }

    #[test]
    fn a_file_without_an_end_that_lost_many_may_have_been_cut() {
        assert!(is_cut(6, 1));
        assert!(is_cut(100, 89));
        assert!(!is_cut(6, 5));
        assert!(!is_cut(100, 90));
        assert!(!is_cut(10, 12));
    }

    #[test]
    fn a_directory_that_shows_hardly_any_of_those_before_is_another() {
        assert!(is_another(1, 0, 0, 0) && is_another(1000, 0, 0, 50), "none is there");
        assert!(is_another(1000, 499, 0, 50) && is_another(1000, 10, 3, 47), "hardly any is there");
        assert!(!is_another(1000, 500, 0, 500), "half of them are there");
        assert!(
            !is_another(1000, 0, 50, 0) && !is_another(1000, 300, 40, 10),
            "they are there, and not read"
        );
        assert!(!is_another(0, 0, 0, 0) && !is_another(5, 2, 0, 3), "too few to tell");
    }

    #[test]
    fn a_few_leavers_are_no_loss() {
        assert_eq!(judge(None, 100, 90, hours(0)), None);
        assert_eq!(judge(None, 10, 6, hours(0)), None);
        assert_eq!(judge(None, 100, 120, hours(0)), None);
    }
}
