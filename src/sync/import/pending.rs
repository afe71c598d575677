//! Versions that wait to be written.

use roaring::RoaringBitmap;

use crate::store::snapshot::{RowId, Version};

/// Versions to write in one transaction.
const BATCH: usize = 4000;

/// Versions that wait to be written in one transaction, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Pending {
    versions: Vec<Version>,
    rows: RoaringBitmap,
}

impl Pending {
    pub(super) fn push(&mut self, version: Version) {
        self.rows.insert(version.row().0);
        self.versions.push(version);
    }

    /// Whether what is stored of the row is not its newest.
    pub(super) fn holds(&self, row: RowId) -> bool {
        self.rows.contains(row.0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.versions.len() >= BATCH
    }

    pub(super) fn take(&mut self) -> Vec<Version> {
        self.rows.clear();
        std::mem::take(&mut self.versions)
    }
}
