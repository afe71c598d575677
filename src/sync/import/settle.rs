//! What became of those whom a full read did not bring.

use std::time::Duration;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::deadline::Deadline;
use super::options::Options;
use crate::directory::{Anchor, OfNoKind};
use crate::source::{LookUp, Source};
use crate::store::snapshot::RowId;
use crate::words::count;

/// So long an entry must have been missed before another server than the one that told of it may say
/// that it is gone: longer than any replica is behind.
const ANOTHER_SERVER: Duration = Duration::from_hours(24);

/// An entry that a full read did not bring.
#[derive(Clone, Debug)]
pub(super) struct Missing {
    pub(super) row: RowId,
    pub(super) anchor: Anchor,
    /// The DN that it had.
    pub(super) dn: Option<String>,
    /// Which server told of it last.
    pub(super) server: Option<String>,
    /// Since when it is missed, if it was missed before.
    pub(super) since: Option<Timestamp>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// Looked up, and not there.
    Missing,
    /// Looked up, and there: outside what the connector reads.
    Elsewhere,
    /// The source cannot look up.
    CannotLookUp,
    /// Not looked up, or not where it counts.
    NotLookedUp,
}

/// Of whom this became.
pub(super) fn rows(settled: &[(RowId, Absent)], is: impl Fn(Absent) -> bool) -> RoaringBitmap {
    settled.iter().filter(|(_, absent)| is(*absent)).map(|(row, _)| row.0).collect()
}

/// What became of those who did not come.
#[derive(Default)]
pub(super) struct LookUpResult {
    pub(super) absent: Vec<(RowId, Absent)>,
    /// Looked up, and there as entries of no kind.
    pub(super) of_no_kind: Vec<(RowId, OfNoKind)>,
    /// Those who are missing with the entry that they were right below.
    pub(super) orphans: RoaringBitmap,
    /// Whether the source cannot look up.
    pub(super) unprovable: bool,
    /// What people should know about it.
    pub(super) notices: Vec<String>,
}

/// How a look-up went.
enum Answer {
    Came(LookUp),
    /// The source cannot look up.
    Cannot,
    /// It failed, or nobody was asked.
    None,
}

impl Missing {
    fn became(&self, answer: &Answer) -> Absent {
        match answer {
            Answer::Came(answer) if answer.missing.contains(&self.anchor) => Absent::Missing,
            Answer::Came(answer) if answer.found.contains(&self.anchor) => Absent::Elsewhere,
            Answer::Came(_) | Answer::None => Absent::NotLookedUp,
            Answer::Cannot => Absent::CannotLookUp,
        }
    }

    /// What the look-up found it to be, if that is of no kind.
    fn of_no_kind(&self, answer: &Answer) -> Option<OfNoKind> {
        let Answer::Came(answer) = answer else { return None };
        answer.of_no_kind.iter().find(|entry| entry.anchor == self.anchor).cloned()
    }

    /// Whether only another server's word counts: this one may not have heard of the entry yet.
    fn is_strange_to(&self, answer: &Answer, now: Timestamp) -> bool {
        let Answer::Came(LookUp { server: Some(asked), .. }) = answer else { return false };
        let is_over = |since: Timestamp| now.duration_since(since).unsigned_abs() >= ANOTHER_SERVER;
        self.server.as_ref().is_some_and(|told| told != asked) && !self.since.is_some_and(is_over)
    }
}

/// Looks them up, as many as may be.
pub(super) async fn settle<S: Source>(
    source: &S,
    absent: Vec<Missing>,
    look_ups: usize,
    deadline: Deadline,
    now: Timestamp,
) -> LookUpResult {
    let mut settled = LookUpResult::default();
    let LookUpResult { absent: rows, of_no_kind, orphans, unprovable, notices } = &mut settled;
    let (mut asked, mut strange) = (0, 0);
    for chunk in absent.chunks(Options::LOOK_UP_BATCH) {
        let mut answer = if *unprovable { Answer::Cannot } else { Answer::None };
        if notices.is_empty() && asked < look_ups && !*unprovable {
            asked += chunk.len();
            let anchors: Vec<Anchor> = chunk.iter().map(|missing| missing.anchor.clone()).collect();
            let called =
                chunk.iter().filter_map(|missing| Some((missing.anchor.clone(), missing.dn.clone()?)));
            let called = called.collect();
            answer = match deadline.answer(source.look_up(&anchors, &called)).await {
                Ok(Some(answer)) => Answer::Came(answer),
                Ok(None) => {
                    *unprovable = true;
                    Answer::Cannot
                }
                Err(error) => {
                    notices.push(format!(
                        "missing entries could not be looked up, and stay as they are: {error}"
                    ));
                    Answer::None
                }
            };
        }
        for missing in chunk {
            if let Some(entry) = missing.of_no_kind(&answer) {
                of_no_kind.push((missing.row, entry));
                continue;
            }
            if matches!(&answer, Answer::Came(answer) if answer.orphans.contains(&missing.anchor)) {
                orphans.insert(missing.row.0);
            }
            let is_strange = missing.is_strange_to(&answer, now);
            strange += u64::from(is_strange);
            let absent = if is_strange { Absent::NotLookedUp } else { missing.became(&answer) };
            rows.push((missing.row, absent));
        }
    }
    if strange > 0 {
        let missing = count(
            strange,
            "entry that another server reported is missing on this server, which may only be behind; it stays as it is",
            "entries that another server reported are missing on this server, which may only be behind; they stay as \
             they are",
        );
        notices.push(format!("{missing} until the other server answers, or for 24 h"));
    }
    settled
}
