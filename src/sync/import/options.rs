//! How an import is done.

use std::time::Duration;

/// How an import is done.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many absent anchors are looked up at most; the rest wait, linked, for a later import.
    pub look_ups: usize,
    /// How long the source may take in all, look-ups included.
    pub timeout: Duration,
    /// How long after a full read a feed is checked against another.
    pub full_read_every: Duration,
}

impl Options {
    /// Enough for any ordinary day, and a handful of searches.
    pub const LOOK_UPS: usize = 1000;
    /// So many anchors are looked up in one search.
    pub(super) const LOOK_UP_BATCH: usize = 200;
}
