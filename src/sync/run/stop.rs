//! Stops a run while it evaluates entries, which may take as long as expressions take.

use std::fmt;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::store::StoreError;
use crate::store::snapshot::{Edges, Row, RowId, SnapshotInfo};
use crate::sync::project::View;

/// Says why a run must end, as soon as it must.
type Why = dyn Fn() -> Option<String> + Send + Sync;

/// Whether a run must end before it has planned.
#[derive(Clone, Default)]
pub struct Stop(Option<Arc<Why>>);

impl Stop {
    /// As soon as this says why.
    pub fn when(why: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(why)))
    }

    pub(super) fn why(&self) -> Option<String> {
        self.0.as_ref()?()
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stop")
    }
}

/// A view that fails as soon as the run must end: entries that were not checked never count as missing.
pub(super) struct Until<'v, V> {
    pub(super) view: &'v V,
    pub(super) stop: Stop,
}

impl<V> Until<'_, V> {
    fn guarded(
        &self,
        each: &mut dyn FnMut(Row),
        go: impl FnOnce(&mut dyn FnMut(Row)) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut ended = None;
        go(&mut |row| {
            if ended.is_none() {
                ended = self.stop.why();
            }
            if ended.is_none() {
                each(row);
            }
        })?;
        ended.map_or(Ok(()), |why| Err(StoreError::GivenUp(why)))
    }
}

impl<V: View> View for Until<'_, V> {
    fn info(&self) -> &SnapshotInfo {
        self.view.info()
    }

    fn for_each_row(&self, each: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        self.guarded(each, |each| self.view.for_each_row(each))
    }

    fn rows(&self, rows: &RoaringBitmap, each: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        self.guarded(each, |each| self.view.rows(rows, each))
    }

    fn changed_since(&self, sequence: u64) -> Option<RoaringBitmap> {
        self.view.changed_since(sequence)
    }

    fn edges(&self, group: RowId) -> Result<Edges, StoreError> {
        match self.stop.why() {
            Some(why) => Err(StoreError::GivenUp(why)),
            None => self.view.edges(group),
        }
    }
}
