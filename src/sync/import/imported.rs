//! What an import did.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::store::snapshot::SnapshotInfo;

/// What an import did.
#[derive(Clone, Debug)]
pub struct Imported {
    /// What is known of the snapshot now.
    pub info: SnapshotInfo,
    /// Whether this was the connector's first.
    pub first: bool,
    /// New or changed entries.
    pub changed: u64,
    /// Entries that are gone since this import.
    pub removed: u64,
    /// Entries that could not be understood.
    pub unreadable: u64,
    /// Entries that are missing and were not looked up.
    pub unsettled: u64,
    /// Entries whose change this full read found and the feed had not told of.
    pub missed: u64,
    /// Fields that were asked for and that nobody who is there carries, as the coverage rule calls them.
    pub bare: BTreeSet<String>,
    /// When the certificate that the server proved itself with ends.
    pub certificate_ends_at: Option<Timestamp>,
    /// How far the server's clock is ahead of ours.
    pub skew: Option<SignedDuration>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was sealed.
    pub finished_at: Timestamp,
}
