//! The projection of one entry by itself.

use std::sync::Arc;

use super::projection::{LeftOut, QuarantineReason, User};
use crate::directory::{Anchor, Content, DirectoryId, Evidence, SubjectId};
use crate::store::link::Link;
use crate::store::snapshot::{Row, RowId, SnapshotInfo};

/// What an entry comes to, before it is compared with others.
pub(super) enum CandidateState<T> {
    /// In scope.
    Keep(T),
    /// Left out on purpose.
    Out(LeftOut),
    /// Cannot be projected.
    Quarantine(QuarantineReason, String),
    /// Missing, and not looked up.
    Unsettled,
    /// Gone.
    Gone(Evidence),
}

/// An entry that is known to the policy or might come to be.
pub(super) struct Candidate<T> {
    pub(super) row: RowId,
    pub(super) directory: DirectoryId,
    pub(super) anchor: Anchor,
    pub(super) dn: String,
    /// Where it is in its source, if it says so.
    place: Option<Box<str>>,
    pub(super) subject: Option<SubjectId>,
    pub(super) linked: bool,
    pub(super) finding: CandidateState<T>,
}

/// What has a unique name at the target.
pub(super) trait Named {
    fn content(&self) -> &Arc<Content>;
    fn content_mut(&mut self) -> &mut Arc<Content>;
}

impl Named for User {
    fn content(&self) -> &Arc<Content> {
        &self.content
    }

    fn content_mut(&mut self) -> &mut Arc<Content> {
        &mut self.content
    }
}

impl Named for Arc<Content> {
    fn content(&self) -> &Arc<Content> {
        self
    }

    fn content_mut(&mut self) -> &mut Arc<Content> {
        self
    }
}

impl<T: Named> CandidateState<T> {
    /// What is as it was confirmed need not be in memory twice.
    pub(super) fn sharing(mut self, link: Option<&Link>) -> Self {
        if let (Self::Keep(kept), Some(link)) = (&mut self, link)
            && *kept.content() == link.confirmed
        {
            kept.content_mut().clone_from(&link.confirmed);
        }
        self
    }
}

impl<T> Candidate<T> {
    /// `None` for an entry that is of no concern: not known, and not to be.
    pub(super) fn new(
        row: Row,
        info: &SnapshotInfo,
        subject: Option<SubjectId>,
        linked: bool,
        finding: CandidateState<T>,
    ) -> Option<Self> {
        if subject.is_none() && !matches!(finding, CandidateState::Keep(_) | CandidateState::Quarantine(..)) {
            return None;
        }
        let directory = info.directory.clone();
        let place = row.entry.place.map(String::into_boxed_str);
        let finding = match (finding, &place) {
            // Of one that could not be read, that is said.
            (CandidateState::Quarantine(reason, why), Some(place))
                if reason != QuarantineReason::Unreadable =>
            {
                CandidateState::Quarantine(reason, format!("{why} ({place})"))
            }
            (finding, _) => finding,
        };
        Some(Self {
            row: row.id,
            directory,
            anchor: row.entry.anchor,
            dn: row.entry.dn,
            place,
            subject,
            linked,
            finding,
        })
    }

    /// Which entry it is, and where.
    pub(super) fn called(&self) -> String {
        self.place.as_ref().map_or_else(|| self.dn.clone(), |place| format!("{} ({place})", self.dn))
    }

    /// What is wrong with it, with the place.
    pub(super) fn at(&self, why: &str) -> String {
        self.place.as_ref().map_or_else(|| why.to_owned(), |place| format!("{why} ({place})"))
    }
}
