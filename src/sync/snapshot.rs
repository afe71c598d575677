//! A snapshot, as a projection reads it.

use roaring::RoaringBitmap;

use crate::store::StoreError;
use crate::store::snapshot::{Edges, Row, RowId, Snapshot, SnapshotInfo};
use crate::sync::project::View;

impl View for Snapshot {
    fn info(&self) -> &SnapshotInfo {
        self.info()
    }

    fn for_each_row(&self, each: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        self.for_each_row(each)
    }

    fn rows(&self, rows: &RoaringBitmap, each: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        self.rows(rows, each)
    }

    fn changed_since(&self, sequence: u64) -> Option<RoaringBitmap> {
        self.changed_since(sequence)
    }

    fn edges(&self, group: RowId) -> Result<Edges, StoreError> {
        self.edges(group)
    }
}
