//! Somebody who is known, and came under other names.

use jiff::Timestamp;
use roaring::RoaringBitmap;

/// What they are called now.
pub(super) struct Renamed {
    /// The names that they did not have.
    pub(super) names: RoaringBitmap,
    /// When a read first brought them so, if that was another one, and they were taken for two.
    pub(super) since: Option<Timestamp>,
}
