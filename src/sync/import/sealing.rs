//! What an intake needs to become a snapshot.

use std::collections::HashSet;

use super::double::{Double, Is};
use super::settle::LookUpResult;
use jiff::Timestamp;

use crate::directory::{Anchor, Completion};
use crate::source::SourceError;

/// What an intake needs to become a snapshot.
pub(super) struct Sealing {
    pub(super) completion: Completion,
    pub(super) settled: LookUpResult,
    pub(super) doubles: Vec<(Double, Is)>,
    /// Of whom the feed told since the cursor, or why it could not, where this read checks it.
    pub(super) told: Option<Result<Told, SourceError>>,
    /// When the read ended.
    pub(super) read_at: Timestamp,
    pub(super) finished_at: Timestamp,
}

/// Of whom a feed told.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) of: HashSet<Anchor>,
    /// Who is there as they were, if it listed all: of who is missing that tells too.
    pub(super) listed: Option<HashSet<Anchor>>,
}

impl Told {
    pub(super) fn is_of(&self, anchor: &Anchor) -> bool {
        self.of.contains(anchor) || self.listed.as_ref().is_some_and(|listed| !listed.contains(anchor))
    }
}
