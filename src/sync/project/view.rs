//! What a projection reads.

use roaring::RoaringBitmap;

use crate::store::StoreError;
use crate::store::snapshot::{Edges, Row, RowId, SnapshotInfo};

/// A sealed snapshot, pinned: what a projection reads.
pub trait View {
    /// What is known about it as a whole.
    fn info(&self) -> &SnapshotInfo;
    /// Every row, gone ones included, by ascending number.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    fn for_each_row(&self, each: &mut dyn FnMut(Row)) -> Result<(), StoreError>;
    /// Those of these rows that it has, gone ones included, by ascending number.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    fn rows(&self, rows: &RoaringBitmap, each: &mut dyn FnMut(Row)) -> Result<(), StoreError>;
    /// The rows that are not what they were in the snapshot of that sequence; `None` if that is not known.
    fn changed_since(&self, sequence: u64) -> Option<RoaringBitmap>;
    /// A group's direct members, as stated.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    fn edges(&self, group: RowId) -> Result<Edges, StoreError>;
}
